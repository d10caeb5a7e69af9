"""Results as their owner, whoever has a link, and operators see them; on a real HDFS."""

import io
import re
import secrets
import zipfile
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import insert, update

from chromapress.paths import DatasetPaths
from chromapress.storage import Hdfs
from tests.landing_set import encoded, flat, landing_set, photograph
from tests.portal.published import generated_rows, publish, write_version

CHOSEN = ["photos/coffee-0.png", "flat/chart-5.png", "kinds/grey.tiff", "frames/animated.gif", "bad/text.png"]
STRANGE = 'strange/"quoted"\r\nSet-Cookie= a=b; Übung #1.png'
API = "/chromapress/api/v1"


@pytest.fixture(scope="module")
def store(hdfs):
    return Hdfs(hdfs.url)


@pytest.fixture
def storage(store):
    return store


@pytest.fixture(scope="module")
def contents():
    landed = landing_set()
    files = {path: landed[path].content for path in CHOSEN}
    return files | {STRANGE: encoded(flat(5, 7), "PNG", compress_level=0)}


@pytest.fixture(scope="module", params=["files", "parquet"])
def published(store, contents, request):
    """(upload's id, {path: manifest's row}) in both layouts."""
    upload_id = secrets.token_hex(16)
    partition = DatasetPaths("/chromapress", "uploads").partition(f"upload={upload_id}")
    return upload_id, publish(store, partition, contents, layout=request.param)


@pytest.fixture
def ann(client_of):
    from portal.access import Person

    return client_of(Person("ann", operator=False))


@pytest.fixture
def bob(client_of):
    from portal.access import Person

    return client_of(Person("bob", operator=False))


@pytest.fixture
def own(records, published):
    """The path of the results of Ann's upload."""
    return f"{API}/uploads/{record_upload(records, 'ann', published[0])}/results"


def record_upload(records, owner, upload_id):
    from portal.records import now, uploads

    row = insert(uploads).values(id=upload_id, owner=owner, name="scans", created_at=now())
    records.write(lambda connection: connection.execute(row))
    return upload_id


def test_the_gallery_tells_what_became_of_each_image(ann, own, published):
    answer = ann.get(own).json()
    rows = published[1]
    assert answer["version"] == "v1"
    assert answer["total"] == answer["summary"]["images"] == len(rows)
    assert answer["summary"]["outcomes"]["rejected"] == 1
    assert [item["path"] for item in answer["items"]] == sorted(rows)
    for item in answer["items"]:
        row = rows[item["path"]]
        assert (item["outcome"], item["output_path"]) == (row["outcome"], row["published_path"])
        assert item["published_bytes"] == row["published_size_bytes"]
        if item["outcome"] == "published":
            assert item["psnr_db"] == pytest.approx(row["psnr_db"])
            assert item["saving_percent"] == pytest.approx(100 * (1 - item["published_bytes"] / item["source_bytes"]))
        if item["outcome"] == "rejected":
            assert item["reason"].startswith("not_an_image")
            assert item["published_bytes"] is item["saving_percent"] is None


def test_the_gallery_filters_searches_sorts_and_turns_pages(ann, own):
    def paths(**query):
        answer = ann.get(own, params=query).json()
        return answer["total"], [item["path"] for item in answer["items"]]

    assert paths(outcome="rejected") == (1, ["bad/text.png"])
    assert paths(search="COFFEE") == (1, ["photos/coffee-0.png"])
    assert paths(search="übung") == (1, [STRANGE])
    total, first = paths(limit=2)
    assert paths(limit=2, offset=2)[1][0] > first[-1]
    assert (total, paths(offset=100)) == (6, (6, []))
    sizes = [item["published_bytes"] for item in ann.get(own, params={"sort": "size", "order": "desc"}).json()["items"]]
    assert sizes[-1] is None, "what has no size comes last"
    assert sizes[:-1] == sorted(sizes[:-1], reverse=True)
    assert ann.get(own, params={"sort": "colour"}).status_code == 422


