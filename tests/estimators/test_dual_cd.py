"""The compiled dual solver gives scikit-learn's LinearSVC, bit for bit."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from tweetclf import load_task
from tweetclf.estimators.dual_cd import fit_linear_svc, runs_compiled
from tweetclf.utils.jit import has_numba

compiled = pytest.mark.skipif(not has_numba(), reason="needs Numba")


def _problem(seed, n=60, d=200, n_classes=2, density=0.05):
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n, d), density=density, format="csr", rng=rng)
    y = rng.permutation(np.arange(n) % n_classes)
    return X, y


def _fitted(fit, X, y, weight=None, **options):
    model = LinearSVC(**options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, X, y, weight)
    return model, [(w.category, str(w.message)) for w in caught]


def assert_equal_fits(X, y, weight=None, **options):
    theirs, their_warnings = _fitted(LinearSVC.fit, X, y, weight, **options)
    ours, our_warnings = _fitted(fit_linear_svc, X, y, weight, **options)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)
    np.testing.assert_array_equal(ours.intercept_, theirs.intercept_)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.n_iter_ == theirs.n_iter_
    assert type(ours.n_iter_) is type(theirs.n_iter_)
    assert type(ours.intercept_) is type(theirs.intercept_)
    assert ours.coef_.flags.f_contiguous == theirs.coef_.flags.f_contiguous
    assert ours.n_features_in_ == theirs.n_features_in_
    assert our_warnings == their_warnings
    assert vars(ours).keys() == vars(theirs).keys()


@given(
    seed=st.integers(0, 2**31 - 1),
    n=st.integers(4, 80),
    n_classes=st.integers(2, 5),
    loss=st.sampled_from(["hinge", "squared_hinge"]),
    C=st.sampled_from([0.01, 1.0, 30.0]),
    intercept=st.sampled_from([0.0, 1.0, 3.5]),
    class_weight=st.sampled_from([None, "balanced", {0: 2.5, 1: 0.5}]),
    weighted=st.booleans(),
    max_iter=st.sampled_from([1, 7, 1000]),
)
@settings(max_examples=80, deadline=None)
def test_equal_on_random_problems(
    seed, n, n_classes, loss, C, intercept, class_weight, weighted, max_iter
):
    X, y = _problem(seed, max(n, n_classes), n_classes=n_classes)
    rng = np.random.default_rng(seed)
    assert_equal_fits(
        X,
        y,
        rng.choice([0.0, 0.5, 1.0, 2.0], size=len(y)) if weighted else None,
        loss=loss,
        C=C,
        fit_intercept=intercept > 0,
        intercept_scaling=intercept or 1.0,
        class_weight=class_weight,
        max_iter=max_iter,
        dual=True,
        random_state=seed,
    )


@compiled
@pytest.mark.parametrize("seed", range(20))
def test_long_streams_of_random_numbers(seed):
    # Many epochs use up many periods of the generator.
    X, y = _problem(seed, n=300, d=400, n_classes=3)
    assert_equal_fits(X, y, C=100.0, max_iter=400, random_state=seed)


@pytest.mark.parametrize("task", ["sample-sentiment", "sample-humor"])
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_equal_on_real_tweets(task, C):
    split = load_task(task).train
    X = TfidfVectorizer(analyzer="char", ngram_range=(1, 5)).fit_transform(split.texts)
    for y in (split.labels, np.asarray(split.labels, dtype=object)):
        assert_equal_fits(X, y, C=C, random_state=3, class_weight="balanced")


def test_unsorted_indices_and_64_bit_indices():
    X, y = _problem(5)
    backwards = X.copy()
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        backwards.indices[start:stop] = X.indices[start:stop][::-1]
        backwards.data[start:stop] = X.data[start:stop][::-1]
    backwards.has_sorted_indices = False
    assert_equal_fits(backwards, y, random_state=0)
    wide = X.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), X.indptr.astype(np.int64)
    for fit in (LinearSVC.fit, fit_linear_svc):
        with pytest.raises(ValueError, match="64"):
            fit(LinearSVC(), wide, y)


def test_random_states():
    X, y = _problem(7)
    ours = fit_linear_svc(LinearSVC(random_state=np.random.RandomState(4)), X, y)
    theirs = LinearSVC(random_state=np.random.RandomState(4)).fit(X, y)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)


@pytest.mark.parametrize(
    "options",
    [
        {"dual": False},
        {"dual": False, "penalty": "l1"},
        {"multi_class": "crammer_singer"},
        {"dual": "auto"},
    ],
)
def test_other_problems_are_left_to_scikit_learn(options):
    X, y = _problem(1, n=120, d=80)
    assert not runs_compiled(LinearSVC(**options), X.shape)
    assert_equal_fits(X, y, random_state=0, **options)


def test_dense_matrices_other_types_and_subclasses_are_left_to_scikit_learn():
    class Mine(LinearSVC):
        pass

    X, y = _problem(2)
    assert not runs_compiled(Mine(), X.shape)
    for matrix in (X.toarray(), X.tocsc(), X.astype(np.float32)):
        assert_equal_fits(matrix, y, random_state=0)
    np.testing.assert_array_equal(
        fit_linear_svc(Mine(random_state=0), X, y).coef_,
        LinearSVC(random_state=0).fit(X, y).coef_,
    )


def test_errors_are_scikit_learns():
    X, y = _problem(3)
    for options, labels in (
        ({"C": -1.0}, y),
        ({}, np.zeros(len(y))),
        ({"intercept_scaling": 0.0}, y),
        ({}, y[1:]),
        ({"loss": "hinge", "dual": False}, y),
    ):
        messages = []
        for fit in (LinearSVC.fit, fit_linear_svc):
            with pytest.raises(ValueError) as caught:  # noqa: PT011
                fit(LinearSVC(**options), X, labels)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


def test_a_class_that_weighs_nothing():
    X, y = _problem(4, n_classes=3)
    assert_equal_fits(X, y, np.where(y == 2, 0.0, 1.0), random_state=0)


def test_the_input_stays_as_it_is():
    X, y = _problem(6)
    before = X.copy()
    fit_linear_svc(LinearSVC(random_state=0), X, y)
    assert (X.data == before.data).all()
    assert (X.indices == before.indices).all()
    assert X.data.flags.writeable


@compiled
def test_threads_get_what_they_would_get_alone():
    X, y = _problem(8, n=400, d=900)
    costs = [0.1, 1.0, 10.0, 100.0] * 4
    alone = [LinearSVC(C=C, random_state=0, tol=1e-6).fit(X, y).coef_ for C in costs]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(
            lambda C: (
                fit_linear_svc(LinearSVC(C=C, random_state=0, tol=1e-6), X, y).coef_
            ),
            costs,
        )
        for ours, theirs in zip(together, alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_without_numba_scikit_learn_does_it(monkeypatch):
    monkeypatch.setenv("TWEETCLF_NUMBA", "0")
    X, y = _problem(9)
    assert not runs_compiled(LinearSVC(), X.shape)
    assert_equal_fits(X, y, random_state=0)


def test_an_unconverged_fit_warns_once():
    X, y = _problem(10)
    with pytest.warns(ConvergenceWarning, match="failed to converge") as caught:
        fit_linear_svc(LinearSVC(C=100.0, max_iter=2, random_state=0), X, y)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "hinge", "fit_intercept": False},
        {"loss": "hinge"},
        {"class_weight": {0: 0.0}},
    ],
)
def test_empty_rows_and_weights_of_0_are_liblinears(options):
    X = sparse.csr_array(np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]))
    y = [0, 1, 0, 1]
    options = {"random_state": 0, "dual": True, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = fit_linear_svc(LinearSVC(**options), X, y)
        theirs = LinearSVC(**options).fit(X, y)
    assert np.array_equal(ours.coef_, theirs.coef_, equal_nan=True)
    assert np.array_equal(ours.intercept_, theirs.intercept_, equal_nan=True)
