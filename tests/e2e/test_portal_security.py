"""The portal's routes behind Airflow's real log-in: what the app's own description names, as whoever asks."""

import secrets

import pytest
import requests

from stack import airflow as stack_airflow

pytestmark = pytest.mark.timeout(1800)

PASSWORD = "correct horse"  # noqa: S105


@pytest.fixture(scope="module")
def routes(airflow) -> list[tuple[str, str]]:
    """Method and path of every route of the API, the parts of a path filled in with what there is not."""
    token = stack_airflow.log_in(airflow)
    described = requests.get(
        f"{airflow.url}/chromapress/api/openapi.json", headers={"Authorization": f"Bearer {token}"}, timeout=60
    ).json()
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in described["paths"].items()
        for method in methods
    ]


@pytest.fixture(scope="module")
def uploader(airflow) -> str:
    """The token of somebody who has signed up."""
    name = f"person-{secrets.token_hex(4)}"
    with requests.Session() as session:
        url = f"{airflow.url}/auth/signup/"
        form = session.get(url, timeout=60).text
        csrf = form.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        values = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "repeated": PASSWORD}
        headers = {"Origin": airflow.url}
        answer = session.post(
            url, data={"csrf_token": csrf, **values}, headers=headers, allow_redirects=False, timeout=60
        )
    assert answer.headers["location"] == f"{airflow.url}/chromapress/", answer.text
    return stack_airflow.log_in(stack_airflow.Address(airflow.url, name, PASSWORD))


def ask(airflow, method: str, path: str, **headers: str) -> requests.Response:
    url = f"{airflow.url}/chromapress{path}"
    return requests.request(method, url, headers=headers, allow_redirects=False, timeout=60)


def test_strangers_get_nothing_but_what_they_have_a_link_to(airflow, routes):
    assert len(routes) > 5
    for method, path in routes:
        answer = ask(airflow, method, path, **{"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == (404 if path.startswith("/api/v1/shared/") else 401), (method, path, answer.text)


def test_a_false_token_opens_nothing(airflow, routes):
    for method, path in routes:
        if not path.startswith("/api/v1/shared/"):
            assert ask(airflow, method, path, Authorization="Bearer false").status_code in (401, 403), (method, path)


def test_operators_routes_are_not_there_for_uploaders(airflow, routes, uploader):
    theirs = [each for each in routes if each[1].startswith(("/api/v1/runs/", "/api/v1/datasets/"))]
    pages = [("GET", "/operator/runs/a/b"), ("GET", "/operator/datasets/a"), ("GET", "/operator/dags/quantize_a")]
    for method, path in [*theirs, *pages]:
        answer = ask(airflow, method, path, Authorization=f"Bearer {uploader}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"}), (method, path)


def test_an_uploader_has_nothing_of_airflows(airflow, uploader):
    for path in ("dags", "dags/~/dagRuns", "pools", "connections", "variables", "plugins", "eventLogs", "config"):
        url = f"{airflow.url}/api/v2/{path}"
        assert requests.get(url, headers={"Authorization": f"Bearer {uploader}"}, timeout=60).status_code == 403, path


def test_other_sites_change_nothing(airflow, routes):
    for method, path in routes:
        if method != "GET":
            answer = ask(airflow, method, path, **{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"})
            assert answer.status_code == 403, (method, path)


def test_strangers_who_open_a_page_are_asked_to_log_in(airflow):
    answer = ask(airflow, "GET", "/uploads/1", Accept="text/html")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{airflow.url}/auth/login/?next=")


def test_the_tabs_are_registered(pipeline):
    (plugin,) = [each for each in pipeline.get("plugins")["plugins"] if each["name"] == "chromapress"]
    assert {(each["name"], each["destination"]) for each in plugin["external_views"]} == {
        ("Images", "dag_run"),
        ("Trends", "dag"),
        ("Portal", "nav"),
    }
