"""N-grams packed into integers that sort as the strings do.

Symbols are numbered from 1 in the order of their code points (or of the tokens as
strings); 0 is "nothing follows". A key holds the symbols of one n-gram from the left,
each in the same number of bits, in one 64-bit word::

    "ja!" over the alphabet  ! < a < j  (1, 2, 3; two bits a symbol)

    bit  63                                                           0
         +----+----+----+----+----+----+----+- - - - - - - - - -+----+
         | 11 | 10 | 01 | 00 | 00 | 00 | 00 |                   | 00 |
         +----+----+----+----+----+----+----+- - - - - - - - - -+----+
            j    a    !   0 = padding: "ja" < "ja!" < "jaa"

Nothing is hashed away: a key is the n-gram. Comparing keys as unsigned integers
compares n-grams as Python compares the strings. Where one word is too small, a second
one goes on where the first ends (no symbol is split between them)::

    high  | s1 | s2 | s3 | s4 | unused |      low  | s5 | s6 | 00 | 00 | unused |

What needs more than two words is refused here, and counted by a dictionary elsewhere.

This module needs NumPy alone: predicting one tweet must not wait for SciPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

__all__ = [
    "Keys",
    "Layout",
    "TooWideError",
    "find_keys",
    "keys_of_windows",
    "pack",
    "repack",
    "symbols_of_keys",
    "windows",
]


class TooWideError(Exception):
    """An n-gram does not fit into two words."""


class Layout(NamedTuple):
    """How symbols fill a key.

    Attributes
    ----------
    bits : int
        Bits of a symbol.
    width : int
        Symbols of the longest n-gram.
    """

    bits: int
    width: int

    @classmethod
    def of(cls, n_symbols: int, width: int) -> Layout:
        """Return the layout for an alphabet; one number more stands for "unknown".

        Examples
        --------
        >>> Layout.of(100, 5), Layout.of(100, 5).n_words, Layout.of(5000, 5).n_words
        (Layout(bits=7, width=5), 1, 2)
        """
        layout = cls((n_symbols + 1).bit_length(), width)
        if layout.bits > 32 or layout.n_words > 2:
            raise TooWideError
        return layout

    @property
    def per_word(self) -> int:
        """Symbols that one word holds."""
        return 64 // self.bits

    @property
    def n_words(self) -> int:
        """Words of a key."""
        return -(-self.width // self.per_word)

    def masks(self) -> np.ndarray:
        """Return, for each number of symbols, the bits they take in a word."""
        return np.array(
            [
                ((1 << self.bits * n) - 1) << (64 - self.bits * n)
                for n in range(self.per_word + 1)
            ],
            dtype=np.uint64,
        )


class Keys(NamedTuple):
    """Keys of n-grams.

    Attributes
    ----------
    high : ndarray of uint64
        First words.
    low : ndarray of uint64 or None
        Second words; None if one word holds every n-gram.
    """

    high: np.ndarray
    low: np.ndarray | None = None

    def take(self, which: np.ndarray) -> Keys:
        """Return the keys at an index or under a mask."""
        low = None if self.low is None else self.low[which]
        return Keys(self.high[which], low)

    def argsort(self, *, merge: bool = False) -> np.ndarray:
        """Return an order in which the keys ascend, equal ones in order if `merge`.

        `merge` is quick for few sorted runs, the default for any order.
        """
        if self.low is None:
            return np.argsort(self.high, kind="stable" if merge else None)
        return np.lexsort((self.low, self.high))


def windows(symbols: np.ndarray, room: np.ndarray, layout: Layout) -> np.ndarray:
    """Pack, for each position, the symbols from there on into one word.

    Parameters
    ----------
    symbols : ndarray of uint32
        The symbols of all texts.
    room : ndarray of int
        How many symbols are left in the text (or word) from each position on.
    layout : Layout
        How.

    Returns
    -------
    ndarray of uint64
        A word a position. Masked to n symbols it is the key of the n-gram there.
    """
    result = np.zeros(len(symbols), dtype=np.uint64)
    for k in range(min(layout.per_word, layout.width)):
        shift = np.uint64(64 - layout.bits * (k + 1))
        later = symbols[k:].astype(np.uint64) << shift
        if k:
            later[room[: len(later)] <= k] = 0
        result[: len(later)] |= later
    return result


def keys_of_windows(
    words: np.ndarray, starts: np.ndarray, n_symbols: np.ndarray | int, layout: Layout
) -> Keys:
    """Return the keys of the n-grams that start at `starts`.

    Parameters
    ----------
    words : ndarray of uint64
        Of `windows`.
    starts : ndarray of int
        Positions.
    n_symbols : ndarray of int, or int
        Number of symbols of each n-gram, at most ``layout.width``.
    layout : Layout
        As for `windows`.
    """
    masks, per = layout.masks(), layout.per_word
    high = words[starts] & masks[np.minimum(n_symbols, per)]
    if layout.n_words == 1:
        return Keys(high)
    rest = np.maximum(np.subtract(n_symbols, per), 0)
    # Where nothing is left for the second word, any word masked to no symbol does.
    second = np.minimum(starts + per, len(words) - 1)
    return Keys(high, words[second] & masks[rest])


def symbols_of_keys(keys: Keys, layout: Layout) -> np.ndarray:
    """Return the symbols of keys, 0 where an n-gram has ended.

    Returns
    -------
    ndarray of uint32, shape (n_keys, layout.width)
        The symbols.
    """
    result = np.empty((len(keys.high), layout.width), dtype=np.uint32)
    for k, column in enumerate(_columns(keys, layout)):
        result[:, k] = column
    return result


def _columns(keys: Keys, layout: Layout) -> Iterator[np.ndarray]:
    """Yield the first symbols of all keys, their second symbols and so on."""
    mask = np.uint64((1 << layout.bits) - 1)
    for k in range(layout.width):
        word = keys.high if k < layout.per_word else keys.low
        assert word is not None
        shift = np.uint64(64 - layout.bits * (k % layout.per_word + 1))
        yield (word >> shift) & mask


def repack(keys: Keys, old: Layout, numbers: np.ndarray, new: Layout) -> Keys:
    """Return the keys of the same n-grams over another alphabet.

    Parameters
    ----------
    keys : Keys
        Over the old alphabet.
    old, new : Layout
        Layouts of the old and the new keys; the new one is at least as wide.
    numbers : ndarray of int, shape (n_old_symbols + 1,)
        The new number of each old symbol; 0 stays 0.

    Notes
    -----
    Both alphabets are sorted, so that keys in order stay in order.
    """
    if old == new and np.array_equal(numbers, np.arange(len(numbers))):
        return keys
    numbers = numbers.astype(np.uint64)
    columns = (numbers[column] for column in _columns(keys, old))
    return pack(columns, new, len(keys.high))


def pack(columns: Iterable[np.ndarray], layout: Layout, n_keys: int) -> Keys:
    """Return keys from their first symbols, their second symbols and so on."""
    words = [np.zeros(n_keys, dtype=np.uint64) for _ in range(layout.n_words)]
    for k, column in enumerate(columns):
        shift = np.uint64(64 - layout.bits * (k % layout.per_word + 1))
        words[k // layout.per_word] |= column.astype(np.uint64, copy=False) << shift
    return Keys(*words)


def find_keys(known: Keys, keys: Keys) -> np.ndarray:
    """Return the position of each key among sorted ones, -1 where it is not there."""
    n_known = len(known.high)
    if n_known == 0:
        return np.full(len(keys.high), -1, dtype=np.int64)
    at = np.searchsorted(known.high, keys.high)
    if known.low is not None and keys.low is not None:
        # Bisect the second words among those whose first words are equal.
        end = np.searchsorted(known.high, keys.high, side="right")
        while (at < end).any():
            middle = (at + end) // 2
            less = known.low[np.minimum(middle, n_known - 1)] < keys.low
            right = less & (at < end)
            end = np.where(less, end, middle)
            at = np.where(right, middle + 1, at)
    at = np.minimum(at, n_known - 1)
    equal = known.high[at] == keys.high
    if known.low is not None and keys.low is not None:
        equal &= known.low[at] == keys.low
    return np.where(equal, at, -1)
