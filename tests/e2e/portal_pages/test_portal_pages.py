"""The portal as people have it: pages, keys, phones, darkness, and what is downloaded at the end."""

import hashlib
import io
import zipfile
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from chromapress.config import DatasetConfig
from chromapress.press import press
from tests.e2e.portal_pages.conftest import FOLDER, NAME, PASSWORD, file_of, photograph, preview

pytestmark = pytest.mark.timeout(3000)

PHONE = {"viewport": {"width": 360, "height": 740}}
IMAGES = ["art/logo.png", "damaged.png", "hill again.png", "hill.png", "sea <b>&amp;.jpg"]


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with a page as it is shown."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]


def settle(page: Page) -> None:
    """Wait until a page has shown what it has to show."""
    page.wait_for_load_state("networkidle")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def card(page: Page, path: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("button", name=f"Compare {path}", exact=True))


def published(pipeline, upload_id: str) -> str:
    """The directory that readers of an upload's results find."""
    base = f"uploads/published/upload={upload_id}"
    return f"{base}/{pipeline.read(f'{base}/_CURRENT').decode().strip()}"


def test_nothing_is_uploaded_before_somebody_says_so(journey):
    assert journey.sent_before_upload == 0


def test_the_preview_is_what_the_run_makes(journey, folder):
    pressed = press((folder / "hill.png").read_bytes(), DatasetConfig())
    assert journey.previewed["k"] == str(pressed.quantized.k)
    assert f"{pressed.quantized.measured.psnr_db:.1f} dB" in journey.previewed["PSNR"]
    assert f"{pressed.quantized.measured.ssim:.4f}" in journey.previewed["SSIM"]
    words = card(journey.page, f"{FOLDER}/hill.png").inner_text()
    assert journey.previewed["File size"].splitlines()[0] in words


def test_every_file_is_accounted_for(journey):
    page = journey.page
    cards = page.locator(".gallery").get_by_role("listitem")
    expect(cards).to_have_count(len(IMAGES))
    for name in IMAGES:
        expect(card(page, f"{FOLDER}/{name}")).to_be_visible()
    expect(card(page, f"{FOLDER}/damaged.png")).to_contain_text("truncated")
    expect(card(page, f"{FOLDER}/art/logo.png")).to_contain_text("smaller, exact")
    expect(card(page, f"{FOLDER}/sea <b>&amp;.jpg")).to_contain_text("kept")


def test_a_text_is_refused_and_a_duplicate_is_told(journey):
    files = journey.page.get_by_role("list", name="Files").get_by_role("listitem")
    expect(files.filter(has_text="notes.txt")).to_have_attribute("data-state", "refused")
    told = files.filter(has_text="the same as")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("hill")


def test_what_landed_are_the_bytes_that_were_chosen(journey, pipeline, folder):
    landing = f"uploads/landing/upload={journey.upload_id}/{FOLDER}"
    assert pipeline.ls(landing) == sorted({name.split("/")[0] for name in IMAGES})
    for name in IMAGES:
        assert pipeline.read(f"{landing}/{name}") == (folder / name).read_bytes(), name


def test_results_are_filtered_sorted_and_searched(journey, at):
    page = at(journey.path)
    cards = page.locator(".gallery").get_by_role("listitem")
    expect(cards).to_have_count(len(IMAGES))
    page.get_by_label("Find images by name").fill("hill")
    expect(cards).to_have_count(2)
    page.get_by_label("Find images by name").fill("")
    expect(cards).to_have_count(len(IMAGES))
    page.get_by_label("Show only").select_option("published_lossless")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("logo.png")
    page.get_by_label("Show only").select_option("")
    page.get_by_label("Sort").select_option("saving desc")
    expect(cards.first).to_contain_text("logo.png")


def test_before_and_after_are_compared_by_keys(journey, at):
    page = at(journey.path)
    opener = page.get_by_role("button", name=f"Compare {FOLDER}/hill.png", exact=True)
    opener.press("Enter")
    dialog = page.get_by_role("dialog")
    divider = dialog.get_by_role("slider", name="Divider between before and after")
    expect(divider).to_be_focused()
    expect(divider).to_have_attribute("aria-valuenow", "50")
    for key, place in (("ArrowLeft", "45"), ("ArrowRight", "50"), ("Home", "0"), ("End", "100")):
        page.keyboard.press(key)
        expect(divider).to_have_attribute("aria-valuenow", place)
    expect(dialog.locator("output")).to_have_text("fit")
    page.keyboard.press("+")
    expect(dialog.locator("output")).to_contain_text("%")
    page.keyboard.press("0")
    expect(dialog.locator("output")).to_have_text("fit")
    for which in ("Before", "After"):
        image = dialog.get_by_role("img", name=which)
        expect(image).to_have_js_property("complete", True)
        expect(image).to_have_js_property("naturalWidth", 160)
    dialog.get_by_role("button", name="Next image").press("Enter")
    expect(dialog.get_by_role("heading")).to_have_text(f"{FOLDER}/sea <b>&amp;.jpg")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_divider_is_dragged(journey, at):
    page = at(journey.path)
    page.get_by_role("button", name=f"Compare {FOLDER}/hill.png", exact=True).click()
    view = page.get_by_role("dialog").locator(".compare-view")
    expect(page.get_by_role("dialog").get_by_role("img", name="Before")).to_have_js_property("complete", True)
    box = view.bounding_box()
    middle = box["y"] + box["height"] / 3
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=4)
    page.mouse.up()
    divider = page.get_by_role("dialog").get_by_role("slider", name="Divider between before and after")
    expect(divider).to_have_attribute("aria-valuenow", "25")


