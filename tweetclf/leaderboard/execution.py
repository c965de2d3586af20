"""One run: select, fit, predict, score, and account for the cost.

Nothing here writes a file or draws a bar; a failure becomes a failed record.
"""

from __future__ import annotations

import math
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.environment import (
    describe_environment,
    model_bytes,
    peak_memory,
)
from tweetclf.leaderboard.folds import make_folds, rows_together
from tweetclf.leaderboard.records import Cost, RunRecord, RunSpec
from tweetclf.leaderboard.selection import (
    GroupedModel,
    Rows,
    make_model,
    rows_of,
    score_of,
    select,
)
from tweetclf.preprocessing._cache import clear_caches

if TYPE_CHECKING:
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Task

__all__ = ["Final", "Outcome", "all_metrics", "execute_run", "fit_and_predict"]


@dataclass
class Final:
    """The final model of a split, what it predicts, and what that costs."""

    model: GroupedModel
    y_pred: np.ndarray
    fit_seconds: float
    predict_seconds: float
    peak_memory: int


def _choose(
    system: System,
    task: Task,
    spec: RunSpec,
    train: Rows,
    dev: Rows | None,
    corpus: list[Any] | None = None,
) -> tuple[dict[str, Any] | None, list[dict[str, Any]], float]:
    """Select if asked; return the setting, what was tried and the time."""
    if not (spec.protocol.grid and spec.grid):
        return None, [], 0.0
    if dev is None:
        raise DataError(
            f"task {task.name!r} has no dev split to select hyper-parameters on."
        )
    start = time.perf_counter()
    corpus = corpus or [*train.texts, *dev.texts]
    params, tried = select(system, task, spec.seed, train, dev, corpus)
    return params, tried, time.perf_counter() - start


def fit_and_predict(make: Callable[[], Any], train: Rows, test: Rows) -> Final:
    """Fit the final model and predict with it.

    This is done without anything that selection or earlier systems have computed, so
    that time and memory are what this system costs. The features that are kept for the
    next system count as memory that was taken before.
    """
    clear_caches()
    with peak_memory() as peak:
        start = time.perf_counter()
        model = GroupedModel(make).fit(train)
        fitted = time.perf_counter()
        y_pred = model.predict(test)
        predicted = time.perf_counter()
        memory = peak()
    return Final(model, y_pred, fitted - start, predicted - fitted, memory)


@dataclass
class Outcome:
    """What a run came to: the evaluated rows, predictions, scores and costs."""

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
    peak_memory: int
    model_bytes: int | None


def all_metrics(task: Task, rows: Rows, predicted: np.ndarray) -> dict[str, float]:
    """Return the official score and those of the other metrics by signature."""
    scores = {"official": score_of(task.metric, rows, predicted)}
    for metric in task.secondary_metrics:
        scores[metric.signature()] = score_of(metric, rows, predicted)
    return scores


def _evaluate_test(system: System, task: Task, spec: RunSpec) -> Outcome:
    train = rows_of(task.train)
    dev = rows_of(task.splits["dev"]) if "dev" in task.splits else None
    params, tried, select_seconds = _choose(system, task, spec, train, dev)
    if spec.protocol.refit_on_dev and dev is not None:
        train = Rows.join(train, dev)
    test = rows_of(task.test)
    make = make_model(system, task, spec.seed, params)
    final = fit_and_predict(make, train, test)
    scores = {"test": all_metrics(task, test, final.y_pred)}
    # A model that was trained on dev must not be scored on it.
    if dev is not None and not spec.protocol.refit_on_dev:
        scores["dev"] = all_metrics(task, dev, final.model.predict(dev))
    return Outcome(
        test,
        final.y_pred,
        scores,
        [],
        None,
        params,
        tried,
        final.fit_seconds,
        select_seconds,
        final.predict_seconds,
        final.peak_memory,
        model_bytes(list(final.model.models.values())),
    )


def _inner_dev(rows: Rows, together: np.ndarray) -> tuple[Rows, Rows]:
    """Cut one tenth off the training part of a fold for selection."""
    train, dev = make_folds(rows.labels, together, 10, groups=rows.groups)[0]
    return rows.take(train), rows.take(dev)


