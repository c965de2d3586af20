"""Write stored runs as files that other tools read.

SOURCE is the folder of a store, the file of one record, or the key of a run in
--store. Written are, in the folder of --output:

  mteb/SYSTEM/VERSION/TASK.json            a result as MTEB stores it (TaskResult)
  hub/TASK/SYSTEM/README.md                a model card with the facts of the runs
  hub/TASK/SYSTEM/.eval_results/TASK.yaml  the score, as the Hugging Face Hub reads it

The files under hub/TASK/SYSTEM belong into the repository of a model. Runs of one
system with several seeds are one result. Nothing is uploaded.

examples:
  tweetclf export runs --output exported
  tweetclf export runs --task tweeteval-irony --system nbsvm --format card --model model
  tweetclf export 01234567 --format eval-results --dataset-id me/data --task-id irony
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import UsageError, note, print_json
from tweetclf.cli._tables import check_folder
from tweetclf.cli.leaderboard import resample_count

if TYPE_CHECKING:
    from tweetclf.leaderboard import RunRecord
    from tweetclf.reports.exports import HubDataset

__all__ = ["add_arguments", "run"]

FORMATS = ("mteb", "eval-results", "card")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf export``."""
    parser.add_argument(
        "source",
        nargs="?",
        default="runs",
        metavar="SOURCE",
        help="folder of a store, file of a record, or key of a run (runs)",
    )
    parser.add_argument(
        "--store",
        default="runs",
        metavar="DIR",
        help="store that a key is looked up in (runs)",
    )
    parser.add_argument(
        "--output",
        default="exported",
        metavar="DIR",
        help="folder of the files (exported)",
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=[*FORMATS, "all"],
        help="what to write, may be repeated (all)",
    )
    parser.add_argument(
        "--task", action="append", metavar="NAME", help="only this task (repeatable)"
    )
    parser.add_argument(
        "--system",
        action="append",
        metavar="NAME",
        help="only this system (repeatable)",
    )
    parser.add_argument(
        "--model", metavar="DIR", help="the saved model that a card is for"
    )
    hub = parser.add_argument_group("Hugging Face Hub")
    hub.add_argument(
        "--dataset-id",
        metavar="OWNER/NAME",
        help="dataset of the task there, if it is not known",
    )
    hub.add_argument(
        "--task-id",
        metavar="NAME",
        help="task in the dataset's eval.yaml, or its configuration (default)",
    )
    hub.add_argument(
        "--source-url", metavar="URL", help="page with the records, shown there"
    )
    parser.add_argument(
        "--resamples",
        type=resample_count,
        default=2000,
        metavar="N",
        help="bootstrap resamples behind the intervals, at least 100 (2000)",
    )
    parser.add_argument("--json", action="store_true", help="print the files as JSON")


Runs = tuple[list["RunRecord"], Callable[["RunRecord"], Any]]


def _runs(args: argparse.Namespace, damaged: list[Exception]) -> Runs:
    """Return the finished runs that are meant, and where their predictions are."""
    from tweetclf.leaderboard.checking import refuse_trial
    from tweetclf.leaderboard.store import RunStore, find_run

    if Path(args.source).is_dir():
        store = RunStore(args.source)
        records = [
            record
            for record in store.records(on_damage=damaged.append)
            if (not args.task or record.spec.task.name in args.task)
            and (not args.system or record.spec.system in args.system)
        ]
        return records, store.predictions
    record, arrays = find_run(args.source, RunStore(args.store))
    refuse_trial(record)
    return [record], lambda _: arrays


def _dataset(args: argparse.Namespace, records: list[RunRecord]) -> HubDataset | None:
    from tweetclf.reports.exports import HubDataset

    if args.dataset_id is None:
        if args.task_id is not None:
            raise UsageError("--task-id needs --dataset-id")
        return None
    if len({record.spec.task.name for record in records}) > 1:
        raise UsageError("--dataset-id is of one task: choose it with --task")
    return HubDataset(args.dataset_id, args.task_id or "default")


def run(args: argparse.Namespace) -> int:
    """Rank the runs and write the files."""
    from tweetclf.leaderboard import build_leaderboard
    from tweetclf.persistence import model_info
    from tweetclf.reports.exports import export_runs

    check_folder("--output", args.output)
    damaged: list[Any] = []
    records, predictions = _runs(args, damaged)
    if not records and not damaged:
        note(
            f"there are no such finished runs in {args.source}; "
            '"tweetclf leaderboard" makes some'
        )
        return 1
    leaderboard = build_leaderboard(
        records, predictions, n_resamples=args.resamples, on_damage=damaged.append
    )
    for error in damaged:
        note(f"left out: {error}")
    formats = args.format or ["all"]
    paths, remarks = export_runs(
        leaderboard,
        predictions,
        args.output,
        formats=FORMATS if "all" in formats else formats,
        dataset=_dataset(args, records),
        source_url=args.source_url,
        model=model_info(args.model) if args.model else None,
    )
    for remark in remarks:
        note(remark)
    if args.json:
        print_json({"files": [str(path) for path in paths], "left_out": remarks})
    else:
        for path in paths:
            print(path)
    return 1 if damaged else 0
