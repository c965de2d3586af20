"""The inner loops of counting n-grams, compiled by Numba where it is installed.

How an n-gram becomes a key of one or two 64-bit words is drawn in
:mod:`tweetclf.features._packing`; here keys are counted. A text is a row of symbols;
from its end to its start they are shifted into one running word::

    text       j    a    j    a                     bits 2: ! = 1, a = 2, j = 3
    window 3                   [ a  .  .  . ]  10 00 00 00 ...
    window 2              [ j  a  .  . ]       11 10 00 00 ...
    window 1         [ a  j  a  . ]            10 11 10 00 ...
    window 0    [ j  a  j  a ]                 11 10 11 10 ...
    n-gram (i, n) = window i & (the n leftmost symbols)

so that all n-grams of a text cost one AND each. A key is then sought in a table with
open addressing, a power of two of slots, at most half of them taken::

    slot   0 | key         | id + 1, position |
           1 | 0 (free)    |                  |      slots[h, 0]    first word; 0: free
           2 | key         | id + 1, position |      slots[h, 1]    second word, if any
           3 | key         | id + 1, position |      slots[h, -1]   id + 1 in the upper
           :                                                        32 bits

    hash(key) = upper bits of key * odd constant; taken? try the next slot

An id is the number of an n-gram in the order of first occurrence. The position is
where the current text's row holds the id; if it lies before the start of the row, the
n-gram is new to this text. One cache line thus answers both "which n-gram?" and
"already in this row?".

Every kernel gives what plain Python would: integers are exact, and sums of floats
run from left to right without fused multiply-add.
"""

from __future__ import annotations

import numpy as np

from tweetclf.utils.jit import jit

__all__ = [
    "count_known",
    "count_rows",
    "find_rows",
    "make_slots",
    "merge_sorted",
    "number_rows",
    "sorted_ids",
    "weigh_rows",
]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_ID = np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)
_BYTE = np.uint64(0xFF)


@jit(cache=True, nogil=True)
def _home(high, low, shift):
    """Return the slot at which the search for a key begins."""
    return (((high ^ (high >> np.uint64(29))) + low * _ODD) * _ODD) >> shift


@jit(cache=True, nogil=True)
def _seek(slots, high, low, shift):
    """Return the slot of a key, or the free one where it belongs."""
    mask = np.uint64(slots.shape[0] - 1)
    wide = slots.shape[1] == 3
    h = _home(high, low, shift)
    while slots[h, 0] != _ZERO and not (
        slots[h, 0] == high and (not wide or slots[h, 1] == low)
    ):
        h = (h + _ONE) & mask
    return h


@jit(cache=True, nogil=True)
def _shift_of(n_slots):
    """Return by how much to shift a 64-bit hash to get a slot."""
    bits = 0
    while (1 << bits) < n_slots:
        bits += 1
    return np.uint64(64 - bits)


@jit(cache=True, nogil=True)
def _doubled(slots):
    """Return a table with twice the slots."""
    bigger = np.zeros((2 * slots.shape[0], slots.shape[1]), dtype=np.uint64)
    shift = _shift_of(bigger.shape[0])
    for h in range(slots.shape[0]):
        if slots[h, 0] != _ZERO:
            low = slots[h, 1] if slots.shape[1] == 3 else _ZERO
            free = _seek(bigger, slots[h, 0], low, shift)
            for word in range(slots.shape[1]):
                bigger[free, word] = slots[h, word]
    return bigger


@jit(cache=True, nogil=True)
def make_slots(high, low, values):
    """Return the table of keys with a value from 0 on each; `low` may be empty."""
    wide = len(low) > 0
    n_slots = 16
    while n_slots < 2 * len(high):
        n_slots *= 2
    slots = np.zeros((n_slots, 3 if wide else 2), dtype=np.uint64)
    shift = _shift_of(n_slots)
    last = slots.shape[1] - 1
    for i in range(len(high)):
        second = low[i] if wide else _ZERO
        h = _seek(slots, high[i], second, shift)
        slots[h, 0] = high[i]
        if wide:
            slots[h, 1] = second
        slots[h, last] = np.uint64(values[i] + 1) << _ID
    return slots


