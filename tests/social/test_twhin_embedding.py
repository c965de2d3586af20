"""TwHINEmbedding: the loss by loops, the same bits whoever computes, links found."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from tweetclf.exceptions import DataError, DivergenceError, ModelFormatError
from tweetclf.social import (
    Edges,
    EngagementGraph,
    TwHINEmbedding,
    mine_similar_pairs,
    popularity_baseline,
    rank_links,
)
from tweetclf.social._buckets import EdgeBuckets, bucket_order
from tweetclf.social._steps import Batch, Table, row_adagrad, step
from tweetclf.social._tables import Tables
from tweetclf.social._training import (
    Held,
    NumpyEngine,
    Options,
    _train_alone,
    train_epoch,
)

SMALL: dict[str, Any] = {
    "dim": 12,
    "batch_size": 40,
    "n_batch_negatives": 10,
    "n_uniform_negatives": 5,
    "random_state": 0,
}
LARGER = {**SMALL, "batch_size": 200}


def blocks(n: int = 1500, seed: int = 0, n_types: int = 2) -> Edges:
    """Return edges of users who like posts of their own of three kinds."""
    rng = np.random.default_rng(seed)
    users = rng.integers(60, size=n)
    posts = (users % 3) * 30 + rng.integers(30, size=n)
    stray = rng.random(n) < 0.05
    posts[stray] = rng.integers(90, size=int(stray.sum()))
    # As in a graph, where numbers are hashes, partitions are random.
    users = np.random.default_rng(8).permutation(60)[users]
    posts = np.random.default_rng(9).permutation(90)[posts]
    edges = np.unique(np.stack([users, posts, rng.integers(n_types, size=n)]), axis=1)
    order = rng.permutation(edges.shape[1])
    weights = rng.uniform(0.5, 2, size=len(order)).astype(np.float32)
    return Edges(*edges[:, order], weights)


def tables(n: int, dim: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, dim)).astype(np.float32)
    return Table(rows, rng.random(n).astype(np.float32))


def made_batch(weighted: bool, in_chunk: bool) -> Batch:
    rng = np.random.default_rng(3)
    shape = (3, 4 + 2)  # K, C + n
    return Batch(
        rng.integers(7, size=shape),
        rng.integers(9, size=shape),
        rng.integers(2, size=(3, 4)),
        rng.uniform(0.5, 2, size=(3, 4)).astype(np.float32) if weighted else None,
        in_chunk,
    )


def softplus(x: float) -> float:
    return float(np.logaddexp(0, x))


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def by_loops(
    users: Table, posts: Table, relations: Table, batch: Batch, rate: float
) -> tuple[float, list[Table]]:
    """Derive the step again: PyTorch-BigGraph's loss and update, edge by edge."""
    held = [Table(t.rows.astype(float), t.sums.astype(float)) for t in (users, posts)]
    held.append(Table(relations.rows.astype(float), relations.sums.astype(float)))
    U, T, R = (table.rows for table in held)
    grads = [np.zeros_like(table.rows) for table in held]
    touched = [set(ids.ravel().tolist()) for ids in (batch.users, batch.posts)]
    touched.append(set(batch.types.ravel().tolist()))
    loss = 0.0
    n_chunks, n = batch.types.shape
    for k in range(n_chunks):
        for c in range(n):
            u, t, r = batch.users[k, c], batch.posts[k, c], batch.types[k, c]
            weight = 1.0 if batch.weights is None else float(batch.weights[k, c])
            columns = [j for j in range(n + 2) if j >= n or (batch.in_chunk and j != c)]
            share = n + 2 if batch.in_chunk else 2
            for side in ("post", "user"):
                pairs = [(u, t, -1.0)]
                if side == "post":
                    pairs += [(u, batch.posts[k, j], 1 / share) for j in columns]
                else:
                    pairs += [(batch.users[k, j], t, 1 / share) for j in columns]
                for a, b, sign in pairs:
                    score = float((U[a] + R[r]) @ T[b])
                    if sign < 0:
                        loss += weight * softplus(-score)
                        g = -weight * sigmoid(-score)
                    else:
                        loss += weight * sign * softplus(score)
                        g = weight * sign * sigmoid(score)
                    grads[0][a] += g * T[b]
                    grads[1][b] += g * (U[a] + R[r])
                    grads[2][r] += g * T[b]
    for table, gradient, rows in zip(held, grads, touched, strict=True):
        for row in rows:
            table.sums[row] += (gradient[row] ** 2).mean()
            root = np.sqrt(table.sums[row]) + 1e-10
            table.rows[row] -= rate * gradient[row] / root
    return loss, held


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("in_chunk", [False, True])
def test_a_step_is_that_of_biggraph(weighted: bool, in_chunk: bool) -> None:
    """Row P35 of the parity tests."""
    batch = made_batch(weighted, in_chunk)
    held = [tables(7, 6, 0), tables(9, 6, 1), tables(2, 6, 2)]
    before = [t.rows.copy() for t in held]
    expected_loss, expected = by_loops(*held, batch, 0.1)
    loss = step(*held, batch, 0.1)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    for ours, theirs, old in zip(held, expected, before, strict=True):
        assert_allclose(ours.rows, theirs.rows, atol=2e-6)
        assert_allclose(ours.sums, theirs.sums, rtol=1e-6)
        assert np.abs(ours.rows - old).max() > 1e-3


