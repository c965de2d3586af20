"""One training run: its progress, its epochs, and what happens when one goes wrong."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

import torch
from torch import nn

from tweetclf.exceptions import DivergenceError, TweetclfWarning
from tweetclf.training._contracts import Batches, Objective, TrainingResult
from tweetclf.training._gradients import Gradients, StepLoss
from tweetclf.training._options import Options
from tweetclf.training._progress import NotFiniteError, Progress, groups
from tweetclf.training._rates import Rates
from tweetclf.training._state import copy_state
from tweetclf.training.devices import module_device, resolve_precision, seeded
from tweetclf.utils.random import stream

__all__ = ["Run"]

_FORMAT = 1


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
            replicas=options.replicas,
        )
        on_cpu = self.device.type == "cpu"
        self.sync_every = options.sync_every or (1 if on_cpu else 16)
        self.progress = Progress()
        self.best: Any = None
        self.good: dict[str, Any] | None = None
        self.candidate: dict[str, Any] | None = None
        self.resumed_objective: Any = None
        self.pending: list[tuple[int, float, StepLoss]] = []
        self.stop_asked = False
        self.saved_at = time.monotonic()

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
        self.progress = Progress(**copy_state(state["progress"]))
        self.gradients.n_halvings = state["n_halvings"]
        self.best = state["best"]
        self.resumed_objective = state["objective"]

    # The run --------------------------------------------------------------------

    def run(self) -> TrainingResult:
        """Train until something says stop."""
        self._check_replicas()
        try:
            while (stopped := self._why_stop()) is None:
                try:
                    self._epoch()
                except NotFiniteError as error:
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

    def _check_replicas(self) -> None:
        """Let all processes begin with the same weights at the same step."""
        replicas = self.options.replicas
        if replicas.size == 1:
            return
        if hasattr(self.objective, "state_dict"):
            raise ValueError(
                "fit_loop: an objective that carries a state from batch to batch "
                "cannot be trained by several processes: only one could be resumed."
            )
        steps = replicas.gather(self.progress.step)
        if len(set(steps)) > 1:
            raise ValueError(
                f"fit_loop: the processes are resumed from different steps ({steps}). "
                "Let all of them read the same checkpoint."
            )
        replicas.share_tensors([*self.module.parameters(), *self.module.buffers()])

    def _why_stop(self) -> str | None:
        self.stop_asked = self.options.replicas.add([self.stop_asked])[0] > 0
        if self.stop_asked:
            return "report"
        if self.progress.epoch >= self.options.max_epochs:
            return "max_epochs"
        if self._has_all_steps():
            return "max_steps"
        patience = self.options.n_iter_no_change
        if patience is not None and self.progress.n_no_change >= patience:
            return "no_improvement"
        return None

    def _has_all_steps(self) -> bool:
        most = self.options.max_steps
        return most is not None and self.progress.step >= most

    def _groups(self) -> Iterator[list[Any]]:
        """Yield the micro-batches of each step that the epoch has left."""
        progress, size = self.progress, self.options.accumulate
        batches = islice(self.batches.epoch(progress.epoch), progress.batch, None)
        replicas = self.options.replicas
        if replicas.size == 1:
            return groups(batches, size)
        # All take as many steps as the one with the most batches.
        most = max(replicas.gather(self.batches.n_batches(progress.epoch)))
        n_left = max(0, int(most) - progress.batch)
        return groups(batches, size, -(-n_left // size))

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
        started = time.perf_counter() - progress.seconds
        for group in self._groups():
            self._step(group)
            done = time.perf_counter()
            progress.seconds = done - started
            self._after_step()
            # Training takes the seconds; evaluating and writing do not count.
            started += time.perf_counter() - done
            if self.stop_asked:
                return
            if self._has_all_steps():
                break
        self._fetch()
        if progress.weight == 0:
            raise ValueError(
                f"fit_loop: epoch {progress.epoch} had no batches, or only batches of "
                "weight 0. Give it something to learn from."
            )
        progress.seconds = time.perf_counter() - started
        self._close_epoch()

    def _after_step(self) -> None:
        """Evaluate and save, if it is time to; let all processes decide the same."""
        progress, options = self.progress, self.options
        every = options.evaluate_every
        if every is not None and progress.step % every == 0:
            self._fetch()
            where = {"epoch": progress.epoch, "step": progress.step - 1}
            self._tell({"kind": "evaluation", **where, **self._evaluate()})
            self.module.train()
        every = options.checkpoint_every
        is_due = every is not None and progress.step % every == 0
        if options.checkpoint_minutes is not None:
            passed = time.monotonic() - self.saved_at
            is_due |= passed >= 60 * options.checkpoint_minutes
        replicas = options.replicas
        if replicas.size > 1:
            # The clock of the main process counts.
            asked, due = replicas.add([self.stop_asked, is_due and replicas.is_main])
            self.stop_asked, is_due = asked > 0, due > 0
        if is_due:
            self._fetch()
            self._save()

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
        progress.batch += self.options.accumulate

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
                    raise NotFiniteError(what, self.progress.epoch, step, rate)
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
                    "logs": {
                        name: float(log) / loss.weight if loss.weight else 0.0
                        for name, log in loss.logs.items()
                    },
                }
            )

    # After an epoch -------------------------------------------------------------

    def _evaluate(self) -> dict[str, float]:
        if self.options.evaluate is None:
            return {}
        seed = stream(self.options.seed, "evaluation", self.progress.epoch)
        self.module.eval()
        with (
            seeded(int(seed.integers(2**62)), self.device),
            torch.inference_mode(),
        ):
            scores = self.options.evaluate(self.module)
        numbers = {name: float(score) for name, score in scores.items()}
        return self.options.replicas.agree(numbers)

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
            raise NotFiniteError(
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
        if self.options.checkpoint is not None and self.options.replicas.is_main:
            self.options.checkpoint(self.state())
        self.saved_at = time.monotonic()

    def _tell(self, event: dict[str, Any]) -> None:
        if self.options.report is not None and self.options.report(event):
            self.stop_asked = True

    def _advice(self) -> str:
        """Return what to do about a divergence that has not been done."""
        options, longest = self.options, self.options.clip_norm
        clip = "clip_norm=1.0" if longest is None else f"clip_norm below {longest:g}"
        ways = f"Lower the learning rate, clip the gradient ({clip})"
        if options.on_divergence == "stop":
            ways += ", or go back and halve the rate (on_divergence='rollback')"
        elif self.good is not None:
            ways += (
                f", or go back more often (max_rollbacks above {options.max_rollbacks})"
            )
        return (
            f"{ways}. Options of an estimator have the prefix training__, as "
            "training__clip_norm."
        )

    def _roll_back(self, error: NotFiniteError) -> None:
        """Go back to the last good state with half the rate, or give up."""
        options, n_rollbacks = self.options, self.progress.n_rollbacks
        where = (
            f"fit_loop: the {error.what} in epoch {error.epoch}, step {error.step}, at "
            f"a learning rate of {error.rate:.3g}"
        )
        # Only on_divergence="rollback" keeps good states.
        if self.good is None or n_rollbacks >= options.max_rollbacks:
            tried = f" after {n_rollbacks} rollbacks" if n_rollbacks else ""
            raise DivergenceError(f"{where}{tried}. {self._advice()}") from None
        rate_scale = self.progress.rate_scale / 2
        n_halvings = self.gradients.n_halvings
        self.load(self.good)
        self.progress.rate_scale = rate_scale
        self.progress.n_rollbacks = n_rollbacks + 1
        self.gradients.n_halvings = n_halvings
        warnings.warn(
            f"{where}; went back to the last good state (epoch "
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
