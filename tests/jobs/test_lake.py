"""What the jobs share."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

MB = 1 << 20


def test_rows_are_shuffled_into_parts_of_a_bounded_size() -> None:
    from lake import shuffle_partitions

    assert [shuffle_partitions(megabytes * MB, 2) for megabytes in (1, 100, 1000, 640_000)] == [2, 25, 200, 10_000]


@given(st.lists(st.integers(1, 10**13), min_size=2, max_size=9), st.integers(1, 64))
def test_more_bytes_are_never_fewer_parts(landed: list[int], cores: int) -> None:
    from lake import shuffle_partitions

    found = [shuffle_partitions(one, cores) for one in sorted(landed)]
    assert all(a <= b for a, b in pairwise(found))
    assert found[0] >= cores
