"""Batches by length: what holds for all lengths, sizes and budgets."""

from __future__ import annotations

import time
from collections import namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.training.batching import LengthBatches, halve_batch, sorted_batches

LENGTHS = st.lists(st.integers(0, 60), max_size=120)
SIZES = st.integers(1, 12)
BUDGETS = st.none() | st.integers(1, 100)


def check_cut(batches, lengths, batch_size, max_tokens):
    lengths = np.asarray(lengths, dtype=int)
    positions = np.concatenate([np.zeros(0, int), *batches])
    assert sorted(positions.tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert (np.diff(lengths[batch]) <= 0).all()
        if max_tokens is not None and len(batch) > 1:
            assert len(batch) * lengths[batch].max() <= max_tokens


@given(LENGTHS, SIZES, BUDGETS)
@settings(deadline=None, max_examples=60)
def test_sorted_batches_hold_everything_once(lengths, batch_size, max_tokens):
    batches = sorted_batches(lengths, batch_size, max_tokens)
    check_cut(batches, lengths, batch_size, max_tokens)
    # Greedy: the first example of a batch would not have fitted the one before.
    for before, after in zip(batches[:-1], batches[1:], strict=True):
        longest = max(1, lengths[before[0]])
        full = len(before) == batch_size
        assert full or (len(before) + 1) * longest > max_tokens
        assert lengths[before[-1]] >= lengths[after[0]]


@given(LENGTHS, SIZES, BUDGETS, st.booleans(), st.integers(1, 4), st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_every_epoch_holds_everything_once(
    lengths, batch_size, max_tokens, shuffle, pool, epoch
):
    def make():
        return LengthBatches(
            lengths,
            lambda rows: rows,
            batch_size=batch_size,
            max_tokens=max_tokens,
            shuffle=shuffle,
            pool=pool,
            seed=3,
        )

    batches = make()
    n_batches = batches.n_batches(epoch)
    seen = list(batches.epoch(epoch))
    assert len(seen) == n_batches
    check_cut(seen, lengths, batch_size, max_tokens)
    # Whatever ran before.
    other = make()
    list(other.epoch(epoch + 1))
    for a, b in zip(seen, other.epoch(epoch), strict=True):
        assert a.tolist() == b.tolist()


def test_epochs_and_seeds_differ():
    def order(seed: int, epoch: int) -> list[int]:
        batches = LengthBatches(
            np.arange(100) % 7, lambda rows: rows, batch_size=8, seed=seed
        )
        return np.concatenate(list(batches.epoch(epoch))).tolist()

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(o) for o in orders}) == 4


def test_batches_of_an_epoch_come_in_no_order_of_length():
    lengths = np.arange(1000)
    batches = LengthBatches(lengths, lambda rows: rows, batch_size=10, pool=100)
    longest = [int(rows.max()) for rows in batches.epoch(0)]
    assert abs(np.corrcoef(longest, np.arange(100))[0, 1]) < 0.3


def test_unshuffled_batches_stay_in_their_pool():
    batches = LengthBatches(
        [3, 1, 2, 9, 8, 7], lambda r: r.tolist(), batch_size=2, shuffle=False, pool=1
    )
    assert list(batches.epoch(0)) == [[0, 1], [3, 2], [4, 5]]
    assert list(batches.epoch(1)) == [[0, 1], [3, 2], [4, 5]]


def test_pools_leave_little_padding():
    lengths = np.random.default_rng(0).geometric(1 / 25, 20_000)

    def padded(pool: int) -> float:
        batches = LengthBatches(lengths, lambda r: r, batch_size=32, pool=pool)
        total = sum(len(rows) * lengths[rows].max() for rows in batches.epoch(0))
        return total / lengths.sum()

    assert padded(1) > 3
    assert padded(50) < 1.15


def test_a_million_lengths_take_no_time():
    lengths = np.random.default_rng(0).integers(1, 128, 1_000_000)
    batches = LengthBatches(lengths, len, batch_size=32, max_tokens=2048)
    started = time.perf_counter()
    assert batches.n_batches(0) > 31_250
    # 0.35 s on an idle core; a loop over the examples takes longer than this bound.
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": [[1]]}, "1-D sequence of ints"),
        ({"lengths": [1.5]}, "1-D sequence of ints"),
        ({"lengths": [1, -2]}, r"lengths\[1\] is -2"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"max_tokens": 0}, "'max_tokens' parameter"),
        ({"pool": 0}, "'pool' parameter"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        LengthBatches(**{"lengths": [1], "collate": len, "batch_size": 1, **arguments})


def test_halving_keeps_structure_and_order():
    Pair = namedtuple("Pair", "a b")
    batch = {
        "pair": Pair(torch.arange(5), np.arange(5)),
        "list": [torch.arange(10).reshape(5, 2), "name"],
        "scalar": torch.tensor(3),
    }
    first, second = halve_batch(batch)
    assert first["pair"].a.tolist() == [0, 1, 2]
    assert second["pair"].b.tolist() == [3, 4]
    assert second["list"][0].tolist() == [[6, 7], [8, 9]]
    assert second["list"][1] == "name"
    assert first["scalar"] == 3
    one = {"x": torch.zeros(1, 2)}
    assert halve_batch(one) == [one]


def test_batches_of_several_lengths_are_not_halved():
    with pytest.raises(ValueError, match=r"same first axis. Got \[2, 3\]"):
        halve_batch({"a": torch.zeros(2), "b": torch.zeros(3)})
