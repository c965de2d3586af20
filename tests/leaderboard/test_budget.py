"""Expected validation performance and its bands, against enumeration and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import beta, kstwo

from tweetclf.leaderboard.budget import (
    band_of_best,
    best_so_far,
    budget_curve,
    cdf_band,
    expected_best,
    expected_best_in_time,
)
from tweetclf.leaderboard.budget.bands import best_of_steps, crossing_free
from tweetclf.leaderboard.budget.estimates import in_orders, weights_of_best

SCORES = [0.31, 0.72, 0.55, 0.55, 0.68]
SECONDS = [1.0, 9.0, 2.5, 4.0, 2.0]

scores_lists = st.lists(
    st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=6
)


@given(scores_lists)
@settings(max_examples=60, deadline=None)
def test_unbiased_is_the_mean_over_all_subsets(scores):
    found = expected_best(scores)
    for k in range(1, len(scores) + 1):
        subsets = itertools.combinations(scores, k)
        assert_allclose(found[k - 1], np.mean([max(s) for s in subsets]))


@given(scores_lists.filter(lambda s: len(s) <= 4))
@settings(max_examples=60, deadline=None)
def test_plug_in_is_the_mean_over_draws_with_replacement(scores):
    found = expected_best(scores, estimator="plug-in")
    for k in range(1, len(scores) + 1):
        draws = itertools.product(scores, repeat=k)
        assert_allclose(found[k - 1], np.mean([max(d) for d in draws]))


@given(scores_lists)
@settings(max_examples=40, deadline=None)
def test_errors_mirror_scores(scores):
    mirrored = -expected_best([-s for s in scores], greater_is_better=False)
    assert_allclose(mirrored, expected_best(scores))


def test_weights_of_many_trials_add_up():
    for k in (1, 2, 50, 999, 1000):
        weights = weights_of_best(1000, k)
        assert_allclose(weights.sum(), 1.0)
        assert (weights >= 0).all()


def test_a_failed_trial_spends_its_budget():
    nan = float("nan")
    found = expected_best([nan, 0.4, 0.6])
    assert_allclose(found, expected_best([0.4, 0.4, 0.6]))
    assert found[0] < expected_best([0.4, 0.6])[0]


def test_best_so_far():
    nan = float("nan")
    assert_array_equal(
        best_so_far([nan, 0.4, nan, 0.3, 0.6]), [nan, 0.4, 0.4, 0.4, 0.6]
    )
    found = best_so_far([3.0, 2.0, nan, 4.0], greater_is_better=False)
    assert_array_equal(found, [3.0, 2.0, 2.0, 2.0])


@pytest.mark.parametrize(
    ("scores", "budgets", "said"),
    [
        (SCORES, [6], "more than the 5"),
        (SCORES, [0], "from 1 on"),
        (SCORES, [1.5], "whole number"),
        ([], None, "one number a trial"),
        ([float("nan")], None, "none of 1 trials has a score"),
        ([0.1, math.inf], None, "score of trial 1 is inf"),
        ([[0.1]], None, "shape"),
    ],
)
def test_what_cannot_be_is_refused(scores, budgets, said):
    with pytest.raises(ValueError, match=said):
        expected_best(scores, budgets)


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="'estimator'"):
        expected_best(SCORES, estimator="best")
    with pytest.raises(ValueError, match="'band'"):
        budget_curve(SCORES, band="dkw")
    with pytest.raises(ValueError, match="'kind'"):
        cdf_band(4, kind="x")
    with pytest.raises(ValueError, match="'statistic'"):
        budget_curve(SCORES, SECONDS, statistic="median")
    with pytest.raises(ValueError, match="'level'"):
        cdf_band(4, 1.0)


# Seconds


def _every_order(scores, seconds, budget):
    """Return the mean best over all orders, one trial after another."""
    found = []
    for order in itertools.permutations(range(len(scores))):
        spent, best = 0.0, None
        for trial in order:
            spent += seconds[trial]
            if spent > budget:
                break
            best = scores[trial] if best is None else max(best, scores[trial])
        if best is None:
            return math.nan
        found.append(best)
    return float(np.mean(found))


def test_time_is_spent_in_every_order():
    budgets = np.array([8.9, 9.0, 9.5, 12.0, 15.0, 18.5])
    orders = np.array(list(itertools.permutations(range(5))))
    exact = in_orders(np.array(SCORES), np.array(SECONDS), budgets, orders)
    wanted = [_every_order(SCORES, SECONDS, b) for b in budgets.tolist()]
    assert_allclose(exact, wanted)
    assert math.isnan(wanted[0])
    drawn = expected_best_in_time(SCORES, SECONDS, budgets, n_orders=20_000)
    assert_allclose(drawn, wanted, atol=0.005)


def test_equal_costs_are_trials():
    orders = np.array(list(itertools.permutations(range(5))))
    found = in_orders(np.array(SCORES), np.full(5, 0.1), np.arange(1, 6) * 0.1, orders)
    assert_allclose(found, expected_best(SCORES))


def test_budgets_in_seconds_are_checked():
    with pytest.raises(ValueError, match="more than the 18.5 s"):
        expected_best_in_time(SCORES, SECONDS, [19])
    with pytest.raises(ValueError, match="more than 0 seconds"):
        expected_best_in_time(SCORES, SECONDS, [0])
    with pytest.raises(ValueError, match="one time for each"):
        expected_best_in_time(SCORES, SECONDS[1:])
    with pytest.raises(ValueError, match="not all of them 0"):
        expected_best_in_time(SCORES, [0.0] * 5)
    errors = expected_best_in_time(SCORES, SECONDS, [12.0], greater_is_better=False)
    assert errors[0] < np.mean(SCORES)


# Bands


@pytest.mark.parametrize("n", [1, 2, 5, 40, 300])
@pytest.mark.parametrize("width", [0.05, 0.1, 0.3, 0.6])
def test_crossing_probability_is_kolmogorovs(n, width):
    ranks = np.arange(1, n + 1)
    lower = np.maximum(ranks / n - width, 0.0)
    upper = np.minimum((ranks - 1) / n + width, 1.0)
    # SciPy's own is an approximation from 140 variables on.
    rtol = 1e-9 if n < 140 else 1e-6
    assert_allclose(
        crossing_free(lower, upper), kstwo(n).cdf(width), rtol=rtol, atol=1e-12
    )


def test_crossing_probability_of_two_by_hand():
    # P(0.1 <= min <= 0.5, 0.4 <= max <= 0.9) over the square: twice the area below
    # the diagonal of [0.1, 0.5] x [0.4, 0.9] with x <= y.
    area = 0.4 * 0.5 - 0.5 * 0.1 * 0.1
    found = crossing_free(np.array([0.1, 0.4]), np.array([0.5, 0.9]))
    assert_allclose(found, 2 * area)


@pytest.mark.parametrize(("n", "level"), [(1, 0.95), (2, 0.8), (7, 0.95), (30, 0.9)])
def test_the_ld_band_has_equal_tails_and_its_level(n, level):
    lower, upper = cdf_band(n, level)
    assert lower[0] == 0
    assert upper[-1] == 1
    ranks = np.arange(1, n + 1)
    tails = beta(ranks, n + 1 - ranks).cdf(lower[1:])
    assert_allclose(tails, tails[0])
    assert_allclose(beta(ranks, n + 1 - ranks).sf(upper[:-1]), tails[0])
    rng = np.random.default_rng(7)
    drawn = np.sort(rng.random((20_000, n)), axis=1)
    inside = ((drawn >= lower[1:]) & (drawn <= upper[:-1])).all(axis=1)
    assert abs(inside.mean() - level) < 4 * math.sqrt(level * (1 - level) / 20_000)


def test_the_ks_band_is_scipys():
    lower, upper = cdf_band(20, 0.9, "ks")
    width = kstwo(20).ppf(0.9)
    assert_allclose(upper[:10], np.arange(10) / 20 + width)
    assert_allclose(lower[-1], 1 - width)


def test_a_band_of_many_trials_is_quick_and_narrow():
    lower, upper = cdf_band(1000)
    assert (upper - lower).max() < 0.11


@pytest.mark.parametrize("k", [1, 2, 7])
def test_mean_of_steps_is_an_integral(k):
    points = np.array([0.1, 0.4, 0.5, 0.9])
    shares = np.array([0.2, 0.5, 0.7, 1.0])

    def power(y):
        return float(np.append(0.0, shares)[np.searchsorted(points, y, "right")]) ** k

    integral, _ = quad(power, 0, 1, points=points.tolist())
    found = best_of_steps(points, shares, np.array([k]), "mean")
    assert_allclose(found, 1 - integral, atol=1e-8)


def test_median_of_steps():
    points, shares = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.75, 1.0])
    found = best_of_steps(points, shares, np.array([1, 2, 3]), "median")
    # 0.5 ** (1 / k) is 0.5, 0.707 and 0.794.
    assert found.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("kind", ["ld", "ks"])
def test_bands_hold_the_whole_curve(kind, statistic):
    # Of uniform scores the best of k has mean k / (k + 1) and median 0.5 ** (1 / k).
    n, rounds = 12, 1000
    k = np.arange(1, n + 1)
    truth = k / (k + 1) if statistic == "mean" else 0.5 ** (1 / k)
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(rounds):
        low, high = band_of_best(
            rng.random(n), kind=kind, level=0.8, bounds=(0, 1), statistic=statistic
        )
        held += bool(((low <= truth) & (truth <= high)).all())
    assert held / rounds > 0.8 - 3 * math.sqrt(0.16 / rounds)


def test_bands_around_estimates_and_errors_mirrored():
    rng = np.random.default_rng(0)
    scores = rng.random(20)
    low, high = band_of_best(scores, bounds=(0, 1))
    values = expected_best(scores)
    assert (low <= values).all()
    assert (values <= high).all()
    mirrored = band_of_best(-scores, bounds=(-1, 0), greater_is_better=False)
    assert_allclose(mirrored, (-high, -low))


def test_without_bounds_the_mean_has_no_end_and_the_median_has():
    scores = np.random.default_rng(0).normal(size=30)
    low, high = band_of_best(scores, [1, 10])
    assert (low == -math.inf).all()
    assert (high == math.inf).all()
    low, _ = band_of_best(scores, [1, 10], statistic="median")
    assert np.isfinite(low).all()


def test_scores_beyond_bounds_are_refused():
    with pytest.raises(ValueError, match="within the bounds"):
        band_of_best([0.5, 1.5], bounds=(0, 1))


# Curves


def test_a_curve_has_all_its_numbers():
    curve = budget_curve([0.2, float("nan"), 0.6], name="a", bounds=(0, 1))
    assert curve.budgets == (1.0, 2.0, 3.0)
    assert curve.n_trials == 3
    assert curve.n_failed == 1
    assert curve.at(2.7) == (curve.values[1], curve.low[1], curve.high[1])
    with pytest.raises(ValueError, match="4 trials is more than the 3 of a"):
        curve.at(4)
    with pytest.raises(ValueError, match="too small"):
        curve.at(0.5)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_curves_of_errors_mirror_those_of_scores(statistic):
    scores = np.random.default_rng(1).random(9)
    for band in ("ld", "ks", "bootstrap"):
        up = budget_curve(scores, band=band, bounds=(0, 1), statistic=statistic)
        down = budget_curve(
            -scores,
            band=band,
            bounds=(-1, 0),
            statistic=statistic,
            greater_is_better=False,
        )
        assert_allclose(np.negative(down.values), up.values)
        assert_allclose(np.negative(down.low), up.high)
        assert_allclose(np.negative(down.high), up.low)


def test_curves_repeat_and_leave_the_global_generator_alone():
    scores = np.random.default_rng(1).random(15)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = budget_curve(scores, np.linspace(1, 2, 15), band="bootstrap")
    assert first == budget_curve(scores, np.linspace(1, 2, 15), band="bootstrap")
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_median_curve_is_the_quantile_of_the_plug_in_distribution():
    scores = np.random.default_rng(1).random(6)
    curve = budget_curve(scores, statistic="median", band=None)
    for k in (1, 2, 3):
        best = np.sort([max(d) for d in itertools.product(scores, repeat=k)])
        assert curve.values[k - 1] == best[math.ceil(len(best) / 2) - 1]


def test_bootstrap_bands_of_trials_are_percentiles_of_resampled_estimates():
    scores = np.array(SCORES)
    curve = budget_curve(scores, band="bootstrap", level=0.9, n_resamples=4000)
    rng = np.random.default_rng(11)
    resampled = [expected_best(rng.choice(scores, 5)) for _ in range(4000)]
    low, high = np.percentile(resampled, [5, 95], axis=0)
    assert_allclose(curve.low, low, atol=0.02)
    assert_allclose(curve.high, high, atol=0.02)


def test_a_curve_of_many_trials_is_thinned():
    curve = budget_curve(np.random.default_rng(0).random(3000), bounds=(0, 1))
    assert len(curve.budgets) <= 200
    assert curve.budgets[0] == 1
    assert curve.budgets[-1] == 3000


@pytest.mark.slow
def test_bootstrap_bands_are_too_narrow_near_the_end_and_ld_is_not():
    # The docs quote these figures.
    n, rounds = 40, 1000
    rng = np.random.default_rng(5)
    asked = np.array([5, 10, 20, 40])
    truth = asked / (asked + 1)
    held = {"bootstrap": np.zeros(4), "ld": np.zeros(4)}
    for _ in range(rounds):
        scores = rng.random(n)
        for band, count in held.items():
            curve = budget_curve(
                scores, budgets=asked, band=band, bounds=(0, 1), n_resamples=500
            )
            count += (curve.low <= truth) & (truth <= curve.high)
    shares = {band: count / rounds for band, count in held.items()}
    assert (shares["ld"] > 0.94).all()
    assert shares["bootstrap"][0] > 0.88
    assert shares["bootstrap"][-1] < 0.9
