"""Pairs of texts that are nearly the same, without comparing all with all.

MinHash with banding (Broder 1997; Leskovec, Rajaraman & Ullman, Mining of Massive
Datasets, section 3.4): the least value of a random hash over the n-grams of a text is
the same for two texts with a chance of their Jaccard similarity. Texts that agree in
all rows of some band are candidates; candidates are compared exactly, so that every
pair returned is one. What may be missed is stated by `banding`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tweetclf.tasks.grams import gram_hashes, mix
from tweetclf.utils.random import stream

__all__ = [
    "BUCKET",
    "LEAST_SIMILARITY",
    "N_HASHES",
    "NearPairs",
    "banding",
    "gram_sets",
    "jaccard",
    "near_pairs",
    "signatures",
]

LEAST_SIMILARITY = 0.05
"""Below it, the hashes find fewer than 99.5 % of the pairs that are so similar."""

N_HASHES = 128
# A pair at the threshold itself is missed once in two hundred times at most.
RECALL = 0.995
# Of a bucket of more texts, each is compared with as many neighbours only.
BUCKET = 200
_CHUNK = 1 << 18


def banding(threshold: float, n_hashes: int = N_HASHES) -> tuple[int, int, float]:
    """Return into how many bands of how many rows the hashes are best cut.

    Parameters
    ----------
    threshold : float
        Jaccard similarity from which on pairs are sought, above 0 and up to 1.
    n_hashes : int, default=128
        Hashes a text.

    Returns
    -------
    bands, rows : int
        As many rows as leave the recall at 0.995 or more: the fewest candidates.
    recall : float
        Chance that a pair at the threshold is found, ``1 - (1 - s**rows)**bands``;
        pairs above it are found more often.

    Examples
    --------
    >>> from tweetclf.tasks.near import banding
    >>> bands, rows, recall = banding(0.7)
    >>> bands, rows, round(recall, 4)
    (32, 4, 0.9998)
    """
    for rows in range(16, 0, -1):
        bands = n_hashes // rows
        recall = 1 - (1 - threshold**rows) ** bands
        if recall >= RECALL or rows == 1:
            return bands, rows, recall
    raise AssertionError("the loop returns at one row")


@dataclass(frozen=True, eq=False)
class NearPairs:
    """Pairs of texts that are nearly the same.

    Parameters
    ----------
    first, second : ndarray of int64
        Positions of the texts of each pair, ``first < second``, in ascending order.
    similarity : ndarray of float64
        Jaccard similarity of their sets of n-grams.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def jaccard(first: str, second: str, n: int = 5) -> float:
    """Return the share of the n-grams of two texts that both have.

    Parameters
    ----------
    first, second : str
        Two texts.
    n : int, default=5
        Characters in an n-gram; a shorter text is one n-gram.
    """
    sets = [
        {text[i : i + n] for i in range(len(text) - n + 1)}
        for text in (first.ljust(n, "\0"), second.ljust(n, "\0"))
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def gram_sets(texts: Sequence[str], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct n-grams of all texts, and where those of each begin.

    Parameters
    ----------
    texts : sequence of str
        The texts; one shorter than `n` is one n-gram.
    n : int
        Characters in an n-gram.

    Returns
    -------
    hashes : ndarray of uint64
        Hashes of the n-grams, text by text.
    starts : ndarray of int64, shape (n_texts + 1,)
        Where those of each text begin, and the end of the last.
    """
    padded = [text.ljust(n, "\0") for text in texts]
    hashes, owners = gram_hashes(padded, n)
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    counts = np.bincount(owners[new], minlength=len(texts))
    return hashes[new], np.concatenate([[0], np.cumsum(counts)])


def signatures(hashes: np.ndarray, starts: np.ndarray, seed: int) -> np.ndarray:
    """Return the least value of each random hash over the n-grams of each text.

    Parameters
    ----------
    hashes, starts : ndarray
        As `gram_sets` returns them.
    seed : int
        Seed of the random hashes.

    Returns
    -------
    ndarray of uint32, shape (n_texts, 128)
        In each column two texts agree with a chance of their Jaccard similarity.
    """
    random = stream(seed, "minhash")
    salts = random.integers(0, 1 << 64, size=N_HASHES, dtype=np.uint64)
    result = np.empty((len(starts) - 1, N_HASHES), dtype=np.uint32)
    row = 0
    while row < len(starts) - 1:
        # Some texts at a time, so that their n-grams stay in the processor's cache.
        stop = int(np.searchsorted(starts, starts[row] + _CHUNK, side="right")) - 1
        stop = max(stop, row + 1)
        part = hashes[starts[row] : starts[stop]]
        begins = starts[row:stop] - starts[row]
        for k, salt in enumerate(salts):
            values = (part * (salt | np.uint64(1)) + mix(salt[None])) >> np.uint64(32)
            result[row:stop, k] = np.minimum.reduceat(values, begins)
        row = stop
    return result


def _bucket_pairs(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the positions of equal keys, those next to each other first."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    for distance in range(1, min(BUCKET, len(keys) - 1) + 1):
        same = ranked[distance:] == ranked[:-distance]
        if not same.any():
            return
        yield order[:-distance][same], order[distance:][same]


def _candidates(signed: np.ndarray, sizes: np.ndarray, threshold: float) -> np.ndarray:
    """Return the pairs that agree in a band, as ``first * n + second``."""
    bands, rows, _ = banding(threshold)
    n = len(signed)
    found = np.empty(0, dtype=np.int64)
    for band in range(bands):
        keys = np.full(n, band, dtype=np.uint64)
        for k in range(band * rows, (band + 1) * rows):
            keys = mix(keys ^ signed[:, k])
        new = [found]
        for first, second in _bucket_pairs(keys):
            small = np.minimum(sizes[first], sizes[second])
            # Sets of too different sizes cannot be that similar.
            fits = small >= threshold * np.maximum(sizes[first], sizes[second]) - 1e-9
            new.append(first[fits] * n + second[fits])
        found = np.unique(np.concatenate(new))
    return found


def _shared(matrix: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how many n-grams the texts of each pair have in common."""
    counts = [
        matrix[first[i : i + 8192]].multiply(matrix[second[i : i + 8192]]).sum(axis=1)
        for i in range(0, len(first), 8192)
    ]
    return np.concatenate([np.asarray(part).ravel() for part in counts])


def near_pairs(
    texts: Sequence[str], *, threshold: float = 0.7, n: int = 5, seed: int = 0
) -> NearPairs:
    """Find the pairs of texts whose sets of character n-grams are nearly the same.

    Parameters
    ----------
    texts : sequence of str
        Different texts. An empty one has an n-gram like any other.
    threshold : float, default=0.7
        Least Jaccard similarity of a pair, from 0.05 to 1.
    n : int, default=5
        Characters in an n-gram; a shorter text is one n-gram.
    seed : int, default=0
        Seed of the hashes.

    Returns
    -------
    NearPairs
        No pair below the threshold; of those at it, 99.5 % or more are expected to be
        found, see `banding`. Where more than 200 texts fall into one bucket (say, the
        same advertisement with other numbers), each is compared with the 200 before
        and after it in that bucket.

    Raises
    ------
    ValueError
        If the threshold is below 0.05, where the hashes miss more pairs than that, or
        above 1.

    Examples
    --------
    >>> from tweetclf.tasks.near import near_pairs
    >>> pairs = near_pairs(["menos mal que hoy es lunes", "otra cosa",
    ...                     "menos mal que hoy es lunes!"])
    >>> pairs.first.tolist(), pairs.second.tolist(), pairs.similarity.round(2).tolist()
    ([0], [2], [0.96])
    """
    from scipy.sparse import csr_array

    if not LEAST_SIMILARITY <= threshold <= 1:
        raise ValueError(
            "near_pairs: the 'threshold' parameter must lie between "
            f"{LEAST_SIMILARITY} and 1; less similar texts are not found reliably. Got "
            f"{threshold!r} instead."
        )
    none = np.empty(0, dtype=np.int64)
    if len(texts) < 2:
        return NearPairs(none, none, np.empty(0))
    hashes, starts = gram_sets(texts, n)
    sizes = np.diff(starts)
    found = _candidates(signatures(hashes, starts, seed), sizes, threshold)
    first, second = np.divmod(found, len(texts))
    if not len(found):
        return NearPairs(none, none, np.empty(0))
    distinct, columns = np.unique(hashes, return_inverse=True)
    matrix = csr_array(
        (np.ones(len(columns), dtype=np.int32), columns, starts),
        shape=(len(texts), len(distinct)),
    )
    shared = _shared(matrix, first, second)
    similarity = shared / (sizes[first] + sizes[second] - shared)
    near = similarity >= threshold
    return NearPairs(first[near], second[near], similarity[near])