@jit(cache=True, nogil=True)
def sorted_ids(slots, high, low):
    """Return the ids of keys that are all in the table."""
    ids = np.empty(len(high), dtype=np.int32)
    shift = _shift_of(slots.shape[0])
    last = slots.shape[1] - 1
    for i in range(len(high)):
        second = low[i] if len(low) > 0 else _ZERO
        h = _seek(slots, high[i], second, shift)
        ids[i] = np.int32((slots[h, last] >> _ID) - _ONE)
    return ids


@jit(cache=True, nogil=True)
def _longest(batch, n_range):
    """Return the most symbols of a segment and the most n-grams of a row."""
    symbols, units, bounds, rows = batch
    most_symbols = most_keys = 0
    for row in range(len(rows) - 1):
        n_keys = 0
        for s in range(rows[row], rows[row + 1]):
            start, stop = bounds[s], bounds[s + 1]
            n_keys += (stop - start) * (n_range[1] - n_range[0] + 1)
            if len(units) > 0:
                start, stop = units[start], units[stop]
            most_symbols = max(most_symbols, stop - start)
        most_keys = max(most_keys, n_keys)
    return most_symbols, most_keys


@jit(cache=True, nogil=True)
def _fill_keys(batch, row, n_range, bits, masks, words, high, low):
    """Write the keys of a row, n after n, position after position; return how many.

    An n-gram that no key has room for gets the key 0, which is none of any n-gram.
    """
    symbols, units, bounds, rows = batch
    n_low, n_high, whole = n_range
    per = len(masks) - 1
    room = per if len(low) == 0 else 2 * per
    top = np.uint64(64) - bits
    n_keys = 0
    for s in range(rows[row], rows[row + 1]):
        start, length = bounds[s], bounds[s + 1] - bounds[s]
        first, last = start, start + length
        if len(units) > 0:
            first, last = units[start], units[start + length]
        word = _ZERO
        for i in range(last - first - 1, -1, -1):
            word = (word >> bits) | (np.uint64(symbols[first + i]) << top)
            words[i] = word
        for i in range(last - first, last - first + per):
            words[i] = _ZERO
        lowest = length if whole and length < n_low else n_low
        for n in range(lowest, min(n_high, length) + 1):
            for i in range(length - n + 1):
                at, size = i, n
                if len(units) > 0:
                    at = units[start + i] - first
                    size = units[start + i + n] - units[start + i]
                if size > room:
                    high[n_keys] = _ZERO
                else:
                    high[n_keys] = words[at] & masks[min(size, per)]
                if len(low) > 0:
                    low[n_keys] = words[at + per] & masks[min(max(size - per, 0), per)]
                n_keys += 1
    return n_keys


