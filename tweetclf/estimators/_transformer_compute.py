"""What estimators on pretrained transformers need torch and transformers for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from tweetclf.estimators._neural_compute import Job, train
from tweetclf.estimators._packed_inputs import split_packed
from tweetclf.estimators._training_options import options_of
from tweetclf.exceptions import DataError
from tweetclf.features._captured import capture, rebuild_model, rebuild_tokenizer
from tweetclf.features._encoding import TokenEncoder
from tweetclf.features._pretrained import Pretrained, load_pretrained
from tweetclf.modules.packed import longest_sequence
from tweetclf.training import by_name
from tweetclf.training.optimizers import adamw, layerwise_rates, parameter_groups
from tweetclf.training.schedules import Linear

__all__ = [
    "CLIP_NORM",
    "POOL",
    "choose_length",
    "describe",
    "fine_tune",
    "layer_groups",
    "load",
    "make_optimizer",
    "make_schedule",
    "recomputed_layers",
    "remake",
    "token_encoder",
]

CLIP_NORM = 1.0
"""Longest gradient: BERT's own fine-tuning, and the Trainer of transformers."""

POOL = 50
"""Batches that are sorted by length together where sequences are padded."""


def load(estimator: Any, seed: int = 0, **options: Any) -> Pretrained:
    """Load the model that an estimator names, its head drawn with `seed`.

    Parameters
    ----------
    estimator : TransformerEstimator
        Not fitted.
    seed : int, default=0
        Of what the checkpoint lacks.
    **options
        What the configuration shall say of the outputs.
    """
    return load_pretrained(
        estimator.model,
        auto_class=estimator._auto_class,
        seed=seed,
        caller=type(estimator).__name__,
        **options,
    )


def describe(loaded: Pretrained) -> tuple[str, str, dict[str, NDArray[Any]]]:
    """Return the architecture, the configuration and the tokenizer as plain data."""
    captured = capture(loaded.model, loaded.tokenizer)
    return captured["architecture"], captured["config"], captured["files"]


def remake(estimator: Any) -> Any:
    """Return the model of a fitted estimator, its weights not yet filled in."""
    return rebuild_model(estimator.architecture_, estimator.config_)


def token_encoder(estimator: Any) -> TokenEncoder:
    """Return the tokenizer of a fitted estimator, ready to encode."""
    tokenizer = rebuild_tokenizer(estimator.tokenizer_files_)
    return TokenEncoder(tokenizer, estimator._row_length)


def choose_length(estimator: Any, model: Any) -> int:
    """Return the most tokens of a row; refuse more than the model has positions for."""
    longest = longest_sequence(model.base_model)
    asked: int | None = estimator.max_length
    if asked is None:
        return min(estimator._default_length, longest or estimator._default_length)
    if longest is not None and asked > longest:
        raise DataError(
            f"{type(estimator).__name__}: the 'max_length' parameter must be at most "
            f"{longest}, the positions of {estimator.model!r}, or None. Got {asked} "
            "instead."
        )
    return asked


def layer_groups(module: Any) -> list[Any]:
    """Return the embeddings, each layer of the encoder, and what is above them."""
    lists = [m for m in module.modules() if isinstance(m, nn.ModuleList)]
    # The layers are the list of modules that holds most of the weights.
    layers = max(lists, key=lambda m: sum(p.numel() for p in m.parameters()))
    inside = {id(p) for p in layers.parameters()}
    outside = [(n, p) for n, p in module.named_parameters() if id(p) not in inside]
    embeddings = [p for name, p in outside if "embed" in name]
    head = [p for name, p in outside if "embed" not in name]
    return [embeddings, *layers, head]


def make_optimizer(estimator: Any, module: Any) -> torch.optim.Optimizer:
    """Return the optimizer of the module: layers with own rates, no decay of biases.

    AdamW, if the training options name no other.
    """
    groups = rates = None
    if estimator.layer_decay < 1:
        groups = layer_groups(module)
        rates = layerwise_rates(
            estimator.learning_rate, len(groups), estimator.layer_decay
        )
    made = parameter_groups(
        module,
        lr=rates or estimator.learning_rate,
        weight_decay=estimator.weight_decay,
        groups=groups,
    )
    return by_name.make_optimizer(
        options_of(estimator), made, lr=estimator.learning_rate, own=adamw
    )


def make_schedule(estimator: Any, n_examples: int) -> Linear | None:
    """Return a linear rise and fall of the rate, or None for a constant one."""
    if estimator.warmup is None:
        return None
    n_batches = -(-n_examples // estimator.batch_size)
    n_steps = -(-n_batches // options_of(estimator).accumulate)
    return Linear(n_steps * estimator.max_iter, warmup=float(estimator.warmup))


@contextmanager
def recomputed_layers(estimator: Any, module: Any) -> Iterator[None]:
    """Keep no states of layers for the backward pass, if the options say so."""
    model = module.model
    if not options_of(estimator).gradient_checkpointing:
        yield
        return
    if not model.supports_gradient_checkpointing:
        raise DataError(
            f"{type(estimator).__name__}: a {type(model).__name__} cannot compute its "
            "layers again. Set gradient_checkpointing=False."
        )
    # Encoders have no use for a cache of states, and BERT tells of having to drop it.
    had_cache = getattr(model.config, "use_cache", None)
    model.config.use_cache = False
    # transformers has renamed it within version 5.
    renamed = hasattr(model, "activation_checkpointing_enable")
    name = "activation_checkpointing" if renamed else "gradient_checkpointing"
    getattr(model, f"{name}_enable")({"use_reentrant": False})
    try:
        yield
    finally:
        getattr(model, f"{name}_disable")()
        model.config.use_cache = had_cache


def fine_tune(estimator: Any, job: Job) -> list[dict[str, Any]]:
    """Train a module as estimators on transformers are trained."""
    with recomputed_layers(estimator, job.module):
        return train(
            estimator,
            job,
            optimizer=make_optimizer(estimator, job.module),
            schedule=make_schedule(estimator, len(job.rows)),
            clip_norm=CLIP_NORM,
            # Packed batches need no bucketing, and so are drawn at random.
            pool=1 if job.module.plan == "packed" else POOL,
            split=split_packed,
        )
