"""Selection of hyper-parameters on dev, and models that are one a group."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.utils.threads import n_threads

if TYPE_CHECKING:
    from tweetclf.leaderboard.fold_cache import FoldCache
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Metric, Task

__all__ = [
    "GroupedModel",
    "Rows",
    "features_of",
    "forget_features",
    "make_model",
    "rows_of",
    "score_of",
    "select",
]


@dataclass(frozen=True)
class Rows:
    """Texts, labels and groups that are trained on or scored together."""

    texts: list[Any]
    labels: np.ndarray
    groups: np.ndarray | None

    def take(self, index: np.ndarray) -> Rows:
        """Return some of the rows."""
        return Rows(
            [self.texts[i] for i in index],
            self.labels[index],
            None if self.groups is None else self.groups[index],
        )

    @classmethod
    def join(cls, *parts: Rows) -> Rows:
        """Put blocks of rows below each other."""
        groups = [part.groups for part in parts if part.groups is not None]
        return cls(
            [text for part in parts for text in part.texts],
            np.concatenate([part.labels for part in parts]),
            np.concatenate(groups) if len(groups) == len(parts) else None,
        )

    def __len__(self) -> int:
        return len(self.texts)


def rows_of(split: Any) -> Rows:
    """Return the rows of a split of a task."""
    groups = None if split.groups is None else np.asarray(split.groups)
    return Rows(list(split.texts), np.asarray(split.labels), groups)


class GroupedModel:
    """One model, or one a group where a task trains one model a group.

    Parameters
    ----------
    make : callable
        Returns an unfitted estimator.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.models: dict[str | None, Any] = {}

    def fit(self, rows: Rows) -> GroupedModel:
        """Fit one estimator on each group of `rows`."""
        self.models = {}
        if rows.groups is None:
            self.models[None] = self.make().fit(rows.texts, rows.labels)
            return self
        for group in np.unique(rows.groups):
            part = rows.take(np.flatnonzero(rows.groups == group))
            self.models[str(group)] = self.make().fit(part.texts, part.labels)
        return self

    def _parts(self, rows: Rows) -> Iterator[tuple[Any, np.ndarray]]:
        """Yield the model of each group with the positions of its rows."""
        assert rows.groups is not None
        for group in np.unique(rows.groups):
            if str(group) not in self.models:
                raise DataError(
                    f"group {group!r} has tweets to predict but none to train on; "
                    f"trained groups: {', '.join(map(str, self.models))}."
                )
            yield self.models[str(group)], np.flatnonzero(rows.groups == group)

    def predict(self, rows: Rows) -> np.ndarray:
        """Predict each row with the model of its group."""
        if rows.groups is None:
            return np.asarray(self.models[None].predict(rows.texts))
        predicted: np.ndarray | None = None
        for model, index in self._parts(rows):
            part = np.asarray(model.predict(rows.take(index).texts))
            if predicted is None:
                predicted = np.empty((len(rows), *part.shape[1:]), dtype=object)
            predicted[index] = part
        assert predicted is not None
        return np.array(predicted.tolist())

    def predict_proba(
        self, rows: Rows, label_names: Sequence[str]
    ) -> np.ndarray | None:
        """Return how probable each label is for each row.

        Parameters
        ----------
        rows : Rows
            The rows; with indicator rows as labels, each label has a probability of
            its own.
        label_names : sequence of str
            The labels in order; none of numbers.

        Returns
        -------
        ndarray of shape (n_rows, n_labels) or None
            A label that the model of a row was not trained on has probability 0. None
            where there are no labels, or a model yields no probabilities.
        """
        models = self.models.values()
        if not label_names or not all(hasattr(m, "predict_proba") for m in models):
            return None
        if rows.groups is None:
            return _probabilities(self.models[None], rows, label_names)
        proba = np.zeros((len(rows), len(label_names)))
        for model, index in self._parts(rows):
            proba[index] = _probabilities(model, rows.take(index), label_names)
        return proba


def _probabilities(model: Any, rows: Rows, label_names: Sequence[str]) -> np.ndarray:
    found = np.asarray(model.predict_proba(rows.texts), dtype=np.float64)
    if rows.labels.ndim > 1:
        return found
    column = {name: i for i, name in enumerate(label_names)}
    proba = np.zeros((len(rows), len(column)))
    proba[:, [column[str(label)] for label in model.classes_]] = found
    return proba


def score_of(metric: Metric, rows: Rows, predicted: np.ndarray) -> float:
    """Return the metric of predictions for some rows."""
    groups = rows.groups.tolist() if rows.groups is not None else None
    return float(metric(rows.labels, predicted, groups=groups))


def make_model(
    system: System, task: Task, seed: int, params: dict[str, Any] | None
) -> Callable[[], Any]:
    """Return a maker of the unfitted estimator of a system in one setting."""

    def make() -> Any:
        estimator = system.build(task, seed=seed)
        return estimator.set_params(**params) if params else estimator

    return make


def _better(score: float, best: float, metric: Metric) -> bool:
    if math.isnan(best):
        return not math.isnan(score)
    return score > best if metric.greater_is_better else score < best


_CACHES: list[FoldCache] = []


def features_of(corpus: list[Any]) -> FoldCache:
    """Return the features of a task; the process keeps those of the last one."""
    from tweetclf.leaderboard.fold_cache import FoldCache

    if not _CACHES or _CACHES[0].texts != corpus:
        _CACHES[:] = [FoldCache(corpus)]
    return _CACHES[0]


def forget_features() -> None:
    """Free the memory of features that were kept for the next system of a task."""
    _CACHES.clear()


def select(
    system: System, task: Task, seed: int, train: Rows, dev: Rows, corpus: list[Any]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Fit every setting of the grid on train; return the best on dev, and all.

    Of settings with the same score the first one is kept. Features are computed once
    for all settings of all systems.
    """
    from tweetclf.leaderboard.search import prepared, runs_in_threads

    cache = features_of(corpus)

    def attempt(params: dict[str, Any]) -> dict[str, Any]:
        make = make_model(system, task, seed, params)
        start = time.perf_counter()
        model = GroupedModel(lambda: prepared(make(), cache)).fit(train)
        seconds = time.perf_counter() - start
        score = score_of(task.metric, dev, model.predict(dev))
        return {"params": params, "score": score, "fit_seconds": seconds}

    candidates = list(system.candidates(task))
    workers = 1
    if runs_in_threads(system.build(task, seed=seed), system.grid):
        workers = min(n_threads(), len(candidates))
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            # Grids rise, and the largest C takes longest: begin with it, so that no
            # thread waits for the other at the end.
            tried = list(pool.map(attempt, reversed(candidates)))[::-1]
    else:
        tried = [attempt(params) for params in candidates]
    best = tried[0]
    for trial in tried[1:]:
        if _better(trial["score"], best["score"], task.metric):
            best = trial
    return best["params"], tried
