"""The command line, `chromapress`: one image or a folder here, and what is published in HDFS.

Each command is a module with `add_options` and `run`, imported when it is asked for: `chromapress --help` does not wait
for NumPy. Exit codes: 0 done; 1 an image was rejected, a configuration is wrong, something is not published; 2 the
command is not to be understood; 66 an input is missing; 69 HDFS does not answer; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Final, NoReturn

from chromapress.cli.failure import Failure

_COMMANDS: Final = {
    "quantize": "make an image, or a folder of images, smaller",
    "silhouette": "show how the silhouette and the quality of an image depend on the number of colours",
    "datasets": "check the configurations of datasets",
    "upload": "send a folder of images to a dataset's landing partition in HDFS",
    "published": "show what is published of a dataset, or of one of its partitions",
    "get": "read published images back from HDFS",
}

_EXAMPLES: Final = """\
examples:
  chromapress quantize photo.png -o smaller.png
  chromapress quantize scans/ -o smaller/ --min-psnr-db 36
  chromapress quantize photo.png -k 16 -o - --plot figure.png > photo16.png
  chromapress silhouette photo.png --plot silhouette.png
  chromapress datasets check
  chromapress upload scans/ --to maps
  chromapress published maps
  chromapress get maps 'tiles/*.png' -o here/
"""


class _Parser(argparse.ArgumentParser):
    """Takes its options from a command's module when it is first used, and reports mistakes as everything else does."""

    command: str | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.command:
            module = importlib.import_module(f"chromapress.cli.{self.command}")
            self.command = None
            self.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_options(self)
            self.set_defaults(run=module.run)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"chromapress: error: {message}\nTry '{self.prog} --help'.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding cannot show must not end the work.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = _parser().parse_args(argv)
        run: Callable[[argparse.Namespace], int] = arguments.run
        code = run(arguments)
        sys.stdout.flush()
    except SystemExit as end:
        return int(end.code or 0)
    except Failure as failure:
        print(f"chromapress: error: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        print("chromapress: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing is left to say when Python closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"chromapress: error: {what}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="chromapress",
        description="Small, faithful palette images: the fewest colours that keep a quality floor, for every image.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"chromapress {version('chromapress')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, purpose in _COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.", allow_abbrev=False
        )
        command.command = name
    return parser
