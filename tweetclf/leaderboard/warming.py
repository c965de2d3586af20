"""What a process pays once, and no system: imports, kernels, files that are read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from tweetclf.leaderboard.selection import GroupedModel, Rows
from tweetclf.utils.random import stream

__all__ = ["few_rows", "nested_order", "warm_up", "warm_up_once"]

_FEW = 60

_LOCK = threading.Lock()
_WARM: set[Hashable] = set()


def nested_order(rows: Rows, inside: np.ndarray, rng: np.random.Generator) -> Any:
    """Return rows in an order whose every beginning is a stratified sample.

    Parameters
    ----------
    rows : Rows
        All rows.
    inside : ndarray of int
        Positions to order.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int
        The same positions. Labels (and groups) come in turn, in proportion; indicator
        rows and numbers come at random.
    """
    shuffled = rng.permutation(inside)
    labels = rows.labels[shuffled]
    if labels.ndim > 1 or labels.dtype.kind == "f":
        return shuffled
    strata = labels.astype(str)
    if rows.groups is not None:
        strata = np.char.add(
            np.char.add(strata, "\x1f"), rows.groups[shuffled].astype(str)
        )
    _, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
    place = np.empty(len(codes))
    for code, count in enumerate(counts):
        place[codes == code] = (np.arange(count) + rng.random()) / count
    return shuffled[np.argsort(place, kind="stable")]


def few_rows(rows: Rows, inside: np.ndarray, seed: int = 0) -> Rows:
    """Return as many rows as are enough to warm up on.

    Parameters
    ----------
    rows : Rows
        All rows.
    inside : ndarray of int
        Positions that may be trained on.
    seed : int, default=0
        Seed of the choice.
    """
    return rows.take(nested_order(rows, inside, stream(seed, "warm-up"))[:_FEW])


def warm_up(make: Callable[[], Any], few: Rows) -> None:
    """Train on a few rows, so that what is paid once is in no measured time.

    Parameters
    ----------
    make : callable
        Returns an unfitted estimator.
    few : Rows
        The rows.
    """
    try:
        GroupedModel(make).fit(few).predict(few)
    except Exception:
        # Of so few rows not every system can learn; the run itself will tell.
        return


def warm_up_once(name: Hashable, work: Callable[[], None]) -> None:
    """Do work that a process needs once; other threads wait until it is done."""
    with _LOCK:
        if name not in _WARM:
            work()
            _WARM.add(name)
