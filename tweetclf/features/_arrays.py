"""What :mod:`tweetclf.features._kernels` does, by whole arrays of NumPy.

For machines without Numba, and for a few texts at a time: a service that predicts one
tweet need not wait for a compiler. Same results, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tweetclf.features._packing import (
    Keys,
    Layout,
    find_keys,
    keys_of_windows,
    windows,
)
from tweetclf.features._reading import Batch
from tweetclf.utils.ranges import take_ranges

__all__ = [
    "Rows",
    "count_rows",
    "find_rows",
    "merge_sorted",
    "number_rows",
    "row_norms",
    "take_rows",
    "weigh_rows",
]

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def _keys(
    batch: Batch, n_range: tuple[int, int, bool], layout: Layout
) -> tuple[Keys, np.ndarray]:
    """Return the keys of all rows, n after n, position after position in each segment.

    Returns
    -------
    keys : Keys
        One key an occurrence; 0 if it is too wide for the layout.
    bounds : ndarray of int64
        Where rows begin, and the end.
    """
    n_low, n_high, whole = n_range
    sizes = np.diff(batch.bounds)
    segment = np.repeat(np.arange(len(sizes)), sizes)
    position = np.arange(len(segment))
    room = batch.bounds[1:][segment] - position
    lowest = np.minimum(n_low, sizes) if whole else np.full(len(sizes), n_low)
    range_n = range(min(int(lowest.min(initial=n_low)), n_low), n_high + 1)
    per_n = [np.where(lowest <= n, np.maximum(sizes - n + 1, 0), 0) for n in range_n]
    ends = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(np.sum(per_n, axis=0), out=ends[1:])
    starts = np.empty(ends[-1], dtype=np.int64)
    n_units = np.empty(ends[-1], dtype=np.int64)
    # Where the next n-grams of each position go.
    target = (ends[:-1] - batch.bounds[:-1])[segment] + position
    for n, number in zip(range_n, per_n, strict=True):
        valid = (room >= n) & (number > 0)[segment]
        starts[target[valid]] = position[valid]
        n_units[target[valid]] = n
        target += number[segment]
    n_symbols, rooms = n_units, room
    if len(batch.units):
        stop = batch.units[starts + n_units]
        starts = batch.units[starts]
        n_symbols = stop - starts
        parts = np.diff(batch.units)
        last = np.repeat(batch.units[batch.bounds[1:]][segment], parts)
        rooms = last - np.arange(len(last))
    words = windows(batch.symbols, rooms, layout)
    if len(words) == 0:
        words = np.zeros(1, dtype=np.uint64)
    fits = n_symbols <= layout.width
    if fits.all():
        keys = keys_of_windows(words, starts, n_symbols, layout)
    else:
        keys = keys_of_windows(words, starts, np.where(fits, n_symbols, 0), layout)
    return keys, ends[batch.rows]


def _unique(keys: Keys, *, merge: bool = False) -> tuple[Keys, np.ndarray]:
    """Return the different keys, sorted, and the number of each key among them."""
    order = keys.argsort(merge=merge)
    high = keys.high[order]
    new = np.ones(len(high), dtype=bool)
    new[1:] = high[1:] != high[:-1]
    if keys.low is not None:
        low = keys.low[order]
        new[1:] |= low[1:] != low[:-1]
    number = np.empty(len(high), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    return keys.take(order[new]), number


def _rows_of_occurrences(ids: np.ndarray, bounds: np.ndarray, n_ids: int) -> Rows:
    """Gather repeated ids of each row, in the order of occurrence.

    Returns
    -------
    ids, counts, indptr : ndarray
        Rows of different ids.
    """
    n_rows, n_all = len(bounds) - 1, len(ids)
    row = np.repeat(np.arange(n_rows), np.diff(bounds))
    pairs = row * max(n_ids, 1) + ids
    bits = max(n_all - 1, 0).bit_length()
    if (n_rows * max(n_ids, 1)).bit_length() + bits <= 63:
        # Sorting pairs and positions as one number is five times faster.
        pairs = np.sort(pairs << bits | np.arange(n_all))
        position = pairs & ((1 << bits) - 1)
        pairs >>= bits
    else:
        position = np.argsort(pairs, kind="stable")
        pairs = pairs[position]
    heads = np.ones(n_all, dtype=bool)
    heads[1:] = pairs[1:] != pairs[:-1]
    begins = np.flatnonzero(heads)
    counts = np.zeros(n_all, dtype=np.int32)
    counts[position[begins]] = np.diff(begins, append=n_all)
    kept = counts > 0
    seen = np.zeros(n_all + 1, dtype=np.int64)
    np.cumsum(kept, out=seen[1:])
    return ids[kept].astype(np.int32), counts[kept], seen[bounds]


def count_rows(
    batch: Batch, n_range: tuple[int, int, bool], layout: Layout
) -> tuple[Rows, Keys, np.ndarray]:
    """Count the n-grams of each text; ids are given in the order of occurrence.

    Returns
    -------
    rows : tuple of ndarray
        ids, counts and indptr; each row in the order of occurrence.
    keys : Keys
        The different keys, sorted.
    first : ndarray of int32
        The id of each of them.
    """
    keys, bounds = _keys(batch, n_range, layout)
    different, number = _unique(keys)
    n_ids = len(different.high)
    occurrence = np.empty(n_ids, dtype=np.int64)
    # Of several values for one place the last one is kept: the first occurrence.
    occurrence[number[::-1]] = np.arange(len(number))[::-1]
    first = np.empty(n_ids, dtype=np.int32)
    first[np.argsort(occurrence)] = np.arange(n_ids)
    return _rows_of_occurrences(first[number], bounds, n_ids), different, first


def find_rows(
    batch: Batch,
    n_range: tuple[int, int, bool],
    layout: Layout,
    known: Keys,
    columns: np.ndarray | None,
) -> Rows:
    """Look up the n-grams of each text; unknown ones are left out.

    Parameters
    ----------
    batch, n_range, layout
        As for `count_rows`.
    known : Keys
        The known keys, sorted.
    columns : ndarray or None
        The column of each; None: they are in the order of columns.

    Returns
    -------
    ids, counts, indptr : ndarray
        The columns of each row, ascending, and how often each occurs.
    """
    keys, bounds = _keys(batch, n_range, layout)
    found = find_keys(known, keys)
    row = np.repeat(np.arange(batch.n_rows), np.diff(bounds))[found >= 0]
    found = found[found >= 0]
    width = len(known.high) + 1
    if columns is not None:
        found = columns[found].astype(np.int64)
        width = int(columns.max(initial=0)) + 1
    pairs, counts = np.unique(row * width + found, return_counts=True)
    indptr = np.searchsorted(pairs, np.arange(batch.n_rows + 1) * width)
    return (pairs % width).astype(np.int32), counts.astype(np.int32), indptr


def merge_sorted(a: Keys, b: Keys) -> tuple[np.ndarray, np.ndarray]:
    """Merge two sorted arrays of keys, each without repetitions.

    Returns
    -------
    source : ndarray of int64
        Where each merged key is from: i is ``a[i]``, ``len(a) + j`` is ``b[j]``,
        if a does not have it.
    place : ndarray of int64, shape (len(b),)
        Where each key of b is among the merged ones.
    """
    n_a, n_b = len(a.high), len(b.high)
    high = np.concatenate([a.high, b.high])
    low = None
    if a.low is not None and b.low is not None:
        low = np.concatenate([a.low, b.low])
    merged, number = _unique(Keys(high, low), merge=True)
    source = np.empty(len(merged.high), dtype=np.int64)
    # Of several values for one place the last one is kept: that of a.
    source[number[::-1]] = np.arange(n_a + n_b)[::-1]
    return source, number[n_a:]


def take_rows(rows: Rows, chosen: np.ndarray) -> Rows:
    """Return some rows, in the order of `chosen`; counts may be empty."""
    ids, counts, indptr = rows
    sizes = np.diff(indptr)[chosen]
    ends = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=ends[1:])
    at = take_ranges(indptr[chosen], sizes)
    return ids[at], counts[at] if len(counts) else counts, ends


def number_rows(
    rows: Rows, chosen: np.ndarray, n_ids: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the ids of some rows numbers in the order of occurrence.

    Returns
    -------
    numbers : ndarray of int32
        The number of each id; -1 where it does not occur.
    df, tf : ndarray of int64
        In how many of the rows each id occurs, and how often in all.
    """
    ids, counts, _ = take_rows(rows, chosen)
    df = np.bincount(ids, minlength=n_ids)
    tf = np.bincount(ids, counts, n_ids).astype(np.int64)
    first = np.full(n_ids, len(ids))
    # Of several values for one place the last one is kept: the first occurrence.
    first[ids[::-1]] = np.arange(len(ids))[::-1]
    numbers = np.empty(n_ids, dtype=np.int32)
    numbers[np.argsort(first)] = np.arange(n_ids)
    numbers[df == 0] = -1
    return numbers, df, tf


