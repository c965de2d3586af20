"""Write a report of the runs in a store, without running anything.

Every table, interval and plot is rebuilt from the stored records and predictions.
"""

from __future__ import annotations

import argparse

from tweetclf.cli._output import note
from tweetclf.cli._tables import check_folder, write_tables
from tweetclf.cli.leaderboard import add_report_arguments

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf report``."""
    parser.add_argument(
        "--task", action="append", metavar="NAME", help="only this task (repeatable)"
    )
    parser.add_argument(
        "--system",
        action="append",
        metavar="NAME",
        help="only this system (repeatable)",
    )
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report and print its tables."""
    from tweetclf.leaderboard import RunStore

    check_folder("--output", args.output)
    store = RunStore(args.store)
    damaged: list[Exception] = []
    records = [
        record
        for record in store.records(failed=True, on_damage=damaged.append)
        if (not args.task or record.spec.task.name in args.task)
        and (not args.system or record.spec.system in args.system)
    ]
    for error in damaged:
        note(f"left out: {error}")
    if not records:
        note(
            f'there are no such runs in {store.path}; "tweetclf leaderboard" makes some'
        )
        return 1
    sound = write_tables(
        args,
        store,
        records,
        title=args.title or "Leaderboard",
        n_resamples=args.resamples or 2000,
    )
    return 0 if sound and not damaged else 1
