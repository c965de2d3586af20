"""Hashes of the character n-grams of many texts at once.

All texts lie in one array of code points. A window of 50 is put together of windows of
2, 16 and 32, each of two halves, so that a hash of n characters costs about
``2 log2(n)`` operations, whatever n::

    H(uv) = H(u) * B**len(v) + H(v)   mod 2**64
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["gram_hashes", "mix"]

_MASK = (1 << 64) - 1
_BASE = 0x9E3779B97F4A7C15


def mix(values: np.ndarray) -> np.ndarray:
    """Return values whose bits all depend on all bits of the given ones.

    Parameters
    ----------
    values : ndarray of uint64
        Anything.

    Returns
    -------
    ndarray of uint64
        Different for different values.

    Notes
    -----
    The finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _windows(values: np.ndarray, n: int) -> np.ndarray:
    """Return the hash of every n values in a row, of which there is at least one."""
    block, size, power = values, 1, _BASE
    result, done = np.zeros(len(values), dtype=np.uint64), 0
    while True:
        if n & size:
            stop = len(values) - done - size + 1
            result = result[:stop] * np.uint64(power) + block[done : done + stop]
            done += size
        if 2 * size > n:
            return result
        block = block[:-size] * np.uint64(power) + block[size:]
        size, power = 2 * size, power * power & _MASK


def gram_hashes(texts: Sequence[str], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of all character n-grams and the text that each is of.

    Parameters
    ----------
    texts : sequence of str
        The texts; one shorter than `n` has no n-gram.
    n : int
        Characters in an n-gram.

    Returns
    -------
    hashes : ndarray of uint64
        In the order of texts and positions. That two different n-grams have the same
        hash happens about once in 2**64 comparisons.
    owners : ndarray of int64
        Position of the text, for each hash.

    Examples
    --------
    >>> from tweetclf.tasks.grams import gram_hashes
    >>> hashes, owners = gram_hashes(["jaja", "no"], 2)
    >>> owners.tolist(), bool(hashes[0] == hashes[2])
    ([0, 0, 0, 1], True)
    """
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    counts = np.maximum(lengths - n + 1, 0)
    owners = np.repeat(np.arange(len(texts)), counts)
    if not len(owners):
        return np.empty(0, dtype=np.uint64), owners
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(joined, dtype="<u4").astype(np.uint64)
    # Position of a window = its rank among those of its text + start of the text.
    shift = np.cumsum(lengths) - lengths - (np.cumsum(counts) - counts)
    starts = np.arange(len(owners)) + shift[owners]
    return mix(_windows(mix(codes), n)[starts]), owners
