"""Baselines and learning curves of one task, with features computed once.

The predictions are those of `execute_run`, fold by fold; what differs is the way there.
The first fold is trained as a user would, alone and from the texts, so that its time
and memory are what a system costs. All others take their n-grams from one count of the
whole corpus and are solved in threads.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.environment import model_bytes
from tweetclf.leaderboard.execution import execute_run, fit_and_predict
from tweetclf.leaderboard.fold_cache import FoldCache
from tweetclf.leaderboard.folds import Fold, make_folds, rows_together
from tweetclf.leaderboard.learning import LearningCurve
from tweetclf.leaderboard.outcomes import Outcome, all_metrics
from tweetclf.leaderboard.probabilities import join_probabilities, probabilities_of
from tweetclf.leaderboard.records import Protocol, RunRecord, RunSpec
from tweetclf.leaderboard.runner import describe_task, make_spec
from tweetclf.leaderboard.search import prepared, runs_in_threads
from tweetclf.leaderboard.selection import (
    GroupedModel,
    Rows,
    make_model,
    rows_of,
    score_of,
)
from tweetclf.leaderboard.warming import nested_order
from tweetclf.utils.random import stream
from tweetclf.utils.threads import n_threads

if TYPE_CHECKING:
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Split, Task

__all__ = ["N_REPEATS", "Layout", "Trials", "lay_out"]

T = TypeVar("T")

N_REPEATS = 5
"""Folds of a cross-validation, and orders of the labels of one training split."""

# Halvings of the training set below its whole size.
_HALVINGS = 5
# Fewest labels of a curve, and fewest for each class.
_SMALLEST = 20
_SMALLEST_CLASS = 4


@dataclass(frozen=True, eq=False)
class Layout:
    """Which rows systems are trained on and scored on.

    Parameters
    ----------
    evaluation : {"cv", "test"}
        As of :class:`Protocol`.
    splits : tuple of Split
        The splits, whose rows stand below each other in `rows`.
    rows : Rows
        All rows.
    folds : tuple of (ndarray, ndarray)
        Positions to train on and to score; one pair for a test split.
    """

    evaluation: str
    splits: tuple[Split, ...]
    rows: Rows
    folds: tuple[Fold, ...]

    @property
    def scored(self) -> np.ndarray:
        """Positions of the scored rows, in the order of the predictions."""
        if self.evaluation == "cv":
            return np.arange(len(self.rows))
        return self.folds[0][1]

    @property
    def n_labels(self) -> int:
        """Labels that a final model would be trained on."""
        if self.evaluation == "cv":
            return len(self.rows)
        return len(self.folds[0][0])


def lay_out(task: Task, n_folds: int = N_REPEATS) -> Layout:
    """Score test where there is one, else every row by models without it.

    Parameters
    ----------
    task : Task
        The task; without a test split, train and dev are cross-validated together.
    n_folds : int, default=5
        Folds of the cross-validation.

    Raises
    ------
    DataError
        If there are fewer different texts or threads than folds.
    """
    if task.test is not None:
        both = (task.train, task.test)
        rows = Rows.join(*map(rows_of, both))
        n = len(task.train)
        fold = np.arange(n), np.arange(n, len(rows))
        return Layout("test", both, rows, (fold,))
    splits = tuple(task.splits[s] for s in ("train", "dev") if s in task.splits)
    rows = Rows.join(*map(rows_of, splits))
    with warnings.catch_warnings():
        # Of a rare label there may be fewer rows than folds.
        warnings.filterwarnings("ignore", message="The least populated class")
        folds = make_folds(
            rows.labels, rows_together(splits), n_folds, groups=rows.groups
        )
    return Layout("cv", splits, rows, tuple(folds))


class Trials:
    """Runs of several systems on one task, and their learning curves.

    Parameters
    ----------
    task : Task
        The task.
    layout : Layout
        Of `lay_out`.
    seed : int, default=0
        Seed of the systems and of the orders of the labels.
    max_bytes : int, default=2**28
        Most memory of the features that are kept, see `FoldCache`.
    on_fit : callable, optional
        Called with a description after each model that was trained.
    on_test : callable, optional
        Called with the run before each of its models that is scored on a test split:
        one for the run, one for each point and order of its learning curve.

    Attributes
    ----------
    predictions : dict of str to dict
        What is stored beside a record, by its key.
    proba : ndarray of shape (n_rows, n_labels) or None
        Out-of-fold probabilities of the system `proba_of`, once it ran under
        cross-validation.
    """

    def __init__(
        self,
        task: Task,
        layout: Layout,
        *,
        seed: int = 0,
        max_bytes: int = 2**28,
        proba_of: str | None = None,
        on_fit: Callable[[str], None] | None = None,
        on_test: Callable[[RunSpec], None] | None = None,
    ) -> None:
        self.task = task
        self.layout = layout
        self.seed = seed
        self.proba_of = proba_of
        self.proba: np.ndarray | None = None
        self.predictions: dict[str, dict[str, np.ndarray]] = {}
        self._facts = describe_task(task, layout.evaluation)
        self._cache = FoldCache(layout.rows.texts, max_bytes=max_bytes)
        self._on_fit = on_fit or (lambda description: None)
        self._on_test = on_test

    def run(self, system: System) -> RunRecord:
        """Run a system; a failure becomes a failed record.

        Parameters
        ----------
        system : System
            One that does this kind of task.
        """
        protocol = Protocol(self.layout.evaluation, n_folds=len(self.layout.folds))
        spec = make_spec(self.task, system, self.seed, protocol, self._facts)
        self._count(spec, 1)
        record, predictions = execute_run(self.task, system, spec, self._evaluate)
        if predictions is not None:
            self.predictions[record.key] = predictions
        return record

    def _count(self, spec: RunSpec, n_models: int) -> None:
        """Say before models are scored that test is, so that failures count, too."""
        if self._on_test is not None and self.layout.evaluation == "test":
            for _ in range(n_models):
                self._on_test(spec)

    def _evaluate(self, system: System, task: Task, spec: RunSpec) -> Outcome:
        rows, folds = self.layout.rows, self.layout.folds
        make = make_model(system, task, spec.seed, None)
        inside, outside = folds[0]
        first = fit_and_predict(make, rows.take(inside), rows.take(outside))
        self._on_fit(system.name)
        first_proba = probabilities_of(first.model, rows.take(outside), task)

        def attempt(fold: Fold) -> tuple[np.ndarray, np.ndarray | None]:
            model = GroupedModel(lambda: prepared(make(), self._cache))
            model.fit(rows.take(fold[0]))
            held_out = rows.take(fold[1])
            predicted = model.predict(held_out)
            proba = probabilities_of(model, held_out, task)
            self._on_fit(system.name)
            return predicted, proba

        found = [(first.y_pred, first_proba), *_share(system, task, attempt, folds[1:])]
        y_pred = np.empty((len(rows), *first.y_pred.shape[1:]), dtype=object)
        number = np.zeros(len(rows), dtype=np.int16)
        fold_scores = []
        probas = []
        for i, ((_, held_out), (predicted, proba)) in enumerate(
            zip(folds, found, strict=True)
        ):
            probas.append((held_out, proba))
            y_pred[held_out] = predicted
            number[held_out] = i
            fold_scores.append(score_of(task.metric, rows.take(held_out), predicted))
        scored = rows.take(self.layout.scored)
        y_pred = np.array(y_pred[self.layout.scored].tolist())
        folded = self.layout.evaluation == "cv"
        joined = join_probabilities(probas, len(rows))
        if system.name == self.proba_of and folded and rows.groups is None:
            self.proba = joined
        return Outcome(
            scored,
            y_pred,
            {self.layout.evaluation: all_metrics(task, scored, y_pred)},
            fold_scores if folded else [],
            number if folded else None,
            None,
            [],
            first.fit_seconds,
            0.0,
            # Of one model; the rate is what matters.
            first.predict_seconds * len(scored) / len(outside),
            first.peak_memory,
            model_bytes(list(first.model.models.values())),
            None if joined is None else joined[self.layout.scored],
        )

    def curve_sizes(self) -> list[int]:
        """Return the sizes of training sets of a learning curve, ascending."""
        whole = min(len(inside) for inside, _ in self.layout.folds)
        least = max(_SMALLEST, _SMALLEST_CLASS * len(self.task.label_names))
        halved = (round(whole / 2**k) for k in range(_HALVINGS, -1, -1))
        return [size for size in halved if size >= min(least, whole)]

    def curve(self, system: System, record: RunRecord) -> LearningCurve:
        """Train a system on ever more labels.

        Parameters
        ----------
        system : System
            The system.
        record : RunRecord
            Its finished run, which is the last point of the curve.

        Returns
        -------
        LearningCurve
            One repeat a fold, or, on a test split, one of five orders of train. Sizes
            on which the system cannot be trained are left out.

        Raises
        ------
        DataError
            If there is none left.
        """
        from threadpoolctl import threadpool_limits

        rows, folds = self.layout.rows, self.layout.folds
        repeated = folds if len(folds) > 1 else folds * N_REPEATS
        orders = [
            nested_order(rows, inside, stream(self.seed, "curve", repeat))
            for repeat, (inside, _) in enumerate(repeated)
        ]
        sizes = self.curve_sizes()
        make = make_model(system, self.task, self.seed, None)
        jobs = [(r, s) for s in range(len(sizes) - 1) for r in range(len(repeated))]

        def attempt(job: tuple[int, int]) -> float:
            repeat, size = job
            model = GroupedModel(lambda: prepared(make(), self._cache))
            held_out = rows.take(repeated[repeat][1])
            try:
                model.fit(rows.take(orders[repeat][: sizes[size]]))
                predicted = model.predict(held_out)
            except (ValueError, DataError):
                # Too few texts for a system that drops rare n-grams, or one class.
                return np.nan
            finally:
                self._on_fit(f"{system.name}, {sizes[size]:,} labels")
            return score_of(self.task.metric, held_out, predicted)

        scores = np.empty((len(repeated), len(sizes)))
        self._count(record.spec, len(jobs))
        # What a fit warns of was said when the system ran.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            # The largest take longest: begin with them.
            found = _share(system, self.task, attempt, jobs[::-1])
        for (repeat, size), score in zip(jobs[::-1], found, strict=True):
            scores[repeat, size] = score
        scores[:, -1] = record.fold_scores or record.score
        kept = np.isfinite(scores).all(axis=0)
        if not kept.any():
            raise DataError(f"{system.name} has no defined score at any size.")
        return LearningCurve(
            np.array(sizes)[kept],
            scores[:, kept],
            self.task.metric.greater_is_better,
        )


def _share(
    system: System, task: Task, attempt: Callable[[Any], T], jobs: Sequence[Any]
) -> list[T]:
    """Do jobs in threads where the system gives the same results so."""
    workers = 1
    if runs_in_threads(system.build(task), {}):
        workers = min(n_threads(), len(jobs))
    if workers < 2:
        return [attempt(job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(attempt, jobs))
