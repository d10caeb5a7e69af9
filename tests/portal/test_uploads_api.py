"""Uploads as a browser makes them, on a real HDFS: whole, in parts, in parallel, refused, deleted."""

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image
from portal.access import Person
from portal.app import PREFIX
from portal.records import new_id, now, runs
from portal.settings import Settings
from sqlalchemy import insert, update

from chromapress.paths import DatasetPaths
from chromapress.storage import Hdfs
from tests.landing_set import encoded, photograph

API = "/chromapress/api/v1/uploads"
ANN, BOB = Person("ann", operator=False), Person("bob", operator=True)
PHOTO = encoded(photograph("coffee.png", 60, 40), "PNG")
LIMITS = "limits: {max_bytes: 3000000, max_pixels: 1000000}\n"


def noise(seed: int, size: int = 400) -> bytes:
    """A PNG that does not compress, of 3 * size * size bytes and a bit."""
    return encoded(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)), "PNG")


@pytest.fixture
def storage(hdfs) -> Hdfs:
    return Hdfs(hdfs.url)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "uploads.yaml").write_text(LIMITS)
    return Settings(
        base_url="http://testserver",
        root=f"/chromapress/{tmp_path.name}",
        datasets_folder=tmp_path,
        quota_bytes=20_000_000,
        quota_files=50,
    )


@pytest.fixture
def ann(client_of):
    return client_of(ANN)


@pytest.fixture
def landed(storage, settings):
    """What the pipeline finds of an upload: {path: content}."""

    def find(upload: str) -> dict[str, bytes]:
        directory = DatasetPaths(settings.root, "uploads").partition(f"upload={upload}").landing
        if not storage.exists(directory):
            return {}
        return {
            file.relative_path: storage.read(f"{directory}/{file.relative_path}") for file in storage.files(directory)
        }

    return find


@pytest.fixture
def staged(storage, settings):
    """What is staged of an upload: {file's id: bytes}."""

    def find(upload: str) -> dict[str, int]:
        directory = DatasetPaths(settings.root, "uploads").partition(f"upload={upload}").staging
        return {name: storage.size(f"{directory}/{name}") for name in storage.names(directory)}

    return find


