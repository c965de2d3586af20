"""Scores of engagement prediction by language, and what can be said about them.

The score is the paper's: the median of the runs' HITS@k. Its interval is over test
posts, with their engagements, the runs held fixed. Differences are tested over posts
and runs together, on means over runs, which vary less than medians of six.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.engagements._columns import (
    Column,
    Scored,
    average,
    resample,
)
from tweetclf.leaderboard.engagements.records import (
    EngagementProtocol,
    EngagementRecord,
    EngagementStore,
)
from tweetclf.leaderboard.engagements.sets import LanguagePart
from tweetclf.leaderboard.statistics.bootstrap import (
    ALPHA,
    enough_resamples,
    holm,
    percentile_interval,
)
from tweetclf.tasks.by_language import TWHIN_RESOURCES, present_groups

__all__ = [
    "ALL",
    "EngagementBoard",
    "EngagementContrast",
    "EngagementScore",
    "build_engagement_board",
]

ALL = "all"
"""Column of the average over all languages."""


@dataclass(frozen=True)
class EngagementScore:
    """Score of a system in a column: a language, or an average over languages.

    Parameters
    ----------
    median : float
        Median of the runs' HITS@k; of an average, the mean of the languages' medians.
    low, high : float
        Its 95 % interval over test posts, runs held fixed.
    least, most : float
        Lowest and highest run; of an average, means over languages of runs of the same
        number.
    p_best : float
        p-value of the difference from the best of the column, over posts and runs,
        adjusted after Holm; 1 for the best.
    best : bool
        Whether no system has a higher median.
    """

    median: float
    low: float
    high: float
    least: float
    most: float
    p_best: float
    best: bool

    @property
    def tied(self) -> bool:
        """Whether it cannot be told apart from the best."""
        return self.p_best >= ALPHA


@dataclass(frozen=True)
class EngagementContrast:
    """The difference of two systems, on the average over all languages.

    Parameters
    ----------
    first, second : str
        The systems; the one with the higher score is first.
    difference : float
        Mean over languages and runs of the first minus that of the second.
    low, high : float
        Its 95 % interval over posts and runs.
    p_value, p_holm : float
        Two-sided, of itself and among all pairs.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    p_holm: float


