"""Processes that outlive the command that started them: started detached, found again by a file, ended with all their
children. Linux only: it reads /proc.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack.home import Home, write_file


@dataclass(frozen=True)
class Service:
    """One long-running process."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    ports: Sequence[str]  # names of Home.ports that it listens on
    problem: Callable[[], str | None] = field(repr=False)  # why it is not healthy yet, or None


@dataclass(frozen=True)
class Process:
    """A process as /proc shows it. The start tells a process id from its later reuse."""

    pid: int
    parent: int
    session: int
    start: int
    zombie: bool  # all of its threads have ended


def read_process(pid: int) -> Process | None:
    """The process with this id, if there is one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    # The first thread may have ended before the others, which then still hold the process's ports and files.
    ended = fields[0] in "ZX" and int(fields[17]) <= 1
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), ended)


def processes() -> list[Process]:
    """All processes that have not ended."""
    found = (read_process(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process and not process.zombie]


def alive(process: Process) -> bool:
    """Whether it still runs."""
    now = read_process(process.pid)
    return now is not None and now.start == process.start and not now.zombie


def log_file(home: Home, name: str) -> Path:
    """Where a service's output goes."""
    return home.logs / f"{name}.log"


def pid_file(home: Home, name: str) -> Path:
    """Where a service's process id and start are kept while it should be running."""
    return home.run / f"{name}.pid"


def started(home: Home, name: str) -> tuple[int, int] | None:
    """The (process id, start) that a service was last started with, unless it was stopped since."""
    try:
        pid, start = pid_file(home, name).read_text().split()
    except FileNotFoundError:
        return None
    return int(pid), int(start)


def running(home: Home, name: str) -> Process | None:
    """The running process of a service."""
    known = started(home, name)
    if known is None:
        return None
    process = read_process(known[0])
    return process if process and process.start == known[1] and not process.zombie else None


def start(home: Home, service: Service) -> Process:
    """Start a service in a session of its own; its output is appended to its log."""
    home.logs.mkdir(parents=True, exist_ok=True)
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        service.argv[0],
        list(service.argv),
        dict(service.environ),
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_file(home, service.name)), output, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    process = read_process(pid)
    assert process is not None, "our own child stays in /proc until we wait for it"  # noqa: S101
    write_file(pid_file(home, service.name), f"{pid} {process.start}\n")
    return process


def family(pid: int) -> list[Process]:
    """A process, its descendants, and the members of the session it leads, also when it has ended itself."""
    everyone = processes()
    members = {process.pid: process for process in everyone if pid in (process.pid, process.session)}
    grown = True
    while grown:
        children = {p.pid: p for p in everyone if p.parent in members and p.pid not in members}
        members |= children
        grown = bool(children)
    return list(members.values())


def stop(home: Home, name: str, patience_s: float) -> bool:
    """End a service and whatever it started; False if nothing of it ran.

    The service itself is asked first, so that it can end its children in order; what is left of them after `patience_s`
    is asked too, and then killed.
    """
    known = started(home, name)
    if known is None:
        return False
    pid, begun = known
    leader = read_process(pid)
    if leader and leader.start != begun:
        # The id belongs to a stranger now. Our session cannot still have members: an id is not reused before.
        pid_file(home, name).unlink()
        return False
    members = family(pid)
    if leader:
        signal_all([leader], signal.SIGTERM)
        wait_ended([leader], patience_s)
    for sign, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
        left = [process for process in {*members, *family(pid)} if alive(process)]
        signal_all(left, sign)
        wait_ended(left, wait_s)
    pid_file(home, name).unlink()
    return bool(members)


def signal_all(targets: Sequence[Process], sign: signal.Signals) -> None:
    """Send a signal to those that still run."""
    for process in targets:
        if alive(process):
            try:
                os.kill(process.pid, sign)
            except ProcessLookupError:
                continue  # it ended in between, which is what was wanted


def wait_ended(targets: Sequence[Process], timeout_s: float) -> bool:
    """Wait until all have ended; False if some still run after the timeout."""
    deadline = time.monotonic() + timeout_s
    while any(alive(process) for process in targets):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
