"""The command line as a shell sees it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from chromapress.cli import main
from chromapress.paths import DatasetPaths
from chromapress.storage import Hdfs
from stack.hdfs import Address
from tests.chromapress.conftest import SOURCES, Made
from tests.landing_set import encoded, flat, frames, photograph

COMMAND = [sys.executable, "-m", "chromapress.cli"]
PHOTO = photograph("coffee.png", 0, 0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(PHOTO, "PNG"))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sources of many kinds, named as awkwardly as people name them."""
    for name, content in SOURCES.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "in" / ".hidden.gif").write_bytes(frames("GIF"))
    return tmp_path / "in"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> str:
    """What a command prints, after a check of its exit code."""
    end = main([str(one) for one in argv])
    output = capsys.readouterr()
    assert end == code, output.err
    assert ("chromapress: error: " in output.err) == (code != 0)
    return output.out + output.err


# quantize, one image


def test_an_image_is_written_and_reported(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.png"
    line = told(capsys, "quantize", photo, "-o", out)
    match = re.search(r"^published +k +(\d+) .* ([\d,]+) -> +([\d,]+) bytes .* ([\d.]+) dB", line)
    assert match is not None
    assert int(match[3].replace(",", "")) == out.stat().st_size < photo.stat().st_size
    assert float(match[4]) >= 32
    with Image.open(out) as image:
        assert len(set(image.convert("RGB").get_flattened_data())) == int(match[1])


def test_k_alone_is_the_papers_command_line(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    told(capsys, "quantize", photo, "-k", 7, "-o", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert len(set(image.convert("RGB").get_flattened_data())) == 7


def test_json_is_one_object_that_any_parser_reads(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    facts = json.loads(told(capsys, "quantize", photo, "-o", out, "--json", "--rule", "quality", "--min-psnr-db", 35))
    assert (facts["outcome"], facts["output"], facts["size_bytes"]) == ("published", str(out), out.stat().st_size)
    assert facts["psnr_db"] >= 35
    assert facts["k_by_rule"]["quality"] >= facts["k"]


def test_an_exact_image_has_no_psnr_in_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "chart.bmp").write_bytes(encoded(flat(5, 1), "BMP"))
    text = told(capsys, "quantize", tmp_path / "chart.bmp", "-o", tmp_path / "out.png", "--json")
    facts = json.loads(text, parse_constant=pytest.fail)
    assert (facts["outcome"], facts["psnr_db"]) == ("published_lossless", None)


def test_options_are_the_configurations_keys(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    corner = PHOTO.getpixel((0, 0))
    assert isinstance(corner, tuple)
    options = ["--min-psnr-db", "none", "--max-delta-e", 4, "--candidates", "8,64,256", "--effort", 1]
    options += ["--protected", "#{:02x}{:02x}{:02x},#000000".format(*corner)]
    facts = json.loads(told(capsys, "quantize", photo, "-o", out, "--json", *options))
    assert facts["delta_e"] <= 4
    with Image.open(out) as image:
        assert image.convert("RGB").getpixel((0, 0)) == corner


def test_a_datasets_configuration_can_be_the_start(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps.yaml").write_text("palette: {rule: fixed, k: 9}\n")
    keys = ("--config", tmp_path / "maps.yaml", "--json", "--force", "-o", tmp_path / "out.png")
    assert json.loads(told(capsys, "quantize", photo, *keys))["k"] == 9
    assert json.loads(told(capsys, "quantize", photo, *keys, "-k", 5))["k"] == 5


@pytest.mark.parametrize("suffix", [".png", ".webp", ".svg", ".pdf"])
def test_a_plot_is_drawn_beside_the_image(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, suffix: str
) -> None:
    plot = tmp_path / f"figure{suffix}"
    told(capsys, "quantize", photo, "-k", 8, "-o", tmp_path / "out.png", "--plot", plot)
    assert plot.stat().st_size > 5_000


def test_webp_files_are_named_so_in_a_folder(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    facts = json.loads(told(capsys, "quantize", photo, "-o", f"{out}/", "--codec", "webp", "-k", 8, "--json"))
    with Image.open(out / f"{photo.stem}.webp") as image:
        assert image.format == "WEBP"
    assert (facts["codec"], facts["encoded_size_bytes"]) == ("webp", (out / f"{photo.stem}.webp").stat().st_size)


def test_a_name_of_another_format_is_told(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    assert main(["quantize", str(photo), "-o", str(tmp_path / "out.png"), "--codec", "webp", "-k", "8"]) == 0
    assert "out.png is a file of format webp" in capsys.readouterr().err


def test_a_kept_image_is_copied_byte_for_byte(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / "moving.gif"
    source.write_bytes(frames("GIF"))
    assert "kept_animated" in told(capsys, "quantize", source, "-o", tmp_path / "out.gif")
    assert (tmp_path / "out.gif").read_bytes() == source.read_bytes()


def test_a_jpeg_that_is_kept_is_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / "low.jpg"
    source.write_bytes(SOURCES["photos/low.jpg"])
    text = told(capsys, "quantize", source, "-o", f"{tmp_path}/out/")
    assert "a palette file is larger at the same quality" in text
    assert tree(tmp_path / "out") == {"low.jpg": source.read_bytes()}


def test_a_kept_image_under_another_formats_name_is_remarked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "low.jpg").write_bytes(SOURCES["photos/low.jpg"])
    text = told(capsys, "quantize", tmp_path / "low.jpg", "-o", tmp_path / "out.png")
    assert "is the source, byte for byte, whatever its name says" in text


def test_a_rejected_image_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(b"text")
    text = told(capsys, "quantize", tmp_path / "text.png", "-o", tmp_path / "out.png", code=1)
    assert "text.png: not_an_image" in text
    assert not (tmp_path / "out.png").exists()


def test_a_file_that_exists_is_replaced_only_by_force(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    before = photo.read_bytes()
    text = told(capsys, "quantize", photo, "-o", photo, code=2)
    assert f"{photo} exists; --force replaces it" in text
    assert photo.read_bytes() == before
    told(capsys, "quantize", photo, "-o", photo, "--force")
    assert photo.stat().st_size < len(before)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_a_pipe_in_and_a_pipe_out() -> None:
    source = encoded(PHOTO, "PNG")
    done = subprocess.run(
        [*COMMAND, "quantize", "-", "-k", "4", "-o", "-"], input=source, capture_output=True, check=True
    )
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.size == PHOTO.size
    assert b"standard input" in done.stderr


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["quantize", "IN", "-o", "OUT", "-k", "300"], 2, r"palette\.k: .*less than or equal to 256, got 300"),
        (["quantize", "IN", "-o", "OUT", "-k", "x"], 2, r"argument -k/--k: expected a whole number, got 'x'"),
        (["quantize", "IN", "-o", "OUT", "-k", "3", "--rule", "quality"], 2, r"-k is for rule 'fixed'"),
        (["quantize", "IN", "-o", "OUT", "--min-ssim", "much"], 2, r"expected a number or none, got 'much'"),
        (["quantize", "IN", "-o", "OUT", "--rule", "best"], 2, r"invalid choice: 'best'"),
        (["quantize", "IN", "-o", "OUT", "--candidates", "8,4"], 2, r"palette\.candidates: must ascend"),
        (["quantize", "IN", "-o", "OUT", "--protected", "red"], 2, r"palette\.protected\.0: "),
        (["quantize", "IN", "-o", "OUT", "--plot", "x.gif"], 2, r"expected a name that ends in \.png"),
        (["quantize", "IN", "-o", "OUT", "--plot", "no/such/x.png"], 2, r"there is no folder no/such"),
        (["quantize", "IN", "-o", "OUT", "-j", "0"], 2, r"-j: expected 1 or more"),
        (["quantize", "IN", "-o", "-", "--json"], 2, r"would both write to standard output"),
        (["quantize", "IN"], 2, r"required: -o/--output"),
        (["quantize", "missing.png", "-o", "OUT"], 66, r"missing\.png: no such file"),
        (["quantize", "IN", "-o", "OUT", "--config", "missing.yaml"], 66, r"missing\.yaml: no such file"),
        (["quantize", "IN", "-o", "IN/x.png"], 1, r"photo\.png: File exists"),
        (["silhouette", "missing.png"], 66, r"missing\.png: no such file"),
        (["datasets", "check", "missing"], 66, r"missing: no such file or folder"),
        (["published", "Maps"], 2, r"a dataset's name is lower-case letters"),
        (["published", "maps", "--partition", "2026"], 2, r"partition: expected dt="),
        (["published", "maps", "--root", "here"], 2, r"--root: expected an absolute path"),
        (["frobnicate"], 2, r"invalid choice: 'frobnicate'"),
        ([], 2, r"required: COMMAND"),
    ],
)
def test_mistakes_are_one_clear_message_and_a_code(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, argv: list[str], code: int, message: str
) -> None:
    named = [one.replace("IN", str(photo)).replace("OUT", str(tmp_path / "out.png")) for one in argv]
    assert re.search(message, told(capsys, *named, code=code))
    assert not (tmp_path / "out.png").exists()


# quantize, a folder


def test_a_folder_becomes_a_tree_like_it(capsys: pytest.CaptureFixture[str], folder: Path, made: Made) -> None:
    out = folder.parent / "out"
    text = told(capsys, "quantize", folder, "-o", out, code=1)
    assert tree(out) == made.files | {".hidden.gif": frames("GIF")}
    for outcome, count in made.run["outcomes"].items():
        assert f"{count} {outcome}" in text
    assert "chromapress: error: 1 of 9 images were rejected" in text
    assert "lowest PSNR 32." in text
    assert "The JPEG is kept: photographs that come as JPEG mostly end so" in text


def test_names_of_a_folder_cannot_reach_the_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a\x1b[31m\nb.png").write_bytes(encoded(flat(3, 1), "BMP"))
    text = told(capsys, "quantize", tmp_path / "in", "-o", tmp_path / "out")
    assert "\x1b" not in text
    assert "a?[31m?b.png" in text


def test_the_number_of_threads_changes_nothing(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for jobs in (1, 4):
        told(capsys, "quantize", folder, "-o", folder.parent / f"out{jobs}", "-j", jobs, code=1)
    assert tree(folder.parent / "out1") == tree(folder.parent / "out4")


def test_json_of_a_folder_is_a_line_for_each_image(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    main(["quantize", str(folder), "-o", str(folder.parent / "out"), "--json", "-k", "8"])
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(one["path"] for one in facts) == sorted([*SOURCES, ".hidden.gif"])
    for one in facts:
        assert (one["output"] is None) == (one["outcome"] == "rejected")
        assert one["output"] is None or Path(one["output"]).stat().st_size == one["size_bytes"]


def test_a_folder_that_is_not_empty_is_left_alone_without_force(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    (out / "other").write_bytes(b"mine too")
    assert "is not empty; --force" in told(capsys, "quantize", folder, "-o", out, code=2)
    assert tree(out) == {"a.png": b"mine", "other": b"mine too"}
    told(capsys, "quantize", folder, "-o", out, "--force", code=1)
    assert tree(out)["a.png"] != b"mine"
    assert tree(out)["other"] == b"mine too"


def test_the_output_may_be_inside_the_input_but_not_be_it(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert "cannot be the input folder itself" in told(capsys, "quantize", folder, "-o", folder, code=2)
    before = tree(folder)
    out = folder / "small"
    for _ in range(2):
        told(capsys, "quantize", folder, "-o", out, "--force", code=1)
    assert not (out / "small").exists()
    assert {name: content for name, content in tree(folder).items() if not name.startswith("small/")} == before


def test_an_empty_folder_is_no_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert "there is no file in it" in told(capsys, "quantize", tmp_path / "in", "-o", tmp_path / "out", code=66)
    assert not (tmp_path / "out").exists()


def test_a_link_to_nowhere_is_rejected_and_stops_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "chart.png").write_bytes(encoded(flat(3, 1), "BMP"))
    (tmp_path / "in" / "link.png").symlink_to("nowhere")
    text = told(capsys, "quantize", tmp_path / "in", "-o", tmp_path / "out", code=1)
    assert "link.png: unreadable: No such file or directory" in text
    assert list(tree(tmp_path / "out")) == ["chart.png"]


def test_an_interrupt_leaves_no_half_file(tmp_path: Path) -> None:
    source = np.asarray(photograph("astronaut.png", 0, 0, 250, 250).resize((800, 800)))
    (tmp_path / "in").mkdir()
    for number in range(6):
        (tmp_path / "in" / f"{number}.png").write_bytes(
            encoded(Image.fromarray(source + np.uint8(number)), "PNG", compress_level=1)
        )
    command = [*COMMAND, "quantize", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-j", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        deadline = time.monotonic() + 120
        while not list((tmp_path / "out").glob("*.png")) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 130, errors
    assert errors == "chromapress: interrupted\n"
    written = tree(tmp_path / "out")
    assert 0 < len(written) < 6
    for content in written.values():
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    assert not list((tmp_path / "out").glob(".chromapress-*"))


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    command = [*COMMAND, "quantize", str(folder), "-o", str(folder.parent / "out"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert b"Traceback" not in running.stderr.read()
    assert running.returncode == 141


# silhouette


def test_the_silhouette_table_marks_what_each_rule_takes(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    text = told(capsys, "silhouette", photo, "--plot", tmp_path / "figure.png", "--candidates", "2,4,16,64,128")
    facts = json.loads(told(capsys, "silhouette", photo, "--json", "--candidates", "2,4,16,64,128"))
    lines = {int(line.split()[0]): line for line in text.splitlines() if re.match(r" *\d+ +-?\d\.", line)}
    for rule, k in facts["k_by_rule"].items():
        assert re.search(rf"\b{rule}\b", lines[k])
    assert "<- chosen" in lines[facts["k"]]
    assert "squared-Euclidean" in text
    assert (tmp_path / "figure.png").stat().st_size > 5_000
    assert [one["k"] for one in facts["curve"]] == sorted(lines)


def test_an_exact_candidate_is_told_and_drawn_as_such(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "chart.png").write_bytes(encoded(flat(5, 1), "PNG"))
    options = (tmp_path / "chart.png", "--plot", tmp_path / "figure.svg", "--force")
    facts = json.loads(told(capsys, "silhouette", *options, "--json"), parse_constant=pytest.fail)
    assert facts["curve"][-1] == {"k": 5, "silhouette": 1.0, "psnr_db": None, "delta_e": None}
    assert facts["flat_colors"] == 5
    assert "exact" in told(capsys, "silhouette", *options)


def test_an_image_of_one_colour_has_no_curve_and_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encoded(flat(1, 1), "PNG"))
    text = told(capsys, "silhouette", tmp_path / "one.png", "--plot", tmp_path / "figure.svg")
    assert "Too few colours for a curve" in text
    assert (tmp_path / "figure.svg").exists()


def test_what_is_no_image_has_no_silhouette(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(b"text")
    assert "not_an_image" in told(capsys, "silhouette", tmp_path / "text.png", code=1)


# datasets check


def test_good_configurations_are_a_line_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("schedule: 0 2 * * *\n")
    (tmp_path / "a.yaml").write_text("")
    lines = told(capsys, "datasets", "check", tmp_path).splitlines()
    assert [line.partition(": ok ")[0] for line in lines] == [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]
    assert "schedule 0 2 * * *" in lines[1]


def test_all_that_is_wrong_in_all_files_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("palette: {k: 1, colour: 2}\n")
    (tmp_path / "b.yaml").write_text("")
    (tmp_path / "c.yaml").write_text("[")
    assert main(["datasets", "check", str(tmp_path)]) == 1
    output = capsys.readouterr()
    assert [line.split(": ")[0] for line in output.err.splitlines()] == [
        str(tmp_path / f"{name}.yaml") for name in ("a", "a", "c")
    ]
    assert output.out.startswith(f"{tmp_path / 'b.yaml'}: ok")


def test_the_projects_own_datasets_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "datasets", "check", Path(__file__).parents[2] / "dags" / "datasets")


# published and get


@pytest.fixture
def at(published: DatasetPaths, hdfs: Address) -> list[str]:
    return ["--root", f"{hdfs.url}{published.root}"]


def test_partitions_are_listed_with_their_figures(
    capsys: pytest.CaptureFixture[str], at: list[str], made: Made
) -> None:
    lines = told(capsys, "published", "maps", *at).splitlines()
    assert [line.split()[0] for line in lines] == ["partition", "dt=2026-11-22", "dt=2026-11-23", "upload=abc"]
    assert f"{made.run['saved_percent']:.1f} %" in lines[1]
    assert f"{made.run['psnr_db']['min']:.2f} dB" in lines[1]
    facts = [json.loads(line) for line in told(capsys, "published", "maps", *at, "--json").splitlines()]
    assert [one["partition"] for one in facts] == ["dt=2026-11-22", "dt=2026-11-23", "upload=abc"]


def test_a_partitions_images_are_listed(capsys: pytest.CaptureFixture[str], at: list[str]) -> None:
    text = told(capsys, "published", "maps", *at, "--partition", "dt=2026-11-22")
    assert re.search(r"published +\d+ .* a\.jpg +a\.jpg\.png", text)
    assert re.search(r"rejected .* bad/text\.png +not_an_image", text)
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
    facts = [
        json.loads(line, parse_constant=pytest.fail)
        for line in told(capsys, "published", "maps", *at, "--partition", "dt=2026-11-22", "--json").splitlines()
    ]
    assert [one["relative_path"] for one in facts] == sorted(SOURCES)


def test_the_default_hdfs_is_the_one_that_the_environment_names(
    capsys: pytest.CaptureFixture[str], published: DatasetPaths
) -> None:
    assert "dt=2026-11-23" in told(capsys, "published", "maps", "--root", published.root)


def get(capsys: pytest.CaptureFixture[str], at: list[str], out: Path, *argv: str, code: int = 0) -> dict[str, bytes]:
    told(capsys, "get", "maps", *argv, "-o", out, *at, code=code)
    return tree(out) if out.exists() else {}


def test_images_come_back_by_source_name_published_name_and_pattern(
    capsys: pytest.CaptureFixture[str], at: list[str], tmp_path: Path, made: Made
) -> None:
    files = made.files
    assert get(capsys, at, tmp_path / "1", "a.jpg") == {"a.jpg.png": files["a.jpg.png"]}
    assert get(capsys, at, tmp_path / "2", "a.jpg.png", "a.jpg") == {"a.jpg.png": files["a.jpg.png"]}
    flat_ones = {name: content for name, content in files.items() if name.startswith("flat/")}
    assert get(capsys, at, tmp_path / "3", "flat/*") == flat_ones
    assert get(capsys, at, tmp_path / "4", "*") == files


def test_images_can_come_back_under_their_sources_names(
    capsys: pytest.CaptureFixture[str], at: list[str], tmp_path: Path, made: Made
) -> None:
    assert get(capsys, at, tmp_path / "1", "a.*", "--source-names") == {
        "a.jpg": made.files["a.jpg.png"],
        "a.png": made.files["a.png"],
    }


def test_what_is_not_there_is_named_and_the_rest_comes(
    capsys: pytest.CaptureFixture[str], at: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    text = told(capsys, "get", "maps", "a.png", "no/such.png", "bad/text.png", "-o", out, *at, code=1)
    assert list(tree(out)) == ["a.png"]
    assert "no/such.png: there is no such image (partition dt=2026-11-23)" in text
    assert "bad/text.png is not published: not_an_image" in text


def test_files_that_exist_are_not_replaced_without_force(
    capsys: pytest.CaptureFixture[str], at: list[str], tmp_path: Path, made: Made
) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    assert get(capsys, at, tmp_path, "*", code=2) == {"a.png": b"mine"}
    assert get(capsys, at, tmp_path, "a.png", "--force") == {"a.png": made.files["a.png"]}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["published", "other"], "nothing is published of other"),
        (
            ["published", "maps", "--partition", "dt=2020-01-01"],
            "nothing is published of maps, partition dt=2020-01-01",
        ),
        (["get", "other", "x", "-o", "out"], "nothing is published of other"),
    ],
)
def test_what_is_not_published_is_said(
    capsys: pytest.CaptureFixture[str], at: list[str], argv: list[str], message: str
) -> None:
    assert message in told(capsys, *argv, *at, code=1)


def test_an_hdfs_that_does_not_answer_is_said_soon(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    text = told(capsys, "published", "maps", "--root", "hdfs://localhost:1/chromapress", code=69)
    assert "HDFS (hdfs://localhost:1) does not answer" in text
    assert time.monotonic() - began < 60


# upload


@pytest.fixture
def scans(tmp_path: Path, root: str, hdfs: Address) -> list[str]:
    """The options of a dataset of its own, with a marker."""
    (tmp_path / "scans.yaml").write_text("timezone: Pacific/Kiritimati\nsource: {ready_marker: _READY}\n")
    return ["--to", "scans", "--datasets", str(tmp_path), "--root", f"{hdfs.url}{root}"]


DAY = ["--partition", "dt=2026-11-23"]


def landed(store: Hdfs, root: str, partition: str = "dt=2026-11-23") -> dict[str, bytes]:
    landing = DatasetPaths(root, "scans").partition(partition).landing
    return {file.relative_path: store.read(f"{landing}/{file.relative_path}") for file in store.files(landing)}


def test_a_folder_lands_with_all_its_names_and_then_its_marker(
    capsys: pytest.CaptureFixture[str], folder: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    text = told(capsys, "upload", folder, *scans, *DAY)
    assert landed(store, root) == tree(folder) | {"_READY": b""}
    assert f"scans, dt=2026-11-23: 9 files of {sum(map(len, tree(folder).values())):,} bytes sent, 0 were there" in text
    assert store.names(DatasetPaths(root, "scans").partition("dt=2026-11-23").staging) == []


def test_the_partition_is_today_where_the_dataset_is(
    capsys: pytest.CaptureFixture[str], folder: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    before = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
    text = told(capsys, "upload", folder, *scans)
    (partition,) = store.names(f"{root}/scans/landing")
    assert partition in {f"dt={before}", f"dt={before + timedelta(days=1)}"}
    assert partition in text


def test_what_is_there_is_not_sent_again_and_the_rest_is(
    capsys: pytest.CaptureFixture[str], folder: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    landing = DatasetPaths(root, "scans").partition("dt=2026-11-23").landing
    store.write(f"{landing}/a.jpg", tree(folder)["a.jpg"])
    assert " 1 were there" in told(capsys, "upload", folder, *scans, *DAY)
    assert landed(store, root) == tree(folder) | {"_READY": b""}
    assert "0 files of 0 bytes sent, 9 were there" in told(capsys, "upload", folder, *scans, *DAY, "--checksum")


def test_another_file_of_the_name_is_replaced_only_by_force_and_told_by_its_checksum(
    capsys: pytest.CaptureFixture[str], folder: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    landing = DatasetPaths(root, "scans").partition("dt=2026-11-23").landing
    (content,) = (content for name, content in tree(folder).items() if name == "a.png")
    changed = content[:-1] + b"?"
    store.write(f"{landing}/a.png", changed)
    store.write(f"{landing}/a.jpg", b"short")
    options = ["upload", folder, *scans, *DAY]
    text = told(capsys, *options, "--checksum", "--dry-run", code=1)
    assert "a.png: another file of this name is there" in text
    assert "a.jpg: another file of this name is there" in told(capsys, *options, code=1)
    assert landed(store, root) == tree(folder) | {"a.png": changed, "a.jpg": b"short"}  # and no marker
    told(capsys, *options, "--checksum", "--force")
    assert landed(store, root) == tree(folder) | {"_READY": b""}


def test_a_partition_that_is_complete_gets_no_more_without_force(
    capsys: pytest.CaptureFixture[str], folder: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    told(capsys, "upload", folder, *scans, *DAY)
    (folder / "new.png").write_bytes(SOURCES["a.png"])
    assert "is complete already" in told(capsys, "upload", folder, *scans, *DAY, code=1)
    assert "new.png" not in landed(store, root)
    told(capsys, "upload", folder, *scans, *DAY, "--force")
    assert landed(store, root) == tree(folder) | {"_READY": b""}


def test_a_dry_run_names_the_files_and_sends_none(
    capsys: pytest.CaptureFixture[str], folder: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    text = told(capsys, "upload", folder, *scans, *DAY, "--dry-run")
    assert f"{len(SOURCES['a.png']):,} bytes  a.png" in text
    assert "9 files of" in text
    assert store.names(root) == []


def test_what_cannot_be_sent_is_named_and_the_rest_is_sent_without_marker(
    capsys: pytest.CaptureFixture[str], folder: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    good = tree(folder)
    (folder / "12:30.png").write_bytes(b"x")
    (folder / "link.png").symlink_to("nowhere")
    (folder / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    (folder / ("x" * 250 + ".png")).with_name("\N{LATIN SMALL LETTER E WITH ACUTE}" * 127 + "x").write_bytes(b"x")
    text = told(capsys, "upload", folder, *scans, *DAY, code=1)
    for said in ("12:30.png: HDFS allows no", "link.png: a link to nothing", "its name is not UTF-8"):
        assert said in text
    assert landed(store, root) == good | {"\N{LATIN SMALL LETTER E WITH ACUTE}" * 127 + "x": b"x"}


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["upload", "missing", "SCANS"], 66, "missing: no such folder"),
        (["upload", "IN", "SCANS", "--partition", "today"], 2, r"partition: expected dt="),
        (["upload", "IN", "SCANS", "-j", "0"], 2, "-j: expected 1 or more"),
        (["upload", "IN", "SCANS", "--to", "maps"], 66, r"maps\.yaml: there is no such dataset"),
        (["upload", "IN", "SCANS", "--to", "Maps"], 2, "a dataset's name is lower-case letters"),
        (["upload", "IN", "SCANS", "--to", "elsewhere"], 1, "come from s3a://bucket/x, not from its landing"),
        (["upload", "IN", "SCANS", "--to", "wrong"], 1, r"wrong\.yaml: palette\.k: "),
        (["upload", "IN"], 2, "required: --to"),
        (["upload", "IN", "SCANS", "--root", "hdfs://localhost:1/x"], 69, "does not answer"),
    ],
)
def test_uploads_that_cannot_be_are_one_clear_message(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    scans: list[str],
    tmp_path: Path,
    argv: list[str],
    code: int,
    message: str,
) -> None:
    (tmp_path / "elsewhere.yaml").write_text("source: {uri: s3a://bucket/x}\n")
    (tmp_path / "wrong.yaml").write_text("palette: {k: 1}\n")
    given = [part for one in argv for part in (scans if one == "SCANS" else [str(folder) if one == "IN" else one])]
    assert re.search(message, told(capsys, *given, code=code))


def test_an_upload_that_breaks_off_leaves_no_half_file_and_goes_on(
    tmp_path: Path, scans: list[str], store: Hdfs, root: str
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(30):
        (tmp_path / "in" / f"{number:02}").write_bytes(bytes([number]) * 4_000_000)
    command = [*COMMAND, "upload", str(tmp_path / "in"), *scans, *DAY, "-j", "2"]
    landing = DatasetPaths(root, "scans").partition("dt=2026-11-23").landing
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 240
        while not store.names(landing) and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=240)
    assert running.returncode == 130, errors
    before = landed(store, root)
    assert 0 < len(before) < 30
    assert {name: content == bytes([int(name)]) * 4_000_000 for name, content in before.items()} == dict.fromkeys(
        before, True
    )
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert f"{len(before)} were there" in done.stdout
    assert landed(store, root) == tree(tmp_path / "in") | {"_READY": b""}


# help


def test_help_is_quick_because_it_imports_little() -> None:
    program = "import sys; from chromapress.cli import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    imported = set(done.stdout.splitlines()[-1].split())
    assert "chromapress.cli" in imported
    assert not imported & {"numpy", "matplotlib", "skimage", "pyarrow", "pydantic", "rich", "PIL", "hdfs_native"}


@pytest.mark.parametrize(
    "command", [[], ["quantize"], ["silhouette"], ["datasets", "check"], ["upload"], ["published"], ["get"]]
)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert "usage: chromapress" in told(capsys, *command, "--help")


def test_matplotlib_is_imported_only_for_plots(photo: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from chromapress.cli import main\n"
        f"main(['quantize', {str(photo)!r}, '-o', {str(tmp_path / 'o.png')!r}, '-k', '4'])\n"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_version_is_the_wheels(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"chromapress \d+\.\d+\.\d+\n", told(capsys, "--version"))
