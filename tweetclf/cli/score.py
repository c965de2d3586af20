"""Score a submission: files in the organisers' own format, against the gold labels.

FILE is one file, or the folder or zip file of all files of a submission.

examples:
  tweetclf score submission.zip --task hateval-en
  tweetclf score predictions/irony.txt --task tweeteval-irony
  tweetclf score es_a.tsv --task hateval-es --gold gold/es_a.tsv
"""

from __future__ import annotations

import argparse

from tweetclf.cli._output import print_json
from tweetclf.cli.submit import add_task_arguments, print_scores

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf score``."""
    parser.add_argument("file", metavar="FILE", help="file, folder or zip file")
    add_task_arguments(parser)
    parser.add_argument(
        "--split", default="test", metavar="NAME", help="split of the task (test)"
    )
    parser.add_argument(
        "--gold",
        metavar="FILE",
        help="gold labels in the same format, if the task has none at hand",
    )


def run(args: argparse.Namespace) -> int:
    """Print the official score and the others."""
    from tweetclf.leaderboard.submissions import score_submission, task_for

    task = task_for(args.task, args.data_dir, needs_data=not args.gold)
    scores = score_submission(
        task, args.file, split=args.split, gold=args.gold, generic=args.generic
    )
    if args.json:
        print_json({"task": task.name, "split": args.split, "scores": scores})
    else:
        print_scores(scores)
    return 0
