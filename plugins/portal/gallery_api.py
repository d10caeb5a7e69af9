"""Results over HTTP: the gallery, pictures and downloads, the same for one's upload, a shared link and any run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, Final

import anyio.to_thread
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session
from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from starlette.concurrency import iterate_in_threadpool

from chromapress.paths import UPLOADS
from chromapress.publication import NotPublishedError
from portal import downloads, pictures
from portal.access import Access, Operator
from portal.gallery import Order, Sort, View
from portal.inventory import NotFound, own
from portal.pictures import NoPictureError, Picture, Thumbnails, Which
from portal.publications import Publications, Results
from portal.records import uploads
from portal.shares import shared_upload

DAG_PREFIX: Final = "quantize_"
# Pictures that are decoded at once: each may have tens of millions of pixels.
_DECODERS: Final = 2
_MOST_PATHS: Final = 100_000
# Pictures are strangers': a browser that is led to one shows a page that can do nothing.
_HARMLESS: Final = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
# Asked for again each time, for who may see it can change; but not sent again.
_KEEP: Final = "private, no-cache"


class Summary(BaseModel):
    """What the run amounts to."""

    images: int
    source_bytes: int = Field(description="Without rejected files.")
    published_bytes: int
    saved_percent: float
    outcomes: dict[str, int]


class Image(BaseModel):
    """One image, and what became of it."""

    path: str
    output_path: str | None = Field(description="What the published file is called; null where rejected.")
    outcome: str
    reason: str | None
    k: int | None = Field(description="The palette's colours; this and the quality are null where the source is kept.")
    source_bytes: int
    published_bytes: int | None
    saving_percent: float | None
    psnr_db: float | None = Field(description="Null where nothing was lost, too.")
    ssim: float | None
    delta_e: float | None
    width: int | None
    height: int | None
    codec: str | None


class ResultsPage(BaseModel):
    version: str
    summary: Summary
    total: int = Field(description="Images that match outcome and search.")
    items: list[Image]


@dataclass
class Service:
    """What the routes share in a process."""

    publications: Publications
    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_DECODERS))


def service(request: Request) -> Service:
    found: Service = request.app.state.results
    return found


Work = Annotated[Service, Depends(service)]


@contextmanager
def answering() -> Iterator[None]:
    """What goes wrong, as answers."""
    try:
        yield
    except (NotFound, NotPublishedError):
        raise HTTPException(HTTPStatus.NOT_FOUND, "There are no results here (yet).") from None
    except NoPictureError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from None
    except OSError as error:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "The storage does not answer. Try again.", {"Retry-After": "5"}
        ) from error


# Whose results: each of these is the dependency of a router that the routes below are included in.


def of_upload(upload_id: str, asking: Access, request: Request, work: Work) -> None:
    """Those of one's upload; operators may look at all."""
    mine = uploads.c.id == upload_id if asking.operator else own(asking.name, upload_id)
    with answering():
        with request.app.state.portal.records.reading() as connection:
            if connection.execute(select(uploads.c.id).where(mine)).first() is None:
                raise NotFound
        request.state.results = work.publications.current(UPLOADS, f"upload={upload_id}")


def of_share(key: str, request: Request, work: Work) -> None:
    """Those that somebody has shared, for whoever has the link."""
    with answering():
        upload_id = shared_upload(request.app.state.portal.records, key)
        request.state.results = work.publications.current(UPLOADS, f"upload={upload_id}")


def of_run(dag_id: str, run_id: str, _: Operator, request: Request, work: Work) -> None:
    """Those that a run of any dataset has published, as the event of its asset says."""
    published = select(AssetEvent.extra).where(
        AssetEvent.source_dag_id == dag_id, AssetEvent.source_run_id == run_id, AssetEvent.source_task_id == "publish"
    )
    with answering():
        with create_session() as session:
            event = session.scalars(published.order_by(AssetEvent.id.desc()).limit(1)).first()
        if event is None or not dag_id.startswith(DAG_PREFIX):
            raise NotFound
        dataset = dag_id.removeprefix(DAG_PREFIX)
        request.state.results = work.publications.version(dataset, event["partition"], event["version"])


