"""The portal's REST API over the real stack: a person with a token uploads images and gets them back smaller."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from chromapress.config import DatasetConfig, with_parameters
from chromapress.press import press
from tests.landing_set import encoded, flat, photograph

pytestmark = pytest.mark.timeout(1800)

IMAGES = {
    "photos/coffee.png": encoded(photograph("coffee.png", 0, 0), "PNG"),
    "photos/chelsea.png": encoded(photograph("chelsea.png", 0, 0), "PNG"),
    "chart.png": encoded(flat(5, 5), "PNG", compress_level=0),
}


class Person:
    """Somebody with an account that sees the portal and nothing else of Airflow."""

    def __init__(self, pipeline: Any, session: requests.Session) -> None:
        self.pipeline = pipeline
        self.url = f"{pipeline.address.url}/chromapress/api/v1"
        name, password = f"ann-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        account = {
            **{"username": name, "password": password, "email": f"{name}@example.org"},
            **{"first_name": "Ann", "last_name": "Uploader", "roles": [{"name": "Uploader"}]},
        }
        made = pipeline.api.post(f"{pipeline.address.url}/auth/fab/v1/users", json=account)
        assert made.ok, made.text
        answer = session.post(f"{pipeline.address.url}/auth/token", json={"username": name, "password": password})
        assert answer.ok, answer.text
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self.session = session

    def call(self, method: str, path: str, **request: Any) -> requests.Response:
        answer = self.session.request(method, f"{self.url}{path}", timeout=120, **request)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def upload(self, files: dict[str, bytes]) -> str:
        """The id of a new upload with these files, all received."""
        upload_id: str = self.call("POST", "/uploads", json={"name": "e2e"}).json()["id"]
        asked = [{"path": path, "size_bytes": len(content)} for path, content in files.items()]
        items = self.call("POST", f"/uploads/{upload_id}/files", json={"files": asked}).json()["items"]
        for item, content in zip(items, files.values(), strict=True):
            path = f"/uploads/{upload_id}/files/{item['id']}"
            sent = self.call("PATCH", path, data=content, headers={"Upload-Offset": "0"}).json()
            assert sent["state"] == "received", sent
        return upload_id

    def start(self, upload_id: str, parameters: dict[str, Any]) -> str:
        """The id of a new run."""
        answer = self.call("POST", f"/uploads/{upload_id}/runs", json={"parameters": parameters})
        return str(answer.json()["run_id"])

    def end(self, upload_id: str, run_id: str) -> dict[str, Any]:
        """A run, when it is over."""

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.call("GET", f"/uploads/{upload_id}/runs/{run_id}").json()
            return run if run["state"] in ("success", "failed") else None

        return self.pipeline.wait_for("end of the run", ended)


@pytest.fixture(scope="module")
def person(pipeline: Any) -> Iterator[Person]:
    execution = {"retries": 1, "executor_memory": "512m", "one_session_up_to": 10}
    pipeline.describe("uploads", limits={"max_rejected_percent": 5}, execution=execution)
    with requests.Session() as session:
        yield Person(pipeline, session)


@pytest.fixture(scope="module")
def good(person: Person) -> tuple[str, str]:
    """An upload and its run, of images."""
    upload_id = person.upload(IMAGES)
    return upload_id, person.start(upload_id, {"compression.effort": 4})


@pytest.fixture(scope="module")
def bad(person: Person) -> tuple[str, str]:
    """The same, of what begins like an image."""
    content = IMAGES["photos/coffee.png"]
    upload_id = person.upload({"torn.png": content[: len(content) // 2]})
    return upload_id, person.start(upload_id, {})


def test_images_are_uploaded_run_and_downloaded_as_the_core_presses_them(
    pipeline: Any, person: Person, good: tuple[str, str], bad: tuple[str, str]
) -> None:
    upload_id, run_id = good
    run = person.end(upload_id, run_id)
    assert run["state"] == "success", run
    assert {stage["state"] for stage in run["stages"]} == {"success"}
    assert person.call("GET", f"/uploads/{upload_id}").json()["state"] == "done"

    results = person.call("GET", f"/uploads/{upload_id}/results").json()
    assert [item["path"] for item in results["items"]] == sorted(IMAGES)
    config = with_parameters(DatasetConfig(), {"compression.effort": 4}, "test")
    pressed = {path: press(content, config).content for path, content in IMAGES.items()}
    for path, content in pressed.items():
        assert person.call("GET", f"/uploads/{upload_id}/results/download", params={"path": path}).content == content
    with zipfile.ZipFile(io.BytesIO(person.call("GET", f"/uploads/{upload_id}/results/zip").content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == pressed

    # All in one session: a later task found its stage done.
    log = pipeline.log("quantize_uploads", run_id, "quantize")
    assert "quantize was done in the Spark session of small_run" in log
    of_run = f"{person.url}/runs/quantize_uploads/{run_id}/results"
    assert pipeline.api.get(of_run).json()["version"] == results["version"]
    assert person.session.get(of_run).status_code == 404
    trends = pipeline.api.get(f"{person.url}/datasets/uploads/trends").json()
    assert run_id in [point["run_id"] for point in trends["items"]]


def test_a_gate_holds_in_one_session_too_and_the_person_is_told_why(person: Person, bad: tuple[str, str]) -> None:
    run = person.end(*bad)
    states = {stage["name"]: stage["state"] for stage in run["stages"]}
    assert (run["state"], states["ingest"], states["publish"]) == ("failed", "success", "failed"), run
    assert run["error"].startswith("1 of 1 images are rejected")
    assert person.call("GET", f"/uploads/{bad[0]}").json()["state"] == "failed"
    assert person.session.get(f"{person.url}/uploads/{bad[0]}/results").status_code == 404
