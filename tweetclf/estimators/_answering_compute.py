"""What question answering needs torch for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.estimators._neural_compute import (
    Job,
    run_loop,
    with_targets,
)
from tweetclf.estimators._packed_inputs import PackedInputs, split_packed
from tweetclf.estimators._transformer_compute import (
    CLIP_NORM,
    POOL,
    make_optimizer,
    make_schedule,
    recomputed_layers,
)
from tweetclf.estimators._windows import Window, span_in, tokens_of
from tweetclf.training.batching import LengthBatches, sorted_batches
from tweetclf.training.devices import autocast, choose_device, to_device

__all__ = ["numbers_of", "span_loss", "train_on_spans"]


def span_loss(
    module: nn.Module, batch: dict[str, Tensor]
) -> tuple[Tensor, dict[str, float]]:
    """Return the mean cross-entropy of first and last tokens of the answers."""
    inputs = dict(batch)
    targets = inputs.pop("targets")  # (n, 2)
    numbers = module(**inputs).float()  # (total, 2)
    parts = list(numbers.split(batch["lengths"].tolist()))
    padded = nn.utils.rnn.pad_sequence(
        parts, batch_first=True, padding_value=float("-inf")
    )  # (n, longest, 2)
    first = F.cross_entropy(padded[..., 0], targets[:, 0])
    last = F.cross_entropy(padded[..., 1], targets[:, 1])
    return (first + last) / 2, {"weight": len(targets), "n_examples": len(targets)}


def numbers_of(
    estimator: Any, module: nn.Module, windows: Sequence[Window]
) -> list[NDArray[np.float64]]:
    """Return the numbers of first and last tokens, an array of (n, 2) a window."""
    inputs = PackedInputs(tokens_of(windows, estimator._has_types))
    device = choose_device(estimator.device)
    results: dict[int, NDArray[np.float64]] = {}
    was_training = module.training
    module.eval()
    with torch.inference_mode(), autocast(estimator.precision, device):
        for indices in sorted_batches(inputs.lengths, 64):
            batch = to_device(inputs.collate(indices), device)
            numbers = module(**batch).double().cpu()
            parts = numbers.split(inputs.lengths[indices].tolist())
            for index, part in zip(indices.tolist(), parts, strict=True):
                results[index] = part.numpy()
    module.train(was_training)
    return [results[index] for index in range(len(windows))]


def train_on_spans(estimator: Any, job: Job) -> list[dict[str, Any]]:
    """Train a module on windows and their answers; return the history."""
    windows: Sequence[Window] = job.rows
    inputs = PackedInputs(tokens_of(windows, estimator._has_types))
    spans = []
    for window in windows:
        # Of several right answers the first is learnt; none is (0, 0).
        known = job.targets[window.row][:1]
        spans.append(
            span_in(window, known[0][0], known[0][0] + len(known[0][1]))
            if known
            else (0, 0)
        )
    batches = LengthBatches(
        inputs.lengths,
        with_targets(inputs, np.array(spans, dtype=np.int64)),
        batch_size=estimator.batch_size,
        seed=job.seed,
        pool=1 if job.module.plan == "packed" else POOL,
        split=split_packed,
    )
    evaluate = job.validation
    with recomputed_layers(estimator, job.module):
        result = run_loop(
            estimator,
            job.module,
            span_loss,
            batches,
            optimizer=make_optimizer(estimator, job.module),
            max_epochs=estimator.max_iter,
            schedule=make_schedule(estimator, len(windows)),
            clip_norm=CLIP_NORM,
            evaluate=evaluate,
            monitor=f"valid_{estimator.scoring}",
            greater_is_better=True,
            n_iter_no_change=estimator.n_iter_no_change if evaluate else None,
            seed=job.seed,
            job=job,
        )
    return result.untimed_history()
