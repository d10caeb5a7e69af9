"""Uploads over HTTP: announce files, send their bytes, go on after a lost connection, see and delete them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from chromapress.config import ConfigError
from portal.access import Access, Person
from portal.announcing import Asked, OverQuota
from portal.inventory import Busy, NotFound
from portal.reception import Reception
from portal.staging import TooMuch, WrongOffset
from portal.throttle import Throttle, TooOftenError
from portal.uploads import Uploads

T = TypeVar("T")

_log = logging.getLogger(__name__)

# What is held in memory of each file that comes in, before it goes on to HDFS.
_PIECE_BYTES: Final = 512 * 1024
# Connections that send at once; the others are asked to come again.
_MOST_SENDERS: Final = 64
_THREADS: Final = 12
_LEAST_BYTES_PER_S: Final = 1000
# Of a file that is refused at its beginning, so much is still read: browsers hear an answer only when all is sent.
_DRAIN_BYTES: Final = 16 * 1024 * 1024
_MOST_FILES: Final = 1000
# The content of files is strangers': shown, if at all, in a page that can do nothing.
_HARMLESS: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}

router = APIRouter(prefix="/uploads", tags=["uploads"])


class NewUpload(BaseModel):
    name: str | None = Field(None, max_length=1000, description="What you call it; if nothing, its time.")


class UploadView(BaseModel):
    """An upload, and how far it is."""

    id: str
    name: str
    owner: str
    created_at: datetime
    state: Literal["open", "running", "done", "failed"] = Field(description="What became of its last run.")
    file_count: int = Field(description="Files announced, without those that were refused.")
    size_bytes: int


class UploadPage(BaseModel):
    items: list[UploadView]
    total: int


class NewFile(BaseModel):
    path: str = Field(min_length=1, max_length=4000, description="The file's name, with the folders it is in.")
    size_bytes: int = Field(ge=0, le=1 << 50)


class NewFiles(BaseModel):
    files: list[NewFile] = Field(max_length=_MOST_FILES)


class FileView(BaseModel):
    """A file, and how far it is."""

    id: str
    path: str = Field(description="What it is called here: another than asked_path where that was taken or impossible.")
    asked_path: str
    size_bytes: int
    received_bytes: int
    state: Literal["waiting", "receiving", "received", "refused"]
    reason: str | None = Field(description="Why it is refused.")
    content_type: str | None
    sha256: str | None
    duplicate_of: str | None = Field(description="The path of the file of this upload that has the same bytes.")


class FileList(BaseModel):
    items: list[FileView]


class FilePage(FileList):
    total: int


@dataclass
class Service:
    """What the routes share in a process."""

    uploads: Uploads
    # No more than these wait for HDFS or the database; Airflow's own threads are left alone.
    threads: Executor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "upload"))
    senders: int = field(default=0, init=False)
    # Who sends nothing for so long, or after it less than a kilobyte a second, holds a place that others wait for.
    idle_s: float = 60.0
    # For each person and process, in a minute.
    created: Throttle = field(default_factory=lambda: Throttle(60, 60.0), init=False)
    announced: Throttle = field(default_factory=lambda: Throttle(120, 60.0), init=False)
    sent: Throttle = field(default_factory=lambda: Throttle(6000, 60.0), init=False)


def service(request: Request) -> Service:
    found: Service = request.app.state.uploads
    return found


Work = Annotated[Service, Depends(service)]
Offset = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.post("", status_code=HTTPStatus.CREATED)
def create_upload(asking: Access, work: Work, wanted: Annotated[NewUpload | None, Body()] = None) -> UploadView:
    """Begin an upload."""
    with answering():
        slow_down(work.created, asking)
        return upload_view(work.uploads.create(asking.name, wanted.name if wanted else None))


@router.get("")
def list_uploads(asking: Access, work: Work, offset: Offset = 0, limit: Limit = 50) -> UploadPage:
    """Your uploads, the newest first."""
    with answering():
        total, rows = work.uploads.page(asking.name, offset, limit)
        return UploadPage(items=[upload_view(row) for row in rows], total=total)


@router.get("/{upload_id}")
def get_upload(upload_id: str, asking: Access, work: Work) -> UploadView:
    """One of your uploads."""
    with answering():
        return upload_view(work.uploads.find(asking.name, upload_id))


@router.delete("/{upload_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_upload(upload_id: str, asking: Access, work: Work) -> None:
    """Delete an upload, with all that was made of it."""
    with answering():
        work.uploads.delete(asking.name, upload_id)


@router.post("/{upload_id}/files")
def announce_files(upload_id: str, wanted: NewFiles, asking: Access, work: Work) -> FileList:
    """Say which files you want to send, up to 1,000 at once. Asking again tells how far each of them is."""
    with answering():
        slow_down(work.announced, asking)
        asked = [Asked(_storable(one.path), one.size_bytes) for one in wanted.files]
        return FileList(items=[file_view(row) for row in work.uploads.announce(asking.name, upload_id, asked)])


@router.get("/{upload_id}/files")
def list_files(
    upload_id: str, asking: Access, work: Work, search: str = "", offset: Offset = 0, limit: Limit = 100
) -> FilePage:
    """The files of an upload, in the order in which they were announced."""
    with answering():
        total, rows = work.uploads.files(asking.name, upload_id, _storable(search), offset, limit)
        return FilePage(items=[file_view(row) for row in rows], total=total)


@router.patch(
    "/{upload_id}/files/{file_id}",
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": {"format": "binary"}}}}},
)
async def send_file(
    upload_id: str,
    file_id: str,
    request: Request,
    asking: Access,
    work: Work,
    upload_offset: Annotated[int, Header(ge=0, description="How many bytes came before.")],
) -> FileView:
    """Send a file's bytes, all or some, from the offset on. A wrong offset is answered by 409 with the right one."""
    if work.senders >= _MOST_SENDERS:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "Too many files come in at once.", {"Retry-After": "2"})
    work.senders += 1
    try:
        with answering():
            slow_down(work.sent, asking)
            reception = await _in_thread(work, work.uploads.receive, asking.name, upload_id, file_id, upload_offset)
            if reception.wanted:
                await _receive(work, reception, request)
            return file_view(await _in_thread(work, work.uploads.file, asking.name, upload_id, file_id))
    finally:
        work.senders -= 1


