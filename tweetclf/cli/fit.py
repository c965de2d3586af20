"""Train one system on a task or on your own file, and save the model.

A single file of your own is used whole. Of a task, or of data of your own that are
divided, only train is used, or with --with-dev train and dev; test never is. To
measure a system, use "tweetclf leaderboard".

The saved folder holds JSON and arrays only; loading it executes no code. Use it with
"tweetclf predict" or tweetclf.load.

examples:
  tweetclf fit atalaya-svm sample-sentiment --output model
  tweetclf fit nbsvm my.csv --text tweet --label class --output model
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tweetclf.cli._data import (
    add_own_arguments,
    add_parameter_argument,
    load_whole,
    seed,
)
from tweetclf.cli._output import check_output, note

if TYPE_CHECKING:
    from tweetclf.tasks import Task

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
    add_parameter_argument(parser)
    add_own_arguments(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="seed (0)")
    parser.add_argument(
        "--with-dev", action="store_true", help="train on dev too, if there is one"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )


def _training_data(task: Task, with_dev: bool) -> tuple[list[Any], Any, str]:
    """Return texts, labels and which splits they are."""
    import numpy as np

    names = ["train", "dev"] if with_dev and "dev" in task.splits else ["train"]
    splits = [task.splits[name] for name in names]
    texts = [text for split in splits for text in split.texts]
    labels = np.concatenate([np.asarray(split.labels) for split in splits])
    if task.version == "local" and len(task.splits) == 1:
        return texts, labels, f"all rows of {task.source}"
    used = ", ".join(
        f"{name} {len(split)}" for name, split in zip(names, splits, strict=True)
    )
    return texts, labels, used


def _fit(args: argparse.Namespace) -> None:
    from tweetclf.exceptions import DataError
    from tweetclf.leaderboard.given import choose_systems, parse_parameters
    from tweetclf.leaderboard.runner import check_runs
    from tweetclf.persistence import save
    from tweetclf.training.progress import watch_training

    check_output(args.output)
    task = load_whole(args, args.task)
    (system,) = choose_systems([args.system], parse_parameters(args.param))
    check_runs(task, system)
    if task.grouped:
        raise DataError(
            f"task {task.name!r} trains one model a group; fit a task of one group."
        )
    texts, labels, used = _training_data(task, args.with_dev)
    with watch_training():
        model = system.build(task, seed=args.seed).fit(texts, labels)
    save(model, args.output, metadata={"system": system.name, "task": task.name})
    for line in task.notes:
        note(line)
    note(
        f"{system.name} trained on {len(texts)} texts ({used}), saved in {args.output}"
    )


def run(args: argparse.Namespace) -> int:
    """Train and save."""
    try:
        _fit(args)
    except KeyboardInterrupt:
        if args.debug:
            raise
        note("tweetclf fit: interrupted; no model was saved.")
        return 130
    return 0
