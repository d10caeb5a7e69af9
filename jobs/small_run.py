"""All five stages of a small run in one Spark session: for a few images, most of a stage is the start of its JVM.

The task of ingest submits this instead of ingest.py, for datasets that have execution.one_session_up_to. It is no other
way of the data: the same bodies do the same in the same order, and each leaves its own directory whole or not at all.
Beside it, a stage that was done here leaves a mark, by which its own task knows that there is nothing left to do. How
this job ends is ingest's word alone: where a later stage fails, its own task does it again, and tells.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Final

import compress
import ingest
import publish
import quantize
import select_k
from lake import Body, GateError, Run, end_stage, read_facts, run_stage, sentence
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import SparkContext
from pyspark.errors import PySparkException

LATER: Final[Mapping[str, Body]] = {
    "select_k": select_k.body,
    "quantize": quantize.body,
    "compress": compress.body,
    "publish": publish.body,
}


def go_on(context: SparkContext, run: Run) -> None:
    """The stages after ingest, if few enough files have landed, as far as they succeed."""
    if read_facts(run, "ingest")["images"] > run.config.execution.one_session_up_to:
        return
    for stage, body in LATER.items():
        started = time.time()
        try:
            facts = body(context, run)
        except (GateError, OSError, PySparkException, Py4JError) as error:
            print(f"{stage} is left to its own task: {sentence(error)}", file=sys.stderr)
            return
        end_stage(run, stage, started, facts)
        run.store.write(run.paths.done_ahead(stage), b"")


if __name__ == "__main__":
    sys.exit(run_stage("ingest", sys.argv[1:], ingest.body, go_on))
