"""What the jobs share."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

MB = 1 << 20


def test_rows_are_shuffled_into_parts_of_a_bounded_size() -> None:
    from lake import shuffle_partitions

    def parts(images: int, megabytes: int, stage: str = "quantize") -> int:
        return shuffle_partitions({"images": images, "bytes": megabytes * MB}, 2, stage)

    assert parts(3, 1) == 2
    assert parts(150, 100) == 25
    assert parts(1500, 1000) == 200
    assert parts(1_000_000, 640_000) == 10_000
    assert [parts(images, 640_000, "publish") for images in (1, 50_000, 1_000_000)] == [2, 13, 245]


@given(st.lists(st.integers(1, 10**13), min_size=2, max_size=9), st.integers(1, 64))
def test_more_bytes_are_never_fewer_parts(landed: list[int], cores: int) -> None:
    from lake import shuffle_partitions

    found = [shuffle_partitions({"images": 1, "bytes": one}, cores, "quantize") for one in sorted(landed)]
    assert all(a <= b for a, b in pairwise(found))
    assert found[0] >= cores
