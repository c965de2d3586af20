"""Run systems on tasks, store every run, and write a report.

Without options, classical systems run on the bundled sample in seconds. Finished runs
are stored and reused; a call that was killed goes on where it stopped.

examples:
  tweetclf leaderboard
  tweetclf leaderboard --task tweeteval-irony --system nbsvm --system atalaya-svm --grid
  tweetclf leaderboard --task my.csv --text tweet --label class --seeds 5
  tweetclf leaderboard --config benchmarks/leaderboards/haha.toml --jobs 2
  tweetclf leaderboard --system nbsvm --system beto=transformer --param beto.model=DIR
"""

from __future__ import annotations

import argparse
import contextlib
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tweetclf.cli._data import (
    add_own_arguments,
    add_parameter_argument,
    given_reading,
    say_notes,
)
from tweetclf.cli._output import UsageError, note
from tweetclf.cli._running import (
    add_where_arguments,
    connect_backend,
    folds,
    integer,
    positive,
    progress_bar,
)
from tweetclf.cli._tables import check_folder, command_line, write_tables

if TYPE_CHECKING:
    from tweetclf.leaderboard import Definition, LeaderboardRun, RunRecord, RunStore
    from tweetclf.tasks import Task

__all__ = ["add_arguments", "add_report_arguments", "resample_count", "run"]


def resample_count(text: str) -> int:
    """Parse a number of bootstrap resamples."""
    from tweetclf.leaderboard.definitions import MIN_RESAMPLES

    return integer(text, MIN_RESAMPLES)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that every command which writes a report has."""
    parser.add_argument(
        "--store", default="runs", metavar="DIR", help="folder of the runs (runs)"
    )
    parser.add_argument(
        "--output",
        default="report",
        metavar="DIR",
        help="folder of the report (report)",
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=["html", "markdown", "latex", "csv", "json", "all"],
        help="format of the report, may be repeated (html and json)",
    )
    parser.add_argument("--title", help="title of the report")
    parser.add_argument(
        "--resamples",
        type=resample_count,
        metavar="N",
        help="bootstrap resamples behind the intervals, at least 100 (2000)",
    )
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--published",
        nargs="?",
        const="",
        metavar="FILE",
        help="print published results too (the report has them anyway), and take those "
        "of your own CSV file, see docs/published.md",
    )
    shown.add_argument(
        "--no-published",
        action="store_true",
        help="leave published results out of the report",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf leaderboard``."""
    what = parser.add_argument_group("what to run")
    what.add_argument("--config", metavar="FILE", help="definition in TOML")
    what.add_argument(
        "--task",
        action="append",
        metavar="NAME|FILE",
        help='a registered task (see "tweetclf tasks") or your own CSV, TSV, JSONL or '
        "Parquet file; may be repeated",
    )
    what.add_argument(
        "--system",
        action="append",
        metavar="NAME",
        help='a system (see "tweetclf systems"), or OWN=NAME: one under a name of your '
        "own; may be repeated",
    )
    add_parameter_argument(what)
    what.add_argument(
        "--seeds", type=positive, metavar="N", help="number of seeds, from 0 (1)"
    )
    what.add_argument(
        "--grid",
        action="store_true",
        help="select hyper-parameters on dev, by the official metric",
    )
    what.add_argument(
        "--refit-on-dev",
        action="store_true",
        help="train the selected setting on train and dev before test is scored",
    )
    what.add_argument(
        "--folds",
        type=folds,
        metavar="K",
        help="cross-validate on train and dev, and leave test alone",
    )
    add_own_arguments(parser)
    # What is not given here may stand in the definition.
    parser.set_defaults(encoding=None)
    add_where_arguments(parser)
    add_report_arguments(parser.add_argument_group("report"))  # type: ignore[arg-type]


def _chosen(definition: Definition, names: list[str]) -> dict[str, Any]:
    """Return the systems that are asked for, and the parameters without the others'.

    A name of one's own ("mine=transformer") stands for what the definition says it is.
    """
    listed = {said.partition("=")[0]: said for said in definition.systems}
    systems = tuple(dict.fromkeys(listed.get(name, name) for name in names))
    kept = {said.partition("=")[0] for said in systems}
    params = {
        name: values
        for name, values in definition.params.items()
        # What is of no system at all is a slip, and refused later.
        if name in kept or name not in listed
    }
    return {"systems": systems, "params": params}


def _definition(args: argparse.Namespace) -> Definition:
    """Join the configuration file and the options; options win."""
    from tweetclf.leaderboard.definitions import DEFAULT, read_definition
    from tweetclf.leaderboard.given import parse_parameters

    definition = read_definition(args.config) if args.config else DEFAULT
    changes: dict[str, Any] = {}
    if args.task:
        changes["tasks"] = tuple(dict.fromkeys(args.task))
        if not args.config:
            changes["title"] = "Leaderboard"
    if args.system:
        changes |= _chosen(definition, args.system)
    if args.param:
        given = parse_parameters(args.param)
        params = changes.get("params", definition.params)
        changes["params"] = {
            name: {**params.get(name, {}), **given.get(name, {})}
            for name in {**params, **given}
        }
    if given := given_reading(args):
        changes["data"] = {**definition.data, **given}
    if args.seeds:
        changes["seeds"] = tuple(range(args.seeds))
    if args.title:
        changes["title"] = args.title
    if args.resamples:
        changes["n_resamples"] = args.resamples
    protocol = definition.protocol
    if args.grid:
        protocol = replace(protocol, grid=True)
    if args.refit_on_dev:
        protocol = replace(protocol, refit_on_dev=True)
    if args.folds:
        protocol = replace(protocol, evaluation="cv", n_folds=args.folds)
    return replace(definition, protocol=protocol, **changes)


