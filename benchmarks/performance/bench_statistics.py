"""Paired bootstrap of systems against resampling tweet by tweet.

The peer is what users write: tweets drawn once for all systems, each system scored on
them by its confusion matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from harness import Benchmark
from scipy.stats import bootstrap
from sklearn.metrics import f1_score

from tweetclf.leaderboard.statistics import compare_pairs, compare_systems
from tweetclf.tasks import get_metric

LABELS = ("negative", "neutral", "positive")
METRIC = get_metric("macro_f1", labels=LABELS)
N_SYSTEMS = 20
N_RESAMPLES = 10_000


def _predictions(n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return gold labels and 20 systems that err alike on hard tweets."""
    rng = np.random.default_rng(0)
    gold = rng.choice(3, size=n, p=[0.3, 0.45, 0.25])
    hard = rng.beta(0.6, 1.2, size=n)
    guess = (gold + rng.integers(1, 3, size=n)) % 3
    systems = {}
    for number in range(N_SYSTEMS):
        own = (gold + rng.integers(1, 3, size=n)) % 3
        wrong = np.where(rng.random(n) < 0.7, guess, own)
        systems[f"s{number}"] = np.where(rng.random(n) < hard, wrong, gold)
    return gold, systems


def prepare_pairs(size: int) -> Any:
    """Return the predictions of 20 systems on `size` tweets."""
    return _predictions(size)


def all_pairs(data: Any) -> dict[tuple[str, str], tuple[float, float]]:
    """Compare all 190 pairs on 10,000 resamples."""
    gold, systems = data
    found = compare_pairs(
        METRIC,
        gold,
        systems,
        label_names=LABELS,
        n_resamples=N_RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return {c.names: (c.difference, c.standard_error) for c in found}


def plain_pairs(data: Any) -> dict[tuple[str, str], tuple[float, float]]:
    """Compare them on 10,000 resamples, drawn and counted one by one with NumPy."""
    gold, systems = data
    rng = np.random.default_rng(1)
    codes = [gold * 3 + predicted for predicted in systems.values()]
    names = list(systems)
    counts = np.empty((N_SYSTEMS, N_RESAMPLES, 9))
    for resample in range(N_RESAMPLES):
        index = rng.integers(len(gold), size=len(gold))
        for system, code in enumerate(codes):
            counts[system, resample] = np.bincount(code[index], minlength=9)
    matrices = counts.reshape(N_SYSTEMS, N_RESAMPLES, 3, 3)
    hits = np.einsum("srii->sri", matrices)
    scores = (2 * hits / (matrices.sum(axis=2) + matrices.sum(axis=3))).mean(axis=2)
    observed = [
        f1_score(gold, predicted, average="macro") for predicted in systems.values()
    ]
    return {
        (names[i], names[j]): (
            observed[i] - observed[j],
            float(np.std(scores[i] - scores[j], ddof=1)),
        )
        for i in range(N_SYSTEMS)
        for j in range(i + 1, N_SYSTEMS)
    }


def check_pairs(ours: Any, theirs: Any) -> None:
    """Compare differences exactly, standard errors as far as chance allows."""
    assert list(ours) == list(theirs)
    one, other = np.array(list(ours.values())), np.array(list(theirs.values()))
    np.testing.assert_allclose(one[:, 0], other[:, 0], atol=1e-12)
    np.testing.assert_allclose(one[:, 1], other[:, 1], rtol=0.06)


def one_pair(data: Any) -> tuple[float, float]:
    """Compare two systems, with a BCa interval."""
    gold, systems = data
    return compare_systems(
        METRIC,
        gold,
        systems["s0"],
        systems["s1"],
        label_names=LABELS,
        n_resamples=N_RESAMPLES,
        rng=np.random.default_rng(0),
    ).interval


def scipy_pair(data: Any) -> tuple[float, float]:
    """Compare them with SciPy, with a BCa interval and a vectorised macro-F1."""
    gold, systems = data

    def macro_f1(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        parts = []
        for label in range(3):
            hits = ((true == label) & (predicted == label)).sum(axis=-1)
            total = (true == label).sum(axis=-1) + (predicted == label).sum(axis=-1)
            parts.append(2 * hits / total)
        return np.mean(parts, axis=0)

    def difference(
        true: np.ndarray, first: np.ndarray, second: np.ndarray, axis: int = -1
    ) -> np.ndarray:
        return macro_f1(true, first) - macro_f1(true, second)

    found = bootstrap(
        (gold.astype(np.int8), *(systems[s].astype(np.int8) for s in ("s0", "s1"))),
        difference,
        paired=True,
        vectorized=True,
        n_resamples=N_RESAMPLES,
        method="BCa",
        batch=100,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return found.low, found.high


def check_pair(ours: Any, theirs: Any) -> None:
    """Compare the intervals as far as chance allows."""
    np.testing.assert_allclose(ours, theirs, atol=0.002)


BENCHMARKS = [
    Benchmark(
        name="bootstrap-all-pairs",
        what="paired bootstrap, 190 pairs of 20 systems, 10,000 resamples, macro-F1",
        peer="NumPy index resampling, np.bincount a system",
        prepare=prepare_pairs,
        ours=all_pairs,
        theirs=plain_pairs,
        check=check_pairs,
        sizes=(12_000,),
        bar=1.5,
        aim=3.0,
        repeats=3,
        growth=(3_000, 6_000, 12_000),
    ),
    Benchmark(
        name="bootstrap-one-pair",
        what="paired bootstrap of two systems, 10,000 resamples, macro-F1, BCa",
        peer="scipy.stats.bootstrap, vectorised",
        prepare=prepare_pairs,
        ours=one_pair,
        theirs=scipy_pair,
        check=check_pair,
        sizes=(1_000,),
        bar=3.0,
        aim=10.0,
        repeats=3,
    ),
]
