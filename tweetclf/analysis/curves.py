"""Curves of pre-training: what `metrics.jsonl` of one or more runs says."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.analysis.naming import model_name
from tweetclf.exceptions import DataError

__all__ = ["PretrainingRun", "read_metrics"]


@dataclass(frozen=True)
class PretrainingRun:
    """What was measured while a model was learnt.

    Parameters
    ----------
    name : str
        Name of the run.
    steps : ndarray of int64 of shape (n,)
        Updates done, ascending.
    values : mapping of str to ndarray of float64 of shape (n,)
        Quantity -> its value at each step, NaN where it was not measured. Parts of the
        loss are called ``"parts.mlm"`` and so on.
    """

    name: str
    steps: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]

    def known(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the steps at which a quantity was measured, and its values.

        Raises
        ------
        DataError
            If it never was; the message lists what was.
        """
        if name not in self.values:
            raise DataError(
                f"run {self.name!r} has no {name!r}; it has "
                f"{', '.join(sorted(self.values)) or 'nothing'}."
            )
        there = np.isfinite(self.values[name])
        return self.steps[there], self.values[name][there]

    def last(self, name: str) -> float:
        """Return the last value of a quantity; NaN if there is none."""
        if name not in self.values:
            return math.nan
        _, values = self.known(name)
        return float(values[-1]) if len(values) else math.nan


def read_metrics(
    path: str | os.PathLike[str], *, name: str | None = None
) -> PretrainingRun:
    """Read the metrics of a run.

    Parameters
    ----------
    path : path
        A file with a JSON object a line, each with a ``"step"`` and numbers; objects
        within it, as ``"parts"`` of the loss, are read too. Or the folder of the run,
        in which it is called ``metrics.jsonl``.
    name : str, optional
        Name of the run; by default that of its folder, see `model_name`.

    Returns
    -------
    PretrainingRun
        Of a step that a resumed run did again, the last values count. Of an epoch
        (``"kind": "epoch"``) only what its last step does not say itself is taken. A
        last line that was cut off when the run was killed is left out.

    Raises
    ------
    DataError
        If a line is no such object; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tweetclf.analysis import read_metrics
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "metrics.jsonl")
    ...     _ = path.write_text('{"step": 1, "loss": 9.0, "parts": {"mlm": 8.5}}')
    ...     run = read_metrics(path)
    >>> run.steps.tolist(), run.last("loss"), run.last("parts.mlm")
    ([1], 9.0, 8.5)
    """
    place = Path(path)
    place = place / "metrics.jsonl" if place.is_dir() else place
    text = place.read_text("utf-8")
    lines = text.split("\n")
    rows: dict[int, dict[str, float]] = {}
    latest = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row, is_mean = _parse(line)
        if row is None and number == len(lines):
            break
        if row is None or "step" not in row or not math.isfinite(row["step"]):
            raise DataError(
                f"{place}, line {number}: expected a JSON object with a number called "
                f"'step'. Got {line[:60]!r}."
            )
        # A resumed run goes back to its last checkpoint: what came after it is void.
        step = int(row.pop("step"))
        if step < latest:
            rows = {s: r for s, r in rows.items() if s <= step}
        latest = step
        known = rows.get(step, {})
        # Means over an epoch are not those of its last steps, which are known.
        rows[step] = {**row, **known} if is_mean else {**known, **row}
    if not rows:
        raise DataError(f"{place} holds no metrics.")
    steps = np.array(sorted(rows), dtype=np.int64)
    names = sorted({key for row in rows.values() for key in row})
    values = {
        key: np.array([rows[s].get(key, math.nan) for s in steps.tolist()])
        for key in names
    }
    return PretrainingRun(name or model_name(place.absolute().parent), steps, values)


def _parse(line: str) -> tuple[dict[str, float] | None, bool]:
    """Return the numbers of a line, and whether they are those of an epoch."""
    try:
        document = json.loads(line)
    except (RecursionError, ValueError):
        return None, False
    if not isinstance(document, dict):
        return None, False
    return _numbers(document, ""), document.get("kind") == "epoch"


def _numbers(document: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Return the numbers of an object and of those in it, by dotted names."""
    found: dict[str, float] = {}
    for key, value in document.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            found[prefix + key] = float(value)
        elif isinstance(value, dict):
            found |= _numbers(value, f"{prefix}{key}.")
    return found
