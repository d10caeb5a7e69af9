"""The core under the address and undefined-behaviour sanitizers, which is also its build without AVX2: its own tests in
C++, and the same bits as the module's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chromapress import engine

from .strategies import U8, photograph

ROOT = Path(__file__).parents[2]


def run(*command: str) -> None:
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=tools, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def build() -> Path:
    build = ROOT / "build" / "sanitized"
    options = [f"-DCHROMAPRESS_{name}" for name in ("BUILD_MODULE=OFF", "BUILD_TESTS=ON", "SANITIZE=ON")]
    run("cmake", "-S", "native", "-B", str(build), "-G", "Ninja", "-DSKBUILD_PROJECT_VERSION=0", *options)
    run("cmake", "--build", str(build))
    return build


@pytest.mark.timeout(1200)
def test_the_core_passes_its_tests_under_sanitizers(build: Path) -> None:
    run("ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error")


def computed_by_the_module(image: U8, k: int, color_space: str) -> bytes:
    colors, counts = engine.histogram(image)
    (scored,) = engine.curve(colors, counts, [k], color_space=color_space)
    palette = scored.clustering.palette
    maps = [engine.map_pixels(image, palette, color_space=color_space, dither=d) for d in (0.0, 0.7)]
    got = np.ascontiguousarray(palette[maps[0]][..., : image.shape[2]])
    values = np.array([scored.silhouette, scored.error, engine.psnr(image, got), engine.ssim(image, got)])
    arrays = (colors, counts, scored.clustering.centres, scored.clustering.labels, *maps, values)
    return b"".join(a.tobytes() for a in arrays)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("color_space", ["srgb", "oklab"])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_results_are_the_same_bits_with_and_without_avx2_and_threads(
    build: Path, channels: int, color_space: str
) -> None:
    for height, width, k in ((23, 31, 5), (200, 333, 40), (420, 400, 256)):
        image = photograph(height, width, seed=k, channels=channels)
        if channels == 4:
            image[: height // 3, :, 3], image[-height // 3 :, :, 3] = 0, 255
        numbers = (str(n) for n in (width, height, channels, k, color_space, 3))
        done = subprocess.run([build / "compute", *numbers], input=image.tobytes(), capture_output=True, check=True)
        assert done.stdout == computed_by_the_module(image, k, color_space)
