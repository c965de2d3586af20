"""Checks of y and of what comes back: labels, probabilities, sample weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags

from tweetclf.testing._checks_input import require
from tweetclf.testing._data import Y_CONTAINERS, make_corpus
from tweetclf.testing._subject import Subject, assert_refused, assert_same

__all__ = ["checks"]

# Two labels each, in sorted order, as the array a user would pass.
_LABELS: dict[str, Callable[[NDArray[np.intp]], Any]] = {
    "str": lambda k: np.array(["bien", "mal"])[k],
    "object-str": lambda k: np.array(["bien", "mal"], dtype=object)[k],
    "list-of-str": lambda k: [["bien", "mal"][i] for i in k],
    "unicode-str": lambda k: np.array(["año", "😂"])[k],
    "str-that-look-like-numbers": lambda k: np.array(["10", "9"])[k],
    "int": lambda k: np.array([0, 1])[k],
    "int8": lambda k: np.array([0, 1], dtype=np.int8)[k],
    "negative-int": lambda k: np.array([-1, 1])[k],
    "large-int": lambda k: np.array([10**12, 10**15])[k],
    "bool": lambda k: np.array([False, True])[k],
    "float-coded-int": lambda k: np.array([1.0, 5.0])[k],
}
_LEARNER_TOLERANCE = 0.02


def checks(subject: Subject) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    """Yield the names and functions of the checks in this module."""
    if not subject.predicts:
        return
    if subject.target == "own":
        yield "check_sample_weight[refused]", check_weight_refused
        return
    if subject.target == "indicator":
        yield "check_indicator_comes_back", check_indicator
        for dtype in ("int8", "int64", "float64", "bool"):
            yield f"check_indicator[{dtype}]", partial(check_indicator_dtype, dtype)
        yield "check_indicator[list]", check_indicator_list
        yield "check_indicator[constant-column]", check_constant_column
    else:
        for name in Y_CONTAINERS:
            yield f"check_label_containers[{name}]", partial(check_y, name=name)
    if subject.target == "classes":
        for name in _LABELS:
            yield f"check_labels[{name}]", partial(check_labels, name=name)
        yield "check_three_classes", check_three_classes
        if not _is_poor(subject.estimator):
            yield "check_learns", check_learns
    if subject.target == "numbers":
        yield "check_predictions_are_float", check_float_predictions
        yield "check_targets[int]", check_integer_targets
        yield "check_targets_shift", check_shift
    yield "check_score", check_score
    if subject.target != "numbers":
        yield from _probability_checks(subject)
    if subject.takes_weight:
        yield "check_sample_weight[ones]", check_weight_ones
        yield "check_sample_weight[zero-is-removed]", check_weight_zero
        yield "check_sample_weight[integer-is-repetition]", check_weight_repetition
        yield "check_sample_weight[wrong-length]", check_weight_length
        yield "check_sample_weight[negative]", check_weight_negative
    elif not _hands_on(subject.estimator):
        yield "check_sample_weight[refused]", check_weight_refused


def _hands_on(estimator: Any) -> bool:
    """Tell whether weights are the business of an estimator inside."""
    kinds = [p.kind for p in inspect.signature(estimator.fit).parameters.values()]
    is_pipeline = hasattr(estimator, "steps")  # those refuse what names no step
    return inspect.Parameter.VAR_KEYWORD in kinds and not is_pipeline


def _probability_checks(
    subject: Subject,
) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    if hasattr(subject.estimator, "predict_proba"):
        yield "check_predict_proba_shape", check_proba_shape
        if subject.target == "classes":
            yield "check_predict_proba_agrees", check_proba_agrees
            yield "check_predict_proba[three-classes]", check_proba_three
    else:
        yield "check_predict_proba_absent", check_proba_absent
    if hasattr(subject.estimator, "decision_function"):
        yield "check_decision_function_shape", check_decision_shape
        if subject.target == "classes":
            yield "check_decision_function_agrees", check_decision_agrees
            yield "check_decision_function[three-classes]", check_decision_three


def _codes(subject: Subject) -> NDArray[np.intp]:
    return np.array([int(word == "mal") for word in subject.words])


def check_y(subject: Subject, name: str) -> None:
    """Check that the container of y gives the same model as a list."""
    package, build = Y_CONTAINERS[name]
    require(package)
    fitted = subject.fit(y=build(subject.y))
    expected = subject.outputs(subject.fitted)
    for method, output in subject.outputs(fitted).items():
        if method != "predict":
            assert_same(output, expected[method], f"{method} after fit on y as {name}")
        else:
            same = output.tolist() == expected[method].tolist()
            assert same, f"predict after fit on y as {name}: {output[:5]}"


def check_labels(subject: Subject, name: str) -> None:
    """Check that labels of any type come back and that classes_ are sorted."""
    codes = _codes(subject)
    y = _LABELS[name](codes)
    estimator = subject.fit(y=y)
    array = np.asarray(y)
    expected = np.unique(array)
    classes = np.asarray(estimator.classes_)
    assert classes.tolist() == expected.tolist(), f"classes_ is {classes!r}"
    assert classes.dtype.kind == array.dtype.kind, f"classes_ has {classes.dtype}"
    predicted = estimator.predict(subject.X_new)
    assert predicted.shape == (len(subject.X_new),), f"predict: {predicted.shape}"
    assert predicted.dtype.kind == array.dtype.kind, f"predict gives {predicted.dtype}"
    assert set(predicted.tolist()) <= set(expected.tolist()), (
        f"predict gives {sorted(set(predicted.tolist()))}, not members of classes_"
    )
    plain = subject.fit(y=codes).predict(subject.X_new)
    assert_same(
        np.searchsorted(expected, predicted), plain, "predictions under other names"
    )


def _three(subject: Subject) -> tuple[list[Any], NDArray[Any]]:
    texts, labels = make_corpus(3)
    X: list[Any] = (
        list(zip(texts[::-1], texts, strict=True)) if subject.pairs else texts
    )
    return X, np.array(labels)


def check_three_classes(subject: Subject) -> None:
    """Check that three classes work and predictions are members of classes_."""
    X, y = _three(subject)
    estimator = subject.fit(X, y)
    assert list(estimator.classes_) == ["bien", "mal", "ni"]
    predicted = estimator.predict(X)
    assert predicted.shape == (len(X),)
    assert set(predicted) <= set(y)


def _is_poor(estimator: Any) -> bool:
    """Tell whether the estimator, or the last step, says that it does not learn."""
    final = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return bool(getattr(get_tags(final).classifier_tags, "poor_score", False))


def check_learns(subject: Subject) -> None:
    """Check that training texts are predicted better than by chance."""
    accuracy = float(np.mean(subject.fitted.predict(subject.X) == subject.y))
    assert accuracy >= 0.75, f"accuracy on the training texts is only {accuracy:.2f}"


def check_indicator(subject: Subject) -> None:
    """Check that predictions are an indicator matrix with a column a label."""
    predicted = subject.fitted.predict(subject.X_new)
    assert predicted.shape == (len(subject.X_new), 3), f"predict: {predicted.shape}"
    assert set(np.unique(predicted).tolist()) <= {0, 1}, "predict gives other values"


def check_indicator_dtype(dtype: str, subject: Subject) -> None:
    """Check that an indicator matrix of another type gives the same predictions."""
    estimator = subject.fit(y=np.asarray(subject.y).astype(dtype))
    expected = subject.fitted.predict(subject.X_new)
    predicted = np.asarray(estimator.predict(subject.X_new)).astype(expected.dtype)
    assert_same(predicted, expected, f"predict after fit on y of {dtype}")


def check_indicator_list(subject: Subject) -> None:
    """Check that an indicator matrix as a list of lists gives the same predictions."""
    estimator = subject.fit(y=np.asarray(subject.y).tolist())
    predicted = estimator.predict(subject.X_new)
    assert_same(predicted, subject.fitted.predict(subject.X_new), "predict")


def check_constant_column(subject: Subject) -> None:
    """Check that a label that no training text has is never predicted."""
    y = np.asarray(subject.y).copy()
    y[:, 1] = 0
    predicted = subject.fit(y=y).predict(subject.X_new)
    assert predicted.shape[1] == 3, f"predict has {predicted.shape[1]} columns"
    assert not predicted[:, 1].any(), "a label was predicted that no text had"


def check_float_predictions(subject: Subject) -> None:
    """Check that regression gives one finite float64 a text."""
    predicted = subject.fitted.predict(subject.X_new)
    assert predicted.shape == (len(subject.X_new),), f"predict: {predicted.shape}"
    assert predicted.dtype == np.float64, f"predict gives {predicted.dtype}"
    assert np.isfinite(predicted).all(), "predict gives NaN or infinity"


def check_integer_targets(subject: Subject) -> None:
    """Check that integer targets are regressed on as numbers."""
    y = np.arange(len(subject.X)) % 3
    a, b = (subject.fit(y=y.astype(t)).predict(subject.X_new) for t in (int, float))
    assert_same(a, b, "predictions after fit on integers", 1e-9)


def check_shift(subject: Subject) -> None:
    """Check that targets shifted by a constant give predictions shifted by it."""
    shifted = subject.fit(y=np.asarray(subject.y) + 100.0).predict(subject.X_new)
    plain = subject.fitted.predict(subject.X_new)
    assert_same(shifted, plain + 100.0, "predictions after shifting y by 100", 1e-3)


def check_score(subject: Subject) -> None:
    """Check that ``score`` is accuracy, exact match or R2 of the predictions."""
    predicted = subject.fitted.predict(subject.X)
    metric = r2_score if subject.target == "numbers" else accuracy_score
    expected = metric(subject.y, predicted)
    score = subject.fitted.score(subject.X, subject.y)
    assert abs(score - expected) < 1e-9, f"score is {score}, not {expected}"


def _rows_and_classes(subject: Subject) -> tuple[int, int]:
    return len(subject.X_new), 3 if subject.target == "indicator" else 2


def check_proba_shape(subject: Subject) -> None:
    """Check that probabilities are float64, a column a class, and sum to 1."""
    proba = subject.fitted.predict_proba(subject.X_new)
    assert isinstance(proba, np.ndarray), f"predict_proba gives {type(proba).__name__}"
    assert proba.shape == _rows_and_classes(subject), f"the shape is {proba.shape}"
    assert proba.dtype == np.float64, f"predict_proba gives {proba.dtype}"
    assert (proba >= 0).all(), "a probability is below 0"
    assert (proba <= 1 + 1e-9).all(), "a probability is above 1"
    if subject.target == "classes":
        sums = proba.sum(axis=1)
        assert np.allclose(sums, 1, atol=1e-9), f"rows sum to {sums}"


def _assert_highest(estimator: Any, X: Any, scores: NDArray[np.float64]) -> None:
    """Check that the predicted class has the highest score; among ties any is right."""
    predicted = np.searchsorted(estimator.classes_, estimator.predict(X))
    chosen = scores[np.arange(len(scores)), predicted]
    bad = np.flatnonzero(chosen < scores.max(axis=1) - 1e-12)
    assert not len(bad), f"predict is not the class of the highest score in rows {bad}"


def check_proba_agrees(subject: Subject) -> None:
    """Check that the predicted class is the most probable one."""
    proba = subject.fitted.predict_proba(subject.X_new)
    _assert_highest(subject.fitted, subject.X_new, proba)


def check_proba_three(subject: Subject) -> None:
    """Check that the same holds for three classes."""
    X, y = _three(subject)
    estimator = subject.fit(X, y)
    proba = estimator.predict_proba(X)
    assert proba.shape == (len(X), 3), f"the shape is {proba.shape}"
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-9), "rows do not sum to 1"
    _assert_highest(estimator, X, proba)


def check_proba_absent(subject: Subject) -> None:
    """Check that what has no probabilities before fit has none after."""
    assert not hasattr(subject.fitted, "predict_proba"), (
        "predict_proba appears after fit alone"
    )


def check_decision_shape(subject: Subject) -> None:
    """Check that decision values are finite, one a text for two classes."""
    scores = subject.fitted.decision_function(subject.X_new)
    n_texts, n_columns = _rows_and_classes(subject)
    expected = (n_texts,) if subject.target == "classes" else (n_texts, n_columns)
    assert scores.shape == expected, f"the shape is {scores.shape}, not {expected}"
    assert np.isfinite(scores).all(), "decision_function gives NaN or infinity"


def check_decision_agrees(subject: Subject) -> None:
    """Check that a positive decision value means ``classes_[1]``."""
    scores = subject.fitted.decision_function(subject.X_new)
    _assert_highest(subject.fitted, subject.X_new, np.column_stack([-scores, scores]))


def check_decision_three(subject: Subject) -> None:
    """Check that with three classes the highest decision value is predicted."""
    X, y = _three(subject)
    estimator = subject.fit(X, y)
    scores = estimator.decision_function(X)
    assert scores.shape == (len(X), 3), f"the shape is {scores.shape}"
    _assert_highest(estimator, X, scores)


def _scores(subject: Subject, estimator: Any) -> Any:
    """Return the finest output, for comparisons up to the learner's tolerance."""
    for method in ("decision_function", "predict_proba"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(subject.X_new)
    return estimator.predict(subject.X_new)


def check_weight_ones(subject: Subject) -> None:
    """Check that weights of 1 are no weights."""
    weighted = subject.fit(sample_weight=np.ones(len(subject.X)))
    expected = _scores(subject, subject.fitted)
    assert_same(_scores(subject, weighted), expected, "outputs with weights 1", 1e-9)


def _intruders(subject: Subject) -> tuple[list[Any], list[Any]]:
    """Return texts of new words with wrong labels."""
    texts = subject.of([f"intruso{i} genial pésimo intruso" for i in range(6)])
    y = np.asarray(subject.y)[::-1][:6]
    return texts, list(y)


def check_weight_zero(subject: Subject) -> None:
    """Check that a text of weight 0 might as well not be there."""
    texts, labels = _intruders(subject)
    weight = [1.0] * len(subject.X) + [0.0] * len(texts)
    fitted = subject.fit(
        [*subject.X, *texts], np.asarray([*subject.y, *labels]), sample_weight=weight
    )
    expected = _scores(subject, subject.fitted)
    assert_same(
        _scores(subject, fitted), expected, "outputs with texts of weight 0",
        _LEARNER_TOLERANCE,
    )  # fmt: skip


def check_weight_repetition(subject: Subject) -> None:
    """Check that an integer weight does what repeating the text does."""
    weight = np.arange(len(subject.X)) % 3 + 1
    weighted = subject.fit(sample_weight=weight.astype(float))
    repeated = subject.fit(
        [x for x, w in zip(subject.X, weight, strict=True) for _ in range(w)],
        np.repeat(np.asarray(subject.y), weight, axis=0),
    )
    assert_same(
        _scores(subject, weighted), _scores(subject, repeated),
        "outputs with weights in place of repetition", _LEARNER_TOLERANCE,
    )  # fmt: skip


def check_weight_length(subject: Subject) -> None:
    """Check that weights of another length are refused."""
    assert_refused(
        lambda: subject.fit(sample_weight=[1.0, 2.0]),
        r"sample_weight|weight|inconsistent|length",
        "sample_weight of 2 values",
    )


def check_weight_negative(subject: Subject) -> None:
    """Check that a negative weight is refused."""
    weight = np.ones(len(subject.X))
    weight[2] = -1.0
    assert_refused(
        lambda: subject.fit(sample_weight=weight), "negative|sample_weight", "weight -1"
    )


def check_weight_refused(subject: Subject) -> None:
    """Check that an estimator without sample weights says so when it is given some."""
    assert_refused(
        lambda: subject.fit(sample_weight=np.ones(len(subject.X))),
        "sample_weight",
        "sample_weight",
    )
