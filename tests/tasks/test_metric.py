"""Metrics against scikit-learn, scipy and plain loops."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.tasks import Metric, get_metric, list_metrics

LABELS = ("against", "favor", "none", "other")
quick = settings(max_examples=60, deadline=None)


@st.composite
def class_pairs(draw, labels=LABELS, min_size=1):
    """Gold and predicted labels; classes may be absent."""
    n = draw(st.integers(min_size, 40))
    one = st.lists(st.sampled_from(labels), min_size=n, max_size=n)
    return draw(one), draw(one)


@st.composite
def number_pairs(draw, min_size=3):
    n = draw(st.integers(min_size, 40))
    one = st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n)
    return np.array(draw(one)), np.array(draw(one))


@st.composite
def indicator_pairs(draw):
    n, k = draw(st.integers(1, 20)), draw(st.integers(1, 5))
    one = st.lists(
        st.lists(st.integers(0, 1), min_size=k, max_size=k), min_size=n, max_size=n
    )
    return np.array(draw(one)), np.array(draw(one))


def sklearn_average(function, average, **options):
    def score(y_true, y_pred):
        return function(
            y_true, y_pred, average=average, zero_division=0, labels=LABELS, **options
        )

    return score


CLASS_ORACLES = {
    "accuracy": oracle.accuracy_score,
    "macro_f1": sklearn_average(oracle.f1_score, "macro"),
    "micro_f1": sklearn_average(oracle.f1_score, "micro"),
    "weighted_f1": sklearn_average(oracle.f1_score, "weighted"),
    "macro_recall": sklearn_average(oracle.recall_score, "macro"),
    "macro_precision": sklearn_average(oracle.precision_score, "macro"),
    "mcc": oracle.matthews_corrcoef,
}


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("name", sorted(CLASS_ORACLES))
@quick
@given(pair=class_pairs())
def test_class_metrics_equal_sklearn(name, pair):
    score = get_metric(name, labels=LABELS)(*pair)
    assert score == pytest.approx(CLASS_ORACLES[name](*pair), abs=1e-12)


@pytest.mark.parametrize("name", ["f1", "precision", "recall"])
@quick
@given(pair=class_pairs(labels=("no", "irony")))
def test_binary_metrics_equal_sklearn(name, pair):
    expected = getattr(oracle, f"{name}_score")(
        *pair, labels=("no", "irony"), pos_label="irony", zero_division=0
    )
    metric = get_metric(f"binary_{name}", labels=("no", "irony"), pos="irony")
    assert metric(*pair) == pytest.approx(expected, abs=1e-12)


@quick
@given(pair=class_pairs(labels=LABELS[:3]))
def test_stance_f1_equals_sklearn_over_two_labels(pair):
    expected = oracle.f1_score(
        *pair, labels=["against", "favor"], average="macro", zero_division=0
    )
    metric = get_metric("macro_f1", labels=LABELS[:3], over=("against", "favor"))
    assert metric(*pair) == pytest.approx(expected, abs=1e-12)


@quick
@given(pair=class_pairs(labels=("0", "1", "2", "3")))
def test_ordinal_metrics_equal_sklearn_and_scipy(pair):
    labels = ("0", "1", "2", "3")
    true, pred = (np.array(side, dtype=float) for side in pair)
    if len({*pair[0], *pair[1]}) > 1:
        kappa = oracle.cohen_kappa_score(*pair, labels=labels, weights="quadratic")
        assert get_metric("qwk", labels=labels)(*pair) == pytest.approx(kappa, abs=1e-9)
    else:
        assert get_metric("qwk", labels=labels)(*pair) == 0.0
    mae = get_metric("mae", labels=labels)(*pair)
    assert mae == pytest.approx(np.abs(true - pred).mean(), abs=1e-12)
    constant = np.ptp(true) == 0 or np.ptp(pred) == 0
    r = 0.0 if constant else scipy.stats.pearsonr(true, pred).statistic
    assert get_metric("pearson", labels=labels)(*pair) == pytest.approx(r, abs=1e-9)


@quick
@given(pair=number_pairs())
def test_regression_metrics_equal_sklearn(pair):
    rmse = oracle.root_mean_squared_error(*pair)
    assert get_metric("rmse")(*pair) == pytest.approx(rmse, rel=1e-9)
    mae = oracle.mean_absolute_error(*pair)
    assert get_metric("mae")(*pair) == pytest.approx(mae, rel=1e-9)


@pytest.mark.parametrize(("shift", "scale"), [(0, 1), (1e6, 1), (0, 1e-8), (5, 1e150)])
def test_correlations_equal_scipy(shift, scale):
    rng = np.random.default_rng(0)
    true = rng.normal(size=300)
    pred = (0.4 * true + rng.normal(size=300)) * scale + shift
    if scale == 1e150:  # scipy's own squares would overflow
        expected = scipy.stats.pearsonr(true, (pred - shift) / scale).statistic
    else:
        expected = scipy.stats.pearsonr(true, pred).statistic
    assert get_metric("pearson")(true, pred) == pytest.approx(expected, abs=1e-9)
    ties = np.round(pred / scale, 1)
    expected = scipy.stats.spearmanr(true, ties).statistic
    assert get_metric("spearman")(true, ties) == pytest.approx(expected, abs=1e-9)


@quick
@given(
    true=st.lists(st.integers(0, 5), min_size=3, max_size=30),
    seed=st.integers(0, 100),
)
def test_pearson_on_few_values_equals_scipy_or_is_zero(true, seed):
    pred = np.random.default_rng(seed).integers(0, 3, len(true)).astype(float)
    constant = len(set(true)) == 1 or len(set(pred.tolist())) == 1
    expected = 0.0 if constant else scipy.stats.pearsonr(true, pred).statistic
    assert get_metric("pearson")(true, pred) == pytest.approx(expected, abs=1e-9)


@quick
@given(pair=indicator_pairs())
def test_multilabel_metrics_equal_sklearn(pair):
    jaccard = np.mean(
        [
            1.0 if not (t | p).any() else (t & p).sum() / (t | p).sum()
            for t, p in zip(*(side.astype(bool) for side in pair), strict=True)
        ]
    )
    assert get_metric("jaccard")(*pair) == pytest.approx(jaccard, abs=1e-12)
    if pair[0].shape[1] > 1:
        for average in ("micro", "macro"):
            expected = oracle.f1_score(*pair, average=average, zero_division=0)
            metric = get_metric(f"multilabel_{average}_f1")
            assert metric(*pair) == pytest.approx(expected, abs=1e-12)
        sampled = oracle.jaccard_score(*pair, average="samples", zero_division=1)
        assert get_metric("jaccard")(*pair) == pytest.approx(sampled, abs=1e-12)


BITS = ("000", "100", "101", "110", "111")


@quick
@given(pair=class_pairs(labels=BITS))
def test_hateval_b_equals_three_macro_f1_and_row_equality(pair):
    columns = [np.array([[int(b) for b in name] for name in side]) for side in pair]
    expected = np.mean(
        [
            oracle.f1_score(
                columns[0][:, j],
                columns[1][:, j],
                average="macro",
                labels=[0, 1],
                zero_division=0,
            )
            for j in range(3)
        ]
    )
    metric = get_metric("mean_bit_macro_f1", labels=BITS)
    assert metric(*pair) == pytest.approx(expected, abs=1e-12)
    assert metric(*columns) == pytest.approx(expected, abs=1e-12)
    emr = oracle.accuracy_score(*pair)
    assert get_metric("exact_match", labels=BITS)(*pair) == pytest.approx(emr)


def test_hateval_b_takes_triples_that_are_no_class():
    assert get_metric("exact_match", labels=BITS)(["000", "111"], ["010", "111"]) == 0.5


def make(name):
    """A metric and data that fit it."""
    rng = np.random.default_rng(3)
    if name in {"exact_match", "mean_bit_macro_f1"}:
        return get_metric(name, labels=BITS), rng.choice(BITS, 50), rng.choice(BITS, 50)
    metric = get_metric(name)
    if name in {"rmse", "mae", "pearson", "spearman"}:
        return metric, rng.normal(size=50), rng.normal(size=50)
    if "multilabel" in name or name == "jaccard":
        return metric, rng.integers(0, 2, (50, 4)), rng.integers(0, 2, (50, 4))
    metric = get_metric(name, labels=LABELS)
    return metric, rng.choice(LABELS, 50), rng.choice(LABELS, 50)


@pytest.mark.parametrize("name", list_metrics())
def test_bootstrap_without_rows_equals_scoring_the_resampled_rows(name):
    metric, true, pred = make(name)
    rng = np.random.default_rng(0)
    samples = rng.integers(0, len(true), (20, len(true)))
    expected = [metric(true[s], pred[s]) for s in samples]
    weights = np.array([np.bincount(s, minlength=len(true)) for s in samples])
    if metric.supports_rows:
        means = weights @ metric.per_row(true, pred) / len(true)
        np.testing.assert_allclose(metric.from_rows(means), expected, atol=1e-12)
    else:
        assert name == "spearman"
        with pytest.raises(TypeError, match="row means"):
            metric.per_row(true, pred)
    if metric.supports_confusion:
        cells, side = metric.cells(true, pred)
        counts = np.array([np.bincount(cells[s], minlength=side**2) for s in samples])
        counts = counts.reshape(-1, side, side)
        one = metric.confusion(true[samples[0]], pred[samples[0]])
        np.testing.assert_array_equal(counts[0], one)
        shaped = counts.reshape(4, 5, *counts.shape[1:])
        scores = metric.from_confusion(shaped)
        assert scores.shape == (4, 5)
        np.testing.assert_allclose(scores.ravel(), expected, atol=1e-12)
    else:
        with pytest.raises(TypeError, match="confusion"):
            metric.from_confusion(np.eye(4))


@pytest.mark.parametrize("name", list_metrics())
def test_perfect_predictions_get_the_best_score(name):
    metric, true, _ = make(name)
    assert metric(true, true) == pytest.approx(1.0 if metric.greater_is_better else 0.0)
    assert metric.signature().endswith("|v1")
    assert pickle.loads(pickle.dumps(metric)) == metric
    assert hash(metric) == hash(pickle.loads(pickle.dumps(metric)))


def test_absent_class_keeps_the_divisor():
    true = ["a", "b", "a", "b"]
    assert get_metric("macro_f1", labels=("a", "b"))(true, true) == 1.0
    assert get_metric("macro_f1", labels=("a", "b", "c", "d"))(true, true) == 0.5
    lenient = get_metric("macro_f1", labels=("a", "b", "c", "d"), zero_division=1.0)
    assert lenient(true, true) == 1.0
    assert "zero:1" in lenient.signature()
    assert get_metric("macro_f1")(true, true) == 1.0  # labels seen


def test_signatures_tell_metrics_apart():
    signatures = {make(name)[0].signature() for name in list_metrics()}
    assert len(signatures) == len(list_metrics())
    stance = get_metric("macro_f1", labels=LABELS, over=("against", "favor"))
    assert stance.signature() == "f1|average:macro|over:against+favor|zero:0|v1"
    assert get_metric("jaccard").signature() == "jaccard|average:samples|zero:1|v1"
    assert stance.options["over"] == ("against", "favor")
    assert stance.with_labels(("against", "favor")).labels == ("against", "favor")


def test_mean_over_groups():
    rng = np.random.default_rng(1)
    true, pred = rng.normal(size=60), rng.normal(size=60)
    groups = np.repeat(["anger", "joy", "fear"], 20)
    metric = get_metric("pearson", by_group=True)
    expected = np.mean(
        [
            scipy.stats.pearsonr(true[groups == g], pred[groups == g]).statistic
            for g in ("anger", "fear", "joy")
        ]
    )
    assert metric(true, pred, groups=groups.tolist()) == pytest.approx(expected)
    assert metric.signature() == "pearson|zero:0|groups:mean|v1"
    assert not metric.supports_rows
    assert not metric.supports_confusion
    with pytest.raises(DataError, match="groups=split.groups"):
        metric(true, pred)


@pytest.mark.parametrize(
    ("metric", "true", "pred", "message"),
    [
        (get_metric("accuracy"), ["a"], ["a", "b"], "1 gold labels and 2"),
        (get_metric("accuracy"), [], [], "no rows"),
        (
            get_metric("macro_f1", labels=("a", "b")),
            ["a", "b"],
            ["a", "x"],
            r"y_pred\[1\] is 'x'",
        ),
        (get_metric("rmse"), [1.0, 2.0], [1.0, math.nan], r"y_pred\[1\] is nan"),
        (get_metric("rmse"), [1.0, 2.0], [1.0, "x"], "must hold numbers"),
        (get_metric("rmse"), [1.0], [[1.0, 2.0]], "1-D"),
        (get_metric("jaccard"), [[0, 1]], [[0.0, 0.7]], "threshold"),
        (get_metric("jaccard", labels=("a",)), [[0, 1]], [[0, 1]], "1 columns"),
        (get_metric("exact_match"), ["00", "01"], ["00", "0"], "Label 1 is '0'"),
        (get_metric("macro_f1"), [[0, 1]], [[0, 1]], "must be 1-D"),
        (get_metric("binary_f1"), ["a"], ["a"], "positive class"),
        (get_metric("qwk", over=()), ["a"], ["b"], None),
    ],
)
def test_bad_input_is_named(metric, true, pred, message):
    if message is None:
        assert np.isfinite(metric(true, pred))
        return
    with pytest.raises(DataError, match=message):
        metric(true, pred)


def test_options_are_checked():
    with pytest.raises(ValueError, match="not one of the labels"):
        get_metric("binary_f1", labels=("a", "b"), pos="c")
    with pytest.raises(ValueError, match="must be one of"):
        Metric("f2")
    with pytest.raises(UnknownNameError, match="macro_f1"):
        get_metric("macro_f2")
    with pytest.raises(DataError, match="has 2 labels"):
        get_metric("accuracy", labels=("a", "b")).from_confusion(np.eye(3))
    assert get_metric("binary_f1", labels=("a", "b")).pos == "b"


def test_scorer_follows_scikit_learn():
    from sklearn.dummy import DummyRegressor
    from sklearn.metrics import make_scorer

    rmse = get_metric("rmse")
    scorer = make_scorer(rmse, greater_is_better=rmse.greater_is_better)
    model = DummyRegressor().fit([[0], [1]], [0.0, 2.0])
    assert scorer(model, [[0], [1]], [0.0, 2.0]) == -1.0
    assert "rmse" in repr(scorer)