def found(request: Request) -> Results:
    results: Results = request.state.results
    return results


Found = Annotated[Results, Depends(found)]
Path = Annotated[str, Query(max_length=4000, description="The image, by its source's path.")]

_routes = APIRouter(prefix="/results", tags=["results"])


@_routes.get("")
def get_results(
    results: Found,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    sort: Sort = "path",
    order: Order = "asc",
    outcome: Annotated[str, Query(max_length=40, description="Only images that ended so.")] = "",
    search: Annotated[str, Query(max_length=400, description="Only images whose path has this in it.")] = "",
) -> ResultsPage:
    """What became of each image, a page at a time."""
    total, items = results.gallery.page(View(sort, order, outcome, search), offset, limit)
    return ResultsPage.model_validate(
        {"version": results.publication.version, "summary": results.summary(), "total": total, "items": items}
    )


@_routes.get("/image", response_class=Response)
async def get_image(
    request: Request, results: Found, work: Work, path: Path, which: Annotated[Which, Query()] = "after"
) -> Response:
    """A picture of an image: its source, what is published, or that one small."""
    row = _row(results, path)
    headers = {**_HARMLESS, "ETag": f'"{pictures.tag(results, path, which)}"', "Cache-Control": _KEEP}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)

    def picture() -> Picture:
        with answering():
            if which == "thumbnail":
                return work.thumbnails.get(results, row)
            return pictures.before(results, row) if which == "before" else pictures.after(results, row)

    shown = await anyio.to_thread.run_sync(picture, limiter=work.decoders)
    return Response(shown.content, media_type=shown.media_type, headers=headers)


@_routes.get("/download", response_class=Response)
def download(results: Found, path: Path) -> StreamingResponse:
    """A published file, to keep."""
    row = _row(results, path)
    if row["published_path"] is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "Nothing is published for it.")
    headers = {
        **_HARMLESS,
        "Content-Disposition": downloads.disposition(row["published_path"].rpartition("/")[2]),
        "Content-Length": str(row["published_size_bytes"]),
    }
    content = downloads.pieces(results.publication, row["published_path"], row["pack"])
    return StreamingResponse(content, media_type=pictures.media_type(row), headers=headers)


@_routes.get("/zip", response_class=Response)
def download_zip(results: Found, path: Annotated[list[str] | None, Query()] = None) -> StreamingResponse:
    """Published files in one archive: all of them, or those of some images."""
    return _archive(results, path)


@_routes.post("/zip", response_class=Response)
async def download_selection(request: Request, results: Found) -> StreamingResponse:
    """The same with the images' paths in a form, which may hold more than an address."""
    async with request.form(max_fields=_MOST_PATHS, max_files=0) as form:
        chosen = [value for value in form.getlist("path") if isinstance(value, str)]
    return await anyio.to_thread.run_sync(_archive, results, chosen or None)


def _archive(results: Results, paths: list[str] | None) -> StreamingResponse:
    rows = results.gallery.published(paths)
    if rows.num_rows == 0:
        raise HTTPException(HTTPStatus.NOT_FOUND, "Nothing is published for these images.")
    name = f"{results.dataset}-{results.publication.partition}.zip".replace("=", "-")
    headers = {"Content-Disposition": downloads.disposition(name), "X-Content-Type-Options": "nosniff"}
    content = iterate_in_threadpool(downloads.archive(results.publication, rows))
    return StreamingResponse(content, media_type="application/zip", headers=headers)


def _row(results: Results, path: str) -> dict[str, Any]:
    row = results.gallery.row(path)
    if row is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such image.")
    return row


router = APIRouter()
router.include_router(_routes, prefix="/uploads/{upload_id}", dependencies=[Depends(of_upload)])
router.include_router(_routes, prefix="/shared/{key}", dependencies=[Depends(of_share)])
router.include_router(_routes, prefix="/runs/{dag_id}/{run_id}", dependencies=[Depends(of_run)])
