"""Checks of gold labels and predictions before they are scored."""

from __future__ import annotations

from typing import Any

import numpy as np

from tweetclf.exceptions import DataError

__all__ = ["bit_matrix", "encode", "indicators", "names", "numbers", "same_length"]


def same_length(y_true: Any, y_pred: Any) -> None:
    """Refuse different lengths, and nothing to score."""
    if len(y_true) != len(y_pred):
        raise DataError(
            f"There are {len(y_true)} gold labels and {len(y_pred)} predictions; "
            "there must be one prediction a row."
        )
    if len(y_true) == 0:
        raise DataError("There are no rows to score.")


def names(y: Any) -> list[str]:
    """Return class labels as a list of str."""
    values = y.tolist() if hasattr(y, "tolist") else list(y)
    if values and isinstance(values[0], list):
        raise DataError(
            "Class labels must be 1-D; got a matrix. Is this a multi-label metric's "
            "input?"
        )
    return [v if isinstance(v, str) else str(v) for v in values]


def encode(found: list[str], index: dict[str, int], what: str) -> np.ndarray:
    """Return the positions of the names in the label order."""
    try:
        return np.array([index[name] for name in found], dtype=np.int64)
    except KeyError:
        at = next(i for i, name in enumerate(found) if name not in index)
        raise DataError(
            f"{what}[{at}] is {found[at]!r}, which is not a label of the task. Its "
            f"labels are {', '.join(map(repr, index))}."
        ) from None


def bit_matrix(y: Any) -> np.ndarray:
    """Return joined labels such as "110", or an indicator matrix, as booleans."""
    values = np.asarray(y)
    if values.ndim == 2:
        return values.astype(bool)
    found = names(y)
    width = len(found[0]) if found else 0
    for index, name in enumerate(found):
        if len(name) != width or set(name) - {"0", "1"}:
            raise DataError(
                f"Label {index} is {name!r}; expected {width} digits 0 or 1, e.g. "
                f"{'1' * width!r}."
            )
    codes = np.array(found, dtype=f"<U{max(width, 1)}").view("<U1")
    return (codes == "1").reshape(len(found), width)


def numbers(y: Any, name: str = "y_pred") -> np.ndarray:
    """Return finite numbers, or say which one is not."""
    try:
        values = np.asarray(y).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers ({error}).") from error
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{name} must be 1-D; it has shape {values.shape}.")
    finite = np.isfinite(values)
    if not finite.all():
        index = int(np.argmin(finite))
        raise DataError(
            f"{name}[{index}] is {values[index]}; scores are not taken over missing or "
            "infinite numbers."
        )
    return values


def indicators(y: Any, n_labels: int, name: str = "y_pred") -> np.ndarray:
    """Return an indicator matrix as booleans; `n_labels` 0 means any number."""
    matrix = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    if matrix.ndim != 2 or (n_labels and matrix.shape[1] != n_labels):
        columns = f"{n_labels} columns" if n_labels else "a column a label"
        raise DataError(
            f"{name} must be an indicator matrix with {columns}; it has shape "
            f"{matrix.shape}."
        )
    if not np.isin(matrix, (0, 1)).all():
        raise DataError(
            f"{name} must hold 0 and 1 only. Cut probabilities at a threshold first."
        )
    return matrix.astype(bool)
