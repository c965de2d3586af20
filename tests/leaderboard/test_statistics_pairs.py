"""Comparisons of systems on the same tweets, against independent oracles."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import f1_score

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.leaderboard.statistics import (
    ALPHA,
    adjust_family,
    approximate_randomisation,
    bca_interval,
    bootstrap_scores,
    compare_pairs,
    compare_systems,
    equivalence_p_value,
    minimal_detectable_difference,
    percentile_interval,
)
from tweetclf.leaderboard.statistics.bootstrap import symmetric_interval
from tweetclf.leaderboard.statistics.coding import paired_cells
from tweetclf.leaderboard.statistics.verdicts import verdict
from tweetclf.tasks import get_metric, list_metrics

LABELS = ("a", "b", "c")
MACRO = get_metric("macro_f1", labels=LABELS)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _noisy(gold: np.ndarray, accuracy: float, seed: int, k: int = 3) -> np.ndarray:
    rng = _rng(seed)
    wrong = rng.random(len(gold)) > accuracy
    return np.where(wrong, rng.integers(k, size=len(gold)), gold)


def _sample(n: int = 300, k: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gold = _rng(1).choice(k, size=n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    return gold, _noisy(gold, 0.75, 2, k), _noisy(gold, 0.65, 3, k)


def _plain_macro_f1(gold: np.ndarray, found: np.ndarray) -> float:
    parts = []
    for label in range(3):
        hits = ((gold == label) & (found == label)).sum()
        parts.append(2 * hits / ((gold == label).sum() + (found == label).sum()))
    return float(np.mean(parts))


# The paired bootstrap


def test_paired_bootstrap_equals_index_resampling_with_scikit_learn() -> None:
    gold, a, b = _sample(200)
    result = compare_systems(
        MACRO, gold, a, b, label_names=LABELS, n_resamples=20_000, rng=_rng()
    )
    naive = []
    for index in _rng(5).integers(200, size=(2500, 200)):
        scores = [_plain_macro_f1(gold[index], y[index]) for y in (a, b)]
        naive.append(scores[0] - scores[1])
    observed = f1_score(gold, a, average="macro") - f1_score(gold, b, average="macro")
    assert result.difference == pytest.approx(observed, abs=1e-12)
    assert result.standard_error == pytest.approx(np.std(naive), rel=0.05)
    p = (1 + (np.abs(np.array(naive) - observed) >= abs(observed)).sum()) / 2501
    assert result.p_value == pytest.approx(p, abs=0.02)


def test_bca_interval_equals_scipy_on_its_own_resamples() -> None:
    from scipy.stats import bootstrap

    values = _rng(0).exponential(size=40)
    result = bootstrap(
        (values,), np.mean, n_resamples=3000, method="BCa", rng=_rng(1), vectorized=True
    )
    jackknife = (values.sum() - values) / (len(values) - 1)
    ours = bca_interval(
        result.bootstrap_distribution,
        float(values.mean()),
        jackknife,
        np.ones(len(values)),
    )
    assert_allclose(ours, result.confidence_interval, rtol=1e-9)


def test_bca_interval_of_accuracy_equals_scipy() -> None:
    from scipy.stats import bootstrap

    gold, a, b = _sample(250)
    metric = get_metric("accuracy", labels=LABELS)
    ours = compare_systems(
        metric, gold, a, b, label_names=LABELS, n_resamples=30_000, rng=_rng()
    )
    gain = (a == gold).astype(float) - (b == gold)
    theirs = bootstrap(
        (gain,), np.mean, n_resamples=30_000, method="BCa", rng=_rng(3), batch=2000
    )
    assert_allclose(ours.interval, theirs.confidence_interval, atol=0.004)


def test_jackknife_weights_stand_for_tweets() -> None:
    # Cells with counts and tweets one by one are the same sample.
    scores = _rng(0).normal(size=999)
    jackknife = np.array([0.1, -0.3, 0.7])
    counts = np.array([5, 3, 2])
    once = bca_interval(scores, 0.1, jackknife, counts)
    again = bca_interval(scores, 0.1, np.repeat(jackknife, counts), np.ones(10))
    assert_allclose(once, again, rtol=1e-12)


def test_bca_falls_back_to_percentiles() -> None:
    assert bca_interval(np.ones(99), 1.0, np.ones(4), np.ones(4)) == (1.0, 1.0)
    draws = _rng().random(999)
    outside = bca_interval(draws, 2.0, np.ones(4), np.ones(4))
    assert_allclose(outside, np.quantile(draws, [0.025, 0.975]))


NUMERIC = ("rmse", "mae", "pearson", "spearman")


def _data_for(name: str) -> tuple[Any, Any, Any, Any]:
    """Return a metric, gold and predictions of two systems, as a user has them."""
    rng = _rng(4)
    if name in NUMERIC:
        gold = rng.normal(size=60).round(1)
        noisy = (gold + rng.normal(size=60), gold + 2 * rng.normal(size=60))
        return get_metric(name), gold, *noisy
    if name.startswith("multilabel") or name == "jaccard":
        gold = rng.integers(2, size=(60, 3))
        flips = (rng.random((2, *gold.shape)) < [[[0.1]], [[0.3]]]).astype(int)
        return get_metric(name, labels=LABELS), gold, gold ^ flips[0], gold ^ flips[1]
    if name in {"exact_match", "mean_bit_macro_f1"}:
        names = np.array(["00", "01", "10", "11"])
        gold = rng.integers(4, size=60)
        metric = get_metric(name, labels=tuple(names.tolist()))
        return metric, *(names[y] for y in (gold, *_pair(gold, 4)))
    names = np.array(LABELS)
    gold = rng.integers(3, size=60)
    return get_metric(name, labels=LABELS), *(names[y] for y in (gold, *_pair(gold, 3)))


def _pair(gold: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    return _noisy(gold, 0.95, 7, k), _noisy(gold, 0.2, 8, k)


@pytest.mark.parametrize("name", list_metrics())
def test_every_metric_is_compared(name: str) -> None:
    metric, gold, a, b = _data_for(name)
    result = compare_systems(metric, gold, a, b, n_resamples=500, rng=_rng())
    expected = metric(gold, a) - metric(gold, b)
    assert result.difference == pytest.approx(expected, abs=1e-12)
    low, high = result.interval
    assert low < result.difference < high
    # The first is far better, and says so whichever way the metric points.
    assert result.verdict.startswith("A is better than B on these 60 tweets")
    swapped = compare_systems(metric, gold, b, a, n_resamples=500, rng=_rng())
    assert swapped.verdict.startswith("B is better than A on these 60 tweets")
    assert swapped.difference == -result.difference
    assert swapped.p_value == result.p_value
    assert_allclose(swapped.interval, (-high, -low), atol=1e-9)
    order = _rng(9).permutation(60)
    shuffled = compare_systems(
        metric, gold[order], a[order], b[order], n_resamples=500, rng=_rng()
    )
    assert shuffled.p_value == result.p_value
    assert_allclose(shuffled.interval, result.interval, atol=1e-9)


@pytest.mark.parametrize("name", ["macro_f1", "pearson", "spearman", "jaccard"])
def test_all_pairs_agree_with_single_comparisons(name: str) -> None:
    metric, gold, a, b = _data_for(name)
    n = 1000 if name == "spearman" else 4000
    single = compare_systems(metric, gold, a, b, n_resamples=n, rng=_rng())
    systems = {"A": a, "B": b, "gold": gold}
    first, *_, last = compare_pairs(metric, gold, systems, n_resamples=n, rng=_rng(1))
    assert first.names == ("A", "B")
    assert first.difference == pytest.approx(single.difference, abs=1e-12)
    assert first.n_different == single.n_different
    assert first.standard_error == pytest.approx(single.standard_error, rel=0.1)
    assert_allclose(first.interval, single.interval, atol=0.03)
    assert last.names == ("B", "gold")


def test_groups_are_drawn_along() -> None:
    rng = _rng(2)
    gold = rng.normal(size=80)
    groups = np.array(["joy", "fear"])[rng.integers(2, size=80)]
    good, bad = gold + rng.normal(size=80), gold + 3 * rng.normal(size=80)
    metric = get_metric("pearson", by_group=True)
    result = compare_systems(
        metric, gold, good, bad, groups=groups, n_resamples=300, rng=_rng()
    )
    expected = metric(gold, good, groups=groups) - metric(gold, bad, groups=groups)
    assert result.difference == pytest.approx(expected, abs=1e-12)
    order = rng.permutation(80)
    again = compare_systems(
        metric,
        gold[order],
        bad[order],
        good[order],
        groups=groups[order],
        n_resamples=300,
        rng=_rng(),
    )
    assert again.p_value == result.p_value
    (pair,) = compare_pairs(
        metric, gold, {"x": good, "y": bad}, groups=groups, n_resamples=300, rng=_rng()
    )
    assert pair.difference == pytest.approx(expected, abs=1e-12)


# Invariances


codes = st.integers(0, 2)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(codes, codes, codes), min_size=4, max_size=60), st.randoms())
@example([(0, 0, 2), (0, 2, 0), (1, 1, 2), (1, 2, 1)], Random(0))
def test_order_names_and_sides_change_nothing(
    rows: list[tuple[int, int, int]], random: Any
) -> None:
    gold, a, b = (np.array(column) for column in zip(*rows, strict=True))
    options = {"n_resamples": 99, "margin": 0.02}

    def compare(*columns: Any, metric: Any = MACRO, labels: Any = LABELS) -> Any:
        return compare_systems(
            metric, *columns, label_names=labels, rng=_rng(), **options
        )

    plain = compare(gold, a, b)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert compare(gold[order], a[order], b[order]) == plain
    other = ("z", "y", "x")
    renamed = compare(gold, a, b, metric=get_metric("macro_f1", labels=other))
    assert renamed == plain
    swapped = compare(gold, b, a)
    assert swapped.p_value == plain.p_value
    assert swapped.p_equivalence == plain.p_equivalence
    assert swapped.difference == -plain.difference
    assert_allclose(swapped.interval, [-x for x in plain.interval[::-1]], atol=1e-9)


# Exchanging the systems leaves these tweets as they are.
MIRROR = [(0, 0, 2), (0, 2, 0), (1, 1, 2), (1, 2, 1)] * 5


def _mirrored_data(name: str) -> tuple[Any, Any, Any, Any]:
    gold, a, b = (np.array(column) for column in zip(*MIRROR, strict=True))
    if name == "macro_f1":
        return get_metric(name, labels=LABELS), *(np.array(LABELS)[[gold, a, b]])
    if name == "jaccard":
        rows = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]])
        return get_metric(name, labels=LABELS), rows[gold], rows[a], rows[b]
    return get_metric(name), *(0.1 * y for y in (gold, a, b))


@pytest.mark.parametrize("name", ["macro_f1", "jaccard", "rmse", "spearman"])
def test_systems_that_mirror_each_other_get_a_symmetric_interval(name: str) -> None:
    metric, gold, a, b = _mirrored_data(name)
    for interval in ("bca", "percentile"):
        options = {"n_resamples": 199, "margin": 0.1, "interval": interval}
        one = compare_systems(metric, gold, a, b, rng=_rng(), **options)
        low, high = one.interval
        assert (one.difference, one.p_value) == (0.0, 1.0)
        assert low == -high < 0
        assert compare_systems(metric, gold, b, a, rng=_rng(), **options) == one
        (pair,) = compare_pairs(metric, gold, {"A": a, "B": b}, rng=_rng(), **options)
        assert pair.difference == 0.0
        assert pair.interval[0] == -pair.interval[1] < 0
    swaps = approximate_randomisation(metric, gold, a, b, n_resamples=99, rng=_rng())
    assert swaps == (0.0, 1.0)


def test_symmetric_interval_is_that_of_differences_and_their_mirror() -> None:
    drawn = _rng(3).normal(size=5001)
    both = percentile_interval(np.concatenate([drawn, -drawn]))
    assert_allclose(symmetric_interval(drawn), both, atol=2e-3)
    assert np.isnan(symmetric_interval(np.full(9, np.nan))).all()


def test_permuted_codes_change_nothing() -> None:
    gold, a, b = _sample(200)
    plain = compare_systems(MACRO, gold, a, b, label_names=LABELS, rng=_rng())
    for permutation in ([1, 2, 0], [2, 1, 0]):
        names = tuple(np.array(LABELS)[np.argsort(permutation)].tolist())
        metric = get_metric("macro_f1", labels=names)
        code = np.array(permutation)
        other = compare_systems(
            metric, code[gold], code[a], code[b], label_names=names, rng=_rng()
        )
        assert other.p_value == plain.p_value
        assert_allclose(other.interval, plain.interval, atol=1e-9)


def test_names_are_coded_as_the_metric_says() -> None:
    gold, a, b = _sample(100)
    names = np.array(LABELS)
    by_code = compare_systems(
        MACRO, gold, a, b, label_names=LABELS, n_resamples=99, rng=_rng()
    )
    by_name = compare_systems(
        MACRO, names[gold], names[a], names[b].tolist(), n_resamples=99, rng=_rng()
    )
    assert by_code == by_name


def _reach_by_brute_force(gold: np.ndarray, found: np.ndarray) -> float:
    """Return what a further tweet, right or wrong, can change in macro-F1."""
    changes = [0.0]
    for label, other in product(range(3), repeat=2):
        scores = [
            f1_score([*gold, label], [*found, y], average="macro", labels=[0, 1, 2])
            for y in (label, other)
        ]
        changes.append(abs(scores[0] - scores[1]))
    return max(1.0, (len(gold) + 1) * max(changes))


@pytest.mark.parametrize("name", list_metrics())
def test_reach_is_what_a_tweet_can_change(name: str) -> None:
    metric, gold, a, b = _data_for(name)
    cells = paired_cells(metric, gold, a, b).cells
    reach = cells.reach()
    assert (reach >= 1).all()
    if name in {"accuracy", "micro_f1", "exact_match"}:
        assert_allclose(reach, 1)
    if name == "macro_f1":
        codes = [np.searchsorted(LABELS, y) for y in (gold, a, b)]
        expected = [_reach_by_brute_force(codes[0], y) for y in codes[1:]]
        assert_allclose(np.sort(reach), np.sort(expected))


def test_reach_sees_rare_labels_of_label_sets() -> None:
    gold = np.zeros((200, 3), dtype=int)
    gold[:, 0], gold[:100, 1], gold[:2, 2] = 1, 1, 1
    metric = get_metric("multilabel_macro_f1", labels=LABELS)
    found = gold.copy()
    found[5, 0] = 0
    reach = paired_cells(metric, gold, gold, found).cells.reach()
    # Two tweets of 200 make up a third of the score.
    assert (reach > 10).all()


def test_one_tweet_of_a_rare_class_is_no_evidence_of_equivalence() -> None:
    gold = np.array([0] * 6 + [1] * 394)
    other = gold.copy()
    other[10] = 0
    result = compare_systems(
        get_metric("macro_f1", labels=("rare", "rest")),
        gold,
        gold,
        other,
        label_names=("rare", "rest"),
        margin=0.05,
        rng=_rng(),
    )
    assert abs(result.difference) < 0.05
    assert result.p_equivalence > 0.2


def test_identical_systems_have_p_one() -> None:
    gold, a, _ = _sample(120)
    result = compare_systems(
        MACRO, gold, a, a, label_names=LABELS, margin=0.01, n_resamples=999, rng=_rng()
    )
    assert result.p_value == 1.0
    assert result.interval == (0.0, 0.0)
    # The chance that 120 tweets hold none of those that make up the margin.
    rare = _reach_by_brute_force(gold, a)
    assert rare > 1.5
    assert result.p_equivalence == pytest.approx((1 - 0.01 / rare) ** 120)
    assert result.verdict == "A and B predict the same on these 120 tweets."
    swaps = approximate_randomisation(
        MACRO, gold, a, a, label_names=LABELS, n_resamples=99, rng=_rng()
    )
    assert swaps == (0.0, 1.0)


def test_the_global_random_state_is_untouched() -> None:
    gold, a, b = _sample(50)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    compare_systems(MACRO, gold, a, b, label_names=LABELS, n_resamples=99, rng=_rng())
    assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


# Drawing


@pytest.mark.parametrize("name", ["macro_f1", "jaccard", "spearman"])
def test_tweets_and_counts_have_the_same_distribution(name: str) -> None:
    metric, gold, a, b = _data_for(name)
    labels: tuple[str, ...] = ()
    if name == "macro_f1":
        gold, a, b = (np.searchsorted(LABELS, y) for y in (gold, a, b))
        labels = LABELS
    n = 1500 if name == "spearman" else 4000
    one, other = (
        bootstrap_scores(
            metric, gold, [a, b], label_names=labels, n_resamples=n, rng=_rng(), draw=d
        )
        for d in ("cells", "tweets")
    )
    assert_allclose(one.mean(axis=1), other.mean(axis=1), atol=0.01)
    assert_allclose(one.std(axis=1), other.std(axis=1), rtol=0.12)
    assert np.corrcoef(one)[0, 1] == pytest.approx(np.corrcoef(other)[0, 1], abs=0.12)


@pytest.mark.parametrize("threads", ["1", "2", "5"])
@pytest.mark.parametrize("numba", ["0", "1"])
def test_draws_depend_on_neither_threads_nor_numba(
    threads: str, numba: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = _rng(0).integers(3, size=2000)
    systems = {str(i): _noisy(gold, 0.6, i) for i in range(8)}

    def compare() -> Any:
        return compare_pairs(
            MACRO, gold, systems, label_names=LABELS, n_resamples=3000, rng=_rng(3)
        )

    plain = compare()
    monkeypatch.setenv("TWEETCLF_THREADS", threads)
    monkeypatch.setenv("TWEETCLF_NUMBA", numba)
    assert compare() == plain


def test_unknown_ways_to_draw_are_refused() -> None:
    gold, a, _ = _sample(20)
    with pytest.raises(ValueError, match="'cells' or 'tweets'"):
        bootstrap_scores(MACRO, gold, [a], label_names=LABELS, rng=_rng(), draw="x")


# Randomisation


def _every_exchange(gold: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Return the exact p-value over all exchanges, with scikit-learn."""

    def gap(x: np.ndarray, y: np.ndarray) -> float:
        scores = [
            f1_score(gold, z, average="macro", labels=[0, 1, 2], zero_division=0)
            for z in (x, y)
        ]
        return float(abs(scores[0] - scores[1]))

    observed = gap(a, b)
    differ = np.flatnonzero(a != b)
    found = []
    for choice in product([False, True], repeat=len(differ)):
        x, y = a.copy(), b.copy()
        at = differ[list(choice)]
        x[at], y[at] = b[at], a[at]
        found.append(gap(x, y) >= observed - 1e-12)
    return float(np.mean(found))


