"""Who gets what: every route of the app as a stranger, its owner, another uploader, an operator, the holder of a link.

The routes are the app's own: one without a rule fails. What Airflow's real log-in makes of it is in test_accounts.py
and in tests/e2e.
"""

import asyncio
import io
import itertools
from enum import Enum
from urllib.parse import quote

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from PIL import Image
from portal import access
from portal.access import Person
from portal.gate import allows
from starlette.datastructures import Headers
from starlette.routing import Mount

from chromapress.paths import UPLOADS, DatasetPaths
from chromapress.storage import Hdfs
from tests.portal.published import publish

ANN, BEN, OP = Person("ann", operator=False), Person("ben", operator=False), Person("op", operator=True)
API = "/api/v1"


class Rule(Enum):
    """Who may ask for a route about something that belongs to Ann."""

    PERSON = "anyone who has logged in"
    OWNER = "its owner"
    READERS = "its owner and operators"
    OPERATOR = "operators"
    LINK = "anyone who has the link"
    PAGE = "anyone: the page says nothing, its script asks for what the link leads to"


RULES = {
    ("GET", "/"): Rule.PERSON,
    ("GET", "/new"): Rule.PERSON,
    # The page's script asks for the upload itself.
    ("GET", "/uploads/{upload_id}"): Rule.PERSON,
    ("GET", "/shared/{key}"): Rule.PAGE,
    ("GET", "/operator/runs/{dag_id}/{run_id}"): Rule.OPERATOR,
    ("GET", "/operator/datasets/{dataset}"): Rule.OPERATOR,
    ("GET", "/operator/dags/{dag_id}"): Rule.OPERATOR,
    ("GET", "/api/docs"): Rule.PERSON,
    ("GET", "/api/openapi.json"): Rule.PERSON,
    ("GET", f"{API}/me"): Rule.PERSON,
    ("POST", f"{API}/previews"): Rule.PERSON,
    ("PUT", f"{API}/previews/{{preview_id}}/parameters"): Rule.OWNER,
    ("GET", f"{API}/previews/{{preview_id}}"): Rule.OWNER,
    ("GET", f"{API}/previews/{{preview_id}}/ways"): Rule.OWNER,
    ("GET", f"{API}/previews/{{preview_id}}/image"): Rule.OWNER,
    ("GET", f"{API}/previews/{{preview_id}}/source"): Rule.OWNER,
    ("POST", f"{API}/uploads"): Rule.PERSON,
    ("GET", f"{API}/uploads"): Rule.PERSON,
    ("GET", f"{API}/uploads/{{upload_id}}"): Rule.OWNER,
    ("DELETE", f"{API}/uploads/{{upload_id}}"): Rule.OWNER,
    ("POST", f"{API}/uploads/{{upload_id}}/files"): Rule.OWNER,
    ("GET", f"{API}/uploads/{{upload_id}}/files"): Rule.OWNER,
    ("PATCH", f"{API}/uploads/{{upload_id}}/files/{{file_id}}"): Rule.OWNER,
    ("DELETE", f"{API}/uploads/{{upload_id}}/files/{{file_id}}"): Rule.OWNER,
    ("GET", f"{API}/uploads/{{upload_id}}/files/{{file_id}}/content"): Rule.OWNER,
    ("GET", f"{API}/parameters"): Rule.PERSON,
    ("POST", f"{API}/uploads/{{upload_id}}/runs"): Rule.OWNER,
    ("GET", f"{API}/uploads/{{upload_id}}/runs"): Rule.READERS,
    ("GET", f"{API}/uploads/{{upload_id}}/runs/{{run_id}}"): Rule.READERS,
    ("GET", f"{API}/uploads/{{upload_id}}/results"): Rule.READERS,
    ("GET", f"{API}/uploads/{{upload_id}}/results/image"): Rule.READERS,
    ("GET", f"{API}/uploads/{{upload_id}}/results/download"): Rule.READERS,
    ("GET", f"{API}/uploads/{{upload_id}}/results/zip"): Rule.READERS,
    ("POST", f"{API}/uploads/{{upload_id}}/results/zip"): Rule.READERS,
    ("POST", f"{API}/uploads/{{upload_id}}/shares"): Rule.OWNER,
    ("GET", f"{API}/uploads/{{upload_id}}/shares"): Rule.OWNER,
    ("DELETE", f"{API}/shares/{{key}}"): Rule.OWNER,
    ("GET", f"{API}/shared/{{key}}/results"): Rule.LINK,
    ("GET", f"{API}/shared/{{key}}/results/image"): Rule.LINK,
    ("GET", f"{API}/shared/{{key}}/results/download"): Rule.LINK,
    ("GET", f"{API}/shared/{{key}}/results/zip"): Rule.LINK,
    ("POST", f"{API}/shared/{{key}}/results/zip"): Rule.LINK,
    ("GET", f"{API}/runs/{{dag_id}}/{{run_id}}/results"): Rule.OPERATOR,
    ("GET", f"{API}/runs/{{dag_id}}/{{run_id}}/results/image"): Rule.OPERATOR,
    ("GET", f"{API}/runs/{{dag_id}}/{{run_id}}/results/download"): Rule.OPERATOR,
    ("GET", f"{API}/runs/{{dag_id}}/{{run_id}}/results/zip"): Rule.OPERATOR,
    ("POST", f"{API}/runs/{{dag_id}}/{{run_id}}/results/zip"): Rule.OPERATOR,
    ("GET", f"{API}/datasets/{{dataset}}/trends"): Rule.OPERATOR,
}
WELCOME = {
    Rule.PERSON: {ANN, BEN, OP},
    Rule.OWNER: {ANN},
    Rule.READERS: {ANN, OP},
    Rule.OPERATOR: {OP},
    Rule.LINK: {None, ANN, BEN, OP},
    Rule.PAGE: {None, ANN, BEN, OP},
}
routes = pytest.mark.parametrize(("method", "path"), RULES, ids=[f"{method} {path}" for method, path in RULES])
# What a route needs beside its path.
BODIES = {
    ("POST", f"{API}/uploads/{{upload_id}}/files"): {"json": {"files": []}},
    ("POST", f"{API}/uploads/{{upload_id}}/shares"): {"json": {"days": 1}},
    ("PUT", f"{API}/previews/{{preview_id}}/parameters"): {"json": {"parameters": {}}},
    ("PATCH", f"{API}/uploads/{{upload_id}}/files/{{file_id}}"): {"headers": {"Upload-Offset": "0"}, "content": b"1"},
}


