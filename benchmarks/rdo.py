"""Rate-distortion-optimised mapping beside pngquant --nofs followed by oxipng -o2, at equal quality.

For each image both have a curve of bytes over quality: the peer's over its palettes' sizes, ours over palettes' sizes
and strengths, of which the fewest bytes count. They are compared where the peer reaches 35, 36, ... 40 dB of PSNR, and
at the SSIM that the peer has there, between points by interpolating the logarithm of the bytes. The peer's curves are
kept in the folder `--peers`.

    python -m benchmarks.rdo --images DIR [--output build/bench] [--peers build/bench/pngquant] [--effort 9]
"""

import argparse
import csv
import hashlib
import io
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import oxipng
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine

from .files import decoded

U8 = NDArray[np.uint8]
Row = dict[str, str | float]
TARGETS_DB = (35.0, 36.0, 37.0, 38.0, 39.0, 40.0)
PEER_SIZES = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 256)
SIZES = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256)
STRENGTHS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Point:
    """A file of one image."""

    size_bytes: int
    psnr_db: float
    ssim: float


def measured(pixels: U8, png: bytes) -> Point:
    with Image.open(io.BytesIO(png)) as image:
        other = np.asarray(image.convert("RGBA"))[..., : pixels.shape[2]]
    return Point(len(png), engine.psnr(pixels, other), engine.ssim(pixels, other))


def peer_curve(path: Path, pixels: U8, pngquant: str, cache: Path) -> list[Point]:
    content = path.read_bytes()
    cached = cache / f"{hashlib.sha256(content).hexdigest()}.json"
    if cached.exists():
        return [Point(*row) for row in json.loads(cached.read_text())]
    curve = []
    for k in PEER_SIZES:
        done = subprocess.run([pngquant, "--nofs", str(k), "-"], input=content, capture_output=True, check=True)
        curve.append(measured(pixels, oxipng.optimize_from_memory(done.stdout, level=2)))
    cache.mkdir(parents=True, exist_ok=True)
    cached.write_text(json.dumps([[p.size_bytes, p.psnr_db, p.ssim] for p in curve]))
    return curve


@dataclass(frozen=True)
class Ours:
    k: int
    rdo: float
    point: Point
    mapping_ms: float
    encoding_ms: float


def our_points(pixels: U8, sizes: Sequence[int], strengths: Sequence[float], effort: int) -> list[Ours]:
    colors, counts = engine.histogram(pixels)
    points: list[Ours] = []
    # Strengths at which fewer colours are far above all targets already.
    beyond: set[float] = set()
    for k in sizes:
        palette = engine.kmeans(colors, counts, k).palette
        for rdo in strengths:
            if rdo in beyond:
                continue
            start = time.process_time()
            moved, indices = engine.map_rate_distortion(pixels, palette, rdo=rdo)
            mapping_ms = (time.process_time() - start) * 1000
            start = time.process_time()
            png = engine.encode_png(indices, moved, effort=effort)
            encoding_ms = (time.process_time() - start) * 1000
            points.append(Ours(k, rdo, measured(pixels, png), mapping_ms, encoding_ms))
            if points[-1].point.psnr_db > TARGETS_DB[-1] + 2:
                beyond.add(rdo)
            # Stronger would only be farther below all targets.
            if points[-1].point.psnr_db < TARGETS_DB[0]:
                break
        if k >= len(colors):
            break
    return points


def size_at(curve: list[tuple[float, int]], target: float) -> float:
    """Bytes at a quality, interpolated; NaN beyond the curve's ends. What is larger and no better does not count."""
    useful: list[tuple[float, int]] = []
    for quality, size in sorted(curve, reverse=True):
        if np.isfinite(quality) and (not useful or size < useful[-1][1]):
            useful.append((quality, size))
    if not useful:
        return float("nan")
    x, y = zip(*((q, np.log(size)) for q, size in reversed(useful)), strict=True)
    return float(np.exp(np.interp(target, x, y, left=np.nan, right=np.nan)))


