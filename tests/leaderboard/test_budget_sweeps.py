"""Sweeps at equal budgets: curves, comparisons, verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tweetclf.leaderboard.budget import (
    Lead,
    budget_curve,
    compare_budgets,
    compare_sweeps,
    expected_best,
    sweep_curve,
)
from tweetclf.leaderboard.budget.sweeps import metric_bounds, names_of
from tweetclf.leaderboard.trials import Sweep, Trial

F1 = "f1|average:macro|zero:0|v1"


def make(scores, *, system="svm", strategy="random", seconds=None, metric=F1, **more):
    seconds = [1.0] * len(scores) if seconds is None else seconds
    resources = more.pop("resources", [None] * len(scores))
    trials = tuple(
        Trial(
            i,
            {"svm__C": 10.0 ** (i % 5)},
            score,
            "failed" if score is None else "complete",
            fit_seconds=cost,
            resource=resource,
        )
        for i, (score, cost, resource) in enumerate(
            zip(scores, seconds, resources, strict=True)
        )
    )
    return Sweep("toy", system, "space", strategy, metric, "dev", trials, **more)


def drawn(n, low, high, seed=0):
    return np.random.default_rng(seed).uniform(low, high, n).tolist()


def test_a_random_search_has_an_expectation_and_a_band():
    scores = drawn(10, 0.4, 0.7)
    curve = sweep_curve(make(scores))
    assert_allclose(curve.values, expected_best(scores))
    assert (curve.kind, curve.band, curve.statistic) == ("random", "ld", "mean")
    assert curve.high[-1] <= 1
    timed = sweep_curve(make(scores), unit="seconds")
    assert timed.band == "bootstrap"
    assert_allclose(timed.values[-1], max(scores))


def test_a_grid_needs_no_band():
    scores = drawn(10, 0.4, 0.7)
    curve = sweep_curve(make(scores, strategy="grid"))
    assert_allclose(curve.values, expected_best(scores))
    assert curve.band == ""
    assert np.isnan(curve.low).all()


def test_a_random_search_of_a_whole_space_is_a_grid():
    scores = drawn(10, 0.4, 0.7)
    for unit in ("trials", "seconds"):
        curve = sweep_curve(make(scores, whole=True), unit=unit)
        as_grid = sweep_curve(make(scores, strategy="grid"), unit=unit)
        assert (curve.kind, curve.band) == ("grid", "")
        assert curve.values == as_grid.values
        assert np.isnan(curve.high).all()


def test_sweeps_with_other_numbers_of_seeds_are_not_compared():
    one, three = make(drawn(9, 0.4, 0.7)), make(drawn(9, 0.4, 0.7), seeds=(0, 1, 2))
    with pytest.raises(ValueError, match="same number of seeds. Got 1 and 3"):
        compare_sweeps([one, three])
    # Which seeds they are does not matter.
    compare_sweeps([three, make(drawn(9, 0.4, 0.7), seeds=(3, 4, 5), system="nb")])


def test_what_depends_on_earlier_trials_is_shown_as_it_ran():
    curve = sweep_curve(make([0.5, None, 0.4, 0.6], strategy="tpe"))
    assert curve.values == (0.5, 0.5, 0.5, 0.6)
    assert (curve.kind, curve.n_failed) == ("observed", 1)
    timed = sweep_curve(
        make([0.5, 0.4, 0.6], strategy="tpe", seconds=[1, 2, 3]), unit="seconds"
    )
    assert timed.budgets == (1, 3, 6)


def test_halving_counts_trials_on_all_tweets():
    scores, resources = [0.9, 0.5, 0.6, 0.7], [50, 100, 50, 100]
    curve = sweep_curve(make(scores, strategy="halving", resources=resources))
    assert_allclose(curve.values, [math.nan, 0.5, 0.5, 0.7])


def test_a_metric_without_worst_score_has_a_median():
    errors = drawn(20, 1.0, 2.0)
    sweep = make(errors, metric="rmse|v1", greater_is_better=False)
    curve = sweep_curve(sweep)
    assert curve.statistic == "median"
    assert np.isfinite(curve.high[2:]).all()
    assert curve.values[-1] == pytest.approx(min(errors), rel=0.05)


@pytest.mark.parametrize(
    ("signature", "bounds"),
    [
        (F1, (0, 1)),
        ("mcc|v1", (-1, 1)),
        ("rmse|v1", (0, math.inf)),
        ("own|v1", (-math.inf, math.inf)),
    ],
)
def test_bounds(signature, bounds):
    assert metric_bounds(signature) == bounds


def test_the_verdict_of_two_that_are_far_apart():
    good, bad = drawn(40, 0.7, 0.75), drawn(60, 0.2, 0.3, 1)
    found = compare_sweeps([make(bad, system="nbsvm"), make(good)], n_trials=20)
    assert found.names == ("svm", "nbsvm")
    assert not found.separated  # the worse could find anything in 20 trials
    found = compare_sweeps([make(bad, system="nbsvm"), make(good)], n_trials=2)
    assert found.separated
    said = found.verdict("macro F1", "dev")
    assert said.startswith("With 2 trials each, svm is expected to reach 0.7")
    assert "svm is ahead whichever settings are drawn (95 % bands)" in said


def test_the_verdict_of_two_that_overlap():
    sweeps = [make(drawn(20, 0.4, 0.7)), make(drawn(20, 0.45, 0.7, 1), system="nb")]
    found = compare_sweeps(sweeps)
    assert found.budget == 20
    assert "the 95 % bands overlap" in found.verdict()
    assert "[at least 0." in found.verdict()


def test_bands_hold_at_once():
    sweeps = [make(drawn(9, 0, 1, s), system=f"s{s}") for s in range(3)]
    found = compare_sweeps(sweeps, level=0.9)
    assert found.level == 0.9
    alone = sweep_curve(sweeps[0], level=1 - 0.1 / 3)
    assert found.low[found.names.index("s0")] == alone.low[-1]
    # Without a level, curves leave what Bonferroni's inequality leaves.
    curves = [sweep_curve(s, level=0.98, name=s.system) for s in sweeps]
    assert compare_budgets(curves).level == pytest.approx(0.94)


def test_budgets_beyond_the_trials_are_refused():
    sweeps = [make(drawn(20, 0, 1)), make(drawn(15, 0, 1, 1), system="nbsvm")]
    with pytest.raises(ValueError, match="20 trials is more than the 15 of nbsvm"):
        compare_sweeps(sweeps, n_trials=20)
    with pytest.raises(ValueError, match="seconds of fitting is more than the 15 of"):
        compare_sweeps(sweeps, seconds=16)
    with pytest.raises(ValueError, match="in trials or in seconds"):
        compare_sweeps(sweeps, n_trials=2, seconds=16)


def test_what_cannot_be_compared_is_refused():
    one, two = make([0.1, 0.2]), make([0.1, 0.2], system="b", metric="accuracy|v1")
    with pytest.raises(ValueError, match="same metric"):
        compare_sweeps([one, two])
    with pytest.raises(ValueError, match="two or more curves"):
        compare_sweeps([one])
    mixed = [budget_curve([0.1]), budget_curve([0.1, 0.2], [1, 1], name="b")]
    with pytest.raises(ValueError, match="same unit"):
        compare_budgets(mixed)


def test_the_lead_changes_where_the_curves_cross():
    quick = make([0.5, 0.52, 0.51, 0.5], system="nbsvm", strategy="grid")
    slow = make([0.1, 0.2, 0.7, 0.3], strategy="grid")
    found = compare_sweeps([quick, slow])
    assert found.leads == (Lead(1, 2, "nbsvm"), Lead(3, 4, "svm"))
    said = found.verdict()
    assert "svm is ahead if the cells of the grids are tried in random order" in said
    assert said.endswith(
        "nbsvm is ahead up to 2 trials and svm is ahead from 3 trials on."
    )


def test_the_lead_in_seconds():
    quick = make([0.5, 0.52] * 6, system="nbsvm", strategy="grid", seconds=[5.0] * 12)
    slow = make([0.1, 0.7, 0.7], strategy="grid", seconds=[20.0] * 3)
    found = compare_sweeps([quick, slow], seconds=60)
    assert found.names[0] == "svm"
    assert found.leads[0].name == "nbsvm"
    said = found.verdict()
    assert said.startswith("With 60 s of fitting each, svm is expected to reach 0.700")
    assert "nbsvm is ahead under 4" in said


def test_many_changes_are_counted():
    a = budget_curve([0.1, 0.2, 0.3], name="a", band=None)
    values = (0.3, 0.1, 0.4, 0.0, 0.5)
    names = {
        n: a.__class__(
            n, "trials", (1, 2, 3, 4, 5), v, (math.nan,) * 5, (math.nan,) * 5, 5
        )
        for n, v in (("a", values), ("b", (0.2, 0.2, 0.2, 0.2, 0.2)))
    }
    said = compare_budgets(list(names.values())).verdict()
    assert said.endswith("The lead changes 4 times between 1 trial and 5 trials.")


def test_equal_searches_are_level():
    sweeps = [
        make([0.4, 0.5], strategy="grid"),
        make([0.5, 0.4], system="b", strategy="grid"),
    ]
    found = compare_sweeps(sweeps)
    assert found.tied
    assert found.leads == (Lead(1, 2, None),)
    assert "svm and b are level" in found.verdict()


def test_one_search_as_it_ran_proves_nothing():
    sweeps = [make([0.4, 0.9], strategy="tpe"), make([0.4, 0.5], system="b")]
    said = compare_sweeps(sweeps).verdict()
    assert "svm had reached 0.900" in said
    assert "says nothing of how another would end" in said


def test_a_grid_beside_a_random_search():
    good = make([0.9, 0.95, 0.97], system="grid", strategy="grid")
    found = compare_sweeps([good, make(drawn(40, 0.1, 0.2))], n_trials=1)
    assert found.separated
    assert "grid is expected to reach 0.940, svm" in found.verdict()


def test_lower_errors_win():
    signature = "mae|v1"
    sweeps = [
        make([2.0, 3.0], metric=signature, greater_is_better=False, strategy="grid"),
        make(
            [1.0, 4.0],
            system="b",
            metric=signature,
            greater_is_better=False,
            strategy="grid",
        ),
    ]
    found = compare_sweeps(sweeps)
    assert found.names == ("b", "svm")
    assert found.values == (1.0, 2.0)


def test_names_can_be_given():
    sweeps = [make([0.1, 0.2]), make([0.1, 0.3])]
    assert set(compare_sweeps(sweeps, names=["a", "b"]).names) == {"a", "b"}


def test_names_tell_sweeps_apart():
    one = make([0.1])
    assert names_of([one, make([0.1], system="b")]) == ["svm", "b"]
    assert names_of([one, make([0.1], strategy="grid")]) == [
        "svm (random)",
        "svm (grid)",
    ]
    other = make([0.1], system="b")
    assert names_of([one, make([0.1], strategy="grid"), other])[2] == "b"
    assert names_of([one, one]) == [
        "svm (random, space) #1",
        "svm (random, space) #2",
    ]
