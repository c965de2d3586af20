"""Edges dealt to pairs of partitions, in random order, in memory or on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tweetclf.social._build import blocks
from tweetclf.social.edges import Edges
from tweetclf.utils.random import stream

__all__ = ["EdgeBuckets", "bucket_order"]

RECORD = np.dtype(
    [("user", "<i4"), ("post", "<i4"), ("type", "<u2"), ("weight", "<f4")]
)
# A bucket's edges are shuffled as a whole up to so many.
_PIECE = 1 << 22


def bucket_order(n_partitions: int) -> Iterator[tuple[int, int]]:
    """Yield all pairs of partitions so that the one of the users stays for long.

    Notes
    -----
    Several processes work in rounds: in round ``k`` on the pairs
    ``(i, (i + k) mod P)``, which share nothing. One process goes through the pairs
    ``i <= j``, the last row first, and then through those with ``i > j``, the last row
    first: every partition sees its pairs in the order of the rounds, so the result is
    the same, and users are loaded 2 P times instead of P^2.

    Examples
    --------
    >>> from tweetclf.social._buckets import bucket_order
    >>> list(bucket_order(2))
    [(1, 1), (0, 0), (0, 1), (1, 0)]
    """
    rows = range(n_partitions - 1, -1, -1)
    for i in rows:
        yield from ((i, j) for j in range(i, n_partitions))
    for i in rows:
        yield from ((i, j) for j in range(i))


class EdgeBuckets:
    """Edges by pairs of partitions; ends are numbered within their partition.

    Parameters
    ----------
    edges : Edges
        All edges, perhaps memory-mapped.
    bounds : dict of str to ndarray
        Bounds of the partitions of users and posts.
    n_relations : int
        Kinds of edges.
    seed : int
        Seed of the order.
    folder : Path, optional
        Where to keep them; by default in memory.
    piece : int, optional
        Edges that are shuffled as a whole.
    """

    def __init__(
        self,
        edges: Edges,
        bounds: dict[str, np.ndarray],
        n_relations: int,
        *,
        seed: int,
        folder: Path | None = None,
        piece: int = _PIECE,
    ) -> None:
        self.n_partitions = len(bounds["users"]) - 1
        self.n_pieces = max(1, -(-len(edges) // (piece * self.n_partitions**2)))
        self.weighted = edges.weights is not None
        self.counts = np.zeros((self.n_partitions, n_relations), dtype=np.int64)
        self._folder = folder
        self._held: dict[int, list[np.ndarray]] = {}
        for part in blocks(len(edges)):
            self._deal(edges.take(part), bounds, stream(seed, "twhin", part.start))
        self._held = {k: [np.concatenate(v)] for k, v in self._held.items()}

    def _deal(
        self, edges: Edges, bounds: dict[str, np.ndarray], rng: np.random.Generator
    ) -> None:
        n = self.n_partitions
        lane = np.searchsorted(bounds["users"], edges.users, side="right") - 1
        other = np.searchsorted(bounds["posts"], edges.posts, side="right") - 1
        records = np.empty(len(edges), dtype=RECORD)
        records["user"] = edges.users - bounds["users"][lane]
        records["post"] = edges.posts - bounds["posts"][other]
        records["type"] = edges.types
        records["weight"] = 1 if edges.weights is None else edges.weights
        n_relations = self.counts.shape[1]
        kinds = lane * n_relations + edges.types.astype(np.int64)
        self.counts += np.bincount(kinds, minlength=self.counts.size).reshape(n, -1)
        keys = (lane * n + other) * self.n_pieces
        keys += rng.integers(self.n_pieces, size=len(keys))
        n_keys = n * n * self.n_pieces
        # NumPy sorts 16 bits in linear time, ten times as fast.
        small = keys.astype(np.uint16) if n_keys <= 1 << 16 else keys
        order = np.argsort(small, kind="stable")
        sizes = np.bincount(keys, minlength=n_keys)
        found = np.flatnonzero(sizes)
        parts = np.split(order, np.cumsum(sizes[found])[:-1])
        for key, chosen in zip(found, parts, strict=True):
            if self._folder is None:
                self._held.setdefault(int(key), []).append(records[chosen])
                continue
            with self._path(int(key)).open("ab") as file:
                file.write(records[chosen].tobytes())

    def _path(self, key: int) -> Path:
        assert self._folder is not None
        return self._folder / f"edges-{key:06d}"

    def load(self, lane: int, other: int, piece: int) -> np.ndarray:
        """Return the edges of a piece of a pair of partitions."""
        key = (lane * self.n_partitions + other) * self.n_pieces + piece
        if self._folder is None:
            return self._held.get(key, [np.empty(0, dtype=RECORD)])[0]
        path = self._path(key)
        return np.fromfile(path, dtype=RECORD) if path.exists() else np.empty(0, RECORD)
