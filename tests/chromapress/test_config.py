"""One schema for the YAML, the check and the trigger form."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chromapress.config import (
    ConfigError,
    DatasetConfig,
    check_partition,
    load,
    parse,
    run_parameters,
    with_parameters,
)

PARAMETERS = run_parameters(DatasetConfig())
# What two keys say of each other, or a key's items of each other, no JSON schema can say.
ACROSS = {"palette.candidates", "palette.protected"}


def written(tmp_path: Path, text: str, name: str = "maps.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")) == DatasetConfig()


def test_keys_are_read_from_their_sections(tmp_path: Path) -> None:
    config = load(
        written(tmp_path, "palette: {rule: fixed, k: 16}\nquality: {min_psnr_db: null}\nschedule: 0 2 * * *\n")
    )
    assert (config.palette.rule, config.palette.k) == ("fixed", 16)
    assert config.quality.min_psnr_db is None
    assert config.schedule == "0 2 * * *"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("palette: {colours: 3}", r"palette\.colours: unknown key \(got 3\)"),
        ("palette: {k: 300}", r"palette\.k: .*less than or equal to 256, got 300"),
        ("palette: {k: '16'}", r"palette\.k: .*integer, got '16'"),
        ("palette: {k: true}", r"palette\.k: .*integer, got True"),
        ("palette: {rule: best}", r"palette\.rule: .*'silhouette_floor', .*, got 'best'"),
        ("palette: {candidates: [8, 4]}", r"palette\.candidates: must ascend, each number once, got \[8, 4\]"),
        ("palette: {candidates: []}", r"palette: candidates is empty, which rule 'fixed' alone allows"),
        ("palette: {protected: ['red']}", r"palette\.protected\.0: .*got 'red'"),
        ("palette: {candidates: [2], protected: ['#000000', '#ffffff', '#ff0000']}", r"protected holds 3 colours"),
        ("quality: {min_psnr_db: .nan}", r"quality\.min_psnr_db: .*got nan"),
        ("quality: {min_psnr_db: true}", r"quality\.min_psnr_db: .*got True"),
        ("schedule: every day", r"schedule: must be a cron expression of five fields, .*got 'every day'"),
        ("schedule: 0 2 * * * *", r"schedule: must be a cron expression of five fields"),
        ("timezone: Berlin", r"timezone: must be a time zone's name, .*got 'Berlin'"),
        ("timezone: ../../etc/passwd", r"timezone: must be a time zone's name"),
        ("execution: {executor_memory: lots}", r"execution\.executor_memory: .*got 'lots'"),
        ("source: {ready_marker: a/b}", r"source\.ready_marker: .*got 'a/b'"),
        ("- palette", r"expected a mapping of keys, got list"),
        ("palette: {k: 3", r"not YAML"),
        ("palette: {k: 3}\npalette: {k: 4}", r"key 'palette' is given twice"),
        ("palette: {k: 3, k: 4}", r"key 'k' is given twice"),
    ],
)
def test_what_is_wrong_is_named_with_file_key_and_value(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=told) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, "palette: {k: 1}\nlimits: {max_pixels: 0}\nowner: ''\n"))
    assert len(str(error.value).splitlines()) == 3


def test_a_file_that_is_not_text_is_not_yaml(tmp_path: Path) -> None:
    path = tmp_path / "maps.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not YAML"):
        load(path)


@pytest.mark.parametrize("name", ["Maps.yaml", "_maps.yaml", "my maps.yaml", f"{'m' * 64}.yaml"])
def test_a_file_whose_name_is_no_dataset_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a dataset's name is lower-case letters"):
        load(written(tmp_path, "", name))


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not YAML"):
        load(written(tmp_path, "description: !!python/object/apply:os.getcwd []"))


def test_the_forms_defaults_are_the_datasets_configuration() -> None:
    config = parse({"palette": {"rule": "quality", "protected": ["#cc0000"]}, "quality": {"min_ssim": 0.9}}, "here")
    defaults = {name: schema["default"] for name, schema in run_parameters(config).items()}
    assert with_parameters(DatasetConfig(), defaults, "form") == config


def test_every_parameter_has_what_a_form_needs() -> None:
    for name, schema in PARAMETERS.items():
        assert schema["title"] == name
        assert schema["description"].endswith(".")
        jsonschema.validate(schema["default"], schema)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 1_000),
    st.floats(-10, 1_000).filter(lambda value: not value.is_integer()),
    st.text(max_size=5),
    st.sampled_from(
        ["image", "dataset", "fixed", "quality", "srgb", "oklab", "keep", "reject", "3g", "512m", "landing"]
    ),
    st.lists(st.integers(0, 300), max_size=4),
)


@given(st.sampled_from(sorted(set(PARAMETERS) - ACROSS)), values)
def test_the_form_and_the_yaml_accept_the_same(name: str, value: Any) -> None:
    form = jsonschema.Draft202012Validator(PARAMETERS[name]).is_valid(value)
    try:
        with_parameters(DatasetConfig(), {name: value}, "run")
        yaml = True
    except ConfigError as error:
        assert name in str(error)
        yaml = False
    assert form == yaml


def test_a_run_cannot_be_given_what_belongs_to_the_dag() -> None:
    for name in ("schedule", "execution.retries", "source.wait_timeout_minutes", "palette.colours"):
        assert name not in PARAMETERS
        with pytest.raises(ConfigError, match="unknown parameter"):
            with_parameters(DatasetConfig(), {name: 1}, "run")


def test_only_what_changes_the_bytes_is_in_the_versions_digest() -> None:
    plain = DatasetConfig()
    same = parse(
        {"schedule": "0 3 * * *", "owner": "maps", "execution": {"partitions": 3}, "publish": {"keep_versions": 9}}, "x"
    )
    other = parse({"palette": {"tolerance": 0.03}}, "x")
    assert plain.result_json() == same.result_json() != other.result_json()
    assert plain.canonical_json() != same.canonical_json()


@given(st.integers(1, 100), st.booleans())
def test_a_configuration_survives_json(k: int, with_floor: bool) -> None:
    config = parse({"palette": {"k": k + 1}, "quality": {"min_psnr_db": float(k) if with_floor else None}}, "x")
    assert DatasetConfig.model_validate_json(config.canonical_json()) == config


@pytest.mark.parametrize("partition", ["dt=2026-11-23", "dt=2024-02-29", "upload=3f9a-77"])
def test_partitions_are_days_and_uploads(partition: str) -> None:
    assert check_partition(partition, "run") == partition


@pytest.mark.parametrize(
    "partition", ["dt=2026-02-30", "dt=2026-11-23T02", "2026-11-23", "upload=", "upload=a/b", "dt=2026-11-23\n", ""]
)
def test_other_partitions_are_refused(partition: str) -> None:
    with pytest.raises(ConfigError, match="partition: "):
        check_partition(partition, "run")


def test_dithering_and_rate_distortion_optimisation_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"compression\.rdo and palette\.dither exclude each other"):
        parse({"palette": {"dither": 0.5}, "compression": {"rdo": 0.3}}, "test")
