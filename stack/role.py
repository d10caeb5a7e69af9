"""One service as a container's process: `python -m stack.role ROLE`. `… health ROLE` is its health check, `… demo` runs
the demonstration on the running ones.

The services are those of one machine, with the same settings but for addresses: each has a host of its own, named as
in docker-compose.yaml. What is secret comes in the environment (`./pipeline env`).
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from stack import airflow, hdfs, spark
from stack.home import Home, StackError, open_home, write_file
from stack.jars import pyspark_jars

NAMENODE: Final = "hdfs://namenode:8020"
NAMENODE_HTTP: Final = "http://namenode:9870"
SPARK_MASTER: Final = "spark://spark-master:7077"
AIRFLOW: Final = "http://airflow-apiserver:8080"
ADMIN_PASSWORD: Final = "CHROMAPRESS_ADMIN_PASSWORD"  # noqa: S105 (the variable's name)
# More DataNodes on one volume than anyone will start.
MAX_DATANODES: Final = 64
# DataNodes of millions of blocks take minutes to tell of them.
SAFE_MODE_TIMEOUT_S: Final = 1800


def configure_hadoop(home: Home) -> None:
    """HADOOP_CONF_DIR: what the services of one machine have, with the containers' addresses."""
    servers = {
        "dfs.namenode.rpc-address": "namenode:8020",
        "dfs.namenode.rpc-bind-host": "0.0.0.0",  # noqa: S104 (of a container: the network is the project's own)
        "dfs.namenode.http-address": "namenode:9870",
        "dfs.namenode.http-bind-host": "0.0.0.0",  # noqa: S104
    }
    # A container is known by its address: its name may not resolve.
    by_name = ("dfs.datanode.hostname", "dfs.datanode.use.datanode.hostname", "dfs.client.use.datanode.hostname")
    common = {key: value for key, value in hdfs.hdfs_site(home).items() if key not in by_name}
    hdfs.configure(home)
    core = {"fs.defaultFS": NAMENODE, "hadoop.tmp.dir": str(home.hdfs_data / "tmp")}
    write_file(home.hadoop_conf / "core-site.xml", hdfs.configuration_xml(core))
    write_file(home.hadoop_conf / "hdfs-site.xml", hdfs.configuration_xml(common | servers))


