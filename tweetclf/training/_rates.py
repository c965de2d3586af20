"""Rates and momenta of an optimizer's groups, as a schedule says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tweetclf.training._contracts import Schedule

__all__ = ["Rates"]

_ENTRIES = {"lr", "momentum"}


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


class Rates:
    """Sets the rates of an optimizer for each step, and puts the first ones back.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Its rates at this moment are the initial ones.
    schedule : callable or None
        See `fit_loop`.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, schedule: Schedule | None
    ) -> None:
        self.optimizer = optimizer
        self.schedule = schedule
        self._initial: list[dict[str, Any]] = [
            {name: group[name] for name in ("lr", "betas", "momentum") if name in group}
            for group in optimizer.param_groups
        ]

    def _factors(self, value: Any) -> Sequence[float]:
        n_groups = len(self._initial)
        if isinstance(value, Sequence):
            if len(value) != n_groups:
                raise ValueError(
                    f"fit_loop: the schedule gave {len(value)} rates for an optimizer "
                    f"of {n_groups} groups."
                )
            return value
        return [float(value)] * n_groups

    def set(self, step: int, scale: float) -> float:
        """Set the rates of a step; return that of the first group."""
        said = 1.0 if self.schedule is None else self.schedule(step)
        if not isinstance(said, Mapping):
            said = {"lr": said}
        if unknown := set(said) - _ENTRIES:
            raise ValueError(
                f"fit_loop: the schedule gave {', '.join(sorted(unknown))}; it may "
                "give 'lr' and 'momentum'."
            )
        factors = self._factors(said.get("lr", 1.0))
        for group, initial, factor in zip(
            self.optimizer.param_groups, self._initial, factors, strict=True
        ):
            group["lr"] = initial["lr"] * factor * scale
            if "momentum" in said:
                _set_momentum(group, float(said["momentum"]))
        return self.current()

    def current(self) -> float:
        """Return the rate of the first group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def put_back(self) -> None:
        """Give the optimizer its initial rates and momenta."""
        for group, initial in zip(
            self.optimizer.param_groups, self._initial, strict=True
        ):
            group.update(initial)

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the initial rates."""
        return [dict(initial) for initial in self._initial]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Take the initial rates of an earlier run."""
        if len(state) != len(self._initial):
            raise ValueError(
                f"fit_loop: the state to resume has {len(state)} parameter groups, "
                f"the optimizer {len(self._initial)}."
            )
        self._initial = [dict(initial) for initial in state]
