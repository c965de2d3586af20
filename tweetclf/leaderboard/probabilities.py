"""The probabilities of fitted models: what is stored, and if it can be believed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.statistics import (
    Calibration,
    measure_calibration,
    proba_flaw,
)

if TYPE_CHECKING:
    from tweetclf.leaderboard.records import RunRecord
    from tweetclf.leaderboard.selection import GroupedModel, Rows
    from tweetclf.tasks import Task

__all__ = ["calibrations", "join_probabilities", "probabilities_of"]


def probabilities_of(model: GroupedModel, rows: Rows, task: Task) -> np.ndarray | None:
    """Return how probable a model calls each label of a task for each row.

    They are asked for apart from the predictions, so that they are in no measured time.

    Parameters
    ----------
    model : GroupedModel
        Fitted.
    rows : Rows
        The rows.
    task : Task
        The task.

    Returns
    -------
    ndarray of shape (n_rows, n_labels) or None
        None where the model has none. What is not probabilities is not returned but
        warned of: it must not cost a run its predictions.
    """
    try:
        proba = model.predict_proba(rows, task.label_names)
        flaw = None if proba is None else _flaw_of(proba, rows, task)
    except Exception as error:
        flaw = f"predict_proba failed: {type(error).__name__}: {error}"
    if flaw is None:
        return proba
    warnings.warn(f"no probabilities are stored: {flaw}", RuntimeWarning, stacklevel=2)
    return None


def _flaw_of(proba: np.ndarray, rows: Rows, task: Task) -> str | None:
    expected = (len(rows), len(task.label_names))
    if proba.shape != expected:
        return f"predict_proba returns shape {proba.shape}, not {expected}"
    # As it will be stored: sums of floats may be a bit above 1.
    stored = proba.astype(np.float16)
    return proba_flaw(stored, add_up=task.target_kind != "multilabel")


def join_probabilities(
    parts: Sequence[tuple[np.ndarray, np.ndarray | None]], n_rows: int
) -> np.ndarray | None:
    """Put the probabilities of folds in their rows.

    Parameters
    ----------
    parts : sequence of (ndarray of int, ndarray or None)
        Positions of the rows of a fold, and their probabilities.
    n_rows : int
        Number of all rows.

    Returns
    -------
    ndarray of shape (n_rows, n_labels) or None
        None where a fold has none.
    """
    joined: np.ndarray | None = None
    for rows, proba in parts:
        if proba is None:
            return None
        if joined is None:
            joined = np.zeros((n_rows, proba.shape[1]))
        joined[rows] = proba
    return joined


def calibrations(
    by_system: Mapping[str, Sequence[RunRecord]],
    arrays: Mapping[str, Mapping[str, NDArray[Any]]],
) -> dict[str, tuple[Calibration, ...]]:
    """Measure the calibration of systems whose runs have all stored probabilities.

    Parameters
    ----------
    by_system : mapping of str to sequence of RunRecord
        Runs of each system on one task.
    arrays : mapping of str to mapping
        Key of a run -> its predictions.

    Returns
    -------
    dict of str to tuple of Calibration
        One for each run.
    """
    found = {}
    for system, runs in by_system.items():
        stored = [arrays[run.key] for run in runs]
        if all("proba" in part for part in stored):
            found[system] = tuple(
                measure_calibration(part["y_true"], part["proba"]) for part in stored
            )
    return found
