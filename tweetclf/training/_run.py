"""One training run: its progress, its epochs, and what happens when one goes wrong."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import nn

from tweetclf.exceptions import DivergenceError, TweetclfWarning
from tweetclf.training._contracts import Batches, Objective, TrainingResult
from tweetclf.training._gradients import Gradients, StepLoss
from tweetclf.training._options import Options
from tweetclf.training._rates import Rates
from tweetclf.training._state import copy_state
from tweetclf.training.devices import module_device, resolve_precision, seeded
from tweetclf.utils.random import stream

__all__ = ["Run"]

_FORMAT = 1


def _groups(batches: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` batches; the last may be shorter."""
    iterator = iter(batches)
    while group := list(islice(iterator, size)):
        yield group


class _NotFiniteError(Exception):
    """The loss, the gradient or a monitored value is not finite."""

    def __init__(self, what: str, epoch: int, step: int, rate: float) -> None:
        super().__init__(what)
        self.what, self.epoch, self.step, self.rate = what, epoch, step, rate


@dataclass
class _Progress:
    """Where a run is: plain values only, so that it can be written."""

    epoch: int = 0
    batch: int = 0
    """Micro-batches of the epoch that were used."""
    step: int = 0
    first_step: int = 0
    """Step at which the epoch began."""
    loss: float = 0.0
    """Sums over the epoch so far."""
    weight: float = 0.0
    n_examples: float = 0.0
    n_tokens: float = 0.0
    seconds: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    best_score: float | None = None
    n_no_change: int = 0
    rate_scale: float = 1.0
    n_rollbacks: int = 0

    def add(self, loss: StepLoss, value: float) -> None:
        self.loss += value * loss.weight
        self.weight += loss.weight
        self.n_examples += loss.n_examples
        self.n_tokens += loss.n_tokens
        for name, entry in loss.logs.items():
            self.logs[name] = self.logs.get(name, 0.0) + float(entry)

    def close_epoch(self) -> None:
        self.epoch += 1
        self.batch = 0
        self.first_step = self.step
        self.loss = self.weight = self.n_examples = self.n_tokens = self.seconds = 0.0
        self.logs = {}


