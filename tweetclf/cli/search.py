"""Search the hyper-parameters of a system on a task, and say which are best.

Trials are scored on dev, or by cross-validation of train and dev, by the official
metric; the test split is never looked at. Every trial is stored as a run; a call that
was killed goes on where it stopped.

examples:
  tweetclf search --task sample-humor --system char-svm
  tweetclf search --task sample-humor --system nbsvm --strategy tpe --trials 40
  tweetclf search --task my.csv --system tfidf-lr --strategy halving --trials 27
  tweetclf search --task sample-humor --system nbsvm --space haha --new-folds
  tweetclf search --task sample-humor --system nbsvm --space mine.toml
  tweetclf search --task T --system S --strategy tpe --storage sqlite:///study.db
  tweetclf search --spaces
"""

from __future__ import annotations

import argparse
import functools
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._data import (
    add_own_arguments,
    add_parameter_argument,
    given_reading,
    say_notes,
)
from tweetclf.cli._output import (
    UsageError,
    note,
    print_json,
    print_table,
    warnings_as_notes,
)
from tweetclf.cli._running import (
    add_where_arguments,
    connect_backend,
    folds,
    integer,
    positive,
    progress_bar,
)
from tweetclf.cli._spaces import cell, list_spaces
from tweetclf.cli._tables import check_folder

if TYPE_CHECKING:
    from tweetclf.leaderboard import Sweep, System, Trial
    from tweetclf.leaderboard.search_protocol import SearchProtocol
    from tweetclf.tasks import Task

__all__ = ["add_arguments", "run"]

STRATEGIES = ("grid", "random", "halving", "tpe")


def _seed(text: str) -> int:
    return integer(text, 0)


