"""What ULMFiT needs torch for: its module, its language model, its two stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tweetclf.estimators._neural_compute import (
    Job,
    make_objective,
    run_loop,
    validation_of,
    with_targets,
)
from tweetclf.estimators._training_options import options_of
from tweetclf.modules.awd import activation_penalty
from tweetclf.modules.concat_pooling import (
    AWDClassifier,
    ClassifierOutput,
    PoolingClassifierHead,
    concat_pool,
)
from tweetclf.modules.dropout import AWDDropout
from tweetclf.pretraining._causal import BETA2, StagedCycles, make_encoder
from tweetclf.pretraining.language_model import LanguageModelConfig
from tweetclf.pretraining.stages import Stage
from tweetclf.pretraining.tokenizer import SentencePieceTokenizer
from tweetclf.training.batching import LengthBatches, sorted_batches
from tweetclf.training.by_name import make_optimizer
from tweetclf.training.devices import choose_device
from tweetclf.training.optimizers import (
    adamw,
    discriminative_rates,
    parameter_groups,
)

__all__ = [
    "EncodedTexts",
    "ULMFiTModule",
    "group_rates",
    "make_module",
    "train_stages",
]

# Table 2 of HAHA 2019 and fastai's defaults where it is silent.
WEIGHT_DECAY = 0.1
_HEAD_SIZE = 50
_HEAD_DROPOUT = 0.1  # of the second block; the multiplier leaves it alone
_HEAD_MOMENTUM = (0.95, 0.85)
_MOMENTUM, _WARMUP, _DIVISION = (0.7, 0.4), 0.25, 8.0


class ULMFiTModule(AWDClassifier):
    """An `AWDClassifier` that returns its logits alone, if not asked for all."""

    def forward(  # type: ignore[override]
        self, ids: Tensor, full: bool = False
    ) -> Tensor | ClassifierOutput:
        """Return the logits of texts: (batch, time) -> (batch, n_outputs)."""
        output = super().forward(ids)
        return output if full else output.logits


def make_module(
    config: LanguageModelConfig,
    n_pieces: int,
    n_outputs: int,
    dropout_multiplier: float,
) -> ULMFiTModule:
    """Return a classifier over an encoder of these sizes, its weights drawn."""
    dropout = AWDDropout.for_classifier().times(dropout_multiplier)
    head = PoolingClassifierHead(
        config.emb_size,
        n_outputs,
        hidden_sizes=(_HEAD_SIZE,),
        dropouts=(dropout.output, _HEAD_DROPOUT),
    )
    return ULMFiTModule(make_encoder(config, n_pieces, dropout), head)


class EncodedTexts:
    """Token ids of texts, and batches of them.

    Parameters
    ----------
    ids : list of ndarray of int32
        Of each text.
    """

    def __init__(self, ids: list[NDArray[np.int32]]) -> None:
        self.ids = ids
        self.lengths = np.array([len(row) for row in ids], dtype=np.int64)

    def collate(self, indices: NDArray[Any]) -> dict[str, Tensor]:
        """Return texts as one batch, padded behind to the longest of them."""
        rows = [self.ids[i] for i in indices]
        shape = (len(rows), max(map(len, rows)))
        batch = np.full(shape, SentencePieceTokenizer.pad_id, dtype=np.int64)
        for row, ids in zip(batch, rows, strict=True):
            row[: len(ids)] = ids
        return {"ids": torch.from_numpy(batch)}


def group_rates(highest: float, n_groups: int) -> list[float]:
    """Return the rates of all layers: geometric, 1e-3/2.6^4 to 5e-3 in the paper.

    Examples
    --------
    >>> [f"{rate:.2e}" for rate in group_rates(5e-3, 5)]
    ['2.19e-05', '8.51e-05', '3.31e-04', '1.29e-03', '5.00e-03']
    """
    return discriminative_rates(highest, n_groups, lowest=highest / 5 / 2.6**4)


def _load_encoder(module: ULMFiTModule, state: Mapping[str, NDArray[Any]]) -> None:
    """Put the encoder of a language model under the head."""
    prefix = "encoder."
    module.encoder.load_state_dict(
        {
            name.removeprefix(prefix): torch.from_numpy(np.array(array))
            for name, array in state.items()
            if name.startswith(prefix)
        }
    )


def _objective(estimator: Any) -> Callable[..., tuple[Tensor, dict[str, Any]]]:
    """Return the loss of the targets with the penalties of AWD models.

    fastai's RNNTrainer adds them for classifiers too; both are of the last layer's
    output before dropout.
    """
    of_logits = make_objective(estimator)

    def objective(
        module: ULMFiTModule, batch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Any]]:
        output = module(batch["ids"], full=True)

        def logits(ids: Tensor) -> Tensor:
            return output.logits

        loss, logs = of_logits(logits, batch)
        penalty = activation_penalty(
            output.hidden, output.hidden, ar_of="raw", mask=output.mask
        )
        return loss + penalty, {**logs, "n_tokens": batch["ids"].numel()}

    return objective


class _Features:
    """Pooled outputs of a frozen encoder, as inputs of the head alone."""

    def __init__(self, features: NDArray[Any]) -> None:
        self.features = torch.from_numpy(features).float()
        self.lengths = np.ones(len(features), dtype=np.int64)

    def collate(self, indices: NDArray[Any]) -> dict[str, Tensor]:
        return {"ids": self.features[torch.from_numpy(indices)]}


def _pooled(module: ULMFiTModule, inputs: EncodedTexts, device: Any) -> NDArray[Any]:
    features = np.empty((len(inputs.ids), 3 * module.encoder.embedding_size))
    module.eval()
    with torch.inference_mode():
        for rows in sorted_batches(inputs.lengths, 64):
            ids = inputs.collate(rows)["ids"].to(device)
            encoded = module.encode(ids)
            pooled = concat_pool(encoded.hidden, encoded.mask)
            features[rows] = pooled.double().cpu().numpy()
    return features


def _prime(head: PoolingClassifierHead, features: Tensor) -> None:
    """Give batch normalisation the statistics of these texts.

    fastai starts from mean 0 and variance 1, which a short training on few texts
    never gets away from: outputs of an encoder vary by hundredths.
    """
    x = features
    with torch.inference_mode():
        for block in head.blocks:
            if isinstance(block, nn.BatchNorm1d) and len(x) > 1:
                variance, mean = torch.var_mean(x, dim=0)
                block.running_mean.copy_(mean)  # type: ignore[union-attr]
                block.running_var.copy_(variance)  # type: ignore[union-attr]
            x = block(x)


def _even_out(n_rows: int, batch_size: int) -> int:
    """Return a batch size that leaves no last batch of a single text.

    Batch normalisation has nothing to norm in it.
    """
    batch_size = max(2, batch_size)
    while n_rows % batch_size == 1:
        batch_size += 1
    return batch_size


class _Trainer:
    """Trains the module of one estimator stage by stage."""

    def __init__(self, estimator: Any, job: Job) -> None:
        self.estimator = estimator
        self.job = job
        self.module: ULMFiTModule = job.module  # type: ignore[assignment]
        self.groups = list(self.module.layer_groups().values())
        self.history: list[dict[str, Any]] = []

    def batches(self, rows: list[Any], targets: NDArray[Any]) -> LengthBatches:
        if len(rows) == 1:
            rows, targets = rows * 2, np.concatenate([targets, targets])
        return self._batches(self.estimator._inputs(rows), targets)

    def _batches(self, inputs: Any, targets: NDArray[Any]) -> LengthBatches:
        size = _even_out(len(targets), self.estimator.batch_size)
        return LengthBatches(
            inputs.lengths,
            with_targets(inputs, targets),
            batch_size=size,
            seed=self.job.seed,
        )

    def prime(self, rows: list[Any]) -> None:
        """Set the statistics of batch normalisation to those of some texts."""
        # About a thousand tell enough.
        inputs = self.estimator._inputs(rows[:: -(-len(rows) // 1024)])
        device = choose_device(self.estimator.device)
        features = torch.from_numpy(_pooled(self.module, inputs, device))
        _prime(self.module.head, features.float().to(device))

    def smote_batches(self) -> LengthBatches:
        """Return batches of features, with points between those of rarer classes."""
        from imblearn.over_sampling import SMOTE

        codes = self.job.targets
        inputs = self.estimator._inputs(self.job.rows)
        features = _pooled(self.module, inputs, choose_device(self.estimator.device))
        rarest = int(np.bincount(codes).min())
        if rarest > 1:
            smote = SMOTE(k_neighbors=min(5, rarest - 1), random_state=self.job.seed)
            features, codes = smote.fit_resample(features, codes)
        return self._batches(_Features(features), np.asarray(codes))

    def run(
        self,
        batches: LengthBatches,
        stage: Stage,
        n_groups: int,
        *,
        module: nn.Module | None = None,
        last: bool = False,
    ) -> None:
        """Train the upper `n_groups` groups of layers for one stage."""
        estimator, job = self.estimator, self.job
        for number, group in enumerate(reversed(self.groups)):
            for parameter in group:
                parameter.requires_grad_(number < n_groups)
        options = options_of(estimator)
        # The estimator's own schedule gives rates, those with names factors on them.
        peak = 1.0 if options.schedule is None else stage.learning_rate
        optimizer = make_optimizer(
            options,
            parameter_groups(
                self.module,
                # The rates span all groups, those that are frozen included.
                lr=group_rates(peak, len(self.groups)),
                groups=self.groups,
                weight_decay=WEIGHT_DECAY,
                decay_all=True,
            ),
            lr=peak,
            own=partial(adamw, betas=(stage.momentum[0], BETA2)),
        )
        # Only what is trained last is compared: the best epoch is one of its epochs.
        validation = validation_of(estimator, job) if last else {}
        n_steps = -(-batches.n_batches(0) // options.accumulate)
        result = run_loop(
            estimator,
            self.module if module is None else module,
            _objective(estimator) if module is None else make_objective(estimator),
            batches,
            optimizer=optimizer,
            max_epochs=stage.n_epochs,
            schedule=StagedCycles([stage], n_steps),
            seed=job.seed + len(self.history),
            what=f", {n_groups} of {len(self.groups)} groups",
            job=job if last else None,
            **validation,
        )
        for epoch in result.untimed_history():
            number = len(self.history)
            self.history.append({**epoch, "epoch": number, "n_groups": n_groups})


class _HeadOnly(nn.Module):
    """The blocks of a head, over features that are pooled already."""

    def __init__(self, head: PoolingClassifierHead) -> None:
        super().__init__()
        self.blocks = head.blocks

    def forward(self, ids: Tensor) -> Tensor:
        return self.blocks(ids)


def train_stages(
    estimator: Any, job: Job, encoder_state: Mapping[str, NDArray[Any]]
) -> list[dict[str, Any]]:
    """Train a classifier over a language model: the head, then all layers.

    Parameters
    ----------
    estimator : ULMFiTClassifier or ULMFiTRegressor
        Whose parameters say how.
    job : Job
        Module, rows and targets.
    encoder_state : mapping of str to ndarray
        Weights of the language model.

    Returns
    -------
    list of dict
        One an epoch of either stage, without timings.
    """
    _load_encoder(job.module, encoder_state)  # type: ignore[arg-type]
    trainer = _Trainer(estimator, job)
    trainer.prime(job.rows)
    rows, targets = estimator._resampled(job)
    batches = trainer.batches(rows, targets)
    peak = estimator.learning_rate
    head = Stage(estimator.head_iter, 2 * peak, _HEAD_MOMENTUM)
    if head.n_epochs and getattr(estimator, "oversampling", None) == "smote":
        only = _HeadOnly(trainer.module.head)
        trainer.run(trainer.smote_batches(), head, 1, module=only)
    elif head.n_epochs:
        trainer.run(batches, head, 1)
    n_groups = len(trainer.groups)
    if estimator.gradual_unfreezing:
        step = Stage(1, peak, _MOMENTUM, _WARMUP, _DIVISION)
        for n_thawed in range(2, n_groups):
            trainer.run(batches, step, n_thawed)
    stage = Stage(estimator.max_iter, peak, _MOMENTUM, _WARMUP, _DIVISION)
    trainer.run(batches, stage, n_groups, last=True)
    if job.validation is None and job.sweep is None:
        # What is left in them is of the last batches, each of texts of one length: on
        # HAHA that alone moved recall from .83 to .71. A state that was validated
        # stays as it was then.
        trainer.prime(rows)
    return trainer.history
