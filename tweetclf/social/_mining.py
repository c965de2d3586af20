"""From vectors to neighbours and pairs, a block of posts at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tweetclf.social._index import ExactIndex, FaissIndex, exact_neighbours, unit
from tweetclf.tasks.near import jaccard
from tweetclf.utils.random import stream

__all__ = ["BLOCK", "PAIR", "Rules", "find_neighbours", "measure_recall", "paired"]

PAIR = np.dtype([("first", "<i4"), ("second", "<i4"), ("score", "<f4")])
"""One record of ``pairs.bin``."""

BLOCK = 1024
"""Posts that are looked up at a time."""


@dataclass(frozen=True)
class Rules:
    """Which neighbours are no pair."""

    k: int
    exclude_self: bool
    min_similarity: float | None
    texts: Sequence[str] | None
    near_duplicates: float | None

    @property
    def n_wanted(self) -> int:
        """Neighbours to look for, with room for those that are left out."""
        return 2 * self.k + 1

    def chosen(
        self, posts: np.ndarray, places: np.ndarray, scores: np.ndarray
    ) -> np.ndarray:
        """Tell which neighbours, nearest first, may stay; with texts, k at most."""
        mask = places >= 0
        if self.exclude_self:
            mask &= places != posts[:, None]
        if self.min_similarity is not None:
            mask &= scores >= self.min_similarity
        if self.texts is None or self.near_duplicates is None:
            return mask
        for post, row, others in zip(posts.tolist(), mask, places, strict=True):
            n_kept = 0
            for at in np.flatnonzero(row).tolist():
                row[at] = n_kept < self.k and not self._is_repeat(post, int(others[at]))
                n_kept += int(row[at])
        return mask

    def _is_repeat(self, post: int, other: int) -> bool:
        if post == other:
            return False
        assert self.texts is not None
        assert self.near_duplicates is not None
        first, second = self.texts[post], self.texts[other]
        if not first or not second:  # nothing is known about it
            return False
        return first == second or jaccard(first, second) >= self.near_duplicates


def measure_recall(
    vectors: np.ndarray,
    index: ExactIndex | FaissIndex,
    k: int,
    n_sample: int,
    seed: int,
) -> float | None:
    """Return the share of the true neighbours of a sample that an index finds.

    Parameters
    ----------
    vectors : ndarray of shape (n_posts, dim)
        Of all posts.
    index : ExactIndex or FaissIndex
        What is measured.
    k : int
        Neighbours of a post, itself not counted.
    n_sample : int
        Posts that are looked for; 0 measures nothing.
    seed : int
        Of the sample.

    Returns
    -------
    float or None
        1 for an exact index; None if nothing was measured.
    """
    if isinstance(index, ExactIndex):
        return 1.0
    if not n_sample:
        return None
    rng = stream(seed, "similar pairs", "recall")
    size = min(n_sample, len(vectors))
    sample = np.sort(rng.choice(len(vectors), size=size, replace=False))
    found = n_true = 0
    for start in range(0, size, BLOCK):
        posts = sample[start : start + BLOCK]
        queries = unit(vectors[posts])
        exact = exact_neighbours(vectors, queries, k + 1)[1]
        places, _ = _rescored(vectors, queries, index.search(queries, 2 * k + 1))
        for post, true, ours in zip(posts, exact, places, strict=True):
            wanted = [p for p in true.tolist() if p != post][:k]
            mine = [p for p in ours.tolist() if p not in (post, -1)][:k]
            found += len(set(wanted) & set(mine))
            n_true += len(wanted)
    return found / n_true


def _rescored(
    vectors: np.ndarray, queries: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Order found neighbours by their true cosine, equals by place; -1 comes last."""
    flat = unit(vectors[np.maximum(places, 0).ravel()])
    near = flat.reshape(*places.shape, -1)  # (n, wanted, dim)
    scores = np.einsum("nd,nwd->nw", queries, near)
    scores[places < 0] = -np.inf
    order = np.lexsort((places, -scores))
    return (
        np.take_along_axis(places, order, axis=1),
        np.take_along_axis(scores, order, axis=1),
    )


def find_neighbours(
    vectors: np.ndarray,
    index: ExactIndex | FaissIndex,
    rules: Rules,
    start: int,
    stop: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return neighbours and cosines of some posts; -1 where there is none."""
    queries = unit(vectors[start:stop])
    wanted = min(rules.n_wanted, len(vectors))
    places, scores = _rescored(vectors, queries, index.search(queries, wanted))
    mask = rules.chosen(np.arange(start, stop), places, scores)
    order = np.argsort(~mask, axis=1, kind="stable")[:, : rules.k]
    there, places, scores = (
        np.take_along_axis(array, order, axis=1) for array in (mask, places, scores)
    )
    missing = rules.k - order.shape[1]
    if missing:  # fewer posts than neighbours wanted
        wide = ((0, 0), (0, missing))
        there, places, scores = (np.pad(a, wide) for a in (there, places, scores))
    return np.where(there, places, -1), np.where(there, scores, 0)


def paired(
    neighbours: np.ndarray, scores: np.ndarray, mutual: bool
) -> Iterator[np.ndarray]:
    """Yield blocks of records of the pairs that stay."""
    for start in range(0, len(neighbours), BLOCK):
        block = np.asarray(neighbours[start : start + BLOCK])
        posts = start + np.arange(len(block))
        keep = block >= 0
        if mutual:
            back = neighbours[np.maximum(block, 0)]  # (n, k, k)
            keep &= (back == posts[:, None, None]).any(axis=2)
        rows, columns = np.nonzero(keep)
        pairs = np.empty(len(rows), dtype=PAIR)
        pairs["first"] = posts[rows]
        pairs["second"] = block[rows, columns]
        pairs["score"] = np.asarray(scores[start : start + BLOCK])[rows, columns]
        yield pairs