def begin(client) -> str:
    answer = client.post(API, json={"name": "scans"})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def announce(client, upload: str, *asked: tuple[str, int]) -> list[dict]:
    wanted = {"files": [{"path": path, "size_bytes": size} for path, size in asked]}
    answer = client.post(f"{API}/{upload}/files", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def send(client, upload: str, file: str, content: bytes, offset: int = 0):
    return client.patch(f"{API}/{upload}/files/{file}", content=content, headers={"Upload-Offset": str(offset)})


def put(client, upload: str, path: str, content: bytes) -> dict:
    (file,) = announce(client, upload, (path, len(content)))
    answer = send(client, upload, file["id"], content)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_file_lands_with_its_name_and_is_known_by_its_content(ann, landed, staged):
    upload = begin(ann)
    file = put(ann, upload, "scans/Übung #1.jpg", PHOTO)
    assert (file["state"], file["path"], file["received_bytes"]) == ("received", "scans/Übung #1.jpg", len(PHOTO))
    assert file["content_type"] == "image/png"
    assert file["sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert landed(upload) == {"scans/Übung #1.jpg": PHOTO}
    assert staged(upload) == {}
    view = ann.get(f"{API}/{upload}").json()
    assert (view["name"], view["state"], view["file_count"], view["size_bytes"]) == ("scans", "open", 1, len(PHOTO))


def test_a_large_file_comes_in_pieces_and_is_the_same(ann, landed):
    upload, content = begin(ann), noise(1, 900)
    assert len(content) > 2_000_000
    assert put(ann, upload, "a.png", content)["sha256"] == hashlib.sha256(content).hexdigest()
    assert landed(upload) == {"a.png": content}


def test_nothing_of_a_part_is_seen_and_the_rest_is_asked_for_where_it_ends(ann, landed, staged):
    upload, content = begin(ann), noise(2, 500)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    part = send(ann, upload, file["id"], content[:300_000]).json()
    assert (part["state"], part["received_bytes"]) == ("waiting", 300_000)
    assert landed(upload) == {}
    assert staged(upload) == {file["id"]: 300_000}

    (again,) = announce(ann, upload, ("a.png", len(content)))
    assert (again["id"], again["received_bytes"]) == (file["id"], 300_000)
    for wrong in (0, 200_000, 300_001):
        answer = send(ann, upload, file["id"], content[wrong:], wrong)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "300000")
    assert send(ann, upload, file["id"], content[300_000:], 300_000).json()["state"] == "received"
    assert landed(upload) == {"a.png": content}
    assert staged(upload) == {}
    (again,) = announce(ann, upload, ("a.png", len(content)))
    assert (again["id"], again["state"]) == (file["id"], "received")


def test_a_part_of_which_this_process_knows_nothing_is_gone_on_with(
    ann, client_of, app, records, settings, storage, landed
):
    """As after a restart of the server."""
    from portal.uploads import Uploads

    upload, content = begin(ann), noise(3, 500)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    send(ann, upload, file["id"], content[:100])
    app.state.uploads.uploads = Uploads(settings, storage, records)
    send(ann, upload, file["id"], content[100:400_000], 100)
    app.state.uploads.uploads = Uploads(settings, storage, records)
    done = send(ann, upload, file["id"], content[400_000:], 400_000).json()
    assert done["sha256"] == hashlib.sha256(content).hexdigest()
    assert landed(upload) == {"a.png": content}


def test_a_file_that_a_lost_process_was_writing_is_gone_on_with(ann, records, settings, storage, landed):
    """It has not closed the file, and has said less of it than it wrote."""
    from portal.records import files

    upload, content = begin(ann), noise(4, 500)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    path = DatasetPaths(settings.root, "uploads").partition(f"upload={upload}").staging
    lost = storage.writer(f"{path}/{file['id']}")
    lost.write(content[:250_000])
    lost.hsync()
    receiving = update(files).where(files.c.id == file["id"]).values(state="receiving", received_bytes=100_000)
    records.write(lambda connection: connection.execute(receiving))

    answer = send(ann, upload, file["id"], content[100_000:], 100_000)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "250000")
    assert send(ann, upload, file["id"], content[250_000:], 250_000).json()["state"] == "received"
    assert landed(upload) == {"a.png": content}
    with pytest.raises(RuntimeError):
        lost.close()


def test_a_file_that_landed_before_its_process_could_say_so_is_sent_again(ann, settings, storage, landed):
    upload = begin(ann)
    (file,) = announce(ann, upload, ("a.png", len(PHOTO)))
    directory = DatasetPaths(settings.root, "uploads").partition(f"upload={upload}").landing
    storage.write(f"{directory}/a.png", PHOTO)
    assert send(ann, upload, file["id"], PHOTO).json()["state"] == "received"
    assert landed(upload) == {"a.png": PHOTO}


