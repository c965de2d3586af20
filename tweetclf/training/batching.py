"""Batches of examples of about the same length, under a budget of padded tokens.

Tweets padded to the longest of a random batch are mostly padding. Sorting everything
by length removes it, but makes every epoch the same lesson in the same order; so,
as the `pool` of examples that are drawn together is sorted and cut into batches, and
the batches of the epoch are shuffled, padding is small and the order is random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tweetclf.utils.random import stream

__all__ = ["LengthBatches", "halve_batch", "sorted_batches"]

Indices = NDArray[np.intp]


def _check_lengths(lengths: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(lengths)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(
            "The lengths must be a 1-D sequence of ints. Got an array of shape "
            f"{array.shape} and dtype {array.dtype} instead."
        )
    if array.size and array.min() < 0:
        where = int(array.argmin())
        raise ValueError(f"lengths[{where}] is {array[where]}; lengths are 0 or more.")
    return array.astype(np.int64)


def _check_sizes(batch_size: int, max_tokens: int | None) -> None:
    if batch_size < 1:
        raise ValueError(
            "The 'batch_size' parameter must be an int of at least 1. Got "
            f"{batch_size!r} instead."
        )
    if max_tokens is not None and max_tokens < 1:
        raise ValueError(
            "The 'max_tokens' parameter must be an int of at least 1 or None. Got "
            f"{max_tokens!r} instead."
        )


def _cut(
    lengths: NDArray[np.int64],
    ends: Sequence[int],
    batch_size: int,
    max_tokens: int | None,
) -> NDArray[np.int64]:
    """Return where batches begin, and after the last one where it ends.

    `lengths` fall within every pool, and `ends` are the pools' ends: so the first
    example of a batch is the longest, and says how many fit the budget.
    """
    if max_tokens is None:
        sizes = np.full(len(lengths), batch_size)
    else:
        # One that is longer than the budget is a batch of its own.
        sizes = np.clip(max_tokens // np.maximum(lengths, 1), 1, batch_size)
    fitting = sizes.tolist()
    bounds = [0]
    start = 0
    for end in ends:
        while start < end:
            start = min(start + fitting[start], end)
            bounds.append(start)
    return np.array(bounds)


def sorted_batches(
    lengths: ArrayLike, batch_size: int, max_tokens: int | None = None
) -> list[Indices]:
    """Cut examples, sorted by length, into batches with the least padding.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each example.
    batch_size : int
        Most examples in a batch.
    max_tokens : int, optional
        Most tokens in a batch, padding counted. A longer example is alone.

    Returns
    -------
    list of ndarray
        Positions of the examples of each batch, the longest first; all together every
        position once.

    Examples
    --------
    >>> [batch.tolist() for batch in sorted_batches([3, 9, 2, 8, 1], 2)]
    [[1, 3], [0, 2], [4]]
    >>> [batch.tolist() for batch in sorted_batches([3, 9, 2, 8, 1], 3, max_tokens=9)]
    [[1], [3], [0, 2, 4]]
    """
    _check_sizes(batch_size, max_tokens)
    array = _check_lengths(lengths)
    order = np.argsort(-array, kind="stable")
    bounds = _cut(array[order], [len(array)], batch_size, max_tokens)
    return [
        order[start:end]
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]


class LengthBatches:
    """Batches of about the same length: random, and the same for the same epoch.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each example.
    collate : callable
        ``collate(indices)`` makes a batch of the examples at these positions, an
        integer array, the longest first.
    batch_size : int
        Most examples in a batch.
    max_tokens : int, optional
        Most tokens in a batch, padding counted. A longer example is alone.
    shuffle : bool, default=True
        Draw the order anew in every epoch. False keeps examples in the order given,
        but for the sorting within pools.
    seed : int, default=0
        Of the order.
    pool : int, default=50
        So many batches are drawn together and sorted by length: 1 is no bucketing,
        a number that covers everything the least padding and the least randomness.
    split : callable, optional
        ``split(batch)`` returns smaller batches of the same examples, for the day
        memory runs out. `halve_batch` does so for tensors whose first axis is the
        example.

    Examples
    --------
    >>> batches = LengthBatches([1, 5, 2, 4], lambda rows: rows.tolist(), batch_size=2)
    >>> sorted(map(sorted, batches.epoch(0)))
    [[0, 2], [1, 3]]
    >>> list(batches.epoch(3)) == list(batches.epoch(3))
    True
    """

    def __init__(
        self,
        lengths: ArrayLike,
        collate: Callable[[Indices], Any],
        *,
        batch_size: int,
        max_tokens: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        pool: int = 50,
        split: Callable[[Any], list[Any]] | None = None,
    ) -> None:
        _check_sizes(batch_size, max_tokens)
        if pool < 1:
            raise ValueError(
                "LengthBatches: the 'pool' parameter must be an int of at least 1. "
                f"Got {pool!r} instead."
            )
        self.lengths = _check_lengths(lengths)
        self.collate = collate
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.shuffle = shuffle
        self.seed = seed
        self.pool = pool
        self.split = split
        self._planned: tuple[int, list[Indices]] | None = None

    def _plan(self, epoch: int) -> list[Indices]:
        rng = stream(self.seed, "length batches", epoch)
        n = len(self.lengths)
        order = rng.permutation(n) if self.shuffle else np.arange(n)
        size = self.pool * self.batch_size
        lengths = self.lengths[order]
        longest = int(lengths.max(initial=0))
        # One key sorts by pool, and within it from long to short; ties stay random.
        key = (np.arange(n) // size) * (longest + 1) + (longest - lengths)
        order = order[np.argsort(key, kind="stable")]
        ends = [min(end, n) for end in range(size, n + size, size)]
        bounds = _cut(self.lengths[order], ends, self.batch_size, self.max_tokens)
        n_batches = len(bounds) - 1
        turns = rng.permutation(n_batches) if self.shuffle else np.arange(n_batches)
        starts, stops = bounds[:-1][turns].tolist(), bounds[1:][turns].tolist()
        return [order[a:b] for a, b in zip(starts, stops, strict=True)]

    def indices(self, epoch: int) -> list[Indices]:
        """Return the positions of the examples of every batch of an epoch."""
        if self._planned is None or self._planned[0] != epoch:
            self._planned = (epoch, self._plan(epoch))
        return self._planned[1]

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch, counted from 0."""
        if self.max_tokens is None:
            return -(-len(self.lengths) // self.batch_size)
        return len(self.indices(epoch))

    def epoch(self, epoch: int) -> Iterator[Any]:
        """Yield the batches of an epoch: the same for the same number, always."""
        for indices in self.indices(epoch):
            yield self.collate(indices)


def halve_batch(batch: Any) -> list[Any]:
    """Halve a batch along the first axis of its tensors.

    Parameters
    ----------
    batch : dict, list, tuple or Tensor
        Nested at will. All tensors, and all arrays, must have the same first axis:
        the examples. Anything else goes into both halves.

    Returns
    -------
    list
        Two batches of the same structure; the batch alone if it holds one example.

    Examples
    --------
    >>> import torch
    >>> [half["x"].tolist() for half in halve_batch({"x": torch.arange(3)})]
    [[0, 1], [2]]
    """
    sizes = set(_sizes(batch))
    if len(sizes) != 1:
        raise ValueError(
            "halve_batch: all tensors of a batch must have the same first axis. Got "
            f"{sorted(sizes)} instead. Give LengthBatches a split of your own."
        )
    size = sizes.pop()
    if size < 2:
        return [batch]
    middle = (size + 1) // 2
    return [_take(batch, slice(0, middle)), _take(batch, slice(middle, size))]


def _sizes(value: Any) -> Iterator[int]:
    if isinstance(value, Tensor | np.ndarray):
        if value.ndim:
            yield len(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _sizes(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _sizes(item)


def _take(value: Any, part: slice) -> Any:
    if isinstance(value, Tensor | np.ndarray):
        return value[part] if value.ndim else value
    if isinstance(value, dict):
        return {key: _take(item, part) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_take(item, part) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(_take(item, part) for item in value)
    return value
