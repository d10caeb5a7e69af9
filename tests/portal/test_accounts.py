"""Accounts as a browser has them, on Airflow's own API server in this process: log in, sign up, log out, passwords."""

import json
import re
import secrets

import pytest
from fastapi.testclient import TestClient
from portal import accounts
from portal.throttle import Throttle

SITE = "http://localhost:8080"
ADMIN = ("admin", "first-password")
PASSWORD = "correct horse"  # noqa: S105  (of the people below)
WRONG = "The user name or the password is not right."


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Airflow's API server with the portal, its database with the first administrator."""
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from airflow.utils.db import initdb

    from tests.airflow_process import PROJECT

    first = tmp_path_factory.mktemp("secrets") / "password.json"
    first.write_text(json.dumps(dict([ADMIN])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "portal.auth_manager.PortalAuthManager")
        patch.setenv("AIRFLOW__API__BASE_URL", SITE)
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", secrets.token_urlsafe(64))
        patch.setenv("AIRFLOW__FAB__CONFIG_FILE", str(PROJECT / "plugins" / "portal" / "flask_config.py"))
        patch.setenv("AIRFLOW__CHROMAPRESS__FIRST_ADMINISTRATOR", str(first))
        patch.setenv("AIRFLOW__CHROMAPRESS__REGISTRATION", "open")
        purge_cached_app()
        initdb()
        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture
def browser(airflow):
    """Makes browsers: each has cookies of its own, and asks from the site's own pages unless it says otherwise."""

    def make(**headers):
        headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html", **headers}
        return TestClient(airflow, base_url=SITE, headers=headers, follow_redirects=False)

    return make


@pytest.fixture(autouse=True)
def nothing_counted(monkeypatch):
    """Each test begins without attempts."""
    monkeypatch.setattr(accounts, "_failures_of_name_at", Throttle(5, window_s=60))
    monkeypatch.setattr(accounts, "_failures_at", Throttle(50, window_s=600))
    monkeypatch.setattr(accounts, "_failures_of_name", Throttle(50, window_s=600))
    monkeypatch.setattr(accounts, "_signed_up_at", Throttle(20, window_s=3600))


def fill_in(client, path, **values):
    """Open a form, fill it in and send it."""
    form = client.get(path)
    assert form.status_code == 200, form.text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)[1]
    return client.post(path, data={"csrf_token": token, **values})


def log_in(client, name, password, path="/auth/login/"):
    return fill_in(client, path, username=name, password=password)


def sign_up(client, name=None, **changed):
    name = name or f"person-{secrets.token_hex(4)}"
    values = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "repeated": PASSWORD}
    return name, fill_in(client, "/auth/signup/", **(values | changed))


def who(client, **headers):
    """What the portal says about who asks."""
    return client.get("/chromapress/api/v1/me", headers=headers)


def get_token(client, name, password):
    return client.post("/auth/token", json={"username": name, "password": password})


def test_the_first_administrator_lands_in_airflow_as_an_operator(browser):
    admin = browser()
    assert log_in(admin, *ADMIN).headers["location"] == f"{SITE}/"
    assert who(admin).json() == {"name": "admin", "operator": True}


def test_who_signs_up_lands_in_the_portal(browser):
    person = browser()
    name, answer = sign_up(person)
    assert answer.headers["location"] == f"{SITE}/chromapress/"
    assert who(person).json() == {"name": name, "operator": False}


def test_people_come_back_to_the_page_they_wanted(browser):
    wanted = f"{SITE}/chromapress/uploads/1"
    assert log_in(browser(), *ADMIN, f"/auth/login/?next={wanted}").headers["location"] == wanted


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", r"\\evil"])
def test_nobody_is_sent_to_another_site(browser, elsewhere):
    answer = log_in(browser(), *ADMIN, f"/auth/login/?next={elsewhere}")
    assert answer.headers["location"].startswith((f"{SITE}/", "/auth/"))


@pytest.mark.parametrize("path", ["/", "/dags", "/dags/quantize_uploads/runs/manual", "/docs"])
def test_an_uploader_who_opens_airflow_is_sent_to_the_portal(browser, path):
    person = browser()
    sign_up(person)
    answer = person.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{SITE}/chromapress/")
    admin = browser()
    log_in(admin, *ADMIN)
    assert admin.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["dags", "dags/~/dagRuns", "pools", "connections", "variables", "plugins", "providers", "eventLogs"]
)
def test_an_uploader_has_nothing_of_airflows_api(browser, path):
    person = browser()
    sign_up(person)
    assert person.get(f"/api/v2/{path}").status_code == 403


@pytest.mark.parametrize("path", ["/auth/users/list/", "/auth/roles/list/", "/auth/fab/v1/users", "/auth/fab/v1/roles"])
def test_an_uploader_has_nothing_of_the_administrators_pages(browser, path):
    person = browser()
    sign_up(person)
    answer = person.get(path)
    assert answer.status_code in (302, 403)
    admin = browser()
    log_in(admin, *ADMIN)
    assert admin.get(path).status_code == 200


