"""Batches for pre-training against transformers' collator for masked language models.

Ours draws the order, makes both orders of each pair, cuts to 128 positions, masks spans
and packs, from a flat array of tokens. The peer is given its pairs as lists, cut and
with special tokens; it masks single tokens and pads. Both are single-threaded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from harness import Benchmark

from tweetclf.pretraining import PretrainingBatches, SpanMasking

_BATCH = 256
_VOCABULARY = 30_000
_SPECIAL = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}


class Input(NamedTuple):
    """Pairs that fill 128 positions, in both forms."""

    batches: PretrainingBatches
    examples: list[dict[str, list[int]]]


class Totals(NamedTuple):
    """What came out: examples, tokens and those that are foretold."""

    n_examples: int
    n_tokens: int
    n_chosen: int


def _input(n: int) -> Input:
    rng = np.random.default_rng(0)
    sizes = rng.integers(40, 86, n // 2)
    lengths = np.stack([sizes, 125 - sizes], axis=1)  # with [CLS], [SEP], [SEP]: 128
    offsets = np.concatenate([[0], np.cumsum(lengths.ravel())])
    tokens = rng.integers(5, _VOCABULARY, offsets[-1]).astype(np.uint16)
    batches = PretrainingBatches(
        [(tokens, offsets)],
        n_segments=2,
        special=_SPECIAL,
        vocab_size=_VOCABULARY,
        masking=SpanMasking(),
        batch_size=_BATCH,
        max_length=128,
    )
    parts = [tokens[a:b].tolist() for a, b in zip(offsets, offsets[1:], strict=False)]
    examples = []
    for first, second in zip(parts[::2], parts[1::2], strict=True):
        for a, b in ((first, second), (second, first)):
            examples.append({"input_ids": [2, *a, 3, *b, 3]})
    return Input(batches, examples)


def _ours(data: Input) -> Totals:
    n_examples = n_tokens = n_chosen = 0
    for batch in data.batches.epoch(0):
        n_examples += len(batch["lengths"])
        n_tokens += len(batch["input_ids"])
        n_chosen += len(batch["places"])
    return Totals(n_examples, n_tokens, n_chosen)


@lru_cache(maxsize=1)
def _collator() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names += [f"w{i}" for i in range(len(names), _VOCABULARY)]
    vocabulary = {name: i for i, name in enumerate(names)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, "[UNK]")),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    return DataCollatorForLanguageModeling(tokenizer, seed=0)


def _theirs(data: Input) -> Totals:
    collate = _collator()
    n_examples = n_tokens = n_chosen = 0
    for start in range(0, len(data.examples), _BATCH):
        batch = collate(data.examples[start : start + _BATCH])
        n_examples += len(batch["input_ids"])
        n_tokens += batch["input_ids"].numel()
        n_chosen += int((batch["labels"] != -100).sum())
    return Totals(n_examples, n_tokens, n_chosen)


def _alike(ours: Totals, theirs: Totals) -> None:
    assert ours[:2] == theirs[:2], f"{ours} are not the examples of {theirs}"
    shares = [made.n_chosen / made.n_tokens for made in (ours, theirs)]
    # Spans exceed ceil(.15 n) by up to two tokens of 125.
    assert abs(shares[0] - shares[1]) < 0.01, f"{shares} of the tokens are foretold"


BENCHMARKS = [
    Benchmark(
        name="pretraining-batches",
        what="pre-training batches: pairs, 128 positions, span masks",
        peer="transformers' DataCollatorForLanguageModeling (tokens, pairs given)",
        prepare=_input,
        ours=_ours,
        theirs=_theirs,
        check=_alike,
        sizes=(20_000,),
        bar=25,
        aim=50,
    )
]