def found_routes(app):
    return {(method, each.path) for each in app.routes if isinstance(each, APIRoute) for method in each.methods}


@pytest.fixture(scope="module", autouse=True)
def airflow_database():
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="module")
def store(hdfs):
    return Hdfs(hdfs.url)


@pytest.fixture
def storage(store):
    return store


@pytest.fixture
def world(client_of, records, store):
    """Something of Ann's for each part of a path."""
    ann = client_of(ANN)
    upload = ann.post(f"/chromapress{API}/uploads", json={"name": "holiday"}).json()["id"]
    base = f"/chromapress{API}/uploads/{upload}"
    files = {"files": [{"path": "a.png", "size_bytes": len(png())}]}
    file = ann.post(f"{base}/files", json=files).json()["items"][0]["id"]
    sent = ann.patch(f"{base}/files/{file}", content=png(), headers={"Upload-Offset": "0"})
    assert sent.json()["state"] == "received", sent.text
    key = ann.post(f"{base}/shares", json={"days": 1}).json()["key"]
    preview = ann.post(f"/chromapress{API}/previews", content=png()).json()["id"]
    publish(store, DatasetPaths("/chromapress", UPLOADS).partition(f"upload={upload}"), {"a.png": png()})
    return {
        "upload_id": upload,
        "file_id": file,
        "key": key,
        "preview_id": preview,
        "run_id": run_of(records, upload),
        "dag_id": "quantize_uploads",
        "dataset": "uploads",
    }


def png():
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, "PNG")
    return content.getvalue()


