"""Starting and looking at a set of services."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stack import control, process
from stack.home import Home, StackError


@pytest.fixture
def home(tmp_path: Path, free_ports: Callable[[], dict[str, int]]) -> Iterator[Home]:
    home = Home(tmp_path, free_ports())
    yield home
    control.down(home, ["sleeper"], print)


def sleeper(script: str = "sleep 60", problem: str | None = None) -> process.Service:
    return process.Service("sleeper", ["/bin/bash", "-c", script], os.environ, ("airflow",), lambda: problem)


def test_a_taken_port_is_told_before_anything_starts(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.ports["airflow"]))
        other.listen()
        with pytest.raises(StackError, match=rf"{home.ports['airflow']} \(airflow\): set CHROMAPRESS_PORT_AIRFLOW"):
            control.up(home, [sleeper()], print)
    assert process.started(home, "sleeper") is None


def test_other_ports_for_running_services_are_refused(home: Home) -> None:
    control.up(home, [sleeper()], print)
    moved = replace(home, ports={**home.ports, "airflow": home.ports["namenode"]})
    with pytest.raises(StackError, match="CHROMAPRESS_PORT_AIRFLOW: running already with other ports"):
        control.up(moved, [sleeper()], print)


def test_a_second_start_changes_nothing(home: Home) -> None:
    control.up(home, [sleeper()], print)
    first = process.running(home, "sleeper")
    control.up(home, [sleeper()], print)
    assert first and process.running(home, "sleeper") == first


def test_a_service_that_ends_at_its_start_is_told_with_its_last_words(home: Home) -> None:
    with pytest.raises(StackError, match=r"sleeper has ended by itself\. The end of .*sleeper\.log:\nno such disk"):
        control.up(home, [sleeper("echo no such disk; exit 1", "starting")], print)


def test_states_are_told_apart(home: Home) -> None:
    assert control.look(home, sleeper()).problem == "not running"
    control.up(home, [sleeper()], print)
    assert control.look(home, sleeper()).problem is None
    assert control.look(home, sleeper(problem="in safe mode")).problem == "in safe mode"
    running = process.running(home, "sleeper")
    assert running
    os.kill(running.pid, 9)
    process.wait_ended([running], 10)
    assert control.look(home, sleeper()).problem == f"has ended by itself, see {process.log_file(home, 'sleeper')}"


def test_children_of_a_crashed_service_end_before_it_is_started_again(home: Home) -> None:
    control.up(home, [sleeper("sleep 60 & wait")], print)
    crashed = process.running(home, "sleeper")
    assert crashed
    while len(family := process.family(crashed.pid)) < 2:
        time.sleep(0.02)
    os.kill(crashed.pid, 9)
    process.wait_ended([crashed], 10)
    control.up(home, [sleeper()], print)
    assert not [member for member in family if process.alive(member)]
