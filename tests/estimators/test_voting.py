from __future__ import annotations

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from tweetclf import load, load_task, save
from tweetclf.estimators import (
    PowerWeightedClassifier,
    SoftVotingClassifier,
    majority,
    nbsvm,
    ngram_ensemble,
    tfidf_lr,
)
from tweetclf.exceptions import DataError

TASK = load_task("sample-sentiment")
TEXTS, LABELS = list(TASK.train.texts)[:300], np.asarray(TASK.train.labels)[:300]
UNSEEN = list(TASK.dev.texts)


class Counting(LogisticRegression):
    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        return super().fit(np.array([[len(x)] for x in X]), y)

    def predict_proba(self, X):
        return super().predict_proba(np.array([[len(x)] for x in X]))


def _members():
    return [("words", tfidf_lr()), ("ratios", nbsvm(learner="lr")), ("m", majority())]


@pytest.mark.parametrize("weights", [None, [1, 1, 1], [3, 0.5, 1]])
def test_equals_scikit_learns_soft_vote(weights):
    ours = SoftVotingClassifier(_members(), weights=weights).fit(TEXTS, LABELS)
    theirs = VotingClassifier(_members(), voting="soft", weights=weights)
    theirs.fit(TEXTS, LABELS)
    assert np.array_equal(ours.predict_proba(UNSEEN), theirs.predict_proba(UNSEEN))
    assert ours.predict(UNSEEN).tolist() == theirs.predict(UNSEEN).tolist()


def test_members_of_weight_0_are_not_fitted():
    Counting.fits = 0
    members = [("words", tfidf_lr()), ("counting", Counting())]
    vote = SoftVotingClassifier(members, weights=[1, 0]).fit(TEXTS, LABELS)
    assert Counting.fits == 0
    assert vote.named_estimators_["counting"] == "drop"
    alone = tfidf_lr().fit(TEXTS, LABELS)
    assert np.allclose(vote.predict_proba(UNSEEN), alone.predict_proba(UNSEEN))


def test_a_memory_fits_each_member_once_for_all_weights(tmp_path):
    Counting.fits = 0
    memory = joblib.Memory(tmp_path, verbose=0)
    members = [("words", tfidf_lr()), ("counting", Counting())]
    for weights in ([1, 1], [1, 2], [0, 1]):
        vote = SoftVotingClassifier(members, weights=weights, memory=memory)
        remembered = vote.fit(TEXTS, LABELS).predict_proba(UNSEEN)
        plain = clone(vote).set_params(memory=None)
        assert Counting.fits == 1
        fresh = plain.fit(TEXTS, LABELS).predict_proba(UNSEEN)
        assert np.array_equal(remembered, fresh)
        Counting.fits = 1


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1], "one weight a member"),
        ([1, -1], "0 or more"),
        ([0, 0], "not all 0"),
        ([np.inf, 1], "finite"),
    ],
)
def test_bad_weights_are_named(weights, said):
    members = _members()[:2]
    with pytest.raises(DataError, match=said):
        SoftVotingClassifier(members, weights=weights).fit(TEXTS, LABELS)


def test_dropped_members_and_later_weights_change_nothing_of_a_fitted_vote():
    vote = SoftVotingClassifier(_members()).set_params(ratios="drop")
    theirs = VotingClassifier(_members(), voting="soft").set_params(ratios="drop")
    vote.fit(TEXTS, LABELS)
    expected = theirs.fit(TEXTS, LABELS).predict_proba(UNSEEN)
    assert np.array_equal(vote.predict_proba(UNSEEN), expected)
    vote.set_params(weights=[1, 0, 0])
    assert np.array_equal(vote.predict_proba(UNSEEN), expected)
    with pytest.raises(DataError, match="a member must be left"):
        SoftVotingClassifier([("words", "drop")]).fit(TEXTS, LABELS)


def test_the_ensemble_is_saved_without_the_members_it_does_not_use(tmp_path):
    clf = ngram_ensemble().set_params(vote__estimator__weights=(0, 0, 0, 0, 1))
    clf.fit(TEXTS, LABELS)
    save(clf, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(UNSEEN), clf.predict_proba(UNSEEN))


@pytest.mark.parametrize(
    ("power", "class_weight"),
    [(1.0, "balanced"), (0.0, None), (0.5, {"a": 0.6**0.5, "b": 3.0**0.5})],
)
def test_powers_of_balanced_weights(power, class_weight):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = np.array(["a"] * 50 + ["b"] * 10)
    expected = LogisticRegression(class_weight=class_weight).fit(X, y)
    ours = PowerWeightedClassifier(LogisticRegression(), power=power).fit(X, y)
    assert np.allclose(ours.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    assert ours.predict(X).tolist() == expected.predict(X).tolist()


@parametrize_with_checks([PowerWeightedClassifier(LogisticRegression())])
def test_weighted_classifiers_pass_scikit_learns_battery(estimator, check):
    check(estimator)


def test_a_missing_label_is_named():
    with pytest.raises(DataError, match=r"y\[1\]"):
        PowerWeightedClassifier(LogisticRegression()).fit([[0.0], [1.0]], [1.0, None])
