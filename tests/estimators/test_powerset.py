"""LabelPowerset: triples as five classes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV

from tweetclf.estimators import (
    LabelPowerset,
    NBSVMClassifier,
    atalaya_lr,
    nbsvm,
    tfidf_lr,
)
from tweetclf.exceptions import DataError

# HatEval's five: HS, TR, AG.
TRIPLES = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]])
WORDS = ["hola", "fuera", "largo", "tonto", "imbécil"]
TEXTS = [f"{word} {noise}" for noise in ("uno", "dos", "tres") for word in WORDS]
Y = np.tile(TRIPLES, (3, 1))


def powerset():
    return LabelPowerset(nbsvm())


class Memory(ClassifierMixin, BaseEstimator):
    """Predict the label that a text had in training."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.memory_ = dict(zip(X, y, strict=True))
        self.weight_ = sample_weight
        return self

    def predict(self, X):
        return np.array([self.memory_[x] for x in X])


def test_triples_are_five_classes_and_come_back():
    clf = powerset().fit(TEXTS, Y)
    assert clf.estimator_.classes_.tolist() == ["000", "100", "101", "110", "111"]
    assert_array_equal(clf.combinations_, TRIPLES)
    assert_array_equal(clf.predict(TEXTS), Y)
    assert clf.n_labels_ == 3
    assert [classes.tolist() for classes in clf.classes_] == [[0, 1]] * 3


def test_score_is_the_exact_match_ratio():
    clf = powerset().fit(TEXTS, Y)
    gold = Y.copy()
    gold[:4, 0] = 1 - gold[:4, 0]
    predicted = clf.predict(TEXTS)
    assert clf.score(TEXTS, gold) == accuracy_score(gold, predicted) == 11 / 15
    weight = np.r_[np.full(4, 3.0), np.ones(11)]
    assert clf.score(TEXTS, gold, sample_weight=weight) == pytest.approx(11 / 23)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, float])
def test_dtype_of_the_matrix_comes_back(dtype):
    predicted = powerset().fit(TEXTS, Y.astype(dtype)).predict(TEXTS)
    assert predicted.dtype == dtype
    assert_array_equal(predicted, Y.astype(dtype))


def test_strings_of_bits():
    bits = ["".join(map(str, row)) for row in Y.tolist()]
    clf = powerset().fit(TEXTS, bits)
    assert clf.layout_ == "bits"
    assert clf.predict(TEXTS).tolist() == bits
    assert clf.score(TEXTS, bits) == clf.score(TEXTS, Y) == 1.0


def test_joined_names():
    names = ["", "HS", "HS+AG", "HS+TR", "HS+TR+AG"] * 3
    clf = LabelPowerset(nbsvm(), labels=["HS", "TR", "AG"]).fit(TEXTS, names)
    assert clf.layout_ == "names"
    assert clf.predict(TEXTS).tolist() == names
    assert clf.score(TEXTS, names) == clf.score(TEXTS, Y) == 1.0
    # Another order of the names is the same set, and comes back in ours.
    swapped = LabelPowerset(nbsvm(), labels=["HS", "TR", "AG"])
    swapped.fit(TEXTS, [name.replace("HS+AG", "AG+HS") for name in names])
    assert swapped.predict(TEXTS).tolist() == names


def test_unseen_combinations_are_never_predicted():
    clf = powerset().fit(TEXTS, Y)
    seen = set(map(tuple, TRIPLES.tolist()))
    mixed = [f"{a} {b}" for a in WORDS for b in WORDS]
    assert set(map(tuple, clf.predict(mixed).tolist())) <= seen


def test_probabilities_are_sums_over_combinations():
    clf = LabelPowerset(tfidf_lr()).fit(TEXTS, Y)
    inner = clf.estimator_.predict_proba(TEXTS)
    expected = np.column_stack(
        [inner[:, TRIPLES[:, label] == 1].sum(axis=1) for label in range(3)]
    )
    assert_allclose(clf.predict_proba(TEXTS), expected, atol=1e-12)
    assert not hasattr(powerset(), "predict_proba")


def test_subtask_b_recipe():
    clf = LabelPowerset(atalaya_lr(without="emb")).fit(TEXTS, Y)
    assert clf.score(TEXTS, Y) == 1.0
    assert clf.estimator_["lr"].coef_.shape[0] == 5


def test_grid_search_over_the_inner_estimator():
    grid = {"estimator__nbsvm__C": [0.1, 1.0]}
    search = GridSearchCV(powerset(), grid, cv=3).fit(TEXTS, Y)
    assert search.best_score_ > 0.5


def test_fit_parameters_reach_the_classifier():
    weight = np.arange(15.0)
    clf = LabelPowerset(Memory()).fit(TEXTS, Y, sample_weight=weight)
    assert_array_equal(clf.estimator_.weight_, weight)
    with config_context(enable_metadata_routing=True):
        inner = Memory().set_fit_request(sample_weight=True)
        clf = LabelPowerset(inner).fit(TEXTS, Y, sample_weight=weight)
        assert_array_equal(clf.estimator_.weight_, weight)
        ignoring = Memory().set_fit_request(sample_weight=False)
        with pytest.raises(TypeError, match="sample_weight"):
            LabelPowerset(ignoring).fit(TEXTS, Y, sample_weight=weight)
        with pytest.raises(ValueError, match="sample_weight"):
            LabelPowerset(Memory()).fit(TEXTS, Y, sample_weight=weight)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["HS"] * 15, "strings of 0 and 1 of one length"),
        (["01", "1"] + ["11"] * 13, "strings of 0 and 1 of one length"),
        (list(range(15)), r"indicator matrix or strings such as '101'"),
        (np.full((15, 2), 2), "0 and 1 only"),
        (np.zeros((15, 0)), "indicator matrix, one column a label"),
        (None, "target y is None"),
        (Y[:-1], "14|inconsistent"),
    ],
)
def test_other_y_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        LabelPowerset(NBSVMClassifier()).fit(TEXTS, y)


def test_unknown_name_is_refused_with_its_place():
    clf = LabelPowerset(nbsvm(), labels=["HS", "TR"])
    with pytest.raises(DataError, match=r"y\[1\] is 'HS.AG', and 'AG' is not one of"):
        clf.fit(TEXTS, ["HS", "HS+AG"] + ["TR"] * 13)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda k: st.lists(
            st.lists(st.integers(0, 1), min_size=k, max_size=k), min_size=1
        )
    )
)
def test_any_matrix_comes_back(rows):
    texts = [f"t{i}" for i in range(len(rows))]
    clf = LabelPowerset(Memory()).fit(texts, rows)
    assert clf.predict(texts).tolist() == rows
    assert clf.score(texts, rows) == 1.0