def test_a_password_is_kept_as_a_salted_hash(airflow, browser):
    from airflow.providers.fab.auth_manager.models import User
    from airflow.utils.session import create_session
    from sqlalchemy import select

    names = [sign_up(browser())[0] for _ in range(2)]
    with create_session() as session:
        hashes = session.scalars(select(User.password).where(User.username.in_(names))).all()
    assert all(each.startswith("scrypt:") and PASSWORD not in each for each in hashes)
    assert len(set(hashes)) == 2


def test_after_the_log_out_neither_session_nor_token_are_taken(browser):
    person = browser()
    sign_up(person)
    held = dict(person.cookies)
    assert {"session", "_token"} <= set(held)
    answer = person.get("/api/v2/auth/logout")  # the way of Airflow's own button
    assert answer.headers["location"] == f"{SITE}/auth/logout"
    person.get("/auth/logout", follow_redirects=True)
    assert who(person).status_code == 401

    thief = browser()
    thief.cookies.update(held)
    assert who(thief).status_code in (401, 403)
    assert who(thief, Authorization=f"Bearer {held['_token']}").status_code in (401, 403)
    del thief.cookies["_token"]
    assert thief.get("/auth/login/").status_code == 200  # the form, and no new token
    assert "_token" not in thief.cookies


def test_logging_in_again_voids_the_token_that_was_there(browser):
    person = browser()
    sign_up(person)
    old = person.cookies["_token"]
    person.get("/auth/login/")
    assert person.cookies["_token"] != old
    assert who(browser(), Authorization=f"Bearer {old}").status_code in (401, 403)


def test_the_session_of_a_stranger_is_not_the_session_after_the_log_in(browser):
    person = browser()
    person.get("/auth/login/")
    before = person.cookies["session"]
    sign_up(person)
    assert person.cookies["session"] != before


def test_another_site_cannot_log_people_out(browser):
    person = browser()
    sign_up(person)
    person.get("/auth/logout/", headers={"Sec-Fetch-Site": "cross-site"})
    assert who(person).status_code == 200


def change_password(client, old, new):
    return fill_in(client, "/auth/resetmypassword/form", old=old, password=new, repeated=new)


def test_a_changed_password_ends_all_sessions_and_tokens(browser):
    here, there = browser(), browser()
    name, _ = sign_up(here)
    log_in(there, name, PASSWORD)
    token = get_token(here, name, PASSWORD).json()["access_token"]
    assert change_password(here, "not the old one", "battery staple").status_code == 401
    assert who(there).status_code == 200

    answer = change_password(here, PASSWORD, "battery staple")
    assert answer.headers["location"].endswith("/auth/login/?told=password")
    assert who(here).status_code == 401
    assert who(there).status_code in (401, 403)
    assert there.get("/auth/login/").status_code == 200
    assert who(browser(), Authorization=f"Bearer {token}").status_code in (401, 403)
    assert log_in(browser(), name, PASSWORD).status_code == 401
    assert log_in(browser(), name, "battery staple").status_code == 302


def test_a_token_for_scripts(browser):
    name, _ = sign_up(browser())
    script = browser(**{"Sec-Fetch-Site": "cross-site"})  # a token is not what browsers send by themselves
    answer = get_token(script, name, PASSWORD)
    assert answer.status_code == 201
    token = answer.json()["access_token"]
    assert who(script, Authorization=f"Bearer {token}").json()["name"] == name
    assert "_token" not in script.cookies


def test_unknown_names_and_wrong_passwords_are_told_alike(browser):
    name, _ = sign_up(browser())
    answers = [log_in(browser(), each, "not it at all") for each in (name, "nobody", f"{name}@example.org")]
    tokens = [get_token(browser(), each, "not it at all") for each in (name, "nobody")]
    assert {each.status_code for each in answers} == {401}
    assert all(WRONG in each.text for each in answers)
    assert {(each.status_code, each.text) for each in tokens} == {(401, '{"detail":"Invalid credentials"}')}


def test_unknown_names_cost_a_hash_as_wrong_passwords_do(browser, monkeypatch):
    hashed = []
    check = accounts.check_password_hash
    monkeypatch.setattr(
        accounts, "check_password_hash", lambda kept, given: hashed.append(kept.split("$")[0]) or check(kept, given)
    )
    name, _ = sign_up(browser())
    for each in (name, "nobody"):
        get_token(browser(), each, "not it at all")
    assert len(hashed) == 2
    assert len(set(hashed)) == 1  # the same method with the same cost


