"""Systems over many tasks, against SciPy, autorank, baycomp and published tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import friedmanchisquare, wilcoxon

from tweetclf.leaderboard.statistics import (
    bayesian_signed_rank,
    compare_over_tasks,
    holm,
    nemenyi_critical_difference,
)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _table(n_tasks: int = 14, seed: int = 0) -> np.ndarray:
    level = _rng(seed).uniform(0.5, 0.8, size=(n_tasks, 1))
    return (
        level
        + [0.03, 0.02, 0.0, -0.05]
        + _rng(seed + 1).normal(0, 0.02, size=(n_tasks, 4))
    )


SYSTEMS = ("svm", "nbsvm", "lr", "majority")


# Bayesian signed ranks


def _by_hand(differences: np.ndarray, rope: float, n: int) -> np.ndarray:
    """Return the three probabilities by the loops of the paper's tutorial."""
    rng = _rng(11)
    z = [0.0, *differences.tolist()]
    wins = np.zeros(3)
    for _ in range(n):
        w = rng.dirichlet([0.5, *[1.0] * len(differences)])
        mass = np.zeros(3)
        for i, x in enumerate(z):
            for j, y in enumerate(z):
                mean = (x + y) / 2
                side = 0 if mean > rope else 2 if mean < -rope else 1
                mass[side] += w[i] * w[j]
        wins[np.argmax(mass)] += 1
    return wins / n


@pytest.mark.parametrize("shift", [-0.01, 0.004, 0.012])
def test_signed_rank_equals_plain_loops(shift: float) -> None:
    difference = shift + _rng(2).normal(0, 0.012, size=9)
    ours = bayesian_signed_rank(difference, np.zeros(9), rng=_rng())
    assert_allclose(ours, _by_hand(difference, 0.01, 1500), atol=0.05)
    assert sum(ours) == pytest.approx(1.0)


def test_signed_rank_equals_baycomp() -> None:
    baycomp = pytest.importorskip("baycomp", reason="baycomp is not installed")
    table = _table()
    for rope in (0.0, 0.01, 0.03):
        ours = bayesian_signed_rank(table[:, 0], table[:, 2], rope=rope, rng=_rng())
        theirs = baycomp.SignedRankTest.probs(
            table[:, 2], table[:, 0], rope, prior=0.5, nsamples=50_000
        )
        if rope == 0.0:
            # baycomp has no third region then, and splits nothing.
            assert ours.p_better == pytest.approx(theirs[-1], abs=0.02)
        else:
            expected = (theirs[2], theirs[1], theirs[0])
            assert_allclose(ours, expected, atol=0.02)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=12), st.randoms())
def test_signed_rank_is_symmetric_and_blind_to_order(
    values: list[float], random: object
) -> None:
    zeros = np.zeros(len(values))
    plain = bayesian_signed_rank(values, zeros, n_draws=500, rng=_rng())
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = [values[i] for i in order]
    assert bayesian_signed_rank(shuffled, zeros, n_draws=500, rng=_rng()) == plain
    errors = bayesian_signed_rank(
        zeros, values, n_draws=500, greater_is_better=False, rng=_rng()
    )
    assert errors == plain


def test_equal_scores_are_equivalent_and_bad_input_is_refused() -> None:
    same = np.linspace(0.1, 0.9, 8)
    assert bayesian_signed_rank(same, same, rng=_rng()) == (0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="same two tasks"):
        bayesian_signed_rank([0.1], [0.2], rng=_rng())
    with pytest.raises(ValueError, match="rope must be at least 0"):
        bayesian_signed_rank(same, same, rope=-1.0, rng=_rng())
    with pytest.raises(ValueError, match="must be finite"):
        bayesian_signed_rank([np.nan, 0.1], [0.1, 0.2], rng=_rng())


# Friedman, Wilcoxon, Nemenyi

# Demsar 2006, table 5(a): q / sqrt(2) at 0.05 for 2 to 10 systems.
Q_05 = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)
# Table 5(a), at 0.10.
Q_10 = (1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920)


@pytest.mark.parametrize(("alpha", "table"), [(0.05, Q_05), (0.10, Q_10)])
def test_critical_differences_equal_the_published_table(
    alpha: float, table: tuple[float, ...]
) -> None:
    for k, q in enumerate(table, start=2):
        expected = q * np.sqrt(k * (k + 1) / (6 * 30))
        found = nemenyi_critical_difference(k, 30, alpha=alpha)
        assert found == pytest.approx(expected, abs=1e-3)