@pytest.mark.parametrize("seed", [0, 1])
def test_randomisation_equals_enumeration(seed: int) -> None:
    gold = _rng(seed).integers(3, size=14)
    a, b = _noisy(gold, 0.9, seed + 10), _noisy(gold, 0.45, seed + 20)
    exact = _every_exchange(gold, a, b)
    result = approximate_randomisation(
        MACRO, gold, a, b, label_names=LABELS, n_resamples=40_000, rng=_rng()
    )
    assert result.p_value == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 40_000))


def test_randomisation_equals_scipy() -> None:
    from scipy.stats import permutation_test

    gold, a, b = _sample(150)
    right = [(y == gold).astype(float) for y in (a, b)]
    theirs = permutation_test(
        right,
        lambda x, y: x.mean() - y.mean(),
        permutation_type="samples",
        n_resamples=4000,
        rng=_rng(1),
    )
    metric = get_metric("accuracy", labels=LABELS)
    ours = approximate_randomisation(metric, gold, a, b, label_names=LABELS, rng=_rng())
    assert ours.difference == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=0.02)


@pytest.mark.parametrize("name", ["macro_f1", "jaccard", "rmse", "spearman"])
def test_randomisation_is_symmetric_for_every_kind_of_metric(name: str) -> None:
    metric, gold, a, b = _data_for(name)
    one = approximate_randomisation(metric, gold, a, b, n_resamples=200, rng=_rng())
    other = approximate_randomisation(metric, gold, b, a, n_resamples=200, rng=_rng())
    assert one.difference == -other.difference
    assert one.p_value == other.p_value
    assert one.p_value < 0.05


