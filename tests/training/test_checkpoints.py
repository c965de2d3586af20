"""Checkpoints in files, and training that goes on from them bit for bit."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from tweetclf.exceptions import ModelFormatError
from tweetclf.training import LengthBatches, fit_loop
from tweetclf.training.checkpoints import (
    Checkpoints,
    read_checkpoint,
    write_checkpoint,
)
from tweetclf.training.devices import seeded
from tweetclf.training.optimizers import KerasAdam, Lamb
from tweetclf.training.schedules import OneCycle

CPU = torch.device("cpu")


class Tied(nn.Module):
    """Dropout, statistics of batches and tied weights: all that a state must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4, bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout(0.3)
        self.decoder = nn.Linear(4, 4)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.dropout(self.norm(self.encoder(x)).tanh()))


class Carrying:
    """An objective with a memory, as that of a language model."""

    def __init__(self) -> None:
        self.carried = torch.zeros(4)

    def start_epoch(self, epoch: int) -> None:
        self.carried = torch.full((4,), float(epoch))

    def state_dict(self) -> dict[str, Any]:
        return {"carried": self.carried}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.carried = state["carried"]

    def __call__(self, module: nn.Module, batch: Any):
        predicted = module(batch)
        loss = (predicted - batch.cos() - 0.01 * self.carried).square().mean()
        self.carried = predicted.detach().mean(0)
        return loss, {"weight": len(batch), "n_examples": len(batch)}


OPTIMIZERS = {
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01),
    "fused": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, fused=True),
    "sgd": lambda m: torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.9),
    "keras": lambda m: KerasAdam(m.parameters(), lr=0.01),
    "lamb": lambda m: Lamb(m.parameters(), lr=0.01, weight_decay=0.01),
}


def train(optimizer: str = "adamw", **options: Any):
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    with seeded(1, CPU):
        module = Tied()
    batches = LengthBatches([1] * 30, lambda rows: x[rows], batch_size=4)
    result = fit_loop(
        module,
        Carrying(),
        batches,
        optimizer=OPTIMIZERS[optimizer](module),
        max_epochs=4,
        schedule=OneCycle(16),
        accumulate=2,
        evaluate=lambda m: {"valid_loss": (m(x) - x.cos()).square().mean().item()},
        seed=5,
        **options,
    )
    history = [
        {k: v for k, v in e.items() if "second" not in k} for e in result.history
    ]
    return module.state_dict(), history, (result.best_epoch, result.n_steps)


