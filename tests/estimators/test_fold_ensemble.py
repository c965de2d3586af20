"""FoldEnsemble and SeedEnsemble over classical learners and over ones that tell."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold

from tweetclf.estimators import (
    FoldEnsemble,
    SeedEnsemble,
    nbsvm,
    stratified,
    tfidf_lr,
    tfidf_ridge,
)
from tweetclf.exceptions import DataError
from tweetclf.testing._data import make_corpus

TEXTS, LABELS = make_corpus(2)
Y = np.array(LABELS)
NUMBERS = np.array([len(text) / 10 for text in TEXTS])
THREE, _ = make_corpus(3)
INDICATOR = np.array([["te" in text, "en" in text] for text in THREE]).astype(int)


class Witness(ClassifierMixin, BaseEstimator):
    """Remembers what it was shown; scores by its seed."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, *, right_from: int = 0, random_state: int | None = None) -> None:
        self.right_from = right_from
        self.random_state = random_state

    def fit(self, X: Any, y: Any, X_val: Any = None, y_val: Any = None) -> Any:
        self.classes_ = np.unique(y)
        self.seen.append(
            {"X": list(X), "X_val": X_val, "y_val": y_val, "seed": self.random_state}
        )
        self.known_ = dict(zip(TEXTS, LABELS, strict=True))
        return self

    def predict(self, X: Any) -> Any:
        if (self.random_state or 0) >= self.right_from:
            return np.array([self.known_[text] for text in X])
        return np.array([self.classes_[0]] * len(X))


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    Witness.seen.clear()


def test_it_is_the_mean_of_the_copies_of_sorted_stratified_folds() -> None:
    ensemble = FoldEnsemble(tfidf_lr(), n_splits=4, random_state=3).fit(TEXTS, LABELS)
    order = np.argsort(np.array(TEXTS, dtype=object), kind="stable")
    texts, y = [TEXTS[i] for i in order], Y[order]
    folds = StratifiedKFold(4, shuffle=True, random_state=3).split(texts, y)
    total, scores = np.zeros((len(TEXTS), 2)), []
    for inside, outside in folds:
        copy = tfidf_lr(random_state=3).fit([texts[i] for i in inside], y[inside])
        total += copy.predict_proba(TEXTS)
        scores.append(copy.score([texts[i] for i in outside], y[outside]))
    np.testing.assert_allclose(ensemble.predict_proba(TEXTS), total / 4, atol=1e-12)
    np.testing.assert_allclose(ensemble.scores_, scores)
    assert ensemble.validation_score_ == pytest.approx(np.mean(scores))
    best = ensemble.classes_[total.argmax(axis=1)]
    assert (ensemble.predict(TEXTS) == best).all()
    assert is_classifier(ensemble)


def test_folds_may_be_cut_as_the_released_code_did() -> None:
    FoldEnsemble(Witness(random_state=5), n_splits=3, stratify=False, fold_seed=9).fit(
        TEXTS, LABELS
    )
    texts = sorted(TEXTS)
    folds = KFold(3, shuffle=True, random_state=9).split(texts)
    for seen, (inside, outside) in zip(Witness.seen, folds, strict=True):
        assert seen["X"] == [texts[i] for i in inside]
        assert seen["X_val"] == [texts[i] for i in outside]
        assert seen["seed"] == 5  # copies keep their own where none is given


def test_copies_that_can_are_shown_the_fold_they_were_not_trained_on() -> None:
    FoldEnsemble(Witness(), n_splits=4, random_state=1).fit(TEXTS, LABELS)
    known = dict(zip(TEXTS, LABELS, strict=True))
    shown = [text for seen in Witness.seen for text in seen["X_val"]]
    assert sorted(shown) == sorted(TEXTS)
    for seen in Witness.seen:
        assert not set(seen["X"]) & set(seen["X_val"])
        assert [known[text] for text in seen["X_val"]] == seen["y_val"].tolist()
        assert seen["seed"] == 1


