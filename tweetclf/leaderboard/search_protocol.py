"""How a search is done: space, strategy, what trials are scored on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.named_spaces import default_space, find_space
from tweetclf.leaderboard.spaces import EVALUATIONS, STRATEGIES, Space
from tweetclf.leaderboard.trial_runs import check_dev

if TYPE_CHECKING:
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Task

__all__ = ["N_TRIALS", "SearchProtocol"]

N_TRIALS = 30
"""Number of trials of strategies that could go on for ever."""


@dataclass(frozen=True)
class SearchProtocol:
    """How a search is done. What is None is taken from the space, or a default.

    Parameters
    ----------
    space : str, Space or None, default=None
        ``"grid"`` or ``"wide"`` for what the system declares, the name of a
        registered space, or a space. By default the grid where settings are listed,
        and the wide space where they are drawn.
    strategy : {"grid", "random", "halving", "tpe"} or None, default=None
        By default all settings of a space of values, else random ones.
    n_trials : int or None, default=None
        Number of trials, and of the candidates of halving; 30 by default, where there
        is no list of settings.
    evaluation : {"dev", "cv"} or None, default=None
        What trials are scored on; by default dev if there is one.
    n_folds : int or None, default=None
        Number of folds, 5 by default.
    seeds : tuple of int or None, default=None
        Each setting is run with all of them, and its score is the mean; by default
        one run, with seed 0.
    new_folds : bool, default=False
        Under cross-validation, cut new folds for each seed (repeated
        cross-validation). By default all seeds see the folds of the leaderboard.
    seed : int, default=0
        Seed of the draw of settings.
    factor : int, default=3
        Halving: one setting in `factor` goes on, with `factor` times the tweets.
    min_resources : int or None, default=None
        Halving: tweets of the first round; by default as many as let the last round
        use all there are, nearly.
    """

    space: str | Space | None = None
    strategy: str | None = None
    n_trials: int | None = None
    evaluation: str | None = None
    n_folds: int | None = None
    seeds: tuple[int, ...] | None = None
    new_folds: bool = False
    seed: int = 0
    factor: int = 3
    min_resources: int | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("strategy", self.strategy, STRATEGIES),
            ("evaluation", self.evaluation, EVALUATIONS),
        ):
            if value is not None and value not in known:
                raise DataError(
                    f"unknown {name} of a search {value!r}; there are "
                    f"{', '.join(known)}."
                )
        for name, number, least in (
            ("n_trials", self.n_trials, 1),
            ("n_folds", self.n_folds, 2),
            ("factor", self.factor, 2),
            ("min_resources", self.min_resources, 1),
        ):
            if number is not None and number < least:
                raise DataError(f"{name} must be at least {least}, got {number}.")
        if self.strategy == "grid" and self.n_trials is not None:
            raise DataError(
                'a grid tries all settings; n_trials is for strategy "random", '
                '"halving" or "tpe".'
            )
        if self.seeds is not None and not self.seeds:
            raise DataError("seeds is empty; give at least one.")

    def settle(self, system: System, task: Task) -> tuple[SearchProtocol, Space]:
        """Return the protocol with nothing left open, and the space.

        Parameters
        ----------
        system : System
            The system.
        task : Task
            The task.
        """
        space = self.space
        if not isinstance(space, Space):
            name = space or default_space(
                system, self.strategy, sampled=self.n_trials is not None
            )
            space = find_space(system, name)
        plan = space.plan
        strategy = self.strategy or plan.strategy
        if strategy is None:
            drawn = self.n_trials is not None or not space.finite
            strategy = "random" if drawn else "grid"
        n_trials = self.n_trials
        if strategy in ("random", "tpe") or (
            strategy == "halving" and not space.finite
        ):
            n_trials = n_trials or plan.n_trials or N_TRIALS
        evaluation = self.evaluation or plan.evaluation
        evaluation = evaluation or ("dev" if "dev" in task.splits else "cv")
        if evaluation == "dev":
            check_dev(task)
        folded = evaluation == "cv"
        settled = replace(
            self,
            space=space.name or "custom",
            strategy=strategy,
            n_trials=None if strategy == "grid" else n_trials,
            evaluation=evaluation,
            n_folds=(self.n_folds or plan.n_folds or 5) if folded else None,
            seeds=self.seeds or tuple(range(plan.n_seeds or 1)),
            new_folds=self.new_folds and folded,
        )
        return settled, space
