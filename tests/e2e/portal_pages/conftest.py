"""One person's way through the portal, in a real browser on the real stack: the tests look at what it left."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.e2e.conftest import PATIENCE_S, Pipeline

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DATASET = Path(__file__).parents[3] / "dags" / "datasets" / "uploads.yaml"
# A click on a machine that is busy with Spark.
CLICK_MS = 120_000
RUN_MS = PATIENCE_S * 1000
NAME, PASSWORD = "ada", "a long and calm password 7"
FOLDER = "pictures"


@dataclass
class Watched:
    """What browsers complained of, and whom they asked."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    without_policy: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)  # files whose bytes went to the server

    def watch(self, context: BrowserContext) -> None:
        context.on("console", lambda message: self._heard(message.type, message.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._asked(request.method, request.url))
        context.on("response", lambda response: self._answered(response.url, response.headers))

    def _heard(self, kind: str, text: str) -> None:
        # A server that is busy for a moment (503) is asked again.
        if kind in ("error", "warning") and "status of 503" not in text:
            self.complaints.append(text)

    def _asked(self, method: str, url: str) -> None:
        if urlsplit(url).scheme in ("http", "https"):
            self.hosts.add(urlsplit(url).netloc)
        if method == "PATCH":
            self.sent.append(url)

    def _answered(self, url: str, headers: dict[str, str]) -> None:
        policy = headers.get("content-security-policy", "")
        if "/chromapress/" in url and ("default-src 'none'" not in policy or "unsafe" in policy):
            self.without_policy.append(url)


@dataclass
class Portal:
    """The portal of a running stack, and browsers for it."""

    url: str  # of Airflow; no slash at the end
    browser: Browser
    watched: Watched

    def page(self, **options: object) -> Page:
        """A new browser, with nobody logged in."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(CLICK_MS)
        context.set_default_navigation_timeout(CLICK_MS)
        self.watched.watch(context)
        return context.new_page()

    def go(self, page: Page, path: str) -> None:
        page.goto(f"{self.url}/chromapress/{path}")

    def log_in(self, page: Page, path: str, name: str, password: str) -> None:
        """Ask for a page of the portal, and log in where that leads."""
        self.go(page, path)
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"**/chromapress/{path}")


@pytest.fixture(scope="package")
def portal(pipeline: Pipeline) -> Iterator[Portal]:
    expect.set_options(timeout=CLICK_MS)
    config = yaml.safe_load(DATASET.read_text())
    pipeline.describe("uploads", **config)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        yield Portal(pipeline.address.url, browser, Watched())


def photograph(seed: int, height: int = 120, width: int = 160) -> Image.Image:
    """Smooth, with some noise: of thousands of colours."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([220 * x / width, 200 * y / height, 90 + 60 * np.sin(x / 9) * np.cos(y / 7)], axis=-1)
    return Image.fromarray((smooth + rng.normal(0, 5, smooth.shape)).clip(0, 255).astype(np.uint8))


def file_of(image: Image.Image, format_: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, format_, **options)
    return content.getvalue()


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, a text, a damaged file, and one file twice."""
    folder = tmp_path_factory.mktemp("chosen") / FOLDER
    (folder / "art").mkdir(parents=True)
    flat = Image.new("RGB", (64, 48), "#c8683a")
    flat.paste("#2a86a3", (16, 8, 48, 40))
    hill = file_of(photograph(1), "PNG")
    files = {
        "hill.png": hill,
        "hill again.png": hill,
        "sea <b>&amp;.jpg": file_of(photograph(2), "JPEG", quality=50),
        "art/logo.png": file_of(flat, "PNG", compress_level=0),
        "damaged.png": file_of(photograph(3), "PNG")[:2000],
        "notes.txt": b"not an image\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@dataclass
class Journey:
    """A person who has uploaded a folder and run it."""

    page: Page
    upload_id: str
    previewed: dict[str, str]  # the preview's numbers, before anything was uploaded
    sent_before_upload: int

    @property
    def path(self) -> str:
        return f"uploads/{self.upload_id}"


@pytest.fixture(scope="package")
def journey(portal: Portal, folder: Path) -> Journey:
    """Sign up, choose a folder, preview, upload and run: with the keyboard, but for the choice of the folder."""
    page = portal.page()
    portal.go(page, "")
    page.get_by_role("link", name="Sign up").press("Enter")
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("E-mail address").fill(f"{NAME}@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_label("Password again").press("Enter")
    page.wait_for_url("**/chromapress/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Make your images smaller")

    page.get_by_label("Choose a folder").set_input_files(folder)
    preview(page, "hill.png")
    previewed = {name: tile(page, name).inner_text() for name in ("File size", "PSNR", "SSIM")}
    previewed["k"] = page.get_by_label("Number of colours").first.input_value()
    sent = len(portal.watched.sent)

    page.get_by_role("button", name="Upload and run").press("Enter")
    page.wait_for_url("**/chromapress/uploads/*")
    expect(page.get_by_text("Done in")).to_be_visible(timeout=RUN_MS)
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    return Journey(page, urlsplit(page.url).path.rpartition("/")[2], previewed, sent)


def preview(page: Page, name: str) -> None:
    """Preview a file of the folder."""
    page.get_by_role("button", name=f"{FOLDER}/{name}, ").press("Enter")
    expect(page.get_by_role("heading", name=f"{FOLDER}/{name}")).to_be_visible()
    expect(page.locator(".preview[aria-busy]")).to_have_count(0)
    expect(tile(page, "File size")).to_be_visible()


def tile(page: Page, name: str) -> Locator:
    """The number that a tile of the preview shows."""
    return page.locator(".preview .tiles div", has=page.get_by_text(name, exact=True)).locator("dd")


@pytest.fixture
def at(portal: Portal, journey: Journey) -> Iterator[Callable[..., Page]]:
    """`at("uploads/1")`: a page of the portal in a new browser, in which the person has logged in; options are the
    browser's.
    """
    pages = []
    session = journey.page.context.storage_state()

    def open_at(path: str = "", **options: object) -> Page:
        page = portal.page(storage_state=session, **options)
        pages.append(page)
        portal.go(page, path)
        return page

    yield open_at
    for page in pages:
        page.context.close()
