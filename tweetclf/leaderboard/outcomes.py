"""What came out of a run: predictions, scores and costs, made into a record."""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.environment import describe_environment
from tweetclf.leaderboard.records import Cost, RunRecord, RunSpec
from tweetclf.leaderboard.selection import Rows, score_of

if TYPE_CHECKING:
    from tweetclf.tasks import Task

__all__ = [
    "Outcome",
    "all_metrics",
    "failed_record",
    "finished_record",
    "predictions_of",
    "remarks_on",
]


@dataclass
class Outcome:
    """What a system predicted, how good that is, and what it cost.

    Its probabilities, where it has any, are those of the rows, in the order of the
    task's labels.
    """

    rows: Rows
    y_pred: np.ndarray
    scores: dict[str, dict[str, float]]
    fold_scores: list[float]
    folds: np.ndarray | None
    selected: dict[str, Any] | None
    tried: list[dict[str, Any]]
    fit_seconds: float
    select_seconds: float
    predict_seconds: float
    peak_memory: int | None
    model_bytes: int | None
    proba: np.ndarray | None = None


def all_metrics(task: Task, rows: Rows, predicted: np.ndarray) -> dict[str, float]:
    """Return the official metric and all others, by signature."""
    scores = {"official": score_of(task.metric, rows, predicted)}
    for metric in task.secondary_metrics:
        scores[metric.signature()] = score_of(metric, rows, predicted)
    return scores


def _encode(labels: np.ndarray, task: Task) -> np.ndarray:
    """Turn labels into what is stored: codes, indicator rows or numbers."""
    label_names = task.label_names
    if task.target_kind == "multilabel":
        return np.asarray(labels).astype(np.int8)
    if task.target_kind == "regression":
        return np.asarray(labels, dtype=np.float64)
    order = {name: code for code, name in enumerate(label_names)}
    try:
        return np.array([order[str(label)] for label in labels], dtype=np.int16)
    except KeyError as error:
        raise DataError(
            f"a predicted label is none of the task's: {error.args[0]!r}; the labels "
            f"are {', '.join(label_names)}."
        ) from error


def remarks_on(task: Task, spec: RunSpec, outcome: Outcome) -> list[str]:
    """Say what a reader of the score must know."""
    remarks = []
    score = outcome.scores[spec.protocol.evaluation]["official"]
    if not math.isfinite(score):
        remarks.append(
            f"the official metric is {score}: it is not defined for these predictions"
        )
    predicted = np.unique(outcome.y_pred, axis=0)
    if len(predicted) == 1 and len(outcome.y_pred) > 1:
        remarks.append(f"constant predictions: {predicted[0]!s} for every tweet")
    elif task.target_kind in {"binary", "multiclass"}:
        gold = {str(label) for label in np.unique(outcome.rows.labels)}
        never = sorted(gold - {str(label) for label in predicted})
        if never:
            remarks.append(f"never predicted: {', '.join(never)}")
    if spec.task.n_shared:
        n = spec.task.sizes[spec.protocol.evaluation]
        remarks.append(
            f"{spec.task.n_shared} of {n} evaluated tweets stand verbatim in train"
        )
    return remarks


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f" ({Path(last.filename).name}:{last.lineno} in {last.name})"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def predictions_of(task: Task, outcome: Outcome) -> dict[str, np.ndarray]:
    """Return what is stored beside the record."""
    predictions = {
        "y_true": _encode(outcome.rows.labels, task),
        "y_pred": _encode(outcome.y_pred, task),
    }
    if outcome.proba is not None:
        # Half precision is finer than any calibration that tweets can show.
        predictions["proba"] = outcome.proba.astype(np.float16)
    if outcome.folds is not None:
        predictions["folds"] = outcome.folds
    if outcome.rows.groups is not None:
        predictions["groups"] = outcome.rows.groups
    return predictions


def failed_record(spec: RunSpec, error: Exception) -> RunRecord:
    """Return the record of a run that ended with an error."""
    return RunRecord(
        spec,
        "failed",
        environment=describe_environment(),
        error=f"{type(error).__name__}: {error}{_where(error)}",
        created=_now(),
    )


def finished_record(
    spec: RunSpec, outcome: Outcome, remarks: tuple[str, ...]
) -> RunRecord:
    """Return the record of a run that came to its end."""
    return RunRecord(
        spec,
        "finished",
        scores=outcome.scores,
        fold_scores=tuple(outcome.fold_scores),
        selected=outcome.selected,
        candidates=tuple(outcome.tried),
        cost=Cost(
            outcome.fit_seconds,
            outcome.select_seconds,
            outcome.predict_seconds,
            len(outcome.rows),
            outcome.peak_memory,
            outcome.model_bytes,
        ),
        environment=describe_environment(),
        warnings=remarks,
        created=_now(),
    )
