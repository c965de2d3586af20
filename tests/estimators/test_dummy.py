"""Baselines that do not read the words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.dummy import DummyClassifier, DummyRegressor

from tweetclf.estimators import TextDummyClassifier, TextDummyRegressor
from tweetclf.exceptions import DataError

MANY = [f"tuit {i}" for i in range(4000)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1),
    st.data(),
)
def test_most_frequent_equals_scikit_learns(labels, data):
    weight = data.draw(
        st.lists(
            st.integers(0, 4).map(float), min_size=len(labels), max_size=len(labels)
        ).filter(any)
    )
    texts = ["x"] * len(labels)
    ours = TextDummyClassifier().fit(texts, labels, sample_weight=weight)
    oracle = DummyClassifier(strategy="most_frequent")
    oracle.fit(texts, labels, sample_weight=weight)
    assert ours.predict(["nuevo"]) == oracle.predict(["nuevo"])
    assert ours.predict_proba(["nuevo"]).max() == 1


def test_guesses_have_the_training_frequencies():
    labels = ["a"] * 70 + ["b"] * 20 + ["c"] * 10
    clf = TextDummyClassifier(strategy="stratified", random_state=0)
    clf.fit(["x"] * 100, labels)
    assert_allclose(clf.class_prior_, [0.7, 0.2, 0.1])
    _, counts = np.unique(clf.predict(MANY), return_counts=True)
    # Four standard deviations of a binomial share.
    share = np.array([0.7, 0.2, 0.1])
    deviation = np.sqrt(share * (1 - share) / len(MANY))
    assert (np.abs(counts / len(MANY) - share) < 4 * deviation).all()


def test_guess_depends_on_text_and_seed_alone():
    guesses = {}
    for seed in (0, 1):
        clf = TextDummyClassifier(strategy="stratified", random_state=seed)
        guesses[seed] = clf.fit(MANY[:2], [0, 1]).predict(MANY)
        assert_array_equal(clf.predict(MANY[::-1]), guesses[seed][::-1])
        assert clf.predict(MANY[5:6])[0] == guesses[seed][5]
    # Two fair coins agree half of the time.
    assert 0.45 < (guesses[0] == guesses[1]).mean() < 0.55


def test_columns_of_an_indicator_matrix_are_guessed_apart():
    y = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 0]], dtype=np.int8)
    clf = TextDummyClassifier(strategy="stratified", random_state=0)
    guess = clf.fit(MANY[:4], y).predict(MANY)
    assert guess.dtype == np.int8
    assert_allclose(guess.mean(axis=0), [0.5, 0.5, 0.25], atol=0.03)
    assert abs(np.corrcoef(guess[:, 0], guess[:, 1])[0, 1]) < 0.06
    assert_array_equal(clf.predict_proba(MANY), guess)
    most = TextDummyClassifier().fit(MANY[:3], y[[0, 2, 3]]).predict(["x"])
    assert most.tolist() == [[1, 1, 0]]


def test_pairs_are_told_apart_by_where_they_are_cut():
    clf = TextDummyClassifier(strategy="stratified", pairs=True, random_state=0)
    clf.fit([("a", "b"), ("c", "d")], [0, 1])
    left = clf.predict([(f"{i}", "bc") for i in range(300)])
    right = clf.predict([(f"{i}b", "c") for i in range(300)])
    assert 0.3 < (left == right).mean() < 0.7


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_regressor_equals_scikit_learns(targets):
    for strategy in ("mean", "median"):
        ours = TextDummyRegressor(strategy=strategy).fit(["x"] * len(targets), targets)
        oracle = DummyRegressor(strategy=strategy).fit([[0]] * len(targets), targets)
        assert_allclose(
            ours.predict(["y"]), oracle.predict([[0]]), rtol=1e-9, atol=1e-9
        )


def test_weighted_median_is_that_of_repetition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        y = rng.normal(size=7).round(1)
        weight = rng.integers(1, 4, size=7)
        ours = TextDummyRegressor(strategy="median")
        ours.fit(["x"] * 7, y, sample_weight=weight.astype(float))
        assert ours.constant_ == np.median(np.repeat(y, weight))


def test_bad_targets_are_refused():
    reg = TextDummyRegressor()
    with pytest.raises(DataError, match="expected numbers in y"):
        reg.fit(["a", "b"], ["uno", "dos"])
    with pytest.raises(DataError, match=r"infinite number at y\[1\]"):
        reg.fit(["a", "b"], [0.0, np.inf])
    with pytest.raises(DataError, match=r"missing value .* y\[1\]"):
        reg.fit(["a", "b"], [0.0, np.nan])
    with pytest.raises(DataError, match="1-D"):
        reg.fit(["a", "b"], [[0.0], [1.0]])
    with pytest.raises(DataError, match="0 texts"):
        TextDummyClassifier().fit([], [])
    with pytest.raises(ValueError, match="'strategy' parameter"):
        TextDummyClassifier(strategy="uniform").fit(["a"], [0])


def test_without_a_seed_fits_differ_and_numpys_generator_is_left_alone():
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    keys = {
        TextDummyClassifier(strategy="stratified").fit(["a"], [0]).key_
        for _ in range(3)
    }
    assert len(keys) == 3
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