@pytest.mark.parametrize("way", [get_token, log_in])
def test_who_fails_often_must_wait(browser, way):
    name, _ = sign_up(browser())
    for _ in range(5):
        assert way(browser(), name, "not it at all").status_code == 401
    answer = way(browser(), name, PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "Too many attempts" in answer.text
    assert get_token(browser(), *ADMIN).status_code == 201  # others need not


def test_lists_of_names_are_slowed_too(browser, monkeypatch):
    monkeypatch.setattr(accounts, "_failures_at", Throttle(3, window_s=600))
    answers = [get_token(browser(), f"guess-{each}", "123456").status_code for each in range(5)]
    assert answers == [401, 401, 401, 429, 429]


def test_sign_up_does_not_tell_whether_it_is_the_name_or_the_address_that_is_taken(browser):
    name, _ = sign_up(browser())
    taken = [
        sign_up(browser(), name.upper(), email="another@example.org")[1],
        sign_up(browser(), email=f"{name.upper()}@example.org")[1],
    ]
    assert {each.status_code for each in taken} == {409}
    assert all("This user name or e-mail address cannot be used." in each.text for each in taken)


def test_sign_ups_from_one_address_are_slowed(browser, monkeypatch):
    monkeypatch.setattr(accounts, "_signed_up_at", Throttle(2, window_s=3600))
    assert [sign_up(browser())[1].status_code for _ in range(3)] == [302, 302, 429]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"password": "short", "repeated": "short"}, "at least 10 characters"),
        ({"password": "a" * 20, "repeated": "a" * 20}, "four different characters"),
        ({"password": "abcdefghij" * 30, "repeated": "abcdefghij" * 30}, "at most 200 characters"),
        ({"repeated": "something else"}, "The two passwords differ."),
        ({"email": "nowhere"}, "This is not an e-mail address."),
        ({"username": "somebody@example.org"}, "letters, digits, dots"),
        ({"username": "<b>bold</b>"}, "letters, digits, dots"),
        ({"username": "two\nlines"}, "letters, digits, dots"),
    ],
)
def test_what_makes_no_account(browser, changed, problem):
    _, answer = sign_up(browser(), **changed)
    assert answer.status_code == 422
    assert problem in answer.text
    assert "<b>bold" not in answer.text


def test_nobody_signs_up_as_an_administrator(browser):
    person = browser()
    sign_up(person, roles="1", active="1", role="Admin")
    assert not who(person).json()["operator"]


def test_an_account_waits_for_an_administrator(browser, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CHROMAPRESS__REGISTRATION", "approve")
    person = browser()
    name, answer = sign_up(person)
    assert answer.status_code == 200
    assert "An administrator activates it" in answer.text
    assert who(person).status_code == 401

    waiting = log_in(person, name, PASSWORD)
    assert (waiting.status_code, "waits for an administrator" in waiting.text) == (403, True)
    assert get_token(person, name, PASSWORD).status_code == 403
    # Only those who know the password are told.
    assert WRONG in log_in(person, name, "not it at all").text

    activate(browser, name)
    assert log_in(person, name, PASSWORD).status_code == 302
    assert who(person).json() == {"name": name, "operator": False}


def activate(browser, name):
    """As an administrator does it, in Airflow's list of users."""
    from airflow.providers.fab.auth_manager.models import User
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        user = session.scalars(select(User).where(User.username == name)).one()
        number, role, email = user.id, user.roles[0].id, user.email
    admin = browser()
    log_in(admin, *ADMIN)
    values = {
        "first_name": name,
        "last_name": name,
        "username": name,
        "email": email,
        "active": "y",
        "roles": str(role),
    }
    assert fill_in(admin, f"/auth/users/edit/{number}", **values).status_code == 302


def test_registration_can_be_closed(browser, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CHROMAPRESS__REGISTRATION", "closed")
    answer = browser().get("/auth/signup/")
    assert (answer.status_code, "Registration is closed" in answer.text) == (403, True)
    assert "Sign up" not in browser().get("/auth/login/").text
    assert browser().post("/auth/signup/", data={"username": "sly"}).status_code in (400, 403)


@pytest.mark.parametrize("path", ["/auth/login/", "/auth/signup/", "/auth/resetmypassword/form", "/auth/users/add"])
def test_forms_take_nothing_from_other_sites(browser, path):
    assert browser(**{"Sec-Fetch-Site": "cross-site"}).post(path, data={"username": "admin"}).status_code == 403
    assert browser(**{"Sec-Fetch-Site": "same-site"}).post(path, data={"username": "admin"}).status_code == 403
    # And a page of this site must have got the form.
    assert browser().post(path, data={"username": "admin"}).status_code == 400


@pytest.mark.parametrize("path", ["/auth/login/", "/auth/signup/"])
def test_the_forms_load_nothing_from_elsewhere_and_run_no_script_within_them(browser, path):
    answer = browser().get(path)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("no-store")
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    assert "<script" not in answer.text


def test_flask_appbuilders_own_log_in_by_api_is_shut(browser):
    answer = browser().post(
        "/auth/api/v1/security/login", json={"username": "admin", "password": "x", "provider": "db"}
    )
    assert answer.status_code in (400, 404)
