"""Is BERT worth it? Audit a labelled file, score baselines, say what to do next.

DATA is your own labelled file or a registered task. A single table is cross-validated
with all its rows; where there is a test part, that is scored. Six baselines are
compared, the learning curve of the best one is followed to more labels, and a
transformer is compared with them, if its predictions are given or its run is in the
store. The exit code is 0 whatever is found.

examples:
  tweetclf advise my.csv --text tweet --label class --output advice
  tweetclf advise my.csv --labels 5000 --transformer bert.csv --margin 0.5
  tweetclf advise tweeteval-irony --transformer 9f3c1a --store runs --json
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

from tweetclf.cli._data import add_own_arguments, load_whole, say_notes, seed
from tweetclf.cli._output import UsageError, note
from tweetclf.cli._running import progress_bar

if TYPE_CHECKING:
    pass

__all__ = ["add_arguments", "run"]


def _margin(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < 100:
        raise argparse.ArgumentTypeError(
            f"must be a number of points above 0 and below 100, got {text!r}"
        )
    return number


def _labels(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 1 on, got {text!r}"
        )
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf advise``."""
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help='your own labelled file, or a task (see "tweetclf tasks")',
    )
    parser.add_argument("--task", metavar="NAME", help="a registered task, as DATA")
    parser.add_argument(
        "--transformer",
        metavar="FILE|RECORD",
        help="predictions to compare with, as for tweetclf submit; or a stored run: "
        "its file, or its key with --store",
    )
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="folder of stored runs, in which neural ones on the same data are found",
    )
    parser.add_argument(
        "--margin",
        type=_margin,
        default=1.0,
        metavar="POINTS",
        help="largest difference that does not matter (1.0)",
    )
    parser.add_argument(
        "--labels",
        type=_labels,
        metavar="N",
        help="how many more labels you think of (2000, or as many of them as can be "
        "forecast)",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="seed (0)")
    add_own_arguments(parser)
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )
    parser.add_argument("--output", metavar="DIR", help="write the whole report, too")
    parser.add_argument(
        "--format",
        action="append",
        choices=["html", "markdown", "latex", "csv", "json", "all"],
        help="format of the report, may be repeated (html, markdown and json)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the whole report as JSON"
    )


def run(args: argparse.Namespace) -> int:
    """Print what to do next and the figures that it rests on."""
    from tweetclf.cli._tables import check_folder, command_line

    if bool(args.data) == bool(args.task):
        raise UsageError("name your file or a task: one of DATA and --task")
    if args.format and not args.output:
        raise UsageError("--format needs --output")
    if args.output:
        check_folder("--output", args.output, report=True)
    task = load_whole(args, args.task or args.data)
    say_notes(task)
    from tweetclf.leaderboard import advise
    from tweetclf.reports import make_advice_report, render, write_report
    from tweetclf.reports.advising import brief_report
    from tweetclf.reports.publish import choose_formats
    from tweetclf.reports.to_text import render_text

    with progress_bar() as show:
        advice = advise(
            task,
            transformer=args.transformer,
            store=args.store,
            margin=args.margin,
            labels=args.labels,
            seed=args.seed,
            on_step=show,
        )
    if args.transformer and not advice.comparisons:
        note("the transformer was not compared: there are no baselines to compare with")
    report = make_advice_report(advice, command=command_line(args.argv))
    paths = []
    if args.output:
        formats = choose_formats(args.format or ["html", "markdown", "json"])
        paths = write_report(report, args.output, formats=formats)
    if args.json:
        sys.stdout.write(render(report, "json"))
        return 0
    sys.stdout.write(render_text(brief_report(report)))
    for path in paths:
        print(path)
    return 0
