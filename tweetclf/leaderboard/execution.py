"""One run: select, fit, predict, score, and account for the cost.

Nothing here writes a file or draws a bar; a failure becomes a failed record.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.environment import model_bytes, peak_memory
from tweetclf.leaderboard.folds import make_folds, rows_together
from tweetclf.leaderboard.outcomes import (
    Outcome,
    all_metrics,
    failed_record,
    finished_record,
    predictions_of,
    remarks_on,
)
from tweetclf.leaderboard.probabilities import join_probabilities, probabilities_of
from tweetclf.leaderboard.records import RunRecord, RunSpec
from tweetclf.leaderboard.selection import (
    GroupedModel,
    Rows,
    make_model,
    rows_of,
    score_of,
    select,
)
from tweetclf.leaderboard.shared import seen_arrays
from tweetclf.leaderboard.warming import few_rows, warm_up, warm_up_once
from tweetclf.preprocessing._cache import clear_caches

if TYPE_CHECKING:
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Task

__all__ = ["Final", "execute_run", "fit_and_predict"]


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
        probabilities_of(final.model, test, task),
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
    fold_scores, tried, probas = [], [], []
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
        probas.append((outside, probabilities_of(final.model, held_out, task)))
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
        join_probabilities(probas, len(rows)),
    )


def _warm_up(system: System, task: Task, seed: int) -> None:
    rows = rows_of(task.train)
    few = few_rows(rows, np.arange(len(rows)), seed)
    warm_up(make_model(system, task, seed, None), few)


def execute_run(
    task: Task,
    system: System,
    spec: RunSpec,
    evaluate: Callable[[System, Task, RunSpec], Outcome] | None = None,
) -> tuple[RunRecord, dict[str, np.ndarray] | None]:
    """Run one system on one task.

    What a process pays once (imports, kernels, files that are read) is paid before
    the clock starts, on a few rows of train. BLAS works with one thread meanwhile: on
    the sparse matrices of these systems more threads only wait for each other.

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
        rows (int8) or numbers (float64); ``proba`` (float16), a column for each of
        these labels, where the system has ``predict_proba``; ``seen`` and
        ``contradicted`` (uint8), which of the tweets were trained on (see
        :mod:`tweetclf.leaderboard.shared`); and ``folds`` (int16) under
        cross-validation. None where the run failed.
    """
    from threadpoolctl import threadpool_limits

    if evaluate is None:
        ways = {"test": _evaluate_test, "cv": _evaluate_cv}
        evaluate = ways[spec.protocol.evaluation]
    try:
        # Whatever is wrong with its parameters is said before anything is fitted.
        system.build(task, seed=spec.seed)
        with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
            warnings.simplefilter("always")
            warm_up_once(
                (system.target, task.name), lambda: _warm_up(system, task, spec.seed)
            )
            caught.clear()
            outcome = evaluate(system, task, spec)
        predictions = predictions_of(task, outcome)
        # Reports are made without the texts: nobody could tell later.
        predictions |= seen_arrays(task, spec.protocol, outcome.folds)
    except Exception as error:
        return failed_record(spec, error), None
    messages = [f"{w.category.__name__}: {w.message}".split("\n")[0] for w in caught]
    remarks = (*remarks_on(task, spec, outcome), *dict.fromkeys(messages))
    return finished_record(spec, outcome, remarks), predictions
