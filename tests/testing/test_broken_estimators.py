"""Estimators that each break one rule, and the checks that must notice it."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest

from tweetclf.estimators import NBSVMClassifier
from tweetclf.estimators.dummy import TextDummyRegressor
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.testing import CheckFailedError, yield_checks


class Sound(NBSVMClassifier):
    """Breaks nothing."""


class TakesNone(NBSVMClassifier):
    def _read(self, X, *, reset):
        if isinstance(X, list):
            X = ["" if text is None else text for text in X]
        return super()._read(X, reset=reset)


class TakesAString(NBSVMClassifier):
    def _read(self, X, *, reset):
        return super()._read(list(X) if isinstance(X, str) else X, reset=reset)


class ReturnsCodes(NBSVMClassifier):
    def predict(self, X):
        return np.searchsorted(self.classes_, super().predict(X))


class CentresTheBatch(NBSVMClassifier):
    def decision_function(self, X):
        scores = super().decision_function(X)
        return scores - scores.mean(axis=0)


class SeedsGlobally(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        np.random.seed(0)  # noqa: NPY002 - the fault to be found
        return super().fit(X, y, sample_weight)


class DrawsGlobally(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.intercept_ = self.intercept_ + np.random.rand()  # noqa: NPY002
        return self


class Unseeded(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.coef_ = self.coef_ * (1 + np.random.default_rng().random())
        return self


class RemembersTheLastFit(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        before = float(np.abs(getattr(self, "coef_", np.zeros(1))).sum())
        super().fit(X, y, sample_weight)
        self.coef_ = self.coef_ * (1 + before)
        return self


class SharesAmongClones(NBSVMClassifier):
    shared: dict = {}

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.shared["intercept"] = self.intercept_
        return self

    def decision_function(self, X):
        scores = super().decision_function(X)
        return scores - self.intercept_ + self.shared["intercept"]


class CountsCalls(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        self.n_calls_ = 0
        return super().fit(X, y, sample_weight)

    def predict(self, X):
        self.n_calls_ += 1
        return super().predict(X)


class LowercasesInPlace(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        if isinstance(X, list) and all(isinstance(text, str) for text in X):
            X[:] = [text.lower() for text in X]
        return super().fit(X, y, sample_weight)


class ReturnsNothing(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)


class SetsAParameter(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        self.class_weight = "balanced"
        return super().fit(X, y, sample_weight)


class PublicFittedAttribute(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        self.n_texts = len(X) if hasattr(X, "__len__") else 0
        return super().fit(X, y, sample_weight)


class Unpicklable(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.link_ = lambda score: score
        return self


class Warns(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        warnings.warn("fitting", UserWarning, stacklevel=2)
        return super().fit(X, y, sample_weight)


class Prints(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        print("epoch 1")  # noqa: T201 - the fault to be found
        return super().fit(X, y, sample_weight)


class IgnoresWeights(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


class KeepsZeroWeights(NBSVMClassifier):
    def _weighed(self, X, y, weight):
        return X, y, weight


class UnnormalisedProbabilities(NBSVMClassifier):
    def predict_proba(self, X):
        scores = self.decision_function(X)
        proba = 1 / (1 + np.exp(-np.abs(scores)))
        return proba if proba.ndim == 2 else np.column_stack([proba, proba])


class ContraryProbabilities(NBSVMClassifier):
    def predict_proba(self, X):
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
        odds = np.exp(-scores)
        return odds / odds.sum(axis=1, keepdims=True)


class WritesUtf8(NBSVMClassifier):
    def _read(self, X, *, reset):
        texts = super()._read(X, reset=reset)
        return [text.encode().decode() for text in texts]


class CutsToTheShorter(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        if isinstance(y, np.ndarray) and hasattr(X, "__len__"):
            n = min(len(X), len(y)) if y.ndim else 0
            if n:
                X = X[:n]
        return super().fit(X, y, sample_weight)


class ReadsTheIndex(NBSVMClassifier):
    def predict(self, X):
        if hasattr(X, "loc"):
            X = [X.loc[i] for i in sorted(X.index)]
        return super().predict(X)


class NeverUnfitted(NBSVMClassifier):
    def decision_function(self, X):
        return super().decision_function(X) if hasattr(self, "coef_") else np.zeros(1)


class ValidatesInInit(NBSVMClassifier):
    def __init__(self, vectorizer=None, *, C=1.0, random_state=None):
        if not (isinstance(C, float) and C > 0):
            raise ValueError("C must be above 0")
        super().__init__(vectorizer, C=C, random_state=random_state)


class DropsAParameter(NBSVMClassifier):
    def __init__(self, vectorizer=None, *, C=1.0, random_state=None):
        super().__init__(vectorizer, C=2.0, random_state=random_state)


class OneClassIndexError(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        if y is not None and np.ndim(y) == 1 and len(np.unique(list(y))) == 1:
            raise IndexError("list index out of range")
        return super().fit(X, y, sample_weight)


class SharedScratch(NBSVMClassifier):
    scratch = None

    def decision_function(self, X):
        type(self).scratch = X
        time.sleep(0.002)
        return super().decision_function(type(self).scratch)


class AnswersNoTextsOnceIn(NBSVMClassifier):
    def predict(self, X):
        return super().predict(X) if len(X) else np.array([])


class UnsortedClasses(NBSVMClassifier):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        if len(self.classes_) == 2:
            self.classes_ = self.classes_[::-1]
            self.coef_, self.intercept_ = -self.coef_, -self.intercept_
        return self


class RoundsTargets(TextDummyRegressor):
    def predict(self, X):
        return super().predict(X).round().astype(int)


class FitsOnTheBatch(NgramTfidfVectorizer):
    def transform(self, raw_documents):
        X = super().transform(raw_documents)
        return X.multiply(1.0 / max(X.shape[0], 1)).tocsr()


BROKEN = [
    (TakesNone(), {"check_bad_item", "check_failed_fit_is_clear_after"}),
    (TakesAString(), {"check_bad_container"}),
    (ReturnsCodes(), {"check_labels"}),
    (CentresTheBatch(), {"check_row_independence"}),
    (SeedsGlobally(), {"check_global_random_state"}),
    (DrawsGlobally(), {"check_global_random_state"}),
    (Unseeded(), {"check_same_seed_reproduces"}),
    (RemembersTheLastFit(), {"check_refit_overwrites"}),
    (SharesAmongClones(), {"check_clones_are_independent"}),
    (CountsCalls(), {"check_predict_keeps_state"}),
    (LowercasesInPlace(), {"check_input_not_changed"}),
    (ReturnsNothing(), {"check_fit_returns_self"}),
    (SetsAParameter(), {"check_fit_keeps_parameters"}),
    (PublicFittedAttribute(), {"check_fitted_attribute_names"}),
    (Unpicklable(), {"check_pickle"}),
    (Warns(), {"check_no_warnings"}),
    (Prints(), {"check_no_printing"}),
    (IgnoresWeights(), {"check_sample_weight"}),
    (KeepsZeroWeights(), {"check_sample_weight"}),
    (UnnormalisedProbabilities(), {"check_predict_proba_shape"}),
    (ContraryProbabilities(), {"check_predict_proba_agrees"}),
    (WritesUtf8(), {"check_hostile_text", "check_fit_on_hostile_texts"}),
    (CutsToTheShorter(), {"check_lengths_differ"}),
    (ReadsTheIndex(), {"check_text_containers"}),
    (NeverUnfitted(), {"check_not_fitted_error"}),
    (
        ValidatesInInit(),
        {"sklearn:check_do_not_raise_errors_in_init_or_set_params"},
    ),
    (DropsAParameter(), {"sklearn:check_parameters_default_constructible"}),
    (OneClassIndexError(), {"check_one_class"}),
    (AnswersNoTextsOnceIn(), {"check_empty_alike"}),
    (UnsortedClasses(), {"check_labels"}),
    (SharedScratch(), {"check_threads"}),
]


def failing(estimator, kind="classifier", among=None):
    """Return the names of the checks that fail, without what stands in brackets."""
    names = set()
    for check in yield_checks(estimator, kind=kind):
        name = check.name.partition("[")[0]
        if among is None or name in among:
            try:
                check()
            except CheckFailedError:
                names.add(name)
    return names


def test_the_sound_estimator_passes():
    assert failing(Sound()) == set()


@pytest.mark.parametrize(
    ("estimator", "expected"), BROKEN, ids=[type(e).__name__ for e, _ in BROKEN]
)
def test_broken_classifier_fails_at_the_right_check(estimator, expected):
    assert failing(estimator, among=expected) == expected


def test_a_small_fault_fails_few_checks():
    assert failing(Warns()) == {"check_no_warnings"}
    assert failing(Prints()) == {"check_no_printing"}


def test_regressor_that_rounds_fails():
    assert "check_predictions_are_float" in failing(RoundsTargets(), "regressor")


def test_transformer_that_looks_at_the_batch_fails():
    found = failing(FitsOnTheBatch(), "transformer")
    assert "check_row_independence" in found


def test_wrong_kind_fails():
    assert "check_kind" in failing(TextDummyRegressor(), "classifier", {"check_kind"})