@pytest.fixture
def live(app) -> Iterator[socket.socket]:
    """A connection to the app in a real server, which ends when the test says so."""
    airflow = FastAPI()
    airflow.mount(PREFIX, app)
    server = uvicorn.Server(uvicorn.Config(airflow, port=0, lifespan="off", ws="none", log_level="warning"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with socket.create_connection(listening.getsockname(), timeout=300) as connection:
                yield connection
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


def send_part(connection: socket.socket, upload: str, file: str, part: bytes, size_bytes: int) -> None:
    """The beginning of a request, and not its end."""
    headers = "Host: testserver\r\nSec-Fetch-Site: same-origin\r\nX-Test-Person: ann\r\nUpload-Offset: 0\r\n"
    begin = f"PATCH {API}/{upload}/files/{file} HTTP/1.1\r\n{headers}Content-Length: {size_bytes}\r\n\r\n"
    connection.sendall(begin.encode() + part)


def wait_for(client, upload: str, state: str) -> int:
    """Wait until the upload's file is in a state, with some of its bytes; how many."""
    deadline = time.monotonic() + 300
    while True:
        (file,) = client.get(f"{API}/{upload}/files").json()["items"]
        if file["state"] == state and file["received_bytes"]:
            return int(file["received_bytes"])
        assert time.monotonic() < deadline, (file["state"], file["received_bytes"])
        time.sleep(0.05)


def test_what_came_before_a_connection_was_lost_need_not_be_sent_again(ann, live, landed, staged):
    upload, content = begin(ann), noise(7, 900)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    send_part(live, upload, file["id"], content[:700_000], len(content))
    wait_for(ann, upload, "receiving")
    live.close()
    # What is on its way when the connection ends may be lost.
    there = wait_for(ann, upload, "waiting")
    assert there <= 700_000
    assert (landed(upload), staged(upload)) == ({}, {file["id"]: there})
    assert send(ann, upload, file["id"], content[there:], there).json()["state"] == "received"
    assert landed(upload) == {"a.png": content}


def test_a_new_connection_takes_over_from_one_that_hangs(ann, app, live, landed):
    upload, content = begin(ann), noise(8, 900)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    send_part(live, upload, file["id"], content[:1_100_000], len(content))
    wait_for(ann, upload, "receiving")
    answer = send(ann, upload, file["id"], content)
    assert answer.status_code == 409
    there = int(answer.headers["Upload-Offset"])
    assert 0 < there <= 1_100_000
    assert send(ann, upload, file["id"], content[there:], there).json()["state"] == "received"
    with suppress(OSError):  # the server need not hear the rest
        live.sendall(content[1_100_000:])
    deadline = time.monotonic() + 300
    while app.state.uploads.senders:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert landed(upload) == {"a.png": content}
    assert ann.get(f"{API}/{upload}/files").json()["items"][0]["state"] == "received"


def test_who_sends_nothing_loses_the_place_and_not_what_came(ann, app, live):
    app.state.uploads.idle_s = 0.5
    upload, content = begin(ann), noise(9, 900)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    send_part(live, upload, file["id"], content[:1000], len(content))
    assert live.recv(4096).startswith(b"HTTP/1.1 408 ")
    assert wait_for(ann, upload, "waiting") == 1000
    assert app.state.uploads.senders == 0


def test_more_than_was_announced_is_refused_and_nothing_of_it_kept(ann, landed, staged):
    upload = begin(ann)
    (file,) = announce(ann, upload, ("a.png", len(PHOTO) - 1))
    answer = send(ann, upload, file["id"], PHOTO)
    assert (answer.status_code, "more bytes" in answer.json()["detail"]) == (400, True)
    assert (landed(upload), staged(upload)) == ({}, {})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("text.png", b"This is not an image.\n" * 10_000, "it is not an image"),
        ("short.png", b"x", "it is not an image"),
        ("picture.png", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "a SVG file"),
        ("page.png", b"<!doctype html><script>alert(1)</script>", "it is not an image"),
        ("a.psd", b"8BPS\0\1" + bytes(100), "a PSD file; supported are JPEG"),
        ("cut.png", PHOTO[:20], "begins like a PNG file, but its header is damaged"),
        ("wide.png", encoded(Image.new("1", (1001, 1000)), "PNG"), "1001000 pixels, the limit is 1000000"),
    ],
)
def test_what_is_not_to_be_had_is_refused_with_its_reason(ann, landed, staged, name, content, reason):
    upload = begin(ann)
    file = put(ann, upload, name, content)
    assert file["state"] == "refused"
    assert reason in file["reason"]
    assert (landed(upload), staged(upload)) == ({}, {})
    assert ann.get(f"{API}/{upload}").json()["file_count"] == 0
    # Its name is free for a better one.
    assert put(ann, upload, name, PHOTO)["path"] == name


@pytest.mark.parametrize(("size", "reason"), [(0, "no bytes"), (3_000_001, "the limit is 3000000")])
def test_a_size_that_will_not_do_is_refused_before_anything_is_sent(ann, size, reason):
    (file,) = announce(ann, begin(ann), ("a.png", size))
    assert (file["state"], reason in file["reason"]) == ("refused", True)


def test_an_image_may_have_any_name(ann, landed):
    upload = begin(ann)
    assert put(ann, upload, "readme.txt", PHOTO)["state"] == "received"
    assert landed(upload) == {"readme.txt": PHOTO}


