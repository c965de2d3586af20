"""Simulations: do tests keep their level, do intervals cover? (slow)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from statistics_simulations import simulated_runs

from tweetclf.leaderboard.statistics import (
    almost_stochastic_order,
    approximate_randomisation,
    bca_interval,
    bootstrap_scores,
    compare_over_tasks,
    compare_systems,
    hierarchical_bootstrap,
    mcnemar,
    percentile_interval,
)
from tweetclf.leaderboard.statistics.coding import cells_in_order
from tweetclf.tasks import Metric, get_metric

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

N_SIMULATIONS = 2000
LIMIT = 0.05 + 3 * np.sqrt(0.05 * 0.95 / N_SIMULATIONS)
N_RESAMPLES = 999


def _metric(name: str, k: int) -> tuple[Metric, tuple[str, ...]]:
    labels = tuple(map(str, range(k)))
    return get_metric(name, labels=labels), labels


def _null(k: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw tweets on which two equally good systems err together or apart."""
    gold = rng.choice(k, size=n, p=_classes(k))
    shared = _err(gold, 0.35, k, rng)
    own = rng.random((2, n)) < 0.5
    a, b = (np.where(own[i], _err(gold, 0.35, k, rng), shared) for i in range(2))
    return gold, a, b


def _classes(k: int) -> np.ndarray:
    weights = np.linspace(1.0, 2.0, k)
    return weights / weights.sum()


def _err(gold: np.ndarray, rate: float, k: int, rng: np.random.Generator) -> np.ndarray:
    wrong = (gold + rng.integers(1, k, size=len(gold))) % k
    return np.where(rng.random(len(gold)) < rate, wrong, gold)


def _bootstrap(name: str) -> Callable[..., float]:
    def p_value(k: int, data: Any, rng: np.random.Generator) -> float:
        metric, labels = _metric(name, k)
        return compare_systems(
            metric,
            *data,
            label_names=labels,
            n_resamples=N_RESAMPLES,
            interval="percentile",
            rng=rng,
        ).p_value

    return p_value


def _randomisation(k: int, data: Any, rng: np.random.Generator) -> float:
    metric, labels = _metric("macro_f1", k)
    return approximate_randomisation(
        metric, *data, label_names=labels, n_resamples=N_RESAMPLES, rng=rng
    ).p_value


def _mcnemar(k: int, data: Any, rng: np.random.Generator) -> float:
    return mcnemar(*data).p_value


TESTS = {
    "bootstrap-macro-f1": _bootstrap("macro_f1"),
    "bootstrap-accuracy": _bootstrap("accuracy"),
    "randomisation": _randomisation,
    "mcnemar": _mcnemar,
}


@pytest.mark.parametrize(("k", "n"), [(2, 400), (3, 400), (20, 400), (20, 2000)])
@pytest.mark.parametrize("test", list(TESTS))
def test_type_one_error(
    test: str, k: int, n: int, record_property: Callable[[str, Any], None]
) -> None:
    rng = np.random.default_rng(k)
    p_values = np.array(
        [TESTS[test](k, _null(k, n, rng), rng) for _ in range(N_SIMULATIONS)]
    )
    rate = float((p_values < 0.05).mean())
    record_property("type_one_error", rate)
    assert rate <= LIMIT


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("n_runs", [2, 3, 5])
def test_type_one_error_over_seeds_and_tweets(
    n_runs: int, spread: float, record_property: Callable[[str, Any], None]
) -> None:
    rng = np.random.default_rng(n_runs)
    metric, labels = _metric("macro_f1", 2)
    found = 0
    for _ in range(N_SIMULATIONS):
        gold = (rng.random(400) < 0.4).astype(int)
        found += (
            hierarchical_bootstrap(
                metric,
                gold,
                *simulated_runs(gold, n_runs, spread, rng),
                label_names=labels,
                n_resamples=N_RESAMPLES,
                rng=rng,
            ).p_value
            < 0.05
        )
    record_property("type_one_error", found / N_SIMULATIONS)
    assert found / N_SIMULATIONS <= LIMIT


RARE = ("rare", "rest")


def _shares(rare: float, missed: float, false: float) -> np.ndarray:
    """Return the confusion matrix of a system that errs so often on either class."""
    rest = 1 - rare
    return np.array(
        [
            [rare * (1 - missed), rare * missed],
            [rest * false, rest * (1 - false)],
        ]
    )


def _missed_at_margin(
    metric: Metric, rare: float, missed: float, false: float, margin: float
) -> float:
    """Return how much of the rare class one misses whose score is lower by a margin."""
    score = float(metric.from_confusion(_shares(rare, missed, false)))

    def excess(more: float) -> float:
        return score - float(metric.from_confusion(_shares(rare, more, false))) - margin

    return float(brentq(excess, missed, 1.0))