def test_one_image_is_downloaded_as_it_is_in_hdfs(journey, at, pipeline):
    page = at(journey.path)
    page.get_by_role("button", name=f"Compare {FOLDER}/hill.png", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("link", name="Download").click()
    content = download.value.path().read_bytes()
    assert content == pipeline.read(f"{published(pipeline, journey.upload_id)}/images/{FOLDER}/hill.png")
    assert Image.open(io.BytesIO(content)).size == (160, 120)


def test_all_and_some_are_downloaded_as_one_file(journey, at, pipeline):
    page = at(journey.path)
    images = f"{published(pipeline, journey.upload_id)}/images"

    def downloaded(button) -> dict[str, str]:
        with page.expect_download() as download:
            button.click()
        with closing(zipfile.ZipFile(download.value.path())) as archive:
            assert archive.testzip() is None
            return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}

    everything = downloaded(page.get_by_role("link", name="Download all"))
    assert sorted(everything) == [f"{FOLDER}/{name}" for name in IMAGES if name != "damaged.png"]
    for name, digest in everything.items():
        assert digest == hashlib.sha256(pipeline.read(f"{images}/{name}")).hexdigest()
    for name in ("art/logo.png", "hill.png"):
        page.get_by_label(f"Select {FOLDER}/{name}", exact=True).check()
    some = downloaded(page.get_by_role("button", name="Download 2 images"))
    assert sorted(some) == [f"{FOLDER}/art/logo.png", f"{FOLDER}/hill.png"]


def test_the_same_folder_again_sends_nothing_again(journey, at, portal, folder):
    page = at(journey.path)
    settle(page)
    before = len(portal.watched.sent)
    page.get_by_label("Choose a folder").set_input_files(folder)
    dock = page.get_by_role("region", name="What to do next")
    expect(dock).to_contain_text("5 files")
    expect(dock).to_contain_text("uploaded")
    expect(dock.get_by_role("button", name="Upload only")).to_be_hidden()
    assert len(portal.watched.sent) == before


def test_the_slider_shows_any_number_of_colours(journey, at):
    page = at(journey.path)
    preview(page, "hill.png")
    slider, exact = page.get_by_label("Colours", exact=True), page.get_by_label("Number of colours").first
    size = page.locator(".preview .tiles dd").first
    expect(size).to_be_visible()
    slider.press("Home")
    expect(exact).to_have_value("2")
    expect(page.locator(".swatches li")).to_have_count(2)
    smallest = size.inner_text()
    slider.press("ArrowRight")
    expect(exact).to_have_value("3")
    expect(page.locator(".swatches li")).to_have_count(3)
    slider.press("End")
    expect(exact).to_have_value("256")
    expect(size).not_to_have_text(smallest)
    expect(page.locator(".curves .chosen-word")).to_have_text("k = 256")


def test_of_a_jpeg_that_gets_larger_it_is_told_what_helps_and_a_click_takes_it(journey, at):
    page = at(journey.path)
    preview(page, "sea <b>&amp;.jpg")
    expect(page.locator(".preview .note.warn")).to_contain_text("larger than your JPEG")
    way = page.locator(".ways li", has_text="WebP and AVIF")
    way.get_by_role("button").click()
    expect(page.get_by_label("File format")).to_have_value("auto")


def test_settings_that_make_no_sense_are_not_run(journey, at):
    page = at(journey.path)
    floor = page.get_by_label("Quality floor (PSNR, dB)")
    floor.fill("1000")
    page.get_by_role("button", name="Run again").click()
    expect(floor).to_be_focused()
    expect(floor).to_have_attribute("aria-invalid", "true")


