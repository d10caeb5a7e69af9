"""HDFS: one NameNode and two DataNodes as plain Java processes.

The jars are those in pyspark (the Hadoop client) and one more (the servers), see stack.jars. Each role runs in the
foreground with `python -m stack.hdfs namenode|datanode1|datanode2`.
"""

import functools
import getpass
import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from stack.home import Home, StackError, open_home, write_file
from stack.jars import SERVER_JAR, fetch_server_jar, java, pyspark_jars
from stack.process import Service

DATANODES = ("datanode1", "datanode2")
ROLES = ("namenode", *DATANODES)
CLIENT_JARS = ("hadoop-client-*", "slf4j-*", "jcl-over-*", "jul-to-*", "log4j-*", "snappy-*")

LOG4J2 = """\
rootLogger.level = ${sys:chromapress.log.level:-WARN}
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1}: %m%n%ex
"""


@dataclass(frozen=True)
class Address:
    """What a client must know of a running HDFS."""

    url: str  # hdfs://host:port
    webhdfs: str  # http://host:port
    conf_dir: Path  # HADOOP_CONF_DIR
    user: str  # the superuser, who owns /chromapress
    environ: Mapping[str, str]  # what to add to the environment of a client


def user() -> str:
    """Who the services run as: HDFS's superuser, and the owner of what the jobs write."""
    return getpass.getuser()


def address(home: Home) -> Address:
    """Where this state folder's HDFS is."""
    url = f"hdfs://localhost:{home.ports['namenode']}"
    return Address(url, home.url("namenode_http"), home.hadoop_conf, user(), environment(home))


def core_site(home: Home) -> dict[str, str]:
    """What a client must know."""
    return {
        "fs.defaultFS": address(home).url,
        "hadoop.tmp.dir": str(home.hdfs_data / "tmp"),
    }


def hdfs_site(home: Home) -> dict[str, str]:
    """What the servers and the clients have in common; what differs between the DataNodes is in their commands."""
    return {
        "dfs.replication": "2",
        "dfs.permissions.enabled": "true",
        "dfs.webhdfs.enabled": "true",
        "dfs.namenode.name.dir": (home.hdfs_data / "namenode").as_uri(),
        "dfs.namenode.rpc-address": f"localhost:{home.ports['namenode']}",
        "dfs.namenode.rpc-bind-host": "127.0.0.1",
        "dfs.namenode.http-address": f"localhost:{home.ports['namenode_http']}",
        "dfs.namenode.http-bind-host": "127.0.0.1",
        # Both DataNodes are the same host, whose name may not resolve: they are told apart by their ports.
        "dfs.datanode.hostname": "localhost",
        "dfs.datanode.use.datanode.hostname": "true",
        "dfs.client.use.datanode.hostname": "true",
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        # The default waits 400 ms after each small file, for the DataNodes to report its block. (They are clients
        # themselves when a file comes in through WebHDFS.)
        "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "10",
        # Of the default's 64 kB, DataNodes take a quarter more CPU for a large file; more than this gains little.
        "dfs.client-write-packet-size": str(256 << 10),
        # A start finds all DataNodes at once and has not to wait half a minute for more.
        "dfs.namenode.safemode.extension": "0",
        # A DataNode that is gone is known after 20 s (10 heartbeats and 2 checks) instead of ten minutes.
        "dfs.heartbeat.interval": "1",
        "dfs.namenode.heartbeat.recheck-interval": "5000",
    }


def datanode_options(data: Path, addresses: Mapping[str, str]) -> list[str]:
    """A DataNode's own folder and addresses, as options of its command."""
    settings = {
        "dfs.datanode.data.dir": data.as_uri(),
        # Here it is what is set aside for each file that is being written: with the usual 128 MB, a disk with some
        # gigabytes left would be too small for a few dozen small files at once.
        "dfs.blocksize": str(1 << 20),
        **addresses,
    }
    return [part for key, value in settings.items() for part in ("-D", f"{key}={value}")]


def configuration_xml(settings: Mapping[str, str]) -> str:
    """Hadoop's form of settings."""
    rows = "".join(
        f"  <property><name>{escape(key)}</name><value>{escape(value)}</value></property>\n"
        for key, value in settings.items()
    )
    return f'<?xml version="1.0"?>\n<configuration>\n{rows}</configuration>\n'


def configure(home: Home) -> None:
    """Write HADOOP_CONF_DIR."""
    write_file(home.hadoop_conf / "core-site.xml", configuration_xml(core_site(home)))
    write_file(home.hadoop_conf / "hdfs-site.xml", configuration_xml(hdfs_site(home)))
    write_file(home.hadoop_conf / "log4j2.properties", LOG4J2)
    # Without these folders the HTTP servers unpack a large jar to look for their pages.
    for name in ("hdfs", "datanode"):
        (home.path / "hadoop" / "webapps" / name).mkdir(parents=True, exist_ok=True)


def environment(home: Home) -> dict[str, str]:
    """What HDFS's clients and servers find in their environment."""
    return {"HADOOP_CONF_DIR": str(home.hadoop_conf), "HADOOP_USER_NAME": user()}


def java_command(home: Home, main_class: str, arguments: list[str], *options: str) -> list[str]:
    """The command line of one of HDFS's servers."""
    return server_command(home, f"org.apache.hadoop.hdfs.server.{main_class}", *options) + arguments


