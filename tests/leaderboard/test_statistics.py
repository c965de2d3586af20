from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tweetclf.leaderboard.statistics import (
    ALPHA,
    bootstrap_scores,
    enough_resamples,
    holm,
    paired_p_values,
    percentile_interval,
)
from tweetclf.tasks import get_metric

LABELS = ("a", "b", "c")


def _noisy(gold: np.ndarray, accuracy: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(gold)) > accuracy
    return np.where(wrong, rng.integers(3, size=len(gold)), gold)


def test_cells_and_rows_draw_from_the_same_distribution() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(3, size=300)
    predictions = [_noisy(gold, 0.7, 1), _noisy(gold, 0.6, 2)]
    metric = get_metric("macro_f1", labels=LABELS)
    fast = bootstrap_scores(
        metric, gold, predictions, label_names=LABELS, n_resamples=4000, rng=rng
    )
    names = np.array(LABELS)
    slow = np.array(
        [
            [
                metric(names[gold[i]], names[p[i]])
                for i in np.random.default_rng(9).integers(300, size=(600, 300))
            ]
            for p in predictions
        ]
    )
    assert_allclose(fast.mean(axis=1), slow.mean(axis=1), atol=0.004)
    assert_allclose(fast.std(axis=1), slow.std(axis=1), rtol=0.12)
    # Pairing: the same tweets are drawn for both systems.
    correlation = np.corrcoef(fast)[0, 1]
    assert correlation == pytest.approx(np.corrcoef(slow)[0, 1], abs=0.12)


@pytest.mark.parametrize("name", ["rmse", "pearson", "spearman", "mae"])
def test_numeric_metrics_are_bootstrapped(name: str) -> None:
    rng = np.random.default_rng(3)
    gold = rng.normal(size=200)
    predicted = gold + rng.normal(size=200)
    metric = get_metric(name)
    draws = bootstrap_scores(metric, gold, [predicted], n_resamples=300, rng=rng)
    low, high = percentile_interval(draws[0])
    assert low < metric(gold, predicted) < high


def test_multilabel_metrics_are_bootstrapped() -> None:
    rng = np.random.default_rng(3)
    gold = rng.integers(2, size=(150, 4)).astype(np.int8)
    predicted = np.where(rng.random(gold.shape) < 0.8, gold, 1 - gold)
    metric = get_metric("jaccard", labels=("w", "x", "y", "z"))
    draws = bootstrap_scores(
        metric, gold, [predicted, gold], label_names="wxyz", n_resamples=200, rng=rng
    )
    assert_allclose(draws[1], 1.0)
    low, high = percentile_interval(draws[0])
    assert low < metric(gold, predicted) < high


def test_group_means_are_bootstrapped_with_their_groups() -> None:
    rng = np.random.default_rng(5)
    gold = rng.normal(size=120)
    groups = np.array(["joy", "fear"])[rng.integers(2, size=120)]
    # Perfect on joy, reversed on fear: the mean of both is 0 in every resample whose
    # groups are drawn along, and something else where they are not.
    predicted = np.where(groups == "joy", gold, -gold)
    metric = get_metric("pearson", by_group=True)
    draws = bootstrap_scores(
        metric, gold, [gold, predicted], groups=groups, n_resamples=50, rng=rng
    )
    assert_allclose(draws[0], 1.0)
    assert_allclose(draws[1], 0.0, atol=1e-12)


def test_interval_covers_a_binomial_share() -> None:
    # SciPy's percentile interval of the same accuracy is the independent oracle.
    from scipy.stats import bootstrap

    rng = np.random.default_rng(0)
    gold = rng.integers(2, size=400)
    predicted = np.where(rng.random(400) < 0.8, gold, 1 - gold)
    draws = bootstrap_scores(
        get_metric("accuracy", labels=("0", "1")),
        gold,
        [predicted],
        label_names=("0", "1"),
        n_resamples=5000,
        rng=rng,
    )
    oracle = bootstrap(
        ((gold == predicted).astype(float),),
        np.mean,
        n_resamples=5000,
        random_state=0,
        method="percentile",
    ).confidence_interval
    assert_allclose(percentile_interval(draws[0]), oracle, atol=0.006)


def test_identical_systems_have_p_one_and_worse_ones_a_small_p() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(3, size=500)
    good = _noisy(gold, 0.8, 1)
    bad = _noisy(gold, 0.3, 2)
    metric = get_metric("macro_f1", labels=LABELS)
    columns = [good, good.copy(), bad]
    draws = bootstrap_scores(
        metric, gold, columns, label_names=LABELS, n_resamples=999, rng=rng
    )
    names = np.array(LABELS)
    observed = np.array([metric(names[gold], names[c]) for c in columns])
    p = paired_p_values(draws, observed, 0)
    assert p[0] == p[1] == 1.0
    assert p[2] == pytest.approx(1 / 1000)


def test_undefined_resamples_are_no_evidence() -> None:
    # The second is worse in each of the resamples that have a score, one in ten.
    draws = np.stack([np.full(1000, 0.9), np.full(1000, np.nan)])
    draws[1, ::10] = 0.5
    p = paired_p_values(draws, np.array([0.9, 0.5]), 0)
    assert p[1] == pytest.approx(901 / 1001)
    undefined = paired_p_values(draws, np.array([0.9, np.nan]), 0)
    assert undefined[1] == 1.0


def test_the_test_keeps_its_level() -> None:
    """Two systems that are equally good must rarely be called different."""
    rng = np.random.default_rng(7)
    metric = get_metric("macro_f1", labels=LABELS)
    names = np.array(LABELS)
    p_values = []
    for seed in range(400):
        gold = rng.integers(3, size=150)
        pair = [_noisy(gold, 0.6, 2 * seed), _noisy(gold, 0.6, 2 * seed + 1)]
        draws = bootstrap_scores(
            metric, gold, pair, label_names=LABELS, n_resamples=199, rng=rng
        )
        observed = np.array([metric(names[gold], names[p]) for p in pair])
        p_values.append(paired_p_values(draws, observed, 0)[1])
    # Of 400 draws at 5 %, 20 are expected; 99.9 % of binomial counts are below 35.
    rejected = sum(p < 0.05 for p in p_values)
    assert 6 <= rejected <= 35
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("n_systems", [1, 2, 6, 7, 20, 101, 500])
def test_with_enough_resamples_a_difference_can_be_found(n_systems: int) -> None:
    n = enough_resamples(100, n_systems)
    assert n >= 100
    assert (n_systems - 1) / (n + 1) < ALPHA
    if n > 100:
        assert (n_systems - 1) / n >= ALPHA - 1e-12


def test_holm_equals_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).random(12) ** 3
    assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value(values: list[float]) -> None:
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p - 1e-15).all()
    assert (adjusted <= 1).all()


def test_percentile_interval_leaves_nan_out() -> None:
    assert percentile_interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()