# Families, equivalence, power, verdicts


def test_families_are_adjusted_together() -> None:
    gold, a, b = _sample(300)
    systems = {"a": a, "b": b, "c": _noisy(gold, 0.64, 9), "gold": gold}
    pairs = compare_pairs(
        MACRO, gold, systems, label_names=LABELS, n_resamples=999, rng=_rng()
    )
    assert len(pairs) == 6
    assert {pair.family for pair in pairs} == {"all pairs of 4 systems"}
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = [pair.p_value for pair in pairs]
    expected = multitest.multipletests(p, method="holm")[1]
    assert_allclose([pair.p_adjusted for pair in pairs], expected)
    assert "after Holm over 6 comparisons" in pairs[-1].verdict
    against = compare_pairs(
        MACRO,
        gold,
        systems,
        reference="gold",
        label_names=LABELS,
        n_resamples=999,
        rng=_rng(),
    )
    assert [pair.names for pair in against] == [("gold", x) for x in "abc"]
    assert against[0].family == "3 systems against gold"
    assert against[0].detectable < pairs[2].detectable
    assert adjust_family((), "nothing") == ()
    with pytest.raises(UnknownNameError, match="'d' is not one of the systems a, b"):
        compare_pairs(MACRO, gold, systems, reference="d", rng=_rng())


