"""Pre-training candidates, judged by how well they are fine-tuned on two tasks.

References
----------
E. Lone-Wolfgang, "BERT for Japanese Twitter", chapter 6: each setting of pre-training
is a point, its score on one task against that on another, beside general models.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.records import RunRecord

__all__ = ["CandidateScores", "compare_candidates"]


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
        Means over seeds.
    low, high : ndarray of float64 of shape (n, 2)
        Lowest and highest score of a seed.
    n_seeds : ndarray of int64 of shape (n, 2)
        Numbers of seeds.
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
    """Put systems in order for a scatter of two tasks.

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
    names = tuple(tasks)
    if len(set(names)) != 2:
        raise ValueError(
            f"compare_candidates: 'tasks' must be two. Got {list(tasks)!r} instead."
        )
    found: dict[str, dict[str, list[RunRecord]]] = {name: {} for name in names}
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
            found[spec.task.name].setdefault(spec.system, []).append(record)
    first, second = (found[name] for name in names)
    common = sorted(first.keys() & second.keys())
    lacking = sorted(set(controls) - set(common))
    if not common or lacking:
        raise DataError(
            f"compare_candidates: there are no {split} scores on both of "
            f"{' and '.join(names)}"
            + (f" of the control {lacking[0]!r}." if lacking else ".")
        )
    runs = [[_one_way(table[system]) for table in (first, second)] for system in common]
    scores = [[[r.score for r in rows] for rows in pair] for pair in runs]
    facts = [rows[0].spec.task for rows in runs[0]]
    return CandidateScores(
        (names[0], names[1]),
        (facts[0].metric, facts[1].metric),
        (facts[0].greater_is_better, facts[1].greater_is_better),
        tuple(common),
        np.array([system in controls for system in common]),
        np.array([[np.mean(s) for s in pair] for pair in scores]),
        np.array([[min(s) for s in pair] for pair in scores]),
        np.array([[max(s) for s in pair] for pair in scores]),
        np.array([[len(s) for s in pair] for pair in scores], dtype=np.int64),
        tuple(sorted(first.keys() ^ second.keys())),
    )


def _one_way(runs: list[RunRecord]) -> list[RunRecord]:
    """Refuse runs that differ in more than their seed."""
    ways = {
        (
            str(r.spec.way),
            str(dict(r.spec.arguments)),
            r.spec.version,
        )
        for r in runs
    }
    if len(ways) > 1 or len({r.spec.seed for r in runs}) < len(runs):
        spec = runs[0].spec
        raise DataError(
            f"compare_candidates: {spec.system!r} was run in {len(ways)} ways on "
            f"{spec.task.name}; give the records of one."
        )
    return runs
