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

What is done with counted rows is in :mod:`tweetclf.features._row_kernels`.
"""

from __future__ import annotations

import numpy as np

from tweetclf.features._row_kernels import sort_numbers
from tweetclf.utils.jit import jit

__all__ = [
    "count_rows",
    "find_rows",
    "make_slots",
    "merge",
    "sorted_ids",
    "tally",
]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_ID = np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)


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
def _touch(slots, high, low, n, shift):
    """Read the home slots of keys, so that the cache loads many of them at a time.

    The search after it waits for each slot in turn; with this it finds them loaded.
    The result only keeps the compiler from leaving the reads out.
    """
    seen = _ZERO
    for i in range(n):
        second = low[i] if slots.shape[1] == 3 else _ZERO
        seen |= slots[_home(high[i], second, shift), 0]
    return seen


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
    high = np.empty(most_keys + 1, dtype=np.uint64)
    low = np.empty(most_keys + 1 if wide else 0, dtype=np.uint64)
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
        high[n_keys] = _touch(slots, high, low, n_keys, shift)
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
def tally(ids, df):
    """Add to `df` how often each id is stored."""
    for k in range(len(ids)):
        df[ids[k]] += 1


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
    high = np.empty(most_keys + 1, dtype=np.uint64)
    low = np.empty(most_keys + 1 if wide else 0, dtype=np.uint64)
    places = np.empty((4, 256), dtype=np.int64)
    found = np.empty(most_keys, dtype=np.uint64)
    spare = np.empty(most_keys, dtype=np.uint64)
    shift = _shift_of(slots.shape[0])
    k = 0
    for row in range(len(indptr) - 1):
        indptr[row] = k
        n_keys = _fill_keys(batch, row, n_range, bits, masks, words, high, low)
        high[n_keys] = _touch(slots, high, low, n_keys, shift)
        n_found = 0
        for i in range(n_keys):
            h = _seek(slots, high[i], low[i] if wide else _ZERO, shift)
            if slots[h, 0] != _ZERO:
                found[n_found] = slots[h, last] - (_ONE << _ID)
                n_found += 1
        ordered = sort_numbers(found, spare, places, n_found, np.uint64(top))
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
def _is_before(high_a, low_a, i, high_b, low_b, j):
    """Tell whether key i of a comes before key j of b, the ends being last."""
    if i == len(high_a) or j == len(high_b):
        return j == len(high_b)
    if high_a[i] != high_b[j] or len(low_a) == 0:
        return high_a[i] < high_b[j]
    return low_a[i] < low_b[j]


@jit(cache=True, nogil=True)
def merge(a, b):
    """Merge two sorted lists of different n-grams.

    Parameters
    ----------
    a, b : tuple of ndarray
        high, low (empty if keys are one word), first and df of
        :class:`tweetclf.features._counting.Grams`.

    Returns
    -------
    high, low, first, df : ndarray
        Of the merged list; new n-grams of b are numbered on in b's order.
    ids : ndarray of int32
        The new id of each id of b.
    """
    high_a, low_a, first_a, df_a = a
    high_b, low_b, first_b, df_b = b
    n_a, n_b = len(high_a), len(high_b)
    ids = np.ones(n_b, dtype=np.int32)
    i = j = 0
    while j < n_b:
        if _is_before(high_a, low_a, i, high_b, low_b, j):
            i += 1
            continue
        if not _is_before(high_b, low_b, j, high_a, low_a, i):
            ids[first_b[j]] = 0
            i += 1
        j += 1
    new = 0
    for number in range(n_b):
        if ids[number] > 0:
            ids[number] = n_a + new
            new += 1
    high = np.empty(n_a + new, dtype=np.uint64)
    low = np.empty(n_a + new if len(low_a) > 0 else 0, dtype=np.uint64)
    first = np.empty(n_a + new, dtype=np.int32)
    df = np.empty(n_a + new, dtype=df_a.dtype)
    i = j = 0
    for k in range(n_a + new):
        if j < n_b and _is_before(high_b, low_b, j, high_a, low_a, i):
            high[k], first[k], df[k] = high_b[j], ids[first_b[j]], df_b[j]
            if len(low) > 0:
                low[k] = low_b[j]
            j += 1
            continue
        high[k], first[k], df[k] = high_a[i], first_a[i], df_a[i]
        if len(low) > 0:
            low[k] = low_a[i]
        if j < n_b and not _is_before(high_a, low_a, i, high_b, low_b, j):
            df[k] += df_b[j]
            ids[first_b[j]] = first_a[i]
            j += 1
        i += 1
    return high, low, first, df, ids
