"""What a configuration will do and cost, before it does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch

from tweetclf.pretraining._encoder_model import (
    count_parameters,
    flops_per_token,
    make_model,
)
from tweetclf.pretraining.corpus.tokens import TokenFiles
from tweetclf.pretraining.encoder_settings import EncoderTraining
from tweetclf.pretraining.pipeline import PretrainingPipeline, PretrainingStage

__all__ = ["PretrainingPlan", "plan_pretraining"]

_STATES_OF = {"keras-adam": 2, "adamw": 2, "lamb": 2}


@dataclass(frozen=True)
class PretrainingPlan:
    """Stages and sizes of a configuration.

    Parameters
    ----------
    stages : tuple of PretrainingStage
        In their order.
    vocab_size : int
        Of the tokenizer, or what it may be at most.
    n_parameters : int
        Numbers that are learnt, shared ones counted once.
    memory_bytes : int
        An estimate of what a process needs for weights, gradients, moments and the
        states of a batch of the longest examples.
    flops_per_example : float
        Operations for the longest example, forward and backward.
    n_examples, n_steps : int or None
        Examples of an epoch and steps of the training; None before there are tokens.
    """

    stages: tuple[PretrainingStage, ...]
    vocab_size: int
    n_parameters: int
    memory_bytes: int
    flops_per_example: float
    n_examples: int | None
    n_steps: int | None


def plan_pretraining(
    pipeline: PretrainingPipeline, n_processes: int = 1
) -> PretrainingPlan:
    """Return what a pipeline will do.

    Parameters
    ----------
    pipeline : PretrainingPipeline
        Nothing of it is run.
    n_processes : int, default=1
        That train together.

    Returns
    -------
    PretrainingPlan
        Stages and sizes.
    """
    config = pipeline.config
    training = config.training
    vocab_size = int(config.tokenizer.options.get("vocab_size", 30_000))
    n_examples = n_steps = None
    tokens = pipeline.stages["tokens"]
    if tokens.state == "done":
        files = [TokenFiles.open(tokens.folder / f"{k}-train") for k in config.corpora]
        vocab_size = files[0].vocab_size
        turns = 2 if training.objectives.pair == "rop" else 1
        n_examples = sum(
            file.n_documents * (turns if file.n_segments == 2 else 1) for file in files
        )
        a_step = training.effective_batch_size or training.batch_size * n_processes
        n_steps = training.max_steps or training.max_iter * -(-n_examples // a_step)
    # On no device: sizes alone, whatever they are.
    with torch.device("meta"):
        model = make_model(training, vocab_size, 0)
    training.accumulate(n_processes)
    rate = training.objectives.mask_rate
    length = training.max_length
    return PretrainingPlan(
        stages=tuple(pipeline.stages.values()),
        vocab_size=vocab_size,
        n_parameters=count_parameters(model),
        memory_bytes=_memory(training, count_parameters(model), vocab_size),
        flops_per_example=length * flops_per_token(model.config, length, rate),
        n_examples=n_examples,
        n_steps=n_steps,
    )


def _memory(training: EncoderTraining, n_parameters: int, vocab_size: int) -> int:
    """Estimate the bytes of a process; see the documentation for what is counted."""
    model, n_bytes = training.model, 4
    width, inner = model.hidden_size, (model.head_size or 64) * model.n_heads
    if model.architecture != "twilbert":
        inner = width
    within = model.intermediate_size or 4 * width
    tokens = training.batch_size * training.max_length
    # Kept for the way back: inputs and outputs of maps, norms and the activation.
    kept = 5 * width + 4 * inner + 2 * within
    n_layers = model.n_layers
    if training.gradient_checkpointing:
        states = n_layers * width + kept
    else:
        states = n_layers * kept
    # Logits, their softmax and its gradient.
    head = 3 * training.objectives.mask_rate * vocab_size
    weights = n_parameters * (2 + _STATES_OF[training.optimizer])
    return int(n_bytes * (weights + tokens * (states + head)))


def to_dict(plan: PretrainingPlan) -> dict[str, Any]:
    """Return a plan as plain values, for JSON."""
    told = {k: v for k, v in vars(plan).items() if k != "stages"}
    stages = [
        {"stage": s.name, "state": s.state, "folder": str(s.folder), "key": s.key}
        for s in plan.stages
    ]
    return json.loads(json.dumps({"stages": stages, **told}))
