"""How a job tells its end to a task that cannot see its process."""

from __future__ import annotations

import json

from pyspark.sql import SparkSession

from chromapress.paths import DatasetPaths
from chromapress.storage import hdfs


def test_a_refusal_is_left_in_the_runs_folder(spark: SparkSession, capsys) -> None:
    import lake

    argv = ["--root", "/ends", "--dataset", "set", "--partition", "dt=2026-11-23", "--run", "run"]
    code = lake.run_stage("select_k", argv, lambda _context, _run: {})
    run = DatasetPaths("/ends", "set").partition("dt=2026-11-23").run("run")
    sentence = f"there is no {run.config}: the stage ingest of this run has not been done"
    assert code == 64
    assert json.loads(hdfs().read(run.end("select_k"))) == {"code": code, "error": sentence}
    assert capsys.readouterr().err.endswith(f"chromapress: error: {sentence}\n")
