"""OneVsRestLogisticRegression against liblinear's binary problems."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from tweetclf.estimators import OneVsRestLogisticRegression
from tweetclf.estimators.liblinear import normalise_one_vs_rest
from tweetclf.exceptions import DataError

X, Y = make_classification(
    n_samples=150, n_features=12, n_informative=8, n_classes=3,
    weights=[0.6, 0.3, 0.1], random_state=0,
)  # fmt: skip
TIGHT = {"tol": 1e-10, "max_iter": 10_000}


@parametrize_with_checks([OneVsRestLogisticRegression(random_state=0)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_two_classes_equal_liblinear():
    y = np.where(Y == 0, "no", "yes")
    for options in ({"C": 0.3}, {"class_weight": "balanced"}, {"dual": True}):
        ours = OneVsRestLogisticRegression(random_state=0, **TIGHT, **options)
        oracle = LogisticRegression(
            solver="liblinear", random_state=0, **TIGHT, **options
        )
        ours.fit(X, y)
        oracle.fit(X, y)
        assert_allclose(ours.coef_, oracle.coef_, atol=1e-10)
        assert_allclose(ours.intercept_, oracle.intercept_, atol=1e-10)
        assert_allclose(ours.predict_proba(X), oracle.predict_proba(X), atol=1e-10)
        assert_array_equal(ours.predict(X), oracle.predict(X))


def test_three_classes_without_weights_equal_one_vs_rest():
    ours = OneVsRestLogisticRegression(random_state=0).fit(X, Y)
    oracle = OneVsRestClassifier(LogisticRegression(solver="liblinear")).fit(X, Y)
    assert_allclose(ours.predict_proba(X), oracle.predict_proba(X), atol=1e-3)
    assert_allclose(ours.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("make", [LinearSVC, LogisticRegression])
def test_class_weights_are_liblinears(make):
    """scikit-learn's LinearSVC still runs liblinear on all classes at once.

    It shows which weights the multi-class problems of the old LogisticRegression had:
    those of the class on its own side, and 1 on the other.
    """
    weights = len(Y) / (3 * np.bincount(Y))
    whole = LinearSVC(class_weight="balanced", dual=False, **TIGHT).fit(X, Y)
    ours = OneVsRestLogisticRegression(class_weight="balanced", **TIGHT).fit(X, Y)
    coef = whole.coef_ if make is LinearSVC else ours.coef_
    options = {"dual": False} if make is LinearSVC else {"solver": "liblinear"}
    for k in range(3):
        binary = make(class_weight={0: 1.0, 1: weights[k]}, **TIGHT, **options)
        binary.fit(X, (k == Y).astype(int))
        assert_allclose(coef[k], binary.coef_[0], atol=1e-6)
    both_sides = OneVsRestClassifier(
        LogisticRegression(solver="liblinear", class_weight="balanced", **TIGHT)
    ).fit(X, Y)
    assert np.abs(both_sides.estimators_[2].coef_[0] - ours.coef_[2]).max() > 1e-3


def test_sparse_equals_dense():
    dense = OneVsRestLogisticRegression().fit(X, Y)
    for container in (sparse.csr_matrix, sparse.csr_array, sparse.coo_array):
        fitted = OneVsRestLogisticRegression().fit(container(X), Y)
        assert_allclose(fitted.coef_, dense.coef_, atol=1e-6)
        assert_array_equal(fitted.predict(container(X)), dense.predict(X))


def test_one_class_is_refused():
    with pytest.raises(DataError, match="at least 2 classes; y holds 1 class"):
        OneVsRestLogisticRegression().fit(X, np.zeros(len(X)))
    with pytest.raises(DataError, match="at least 2 classes"):
        OneVsRestLogisticRegression().fit(X, Y, sample_weight=(Y == 1).astype(float))


def test_normalisation_survives_underflow():
    proba = normalise_one_vs_rest(np.array([[-800.0, -900.0], [1.0, -1.0]]))
    assert_allclose(proba[0], [0.5, 0.5])
    assert_allclose(proba.sum(axis=1), 1)
    assert_allclose(normalise_one_vs_rest(np.array([0.0, 50.0]))[:, 1], [0.5, 1.0])


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_labels_are_named(missing):
    labels = ["a", "b", missing, "a"]
    for y in (labels, np.array(labels, dtype=object)):
        with pytest.raises(DataError, match=r"missing value.*y\[2\]"):
            OneVsRestLogisticRegression().fit(np.eye(4), y)