def test_names_that_meet_are_resolved_for_all_to_see(ann, landed):
    upload = begin(ann)
    put(ann, upload, "x/a.png", PHOTO)
    others = {"x/a.png": noise(1, 20), "x/./a.png": noise(2, 20), "/x//../a.png": noise(3, 20)}
    paths = [put(ann, upload, path, other)["path"] for path, other in others.items()]
    assert paths == ["x/a (2).png", "x/a (3).png", "x/a (4).png"]
    assert landed(upload) == {"x/a.png": PHOTO, **dict(zip(paths, others.values(), strict=True))}


def test_two_files_of_one_name_and_size_in_one_call_are_two(ann):
    upload = begin(ann)
    both = announce(ann, upload, ("a.png", 100), ("a.png", 100))
    assert [file["path"] for file in both] == ["a.png", "a (2).png"]
    assert announce(ann, upload, ("a.png", 100), ("a.png", 100)) == both


def test_a_file_with_the_name_of_a_folder_is_refused(ann, landed):
    upload = begin(ann)
    put(ann, upload, "x/a.png", PHOTO)
    assert put(ann, upload, "x", noise(1, 20))["reason"] == "a folder has its name"
    put(ann, upload, "y", noise(2, 20))
    assert put(ann, upload, "y/a.png", noise(3, 20))["reason"].startswith("another file has the name of a folder")
    assert set(landed(upload)) == {"x/a.png", "y"}


def test_equal_files_are_told_and_kept_side_by_side(ann, landed):
    upload = begin(ann)
    asked = [(f"{number}.png", len(PHOTO)) for number in range(8)]
    files = announce(ann, upload, *asked)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda file: send(ann, upload, file["id"], PHOTO), files))
    assert [answer.status_code for answer in answers] == [200] * 8
    listed = ann.get(f"{API}/{upload}/files").json()["items"]
    (first,) = [file["path"] for file in listed if file["duplicate_of"] is None]
    assert [file["duplicate_of"] for file in listed if file["path"] != first] == [first] * 7
    assert [answer.json()["duplicate_of"] for answer in answers].count(first) == 7
    assert landed(upload) == {path: PHOTO for path, _ in asked}


def test_when_the_first_of_equal_files_goes_the_next_is_the_first(ann, landed):
    upload = begin(ann)
    one, two, three = (put(ann, upload, f"{number}.png", PHOTO) for number in (1, 2, 3))
    assert (two["duplicate_of"], three["duplicate_of"]) == ("1.png", "1.png")
    assert ann.delete(f"{API}/{upload}/files/{one['id']}").status_code == 204
    listed = ann.get(f"{API}/{upload}/files").json()["items"]
    assert [(file["path"], file["duplicate_of"]) for file in listed] == [("2.png", None), ("3.png", "2.png")]
    assert set(landed(upload)) == {"2.png", "3.png"}
    assert put(ann, upload, "4.png", PHOTO)["duplicate_of"] == "2.png"


def test_a_file_that_is_cancelled_leaves_nothing(ann, landed, staged):
    upload, content = begin(ann), noise(5)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    send(ann, upload, file["id"], content[:100_000])
    assert ann.delete(f"{API}/{upload}/files/{file['id']}").status_code == 204
    assert (landed(upload), staged(upload)) == ({}, {})
    assert send(ann, upload, file["id"], content).status_code == 404
    assert ann.get(f"{API}/{upload}/files").json() == {"items": [], "total": 0}


def test_files_are_paged_and_found_by_name(ann):
    upload = begin(ann)
    announce(ann, upload, *((f"{kind}/{number:02}_100%.png", 10) for kind in ("Cats", "dogs") for number in range(20)))
    page = ann.get(f"{API}/{upload}/files", params={"offset": 18, "limit": 4}).json()
    assert page["total"] == 40
    assert [file["path"][:7] for file in page["items"]] == ["Cats/18", "Cats/19", "dogs/00", "dogs/01"]
    assert ann.get(f"{API}/{upload}/files", params={"search": "CATS/1"}).json()["total"] == 10
    assert ann.get(f"{API}/{upload}/files", params={"search": "_100%"}).json()["total"] == 40
    assert ann.get(f"{API}/{upload}/files", params={"search": "0%_"}).json()["total"] == 0


