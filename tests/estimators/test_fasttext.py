"""FastTextClassifier against the gradient written out, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.utils.estimator_checks import parametrize_with_checks

from tweetclf.estimators import FastTextClassifier, fasttext
from tweetclf.exceptions import DataError
from tweetclf.utils.jit import has_numba

RNG = np.random.default_rng(0)
X = RNG.poisson(0.6, (60, 12)).astype(float)
Y = np.array(["a", "b", "c"])[X[:, :3].argmax(axis=1)]


@parametrize_with_checks([FastTextClassifier(random_state=0, max_iter=60)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def _softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


@pytest.mark.parametrize("compiled", ["1", "0"])
def test_one_epoch_is_gradient_descent_on_the_log_loss(monkeypatch, compiled):
    """Each step is the numerical gradient of the row's loss, taken once."""
    monkeypatch.setenv("TWEETCLF_NUMBA", compiled)
    rows = X[:1]
    clf = FastTextClassifier(
        n_components=4, max_iter=1, learning_rate=0.7, random_state=3
    )
    # Of two equal rows the first leaves coef_ other than 0, the second moves both.
    rows = np.vstack([rows, rows])
    labels = np.array([0, 1])
    clf.fit(rows, labels)
    clf_start = FastTextClassifier(
        n_components=4, max_iter=1, learning_rate=1e-30, random_state=3
    ).fit(rows, labels)
    embedding = clf_start.embedding_.astype(float)
    coef = np.zeros((2, 4))

    def loss(embedding, coef, label):
        # The end of the text is a feature of its own.
        counts = np.append(rows[0], 1.0)
        hidden = counts @ embedding / counts.sum()
        return -np.log(_softmax(coef @ hidden)[label])

    def slopes(function, at):
        grad = np.zeros_like(at)
        for index in np.ndindex(at.shape):
            step = np.zeros_like(at)
            step[index] = 1e-6
            grad[index] = (function(at + step) - function(at - step)) / 2e-6
        return grad

    candidates = []
    for order in ((0, 1), (1, 0)):
        e, o = embedding.copy(), coef.copy()
        for k, label in enumerate(order):
            rate = 0.7 * (1 - k / 2)
            de = slopes(lambda v, o=o, y=label: loss(v, o, y), e)
            do = slopes(lambda v, e=e, y=label: loss(e, v, y), o)
            e, o = e - rate * de, o - rate * do
        candidates.append((e, o))
    # The order of the two rows is the seed's.
    assert any(
        np.allclose(clf.coef_, o, atol=1e-5)
        and np.allclose(clf.embedding_, e, atol=1e-5)
        for e, o in candidates
    )


@pytest.mark.skipif(not has_numba(), reason="needs the extra fast")
@pytest.mark.parametrize("y", [Y, np.column_stack([Y == "a", Y != "c"]).astype(int)])
def test_numpy_learns_what_the_kernel_learns(monkeypatch, y):
    fits = []
    for compiled in ("1", "0"):
        monkeypatch.setenv("TWEETCLF_NUMBA", compiled)
        fits.append(FastTextClassifier(random_state=1, max_iter=10).fit(X, y))
    assert_allclose(fits[0].coef_, fits[1].coef_, atol=1e-4)
    assert_allclose(fits[0].embedding_, fits[1].embedding_, atol=1e-4)


def test_it_learns_and_reads_sparse_and_dense_alike():
    clf = FastTextClassifier(random_state=0, max_iter=100, learning_rate=0.5)
    dense = clf.fit(X, Y).predict_proba(X)
    assert np.mean(clf.predict(X) == Y) > 0.9
    assert_array_equal(clf.fit(sparse.csr_matrix(X), Y).predict_proba(X), dense)


def test_features_never_seen_leave_the_mean_alone():
    texts = ["que se vayan todos", "buen dia a todos"] * 3
    clf = fasttext().fit(texts, [1, 0] * 3)
    known, more = clf.predict_proba(["buen dia", "buen dia xilófono"])
    assert_array_equal(known, more)
    assert_array_equal(clf.predict_proba(["xilófono"]), clf.predict_proba([""]))


def test_balanced_weights_are_factors_of_the_rate():
    y = np.where(np.arange(60) < 6, 1, 0)
    plain, balanced = (
        FastTextClassifier(random_state=0, max_iter=100, class_weight=w)
        .fit(X, y)
        .predict_proba(X)
        for w in (None, "balanced")
    )
    assert balanced[:, 1].mean() > plain[:, 1].mean() * 1.5


def test_a_rate_too_high_and_weights_of_labels_are_refused():
    with pytest.raises(DataError, match="learning_rate"), np.errstate(all="ignore"):
        FastTextClassifier(learning_rate=1e30, random_state=0).fit(X, Y)
    with pytest.raises(DataError, match="class_weight"):
        FastTextClassifier(class_weight="balanced").fit(X, np.eye(3)[[0, 1, 2] * 20])