@jit(cache=True, nogil=True)
def count_rows(batch, n_range, bits, masks, slots, ids, counts, indptr):
    """Count the n-grams of each text; ids are given in the order of occurrence.

    Parameters
    ----------
    batch : tuple of ndarray
        symbols, units, bounds and rows of :class:`tweetclf.features._reading.Batch`.
    n_range : tuple of int
        Smallest and largest n; whether a segment shorter than that is one n-gram.
    bits, masks
        Of the layout.
    slots : ndarray of uint64
        A free table.
    ids : ndarray of int32
        Filled with the ids of each row, in the order of occurrence there.
    counts : ndarray of int32
        Filled with how often each occurs in the row; empty: not wanted.
    indptr : ndarray of int64
        Filled with where rows begin.

    Returns
    -------
    slots : ndarray of uint64
        The table, perhaps a larger one.
    n_ids : int
        Number of different n-grams.
    """
    wide = slots.shape[1] == 3
    last = slots.shape[1] - 1
    most_symbols, most_keys = _longest(batch, n_range)
    words = np.zeros(most_symbols + len(masks), dtype=np.uint64)
    high = np.empty(most_keys, dtype=np.uint64)
    low = np.empty(most_keys if wide else 0, dtype=np.uint64)
    shift = _shift_of(slots.shape[0])
    n_ids = k = 0
    for row in range(len(indptr) - 1):
        indptr[row] = k
        begin = np.uint64(k)
        n_keys = _fill_keys(batch, row, n_range, bits, masks, words, high, low)
        # Room for all of them, so that the table does not move under the loop.
        while 2 * n_ids + n_keys >= slots.shape[0]:
            slots = _doubled(slots)
            shift = _shift_of(slots.shape[0])
        for i in range(n_keys):
            second = low[i] if wide else _ZERO
            h = _seek(slots, high[i], second, shift)
            value = slots[h, last]
            if value == _ZERO:
                slots[h, 0] = high[i]
                if wide:
                    slots[h, 1] = second
                ids[k] = n_ids
                n_ids += 1
                slots[h, last] = (np.uint64(n_ids) << _ID) | np.uint64(k)
            elif (value & _LOWER) < begin:
                ids[k] = np.int32((value >> _ID) - _ONE)
                slots[h, last] = (value & ~_LOWER) | np.uint64(k)
            else:
                if len(counts) > 0:
                    counts[value & _LOWER] += 1
                continue
            if len(counts) > 0:
                counts[k] = 1
            k += 1
    indptr[len(indptr) - 1] = k
    return slots, n_ids


@jit(cache=True, nogil=True)
def _sort(values, spare, n, top):
    """Sort ``values[:n]`` by their upper halves, which are at most `top`.

    Counting sort, byte after byte; short rows by insertion. Returns the sorted one
    of the two arrays.
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
    digit = np.uint64(32)
    starts = np.empty(256, dtype=np.int64)
    while top > _ZERO:
        starts[:] = 0
        for i in range(n):
            starts[(values[i] >> digit) & _BYTE] += 1
        total = 0
        for b in range(256):
            size = starts[b]
            starts[b] = total
            total += size
        for i in range(n):
            b = (values[i] >> digit) & _BYTE
            spare[starts[b]] = values[i]
            starts[b] += 1
        values, spare = spare, values
        digit += np.uint64(8)
        top = top >> np.uint64(8)
    return values


@jit(cache=True, nogil=True)
def find_rows(batch, n_range, bits, masks, slots, top, ids, counts, indptr):
    """Look up the n-grams of each text; unknown ones are left out.

    Parameters
    ----------
    batch, n_range, bits, masks, indptr
        As for `count_rows`.
    slots : ndarray of uint64
        The table of the known n-grams, which is only read.
    top : int
        The largest value in the table.
    ids : ndarray of int32
        Filled with the values of the n-grams of each row, ascending.
    counts : ndarray of int32
        Filled with how often each occurs in the row; empty: not wanted.
    """
    wide = slots.shape[1] == 3
    last = slots.shape[1] - 1
    most_symbols, most_keys = _longest(batch, n_range)
    words = np.zeros(most_symbols + len(masks), dtype=np.uint64)
    high = np.empty(most_keys, dtype=np.uint64)
    low = np.empty(most_keys if wide else 0, dtype=np.uint64)
    found = np.empty(most_keys, dtype=np.uint64)
    spare = np.empty(most_keys, dtype=np.uint64)
    shift = _shift_of(slots.shape[0])
    k = 0
    for row in range(len(indptr) - 1):
        indptr[row] = k
        n_keys = _fill_keys(batch, row, n_range, bits, masks, words, high, low)
        n_found = 0
        for i in range(n_keys):
            h = _seek(slots, high[i], low[i] if wide else _ZERO, shift)
            if slots[h, 0] != _ZERO:
                found[n_found] = slots[h, last] - (_ONE << _ID)
                n_found += 1
        ordered = _sort(found, spare, n_found, np.uint64(top))
        for i in range(n_found):
            value = np.int32(ordered[i] >> _ID)
            if k > indptr[row] and ids[k - 1] == value:
                if len(counts) > 0:
                    counts[k - 1] += 1
                continue
            ids[k] = value
            if len(counts) > 0:
                counts[k] = 1
            k += 1
    indptr[len(indptr) - 1] = k


@jit(cache=True, nogil=True)
def merge_sorted(high_a, low_a, high_b, low_b):
    """Merge two sorted arrays of keys, each without repetitions.

    Returns
    -------
    source : ndarray of int64
        Where each merged key is from: i is ``a[i]``, ``len(a) + j`` is ``b[j]``,
        if a does not have it.
    place : ndarray of int64, shape (len(b),)
        Where each key of b is among the merged ones.
    """
    n_a, n_b = len(high_a), len(high_b)
    wide = len(low_a) > 0 or len(low_b) > 0
    source = np.empty(n_a + n_b, dtype=np.int64)
    place = np.empty(n_b, dtype=np.int64)
    i = j = k = 0
    while i < n_a or j < n_b:
        if j == n_b:
            a_first, equal = True, False
        elif i == n_a:
            a_first, equal = False, False
        else:
            a_first, equal = high_a[i] < high_b[j], high_a[i] == high_b[j]
            if wide and equal:
                a_first, equal = low_a[i] < low_b[j], low_a[i] == low_b[j]
        if equal:
            source[k] = i
            place[j] = k
            i += 1
            j += 1
        elif a_first:
            source[k] = i
            i += 1
        else:
            source[k] = n_a + j
            place[j] = k
            j += 1
        k += 1
    return source[:k].copy(), place


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
        Filled with in how many of the rows each id occurs, and how often in all.
    """
    n = 0
    for row in rows:
        for k in range(indptr[row], indptr[row + 1]):
            i = ids[k]
            if df[i] == 0:
                numbers[i] = n
                n += 1
            df[i] += 1
            tf[i] += 1 if len(counts) == 0 else counts[k]


