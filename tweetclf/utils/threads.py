"""How many threads there are for compiled code, and work shared among them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from tweetclf.utils.jit import has_numba

__all__ = ["even_ranges", "in_threads", "n_threads"]

T = TypeVar("T")
U = TypeVar("U")

# A thread that has less to do, in nanoseconds, costs more than it saves.
_PAYS = 1_000_000


def n_threads() -> int:
    """Return how many threads this process may use.

    ``TWEETCLF_THREADS`` if it is set, else ``OMP_NUM_THREADS`` (which joblib sets in
    its workers, so that they do not crowd each other out), else one in a worker
    process and one a processor elsewhere.
    """
    for variable in ("TWEETCLF_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    if multiprocessing.parent_process() is not None:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(function: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Return ``[function(item) for item in items]``, by as many threads as pay.

    Without Numba one thread does it all: NumPy's loops would wait for each other.
    """
    threads = min(n_threads(), len(items))
    if threads < 2 or not has_numba():
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def even_ranges(ends: np.ndarray, cost: int) -> list[tuple[int, int]]:
    """Cut items into ranges of about equal work, one a thread.

    Parameters
    ----------
    ends : ndarray of int, shape (n_items,)
        Units of work up to the end of each item.
    cost : int
        About how many nanoseconds a unit takes.

    Returns
    -------
    list of tuple of int
        First item of each range, and the one after its last. A single range where
        there is too little to do for two threads.
    """
    total = int(ends[-1]) if len(ends) else 0
    parts = max(1, min(n_threads(), total * cost // _PAYS))
    cuts = np.searchsorted(ends, total * np.arange(1, parts) / parts).tolist()
    bounds = [0, *cuts, len(ends)]
    return [(a, b) for a, b in zip(bounds, bounds[1:], strict=False) if a < b]