def test_equivalence_equals_statsmodels_for_many_tweets() -> None:
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    gold, a, _ = _sample(2000)
    b = np.where(_rng(8).random(2000) < 0.08, _noisy(gold, 0.7, 4), a)
    metric = get_metric("accuracy", labels=LABELS)
    right = [(y == gold).astype(float) for y in (a, b)]
    for margin in (0.006, 0.01, 0.015):
        ours = compare_systems(
            metric, gold, a, b, label_names=LABELS, margin=margin, rng=_rng()
        )
        theirs = weightstats.ttost_paired(*right, -margin, margin)[0]
        assert ours.p_equivalence == pytest.approx(theirs, abs=0.02)


def test_equivalence_needs_a_margin() -> None:
    with pytest.raises(ValueError, match="largest difference that does not matter"):
        equivalence_p_value(np.zeros(9), 0.0, 0.0)
    draws = np.array([0.0, np.nan, 0.0])
    assert equivalence_p_value(draws, 0.0, 0.1) == 2 / 4


def test_detectable_difference_equals_statsmodels() -> None:
    power = pytest.importorskip("statsmodels.stats.power")
    for target in (0.5, 0.8, 0.95):
        found = minimal_detectable_difference(0.02, alpha=0.05, power=target)
        assert power.normal_power(found / 0.02, 1, 0.05) == pytest.approx(
            target, abs=1e-4
        )
    assert np.isnan(minimal_detectable_difference(float("nan")))
    with pytest.raises(ValueError, match="between 0 and 1"):
        minimal_detectable_difference(0.1, power=1.0)


