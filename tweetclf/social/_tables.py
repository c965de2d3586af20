"""Tables of vectors in partitions, in memory or on disk."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.social._steps import Table
from tweetclf.utils.random import stream

__all__ = ["SIDES", "Tables"]

SIDES = ("users", "posts")
# So many rows are drawn at a time: what is drawn does not depend on the partitions.
_DRAWN = 1 << 16


class Tables:
    """Vectors of users, posts and relations, and their sums of squared gradients.

    Users and posts are cut into `n_partitions` ranges. Relations, which are few, exist
    once for every partition of users (a lane), and the lanes are merged once an epoch:
    so nothing but its own partitions is touched by the edges of a pair of partitions.

    Parameters
    ----------
    n_users, n_posts, n_relations, dim : int
        Sizes.
    n_partitions : int, default=1
        Ranges of users, and of posts.
    folder : Path, optional
        Where the tables are, memory-mapped; by default in memory. Files that are there
        are opened, others made.
    """

    def __init__(
        self,
        n_users: int,
        n_posts: int,
        n_relations: int,
        dim: int,
        *,
        n_partitions: int = 1,
        folder: Path | None = None,
    ) -> None:
        self.sizes = {"users": n_users, "posts": n_posts}
        self.n_relations = n_relations
        self.dim = dim
        self.n_partitions = n_partitions
        self.folder = folder
        self.bounds = {
            side: np.linspace(0, n, n_partitions + 1).astype(np.int64)
            for side, n in self.sizes.items()
        }
        self._open()

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        lanes = (self.n_partitions, self.n_relations)
        return {
            **{side: (n, self.dim) for side, n in self.sizes.items()},
            **{f"{side}.sums": (n,) for side, n in self.sizes.items()},
            "lanes": (*lanes, self.dim),
            "lanes.sums": lanes,
        }

    def _open(self) -> None:
        self.arrays = {}
        for name, shape in self._shapes().items():
            if self.folder is None:
                self.arrays[name] = np.zeros(shape, dtype=np.float32)
                continue
            path = self.folder / f"{name}.f32"
            size = 4 * int(np.prod(shape))
            if not path.exists() or path.stat().st_size != size:
                with path.open("wb") as file:
                    file.truncate(size)
            self.arrays[name] = np.memmap(path, dtype="<f4", mode="r+", shape=shape)

    def __getstate__(self) -> dict[str, Any]:
        # Workers open the same files.
        return {k: v for k, v in self.__dict__.items() if k != "arrays"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def initialise(self, seed: int, scale: float, n_jobs: int = 1) -> None:
        """Draw the vectors of users and posts; relations and sums start at nought.

        What is drawn does not depend on `n_jobs`, the threads that draw.
        """

        def draw(place: tuple[str, int]) -> None:
            side, start = place
            rng = stream(seed, "twhin", "start", side, start)
            rows = self.arrays[side][start : start + _DRAWN]
            rows[:] = scale * rng.standard_normal(rows.shape, dtype=np.float32)

        places = [(s, k) for s, n in self.sizes.items() for k in range(0, n, _DRAWN)]
        with ThreadPoolExecutor(n_jobs) as pool:
            deque(pool.map(draw, places), maxlen=0)

    def part(self, side: str, index: int) -> Table:
        """Return a partition, not copied."""
        start, stop = self.bounds[side][index : index + 2]
        arrays = self.arrays
        return Table(arrays[side][start:stop], arrays[f"{side}.sums"][start:stop])

    def lane(self, index: int) -> Table:
        """Return the relations as the partition `index` of the users sees them."""
        return Table(self.arrays["lanes"][index], self.arrays["lanes.sums"][index])

    def relations(self) -> np.ndarray:
        """Return the relations; between epochs all lanes hold the same."""
        return self.arrays["lanes"][0]

    def merge_lanes(self, base: Table, counts: np.ndarray) -> None:
        """Give all lanes the mean of their changes, weighted by their edges.

        Parameters
        ----------
        base : Table
            Relations before the epoch.
        counts : ndarray, shape (n_partitions, n_relations)
            Edges of each lane.
        """
        if self.n_partitions == 1:
            return
        lanes, sums = self.arrays["lanes"], self.arrays["lanes.sums"]
        share = counts / np.maximum(counts.sum(axis=0), 1)
        moved = np.einsum("pr,prd->rd", share, np.asarray(lanes) - base.rows)
        lanes[:] = (base.rows + moved).astype(np.float32)
        sums[:] = base.sums + (np.asarray(sums) - base.sums).sum(axis=0)

    def copies(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield name and values of every table, for a checkpoint."""
        yield from self.arrays.items()

    def write(self, folder: Path) -> None:
        """Write all tables as files, as a folder of `Tables` has them."""
        for name, array in self.copies():
            with (folder / f"{name}.f32").open("wb") as file:
                for start in range(0, len(array), _DRAWN):
                    file.write(np.ascontiguousarray(array[start : start + _DRAWN]).data)
                file.flush()
                os.fsync(file.fileno())

    def read(self, folder: Path) -> None:
        """Take the values that `write` wrote."""
        for name, array in self.copies():
            path = folder / f"{name}.f32"
            if array.size:
                array[:] = np.memmap(path, dtype="<f4", mode="r", shape=array.shape)
