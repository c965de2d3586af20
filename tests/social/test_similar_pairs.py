"""Similar pairs: scikit-learn's neighbours, and what an index may miss."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.neighbors import NearestNeighbors

from tweetclf.exceptions import DataError, TweetclfWarning
from tweetclf.social import SimilarPairs, mine_similar_pairs, similar
from tweetclf.social._index import FaissIndex, exact_neighbours, plan_index, unit
from tweetclf.social._mining_work import MiningWork


def vectors(n: int = 300, dim: int = 16, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((12, dim))
    noise = rng.standard_normal((n, dim))
    return (centres[rng.integers(12, size=n)] + 0.5 * noise).astype(np.float32)


def lists(pairs: SimilarPairs) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for first, second in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        found.setdefault(first, []).append(second)
    return found


def oracle(X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    model = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(X)
    distances, places = model.kneighbors()
    return 1 - distances, places


def test_exact_neighbours_are_those_of_scikit_learn(tmp_path: Path) -> None:
    X = vectors() * np.linspace(0.1, 9, 300, dtype=np.float32)[:, None]
    pairs = mine_similar_pairs(X, tmp_path / "p", k=5)
    scores, places = oracle(X, 5)
    assert lists(pairs) == {i: row.tolist() for i, row in enumerate(places)}
    assert_allclose(pairs.scores, scores.ravel(), atol=1e-5)
    assert pairs.manifest["index"] == "exact"
    assert pairs.manifest["recall"] == 1
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == [
        "pairs.bin",
        "pairs.json",
    ]


def test_equal_vectors_come_in_order(tmp_path: Path) -> None:
    X = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    pairs = mine_similar_pairs(X, tmp_path / "p", k=2)
    assert lists(pairs) == {
        0: [1, 2],
        1: [0, 2],
        2: [0, 1],
        3: [4, 5],
        4: [3, 5],
        5: [3, 4],
    }
    wide = exact_neighbours(X, X[:1], 6)[1]
    assert wide.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_more_neighbours_than_posts(tmp_path: Path) -> None:
    pairs = mine_similar_pairs(vectors(4), tmp_path / "p", k=10)
    assert {len(others) for others in lists(pairs).values()} == {3}
    own = mine_similar_pairs(vectors(4), tmp_path / "q", k=10, exclude_self=False)
    assert all(others[0] == post for post, others in lists(own).items())


def test_mutual_neighbours(tmp_path: Path) -> None:
    X = vectors()
    everyone = lists(mine_similar_pairs(X, tmp_path / "p", k=4))
    both = mine_similar_pairs(X, tmp_path / "q", k=4, mutual=True)
    expected = {
        (a, b) for a, others in everyone.items() for b in others if a in everyone[b]
    }
    found = set(zip(both.first.tolist(), both.second.tolist(), strict=True))
    assert found == expected
    first, second, scores = both.unordered()
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {
        (a, b) for a, b in expected if a < b
    }
    assert_allclose(scores, (unit(X[first]) * unit(X[second])).sum(axis=1), atol=1e-5)


def test_least_similarity(tmp_path: Path) -> None:
    pairs = mine_similar_pairs(vectors(), tmp_path / "p", k=5, min_similarity=0.8)
    assert 0 < len(pairs) < 5 * 300
    assert pairs.scores.min() >= 0.8


def test_texts_that_say_the_same_are_no_pair(tmp_path: Path) -> None:
    X = np.array([[1, 0], [1, 0.01], [1, 0.02], [1, 0.03], [0, 1]], dtype=np.float32)
    texts = ["qué lindo día hoy", "qué lindo día hoy!", "otra cosa", "", ""]
    pairs = mine_similar_pairs(X, tmp_path / "p", k=2, texts=texts)
    assert lists(pairs)[0] == [2, 3]
    assert lists(pairs)[1] == [2, 3]
    assert 4 in lists(mine_similar_pairs(X, tmp_path / "q", k=4, texts=texts))[3]
    kept = mine_similar_pairs(X, tmp_path / "r", k=2, texts=texts, near_duplicates=None)
    assert lists(kept)[0] == [1, 2]


@pytest.fixture(scope="module")
def approximate(tmp_path_factory: pytest.TempPathFactory) -> SimilarPairs:
    pytest.importorskip("faiss")
    out = tmp_path_factory.mktemp("pairs") / "p"
    return mine_similar_pairs(
        vectors(1500), out, k=5, index="IVF32,PQ4x4", n_probes=3, recall_sample=1500
    )


def test_recall_is_measured(approximate: SimilarPairs) -> None:
    found = lists(approximate)
    _, places = oracle(vectors(1500), 5)
    hits = sum(len(set(found[i]) & set(row.tolist())) for i, row in enumerate(places))
    assert approximate.manifest["recall"] == pytest.approx(hits / places.size, abs=1e-3)
    assert 0.2 < approximate.manifest["recall"] < 0.99
    assert approximate.manifest["n_probes"] == 3


def test_scores_are_true_cosines(approximate: SimilarPairs) -> None:
    X = unit(vectors(1500))
    true = (X[approximate.first] * X[approximate.second]).sum(axis=1)
    assert_allclose(approximate.scores, true, atol=1e-5)
    same_post = np.diff(approximate.first) == 0
    assert (np.diff(approximate.scores)[same_post] <= 0).all()


def test_the_same_pairs_again(approximate: SimilarPairs, tmp_path: Path) -> None:
    again = mine_similar_pairs(
        vectors(1500),
        tmp_path / "p",
        k=5,
        index="IVF32,PQ4x4",
        n_probes=3,
        recall_sample=1500,
    )
    for name in ("pairs.bin", "pairs.json"):
        assert (again.folder / name).read_bytes() == (
            approximate.folder / name
        ).read_bytes()


def test_a_flat_index_is_exact(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    X = vectors()
    ours = mine_similar_pairs(X, tmp_path / "p", k=5)
    flat = mine_similar_pairs(X, tmp_path / "q", k=5, index="Flat")
    assert lists(flat) == lists(ours)
    assert flat.manifest["recall"] == 1


def test_the_papers_index_is_scaled_down(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    with pytest.warns(TweetclfWarning, match=r"for 3,000 points .* IVF64,Flat with 16"):
        pairs = mine_similar_pairs(vectors(3000), tmp_path / "p", exact_below=100, k=3)
    assert pairs.manifest["index"] == "IVF64,Flat"
    assert pairs.manifest["recall"] > 0.8


@pytest.mark.parametrize(
    ("n", "dim", "factory", "probes"),
    [
        (30, 8, "IVF1,Flat", 1),
        (10_000, 256, "OPQ64,IVF256,PQ64", 16),
        (1_000_000, 100, "OPQ50,IVF16384,PQ50", 500),
        (10**9, 16, "OPQ16,IVF65536,PQ16", 2000),
    ],
)
def test_plans(n: int, dim: int, factory: str, probes: int) -> None:
    with pytest.warns(TweetclfWarning, match="OPQ64,IVF65536,PQ64 with 2,000 probes"):
        assert plan_index(n, dim) == (factory, probes)


def test_enough_points_have_the_papers_index() -> None:
    assert plan_index(10**9, 256) == ("OPQ64,IVF65536,PQ64", 2000)


def test_tables_and_damage(tmp_path: Path) -> None:
    pairs = mine_similar_pairs(vectors(20), tmp_path / "p", k=1)
    ids = [f"t{i}" for i in range(20)]
    pairs.to_tsv(tmp_path / "p.tsv", ids)
    lines = (tmp_path / "p.tsv").read_text().splitlines()
    assert lines[0] == "first\tsecond\tscore"
    assert [line.split("\t")[0] for line in lines[1:]] == ids
    with pytest.raises(DataError, match="3 ids for 20 posts"):
        pairs.to_tsv(tmp_path / "q.tsv", ids[:3])
    again = SimilarPairs.open(tmp_path / "p")
    assert np.array_equal(again.second, pairs.second)
    (tmp_path / "p" / "pairs.bin").write_bytes(b"123")
    with pytest.raises(DataError, match="damaged"):
        SimilarPairs.open(tmp_path / "p")
    with pytest.raises(DataError, match="no similar pairs"):
        SimilarPairs.open(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"vectors": np.zeros((1, 3))}, DataError, "at least two vectors"),
        ({"vectors": np.zeros(3)}, DataError, "of shape"),
        ({"vectors": np.array([[0.0], [np.nan]])}, DataError, "vector 1 is not finite"),
        ({"k": 0}, ValueError, "k must be at least 1"),
        ({"near_duplicates": 2.0}, ValueError, "near_duplicates"),
        ({"texts": ["a"]}, DataError, "1 texts for 300"),
        ({"texts": ["a"] * 9 + [None] * 291}, DataError, r"texts\[9\] is None"),
        ({"vectors": np.eye(4)[:, :3]}, DataError, "vector 3 has the length 0 in"),
        (
            {"vectors": np.array([[1.0, 0], [1e-30, 0]])},
            DataError,
            "vector 1 has the length 0 in float32, and no cosine",
        ),
        ({"vectors": np.array([[1.0, 0], [1e30, 0]])}, DataError, "the length inf"),
        ({"n_probes": -3}, ValueError, "'n_probes' parameter must be .* Got -3"),
        ({"n_probes": 0}, ValueError, "'n_probes' parameter must be .* Got 0"),
        ({"n_probes": 2.5}, ValueError, "'n_probes' parameter must be an int"),
    ],
)
def test_what_cannot_be_mined_is_explained(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        mine_similar_pairs(**{"vectors": vectors(), "out": tmp_path / "p", **options})
    assert not (tmp_path / "p").exists()


def test_what_faiss_refuses_is_explained(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    with pytest.raises(ValueError, match="FAISS makes no index 'nonsense'"):
        mine_similar_pairs(vectors(), tmp_path / "p", index="nonsense")
    with pytest.raises(ValueError, match="cannot be trained on 300 vectors"):
        mine_similar_pairs(vectors(), tmp_path / "p", index="IVF512,Flat")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "x").touch()
    with pytest.raises(FileExistsError):
        mine_similar_pairs(vectors(), tmp_path / "p")


# Going on ------------------------------------------------------------------------


FAISS = {"k": 4, "index": "IVF16,PQ4x4", "n_probes": 3, "recall_sample": 200}


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("options", [{"k": 4}, FAISS], ids=["exact", "faiss"])
@pytest.mark.parametrize("stop", [1, 5])
def test_a_killed_mining_goes_on_to_the_same_bytes(
    options: dict[str, Any],
    stop: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is on disk at some moment is what a killed process leaves."""
    if "index" in options:
        pytest.importorskip("faiss")
    monkeypatch.setattr(similar, "BLOCK", 64)
    monkeypatch.setattr(similar, "_BLOCKS_KEPT", 2)
    seen = []

    def copy(new: int, total: int) -> None:
        seen.append(new)
        if len(seen) == stop:
            shutil.copytree(tmp_path / "whole.mining", tmp_path / "killed.mining")

    X = vectors(600)
    mine_similar_pairs(X, tmp_path / "whole", report=copy, **options)
    assert sum(seen) == 600
    known: list[int] = []
    if "index" in options:  # it is not trained again
        monkeypatch.delattr(FaissIndex, "_train")
    mine_similar_pairs(
        X, tmp_path / "killed", report=lambda new, _: known.append(new), **options
    )
    # Of five blocks four were kept.
    assert known[0] == (64 if stop == 1 else 256)
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed", "whole"]


