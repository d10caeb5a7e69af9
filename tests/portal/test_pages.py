"""The pages' frames: who gets them, what they may load, and that names are text."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "plugins" / "portal" / "static"
OWN = ["/", "/new", "/uploads/abc"]
OPERATORS = ["/operator/runs/quantize_scans/manual__1", "/operator/datasets/scans"]


@pytest.fixture
def ann(client_of):
    from portal.access import Person

    return client_of(Person("ann", operator=False))


@pytest.fixture
def olga(client_of):
    from portal.access import Person

    return client_of(Person("olga", operator=True))


@pytest.mark.parametrize("path", OWN)
def test_a_stranger_is_sent_to_the_log_in(client_of, path):
    answer = client_of(None).get(f"/chromapress{path}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("http://testserver/auth/login/?next=")


@pytest.mark.parametrize("path", OWN)
def test_people_get_their_pages(ann, path):
    answer = ann.get(f"/chromapress{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", OPERATORS)
def test_the_operators_pages_are_theirs(ann, olga, path):
    assert olga.get(f"/chromapress{path}").status_code == 200
    assert ann.get(f"/chromapress{path}").status_code == 404


@pytest.mark.parametrize("path", [*OWN, *OPERATORS, "/shared/key"])
def test_a_page_has_nothing_inline_and_loads_nothing_from_elsewhere(olga, path):
    html = olga.get(f"/chromapress{path}").text
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    for address in re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', html):
        assert address.startswith("/chromapress/static/")
        assert olga.get(address).status_code == 200


def test_what_comes_from_outside_is_text(client_of):
    from portal.access import Person

    villain = '"><script>alert(1)</script>'
    client = client_of(Person("ann", operator=False))
    html = client.get(f"/chromapress/uploads/{villain}").text
    assert "<script>alert" not in html
    html = client_of(None).get(f"/chromapress/shared/{villain.replace('/', '')}").text
    assert "<script>alert" not in html


def test_scripts_are_asked_for_anew_and_are_not_html(ann):
    answer = ann.get("/chromapress/static/upload.js")
    assert answer.headers["cache-control"] == "no-cache"
    assert "javascript" in answer.headers["content-type"]
    again = ann.get("/chromapress/static/upload.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_no_script_makes_elements_of_text_or_reaches_elsewhere():
    for script in STATIC.glob("*.js"):
        code = script.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", code), script.name
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", code), script.name


def test_every_module_that_is_imported_is_there():
    for script in STATIC.glob("*.js"):
        for module in re.findall(r'(?:from|import\()\s*"\./([^"]+)"', script.read_text()):
            assert (STATIC / module).exists(), f"{script.name} imports {module}"
