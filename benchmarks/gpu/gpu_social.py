"""The embedding of engagements on a GPU, up to 10^8 edges, beside plain PyTorch."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gpu_tools import DEVICE, Sizes, free, now, peak_gib

from tweetclf.social import Edges, TwHINEmbedding
from tweetclf.social._buckets import EdgeBuckets
from tweetclf.social._tables import Tables
from tweetclf.social._torch_steps import TorchEngine
from tweetclf.social._training import Options, train_epoch

_N_TYPES = 3
_BLOCK = 1 << 22
_THREADS = os.cpu_count() or 1


def make_edges(n_edges: int, n_users: int, n_posts: int) -> Edges:
    """Return edges, both ends by a power law of exponent -0.8, drawn by all cores.

    The end x of n has the density x^-0.8, and so is n u^5 for a uniform u.
    """
    ends = [np.empty(n_edges, dtype=np.int32) for _ in range(2)]
    types = np.empty(n_edges, dtype=np.uint8)
    rng = np.random.default_rng(0)
    # Numbers say nothing about degrees.
    names = [rng.permutation(n).astype(np.int32) for n in (n_users, n_posts)]

    def draw(start: int) -> None:
        own = np.random.default_rng([1, start])
        part = slice(start, min(start + _BLOCK, n_edges))
        size = part.stop - part.start
        for column, numbers in zip(ends, names, strict=True):
            u = own.random(size)
            square = u * u
            ranks = (square * square * u * len(numbers)).astype(np.int64)
            column[part] = numbers[np.minimum(ranks, len(numbers) - 1)]
        types[part] = own.integers(_N_TYPES, size=size, dtype=np.uint8)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(draw, range(0, n_edges, _BLOCK)))
    return Edges(ends[0], ends[1], types)


class _Phases:
    """The seconds of each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, run: Callable[[], Any]) -> Any:
        start = now()
        result = run()
        self.seconds[f"{name}_s"] = now() - start
        return result


class _TimedEngine(TorchEngine):
    """Notes when the first step began and when the last one was done."""

    began: float | None = None
    done: float = 0.0

    def step(self, *arguments: Any) -> Any:
        """Make a step."""
        if _TimedEngine.began is None:
            _TimedEngine.began = now()
        return super().step(*arguments)

    def store(self, held: Any, table: Any) -> None:
        """Copy a partition back."""
        if not _TimedEngine.done:
            _TimedEngine.done = now()
        super().store(held, table)


def embedding(
    sizes: Sizes, ceiling: dict[str, float], *, n_edges: int, batch_size: int
) -> dict[str, Any]:
    """Go once through so many edges among 10 million nodes of 256 dimensions."""
    n_edges, batch_size = sizes((n_edges, batch_size), (5000, 500))
    n_nodes, dim = sizes((5_000_000, 256), (1000, 16))
    # Small, and once: kernels are loaded.
    some = np.random.default_rng(0).integers(500, size=(4000, 2))
    TwHINEmbedding(dim=dim, max_iter=1, device=DEVICE.type, engine="torch").fit(some)
    phases = _Phases()
    edges = phases("draw_edges", lambda: make_edges(n_edges, n_nodes, n_nodes))
    tables = Tables(n_nodes, n_nodes, _N_TYPES, dim)
    phases("first_vectors", lambda: tables.initialise(0, 1e-3, _THREADS))
    buckets = phases(
        "deal_edges", lambda: EdgeBuckets(edges, tables.bounds, _N_TYPES, seed=0)
    )
    options = Options(batch_size, 50, 50, 0.1, 0)
    free()
    _TimedEngine.began, _TimedEngine.done = None, 0.0
    make_engine = partial(_TimedEngine, DEVICE.type)
    loss = phases(
        "epoch",
        lambda: train_epoch(tables, buckets, make_engine, options, 0, lambda n: None),
    )
    began = _TimedEngine.began or 0.0
    seconds = _TimedEngine.done - began
    steps = -(-n_edges // batch_size)
    return {
        "edges": n_edges,
        "nodes": 2 * n_nodes,
        "dim": dim,
        "batch_size": batch_size,
        "loss": loss,
        "edges_per_second": n_edges / seconds,
        "edges_per_second_with_copies": n_edges / phases.seconds["epoch_s"],
        "ms_per_step": 1000 * seconds / steps,
        "peak_gib": peak_gib(),
        **phases.seconds,
    }


def peer(sizes: Sizes, ceiling: dict[str, float], *, n_edges: int) -> dict[str, Any]:
    """Compare with dense and with sparse gradients of PyTorch, at a smaller size."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "performance"))
    from bench_social import DIM, train_dense, train_sparse
    from bench_social import make_graph as make

    n_edges = sizes(n_edges, 2000)
    device = DEVICE.type
    graph = make(n_edges)
    model = TwHINEmbedding(
        dim=DIM, max_iter=1, device=device, engine="torch", random_state=0
    )
    found: dict[str, Any] = {"edges": n_edges, "nodes": 2 * graph.n, "dim": DIM}
    model.fit(make(2000).edges)
    vectors = {}
    for name, run in (
        ("ours", partial(model.fit, graph.edges, n_users=graph.n, n_posts=graph.n)),
        ("dense", partial(train_dense, graph, device)),
        ("sparse", partial(train_sparse, graph, device)),
    ):
        free()
        start = now()
        made = run()
        seconds = now() - start
        vectors[name] = made.post_vectors_ if name == "ours" else made
        found[f"{name}_edges_per_second"] = n_edges / seconds
        found[f"{name}_peak_gib"] = peak_gib()
    for name in ("dense", "sparse"):
        theirs = found[f"{name}_edges_per_second"]
        found[f"ratio_to_{name}"] = found["ours_edges_per_second"] / theirs
        difference = np.abs(vectors["ours"] - vectors[name]).max()
        found[f"largest_difference_to_{name}"] = float(difference)
    return found


def against_numpy(sizes: Sizes, ceiling: dict[str, float]) -> dict[str, Any]:
    """Compare with the engine of the CPU on this machine, at equal batches."""
    n_edges, n_nodes = sizes((200_000, 100_000), (2000, 300))
    edges = make_edges(n_edges, n_nodes, n_nodes)
    found: dict[str, Any] = {"edges": n_edges, "nodes": 2 * n_nodes, "batch_size": 1000}
    vectors = []
    for name, device, engine in (
        ("gpu", DEVICE.type, "torch"),
        ("cpu", "cpu", "numpy"),
    ):
        model = TwHINEmbedding(
            dim=256, max_iter=1, device=device, engine=engine, random_state=0
        )
        model.fit(Edges(edges.users[:2000], edges.posts[:2000], edges.types[:2000]))
        start = time.perf_counter()
        model.fit(edges, n_users=n_nodes, n_posts=n_nodes)
        found[f"{name}_edges_per_second"] = n_edges / (time.perf_counter() - start)
        vectors.append(model.post_vectors_)
    found["largest_difference"] = float(np.abs(vectors[0] - vectors[1]).max())
    return found
