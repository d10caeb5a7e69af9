"""Many uploads at once, and many useless ones, on the real API server. With --long as many as the portal promises.

What is measured is printed, not asserted: a busy machine is no fault of the portal.
"""

import hashlib
import shutil
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import requests

from chromapress.outcome import Outcome
from chromapress.paths import UPLOADS, DatasetPaths
from chromapress.storage import Hdfs
from stack import process
from tests.landing_set import encoded, flat
from tests.portal.published import write_version

pytestmark = pytest.mark.timeout(3600)

PROJECT = Path(__file__).resolve().parents[2]
PICTURE = encoded(flat(5, 1), "PNG")


@dataclass(frozen=True)
class Scale:
    """How much."""

    senders: int
    size_bytes: int
    junk: int
    gallery: int


@pytest.fixture(scope="module")
def scale(request) -> Scale:
    return (
        Scale(50, 5_000_000, 10_000, 100_000) if request.config.getoption("--long") else Scale(16, 500_000, 200, 2_000)
    )


class Client:
    """Somebody who uploads, as patiently as the portal's own pages."""

    def __init__(self, pipeline) -> None:
        self.url = f"{pipeline.address.url}/chromapress/api/v1"
        self.headers = dict(pipeline.api.headers)
        self.waited = Counter()

    def call(self, method: str, path: str, session=requests, **request) -> dict:
        headers = self.headers | request.pop("headers", {})
        while True:
            answer = session.request(method, f"{self.url}{path}", headers=headers, timeout=600, **request)
            if answer.status_code not in (429, 503):
                break
            self.waited[answer.status_code] += 1
            time.sleep(float(answer.headers["Retry-After"]))
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def begin(self) -> str:
        return self.call("POST", "/uploads", json={"name": "load"})["id"]

    def announce(self, upload: str, sizes: dict[str, int], session=requests) -> list[dict]:
        asked = [{"path": path, "size_bytes": size} for path, size in sizes.items()]
        return self.call("POST", f"/uploads/{upload}/files", session, json={"files": asked})["items"]

    def send(self, upload: str, file: dict, content: bytes, session=requests) -> dict:
        path = f"/uploads/{upload}/files/{file['id']}"
        return self.call("PATCH", path, session, data=content, headers={"Upload-Offset": "0"})


@pytest.fixture(scope="module")
def client(pipeline) -> Client:
    configuration = pipeline.datasets / f"{UPLOADS}.yaml"
    if not configuration.exists():
        shutil.copy(PROJECT / "dags" / "datasets" / configuration.name, configuration)
    return Client(pipeline)


@pytest.fixture(scope="module")
def store(hdfs) -> Hdfs:
    return Hdfs(hdfs.url)


@pytest.fixture
def say(capsys):
    def tell(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}")

    return tell


def partition(upload: str):
    return DatasetPaths("/chromapress", UPLOADS).partition(f"upload={upload}")


def resident_bytes(home) -> int:
    """What the API server and its workers hold in memory."""
    pids = [member.pid for member in process.family(process.running(home, "api-server").pid)]
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    lines = [line for status in statuses for line in status.splitlines() if line.startswith("VmRSS:")]
    return sum(int(line.split()[1]) * 1024 for line in lines)


