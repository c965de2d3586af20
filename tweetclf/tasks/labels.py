"""Labels of the user's own tables: what kind they are, and their arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks.base import TARGET_KINDS
from tweetclf.tasks.tables import MISSING, Table

__all__ = ["LabelReader"]

# More different whole numbers than this are measurements, not classes.
_MAX_INTEGER_CLASSES = 20
_SEPARATORS = re.compile(r"[|;,]")


class LabelReader:
    """Turns label columns of one or more tables into arrays of one kind.

    Parameters
    ----------
    tables : sequence of Table
        All parts of the task, so that they agree on kind and label names.
    label : str or sequence of str
        The column; several are indicator columns.
    kind : str or None
        The kind wanted, or None to see it from the values.
    """

    def __init__(
        self, tables: Sequence[Table], label: str | Sequence[str], kind: str | None
    ) -> None:
        self.notes: list[str] = []
        self.columns = [label] if isinstance(label, str) else list(label)
        self._indicators = not isinstance(label, str)
        if kind is not None and kind not in TARGET_KINDS:
            raise DataError(
                f"kind must be one of {', '.join(TARGET_KINDS)} or 'pair'. Got "
                f"{kind!r} instead."
            )
        if self._indicators:
            if kind not in {None, "multilabel"}:
                raise DataError(
                    f"Several label columns make a multi-label task, not {kind!r}."
                )
            self.kind = "multilabel"
            self.names = tuple(self.columns)
            return
        column = self.columns[0]
        values = [(t, self._present(t, column)) for t in tables]
        everything = [value for _, part in values for value in part]
        self.kind = kind or self._see_kind(tables[0], column, everything)
        self.names = self._label_names(tables, column, everything)
        if kind is None and self.kind in {"binary", "multiclass"}:
            self.kind = "binary" if len(self.names) == 2 else "multiclass"
        self._check_names(tables[0], column, len(everything))

    def _present(self, table: Table, column: str) -> list[Any]:
        """Return the values, ClassLabel numbers as names; refuse empty ones."""
        values = list(table.column(column, "label"))
        names = table.class_names.get(column)
        for row, value in enumerate(values):
            empty = value is None or value is MISSING
            empty = empty or (isinstance(value, float) and math.isnan(value))
            if empty or (isinstance(value, str) and not value.strip()):
                raise DataError(
                    f"{table.place(row)}: the label (column {column!r}) is empty. Fill "
                    "it in or drop the row."
                )
            if names:
                values[row] = _class_name(table, row, column, value, names)
        return values

    def _see_kind(self, table: Table, column: str, values: list[Any]) -> str:
        if all(isinstance(value, list) for value in values):
            return "multilabel"
        numbers = [_number(value) for value in values]
        if all(number is not None for number in numbers) and not all(
            isinstance(value, bool) for value in values
        ):
            whole = all(float(n).is_integer() for n in numbers if n is not None)
            if not whole or len(set(numbers)) > _MAX_INTEGER_CLASSES:
                self.notes.append(
                    f"Column {column!r} holds numbers: a regression task (seen from "
                    "the values; pass kind=... to choose)."
                )
                return "regression"
        return "multiclass"

    def _label_names(
        self, tables: Sequence[Table], column: str, values: list[Any]
    ) -> tuple[str, ...]:
        if self.kind == "regression":
            return ()
        for table in tables:
            if classes := table.class_names.get(column):
                return tuple(classes)
        if self.kind == "multilabel":
            found = {name for value in values for name in _members(value)}
        else:
            found = {_name(value) for value in values}
        names = sorted(found)
        # Numbers in their own order: -1, 0, 1, 10.
        if all(_number(name) is not None for name in names):
            names.sort(key=float)
        return tuple(names)

    def _check_names(self, table: Table, column: str, n_rows: int) -> None:
        if self.kind == "multilabel" and not self.names:
            raise DataError(
                f"{table.path}: no row has a label (column {column!r} holds empty "
                "lists). Is it the right column?"
            )
        if self.kind in {"regression", "multilabel"}:
            return
        if len(self.names) < 2:
            raise DataError(
                f"{table.path}: all labels (column {column!r}) are {self.names[0]!r}; "
                "there is nothing to learn. Is it the right column?"
            )
        if self.kind == "binary" and len(self.names) != 2:
            raise DataError(
                f"{table.path}: kind='binary', but column {column!r} has "
                f"{len(self.names)} different labels: {', '.join(self.names[:10])}."
            )
        if n_rows >= 40 and len(self.names) > n_rows / 2:
            raise DataError(
                f"{table.path}: column {column!r} has {len(self.names)} different "
                f"values in {n_rows} rows, too many for labels. Name the label column "
                "with label=..., or pass kind='regression'."
            )

    def array(self, table: Table) -> np.ndarray:
        """Return the labels of a table, by the common kind and names."""
        if self._indicators:
            return self._indicator_columns(table)
        column = self.columns[0]
        values = self._present(table, column)
        if self.kind == "regression":
            return np.array(
                [_finite(table, row, column, v) for row, v in enumerate(values)]
            )
        if self.kind == "multilabel":
            sets = [set(_members(value)) for value in values]
            return np.array(
                [[int(name in s) for name in self.names] for s in sets], dtype=np.int8
            ).reshape(len(sets), len(self.names))
        for row, value in enumerate(values):
            if isinstance(value, list | dict):
                raise DataError(
                    f"{table.place(row)}: the label (column {column!r}) is a "
                    f"{type(value).__name__}; expected one label. Lists in every row "
                    "make a multi-label task."
                )
        return np.array([_name(value) for value in values], dtype=np.str_)

    def _indicator_columns(self, table: Table) -> np.ndarray:
        matrix = np.zeros((len(table), len(self.columns)), dtype=np.int8)
        for j, column in enumerate(self.columns):
            for row, value in enumerate(table.column(column, "label")):
                number = _number(value)
                if number not in (0.0, 1.0):
                    raise DataError(
                        f"{table.place(row)}: column {column!r} is {value!r}; label "
                        "columns of a multi-label task hold 0 and 1."
                    )
                matrix[row, j] = int(number)
        return matrix


def _class_name(
    table: Table, row: int, column: str, value: Any, names: Sequence[str]
) -> Any:
    """Return the name of a ClassLabel number, or of a list of numbers."""
    if isinstance(value, list):
        return [_class_name(table, row, column, v, names) for v in value]
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    raise DataError(
        f"{table.place(row)}: the label (column {column!r}) is {value!r}, which is not "
        f"one of the {len(names)} classes of the dataset. Unlabelled rows (-1) must be "
        "dropped."
    )


def _members(value: Any) -> list[str]:
    if isinstance(value, list):
        return [_name(member) for member in value]
    return [part.strip() for part in _SEPARATORS.split(str(value)) if part.strip()]


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _number(value: Any) -> float | None:
    if isinstance(value, list | dict):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _finite(table: Table, row: int, column: str, value: Any) -> float:
    number = _number(value)
    if number is None or not math.isfinite(number):
        hint = " Write decimals with a point." if "," in str(value) else ""
        raise DataError(
            f"{table.place(row)}: the label (column {column!r}) is {value!r}; a "
            f"regression task needs finite numbers.{hint}"
        )
    return number