def test_a_class_that_a_fold_lacks_gets_no_probability_from_it() -> None:
    texts = [*TEXTS[:12], "caso único"]
    y = [*LABELS[:12], "raro"]
    ensemble = FoldEnsemble(tfidf_lr(), n_splits=3, random_state=0).fit(texts, y)
    assert ensemble.classes_.tolist() == ["bien", "mal", "raro"]
    widths = sorted(len(member.classes_) for member in ensemble.estimators_)
    assert widths == [2, 3, 3]
    proba = ensemble.predict_proba(texts)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    rare = [
        member.predict_proba(texts)[:, -1]
        for member in ensemble.estimators_
        if len(member.classes_) == 3
    ]
    np.testing.assert_allclose(proba[:, 2], np.sum(rare, axis=0) / 3)


def test_members_without_probabilities_vote() -> None:
    ensemble = FoldEnsemble(nbsvm(), n_splits=3, random_state=0).fit(TEXTS, LABELS)
    votes = np.array([member.predict(TEXTS) for member in ensemble.estimators_])
    n_good = (votes == "bien").sum(axis=0)
    expected = np.where(n_good >= 2, "bien", "mal")
    assert (ensemble.predict(TEXTS) == expected).all()
    assert not hasattr(ensemble, "predict_proba")


def test_numbers_are_averaged_and_scored_by_r2() -> None:
    ensemble = FoldEnsemble(tfidf_ridge(), n_splits=3, random_state=0)
    ensemble.fit(TEXTS, NUMBERS)
    members = [member.predict(TEXTS) for member in ensemble.estimators_]
    np.testing.assert_allclose(ensemble.predict(TEXTS), np.mean(members, axis=0))
    expected = r2_score(NUMBERS, ensemble.predict(TEXTS))
    assert ensemble.score(TEXTS, NUMBERS) == pytest.approx(expected)
    assert not hasattr(ensemble, "classes_")


def test_labels_of_an_indicator_matrix_are_averaged_one_by_one() -> None:
    ensemble = FoldEnsemble(
        tfidf_lr(multilabel=True), n_splits=3, scoring="f1_macro", random_state=0
    ).fit(THREE, INDICATOR)
    proba = np.mean([m.predict_proba(THREE) for m in ensemble.estimators_], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(THREE), proba)
    assert (ensemble.predict(THREE) == (proba > 0.5)).all()


def test_the_score_can_be_chosen() -> None:
    ensemble = FoldEnsemble(tfidf_lr(), n_splits=2, scoring="f1_macro", random_state=0)
    ensemble.fit(TEXTS, LABELS)
    order = np.argsort(np.array(TEXTS, dtype=object), kind="stable")
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    for member, score, (_, outside) in zip(
        ensemble.estimators_,
        ensemble.scores_,
        folds.split(order, Y[order]),
        strict=True,
    ):
        rows = order[outside]
        predicted = member.predict([TEXTS[i] for i in rows])
        assert score == pytest.approx(f1_score(Y[rows], predicted, average="macro"))


def test_too_few_texts_or_one_class_in_a_fold_are_refused() -> None:
    with pytest.raises(DataError, match="cannot cut 3 texts into n_splits=5"):
        FoldEnsemble(tfidf_lr()).fit(TEXTS[:3], LABELS[:3])
    with pytest.raises(DataError, match="all training texts are of one class"):
        FoldEnsemble(tfidf_lr(), n_splits=3, random_state=0).fit(
            TEXTS[:7], ["mal"] * 6 + ["bien"]
        )


def test_the_best_seed_by_validation_is_kept() -> None:
    # Seeds from 40 on are right; of equally good ones the first is kept.
    witness = Witness(right_from=40)
    ensemble = SeedEnsemble(witness, seeds=[7, 41, 52], random_state=0)
    ensemble.fit(TEXTS, LABELS)
    assert ensemble.chosen_ == [1]
    assert ensemble.scores_[1:].tolist() == [1.0, 1.0]
    assert ensemble.scores_[0] < 1.0
    assert ensemble.validation_score_ == 1.0
    assert [member.random_state for member in ensemble.estimators_] == [41]
    held = Witness.seen[0]["X_val"]
    assert len(held) == round(0.1 * len(TEXTS))
    for seen in Witness.seen:
        assert seen["X_val"] == held
        assert sorted([*seen["X"], *held]) == sorted(TEXTS)