def open_files(home) -> int:
    """Their open files, without connections that are kept: those of the database are files, too."""
    pids = [member.pid for member in process.family(process.running(home, "api-server").pid)]
    links = [link.readlink() for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(str(link).startswith("/") and "airflow.db" not in link.name for link in links)


def sha256_in_hdfs(store: Hdfs, path: str) -> str:
    digest = hashlib.sha256()
    with store.reader(path) as reader:
        while piece := reader.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def test_none_of_many_simultaneous_uploads_is_lost_and_pages_are_still_answered(client, store, scale, home, say):
    looked_at, upload = client.begin(), client.begin()
    publish_gallery(store, looked_at, scale.gallery)
    client.call("GET", f"/uploads/{looked_at}/results")  # the manifest is read once
    contents = {f"{number}.png": picture(number, scale.size_bytes) for number in range(scale.senders)}
    before = resident_bytes(home)
    seconds: list[float] = []
    done = threading.Event()

    def look() -> None:
        with requests.Session() as session:
            while not done.is_set():
                began = time.monotonic()
                page = client.call("GET", f"/uploads/{looked_at}/results", session, params={"limit": 60})
                seconds.append(time.monotonic() - began)
                assert page["total"] == scale.gallery

    def put(path: str) -> dict:
        with requests.Session() as session:
            (file,) = client.announce(upload, {path: len(contents[path])}, session)
            return client.send(upload, file, contents[path], session)

    with ThreadPoolExecutor(scale.senders + 1) as threads:
        looking = threads.submit(look)
        began = time.monotonic()
        try:
            files = list(threads.map(put, contents))
        finally:
            elapsed_s = time.monotonic() - began
            done.set()
        looking.result()
    for file in files:
        expected = hashlib.sha256(contents[file["path"]]).hexdigest()
        assert (file["state"], file["sha256"]) == ("received", expected)
        assert sha256_in_hdfs(store, f"{partition(upload).landing}/{file['path']}") == expected
    assert {file["path"] for file in files} == set(contents)
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    say(
        f"{scale.senders} uploads of {scale.size_bytes / 1e6:g} MB at once: {elapsed_s:.1f} s; meanwhile a page of a "
        f"gallery of {scale.gallery} images in {p50:.0f} ms (p95 {p95:.0f} ms, {len(seconds)} pages); the server grew "
        f"by {(resident_bytes(home) - before) / 1e6:.0f} MB; asked to wait: {dict(client.waited)}"
    )
    client.call("DELETE", f"/uploads/{upload}")
    client.call("DELETE", f"/uploads/{looked_at}")


def test_junk_leaves_memory_and_temporary_files_as_they_were(client, store, scale, home, say):
    upload = client.begin()
    junk = [b"This is not an image.\n" * 50, b"MZ" + bytes(5000), b"<svg/>", PICTURE[:30], b"%PDF-1.7" + bytes(100_000)]
    wrong = []

    def throw(first: int, count: int) -> None:
        with requests.Session() as session:
            sizes = {f"{number}.png": len(junk[number % len(junk)]) for number in range(first, first + count)}
            for number, file in enumerate(client.announce(upload, sizes, session), first):
                state = client.send(upload, file, junk[number % len(junk)], session)["state"]
                wrong.extend([state] if state != "refused" else [])

    throw(0, 50)  # what the server needs once and for all
    memory, files = resident_bytes(home), open_files(home)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda first: throw(first, 25), range(50, 50 + scale.junk, 25)))
    grown = resident_bytes(home) - memory
    say(
        f"{scale.junk} junk files in {time.monotonic() - began:.0f} s: the server grew by {grown / 1e6:.1f} MB; "
        f"asked to wait: {dict(client.waited)}"
    )
    assert wrong == []
    assert store.names(partition(upload).staging) == []
    assert not store.exists(partition(upload).landing)
    assert open_files(home) <= files + 20
    assert grown < 50_000_000
    listed = client.call("GET", f"/uploads/{upload}/files", params={"limit": 1})
    assert (listed["total"], listed["items"][0]["state"]) == (50 + scale.junk, "refused")
    client.call("DELETE", f"/uploads/{upload}")


@pytest.mark.long
def test_a_large_file_does_not_grow_the_server(client, store, home, say):
    upload = client.begin()
    client.send(upload, client.announce(upload, {"small.png": len(PICTURE)})[0], PICTURE)
    content = picture(0, 200_000_000)
    before = resident_bytes(home)
    (file,) = client.announce(upload, {"large.png": len(content)})
    done = client.send(upload, file, content)
    grown = resident_bytes(home) - before
    say(f"a file of 200 MB: the server grew by {grown / 1e6:.1f} MB")
    assert done["sha256"] == sha256_in_hdfs(store, f"{partition(upload).landing}/large.png")
    assert grown < 50_000_000
    client.call("DELETE", f"/uploads/{upload}")


def picture(seed: int, size_bytes: int) -> bytes:
    """An image of exactly this size, and like no other."""
    return PICTURE + np.random.default_rng(seed).bytes(size_bytes - len(PICTURE))


def publish_gallery(store: Hdfs, upload: str, images: int) -> None:
    """Results to look at: rows without images."""
    rows = [
        {
            "relative_path": f"scans/{number:06}.png",
            "outcome": str(Outcome.PUBLISHED),
            "published_path": f"scans/{number:06}.png",
            "source_size_bytes": 100_000 + number,
            "source_sha256": "0" * 64,
            "published_size_bytes": 50_000,
            "codec": "png",
            "k": 16,
            "psnr_db": 33.0,
            "rules_disagree": False,
        }
        for number in range(images)
    ]
    write_version(store, partition(upload), rows, {}, "v1")
