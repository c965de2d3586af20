"""Make a stored run again, and say whether every number is the same.

RECORD is the file of a record, with its predictions beside it (its path may begin in
the folder of the store), or the key of a run in the store. The same system is trained
on the same data with the same settings and seed, in a temporary store; the ledger of
the record's store counts it as one more scoring of test. Data that are not those of the
run are refused. Code, libraries and machine may be other ones; what is different is
said.

Exit code 0 if scores, chosen settings and all predictions are the same, bit for bit;
1 if not, or if the run cannot be made again.

examples:
  tweetclf rerun runs/runs/sample-sentiment/nbsvm/0123456789abcdef.json
  tweetclf rerun 01234567 --store runs
  tweetclf rerun 01234567 --data my.csv --text tweet --label class
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tweetclf.cli._data import (
    add_own_arguments,
    given_columns,
    given_reading,
)
from tweetclf.cli._output import UsageError, note, print_json

if TYPE_CHECKING:
    from tweetclf.leaderboard.rerunning import Rerun
    from tweetclf.tasks import Task

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf rerun``."""
    parser.add_argument(
        "record", metavar="RECORD", help="file of a record, or key of a run"
    )
    parser.add_argument(
        "--store", default="runs", metavar="DIR", help="folder of the runs (runs)"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )
    parser.add_argument(
        "--data", metavar="FILE", help="the file, for a run on data of your own"
    )
    add_own_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _task(args: argparse.Namespace) -> Task | None:
    """Load the user's own file, if there is one."""
    from tweetclf.tasks import load_task

    if args.data is None:
        given = given_columns(args)
        if given:
            raise UsageError(f"--{next(iter(given)).replace('_', '-')} needs --data")
        return None
    return load_task(args.data, **given_reading(args))


def _document(outcome: Rerun) -> dict[str, Any]:
    from tweetclf.reports.formatting import finite

    spec = outcome.before.spec
    # JSON knows no NaN.
    scores = [finite(record.score) for record in (outcome.before, outcome.now)]

    def changes(found: Any) -> list[dict[str, Any]]:
        return [{"what": c.what, "before": c.before, "now": c.now} for c in found]

    return {
        "key": outcome.before.key,
        "task": spec.task.name,
        "system": spec.system,
        "seed": spec.seed,
        "equal": outcome.equal,
        "verdict": outcome.verdict,
        "score": {"before": scores[0], "now": scores[1]},
        "n_predictions": outcome.n_predictions,
        "n_different": outcome.n_different,
        "differences": changes(outcome.differences),
        "conditions": changes(outcome.conditions),
    }


def run(args: argparse.Namespace) -> int:
    """Make the run again and print what came out."""
    from tweetclf.leaderboard.rerunning import rerun
    from tweetclf.leaderboard.store import RunStore, find_run, home_of
    from tweetclf.reports.formatting import make_safe

    task = _task(args)
    store = RunStore(args.store)
    record, predictions = find_run(args.record, store)
    home = home_of(args.record, record, store)
    if home is None and record.split == "test":
        note("the record lies in no store, so this scoring of test is not counted")
    outcome = rerun(record, predictions, task=task, data_dir=args.data_dir, store=home)
    if args.json:
        print_json(_document(outcome))
        return 0 if outcome.equal else 1
    for change in outcome.conditions:
        note(f"not as it was: {change}")
    print(make_safe(outcome.verdict))
    for change in outcome.differences:
        print(make_safe(f"- {change}"))
    return 0 if outcome.equal else 1
