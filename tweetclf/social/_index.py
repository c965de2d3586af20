"""Indices of neighbours: exact by NumPy, approximate by FAISS."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import TweetclfWarning
from tweetclf.utils.files import atomic_path
from tweetclf.utils.optional import import_optional
from tweetclf.utils.random import stream

__all__ = [
    "PAPER",
    "ExactIndex",
    "FaissIndex",
    "exact_neighbours",
    "plan_index",
    "unit",
]

PAPER = "OPQ64,IVF65536,PQ64"
"""Zhang et al. 2023, section 2.1.3; searched with 2,000 probes."""

_PAPER_PROBES = 2_000
# FAISS warns below so many training points a centroid.
_POINTS_A_CENTROID = 39
_CODES = 256
_BLOCK = 1 << 13
# What the paper's index asks for.
_MOST_TRAINING = 65_536 * _POINTS_A_CENTROID


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return rows of length 1; rows of nought stay."""
    vectors = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def unit_blocks(vectors: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield where each block begins, and its rows scaled to length 1."""
    for start in range(0, len(vectors), _BLOCK):
        yield start, unit(vectors[start : start + _BLOCK])


def plan_index(n: int, dim: int) -> tuple[str, int]:
    """Scale the paper's index down to `n` points of `dim` numbers.

    Parameters
    ----------
    n, dim : int
        Points, and length of their vectors.

    Returns
    -------
    factory : str
        Of FAISS.
    n_probes : int
        Lists to look into.

    Warns
    -----
    TweetclfWarning
        If it is not the paper's own.

    Notes
    -----
    As many lists (a power of two) as have 39 points each, which is what FAISS asks for
    to train them; of them the same share is probed, 2,000 of 65,536, but 16 at least.
    Codes have as many parts, up to 64, as divide the vectors, and there are none with
    fewer points than their 256 centroids need.
    """
    lists = 65_536
    while lists > 1 and lists * _POINTS_A_CENTROID > n:
        lists //= 2
    parts = max(m for m in range(1, min(64, dim) + 1) if dim % m == 0)
    codes = n >= _CODES * _POINTS_A_CENTROID
    factory = f"OPQ{parts},IVF{lists},PQ{parts}" if codes else f"IVF{lists},Flat"
    probes = min(lists, max(16, math.ceil(_PAPER_PROBES * lists / 65_536)))
    if factory != PAPER:
        warnings.warn(
            f"The paper's index {PAPER} with {_PAPER_PROBES:,} probes needs "
            f"{65_536 * _POINTS_A_CENTROID:,} points and vectors that 64 divides; for "
            f"{n:,} points of length {dim} it is {factory} with {probes:,} probes.",
            TweetclfWarning,
            stacklevel=4,
        )
    return factory, probes


def _best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest of each row, largest first, equals by lower place."""
    n = scores.shape[1]
    k = min(k, n)
    if k < n:
        # All that are as large as the k-th may be the k-th: the lowest of them is.
        least = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        most = int((scores >= least).sum(axis=1).max())
        some = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        some.sort(axis=1)
    else:
        some = np.broadcast_to(np.arange(n), scores.shape)
    values = np.take_along_axis(scores, some, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(some, order, 1)


def exact_neighbours(
    vectors: np.ndarray, queries: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine and place of the k nearest rows, by comparing with all.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
        Rows, of any length.
    queries : ndarray, shape (n_queries, dim)
        Rows of length 1.
    k : int
        How many.
    """
    scores = np.empty((len(queries), 0), dtype=np.float32)
    places = np.empty((len(queries), 0), dtype=np.int64)
    for start, block in unit_blocks(vectors):
        found, at = _best(queries @ block.T, k)
        scores = np.concatenate([scores, found], axis=1)
        places = np.concatenate([places, at + start], axis=1)
        scores, order = _best(scores, k)
        places = np.take_along_axis(places, order, axis=1)
    return scores, places


class ExactIndex:
    """Compares with all vectors; quadratic, and with nothing to train."""

    name = "exact"
    n_probes = 0

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors = vectors

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Return the places of the k nearest; see `exact_neighbours`."""
        return exact_neighbours(self._vectors, queries, k)[1]


class FaissIndex:
    """An index of FAISS over vectors of length 1, by inner product.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
        Rows, of any length; they are read in blocks.
    factory : str
        Of ``faiss.index_factory``.
    n_probes : int or None
        Lists to look into, where the index has lists.
    seed : int
        Which rows the index is trained on.
    kept : Path, optional
        File of the trained and filled index: read if it is there, else written.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        factory: str,
        n_probes: int | None,
        seed: int,
        kept: Path | None = None,
    ) -> None:
        faiss = import_optional("faiss", extra="social", caller="mine_similar_pairs")
        self.name = factory
        if kept is not None and kept.exists():
            self._index = faiss.read_index(str(kept))
        else:
            self._train(faiss, vectors, factory, seed)
            if kept is not None:
                with atomic_path(kept) as temporary:
                    faiss.write_index(self._index, str(temporary))
        self.n_probes = 0
        if "IVF" in factory:
            inner = faiss.extract_index_ivf(self._index)
            self.n_probes = min(int(n_probes or 1), int(inner.nlist))
            inner.nprobe = self.n_probes

    def _train(self, faiss: Any, vectors: np.ndarray, factory: str, seed: int) -> None:
        n, dim = vectors.shape
        try:
            self._index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise ValueError(
                f"mine_similar_pairs: FAISS makes no index {factory!r} for vectors of "
                f"length {dim}: {_reason(error)}"
            ) from error
        chosen = np.arange(n)
        if n > _MOST_TRAINING:
            rng = stream(seed, "faiss", "training")
            chosen = np.sort(rng.choice(n, size=_MOST_TRAINING, replace=False))
        try:
            self._index.train(unit(vectors[chosen]))
        except RuntimeError as error:
            raise ValueError(
                f"mine_similar_pairs: {factory!r} cannot be trained on {n:,} vectors: "
                f"{_reason(error)} Take index='auto', or 'exact'."
            ) from error
        for _, block in unit_blocks(vectors):
            self._index.add(block)

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Return the places of the k nearest, -1 where too few were found."""
        places: np.ndarray = self._index.search(np.ascontiguousarray(queries), k)[1]
        return places


def _reason(error: Any) -> str:
    """Return what FAISS says, without where in its sources it says it."""
    text = " ".join(str(error).split())
    return re.sub(r"^Error in .*? at \S+: ", "", text)
