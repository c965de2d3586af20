"""Epochs over buckets of edges, by one process or several, on CPU or GPU.

What comes out depends on the seed and the number of partitions, and not on the number
of processes nor on whether tables are in memory: the processes of a round touch
different rows, and every bucket draws from a random stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from tweetclf.social._buckets import EdgeBuckets, bucket_order
from tweetclf.social._steps import Batch, Table, step
from tweetclf.social._tables import SIDES, Tables
from tweetclf.utils.random import stream

__all__ = ["Engine", "Held", "NumpyEngine", "Options", "train_epoch"]

# The loss costs a tenth of a step; it is taken of the first, the fifth, ...
_LOSS_EVERY = 4
# Batches that threads find ready; all of them would be larger than the edges.
_QUEUED = 256


@dataclass(frozen=True)
class Options:
    """What a step needs to know.

    Parameters
    ----------
    batch_size : int
        Edges of a step.
    n_batch_negatives, n_uniform_negatives : int
        Edges of a chunk, and ends drawn for it.
    rate : float
        Learning rate.
    seed : int
        Seed of order and draws.
    n_jobs : int
        Processes, or threads where it need not be deterministic.
    deterministic : bool
        Whether steps are made one after another.
    """

    batch_size: int
    n_batch_negatives: int
    n_uniform_negatives: int
    rate: float
    seed: int
    n_jobs: int = 1
    deterministic: bool = True

    @property
    def chunk(self) -> int:
        """Edges of a chunk."""
        return min(self.n_batch_negatives or self.n_uniform_negatives, self.batch_size)


class Engine(Protocol):
    """Where the tables of a bucket are worked on."""

    def load(self, table: Table) -> Any:
        """Bring a partition there."""

    def store(self, held: Any, table: Table) -> None:
        """Bring it back."""

    def step(
        self,
        users: Any,
        posts: Any,
        lane: Any,
        batch: Batch,
        rate: float,
        want_loss: bool,
    ) -> Any:
        """Make one step; return the loss of its edges, if it is wanted.

        It is a number, or will be one when `float` asks for it.
        """


class NumpyEngine:
    """Works in memory: on the tables themselves, or on copies of those on disk."""

    def __init__(self, *, copies: bool) -> None:
        self._copies = copies

    def load(self, table: Table) -> Table:
        """Return the table, or, from disk, a copy in memory."""
        if not self._copies:
            return table
        return Table(np.array(table.rows), np.array(table.sums))

    def store(self, held: Table, table: Table) -> None:
        """Write a copy back."""
        if self._copies:
            table.rows[:] = held.rows
            table.sums[:] = held.sums

    step = staticmethod(step)


class Held:
    """The partition of users and the one of posts that are in memory.

    Parameters
    ----------
    tables : Tables
        All of them.
    engine : Engine
        Where to hold them.
    """

    def __init__(self, tables: Tables, engine: Engine) -> None:
        self._tables = tables
        self._engine = engine
        self._now: dict[str, tuple[int, Any]] = {}
        self.n_loads = 0

    def get(self, side: str, index: int) -> Any:
        """Return a partition; the one before it is written back."""
        if side in self._now and self._now[side][0] == index:
            return self._now[side][1]
        self._write(side)
        held = self._engine.load(self._table(side, index))
        self.n_loads += 1
        self._now[side] = (index, held)
        return held

    def _table(self, side: str, index: int) -> Table:
        if side == "lanes":
            return self._tables.lane(index)
        return self._tables.part(side, index)

    def _write(self, side: str) -> None:
        if side in self._now:
            index, held = self._now.pop(side)
            self._engine.store(held, self._table(side, index))

    def close(self) -> None:
        """Write all back."""
        for side in (*SIDES, "lanes"):
            self._write(side)


def _batches(
    edges: np.ndarray,
    sizes: tuple[int, int],
    options: Options,
    rng: np.random.Generator,
    *,
    weighted: bool,
) -> Iterator[Batch]:
    """Yield the edges in random order, in batches of chunks, with drawn ends."""
    order = rng.permutation(len(edges))
    chunk = options.chunk
    for start in range(0, len(order), options.batch_size):
        taken = edges[order[start : start + options.batch_size]]
        whole = len(taken) - len(taken) % chunk
        # What does not fill a chunk is a smaller one, a step of its own.
        for part, size in ((taken[:whole], chunk), (taken[whole:], len(taken) - whole)):
            if not len(part):
                continue
            shape = (len(part) // size, size)
            drawn = (shape[0], options.n_uniform_negatives)
            ends = [
                np.concatenate(
                    [
                        part[name].astype(np.int64).reshape(shape),
                        rng.integers(n, size=drawn),
                    ],
                    axis=1,
                )
                for name, n in zip(("user", "post"), sizes, strict=True)
            ]
            yield Batch(
                ends[0],
                ends[1],
                part["type"].astype(np.int64).reshape(shape),
                part["weight"].reshape(shape) if weighted else None,
                options.n_batch_negatives > 0,
            )


def _train_bucket(
    held: Held,
    tables: Tables,
    buckets: EdgeBuckets,
    engine: Engine,
    options: Options,
    place: tuple[int, int, int],
    pool: ThreadPoolExecutor | None = None,
) -> tuple[float, int]:
    """Train on the edges of a pair of partitions; return summed loss and edges."""
    epoch, i, j = place
    users, posts = held.get("users", i), held.get("posts", j)
    lane = held.get("lanes", i)
    sizes = (len(tables.part("users", i).sums), len(tables.part("posts", j).sums))
    rng = stream(options.seed, "twhin", "epoch", epoch, i, j)
    losses: list[tuple[Any, int]] = []
    n_edges = 0

    def make(numbered: tuple[int, Batch]) -> tuple[Any, int]:
        number, batch = numbered
        wanted = number % _LOSS_EVERY == 0
        loss = engine.step(users, posts, lane, batch, options.rate, wanted)
        return loss, batch.types.size if wanted else 0

    for piece in rng.permutation(buckets.n_pieces):
        edges = buckets.load(i, j, int(piece))
        batches = enumerate(
            _batches(edges, sizes, options, rng, weighted=buckets.weighted)
        )
        # Threads write rows of each other (Hogwild): faster, never the same twice.
        if pool is None:
            losses += map(make, batches)
        else:
            while some := list(islice(batches, _QUEUED)):
                losses += pool.map(make, some)
        n_edges += len(edges)
    if not n_edges:
        return 0.0, 0
    measured = sum(n for _, n in losses)
    return sum(float(loss) for loss, _ in losses) / measured * n_edges, n_edges


def _train_alone(
    tables: Tables,
    buckets: EdgeBuckets,
    make_engine: Callable[[], Engine],
    options: Options,
    place: tuple[int, int, int],
) -> tuple[float, int]:
    """Train on one pair of partitions in a process of its own."""
    from threadpoolctl import threadpool_limits

    engine = make_engine()
    held = Held(tables, engine)
    with threadpool_limits(1):
        said = _train_bucket(held, tables, buckets, engine, options, place)
    held.close()
    return said


def train_epoch(
    tables: Tables,
    buckets: EdgeBuckets,
    make_engine: Callable[[], Engine],
    options: Options,
    epoch: int,
    report: Callable[[int], None],
) -> float:
    """Go through all edges once.

    Parameters
    ----------
    tables : Tables
        Changed in place.
    buckets : EdgeBuckets
        The edges.
    make_engine : callable
        Makes what works on the tables; several processes need it to be picklable.
    options : Options
        How.
    epoch : int
        Which one, from 0.
    report : callable
        Called with the number of edges of a bucket when it is done.

    Returns
    -------
    float
        Mean loss of an edge, as it was when the edge was seen, of a quarter of them.
    """
    from threadpoolctl import threadpool_limits

    n = tables.n_partitions
    base = Table(*(np.array(array) for array in tables.lane(0)))
    losses: list[tuple[float, int]] = []
    if options.deterministic and options.n_jobs > 1 and n > 1:
        for said in _rounds(tables, buckets, make_engine, options, epoch):
            losses.append(said)
            report(said[1])
    else:
        engine = make_engine()
        held = Held(tables, engine)
        threads = 0 if options.deterministic else options.n_jobs
        pool = ThreadPoolExecutor(threads) if threads > 1 else None
        # The products are small: threads inside them cost more than they bring.
        with threadpool_limits(1):
            for i, j in bucket_order(n):
                place = (epoch, i, j)
                said = _train_bucket(
                    held, tables, buckets, engine, options, place, pool
                )
                losses.append(said)
                report(said[1])
        held.close()
        if pool is not None:
            pool.shutdown()
    tables.merge_lanes(base, buckets.counts)
    n_edges = sum(count for _, count in losses)
    # Exact, so that the order of the buckets does not matter.
    return math.fsum(loss for loss, _ in losses) / n_edges


def _rounds(
    tables: Tables,
    buckets: EdgeBuckets,
    make_engine: Callable[[], Engine],
    options: Options,
    epoch: int,
) -> Iterator[tuple[float, int]]:
    from joblib import Parallel, delayed

    n = tables.n_partitions
    with Parallel(n_jobs=min(options.n_jobs, n)) as parallel:
        for k in range(n):
            yield from parallel(
                delayed(_train_alone)(
                    tables, buckets, make_engine, options, (epoch, i, (i + k) % n)
                )
                for i in range(n)
            )