def _evaluate_cv(system: System, task: Task, spec: RunSpec) -> Outcome:
    splits = [task.splits[name] for name in ("train", "dev") if name in task.splits]
    rows = Rows.join(*map(rows_of, splits))
    together = rows_together(splits)
    y_pred: np.ndarray | None = None
    folds = np.empty(len(rows), dtype=np.int16)
    fold_scores, tried = [], []
    fit_seconds = select_seconds = predict_seconds = 0.0
    memory = 0
    sizes: list[int | None] = []
    parts = make_folds(rows.labels, together, spec.protocol.n_folds, groups=rows.groups)
    for number, (inside, outside) in enumerate(parts):
        train, dev = rows.take(inside), None
        if spec.protocol.grid and spec.grid:
            train, dev = _inner_dev(train, together[inside])
        params, tried_here, seconds = _choose(
            system, task, spec, train, dev, rows.texts
        )
        tried += [{"fold": number, **trial} for trial in tried_here]
        if spec.protocol.refit_on_dev and dev is not None:
            train = Rows.join(train, dev)
        held_out = rows.take(outside)
        make = make_model(system, task, spec.seed, params)
        final = fit_and_predict(make, train, held_out)
        predicted = final.y_pred
        fit_seconds += final.fit_seconds
        select_seconds += seconds
        predict_seconds += final.predict_seconds
        memory = max(memory, final.peak_memory)
        sizes.append(model_bytes(list(final.model.models.values())))
        fold_scores.append(score_of(task.metric, held_out, predicted))
        if y_pred is None:
            y_pred = np.empty((len(rows), *predicted.shape[1:]), dtype=object)
        y_pred[outside] = predicted
        folds[outside] = number
    assert y_pred is not None
    y_pred = np.array(y_pred.tolist())
    measured = [size for size in sizes if size is not None]
    return Outcome(
        rows,
        y_pred,
        {"cv": all_metrics(task, rows, y_pred)},
        fold_scores,
        folds,
        None,
        tried,
        fit_seconds,
        select_seconds,
        predict_seconds,
        memory,
        round(sum(measured) / len(measured)) if measured else None,
    )


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


def _remarks(task: Task, spec: RunSpec, outcome: Outcome) -> list[str]:
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


def execute_run(
    task: Task,
    system: System,
    spec: RunSpec,
    evaluate: Callable[[System, Task, RunSpec], Outcome] | None = None,
) -> tuple[RunRecord, dict[str, np.ndarray] | None]:
    """Run one system on one task.

    BLAS works with one thread meanwhile: on the sparse matrices of these systems more
    threads only wait for each other.

    Parameters
    ----------
    task : Task
        The task with its data.
    system : System
        The system.
    spec : RunSpec
        What is to be run; it names the record.
    evaluate : callable, optional
        Does the work in place of the usual way, to the same predictions.

    Returns
    -------
    record : RunRecord
        Finished, or failed with the error.
    predictions : dict of str to ndarray or None
        ``y_true`` and ``y_pred`` as codes of ``task.label_names`` (int16), indicator
        rows (int8) or numbers (float64), and ``folds`` (int16) under
        cross-validation; None where the run failed.
    """
    from threadpoolctl import threadpool_limits

    if evaluate is None:
        ways = {"test": _evaluate_test, "cv": _evaluate_cv}
        evaluate = ways[spec.protocol.evaluation]
    try:
        # Imports are not part of what a system costs.
        system.build(task, seed=spec.seed)
        with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
            warnings.simplefilter("always")
            outcome = evaluate(system, task, spec)
        predictions = _predictions(task, outcome)
    except Exception as error:
        return _failed(spec, error), None
    messages = [f"{w.category.__name__}: {w.message}".split("\n")[0] for w in caught]
    remarks = (*_remarks(task, spec, outcome), *dict.fromkeys(messages))
    return _finished(spec, outcome, remarks), predictions


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _predictions(task: Task, outcome: Outcome) -> dict[str, np.ndarray]:
    """Return what is stored beside the record."""
    predictions = {
        "y_true": _encode(outcome.rows.labels, task),
        "y_pred": _encode(outcome.y_pred, task),
    }
    if outcome.folds is not None:
        predictions["folds"] = outcome.folds
    if outcome.rows.groups is not None:
        predictions["groups"] = outcome.rows.groups
    return predictions


def _failed(spec: RunSpec, error: Exception) -> RunRecord:
    return RunRecord(
        spec,
        "failed",
        environment=describe_environment(),
        error=f"{type(error).__name__}: {error}{_where(error)}",
        created=_now(),
    )


def _finished(spec: RunSpec, outcome: Outcome, remarks: tuple[str, ...]) -> RunRecord:
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