def row_norms(data: np.ndarray, indptr: np.ndarray, norm: int) -> np.ndarray:
    """Return the l1 or l2 norm of each row, added up from left to right."""
    values = data * data if norm == 2 else np.abs(data)
    # Not np.sum, which adds in pairs: the last bit differs.
    sums = [
        np.cumsum(values[a:b], dtype=np.float64)[-1] if a < b else 0.0
        for a, b in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True)
    ]
    return np.sqrt(sums) if norm == 2 else np.array(sums)


def weigh_rows(
    part: Rows,
    numbers: np.ndarray | None,
    columns: np.ndarray | None,
    tf: Callable[[np.ndarray], np.ndarray] | None,
    idf: np.ndarray | None,
    dtype: np.dtype,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows of TF-IDF weights, not yet normalised.

    Parameters
    ----------
    part : tuple of ndarray
        ids, counts and indptr.
    numbers, columns, idf : ndarray or None
        As of :func:`tweetclf.features._row_kernels.weigh_rows`; None: as they are.
    tf : callable or None
        From counts to weights; None: every weight is 1.
    dtype : dtype
        Of the result.

    Returns
    -------
    data, indices, indptr : ndarray
        The rows.
    """
    ids, counts, indptr = part
    number = ids if numbers is None else numbers[ids]
    if numbers is not None:
        row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        kept = number >= 0
        if not kept.all():
            row, number = row[kept], number[kept]
            counts = counts[kept] if tf is not None else counts
            sizes = np.bincount(row, minlength=len(indptr) - 1)
            indptr = np.concatenate([[0], np.cumsum(sizes)])
        pairs = row << 32 | number
        if tf is None:
            number = np.sort(pairs) & 0xFFFFFFFF
        else:
            order = np.argsort(pairs)
            number, counts = number[order], counts[order]
    data = np.ones(len(number), dtype) if tf is None else tf(counts)
    if idf is not None:
        data *= idf[number]
    indices = number if columns is None else columns[number]
    return data, indices.astype(np.int32, copy=False), indptr
