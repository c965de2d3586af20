"""Look for what makes scores on a task, or on your own file, doubtful.

Found are repeated texts within and across splits, equal texts with different labels,
shared threads, class shift, empty and damaged texts, labels that a model does not
believe, and, with --corpus, texts that a pretraining corpus holds. The exit code is 0
whatever is found.

examples:
  tweetclf audit sample-sentiment
  tweetclf audit tweeteval-hate --output audit --format html
  tweetclf audit my.csv --text tweet --label class --group author
  tweetclf audit tweeteval-irony --corpus tweets.jsonl.gz --json
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tweetclf.cli._data import add_own_arguments, load_whole, say_notes

if TYPE_CHECKING:
    from tweetclf.tasks import Audit, Task

__all__ = ["add_arguments", "run"]


def _similarity(text: str) -> float:
    from tweetclf.tasks.near import LEAST_SIMILARITY

    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not LEAST_SIMILARITY <= number <= 1:
        raise argparse.ArgumentTypeError(
            f"must be a number from {LEAST_SIMILARITY} to 1, got {text!r}"
        )
    return number


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 on, got {text!r}"
        )
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf audit``."""
    parser.add_argument(
        "task", metavar="TASK|FILE", help='see "tweetclf tasks", or your own file'
    )
    parser.add_argument(
        "--corpus",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="look for texts of the task in this corpus: a registered one, a CSV, TSV "
        "or JSON Lines file, or one text a line; may be repeated",
    )
    parser.add_argument(
        "--corpus-text", metavar="COLUMN", help="column of the texts of the corpus"
    )
    parser.add_argument(
        "--near",
        type=_similarity,
        default=0.7,
        metavar="SHARE",
        help="similarity from which on texts are near duplicates (0.7)",
    )
    parser.add_argument(
        "--no-label-noise",
        action="store_true",
        help="train no model to look for doubtful labels",
    )
    parser.add_argument(
        "--examples", type=_count, default=3, metavar="N", help="of each finding (3)"
    )
    add_own_arguments(parser)
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )
    parser.add_argument("--output", metavar="DIR", help="write a report, too")
    parser.add_argument(
        "--format",
        action="append",
        choices=["html", "markdown", "latex", "csv", "json", "all"],
        help="format of the report, may be repeated (html and json)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print all findings, with rows, as JSON"
    )


def _audit(args: argparse.Namespace, task: Task) -> Audit:
    from dataclasses import replace
    from pathlib import Path

    from tweetclf.exceptions import DataError
    from tweetclf.tasks import audit_contamination, audit_task
    from tweetclf.tasks.corpora import stream_corpus

    audit = audit_task(task, threshold=args.near, n_examples=args.examples)
    for corpus in args.corpus:
        texts = stream_corpus(
            corpus,
            data_dir=args.data_dir,
            text=args.corpus_text,
            encoding=args.encoding,
            quoted=not args.no_quotes,
        )
        audit = audit_contamination(
            audit, task, texts, name=Path(corpus).name, n_examples=args.examples
        )
    if args.no_label_noise:
        return audit
    from tweetclf.leaderboard import find_label_noise

    try:
        return replace(audit, label_noise=find_label_noise(task))
    except DataError as error:
        # What else was found must not be lost for it.
        said = f"Label noise was not looked for: {error}"
        return replace(audit, notes=(*audit.notes, said))


def run(args: argparse.Namespace) -> int:
    """Print what was found."""
    import sys

    from tweetclf.cli._output import UsageError
    from tweetclf.cli._tables import check_folder

    if args.format and not args.output:
        raise UsageError("--format needs --output")
    if args.corpus_text and not args.corpus:
        raise UsageError("--corpus-text needs --corpus")
    if args.output:
        check_folder("--output", args.output, report=True)
    task = load_whole(args, args.task)
    say_notes(task)
    audit = _audit(args, task)
    from tweetclf.reports import make_audit_report, write_report
    from tweetclf.reports.publish import choose_formats
    from tweetclf.reports.to_text import render_text

    report = make_audit_report(audit)
    paths = []
    if args.output:
        paths = write_report(report, args.output, formats=choose_formats(args.format))
    if args.json:
        print(audit.to_json())
        return 0
    sys.stdout.write(render_text(report))
    for path in paths:
        print(path)
    return 0
