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
from torch import Tensor, nn

from tweetclf.training.batching import LengthBatches, sorted_batches
from tweetclf.training.devices import autocast, choose_device, seeded, to_device
from tweetclf.training.loop import fit_loop
from tweetclf.training.losses import (
    binary_cross_entropy,
    cross_entropy,
    regression_loss,
)
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
    """One training: the module, encoded targets and validation rows."""

    module: nn.Module
    rows: list[Any]
    targets: NDArray[Any]
    validation: tuple[list[Any], NDArray[Any]] | None
    seed: int


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


def make_objective(estimator: Any) -> Callable[..., tuple[Tensor, dict[str, float]]]:
    """Return the objective of the estimator's kind of targets.

    Classes: cross-entropy, smoothed, its class weights in the reduction
    (1/N) sum w CE, so that a rare class weighs the same in every batch. Indicator
    matrices: binary cross-entropy. Numbers: squared error.
    """
    weights = getattr(estimator, "class_weight_", None)
    smoothing = getattr(estimator, "label_smoothing", 0.0)

    def objective(
        module: nn.Module, batch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, float]]:
        inputs = dict(batch)
        targets = inputs.pop("targets")
        logits = module(**inputs)
        if logits.dtype == torch.bfloat16:
            logits = logits.float()
        if targets.dtype == torch.int64:
            weight = None
            if weights is not None:
                weight = torch.as_tensor(
                    weights, dtype=logits.dtype, device=logits.device
                )
            loss = cross_entropy(
                logits, targets, class_weight=weight, label_smoothing=smoothing
            )
        elif targets.ndim == 2:
            loss = binary_cross_entropy(logits, targets)
        else:
            loss = regression_loss(logits[:, 0], targets)
        return loss, {"weight": len(targets), "n_examples": len(targets)}

    return objective


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
        values = {"valid_loss": estimator._loss(logits, targets)}
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
        self.best = float("inf")
        self.n_no_change = 0

    def __call__(self, event: dict[str, Any]) -> bool:
        if event["kind"] != "epoch":
            return False
        self.n_no_change += 1
        if event["valid_loss"] < self.best:
            self.best, self.n_no_change = event["valid_loss"], 0
        return self.n_no_change >= self.n_iter_no_change


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
    n_steps = total_steps(batches, estimator.max_iter)
    result = fit_loop(
        job.module,
        make_objective(estimator),
        batches,
        optimizer=optimizer
        or torch.optim.Adam(job.module.parameters(), lr=estimator.learning_rate),
        max_epochs=estimator.max_iter,
        schedule=schedule,
        clip_norm=clip_norm,
        precision=estimator.precision,
        report=watched(type(estimator).__name__, n_steps, report),
        seed=job.seed,
        **validation,
    )
    return result.untimed_history()
