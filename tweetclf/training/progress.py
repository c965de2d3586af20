"""Progress of a training run: on a terminal a bar, in a pipe nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tweetclf.training._contracts import Report

__all__ = ["show_progress"]


def _silent(event: dict[str, Any]) -> None:
    """Show nothing."""


@contextmanager
def show_progress(
    description: str, n_steps: int | None = None, *, enabled: bool | None = None
) -> Iterator[Report]:
    """Yield a `report` for `fit_loop` that draws a bar on standard error.

    The bar shows steps, loss, learning rate, tweets per second and the time left.

    Parameters
    ----------
    description : str
        Words before the bar.
    n_steps : int, optional
        Steps of the whole training; see `total_steps`.
    enabled : bool, optional
        Show the bar; by default only if standard error is a terminal.
    """
    if enabled is None:
        enabled = sys.stderr.isatty()
    if not enabled:
        yield _silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(description, total=n_steps, state="")
        started, n_examples = time.perf_counter(), 0.0

        def report(event: dict[str, Any]) -> None:
            nonlocal n_examples
            if event["kind"] == "rollback":
                bar.update(task, state="went back, half the rate")
            if event["kind"] != "step":
                return
            n_examples += event["n_examples"]
            speed = n_examples / max(time.perf_counter() - started, 1e-9)
            bar.update(
                task,
                completed=event["step"] + 1,
                state=(
                    f"loss {event['loss']:.4f}  rate {event['learning_rate']:.2e}  "
                    f"{speed:,.0f} tweets/s"
                ),
            )

        yield report
