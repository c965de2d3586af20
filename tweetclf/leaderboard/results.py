"""Results that are kept in memory, up to a bound, and handed out many times."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from tweetclf.features.counts import NgramCounts
from tweetclf.leaderboard.identity import as_texts

__all__ = ["Holder", "Member", "Results", "handed_out"]


class Member(NamedTuple):
    """A fitted member of a vote."""

    fitted: Any


class Holder:
    """Base of what holds `Results`, which are no part of a model that holds it."""


class _Turn:
    """Who computes a result that threads are asking for."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.n_threads = 0


class Results:
    """What was computed, by what it was computed from.

    Parameters
    ----------
    max_bytes : int
        Most memory of what is kept; what was used longest ago is dropped.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.RLock()
        self._turns: dict[Any, _Turn] = {}

    def find(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Return the result of `compute` for `key`, from before if it is there."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.n_threads += 1
        try:
            # Of several threads that need the same one computes it.
            with turn.lock:
                with self._lock:
                    if key in self._kept:
                        self._kept.move_to_end(key)
                        return self._kept[key][0]
                value = compute()
                _freeze(value)
                self._keep(key, value)
                return value
        finally:
            with self._lock:
                turn.n_threads -= 1
                if not turn.n_threads:
                    del self._turns[key]

    def _keep(self, key: Any, value: Any) -> None:
        size = _n_bytes(value)
        if size > self.max_bytes or not _is_shareable(value):
            return
        with self._lock:
            self._kept[key] = (value, size)
            self._n_bytes += size
            while self._n_bytes > self.max_bytes:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._n_bytes -= dropped


def handed_out(result: Any, shared: bool) -> Any:
    """Return a result that may be used freely, or the one that is kept.

    Plain pipelines hand over matrices that the next step may write on, and SciPy
    sorts the indices of a matrix in place where a step looks for its smallest value.
    """
    if isinstance(result, list):
        return list(result)
    return result if shared else result.copy()


def _arrays(value: Any, depth: int = 2) -> list[np.ndarray]:
    """Return the arrays that make up a result or a fitted estimator."""
    if isinstance(value, np.ndarray):
        return [value]
    if sparse.issparse(value):
        parts = ("data", "indices", "indptr", "row", "col")
        return [getattr(value, part) for part in parts if hasattr(value, part)]
    if isinstance(value, Holder):
        return []
    items = (
        value
        if isinstance(value, list | tuple)
        else getattr(value, "__dict__", {}).values()
    )
    return [array for item in items if depth for array in _arrays(item, depth - 1)]


def _result(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _is_shareable(value: Any) -> bool:
    """Tell whether a result can be handed out many times without being changed."""
    if isinstance(value, Member):
        return True
    result = _result(value)
    if isinstance(result, list):
        return as_texts(result) is not None
    return isinstance(result, np.ndarray | NgramCounts) or sparse.issparse(result)


def _freeze(value: Any) -> None:
    result = _result(value)
    if isinstance(result, np.ndarray) or sparse.issparse(result):
        for array in _arrays(result):
            array.flags.writeable = False


def _n_bytes(value: Any) -> int:
    if isinstance(value, Member):
        arrays = {id(array): array for array in _arrays(value, depth=12)}
        return sum(array.nbytes for array in arrays.values())
    result = _result(value)
    texts = sum(50 + 4 * len(text) for text in result) if type(result) is list else 0
    return texts + sum(array.nbytes for array in _arrays(value, depth=3))
