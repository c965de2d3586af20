"""Validation of texts, labels and targets: errors name the place and the fix."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from tweetclf.exceptions import DataError
from tweetclf.utils.validation import (
    check_consistent_length,
    check_text_pairs,
    check_texts,
    is_pairs,
)

__all__ = [
    "check_indicator",
    "check_labels",
    "check_targets",
    "read_texts",
    "refuse_missing",
    "require_texts",
    "require_two_classes",
]


def _as_array(y: Any, n_texts: int, caller: str) -> NDArray[Any]:
    check_consistent_length(range(n_texts), y, caller=caller)
    if n_texts == 0:
        raise DataError(f"{caller} got 0 texts; at least one is needed to fit.")
    refuse_missing(y, caller=caller)
    array = np.asarray(y)
    if array.dtype.kind == "T":
        # Sets, sorting and pickling of StringDType differ between NumPy releases.
        array = array.astype(object)
    return array


def read_texts(X: Any, *, caller: str) -> list[Any]:
    """Return texts, or pairs of them, as a list, or say what is wrong with them."""
    if is_pairs(X):
        return list(zip(*check_text_pairs(X, caller=caller), strict=True))
    return check_texts(X, caller=caller)


def require_texts(n_texts: int, *, caller: str) -> None:
    """Refuse to predict for no texts, as all estimators do: see docs/estimators.md."""
    if n_texts == 0:
        raise DataError(f"{caller} got 0 texts; pass at least one.")


def require_two_classes(classes: NDArray[Any], *, caller: str) -> int:
    """Refuse to tell apart fewer than two classes; return how many there are."""
    if len(classes) < 2:
        raise DataError(
            f"{caller} needs at least 2 classes; y holds {len(classes)} class: "
            f"{classes.tolist()}."
        )
    return len(classes)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, numbers.Real) and bool(value != value)


def refuse_missing(y: Any, *, caller: str) -> None:
    """Say where the first missing label is, if any.

    Lists are looked at as they are: NumPy makes the label ``"nan"`` of a NaN among
    words.
    """
    values = y if isinstance(y, list | tuple) else np.asarray(y)
    if isinstance(values, np.ndarray) and (
        values.ndim != 1 or values.dtype.kind not in "fO"
    ):
        return
    for index, value in enumerate(values):
        if _is_missing(value):
            raise DataError(
                f"{caller} got a missing value (NaN or None) in y, the first at "
                f"y[{index}]. Drop unlabelled texts first."
            )


def check_labels(y: Any, n_texts: int, *, caller: str) -> NDArray[Any]:
    """Return class labels as a 1-D array, or say what is wrong with them."""
    array = _as_array(y, n_texts, caller)
    if array.ndim != 1:
        raise DataError(
            f"{caller} expected y to be 1-D, one label a text; it has shape "
            f"{array.shape}."
        )
    check_classification_targets(array)
    return array


def check_indicator(y: Any, n_texts: int, *, caller: str) -> NDArray[Any]:
    """Return an indicator matrix of 0 and 1, or say what is wrong with it."""
    array = _as_array(y, n_texts, caller)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(
            f"{caller} expected y to be an indicator matrix, one column a label; it "
            f"has shape {array.shape}."
        )
    if not np.isin(array, (0, 1)).all():
        raise DataError(f"{caller} expected an indicator matrix y of 0 and 1 only.")
    return array


def check_targets(y: Any, n_texts: int, *, caller: str) -> NDArray[np.float64]:
    """Return regression targets as a 1-D float array of finite numbers."""
    array = _as_array(y, n_texts, caller)
    if array.ndim != 1:
        raise DataError(
            f"{caller} expected y to be 1-D, one number a text; it has shape "
            f"{array.shape}."
        )
    try:
        targets = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{caller} expected numbers in y: {error}.") from error
    if not np.isfinite(targets).all():
        index = int(np.flatnonzero(~np.isfinite(targets))[0])
        raise DataError(f"{caller} got an infinite number at y[{index}].")
    return targets