def fewest_at(points: list[Ours], attribute: str, target: float) -> float:
    """Over the curves of equal k, those of equal strength, and the points above the target as they are."""
    curves = [[p for p in points if p.k == k] for k in {p.k for p in points}]
    curves += [[p for p in points if p.rdo == rdo] for rdo in {p.rdo for p in points}]
    sizes = [size_at([(getattr(p.point, attribute), p.point.size_bytes) for p in curve], target) for curve in curves]
    sizes += [p.point.size_bytes for p in points if getattr(p.point, attribute) >= target]
    known = [s for s in sizes if np.isfinite(s)]
    return min(known) if known else float("nan")


def compared(name: str, peer: list[Point], ours: list[Ours]) -> list[Row]:
    """A row for each target that the peer reaches: the percentage of its bytes that is saved."""
    plain = [p for p in ours if p.rdo == 0]
    rows: list[Row] = []
    for target in TARGETS_DB:
        peer_bytes = size_at([(p.psnr_db, p.size_bytes) for p in peer], target)
        if not np.isfinite(peer_bytes):
            continue
        peer_ssim = float(np.interp(target, *zip(*sorted((p.psnr_db, p.ssim) for p in peer), strict=True)))
        row: Row = {"image": name, "psnr_db": target, "peer_bytes": round(peer_bytes), "peer_ssim": round(peer_ssim, 5)}
        for attribute, value in (("psnr_db", target), ("ssim", peer_ssim)):
            row[f"saved_percent_{attribute}"] = round(100 * (1 - fewest_at(ours, attribute, value) / peer_bytes), 2)
            row[f"plain_percent_{attribute}"] = round(100 * (1 - fewest_at(plain, attribute, value) / peer_bytes), 2)
        rows.append(row)
    return rows


def line(title: str, rows: list[Row]) -> None:
    columns = ("saved_percent_psnr_db", "plain_percent_psnr_db", "saved_percent_ssim", "plain_percent_ssim")
    cells = [f"{mean(float(r[c]) for r in rows):.1f}" for c in columns]
    print(f"| {title} | {' | '.join(cells)} |", flush=True)


def summarise(rows: list[Row], points: list[Ours]) -> None:
    for target in TARGETS_DB:
        of = [r for r in rows if r["psnr_db"] == target]
        if of:
            line(f"{target:.0f} dB, {len(of)} images", of)
    images = sorted({str(r["image"]) for r in rows})
    means = [{c: mean(float(r[c]) for r in rows if r["image"] == i) for c in rows[0] if c != "image"} for i in images]
    line(f"all {len(images)}, each as much", [dict(m) for m in means])
    most = max(p.k for p in points)
    for rdo in sorted({p.rdo for p in points if p.k == most}):
        of_most = [p for p in points if p.k == most and p.rdo == rdo]
        for name, times in (
            ("mapping", [p.mapping_ms for p in of_most]),
            ("mapping and encoding", [p.mapping_ms + p.encoding_ms for p in of_most]),
        ):
            print(f"CPU time of {name}, k={most}, rdo={rdo}: mean {mean(times):.0f} ms, most {max(times):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of images, without .png")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("--peers", type=Path, default=Path("build/bench/pngquant"))
    parser.add_argument("--pngquant", default="pngquant")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--effort", type=int, default=9)
    options = parser.parse_args()
    paths = [path for path in sorted(options.images.glob("*.png")) if not options.only or path.stem in options.only]
    if not paths:
        raise SystemExit(f"{options.images}: expected PNG files{' of these names' if options.only else ''}")
    rows: list[Row] = []
    points: list[Ours] = []
    print("| | equal PSNR | without optimisation | equal SSIM | without |\n|---|---|---|---|---|")
    for path in paths:
        pixels = decoded(path)
        peer = peer_curve(path, pixels, options.pngquant, options.peers)
        ours = our_points(pixels, options.sizes, options.strengths, options.effort)
        points += ours
        of = compared(path.stem, peer, ours)
        if of:
            line(path.stem, of)
        rows += of
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / f"rdo-{options.images.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    summarise(rows, points)


if __name__ == "__main__":
    main()
