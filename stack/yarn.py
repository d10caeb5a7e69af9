"""YARN: one ResourceManager and one NodeManager as plain Java processes, from the same jar as HDFS's servers.

It is no part of `./pipeline up`; the suite shows with it what a Hadoop cluster does. HDFS comes before it: the settings
are in the same HADOOP_CONF_DIR. The Airflow connection of its drivers is `connection`.
"""

import functools
import os
import sys
from typing import Any

from stack import hdfs, spark
from stack.airflow import get_json
from stack.home import Home, write_file
from stack.jars import Jar, fetch, pyspark_jars
from stack.process import Service

ROLES = ("resourcemanager", "nodemanager")
# What a Home must have in its ports, all of them the ResourceManager's.
PORTS = ("resourcemanager", "resourcemanager_http", "resourcemanager_scheduler", "resourcemanager_tracker")
_SERVER = "org.apache.hadoop.yarn.server"

# What the ResourceManager signs its web proxy's certificates with; the jar of the servers is without.
_CRYPTOGRAPHY = (
    Jar(
        "org.bouncycastle",
        "bcprov-jdk18on",
        "1.82",
        "14cde2fdfaa8890480a8e5b67aceef0c90f96682c1e23c133bafdc9e0b3255ce",
    ),
    Jar(
        "org.bouncycastle",
        "bcpkix-jdk18on",
        "1.82",
        "bdc723e20834832ac6af136cb5b5ff05e43b71d4fa151cc6510d9212ee086e63",
    ),
    Jar(
        "org.bouncycastle",
        "bcutil-jdk18on",
        "1.82",
        "4420691958ad1c0ba275a6d6d8a6317adbdbdc9277055b6a72aa89c88cda8c7d",
    ),
)

_CAPACITY_SCHEDULER = {
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": "100",
    "yarn.scheduler.capacity.maximum-am-resource-percent": "1.0",
}


def yarn_site(home: Home) -> dict[str, str]:
    """What servers and clients have in common."""

    def at(port: str) -> str:
        return f"localhost:{home.ports[port]}"

    return {
        "yarn.resourcemanager.hostname": "localhost",
        "yarn.resourcemanager.bind-host": "127.0.0.1",
        "yarn.resourcemanager.address": at("resourcemanager"),
        "yarn.resourcemanager.webapp.address": at("resourcemanager_http"),
        "yarn.resourcemanager.scheduler.address": at("resourcemanager_scheduler"),
        "yarn.resourcemanager.resource-tracker.address": at("resourcemanager_tracker"),
        "yarn.resourcemanager.admin.address": "localhost:0",
        "yarn.nodemanager.hostname": "localhost",
        "yarn.nodemanager.bind-host": "127.0.0.1",
        "yarn.nodemanager.address": "localhost:0",
        "yarn.nodemanager.localizer.address": "localhost:0",
        "yarn.nodemanager.collector-service.address": "localhost:0",
        "yarn.nodemanager.webapp.address": "localhost:0",
        "yarn.nodemanager.local-dirs": str(home.path / "yarn" / "local"),
        "yarn.nodemanager.log-dirs": str(home.path / "yarn" / "logs"),
        # What a driver and two executors of 512 MB ask for, and no more than that is used in truth.
        "yarn.nodemanager.resource.memory-mb": "4096",
        "yarn.nodemanager.resource.cpu-vcores": "4",
        "yarn.scheduler.minimum-allocation-mb": "128",
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.pmem-check-enabled": "false",
        # A disk that is nearly full is not a reason to refuse a test's megabytes.
        "yarn.nodemanager.disk-health-checker.enable": "false",
    }


def web_address(home: Home) -> str:
    """The ResourceManager's REST API."""
    return home.url("resourcemanager_http")


def connection(home: Home, deploy_mode: str) -> dict[str, Any]:
    """The Airflow connection spark_default of this cluster, with the driver here (client) or there (cluster)."""
    conf = {
        # Otherwise each application uploads 400 MB of them.
        "spark.yarn.jars": f"local:{pyspark_jars()}/*",
        "spark.executor.instances": "2",
        **{
            f"{kind}.{name}": value
            for kind in ("spark.yarn.appMasterEnv", "spark.executorEnv")
            for name, value in {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}.items()
        },
    }
    extra = {"deploy-mode": deploy_mode, "yarn_resourcemanager_webapp_address": web_address(home), "conf": conf}
    return {"conn_type": "spark", "host": "yarn", "extra": extra}


def problem(home: Home, nodes: int) -> str | None:
    """Why the ResourceManager does not serve, with so many nodes at least, or None."""
    try:
        active = get_json(f"{web_address(home)}/ws/v1/cluster/metrics")["clusterMetrics"]["activeNodes"]
    except (OSError, ValueError) as error:
        return f"{web_address(home)} does not answer: {error}"
    return None if active >= nodes else f"{active} nodes of {nodes} are known to the ResourceManager"


def services(home: Home) -> list[Service]:
    """YARN's services, in the order of their start."""
    env = {**os.environ, **hdfs.environment(home), **spark.environment(home)}
    jars = [jar.path for jar in _CRYPTOGRAPHY]
    resourcemanager = Service(
        "resourcemanager",
        hdfs.server_command(home, f"{_SERVER}.resourcemanager.ResourceManager", jars=jars),
        env,
        PORTS,
        functools.partial(problem, home, 0),
    )
    nodemanager = Service(
        "nodemanager",
        hdfs.server_command(home, f"{_SERVER}.nodemanager.NodeManager", jars=jars),
        env,
        (),
        functools.partial(problem, home, 1),
    )
    return [resourcemanager, nodemanager]


def prepare(home: Home) -> None:
    """Everything that must be there before the services start."""
    for jar in _CRYPTOGRAPHY:
        fetch(jar)
    spark.configure(home)
    write_file(home.hadoop_conf / "yarn-site.xml", hdfs.configuration_xml(yarn_site(home)))
    write_file(home.hadoop_conf / "capacity-scheduler.xml", hdfs.configuration_xml(_CAPACITY_SCHEDULER))
    # Without these folders the HTTP servers look for their pages in vain.
    for name in ("cluster", "node"):
        (home.path / "hadoop" / "webapps" / name).mkdir(parents=True, exist_ok=True)
