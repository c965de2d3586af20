"""What neural estimators need torch for; imported when one is fitted or predicts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer
from torch import nn

from tweetclf.estimators._objectives import make_objective, plain_loss
from tweetclf.estimators._training_options import options_of, warmup_of
from tweetclf.training.batching import LengthBatches, sorted_batches
from tweetclf.training.by_name import make_optimizer, make_schedule
from tweetclf.training.devices import autocast, choose_device, seeded, to_device
from tweetclf.training.loop import Objective, TrainingResult, fit_loop
from tweetclf.training.lr_finder import LRFinderResult, find_learning_rate
from tweetclf.training.progress import watched
from tweetclf.training.schedules import total_steps

__all__ = [
    "Inputs",
    "Job",
    "check_scoring",
    "evaluator",
    "finished",
    "make_module",
    "make_objective",
    "outputs_of",
    "restored",
    "run_loop",
    "state_of",
    "train",
    "validation_of",
    "with_targets",
]


class Inputs(Protocol):
    """Encoded rows: what batches are made of."""

    lengths: NDArray[np.int64]

    def collate(self, indices: NDArray[np.int64]) -> dict[str, Any]:
        """Return the rows as one batch, padded to the longest of them."""


@dataclass
class Job:
    """One training: the module, encoded targets and validation rows.

    For questions: windows, the right answers of their rows, and what measures a module.

    With a `sweep`, parameters of `find_learning_rate`, the last thing to be trained is
    trained with a growing rate, and what came of it is put into `found`.
    """

    module: nn.Module
    rows: list[Any]
    targets: Any
    validation: Any
    seed: int
    sweep: Mapping[str, Any] | None = None
    found: LRFinderResult | None = None


def make_module(estimator: Any, seed: int) -> nn.Module:
    """Return the estimator's module, its weights drawn with `seed`."""
    # Initialisation knows the global generator alone, which is put back.
    with seeded(seed, torch.device("cpu")):
        module = estimator._make_module(estimator._n_outputs)
    return module.to(choose_device(estimator.device))


def finished(module: nn.Module) -> nn.Module:
    """Return the module ready to predict."""
    for parameter in module.parameters():
        parameter.grad = None
    return module.eval()


def state_of(module: nn.Module) -> dict[str, NDArray[Any]]:
    """Return the weights and buffers of a module as arrays."""
    arrays = {}
    for name, tensor in module.state_dict().items():
        tensor = tensor.detach().cpu()
        if tensor.dtype in (torch.bfloat16, torch.float16):
            tensor = tensor.float()
        arrays[name] = tensor.numpy().copy()
    return arrays


def restored(estimator: Any, state: Mapping[str, NDArray[Any]]) -> nn.Module:
    """Return the module with the weights of `state`."""
    module = make_module(estimator, 0)
    module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in state.items()})
    return finished(module)


def outputs_of(
    estimator: Any, module: nn.Module, rows: list[Any]
) -> NDArray[np.float64]:
    """Return the module's outputs, a row a text; equal texts are read once."""
    numbers: dict[Any, int] = {}
    inverse = np.array([numbers.setdefault(row, len(numbers)) for row in rows])
    inputs = estimator._inputs(list(numbers))
    outputs = _forward(estimator, module, inputs, len(numbers))
    return outputs[inverse]


def _forward(
    estimator: Any, module: nn.Module, inputs: Any, n_rows: int
) -> NDArray[np.float64]:
    device = choose_device(estimator.device)
    outputs = np.empty((n_rows, estimator._n_outputs))
    was_training = module.training
    module.eval()
    with torch.inference_mode(), autocast(estimator.precision, device):
        for indices in _prediction_batches(estimator, inputs.lengths, device):
            batch = to_device(inputs.collate(indices), device)
            outputs[indices] = module(**batch).double().cpu().numpy()
    module.train(was_training)
    return outputs


# A GPU is not filled by 64 tweets; so many tokens, with padding, fit into a small one.
_GPU_TOKENS = 1 << 15


