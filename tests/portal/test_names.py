"""What files are called in HDFS, whatever strangers call them."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from portal.names import alternative, safe_path

names = st.text(st.characters(codec="utf-8"), min_size=0, max_size=300)
paths = st.lists(names | st.sampled_from(["..", ".", "", "\0", ".snapshot", "C:", "a\\..\\b"]), max_size=20).map(
    "/".join
)


@given(paths)
@example("../../etc/passwd")
@example("/absolute")
@example("a/./../b")
@example("\u202egnp.exe")
@example("é" * 300)
@example(".snapshot/x")
def test_a_path_stays_where_it_belongs_and_hdfs_takes_it(asked):
    path = safe_path(asked)
    parts = path.split("/")
    assert all(part not in ("", ".", "..", ".snapshot") for part in parts)
    assert ":" not in path
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path)
    assert all(len(part.encode()) <= 200 for part in parts)
    assert safe_path(path) == path
    other = alternative(path, 12)
    assert other != path
    assert all(len(part.encode()) <= 255 - len(".webp") for part in other.split("/"))


@pytest.mark.parametrize(
    "path",
    [
        "a.png",
        "_DSC0001.jpg",
        ".hidden/x.png",
        "a b/#1 100%.png",
        "日本/ü?.png",
        "a\\b.png",
        "<b>&\"'.png",
        "👩‍👩‍👧.png",
    ],
)
def test_an_honest_name_is_kept(path):
    assert safe_path(path) == path


def test_one_name_is_one_however_its_letters_are_composed():
    assert safe_path("u\u0308.png") == safe_path("\u00fc.png") == "\u00fc.png"


def test_a_long_name_keeps_its_suffix():
    assert safe_path("x" * 400 + ".jpeg") == "x" * 195 + ".jpeg"


@pytest.mark.parametrize("asked", ["/".join("a" * 41), "/".join(["x" * 190] * 11)])
def test_a_path_beyond_all_measure_is_refused(asked):
    with pytest.raises(ValueError, match="the limit is"):
        safe_path(asked)


def test_alternatives_keep_folder_and_suffix():
    assert alternative("x/a.b.png", 2) == "x/a.b (2).png"
    assert alternative("x/.hidden", 3) == "x/.hidden (3)"
    assert alternative("a.a sentence that ends here", 2) == "a.a sentence that ends here (2)"
