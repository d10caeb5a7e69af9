"""Where everything is in HDFS: every path is spelled here and nowhere else.

<root>/<dataset>/landing/<partition>/<tree>
<root>/<dataset>/staging/<partition>/<file>        what is still being uploaded
<root>/<dataset>/work/<partition>/_lock/<n>
<root>/<dataset>/work/<partition>/<run>/config.json, <stage>.json, ingested/, selected/, quantized/, compressed/
<root>/<dataset>/work/<partition>/<run>/published/     while publish works
<root>/<dataset>/work/<partition>/<run>/_ahead/<stage>
<root>/<dataset>/published/<partition>/<version>/images/<tree>, manifest.parquet, report.html, run.json
<root>/<dataset>/published/<partition>/_CURRENT
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

DEFAULT_ROOT: Final = "/chromapress"
# The dataset of what people upload through the portal: its partitions are upload=<id>.
UPLOADS: Final = "uploads"

# A stage's verb and the noun of what it leaves behind, in the order of the data's way.
STAGES: Final = {
    "ingest": "ingested",
    "select_k": "selected",
    "quantize": "quantized",
    "compress": "compressed",
    "publish": "published",
}


@dataclass(frozen=True)
class DatasetPaths:
    """One dataset's directories."""

    root: str
    dataset: str

    @property
    def published(self) -> str:
        return f"{self.root}/{self.dataset}/published"

    @property
    def work(self) -> str:
        return f"{self.root}/{self.dataset}/work"

    @property
    def staging(self) -> str:
        return f"{self.root}/{self.dataset}/staging"

    def partition(self, partition: str) -> PartitionPaths:
        return PartitionPaths(self.root, self.dataset, partition)


@dataclass(frozen=True)
class PartitionPaths:
    """One partition's directories."""

    root: str
    dataset: str
    partition: str

    @property
    def landing(self) -> str:
        return f"{self.root}/{self.dataset}/landing/{self.partition}"

    @property
    def staging(self) -> str:
        """Where files are written until they are whole: no run ever looks here."""
        return f"{self.root}/{self.dataset}/staging/{self.partition}"

    @property
    def work(self) -> str:
        return f"{self.root}/{self.dataset}/work/{self.partition}"

    @property
    def lock(self) -> str:
        return f"{self.work}/_lock"

    @property
    def published(self) -> str:
        return f"{self.root}/{self.dataset}/published/{self.partition}"

    @property
    def current(self) -> str:
        return f"{self.published}/_CURRENT"

    def run(self, run_id: str) -> RunPaths:
        return RunPaths(f"{self.work}/{safe_run_id(run_id)}")

    def version(self, version: str) -> VersionPaths:
        return VersionPaths(f"{self.published}/{version}")


@dataclass(frozen=True)
class RunPaths:
    """One run's directories."""

    base: str

    @property
    def config(self) -> str:
        return f"{self.base}/config.json"

    def stage(self, stage: str) -> str:
        """The directory that a stage leaves, such as ingested/."""
        return f"{self.base}/{STAGES[stage]}"

    def facts(self, stage: str) -> str:
        """When a stage ran, for run.json."""
        return f"{self.base}/{stage}.json"

    @property
    def ahead(self) -> str:
        """The directory of the marks of stages that were done ahead of their tasks."""
        return f"{self.base}/_ahead"

    def done_ahead(self, stage: str) -> str:
        """The mark that a stage was done in the first one's session; its own task takes it away."""
        return f"{self.ahead}/{stage}"

    def end(self, stage: str) -> str:
        """The exit code and the last sentence of a stage that refused to go on, for who cannot see its process."""
        return f"{self.base}/{stage}-end.json"


@dataclass(frozen=True)
class VersionPaths:
    """One published version's files."""

    base: str

    @property
    def images(self) -> str:
        return f"{self.base}/images"

    @property
    def manifest(self) -> str:
        return f"{self.base}/manifest.parquet"

    @property
    def report(self) -> str:
        return f"{self.base}/report.html"

    @property
    def run(self) -> str:
        return f"{self.base}/run.json"


def safe_run_id(run_id: str) -> str:
    """The run's id as one name in HDFS, which refuses ':'; different ids stay different."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "-", run_id)
    if safe == run_id and not safe.startswith(("_", ".")):
        return safe
    return f"run-{safe}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"