def test_demsar_worked_example() -> None:
    # Demsar 2006, section 3.2.2 and table 6: C4.5 with and without tuning, 14 sets.
    scores = [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
    result = compare_over_tasks(scores, ["C4.5", "+m", "+cf", "+m+cf"])
    assert_allclose(result.mean_ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert result.critical_difference == pytest.approx(1.25, abs=0.005)


def test_tests_equal_scipy() -> None:
    table = _table()
    result = compare_over_tasks(table, SYSTEMS)
    statistic, p = friedmanchisquare(*table.T)
    assert result.friedman_statistic == pytest.approx(statistic)
    assert result.friedman_p == pytest.approx(p)
    expected = [
        wilcoxon(table[:, i], table[:, j]).pvalue
        for i in range(4)
        for j in range(i + 1, 4)
    ]
    assert_allclose(result.wilcoxon_p, expected)
    assert_allclose(result.holm_p, holm(np.array(expected)))
    assert result.pairs[0] == ("svm", "nbsvm")
    assert "svm and majority" in result.verdict
    assert "after Holm over 6 comparisons" in result.verdict


def test_critical_difference_and_ranks_equal_autorank() -> None:
    autorank = pytest.importorskip("autorank", reason="autorank is not installed")
    pandas = pytest.importorskip("pandas")
    table = _table(20, seed=5)
    frame = pandas.DataFrame(table, columns=SYSTEMS)
    theirs = autorank.autorank(
        frame, alpha=0.05, force_mode="nonparametric", approach="frequentist"
    )
    ours = compare_over_tasks(table, SYSTEMS)
    assert theirs.omnibus == "friedman"
    assert ours.friedman_p == pytest.approx(theirs.pvalue)
    assert ours.critical_difference == pytest.approx(theirs.cd, rel=1e-3)
    ranks = theirs.rankdf["meanrank"]
    assert_allclose(ours.mean_ranks, [ranks[name] for name in SYSTEMS])


def test_nemenyi_groups_equal_scikit_posthocs() -> None:
    posthocs = pytest.importorskip(
        "scikit_posthocs", reason="scikit-posthocs is not installed"
    )
    table = _table(12, seed=3)
    p = posthocs.posthoc_nemenyi_friedman(table).to_numpy()
    result = compare_over_tasks(table, SYSTEMS)
    ranks = np.array(result.mean_ranks)
    apart = np.abs(ranks[:, None] - ranks) >= result.critical_difference
    assert (apart == (p < 0.05)).all()


def test_groups_are_the_bars_of_the_diagram() -> None:
    # Ranks 1, 2, 3, 4 on 10 tasks: the critical difference is 1.48.
    result = compare_over_tasks([[4.0, 3.0, 2.0, 1.0]] * 10, SYSTEMS)
    assert result.mean_ranks == (1.0, 2.0, 3.0, 4.0)
    assert result.groups == (("svm", "nbsvm"), ("nbsvm", "lr"), ("lr", "majority"))
    assert result.iman_davenport_p == 0.0
    alike = compare_over_tasks([[0.5] * 4] * 6, SYSTEMS)
    assert alike.groups == (SYSTEMS,)
    assert alike.friedman_p == 1.0
    assert set(alike.wilcoxon_p) == {1.0}
    assert alike.verdict.startswith("4 systems cannot be told apart over 6 tasks")


def test_directions_and_order_of_tasks_change_nothing() -> None:
    table = _table()
    plain = compare_over_tasks(table, SYSTEMS, reference="svm")
    assert plain.pairs == (("svm", "nbsvm"), ("svm", "lr"), ("svm", "majority"))
    shuffled = compare_over_tasks(table[::-1], SYSTEMS, reference="svm")
    assert_allclose(shuffled.mean_ranks, plain.mean_ranks)
    assert_allclose(shuffled.holm_p, plain.holm_p)
    signs = np.where(np.arange(14) % 2, 1, -1)
    mixed = compare_over_tasks(
        table * signs[:, None],
        SYSTEMS,
        reference="svm",
        greater_is_better=(signs > 0).tolist(),
    )
    assert mixed == plain


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(ValueError, match="three systems and two tasks"):
        compare_over_tasks(_table()[:, :2], SYSTEMS[:2])
    with pytest.raises(ValueError, match="a column for each of the 3"):
        compare_over_tasks(_table(), SYSTEMS[:3])
    with pytest.raises(ValueError, match="'x' is not one of the systems"):
        compare_over_tasks(_table(), SYSTEMS, reference="x")
