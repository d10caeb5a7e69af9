"""The portal as one FastAPI app: its routers, and what holds for every one of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from chromapress.storage import Hdfs
from portal import (
    api_docs,
    gallery_api,
    operator_pages,
    pages,
    previews_api,
    runs_api,
    shares_api,
    trends_api,
    uploads_api,
)
from portal.access import Access
from portal.assets import Assets
from portal.gate import SameOriginGate
from portal.headers import SecurityHeaders
from portal.publications import Publications
from portal.records import Records
from portal.runs import Runs
from portal.settings import Settings
from portal.uploads import Uploads

PREFIX: Final = "/chromapress"
API: Final = "/api/v1"


@dataclass(frozen=True)
class Portal:
    """What the routes work with; they find it as `request.app.state.portal`."""

    settings: Settings
    storage: Hdfs
    records: Records


def create_app(portal: Portal) -> FastAPI:
    """The app to mount at PREFIX. Every route depends on `access`, or says in the security tests why it need not."""
    app = FastAPI(
        title="Chromapress",
        description="Upload images, run the pipeline on them, compare and download what it made.",
        version="1",
        openapi_url=None,  # for people who have logged in only: api_docs
        docs_url=None,
        redoc_url=None,
    )
    app.state.portal = portal
    app.state.previews = previews_api.Previews(portal.settings)
    app.state.uploads = uploads_api.Service(Uploads(portal.settings, portal.storage, portal.records))
    app.state.runs = Runs(portal.settings, portal.storage, portal.records)
    app.state.results = gallery_api.Service(Publications(portal.storage, portal.settings.root))
    app.exception_handler(HTTPException)(answer_error)
    app.exception_handler(RequestValidationError)(answer_invalid)
    app.add_middleware(SameOriginGate)
    app.add_middleware(SecurityHeaders)  # the outermost: a refusal has headers, too

    # An upload that a run holds is free when the run is over, not when somebody has looked at it.
    app.include_router(uploads_api.router, prefix=API, dependencies=[Depends(runs_api.settle)])

    @app.get(f"{API}/me", tags=["account"])
    def me(asking: Access) -> dict[str, str | bool]:
        """Who you are."""
        return {"name": asking.name, "operator": asking.operator}

    app.include_router(runs_api.router, prefix=API)
    app.include_router(gallery_api.router, prefix=API)
    app.include_router(shares_api.router, prefix=API)
    app.include_router(trends_api.router, prefix=API)
    app.include_router(previews_api.router)
    app.include_router(pages.router)
    app.include_router(operator_pages.router)
    app.include_router(api_docs.router)
    app.mount("/static", Assets())
    return app


async def answer_invalid(_request: Request, error: RequestValidationError) -> Response:
    """What was asked wrongly, as {"detail": sentence}; what was sent is not sent back."""
    told = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    return JSONResponse({"detail": "; ".join(told) + "."}, HTTPStatus.UNPROCESSABLE_ENTITY)


async def answer_error(request: Request, error: HTTPException) -> Response:
    """Errors as {"detail": sentence}; a stranger who opens a page is sent to the log-in and comes back from there."""
    below = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    is_page = request.method == "GET" and (below == "/api/docs" or not below.startswith("/api/"))
    if error.status_code == HTTPStatus.UNAUTHORIZED and is_page:
        settings: Settings = request.app.state.portal.settings
        query = f"?{request.url.query}" if request.url.query else ""
        back = f"{settings.base_url}{PREFIX}{below}{query}"
        return RedirectResponse(f"{settings.base_url}/auth/login/?{urlencode({'next': back})}", HTTPStatus.SEE_OTHER)
    return await http_exception_handler(request, error)