def test_verdicts_say_what_was_found() -> None:
    gold, a, _ = _sample(784)
    near = a.copy()
    near[:40] = _noisy(gold, 0.7, 5)[:40]
    names = ("NBSVM", "atalaya-svm")

    def compare(b: np.ndarray, margin: float | None = None) -> Any:
        return compare_systems(
            MACRO,
            gold,
            a,
            b,
            names=names,
            label_names=LABELS,
            margin=margin,
            rng=_rng(),
        )

    alike = compare(near)
    points = 100 * alike.detectable
    assert alike.p_value >= ALPHA
    assert alike.verdict == (
        "NBSVM and atalaya-svm cannot be told apart on these 784 tweets; a difference "
        f"under {points:.1f} points would probably not be seen."
    )
    assert compare(near, margin=0.05).verdict.startswith(
        "NBSVM and atalaya-svm are equivalent on these 784 tweets: they differ by less "
        "than 5.0 points (p "
    )
    worse = compare(_noisy(gold, 0.5, 6))
    low, high = (100 * x for x in worse.interval)
    assert worse.verdict == (
        "NBSVM is better than atalaya-svm on these 784 tweets, by "
        f"{100 * worse.difference:.1f} points of macro_f1 (95 % interval {low:.1f} to "
        f"{high:.1f}; p < 0.001)."
    )
    said = verdict(worse, "pair")
    assert said == worse.verdict.replace("784 tweets", "784 pairs")
    small = compare(near, margin=0.3)
    assert "equivalent" in small.verdict


