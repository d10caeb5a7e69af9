"""Airflow: API server, scheduler, DAG processor and triggerer, on SQLite with the LocalExecutor.

Each role runs in the foreground with `python -m stack.airflow api-server|scheduler|dag-processor|triggerer`.
"""

import base64
import functools
import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from configparser import RawConfigParser
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

from stack import hdfs, spark
from stack.home import PROJECT, Home, StackError, open_home, write_file
from stack.process import Service

ROLES = ("api-server", "scheduler", "dag-processor", "triggerer")
ADMIN = "admin"
# The names under which the health endpoint knows the roles.
HEALTH = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
# Each slot is one Spark driver of a gigabyte or more and both cores for most of its time.
SPARK_POOL = {"name": "spark", "slots": 2, "description": "Spark jobs that run at once", "include_deferred": False}


@dataclass(frozen=True)
class Address:
    """What a client must know of a running Airflow."""

    url: str  # http://host:port, of the UI and of the REST API
    user: str
    password: str


def passwords_file(home: Home) -> Path:
    """Where the first administrator's password is, for nobody else to read; it holds until it is changed in the UI."""
    return home.airflow / "password.json"


def address(home: Home) -> Address:
    """Where this state folder's Airflow is, and how to log in."""
    password = json.loads(passwords_file(home).read_text())[ADMIN]
    return Address(home.url("airflow"), ADMIN, password)


def make_secrets(home: Home) -> dict[str, str]:
    """The keys that the components share, made once: other keys would make tasks' tokens and stored passwords void."""
    file = home.airflow / "secrets.json"
    if not file.exists():
        keys = {
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt_secret": secrets.token_urlsafe(64),
            "secret_key": secrets.token_urlsafe(32),
        }
        write_file(file, json.dumps(keys), 0o600)
    if not passwords_file(home).exists():
        write_file(passwords_file(home), json.dumps({ADMIN: secrets.token_urlsafe(12)}), 0o600)
    return dict(json.loads(file.read_text()))


def settings(home: Home) -> dict[str, dict[str, str]]:
    """airflow.cfg, what differs from Airflow's defaults."""
    keys = make_secrets(home)
    url = home.url("airflow")
    return {
        "core": {
            "executor": "LocalExecutor",
            # As many worker processes are forked at the start, each of 60 MB and more.
            "parallelism": "4",
            "load_examples": "False",
            "dags_folder": str(PROJECT / "dags"),
            "plugins_folder": str(PROJECT / "plugins"),
            "dags_are_paused_at_creation": "False",
            "fernet_key": keys["fernet_key"],
            "auth_manager": "portal.auth_manager.PortalAuthManager",
            "execution_api_server_url": f"{url}/execution/",
            # The default asks the name server, which a laptop may not reach.
            "hostname_callable": "socket.gethostname",
            "min_serialized_dag_update_interval": "5",
            # A mistake in a YAML file is told by its message; where it was raised helps nobody.
            "dagbag_import_error_tracebacks": "False",
        },
        "database": {
            # SQLite has one writer at a time; others ask for a minute before they give up, not for 5 seconds.
            "sql_alchemy_conn": f"sqlite:///{home.airflow / 'airflow.db'}?timeout=60",
            "load_default_connections": "False",
        },
        "api": {
            "host": "127.0.0.1",
            "port": str(home.ports["airflow"]),
            "base_url": url,
            "secret_key": keys["secret_key"],
            "instance_name": "Chromapress",
        },
        "api_auth": {"jwt_secret": keys["jwt_secret"]},
        "fab": {"config_file": str(PROJECT / "plugins" / "portal" / "flask_config.py")},
        "logging": {"base_log_folder": str(home.airflow / "logs")},
        # A dataset's YAML is not a DAG file whose change Airflow would see: it is read when dags/*.py is parsed again.
        "dag_processor": {
            "refresh_interval": "10",
            "min_file_process_interval": "15",
            "parsing_processes": "1",
        },
        "usage_data_collection": {"enabled": "False"},
        "chromapress": {
            "filesystem": hdfs.address(home).url,
            "first_administrator": str(passwords_file(home)),
            # All ports are on loopback: who gets here has an account on this machine.
            "registration": "open",
        },
    }


def configure(home: Home) -> None:
    """Write airflow.cfg; it holds the keys."""
    config = RawConfigParser()
    config.read_dict(settings(home))
    text = StringIO()
    config.write(text)
    write_file(home.airflow / "airflow.cfg", text.getvalue(), 0o600)


