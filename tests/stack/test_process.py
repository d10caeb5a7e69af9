"""Services as processes: started detached, found again, ended with everything that they started."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import process
from stack.home import DEFAULT_PORTS, Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path, DEFAULT_PORTS)
    yield home
    for file in home.run.glob("*.pid"):
        process.stop(home, file.stem, 0.1)


def shell(script: str) -> process.Service:
    return process.Service("shell", ["/bin/bash", "-c", script], os.environ, (), lambda: None)


def wait_for(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(pid: int) -> list[process.Process]:
    return [found for found in process.processes() if found.session == pid and found.pid != pid]


def test_a_service_has_a_session_and_a_log_of_its_own(home: Home) -> None:
    started = process.start(home, shell("echo hello; echo trouble >&2; sleep 60"))
    wait_for(lambda: process.log_file(home, "shell").read_text() == "hello\ntrouble\n")
    running = process.running(home, "shell")
    assert running and (running.pid, running.session) == (started.pid, started.pid)


def test_stopping_ends_children_that_outlive_or_ignore_it(home: Home) -> None:
    script = "bash -c 'trap : TERM; while :; do sleep 0.1; done' & setsid sleep 60 & wait"
    pid = process.start(home, shell(script)).pid
    wait_for(lambda: len(process.family(pid)) >= 4)
    family = process.family(pid)
    assert process.stop(home, "shell", 0.5)
    assert not [member for member in family if process.alive(member)]
    assert process.started(home, "shell") is None
    assert not process.stop(home, "shell", 0.5)


def test_children_of_a_service_that_was_killed_are_found_and_ended(home: Home) -> None:
    pid = process.start(home, shell("sleep 60 & sleep 60 & wait")).pid
    wait_for(lambda: len(children(pid)) == 2)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: process.running(home, "shell") is None)
    assert len(children(pid)) == 2
    process.stop(home, "shell", 1)
    assert not children(pid)


def test_a_process_runs_until_its_last_thread_has_ended(home: Home) -> None:
    first_thread_ends = (
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); "
        "ctypes.CDLL(None).syscall(ctypes.c_long(60), 0)"  # exit of the calling thread alone
    )
    program = process.Service("shell", [sys.executable, "-c", first_thread_ends], os.environ, (), lambda: None)
    pid = process.start(home, program).pid
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert process.running(home, "shell")
    assert process.stop(home, "shell", 1)
    assert process.running(home, "shell") is None


def test_a_stranger_with_a_reused_id_is_left_alone(home: Home) -> None:
    own = process.read_process(os.getpid())
    assert own is not None
    home.run.mkdir()
    process.pid_file(home, "shell").write_text(f"{own.pid} {own.start - 1}\n")
    assert process.running(home, "shell") is None
    assert not process.stop(home, "shell", 1)
    assert process.started(home, "shell") is None
