"""Starting, stopping and looking at a set of services."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stack.home import Home, StackError, port_is_free, port_variable, record_ports, recorded_ports
from stack.process import Service, log_file, running, start, started, stop

START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 15
POLL_S = 0.2


@dataclass(frozen=True)
class Status:
    """What can be said of a service now. `problem` is None for a healthy one."""

    name: str
    pid: int | None
    ports: Sequence[int]
    problem: str | None


def look(home: Home, service: Service) -> Status:
    """The state of one service."""
    ports = [home.ports[name] for name in service.ports]
    process = running(home, service.name)
    if process:
        return Status(service.name, process.pid, ports, service.problem())
    if started(home, service.name):
        return Status(service.name, None, ports, f"has ended by itself, see {log_file(home, service.name)}")
    return Status(service.name, None, ports, "not running")


def check_ports(home: Home, services: Sequence[Service]) -> None:
    """Refuse to start where a port is taken, or where services run already with other ports."""
    idle = [service for service in services if not running(home, service.name)]
    recorded = recorded_ports(home.path)
    moved = [name for s in services if s not in idle for name in s.ports if recorded.get(name) != home.ports[name]]
    if moved:
        raise StackError(
            f"{', '.join(map(port_variable, moved))}: running already with other ports; ./pipeline down comes first"
        )
    taken = [name for service in idle for name in service.ports if not port_is_free(home.ports[name])]
    if taken:
        ports = "\n".join(f"  {home.ports[name]} ({name}): set {port_variable(name)} to a free one" for name in taken)
        raise StackError(f"These ports are taken by other programs:\n{ports}")


def up(home: Home, services: Sequence[Service], say: Callable[[str], None]) -> None:
    """Start what does not run, and wait until all is healthy. Changes nothing where all is."""
    check_ports(home, services)
    record_ports(home)
    for service in services:
        if not running(home, service.name):
            # One that ended by itself may have left children behind.
            stop(home, service.name, STOP_TIMEOUT_S)
            say(f"starting {service.name}")
            start(home, service)
    deadline = time.monotonic() + START_TIMEOUT_S
    for service in services:
        while problem := service.problem():
            if not running(home, service.name):
                raise StackError(f"{service.name} has ended by itself. {last_words(home, service.name)}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{service.name}: {problem}, after {START_TIMEOUT_S} s. {last_words(home, service.name)}"
                )
            time.sleep(POLL_S)


def down(home: Home, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Stop services, in the given order, with all their children; one that does not run is passed over."""
    for name in names:
        if started(home, name):
            say(f"stopping {name}")
            stop(home, name, STOP_TIMEOUT_S)


def last_words(home: Home, name: str) -> str:
    """The end of a service's log, and where the rest is."""
    log = log_file(home, name)
    lines = log.read_text(errors="replace").splitlines()[-15:]
    return "\n".join([f"The end of {log}:", *lines])
