"""Write predictions as the files that the organisers of a shared task ask for.

PREDICTIONS is a CSV, TSV or JSONL file with a column "prediction", as "tweetclf
predict" writes it, matched by its column of ids where it has one; or a text file with
one label a line, in the order of the test file. Labels are names or the organisers'
codes. There must be exactly one valid prediction for each test row. Where gold labels
are at hand, the files are scored as the organisers will score them.

examples:
  tweetclf submit predictions.csv --task hateval-en --output submission.zip
  tweetclf submit labels.txt --task tweeteval-irony --dry-run
  tweetclf submit p.csv --task hateval-es --test test_es.tsv --output submission.zip
  tweetclf submit humor.csv --task haha-2019 --also haha-2019-funniness=stars.csv \
    --output submission.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import UsageError, note, print_json, print_table

if TYPE_CHECKING:
    from tweetclf.leaderboard.submission_formats import SubmissionFormat
    from tweetclf.tasks import Split, Task

__all__ = ["add_arguments", "add_task_arguments", "print_scores", "run"]


def add_task_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name the task and its data."""
    parser.add_argument(
        "--task",
        required=True,
        metavar="NAME",
        help='a registered task (see "tweetclf tasks") or your own file',
    )
    parser.add_argument(
        "--generic",
        action="store_true",
        help="CSV with header, id and label, whatever the organisers ask for",
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf submit``."""
    parser.add_argument(
        "predictions", metavar="PREDICTIONS", help="file of predictions"
    )
    add_task_arguments(parser)
    parser.add_argument(
        "--column", default="prediction", metavar="NAME", help="column (prediction)"
    )
    parser.add_argument(
        "--also",
        metavar="TASK=FILE",
        help="predictions of the other task of the same file (HAHA 2019), matched with "
        "the same test rows; without them its column holds a constant",
    )
    parser.add_argument(
        "--also-column",
        metavar="NAME",
        help="column of those predictions, as FILE may be PREDICTIONS (prediction)",
    )
    parser.add_argument("--id", metavar="COLUMN", help="column of the ids")
    parser.add_argument(
        "--test",
        metavar="FILE",
        help="the organisers' unlabelled test file, if not that of the task",
    )
    parser.add_argument(
        "--output",
        metavar="FILE.zip",
        help="zip file, or a folder that is new or empty",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check and score, write nothing"
    )


def print_scores(scores: dict[str, float]) -> None:
    """Print scores by metric, the official one first."""
    print_table(
        ["metric", "score"],
        [[name, f"{score:.4f}"] for name, score in scores.items()],
        right=(1,),
    )


def _also(
    args: argparse.Namespace, layout: SubmissionFormat, rows: Split
) -> tuple[Task, list[Any]] | None:
    """Read the predictions of the other task of the file."""
    from tweetclf.leaderboard import submissions
    from tweetclf.leaderboard.submission_formats import submission_format

    if args.also is None:
        if args.also_column is not None:
            raise UsageError("--also-column needs --also")
        return None
    name, found, file = args.also.partition("=")
    if not (name and found and file):
        raise UsageError(f"--also must be TASK=FILE, got {args.also!r}")
    submissions.check_partner(layout, name)
    # The rows are those of --task, so that data need not be there twice.
    task = submissions.task_for(name, args.data_dir, needs_data=False)
    predictions = submissions.read_predictions(
        Path(file),
        task,
        submission_format(task),
        rows,
        column=args.also_column or "prediction",
        id=args.id,
    )
    return task, predictions


def run(args: argparse.Namespace) -> int:
    """Build, check and write a submission."""
    from tweetclf.leaderboard import submissions
    from tweetclf.leaderboard.submission_formats import submission_format

    if not args.output and not args.dry_run:
        raise UsageError("name the zip file with --output, or check with --dry-run")
    task = submissions.task_for(args.task, args.data_dir, needs_data=not args.test)
    layout = submission_format(task, generic=args.generic)
    if args.test:
        rows = submissions.read_test_file(Path(args.test), args.id)
    else:
        rows = submissions.submission_rows(task)
    predictions = submissions.read_predictions(
        Path(args.predictions), task, layout, rows, column=args.column, id=args.id
    )
    made = submissions.make_submission(
        task,
        predictions,
        rows,
        generic=args.generic,
        also=_also(args, layout, rows),
    )
    written = None
    if not args.dry_run:
        written = submissions.write_submission(made, args.output)
    for remark in made.remarks:
        note(f"{task.name}: {remark}")
    if args.json:
        print_json(
            {
                "task": task.name,
                "format": layout.family,
                "files": list(made.files),
                "rows": made.n_rows,
                "scores": dict(made.scores),
                "remarks": list(made.remarks),
                "output": None if written is None else str(written),
            }
        )
        return 0
    print(f"{layout.family}: {', '.join(made.files)}, {made.n_rows} rows")
    if made.scores:
        print_scores(dict(made.scores))
    elif rows.labels is None:
        note("the gold labels are not at hand, so there is no score")
    if written is not None:
        print(written)
    return 0