def environment(home: Home) -> dict[str, str]:
    """What every role finds in its environment, beside what the container was given."""
    address = socket.gethostbyname(socket.gethostname())
    own = {
        **hdfs.environment(home),
        **spark.environment(home),
        # Executors are elsewhere, and call the driver back.
        "SPARK_LOCAL_IP": address,
        "SPARK_LOCAL_HOSTNAME": address,
        "AIRFLOW_HOME": str(home.airflow),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    return {**os.environ, **own}


def configure_airflow(home: Home) -> None:
    """airflow.cfg; addresses and secrets are in the environment, which Airflow reads first."""
    if password := os.environ.get(ADMIN_PASSWORD):
        write_file(airflow.passwords_file(home), json.dumps({airflow.ADMIN: password}), 0o600)
    airflow.configure(home)
    spark.configure(home)


def datanode_folder(volume: Path) -> Path:
    """A folder of the DataNodes' volume that no other container holds.

    Scaled containers share a volume, and have other names after each start: a lock, held as long as the process lives,
    is what tells whose folder is free, so that each start finds all the blocks of the last.
    """
    volume.mkdir(parents=True, exist_ok=True)
    for number in range(1, MAX_DATANODES + 1):
        folder = volume / f"datanode-{number}"
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / "held", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.set_inheritable(lock, True)
        return folder
    raise StackError(f"{volume}: all of its {MAX_DATANODES} folders are held by running DataNodes")


def namenode(home: Home) -> list[str]:
    hdfs.format_namenode(home)
    return hdfs.java_command(home, "namenode.NameNode", [])


def datanode(home: Home) -> list[str]:
    data = datanode_folder(home.hdfs_data) / "data"
    return hdfs.java_command(home, "datanode.DataNode", hdfs.datanode_options(data, {}))


def spark_class(role: str, *arguments: str) -> list[str]:
    """The command line of one of Spark's own daemons."""
    program = pyspark_jars().parent / "bin" / "spark-class"
    return [str(program), f"org.apache.spark.deploy.{role}", *arguments]


def spark_master(home: Home) -> list[str]:
    return spark_class("master.Master", "--host", "spark-master", "--port", "7077", "--webui-port", "8080")


def spark_worker(home: Home) -> list[str]:
    size = ["--cores", os.environ["SPARK_WORKER_CORES"], "--memory", os.environ["SPARK_WORKER_MEMORY"]]
    work = ["--work-dir", str(home.path / "spark" / "work"), "--webui-port", "8081"]
    return spark_class("worker.Worker", *size, *work, SPARK_MASTER)


def airflow_role(name: str) -> Callable[[Home], list[str]]:
    """The command of a component that is called so on Airflow's command line."""

    def command(home: Home) -> list[str]:
        configure_airflow(home)
        return airflow.role_command(name)

    return command


def wait_for_blocks() -> None:
    """Wait for the end of the NameNode's safe mode, which is when the DataNodes have told of their blocks."""
    deadline = time.monotonic() + SAFE_MODE_TIMEOUT_S
    while namenode_state() != "Operational":
        if time.monotonic() > deadline:
            raise StackError(f"HDFS is still in safe mode after {SAFE_MODE_TIMEOUT_S} s: are all its DataNodes there?")
        time.sleep(1)


def airflow_init(home: Home) -> list[str]:
    configure_airflow(home)
    wait_for_blocks()
    hdfs.make_root(NAMENODE_HTTP)
    program = str(Path(sys.executable).parent / "airflow")
    env = environment(home)
    if subprocess.run([program, "db", "migrate"], env=env, check=False).returncode:
        raise StackError("Airflow's database could not be made")
    pool = [str(airflow.SPARK_POOL[key]) for key in ("name", "slots", "description")]
    # One that is there keeps its slots: they may have been changed in the UI.
    there = (
        subprocess.run([program, "pools", "get", pool[0]], env=env, capture_output=True, check=False).returncode == 0
    )
    return ["true"] if there else [program, "pools", "set", *pool]


ROLES: Final[Mapping[str, Callable[[Home], list[str]]]] = {
    "namenode": namenode,
    "datanode": datanode,
    "spark-master": spark_master,
    "spark-worker": spark_worker,
    "airflow-init": airflow_init,
    "airflow-apiserver": airflow_role("api-server"),
    "airflow-scheduler": airflow_role("scheduler"),
    "airflow-dag-processor": airflow_role("dag-processor"),
    "airflow-triggerer": airflow_role("triggerer"),
}


def namenode_state() -> str | None:
    """`Operational`, `safeMode`, or None as long as it starts."""
    return hdfs.jmx(NAMENODE_HTTP, "Hadoop:service=NameNode,name=FSNamesystemState").get("FSState")


def namenode_problem() -> str | None:
    # In safe mode, too, it is what the DataNodes wait for: with them, it ends.
    return None if namenode_state() else "starting"


def datanode_problem() -> str | None:
    info = hdfs.jmx("http://localhost:9864", "Hadoop:service=DataNode,name=DataNodeInfo")
    actors = json.loads(info.get("BPServiceActorInfo", "[]"))
    return None if any(actor.get("ActorState") == "RUNNING" for actor in actors) else "not known to the NameNode"


def spark_problem(port: int) -> str | None:
    with urllib.request.urlopen(f"http://{socket.gethostname()}:{port}/json/", timeout=5) as answer:
        state = json.load(answer)
    # A worker has no status; it knows the master's page once it is registered.
    healthy = state.get("status") == "ALIVE" or state.get("masterwebuiurl")
    return None if healthy else "not registered with the master"


def airflow_problem(component: str) -> str | None:
    answer = airflow.get_json(f"{AIRFLOW}/api/v2/monitor/health")
    state = answer[component]["status"]
    return None if state == "healthy" else f"{component} is {state}"


PROBLEMS: Final[Mapping[str, Callable[[], str | None]]] = {
    "namenode": namenode_problem,
    "datanode": datanode_problem,
    "spark-master": functools.partial(spark_problem, 8080),
    "spark-worker": functools.partial(spark_problem, 8081),
    "airflow-apiserver": functools.partial(airflow_problem, "metadatabase"),
    **{f"airflow-{role}": functools.partial(airflow_problem, name) for role, name in airflow.HEALTH.items()},
}


def main() -> None:
    """Become the role's process; or say, by the exit code, whether it is healthy."""
    parser = argparse.ArgumentParser("python -m stack.role", description="One of Chromapress' services.")
    commands = parser.add_subparsers(dest="role", required=True)
    for role in ROLES:
        commands.add_parser(role)
    commands.add_parser("demo", help="run the sample datasets on the running services")
    commands.add_parser("health", help="whether a role is healthy here").add_argument("of", choices=PROBLEMS)
    args = parser.parse_args()
    try:
        if args.role == "health":
            try:
                problem = PROBLEMS[args.of]()
            except (OSError, ValueError) as error:
                problem = f"does not answer: {error}"
            raise SystemExit(problem)
        home = open_home()
        configure_hadoop(home)
        if args.role == "demo":
            # With it come NumPy, Pillow and pyarrow, which each health check would import.
            from stack import demo  # noqa: PLC0415

            os.environ.update(environment(home))
            raise SystemExit(demo.run(airflow.Address(AIRFLOW, airflow.ADMIN, os.environ[ADMIN_PASSWORD])))
        command = ROLES[args.role](home)
    except StackError as error:
        raise SystemExit(f"chromapress: error: {error}") from error
    os.execvpe(command[0], command, environment(home))  # noqa: S606


if __name__ == "__main__":
    main()