class Run:
    """A training run; `fit_loop` makes one, `run` carries it out."""

    def __init__(
        self,
        module: nn.Module,
        objective: Objective,
        batches: Batches,
        optimizer: torch.optim.Optimizer,
        options: Options,
    ) -> None:
        self.module = module
        self.objective = objective
        self.batches = batches
        self.optimizer = optimizer
        self.options = options
        self.device = module_device(module)
        self.rates = Rates(optimizer, options.schedule)
        forward = torch.compile(module, dynamic=True) if options.compile else module
        self.gradients = Gradients(
            forward,  # type: ignore[arg-type]
            objective,
            optimizer,
            device=self.device,
            precision=resolve_precision(options.precision, self.device),
            clip_norm=options.clip_norm,
            seed=options.seed,
            split=getattr(batches, "split", None),
        )
        on_cpu = self.device.type == "cpu"
        self.sync_every = options.sync_every or (1 if on_cpu else 16)
        self.progress = _Progress()
        self.best: Any = None
        self.good: dict[str, Any] | None = None
        self.candidate: dict[str, Any] | None = None
        self.resumed_objective: Any = None
        self.pending: list[tuple[int, float, StepLoss]] = []
        self.stop_asked = False

    # Saving and loading ---------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return a copy of everything that the rest of the run depends on."""
        objective = None
        if hasattr(self.objective, "state_dict"):
            objective = copy_state(self.objective.state_dict())
        return {
            "format": _FORMAT,
            "seed": self.options.seed,
            "module": copy_state(self.module.state_dict()),
            "optimizer": copy_state(self.optimizer.state_dict()),
            "objective": objective,
            "rates": self.rates.state_dict(),
            "progress": copy_state(asdict(self.progress)),
            "n_halvings": self.gradients.n_halvings,
            "best": self.best,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        if state.get("format") != _FORMAT:
            raise ValueError(
                f"fit_loop: the state to resume has format {state.get('format')!r}; "
                f"this version reads {_FORMAT}. Start the training anew."
            )
        if state["seed"] != self.options.seed:
            raise ValueError(
                f"fit_loop: the state to resume was trained with seed "
                f"{state['seed']}, and 'seed' is {self.options.seed}. Pass "
                f"seed={state['seed']}."
            )
        self.module.load_state_dict(state["module"])
        # torch keeps the very tensors it is given, and steps change them in place.
        self.optimizer.load_state_dict(copy_state(state["optimizer"]))
        self.rates.load_state_dict(state["rates"])
        self.progress = _Progress(**copy_state(state["progress"]))
        self.gradients.n_halvings = state["n_halvings"]
        self.best = state["best"]
        self.resumed_objective = state["objective"]

    # The run --------------------------------------------------------------------

    def run(self) -> TrainingResult:
        """Train until something says stop."""
        try:
            while (stopped := self._why_stop()) is None:
                try:
                    self._epoch()
                except _NotFiniteError as error:
                    self._roll_back(error)
        finally:
            self.rates.put_back()
        progress = self.progress
        # Stopped within an epoch, the module has left the best state even if the last
        # whole epoch was the best.
        is_best = progress.batch == 0 and progress.best_epoch == progress.epoch - 1
        restored = self.best is not None and not is_best
        if restored:
            self.module.load_state_dict(self.best)
        self.module.eval()
        self.optimizer.zero_grad(set_to_none=True)
        return TrainingResult(
            history=progress.history,
            best_epoch=progress.best_epoch,
            best_score=progress.best_score,
            stopped=stopped,  # type: ignore[arg-type]
            n_steps=progress.step,
            n_rollbacks=progress.n_rollbacks,
            n_halvings=self.gradients.n_halvings,
            restored=restored,
        )

    def _why_stop(self) -> str | None:
        if self.stop_asked:
            return "report"
        if self.progress.epoch >= self.options.max_epochs:
            return "max_epochs"
        patience = self.options.n_iter_no_change
        if patience is not None and self.progress.n_no_change >= patience:
            return "no_improvement"
        return None

    def _epoch(self) -> None:
        progress, options = self.progress, self.options
        if hasattr(self.objective, "start_epoch"):
            self.objective.start_epoch(progress.epoch)
        if self.resumed_objective is not None:
            self.objective.load_state_dict(  # type: ignore[attr-defined]
                copy_state(self.resumed_objective)
            )
            self.resumed_objective = None
        if options.on_divergence == "rollback":
            self.candidate = self.state()
        self.module.train()
        used = progress.batch
        batches = islice(self.batches.epoch(progress.epoch), used, None)
        started = time.perf_counter() - progress.seconds
        for group in _groups(batches, options.accumulate):
            self._step(group)
            progress.seconds = time.perf_counter() - started
            every = options.checkpoint_every
            if every is not None and progress.step % every == 0:
                self._fetch()
                self._save()
            if self.stop_asked:
                return
        self._fetch()
        if progress.weight == 0:
            raise ValueError(
                f"fit_loop: epoch {progress.epoch} had no batches, or only batches of "
                "weight 0. Give it something to learn from."
            )
        progress.seconds = time.perf_counter() - started
        self._close_epoch()

    def _close_epoch(self) -> None:
        progress = self.progress
        seconds = max(progress.seconds, 1e-9)
        entry = {
            "epoch": progress.epoch,
            "loss": progress.loss / progress.weight,
            "learning_rate": self.rates.current(),
            "seconds": progress.seconds,
            "n_steps": progress.step - progress.first_step,
            "examples_per_second": progress.n_examples / seconds,
            "tokens_per_second": progress.n_tokens / seconds,
        }
        for name, total in progress.logs.items():
            entry[name] = total / progress.weight
        if self.options.evaluate is not None:
            entry.update(self._evaluate())
        self._watch(entry)
        progress.history.append(entry)
        progress.close_epoch()
        self._tell({"kind": "epoch", **entry})
        self._save()

    # Steps ----------------------------------------------------------------------

    def _step(self, group: list[Any]) -> None:
        progress = self.progress
        rate = self.rates.set(progress.step, progress.rate_scale)
        halvings = self.gradients.n_halvings
        loss = self.gradients.compute(group, progress.step)
        if self.gradients.n_halvings > halvings:
            self._tell(
                {
                    "kind": "halved",
                    "epoch": progress.epoch,
                    "step": progress.step,
                    "n_halvings": self.gradients.n_halvings,
                }
            )
        self.pending.append((progress.step, rate, loss))
        # Fetched before the step is taken: on a CPU, where that costs nothing, a
        # gradient that is not finite never reaches the module.
        if len(self.pending) >= self.sync_every:
            self._fetch()
        self.gradients.apply(loss.norm)
        progress.step += 1
        progress.batch += len(group)

    def _fetch(self) -> None:
        """Fetch the pending losses from the device, check, add up and tell them."""
        pending, self.pending = self.pending, []
        if not pending:
            return
        fetched = torch.stack(
            [
                torch.stack([loss.total.double(), loss.norm.double()])
                for _, _, loss in pending
            ]
        ).tolist()
        for (step, rate, loss), (total, norm) in zip(pending, fetched, strict=True):
            value = total / loss.weight if loss.weight else 0.0
            for what, number in (("loss", total), ("norm of the gradient", norm)):
                if not math.isfinite(number):
                    self.pending = []
                    what = f"{what} is {number}"
                    raise _NotFiniteError(what, self.progress.epoch, step, rate)
            if self.candidate is not None:
                # Finite as it may be, a state whose own loss is not finite is no place
                # to go back to: no rate would help.
                self.good, self.candidate = self.candidate, None
            self.progress.add(loss, value)
            self._tell(
                {
                    "kind": "step",
                    "epoch": self.progress.epoch,
                    "step": step,
                    "loss": value,
                    "learning_rate": rate,
                    "gradient_norm": norm,
                    "n_examples": loss.n_examples,
                    "n_tokens": loss.n_tokens,
                }
            )

    # After an epoch -------------------------------------------------------------

    def _evaluate(self) -> dict[str, float]:
        assert self.options.evaluate is not None
        seed = stream(self.options.seed, "evaluation", self.progress.epoch)
        self.module.eval()
        with (
            seeded(int(seed.integers(2**62)), self.device),
            torch.inference_mode(),
        ):
            scores = self.options.evaluate(self.module)
        return {name: float(score) for name, score in scores.items()}

    def _watch(self, entry: Mapping[str, Any]) -> None:
        """Compare the epoch with the best so far; keep its state if it is better."""
        options, progress = self.options, self.progress
        monitor = options.monitor
        if monitor is None or (options.evaluate is None and monitor not in entry):
            return
        if monitor not in entry:
            raise ValueError(
                f"fit_loop: the 'monitor' parameter is {monitor!r}, which is not among "
                f"what an epoch gives: {', '.join(sorted(entry))}."
            )
        score = float(entry[monitor])
        if math.isnan(score):
            what = f"monitored {monitor} is nan"
            raise _NotFiniteError(
                what, progress.epoch, progress.step, self.rates.current()
            )
        sign = 1.0 if options.greater_is_better else -1.0
        best = progress.best_score
        if best is None or sign * score > sign * best + options.tol:
            progress.n_no_change = 0
        else:
            progress.n_no_change += 1
        if best is None or sign * score > sign * best:
            progress.best_epoch, progress.best_score = progress.epoch, score
            last = progress.epoch + 1 >= options.max_epochs
            # The state of the very last epoch is in the module anyway.
            if options.restore_best and (not last or options.checkpoint is not None):
                self.best = copy_state(self.module.state_dict())

    def _save(self) -> None:
        if self.options.checkpoint is not None:
            self.options.checkpoint(self.state())

    def _tell(self, event: dict[str, Any]) -> None:
        if self.options.report is not None and self.options.report(event):
            self.stop_asked = True

    def _roll_back(self, error: _NotFiniteError) -> None:
        """Go back to the last good state with half the rate, or give up."""
        options, n_rollbacks = self.options, self.progress.n_rollbacks
        where = (
            f"the {error.what} in epoch {error.epoch}, step {error.step}, at a "
            f"learning rate of {error.rate:.3g}"
        )
        # Only on_divergence="rollback" keeps good states.
        if self.good is None or n_rollbacks >= options.max_rollbacks:
            tried = f" after {n_rollbacks} rollbacks" if n_rollbacks else ""
            raise DivergenceError(
                f"fit_loop: {where}{tried}. Lower the learning rate, clip the "
                "gradient (clip_norm=1.0), or let the loop go back and halve the rate "
                "(on_divergence='rollback')."
            ) from None
        rate_scale = self.progress.rate_scale / 2
        n_halvings = self.gradients.n_halvings
        self.load(self.good)
        self.progress.rate_scale = rate_scale
        self.progress.n_rollbacks = n_rollbacks + 1
        self.gradients.n_halvings = n_halvings
        warnings.warn(
            f"fit_loop: {where}; went back to the last good state (epoch "
            f"{self.progress.epoch}, step {self.progress.step}) with half the "
            "learning rate.",
            TweetclfWarning,
            stacklevel=4,
        )
        self._tell(
            {
                "kind": "rollback",
                "epoch": error.epoch,
                "step": error.step,
                "rate_scale": rate_scale,
            }
        )
