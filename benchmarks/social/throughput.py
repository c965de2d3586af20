"""Measure social pre-training: tokens a second, memory, and what packing spares.

Random tweets of the lengths of tweets (about 30 tokens), a BERT of random weights,
whole steps: batches, masks, both losses, AdamW. Where there is a GPU it is used, in
bfloat16. "--size base" is TwHIN-BERT Base with its vocabulary of 250,002.

    python benchmarks/social/throughput.py --size tiny
    python benchmarks/social/throughput.py --size base --pairs 512 --steps 30
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM

from tweetclf.modules import ProjectionHead
from tweetclf.pretraining import SocialTraining
from tweetclf.pretraining._social_batches import SocialBatches, TweetTokens
from tweetclf.pretraining._social_net import SocialNet, SocialObjective
from tweetclf.training import adamw, fit_loop, parameter_groups
from tweetclf.training.devices import choose_device, seeded
from tweetclf.utils.hugging_face import checkpoint_activations

SIZES = {
    "tiny": (128, 2, 2, 4_000, (128, 128)),
    "base": (768, 12, 12, 250_002, (768, 768)),
    "large": (1024, 24, 16, 250_002, (1024, 512)),
}


def make_tweets(n: int, vocab_size: int, max_length: int) -> TweetTokens:
    """Return tweets of random tokens, whose lengths are those of tweets."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.gamma(2.5, 11.0, n), 3, max_length - 2).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = rng.integers(5, vocab_size, offsets[-1], dtype=np.int32)
    return TweetTokens(
        [(tokens, offsets)],
        special={"cls": 2, "sep": 3, "mask": 4},
        never=[0, 1],
        vocab_size=vocab_size,
        max_length=max_length,
    )


def measure(size: str, n_pairs: int, n_steps: int, checkpointing: bool) -> dict:
    """Train for some steps; return what they took, the first ones left out."""
    hidden, layers, heads, vocab_size, projection = SIZES[size]
    device = choose_device()
    config = BertConfig(
        vocab_size=vocab_size, hidden_size=hidden, num_hidden_layers=layers,
        num_attention_heads=heads, intermediate_size=4 * hidden,
        max_position_embeddings=128,
    )  # fmt: skip
    with seeded(0, torch.device("cpu")):
        model = BertForMaskedLM(config)
        net = SocialNet(model, ProjectionHead(hidden, *projection)).to(device)
    if checkpointing:
        checkpoint_activations(model)
    tweets = make_tweets(2 * n_pairs * n_steps, vocab_size, 128)
    pairs = np.arange(len(tweets)).reshape(-1, 2)
    batches = SocialBatches(tweets, pairs, batch_size=n_pairs, mask_rate=0.15)
    times: list[tuple[float, float]] = []

    def report(event: dict) -> None:
        if event["kind"] == "step":
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append((time.perf_counter(), event["n_tokens"]))

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    result = fit_loop(
        net,
        SocialObjective(SocialTraining(projection=projection)),
        batches,
        optimizer=adamw(parameter_groups(net, lr=1e-4, weight_decay=0.01), lr=1e-4),
        max_epochs=1,
        precision="bfloat16" if device.type == "cuda" else "float32",
        report=report,
        sync_every=1,
    )
    skip = min(5, len(times) - 2)
    seconds = times[-1][0] - times[skip][0]
    n_tokens = sum(n for _, n in times[skip + 1 :])
    found = {
        "size": size,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "pairs": n_pairs,
        "checkpointing": checkpointing,
        "loss": result.history[-1]["loss"],
        "tokens_per_second": n_tokens / seconds,
        "tweets_per_second": 2 * n_pairs * (len(times) - skip - 1) / seconds,
    }
    if device.type == "cuda":
        found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def main() -> None:
    """Measure what is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--checkpointing", action="store_true")
    args = parser.parse_args()
    print(json.dumps(measure(args.size, args.pairs, args.steps, args.checkpointing)))


if __name__ == "__main__":
    main()