def test_torch_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from tweetclf.social._torch_steps import TorchEngine

    for weighted, in_chunk in ((True, True), (False, False)):
        batch = made_batch(weighted, in_chunk)
        ours = [tables(7, 6, 0), tables(9, 6, 1), tables(2, 6, 2)]
        theirs = [tables(7, 6, 0), tables(9, 6, 1), tables(2, 6, 2)]
        engine = TorchEngine("cpu")
        held = [engine.load(table) for table in theirs]
        losses = [step(*ours, batch, 0.1), engine.step(*held, batch, 0.1)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
        for device, table, other in zip(held, theirs, ours, strict=True):
            engine.store(device, table)
            assert_allclose(table.rows, other.rows, atol=2e-6)
            assert_allclose(table.sums, other.sums, atol=2e-6)
    edges = blocks(300)
    numpy = TwHINEmbedding(**SMALL, max_iter=2).fit(edges)
    torch = TwHINEmbedding(**SMALL, max_iter=2, engine="torch").fit(edges)
    assert_allclose(torch.post_vectors_, numpy.post_vectors_, atol=1e-4)


def test_the_update_is_the_same_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(20, size=(5, 30))
    gradients = rng.standard_normal((5, 30, 8)).astype(np.float32)
    compiled, plain = tables(20, 8, 0), tables(20, 8, 0)
    row_adagrad(compiled, rows, gradients, 0.1)
    monkeypatch.setenv("TWEETCLF_NUMBA", "0")
    row_adagrad(plain, rows, gradients, 0.1)
    assert_allclose(compiled.rows, plain.rows, atol=1e-6)
    assert_allclose(compiled.sums, plain.sums, rtol=1e-6)


def test_the_update_is_that_of_biggraphs_optimizer() -> None:
    """Row P35 once more, by the code of PyTorch-BigGraph where it is installed."""
    torch = pytest.importorskip("torch")
    biggraph = pytest.importorskip(
        "torchbiggraph.row_adagrad",
        reason="PyTorch-BigGraph cannot be imported (pip install torchbiggraph "
        "'setuptools<81'); its update, derived again by loops, is tested above",
    )
    rng = np.random.default_rng(0)
    ours = tables(20, 8, 0)
    theirs = torch.nn.Parameter(torch.from_numpy(ours.rows.copy()))
    optimizer = biggraph.RowAdagrad([theirs], lr=0.1)
    optimizer.state[theirs]["sum"].copy_(torch.from_numpy(ours.sums))
    for _ in range(3):
        rows = rng.integers(20, size=(5, 3))  # some of them several times
        gradients = rng.standard_normal((5, 3, 8)).astype(np.float32)
        row_adagrad(ours, rows, gradients, 0.1)
        with torch.sparse.check_sparse_tensor_invariants():
            theirs.grad = torch.sparse_coo_tensor(
                rows.reshape(1, -1), gradients.reshape(-1, 8), theirs.shape
            )
            optimizer.step()
    assert_allclose(ours.rows, theirs.detach().numpy(), atol=2e-6)
    sums = optimizer.state[theirs]["sum"].numpy()
    assert_allclose(ours.sums, sums, rtol=1e-5)


def test_untouched_rows_stay() -> None:
    batch = made_batch(False, True)
    held = [tables(50, 6, 0), tables(50, 6, 1), tables(5, 6, 2)]
    before = [table.rows.copy() for table in held]
    step(*held, batch, 0.1)
    for table, old, ids in zip(held, before, batch[:3], strict=True):
        changed = np.flatnonzero((table.rows != old).any(axis=1))
        assert set(changed) == set(np.unique(ids))


def test_extreme_scores_stay_finite() -> None:
    held = [Table(t.rows * 1e4, t.sums) for t in (tables(7, 6, 0), tables(9, 6, 1))]
    loss = step(*held, tables(2, 6, 2), made_batch(False, True), 0.1)
    assert np.isfinite(loss)
    assert np.isfinite(held[0].rows).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_the_order_of_one_process_is_that_of_the_rounds(n: int) -> None:
    order = list(bucket_order(n))
    rounds = [(i, (i + k) % n) for k in range(n) for i in range(n)]
    assert sorted(order) == sorted(rounds)
    for place in (0, 1):
        for index in range(n):
            ours = [pair for pair in order if pair[place] == index]
            assert ours == [pair for pair in rounds if pair[place] == index]
    changes = 1 + sum(a[0] != b[0] for a, b in pairwise(order))
    assert changes <= 2 * n


def test_one_partition_of_users_stays_loaded(tmp_path: Path) -> None:
    n = 4
    store = Tables(60, 90, 2, 6, n_partitions=n, folder=tmp_path)
    store.initialise(0, 1e-3)
    edges = blocks()
    buckets = EdgeBuckets(edges, store.bounds, 2, seed=0, folder=tmp_path, piece=50)
    loads: list[Held] = []

    class Counting(NumpyEngine):
        def load(self, table: Table) -> Table:
            loads.append(table)
            return super().load(table)

    options = Options(40, 10, 5, 0.1, 0)
    train_epoch(
        store, buckets, lambda: Counting(copies=True), options, 0, lambda n: None
    )
    # Users and their relations twice a partition, posts once a pair.
    assert len(loads) <= 2 * (2 * n) + n * n
    pieces = [
        buckets.load(i, j, s)
        for i in range(n)
        for j in range(n)
        for s in range(buckets.n_pieces)
    ]
    assert buckets.n_pieces > 1
    assert sum(map(len, pieces)) == len(edges)


@pytest.fixture(scope="module")
def partitioned() -> TwHINEmbedding:
    return TwHINEmbedding(**SMALL, max_iter=3, n_partitions=3).fit(blocks())


def same(a: TwHINEmbedding, b: TwHINEmbedding) -> bool:
    names = ("user_vectors_", "post_vectors_", "relation_vectors_", "loss_curve_")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names)


