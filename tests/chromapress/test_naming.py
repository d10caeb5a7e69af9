"""What published files are called."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from chromapress.naming import family, published_paths

names = st.builds(
    lambda folder, stem, suffix: folder + stem + suffix,
    st.sampled_from(["", "d/", "d.e/", ".h/"]),
    st.sampled_from(["a", "b", "a.png", "a.jpg", "_a", ".a", "a-2", "a.2"]),
    st.sampled_from([".png", ".webp", ".jpg", ".PNG", ".jpg.png", "-2.png", ".2.png", ""]),
)
trees = st.dictionaries(names, st.sampled_from([None, "png", "webp"]), max_size=12).map(
    lambda tree: sorted(tree.items())
)


@given(trees)
def test_no_two_meet_and_none_is_lost(tree: list[tuple[str, str | None]]) -> None:
    paths = published_paths(tree)
    assert set(paths) == {path for path, _ in tree}
    assert len(set(paths.values())) == len(paths)


@given(trees)
def test_kept_files_keep_their_names_and_new_ones_have_their_codecs_suffix(tree: list[tuple[str, str | None]]) -> None:
    for path, codec in tree:
        published = published_paths(tree)[path]
        assert published == path if codec is None else published.lower().endswith(f".{codec}")
        assert published.rpartition("/")[0] == path.rpartition("/")[0]


@given(trees)
def test_each_family_can_be_named_by_itself(tree: list[tuple[str, str | None]]) -> None:
    def family_of(source: tuple[str, str | None]) -> str:
        return family(source[0])

    apart: dict[str, str] = {}
    for _, some in groupby(sorted(tree, key=family_of), key=family_of):
        apart |= published_paths(list(some))
    assert apart == published_paths(tree)


def test_a_jpeg_beside_a_png_gets_its_whole_name() -> None:
    assert published_paths([("x/a.jpg", "png"), ("x/a.png", "png")]) == {
        "x/a.jpg": "x/a.jpg.png",
        "x/a.png": "x/a.png",
    }


def test_each_new_file_is_named_after_its_own_codec() -> None:
    sources = [("a.png", "webp"), ("b.png", "png"), ("c.jpg", None), ("c.tif", "webp")]
    assert published_paths(sources) == {"a.png": "a.webp", "b.png": "b.png", "c.jpg": "c.jpg", "c.tif": "c.webp"}
