"""Near-duplicates of a corpus of any size, in memory of a fixed size.

Each document has a signature of 128 MinHash values, 256 bytes, on the disk. Documents
go by in order; one that is as similar as the threshold to one *kept* before it is
dropped, so that of a chain of ever changed copies those are kept that are far enough
apart. The documents that are kept are indexed by bands of their signatures, as many as
memory holds; when that is full, all later documents are compared with these, and then
the index is begun anew with the first of those that are left. The outcome is that of
an index of all, whatever the size of the blocks; only the time grows.

References
----------
A. Broder, "On the resemblance and containment of documents", 1997. J. Leskovec,
A. Rajaraman and J. Ullman, "Mining of Massive Datasets", section 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tweetclf.tasks.duplicates import normalise
from tweetclf.tasks.grams import mix
from tweetclf.tasks.near import BUCKET, N_HASHES, banding, gram_sets, signatures
from tweetclf.utils.jit import jit
from tweetclf.utils.progress import track

__all__ = ["BLOCK_SIZE", "Bands", "choose_bands", "find_near", "sign"]

BLOCK_SIZE = 1 << 19
"""Documents that are indexed at a time: 0.4 GB with 64 bands."""

# What choose_bands vouches for, at twice the threshold.
_RECALL = 0.99
_ROWS_AT_ONCE = 1 << 14
_OPEN, _KEPT, _DROPPED = 1, 2, 0


@dataclass(frozen=True)
class Bands:
    """How signatures are cut into bands.

    Parameters
    ----------
    bands, rows : int
        Bands, and values in each.
    recall : float
        Chance that two texts at the threshold share a band.
    recall_at_double : float
        The same for texts that are twice as similar (or the same, if that is more).
    """

    bands: int
    rows: int
    recall: float
    recall_at_double: float


def choose_bands(threshold: float) -> Bands:
    """Return into how many bands of how many values signatures are best cut.

    Parameters
    ----------
    threshold : float
        Jaccard similarity from which on texts are duplicates.

    Returns
    -------
    Bands
        As of `tweetclf.tasks.near.banding`, which finds 99.5 % of the pairs at the
        threshold. Below about 0.29 that takes bands of one value, by which every text
        is compared with every other; there, bands of two find 99 % or more of the
        pairs of twice the threshold, as long as it is 0.14 or more.

    Examples
    --------
    >>> from tweetclf.pretraining.corpus.near_stream import choose_bands
    >>> bands = choose_bands(0.2)
    >>> bands.bands, bands.rows, round(bands.recall, 3)
    (64, 2, 0.927)
    >>> round(bands.recall_at_double, 5)
    0.99999
    """

    def chance(similarity: float, bands: int, rows: int) -> float:
        return float(1 - (1 - min(similarity, 1.0) ** rows) ** bands)

    bands, rows, _ = banding(threshold)
    if rows == 1 and chance(2 * threshold, bands // 2, 2) >= _RECALL:
        bands, rows = bands // 2, 2
    return Bands(
        bands, rows, chance(threshold, bands, rows), chance(2 * threshold, bands, rows)
    )


def sign(
    documents: Sequence[tuple[str, ...]], *, n: int = 5, seed: int = 0
) -> NDArray[np.uint16]:
    """Return the signatures of documents.

    Parameters
    ----------
    documents : sequence of tuple of str
        Texts, or pairs: the even values are of the first text and the odd ones of the
        second, so that a band tells of both.
    n : int, default=5
        Characters in an n-gram; case, user names, URLs and punctuation aside.
    seed : int, default=0
        Seed of the hashes.

    Returns
    -------
    ndarray of uint16, shape (n_documents, 128)
        The low halves of the values: different values look alike once in 65,536.
    """
    n_sides = len(documents[0]) if documents else 1
    result = np.empty((len(documents), N_HASHES), dtype=np.uint16)
    for side in range(n_sides):
        # Of emoji and punctuation alone nothing may be left; they are compared then.
        texts = [normalise(texts[side]) or texts[side].strip() for texts in documents]
        signed = signatures(*gram_sets(texts, n), seed)
        result[:, side::n_sides] = signed[:, side::n_sides].astype(np.uint16)
    return result


def _buckets(signed: NDArray[np.uint16], bands: Bands, mask: int) -> NDArray[np.int64]:
    """Return the bucket of each document in each band."""
    result = np.empty((len(signed), bands.bands), dtype=np.int64)
    for band in range(bands.bands):
        keys = np.full(len(signed), band, dtype=np.uint64)
        for k in range(band * bands.rows, (band + 1) * bands.rows):
            keys = mix(keys ^ signed[:, k])
        result[:, band] = keys & np.uint64(mask)
    return result


@jit(cache=True, nogil=True)
def _alike(first, second, n_sides, least):
    """Tell whether on each side so many values agree."""
    for side in range(n_sides):
        n_equal = 0
        for k in range(side, len(first), n_sides):
            n_equal += first[k] == second[k]
        if n_equal < least[side]:
            return False
    return True


@jit(cache=True, nogil=True)
def _compare(signed, buckets, states, first, shape, least, index, n_kept):
    """Compare documents with those kept, and keep more of them while there is room."""
    kept, heads, following, stamps = index
    n_sides, rows, most = shape
    n_bands = heads.shape[0]
    for i in range(len(signed)):
        if states[i] != 1:
            continue
        found = False
        for band in range(n_bands):
            at = heads[band, buckets[i, band]]
            n_seen = 0
            while at >= 0 and n_seen < most and not found:
                same = True  # Others may have come into the bucket by chance.
                for k in range(band * rows, (band + 1) * rows):
                    same = same and kept[at, k] == signed[i, k]
                n_seen += same
                if same and stamps[at] != first + i:
                    stamps[at] = first + i
                    found = _alike(signed[i], kept[at], n_sides, least)
                at = following[band, at]
            if found:
                break
        if found:
            states[i] = 0
        elif n_kept < len(kept):
            states[i] = 2
            kept[n_kept] = signed[i]
            for band in range(n_bands):
                following[band, n_kept] = heads[band, buckets[i, band]]
                heads[band, buckets[i, band]] = n_kept
            n_kept += 1
    return n_kept


def _empty_index(size: int, n_bands: int) -> tuple[NDArray[np.generic], ...]:
    """Return signatures, heads and links of the buckets' lists, and stamps."""
    n_buckets = 1 << max(size - 1, 1).bit_length()
    return (
        np.empty((size, N_HASHES), dtype=np.uint16),
        np.full((n_bands, n_buckets), -1, dtype=np.int32),
        np.empty((n_bands, size), dtype=np.int32),
        np.full(size, -1, dtype=np.int64),
    )


