"""Devices, precision and seeds."""

from __future__ import annotations

from collections import namedtuple

import pytest
import torch
from torch import nn

from tweetclf.training import devices
from tweetclf.training._state import copy_state

CPU = torch.device("cpu")


def test_batches_keep_their_structure():
    Pair = namedtuple("Pair", "a b")
    tensor = torch.ones(2)
    batch = {"x": [tensor, (tensor, "word")], "pair": Pair(tensor, 3), "none": None}
    # "meta" stands for a device that is not the CPU.
    moved = devices.to_device(batch, torch.device("meta"))
    assert moved["x"][0].device.type == "meta"
    assert moved["x"][1][0].device.type == "meta"
    assert moved["x"][1][1] == "word"
    assert isinstance(moved["pair"], Pair)
    assert moved["pair"].a.device.type == "meta"
    assert moved["none"] is None


def test_a_device_that_there_is_not_is_named():
    with pytest.raises(ValueError, match=r"'cuda:1'.*Got 'gpu' instead"):
        devices.choose_device("gpu")


def test_the_device_of_a_module():
    class Empty(nn.Module):
        pass

    buffered = Empty()
    buffered.register_buffer("statistics", torch.zeros(1, device="meta"))
    assert devices.module_device(nn.Linear(1, 1, device="meta")).type == "meta"
    assert devices.module_device(buffered).type == "meta"
    assert devices.module_device(Empty()) == CPU


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx512_bf16"}, "bfloat16"),
        ({"amx_bf16", "avx2"}, "bfloat16"),
        ({"avx2", "avx512f"}, "float32"),
        (set(), "float32"),
    ],
)
def test_auto_is_what_the_processor_is_fast_at(monkeypatch, flags, expected):
    monkeypatch.setattr(devices, "_cpu_flags", lambda: flags)
    assert devices.resolve_precision("auto", CPU) == expected
    assert devices.resolve_precision("float32", CPU) == "float32"
    with devices.autocast("auto", CPU):
        assert torch.is_autocast_enabled("cpu") == (expected == "bfloat16")


def test_seeded_draws_repeat_and_leave_no_trace():
    before = torch.get_rng_state()
    draws = []
    for seed in (3, 3, 4):
        with devices.seeded(seed, CPU):
            draws.append(torch.rand(5))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_copies_of_views_are_told_apart():
    base = torch.arange(6.0)
    state = {"all": base, "part": base[:3], "again": base[:3], "none": base[:0]}
    copy = copy_state(state)
    base.zero_()
    assert copy["all"].tolist() == [0, 1, 2, 3, 4, 5]
    assert copy["part"].tolist() == [0, 1, 2]
    assert copy["again"] is copy["part"]
    assert copy["none"].shape == (0,)
