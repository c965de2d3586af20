"""Label a file, or standard input, with a model saved by tweetclf.

Tables (CSV, TSV) and JSON Lines keep all their columns and gain "prediction"; plain
text gives one label a line (and has no room for --proba). Tables are read as strictly
as "tweetclf fit" reads them. The input is UTF-8 unless --encoding says otherwise, the
output always is, whatever the console's encoding; the input may be of any size.

examples:
  tweetclf predict model tweets.csv --output labelled.csv
  tweetclf predict model tweets.jsonl --text full_text --proba
  echo "menos mal que hoy es lunes" | tweetclf predict model
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from tweetclf.cli._data import add_reading_arguments
from tweetclf.cli._output import note
from tweetclf.exceptions import DataError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf predict``."""
    parser.add_argument("model", metavar="MODEL", help="folder of a saved model")
    parser.add_argument(
        "input",
        nargs="?",
        default="-",
        metavar="FILE",
        help="CSV, TSV, JSONL or text file, also .gz; - or nothing: standard input",
    )
    parser.add_argument(
        "--format",
        choices=["csv", "tsv", "jsonl", "lines"],
        help="format of input and output (by the name of the input, else lines)",
    )
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts")
    parser.add_argument("--text-b", metavar="COLUMN", help="column of the second texts")
    add_reading_arguments(parser)
    parser.add_argument(
        "--proba", action="store_true", help="add the probability of each class"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write here, whole or not at all (stdout)"
    )


def _format(args: argparse.Namespace) -> str:
    if args.format:
        return str(args.format)
    from tweetclf.tasks.lines import suffix_of

    suffix = suffix_of(args.input)
    if suffix in {".json", ".parquet", ".xlsx"}:
        raise DataError(
            f"{args.input}: {suffix} files are not labelled. Convert it to CSV, TSV or "
            "JSON Lines; if it is one of these already, say which with --format."
        )
    known = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    return known.get(suffix, "lines")


@contextlib.contextmanager
def _source(path: str, format: str, encoding: str) -> Iterator[IO[str]]:
    from tweetclf.persistence.labelling import open_source
    from tweetclf.tasks.lines import open_binary

    if path != "-":
        with (
            open_binary(Path(path)) as file,
            open_source(file, format, encoding=encoding, name=path) as text,
        ):
            yield text
        return
    # The console's encoding is not that of the data.
    text = open_source(
        sys.stdin.buffer, format, encoding=encoding, name="standard input"
    )
    try:
        yield text
    finally:
        text.detach()


@contextlib.contextmanager
def _target(path: str | None) -> Iterator[IO[str]]:
    if path is None:
        sys.stdout.flush()
        # Unlike a TextIOWrapper, this never closes standard output behind our back.
        yield cast(IO[str], codecs.getwriter("utf-8")(sys.stdout.buffer))
        return
    from tweetclf.utils.files import atomic_path

    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


def _label(args: argparse.Namespace) -> Iterator[int]:
    """Yield the number of rows labelled so far."""
    from tweetclf.persistence import load_predictor
    from tweetclf.persistence.labelling import label_stream

    model = load_predictor(args.model)
    format = _format(args)
    with (
        _source(args.input, format, args.encoding) as source,
        _target(args.output) as target,
    ):
        yield from label_stream(
            model,
            source,
            target,
            format=format,
            text=args.text,
            text_b=args.text_b,
            proba=args.proba,
            pair=model.takes_pairs,
            encoding=args.encoding,
            quoted=not args.no_quotes,
            name="standard input" if args.input == "-" else args.input,
        )


def run(args: argparse.Namespace) -> int:
    """Label the input."""
    show = args.output and sys.stderr.isatty()
    done = 0
    try:
        for done in _label(args):
            if show:
                print(f"\r{done} rows", end="", file=sys.stderr)
    except KeyboardInterrupt:
        if args.debug:
            raise
        state = (
            f"nothing was written to {args.output}"
            if args.output
            else f"the first {done} rows were written, perhaps some more"
        )
        note(f"tweetclf predict: interrupted; {state}.")
        return 130
    if args.output:
        note(f"{done} rows labelled in {args.output}")
    return 0
