"""Which setting is tried next: lists of settings, and successive halving.

What a strategy proposes is a function of the number of the trial, the seed and the
trials before it. So a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.spaces import Space
from tweetclf.leaderboard.trials import Trial

__all__ = [
    "Halving",
    "Listed",
    "Proposal",
    "Rung",
    "Strategy",
    "halving_schedule",
    "sample_settings",
]


@dataclass(frozen=True)
class Proposal:
    """A setting to try.

    Parameters
    ----------
    number : int
        Number of the trial.
    params : mapping of str to object
        The setting.
    resource : int or None, default=None
        Number of training tweets it may use; None for all.
    """

    number: int
    params: Mapping[str, Any]
    resource: int | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the proposal as what JSON knows."""
        said: dict[str, Any] = {"number": self.number, "params": dict(self.params)}
        return said if self.resource is None else {**said, "resource": self.resource}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Proposal:
        """Make a proposal of what :meth:`to_document` gave."""
        whole = {"score": None, "state": "failed"}
        if isinstance(document, Mapping):
            whole = {**document, **whole}
        trial = Trial.from_document(whole)
        return cls(trial.number, trial.params, trial.resource)


class Strategy(Protocol):
    """What a search asks for proposals."""

    n_trials: int

    def needs(self, number: int) -> int:
        """Return how many of the first trials must be finished before this one."""

    def propose(
        self,
        number: int,
        finished: Mapping[int, Trial],
        running: Mapping[int, Proposal],
    ) -> Proposal:
        """Return the trial of this number, given what came before it."""


class Listed:
    """Try settings that are known from the start, in order: a grid or a sample.

    Parameters
    ----------
    settings : iterable of mapping
        The settings.
    """

    def __init__(self, settings: Iterable[Mapping[str, Any]]) -> None:
        self.settings = list(settings)
        self.n_trials = len(self.settings)

    def needs(self, number: int) -> int:
        """Return 0: no trial waits for another."""
        return 0

    def propose(
        self,
        number: int,
        finished: Mapping[int, Trial],
        running: Mapping[int, Proposal],
    ) -> Proposal:
        """Return the setting at this place."""
        return Proposal(number, self.settings[number])


def sample_settings(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    """Draw settings; without repetition where a space has values only.

    Parameters
    ----------
    space : Space
        The space.
    n : int
        Number of settings; of a finite space at most all are drawn.
    seed : int
        Seed. The first settings of a larger sample are those of a smaller one.
    """
    if space.finite:
        settings = list(space.settings())
        order = np.random.default_rng(seed).permutation(len(settings))
        return [settings[i] for i in order[:n]]
    return [space.sample(np.random.default_rng([seed, i])) for i in range(n)]


@dataclass(frozen=True)
class Rung:
    """A round of successive halving.

    Parameters
    ----------
    start : int
        Number of its first trial.
    n_candidates : int
        Number of its trials.
    resource : int
        Number of training tweets of each.
    """

    start: int
    n_candidates: int
    resource: int


def halving_schedule(
    n_candidates: int,
    *,
    factor: int,
    min_resources: int | None,
    least: int,
    most: int,
    fewest: int = 1,
) -> list[Rung]:
    """Return the rounds of scikit-learn's successive halving.

    Parameters
    ----------
    n_candidates : int
        Number of settings of the first round.
    factor : int
        One setting in `factor` goes on, with `factor` times the tweets.
    min_resources : int or None
        Tweets of the first round; None for the largest number with which the last
        round still comes, and uses as many tweets as it can (``"exhaust"``).
    least, most : int
        Fewest tweets of a round where `min_resources` is None, and all there are.
    fewest : int, default=1
        Least `min_resources` that is accepted: what a fold needs.

    Raises
    ------
    DataError
        If a round cannot have so few or so many tweets.

    Examples
    --------
    >>> schedule = halving_schedule(
    ...     9, factor=3, min_resources=None, least=4, most=900
    ... )
    >>> [(rung.n_candidates, rung.resource) for rung in schedule]
    [(9, 100), (3, 300), (1, 900)]
    """
    if min_resources is not None and min_resources > most:
        raise DataError(
            f"the first round of halving cannot have {min_resources} training tweets; "
            f"there are {most}."
        )
    if min_resources is not None and min_resources < fewest:
        raise DataError(
            f"the first round of halving cannot have {min_resources} training tweets: "
            f"with fewer than {fewest}, two for each label, a fold cannot be trained. "
            f"Give min_resources (--min-resources) from {fewest} to {most}."
        )
    if least > most:
        raise DataError(
            f"halving needs at least {least} training tweets, and there are {most}; "
            "choose another strategy."
        )
    needed = 1 + _log(n_candidates, factor)
    if min_resources is None:
        min_resources = max(least, most // factor ** (needed - 1))
    possible = 1 + _log(most // min_resources, factor)
    rungs: list[Rung] = []
    start = 0
    for number in range(min(needed, possible)):
        resource = min(factor**number * min_resources, most)
        rungs.append(Rung(start, n_candidates, resource))
        start += n_candidates
        n_candidates = math.ceil(n_candidates / factor)
    return rungs


def _log(number: int, base: int) -> int:
    """Return the whole part of a logarithm, exactly."""
    power = 0
    while base ** (power + 1) <= number:
        power += 1
    return power


class Halving:
    """Try all settings on few tweets, and the best of them on more.

    Parameters
    ----------
    settings : sequence of mapping
        Candidates of the first round.
    rungs : sequence of Rung
        The rounds.
    greater_is_better : bool
        Direction of the metric.
    """

    def __init__(
        self,
        settings: Sequence[Mapping[str, Any]],
        rungs: Sequence[Rung],
        greater_is_better: bool,
    ) -> None:
        self.settings = settings
        self.rungs = rungs
        self.greater_is_better = greater_is_better
        self.n_trials = sum(rung.n_candidates for rung in rungs)

    def _rung(self, number: int) -> int:
        return max(i for i, rung in enumerate(self.rungs) if rung.start <= number)

    def needs(self, number: int) -> int:
        """Return where the round of the trial begins: the rounds before are needed."""
        return self.rungs[self._rung(number)].start

    def propose(
        self,
        number: int,
        finished: Mapping[int, Trial],
        running: Mapping[int, Proposal],
    ) -> Proposal:
        """Return a candidate, or one of the best of the round before."""
        level = self._rung(number)
        rung = self.rungs[level]
        place = number - rung.start
        if not level:
            return Proposal(number, self.settings[place], rung.resource)
        before = self.rungs[level - 1]
        rivals = [finished[before.start + i] for i in range(before.n_candidates)]
        best = sorted(rivals, key=self._order)[place]
        return Proposal(number, best.params, rung.resource)

    def _order(self, trial: Trial) -> tuple[bool, float, int]:
        score = trial.score if trial.state == "complete" else None
        if score is None or not math.isfinite(score):
            return True, 0.0, trial.number
        return False, -score if self.greater_is_better else score, trial.number
