"""Accounts on the running Airflow: what tests/portal shows of the app holds behind Airflow's real log-in and server."""

import json
import secrets
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.test_dags_running import CHROMIUM, FLAGS

pytestmark = pytest.mark.timeout(1800)

PASSWORD = "correct horse"  # noqa: S105  (of the people below)


@pytest.fixture(scope="module")
def browser(airflow) -> Iterator[Browser]:
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        yield browser


@pytest.fixture
def person(browser) -> Iterator[Callable[[], Page]]:
    """Makes people: each with a browser of their own."""
    contexts: list[BrowserContext] = []

    def make() -> Page:
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        return page

    yield make
    for context in contexts:
        context.close()


def sign_up(page: Page, url: str) -> str:
    """Sign up from the log-in page; the new name."""
    name = f"person-{secrets.token_hex(4)}"
    page.goto(f"{url}/chromapress/")
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("User name").fill(name)
    page.get_by_label("E-mail address").fill(f"{name}@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url(f"{url}/chromapress/")
    return name


def log_in(page: Page, url: str, name: str, password: str, path: str = "") -> None:
    page.goto(f"{url}{path}")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def cookies(page: Page) -> dict[str, str]:
    return {each["name"]: each["value"] for each in page.context.cookies()}


def who(url: str, *, cookies: dict[str, str] | None = None, token: str | None = None) -> requests.Response:
    """What the portal says about who asks."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{url}/chromapress/api/v1/me", cookies=cookies, headers=headers, timeout=60)


def get_token(url: str, name: str, password: str) -> requests.Response:
    return requests.post(f"{url}/auth/token", json={"username": name, "password": password}, timeout=60)


def test_the_administrator_lands_in_airflow(airflow, person):
    page = person()
    log_in(page, airflow.url, airflow.user, airflow.password)
    page.get_by_role("link", name="Dags").first.wait_for()


def test_a_person_signs_up_works_and_leaves(airflow, person):
    page, url = person(), airflow.url
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: told.append(request.url) if not request.url.startswith(url) else None)
    name = sign_up(page, url)
    assert who(url, cookies=cookies(page)).json() == {"name": name, "operator": False}
    page.goto(f"{url}/dags")
    page.wait_for_url(f"{url}/chromapress/")
    assert told == []

    held = cookies(page)
    page.goto(f"{url}/auth/logout")
    page.get_by_role("button", name="Log in").wait_for()
    assert who(url, cookies=held).status_code in (401, 403)
    with requests.Session() as thief:
        thief.cookies.update(held | {"_token": ""})
        assert "Log in" in thief.get(f"{url}/auth/login/", timeout=60).text

    log_in(page, url, name, PASSWORD, "/chromapress/api/docs")
    page.wait_for_url(f"{url}/chromapress/api/docs")


def test_a_changed_password_ends_what_was_got_with_it(airflow, person):
    page, url = person(), airflow.url
    name = sign_up(page, url)
    token = get_token(url, name, PASSWORD).json()["access_token"]
    assert who(url, token=token).json()["name"] == name
    page.goto(f"{url}/auth/resetmypassword/form")
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill("battery staple")
    page.get_by_label("New password again").fill("battery staple")
    page.get_by_role("button", name="Change the password").click()
    page.get_by_text("Your password has changed.").wait_for()
    assert who(url, token=token).status_code in (401, 403)
    assert get_token(url, name, PASSWORD).status_code == 401
    assert get_token(url, name, "battery staple").status_code == 201


def test_guessing_a_password_is_slowed(airflow):
    name = f"nobody-{secrets.token_hex(4)}"
    # The window is a minute: a slow machine may need more than six attempts to fill it.
    answers = [get_token(airflow.url, name, "not it") for _ in range(12)]
    assert answers[0].status_code == 401
    assert 429 in {each.status_code for each in answers}
    assert get_token(airflow.url, airflow.user, airflow.password).status_code == 201


def test_the_first_administrators_password_is_kept_for_nobody_else(airflow, home):
    file = home.airflow / "password.json"
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text()) == {airflow.user: airflow.password}
