"""Pre-training candidates, judged by how well they are fine-tuned on two tasks.

References
----------
E. Lone-Wolfgang, "BERT for Japanese Twitter", chapter 6: each setting of pre-training
is a point, its score on one task against that on another, beside general models.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.records import RunRecord
from tweetclf.leaderboard.trials import Sweep

__all__ = ["CandidateScores", "compare_candidates", "compare_sweeps"]


@dataclass(frozen=True)
class CandidateScores:
    """Scores of candidates and controls on two tasks.

    Parameters
    ----------
    tasks : tuple of (str, str)
        Names of the tasks.
    metrics : tuple of (str, str)
        Their official metrics, as signatures.
    greater_is_better : tuple of (bool, bool)
        Directions of the metrics.
    systems : tuple of str
        Names of the systems.
    is_control : ndarray of bool of shape (n,)
        Which systems are no candidates, but what these are to be held against.
    scores : ndarray of float64 of shape (n, 2)
        Means over seeds (of searches, the best of all trials).
    low, high : ndarray of float64 of shape (n, 2)
        Lowest and highest score of a seed.
    n_seeds : ndarray of int64 of shape (n, 2)
        Numbers of scores behind each mean.
    skipped : tuple of str
        Systems that have no score on one of the tasks.
    """

    tasks: tuple[str, str]
    metrics: tuple[str, str]
    greater_is_better: tuple[bool, bool]
    systems: tuple[str, ...]
    is_control: NDArray[np.bool_]
    scores: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_seeds: NDArray[np.int64]
    skipped: tuple[str, ...]

    @property
    def better_than_controls(self) -> tuple[str, ...]:
        """Candidates whose means are above those of all controls on both tasks."""
        if not self.is_control.any():
            return ()
        signed = self.scores * np.where(self.greater_is_better, 1.0, -1.0)
        best = signed[self.is_control].max(axis=0)
        found = ~self.is_control & (signed > best).all(axis=1)
        return tuple(np.array(self.systems, dtype=object)[found].tolist())


def compare_candidates(
    records: Iterable[RunRecord],
    tasks: Sequence[str],
    controls: Collection[str],
    *,
    systems: Collection[str] | None = None,
    split: str = "test",
) -> CandidateScores:
    """Put systems of a leaderboard in order for a scatter of two tasks.

    Parameters
    ----------
    records : iterable of RunRecord
        Finished runs, as of ``RunStore.records()``. Candidates are systems of one
        estimator with other ``model`` parameters, named
        ``tweetclf leaderboard --system OWN=transformer --param OWN.model=DIR``.
    tasks : sequence of str
        Two tasks.
    controls : collection of str
        Systems that are no candidates.
    systems : collection of str, optional
        Only these, beside the controls.
    split : {"test", "cv", "dev"}, default="test"
        Which scores.

    Returns
    -------
    CandidateScores
        Means over seeds.

    Raises
    ------
    DataError
        If no system has scores on both tasks, a control has none, or a system was run
        in several ways, so that a mean over its runs would be none over seeds.
    """
    first, second = _two(tasks, "compare_candidates")
    found: _Tables = {first: {}, second: {}}
    facts: dict[str, tuple[str, bool]] = {}
    runs: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        spec = record.spec
        if (
            record.status == "finished"
            and spec.task.name in found
            and record.split == split
            and spec.trial is None
            and (systems is None or spec.system in {*systems, *controls})
            and math.isfinite(record.score)
        ):
            runs.setdefault((spec.task.name, spec.system), []).append(record)
            facts[spec.task.name] = spec.task.metric, spec.task.greater_is_better
    for (task, system), own in runs.items():
        found[task][system] = _scores_of(own)
    return _assemble(found, facts, controls, f"{split} scores")


def compare_sweeps(
    sweeps: Iterable[Sweep],
    tasks: Sequence[str],
    controls: Collection[str],
    *,
    by: str = "model",
) -> CandidateScores:
    """Put candidates that were searched in order for a scatter of two tasks.

    Parameters
    ----------
    sweeps : iterable of Sweep
        Searches on both tasks, as ``tweetclf search`` writes them. A candidate is a
        value of the parameter `by` or, in a search that did not vary it, the system.
    tasks : sequence of str
        Two tasks.
    controls : collection of str
        Candidates that are none, by the same names.
    by : str, default="model"
        The parameter; of a path the last part is the name.

    Returns
    -------
    CandidateScores
        The best score of each candidate's trials, that of the study: a maximum over
        many trials is above what the next run will give. Trials that were trained on
        fewer tweets than others are left out.

    Raises
    ------
    DataError
        If no candidate has scores on both tasks, or a control has none.
    """
    first, second = _two(tasks, "compare_sweeps")
    found: _Tables = {first: {}, second: {}}
    facts: dict[str, tuple[str, bool]] = {}
    for sweep in sweeps:
        if sweep.task not in found:
            continue
        facts[sweep.task] = sweep.metric, sweep.greater_is_better
        better = max if sweep.greater_is_better else min
        for trial in sweep.comparable:
            if trial.score is None or not math.isfinite(trial.score):
                continue
            value = trial.params.get(by)
            name = sweep.system if value is None else Path(str(value)).name
            known = found[sweep.task].get(name, [trial.score])
            found[sweep.task][name] = [better([*known, trial.score])]
    return _assemble(found, facts, controls, "trials")


# Task -> system -> scores, one a seed.
_Tables = dict[str, dict[str, list[float]]]


def _two(tasks: Sequence[str], caller: str) -> tuple[str, str]:
    if len(set(tasks)) != 2 or len(tasks) != 2 or isinstance(tasks, str):
        raise ValueError(f"{caller}: 'tasks' must be two. Got {tasks!r} instead.")
    return tasks[0], tasks[1]


def _assemble(
    found: _Tables,
    facts: Mapping[str, tuple[str, bool]],
    controls: Collection[str],
    what: str,
) -> CandidateScores:
    """Put together what stands in both tables."""
    first, second = found
    tables = found[first], found[second]
    common = sorted(tables[0].keys() & tables[1].keys())
    lacking = sorted(set(controls) - set(common))
    if not common or lacking:
        raise DataError(
            f"there are no {what} on both of {first} and {second}"
            + (f" of the control {lacking[0]!r}." if lacking else ".")
        )
    scores = [[table[system] for table in tables] for system in common]
    return CandidateScores(
        (first, second),
        (facts[first][0], facts[second][0]),
        (facts[first][1], facts[second][1]),
        tuple(common),
        np.array([system in controls for system in common]),
        np.array([[np.mean(own) for own in pair] for pair in scores]),
        np.array([[min(own) for own in pair] for pair in scores]),
        np.array([[max(own) for own in pair] for pair in scores]),
        np.array([[len(own) for own in pair] for pair in scores], dtype=np.int64),
        tuple(sorted(tables[0].keys() ^ tables[1].keys())),
    )


def _scores_of(runs: list[RunRecord]) -> list[float]:
    """Return the scores of runs; refuse those that differ in more than their seed."""
    ways = {
        (str(r.spec.way), str(dict(r.spec.arguments)), r.spec.version) for r in runs
    }
    if len(ways) > 1 or len({r.spec.seed for r in runs}) < len(runs):
        spec = runs[0].spec
        raise DataError(
            f"compare_candidates: {spec.system!r} was run in {len(ways)} ways on "
            f"{spec.task.name}; give the records of one."
        )
    return [r.score for r in runs]
