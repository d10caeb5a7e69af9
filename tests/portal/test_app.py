"""What holds for every answer of the portal."""

import re

from fastapi import Depends
from portal.access import Person, person

ANN = Person("ann", operator=False)


def test_people_are_told_who_they_are(client_of):
    assert client_of(ANN).get("/chromapress/api/v1/me").json() == {"name": "ann", "operator": False}


def test_strangers_are_told_to_log_in(client_of):
    answer = client_of(None).get("/chromapress/api/v1/me")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


def test_strangers_who_open_a_page_come_back_after_the_log_in(app, client_of):
    app.get("/uploads/1", dependencies=[Depends(person)])(lambda: "a page")
    answer = client_of(None).get("/chromapress/uploads/1?tab=results")
    back = "http%3A%2F%2Ftestserver%2Fchromapress%2Fuploads%2F1%3Ftab%3Dresults"
    assert answer.headers["location"] == f"http://testserver/auth/login/?next={back}"


def test_the_rest_api_is_described_to_who_has_logged_in_without_help_from_elsewhere(client_of):
    page = client_of(ANN).get("/chromapress/api/docs")
    assert "/api/v1/me" in page.text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//(?!testserver)", page.text)
    described = client_of(ANN).get("/chromapress/api/openapi.json").json()
    assert "/api/v1/me" in described["paths"]


def test_the_tab_of_a_dag_shows_its_dataset(client_of):
    operator = client_of(Person("op", operator=True))
    assert 'data-dataset="sample-photos"' in operator.get("/chromapress/operator/dags/quantize_sample-photos").text
    assert operator.get("/chromapress/operator/dags/something_else").status_code == 404
