"""On SQLite, the API server's requests that change something are answered one after the other.

Airflow writes its audit log on the event loop itself. Where another request's thread is in a transaction then, the loop
waits for SQLite's only writer, and that one for the loop, which ends its request: both until SQLite gives up, with all
other processes that want to write. PostgreSQL locks rows, and they are different ones.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_READING: Final = ("GET", "HEAD", "OPTIONS")


class OneWriter:
    """A middleware; requests below `free` pass it as they come: their transactions end in their own threads."""

    def __init__(self, app: ASGIApp, free: str) -> None:
        self._app = app
        self._free = f"{free}/"
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING or scope["path"].startswith(self._free):
            await self._app(scope, receive, send)
        else:
            async with self._turn:
                await self._app(scope, receive, send)
