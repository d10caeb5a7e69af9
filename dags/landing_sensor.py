"""Waiting for a partition: until its images have landed, and no other run holds it.

It looks, and if it is too early gives its slot back until the next look. HDFS away is a reason to wait like any other.
"""

from __future__ import annotations

from typing import Any, Final

from airflow.providers.apache.hdfs.sensors.web_hdfs import WebHdfsSensor
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout
from dataset_run import Dataset, DatasetRun, read_run
from hdfs import HdfsError  # type: ignore[import-untyped]
from namenode import NameNodeAwayError, find, webhdfs
from partition_lock import held_by_another

LANDING: Final = "landing"
_DENIED: Final = "AccessControlException"


class LandingSensor(WebHdfsSensor):
    """Waits for the landing partition of a dataset's run, and for the lock on it."""

    def __init__(self, *, dataset: Dataset, **kwargs: Any) -> None:
        minutes = dataset.config.source.wait_timeout_minutes
        super().__init__(filepath="", mode="reschedule", timeout=minutes * 60, **kwargs)
        self.dataset = dataset
        self._missing = ""

    def execute(self, context: Any) -> Any:
        """As the sensor's, with a timeout that tells what was waited for."""
        try:
            return super().execute(context)
        except AirflowSensorTimeout:
            minutes = self.dataset.config.source.wait_timeout_minutes
            raise AirflowSensorTimeout(f"waited {minutes} minutes in vain: {self._missing}") from None

    def poke(self, context: Any) -> bool:
        run = read_run(self.dataset, context)
        missing = self._what_is_missing(run, context)
        if missing is None:
            return True
        self._missing = missing
        self.log.info("%s; looking again in %g s", missing, self.poke_interval)
        return False

    def _what_is_missing(self, run: DatasetRun, context: Any) -> str | None:
        """Why the run cannot go on yet, in one sentence."""
        try:
            with webhdfs(self.webhdfs_conn_id) as client:
                return self._not_landed(run, client) or held_by_another(run, client, context)
        except NameNodeAwayError as error:
            return str(error)
        except HdfsError as error:
            if error.exception == _DENIED:
                raise AirflowFailException(f"HDFS refuses: {error.message}") from None
            return f"HDFS says: {error.message}"

    def _not_landed(self, run: DatasetRun, client: Any) -> str | None:
        directory = landing_directory(run)
        if directory is None:
            self.log.info("%s is not in HDFS: nothing to wait for but the lock", run.config.source.uri)
            return None
        self.filepath = directory
        status = find(client, directory)
        if status is None or status["type"] != "DIRECTORY":
            return f"there is no directory {directory}"
        marker = run.config.source.ready_marker
        if marker is not None and find(client, f"{directory}/{marker}") is None:
            return f"{directory} is there, but its marker {marker} is not"
        return None


def landing_directory(run: DatasetRun) -> str | None:
    """Where in HDFS the run's images land; None if they come from elsewhere."""
    uri = run.config.source.uri
    if uri == LANDING:
        return run.paths.landing
    uri = uri.replace("{partition}", run.partition)
    if uri.startswith("hdfs://"):
        return "/" + uri.removeprefix("hdfs://").partition("/")[2]
    return uri if uri.startswith("/") else None