def test_the_seed_decides(partitioned: TwHINEmbedding) -> None:
    again = clone(partitioned).fit(blocks())
    assert same(again, partitioned)
    other = clone(partitioned).set_params(random_state=1).fit(blocks())
    assert not same(other, partitioned)


def test_tables_on_disk_change_nothing(
    partitioned: TwHINEmbedding, tmp_path: Path
) -> None:
    disk = clone(partitioned).fit(blocks(), folder=tmp_path / "tables")
    assert same(disk, partitioned)
    assert isinstance(disk.user_vectors_, np.memmap)
    with pytest.raises(FileExistsError, match="not empty"):
        clone(partitioned).fit(blocks(), folder=tmp_path / "tables")


def test_rounds_change_nothing(partitioned: TwHINEmbedding, tmp_path: Path) -> None:
    """What processes do, here one after the other."""
    edges = blocks()
    store = Tables(60, 90, 2, 12, n_partitions=3, folder=tmp_path)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    store.initialise(seed, 1e-3)
    plain = Edges(edges.users, edges.posts, edges.types)
    buckets = EdgeBuckets(plain, store.bounds, 2, seed=seed, folder=tmp_path)
    engine = partial(NumpyEngine, copies=True)
    options = Options(40, 10, 5, 0.1, seed)
    for epoch in range(3):
        base = Table(*(np.array(array) for array in store.lane(0)))
        for k in range(3):
            for i in range(3):
                place = (epoch, i, (i + k) % 3)
                _train_alone(store, buckets, engine, options, place)
        store.merge_lanes(base, buckets.counts)
    assert np.array_equal(store.arrays["users"], partitioned.user_vectors_)
    assert np.array_equal(store.arrays["posts"], partitioned.post_vectors_)
    assert np.array_equal(store.relations(), partitioned.relation_vectors_)


