"""Pairs of posts that the same people engage with: neighbours in the embedding."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.social._index import (
    ExactIndex,
    FaissIndex,
    exact_neighbours,
    plan_index,
    unit,
)
from tweetclf.tasks.near import jaccard
from tweetclf.utils.files import atomic_directory, atomic_path
from tweetclf.utils.random import stream

__all__ = ["SimilarPairs", "mine_similar_pairs"]

PAIR = np.dtype([("first", "<i4"), ("second", "<i4"), ("score", "<f4")])
"""One record of ``pairs.bin``."""

_FORMAT = 1
_QUERIES = 1024
_BLOCK = 1 << 20


class SimilarPairs:
    """Directed pairs of posts, each with one of its nearest neighbours.

    Made by `mine_similar_pairs`; opened again by `open`.

    Parameters
    ----------
    folder : path
        Folder of ``pairs.json`` and ``pairs.bin``.

    Attributes
    ----------
    manifest : dict
        How the pairs were found: ``k``, ``index``, ``n_probes``, ``recall``, ...
    n_posts : int
        Number of vectors; `first` and `second` are rows of them.
    first, second : ndarray of int32
        A post and one of its neighbours, ordered by `first`, then from the nearest to
        the farthest.
    scores : ndarray of float32
        Cosine of their vectors.

    Notes
    -----
    ``pairs.bin`` is a row of records of 12 bytes: two little-endian 32-bit integers
    and a 32-bit float. ``pairs.json`` is written last.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.manifest = json.loads((self.folder / "pairs.json").read_text("utf-8"))
            known = self.manifest.get("format") == _FORMAT
        except (OSError, ValueError, AttributeError) as error:
            raise DataError(
                f"{folder} holds no similar pairs ({error}). Make them with "
                "mine_similar_pairs or tweetclf social pairs."
            ) from error
        path = self.folder / "pairs.bin"
        n = int(self.manifest.get("n_pairs", -1))
        if not known or not path.is_file() or path.stat().st_size != n * PAIR.itemsize:
            raise DataError(
                f"{folder} holds no similar pairs of format {_FORMAT}, or damaged "
                "ones; mine them anew."
            )
        self._pairs = (
            np.memmap(path, dtype=PAIR, mode="r") if n else np.empty(0, dtype=PAIR)
        )
        self.n_posts = int(self.manifest["n_posts"])
        self.first = self._pairs["first"]
        self.second = self._pairs["second"]
        self.scores = self._pairs["score"]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> SimilarPairs:
        """Open pairs that `mine_similar_pairs` wrote.

        Parameters
        ----------
        folder : path
            Their folder.

        Raises
        ------
        DataError
            If there are none, or they are damaged.
        """
        return cls(folder)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return (
            f"SimilarPairs({str(self.folder)!r}: {len(self):,} pairs of "
            f"{self.n_posts:,} posts)"
        )

    def unordered(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each pair once, whoever found whom.

        Returns
        -------
        first, second : ndarray of int64
            Posts, ``first < second``, ascending.
        scores : ndarray of float32
            Their cosine.
        """
        low = np.minimum(self.first, self.second).astype(np.int64)
        high = np.maximum(self.first, self.second).astype(np.int64)
        keys, places = np.unique(low * self.n_posts + high, return_index=True)
        first, second = np.divmod(keys, self.n_posts)
        return first, second, np.asarray(self.scores[places])

    def to_tsv(self, path: str | os.PathLike[str], ids: Sequence[str]) -> None:
        """Write the pairs as a table with the columns first, second and score.

        Parameters
        ----------
        path : path
            File to write, whole or not at all.
        ids : sequence of str
            Id of each post, such as the ``post_ids`` of the graph.
        """
        if len(ids) != self.n_posts:
            raise DataError(
                f"to_tsv: there are {len(ids):,} ids for {self.n_posts:,} posts."
            )
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as f:
            f.write("first\tsecond\tscore\n")
            for start in range(0, len(self), _BLOCK):
                for first, second, score in self._pairs[
                    start : start + _BLOCK
                ].tolist():
                    f.write(f"{ids[first]}\t{ids[second]}\t{score:.6f}\n")


@dataclass(frozen=True)
class _Rules:
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


def mine_similar_pairs(
    vectors: np.ndarray,
    out: str | os.PathLike[str],
    *,
    k: int = 10,
    index: str = "auto",
    n_probes: int | None = None,
    exact_below: int = 20_000,
    exclude_self: bool = True,
    mutual: bool = False,
    min_similarity: float | None = None,
    texts: Sequence[str] | None = None,
    near_duplicates: float | None = 0.7,
    recall_sample: int = 1000,
    random_state: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> SimilarPairs:
    """Find the k nearest neighbours of every post by the cosine of their vectors.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_posts, dim)
        Vectors of the posts, perhaps memory-mapped; of any length, but not nought.
    out : path
        Folder to write; it appears when it is whole.
    k : int, default=10
        Neighbours a post. The paper does not state its number.
    index : str, default="auto"
        A factory string of FAISS; "paper" for the paper's, OPQ64,IVF65536,PQ64 with
        2,000 probes, or what there are points enough for; "exact" to compare all with
        all; "auto" is "exact" up to `exact_below` posts and else "paper".
    n_probes : int, optional
        Lists of an IVF index to look into; by default those of the paper's share,
        and all up to 16 lists.
    exact_below : int, default=20000
        See `index`.
    exclude_self : bool, default=True
        Whether a post is no neighbour of itself.
    mutual : bool, default=False
        Keep only pairs whose posts are neighbours of each other.
    min_similarity : float, optional
        Least cosine of a pair.
    texts : sequence of str, optional
        Text of each post, to leave out pairs that say the same.
    near_duplicates : float or None, default=0.7
        Jaccard similarity of the character 5-grams of two texts from which on they are
        no pair; None: all are.
    recall_sample : int, default=1000
        Posts whose neighbours are also sought exactly, to measure the recall of the
        index; 0: none.
    random_state : int, default=0
        Seed of the sample, and of what the index is trained on.
    report : callable, optional
        Called with how many posts are new, and how many there are.

    Returns
    -------
    SimilarPairs
        The pairs. ``manifest["recall"]`` is the share of the exact k nearest
        neighbours (itself left out) that the index finds among its k nearest; 1 for
        "exact".

    Raises
    ------
    DataError
        If vectors are not finite, or there are fewer than two.
    ValueError
        If an option is out of range, or FAISS does not know the index.

    Notes
    -----
    2 k + 1 neighbours are sought and, since codes only approximate, ordered by their
    true cosine; a post of which more than k + 1 are left out has fewer than k. Memory:
    the index, a block of queries, and 8 bytes times k a post on disk.

    References
    ----------
    Zhang et al., "TwHIN-BERT", KDD 2023, section 2.1.3.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from tweetclf.social import mine_similar_pairs
    >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
    >>> pairs = mine_similar_pairs(vectors, tempfile.mkdtemp() + "/pairs", k=1)
    >>> list(zip(pairs.first.tolist(), pairs.second.tolist()))
    [(0, 1), (1, 0), (2, 3), (3, 2)]
    """
    rules = _Rules(k, exclude_self, min_similarity, texts, near_duplicates)
    _check(vectors, rules, recall_sample)
    chosen = _make_index(vectors, index, n_probes, exact_below, random_state)
    recall = _measure_recall(vectors, chosen, k, recall_sample, random_state)
    with atomic_directory(out) as folder:
        shape = (len(vectors), k)
        neighbours = np.memmap(folder / ".places", "<i4", "w+", shape=shape)
        scores = np.memmap(folder / ".scores", "<f4", "w+", shape=shape)
        for start in range(0, len(vectors), _QUERIES):
            stop = min(start + _QUERIES, len(vectors))
            found = _neighbours(vectors, chosen, rules, start, stop)
            neighbours[start:stop], scores[start:stop] = found
            if report is not None:
                report(stop - start, len(vectors))
        n_pairs = 0
        with (folder / "pairs.bin").open("wb") as file:
            for pairs in _pairs(neighbours, scores, mutual):
                file.write(pairs.tobytes())
                n_pairs += len(pairs)
        del neighbours, scores
        for name in (".places", ".scores"):
            (folder / name).unlink()
        manifest = {
            "format": _FORMAT,
            "n_pairs": n_pairs,
            "n_posts": len(vectors),
            "k": k,
            "metric": "cosine",
            "index": chosen.name,
            "n_probes": chosen.n_probes,
            "recall": recall,
            "recall_sample": min(recall_sample, len(vectors)),
            "exclude_self": exclude_self,
            "mutual": mutual,
            "min_similarity": min_similarity,
            "near_duplicates": None if texts is None else near_duplicates,
            "random_state": random_state,
        }
        (folder / "pairs.json").write_text(json.dumps(manifest, indent=1), "utf-8")
    return SimilarPairs(out)


def _check(vectors: Any, rules: _Rules, recall_sample: int) -> None:
    shape: tuple[int, ...] = getattr(vectors, "shape", ())
    if len(shape) != 2 or shape[0] < 2 or shape[1] < 1:
        raise DataError(
            "mine_similar_pairs expected at least two vectors, an array of shape "
            f"(n_posts, dim). Got shape {shape}."
        )
    if rules.k < 1 or recall_sample < 0:
        raise ValueError(
            "mine_similar_pairs: k must be at least 1 and recall_sample at least 0. "
            f"Got {rules.k!r} and {recall_sample!r} instead."
        )
    near = rules.near_duplicates
    if near is not None and not 0 < near <= 1:
        raise ValueError(
            "mine_similar_pairs: near_duplicates must be above 0, at most 1, or None. "
            f"Got {near!r} instead."
        )
    if rules.texts is not None and len(rules.texts) != shape[0]:
        raise DataError(
            f"mine_similar_pairs got {len(rules.texts):,} texts for {shape[0]:,} "
            "vectors."
        )
    for start in range(0, shape[0], _BLOCK):
        bad = ~np.isfinite(vectors[start : start + _BLOCK]).all(axis=1)
        if bad.any():
            raise DataError(
                f"mine_similar_pairs: vector {start + int(bad.argmax())} is not finite."
            )


def _make_index(
    vectors: np.ndarray, index: str, n_probes: int | None, exact_below: int, seed: int
) -> ExactIndex | FaissIndex:
    if index == "exact" or (index == "auto" and len(vectors) <= exact_below):
        return ExactIndex(vectors)
    if index in ("auto", "paper"):
        index, planned = plan_index(*vectors.shape)
        n_probes = n_probes or planned
    return FaissIndex(vectors, index, n_probes or 16, seed)


def _measure_recall(
    vectors: np.ndarray,
    index: ExactIndex | FaissIndex,
    k: int,
    n_sample: int,
    seed: int,
) -> float | None:
    if isinstance(index, ExactIndex):
        return 1.0
    if not n_sample:
        return None
    rng = stream(seed, "similar pairs", "recall")
    size = min(n_sample, len(vectors))
    sample = np.sort(rng.choice(len(vectors), size=size, replace=False))
    found = n_true = 0
    for start in range(0, size, _QUERIES):
        posts = sample[start : start + _QUERIES]
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


def _neighbours(
    vectors: np.ndarray,
    index: ExactIndex | FaissIndex,
    rules: _Rules,
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


def _pairs(
    neighbours: np.ndarray, scores: np.ndarray, mutual: bool
) -> Iterator[np.ndarray]:
    """Yield blocks of records of the pairs that stay."""
    for start in range(0, len(neighbours), _QUERIES):
        block = np.asarray(neighbours[start : start + _QUERIES])
        posts = start + np.arange(len(block))
        keep = block >= 0
        if mutual:
            back = neighbours[np.maximum(block, 0)]  # (n, k, k)
            keep &= (back == posts[:, None, None]).any(axis=2)
        rows, columns = np.nonzero(keep)
        pairs = np.empty(len(rows), dtype=PAIR)
        pairs["first"] = posts[rows]
        pairs["second"] = block[rows, columns]
        pairs["score"] = np.asarray(scores[start : start + _QUERIES])[rows, columns]
        yield pairs
