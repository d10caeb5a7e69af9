"""The stages as Airflow tasks: each one spark-submit of jobs/<stage>.py, or for small runs the first one's for all.

Where drivers and executors run is the Spark connection's word.

A stage tells by its exit code what became of it, and in its last line why; this module turns both into the exceptions
that Airflow knows: fail at once, try again later, wait without a slot. Of a driver that runs in the cluster
(deploy-mode cluster) neither comes back: the stage has left them in the run's folder.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from airflow.providers.apache.hdfs.hooks.webhdfs import WebHDFSHook
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset, timezone
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException
from dataset_run import Dataset, DatasetRun, read_run
from gallery_link import GalleryLink
from namenode import NameNodeAwayError, find, read, webhdfs
from partition_lock import held_by_another

from chromapress.config import DatasetConfig
from chromapress.paths import STAGES

# The jobs' exit codes, as sysexits.h has them: usage, data, temporary failure.
BAD_CONFIGURATION: Final = 64
BAD_DATA: Final = 65
LOCKED: Final = 75

# The job that goes through all stages in one Spark session (jobs/small_run.py).
SMALL_RUN: Final = "small_run"

ERROR_LINE: Final = "chromapress: error: "
# The name under which a task that fails for good leaves its sentence, for the portal to show.
REASON: Final = "reason"
# Where Spark's last words begin, and the lines among them that name an error.
_LAST_WORDS: Final = re.compile(r"Traceback \(most recent call last\)|Exception in thread")
_SPARK_ERROR: Final = re.compile(r"(?:Error: |Exception in thread|Caused by: |:? ?[\w.$]+(?:Exception|Error): )")
_NO_MASTER: Final = "All masters are unresponsive"
# The hook keeps 20 lines; the stack traces of the JVM's end are longer.
_LINES_KEPT: Final = 2000

# Of a task whose process is killed, spark-submit must not go on: it would write beside that of the next try.
_ENDS_WITH_ITS_TASK: Final = ("setpriv", "--pdeathsig", "TERM")

# What a job does with memory and tables is its own; this is how it is run. A NameNode may be away for about a minute
# (60 tries, a second apart): its restart is survived, a wrong address does not hang for ever.
_SPARK_CONF: Final = {
    "spark.log.level": "WARN",
    "spark.hadoop.dfs.client.retry.policy.enabled": "true",
    "spark.hadoop.dfs.client.retry.policy.spec": "1000,60",
    # A driver on YARN that has failed is started again by Airflow, if at all.
    "spark.yarn.maxAppAttempts": "1",
}
# What the Spark connection adds to it: an object of Spark's settings, for all stages alike.
_CONNECTION_CONF: Final = "conf"


class StageOperator(SparkSubmitOperator):
    """One stage of a dataset.

    Everything that depends on the run is set when it executes, and nothing is a template: what people type into the
    trigger form reaches the job as it was typed.
    """

    template_fields: Sequence[str] = ()

    def __init__(
        self,
        *,
        stage: str,
        dataset: Dataset,
        jobs_folder: Path,
        webhdfs_conn_id: str = WebHDFSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(task_id=stage, application=str(jobs_folder / f"{stage}.py"), **kwargs)
        self.stage = stage
        self.dataset = dataset
        self.jobs_folder = jobs_folder
        self.webhdfs_conn_id = webhdfs_conn_id

    def execute(self, context: Any) -> None:
        """Run the job; its failure as the exception that its exit code asks for."""
        run = read_run(self.dataset, context)
        if self._is_done(run):
            self.log.info("%s was done in the Spark session of %s", self.stage, SMALL_RUN)
            self._after(run, context)
            self._forget(run)
            return
        self._before(run, context)
        job = self._job(run, context)
        self.application = str(self.jobs_folder / f"{job}.py")
        self.name = f"chromapress {self.dataset.name} {run.partition} {job}"
        self.conf = _SPARK_CONF | {"spark.executor.memory": run.config.execution.executor_memory}
        self.py_files = ",".join(modules_beside(self.jobs_folder, job)) or None
        self.application_args = self._arguments(run)
        try:
            super().execute(context)
        except (AirflowException, RuntimeError) as error:
            # RuntimeError is what the provider makes of a driver that has failed in the cluster.
            failure = self._failure(error, run, context)
            if isinstance(failure, AirflowFailException):
                context["ti"].xcom_push(REASON, str(failure))
            raise failure from None
        self._after(run, context)
        if (states := context.get("task_state_store")) is not None:
            # The driver that has done it must not be found again: a task that is cleared is there to be done again.
            states.clear()

    def submit_job(self, context: Any) -> str | None:
        """Hand a new driver to the cluster. What the last one has left as its end is not this one's."""
        with webhdfs(self.webhdfs_conn_id) as client:
            client.delete(read_run(self.dataset, context).run_paths.end(self.stage))
        return super().submit_job(context)

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        submit = [*_ENDS_WITH_ITS_TASK, hook._connection["spark_binary"]]
        hook._get_spark_binary_path = lambda: list(submit)  # type: ignore[method-assign]
        hook._last_submit_log_lines = deque(maxlen=_LINES_KEPT)
        hook._conf = hook._conf | hook.get_connection(self._conn_id).extra_dejson.get(_CONNECTION_CONF, {})
        if hook._connection["master"].startswith("local"):
            # There the driver does the executors' work, and the memory meant for them is its own.
            hook._driver_memory = hook._conf["spark.executor.memory"]
        if hook._connection["deploy_mode"] == "cluster":
            self._follow_driver(hook)
        return hook

    def _follow_driver(self, hook: SparkSubmitHook) -> None:
        """Let the task ask the cluster for its driver: so that another process can take over when this one dies."""
        if hook._connection["master"].startswith("spark://"):
            raise AirflowFailException(
                f"connection {self._conn_id}: deploy-mode: expected client, got cluster, "
                "which a standalone Spark cluster refuses for drivers in Python"
            )
        hook._yarn_track_via_rm_api = hook._is_yarn
        if hook._is_kubernetes:
            # The provider looks for the pod's name among lines that Spark prints only when asked to say more, and finds
            # it there only in a namespace that is called spark.
            hook._kubernetes_driver_pod = f"chromapress-{uuid4()}"
            hook._conf["spark.kubernetes.driver.pod.name"] = hook._kubernetes_driver_pod
            hook._track_driver_via_k8s_api = True
            hook._validate_track_driver_via_k8s_api_config()

    def _arguments(self, run: DatasetRun) -> list[str]:
        arguments = ["--root", self.dataset.root, "--dataset", self.dataset.name]
        return [*arguments, "--partition", run.partition, "--run", run.run_id]

    def _is_done(self, run: DatasetRun) -> bool:
        """Whether the stage was done ahead of its task, in the session of a small run."""
        if not run.config.execution.one_session_up_to:
            return False
        with webhdfs(self.webhdfs_conn_id) as client:
            return find(client, run.run_paths.done_ahead(self.stage)) is not None

    def _forget(self, run: DatasetRun) -> None:
        """Take the mark away: a task that is cleared is there to be done again."""
        with webhdfs(self.webhdfs_conn_id) as client:
            client.delete(run.run_paths.done_ahead(self.stage))

    def _job(self, run: DatasetRun, context: Any) -> str:
        """The job to submit."""
        return self.stage

    def _before(self, run: DatasetRun, context: Any) -> None:
        """What is to be seen before Spark is started."""

    def _after(self, run: DatasetRun, context: Any) -> None:
        """What is left to do when the job has succeeded."""

    def _failure(self, error: Exception, run: DatasetRun, context: Any) -> Exception:
        hook = self._hook
        code, reason = (None, None) if hook is None else self._end(hook, run)
        if hook is None or code is None:
            return error
        if code in (BAD_CONFIGURATION, BAD_DATA):
            return AirflowFailException(
                reason or f"{self.stage} refuses its input with exit code {code}, without a word"
            )
        if code == LOCKED:
            return self._wait(reason or "the partition is locked by another run", run.config, context)
        if reason:
            return AirflowException(reason)
        lines = list(hook._last_submit_log_lines)
        master = f"{hook._connection['master']} (connection {self._conn_id})"
        if any(_NO_MASTER in line for line in lines):
            return AirflowException(f"{self.stage}: the Spark master {master} does not answer")
        said = spark_error(lines) or "it gave no reason"
        return AirflowException(f"{self.stage}: spark-submit ended with {_told(code)} on master {master}: {said}")

    def _end(self, hook: SparkSubmitHook, run: DatasetRun) -> tuple[int | None, str | None]:
        """The exit code and the last sentence of the job, as far as they are known."""
        if hook._submit_sp is not None and hook._submit_sp.returncode:
            return hook._submit_sp.returncode, job_error(list(hook._last_submit_log_lines))
        if hook._connection["deploy_mode"] != "cluster":
            return None, None
        try:
            with webhdfs(self.webhdfs_conn_id) as client:
                end = json.loads(read(client, run.run_paths.end(self.stage)))
        except (FileNotFoundError, NameNodeAwayError):
            # The driver had no time to leave it, or it cannot be asked for: what is known is what the cluster says.
            return None, None
        return end["code"], end["error"]

    def _wait(self, reason: str, config: DatasetConfig, context: Any) -> AirflowException:
        """Come back later, holding no slot, as long as the dataset waits for its images too."""
        limit = timedelta(minutes=config.source.wait_timeout_minutes)
        now = timezone.utcnow()
        first = context["ti"].get_first_reschedule_date(context) or now
        if now - first > limit:
            return AirflowFailException(f"{reason}; waited {limit} for it")
        self.log.info("%s; looking again in %s", reason, self.retry_delay)
        return AirflowRescheduleException(now + self.retry_delay)


