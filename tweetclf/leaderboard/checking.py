"""Whether stored predictions fit their record, in shape and in score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.records import RunRecord
from tweetclf.leaderboard.statistics import proba_flaw
from tweetclf.tasks.metric import Metric

__all__ = ["TOLERANCE", "check_arrays", "check_score", "official_score", "refuse_trial"]

TOLERANCE = 1e-9
"""Largest difference of a stored score from that of the stored predictions."""

Predictions = Mapping[str, NDArray[Any]]


def _flaw(record: RunRecord, arrays: Predictions) -> str | None:
    """Say what is wrong with arrays, or None."""
    for name in ("y_true", "y_pred"):
        if name not in arrays:
            return f"there is no {name}"
    y_true, y_pred = arrays["y_true"], arrays["y_pred"]
    facts = record.spec.task
    n_labels = len(facts.label_names)
    shape: tuple[int, ...] = (len(y_true),) if y_true.ndim else ()
    if facts.kind == "multilabel":
        shape = (*shape, n_labels)
    for name, array in (("y_true", y_true), ("y_pred", y_pred)):
        if not shape or array.shape != shape:
            return f"{name} has shape {array.shape}, not {shape or '(n,)'}"
        if n_labels:
            top = 2 if facts.kind == "multilabel" else n_labels
            if array.dtype.kind not in "iu":
                return f"{name} holds {array.dtype}, not codes of labels"
            if array.size and not 0 <= array.min() <= array.max() < top:
                return f"{name} has codes outside 0 to {top - 1}"
        elif array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            return f"{name} holds something else than finite numbers"
    if "proba" in arrays:
        flaw = _proba_flaw(arrays["proba"], len(y_true), n_labels, facts.kind)
        if flaw:
            return flaw
    for name in ("groups", "folds"):
        if name in arrays and arrays[name].shape != shape[:1]:
            return f"{name} has shape {arrays[name].shape}, not {shape[:1]}"
    for name in ("seen", "contradicted"):
        if name not in arrays:
            continue
        codes = arrays[name]
        if codes.shape != shape[:1]:
            return f"{name} has shape {codes.shape}, not {shape[:1]}"
        if codes.dtype != np.uint8 or (codes.size and codes.max() > 2):
            return f"{name} holds something else than the levels 0, 1 and 2"
    expected = facts.sizes.get(record.split, shape[0])
    if shape[0] != expected or not shape[0]:
        return f"there are {shape[0]} predictions for {expected} tweets"
    return None


def _proba_flaw(
    proba: NDArray[Any], n_rows: int, n_labels: int, kind: str
) -> str | None:
    if not n_labels:
        return "there is a proba, and no label that is probable"
    if proba.shape != (n_rows, n_labels):
        return f"proba has shape {proba.shape}, not {(n_rows, n_labels)}"
    if proba.dtype.kind != "f":
        return f"proba holds {proba.dtype}, not fractions"
    flaw = proba_flaw(proba, add_up=kind != "multilabel")
    return flaw and f"proba: {flaw}"


def refuse_trial(record: RunRecord) -> None:
    """Refuse a trial of a search where a run of a leaderboard is meant.

    Raises
    ------
    RecordError
        With what to do instead.
    """
    if record.spec.trial is not None:
        raise RecordError(
            f"run {record.key} is a trial of a search, scored on the tweets that "
            "settings were chosen by. To report its setting, run it in a leaderboard; "
            "to make it again, run the same search in an empty store (tweetclf search "
            "--store DIR)."
        )


def check_arrays(record: RunRecord, arrays: Predictions, place: str) -> None:
    """Refuse predictions whose names, shapes or codes are not those of the task.

    Parameters
    ----------
    record : RunRecord
        The run.
    arrays : mapping of str to ndarray
        Its predictions.
    place : str
        Where they stand, for the message.

    Raises
    ------
    RecordError
        If they do not fit.
    """
    flaw = _flaw(record, arrays)
    if flaw:
        raise RecordError(
            f"the predictions of run {record.key} in {place} are damaged: {flaw}. "
            f"{record.remedy}"
        )


def official_score(record: RunRecord, arrays: Predictions) -> float:
    """Return the official score of stored predictions."""
    facts = record.spec.task
    metric = Metric(**facts.metric_options)
    y_true, y_pred = arrays["y_true"], arrays["y_pred"]
    if facts.label_names and y_true.ndim == 1:
        names = np.array(facts.label_names, dtype=object)
        y_true, y_pred = names[y_true], names[y_pred]
    groups = arrays.get("groups")
    return float(
        metric(y_true, y_pred, groups=None if groups is None else groups.tolist())
    )


def check_score(record: RunRecord, arrays: Predictions) -> None:
    """Refuse a record whose official score is not that of its predictions.

    Raises
    ------
    RecordError
        If they differ by more than `TOLERANCE`.
    """
    found, said = official_score(record, arrays), record.score
    if math.isnan(found) and math.isnan(said):
        return
    if not abs(found - said) <= TOLERANCE:
        raise RecordError(
            f"run {record.key} says a score of {said!r}, but its predictions give "
            f"{found!r}: {record.spec.path} or the .npz beside it was changed. "
            f"{record.remedy}"
        )