def server_command(home: Home, main_class: str, *options: str, jars: Sequence[Path] = ()) -> list[str]:
    """The command line of one of Hadoop's servers."""
    clients = [jar for pattern in CLIENT_JARS for jar in sorted(pyspark_jars().glob(f"{pattern}.jar"))]
    classpath = map(str, [home.hadoop_conf, home.path / "hadoop", SERVER_JAR, *clients, *jars])
    # A server of two small disks: 256 MB are plenty, and the quick compiler gives the quickest start.
    machine = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true"]
    return [java(), *machine, *options, "-cp", os.pathsep.join(classpath), main_class]


def role_command(home: Home, role: str) -> list[str]:
    """The command line of a role."""
    if role == "namenode":
        return java_command(home, "namenode.NameNode", [])
    addresses = {
        "dfs.datanode.address": f"127.0.0.1:{home.ports[role]}",
        "dfs.datanode.http.address": f"127.0.0.1:{home.ports[f'{role}_http']}",
        "dfs.datanode.ipc.address": f"127.0.0.1:{home.ports[f'{role}_ipc']}",
    }
    return java_command(home, "datanode.DataNode", datanode_options(home.hdfs_data / role, addresses))


def format_namenode(home: Home) -> None:
    """Make an empty file system, once: one that exists is never touched."""
    if (home.hdfs_data / "namenode" / "current" / "VERSION").exists():
        return
    home.hdfs_data.mkdir(parents=True, exist_ok=True)
    home.hdfs_data.chmod(0o700)
    command = java_command(home, "namenode.NameNode", ["-format", "-nonInteractive"])
    done = subprocess.run(command, env={**os.environ, **environment(home)}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"The NameNode's folder could not be made:\n{done.stderr[-3000:]}")


def jmx(url: str, bean: str) -> dict[str, Any]:
    """One of a Hadoop server's management beans."""
    with urllib.request.urlopen(f"{url}/jmx?qry={bean}", timeout=5) as answer:  # noqa: S310 (our own http address)
        beans = json.load(answer)["beans"]
    return dict(beans[0]) if beans else {}


def namenode_problem(home: Home) -> str | None:
    """Why the NameNode cannot serve reads and writes, or None."""
    try:
        state = jmx(home.url("namenode_http"), "Hadoop:service=NameNode,name=FSNamesystemState")
    except (OSError, ValueError) as error:
        return f"{home.url('namenode_http')} does not answer: {error}"
    if not state:
        return "starting"
    if state["FSState"] != "Operational":
        return "in safe mode"
    return None


def datanode_problem(home: Home, role: str) -> str | None:
    """Why a DataNode cannot serve, or None: it must answer, and have reported to the NameNode."""
    try:
        info = jmx(home.url(f"{role}_http"), "Hadoop:service=DataNode,name=DataNodeInfo")
        live = jmx(home.url("namenode_http"), "Hadoop:service=NameNode,name=NameNodeInfo").get("LiveNodes", "{}")
    except (OSError, ValueError) as error:
        return f"does not answer: {error}"
    if not info:
        return "starting"
    addresses = {node["xferaddr"] for node in json.loads(live).values()}
    return None if f"127.0.0.1:{home.ports[role]}" in addresses else "not known to the NameNode"


def services(home: Home) -> list[Service]:
    """HDFS's services, in the order of their start."""
    env = {**os.environ, **environment(home)}
    namenode = Service(
        "namenode",
        role_command(home, "namenode"),
        env,
        ("namenode", "namenode_http"),
        functools.partial(namenode_problem, home),
    )
    datanodes = [
        Service(
            role,
            role_command(home, role),
            env,
            (role, f"{role}_http", f"{role}_ipc"),
            functools.partial(datanode_problem, home, role),
        )
        for role in DATANODES
    ]
    return [namenode, *datanodes]


def prepare(home: Home) -> None:
    """Everything that must be there before the services start."""
    fetch_server_jar()
    configure(home)
    format_namenode(home)


def webhdfs(namenode: str, method: str, path: str, **parameters: str) -> dict[str, Any]:
    """One call of WebHDFS as the superuser; `namenode` is http://host:port."""
    query = urllib.parse.urlencode({**parameters, "user.name": user()})
    url = f"{namenode}/webhdfs/v1{urllib.parse.quote(path)}?{query}"
    request = urllib.request.Request(url, method=method)  # noqa: S310 (our own http address)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise StackError(f"WebHDFS refused {parameters.get('op')} {path}: {error.read().decode()}") from error


def make_root(namenode: str) -> None:
    """Make the folder that the pipeline owns. (`/tmp` is what Hadoop's own tools expect.)"""
    webhdfs(namenode, "PUT", "/chromapress", op="MKDIRS", permission="755")
    webhdfs(namenode, "PUT", "/tmp", op="MKDIRS", permission="1777")  # noqa: S108 (in HDFS)


def main() -> None:
    """Run one role in the foreground."""
    if len(sys.argv) != 2 or sys.argv[1] not in ROLES:
        raise SystemExit(f"usage: python -m stack.hdfs {'|'.join(ROLES)}")
    role = sys.argv[1]
    home = open_home()
    configure(home)
    try:
        if role == "namenode":
            format_namenode(home)
    except StackError as error:
        raise SystemExit(str(error)) from error
    command = role_command(home, role)
    os.execve(command[0], command, {**os.environ, **environment(home)})  # noqa: S606


if __name__ == "__main__":
    main()
