"""Write a report of the runs in a store, without running anything.

Every table, interval and plot is rebuilt from the stored records and predictions.
"""

from __future__ import annotations

import argparse
import json

from tweetclf.cli._output import note, print_json
from tweetclf.cli.leaderboard import add_report_arguments, print_boards

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
    from tweetclf.reports import make_report, render
    from tweetclf.reports.publish import publish

    store = RunStore(args.store)
    records = [
        record
        for record in store.records(failed=True)
        if (not args.task or record.spec.task.name in args.task)
        and (not args.system or record.spec.system in args.system)
    ]
    if not records:
        note(
            f'there are no such runs in {store.path}; "tweetclf leaderboard" makes some'
        )
        return 1
    leaderboard, paths = publish(
        records,
        store,
        args.output,
        title=args.title or "Leaderboard",
        formats=args.format,
        n_resamples=args.resamples or 2000,
    )
    if args.json:
        print_json(json.loads(render(make_report(leaderboard), "json")))
        return 0
    print_boards(leaderboard)
    for path in paths:
        print(path)
    return 0