class Killed(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("n_checkpoints", [1, 5, 9])
def test_resuming_is_bit_equal(tmp_path, optimizer, n_checkpoints):
    expected = train(optimizer)
    checkpoints = Checkpoints(tmp_path / "run")
    n_written = 0

    def checkpoint(state: dict[str, Any]) -> None:
        nonlocal n_written
        checkpoints(state)
        n_written += 1
        if n_written == n_checkpoints:
            raise Killed

    with pytest.raises(Killed):
        train(optimizer, checkpoint=checkpoint, checkpoint_every=3)
    state = checkpoints.latest()
    assert state is not None
    resumed = train(optimizer, resume=state)
    assert resumed[1:] == expected[1:]
    assert resumed[0].keys() == expected[0].keys()
    for name, tensor in expected[0].items():
        assert torch.equal(resumed[0][name], tensor), name
    # Resumed again from the same state: the first time has not changed it.
    again = train(optimizer, resume=state)
    assert again[1:] == expected[1:]


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    expected = train(checkpoint=checkpoints)
    resumed = train(resume=checkpoints.latest())
    assert resumed[1:] == expected[1:]
    for name, tensor in expected[0].items():
        assert torch.equal(resumed[0][name], tensor), name


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    def run(**options: Any):
        x = torch.ones(4, 4)
        module = nn.Linear(4, 4)
        return fit_loop(
            module,
            lambda m, b: (m(b).square().mean(), {}),
            LengthBatches([1] * 4, lambda rows: x[rows], batch_size=4),
            optimizer=torch.optim.SGD(module.parameters(), lr=0.01),
            max_epochs=9,
            evaluate=lambda m: {"valid_loss": 1.0},
            n_iter_no_change=2,
            **options,
        )

    checkpoints = Checkpoints(tmp_path)
    result = run(checkpoint=checkpoints)
    resumed = run(resume=checkpoints.latest())
    assert (result.stopped, resumed.stopped) == ("no_improvement",) * 2
    assert resumed.history == result.history


def test_another_seed_is_refused():
    states: list[Any] = []
    module = nn.Linear(1, 1)
    batches = LengthBatches([1], lambda rows: torch.ones(1, 1), batch_size=1)
    options = {
        "optimizer": torch.optim.SGD(module.parameters(), lr=0.01),
        "max_epochs": 1,
    }

    def loss(module: nn.Module, batch: torch.Tensor):
        return module(batch).mean(), {}

    fit_loop(module, loss, batches, checkpoint=states.append, seed=1, **options)
    with pytest.raises(ValueError, match="trained with seed 1, and 'seed' is 2"):
        fit_loop(module, loss, batches, resume=states[0], seed=2, **options)
    with pytest.raises(ValueError, match="has format 7"):
        fit_loop(module, loss, batches, resume={"format": 7}, seed=1, **options)


def test_values_come_back_as_they_were(tmp_path):
    shared = torch.arange(6).reshape(2, 3).T
    state = {
        "tensors": [shared, {3: shared}],
        "bfloat16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "flag": torch.tensor([True, False]),
        "plain": [None, True, 3, 0.1, "ñ 🙂", (1, (2.5,))],
        "not finite": [float("inf"), float("-inf")],
        "dict": {"tensor": 1, "dict": {}},
    }
    write_checkpoint(tmp_path / "c", state)
    read = read_checkpoint(tmp_path / "c")
    assert torch.equal(read["tensors"][0], shared)
    assert read["tensors"][0] is read["tensors"][1][3]
    for name in ("bfloat16", "scalar", "empty", "flag"):
        assert torch.equal(read[name], state[name])
        assert read[name].dtype == state[name].dtype
        assert read[name].shape == state[name].shape
    for name in ("plain", "not finite", "dict"):
        assert read[name] == state[name]
    assert isinstance(read["plain"][-1], tuple)


@pytest.mark.parametrize("value", [object(), {1.5: 2}, {"a": {1, 2}}])
def test_what_json_cannot_hold_is_refused(tmp_path, value):
    with pytest.raises(TypeError, match="checkpoint"):
        write_checkpoint(tmp_path / "c", {"value": value})
    assert list(tmp_path.iterdir()) == []


def test_the_newest_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(5):
        checkpoints({"step": step})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-000003", "checkpoint-000004"]
    assert Checkpoints(tmp_path).latest() == {"step": 4}
    assert Checkpoints(tmp_path / "none").latest() is None
    with pytest.raises(ValueError, match="'keep' parameter"):
        Checkpoints(tmp_path, keep=0)


def _truncate(folder):
    path = folder / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-2])


def _flip(folder):
    path = folder / "tensors.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _remove(folder):
    (folder / "checkpoint.json").unlink()


def _rewrite(**changes: Any):
    def damage(folder):
        path = folder / "checkpoint.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _flip,
        _remove,
        _rewrite(format=2),
        _rewrite(state={"dict": [["w", {"tensor": "t9", "dtype": "float32"}]]}),
        _rewrite(state={"unknown": 1}),
        _rewrite(state={"dict": 5}),
        _rewrite(state=[1]),
        lambda folder: (folder / "checkpoint.json").write_text("[1]"),
        lambda folder: (folder / "checkpoint.json").write_text("{"),
    ],
)
def test_damage_is_noticed(tmp_path, damage):
    folder = tmp_path / "c"
    write_checkpoint(folder, {"w": torch.ones(3)})
    damage(folder)
    with pytest.raises(ModelFormatError):
        read_checkpoint(folder)
