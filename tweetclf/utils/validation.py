"""Validation of texts and labels: every error names the value, the place, the fix."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError

__all__ = [
    "check_consistent_length",
    "check_text_pairs",
    "check_texts",
    "is_pairs",
    "items_of",
]


def _shape(X: Any) -> tuple[int, ...] | None:
    shape = getattr(X, "shape", None)
    return tuple(shape) if isinstance(shape, tuple) else None


def items_of(X: Any, caller: str, name: str) -> list[Any]:
    """Return the rows of any supported container as a list.

    Raises
    ------
    DataError
        If it is none, or a single text.
    """
    if isinstance(X, str | bytes | bytearray):
        raise DataError(
            f"{caller} expected a sequence of texts; {name} is a single "
            f"{type(X).__name__}. Put it in a list: [{name}]."
        )
    shape = _shape(X)
    if shape is not None and len(shape) == 0:
        raise DataError(f"{caller} expected a sequence of texts; {name} is a scalar.")
    if hasattr(X, "column_names") and hasattr(X, "to_pylist"):  # pyarrow.Table
        columns = [X.column(i).to_pylist() for i in range(X.num_columns)]
        return list(zip(*columns, strict=True))
    if hasattr(X, "to_pylist"):  # pyarrow Array and ChunkedArray
        return list(X.to_pylist())
    if hasattr(X, "columns") and hasattr(X, "iloc"):  # pandas.DataFrame
        return [tuple(row) for row in X.itertuples(index=False, name=None)]
    if hasattr(X, "iter_rows"):  # polars.DataFrame
        return list(X.iter_rows())
    if hasattr(X, "tolist"):  # NumPy array, pandas Series
        return list(X.tolist())
    if hasattr(X, "to_list"):  # polars.Series
        return list(X.to_list())
    if isinstance(X, dict | set | frozenset) or not isinstance(X, Iterable):
        raise DataError(
            f"{caller} expected {name} to be a sequence of texts (list, tuple, 1-D "
            f"array or Series); it is a {type(X).__name__}."
        )
    if not hasattr(X, "__len__"):
        raise DataError(
            f"{caller} expected {name} to be a sequence of texts; it is a "
            f"{type(X).__name__}, which can be read only once. Pass list({name})."
        )
    return list(X)


def _describe(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, numbers.Real) and value != value:
        return f"NaN ({type(value).__name__})"
    return type(value).__name__


def _refuse_item(caller: str, place: str, value: Any) -> DataError:
    if isinstance(value, bytes | bytearray):
        fix = "Decode it first, e.g. text.decode('utf-8')."
    elif value is None or (isinstance(value, numbers.Real) and value != value):
        fix = "Drop or fill missing tweets first."
    else:
        fix = "Convert it with str() if that is what you mean."
    return DataError(
        f"{caller} expected every text to be a str; {place} is "
        f"{_describe(value)}. {fix}"
    )


def check_texts(X: Any, *, caller: str, name: str = "texts") -> list[str]:
    """Return `X` as a list of str, or say which item is not one.

    Parameters
    ----------
    X : sequence of str
        List, tuple, 1-D NumPy array (object, str or StringDType), pandas, polars
        or pyarrow column, or any of these with a single column.
    caller : str
        Name of the estimator or function, for messages.
    name : str, default="texts"
        Name of the argument, for messages.

    Returns
    -------
    list of str of length n_samples
        The texts, in order. It may be empty.

    Raises
    ------
    DataError
        If `X` is a single string, not a sequence, has several columns, or holds
        anything but str; the message names the index.
    """
    shape = _shape(X)
    if shape is not None and len(shape) == 2 and shape[1] != 1:
        raise DataError(
            f"{caller} expected one column of texts; {name} has shape {shape}. "
            "Select the text column first."
        )
    if shape is not None and len(shape) > 2:
        raise DataError(f"{caller} expected {name} to be 1-D; it has shape {shape}.")
    items = items_of(X, caller, name)
    if shape is not None and len(shape) == 2:
        items = [row[0] for row in items]
    if not {type(item) for item in items} <= {str}:
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise _refuse_item(caller, f"{name}[{index}]", item)
        items = [str(item) for item in items]
    return items


def is_pairs(X: Any) -> bool:
    """Tell whether `X` looks like text pairs (two columns or 2-sequences)."""
    shape = _shape(X)
    if shape is not None:
        return len(shape) == 2 and shape[1] == 2
    return (
        isinstance(X, Sequence)
        and not isinstance(X, str | bytes)
        and len(X) > 0
        and isinstance(X[0], tuple | list)
        and len(X[0]) == 2
    )


def check_text_pairs(
    X: Any, *, caller: str, name: str = "texts"
) -> tuple[list[str], list[str]]:
    """Return the two sides of text pairs as lists of str.

    Parameters
    ----------
    X : sequence of pairs of str
        Two columns (2-D array, pandas or polars DataFrame, pyarrow Table) or a
        sequence of 2-tuples.
    caller : str
        Name of the estimator or function, for messages.
    name : str, default="texts"
        Name of the argument, for messages.

    Returns
    -------
    first, second : list of str of length n_samples
        First and second text of each pair.

    Raises
    ------
    DataError
        If `X` is no sequence of pairs or a member is not a str.
    """
    shape = _shape(X)
    if shape is not None and (len(shape) != 2 or shape[1] != 2):
        raise DataError(
            f"{caller} expected pairs of texts (two columns); {name} has shape {shape}."
        )
    first: list[str] = []
    second: list[str] = []
    for index, pair in enumerate(items_of(X, caller, name)):
        if isinstance(pair, str | bytes) or not isinstance(pair, Sequence | np.ndarray):
            raise DataError(
                f"{caller} expected pairs of texts; {name}[{index}] is "
                f"{_describe(pair)}. Pass (text, text_b) tuples."
            )
        if len(pair) != 2:
            raise DataError(
                f"{caller} expected pairs of texts; {name}[{index}] has "
                f"{len(pair)} members."
            )
        for side, text in enumerate(pair):
            if not isinstance(text, str):
                raise _refuse_item(caller, f"{name}[{index}][{side}]", text)
        first.append(str(pair[0]))
        second.append(str(pair[1]))
    return first, second


def check_consistent_length(
    texts: Sequence[Any], y: Any, *, caller: str, name: str = "y"
) -> None:
    """Refuse texts and labels of different length.

    Raises
    ------
    DataError
        If the lengths differ or `y` has none.
    """
    if y is None:
        raise DataError(f"{caller} requires y to be passed, but the target y is None.")
    n_labels = len(y)
    if n_labels != len(texts):
        raise DataError(
            f"{caller} got {len(texts)} texts and {n_labels} values of {name}; "
            "there must be one a text."
        )
