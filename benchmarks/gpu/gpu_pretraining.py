"""Pre-training: AWD-QRNN language models, TWilBERT, and TwHIN-BERT's social stage."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gpu_tools import (
    DEVICE,
    PRECISION,
    Meter,
    Sizes,
    TimedBatches,
    free,
    peak_gib,
    seen_length,
    share,
    tweet_lengths,
)

from tweetclf.modules.dropout import AWDDropout
from tweetclf.pretraining import (
    EncoderModel,
    EncoderTraining,
    LanguageModelConfig,
    LanguageModelTraining,
    PretrainingBatches,
    SpanMasking,
)
from tweetclf.pretraining import lm_training as lm
from tweetclf.pretraining._encoder_batches import MixedBatches
from tweetclf.pretraining._encoder_model import (
    count_parameters,
    flops_per_token,
    make_model,
    make_optimizer,
    make_schedule,
)
from tweetclf.pretraining.objectives import PackedPreTraining, PretrainingObjective
from tweetclf.training import fit_loop

_SPECIAL = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
# Losses are fetched from a GPU every 16 steps, unless something else is asked for.
_FETCHED = 16 if DEVICE.type == "cuda" else 1


def language_model(
    sizes: Sizes, ceiling: dict[str, float], *, batch_size: int, precision: str
) -> dict[str, Any]:
    """Train an AWD-QRNN of the paper's size on a stream of random tokens."""
    batch_size = sizes(batch_size, 4)
    n_steps = sizes(4 * _FETCHED, 3)
    config = sizes(
        LanguageModelConfig(),
        LanguageModelConfig(vocab_size=100, emb_size=8, hidden_size=12),
    )
    training = LanguageModelTraining(
        stages=((1, 1e-3),), batch_size=batch_size, validation_fraction=0.0
    )
    lengths = tweet_lengths(batch_size * n_steps * 4)
    wanted = batch_size * (n_steps * training.bptt) + 1
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), wanted)) + 1]
    rng = np.random.default_rng(0)
    flat = rng.integers(5, config.vocab_size, lengths.sum(), dtype=np.int32)
    texts = np.split(flat[:wanted], np.cumsum(lengths)[:-1])
    module = lm._make_module(config, config.vocab_size, AWDDropout(), 0).to(DEVICE)
    # What a token is multiplied with: the layers, and the embedding as the output.
    weights = sum(
        p.numel()
        for name, p in module.named_parameters()
        if name.endswith(("linear.weight", "embedding.weight"))
    )
    meter = Meter(min(_FETCHED, n_steps - 1))
    free()
    lm._run(
        module,
        texts,
        training,
        identity=[],
        seed=0,
        precision=precision,
        checkpoint=None,
        checkpoint_every=None,
        report=meter,
    )
    return {
        "batch_size": batch_size,
        "precision": precision,
        "weights_of_products": weights,
        "ms_per_step": meter.ms_per_step,
        "peak_gib": peak_gib(),
        **share(meter.tokens_per_second, 6.0 * weights, ceiling),
    }


def _random_pairs(
    lengths: np.ndarray, vocab_size: int, training: EncoderTraining
) -> PretrainingBatches:
    """Return batches of pairs whose sides have these lengths, one after another."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rng = np.random.default_rng(0)
    tokens = rng.integers(5, vocab_size, offsets[-1]).astype(np.uint16)
    return PretrainingBatches(
        [(tokens, offsets)],
        n_segments=2,
        special=_SPECIAL,
        vocab_size=vocab_size,
        masking=SpanMasking(),
        batch_size=training.batch_size,
        max_length=training.max_length,
    )


def twilbert(
    sizes: Sizes, ceiling: dict[str, float], *, large: bool, batch_size: int
) -> dict[str, Any]:
    """Pre-train a TWilBERT with reply order and spans, 2,048 examples a step."""
    model = EncoderModel(n_layers=12, n_heads=12, head_size=64)
    training = EncoderTraining(
        model=model if large else EncoderModel(),
        batch_size=batch_size,
        precision=PRECISION,
    )
    if sizes.toy:
        model = EncoderModel(hidden_size=16, n_layers=1, n_heads=2, head_size=8)
        training = replace(training, model=model, batch_size=4, effective_batch_size=8)
    vocab_size = sizes(30_002, 200)
    effective = training.effective_batch_size or training.batch_size
    n_steps, skip = sizes((12, 4), (3, 1))
    lengths = tweet_lengths(effective * n_steps, most=40)  # both sides of each pair
    source = _random_pairs(lengths, vocab_size, training)
    # One batch compiles what makes the others.
    next(source.epoch(0))
    batches = TimedBatches(MixedBatches([source]))
    module = PackedPreTraining(make_model(training, vocab_size, 0)).to(DEVICE)
    meter = Meter(skip)
    before: list[float] = []
    meter.started = lambda: before.append(batches.seconds)
    free()
    fit_loop(
        module,
        PretrainingObjective(),
        batches,
        optimizer=make_optimizer(module, training),
        max_epochs=1,
        max_steps=n_steps,
        schedule=make_schedule(training, 110_000, module.model.config.hidden_size),
        accumulate=training.accumulate(),
        precision=training.precision,
        report=meter,
        sync_every=skip,
    )
    pairs = lengths.reshape(-1, 2).sum(axis=1) + 3
    costs = flops_per_token(module.model.config, seen_length(pairs), 0.15)
    return {
        "examples_per_step": effective,
        "micro_batch": training.batch_size,
        "mean_length": float(pairs.mean()),
        "parameters": count_parameters(module),
        "precision": PRECISION,
        "ms_per_step": meter.ms_per_step,
        "feeding_share": (batches.seconds - before[0]) / meter.seconds,
        "peak_gib": peak_gib(),
        **share(meter.tokens_per_second, costs, ceiling),
    }


def social(
    sizes: Sizes, ceiling: dict[str, float], *, n_pairs: int, size: str = "base"
) -> dict[str, Any]:
    """Pre-train a TwHIN-BERT on pairs, as `benchmarks/social/throughput.py` does."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "social"))
    from throughput import SIZES, make_tweets, measure

    size, n_pairs, n_steps = sizes((size, n_pairs, 24), ("tiny", 4, 8))
    free()
    found = measure(size, n_pairs, n_steps, False)
    hidden, layers, _, vocab_size, projection = SIZES[size]
    tweets = make_tweets(2 * n_pairs * n_steps, vocab_size, 128)
    lengths = np.diff(tweets.shards[0][1]) + 2
    weights = layers * 12 * hidden**2 + 0.15 * hidden * (vocab_size + hidden)
    scores = layers * 2 * seen_length(lengths) * hidden
    # Of each tweet one state is projected.
    head = hidden * projection[0] + projection[0] * projection[1]
    costs = 6.0 * (weights + scores + head / lengths.mean())
    rate = found.pop("tokens_per_second")
    return {
        **found,
        "vocab_size": vocab_size,
        "mean_length": float(lengths.mean()),
        **share(rate, costs, ceiling),
    }
