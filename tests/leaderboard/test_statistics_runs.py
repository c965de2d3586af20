"""Several runs of a system: seeds beside tweets, almost stochastic order."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_simulations import simulated_runs

from tweetclf.leaderboard.statistics import (
    almost_stochastic_order,
    compare_systems,
    hierarchical_bootstrap,
)
from tweetclf.tasks import get_metric

LABELS = ("no", "yes")
ACCURACY = get_metric("accuracy", labels=LABELS)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _runs(gold: np.ndarray, accuracies: list[float], seed: int) -> list[np.ndarray]:
    """Return runs that err on the same hard tweets first, as seeds of a system do."""
    hard = _rng(seed).random(len(gold))
    return [np.where(hard < accuracy, gold, 1 - gold) for accuracy in accuracies]


GOLD = _rng(0).integers(2, size=400)
SPREAD_A = [0.70, 0.74, 0.78, 0.82, 0.86]
SPREAD_B = [0.68, 0.72, 0.76, 0.80, 0.84, 0.75]


def _compare(a: Any, b: Any, **options: Any) -> Any:
    return hierarchical_bootstrap(
        ACCURACY, GOLD, a, b, label_names=LABELS, rng=_rng(), **options
    )


def test_hierarchical_bootstrap_equals_a_plain_loop() -> None:
    a, b = _runs(GOLD, SPREAD_A, 1), _runs(GOLD, SPREAD_B, 2)
    ours = _compare(a, b)
    rng = _rng(7)
    right_a, right_b = (np.array([run == GOLD for run in runs]) for runs in (a, b))
    naive = []
    for _ in range(4000):
        tweets = rng.integers(400, size=400)
        # One run fewer than there are, see the notes.
        drawn_a = right_a[rng.integers(5, size=4)][:, tweets]
        drawn_b = right_b[rng.integers(6, size=5)][:, tweets]
        naive.append(drawn_a.mean() - drawn_b.mean())
    assert ours.difference == pytest.approx(right_a.mean() - right_b.mean(), abs=1e-12)
    assert ours.standard_error == pytest.approx(np.std(naive), rel=0.05)
    low, high = np.quantile(naive, [0.025, 0.975])
    assert ours.interval == pytest.approx((low, high), abs=0.006)


def test_seeds_add_to_the_uncertainty_of_tweets() -> None:
    a, b = _runs(GOLD, SPREAD_A, 1), _runs(GOLD, SPREAD_B, 2)
    found = _compare(a, b)
    scores_a, scores_b = ([np.mean(r == GOLD) for r in runs] for runs in (a, b))
    between = np.var(scores_a, ddof=1) / 5 + np.var(scores_b, ddof=1) / 6
    expected = np.sqrt(found.tweets_error**2 + between)
    assert found.standard_error == pytest.approx(expected, rel=0.1)
    # Runs that agree leave the tweets alone.
    same = _compare([a[0]] * 3, [b[0]] * 3)
    assert same.standard_error == pytest.approx(same.tweets_error, rel=1e-9)
    single = compare_systems(
        ACCURACY, GOLD, a[0], b[0], label_names=LABELS, rng=_rng(1)
    )
    assert same.standard_error == pytest.approx(single.standard_error, rel=0.05)


def test_paired_seeds_are_drawn_together() -> None:
    a = _runs(GOLD, SPREAD_A, 1)
    b = _runs(GOLD, [x - 0.05 for x in SPREAD_A], 1)
    paired = _compare(a, b, same_seeds=True)
    assert paired.standard_error < 0.5 * _compare(a, b).standard_error
    with pytest.raises(ValueError, match=r"as many runs. Got 5 and 4"):
        _compare(a, b[1:], same_seeds=True)


def test_equal_runs_have_p_one_and_one_run_is_refused() -> None:
    a = _runs(GOLD, SPREAD_A, 1)
    assert _compare(a, a, same_seeds=True).p_value == 1.0
    with pytest.raises(ValueError, match="two runs or more of each system"):
        _compare(a[:1], a)


@pytest.mark.parametrize("same_seeds", [False, True])
def test_which_system_comes_first_changes_signs_alone(same_seeds: bool) -> None:
    a, b = _runs(GOLD, SPREAD_A, 1), _runs(GOLD, SPREAD_B, 2)
    for runs_b in (b[:5],) if same_seeds else (b[:5], b):
        one = _compare(a, runs_b, same_seeds=same_seeds)
        other = _compare(runs_b, a, same_seeds=same_seeds)
        assert other.difference == -one.difference
        assert other.interval == pytest.approx([-x for x in one.interval[::-1]])
        assert other[2:] == one[2:]


def test_runs_that_mirror_each_other_get_a_symmetric_interval() -> None:
    gold = np.repeat([0, 1], 40)
    a = [np.tile([0, 1], 40), np.tile([0, 0, 1, 1], 20)]
    b = [1 - run for run in a]
    one, other = (
        hierarchical_bootstrap(
            ACCURACY, gold, *runs, label_names=LABELS, n_resamples=500, rng=_rng()
        )
        for runs in ((a, b), (b, a))
    )
    assert one == other
    assert (one.difference, one.p_value) == (0.0, 1.0)
    assert one.interval[0] == -one.interval[1] < 0


def test_runs_that_differ_on_few_tweets_are_little_evidence() -> None:
    # All resamples agree that the first is right, and yet these are four tweets.
    gold = np.zeros(60, dtype=int)
    wrong = np.where(np.arange(60) < 4, 1, 0)
    found = hierarchical_bootstrap(
        ACCURACY, gold, [gold] * 2, [wrong] * 3, label_names=LABELS, rng=_rng()
    )
    assert found.n_different == 4
    assert found.p_value >= 2 / 2**4
    # Who errs on a tweet as often as the other does not speak against it.
    half = [[gold, wrong], [wrong, gold]]
    found = hierarchical_bootstrap(
        ACCURACY, gold, *half, label_names=LABELS, n_resamples=99, rng=_rng()
    )
    assert (found.n_different, found.p_value) == (0, 1.0)


def test_equally_good_systems_are_rarely_told_apart() -> None:
    rng, n_simulations = _rng(5), 150
    found = 0
    for _ in range(n_simulations):
        gold = rng.integers(2, size=200)
        runs = simulated_runs(gold, 3, 0.02, rng)
        found += (
            hierarchical_bootstrap(
                ACCURACY, gold, *runs, label_names=LABELS, n_resamples=199, rng=rng
            ).p_value
            < 0.05
        )
    assert found / n_simulations <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_simulations)


def test_runs_of_numbers_are_compared_whatever_their_order() -> None:
    gold = _rng(1).normal(size=50)
    runs = [gold + _rng(i).normal(size=50) for i in range(4)]
    metric = get_metric("pearson")
    order = _rng(9).permutation(50)
    one = hierarchical_bootstrap(
        metric, gold, runs[:2], runs[2:], n_resamples=200, rng=_rng()
    )
    other = hierarchical_bootstrap(
        metric,
        gold[order],
        [run[order] for run in runs[:2]],
        [run[order] for run in runs[2:]],
        n_resamples=200,
        rng=_rng(),
    )
    assert other.interval == pytest.approx(one.interval, abs=1e-9)


# Almost stochastic order


def _grid_violation(a: list[float], b: list[float]) -> float:
    """Return the violation ratio by integrating NumPy's quantiles on a fine grid."""
    t = (np.arange(100_000) + 0.5) / 100_000
    gap = np.quantile(a, t, method="inverted_cdf") - np.quantile(
        b, t, method="inverted_cdf"
    )
    whole = float((gap**2).sum())
    return float((np.minimum(gap, 0) ** 2).sum()) / whole if whole else 0.5


