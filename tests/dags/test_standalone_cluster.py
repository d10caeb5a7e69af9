"""A stage on more than one machine's worth of processes: a standalone Spark cluster, one of whose workers dies."""

import io
import json
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException
from dataset_run import Dataset
from PIL import Image
from stage_operator import IngestOperator, StageOperator

from chromapress.config import DatasetConfig
from chromapress.paths import DatasetPaths
from stack import spark_cluster
from stack.process import family, running, signal_all

JOBS = Path(__file__).parents[2] / "jobs"
RUN_ID = "run"
PARTITION = DatasetPaths("/chromapress", "scans").partition("dt=2026-11-23")
# As many parts as files: enough for the stage to be in its middle for seconds.
FILES = 90
CONFIG = DatasetConfig.model_validate({"execution": {"executor_memory": "512m", "partitions": FILES}})


@pytest.fixture
def operator(monkeypatch):
    """Makes the operator of a stage, for a Spark connection."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")

    def make(kind, stage, connection):
        monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
        dataset = Dataset("scans", CONFIG, "/chromapress")
        return kind(stage=stage, dataset=dataset, jobs_folder=JOBS, retry_delay=timedelta(seconds=30))

    return make


def context():
    dag_run = SimpleNamespace(
        run_id=RUN_ID, partition_key="2026-11-23", logical_date=None, run_after=datetime(2026, 11, 24, tzinfo=UTC)
    )
    return {"dag_run": dag_run, "params": {}, "ti": SimpleNamespace(xcom_push=lambda key, value: None)}


def picture(seed: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (90, 120, 3), np.uint8)).save(content, "PNG")
    return content.getvalue()


def kill_in_the_middle(client, home, worker: str, ended: threading.Event) -> None:
    """Wait until parts of ingest's are being written; then kill a worker with its executor."""
    parts = f"{PARTITION.run(RUN_ID).base}/_aside-ingested"
    while client.status(parts, strict=False) is None:
        if ended.wait(0.1):
            return
    signal_all(family(running(home, worker).pid), signal.SIGKILL)


def test_a_stage_outlives_a_worker_that_is_killed_in_its_middle(standalone, client, operator, monkeypatch):
    for name, value in spark_cluster.environment(standalone).items():
        monkeypatch.setenv(name, value)
    for seed in range(FILES):
        client.write(f"{PARTITION.landing}/{seed}.png", picture(seed))
    connection = spark_cluster.connection(standalone)
    # No task before all three are there: one that dies before it was known is not missed.
    connection["extra"]["conf"] = {
        "spark.cores.max": str(len(spark_cluster.WORKERS)),
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "500s",
    }
    ingest = operator(IngestOperator, "ingest", connection)
    ended = threading.Event()
    killer = threading.Thread(target=kill_in_the_middle, args=(client, standalone, spark_cluster.WORKERS[0], ended))
    killer.start()
    try:
        ingest.execute(context())
    finally:
        ended.set()
        killer.join()
        ingest._hook._submit_sp.stdout.close()
    assert running(standalone, spark_cluster.WORKERS[0]) is None
    assert any("Lost executor" in line for line in ingest._hook._last_submit_log_lines)
    parts = [name for name in client.list(PARTITION.run(RUN_ID).stage("ingest")) if name.endswith(".parquet")]
    rows = []
    for name in parts:
        with client.read(f"{PARTITION.run(RUN_ID).stage('ingest')}/{name}") as file:
            table = pq.read_table(io.BytesIO(file.read()), columns=["relative_path", "outcome"])
        rows += zip(table["relative_path"].to_pylist(), table["outcome"].to_pylist(), strict=True)
    assert sorted(rows) == sorted((f"{seed}.png", None) for seed in range(FILES))


def test_a_standalone_cluster_is_not_handed_a_driver_in_python(operator):
    connection = {"conn_type": "spark", "host": "spark://localhost:7077", "extra": {"deploy-mode": "cluster"}}
    quantize = operator(StageOperator, "quantize", connection)
    with pytest.raises(AirflowFailException, match="deploy-mode: expected client, got cluster") as raised:
        quantize.execute(context())
    assert "spark_default" in str(raised.value)