def test_pictures_are_what_was_landed_and_what_is_published(ann, own, published, contents, store):
    for path, row in published[1].items():
        before = ann.get(f"{own}/image", params={"path": path, "which": "before"})
        after = ann.get(f"{own}/image", params={"path": path, "which": "after"})
        small = ann.get(f"{own}/image", params={"path": path, "which": "thumbnail"})
        if row["outcome"] == "rejected":
            assert {before.status_code, after.status_code, small.status_code} == {404}
            assert "not_an_image" in after.json()["detail"]
            continue
        if path.endswith(".tiff"):  # which browsers do not show
            assert before.headers["content-type"] == "image/png"
        else:
            assert before.content == contents[path]
        if row["outcome"].startswith("kept_"):
            assert after.content == before.content
        else:
            assert len(after.content) == row["published_size_bytes"]
        with Image.open(io.BytesIO(small.content)) as thumbnail:
            assert thumbnail.format == "WEBP"
            assert max(thumbnail.size) <= 320
        assert "sandbox" in after.headers["content-security-policy"]
        tag = {"If-None-Match": small.headers["etag"]}
        again = ann.get(f"{own}/image", params={"path": path, "which": "thumbnail"}, headers=tag)
        assert (again.status_code, again.content) == (304, b"")


def test_a_source_that_was_replaced_since_is_not_shown_as_before(ann, records, store):
    upload_id = record_upload(records, "ann", secrets.token_hex(16))
    partition = DatasetPaths("/chromapress", "uploads").partition(f"upload={upload_id}")
    publish(store, partition, {"a.png": encoded(flat(3, 1), "PNG")})
    store.write(f"{partition.landing}/a.png", encoded(flat(3, 2), "PNG"))
    query = {"path": "a.png", "which": "before"}
    answer = ann.get(f"{API}/uploads/{upload_id}/results/image", params=query)
    assert (answer.status_code, answer.json()["detail"]) == (404, "The source has been replaced since.")


def test_a_download_is_the_published_file_under_a_harmless_name(ann, own, published):
    row = published[1][STRANGE]
    answer = ann.get(f"{own}/download", params={"path": STRANGE})
    assert len(answer.content) == row["published_size_bytes"] == int(answer.headers["content-length"])
    assert answer.headers.get("set-cookie") is None
    assert re.fullmatch(
        r"attachment; filename=\"[A-Za-z0-9._ -]+\"; filename\*=UTF-8''[A-Za-z0-9._%-]+",
        answer.headers["content-disposition"],
    )
    assert ann.get(f"{own}/download", params={"path": "bad/text.png"}).status_code == 404
    assert ann.get(f"{own}/download", params={"path": "../../landing/x"}).status_code == 404


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def test_an_archive_has_all_that_is_published_the_same_each_time(ann, own, published, contents):
    whole = ann.get(f"{own}/zip")
    files = unzipped(whole.content)
    rows = published[1]
    assert list(files) == [rows[path]["published_path"] for path in sorted(rows) if rows[path]["published_path"]]
    assert files["frames/animated.gif"] == contents["frames/animated.gif"]
    for path, row in rows.items():
        if row["published_path"]:
            assert files[row["published_path"]] == ann.get(f"{own}/download", params={"path": path}).content
    assert ann.get(f"{own}/zip").content == whole.content


def test_an_archive_of_a_selection_has_that_and_no_more(ann, own, published):
    some = ["photos/coffee-0.png", STRANGE]
    wanted = {published[1][path]["published_path"] for path in some}
    by_form = ann.post(f"{own}/zip", data={"path": some})
    assert set(unzipped(by_form.content)) == wanted
    assert ann.get(f"{own}/zip", params={"path": some}).content == by_form.content
    assert ann.post(f"{own}/zip", data={"path": ["bad/text.png", "../x"]}).status_code == 404


def test_results_are_their_owners_and_operators(client_of, bob, own, published):
    from portal.access import Person

    paths = ["", "/zip", *(f"/{kind}?path=photos/coffee-0.png" for kind in ("image", "download"))]
    assert {bob.get(f"{own}{path}").status_code for path in paths} == {404}
    assert {client_of(None).get(f"{own}{path}").status_code for path in paths} == {401}
    assert {client_of(Person("root", operator=True)).get(f"{own}{path}").status_code for path in paths} == {200}


def test_an_upload_without_results_says_so(ann, records, store):
    upload_id = record_upload(records, "ann", secrets.token_hex(16))
    answer = ann.get(f"{API}/uploads/{upload_id}/results")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There are no results here (yet).")