@router.delete("/{upload_id}/files/{file_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_file(upload_id: str, file_id: str, asking: Access, work: Work) -> None:
    """Delete a file, or stop sending it."""
    with answering():
        work.uploads.delete_file(asking.name, upload_id, file_id)


@router.get("/{upload_id}/files/{file_id}/content", response_class=Response)
def get_content(upload_id: str, file_id: str, asking: Access, work: Work) -> StreamingResponse:
    """The bytes of a file, as they came."""
    with answering():
        row = work.uploads.file(asking.name, upload_id, file_id)
        if row["state"] != "received":
            raise NotFound
        name = quote(row["path"].rpartition("/")[2], safe="")
        headers = {
            **_HARMLESS,
            "Content-Length": str(row["size_bytes"]),
            "Content-Disposition": f"inline; filename*=UTF-8''{name}",
        }
        return StreamingResponse(work.uploads.content(row), media_type=row["content_type"], headers=headers)


@contextmanager
def answering() -> Iterator[None]:
    """What goes wrong, as answers."""
    try:
        yield
    except NotFound:
        raise HTTPException(HTTPStatus.NOT_FOUND, "Not Found") from None
    except WrongOffset as error:
        headers = {"Upload-Offset": str(error.received_bytes)}
        raise HTTPException(HTTPStatus.CONFLICT, f"{error}.", headers) from None
    except Busy as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from None
    except OverQuota as error:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None
    except TooMuch as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{error}.") from None
    except ConfigError as error:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, f"Uploads are misconfigured: {error}") from None
    except TooOftenError as error:
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, str(error), {"Retry-After": str(error.wait_s)}) from None
    except OSError as error:
        _log.warning("the storage failed: %s", error)
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "The storage does not answer. Try again.", {"Retry-After": "5"}
        ) from error


def slow_down(throttle: Throttle, asking: Person) -> None:
    """Count what somebody does; TooOftenError."""
    throttle.check(asking.name)
    throttle.count(asking.name)


async def _in_thread(work: Service, function: Callable[..., T], *arguments: Any) -> T:
    """The result of what blocks, on one of the bounded number of threads that uploads have."""
    return await asyncio.get_running_loop().run_in_executor(work.threads, function, *arguments)


async def _receive(work: Service, reception: Reception, request: Request) -> None:
    """The body into the file, a piece at a time. However the connection ends, what has come is kept."""
    ended = False
    try:
        async with aclosing(_pieces(request, work.idle_s)) as pieces:
            async for piece in pieces:
                if not await _in_thread(work, reception.feed, piece):
                    ended = True
                    await _drain(pieces)
                    return
    except TooMuch:
        ended = True
        await _in_thread(work, reception.drop)
        raise
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The connection was lost.") from None
    except TimeoutError:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "Too little came for too long.") from None
    finally:
        if not ended:
            # Shielded: where the server stops, or the client is gone, this must still be done.
            await asyncio.shield(_in_thread(work, reception.finish))


async def _pieces(request: Request, idle_s: float) -> AsyncGenerator[bytearray]:
    """The body in pieces of some size; TimeoutError, when nothing comes, or next to nothing."""
    piece = bytearray()
    began, came_bytes = time.monotonic(), 0
    stream = aiter(request.stream())
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), idle_s)
            came_bytes += len(chunk)
            if chunk and came_bytes < _LEAST_BYTES_PER_S * (time.monotonic() - began - idle_s):
                raise TimeoutError
        except (StopAsyncIteration, ClientDisconnect, TimeoutError) as end:
            if piece:
                yield piece
            if isinstance(end, StopAsyncIteration):
                return
            raise
        piece += chunk
        if len(piece) >= _PIECE_BYTES:
            yield piece
            piece = bytearray()


async def _drain(pieces: AsyncIterator[bytearray]) -> None:
    """Read on for a while what is not wanted."""
    rest = _DRAIN_BYTES
    with suppress(ClientDisconnect, TimeoutError):
        async for piece in pieces:
            rest -= len(piece)
            if rest < 0:
                return


def _storable(text: str) -> str:
    """Text that both databases take: without NUL, without halves of letters."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def upload_view(row: dict[str, Any]) -> UploadView:
    state = {None: "open", "success": "done", "failed": "failed"}.get(row["run_state"], "running")
    return UploadView.model_validate({**row, "state": state})


def file_view(row: dict[str, Any]) -> FileView:
    return FileView.model_validate({**row, "duplicate_of": row["first_path"]})
