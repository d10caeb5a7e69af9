"""What readers read."""

import io

import hdfs_native
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chromapress.paths import DatasetPaths
from chromapress.publication import NotPublishedError, current, partitions
from chromapress.storage import Hdfs
from chromapress.tables import MANIFEST
from tests.chromapress.conftest import Made, publish


def test_the_current_version_has_run_manifest_and_images(store: Hdfs, published: DatasetPaths, made: Made) -> None:
    publication = current(store, published.partition("dt=2026-11-23"))
    assert publication.version == "0123456789abcdef"
    assert publication.run()["images"] == len(made.sources)
    assert publication.manifest().schema.equals(MANIFEST)
    for name, content in made.files.items():
        assert publication.image(name) == content


def test_only_the_columns_asked_for_are_read(store: Hdfs, published: DatasetPaths) -> None:
    manifest = current(store, published.partition("dt=2026-11-23")).manifest(["relative_path", "k"])
    assert manifest.column_names == ["relative_path", "k"]


def test_an_image_is_found_in_its_pack_of_which_little_is_read(
    store: Hdfs, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = DatasetPaths(root, "maps").partition("dt=2026-11-23")
    contents = [b"%d" % number + bytes(10_000) for number in range(500)]
    pack = pa.table({"published_path": [f"{number:03}.png" for number in range(500)], "content": contents})
    packed = io.BytesIO()
    pq.write_table(pack, packed, row_group_size=64, compression="none", use_dictionary=False)
    store.write(f"{partition.version('v').images}/part-00002.parquet", packed.getvalue())
    store.write(partition.current, b"v\n")
    publication = current(store, partition)
    assert publication.image("000.png", 2) == contents[0]
    sizes: list[int] = []
    read = hdfs_native.FileReader.read
    monkeypatch.setattr(
        hdfs_native.FileReader, "read", lambda reader, size=-1: sizes.append(size) or read(reader, size)
    )
    assert publication.image("321.png", 2) == contents[321]
    assert all(size >= 0 for size in sizes)
    assert sum(sizes) < len(packed.getvalue()) / 3


def test_a_new_version_is_what_readers_get_from_then_on(store: Hdfs, root: str, made: Made) -> None:
    partition = DatasetPaths(root, "maps").partition("dt=2026-11-23")
    publish(store, partition, made, "first")
    before = current(store, partition)
    publish(store, partition, made, "second")
    assert current(store, partition).version == "second"
    assert before.run()["version"] == "first"


def test_partitions_without_a_current_version_are_not_published(store: Hdfs, root: str, made: Made) -> None:
    paths = DatasetPaths(root, "maps")
    publish(store, paths.partition("dt=2026-11-23"), made, "v")
    store.make_directory(f"{paths.published}/dt=2026-11-24/_aside-run")
    assert partitions(store, paths) == ["dt=2026-11-23"]


def test_what_is_not_published_is_said_so(store: Hdfs, root: str) -> None:
    paths = DatasetPaths(root, "maps")
    assert partitions(store, paths) == []
    with pytest.raises(NotPublishedError, match="nothing is published of maps, partition dt=2026-11-23"):
        current(store, paths.partition("dt=2026-11-23"))
