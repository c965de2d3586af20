"""Bayesian search through Optuna: TPE, over conditional spaces too.

Optuna is the optional extra ``search``. Every proposal is made by a sampler of its own
from the trials before it and a seed that names its number, so that it does not depend
on which process asks or what it asked before.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tweetclf.leaderboard.spaces import Choice, Dimension, Integer, Space
from tweetclf.leaderboard.strategies import Proposal
from tweetclf.leaderboard.trials import Trial
from tweetclf.utils.optional import import_optional

__all__ = ["TPE", "distributions_of", "frozen_trial", "import_optuna", "quiet"]


def import_optuna(caller: str) -> Any:
    """Import Optuna, or say which extra installs it."""
    return import_optional("optuna", extra="search", caller=caller)


@contextmanager
def quiet(optuna: Any) -> Iterator[None]:
    """Keep Optuna from printing, and from warning that a feature is experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _labels(choice: Choice) -> list[str]:
    """Return the values as texts: storages know no tuples, and 1 is not True."""
    return [json.dumps(value) for value in choice.values]


def distributions_of(space: Space, optuna: Any) -> dict[str, Any]:
    """Return a space as Optuna's distributions; values are JSON texts."""
    kinds = optuna.distributions
    found: dict[str, Any] = {}
    for name, dimension in space.dimensions.items():
        if isinstance(dimension, Choice):
            found[name] = kinds.CategoricalDistribution(_labels(dimension))
        elif isinstance(dimension, Integer):
            found[name] = kinds.IntDistribution(
                dimension.low, dimension.high, log=dimension.log
            )
        else:
            found[name] = kinds.FloatDistribution(
                dimension.low, dimension.high, log=dimension.scale == "log"
            )
    return found


def _outwards(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting as Optuna holds it."""
    return {
        name: json.dumps(value) if isinstance(space.dimensions[name], Choice) else value
        for name, value in params.items()
    }


def frozen_trial(
    space: Space, proposal: Proposal, trial: Trial | None, optuna: Any
) -> Any:
    """Return a trial of ours as one of Optuna's: finished, failed or running."""
    known = distributions_of(space, optuna)
    states = optuna.trial.TrialState
    state, value = states.RUNNING, None
    if trial is not None:
        scored = trial.state == "complete" and trial.score is not None
        state = states.COMPLETE if scored else states.FAIL
        value = trial.score if scored else None
    return optuna.trial.create_trial(
        state=state,
        value=value,
        params=_outwards(space, proposal.params),
        distributions={name: known[name] for name in proposal.params},
    )


class TPE:
    """Try where the trials so far say that good settings are denser than bad ones.

    Optuna's multivariate tree-structured Parzen estimator; ten random trials first.
    Trials at work count as bad ones, so that those beside them go elsewhere.

    Parameters
    ----------
    space : Space
        The space; parameters with conditions are modelled by group.
    n_trials : int
        Number of trials.
    seed : int
        Seed.
    greater_is_better : bool
        Direction of the metric.
    width : int or None, default=1
        Number of trials that are proposed together, from the same finished ones; None
        where many processes share a study and take what there is.
    """

    def __init__(
        self,
        space: Space,
        n_trials: int,
        seed: int,
        greater_is_better: bool,
        width: int | None = 1,
    ) -> None:
        self.space = space
        self.n_trials = n_trials
        self.seed = seed
        self.greater_is_better = greater_is_better
        self.width = width
        self._optuna = import_optuna('search strategy "tpe"')

    def needs(self, number: int) -> int:
        """Return where the trials begin that are proposed together with this one."""
        return 0 if self.width is None else number - number % self.width

    def propose(
        self,
        number: int,
        finished: Mapping[int, Trial],
        running: Mapping[int, Proposal],
    ) -> Proposal:
        """Return a setting, given the finished trials and those at work."""
        optuna = self._optuna
        if self.width is not None:
            # Which trials of the same block are finished depends on the machine.
            known = self.needs(number)
            running = {
                **{n: Proposal(n, t.params) for n, t in finished.items() if n >= known},
                **running,
            }
            running = {n: p for n, p in running.items() if known <= n < number}
            finished = {n: t for n, t in finished.items() if n < known}
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        with quiet(optuna):
            sampler = optuna.samplers.TPESampler(
                seed=seed,
                multivariate=True,
                group=self.space.conditional,
                constant_liar=True,
            )
            study = optuna.create_study(
                direction="maximize" if self.greater_is_better else "minimize",
                sampler=sampler,
            )
            for n in sorted({*finished, *running}):
                trial = finished.get(n)
                params = running[n].params if trial is None else trial.params
                study.add_trial(
                    frozen_trial(self.space, Proposal(n, params), trial, optuna)
                )
            asked = study.ask()
            setting = self.space.walk(lambda name, d: _suggest(asked, name, d))
        return Proposal(number, setting)


def _suggest(asked: Any, name: str, dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):
        labels = _labels(dimension)
        return dimension.values[labels.index(asked.suggest_categorical(name, labels))]
    if isinstance(dimension, Integer):
        return asked.suggest_int(name, dimension.low, dimension.high, log=dimension.log)
    log = dimension.scale == "log"
    return asked.suggest_float(name, dimension.low, dimension.high, log=log)
