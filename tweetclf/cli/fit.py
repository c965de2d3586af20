"""Train one system on a task or on your own file, and save the model.

The saved folder holds JSON and arrays only; loading it executes no code. Use it with
"tweetclf predict" or tweetclf.load.

examples:
  tweetclf fit atalaya-svm sample-sentiment --output model
  tweetclf fit nbsvm my.csv --text tweet --label class --output model
"""

from __future__ import annotations

import argparse

from tweetclf.cli._output import note

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf fit``."""
    parser.add_argument("system", metavar="SYSTEM", help='see "tweetclf systems"')
    parser.add_argument(
        "task", metavar="TASK|FILE", help='see "tweetclf tasks", or your own file'
    )
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder of the saved model"
    )
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts")
    parser.add_argument("--text-b", metavar="COLUMN", help="column of the second texts")
    parser.add_argument("--label", metavar="COLUMN", help="column of the labels")
    parser.add_argument("--seed", type=int, default=0, help="seed (0)")
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )


def run(args: argparse.Namespace) -> int:
    """Train and save."""
    from tweetclf.exceptions import DataError
    from tweetclf.leaderboard import get_system
    from tweetclf.leaderboard.runner import check_runs
    from tweetclf.persistence import save
    from tweetclf.tasks import load_task

    columns = {"text": args.text, "text_b": args.text_b, "label": args.label}
    given = {key: value for key, value in columns.items() if value}
    task = load_task(args.task, data_dir=args.data_dir, **given)
    system = get_system(args.system)
    check_runs(task, system)
    if task.grouped:
        raise DataError(
            f"task {task.name!r} trains one model a group; fit a task of one group."
        )
    model = system.build(task, seed=args.seed).fit(*task.train)
    save(model, args.output, metadata={"system": system.name, "task": task.name})
    for line in task.notes:
        note(line)
    note(f"{system.name} trained on {len(task.train)} texts, saved in {args.output}")
    return 0