def test_an_interrupted_mining_keeps_every_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "BLOCK", 64)

    def stop(new: int, total: int) -> None:
        raise KeyboardInterrupt

    X = vectors()
    whole = mine_similar_pairs(X, tmp_path / "whole", k=3)
    with pytest.raises(KeyboardInterrupt):
        mine_similar_pairs(X, tmp_path / "p", k=3, report=stop)
    known: list[int] = []
    again = mine_similar_pairs(
        X, tmp_path / "p", k=3, report=lambda new, _: known.append(new)
    )
    assert known == [64, 64, 64, 64, 44]
    assert np.array_equal(again.second, whole.second)


@pytest.mark.parametrize(
    "other", [{"k": 4}, {"min_similarity": 0.5}, {"texts": ["a"] * 300}, {"seed": 1}]
)
def test_unfinished_work_of_others_is_not_taken(
    other: dict[str, Any], tmp_path: Path
) -> None:
    def stop(new: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine_similar_pairs(vectors(), tmp_path / "p", k=3, report=stop)
    X = vectors(seed=other.pop("seed", 0))
    with pytest.raises(DataError, match="unfinished work of other vectors or settings"):
        mine_similar_pairs(X, tmp_path / "p", **{"k": 3, **other})


@pytest.mark.parametrize("damage", ["missing", "short"])
@pytest.mark.parametrize("name", ["places.i4", "scores.f4"])
def test_rows_that_are_lost_are_not_taken_for_known(
    name: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that finds them lost may die before it has any anew."""
    monkeypatch.setattr(similar, "BLOCK", 64)

    def stop(new: int, total: int) -> None:
        raise KeyboardInterrupt

    X, work = vectors(), tmp_path / "p.mining"
    whole = mine_similar_pairs(X, tmp_path / "whole", k=3)
    with pytest.raises(KeyboardInterrupt):
        mine_similar_pairs(X, tmp_path / "p", k=3, report=stop)
    data = (work / name).read_bytes()
    (work / name).unlink()
    if damage == "short":
        (work / name).write_bytes(data[:-4])
    assert MiningWork(work, 300, 3).n_done == 0  # killed here
    assert MiningWork(work, 300, 3).n_done == 0
    again = mine_similar_pairs(X, tmp_path / "p", k=3)
    assert _bytes(again.folder) == _bytes(whole.folder)


def test_two_do_not_mine_into_one_folder(tmp_path: Path) -> None:
    X = vectors()
    refused = []

    def again(new: int, total: int) -> None:
        with pytest.raises(DataError, match=r"has .*p\.mining\.lock") as raised:
            mine_similar_pairs(X, tmp_path / "p", k=3)
        refused.append(raised)
        mine_similar_pairs(X, tmp_path / "other", k=3)

    pairs = mine_similar_pairs(X, tmp_path / "p", k=3, report=again)
    assert len(refused) == 1
    assert _bytes(pairs.folder) == _bytes(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "p"]


@pytest.mark.slow
def test_a_mining_that_is_shot_goes_on(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nimport numpy as np\n"
        "from tweetclf.social import mine_similar_pairs, similar\n"
        "similar.BLOCK, similar._BLOCKS_KEPT = 64, 2\n"
        "X = np.load(sys.argv[1])\ndone = 0\n"
        "def report(new, total):\n    global done\n    done += 1\n"
        "    if done == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "mine_similar_pairs(X, sys.argv[2], k=3, report=report)\n"
    )
    X = vectors(600)
    np.save(tmp_path / "x.npy", X)
    command = [sys.executable, "-c", code, str(tmp_path / "x.npy"), str(tmp_path / "p")]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    known: list[int] = []
    whole = mine_similar_pairs(X, tmp_path / "whole", k=3)
    with pytest.warns(TweetclfWarning, match="is gone; its work is taken over"):
        again = mine_similar_pairs(
            X, tmp_path / "p", k=3, report=lambda new, _: known.append(new)
        )
    assert known == [256, 344]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p", "whole", "x.npy"]
    assert _bytes(again.folder) == _bytes(whole.folder)