scores = st.lists(st.integers(0, 1000).map(lambda i: i / 1000), min_size=5, max_size=9)


@settings(max_examples=40, deadline=None)
@given(scores, scores)
def test_violation_equals_numerical_integration(a: list[float], b: list[float]) -> None:
    found = almost_stochastic_order(a, b, n_resamples=20, rng=_rng())
    back = almost_stochastic_order(b, a, n_resamples=20, rng=_rng())
    assert found.violation + back.violation == pytest.approx(1.0)
    assert found.epsilon_min >= min(1.0, found.violation)
    assert found.violation == pytest.approx(_grid_violation(a, b), abs=2e-3)
    down = almost_stochastic_order(
        [-x for x in a],
        [-x for x in b],
        greater_is_better=False,
        n_resamples=20,
        rng=_rng(),
    )
    assert down.violation == pytest.approx(found.violation)


def test_order_of_runs_changes_nothing_and_dominance_is_seen() -> None:
    a = [0.70, 0.71, 0.72, 0.73, 0.74, 0.75]
    b = [0.60, 0.61, 0.62, 0.63, 0.64, 0.72]
    one = almost_stochastic_order(a, b, rng=_rng())
    assert one == almost_stochastic_order(a[::-1], b[::-1], rng=_rng())
    assert one.violation == 0.0
    assert one.better
    assert not almost_stochastic_order(b, a, rng=_rng()).better
    assert not almost_stochastic_order(a, a, rng=_rng()).better


def test_few_runs_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="scores_b has 4") as error:
        almost_stochastic_order([0.1] * 5, [0.1] * 4, rng=_rng())
    assert "Run more seeds" in str(error.value)
    with pytest.raises(ValueError, match="finite numbers"):
        almost_stochastic_order([0.1] * 5, [np.nan] * 5, rng=_rng())


@pytest.mark.slow
def test_almost_stochastic_order_equals_deepsig() -> None:
    deepsig = pytest.importorskip("deepsig", reason="deepsig (GPL) is not installed")
    rng = _rng(3)
    for shift in (0.0, 0.5, 1.0):
        a, b = rng.normal(shift, 1, size=12), rng.normal(0, 1, size=12)
        ours = almost_stochastic_order(a, b, n_resamples=4000, rng=_rng())
        state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            theirs = deepsig.aso(
                a,
                b,
                num_bootstrap_iterations=2000,
                show_progress=False,
                seed=1,
            )
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)  # noqa: NPY002
        assert ours.epsilon_min == pytest.approx(theirs, abs=0.05)
