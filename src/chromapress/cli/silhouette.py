"""`chromapress silhouette`: the curve from which k is chosen (the paper's figure 6)."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Final

from chromapress.choice import Candidate, Choice, choose
from chromapress.cli import files
from chromapress.cli.failure import Failure
from chromapress.cli.options import add_configuration, configuration
from chromapress.cli.terminal import shown, table
from chromapress.config import DatasetConfig
from chromapress.decode import Undecodable, decode
from chromapress.histogram import Histogram

_EPILOG: Final = """\
The silhouette is the squared-Euclidean one over all pixels, exact; scikit-learn's default is the Euclidean one, which
gives other numbers.

examples:
  chromapress silhouette photo.png --plot silhouette.png
  chromapress silhouette photo.png --candidates 2,3,4,5,6,7,8,9,10 --rule silhouette
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("input", metavar="IN", help="an image, or - for standard input")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw the curves (.png, .webp, .svg, .pdf)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--force", action="store_true", help="replace a plot that exists")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    if arguments.plot:
        files.check_plot(arguments.plot, arguments.force)
    try:
        decoded = decode(files.read(arguments.input), config.limits)
    except Undecodable as told:
        raise Failure(f"{shown(arguments.input)}: {told}") from None
    choice = choose(Histogram.of(decoded.pixels), config.palette, config.quality)
    print(_json(arguments.input, choice) if arguments.json else _text(choice))
    if arguments.plot:
        _plot(arguments.plot, shown(Path(arguments.input).name), choice, config)
    return 0


def _text(choice: Choice) -> str:
    marks = {one.k: [rule for rule, k in choice.k_by_rule.items() if k == one.k] for one in choice.curve}
    marks.setdefault(choice.k, []).append("<- chosen")
    rows = [
        (str(one.k), f"{one.silhouette:.4f}", _psnr(one), ", ".join(marks[one.k]).replace(", <-", " <-"))
        for one in choice.curve
    ]
    curve = table(("k", "silhouette", "PSNR dB", "rules that take it"), rows, left=(3,)) + "\n" if rows else ""
    note = "The silhouette is the squared-Euclidean one over the pixels." if rows else "Too few colours for a curve."
    if choice.rules_disagree:
        note += "\nSilhouette and floor disagree strongly: the k with the best silhouette is none for this image."
    return f"{curve}{choice.reason[:1].upper()}{choice.reason[1:]}.\n{note}"


def _psnr(one: Candidate) -> str:
    return "exact" if math.isinf(one.psnr_db) else f"{one.psnr_db:.2f}"


def _json(path: str, choice: Choice) -> str:
    return json.dumps(
        {
            "path": path,
            "k": choice.k,
            "verdict": choice.verdict,
            "reason": choice.reason,
            "below_floor": choice.below_floor,
            "k_by_rule": choice.k_by_rule,
            "flat_colors": choice.flat_colors,
            "rules_disagree": choice.rules_disagree,
            "silhouette_distance": "squared Euclidean",
            "curve": [
                {
                    "k": one.k,
                    "silhouette": one.silhouette,
                    "psnr_db": None if math.isinf(one.psnr_db) else one.psnr_db,  # JSON has no infinity
                    "delta_e": one.delta_e,
                }
                for one in choice.curve
            ],
        }
    )


def _plot(path: Path, name: str, choice: Choice, config: DatasetConfig) -> None:
    from chromapress import plots  # noqa: PLC0415  (Matplotlib takes its time)

    figure = plots.curve_figure(
        plots.Curve.of(choice.curve),
        chosen_k=choice.k,
        k_by_rule=choice.k_by_rule,
        floor_db=config.quality.min_psnr_db,
        title=name,
    )
    plots.save(figure, path)
