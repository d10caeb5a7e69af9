"""The pipeline as its users have it: YAML files, a landing zone, Airflow's UI and REST API, what is published."""

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import requests
import yaml
from hdfs import InsecureClient
from PIL import Image

from chromapress.config import DatasetConfig
from chromapress.paths import DatasetPaths
from stack import airflow as stack_airflow
from stack import control, spark
from stack.hdfs import Address as HdfsAddress
from stack.home import Home

# The tests' own datasets, read again often, short pauses before a retry, and errors of the API told whole.
_DATASETS = tempfile.TemporaryDirectory(prefix="chromapress-datasets-")
_ENVIRONMENT = {
    "AIRFLOW__CHROMAPRESS__DATASETS_FOLDER": _DATASETS.name,
    "AIRFLOW__CHROMAPRESS__RETRY_DELAY_SECONDS": "10",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
    "AIRFLOW__API__EXPOSE_STACKTRACE": "True",
}

T = TypeVar("T")

# Everything together takes minutes; on a machine that is busy with other things, many.
PATIENCE_S = 1500


@dataclass(frozen=True)
class Pipeline:
    """What a user can do with it, and see."""

    address: stack_airflow.Address
    api: requests.Session
    hdfs: InsecureClient
    datasets: Path
    yesterday: str  # the partition of a run that is given none

    def describe(self, name: str, **config: Any) -> str:
        """Write a dataset's YAML file; its DAG, once Airflow has read it."""
        (self.datasets / f"{name}.yaml").write_text(yaml.safe_dump(config))
        dag_id = f"quantize_{name}"
        self.wait_for(f"{dag_id} in Airflow", lambda: self.api.get(f"{self.address.url}/api/v2/dags/{dag_id}").ok)
        return dag_id

    @staticmethod
    def wait_for(what: str, check: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
        """The first answer of `check` that is one."""
        deadline = time.monotonic() + timeout_s
        while not (answer := check()):
            assert time.monotonic() < deadline, f"no {what} after {timeout_s} s"
            time.sleep(0.5)
        return answer

    def land(self, dataset: str, *partitions: str, count: int = 2) -> None:
        """Small pictures in each partition."""
        for partition in partitions:
            for seed in range(1, count + 1):
                self.hdfs.write(f"/chromapress/{dataset}/landing/{partition}/pictures/{seed}.png", picture(seed))

    def get(self, path: str, **query: Any) -> Any:
        answer = self.api.get(f"{self.address.url}/api/v2/{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        return self.api.post(f"{self.address.url}/api/v2/{path}", json=body)

    def trigger(self, dag_id: str, **parameters: Any) -> str:
        """Start a run by hand; its id."""
        answer = self.post(f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": parameters})
        assert answer.ok, answer.text
        return str(answer.json()["dag_run_id"])

    def runs(self, dag_id: str, **query: Any) -> list[dict[str, Any]]:
        return list(self.get(f"dags/{dag_id}/dagRuns", **query)["dag_runs"])

    def end(self, dag_id: str, run_id: str, timeout_s: float = PATIENCE_S) -> str:
        """Wait for a run's end; its state."""

        def ended() -> str | None:
            state: str = self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
            return state if state in ("success", "failed") else None

        return self.wait_for(f"end of {run_id}", ended, timeout_s)

    def succeed(self, dag_id: str, run_id: str) -> None:
        """Wait for a run's success; where it fails, its tasks' logs are the message."""
        if self.end(dag_id, run_id) != "success":
            tasks = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
            failed = [(task["task_id"], task["try_number"]) for task in tasks if task["state"] == "failed"]
            pytest.fail("\n".join(self.log(dag_id, run_id, task_id, attempt) for task_id, attempt in failed))

    def reach(self, dag_id: str, run_id: str, task_id: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait for a task's success."""

        def ended() -> str | None:
            state: str = self.task(dag_id, run_id, task_id)["state"]
            return state if state in ("success", "failed", "upstream_failed") else None

        state = self.wait_for(f"the end of {task_id} of {run_id}", ended, timeout_s)
        assert state == "success", self.log(dag_id, run_id, task_id)

    def stop(self, dag_id: str, run_id: str) -> None:
        """Mark a run as failed, as people do in the UI."""
        answer = self.api.patch(f"{self.address.url}/api/v2/dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})
        assert answer.ok, answer.text

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        return dict(self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"))

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """What the UI shows of a task's attempt, messages of exceptions included."""
        path = f"{self.address.url}/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        answer = self.api.get(path, headers={"Accept": "application/x-ndjson"})
        lines = []
        for line in map(json.loads, answer.text.splitlines()):
            lines.append(line.get("event", ""))
            lines += [f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []]
        return "\n".join(lines)

    def read(self, path: str) -> bytes:
        with self.hdfs.read(f"/chromapress/{path}") as reader:
            return bytes(reader.read())

    def ls(self, path: str) -> list[str]:
        found = self.hdfs.status(f"/chromapress/{path}", strict=False)
        return sorted(self.hdfs.list(f"/chromapress/{path}")) if found else []

    def published(self, dataset: str) -> list[str]:
        """The partitions that readers find."""
        return [
            part for part in self.ls(f"{dataset}/published") if "_CURRENT" in self.ls(f"{dataset}/published/{part}")
        ]

    def config(self, dataset: str, partition: str, run_id: str) -> DatasetConfig:
        """The configuration with which a run has worked."""
        path = DatasetPaths("", dataset).partition(partition).run(run_id).config
        return DatasetConfig.model_validate_json(self.read(path.lstrip("/")))

    def run_json(self, dataset: str, partition: str) -> dict[str, Any]:
        """What is told about the version that readers find."""
        base = f"{dataset}/published/{partition}"
        return dict(json.loads(self.read(f"{base}/{self.read(f'{base}/_CURRENT').decode().strip()}/run.json")))


def picture(seed: int) -> bytes:
    """A PNG of 64 x 48 pixels, smooth and with some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:48, 0:64]
    smooth = np.stack([4 * x, 5 * y, 2 * (x + y)], axis=-1)
    content = io.BytesIO()
    Image.fromarray((smooth + rng.integers(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="package")
def environment() -> Iterator[None]:
    """What Airflow's processes inherit, those that a test starts anew too; other tests do not."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="package")
def airflow(environment: None, home: Home, hdfs: HdfsAddress) -> Iterator[stack_airflow.Address]:
    """A running Airflow on that HDFS."""
    try:
        spark.make_archives(print)
        stack_airflow.prepare(home)
        control.up(home, stack_airflow.services(home), print)
        stack_airflow.make_pool(home)
        yield stack_airflow.address(home)
    finally:
        control.down(home, stack_airflow.ROLES[::-1], print)


@pytest.fixture(scope="package")
def pipeline(airflow: stack_airflow.Address, hdfs: HdfsAddress) -> Iterator[Pipeline]:
    with requests.Session() as api:
        api.headers["Authorization"] = f"Bearer {stack_airflow.log_in(airflow)}"
        yesterday = f"dt={datetime.now(UTC).date() - timedelta(days=1)}"
        client = InsecureClient(hdfs.webhdfs, user=hdfs.user)
        yield Pipeline(airflow, api, client, Path(_DATASETS.name), yesterday)
        client._session.close()