@dataclass(frozen=True, eq=False)
class EngagementBoard:
    """What was found.

    Parameters
    ----------
    protocol : EngagementProtocol
        How systems were evaluated.
    parts : tuple of LanguagePart
        The languages.
    groups : mapping of str to tuple of str
        Name -> languages of it; those that are in no set are left out.
    systems : tuple of str
        Systems with a score, best average over all languages first; those without
        all languages last.
    scores : dict of str to dict of str to EngagementScore
        System -> column -> score. Columns are languages, groups and "all"; an average
        is there if each of its languages is.
    contrasts : tuple of EngagementContrast
        All pairs of systems that have all languages.
    candidates : dict of str to float
        Language -> posts that each engagement's post was ranked among, on the mean.
    chances : dict of str to float
        Language -> HITS@k of a predictor that says the same of all posts.
    failed : tuple of EngagementRecord
        Runs that failed; such systems have no score in that language.
    damaged : tuple of str
        What is wrong with stored runs that could not be read.
    n_resamples : int
        Bootstrap resamples.
    """

    protocol: EngagementProtocol
    parts: tuple[LanguagePart, ...]
    groups: Mapping[str, tuple[str, ...]]
    systems: tuple[str, ...]
    scores: dict[str, dict[str, EngagementScore]]
    contrasts: tuple[EngagementContrast, ...]
    candidates: dict[str, float]
    chances: dict[str, float]
    failed: tuple[EngagementRecord, ...]
    damaged: tuple[str, ...]
    n_resamples: int

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages."""
        return tuple(part.language for part in self.parts)

    def chance(self, language: str) -> float:
        """Return the HITS@k of a predictor that says the same of all posts."""
        return self.chances[language]


def _scores(column: Column) -> list[EngagementScore]:
    best = int(column.median.argmax())
    raw = column.p_values(best)
    others = [row for row in range(len(raw)) if row != best]
    adjusted = np.ones(len(raw))
    adjusted[others] = holm(raw[others])
    found = []
    for row, p_best in enumerate(adjusted.tolist()):
        low, high = percentile_interval(column.drawn_median[row])
        found.append(
            EngagementScore(
                float(column.median[row]),
                low,
                high,
                float(column.runs[row].min()),
                float(column.runs[row].max()),
                p_best,
                bool(column.median[row] == column.median[best]),
            )
        )
    return found


def _contrasts(scored: Scored) -> tuple[EngagementContrast, ...]:
    """Compare all pairs, the better one first."""
    names, column = scored.systems, scored.values
    means = column.runs.mean(axis=1)
    order = np.argsort(-column.median, kind="stable").tolist()
    pairs = list(itertools.combinations(order, 2))
    if not pairs:
        return ()
    raw = {row: column.p_values(row) for row in {second for _, second in pairs}}
    p_values = np.array([raw[second][first] for first, second in pairs])
    found = []
    for (first, second), p, adjusted in zip(
        pairs, p_values, holm(p_values), strict=True
    ):
        drawn = column.drawn_mean[first] - column.drawn_mean[second]
        low, high = percentile_interval(drawn)
        found.append(
            EngagementContrast(
                names[first],
                names[second],
                float(means[first] - means[second]),
                low,
                high,
                float(p),
                float(adjusted),
            )
        )
    return tuple(found)


@dataclass
class _Read:
    """Hits of all runs: language -> system -> (n_runs, n_engagements)."""

    hits: dict[str, dict[str, NDArray[np.float64]]]
    candidates: dict[str, float]
    chances: dict[str, float]
    damaged: list[str]


def _read(
    parts: Sequence[LanguagePart],
    records: Sequence[EngagementRecord],
    store: EngagementStore,
    n_runs: int,
) -> _Read:
    """Read the hits of systems whose runs in a language are all finished."""
    found = _Read({part.language: {} for part in parts}, {}, {}, [])
    n_tested = {part.language: len(part.records["test"]) for part in parts}
    own: dict[tuple[str, str], list[EngagementRecord]] = {}
    for record in records:
        if record.status == "finished":
            key = record.spec.language, record.spec.system
            own.setdefault(key, []).append(record)
    for (language, system), runs in own.items():
        if len(runs) < n_runs:
            continue
        try:
            rows = [
                store.hits(run)
                for run in sorted(runs, key=lambda record: record.spec.run)
            ]
            if any(len(row) != n_tested[language] for row in rows):
                raise RecordError(
                    f"runs of {system} in {language} are not of these engagements. "
                    "Delete them to run them again."
                )
        except RecordError as error:
            found.damaged.append(str(error))
            continue
        found.hits[language][system] = np.array(rows)
        # The same in all runs: candidates depend on the protocol and the data.
        assert runs[0].n_candidates is not None
        assert runs[0].chance is not None
        found.candidates[language] = runs[0].n_candidates
        found.chances[language] = runs[0].chance
    return found


def build_engagement_board(
    parts: Sequence[LanguagePart],
    records: Sequence[EngagementRecord],
    store: EngagementStore,
    *,
    protocol: EngagementProtocol | None = None,
    groups: Mapping[str, Sequence[str]] = TWHIN_RESOURCES,
    n_resamples: int = 2000,
    seed: int = 0,
    damaged: Sequence[str] = (),
) -> EngagementBoard:
    """Compare systems in every language, and on averages over languages.

    Parameters
    ----------
    parts : sequence of LanguagePart
        The languages.
    records : sequence of EngagementRecord
        Runs, as `run_engagements` gives them.
    store : EngagementStore
        Where their hits are.
    protocol : EngagementProtocol, optional
        How they were made.
    groups : mapping of str to sequence of str, default=TWHIN_RESOURCES
        Languages to average over; those without a part are left out.
    n_resamples : int, default=2000
        Bootstrap resamples; more are drawn where no difference between so many
        pairs of systems could be found with them.
    seed : int, default=0
        Of the resamples.
    damaged : sequence of str, default=()
        What is wrong with runs that are not among the records, of `EngagementRun`.

    Returns
    -------
    EngagementBoard
        Scores, averages and differences.

    Raises
    ------
    DataError
        If a group is called as a language.
    """
    protocol = protocol or EngagementProtocol()
    kept = present_groups(groups, (part.language for part in parts))
    read = _read(parts, records, store, protocol.n_runs)
    names = list(dict.fromkeys(r.spec.system for r in records))
    scored = [n for n in names if any(n in own for own in read.hits.values())]
    # All pairs are compared: as many comparisons as with the best of n_pairs + 1.
    n_pairs = len(scored) * (len(scored) - 1) // 2
    n_resamples = enough_resamples(n_resamples, n_pairs + 1)
    columns: dict[str, Scored] = {}
    for part in parts:
        own = read.hits[part.language]
        present = [name for name in scored if name in own]
        if present:
            drawn = resample(part, [own[n] for n in present], n_resamples, seed)
            columns[part.language] = Scored(present, drawn)
    everywhere = {ALL: tuple(part.language for part in parts)}
    for name, languages in {**kept, **everywhere}.items():
        averaged = average([columns.get(one) for one in languages], scored)
        if averaged is not None:
            columns[name] = averaged
    scores: dict[str, dict[str, EngagementScore]] = {name: {} for name in scored}
    for name, column in columns.items():
        for system, score in zip(column.systems, _scores(column.values), strict=True):
            scores[system][name] = score

    def place(system: str) -> tuple[bool, float]:
        total = scores[system].get(ALL)
        return (total is None, 0.0 if total is None else -total.median)

    return EngagementBoard(
        protocol,
        tuple(parts),
        kept,
        tuple(sorted(scored, key=place)),
        scores,
        _contrasts(columns[ALL]) if ALL in columns else (),
        read.candidates,
        read.chances,
        tuple(r for r in records if r.status == "failed"),
        (*damaged, *read.damaged),
        n_resamples,
    )