@jit(cache=True, nogil=True)
def count_known(ids, indptr, rows, columns):
    """Return how many values of some rows have a column."""
    n = 0
    for row in rows:
        for k in range(indptr[row], indptr[row + 1]):
            n += columns[ids[k]] >= 0
    return n


@jit(cache=True, nogil=True)
def weigh_rows(part, numbers, columns, top, tf, idf, norm, indices, data, indptr, at):
    """Write rows of TF-IDF weights.

    Parameters
    ----------
    part : tuple of ndarray
        ids, counts, indptr and which rows to take. Counts may be empty: all are 1.
    numbers : ndarray of int32
        Each row is stored in the order of the numbers of its ids; empty: as it is.
    columns : ndarray of int32
        The column of each number (without numbers: of each id); -1: left out.
    top : int
        The largest number.
    tf, idf : ndarray
        Weight of each count and of each column; empty: 1.
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
    k = at
    for r in range(len(rows)):
        start, stop = starts[rows[r]], starts[rows[r] + 1]
        indptr[r] = k
        begin = k
        n = 0
        for j in range(start, stop):
            number = ids[j] if len(numbers) == 0 else numbers[ids[j]]
            if number < 0 or columns[number] < 0:
                continue
            count = _ONE if len(counts) == 0 else np.uint64(counts[j])
            values[n] = (np.uint64(number) << _ID) | count
            n += 1
        ordered = values
        if len(numbers) > 0:
            ordered = _sort(values, spare, n, np.uint64(top))
        total = 0.0
        for j in range(n):
            column = columns[ordered[j] >> _ID]
            indices[k] = column
            data[k] = 1
            if len(tf) > 0:
                data[k] = tf[ordered[j] & _LOWER]
            if len(idf) > 0:
                data[k] *= idf[column]
            if norm == 2:
                total += data[k] * data[k]
            elif norm == 1:
                total += abs(data[k])
            k += 1
        if total != 0.0:
            scale = np.sqrt(total) if norm == 2 else total
            for j in range(begin, k):
                data[j] /= scale
    indptr[len(rows)] = k
    return k