def run_of(records, upload):
    """A run in the tables, and in Airflow what it has published."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from portal.records import now, runs

    row = {"run_id": f"manual__{upload}", "dag_id": "quantize_uploads", "upload_id": upload, "started_by": "ann"}
    row |= {"parameters": {}, "created_at": now(), "state": "success", "ended_at": now()}
    records.write(lambda connection: connection.execute(runs.insert().values(row)))
    published = {"partition": f"upload={upload}", "version": "v1"}
    source = {"source_dag_id": row["dag_id"], "source_run_id": row["run_id"], "source_task_id": "publish"}
    with create_session() as session:
        session.add(AssetEvent(asset_id=1, source_map_index=-1, extra=published, **source))
    return row["run_id"]


def ask(client, method, path, world):
    more = BODIES.get((method, path), {})
    query = "?path=a.png&which=before" if "/results/" in path else ""
    return client.request(method, f"/chromapress{path.format(**world)}{query}", **more)


def allowed(answer):
    """Whether the route let somebody in; what it does then is tested elsewhere. No DAG is here to be run: 503."""
    return answer.status_code not in (303, 401, 403, 404, 500)


def turned_away(answer, path):
    """Whether a stranger was told to log in: a person by the page for it, a program by the status."""
    if path.startswith("/api/") and path != "/api/docs":
        return answer.status_code == 401
    return answer.status_code == 303 and "/auth/login/?next=" in answer.headers["location"]


def dependencies(dependant: Dependant):
    yield dependant.call
    for each in dependant.dependencies:
        yield from dependencies(each)


def test_every_route_has_a_rule_and_every_rule_a_route(app):
    assert found_routes(app) == set(RULES)


def test_nothing_is_mounted_but_the_files_of_the_pages(app):
    assert [each.path for each in app.routes if isinstance(each, Mount)] == ["/static"]


def test_every_route_asks_who_asks(app):
    for each in app.routes:
        if isinstance(each, APIRoute):
            (rule,) = {RULES[method, each.path] for method in each.methods}
            asked = set(dependencies(each.dependant))
            assert (access.person in asked) == (rule not in (Rule.LINK, Rule.PAGE)), each.path
            assert (access.operator in asked) == (rule is Rule.OPERATOR), each.path


@routes
def test_who_gets_what(client_of, world, method, path):
    rule = RULES[method, path]
    for person in (None, BEN, OP, ANN):  # Ann last: she may delete it
        answer = ask(client_of(person), method, path, world)
        if person in WELCOME[rule]:
            assert allowed(answer), (person, answer.text)
        elif person is None:
            assert turned_away(answer, path), answer.text
        else:
            # As of what there is not.
            missing = ask(client_of(person), method, path, dict.fromkeys(world, "missing"))
            assert (answer.status_code, answer.json()) == (404, missing.json()), person


def test_another_key_opens_nothing(client_of, world):
    for method, path in (each for each, rule in RULES.items() if rule is Rule.LINK):
        for key in ("x", world["key"][:-1], world["key"] + "x", world["upload_id"], world["key"].swapcase()):
            assert ask(client_of(None), method, path, world | {"key": key}).status_code == 404


def test_other_sites_change_nothing(client_of, world):
    for method, path in (each for each in RULES if each[0] != "GET"):
        for site in ("cross-site", "same-site", "none"):
            answer = ask(client_of(ANN, **{"Sec-Fetch-Site": site}), method, path, world)
            assert (answer.status_code, "this site" in answer.json()["detail"]) == (403, True), path


def test_every_answer_has_the_headers(client_of, world):
    for (method, path), person in itertools.product(RULES, (None, BEN, OP)):
        headers = ask(client_of(person), method, path, world).headers
        assert headers["content-security-policy"].startswith("default-src 'none'"), path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "no-store" in headers["cache-control"] or "no-cache" in headers["cache-control"], path
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, True),  # as browsers never say it
        ({"sec-fetch-site": "same-site", "origin": "http://portal"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://portal"}, True),
        ({"origin": "https://portal"}, True),
        ({"origin": "http://portal:8080"}, False),
        ({"origin": "http://portal.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"authorization": "Bearer token"}, True),
        ({"authorization": "Basic YTpi"}, False),
    ],
)
def test_what_comes_from_the_same_origin(headers, passes):
    assert allows("POST", Headers({"host": "portal", **headers})) == passes
    assert allows("GET", Headers({"host": "portal", **headers}))


def test_a_token_wins_over_a_cookie_so_that_the_gate_may_let_it_pass():
    """Another site cannot make a browser send a token; nor may it add a false one to pass with the cookie."""
    from airflow.api_fastapi.core_api import security

    credentials = security.HTTPAuthorizationCredentials(scheme="Bearer", credentials="false")
    seen = []

    async def resolve(token):
        seen.append(token)

    from starlette.requests import Request

    scope = {"type": "http", "headers": [(b"cookie", b"_token=true")], "state": {}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(security, "resolve_user_from_token", resolve)
        asyncio.run(security.get_user(Request(scope), None, credentials))
    assert seen == ["false"]


@pytest.mark.parametrize("path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "..%5capp.py", "/etc/passwd", "//etc"])
def test_nothing_but_the_pages_own_files_is_served(client_of, path):
    assert client_of(None).get(f"/chromapress/static/{path}").status_code in (404, 405)


def test_the_log_in_leads_back_into_the_portal_only(client_of):
    answer = client_of(None).get("/chromapress/uploads/1?x=%0d%0aSet-Cookie:%20a=b%0d%0aLocation:%20//evil.example")
    assert "set-cookie" not in answer.headers
    log_in = "http://testserver/auth/login/?next=http%3A%2F%2Ftestserver%2Fchromapress%2F"
    assert answer.headers["location"].startswith(log_in)


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "{{ 7 * 7 }}"])
def test_names_are_text_in_every_page(client_of, name):
    person = Person(name, operator=True)
    for path in ("", f"uploads/{quote(name, safe='')}", f"operator/datasets/{quote(name, safe='')}", "api/docs"):
        text = client_of(person).get(f"/chromapress/{path}").text
        assert "<img src=x" not in text
        assert "<script>alert" not in text
        assert "49" not in text or name != "{{ 7 * 7 }}" or "{{ 7 * 7 }}" in text