def test_the_quota_counts_all_uploads_and_what_is_deleted_no_more(ann, client_of):
    first, second = begin(ann), begin(ann)
    announce(ann, first, *((f"{number}.png", 3_000_000) for number in range(6)))
    wanted = {"files": [{"path": "7.png", "size_bytes": 3_000_000}]}
    answer = ann.post(f"{API}/{second}/files", json=wanted)
    assert answer.status_code == 413
    assert "You have 6 files of 18,000,000 bytes" in answer.json()["detail"]
    bob = client_of(BOB)
    assert announce(bob, begin(bob), ("7.png", 3_000_000))[0]["state"] == "waiting"
    ann.delete(f"{API}/{first}/files/{ann.get(f'{API}/{first}/files').json()['items'][0]['id']}")
    assert ann.post(f"{API}/{second}/files", json=wanted).status_code == 200
    ann.delete(f"{API}/{first}")
    announce(ann, second, *((f"{number}.png", 3_000_000) for number in range(5)))


def test_refused_files_hold_no_bytes_of_the_quota_but_a_place(ann):
    upload = begin(ann)
    for number in range(8):
        put(ann, upload, f"{number}.txt", bytes(2_900_000))
    wanted = {"files": [{"path": f"{number}.png", "size_bytes": 10} for number in range(43)]}
    assert ann.post(f"{API}/{upload}/files", json=wanted).status_code == 413
    wanted["files"].pop()
    assert ann.post(f"{API}/{upload}/files", json=wanted).status_code == 200


def test_an_upload_that_is_deleted_leaves_nothing_anywhere(ann, storage, settings):
    upload = begin(ann)
    put(ann, upload, "a.png", PHOTO)
    paths = DatasetPaths(settings.root, "uploads").partition(f"upload={upload}")
    storage.write(f"{paths.published}/_CURRENT", b"1\n")
    storage.write(paths.run("r").config, b"{}")
    assert ann.delete(f"{API}/{upload}").status_code == 204
    assert not any(map(storage.exists, (paths.landing, paths.staging, paths.published, paths.work)))
    assert ann.get(f"{API}/{upload}").status_code == 404
    assert ann.get(API).json() == {"items": [], "total": 0}


def run_of(upload: str, state: str) -> dict:
    return {
        "run_id": new_id(),
        "dag_id": "quantize_uploads",
        "upload_id": upload,
        "started_by": "ann",
        "parameters": {},
        "state": state,
        "created_at": now(),
    }


def test_an_upload_on_which_a_run_works_stays_as_it_is(ann, app, records, landed):
    from portal import runs_api

    app.dependency_overrides[runs_api.settle] = lambda: None  # Airflow does not know of this run
    upload = begin(ann)
    file = put(ann, upload, "a.png", PHOTO)
    (other,) = announce(ann, upload, ("b.png", len(PHOTO)))
    row = run_of(upload, "running")
    records.write(lambda connection: connection.execute(insert(runs).values(row)))
    assert ann.get(f"{API}/{upload}").json()["state"] == "running"
    for answer in (
        ann.delete(f"{API}/{upload}"),
        ann.delete(f"{API}/{upload}/files/{file['id']}"),
        ann.post(f"{API}/{upload}/files", json={"files": [{"path": "c.png", "size_bytes": 1}]}),
        send(ann, upload, other["id"], PHOTO),
    ):
        assert (answer.status_code, "A run is working" in answer.json()["detail"]) == (409, True)
    assert landed(upload) == {"a.png": PHOTO}
    ended = update(runs).where(runs.c.run_id == row["run_id"]).values(state="success")
    records.write(lambda connection: connection.execute(ended))
    assert ann.get(f"{API}/{upload}").json()["state"] == "done"
    assert send(ann, upload, other["id"], PHOTO).json()["state"] == "received"
    assert ann.delete(f"{API}/{upload}").status_code == 204


def test_what_belongs_to_another_is_not_there(ann, client_of, landed):
    upload = begin(ann)
    file = put(ann, upload, "a.png", PHOTO)
    bob = client_of(BOB)
    own = begin(bob)
    for answer in (
        bob.get(f"{API}/{upload}"),
        bob.get(f"{API}/{upload}/files"),
        bob.get(f"{API}/{upload}/files/{file['id']}/content"),
        bob.get(f"{API}/{own}/files/{file['id']}/content"),
        bob.post(f"{API}/{upload}/files", json={"files": [{"path": "b.png", "size_bytes": 1}]}),
        send(bob, upload, file["id"], PHOTO),
        bob.delete(f"{API}/{upload}/files/{file['id']}"),
        bob.delete(f"{API}/{upload}"),
    ):
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert [one["id"] for one in bob.get(API).json()["items"]] == [own]
    assert landed(upload) == {"a.png": PHOTO}