def _prediction_batches(
    estimator: Any, lengths: NDArray[np.int64], device: torch.device
) -> list[NDArray[np.int64]]:
    if device.type == "cuda":
        return sorted_batches(lengths, max(len(lengths), 1), _GPU_TOKENS)
    return sorted_batches(lengths, max(64, estimator.batch_size))


class _Given(BaseEstimator):
    """Hands a scorer outputs that are computed already."""

    def __init__(self, estimator: Any, logits: NDArray[np.float64]) -> None:
        self.estimator = estimator
        self.logits = logits
        if hasattr(estimator, "classes_"):
            self.classes_ = estimator.classes_

    def __sklearn_tags__(self) -> Any:
        return self.estimator.__sklearn_tags__()

    def predict(self, X: Any) -> NDArray[Any]:
        return self.estimator._answers(self.logits)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        return self.estimator._probabilities(self.logits)


def evaluator(
    estimator: Any, rows: list[Any], targets: NDArray[Any]
) -> Callable[[nn.Module], dict[str, float]]:
    """Return what measures a module on validation rows: loss, and `scoring` if any."""
    inputs = estimator._inputs(rows)
    scorer = None if estimator.scoring == "loss" else get_scorer(estimator.scoring)
    answers = estimator._decode_targets(targets)

    def evaluate(module: nn.Module) -> dict[str, float]:
        logits = _forward(estimator, module, inputs, len(rows))
        values = {"valid_loss": plain_loss(estimator, logits, targets)}
        if scorer is not None:
            with warnings.catch_warnings():
                # Early in training a class may not be predicted at all.
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                score = scorer(_Given(estimator, logits), rows, answers)
            values["valid_score"] = float(score)
        return values

    return evaluate


