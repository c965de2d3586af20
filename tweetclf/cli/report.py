"""Write a report of the runs in a store, without running anything.

Every table, interval and plot is rebuilt from the stored records and predictions. With
--sweep the report is one of searches: best settings, what a budget is expected to give,
heat maps; several sweeps of one task are compared at equal budgets.

examples:
  tweetclf report --task tweeteval-irony --output irony
  tweetclf report --sweep svm/sweep.json --sweep nbsvm/sweep.json --output sweeps
"""

from __future__ import annotations

import argparse

from tweetclf.cli._output import UsageError, note, print_json
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
    parser.add_argument(
        "--sweep",
        action="append",
        metavar="FILE",
        help='report this sweep of "tweetclf search" (repeatable)',
    )
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report and print its tables."""
    if args.sweep:
        return _report_sweeps(args)
    from tweetclf.leaderboard import RunStore

    check_folder("--output", args.output, report=True)
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


def _report_sweeps(args: argparse.Namespace) -> int:
    """Write the report of sweeps and print what it says of budgets."""
    import json
    import sys
    from dataclasses import replace

    for option in ("task", "system", "published", "no_published", "resamples"):
        if getattr(args, option):
            flag = option.replace("_", "-")
            raise UsageError(f"--{flag} is about stored runs, and not about --sweep")
    check_folder("--output", args.output, report=True)
    from tweetclf.leaderboard.trials import Sweep
    from tweetclf.reports import make_sweep_report, render, write_report
    from tweetclf.reports.publish import choose_formats
    from tweetclf.reports.to_text import render_text

    sweeps = [Sweep.load(path) for path in args.sweep]
    report = make_sweep_report(sweeps, title=args.title)
    paths = write_report(report, args.output, formats=choose_formats(args.format))
    if args.json:
        print_json(json.loads(render(report, "json")))
        return 0
    # Tables that are folded in the page are too long for a terminal.
    sections = tuple(
        replace(s, blocks=tuple(b for b in s.blocks if not getattr(b, "folded", False)))
        for s in report.sections
    )
    sys.stdout.write(render_text(replace(report, sections=sections)))
    for path in paths:
        print(path)
    return 0
