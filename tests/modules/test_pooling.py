"""Pooling of packed states, against NumPy on each sequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tweetclf.modules.pooling import POOLINGS, pool

LENGTHS = [4, 1, 2, 9]
# The second sequence has special tokens only.
SPECIAL = [1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1]


def by_numpy(hidden, how):
    rows, start = [], 0
    for length in LENGTHS:
        states = hidden[start : start + length]
        text = states[~np.array(SPECIAL[start : start + length], bool)]
        parts = {
            "cls": states[0],
            "mean": states.mean(axis=0),
            "mean_tokens": text.mean(axis=0) if len(text) else states[0],
            "max": states.max(axis=0),
        }
        rows.append(np.concatenate([parts[name] for name in POOLINGS[how]]))
        start += length
    return np.stack(rows)


@pytest.fixture
def hidden():
    return np.random.default_rng(0).normal(size=(sum(LENGTHS), 5)) - 3


@pytest.mark.parametrize("how", sorted(POOLINGS))
def test_equals_numpy(hidden, how):
    pooled = pool(
        torch.from_numpy(hidden), torch.tensor(LENGTHS), torch.tensor(SPECIAL), how
    )
    np.testing.assert_allclose(pooled.numpy(), by_numpy(hidden, how), rtol=1e-12)


def test_parts_of_published_poolings():
    assert POOLINGS["concat"] == ("cls", "mean", "max")
    assert POOLINGS["combined"] == ("cls", "mean_tokens")


@pytest.mark.parametrize("how", sorted(POOLINGS))
def test_gradients(hidden, how):
    states = torch.from_numpy(hidden).requires_grad_()
    lengths, special = torch.tensor(LENGTHS), torch.tensor(SPECIAL)
    assert torch.autograd.gradcheck(lambda x: pool(x, lengths, special, how), states)


def test_bfloat16_is_summed_in_float32():
    states = torch.full((1000, 1), 1.01).bfloat16()
    pooled = pool(states, torch.tensor([1000]), how="mean")
    assert pooled.dtype == torch.bfloat16
    assert pooled.item() == states[0].item()


def test_what_is_missing_or_unknown_is_named(hidden):
    states, lengths = torch.from_numpy(hidden), torch.tensor(LENGTHS)
    with pytest.raises(ValueError, match="needs the special_tokens_mask"):
        pool(states, lengths, how="combined")
    with pytest.raises(ValueError, match="Got 'median' instead"):
        pool(states, lengths, how="median")
