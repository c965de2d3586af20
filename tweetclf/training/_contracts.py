"""What the training loop asks of its parts, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from torch import Tensor, nn

__all__ = [
    "Batches",
    "Evaluate",
    "Objective",
    "Report",
    "Schedule",
    "TrainingResult",
]

# A float multiplies the initial rate of every group; a mapping may say "lr" (the same
# factor, or one a group) and "momentum" (the value itself: momentum or first beta).
Schedule: TypeAlias = Callable[[int], float | Mapping[str, Any]]
Evaluate: TypeAlias = Callable[[nn.Module], Mapping[str, float]]
# True asks the loop to stop.
Report: TypeAlias = Callable[[dict[str, Any]], bool | None]


class Objective(Protocol):
    """What is minimised.

    An objective that carries something from batch to batch (the hidden state of a
    language model) may have ``start_epoch(epoch)``, called before the first batch of
    every epoch, and ``state_dict()`` with ``load_state_dict(state)``, nested dicts
    and lists of tensors and plain values, so that training can be resumed exactly.

    An objective whose loss is a sum of means over different things (masked tokens,
    pairs) may have ``counts(batches)``, which returns how much of each these
    micro-batches hold, with the same names whatever they are, and
    ``start_step(totals)``, which is told before every step the sums over all
    micro-batches and processes. The loss and logs that it then returns are the batch's
    share of those of the step: sums over the totals.
    """

    def __call__(
        self, module: nn.Module, batch: Any
    ) -> tuple[Tensor, Mapping[str, Any]]:
        """Return the mean loss of a batch, a scalar tensor, and logs.

        ``logs["weight"]``, 1 if it is missing, says how many examples or tokens the
        mean is over, so that several micro-batches equal one big batch.
        ``logs["n_examples"]`` and ``logs["n_tokens"]`` are added up for the speed.
        The mean over the epoch of every other entry comes into the history.
        """
        ...


class Batches(Protocol):
    """Where batches come from.

    Batches that can be halved when memory runs out offer ``split(batch)``, a list of
    smaller batches which together hold the same examples.
    """

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch, counted from 0."""
        ...

    def epoch(self, epoch: int) -> Iterator[Any]:
        """Yield the batches of an epoch: the same for the same number, always."""
        ...


@dataclass
class TrainingResult:
    """What a training run did.

    Parameters
    ----------
    history : list of dict
        One entry an epoch: ``epoch`` (from 0), ``loss``, ``learning_rate`` (of the
        last step, first group), ``seconds``, ``examples_per_second``,
        ``tokens_per_second``, ``n_steps``, the means of the objective's other logs,
        and what `evaluate` returned.
    best_epoch : int or None
        Epoch with the best monitored value; None if nothing was monitored.
    best_score : float or None
        Its value.
    stopped : {"max_epochs", "max_steps", "no_improvement", "report"}
        Why the run ended.
    n_steps : int
        Steps of the optimizer that count, those that were rolled back left out.
    n_rollbacks : int
        How often training went back after a loss or gradient that was not finite.
    n_halvings : int
        How often batches were halved because memory ran out; the effective batch
        stays as it was.
    restored : bool
        Whether the module holds the state of `best_epoch` rather than of the end.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    best_score: float | None = None
    stopped: Literal["max_epochs", "max_steps", "no_improvement", "report"] = (
        "max_epochs"
    )
    n_steps: int = 0
    n_rollbacks: int = 0
    n_halvings: int = 0
    restored: bool = False

    def untimed_history(self) -> list[dict[str, Any]]:
        """Return the history without times: equal trainings have equal ones."""
        return [
            {name: value for name, value in epoch.items() if "second" not in name}
            for epoch in self.history
        ]