def connections(home: Home) -> dict[str, str]:
    """Where the DAGs find Spark and HDFS, unless the environment says otherwise."""
    known = {
        "spark_default": {"conn_type": "spark", "host": "local[2]", "extra": {"deploy-mode": "client"}},
        "webhdfs_default": {
            "conn_type": "webhdfs",
            "host": "localhost",
            "port": home.ports["namenode_http"],
            "login": hdfs.user(),
        },
    }
    variables = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in known.items()}
    return {name: os.environ.get(name, value) for name, value in variables.items()}


def environment(home: Home) -> dict[str, str]:
    """What Airflow, its tasks and its command line find in their environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        **hdfs.environment(home),
        **spark.environment(home),
        **connections(home),
        "AIRFLOW_HOME": str(home.airflow),
        "PATH": path,
    }


def role_command(role: str) -> list[str]:
    """The command line of a role."""
    # Logs are read from the shared folder: the log servers would listen on all interfaces.
    options = ["--skip-serve-logs"] if role in ("scheduler", "triggerer") else []
    return [str(Path(sys.executable).parent / "airflow"), role, *options]


def migrate(home: Home) -> None:
    """Make the database, or bring it to the installed version; nothing to do where this was done."""
    stamp = home.airflow / "migrated"
    # The accounts' tables are FAB's.
    installed = f"{version('apache-airflow')} {version('apache-airflow-providers-fab')}"
    if stamp.exists() and stamp.read_text() == installed:
        return
    command = [str(Path(sys.executable).parent / "airflow"), "db", "migrate"]
    env = {**os.environ, **environment(home)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"Airflow's database could not be made:\n{(done.stdout + done.stderr)[-3000:]}")
    write_file(stamp, installed)


def get_json(url: str, method: str = "GET", body: object = None, token: str | None = None) -> Any:
    """One call of Airflow's REST API; urllib's errors pass through."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 (our own http address)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def health(home: Home) -> Mapping[str, Any]:
    """What the API server says of all components; an empty answer when it does not answer."""
    try:
        return dict(get_json(f"{home.url('airflow')}/api/v2/monitor/health"))
    except (OSError, ValueError):
        return {}


def problem(home: Home, role: str) -> str | None:
    """Why a role does not do its work, or None."""
    answer = health(home)
    if not answer:
        return f"{home.url('airflow')} does not answer"
    if role == "api-server":
        status = answer["metadatabase"]["status"]
        return None if status == "healthy" else f"its database is {status}"
    component = answer[HEALTH[role]]
    key = next(key for key in component if key.startswith("latest_"))
    return None if component["status"] == "healthy" else f"no heartbeat since {component[key]}"


def services(home: Home) -> list[Service]:
    """Airflow's services, in the order of their start."""
    env = {**os.environ, **environment(home)}
    ports = {"api-server": ("airflow",)}
    return [
        Service(role, role_command(role), env, ports.get(role, ()), functools.partial(problem, home, role))
        for role in ROLES
    ]


def prepare(home: Home) -> None:
    """Everything that must be there before the services start."""
    configure(home)
    spark.configure(home)
    migrate(home)


def log_in(at: Address) -> str:
    """A token for the REST API."""
    try:
        answer = get_json(f"{at.url}/auth/token", "POST", {"username": at.user, "password": at.password})
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        raise StackError(f"Airflow's {at.user} has another password by now than at the first start") from None
    return str(answer["access_token"])


def make_pool(home: Home) -> bool:
    """Make the pool of the Spark jobs, at the first start: its slots may be changed in the UI afterwards, and so may
    the administrator's password. Says whether this was the first start.
    """
    stamp = home.airflow / "pool-made"
    if stamp.exists():
        return False
    at = address(home)
    token = log_in(at)
    try:
        get_json(f"{at.url}/api/v2/pools/{SPARK_POOL['name']}", token=token)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        get_json(f"{at.url}/api/v2/pools", "POST", SPARK_POOL, token)
    write_file(stamp, "")
    return True


def main() -> None:
    """Run one role in the foreground."""
    if len(sys.argv) != 2 or sys.argv[1] not in ROLES:
        raise SystemExit(f"usage: python -m stack.airflow {'|'.join(ROLES)}")
    role = sys.argv[1]
    home = open_home()
    try:
        prepare(home)
    except StackError as error:
        raise SystemExit(str(error)) from error
    command = role_command(role)
    os.execve(command[0], command, {**os.environ, **environment(home)})  # noqa: S606


if __name__ == "__main__":
    main()