@pytest.mark.slow
def test_processes_change_nothing(partitioned: TwHINEmbedding) -> None:
    two = clone(partitioned).set_params(n_jobs=2).fit(blocks())
    assert same(two, partitioned)


def test_first_vectors_do_not_depend_on_partitions() -> None:
    one, three = Tables(60, 90, 2, 6), Tables(60, 90, 2, 6, n_partitions=3)
    one.initialise(5, 0.1)
    three.initialise(5, 0.1)
    assert np.array_equal(one.arrays["users"], three.arrays["users"])
    assert one.arrays["posts"].std() == pytest.approx(0.1, rel=0.1)
    assert not one.relations().any()


def test_partitions_learn_as_well(partitioned: TwHINEmbedding) -> None:
    whole = clone(partitioned).set_params(n_partitions=1).fit(blocks())
    assert partitioned.loss_curve_[-1] < partitioned.loss_curve_[0]
    assert partitioned.loss_curve_[-1] == pytest.approx(whole.loss_curve_[-1], rel=0.15)


def test_a_stopped_training_goes_on_to_the_same_bits(
    partitioned: TwHINEmbedding, tmp_path: Path
) -> None:
    def stop(event: dict[str, Any]) -> None:
        if event["kind"] == "epoch" and event["epoch"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(partitioned).fit(blocks(), checkpoint=tmp_path / "c", report=stop)
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["epoch-000002"]
    seen: list[int] = []
    resumed = clone(partitioned).fit(
        blocks(),
        checkpoint=tmp_path / "c",
        report=lambda e: seen.append(e["epoch"]) if e["kind"] == "epoch" else None,
    )
    assert seen == [2]
    assert same(resumed, partitioned)
    with pytest.raises(DataError, match="differ in learning_rate"):
        clone(partitioned).set_params(learning_rate=0.2).fit(
            blocks(), checkpoint=tmp_path / "c"
        )


@pytest.mark.parametrize("column", ["users", "posts", "types", "weights"])
def test_a_checkpoint_of_other_edges_is_refused(column: str, tmp_path: Path) -> None:
    """Two values of a column in other places: all sums are the same."""
    edges = blocks()
    model = TwHINEmbedding(**SMALL, max_iter=1, use_weights=True)
    model.fit(edges, checkpoint=tmp_path / "c")
    values = getattr(edges, column).copy()
    other = int(np.flatnonzero(values != values[0])[0])
    values[[0, other]] = values[[other, 0]]
    swapped = replace(edges, **{column: values})
    with pytest.raises(DataError, match=r"they differ in edges\."):
        clone(model).fit(swapped, checkpoint=tmp_path / "c")
    # Numbers of another type are the same edges.
    again = replace(edges, users=edges.users.astype("<i4"), posts=edges.posts + 0)
    assert same(clone(model).fit(again, checkpoint=tmp_path / "c"), model)


def test_a_checkpoint_of_more_epochs_is_refused(tmp_path: Path) -> None:
    model = TwHINEmbedding(**SMALL, max_iter=3)
    model.fit(blocks(), checkpoint=tmp_path / "c")
    with pytest.raises(DataError, match="is of 3 epochs, more than max_iter=2"):
        clone(model).set_params(max_iter=2).fit(blocks(), checkpoint=tmp_path / "c")
    longer = (
        clone(model).set_params(max_iter=4).fit(blocks(), checkpoint=tmp_path / "c")
    )
    assert longer.n_iter_ == 4


def test_it_finds_held_out_links() -> None:
    edges = blocks(3000)
    test = np.arange(len(edges)) % 10 == 0
    train, held = edges.take(~test), edges.take(test)
    model = TwHINEmbedding(**LARGER, max_iter=30).fit(train)
    found = model.link_prediction(held, filtered=train)
    popular = rank_links(popularity_baseline(train, 90), held, 90, known=train)
    chance = rank_links(lambda e, c: np.zeros((len(e), len(c))), held, 90, known=train)
    assert found.auc > 0.85
    assert found.mrr > 2 * popular.mrr
    assert popular.auc < 0.7
    assert chance.auc == 0.5
    users = model.link_prediction(held, filtered=train, side="user")
    assert users.auc > 0.85


def test_threads_without_locks_learn_too() -> None:
    edges = blocks(3000)
    model = TwHINEmbedding(**LARGER, max_iter=15, deterministic=False, n_jobs=2)
    model.fit(edges)
    assert model.link_prediction(edges.take(slice(0, 200))).auc > 0.8


def test_weights_count() -> None:
    edges = blocks()
    plain = TwHINEmbedding(**SMALL, max_iter=1).fit(edges)
    weighted = TwHINEmbedding(**SMALL, max_iter=1, use_weights=True).fit(edges)
    assert not same(plain, weighted)
    ones = Edges(edges.users, edges.posts, edges.types, np.ones_like(edges.weights))
    assert same(plain, TwHINEmbedding(**SMALL, max_iter=1, use_weights=True).fit(ones))


def test_relations_tell_actions_apart() -> None:
    rng = np.random.default_rng(0)
    users = rng.integers(40, size=2000)
    types = rng.integers(2, size=2000)
    # What is liked is never replied to.
    posts = types * 30 + rng.integers(30, size=2000)
    model = TwHINEmbedding(**LARGER, max_iter=20).fit(Edges(users, posts, types))
    wrong = Edges(users, posts, 1 - types)
    right = model.score_edges(Edges(users, posts, types))
    assert (right > model.score_edges(wrong)).mean() > 0.95


def brute_force(
    scores: np.ndarray, edges: Edges, known: set[tuple[int, int, int]] | None
) -> dict[str, float]:
    """Return filtered metrics of scores (users, posts), ties counted one by one."""
    ranks, aucs, hit = [], [], []
    for u, p, t in zip(edges.users, edges.posts, edges.types, strict=True):
        rivals = [
            q
            for q in range(scores.shape[1])
            if q != p and (known is None or (u, q, t) not in known)
        ]
        above = sum(scores[u, q] > scores[u, p] for q in rivals)
        ties = sum(scores[u, q] == scores[u, p] for q in rivals)
        possible = range(above + 1, above + ties + 2)
        ranks.append(np.mean([1 / r for r in possible]))
        hit.append(np.mean([r <= 3 for r in possible]))
        labels = [1] + [0] * len(rivals)
        aucs.append(roc_auc_score(labels, scores[u, [p, *rivals]]))
    return {"mrr": np.mean(ranks), "hit": np.mean(hit), "auc": np.mean(aucs)}


@pytest.mark.parametrize("filtered", [False, True])
def test_ranks_by_brute_force(filtered: bool) -> None:
    rng = np.random.default_rng(0)
    edges = blocks(200)
    held, train = edges.take(slice(0, 40)), edges.take(slice(40, None))
    scores = rng.integers(6, size=(60, 90)).astype(float)
    known = set(
        zip(
            edges.users.tolist(),
            edges.posts.tolist(),
            edges.types.tolist(),
            strict=True,
        )
    )
    found = rank_links(
        lambda e, c: scores[e.users][:, c], held, 90, known=train if filtered else None
    )
    expected = brute_force(scores, held, known if filtered else None)
    assert found.mrr == pytest.approx(expected["mrr"])
    assert found.hits[3] == pytest.approx(expected["hit"])
    assert found.auc == pytest.approx(expected["auc"])
    every = rank_links(
        lambda e, c: scores[e.users][:, c],
        held,
        90,
        known=train if filtered else None,
        n_candidates=90,
    )
    assert every == found


def test_drawn_candidates_are_as_many_as_wanted() -> None:
    edges = blocks(200)

    def score(some: Edges, candidates: np.ndarray) -> np.ndarray:
        return np.tile(candidates, (len(some), 1)).astype(float)

    found = rank_links(score, edges, 90, n_candidates=20)
    assert found.n_candidates in (20, 21)
    assert found.auc == pytest.approx(rank_links(score, edges, 90).auc, abs=0.08)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_no_ranks(
    value: float, partitioned: TwHINEmbedding
) -> None:
    edges = blocks()

    def score(some: Edges, candidates: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(some), len(candidates)))
        scores[some.users == edges.users[300]] = value
        return scores

    first = int((edges.users == edges.users[300]).argmax())
    with pytest.raises(
        DataError, match=f"rank_links: edge {first} .* score is {value}"
    ):
        rank_links(score, edges, 90)
    # An edge that is not of the first block.
    with pytest.raises(DataError, match="rank_links: edge 299 "):
        rank_links(
            lambda e, c: np.where(e.types[:, None] == 1, value, np.zeros(len(c))),
            Edges(edges.users[:300], edges.posts[:300], np.arange(300) // 299),
            90,
        )


@pytest.mark.parametrize("n_candidates", [0, -5])
def test_a_rank_among_none_is_refused(
    n_candidates: int, partitioned: TwHINEmbedding
) -> None:
    with pytest.raises(ValueError, match="'n_candidates' parameter must be at least 1"):
        partitioned.link_prediction(blocks(50), n_candidates=n_candidates)


def test_edges_without_rivals_are_no_part_of_the_auc() -> None:
    """User 0 likes all three posts: only what user 1 has not liked is a rival."""
    edges = Edges(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 1]), np.zeros(4, int))
    scores = np.array([[3.0, 2, 1], [1, 2, 3]])

    def score(some: Edges, candidates: np.ndarray) -> np.ndarray:
        return scores[some.users][:, candidates]

    found = rank_links(score, edges, 3, known=edges)
    assert found.auc == 0.5
    assert found.mrr == pytest.approx((3 * 1 + 1 / 2) / 4)
    alone = edges.take(edges.users == 0)
    assert np.isnan(rank_links(score, alone, 3, known=edges).auc)


