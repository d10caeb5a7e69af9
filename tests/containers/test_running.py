"""docker-compose.yaml really up: all services healthy together, a dataset published on the Spark cluster while a worker
and a DataNode are lost, and the data there after a `down`.

With Docker, or with Podman and podman-compose. CHROMAPRESS_IMAGE names an image to take; else one is built.
"""

import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import yaml

from stack import airflow, demo, secrets_file
from stack.home import port_is_free

pytestmark = [pytest.mark.long, pytest.mark.timeout(4 * 3600)]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 3600
DATASET = "sample-sprites"
PARTITION = "dt=2026-01-01"
LAND = f"from chromapress.storage import Hdfs; from stack import demo; demo.land(Hdfs(), {PARTITION!r})"
# Everything that is published, read back from HDFS.
DIGEST = (
    f"rm -rf /tmp/got && chromapress get {DATASET} '*' --partition {PARTITION} -o /tmp/got >/dev/null && "
    "cd /tmp/got && find . -type f | sort | xargs sha256sum"
)
CORES_USED = (
    "import json, socket, urllib.request as web; "
    "print(json.load(web.urlopen(f'http://{socket.gethostname()}:8081/json/'))['coresused'])"
)

T = TypeVar("T")


def wait_for(what: str, check: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
    """The first answer of `check` that is one."""
    deadline = time.monotonic() + timeout_s
    while not (answer := check()):
        assert time.monotonic() < deadline, f"no {what} after {timeout_s} s"
        time.sleep(2)
    return answer


def call(*command: str) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


def services() -> dict[str, dict[str, Any]]:
    """As docker-compose.yaml describes them."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"])


@dataclass(frozen=True)
class Containers:
    """docker-compose.yaml's services under a project name, secrets and a port of the test's own."""

    engine: str  # docker or podman
    tool: tuple[str, ...]
    project: str
    address: airflow.Address

    def compose(self, *arguments: str) -> str:
        return call(*self.tool, *arguments)

    def up(self) -> None:
        """Start everything, and wait until all is healthy."""
        if self.engine == "docker":
            self.compose("up", "--detach", "--no-build", "--wait")
        # Older Podman cannot wait for a dependency's health: here is what `up` would do.
        waiting = services()
        while waiting:
            ready = [name for name, service in waiting.items() if not waiting.keys() & service.get("depends_on", {})]
            if self.engine == "podman":
                self.compose("up", "--detach", "--no-build", "--no-deps", *ready)
            for name in ready:
                wait_for(f"{name} that is healthy", functools.partial(self.healthy, name, waiting.pop(name)))

    def healthy(self, name: str, service: dict[str, Any]) -> bool:
        """Whether all containers of a service pass its health check; or have ended well, if it has none."""
        if "healthcheck" not in service:
            return bool(self.ids(name, "--all", "--filter=exited=0"))
        test = service["healthcheck"]["test"][1:]
        codes = [
            subprocess.run([self.engine, "exec", container, *test], capture_output=True, check=False).returncode
            for container in self.ids(name)
        ]
        return codes == [0] * service.get("scale", 1)

    def ids(self, service: str, *options: str) -> list[str]:
        """A service's containers; those that run, unless the options ask for others."""
        labels = {"com.docker.compose.project": self.project, "com.docker.compose.service": service}
        filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
        return call(self.engine, "ps", "--quiet", *filters, *options).split()

    def execute(self, service: str, *command: str) -> str:
        return call(self.engine, "exec", self.ids(service)[0], *command)

    def busy_worker(self) -> str | None:
        """A Spark worker that has an executor now."""
        for worker in self.ids("spark-worker"):
            if int(call(self.engine, "exec", worker, "python", "-c", CORES_USED)):
                return worker
        return None


def found_tool() -> tuple[str, tuple[str, ...]]:
    """The engine and its compose, or a skip that says what is missing."""
    docker = [("docker", "info"), ("docker", "compose", "version")]
    if shutil.which("docker") and all(
        subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in docker
    ):
        return "docker", ("docker", "compose")
    if shutil.which("podman") and (program := shutil.which("podman-compose")):
        return "podman", (program,)
    pytest.skip("neither a running Docker with its compose, nor Podman with podman-compose, is here")


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """All services, up and healthy; nothing of them stays."""
    engine, tool = found_tool()
    port = next(port for port in range(28900, 29900) if port_is_free(port))
    lines = [*secrets_file.lines(), f"AIRFLOW_PORT={port}"]
    env = tmp_path_factory.mktemp("containers") / "env"
    env.write_text("\n".join(lines) + "\n")
    password = next(line.split("=", 1)[1] for line in lines if line.startswith("ADMIN_PASSWORD="))
    project = f"chromapress-test-{os.getpid()}"
    tool = (*tool, "--env-file", str(env), "-p", project)
    made = Containers(engine, tool, project, airflow.Address(f"http://127.0.0.1:{port}", airflow.ADMIN, password))
    try:
        if "CHROMAPRESS_IMAGE" not in os.environ:
            made.compose("build", "namenode")  # the others' image, too
        made.up()
        yield made
    finally:
        made.compose("down", "--volumes")


def test_the_portal_answers_on_loopback(containers: Containers) -> None:
    me = f"{containers.address.url}/chromapress/api/v1/me"
    assert requests.get(me, timeout=60).status_code == 401
    bearer = {"Authorization": f"Bearer {airflow.log_in(containers.address)}"}
    assert requests.get(me, headers=bearer, timeout=60).json()["name"] == airflow.ADMIN
    page = requests.get(f"{containers.address.url}/chromapress/", timeout=60)
    assert "/auth/login/" in page.url
    assert 'name="password"' in page.text


def test_a_run_ends_well_though_a_worker_and_a_datanode_are_lost_and_a_down_keeps_it(containers: Containers) -> None:
    containers.execute("airflow-apiserver", "python", "-c", LAND)
    api = demo.Api(containers.address.url, airflow.log_in(containers.address))
    demo.wait_for_dags(api)
    run = demo.trigger(api, DATASET, PARTITION)

    def at_work() -> str | None:
        demo.refresh(api, run)
        assert run.state not in demo.ENDED, run.tasks
        stages = [run.tasks[stage]["state"] for stage in ("quantize", "compress") if stage in run.tasks]
        return containers.busy_worker() if "running" in stages else None

    def ended() -> bool:
        demo.refresh(api, run)
        return run.state in demo.ENDED

    worker = wait_for("worker that quantizes", at_work)
    call(containers.engine, "kill", worker, containers.ids("datanode")[0])
    wait_for(f"end of {run.run_id}", ended)
    assert run.state == "success", demo.last_log_lines(api, run)
    command = ("chromapress", "published", DATASET, "--partition", PARTITION, "--json")
    images = [json.loads(line) for line in containers.execute("airflow-apiserver", *command).splitlines()]
    assert [image["relative_path"] for image in images if image["outcome"] == "rejected"] == ["tiles/cut-off.png"]
    before = containers.execute("airflow-apiserver", "bash", "-c", DIGEST)
    assert len(before.splitlines()) == len(images) - 1 == 28

    containers.compose("down")
    containers.up()
    assert containers.execute("airflow-apiserver", "bash", "-c", DIGEST) == before
    demo.refresh(api, run)
    assert run.state == "success"
