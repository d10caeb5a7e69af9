"""The state folder: where everything lives that the services write, and the ports they listen on.

What is installed (the virtual environment, Hadoop's jar, the JVM's class archives) is not here but under sys.prefix, so
that several state folders can share it.
"""

import json
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

# Below Linux' range of ephemeral ports (32768 up), so that no client connection can sit on one by chance.
DEFAULT_PORTS: Mapping[str, int] = {
    "namenode": 27400,
    "namenode_http": 27401,
    "datanode1": 27410,
    "datanode1_http": 27411,
    "datanode1_ipc": 27412,
    "datanode2": 27420,
    "datanode2_http": 27421,
    "datanode2_ipc": 27422,
    "airflow": 27480,
}


class StackError(Exception):
    """Something the person at the terminal must know or do; its text is the whole message."""


@dataclass(frozen=True)
class Home:
    """One state folder and the ports of its services."""

    path: Path
    ports: Mapping[str, int]

    @property
    def hadoop_conf(self) -> Path:
        """HADOOP_CONF_DIR."""
        return self.path / "hadoop" / "conf"

    @property
    def hdfs_data(self) -> Path:
        """The parent of the NameNode's and the DataNodes' folders."""
        return self.path / "hdfs"

    @property
    def spark_conf(self) -> Path:
        """SPARK_CONF_DIR."""
        return self.path / "spark" / "conf"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.path / "airflow"

    @property
    def run(self) -> Path:
        """One file for each running service: its process id."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """What the services print."""
        return self.path / "logs"

    def url(self, port: str) -> str:
        """The HTTP address of one of the ports."""
        return f"http://localhost:{self.ports[port]}"


def port_variable(name: str) -> str:
    """The environment variable that sets a port."""
    return f"CHROMAPRESS_PORT_{name.upper()}"


def open_home(environ: Mapping[str, str] = os.environ) -> Home:
    """The state folder that the environment names (CHROMAPRESS_HOME, by default .chromapress in the project).

    A port is what CHROMAPRESS_PORT_<NAME> says, else what the last start recorded in ports.json, else the default.
    """
    path = Path(environ.get("CHROMAPRESS_HOME") or PROJECT / ".chromapress").absolute()
    ports = {**DEFAULT_PORTS, **recorded_ports(path)}
    for name in DEFAULT_PORTS:
        if value := environ.get(port_variable(name)):
            if not re.fullmatch(r"[0-9]{1,5}", value) or not 0 < int(value) < 65536:
                raise StackError(f"{port_variable(name)}: expected a port from 1 to 65535, got {value!r}")
            ports[name] = int(value)
    twice = {port for port in ports.values() if list(ports.values()).count(port) > 1}
    if twice:
        names = ", ".join(port_variable(name) for name, port in ports.items() if port in twice)
        raise StackError(f"{names}: each needs a port of its own, got {sorted(twice)} more than once")
    return Home(path, ports)


def recorded_ports(path: Path) -> dict[str, int]:
    """The ports that the services of a state folder were last started with."""
    file = path / "ports.json"
    if not file.exists():
        return {}
    return {name: int(port) for name, port in json.loads(file.read_text()).items()}


def record_ports(home: Home) -> None:
    """Remember the ports, so that later commands need no environment variable to find the services."""
    write_file(home.path / "ports.json", json.dumps(dict(home.ports), indent=2) + "\n")


def port_is_free(port: int) -> bool:
    """Whether a service could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        # As the services do: connections of an earlier start that are still in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all, and never readable for more people than `mode` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.touch(mode)
    partial.write_text(text)
    partial.replace(path)