def test_scores_are_what_the_paper_says(partitioned: TwHINEmbedding) -> None:
    edges = blocks(50)
    u = partitioned.user_vectors_[edges.users]
    r = partitioned.relation_vectors_[edges.types]
    t = partitioned.post_vectors_[edges.posts]
    scores = partitioned.score_edges(edges)
    assert_allclose(scores, ((u + r) * t).sum(axis=1), rtol=1e-5)
    array = np.stack([edges.users, edges.posts, edges.types], axis=1)
    assert np.array_equal(partitioned.score_edges(array), scores)


def test_vectors_are_saved_and_opened(
    partitioned: TwHINEmbedding, tmp_path: Path
) -> None:
    partitioned.save(tmp_path / "e")
    loaded = TwHINEmbedding.load(tmp_path / "e")
    assert same(loaded, partitioned)
    assert loaded.get_params() == partitioned.get_params()
    raw = np.fromfile(tmp_path / "e" / "posts.f32", dtype="<f4").reshape(-1, 12)
    assert np.array_equal(raw, partitioned.post_vectors_)
    with (tmp_path / "e" / "posts.f32").open("ab") as file:
        file.write(b"1")
    with pytest.raises(ModelFormatError, match=r"posts\.f32"):
        TwHINEmbedding.load(tmp_path / "e")
    with pytest.raises(ModelFormatError, match="holds no embedding"):
        TwHINEmbedding.load(tmp_path)


