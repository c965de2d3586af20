"""The tables of a leaderboard: ranked systems of a task, and over tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.records import RunRecord, TaskFacts
from tweetclf.leaderboard.statistics import ALPHA, Calibration, Comparison

if TYPE_CHECKING:
    from tweetclf.tasks import PublishedResult

__all__ = [
    "Contrast",
    "Entry",
    "Leaderboard",
    "Overall",
    "Shared",
    "TaskBoard",
    "Without",
]


@dataclass(frozen=True)
class Entry:
    """One system on one task.

    Parameters
    ----------
    system : str
        Name of the system, with what tells its variants apart, if there are any.
    score : float
        Official metric, mean over seeds.
    low, high : float
        95 % paired-bootstrap interval over tweets.
    seed_scores : tuple of float
        Score of each seed.
    fold_scores : tuple of float
        Score of each fold of the first seed, under cross-validation.
    rank : int
        Position, 1 is best; systems with equal scores share it.
    p_best : float
        Holm-adjusted p-value of the difference from the best; 1 for the best.
    records : tuple of RunRecord
        The runs, in order of seed.
    """

    system: str
    score: float
    low: float
    high: float
    seed_scores: tuple[float, ...]
    fold_scores: tuple[float, ...]
    rank: int
    p_best: float
    records: tuple[RunRecord, ...]

    @property
    def tied(self) -> bool:
        """Whether the system cannot be told apart from the best."""
        return self.p_best >= ALPHA and math.isfinite(self.score)

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN with one seed."""
        if len(self.seed_scores) < 2:
            return math.nan
        return float(np.std(self.seed_scores, ddof=1))

    def mean_cost(self, attribute: str) -> float:
        """Mean over seeds of an attribute of :class:`Cost`; NaN where not measured."""
        values = [getattr(record.cost, attribute) for record in self.records]
        if not values or any(value is None for value in values):
            return math.nan
        return float(np.mean(values))


@dataclass(frozen=True)
class Contrast:
    """Two ranked systems on the same tweets, the better placed one first.

    Parameters
    ----------
    comparison : Comparison
        Difference, interval, p-values; from the resamples of the scores' intervals.
    n_fixed : float or None
        Tweets that the second system gets wrong and the first right, mean over pairs
        of runs; None where predictions are numbers.
    n_broken : float or None
        Tweets that the second system gets right and the first wrong.
    """

    comparison: Comparison
    n_fixed: float | None
    n_broken: float | None


@dataclass(frozen=True)
class Without:
    """Scores without the tweets whose texts were trained on.

    Parameters
    ----------
    level : {"verbatim", "normalised"}
        What counts as the same text.
    n_left : int
        Tweets that are left.
    scores : mapping of str to (float, float, float)
        System -> score, mean over seeds, and its 95 % interval.
    n_resamples : int
        Bootstrap resamples behind the intervals.
    """

    level: str
    n_left: int
    scores: Mapping[str, tuple[float, float, float]]
    n_resamples: int


@dataclass(frozen=True)
class Shared:
    """What the evaluated tweets share with what the systems were trained on.

    Parameters
    ----------
    counts : mapping of str to (int, int)
        Level -> tweets whose text was trained on, and how many of them with another
        label than their own. "normalised" includes "verbatim".
    joined : bool, default=False
        Whether dev was trained on as well, by some system at least.
    without : tuple of Without, default=()
        Scores without those tweets, a level each at which there are some.
    n_unknown : int, default=0
        Runs that were trained on other tweets and for which it is not known.
    """

    counts: Mapping[str, tuple[int, int]]
    joined: bool = False
    without: tuple[Without, ...] = ()
    n_unknown: int = 0


@dataclass(frozen=True)
class TaskBoard:
    """The ranked systems of one task.

    Parameters
    ----------
    facts : TaskFacts
        The task.
    split : {"test", "cv"}
        What was scored.
    n_scored : int
        Number of tweets scored.
    entries : tuple of Entry
        Finished systems, best first.
    failed : tuple of RunRecord
        Failed runs.
    published : tuple of PublishedResult
        Published results of the same task.
    confusion : ndarray of shape (n_labels, n_labels) or None
        Of the best system's first seed; rows are gold labels.
    n_test_scorings : int or None
        How many runs that score the test split were started in the store.
    labels : mapping of str to str, default={}
        Key of a run -> name of its system and variant.
    contrasts : tuple of Contrast, default=()
        The first entry against each other one, as one family of tests.
    neighbours : tuple of Contrast, default=()
        Each entry below the first against the next one, as another family.
    shared : Shared or None
        What the scored tweets share with the training set; None where not recorded.
    calibration : mapping of str to tuple of Calibration, default={}
        System -> calibration of each of its runs, in order of seed, where all of them
        have stored probabilities.
    """

    facts: TaskFacts
    split: str
    n_scored: int
    entries: tuple[Entry, ...]
    failed: tuple[RunRecord, ...] = ()
    published: tuple[PublishedResult, ...] = ()
    confusion: NDArray[np.int64] | None = None
    n_test_scorings: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()
    neighbours: tuple[Contrast, ...] = ()
    shared: Shared | None = None
    calibration: Mapping[str, tuple[Calibration, ...]] = field(default_factory=dict)

    def label(self, run: RunRecord) -> str:
        """Return the name of the system and variant that a run is of."""
        return self.labels.get(run.key, run.spec.system)


@dataclass(frozen=True)
class Overall:
    """One system over all tasks that are evaluated alike.

    Parameters
    ----------
    system : str
        Name of the system.
    mean_rank : float
        Mean of its ranks among the systems that finished every task.
    mean_score : float
        Mean score; NaN where the metrics are not all scores to maximise.
    low, high : float
        95 % bootstrap interval of the mean score over tweets.
    scores : mapping of str to float
        Task -> score.
    split : {"test", "cv"}, default="test"
        What was scored; scores on test and under cross-validation are not averaged.
    """

    system: str
    mean_rank: float
    mean_score: float
    low: float
    high: float
    scores: Mapping[str, float]
    split: str = "test"


@dataclass(frozen=True)
class Leaderboard:
    """All tables of a report.

    Parameters
    ----------
    title : str
        Title of the report.
    boards : tuple of TaskBoard
        One a task.
    overall : tuple of Overall
        Systems that finished every task, by mean rank, test before cross-validation;
        none of an evaluation with one task.
    skipped : tuple of (task, system or None, reason)
        What was not run.
    n_resamples : int
        Bootstrap resamples behind the intervals.
    """

    title: str
    boards: tuple[TaskBoard, ...]
    overall: tuple[Overall, ...] = ()
    skipped: tuple[tuple[str, str | None, str], ...] = ()
    n_resamples: int = 0
