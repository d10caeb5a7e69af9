"""Where this Airflow's datasets, jobs and files are: the section [chromapress] of Airflow's configuration.

Every key has a default that fits a checkout; in the environment they are AIRFLOW__CHROMAPRESS__ROOT and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow.sdk.configuration import conf

from chromapress.paths import DEFAULT_ROOT

SECTION: Final = "chromapress"
_DAGS: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Estate:
    """What the DAGs must know of their surroundings."""

    root: str  # the directory of all datasets in HDFS
    filesystem: str  # what HDFS is called, as fs.defaultFS says it: a part of the assets' names
    datasets_folder: Path
    jobs_folder: Path
    # Before a first retry, and between two looks at the landing zone. In less than ten seconds the scheduler may take
    # the end of one look for the death of the next.
    retry_delay_seconds: float


def read_estate() -> Estate:
    """The estate that Airflow's configuration describes."""
    return Estate(
        root=conf.get(SECTION, "root", fallback=DEFAULT_ROOT).rstrip("/"),
        filesystem=conf.get(SECTION, "filesystem", fallback="hdfs://localhost:8020").rstrip("/"),
        datasets_folder=Path(conf.get(SECTION, "datasets_folder", fallback=str(_DAGS / "datasets"))),
        jobs_folder=Path(conf.get(SECTION, "jobs_folder", fallback=str(_DAGS.parent / "jobs"))),
        retry_delay_seconds=conf.getfloat(SECTION, "retry_delay_seconds", fallback=60.0),
    )
