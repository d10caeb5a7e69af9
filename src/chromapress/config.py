"""A dataset's configuration: one YAML file, one schema.

The models below are the whole of it: they check the YAML at parse, in `chromapress datasets check` and when a run
starts, and their JSON schema is what Airflow's trigger form is made of, so that the three cannot differ. Data, never a
language: every key has a default, an unknown key is an error.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Rule = Literal["silhouette_floor", "silhouette", "quality", "fixed"]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]

DATASET_NAME: Final = r"[a-z0-9][a-z0-9_-]{0,62}"
PARTITION: Final = r"(dt=\d{4}-\d{2}-\d{2}|upload=[A-Za-z0-9-]{1,64})"


class ConfigError(ValueError):
    """A configuration that will not do; the message names file, key, value and what was expected."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Source(_Section):
    uri: str = Field(
        "landing",
        min_length=1,
        description="Where images come from: 'landing' (the dataset's landing partition in HDFS) or a directory URI.",
    )
    layout: Literal["files", "parquet"] = Field(
        "files",
        description="Images land as files, or packed: Parquet files with the columns relative_path and content, as "
        "publish.layout 'parquet' makes them.",
    )
    ready_marker: str | None = Field(
        None, pattern=r"^[^/]+$", description="Wait until this file is in the partition too, such as _READY."
    )
    wait_timeout_minutes: int = Field(120, ge=1, le=10_080, description="Give up when nothing has landed by then.")


class Palette(_Section):
    scope: Literal["image", "folder", "dataset"] = Field(
        "image", description="One palette for each image, for each folder of images, or for all of them."
    )
    rule: Rule = Field("silhouette_floor", description="How the number of colours k is chosen.")
    k: int = Field(256, ge=2, le=256, description="The number of colours of rule 'fixed'.")
    candidates: tuple[Annotated[int, Field(ge=2, le=256)], ...] = Field(
        (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256),
        description="The numbers of colours that the other rules try, ascending. Empty, with 'fixed': none are.",
        strict=False,
    )
    tolerance: float = Field(
        0.02, ge=0, le=2, description="Rule 'silhouette_floor' takes the smallest k this close to the best silhouette."
    )
    least_area_percent: float = Field(
        0.4, ge=0, le=50, description="A flat colour counts, for 'silhouette_floor', from this share of the image on."
    )
    least_distance: float = Field(
        16, ge=1, le=128, description="Flat colours that are nearer to each other, in levels of 255, count as one."
    )
    color_space: Literal["srgb", "oklab"] = Field("srgb", description="Where colour distances are measured.")
    dither: float = Field(0.0, ge=0, le=1, description="Floyd-Steinberg dithering, 0 (none) to 1 (full).")
    protected: tuple[Color, ...] = Field(
        # Three entries stay free, for transparent and translucent pixels and the opaque ones beside them.
        (),
        max_length=253,
        description="Colours (#rrggbb) that every palette holds exactly.",
        strict=False,
    )

    @field_validator("candidates")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("must ascend, each number once")
        return value

    @model_validator(mode="after")
    def _something_to_choose_from(self) -> Palette:
        if not self.candidates and self.rule != "fixed":
            raise ValueError(f"candidates is empty, which rule 'fixed' alone allows, not '{self.rule}'")
        return self

    @model_validator(mode="after")
    def _room_for_protected(self) -> Palette:
        if len(self.protected) > self.largest_k:
            raise ValueError(f"protected holds {len(self.protected)} colours, more than the {self.largest_k} allowed")
        return self

    @property
    def largest_k(self) -> int:
        """The most colours that the rule allows: k if fixed, else the largest candidate."""
        return self.k if self.rule == "fixed" else self.candidates[-1]

    @property
    def needs_histograms(self) -> bool:
        """Whether colours are to be known before they are quantized: not for a k that is fixed, with no candidates."""
        return bool(self.candidates) or self.scope != "image"

    @property
    def keeps_floor(self) -> bool:
        """Whether the rule promises the quality floor: 'fixed' and 'silhouette' do not."""
        return self.rule in ("silhouette_floor", "quality")


