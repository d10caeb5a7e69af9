"""What an administrator sets of the portal: keys of the section [chromapress] of Airflow's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from airflow.configuration import conf

from chromapress.config import ConfigError, DatasetConfig, load
from chromapress.paths import DEFAULT_ROOT, UPLOADS

SECTION: Final = "chromapress"
GIBIBYTE: Final = 1 << 30


class Registration(StrEnum):
    """Who may make themselves an account."""

    OPEN = "open"  # anyone, at once
    APPROVE = "approve"  # anyone; an administrator activates the account
    CLOSED = "closed"  # nobody: administrators make accounts


@dataclass(frozen=True)
class Settings:
    """The portal's configuration. Every key has a default that fits a checkout."""

    filesystem: str = "hdfs://localhost:8020"  # what HDFS is called, as fs.defaultFS says it
    root: str = DEFAULT_ROOT  # the directory of all datasets in HDFS
    base_url: str = "http://localhost:8080"  # Airflow's, as browsers see it; no slash at the end
    registration: Registration = Registration.APPROVE
    quota_bytes: int = 20 * GIBIBYTE  # of all uploads of a person
    quota_files: int = 200_000  # of all uploads of a person, those that were refused too
    datasets_folder: Path = Path("dags/datasets")  # where the datasets' YAML files are


def read_settings() -> Settings:
    """The settings that Airflow's configuration describes; a value that makes no sense is a ValueError."""
    default = Settings()
    registration = conf.get(SECTION, "registration", fallback=default.registration)
    if registration not in list(Registration):
        raise ValueError(f"[{SECTION}] registration is {registration!r}: expected {', '.join(Registration)}")
    return Settings(
        filesystem=conf.get(SECTION, "filesystem", fallback=default.filesystem).rstrip("/"),
        root=conf.get(SECTION, "root", fallback=default.root).rstrip("/"),
        base_url=conf.get("api", "base_url", fallback=default.base_url).rstrip("/"),
        registration=Registration(registration),
        quota_bytes=conf.getint(SECTION, "quota_bytes", fallback=default.quota_bytes),
        quota_files=conf.getint(SECTION, "quota_files", fallback=default.quota_files),
        datasets_folder=Path(
            conf.get(SECTION, "datasets_folder", fallback=f"{conf.get('core', 'dags_folder')}/datasets")
        ),
    )


def read_dataset(settings: Settings) -> DatasetConfig:
    """The configuration of the dataset `uploads`, as its YAML file is now; ConfigError."""
    path = settings.datasets_folder / f"{UPLOADS}.yaml"
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file, and without it no dataset '{UPLOADS}'")
    return load(path)
