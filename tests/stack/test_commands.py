"""The commands as a person types them, on a state folder of their own: up, status, demo, exec, down.

The services are started once and used by the tests in their order.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from stack import process
from stack.__main__ import STOP_ORDER, parse_args
from stack.home import DEFAULT_PORTS, PROJECT, Home, port_variable

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the state folder, and the datasets' YAML files: the samples, of which one will not pass its gate."""
    folder = tmp_path_factory.mktemp("commands")
    shutil.copytree(PROJECT / "dags" / "datasets", folder / "datasets")
    sprites = folder / "datasets" / "sample-sprites.yaml"
    sprites.write_text(f"{sprites.read_text()}\nlimits: {{max_rejected_percent: 0}}\n")
    return folder


@pytest.fixture(scope="module")
def own_home(folder: Path, free_ports: Callable[[], dict[str, int]]) -> Home:
    """A state folder and ports beside those of the other tests."""
    return Home(folder / "state", free_ports())


@pytest.fixture(scope="module")
def run(folder: Path, own_home: Home) -> Iterator[Run]:
    """`./pipeline`'s second half; the first has installed what these tests run with."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environ |= {port_variable(name): str(port) for name, port in own_home.ports.items()}
    environ |= {
        "CHROMAPRESS_HOME": str(own_home.path),
        "AIRFLOW__CHROMAPRESS__DATASETS_FOLDER": str(folder / "datasets"),
    }

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stack", *arguments]
        return subprocess.run(
            command, cwd=PROJECT, env={**environ, **more}, capture_output=True, text=True, check=False, timeout=550
        )

    yield run
    run("down")


def pids(home: Home) -> Mapping[str, int]:
    return {name: found.pid for name in STOP_ORDER if (found := process.running(home, name))}


def test_up_starts_everything_and_says_how_to_log_in(run: Run, own_home: Home) -> None:
    done = run("up")
    assert done.returncode == 0, done.stderr
    assert set(pids(own_home)) == set(STOP_ORDER)
    password_file = own_home.airflow / "password.json"
    password = json.loads(password_file.read_text())["admin"]
    assert f"Airflow: {own_home.url('airflow')}  user admin, password {password}" in done.stdout
    assert password_file.stat().st_mode & 0o077 == 0
    assert (own_home.airflow / "airflow.cfg").stat().st_mode & 0o077 == 0


def test_a_second_up_starts_nothing(run: Run, own_home: Home) -> None:
    before = pids(own_home)
    done = run("up")
    assert (done.returncode, pids(own_home)) == (0, before)
    assert "starting" not in done.stdout


def test_status_needs_no_ports_in_its_environment(run: Run, own_home: Home) -> None:
    done = run("status", **{port_variable(name): "" for name in own_home.ports})
    assert done.returncode == 0, done.stdout
    for name, pid in pids(own_home).items():
        assert re.search(rf"^{name} +{pid} .*healthy$", done.stdout, re.MULTILINE)


def test_the_demo_shows_what_was_published_and_why_a_run_failed(run: Run) -> None:
    done = run("demo")
    assert done.returncode == 1
    assert "sample-photos: publish success" in done.stdout
    assert re.search(r"images +│ +11 ", done.stdout)
    assert "sample-sprites" not in done.stdout[done.stdout.index("Published, partition dt=") :]
    assert "chromapress: error: quantize_sample-sprites failed. Its task" in done.stderr
    assert "max_rejected_percent" in done.stderr


def test_exec_gives_a_command_what_it_needs(run: Run) -> None:
    done = run("exec", "chromapress", "published", "sample-photos")
    assert (done.returncode, "dt=" in done.stdout) == (0, True), done.stderr
    assert "quantize_sample-photos" in run("exec", "airflow", "dags", "list").stdout
    assert run("exec", "no-such-command").stderr == "chromapress: error: no-such-command: no such command\n"


def test_a_crashed_service_is_told_with_its_log_and_started_again(run: Run, own_home: Home) -> None:
    os.kill(pids(own_home)["scheduler"], signal.SIGKILL)
    done = run("status")
    assert done.returncode == 3
    log = process.log_file(own_home, "scheduler")
    assert re.search(rf"^scheduler +- .*has ended by itself, see {log}$", done.stdout, re.MULTILINE)
    assert run("up").returncode == 0
    assert set(pids(own_home)) == set(STOP_ORDER)


def test_down_leaves_no_process(run: Run, own_home: Home) -> None:
    families = [member for pid in pids(own_home).values() for member in process.family(pid)]
    assert len(families) > len(STOP_ORDER)  # Airflow's workers are among them
    assert run("down").returncode == 0
    assert not [member for member in families if process.alive(member)]
    assert "not running" in run("status").stdout


def test_the_help_of_up_names_the_variables_of_its_ports(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_args(["up", "--help"])
    told = set(re.findall(r"CHROMAPRESS_PORT_\w+", capsys.readouterr().out))
    assert told == set(map(port_variable, DEFAULT_PORTS))
