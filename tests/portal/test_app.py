"""What holds for every answer of the portal."""

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
