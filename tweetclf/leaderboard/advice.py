"""What `advise` measured, and the facts that its rules look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tweetclf.leaderboard.actions import Action, Facts
from tweetclf.leaderboard.statistics import ALPHA

if TYPE_CHECKING:
    from tweetclf.leaderboard.boards import TaskBoard
    from tweetclf.leaderboard.learning import (
        Extrapolation,
        FittedCurve,
        LearningCurve,
    )
    from tweetclf.leaderboard.rivals import Rival
    from tweetclf.leaderboard.statistics import Comparison
    from tweetclf.tasks import Split, Task
    from tweetclf.tasks.findings import Audit

__all__ = ["Advice", "count_labels", "labelled_splits", "make_facts"]

# A suggested label that is at least so probable is nearly sure.
_NEARLY_SURE = 0.9


@dataclass(frozen=True, eq=False)
class Advice:
    """What was measured on a task, and what to do next.

    Parameters
    ----------
    task : str
        Name of the task.
    n_labels : int
        Labels that a final model is trained on.
    evaluation : {"cv", "test"}
        What was scored: every row by models without it, or the test split.
    audit : Audit
        What makes scores doubtful.
    margin : float
        Largest difference that does not matter, in units of the score.
    labels : int
        Further labels that are thought of.
    seed : int
        Seed of everything.
    skipped : tuple of (str, str), default=()
        Baselines that do not do this kind of task, and why.
    board : TaskBoard or None, default=None
        The ranked baselines; None where there is too little to train on.
    n_resamples : int, default=0
        Bootstrap resamples behind the intervals.
    best : str or None, default=None
        The best baseline that learns something.
    curve : LearningCurve or None, default=None
        Its learning curve.
    fitted : FittedCurve or None, default=None
        The curve fitted; None where it must not be.
    forecasts : tuple of Extrapolation, default=()
        What half of, all of and twice the labels thought of are expected to bring.
    no_forecast : str, default=""
        Why there is no curve, or no forecast.
    rival : Rival or None, default=None
        The transformer compared with.
    comparisons : tuple of Comparison, default=()
        The transformer against each baseline; the best baseline first.
    actions : tuple of Action, default=()
        What to do, the most urgent first.
    n_test_scorings : int, default=0
        How often a model was scored on the test split for all this; 0 under
        cross-validation.
    """

    task: str
    n_labels: int
    evaluation: str
    audit: Audit
    margin: float
    labels: int
    seed: int
    skipped: tuple[tuple[str, str], ...] = ()
    board: TaskBoard | None = None
    n_resamples: int = 0
    best: str | None = None
    curve: LearningCurve | None = None
    fitted: FittedCurve | None = None
    forecasts: tuple[Extrapolation, ...] = ()
    no_forecast: str = ""
    rival: Rival | None = None
    comparisons: tuple[Comparison, ...] = ()
    actions: tuple[Action, ...] = ()
    n_test_scorings: int = 0

    @property
    def forecast(self) -> Extrapolation | None:
        """What the labels thought of are expected to bring; None if not known."""
        wanted = self.n_labels + self.labels
        return next((f for f in self.forecasts if f.n_to == wanted), None)


def labelled_splits(task: Task) -> list[Split]:
    """Return the splits that a final model may be trained on."""
    names = ["train"] if task.test is not None else ["train", "dev"]
    return [task.splits[name] for name in names if name in task.splits]


def count_labels(task: Task) -> list[tuple[str, int]] | None:
    """Return each label with its rows, the rarest first; None of numbers."""
    if task.target_kind == "regression":
        return None
    labels = np.concatenate([np.asarray(s.labels) for s in labelled_splits(task)])
    if labels.ndim > 1:
        counts = labels.sum(axis=0).tolist()
    else:
        as_text = labels.astype(str)
        counts = [int((as_text == name).sum()) for name in task.label_names]
    pairs = zip(task.label_names, map(int, counts), strict=True)
    return sorted(pairs, key=lambda pair: pair[1])


def _metric_name(task: Task) -> str:
    words = task.metric.name.split("_")
    upper = {"f1", "rmse", "mae", "mcc"}
    said = [word.upper() if word in upper else word for word in words]
    if said[0] == "binary" and task.metric.pos is not None:
        return f"{' '.join(said[1:])} of {task.metric.pos}"
    return " ".join(said)


def make_facts(advice: Advice, task: Task) -> Facts:
    """Return what the rules of `choose_actions` look at.

    Parameters
    ----------
    advice : Advice
        What was measured.
    task : Task
        The task.
    """
    audit = advice.audit
    n_leaked = 0
    if task.test is not None:
        n_leaked = len(audit.shared("test", "train").rows)
    contradictions = {found.level: found for found in audit.contradictions}
    found = contradictions.get("normalised") or contradictions.get("verbatim")
    noise = audit.label_noise
    sure = [s for s in noise.suspects if s.p_suggested >= _NEARLY_SURE] if noise else []
    counts = count_labels(task)
    # More than can be forecast is no reason against the labels that can be.
    forecast = advice.forecast or max(
        advice.forecasts, key=lambda found: found.n_to, default=None
    )
    points = task.metric.greater_is_better
    facts = Facts(
        n_labels=advice.n_labels,
        smallest=counts[0] if counts else None,
        metric=_metric_name(task),
        unit="points" if points else _metric_name(task),
        scale=100.0 if points else 1.0,
        margin=advice.margin,
        best=advice.best,
        n_scored=advice.n_labels if task.test is None else len(task.test),
        n_leaked=n_leaked,
        n_contradicting=found.n_rows if found else 0,
        n_rows=found.n_of if found else 0,
        n_suspects=len(sure),
        n_believed=noise.n_of if noise else 0,
        labels=advice.labels if forecast is None else forecast.n_to - forecast.n_from,
        gain=None
        if forecast is None
        else (forecast.gain_low, forecast.gain, forecast.gain_high),
        no_gain=advice.no_forecast,
    )
    return _with_rival(facts, advice.comparisons[0]) if advice.comparisons else facts


def _with_rival(facts: Facts, found: Comparison) -> Facts:
    """Add how the transformer compares with the best baseline."""
    sign = 1.0 if found.greater_is_better else -1.0
    low, high = sorted(sign * end for end in found.interval)
    p = found.p_equivalence_adjusted
    return replace(
        facts,
        rival=found.names[0],
        rival_difference=(low, sign * found.difference, high),
        rival_equivalent=p is not None and p < ALPHA,
        rival_n=found.n_samples,
        rival_detectable=found.detectable,
    )
