"""Talking to the NameNode through the HDFS provider's hook, with errors that say what is the matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.apache.hdfs.hooks.webhdfs import AirflowWebHDFSHookException, WebHDFSHook
from airflow.sdk.exceptions import AirflowException
from hdfs import HdfsError  # type: ignore[import-untyped]
from requests.exceptions import RequestException

_MISSING = "FileNotFoundException"


class NameNodeAwayError(AirflowException):
    """The NameNode does not answer; it may come back."""


@contextmanager
def webhdfs(conn_id: str) -> Iterator[Any]:
    """The client of a connection; NameNodeAwayError when the other side is silent."""
    hook = WebHDFSHook(conn_id)
    try:
        yield hook.get_conn()
    except (AirflowWebHDFSHookException, RequestException):
        server = hook.get_connection(conn_id)
        raise NameNodeAwayError(
            f"the NameNode at {server.host}:{server.port} (connection {conn_id}) does not answer"
        ) from None


def find(client: Any, path: str) -> dict[str, Any] | None:
    """A path's FileStatus, None if there is nothing; HdfsError for all else, which `strict=False` would hide."""
    try:
        with _missing_is_not_found():
            status: dict[str, Any] = client.status(path)
    except FileNotFoundError:
        return None
    return status


def names(client: Any, path: str) -> list[str]:
    """What a directory holds; FileNotFoundError if it is not there."""
    with _missing_is_not_found():
        return list(client.list(path))


def read(client: Any, path: str) -> bytes:
    """A small file; FileNotFoundError if it is not there."""
    with _missing_is_not_found(), client.read(path) as reader:
        return bytes(reader.read())


@contextmanager
def _missing_is_not_found() -> Iterator[None]:
    try:
        yield
    except HdfsError as error:
        if error.exception == _MISSING:
            raise FileNotFoundError(error.message) from None
        raise
