"""Progress of training: on a terminal a bar, in a pipe a line a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tweetclf.training._contracts import Report

__all__ = ["show_progress", "watch_training", "watched"]

_WATCHER: ContextVar[Report | None] = ContextVar("tweetclf_training", default=None)


# Seconds between two lines where there is no terminal.
_EVERY = 60.0


def _silent(event: dict[str, Any]) -> None:
    """Show nothing."""


class _Shown:
    """One training after another, as events tell of it."""

    def start(self, description: str, n_steps: int | None) -> None:
        self.description, self.n_steps = description, n_steps
        self.started, self.n_examples = time.perf_counter(), 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        if event["kind"] == "start":
            self.start(event["description"], event["n_steps"])
        elif event["kind"] == "rollback":
            self.show(None, "went back, half the rate")
        elif event["kind"] == "step":
            self.n_examples += event["n_examples"]
            speed = self.n_examples / max(time.perf_counter() - self.started, 1e-9)
            state = (
                f"loss {event['loss']:.4f}  rate {event['learning_rate']:.2e}  "
                f"{speed:,.0f} tweets/s"
            )
            self.show(event["step"] + 1, state)

    def show(self, n_done: int | None, state: str) -> None:
        raise NotImplementedError


class _Bar(_Shown):
    """A bar."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar
        self.task: Any = None

    def start(self, description: str, n_steps: int | None) -> None:
        super().start(description, n_steps)
        if self.task is not None:
            self.bar.remove_task(self.task)
        self.task = self.bar.add_task(description, total=n_steps, state="")

    def show(self, n_done: int | None, state: str) -> None:
        self.bar.update(self.task, completed=n_done, state=state)


class _Lines(_Shown):
    """A line now and then, for logs: trainings of less than a minute write none."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def show(self, n_done: int | None, state: str) -> None:
        now = time.perf_counter()
        if n_done is None or now - self.last < _EVERY:
            return
        self.last = now
        of = "" if self.n_steps is None else f" of {self.n_steps:,}"
        sys.stderr.write(f"{self.description}: step {n_done:,}{of}  {state}\n")
        sys.stderr.flush()


@contextmanager
def show_progress(
    description: str, n_steps: int | None = None, *, enabled: bool | None = None
) -> Iterator[Report]:
    """Yield a `report` for `fit_loop` that draws a bar on standard error.

    The bar shows steps, loss, learning rate, tweets per second and the time left. Where
    standard error is no terminal, a line a minute says the same.

    Parameters
    ----------
    description : str
        Words before the bar.
    n_steps : int, optional
        Steps of the whole training; see `total_steps`.
    enabled : bool, optional
        True for the bar, False for nothing; by default a bar if standard error is a
        terminal, and else lines.
    """
    if enabled is None and not sys.stderr.isatty():
        lines = _Lines()
        lines.start(description, n_steps)
        yield lines
        return
    if enabled is False:
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
    with Progress(*columns, console=console, transient=True) as drawn:
        bar = _Bar(drawn)
        bar.start(description, n_steps)
        yield bar


@contextmanager
def watch_training(report: Report | None = None) -> Iterator[None]:
    """Watch the neural estimators that are fitted inside the ``with`` block.

    Parameters
    ----------
    report : callable, optional
        Called with a dict for every event: ``"kind"`` is "start" (with `description`,
        the estimator, and `n_steps`), "step" (`step`, `loss`, `learning_rate`,
        `n_examples`), "epoch" (an entry of the history), "rollback" or "halved".
        Returning True ends that training; the estimator is fitted as far as it came.
        By default a bar on standard error if that is a terminal, and else a line a
        minute.

    Notes
    -----
    Fits in other processes, as `n_jobs` starts them, are not seen.

    Examples
    --------
    >>> from tweetclf.estimators import BiLSTMClassifier
    >>> from tweetclf.training import watch_training
    >>> clf = BiLSTMClassifier(hidden_size=4, max_iter=2, random_state=0)
    >>> kinds = []
    >>> with watch_training(lambda event: kinds.append(event["kind"])):
    ...     clf = clf.fit(["qué risa", "qué pena"] * 4, [1, 0] * 4)
    >>> kinds
    ['start', 'step', 'epoch', 'step', 'epoch']
    """
    if report is not None:
        with _watching(report):
            yield
        return
    with show_progress("Training") as bar, _watching(bar):
        yield


@contextmanager
def _watching(report: Report) -> Iterator[None]:
    token = _WATCHER.set(report)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def watched(
    description: str, n_steps: int | None, report: Report | None = None
) -> Report | None:
    """Announce a training to whoever watches, and return its `report`.

    Parameters
    ----------
    description : str
        What is trained.
    n_steps : int or None
        Steps of the whole training, if they are known.
    report : callable, optional
        What else is to be called, and may end the training.

    Returns
    -------
    callable or None
        `report` itself, if nobody watches.
    """
    watcher = _WATCHER.get()
    if watcher is None:
        return report
    watcher({"kind": "start", "description": description, "n_steps": n_steps})

    def tell(event: dict[str, Any]) -> bool:
        answers = [watcher(event)]
        if report is not None:
            answers.append(report(event))
        return any(answer is True for answer in answers)

    return tell