@contextlib.contextmanager
def _named_by(config: str | None, given: Any) -> Iterator[None]:
    """Say the file where an unknown name comes from a definition."""
    from tweetclf.exceptions import UnknownNameError

    try:
        yield
    except UnknownNameError as error:
        if config and not given:
            raise UnknownNameError(f"{config}: {error}") from error
        raise


def _own_options(
    definition: Definition, args: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Return, for each task, what is said of files of one's own if it is one."""
    from tweetclf.tasks.loading import OPTIONS, is_registered

    own = [name for name in definition.tasks if not is_registered(name)]
    if not own and given_reading(args):
        option = OPTIONS[next(iter(given_reading(args)))]
        raise UsageError(
            f"{option} applies to files of your own, and none is among the tasks"
        )
    # Tasks named by hand stand in place of those that the table was written for.
    if not own and definition.data and not args.task:
        raise UsageError(
            f"{args.config}: [data] applies to files of your own, and none is among "
            "the tasks"
        )
    return {n: dict(definition.data) if n in own else {} for n in definition.tasks}


def _load_tasks(
    definition: Definition, args: argparse.Namespace
) -> tuple[list[Task], list[tuple[str, str | None, str]]]:
    """Load the tasks whose data are at hand; say why others are left out."""
    from tweetclf.exceptions import DataError
    from tweetclf.tasks import load_task

    options = _own_options(definition, args)
    tasks: list[Task] = []
    skipped: list[tuple[str, str | None, str]] = []
    for name in definition.tasks:
        try:
            with _named_by(args.config, args.task):
                task = load_task(name, data_dir=args.data_dir, **options[name])
        except DataError as error:
            # A file that the user named by hand must not be passed over.
            if args.task:
                raise
            skipped.append((name, None, str(error)))
            note(f"skipped {name}: {error}")
            continue
        tasks.append(task)
        say_notes(task)
    return tasks, skipped


def _show(bar: Any, record: RunRecord, done: int, total: int) -> None:
    """Move the progress bar."""
    state = "failed" if record.status == "failed" else f"{record.score:.3f}"
    bar(f"{record.spec.task.name} {record.spec.system} {state}", done, total)


def _report_failures(outcome: LeaderboardRun) -> None:
    for record in outcome.failed:
        note(
            f"failed: {record.spec.system} on {record.spec.task.name}, seed "
            f"{record.spec.seed}: {record.error}"
        )


def run(args: argparse.Namespace) -> int:
    """Run the leaderboard, write the report, print the tables."""
    from tweetclf.leaderboard import RunStore, run_leaderboard
    from tweetclf.leaderboard.given import choose_systems

    if args.scheduler and args.backend != "dask":
        raise UsageError("--scheduler needs --backend dask")
    definition = _definition(args)
    with _named_by(args.config, args.system):
        systems = choose_systems(definition.systems, definition.params)
    check_folder("--store", args.store)
    check_folder("--output", args.output, report=True)
    tasks, skipped = _load_tasks(definition, args)
    if not tasks:
        note("no task can be run: the data of none are at hand.")
        return 1
    store = RunStore(args.store)
    with connect_backend(args, "leaderboard") as backend, progress_bar() as bar:
        outcome = run_leaderboard(
            tasks,
            systems,
            store,
            seeds=definition.seeds,
            protocol=definition.protocol,
            n_jobs=args.jobs or (-1 if backend == "dask" else 1),
            backend=backend,
            on_record=bar and functools.partial(_show, bar),
        )
    skipped += [(item.task, item.system, item.reason) for item in outcome.skipped]
    return _conclude(args, definition, outcome, store, skipped)


def _conclude(
    args: argparse.Namespace,
    definition: Definition,
    outcome: LeaderboardRun,
    store: RunStore,
    skipped: list[tuple[str, str | None, str]],
) -> int:
    """Write and print what came out; return the exit code."""
    _report_failures(outcome)
    if not args.json:
        for task, system, reason in skipped:
            if system is not None:
                note(f"skipped {system} on {task}: {reason}")
        if outcome.n_reused:
            note(
                f"{outcome.n_reused} of {len(outcome.records)} runs were stored before"
            )
    sound = write_tables(
        args,
        store,
        outcome.records,
        title=definition.title,
        n_resamples=definition.n_resamples,
        skipped=skipped,
        command=command_line(args.argv),
        by_language=definition.by_language,
    )
    return 0 if sound and outcome.records and not outcome.failed else 1
