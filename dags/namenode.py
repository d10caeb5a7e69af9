"""What the NameNode says of a path, through the HDFS provider's client."""

from __future__ import annotations

from typing import Any

from hdfs import HdfsError  # type: ignore[import-untyped]

_MISSING = "FileNotFoundException"


def find(client: Any, path: str) -> dict[str, Any] | None:
    """A path's FileStatus, None if there is nothing; HdfsError for all else, which `strict=False` would hide."""
    try:
        status: dict[str, Any] = client.status(path)
    except HdfsError as error:
        if error.exception == _MISSING:
            return None
        raise
    return status