class Quality(_Section):
    min_psnr_db: float | None = Field(32, ge=1, le=100, description="The floor of PSNR in dB; empty: none.")
    max_delta_e: float | None = Field(
        None, gt=0, le=100, description="The largest 95th percentile of CIEDE2000 colour differences; empty: none."
    )
    min_ssim: float | None = Field(None, ge=0, le=1, description="The floor of SSIM; empty: none.")
    on_unreachable: Literal["keep", "highest", "reject"] = Field(
        "keep", description="What an image gets that no allowed k brings to the floor."
    )

    @field_validator("min_psnr_db", "max_delta_e", "min_ssim", mode="before")
    @classmethod
    def _whole_numbers_too(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Compression(_Section):
    codec: Literal["png", "webp", "auto"] = Field(
        "png",
        description="The format of the palette files; WebP (lossless) has at most 16383 pixels a side: above, PNG. "
        "Auto: the smallest that keeps the floor of both and of lossy WebP and AVIF.",
    )
    effort: int = Field(5, ge=1, le=9, description="1 is the fastest, 9 gives the smallest files.")
    rdo: float = Field(
        0.0,
        ge=0,
        le=2,
        description="Choose pixels' colours for small files too: 0 (off), 0.2 (hardly seen) to 2 (coarse).",
    )
    min_saving_percent: float = Field(
        5, ge=0, le=100, description="A file that saves less than this is not worth its change."
    )
    on_larger: Literal["keep", "publish"] = Field(
        "keep", description="Where it is not worth it: keep the source, or publish the new file all the same."
    )


class Publish(_Section):
    layout: Literal["files", "parquet"] = Field(
        "files", description="Mirror the landing tree, or pack the images into few block-sized Parquet files."
    )
    keep_versions: int = Field(3, ge=1, le=1000, description="Published versions kept for each partition.")
    retention_days: int = Field(7, ge=0, le=3650, description="Days that the stages of past runs are kept.")


class Limits(_Section):
    max_pixels: int = Field(100_000_000, ge=1, le=1_000_000_000, description="An image of more is rejected.")
    max_bytes: int = Field(200_000_000, ge=1, le=1_000_000_000, description="A file of more is rejected.")
    max_rejected_percent: float = Field(5, ge=0, le=100, description="Nothing is published when more are rejected.")


class Execution(_Section):
    retries: int = Field(3, ge=0, le=20, description="Times that a stage is tried again after a fault that may heal.")
    timeout_minutes: int = Field(120, ge=1, le=10_080, description="The longest that one stage may take.")
    executor_memory: str = Field("3g", pattern=r"^[1-9]\d*[mg]$", description="Spark's memory for each executor.")
    partitions: int | None = Field(
        None, ge=1, le=100_000, description="Parts that a run is cut into; empty: by the size of the input."
    )
    one_session_up_to: int = Field(
        0, ge=0, le=10_000, description="Up to so many files go through all stages in one Spark session; 0: never."
    )


class DatasetConfig(_Section):
    """The configuration of one dataset, checked."""

    description: str = Field("", description="What the dataset is, for the people who see its DAG.")
    owner: str = Field("chromapress", min_length=1, description="Who answers for the dataset.")
    schedule: str | None = Field(None, description="Cron: the run processes the day before; empty: by hand only.")
    timezone: str = Field("UTC", description="The time zone of the schedule and of the days.")
    source: Source = Source()
    palette: Palette = Palette()
    quality: Quality = Quality()
    compression: Compression = Compression()
    publish: Publish = Publish()
    limits: Limits = Limits()
    execution: Execution = Execution()

    @model_validator(mode="after")
    def _rdo_without_dither(self) -> DatasetConfig:
        if self.compression.rdo > 0 and self.palette.dither > 0:
            raise ValueError("compression.rdo and palette.dither exclude each other: one of them must be 0")
        return self

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None and (len(value.split()) != 5 or not croniter.is_valid(value)):
            raise ValueError("must be a cron expression of five fields, such as 0 2 * * *")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("must be a time zone's name, such as UTC or Europe/Berlin") from None
        return value

    def canonical_json(self) -> str:
        """Everything, in one spelling."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def result_json(self) -> str:
        """What the published bytes depend on, in one spelling: neither the schedule nor the number of partitions."""
        whole = self.model_dump(mode="json")
        parts = {name: whole[name] for name in ("palette", "quality", "compression", "limits")}
        return json.dumps({**parts, "layout": self.publish.layout}, sort_keys=True, separators=(",", ":"))


# What a run can be given, section by section; the rest belongs to the DAG, not to a run of it.
RUN_SECTIONS: Final = ("source", "palette", "quality", "compression", "publish", "limits", "execution")
_DAG_ONLY: Final = ("source.wait_timeout_minutes", "execution.retries", "execution.timeout_minutes")


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML takes the last of two equal keys in silence; a configuration had better not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key, (key_node, _) in zip(keys, node.value, strict=True):
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
        return super().construct_mapping(node, deep)


def load(path: Path) -> DatasetConfig:
    """The configuration in a YAML file; ConfigError names the file and all that is wrong in it."""
    if not re.fullmatch(DATASET_NAME, path.stem):
        raise ConfigError(f"{path}: a dataset's name is lower-case letters, digits, - and _, but not {path.stem!r}")
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return parse({} if data is None else data, str(path))


def parse(data: object, where: str) -> DatasetConfig:
    """The configuration in a mapping of its sections; `where` is named in the ConfigError."""
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping of keys, got {type(data).__name__}")
    try:
        return DatasetConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{where}: {_told(item)}" for item in error.errors())) from None


def _told(item: Any) -> str:
    """One of pydantic's errors as: key: what was expected, got value."""
    key = ".".join(str(part) for part in item["loc"]) or "the file"
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key (got {item['input']!r})"
    message = item["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, got {item['input']!r}"


def run_parameters(config: DatasetConfig) -> dict[str, dict[str, Any]]:
    """What a run of the dataset can be given: {"palette.k": JSON schema with default, title and description}."""
    schema = DatasetConfig.model_json_schema(mode="validation")
    values = config.model_dump(mode="json")
    parameters = {}
    for section in RUN_SECTIONS:
        properties = schema["$defs"][section.capitalize()]["properties"]
        for key, spec in properties.items():
            name = f"{section}.{key}"
            if name not in _DAG_ONLY:
                parameters[name] = _flat(spec) | {"default": values[section][key], "title": name}
    return parameters


def _flat(spec: dict[str, Any]) -> dict[str, Any]:
    """Pydantic's spellings as those that forms can show: a choice of one as enum, or-null as a list of types."""
    if "const" in spec:
        return {key: value for key, value in spec.items() if key != "const"} | {"enum": [spec["const"]]}
    if "anyOf" not in spec:
        return dict(spec)
    some, _null = spec["anyOf"]
    rest = {key: value for key, value in spec.items() if key != "anyOf"}
    return {**rest, **some, "type": [some["type"], "null"]}


def with_parameters(config: DatasetConfig, parameters: dict[str, Any], where: str) -> DatasetConfig:
    """The configuration of one run: the dataset's with what the run was given (names as in run_parameters)."""
    allowed = run_parameters(config)
    data = config.model_dump(mode="json")
    for name, value in parameters.items():
        if name not in allowed:
            raise ConfigError(f"{where}: {name}: unknown parameter (got {value!r})")
        section, key = name.split(".")
        data[section][key] = value
    return parse(data, where)


def partition_of_key(key: str, where: str) -> str:
    """The partition that Airflow's partition key of a run means: a day's key is its date, an upload's upload=<id>."""
    return check_partition(key if key.startswith("upload=") else f"dt={key}", where)


def check_partition(partition: str, where: str) -> str:
    """The partition's name if it is one (dt=2026-11-23 or upload=<id>), else ConfigError."""
    if not re.fullmatch(PARTITION, partition):
        raise ConfigError(f"{where}: partition: expected dt=<year>-<month>-<day> or upload=<id>, got {partition!r}")
    if partition.startswith("dt="):
        try:
            date.fromisoformat(partition.removeprefix("dt="))
        except ValueError:
            raise ConfigError(f"{where}: partition: there is no such day: {partition!r}") from None
    return partition
