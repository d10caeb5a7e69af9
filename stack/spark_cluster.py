"""A standalone Spark cluster: one master and three workers as plain Java processes, each worker with one core.

It is no part of `./pipeline up`, whose Spark runs inside each stage's own process; the suite shows with it that more
than one machine's worth of executors does the same. The Airflow connection of its drivers is `connection`.
"""

import functools
import json
import os
import urllib.request
from collections.abc import Callable
from typing import Any

from stack import control, hdfs, spark
from stack.home import Home
from stack.jars import pyspark_jars
from stack.process import Service

WORKERS = ("spark-worker1", "spark-worker2", "spark-worker3")
ROLES = ("spark-master", *WORKERS)
# What a Home must have in its ports; the workers take any.
PORTS = ("spark_master", "spark_master_http")

# Of a worker, what its executors may take together: one of 512 MB, and what its Python needs.
_WORKER_MEMORY = "1g"
_DAEMON_MEMORY = "128m"
_DAEMON_OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Djava.net.preferIPv4Stack=true",
    # Drivers in Python cannot be handed to the master anyway, and the port of that service is a fixed one.
    "-Dspark.master.rest.enabled=false",
    # A worker that is gone is known after 10 s instead of a minute.
    "-Dspark.worker.timeout=10",
)


def url(home: Home) -> str:
    """What drivers are given as --master."""
    return f"spark://localhost:{home.ports['spark_master']}"


def connection(home: Home) -> dict[str, Any]:
    """The Airflow connection spark_default of this cluster."""
    return {"conn_type": "spark", "host": url(home), "extra": {"deploy-mode": "client"}}


def environment(home: Home) -> dict[str, str]:
    """What the daemons find in their environment, and executors inherit: HDFS's address too."""
    return {
        **hdfs.environment(home),
        **spark.environment(home),
        "SPARK_LAUNCHER_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "SPARK_DAEMON_MEMORY": _DAEMON_MEMORY,
        "SPARK_DAEMON_JAVA_OPTS": " ".join([*_DAEMON_OPTIONS, f"-Dlog4j2.configurationFile={spark.log4j2_file(home)}"]),
        # Where a worker keeps the logs and files of its executors; beside what they spill.
        "SPARK_WORKER_DIR": str(home.path / "spark" / "work"),
    }


def role_command(home: Home, role: str) -> list[str]:
    """The command line of a role; spark-class becomes the Java process."""
    spark_class = str(pyspark_jars().parent / "bin" / "spark-class")
    if role == "spark-master":
        ports = ["--port", str(home.ports["spark_master"]), "--webui-port", str(home.ports["spark_master_http"])]
        return [spark_class, "org.apache.spark.deploy.master.Master", "--host", "localhost", *ports]
    options = ["--host", "localhost", "--cores", "1", "--memory", _WORKER_MEMORY, "--webui-port", "0"]
    return [spark_class, "org.apache.spark.deploy.worker.Worker", *options, url(home)]


def state(home: Home) -> dict[str, Any]:
    """What the master says of its workers and applications."""
    with urllib.request.urlopen(f"{home.url('spark_master_http')}/json/", timeout=5) as answer:  # noqa: S310
        return dict(json.load(answer))


def problem(home: Home, workers: int) -> str | None:
    """Why the master does not serve, with so many workers at least, or None."""
    try:
        alive = state(home)["aliveworkers"]
    except (OSError, ValueError) as error:
        return f"{home.url('spark_master_http')} does not answer: {error}"
    return None if alive >= workers else f"{alive} workers of {workers} are known to the master"


def services(home: Home) -> list[Service]:
    """The cluster's services, in the order of their start; HDFS comes before them."""
    env = {**os.environ, **environment(home)}
    ports = {"spark-master": PORTS}
    return [
        Service(role, role_command(home, role), env, ports.get(role, ()), functools.partial(problem, home, workers))
        for workers, role in enumerate(ROLES)
    ]


def prepare(home: Home) -> None:
    """Everything that must be there before the services start."""
    spark.configure(home)
    spark.EMPTY_CONF.mkdir(parents=True, exist_ok=True)


def up(home: Home, say: Callable[[str], None]) -> None:
    """Start what does not run. A worker that finds no master asks again after many seconds: the master comes first."""
    master, *workers = services(home)
    control.up(home, [master], say)
    control.up(home, workers, say)
