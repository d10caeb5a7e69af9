"""Every path in HDFS."""

import re

from hypothesis import given
from hypothesis import strategies as st

from chromapress.paths import DatasetPaths, safe_run_id


def test_paths_are_as_documented() -> None:
    partition = DatasetPaths("/chromapress", "maps").partition("dt=2026-11-23")
    run = partition.run("manual__1")
    assert partition.landing == "/chromapress/maps/landing/dt=2026-11-23"
    assert partition.current == "/chromapress/maps/published/dt=2026-11-23/_CURRENT"
    assert run.stage("select_k") == "/chromapress/maps/work/dt=2026-11-23/manual__1/selected"
    assert partition.version("abc").manifest == "/chromapress/maps/published/dt=2026-11-23/abc/manifest.parquet"


@given(st.text(min_size=1, max_size=80))
def test_a_run_id_becomes_one_visible_name_that_hdfs_takes(run_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9._-]*", safe_run_id(run_id))


@given(st.text("a:_-.", min_size=1, max_size=6), st.text("a:_-.", min_size=1, max_size=6))
def test_different_runs_have_different_directories(one: str, other: str) -> None:
    assert (safe_run_id(one) == safe_run_id(other)) == (one == other)


def test_a_run_cannot_take_the_locks_place() -> None:
    partition = DatasetPaths("/r", "d").partition("dt=2026-11-23")
    assert partition.run("_lock").base != partition.lock
