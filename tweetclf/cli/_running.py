"""What the commands that run systems share: jobs, backends, a progress bar."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from tweetclf.cli._output import note

__all__ = [
    "BACKENDS",
    "add_where_arguments",
    "connect_backend",
    "folds",
    "integer",
    "jobs",
    "positive",
    "progress_bar",
]

BACKENDS = ("loky", "multiprocessing", "threading", "sequential", "dask")


def integer(text: str, least: int) -> int:
    """Read a whole number that is not less than `least`."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}, got {number}")
    return number


def positive(text: str) -> int:
    """Read a number of things."""
    return integer(text, 1)


def folds(text: str) -> int:
    """Read a number of folds."""
    return integer(text, 2)


def jobs(text: str) -> int:
    """Read a number of jobs; below 0, from the number of cores."""
    number = integer(text, -10_000)
    if not number:
        raise argparse.ArgumentTypeError(
            "must be at least 1, or -1 for all cores, got 0"
        )
    return number


def add_where_arguments(parser: argparse.ArgumentParser, *, said: str = "1") -> None:
    """Declare where data are and how many runs go on at a time."""
    where = parser.add_argument_group("where to run")
    where.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the public datasets (TWEETCLF_DATA, else the user's cache)",
    )
    where.add_argument(
        "--jobs",
        type=jobs,
        metavar="N",
        help=f"runs at the same time, -1: as many as cores ({said}; with --backend "
        "dask, as many as workers)",
    )
    where.add_argument(
        "--backend", choices=BACKENDS, help="joblib backend (for several jobs)"
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of the Dask scheduler, with --backend dask",
    )


@contextlib.contextmanager
def connect_backend(args: argparse.Namespace, command: str) -> Iterator[str | None]:
    """Connect to a Dask cluster for the time of the runs."""
    if args.backend != "dask":
        yield args.backend
        return
    from tweetclf.utils.optional import import_optional

    distributed = import_optional(
        "distributed", extra="dask", caller=f"tweetclf {command} --backend dask"
    )
    cluster: dict[str, Any] = {"address": args.scheduler}
    if args.scheduler is None:
        # Systems that do not run in threads would take turns in those of a worker.
        cluster = {"threads_per_worker": 1}
        if args.jobs is not None and args.jobs > 0:
            cluster["n_workers"] = args.jobs
    with distributed.Client(**cluster) as client:
        note(f"running on {client.dashboard_link or args.scheduler or 'local cluster'}")
        yield "dask"


@contextlib.contextmanager
def progress_bar() -> Iterator[Any]:
    """Yield a function of words, number done and number of all; None in a pipe.

    It draws a bar on a terminal.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("starting", total=None)

        def show(words: str, done: int, total: int) -> None:
            bar.update(row, description=escape(words), completed=done, total=total)

        yield show