def test_everything_is_reached_by_keys_in_the_order_in_which_it_is_seen(journey, at):
    page = at(journey.path)
    expect(page.locator(".gallery").get_by_role("listitem")).to_have_count(len(IMAGES))
    expect(page.locator(".preview .tiles dd").first).to_be_visible()
    expect(page.get_by_label("File format")).to_be_visible()
    settle(page)
    seen: list[str] = []
    name_of_focus = """() => {
      const focused = document.activeElement;
      const named = focused.labels?.[0] ?? focused;
      return focused.getAttribute('aria-label') ?? named.innerText ?? '';
    }"""
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(str(page.evaluate(name_of_focus)).strip())
    wanted = [
        *("Skip to the content", "Chromapress", "Uploads", "Share", "Delete", "Find images by name", "Download all"),
        *(f"Compare {FOLDER}/art/logo.png", "Choose images", "Choose a folder"),
        *("Divider between before and after", "Zoom in", "File format", "More settings", "Run again"),
    ]
    places = []
    for name in wanted:
        assert name in seen, f"{name} is not reached: {seen}"
        places.append(seen.index(name))
    in_order = [name for _, name in sorted(zip(places, wanted, strict=True))]
    # The preview stands beside the files, and the settings below them: either order is that of the eye.
    assert in_order[:8] == wanted[:8]
    assert in_order[-1] == "Run again"


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "new", "upload"])
def test_pages_keep_the_rules_of_accessibility(journey, at, path, look):
    page = at(journey.path if path == "upload" else path, color_scheme=look)
    settle(page)
    assert violations(page) == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark == (look == "dark")
    if path == "upload":
        page.get_by_text("More settings").click()
        page.get_by_role("button", name=f"Compare {FOLDER}/hill.png", exact=True).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("path", ["login/", "signup/"])
def test_the_pages_of_accounts_keep_the_rules_of_accessibility(portal, path, look):
    page = portal.page(color_scheme=look)
    page.goto(f"{portal.url}/auth/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("path", ["", "new", "upload"])
def test_on_a_phone_nothing_is_wider_than_the_screen(journey, at, path):
    page = at(journey.path if path == "upload" else path, **PHONE)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]
    assert violations(page) == []


def test_a_shared_link_is_read_without_an_account_until_it_is_revoked(journey, at, portal):
    page = at(journey.path)
    page.get_by_role("button", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_label("Link", exact=True).input_value()
    assert violations(page) == []

    stranger = portal.page()
    stranger.goto(link)
    expect(stranger.locator(".gallery").get_by_role("listitem")).to_have_count(len(IMAGES))
    stranger.get_by_role("button", name=f"Compare {FOLDER}/hill.png", exact=True).click()
    expect(stranger.get_by_role("dialog").get_by_role("img", name="After")).to_have_js_property("complete", True)
    expect(stranger.get_by_role("button", name="Delete")).to_have_count(0)
    assert violations(stranger) == []

    dialog.get_by_role("button", name="Revoke").click()
    expect(dialog.get_by_label("Link", exact=True)).to_have_count(0)
    # The browser tells of the 404 in its console, as it has to.
    told = list(portal.watched.complaints)
    stranger.reload()
    expect(stranger.get_by_text("This link does not work")).to_be_visible()
    portal.watched.complaints[:] = told
    stranger.context.close()


def test_operators_see_the_images_and_the_trends_of_runs(journey, portal, pipeline):
    partition = f"upload={journey.upload_id}"
    runs = {run["partition_key"]: run["dag_run_id"] for run in pipeline.runs("quantize_uploads")}
    run_id = runs[partition]
    page = portal.page()
    path = "operator/datasets/uploads"
    portal.log_in(page, path, pipeline.address.user, pipeline.address.password)
    expect(page.get_by_role("heading", name="Bytes saved")).to_be_visible()
    assert violations(page) == []
    portal.go(page, f"operator/runs/quantize_uploads/{run_id}")
    expect(page.locator(".gallery").get_by_role("listitem")).to_have_count(len(IMAGES))
    assert violations(page) == []
    page.context.close()


def test_people_log_out_and_in_again(journey, portal):
    page = portal.page()
    portal.log_in(page, "", NAME, PASSWORD)
    page.get_by_text("Account").locator("..").click()
    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/chromapress/")
    expect(page.get_by_role("link", name=FOLDER)).to_be_visible()
    page.context.close()


def test_an_upload_is_deleted_with_all_of_it(journey, at, pipeline, tmp_path):
    page = at("new")
    (tmp_path / "alone.png").write_bytes(file_of(photograph(9), "PNG"))
    page.get_by_label("Choose images").set_input_files(tmp_path / "alone.png")
    page.get_by_role("button", name="Upload only").click()
    page.wait_for_url("**/chromapress/uploads/*")
    upload = f"upload={urlsplit(page.url).path.rpartition('/')[2]}"
    expect(page.get_by_role("region", name="What to do next")).to_contain_text("1 file")
    page.goto(page.url.rpartition("uploads/")[0])
    page.get_by_role("button", name="Delete alone.png").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="alone.png")).to_have_count(0)
    pipeline.wait_for("end of the upload", lambda: upload not in pipeline.ls("uploads/landing"))


def test_no_page_complained_or_asked_another_host_or_had_no_policy(journey, portal):
    """The last test: of everything that the others did."""
    assert portal.watched.complaints == []
    assert portal.watched.hosts == {urlsplit(portal.url).netloc}
    assert portal.watched.without_policy == []
