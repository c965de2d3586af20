"""Label a file, or standard input, with a model saved by tweetclf.

Tables (CSV, TSV) and JSON Lines keep all their columns and gain "prediction"; plain
text gives one label a line. The input may be of any size.

examples:
  tweetclf predict model tweets.csv --output labelled.csv
  tweetclf predict model tweets.jsonl --text full_text --proba
  echo "menos mal que hoy es lunes" | tweetclf predict model
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tweetclf.cli._output import note

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf predict``."""
    parser.add_argument("model", metavar="MODEL", help="folder of a saved model")
    parser.add_argument(
        "input",
        nargs="?",
        default="-",
        metavar="FILE",
        help="CSV, TSV, JSONL or text file; - or nothing: standard input",
    )
    parser.add_argument(
        "--format",
        choices=["csv", "tsv", "jsonl", "lines"],
        help="format of input and output (by the name of the input, else lines)",
    )
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts")
    parser.add_argument("--text-b", metavar="COLUMN", help="column of the second texts")
    parser.add_argument(
        "--proba", action="store_true", help="add the probability of each class"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write here, whole or not at all (stdout)"
    )


def _format(args: argparse.Namespace) -> str:
    if args.format:
        return str(args.format)
    suffix = Path(args.input).suffix.lower().lstrip(".")
    known = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl"}
    return known.get(suffix, "lines")


@contextlib.contextmanager
def _source(path: str) -> Iterator[IO[str]]:
    if path == "-":
        # The console's encoding is not that of the data.
        yield io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="\n")
        return
    with Path(path).open(encoding="utf-8", newline="") as file:
        yield file


@contextlib.contextmanager
def _target(path: str | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    from tweetclf.utils.files import atomic_path

    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


def run(args: argparse.Namespace) -> int:
    """Label the input."""
    from tweetclf.exceptions import DataError
    from tweetclf.persistence import load
    from tweetclf.persistence.labelling import label_stream

    model = load(args.model)
    show = args.output and sys.stderr.isatty()
    done = 0
    try:
        with _source(args.input) as source, _target(args.output) as target:
            for done in label_stream(
                model,
                source,
                target,
                format=_format(args),
                text=args.text,
                text_b=args.text_b,
                proba=args.proba,
                name="standard input" if args.input == "-" else args.input,
            ):
                if show:
                    print(f"\r{done} rows", end="", file=sys.stderr)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{args.input} is not UTF-8 (byte {error.start} of a block: "
            f"{error.object[error.start : error.end]!r}); convert it first, e.g. with "
            "iconv."
        ) from error
    if args.output:
        note(f"{done} rows labelled in {args.output}")
    return 0
