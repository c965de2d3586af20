"""Columns of an engagement board: scores of systems, and of resamples of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.engagements.sets import LanguagePart
from tweetclf.leaderboard.statistics.bootstrap import least_p_value, paired_p_values
from tweetclf.utils.random import stream

__all__ = ["Column", "Scored", "average", "resample"]

Floats = NDArray[np.float64]

# Counts of drawn posts that are held at a time.
_DRAWN_AT_ONCE = 250


@dataclass(frozen=True, eq=False)
class Column:
    """Scores of systems in a column: as they are, and of resamples."""

    runs: Floats  # (n_systems, n_runs)
    median: Floats  # (n_systems,)
    drawn_median: Floats  # (n_systems, n_resamples): posts drawn, runs fixed
    drawn_mean: Floats  # (n_systems, n_resamples): posts and runs drawn
    by_post: list[Floats]  # a language: (n_systems, n_posts), means over runs

    def take(self, rows: Sequence[int]) -> Column:
        chosen = list(rows)
        return Column(
            self.runs[chosen],
            self.median[chosen],
            self.drawn_median[chosen],
            self.drawn_mean[chosen],
            [values[chosen] for values in self.by_post],
        )

    @classmethod
    def average(cls, columns: Sequence[Column]) -> Column:
        """Weigh languages equally, as the paper does."""

        def mean(name: str) -> Floats:
            found: Floats = np.mean([getattr(c, name) for c in columns], axis=0)
            return found

        return cls(
            mean("runs"),
            mean("median"),
            mean("drawn_median"),
            mean("drawn_mean"),
            [values for column in columns for values in column.by_post],
        )

    def p_values(self, reference: int) -> Floats:
        """Test each system against one of them."""
        found = paired_p_values(self.drawn_mean, self.runs.mean(axis=1), reference)
        for row in range(len(found)):
            n_different = sum(
                int((~np.isclose(values[row], values[reference])).sum())
                for values in self.by_post
            )
            found[row] = max(found[row], least_p_value(n_different))
        return found


@dataclass(frozen=True, eq=False)
class Scored:
    """A column, and the systems in its rows."""

    systems: list[str]
    values: Column


def average(columns: Sequence[Scored | None], names: list[str]) -> Scored | None:
    """Average systems that are in all columns; None if none is."""
    there = [column for column in columns if column is not None]
    complete = [n for n in names if all(n in column.systems for column in there)]
    if len(there) < len(columns) or not complete:
        return None
    taken = [
        column.values.take([column.systems.index(name) for name in complete])
        for column in there
    ]
    return Scored(complete, Column.average(taken))


def resample(
    part: LanguagePart, hits: Sequence[NDArray[np.float64]], n_resamples: int, seed: int
) -> Column:
    """Draw test posts with their engagements: the same for all systems.

    Parameters
    ----------
    part : LanguagePart
        The language.
    hits : sequence of ndarray of shape (n_runs, n_engagements)
        Of each system.
    n_resamples, seed : int
        How many, and of the draws.
    """
    posts, place = np.unique(part.records["test"][:, 1], return_inverse=True)
    sizes = np.bincount(place).astype(np.float64)
    n_systems, (n_runs, _) = len(hits), hits[0].shape
    sums = np.array(
        [[np.bincount(place, run, len(posts)) for run in own] for own in hits]
    )  # (systems, runs, posts)
    runs = sums.sum(axis=2) / sizes.sum()
    rng = stream(seed, "engagement posts", part.language)
    flat = sums.reshape(-1, len(posts))
    drawn = np.empty((n_systems * n_runs, n_resamples))
    for start in range(0, n_resamples, _DRAWN_AT_ONCE):
        stop = min(start + _DRAWN_AT_ONCE, n_resamples)
        counts = rng.multinomial(
            len(posts), np.full(len(posts), 1 / len(posts)), size=stop - start
        ).astype(np.float64)
        drawn[:, start:stop] = (flat @ counts.T) / (counts @ sizes)
    drawn = drawn.reshape(n_systems, n_runs, n_resamples)
    # One run fewer than there are: so the whole variance between runs shows.
    generator = stream(seed, "engagement runs", part.language)
    chosen = generator.integers(
        n_runs, size=(n_systems, max(1, n_runs - 1), n_resamples)
    )
    return Column(
        runs,
        np.median(runs, axis=1),
        np.median(drawn, axis=1),
        np.take_along_axis(drawn, chosen, axis=1).mean(axis=1),
        [sums.mean(axis=1) / sizes],
    )