def check_scoring(estimator: Any, rows: list[Any], targets: NDArray[Any]) -> None:
    """Try the scorer on validation rows before hours of training, not after.

    Raises
    ------
    ValueError
        If there is none of that name, or it cannot score such targets.
    """
    scorer = get_scorer(estimator.scoring)
    given = _Given(estimator, np.zeros((len(rows), estimator._n_outputs)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scorer(given, rows, estimator._decode_targets(targets))


def validation_of(estimator: Any, job: Job) -> dict[str, Any]:
    """Return what `fit_loop` is to watch: by `scoring`, on the validation rows."""
    evaluate = None
    if job.validation is not None:
        evaluate = evaluator(estimator, *job.validation)
    by_score = estimator.scoring != "loss"
    return {
        "evaluate": evaluate,
        "monitor": "valid_score" if by_score else "valid_loss",
        "greater_is_better": by_score,
        "n_iter_no_change": estimator.n_iter_no_change if evaluate else None,
    }


def with_targets(
    inputs: Inputs, targets: NDArray[Any]
) -> Callable[[NDArray[np.int64]], dict[str, Any]]:
    """Return what makes a batch of rows and their encoded targets."""
    answers = torch.from_numpy(targets)

    def collate(indices: NDArray[np.int64]) -> dict[str, Any]:
        batch = inputs.collate(indices)
        batch["targets"] = answers[torch.from_numpy(indices)]
        return batch

    return collate


class _LossPatience:
    """Stops a training whose validation loss has not fallen for some epochs."""

    def __init__(self, n_iter_no_change: int) -> None:
        self.n_iter_no_change = n_iter_no_change
        # Before the first epoch, and after each.
        self.losses = [float("inf")]

    def __call__(self, event: dict[str, Any]) -> bool:
        if event["kind"] != "epoch":
            return False
        # An epoch that is told of again was gone back to: it and what came after it
        # are no more.
        del self.losses[event["epoch"] + 1 :]
        self.losses.append(event["valid_loss"])
        best = 0
        for number, loss in enumerate(self.losses):
            if loss < self.losses[best]:
                best = number
        return len(self.losses) - 1 - best >= self.n_iter_no_change


def run_loop(
    estimator: Any,
    module: nn.Module,
    objective: Objective,
    batches: LengthBatches,
    *,
    optimizer: torch.optim.Optimizer,
    max_epochs: int,
    seed: int,
    schedule: Any = None,
    clip_norm: float | None = None,
    what: str = "",
    report: Any = None,
    job: Job | None = None,
    **validation: Any,
) -> TrainingResult:
    """Run the training loop as the estimator's training options say.

    Parameters
    ----------
    estimator : NeuralEstimator
        Whose options count.
    module, objective, batches, optimizer, max_epochs, seed
        As in `fit_loop`.
    schedule : callable, optional
        What the rate does if the options name no schedule.
    clip_norm : float, optional
        Longest gradient if the options leave it to the estimator.
    what : str, default=""
        What of it is trained, for those who watch.
    report : callable, optional
        As in `fit_loop`.
    job : Job, optional
        If it asks for a sweep, this is the training that it is about.
    **validation
        As `validation_of` returns it.

    Returns
    -------
    TrainingResult
        Without epochs after a sweep.
    """
    options = options_of(estimator)
    if options.clip_norm != "auto":
        clip_norm = options.clip_norm
    common: dict[str, Any] = {
        "optimizer": optimizer,
        "accumulate": options.accumulate,
        "clip_norm": clip_norm,
        "precision": estimator.precision,
        "seed": seed,
    }
    if job is not None and job.sweep is not None:
        job.found = find_learning_rate(
            module, objective, batches, **common, **job.sweep
        )
        return TrainingResult()
    n_steps = total_steps(batches, max_epochs, options.accumulate)
    if options.schedule is not None:
        schedule = make_schedule(options.schedule, n_steps, warmup=warmup_of(estimator))
    return fit_loop(
        module,
        objective,
        batches,
        max_epochs=max_epochs,
        schedule=schedule,
        on_divergence=options.on_divergence,
        max_rollbacks=options.max_rollbacks,
        compile=options.compile,
        report=watched(type(estimator).__name__ + what, n_steps, report),
        **common,
        **validation,
    )


def train(
    estimator: Any,
    job: Job,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Any = None,
    clip_norm: float | None = None,
    stop_by_loss: bool = False,
    pool: int = 50,
    split: Callable[[Any], list[Any]] | None = None,
) -> list[dict[str, Any]]:
    """Train all of a module at once: the default of neural estimators.

    Parameters
    ----------
    estimator : NeuralEstimator
        Whose parameters say how.
    job : Job
        What is trained, on what.
    optimizer : torch.optim.Optimizer, optional
        By default Adam.
    schedule : callable, optional
        Step -> factor on the rate.
    clip_norm : float, optional
        Longest gradient.
    stop_by_loss : bool, default=False
        Watch the validation loss for when to stop, whatever `scoring` chooses the
        best epoch by.
    pool : int, default=50
        Batches that are sorted by length together.
    split : callable, optional
        Halves a batch when memory runs out.

    Returns
    -------
    list of dict
        One an epoch, without seconds, so that equal fits have equal histories.
    """
    inputs = estimator._inputs(job.rows)
    batches = LengthBatches(
        inputs.lengths,
        with_targets(inputs, job.targets),
        batch_size=estimator.batch_size,
        seed=job.seed,
        pool=pool,
        split=split,
    )
    validation = validation_of(estimator, job)
    report = None
    patience = validation["n_iter_no_change"]
    if stop_by_loss and validation["greater_is_better"] and patience is not None:
        report, validation["n_iter_no_change"] = _LossPatience(patience), None
    if optimizer is None:
        optimizer = make_optimizer(
            options_of(estimator),
            job.module.parameters(),
            lr=estimator.learning_rate,
            own=torch.optim.Adam,
        )
    result = run_loop(
        estimator,
        job.module,
        make_objective(estimator),
        batches,
        optimizer=optimizer,
        max_epochs=estimator.max_iter,
        schedule=schedule,
        clip_norm=clip_norm,
        report=report,
        seed=job.seed,
        job=job,
        **validation,
    )
    return result.untimed_history()
