"""The state folder and the ports."""

import json
from pathlib import Path

import pytest

from stack.home import DEFAULT_PORTS, StackError, open_home, record_ports, write_file


def test_the_folder_is_the_environments(tmp_path: Path) -> None:
    assert open_home({"CHROMAPRESS_HOME": str(tmp_path)}).path == tmp_path
    assert open_home({}).path.name == ".chromapress"


def test_a_port_is_the_environments_then_the_recorded_then_the_default(tmp_path: Path) -> None:
    environ = {"CHROMAPRESS_HOME": str(tmp_path), "CHROMAPRESS_PORT_NAMENODE": "20001"}
    record_ports(open_home({**environ, "CHROMAPRESS_PORT_AIRFLOW": "20002"}))
    ports = open_home({**environ, "CHROMAPRESS_PORT_NAMENODE": "20003"}).ports
    assert ports == {**DEFAULT_PORTS, "namenode": 20003, "airflow": 20002}


@pytest.mark.parametrize("value", ["0", "65536", "-1", "80a", "8 0"])
def test_what_is_no_port_is_refused_by_name(tmp_path: Path, value: str) -> None:
    environ = {"CHROMAPRESS_HOME": str(tmp_path), "CHROMAPRESS_PORT_DATANODE1_IPC": value}
    with pytest.raises(StackError, match="CHROMAPRESS_PORT_DATANODE1_IPC: expected a port from 1 to 65535"):
        open_home(environ)


def test_one_port_for_two_services_is_refused(tmp_path: Path) -> None:
    environ = {"CHROMAPRESS_HOME": str(tmp_path), "CHROMAPRESS_PORT_AIRFLOW": str(DEFAULT_PORTS["namenode"])}
    with pytest.raises(StackError, match="CHROMAPRESS_PORT_NAMENODE, CHROMAPRESS_PORT_AIRFLOW"):
        open_home(environ)


def test_a_secret_file_is_never_readable_for_others(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "secret", json.dumps("s"), 0o600)
    assert (tmp_path / "new" / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret"]
