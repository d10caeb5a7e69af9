"""The core's own tests in C++, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str) -> None:
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=tools, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.mark.timeout(1200)
def test_the_core_passes_its_tests_under_sanitizers() -> None:
    build = str(ROOT / "build" / "sanitized")
    options = [f"-DCHROMAPRESS_{name}" for name in ("BUILD_MODULE=OFF", "BUILD_TESTS=ON", "SANITIZE=ON")]
    run("cmake", "-S", "native", "-B", build, "-G", "Ninja", "-DSKBUILD_PROJECT_VERSION=0", *options)
    run("cmake", "--build", build)
    run("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error")