def test_a_link_shows_the_results_to_anyone_until_it_is_revoked(client_of, ann, bob, own, published):
    shares = f"{API}/uploads/{published[0]}/shares"
    assert bob.post(shares, json={"days": 7}).status_code == 404
    made = ann.post(shares, json={"days": 7})
    assert made.status_code == 201
    key = made.json()["key"]
    assert len(key) >= 43
    assert made.json()["url"] == f"http://testserver/chromapress/shared/{key}"
    assert [share["key"] for share in ann.get(shares).json()["items"]] == [key]
    stranger = client_of(None)
    shared = f"{API}/shared/{key}/results"
    assert stranger.get(shared).json() == ann.get(own).json()
    query = {"path": "photos/coffee-0.png"}
    assert stranger.get(f"{shared}/image", params=query).content == ann.get(f"{own}/image", params=query).content
    assert stranger.get(f"{shared}/zip").status_code == 200
    assert bob.get(shares).status_code == bob.delete(f"{API}/shares/{key}").status_code == 404
    assert ann.delete(f"{API}/shares/{key}").status_code == 204
    assert stranger.get(shared).status_code == ann.delete(f"{API}/shares/{key}").status_code == 404


def test_a_link_expires_and_what_the_database_holds_opens_nothing(client_of, ann, own, published, records):
    from portal.records import now, shares

    key = ann.post(f"{API}/uploads/{published[0]}/shares").json()["key"]
    with records.reading() as connection:
        (row,) = connection.execute(shares.select()).mappings()
    assert key not in row.values()
    stranger = client_of(None)
    assert stranger.get(f"{API}/shared/{row['key']}/results").status_code == 404
    past = update(shares).values(expires_at=now() - timedelta(seconds=1))
    records.write(lambda connection: connection.execute(past))
    assert stranger.get(f"{API}/shared/{key}/results").status_code == 404
    assert ann.get(f"{API}/uploads/{published[0]}/shares").json()["items"] == []


def test_the_order_of_many_images_is_that_of_their_numbers():
    import pyarrow as pa
    from portal.gallery import Gallery, View

    from chromapress.tables import MANIFEST

    rows = generated_rows(5000)
    gallery = Gallery(pa.Table.from_pylist(rows, MANIFEST))

    def key(row):
        new = row["outcome"].startswith("published")
        size = row["published_size_bytes"]
        return {
            "saving": None if size is None else 1 - size / row["source_size_bytes"],
            "psnr": row["psnr_db"] if new else None,
            "size": size,
            "k": row["k"] if new else None,
        }

    for sort in ("saving", "psnr", "size", "k"):
        for order, sign in (("asc", 1), ("desc", -1)):
            valued = [row for row in rows if key(row)[sort] is not None]
            wanted = [row["relative_path"] for row in sorted(valued, key=lambda row: sign * key(row)[sort])]
            total, items = gallery.page(View(sort, order), 0, len(rows))
            assert total == len(rows)
            assert [item["path"] for item in items[: len(wanted)]] == wanted
    chosen = View("size", "desc", "published", "box-3")
    wanted = [row for row in rows if row["outcome"] == "published" and "box-3" in row["relative_path"]]
    total, items = gallery.page(chosen, 3, 10)
    assert total == len(wanted)
    wanted.sort(key=lambda row: -row["published_size_bytes"])
    assert [item["path"] for item in items] == [row["relative_path"] for row in wanted[3:13]]


def test_only_so_many_rows_are_kept_in_memory(store):
    from portal.publications import Publications

    partition = DatasetPaths("/chromapress", "many").partition("dt=2026-11-23")
    for version in ("one", "two"):
        write_version(store, partition, generated_rows(60), {}, version)
    publications = Publications(store, "/chromapress", most_rows=100)
    one = publications.version("many", "dt=2026-11-23", "one")
    assert publications.version("many", "dt=2026-11-23", "one") is one
    publications.version("many", "dt=2026-11-23", "two")
    assert publications.version("many", "dt=2026-11-23", "one") is not one


def test_a_thumbnail_of_a_large_palette_image_is_its_picture():
    from portal.pictures import thumbnail

    photo = photograph("coffee.png", 0, 0).resize((2400, 1800)).quantize(64)
    small = thumbnail(encoded(photo, "PNG"))
    with Image.open(io.BytesIO(small.content)) as image:
        assert image.size == (320, 240)
        assert image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) == pytest.approx(
            photo.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)), abs=6
        )
