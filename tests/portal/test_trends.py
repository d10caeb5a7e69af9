"""Trends over a dataset's runs, from what is published."""

import pytest

from chromapress.paths import DatasetPaths
from chromapress.storage import Hdfs
from tests.portal.published import generated_rows, write_version

PATH = "/chromapress/api/v1/datasets/nights/trends"


@pytest.fixture
def storage(hdfs):
    return Hdfs(hdfs.url)


def test_trends_are_of_the_last_partitions_in_the_order_of_their_runs(client_of, storage):
    from portal.access import Person

    rows = generated_rows(40)
    for day in (1, 2, 3):
        partition = DatasetPaths("/chromapress", "nights").partition(f"dt=2026-11-{day:02}")
        write_version(storage, partition, rows[: 10 * day], {}, "v", run_id=f"run {day}", started=f"2026-11-0{9 - day}")
    root, ann = client_of(Person("root", operator=True)), client_of(Person("ann", operator=False))
    answer = root.get(PATH).json()
    assert [point["run_id"] for point in answer["items"]] == ["run 3", "run 2", "run 1"]
    first = answer["items"][-1]
    landed = [row for row in rows[:10] if row["outcome"] != "rejected"]
    saved = sum(row["source_size_bytes"] - row["published_size_bytes"] for row in landed)
    assert (first["images"], first["rejected"], first["saved_bytes"]) == (10, 10 - len(landed), saved)
    assert first["seconds"]["publish"] == 1.5
    limited = root.get(PATH, params={"limit": 2}).json()
    assert [point["partition"] for point in limited["items"]] == ["dt=2026-11-03", "dt=2026-11-02"]
    assert ann.get(PATH).status_code == 404
    assert client_of(None).get(PATH).status_code == 401
    assert root.get(PATH.replace("nights", "..")).status_code == 404
    assert root.get(PATH.replace("nights", "nothing")).status_code == 404
