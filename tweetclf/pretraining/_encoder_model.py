"""Model, optimizer and schedule of a pre-training, and what they cost."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from tweetclf.exceptions import DataError
from tweetclf.pretraining.encoder_settings import EncoderTraining
from tweetclf.pretraining.pretraining_models import make_pretraining_model
from tweetclf.training.devices import seeded
from tweetclf.training.optimizers import KerasAdam, Lamb, adamw, parameter_groups
from tweetclf.training.schedules import Constant, Linear, Noam
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.random import stream

__all__ = [
    "count_parameters",
    "flops_per_token",
    "load_start",
    "make_model",
    "make_optimizer",
    "make_schedule",
]


def make_model(training: EncoderTraining, vocab_size: int, pad_token_id: int) -> Any:
    """Return a model with fresh weights."""
    sizes = {k: v for k, v in asdict(training.model).items() if v is not None}
    return make_pretraining_model(
        **sizes,
        vocab_size=vocab_size,
        pad_token_id=pad_token_id,
        pair_objective=training.objectives.pair,
        random_state=training.random_state,
    )


def load_start(
    path: str | os.PathLike[str], training: EncoderTraining, vocab_size: int
) -> Any:
    """Return a model to go on from; heads that it lacks have fresh weights.

    Raises
    ------
    DataError
        If its vocabulary is not that of the token files.
    """
    import transformers

    import tweetclf.modules.twilbert  # noqa: F401 - registers TWilBERTs

    pair = training.objectives.pair
    kind: Any = transformers.AutoModelForMaskedLM
    if pair is not None:
        kind = transformers.AutoModelForPreTraining
    seed = int(stream(training.random_state, "fresh heads").integers(2**62))
    with quiet_transformers(), seeded(seed, torch.device("cpu")):
        model = kind.from_pretrained(
            os.fspath(path), local_files_only=True, use_safetensors=True
        )
    if model.config.vocab_size < vocab_size:
        raise DataError(
            f"train_encoder: {path} knows {model.config.vocab_size} tokens, and the "
            f"token files hold numbers up to {vocab_size - 1}. Write them with the "
            "tokenizer of the model, or migrate its vocabulary first (tweetclf adapt)."
        )
    model.config.pair_objective = pair
    return model.float()


def make_optimizer(
    module: nn.Module, training: EncoderTraining
) -> torch.optim.Optimizer:
    """Return the optimizer of all weights, at the rate the schedule multiplies."""
    rate = training.learning_rate
    if rate is None:
        rate = 1.76e-3 if training.optimizer == "lamb" else 1e-4
        # Noam's factors are the rates themselves.
        rate = 1.0 if training.schedule == "noam" else rate
    groups = parameter_groups(module, lr=rate, weight_decay=training.weight_decay)
    if training.optimizer == "adamw":
        return adamw(groups, lr=rate)
    return Lamb(groups) if training.optimizer == "lamb" else KerasAdam(groups)


def make_schedule(
    training: EncoderTraining, n_steps: int, width: int
) -> Callable[[int], float]:
    """Return the factor on the rate for each of `n_steps`."""
    warmup = training.warmup
    if training.schedule == "noam":
        noam = Noam(width, int(warmup))
        if training.learning_rate is None:
            return noam
        # Its shape, with a peak of 1.
        return Noam(width, int(warmup), 1 / noam(int(warmup) - 1))
    n_warmup = min(round(warmup * n_steps if warmup < 1 else warmup), n_steps)
    if training.schedule == "constant":
        return Constant(n_warmup)
    return Linear(n_steps, warmup=n_warmup)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers are learnt, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())


def flops_per_token(config: Any, length: float, mask_rate: float) -> float:
    """Return the operations that a token costs, forward and backward.

    Parameters
    ----------
    config : transformers.PretrainedConfig
        Of a BERT, an ALBERT or a TWilBERT.
    length : float
        Tokens of an example, on average.
    mask_rate : float
        Share of the tokens that go through the output layer.

    Notes
    -----
    Two a weight and token, and twice that for the gradients; scores and mixtures of
    attention likewise. A product-key memory is counted as the feed-forward part that it
    stands for, though it costs less.
    """
    width = config.hidden_size
    inner = getattr(config, "attention_size", width)
    a_layer = 4 * width * inner + 2 * width * config.intermediate_size
    scores = 2 * length * inner
    # An ALBERT foretells tokens from states as narrow as its embeddings.
    outer = config.embedding_size if config.model_type == "albert" else width
    head = mask_rate * outer * config.vocab_size
    return 6.0 * (config.num_hidden_layers * (a_layer + scores) + head)
