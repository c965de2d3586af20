"""The embedding of engagement graphs, against plain PyTorch.

Edges are synthetic: both ends are drawn by a power law of their rank. There are a
quarter as many users, and as many posts, as edges. Every side goes through the same
edges, in the same order, with the same wrong ends and first vectors, so the vectors
that come out can be compared.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from harness import Benchmark
from torch.nn.functional import softplus

from tweetclf.social import Edges, TwHINEmbedding
from tweetclf.social._buckets import EdgeBuckets
from tweetclf.social._steps import Batch
from tweetclf.social._tables import Tables
from tweetclf.social._training import Options, _batches
from tweetclf.utils.random import stream

DIM = 256
RATE = 0.1
BATCH, CHUNK, DRAWN = 1000, 50, 50
N_TYPES = 3
_EXPONENT = 0.8


class Graph(NamedTuple):
    """Edges, and how many users and posts there are."""

    edges: Edges
    n: int


def power_law(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `size` of `n` numbers, number i in proportion to (i + 1)^-0.8."""
    ends = np.cumsum(np.arange(1, n + 1, dtype=np.float64) ** -_EXPONENT)
    return np.searchsorted(ends, rng.random(size) * ends[-1])


def make_graph(size: int) -> Graph:
    """Return a graph of `size` edges, the same one each time."""
    rng = np.random.default_rng(size)
    n = max(size // 4, 10)
    # Numbers say nothing about degrees.
    users, posts = (rng.permutation(n)[power_law(n, size, rng)] for _ in range(2))
    return Graph(Edges(users, posts, rng.integers(N_TYPES, size=size)), n)


def _ours(graph: Graph) -> np.ndarray:
    model = TwHINEmbedding(dim=DIM, max_iter=1, learning_rate=RATE, random_state=0)
    return model.fit(graph.edges, n_users=graph.n, n_posts=graph.n).post_vectors_


def _start(graph: Graph, device: str) -> tuple[list[torch.nn.Embedding], Any]:
    """Return first tables and the batches that ours go through, too."""
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    tables = Tables(graph.n, graph.n, N_TYPES, DIM)
    tables.initialise(seed, 1e-3)
    buckets = EdgeBuckets(graph.edges, tables.bounds, N_TYPES, seed=seed)
    rng = stream(seed, "twhin", "epoch", 0, 0, 0)
    rng.permutation(1)
    options = Options(BATCH, CHUNK, DRAWN, RATE, seed)
    batches = _batches(
        buckets.load(0, 0, 0), (graph.n, graph.n), options, rng, weighted=False
    )
    arrays = (tables.arrays["users"], tables.arrays["posts"], tables.relations())
    modules = [
        torch.nn.Embedding.from_pretrained(
            torch.from_numpy(array).to(device), freeze=False
        )
        for array in arrays
    ]
    return modules, batches


def _loss(modules: list[torch.nn.Embedding], batch: Batch) -> torch.Tensor:
    n = batch.types.shape[1]
    device = modules[0].weight.device
    U, T, R = (
        module(torch.from_numpy(ids).to(device))
        for module, ids in zip(modules, batch[:3], strict=True)
    )  # (K, C + n, d), the same, and (K, C, d)
    own, P = T[:, :n], U[:, :n] + R
    right = P @ T.mT
    left = own @ U.mT + (R * own).sum(dim=2, keepdim=True)
    mask = torch.eye(n, right.shape[2], dtype=torch.bool, device=device)
    total = 2 * softplus(-(P * own).sum(dim=2)).sum()
    for scores in (right, left):
        wrong = softplus(scores).masked_fill(mask, 0)
        total = total + wrong.sum() / scores.shape[2]
    return total


def train_dense(graph: Graph, device: str = "cpu") -> np.ndarray:
    """Let autograd make gradients as large as the tables, and update all rows."""
    modules, batches = _start(graph, device)
    sums = [torch.zeros(len(module.weight), device=device) for module in modules]
    for batch in batches:
        for module in modules:
            module.weight.grad = None
        _loss(modules, batch).backward()
        with torch.no_grad():
            for module, total in zip(modules, sums, strict=True):
                gradient = module.weight.grad
                assert gradient is not None
                total += gradient.square().mean(dim=1)
                root = total.sqrt() + 1e-10
                module.weight -= RATE * gradient / root[:, None]
    return modules[1].weight.detach().cpu().numpy()


def train_sparse(graph: Graph, device: str = "cpu") -> np.ndarray:
    """Let autograd make sparse gradients, and update the rows that have one."""
    modules, batches = _start(graph, device)
    sums = [torch.zeros(len(module.weight), device=device) for module in modules]
    for module in modules:
        module.sparse = True
    for batch in batches:
        for module in modules:
            module.weight.grad = None
        _loss(modules, batch).backward()
        with torch.no_grad():
            for module, total in zip(modules, sums, strict=True):
                assert module.weight.grad is not None
                gradient = module.weight.grad.coalesce()
                rows, values = gradient.indices()[0], gradient.values()
                total.index_add_(0, rows, values.square().mean(dim=1))
                root = total[rows].sqrt() + 1e-10
                module.weight.index_add_(0, rows, values / root[:, None], alpha=-RATE)
    return modules[1].weight.detach().cpu().numpy()


def _close(ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.abs(ours - theirs).max())
    # Steps are up to 0.1 long, and rounding is carried through all of them.
    assert difference <= 1e-3, f"the largest difference is {difference:.1e}"


BENCHMARKS = [
    Benchmark(
        name="twhin-dense",
        what=f"TwHIN embedding, {DIM} dimensions, one epoch, a node to two edges",
        peer="PyTorch, autograd, dense gradients, row-wise Adagrad over all rows",
        prepare=make_graph,
        ours=_ours,
        theirs=train_dense,
        check=_close,
        sizes=(20_000, 100_000),
        bar=2,
        aim=5,
        repeats=3,
        growth=(10_000, 40_000, 160_000),
        memory=(100_000,),
        memory_bar=0.6,
    ),
    Benchmark(
        name="twhin-sparse",
        what=f"TwHIN embedding, {DIM} dimensions, one epoch, a node to two edges",
        peer="PyTorch, autograd, sparse gradients, row-wise Adagrad of their rows",
        prepare=make_graph,
        ours=_ours,
        theirs=train_sparse,
        check=_close,
        sizes=(20_000, 100_000),
        bar=1,
        aim=2,
        repeats=3,
    ),
]