@pytest.mark.parametrize(
    ("n", "rare", "missed", "margin"),
    [
        (400, 0.03, 0.0, 0.05),
        (400, 0.05, 0.0, 0.05),
        (400, 0.05, 0.2, 0.05),
        (1000, 0.02, 0.2, 0.05),
        (1000, 0.1, 0.2, 0.02),
        (1000, 0.3, 0.2, 0.02),
    ],
)
def test_equivalence_is_rarely_claimed_at_the_margin_with_a_rare_class(
    n: int,
    rare: float,
    missed: float,
    margin: float,
    record_property: Callable[[str, Any], None],
) -> None:
    metric = get_metric("macro_f1", labels=RARE)
    false = missed / 10
    at_margin = _missed_at_margin(metric, rare, missed, false, margin)
    rng = np.random.default_rng(1)
    claims = 0
    for _ in range(N_SIMULATIONS):
        gold = (rng.random(n) > rare).astype(int)
        wrong = rng.random(n) < np.where(gold == 0, missed, false)
        first = np.where(wrong, 1 - gold, gold)
        lost = rng.random(n) < (at_margin - missed) / (1 - missed)
        second = np.where((gold == 0) & (first == 0) & lost, 1, first)
        claims += (
            compare_systems(
                metric,
                gold,
                first,
                second,
                label_names=RARE,
                margin=margin,
                n_resamples=N_RESAMPLES,
                interval="percentile",
                rng=rng,
            ).p_equivalence
            < 0.05
        )
    record_property("size", claims / N_SIMULATIONS)
    assert claims / N_SIMULATIONS <= LIMIT


def _truth(k: int, rate: float) -> np.ndarray:
    """Return the shares of the confusion matrix of `_err`."""
    wrong = np.full((k, k), rate / (k - 1))
    np.fill_diagonal(wrong, 1 - rate)
    return _classes(k)[:, None] * wrong


def _covered(k: int, n: int, seed: int) -> tuple[float, float, float, float]:
    """Return coverage of the score (percentile, BCa), and of a difference (both)."""
    rng = np.random.default_rng(seed)
    metric, labels = _metric("macro_f1", k)
    rates = (0.25, 0.35)
    truth = np.array([float(metric.from_confusion(_truth(k, r))) for r in rates])
    hits = np.zeros(4)
    for _ in range(N_SIMULATIONS):
        gold = rng.choice(k, size=n, p=_classes(k))
        pair = [_err(gold, r, k, rng) for r in rates]
        draws = bootstrap_scores(
            metric,
            gold,
            pair,
            label_names=labels,
            n_resamples=N_RESAMPLES,
            rng=rng,
            draw="tweets" if k == 20 else "cells",
        )
        cells = cells_in_order(metric, gold, pair, label_names=labels)
        jackknife, observed = cells.jackknife(), cells.observed()
        gap = jackknife[0] - jackknife[1]
        intervals = [
            (truth[0], percentile_interval(draws[0])),
            (
                truth[0],
                bca_interval(draws[0], observed[0], jackknife[0], cells.counts),
            ),
            (truth[0] - truth[1], percentile_interval(draws[0] - draws[1])),
            (
                truth[0] - truth[1],
                bca_interval(
                    draws[0] - draws[1], observed[0] - observed[1], gap, cells.counts
                ),
            ),
        ]
        hits += [low <= value <= high for value, (low, high) in intervals]
    return tuple((hits / N_SIMULATIONS).tolist())


@pytest.mark.parametrize(("k", "n"), [(2, 1000), (3, 1000), (20, 2000)])
def test_coverage_of_macro_f1(
    k: int, n: int, record_property: Callable[[str, Any], None]
) -> None:
    percentile, bca, paired_percentile, paired_bca = _covered(k, n, seed=k)
    record_property("coverage", (percentile, bca, paired_percentile, paired_bca))
    # Reports print the first of these for each system alone.
    assert 0.94 <= percentile <= 0.96
    assert 0.94 <= bca <= 0.96
    assert 0.94 <= paired_percentile <= 0.96
    assert 0.94 <= paired_bca <= 0.96


@pytest.mark.parametrize("n_runs", [5, 10])
def test_type_one_error_of_stochastic_order(
    n_runs: int, record_property: Callable[[str, Any], None]
) -> None:
    rng = np.random.default_rng(n_runs)
    bounds = np.array(
        [
            almost_stochastic_order(
                *rng.normal(0.7, 0.01, size=(2, n_runs)), n_resamples=500, rng=rng
            ).epsilon_min
            for _ in range(N_SIMULATIONS)
        ]
    )
    record_property("error_at_0.2", float((bounds < 0.2).mean()))
    record_property("error_at_0.5", float((bounds < 0.5).mean()))
    assert (bounds < 0.2).mean() <= LIMIT


def test_type_one_error_over_tasks(
    record_property: Callable[[str, Any], None],
) -> None:
    rng = np.random.default_rng(2)
    any_pair, friedman = 0, 0
    for _ in range(N_SIMULATIONS):
        table = rng.normal(size=(12, 1)) + rng.normal(size=(12, 4))
        found = compare_over_tasks(table, list("abcd"))
        any_pair += min(found.holm_p) < 0.05
        friedman += found.friedman_p < 0.05
    record_property("holm_wilcoxon", any_pair / N_SIMULATIONS)
    record_property("friedman", friedman / N_SIMULATIONS)
    assert any_pair / N_SIMULATIONS <= LIMIT
    assert friedman / N_SIMULATIONS <= LIMIT
