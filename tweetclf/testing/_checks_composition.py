"""Checks of the estimator inside scikit-learn's pipelines, searches and ensembles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from tweetclf.testing._subject import Subject, assert_same

__all__ = ["checks"]


def checks(subject: Subject) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    """Yield the names and functions of the checks in this module."""
    yield "check_in_pipeline", check_in_pipeline
    yield "check_pipeline_names_parameters", check_pipeline_parameters
    yield "check_metadata_routing_on", check_routing_on
    if not subject.predicts:
        yield "check_in_feature_union", check_in_feature_union
        return
    yield "check_cross_val_predict", check_cross_val_predict
    yield "check_cross_val_score", check_cross_val_score
    yield "check_grid_search", check_grid_search
    yield "check_frozen", check_frozen
    if subject.target in ("classes", "numbers"):
        yield "check_voting", check_voting
    if subject.target == "classes":
        yield "check_calibrated", check_calibrated
    if _ends_in_features(subject.estimator):
        yield "check_feature_names_of_pipeline", check_pipeline_features
    if subject.takes_weight:
        yield "check_sample_weight_is_routed", check_routed_weight


def _ends_in_features(estimator: Any) -> bool:
    steps = getattr(estimator, "steps", [])
    if len(steps) < 2 or not hasattr(steps[-2][1], "get_feature_names_out"):
        return False
    if not all(hasattr(step, "transform") for _, step in steps[:-1]):
        return False  # an over-sampler makes rows, not columns
    return not get_tags(steps[-1][1]).input_tags.string


def _assert_same_outputs(subject: Subject, other: Any, what: str) -> None:
    expected = subject.output(subject.fitted, subject.X_new)
    assert_same(subject.output(other, subject.X_new), expected, what)


def check_in_pipeline(subject: Subject) -> None:
    """Check that as the only step of a pipeline it gives the same outputs."""
    pipeline = Pipeline([("only", subject.clone())]).fit(subject.X, subject.y)
    _assert_same_outputs(subject, pipeline, "output in a pipeline")


def check_pipeline_parameters(subject: Subject) -> None:
    """Check that a pipeline can name and set each of its parameters."""
    pipeline = Pipeline([("only", subject.clone())])
    for name, value in subject.clone().get_params(deep=False).items():
        if hasattr(value, "get_params") or isinstance(value, list):
            continue  # a nested estimator of a clone is a copy
        pipeline.set_params(**{f"only__{name}": value})
    pipeline.fit(subject.X, subject.y)
    _assert_same_outputs(subject, pipeline, "output after setting parameters")


def check_routing_on(subject: Subject) -> None:
    """Check that with metadata routing enabled an ordinary fit is the same."""
    with config_context(enable_metadata_routing=True):
        fitted = subject.fit()
        _assert_same_outputs(subject, fitted, "output with metadata routing")


def check_in_feature_union(subject: Subject) -> None:
    """Check that in a feature union its columns come out (matrices only)."""
    if not hasattr(subject.fitted.transform(subject.X[:2]), "shape"):
        return
    union = FeatureUnion([("a", subject.clone()), ("b", subject.clone())])
    joined = union.fit(subject.X, subject.y).transform(subject.X_new)
    n_columns = subject.fitted.transform(subject.X_new).shape[1]
    assert joined.shape == (len(subject.X_new), 2 * n_columns)


def _folds() -> KFold:
    return KFold(2, shuffle=True, random_state=0)


def check_cross_val_predict(subject: Subject) -> None:
    """Check that cross-validated predictions equal those of fits on the folds."""
    crossed = cross_val_predict(
        subject.clone(), subject.X, subject.targets, cv=_folds()
    )
    for train, test in _folds().split(subject.X):
        fitted = subject.fit(*subject.part(train))
        expected = fitted.predict([subject.X[i] for i in test])
        assert_same(crossed[test], expected, "cross_val_predict")


def check_cross_val_score(subject: Subject) -> None:
    """Check that cross-validated scores are finite."""
    scores = cross_val_score(
        subject.clone(), subject.X, subject.targets, cv=_folds(),
        error_score="raise",
    )  # fmt: skip
    assert np.isfinite(scores).all(), f"cross_val_score gives {scores}"


def check_grid_search(subject: Subject) -> None:
    """Check that a grid search over it fits, predicts and keeps the best estimator."""
    search = GridSearchCV(subject.clone(), {}, cv=_folds(), error_score="raise")
    search.fit(subject.X, subject.targets)
    _assert_same_outputs(subject, search, "output of the grid search")


def check_frozen(subject: Subject) -> None:
    """Check that a frozen copy predicts the same and ignores fit."""
    frozen = FrozenEstimator(subject.fitted).fit(subject.X[:4], subject.y[:4])
    _assert_same_outputs(subject, frozen, "output of the frozen estimator")


def check_voting(subject: Subject) -> None:
    """Check that a vote among copies of it is its own answer."""
    members = [("a", subject.clone()), ("b", subject.clone())]
    voting = (VotingRegressor if subject.target == "numbers" else VotingClassifier)(
        members
    ).fit(subject.X, np.asarray(subject.y))
    expected = subject.fitted.predict(subject.X_new)
    assert_same(voting.predict(subject.X_new), expected, "the vote", 1e-9)


def check_calibrated(subject: Subject) -> None:
    """Check that probability calibration accepts it where it has scores."""
    estimator = subject.clone()
    if not hasattr(estimator, "predict_proba") and not hasattr(
        estimator, "decision_function"
    ):
        return
    calibrated = CalibratedClassifierCV(estimator, cv=2)
    calibrated.fit(subject.X, np.asarray(subject.y))
    proba = calibrated.predict_proba(subject.X_new)
    assert np.allclose(proba.sum(axis=1), 1), "calibrated rows do not sum to 1"


def check_pipeline_features(subject: Subject) -> None:
    """Check that the feature steps name every column the last step sees."""
    # Steps from text to text come first and have no columns to name.
    names = subject.fitted[-2].get_feature_names_out()
    n_columns = subject.fitted[:-1].transform(subject.X[:2]).shape[1]
    assert len(names) == n_columns, f"{len(names)} names for {n_columns} columns"
    assert len(set(names)) == len(names), "feature names repeat"


def check_routed_weight(subject: Subject) -> None:
    """Check that a pipeline hands requested weights on if routing is enabled."""
    weight = np.arange(len(subject.X)) % 3 + 1.0
    direct = subject.fit(sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        step = subject.clone().set_fit_request(sample_weight=True)
        pipeline = Pipeline([("only", step)])
        pipeline.fit(subject.X, subject.y, sample_weight=weight)
        routed = subject.output(pipeline, subject.X_new)
    assert_same(routed, subject.output(direct, subject.X_new), "routed weights")
