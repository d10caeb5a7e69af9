"""Airflow's auth manager: Flask-AppBuilder's, whose sessions end when they should, and whose pages are guarded.

`[core] auth_manager = portal.auth_manager.PortalAuthManager`. Airflow finds it since its plugins folder is on the path.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from fastapi import FastAPI, HTTPException
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from portal.access import reads_runs
from portal.gate import SameOriginGate
from portal.headers import HEADERS, SecurityHeaders

# Flask-AppBuilder's own pages, the administrators', have scripts and styles within them.
_ADMINISTRATORS_HEADERS: Final = HEADERS | {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; object-src 'none'"
}


def fingerprint(user: User) -> str:
    """What changes with a user's password, to be told to those who hold a token: a digest of its salted hash."""
    return hashlib.sha256(str(user.password).encode()).hexdigest()[:16]


class PortalAuthManager(FabAuthManager):
    """A token ends with the password that it was got for. Log-ins are slowed, and uploaders sent to the portal."""

    def serialize_user(self, user: User) -> dict[str, Any]:
        return {**super().serialize_user(user), "password": fingerprint(user)}

    def deserialize_user(self, token: dict[str, Any]) -> User:  # type: ignore[override]
        # The overridden one keeps users for half a minute (`[fab] cache_ttl`).
        user = super().deserialize_user(token)
        if not hmac.compare_digest(str(token.get("password", "")), fingerprint(user)):
            raise ValueError(f"The password of the user with id {token['sub']} has changed")
        return user

    def create_token(self, headers: dict[str, str], body: dict[str, Any]) -> User | None:
        """The user whose name and password the body has: for scripts, at /auth/token."""
        from portal.accounts import WaitingError  # noqa: PLC0415  (Flask, in the API server only)
        from portal.throttle import TooOftenError  # noqa: PLC0415

        if not all(isinstance(body.get(key), str) and body[key] for key in ("username", "password")):
            raise ValueError("Username and password must be provided")
        try:
            user: User | None = super().create_token(headers, body)
        except WaitingError:
            raise HTTPException(403, "The account waits for an administrator, who has to activate it.") from None
        except TooOftenError as refusal:
            raise HTTPException(429, str(refusal), {"Retry-After": str(refusal.wait_s)}) from None
        return user

    def get_fastapi_app(self) -> FastAPI | None:
        app = super().get_fastapi_app()
        if app is not None:
            # This one forgets the cookies and leaves the session in the database; Flask's, below it, ends both.
            routes = app.router.routes
            routes[:] = [each for each in routes if not (isinstance(each, APIRoute) and each.path == "/logout")]
            app.add_middleware(Guard)
        return app

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        return [*super().get_fastapi_middlewares(), (Doorman, {})]


class Guard:
    """Around everything below /auth: headers, no requests from other sites, and the address is known to `accounts`.

    /auth/token takes no cookie, so that another site gains nothing by asking for it.
    """

    def __init__(self, app: ASGIApp) -> None:
        from portal.accounts import asking_from  # noqa: PLC0415

        self._asking_from = asking_from
        self._open = SecurityHeaders(app, _ADMINISTRATORS_HEADERS)
        self._gated = SecurityHeaders(SameOriginGate(app), _ADMINISTRATORS_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._open(scope, receive, send)
            return
        self._asking_from.set(scope["client"][0] if scope.get("client") else "")
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        is_token = below in ("/token", "/token/cli")
        await (self._open if is_token else self._gated)(scope, receive, send)


class Doorman:
    """Sends uploaders who open a page of Airflow's to the portal: they would see an empty Airflow."""

    _ELSEWHERE: Final = ("/chromapress", "/auth", "/api", "/ui", "/static", "/execution", "/pluginsv2")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and await self._is_astray(scope):
            from portal.settings import read_settings  # noqa: PLC0415

            location = f"{read_settings().base_url}/chromapress/".encode()
            headers = [(b"location", location), (b"content-length", b"0"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 303, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)

    async def _is_astray(self, scope: Scope) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        headers = Headers(scope=scope)
        if scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
            return False
        if any(path == prefix or path.startswith(f"{prefix}/") for prefix in self._ELSEWHERE):
            return False
        token = cookie_parser(headers.get("cookie", "")).get(COOKIE_NAME_JWT_TOKEN)
        return bool(token) and await is_uploader(token)


async def is_uploader(token: str | None) -> bool:
    """Whether a valid token is of somebody who may not see Airflow's runs."""
    from airflow.api_fastapi.core_api.security import resolve_user_from_token  # noqa: PLC0415

    try:
        user = await resolve_user_from_token(token)
    except HTTPException:
        return False
    return not reads_runs(user)