def test_errors_are_not_given_in_points() -> None:
    metric, gold, a, b = _data_for("rmse")
    result = compare_systems(metric, gold, b, a, n_resamples=300, rng=_rng())
    assert "points" not in result.verdict
    assert result.verdict.startswith("B is better than A on these 60 tweets, by ")


@pytest.mark.parametrize("name", ["macro_f1", "jaccard", "rmse"])
def test_a_single_tweet_shows_nothing(name: str) -> None:
    metric, gold, a, b = _data_for(name)
    result = compare_systems(metric, gold[:1], a[:1], b[:1], n_resamples=50, rng=_rng())
    assert result.p_value == 1.0
    assert "this tweet" in result.verdict


def test_few_different_tweets_are_little_evidence() -> None:
    # All resamples agree that A is right and B wrong, and yet these are four tweets.
    metric = get_metric("accuracy", labels=LABELS)
    result = compare_systems(
        metric, list("aaaa"), list("aaaa"), list("bbbb"), rng=_rng()
    )
    assert result.standard_error == 0.0
    assert result.p_value == 2 / 2**4
    assert result.verdict == (
        "A and B cannot be told apart on these 4 tweets: too few to tell."
    )


def test_other_errors_may_give_the_same_score() -> None:
    metric = get_metric("accuracy", labels=LABELS)
    result = compare_systems(
        metric, list("abab"), list("baab"), list("caab"), rng=_rng()
    )
    assert result.n_different == 1
    assert result.verdict == (
        "A and B have the same score on these 4 tweets, whichever of them are drawn."
    )


