"""The learning-rate finder: what it sees, and that it leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tweetclf.training import LengthBatches
from tweetclf.training.devices import seeded
from tweetclf.training.lr_finder import LRFinderResult, find_learning_rate

X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))


class Objective:
    def __init__(self) -> None:
        self.n_calls = torch.zeros(())

    def start_epoch(self, epoch: int) -> None:
        self.n_calls = torch.zeros(())

    def state_dict(self):
        return {"n_calls": self.n_calls}

    def load_state_dict(self, state) -> None:
        self.n_calls = state["n_calls"]

    def __call__(self, module: nn.Module, batch: torch.Tensor):
        self.n_calls = self.n_calls + 1
        loss = (module(batch).squeeze(1) - batch.sum(1)).square().mean()
        return loss, {"weight": len(batch)}


def setting(lr: float = 0.5):
    with seeded(0, torch.device("cpu")):
        module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(module.parameters(), lr=lr)
    batches = LengthBatches([1] * 64, lambda rows: X[rows], batch_size=32)
    return module, Objective(), batches, optimizer


def test_the_finder_sees_the_valley_and_stops():
    module, objective, batches, optimizer = setting()
    result = find_learning_rate(
        module, objective, batches, optimizer=optimizer, highest=1e3, n_steps=80
    )
    assert result.diverged
    n = len(result.rates)
    assert len(result.losses) == len(result.smoothed) == n < 80
    np.testing.assert_allclose(result.rates, np.geomspace(1e-7, 1e3, 80)[:n])
    assert result.suggestion is not None
    assert 1e-4 < result.suggestion < 10
    # Below the suggestion nothing moves, above it the loss grows.
    assert result.smoothed[10] == pytest.approx(result.losses[:11].mean(), rel=0.3)
    assert result.smoothed[-1] > 3 * result.smoothed.min()


def test_smoothing_is_an_exponential_mean():
    result = find_learning_rate(
        *setting()[:3], optimizer=setting()[3], n_steps=10, smoothing=0.8
    )
    for step in range(10):
        weights = 0.8 ** np.arange(step, -1, -1)
        expected = np.average(result.losses[: step + 1], weights=weights)
        assert result.smoothed[step] == pytest.approx(expected)


def test_nothing_is_changed():
    module, objective, batches, optimizer = setting()
    # One real step, so that the optimizer has a state to keep.
    loss, _ = objective(module, X)
    loss.backward()
    optimizer.step()
    module.eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    moments = [s["exp_avg"].clone() for s in optimizer.state.values()]
    generator = torch.get_rng_state()
    find_learning_rate(module, objective, batches, optimizer=optimizer, highest=1e9)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    for state, moment in zip(optimizer.state.values(), moments, strict=True):
        assert torch.equal(state["exp_avg"], moment)
        assert state["step"] == 1
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert objective.n_calls == 1
    assert not module.training
    assert torch.equal(generator, torch.get_rng_state())


def test_a_loss_that_is_not_finite_ends_it():
    module, _, batches, optimizer = setting()
    n_calls = 0

    def breaking(module: nn.Module, batch: torch.Tensor):
        nonlocal n_calls
        n_calls += 1
        return module(batch).mean() * (float("inf") if n_calls == 6 else 1.0), {}

    result = find_learning_rate(module, breaking, batches, optimizer=optimizer)
    assert result.diverged
    assert np.isfinite(result.losses).all()


def test_no_descent_gives_no_suggestion():
    module, _, batches, optimizer = setting()
    result = find_learning_rate(
        module,
        lambda module, batch: (module(batch).sum() * 0 + 1, {}),
        batches,
        optimizer=optimizer,
        n_steps=5,
    )
    assert result.suggestion is None
    assert not result.diverged


def test_rates_of_groups_keep_their_ratio():
    module, objective, batches, _ = setting()
    optimizer = torch.optim.SGD(
        [
            {"params": module[0].parameters(), "lr": 0.01},
            {"params": module[2].parameters(), "lr": 0.1},
        ]
    )
    seen = []

    def watching(module: nn.Module, batch: torch.Tensor):
        seen.append([group["lr"] for group in optimizer.param_groups])
        return objective(module, batch)

    result = find_learning_rate(
        module, watching, batches, optimizer=optimizer, highest=1.0, n_steps=7
    )
    np.testing.assert_allclose(np.array(seen)[:, 1], result.rates)
    np.testing.assert_allclose(np.array(seen)[:, 0], result.rates / 10)


@pytest.mark.parametrize("suggestion", [None, 1e-3])
def test_the_plot_has_a_curve_and_the_suggestion(suggestion):
    rates = np.geomspace(1e-5, 1, 9)
    result = LRFinderResult(rates, rates, rates, suggestion, False)
    ax = result.plot()
    assert ax.get_xscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), rates)
    assert len(ax.lines) == (1 if suggestion is None else 2)
    ax.figure.canvas.draw()
    assert result.plot(ax) is ax


def test_arguments_are_checked():
    module, objective, batches, optimizer = setting()
    with pytest.raises(ValueError, match="0 < lowest < highest"):
        find_learning_rate(module, objective, batches, optimizer=optimizer, lowest=20)