def test_content_comes_back_as_bytes_that_can_do_nothing(ann):
    upload = begin(ann)
    polyglot = PHOTO + b"<script>alert(1)</script>"
    file = put(ann, upload, 'a"\r\nX: y/<b>".html', polyglot)
    answer = ann.get(f"{API}/{upload}/files/{file['id']}/content")
    assert answer.content == polyglot
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "X" not in answer.headers
    assert ann.get(f"{API}/{upload}/files/{announce(ann, upload, ('b', 9))[0]['id']}/content").status_code == 404


def test_who_begins_too_many_uploads_must_wait(ann, app):
    from portal.throttle import Throttle

    app.state.uploads.created = Throttle(2, 600)
    begin(ann)
    begin(ann)
    answer = ann.post(API)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "600")


def test_when_hdfs_is_away_people_are_asked_to_come_again(ann, app, records, settings):
    from portal.uploads import Uploads

    upload = begin(ann)
    (file,) = announce(ann, upload, ("a.png", len(PHOTO)))
    app.state.uploads.uploads = Uploads(settings, Hdfs("hdfs://localhost:1", attempts=1), records)
    answer = send(ann, upload, file["id"], PHOTO)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert announce(ann, upload, ("a.png", len(PHOTO)))[0]["state"] == "waiting"


def test_what_is_abandoned_is_taken_away(ann, app, staged, landed):
    upload, content = begin(ann), noise(6)
    put(ann, upload, "whole.png", PHOTO)
    (file,) = announce(ann, upload, ("a.png", len(content)))
    send(ann, upload, file["id"], content[:100_000])
    work = app.state.uploads.uploads
    work.sweep(now() - timedelta(minutes=10))
    assert staged(upload) == {file["id"]: 100_000}
    work.sweep(now() + timedelta(minutes=10))
    assert staged(upload) == {}
    assert [one["path"] for one in ann.get(f"{API}/{upload}/files").json()["items"]] == ["whole.png"]
    assert set(landed(upload)) == {"whole.png"}


def test_what_is_staged_of_no_file_is_taken_away(ann, app, storage, settings, staged):
    upload = begin(ann)
    path = DatasetPaths(settings.root, "uploads").partition(f"upload={upload}").staging
    storage.write(f"{path}/{new_id()}", b"stray")
    app.state.uploads.uploads.sweep(now() - timedelta(minutes=10))
    assert len(staged(upload)) == 1
    app.state.uploads.uploads.sweep(now() + timedelta(minutes=10))
    assert staged(upload) == {}


def test_a_deletion_that_broke_off_is_done_by_the_sweep(ann, app, records, storage, settings):
    from portal.records import uploads

    upload = begin(ann)
    put(ann, upload, "a.png", PHOTO)
    marked = update(uploads).where(uploads.c.id == upload).values(deleting=now())
    records.write(lambda connection: connection.execute(marked))
    assert ann.get(f"{API}/{upload}").status_code == 404
    app.state.uploads.uploads.sweep(now() + timedelta(minutes=10))
    assert not storage.exists(DatasetPaths(settings.root, "uploads").partition(f"upload={upload}").landing)


def test_names_that_databases_cannot_keep_are_no_error(ann):
    upload = begin(ann)
    (file,) = announce(ann, upload, ("a\0b:c.png", 10))
    assert (file["path"], file["asked_path"]) == (
        "a\N{REPLACEMENT CHARACTER}b_c.png",
        "a\N{REPLACEMENT CHARACTER}b:c.png",
    )
    assert ann.get(f"{API}/{upload}/files", params={"search": "\0"}).status_code == 200
    half = '{"files": [{"path": "a\\ud800", "size_bytes": 10}]}'
    answer = ann.post(f"{API}/{upload}/files", content=half, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "body.files.0.path" in answer.json()["detail"]) == (422, True)