def find_near(
    signed: NDArray[np.uint16],
    *,
    threshold: float = 0.2,
    n_sides: int = 1,
    block_size: int = BLOCK_SIZE,
    verbose: bool | None = None,
) -> NDArray[np.bool_]:
    """Find the documents that are nearly the same as one kept before them.

    Parameters
    ----------
    signed : ndarray of uint16, shape (n_documents, 128)
        Of `sign`; may be mapped into memory.
    threshold : float, default=0.2
        Jaccard similarity, as the signatures tell it, from which on a document is
        dropped; of pairs, on both sides.
    n_sides : int, default=1
        Texts a document.
    block_size : int, default=2**19
        Documents that are indexed at a time.
    verbose : bool, optional
        Show a progress bar; by default on a terminal only.

    Returns
    -------
    ndarray of bool, shape (n_documents,)
        Which documents are dropped; the same for any block size but for bands that
        overflow, see below.

    Notes
    -----
    Memory is ``264 + 8 * bands`` bytes (776 at the default threshold) for each of
    `block_size` documents, and three bytes for each of all. Of more than 200 kept
    documents that share a band, the last 200 of a block are looked at. Similarity is
    estimated from 128 values (of pairs, 64 a side), with a standard error of
    ``sqrt(s (1 - s) / 128)``: 0.035 at 0.2.
    """
    bands = choose_bands(threshold)
    values = np.asarray(signed)
    n = len(values)
    states = np.full(n, _OPEN, dtype=np.uint8)
    counts = [len(range(side, N_HASHES, n_sides)) for side in range(n_sides)]
    least = np.ceil(threshold * np.array(counts) - 1e-9).astype(np.int64)
    start = 0
    while start < n:
        index = _empty_index(min(block_size, n - start), bands.bands)
        n_kept = 0
        for first in track(
            range(start, n, _ROWS_AT_ONCE), "near-duplicates", enabled=verbose
        ):
            part = np.ascontiguousarray(values[first : first + _ROWS_AT_ONCE])
            n_kept = _compare(
                part,
                _buckets(part, bands, index[1].shape[1] - 1),
                states[first : first + _ROWS_AT_ONCE],
                first,
                (n_sides, bands.rows, BUCKET),
                least,
                index,
                n_kept,
            )
        left = states[start:] == _OPEN
        start = start + int(left.argmax()) if left.any() else n
    return states == _DROPPED