@pytest.mark.parametrize(
    ("X", "options", "error", "message"),
    [
        ([[0.5, 1]], {}, DataError, "an array of whole numbers"),
        (np.zeros((0, 2), int), {}, DataError, "no edges"),
        ([[0, -1]], {}, DataError, "numbered from 0; got -1"),
        ([[0, 1]], {"n_partitions": 2}, ValueError, "at most the number of users"),
        ([[0, 1]], {"use_weights": True}, DataError, "edges have none"),
        (
            [[0, 1]],
            {"n_batch_negatives": 0, "n_uniform_negatives": 0},
            ValueError,
            "must be above 0",
        ),
        ([[0, 1]], {"device": "cuda", "engine": "numpy"}, ValueError, "engine='torch'"),
        ([[0, 1]], {"dim": 0}, ValueError, "'dim' parameter"),
    ],
)
def test_what_cannot_be_fitted_is_explained(
    X: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        TwHINEmbedding(**options).fit(np.asarray(X))


def test_numbers_out_of_range_are_refused(partitioned: TwHINEmbedding) -> None:
    with pytest.raises(DataError, match="fitted on 60 users"):
        partitioned.score_edges(np.array([[60, 0]]))
    with pytest.raises(DataError, match="n_users=3"):
        TwHINEmbedding().fit(np.array([[5, 0]]), n_users=3)
    with pytest.raises(ValueError, match="side must be"):
        partitioned.link_prediction(blocks(50), side="both")


@pytest.mark.slow
@pytest.mark.data
def test_twitter15(shared_data: Path, tmp_path: Path) -> None:
    """Held-out links of a real graph, and whether neighbours share a verdict."""
    folder = shared_data / "twitter15_engagement"
    graph = EngagementGraph.build(folder / "engagements.tsv.gz", tmp_path / "g")
    split = graph.assign_splits(0.0, 0.1)
    train, test = graph.edges(split == 0), graph.edges(split == 2)
    sizes = {"n_users": graph.n_users, "n_posts": graph.n_posts}
    model = TwHINEmbedding(random_state=0).fit(train, **sizes)
    known = graph.edges()
    found = model.link_prediction(test, filtered=known)
    popularity = popularity_baseline(train, graph.n_posts)
    popular = rank_links(popularity, test, graph.n_posts, known=known)
    assert found.mrr > 3 * popular.mrr
    assert found.hits[10] > 2.5 * popular.hits[10]
    assert found.auc > popular.auc + 0.03
    with gzip.open(folder / "tweets.jsonl.gz", "rt") as file:
        labels = {row["tweet"]: row["label"] for row in map(json.loads, file)}
    verdicts = np.array([labels[name] for name in graph.post_ids])
    pairs = mine_similar_pairs(model.post_vectors_, tmp_path / "p", k=5)
    # Four classes of equal size: a quarter by chance.
    assert (verdicts[pairs.first] == verdicts[pairs.second]).mean() > 0.4


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_is_reported() -> None:
    model = TwHINEmbedding(**{**SMALL, "init_scale": 1e30}, max_iter=1)
    with pytest.raises(DivergenceError, match="Lower the learning rate"):
        model.fit(blocks(100))
