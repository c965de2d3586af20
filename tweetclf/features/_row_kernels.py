"""Kernels over rows of counted n-grams: order, number, weigh.

Integers are exact, and sums of floats run from left to right without fused
multiply-add, so that every kernel gives what plain Python would.
"""

from __future__ import annotations

import numpy as np

from tweetclf.utils.jit import jit

__all__ = ["count_known", "number_rows", "sort_numbers", "weigh_rows"]

_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_UPPER = np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)
_BYTE = np.uint64(0xFF)


@jit(cache=True, nogil=True)
def sort_numbers(values, spare, places, n, top):
    """Sort ``values[:n]`` by their upper halves, which are at most `top`.

    Counting sort, byte after byte; short rows by insertion. Returns the sorted one
    of the two arrays.

    Parameters
    ----------
    values, spare : ndarray of uint64
        What to sort, and room for as much.
    places : ndarray of int64, shape (4, 256)
        Room for counts.
    n, top : int
        How many, and up to which number.
    """
    if n < 48:
        for i in range(1, n):
            value = values[i]
            j = i - 1
            while j >= 0 and values[j] > value:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = value
        return values
    n_bytes = 1
    while n_bytes < 4 and top >> np.uint64(8 * n_bytes) > _ZERO:
        n_bytes += 1
    places[:n_bytes] = 0
    for i in range(n):
        value = values[i] >> _UPPER
        places[0, value & _BYTE] += 1
        if n_bytes > 1:
            places[1, (value >> np.uint64(8)) & _BYTE] += 1
        if n_bytes > 2:
            places[2, (value >> np.uint64(16)) & _BYTE] += 1
        if n_bytes > 3:
            places[3, value >> np.uint64(24)] += 1
    for b in range(n_bytes):
        place = places[b]
        total = 0
        for value in range(256):
            size = place[value]
            place[value] = total
            total += size
        digit = np.uint64(32 + 8 * b)
        for i in range(n):
            value = (values[i] >> digit) & _BYTE
            spare[place[value]] = values[i]
            place[value] += 1
        values, spare = spare, values
    return values


@jit(cache=True, nogil=True)
def number_rows(ids, counts, indptr, rows, numbers, df, tf):
    """Give the ids of some rows numbers in the order of occurrence.

    Parameters
    ----------
    ids, counts, indptr : ndarray
        Rows of ids, each in the order of occurrence.
    rows : ndarray of int64
        Which rows, in which order.
    numbers : ndarray of int32
        Filled with the number of each id that occurs.
    df, tf : ndarray of int64
        Filled with in how many of the rows each id occurs, and, unless it is empty,
        how often in all.
    """
    n = 0
    for row in rows:
        for k in range(indptr[row], indptr[row + 1]):
            i = ids[k]
            if df[i] == 0:
                numbers[i] = n
                n += 1
            df[i] += 1
            if len(tf) > 0:
                tf[i] += counts[k]


@jit(cache=True, nogil=True)
def count_known(ids, indptr, rows, columns):
    """Return how many values of some rows have a column."""
    n = 0
    for row in rows:
        for k in range(indptr[row], indptr[row + 1]):
            n += columns[ids[k]] >= 0
    return n


@jit(cache=True, nogil=True)
def weigh_rows(part, numbers, columns, idf, top, tf, norm, indices, data, indptr, at):
    """Write rows of TF-IDF weights.

    Parameters
    ----------
    part : tuple of ndarray
        ids, counts, indptr and which rows to take. Counts may be empty: all are 1.
    numbers : ndarray of int32
        Each row is stored in the order of the numbers of its ids, those without one
        (-1) left out; empty: ids are numbers, and rows are in order.
    columns : ndarray of int32
        The column of each number; empty: numbers are columns.
    idf : ndarray
        The weight of each number; empty: 1.
    top : int
        The largest number.
    tf : ndarray
        The weight of each count; empty: 1.
    norm : int
        1 or 2 for rows of unit l1 or l2 norm; 0 for none.
    indices, data, indptr : ndarray
        The result, filled from the position `at` on.
    at : int
        The position.

    Returns
    -------
    int
        The position behind the last row.
    """
    ids, counts, starts, rows = part
    longest = 0
    for row in rows:
        longest = max(longest, starts[row + 1] - starts[row])
    values = np.empty(longest, dtype=np.uint64)
    spare = np.empty(longest, dtype=np.uint64)
    places = np.empty((4, 256), dtype=np.int64)
    k = at
    for r in range(len(rows)):
        start, stop = starts[rows[r]], starts[rows[r] + 1]
        indptr[r] = k
        n = 0
        for j in range(start, stop):
            number = ids[j] if len(numbers) == 0 else numbers[ids[j]]
            if number >= 0:
                count = _ONE if len(counts) == 0 else np.uint64(counts[j])
                values[n] = (np.uint64(number) << _UPPER) | count
                n += 1
        ordered = values
        if len(numbers) > 0:
            ordered = sort_numbers(values, spare, places, n, np.uint64(top))
        row_indices, row_data = indices[k : k + n], data[k : k + n]
        total = 0.0
        for j in range(n):
            number = ordered[j] >> _UPPER
            row_indices[j] = number if len(columns) == 0 else columns[number]
            weight = data.dtype.type(1)
            if len(tf) > 0:
                weight = tf[ordered[j] & _LOWER]
            if len(idf) > 0:
                weight *= idf[number]
            row_data[j] = weight
            if norm == 2:
                total += weight * weight
            elif norm == 1:
                total += abs(weight)
        if total != 0.0:
            if norm == 2:
                total = np.sqrt(total)
            for j in range(n):
                row_data[j] /= total
        k += n
    indptr[len(rows)] = k
    return k
