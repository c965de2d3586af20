"""Gradients of one step: micro-batches added up, and halved when memory runs out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tweetclf.training._contracts import Objective
from tweetclf.training.devices import Precision, autocast, seeded, to_device
from tweetclf.training.distributed import Replicas
from tweetclf.utils.random import stream

__all__ = ["Gradients", "StepLoss"]

_OWN_LOGS = frozenset({"weight", "n_examples", "n_tokens"})


@dataclass
class StepLoss:
    """Loss of one step, not yet fetched from the device.

    Parameters
    ----------
    total : Tensor
        Sum over the micro-batches, of all processes, of weight times mean loss.
    weight : float
        Sum of the weights.
    norm : Tensor
        Norm of the gradient, before clipping.
    n_examples, n_tokens : float
        As the objective logged them.
    logs : dict
        Sums over the micro-batches of weight times every other log.
    is_sum : bool
        Whether the gradients were added up as weight times those of the means.
    """

    total: Tensor
    weight: float
    norm: Tensor
    n_examples: float
    n_tokens: float
    logs: dict[str, Any]
    is_sum: bool


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # torch's allocator for the CPU raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _halve(split: Callable[[Any], list[Any]], pieces: Sequence[Any]) -> list[Any]:
    return [part for piece in pieces for part in split(piece)]


class Gradients:
    """Puts the gradients of an effective batch into a module's parameters.

    Parameters
    ----------
    forward : nn.Module
        The module, perhaps compiled.
    objective : Objective
        What is minimised.
    optimizer : torch.optim.Optimizer
        Over the module's parameters.
    device : torch.device
        Where the module is.
    precision : {"float32", "bfloat16", "auto"}
        What the forward pass is computed in.
    clip_norm : float or None
        Longest gradient.
    seed : int
        Of dropout.
    split : callable or None
        Halves a batch.
    replicas : Replicas, optional
        The processes whose micro-batches make up the effective batch.
    """

    def __init__(
        self,
        forward: nn.Module,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        *,
        device: torch.device,
        precision: Precision,
        clip_norm: float | None,
        seed: int,
        split: Callable[[Any], list[Any]] | None,
        replicas: Replicas | None = None,
    ) -> None:
        self.forward = forward
        self.objective = objective
        self.optimizer = optimizer
        self.device = device
        self.precision = precision
        self.clip_norm = clip_norm
        self._stream = int(stream(seed, "training").integers(2**62))
        self.split = split
        self.replicas = replicas or Replicas()
        self.n_halvings = 0
        self._has_shares = hasattr(objective, "counts")
        self._log_names: list[str] | None = None

    def compute(self, batches: Sequence[Any], step: int) -> StepLoss:
        """Compute the gradients of the micro-batches of a step.

        If memory runs out, the gradients so far are dropped, every micro-batch of
        this step and of those to come is halved, and the step is begun again: the
        effective batch stays as it was.
        """
        if self._has_shares:
            self._tell_totals(batches)
        loss = self._accumulate_or_halve(list(batches), step)
        self._join(loss)
        if self._has_shares:
            # What was added up are shares of the means themselves.
            loss.total = loss.total * loss.weight
            loss.logs = {name: log * loss.weight for name, log in loss.logs.items()}
        gradients = self._gradients()
        if loss.is_sum and loss.weight:
            # The sum of weight times mean, over the sum of weights, is the mean over
            # the effective batch, remainders and unequal micro-batches included.
            torch._foreach_div_(gradients, loss.weight)
        if gradients:
            loss.norm = torch.nn.utils.get_total_norm(gradients)
        return loss

    def _tell_totals(self, batches: Sequence[Any]) -> None:
        """Tell the objective how much of everything the effective batch holds."""
        objective: Any = self.objective
        counts = objective.counts(batches)
        sums = self.replicas.add(list(counts.values()))
        objective.start_step(dict(zip(counts, sums, strict=True)))

    def _accumulate_or_halve(self, pieces: list[Any], step: int) -> StepLoss:
        for _ in range(self.n_halvings):
            if self.split is not None:
                pieces = _halve(self.split, pieces)
        before = None
        if self.split is not None and hasattr(self.objective, "state_dict"):
            before = self.objective.state_dict()
        while True:
            try:
                return self._accumulate(pieces, step)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error) or self.split is None:
                    raise
                smaller = _halve(self.split, pieces)
                if len(smaller) == len(pieces):
                    raise
            # Outside of the handler: there the traceback still holds the tensors.
            pieces = smaller
            self.n_halvings += 1
            if before is not None:
                self.objective.load_state_dict(before)  # type: ignore[attr-defined]
            self.optimizer.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _accumulate(self, pieces: Sequence[Any], step: int) -> StepLoss:
        self.optimizer.zero_grad(set_to_none=True)
        loss = StepLoss(
            total=torch.zeros((), device=self.device),
            weight=0.0,
            norm=torch.zeros((), device=self.device),
            n_examples=0.0,
            n_tokens=0.0,
            logs={},
            # A single batch needs no weighting, and keeps its exact gradient; shares
            # of the mean add up to it as they are.
            is_sum=not self._has_shares and (len(pieces) > 1 or self.replicas.size > 1),
        )
        for index, piece in enumerate(pieces):
            self._backward(piece, step, index, loss)
        return loss

    def _join(self, loss: StepLoss) -> None:
        """Add up gradients, losses and logs over all processes."""
        replicas = self.replicas
        if replicas.size == 1:
            return
        if self._log_names is None:
            self._log_names = replicas.agree(sorted(loss.logs))
        parameters = [
            p for group in self.optimizer.param_groups for p in group["params"]
        ]
        has_gradient = [float(parameter.grad is not None) for parameter in parameters]
        counts = [loss.weight, loss.n_examples, loss.n_tokens]
        sums = replicas.add([*counts, *has_gradient])
        loss.weight, loss.n_examples, loss.n_tokens = sums[:3]
        for parameter, n_gradients in zip(parameters, sums[3:], strict=True):
            # Used by another process only: here it has a gradient of zero.
            if n_gradients and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        replicas.add_tensors(self._gradients())
        names = self._log_names
        entries = [loss.total, *(loss.logs.get(name, 0.0) for name in names)]
        joined = torch.stack(
            [
                torch.as_tensor(entry, dtype=torch.float64, device=self.device)
                for entry in entries
            ]
        )
        replicas.add_tensors([joined])
        loss.total = joined[0]
        loss.logs = dict(zip(names, joined[1:].unbind(), strict=True))

    def _seed(self, step: int, index: int) -> int:
        """Return the seed of a micro-batch."""
        rank = self.replicas.rank
        name = f"{self._stream} {step} {index}" + (f" {rank}" if rank else "")
        # Hashed, for torch looks at 32 bits of it only.
        digest = hashlib.blake2b(name.encode(), digest_size=7).digest()
        return int.from_bytes(digest, "little")

    def _backward(self, piece: Any, step: int, index: int, loss: StepLoss) -> None:
        piece = to_device(piece, self.device)
        with seeded(self._seed(step, index), self.device):
            with autocast(self.precision, self.device):
                value, logs = self.objective(self.forward, piece)
            weight = float(logs.get("weight", 1.0))
            (value * weight if loss.is_sum else value).backward()
        # Shares of the step's loss and logs are added up as they are.
        factor = 1.0 if self._has_shares else weight
        loss.total = loss.total + value.detach() * factor
        loss.weight += weight
        loss.n_examples += float(logs.get("n_examples", 0))
        loss.n_tokens += float(logs.get("n_tokens", 0))
        for name, entry in logs.items():
            if name not in _OWN_LOGS:
                entry = entry.detach() if isinstance(entry, Tensor) else entry
                loss.logs[name] = loss.logs.get(name, 0.0) + entry * factor

    def _parameters(self) -> list[Tensor]:
        return [
            parameter
            for group in self.optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self._parameters() if p.grad is not None]

    def apply(self, norm: Tensor) -> None:
        """Clip the gradients, whose norm is given, and take the step."""
        if self.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(
                self._parameters(), self.clip_norm, norm
            )
        self.optimizer.step()
