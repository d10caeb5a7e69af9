"""An image of a published version, for the eyes: before and after as browsers show them, and small.

Everything here blocks and takes memory by the pixel: the routes (portal.gallery_api) let few do it at once.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Literal

from PIL import Image, ImageOps

from chromapress.config import Limits
from chromapress.decode import FORMATS, Undecodable, decode
from chromapress.naming import suffix
from chromapress.outcome import Outcome
from chromapress.storage import open_source
from portal.publications import Results

Which = Literal["before", "after", "thumbnail"]

_SIDE: Final = 320  # of a thumbnail, at most: a card's width on a fine screen
_KEPT_BYTES: Final = 64 << 20
_MEDIA_TYPES: Final = {name: f"image/{name.lower()}" for name in ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP")}


class NoPictureError(LookupError):
    """There is nothing to see; the text says why."""


@dataclass(frozen=True)
class Picture:
    """A file that browsers show."""

    content: bytes
    media_type: str


def media_type(row: dict[str, Any]) -> str:
    """Of what is published for an image, as it is."""
    if Outcome(row["outcome"]).is_new_file:
        return f"image/{suffix(row['codec'])}"
    # Of what was kept undecoded, the manifest does not know the kind.
    return f"image/{row['format'].lower()}" if row["format"] else "application/octet-stream"


def tag(results: Results, path: str, which: Which) -> str:
    """What a browser that has the picture compares: a version never changes."""
    return hashlib.sha256(f"{results.publication.paths.base}\0{path}\0{which}\0{_SIDE}".encode()).hexdigest()[:32]


def before(results: Results, row: dict[str, Any]) -> Picture:
    """The source, if it is still what it was."""
    if row["outcome"] == Outcome.REJECTED:
        raise NoPictureError(f"There is no picture of it: {row['reason']}.")
    uri = results.source
    # Without a scheme it is in the portal's HDFS, whatever this process takes for the default.
    source, directory = (results.publication.store, uri) if uri.startswith("/") else open_source(uri)
    try:
        content = source.read(f"{directory.rstrip('/')}/{row['relative_path']}")
    except FileNotFoundError:
        raise NoPictureError("The source has been deleted since.") from None
    if hashlib.sha256(content).hexdigest() != row["source_sha256"]:
        raise NoPictureError("The source has been replaced since.")
    return _shown(content, results)


def after(results: Results, row: dict[str, Any]) -> Picture:
    """What is published."""
    if row["published_path"] is None:
        raise NoPictureError(f"There is no picture of it: {row['reason']}.")
    content = results.publication.image(row["published_path"], row["pack"])
    if Outcome(row["outcome"]).is_new_file:
        return Picture(content, media_type(row))
    return _shown(content, results)


class Thumbnails:
    """What is published, small; the last ones are kept."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._size = 0
        self._turn = threading.Lock()

    def get(self, results: Results, row: dict[str, Any]) -> Picture:
        key = tag(results, row["relative_path"], "thumbnail")
        with self._turn:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        picture = thumbnail(after(results, row).content)
        with self._turn:
            if key not in self._kept:
                self._kept[key] = picture
                self._size += len(picture.content)
            while self._size > self._kept_bytes and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1].content)
        return picture


def thumbnail(content: bytes) -> Picture:
    """An image of at most 320 pixels a side, as WebP."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        opened.draft("RGB", (2 * _SIDE, 2 * _SIDE))
        image: Image.Image = opened
        if image.mode == "P" and max(image.size) > 4 * _SIDE:
            # One byte for each pixel and not four until it is small.
            image = _at_most(image, 4 * _SIDE, Image.Resampling.NEAREST)
        alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        small = _at_most(image.convert("RGBA" if alpha else "RGB"), _SIDE, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    ImageOps.exif_transpose(small).save(buffer, "WEBP", quality=80, method=3)
    return Picture(buffer.getvalue(), "image/webp")


def _at_most(image: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, resampling, reducing_gap=2.0)


def _shown(content: bytes, results: Results) -> Picture:
    """A source as it is where browsers show its kind, else as PNG."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        kind = str(image.format)
    if kind in _MEDIA_TYPES:
        return Picture(content, _MEDIA_TYPES[kind])
    try:
        shown = Image.fromarray(decode(content, Limits(**results.run["config"]["limits"])).pixels)
    except Undecodable:  # of several pages
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            shown = image.convert("RGBA" if "A" in image.mode else "RGB")
    buffer = io.BytesIO()
    shown.save(buffer, "PNG", compress_level=1)
    return Picture(buffer.getvalue(), "image/png")
