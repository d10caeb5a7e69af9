"""Refuses what another site makes a browser send. The session's cookie is SameSite=Lax, which is not enough: a site
under the same domain, or on another port of the same host, is the same site.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def allows(method: str, headers: Headers) -> bool:
    """Whether a request may change something: it changes nothing by its method, comes from a page of this origin, or
    carries a token, which no browser adds by itself.
    """
    if method in _SAFE or headers.get("authorization", "").lower().startswith("bearer "):
        return True
    fetched_from = headers.get("sec-fetch-site")
    if fetched_from is not None:
        return fetched_from == "same-origin"
    # Browsers send Sec-Fetch-Site to https and localhost only. By host and port: behind a proxy that ends TLS the
    # scheme is not known here.
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")


class SameOriginGate:
    """Answers 403 to requests that `allows` refuses, before anything of them is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not allows(scope["method"], Headers(scope=scope)):
            refusal = JSONResponse({"detail": "This request must come from a page of this site or carry a token."}, 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