def test_what_cannot_be_compared_is_refused() -> None:
    gold, a, b = _sample(30)
    with pytest.raises(DataError, match="30 gold labels and 30, 29 predictions"):
        compare_systems(MACRO, gold, a, b[1:], label_names=LABELS, rng=_rng())
    with pytest.raises(DataError, match="no tweets"):
        compare_systems(MACRO, [], [], [], rng=_rng())
    with pytest.raises(DataError, match="needs the task's labels"):
        compare_systems(get_metric("macro_f1"), gold, a, b, rng=_rng())
    with pytest.raises(ValueError, match="'bca' or 'percentile'"):
        compare_systems(MACRO, gold, a, b, interval="x", rng=_rng())
    with pytest.raises(ValueError, match="must be above 0"):
        compare_systems(MACRO, gold, a, b, margin=-1.0, rng=_rng())


def test_few_tweets_that_differ_are_no_evidence_of_equivalence():
    metric = get_metric("accuracy", labels=("no", "yes"))
    gold = np.arange(60) % 2
    other = gold.copy()
    other[0] = 1 - other[0]
    result = compare_systems(
        metric,
        gold,
        gold,
        other,
        label_names=("no", "yes"),
        margin=0.05,
        rng=np.random.default_rng(0),
    )
    # The chance of at most one tweet in 60 where one in 20 differs.
    assert result.p_equivalence == pytest.approx(stats.binom.cdf(1, 60, 0.05))
    assert "equivalent" not in result.verdict


def test_equivalence_is_rarely_claimed_where_the_truth_is_at_the_margin():
    rng = np.random.default_rng(1)
    metric, claims = get_metric("accuracy", labels=("no", "yes")), 0
    for _ in range(200):
        gold = np.zeros(60, dtype=int)
        gold[:2] = 1
        other = np.where(rng.random(60) < 0.05, 1 - gold, gold)
        result = compare_systems(
            metric,
            gold,
            gold,
            other,
            label_names=("no", "yes"),
            margin=0.05,
            n_resamples=500,
            rng=rng,
        )
        claims += result.p_equivalence < 0.05
    assert claims / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_many_pairs_get_resamples_enough():
    gold = np.arange(200) % 2
    predictions = {f"right{i}": gold for i in range(3)}
    predictions |= {f"wrong{i}": 1 - gold for i in range(4)}
    found = compare_pairs(
        get_metric("accuracy", labels=("no", "yes")),
        gold,
        predictions,
        label_names=("no", "yes"),
        n_resamples=300,
        rng=np.random.default_rng(0),
    )
    apart = [c for c in found if c.difference != 0]
    assert len(apart) == 12
    assert all(c.p_adjusted < 0.05 for c in apart)
