"""Instant previews over HTTP: an image in, numbers and pictures of any number of colours out.

Images are decoded in two threads at most, so that a preview takes no more of the server than that; they stay in memory,
within a bound, and are their owner's alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Body, HTTPException, Query, Request, Response
from starlette import status

from chromapress.config import ConfigError, DatasetConfig, with_parameters
from portal import previews
from portal.access import Access, Person
from portal.previews import Kept, NoImageError, Point, Preview, TooLargeError
from portal.runs import check_parameters
from portal.settings import Settings, read_dataset

router = APIRouter(prefix="/api/v1/previews", tags=["previews"])

_THREADS: Final = 2
# Each may hold an image's bytes in memory.
_MAX_AT_A_TIME: Final = 8
_MAX_WAITING: Final = 64
_BODY_TIMEOUT_S: Final = 120

T = TypeVar("T")
K = Annotated[int | None, Query(ge=1, le=256, description="The number of colours; without it, as a run makes it.")]


class Previews:
    """The previews of one server process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.kept = Kept()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="preview")
        self._waiting = 0
        self._bodies = 0

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in one of the threads; 503 where too much waits for them already."""
        if self._waiting >= _MAX_WAITING:
            raise _busy()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def holding_a_body(self) -> AsyncIterator[None]:
        """503 where so many images are held already that memory must be minded."""
        if self._bodies >= _MAX_AT_A_TIME:
            raise _busy()
        self._bodies += 1
        try:
            yield
        finally:
            self._bodies -= 1

    def config(self, parameters: dict[str, Any] | None = None) -> DatasetConfig:
        """The configuration of a run of the uploads with such parameters, as it is now; 422 where they will not do."""
        try:
            config = read_dataset(self._settings)
        except ConfigError as error:
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE, f"The dataset of uploads is misconfigured: {error}"
            ) from None
        try:
            check_parameters(config, parameters or {})
        except ConfigError as error:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from None
        return with_parameters(config, parameters or {}, "preview")

    def keep(self, preview: Preview) -> None:
        histogram = preview.histogram
        size = preview.pixels.nbytes + histogram.colors.nbytes + histogram.counts.nbytes
        self.kept.put(preview, size, preview.id)

    def point(self, preview: Preview, k: int | None) -> Point:
        """A point of a preview, made once."""
        key = (preview.id, preview.config.result_json(), "as a run" if k is None else str(k))
        found: Point | None = self.kept.get(*key)
        if found is None:
            found = previews.point(preview, k)
            self.kept.put(found, len(found.content) + found.quantized.indices.nbytes, *key)
        return found

    def find(self, preview_id: str, person: Person) -> Preview:
        """One's own preview; 404 where there is none of that id, or not any more."""
        preview: Preview | None = self.kept.get(preview_id)
        if preview is None or preview.owner != person.name:
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, "This preview is not kept any more: send the image once more."
            )
        return preview


def _busy() -> HTTPException:
    return HTTPException(
        status.HTTP_503_SERVICE_UNAVAILABLE, "Many previews are being made; try again.", {"Retry-After": "2"}
    )


def _of(request: Request) -> Previews:
    kept: Previews = request.app.state.previews
    return kept


async def _body(request: Request) -> bytes:
    """A request's body within the bound of a preview, whatever it says of its length."""
    most = previews.LIMITS.max_bytes
    content = bytearray()
    async with asyncio.timeout(_BODY_TIMEOUT_S):
        async for part in request.stream():
            content += part
            if len(content) > most:
                raise HTTPException(
                    status.HTTP_413_CONTENT_TOO_LARGE,
                    f"Too large for a preview (more than {most:,} bytes); a run can still take it.",
                )
    return bytes(content)


@router.post("", status_code=status.HTTP_201_CREATED)
async def make(request: Request, person: Access) -> dict[str, Any]:
    """Send an image's bytes as they are; get what a run would make of it, and why."""
    ours = _of(request)
    async with ours.holding_a_body():
        content = await _body(request)

        def opened() -> dict[str, Any]:
            preview = previews.open_preview(content, person.name, ours.config())
            ours.keep(preview)
            return previews.told_preview(preview, ours.point(preview, None))

        try:
            return await ours.work(opened)
        except TooLargeError as told:
            raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, str(told)) from None
        except NoImageError as told:
            raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, str(told)) from None


@router.put("/{preview_id}/parameters")
async def choose_again(
    request: Request, person: Access, preview_id: str, parameters: Annotated[dict[str, Any], Body(embed=True)]
) -> dict[str, Any]:
    """The same image with a run's parameters, those that are not given as the dataset has them."""
    ours = _of(request)
    preview = ours.find(preview_id, person)

    def chosen() -> dict[str, Any]:
        again = previews.with_choice(preview, ours.config(parameters))
        ours.keep(again)
        return previews.told_preview(again, ours.point(again, None))

    return await ours.work(chosen)


@router.get("/{preview_id}")
async def look(request: Request, person: Access, preview_id: str, k: K = None) -> dict[str, Any]:
    """The numbers and the palette of k colours."""
    ours = _of(request)
    preview = ours.find(preview_id, person)
    return await ours.work(lambda: previews.told_point(preview, ours.point(preview, k)))


@router.get("/{preview_id}/ways")
async def other_ways(request: Request, person: Access, preview_id: str) -> dict[str, Any]:
    """Other settings, and the size each of them would give the image."""
    preview = _of(request).find(preview_id, person)
    ways = await _of(request).work(lambda: list(previews.other_ways(preview)))
    items = [
        {
            "title": way.title,
            "parameters": way.parameters,
            "size_bytes": way.size_bytes,
            "saving_percent": previews.saving_percent(way.size_bytes, preview.source_bytes),
            "smaller": previews.is_smaller(preview, way.size_bytes),
            "psnr_db": None if way.psnr_db == float("inf") else way.psnr_db,
        }
        for way in sorted(ways, key=lambda way: way.size_bytes)
    ]
    return {"items": items, "total": len(items)}


@router.get("/{preview_id}/image", response_class=Response)
async def image(request: Request, person: Access, preview_id: str, k: K = None) -> Response:
    """The file of k colours, byte for byte as a run would write it."""
    ours = _of(request)
    preview = ours.find(preview_id, person)
    at = await ours.work(ours.point, preview, k)
    kind = "webp" if preview.config.compression.codec == "webp" else "png"
    return Response(at.content, media_type=f"image/{kind}")


@router.get("/{preview_id}/source", response_class=Response)
async def source(request: Request, person: Access, preview_id: str) -> Response:
    """The image upright and in sRGB, as a PNG."""
    preview = _of(request).find(preview_id, person)
    return Response(await _of(request).work(previews.as_png, preview.pixels), media_type="image/png")