def _factor(text: str) -> int:
    return integer(text, 2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf search``."""
    _add_what(parser)
    _add_how(parser)
    add_own_arguments(parser)
    # Said only where it was given.
    parser.set_defaults(encoding=None)
    add_where_arguments(parser, said="threads where a system can, else 1; tpe 1")
    _add_kept(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to search")
    what.add_argument(
        "--task",
        metavar="NAME|FILE",
        help='a registered task (see "tweetclf tasks") or your own file',
    )
    what.add_argument("--system", metavar="NAME", help='see "tweetclf systems"')
    add_parameter_argument(what)
    what.add_argument(
        "--space",
        metavar="NAME|FILE",
        help='"grid" or "wide" for what the system declares, a space of a paper, or '
        "your own in a TOML or JSON file (the grid, or the wide one where settings "
        "are drawn)",
    )
    what.add_argument(
        "--spaces", action="store_true", help="list the search spaces, and do no more"
    )


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    how.add_argument(
        "--strategy",
        choices=STRATEGIES,
        help="all settings, random ones, successive halving, or Bayesian (grid; "
        "random for distributions)",
    )
    how.add_argument(
        "--trials", type=positive, metavar="N", help="number of settings drawn (30)"
    )
    how.add_argument(
        "--evaluation",
        choices=("dev", "cv"),
        help="what trials are scored on (dev, if there is one)",
    )
    how.add_argument(
        "--folds", type=folds, metavar="K", help="cross-validate, with K folds (5)"
    )
    how.add_argument(
        "--seeds",
        type=positive,
        metavar="N",
        help="run each setting with N seeds, from 0, and take the mean (1)",
    )
    how.add_argument(
        "--new-folds",
        action="store_true",
        help="cut new folds for each seed (repeated cross-validation)",
    )
    how.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="seed of the draw (0)"
    )
    how.add_argument(
        "--factor",
        type=_factor,
        metavar="N",
        help="halving: one setting in N goes on, with N times the tweets (3)",
    )
    how.add_argument(
        "--min-resources",
        type=positive,
        metavar="N",
        help="halving: training tweets of the first round",
    )


def _add_kept(parser: argparse.ArgumentParser) -> None:
    kept = parser.add_argument_group("what is kept")
    kept.add_argument(
        "--store", default="runs", metavar="DIR", help="folder of the runs (runs)"
    )
    kept.add_argument(
        "--storage",
        metavar="FILE|URL",
        help="share the search with other processes: journal file or SQL URL of Optuna",
    )
    kept.add_argument(
        "--retry-failed",
        action="store_true",
        help="run failed trials once more, and propose anew what followed from them",
    )
    kept.add_argument(
        "--output",
        metavar="DIR",
        help="write sweep.json, sweep.csv and a report of the search there",
    )
    kept.add_argument("--json", action="store_true", help="print the sweep as JSON")


def _check_usage(args: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if not (args.task and args.system):
        raise UsageError("--task and --system are needed (or --spaces)")
    if args.strategy == "grid" and args.trials:
        raise UsageError("a grid tries all settings; leave --trials out")
    if args.evaluation == "dev" and (args.folds or args.new_folds):
        raise UsageError("--folds and --new-folds need --evaluation cv")
    if args.strategy != "halving" and (args.factor or args.min_resources):
        raise UsageError("--factor and --min-resources need --strategy halving")
    if args.scheduler and args.backend != "dask":
        raise UsageError("--scheduler needs --backend dask")
    if args.retry_failed and args.storage:
        raise UsageError(
            "--retry-failed does not go with --storage: a shared study "
            "keeps what failed"
        )


def _protocol(args: argparse.Namespace) -> SearchProtocol:
    from tweetclf.leaderboard.search_protocol import SearchProtocol
    from tweetclf.leaderboard.space_files import is_space_file, read_space

    folded = args.folds or args.new_folds
    space = args.space
    return SearchProtocol(
        space=read_space(space) if space and is_space_file(space) else space,
        strategy=args.strategy,
        n_trials=args.trials,
        evaluation=args.evaluation or ("cv" if folded else None),
        n_folds=args.folds,
        seeds=tuple(range(args.seeds)) if args.seeds else None,
        new_folds=args.new_folds,
        seed=args.seed,
        factor=args.factor or SearchProtocol.factor,
        min_resources=args.min_resources,
    )


def _show(bar: Any, trial: Trial, done: int, total: int) -> None:
    state = trial.state if trial.score is None else f"{trial.score:.3f}"
    bar(f"trial {trial.number} {state}", done, total)


def run(args: argparse.Namespace) -> int:
    """Search, and print the best settings."""
    if args.spaces:
        return list_spaces(args)
    _check_usage(args)
    from tweetclf.leaderboard import RunStore, run_search
    from tweetclf.leaderboard.given import choose_systems, parse_parameters
    from tweetclf.tasks import load_task

    (system,) = choose_systems([args.system], parse_parameters(args.param))
    protocol = _protocol(args)
    check_folder("--store", args.store)
    if args.output:
        check_folder("--output", args.output)
    task = load_task(args.task, data_dir=args.data_dir, **given_reading(args))
    say_notes(task)
    if args.backend == "dask" and args.strategy == "tpe" and args.jobs is None:
        note("tpe runs one trial at a time; --jobs N proposes and runs N together.")
    with (
        connect_backend(args, "search") as backend,
        progress_bar() as bar,
        warnings_as_notes(),
    ):
        sweep = run_search(
            task,
            system,
            RunStore(args.store),
            protocol,
            storage=args.storage,
            n_jobs=args.jobs,
            backend=backend,
            retry_failed=args.retry_failed,
            on_trial=bar and functools.partial(_show, bar),
        )
    return _conclude(args, sweep, system, task)


def _conclude(
    args: argparse.Namespace, sweep: Sweep, system: System, task: Task
) -> int:
    """Write and print what came out; return the exit code."""
    from tweetclf.utils.files import write_text_atomic

    for trial in sweep.failed:
        note(f"failed: trial {trial.number} {dict(trial.params)}: {trial.error}")
    if _seeds_changed_nothing(sweep):
        hint = " --new-folds cuts other folds for each." if sweep.n_folds else ""
        note(f"the {len(sweep.seeds)} seeds changed no score of this system.{hint}")
    if args.output:
        folder = Path(args.output)
        sweep.save(folder / "sweep.json")
        write_text_atomic(folder / "sweep.csv", sweep.to_csv())
        written = [folder / "sweep.json", folder / "sweep.csv"]
        if sweep.trials:
            from tweetclf.reports import write_sweep_report

            written += write_sweep_report([sweep], folder)
    if args.json:
        print_json(json.loads(sweep.to_json()))
    else:
        _print_sweep(sweep)
        if sweep.best is not None:
            _print_use(args, sweep.best, system, task)
        if args.output:
            print(*written, sep="\n")
    return 0 if sweep.best is not None and not sweep.failed else 1


def _seeds_changed_nothing(sweep: Sweep) -> bool:
    width = sweep.n_folds or 1
    scored = [trial.fold_scores for trial in sweep.trials if trial.score is not None]
    return (
        len(sweep.seeds) > 1
        and bool(scored)
        and all(scores == scores[:width] * len(sweep.seeds) for scores in scored)
    )


def _print_sweep(sweep: Sweep, top: int = 10) -> None:
    how = "dev" if sweep.n_folds is None else f"{sweep.n_folds} folds"
    seeds = f", {len(sweep.seeds)} seeds" if len(sweep.seeds) > 1 else ""
    print(
        f"{sweep.task}, {sweep.system}: {len(sweep.trials)} trials of space "
        f"{sweep.space}, strategy {sweep.strategy}, scored on {how}{seeds}"
    )
    ranked = sweep.ranked()
    names = sweep.parameters
    halving = any(trial.resource is not None for trial in ranked)
    header = ["trial", sweep.metric.partition("|")[0], *names]
    header += ["tweets"] if halving else []
    print_table(
        [*header, "fit"],
        [
            [
                str(trial.number),
                f"{trial.score:.4f}",
                *(cell(trial.params[n]) if n in trial.params else "" for n in names),
                *([str(trial.resource)] if halving else []),
                f"{trial.fit_seconds:.1f} s",
            ]
            for trial in ranked[:top]
        ],
        right=(0, 1, len(header)),
    )
    if len(ranked) > top:
        print(f"... and {len(ranked) - top} more (--json or --output for all)")


def _fit_line(
    args: argparse.Namespace, system: System, params: Mapping[str, Any]
) -> str:
    """Return the command that trains a system with a setting."""
    from tweetclf.tasks.loading import OPTIONS

    words = ["tweetclf", "fit", args.system, args.task]
    for name, value in given_reading(args).items():
        words += [OPTIONS[name]] if value is False else [OPTIONS[name], value]
    if args.data_dir:
        words += ["--data-dir", args.data_dir]
    # A parameter that was searched stands for a given one of its name.
    given = [text for text in args.param if _parameter(text) not in params]
    found = [
        f"{system.name}.{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in params.items()
    ]
    for text in [*given, *found]:
        words += ["--param", text]
    return shlex.join([*words, "--output", "model"])


def _parameter(text: str) -> str:
    """Return the name in ``SYSTEM.NAME=VALUE``."""
    return text.partition("=")[0].partition(".")[2]


def _print_use(
    args: argparse.Namespace, best: Trial, system: System, task: Task
) -> None:
    """Print the best setting, and the lines that use it."""
    from tweetclf.leaderboard.given import parse_parameters
    from tweetclf.reports.formatting import make_safe

    names = system.parameter_names(task, best.params)
    # --param knows the parameters of systems as they are, not as tasks wrap them.
    plain = all(name == inside for name, inside in names.items())
    fit = _fit_line(args, system, best.params) if plain and not task.grouped else None
    given = ", ".join(f"{names[name]}={v!r}" for name, v in best.params.items())
    columns = "".join(
        f", {key}={value!r}" for key, value in given_reading(args).items()
    )
    own = parse_parameters(args.param)
    chosen = f", {own!r}" if own else ""
    lines = (
        "",
        f"best parameters: {json.dumps(dict(best.params), ensure_ascii=False)}",
        f"run record: {best.record}",
        "",
        "from tweetclf import load_task",
        "from tweetclf.leaderboard import choose_systems",
        "",
        f"task = load_task({args.task!r}{columns})",
        f"(system,) = choose_systems([{args.system!r}]{chosen})",
        "model = system.build(task)",
        *([f"model.set_params({given})"] if given else []),
        "model.fit(*task.train)",
        "",
        *(["or, to train and save it:", "", fit, ""] if fit else []),
        "Test was not looked at: score it once, when nothing is left to choose.",
    )
    print(make_safe("\n".join(lines), newlines=True))