def test_all_seeds_are_kept_without_holding_anything_out() -> None:
    ensemble = SeedEnsemble(Witness(), n_seeds=4, n_best="all", random_state=0)
    ensemble.fit(TEXTS, LABELS)
    assert all(seen["X"] == sorted(TEXTS) for seen in Witness.seen)
    assert len(set(ensemble.seeds_)) == 4
    assert all(1 <= seed <= 10**6 for seed in ensemble.seeds_)
    assert np.isnan(ensemble.scores_).all()
    again = SeedEnsemble(Witness(), n_seeds=4, n_best="all", random_state=0)
    assert again.fit(TEXTS, LABELS).seeds_ == ensemble.seeds_


def test_seeds_of_folds_are_compared_by_the_folds_alone() -> None:
    inner = FoldEnsemble(Witness(right_from=40), n_splits=2, fold_seed=3)
    ensemble = SeedEnsemble(inner, seeds=[1, 60], random_state=0).fit(TEXTS, LABELS)
    assert ensemble.chosen_ == [1]
    assert ensemble.scores_.tolist()[1] == 1.0
    # The same folds for both seeds, and nothing held out from them.
    first, second = Witness.seen[:2], Witness.seen[2:]
    assert [seen["X"] for seen in first] == [seen["X"] for seen in second]
    assert sorted(t for seen in first for t in seen["X_val"]) == sorted(TEXTS)
    assert [seen["seed"] for seen in Witness.seen] == [1, 1, 60, 60]


def test_the_mean_of_seeds_is_the_mean_of_their_probabilities() -> None:
    ensemble = SeedEnsemble(stratified(), n_seeds=3, n_best="all", random_state=0)
    ensemble.fit(TEXTS, LABELS)
    proba = np.mean([m.predict_proba(TEXTS) for m in ensemble.estimators_], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(TEXTS), proba)


def test_wrong_numbers_of_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="n_best=4 of 3 seeds"):
        SeedEnsemble(Witness(), n_best=4).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="must be distinct ints"):
        SeedEnsemble(Witness(), seeds=[1, 1]).fit(TEXTS, LABELS)
    with pytest.raises(DataError, match="cannot hold out validation_fraction"):
        SeedEnsemble(Witness()).fit(TEXTS[:4], LABELS[:4])


def test_what_is_no_predictor_is_refused() -> None:
    from tweetclf.features import NgramTfidfVectorizer

    class Both(NgramTfidfVectorizer):
        def predict(self, X: Any) -> Any:
            return X

    for kind in (FoldEnsemble, SeedEnsemble):
        with pytest.raises(DataError, match="needs a classifier or regressor"):
            kind(Both()).fit(TEXTS, LABELS)


def test_a_clone_is_not_fitted() -> None:
    ensemble = FoldEnsemble(tfidf_lr(), n_splits=2).fit(TEXTS, LABELS)
    assert not hasattr(clone(ensemble), "estimators_")
    assert not hasattr(ensemble.estimator[-1], "coef_")


class _LowThreshold(ClassifierMixin, BaseEstimator):
    """Answers the second class from a probability of .2 on."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        second = np.array([0.3 if "jaja" in text else 0.1 for text in X])
        return np.column_stack([1 - second, second])

    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 1] >= 0.2).astype(int)]


@pytest.mark.parametrize("make", [FoldEnsemble, SeedEnsemble])
def test_members_with_a_threshold_of_their_own_count_by_their_answers(make):
    texts = ["jaja sí", "no", "jaja no", "sí"] * 5
    ensemble = make(_LowThreshold(random_state=0)).fit(texts, ["a", "b"] * 10)
    assert ensemble.votes_
    assert ensemble.predict(["jaja", "no"]).tolist() == ["b", "a"]
    assert not make(tfidf_lr()).fit(texts, ["a", "b"] * 10).votes_


def test_a_score_that_is_not_defined_is_never_the_best(monkeypatch):
    texts, y = ["uno", "dos", "tres", "cuatro"] * 5, [1.0, 2.0, 3.0, 4.0] * 5
    scores = iter([-0.4, np.nan, -0.2])
    monkeypatch.setattr(SeedEnsemble, "_score_of", lambda *_: next(scores))
    ensemble = SeedEnsemble(tfidf_ridge(), seeds=[1, 2, 3]).fit(texts, y)
    assert ensemble.chosen_ == [2]