class IngestOperator(StageOperator):
    """The first stage, which takes the lock and is handed the run's configuration; the later ones read what it left."""

    def _before(self, run: DatasetRun, context: Any) -> None:
        with webhdfs(self.webhdfs_conn_id) as client:
            holder = held_by_another(run, client, context)
        if holder:
            raise self._wait(holder, run.config, context)

    def _is_done(self, run: DatasetRun) -> bool:
        return False

    def _job(self, run: DatasetRun, context: Any) -> str:
        # Where a first try has failed, whatever it was doing, each stage is tried by itself.
        in_one_session = run.config.execution.one_session_up_to > 0 and context["ti"].try_number == 1
        return SMALL_RUN if in_one_session else self.stage

    def _arguments(self, run: DatasetRun) -> list[str]:
        return [*super()._arguments(run), "--config", run.config.canonical_json()]


class PublishOperator(StageOperator):
    """The last stage; the event of its asset says what was published, and where."""

    operator_extra_links = (GalleryLink(),)

    def __init__(self, *, asset: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset

    def _after(self, run: DatasetRun, context: Any) -> None:
        with webhdfs(self.webhdfs_conn_id) as client:
            # Not the current version: another run may have published since.
            version = json.loads(read(client, run.run_paths.facts("publish")))["version"]
            paths = run.paths.version(version)
            facts = json.loads(read(client, paths.run))
        counts = {key: facts[key] for key in ("images", "outcomes", "bytes_in", "bytes_out")}
        event = {"partition": run.partition, "version": version, "path": paths.base, **counts}
        context["outlet_events"][self.asset].extra = event
        self.log.info("published %s: %s", paths.base, json.dumps(counts))


def modules_beside(jobs_folder: Path, job: str) -> list[str]:
    """The modules that travel with a job: those in its folder that are no job; with a small run, the stages too."""
    left_out = {SMALL_RUN} if job == SMALL_RUN else {SMALL_RUN, *STAGES}
    return [str(path) for path in sorted(jobs_folder.glob("*.py")) if path.stem not in left_out]


def job_error(lines: Sequence[str]) -> str | None:
    """The sentence with which a job has ended, if it did."""
    told = [line.removeprefix(ERROR_LINE) for line in lines if line.startswith(ERROR_LINE)]
    return told[-1] if told else None


def spark_error(lines: Sequence[str]) -> str | None:
    """The line of Spark's own output that says most about its end: the innermost cause in its last stack trace."""
    start = max((i for i, line in enumerate(lines) if _LAST_WORDS.match(line)), default=0)
    told = [line for line in lines[start:] if _SPARK_ERROR.match(line)]
    causes = [line for line in told if line.startswith("Caused by: ")]
    return next(reversed(causes or told), "").lstrip(": ") or None


def _told(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
