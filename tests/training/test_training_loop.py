"""The training loop against loops written out by hand."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tweetclf.exceptions import DivergenceError, TweetclfWarning
from tweetclf.training import LengthBatches, fit_loop
from tweetclf.training.batching import halve_batch
from tweetclf.training.devices import seeded
from tweetclf.training.schedules import Linear, OneCycle

CPU = torch.device("cpu")


class Listed:
    """The same batches in every epoch, that can be halved."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches
        self.split = halve_batch

    def n_batches(self, epoch: int) -> int:
        return len(self.batches)

    def epoch(self, epoch: int):
        yield from self.batches


def data(n: int = 23, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=generator, dtype=dtype)
    return {"x": x, "y": x.sin().sum(1, keepdim=True)}


def cut(whole: dict[str, torch.Tensor], sizes: list[int]) -> list[Any]:
    parts = {name: tensor.split(sizes) for name, tensor in whole.items()}
    rows = zip(*parts.values(), strict=True)
    return [dict(zip(parts, row, strict=True)) for row in rows]


def network(dropout: float = 0.0, dtype: torch.dtype = torch.float64) -> nn.Module:
    with seeded(1, CPU):
        module = nn.Sequential(
            nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1)
        )
    return module.to(dtype)


def squared_error(module: nn.Module, batch: Any):
    loss = (module(batch["x"]) - batch["y"]).square().mean()
    n = len(batch["x"])
    return loss, {"weight": n, "n_examples": n, "n_tokens": 4 * n, "twice": 2 * loss}


def adam(module: nn.Module, lr: float = 0.01) -> torch.optim.Optimizer:
    return torch.optim.AdamW(module.parameters(), lr=lr)


def sgd(module: nn.Module, lr: float = 0.01) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=lr)


def weights(module: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def without_times(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    timed = {"seconds", "examples_per_second", "tokens_per_second"}
    return [{k: v for k, v in entry.items() if k not in timed} for entry in history]


def test_the_loop_is_the_loop_one_would_write():
    batches = cut(data(), [6, 6, 6, 5])
    module, by_hand = network(), network()
    optimizer, other = adam(module), adam(by_hand)
    schedule = Linear(12, warmup=3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(other, schedule)
    result = fit_loop(
        module,
        squared_error,
        Listed(batches),
        optimizer=optimizer,
        max_epochs=3,
        schedule=schedule,
        clip_norm=0.5,
    )
    losses = []
    for _ in range(3):
        for batch in batches:
            other.zero_grad()
            loss = (by_hand(batch["x"]) - batch["y"]).square().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(by_hand.parameters(), 0.5)
            other.step()
            scheduler.step()
            losses.append(loss.item())
    assert torch.equal(weights(module), weights(by_hand))
    means = [np.average(losses[i : i + 4], weights=[6, 6, 6, 5]) for i in (0, 4, 8)]
    assert [entry["loss"] for entry in result.history] == pytest.approx(means)
    assert [entry["twice"] for entry in result.history] == pytest.approx(
        [2 * mean for mean in means]
    )
    assert [entry["n_steps"] for entry in result.history] == [4, 4, 4]
    assert all(entry["tokens_per_second"] > 0 for entry in result.history)
    assert (result.n_steps, result.stopped, result.best_epoch) == (
        12,
        "max_epochs",
        None,
    )
    assert not module.training
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize("sizes", [[12, 8, 3], [1] * 23, [23]])
def test_micro_batches_equal_one_big_batch(make, sizes):
    whole = data()
    modules = network(), network()
    for module, batches, accumulate in zip(
        modules, ([whole], cut(whole, sizes)), (1, len(sizes)), strict=True
    ):
        result = fit_loop(
            module,
            squared_error,
            Listed(batches),
            optimizer=make(module),
            max_epochs=4,
            accumulate=accumulate,
            clip_norm=0.1,
        )
        assert result.n_steps == 4
    assert torch.allclose(*map(weights, modules), rtol=0, atol=1e-12)


def test_the_remainder_of_an_epoch_is_a_step():
    batches = cut(data(), [5, 5, 5, 5, 3])
    merged = cut(data(), [10, 10, 3])
    module, other = network(), network()
    result = fit_loop(
        module,
        squared_error,
        Listed(batches),
        optimizer=adam(module),
        max_epochs=2,
        accumulate=2,
    )
    fit_loop(other, squared_error, Listed(merged), optimizer=adam(other), max_epochs=2)
    assert result.n_steps == 6
    assert torch.allclose(weights(module), weights(other), rtol=0, atol=1e-12)


def test_global_generators_are_left_alone_and_runs_repeat():
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is tested
    torch.manual_seed(3)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    seen = []
    for seed in (0, 0, 1):
        module = network(dropout=0.5)
        fit_loop(
            module,
            squared_error,
            Listed(cut(data(), [12, 11])),
            optimizer=adam(module),
            max_epochs=2,
            evaluate=lambda module: {"valid_loss": float(torch.rand(()))},
            seed=seed,
        )
        seen.append(weights(module))
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert (states[2] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_early_stopping_keeps_the_best_state():
    module = network()
    scores = iter([3.0, 1.0, 2.0, 1.0, 1.5, 0.0])
    seen = []

    def evaluate(module: nn.Module) -> dict[str, float]:
        assert not module.training
        assert torch.is_inference_mode_enabled()
        seen.append(weights(module))
        return {"valid_loss": next(scores), "accuracy": 0.5}

    result = fit_loop(
        module,
        squared_error,
        Listed(cut(data(), [12, 11])),
        optimizer=adam(module),
        max_epochs=10,
        evaluate=evaluate,
        n_iter_no_change=3,
    )
    assert (result.stopped, result.best_epoch, result.best_score) == (
        "no_improvement",
        1,
        1.0,
    )
    assert len(result.history) == 5
    assert [entry["accuracy"] for entry in result.history] == [0.5] * 5
    assert result.restored
    assert torch.equal(weights(module), seen[1])
    assert not torch.equal(seen[1], seen[4])


@pytest.mark.parametrize(
    ("options", "best", "n_epochs"),
    [
        ({"greater_is_better": True, "n_iter_no_change": 2}, 1, 4),
        ({"greater_is_better": True, "n_iter_no_change": 2, "tol": 0.5}, 1, 3),
        ({"greater_is_better": False, "n_iter_no_change": 4}, 0, 5),
        ({"greater_is_better": True}, 4, 5),
        ({"monitor": None, "n_iter_no_change": 1}, None, 5),
    ],
)
def test_what_counts_as_better(options, best, n_epochs):
    scores = iter([1.0, 1.4, 1.2, 1.3, 1.5])
    module = network()
    result = fit_loop(
        module,
        squared_error,
        Listed(cut(data(), [23])),
        optimizer=adam(module),
        max_epochs=5,
        evaluate=lambda module: {"f1": next(scores)},
        **{"monitor": "f1", **options},
    )
    assert (result.best_epoch, len(result.history)) == (best, n_epochs)


def test_the_last_state_stays_on_demand():
    states = []
    module = network()
    scores = iter([0.0, 1.0, 2.0])

    def evaluate(module: nn.Module) -> dict[str, float]:
        states.append(weights(module))
        return {"valid_loss": next(scores)}

    result = fit_loop(
        module,
        squared_error,
        Listed(cut(data(), [23])),
        optimizer=adam(module),
        max_epochs=3,
        evaluate=evaluate,
        restore_best=False,
    )
    assert (result.best_epoch, result.restored) == (0, False)
    assert torch.equal(weights(module), states[-1])


def test_the_training_loss_can_be_monitored():
    module = network()
    result = fit_loop(
        module,
        squared_error,
        Listed(cut(data(), [23])),
        optimizer=sgd(module, lr=0.0),
        max_epochs=9,
        monitor="loss",
        n_iter_no_change=2,
    )
    assert (result.stopped, len(result.history)) == ("no_improvement", 3)


def test_an_unknown_monitor_is_named():
    module = network()
    with pytest.raises(ValueError, match=r"'monitor' parameter is 'f2'.*accuracy"):
        fit_loop(
            module,
            squared_error,
            Listed(cut(data(), [23])),
            optimizer=sgd(module),
            max_epochs=1,
            evaluate=lambda module: {"accuracy": 1.0},
            monitor="f2",
        )


def test_no_batches_are_an_error():
    module = network()
    with pytest.raises(ValueError, match="epoch 0 had no batches"):
        fit_loop(module, squared_error, Listed([]), optimizer=sgd(module), max_epochs=1)


class Spoilt:
    """An objective whose loss or gradient is not finite at some calls."""

    def __init__(self, calls: set[int], what: str) -> None:
        self.calls, self.what, self.n_calls = calls, what, 0

    def __call__(self, module: nn.Module, batch: Any):
        loss, logs = squared_error(module, batch)
        if self.n_calls in self.calls:
            # The root of 0 is 0, and its slope infinite.
            loss = loss * float("nan") if self.what == "loss" else (loss * 0).sqrt()
        self.n_calls += 1
        return loss, logs


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("sync_every", [1, 3, 100])
def test_what_is_not_finite_stops_with_its_place(what, sync_every):
    module = network()
    with pytest.raises(DivergenceError, match="in epoch 1, step 5, at a learning"):
        fit_loop(
            module,
            Spoilt({5}, what),
            Listed(cut(data(), [6, 6, 6, 5])),
            optimizer=adam(module),
            max_epochs=3,
            sync_every=sync_every,
        )
    if sync_every == 1:
        assert torch.isfinite(weights(module)).all()


def test_a_score_that_is_nan_is_not_averaged_away():
    module = network()
    with pytest.raises(DivergenceError, match="monitored valid_loss is nan"):
        fit_loop(
            module,
            squared_error,
            Listed(cut(data(), [23])),
            optimizer=adam(module),
            max_epochs=3,
            evaluate=lambda module: {"valid_loss": float("nan")},
        )


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_rolling_back_repeats_the_epoch_with_half_the_rate(what):
    batches = Listed(cut(data(), [6, 6, 6, 5]))
    module, other = network(dropout=0.2), network(dropout=0.2)
    with pytest.warns(TweetclfWarning, match=r"epoch 1, step 6.*epoch 1, step 4"):
        result = fit_loop(
            module,
            Spoilt({6}, what),
            batches,
            optimizer=adam(module),
            max_epochs=3,
            on_divergence="rollback",
        )
    fit_loop(
        other,
        squared_error,
        batches,
        optimizer=adam(other),
        max_epochs=3,
        schedule=lambda step: 1.0 if step < 4 else 0.5,
    )
    assert (result.n_rollbacks, result.n_steps) == (1, 12)
    assert [entry["epoch"] for entry in result.history] == [0, 1, 2]
    assert torch.equal(weights(module), weights(other))


def test_rolling_back_tames_a_rate_that_is_too_high():
    module = network(dtype=torch.float32)
    with pytest.warns(TweetclfWarning, match="half the learning rate"):
        result = fit_loop(
            module,
            squared_error,
            Listed(cut(data(dtype=torch.float32), [12, 11])),
            optimizer=sgd(module, lr=1e12),
            max_epochs=5,
            on_divergence="rollback",
            max_rollbacks=60,
        )
    assert result.n_rollbacks > 1
    assert torch.isfinite(weights(module)).all()


def test_rolling_back_ends():
    module = network()
    with (
        pytest.warns(TweetclfWarning),
        pytest.raises(DivergenceError, match="after 2 roll.*max_rollbacks above 2"),
    ):
        fit_loop(
            module,
            Spoilt({1, 3, 5}, "loss"),
            Listed(cut(data(), [12, 11])),
            optimizer=adam(module),
            max_epochs=1,
            on_divergence="rollback",
            max_rollbacks=2,
        )


def test_nothing_good_to_go_back_to():
    module = network()
    with pytest.raises(DivergenceError, match="in epoch 0, step 0") as raised:
        fit_loop(
            module,
            Spoilt({0}, "loss"),
            Listed(cut(data(), [12, 11])),
            optimizer=adam(module),
            max_epochs=1,
            clip_norm=2.0,
            on_divergence="rollback",
        )
    # Neither what is done already nor what would not help is advised.
    assert "rollback" not in str(raised.value)
    assert "clip_norm below 2" in str(raised.value)


def test_a_state_whose_first_step_fails_is_not_gone_back_to():
    module, other = network(), network()
    batches = Listed(cut(data(), [12, 11]))
    with pytest.warns(TweetclfWarning, match=r"epoch 2, step 4.*epoch 1, step 2"):
        fit_loop(
            module,
            Spoilt({4}, "loss"),
            batches,
            optimizer=adam(module),
            max_epochs=3,
            on_divergence="rollback",
        )
    fit_loop(
        other,
        squared_error,
        batches,
        optimizer=adam(other),
        max_epochs=3,
        schedule=lambda step: 1.0 if step < 2 else 0.5,
    )
    assert torch.equal(weights(module), weights(other))


class _Greedy(torch.autograd.Function):
    """Runs out of memory in the backward pass of more than `limit` examples."""

    @staticmethod
    def forward(ctx, x, limit):
        ctx.limit = limit
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        if len(gradient) > ctx.limit:
            raise MemoryError
        return gradient, None


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("where", ["forward", "backward", "allocator"])
def test_running_out_of_memory_keeps_the_effective_batch(where, accumulate):
    def greedy(module: nn.Module, batch: Any):
        if where == "forward" and len(batch["x"]) > 3:
            raise torch.OutOfMemoryError
        if where == "allocator" and len(batch["x"]) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        hidden = module[1](module[0](batch["x"]))
        if where == "backward":
            hidden = _Greedy.apply(hidden, 3)
        loss = (module[3](hidden) - batch["y"]).square().mean()
        return loss, {"weight": len(batch["x"])}

    batches = Listed(cut(data(), [12, 11]))
    module, other = network(), network()
    events = []
    result = fit_loop(
        module,
        greedy,
        batches,
        optimizer=adam(module),
        max_epochs=2,
        accumulate=accumulate,
        report=events.append,
    )
    fit_loop(
        other,
        squared_error,
        batches,
        optimizer=adam(other),
        max_epochs=2,
        accumulate=accumulate,
    )
    assert result.n_halvings == 2
    assert [e["n_halvings"] for e in events if e["kind"] == "halved"] == [2]
    assert torch.allclose(weights(module), weights(other), rtol=0, atol=1e-12)


class Counting:
    """Counts examples, and runs out of memory at more than six of them."""

    def __init__(self) -> None:
        self.n_examples = self.n_failures = 0
        self.epochs: list[int] = []
        self.broken_at: int | None = None

    def start_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"n_examples": self.n_examples}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.n_examples = state["n_examples"]

    def __call__(self, module: nn.Module, batch: Any):
        self.n_examples += len(batch["x"])
        if len(batch["x"]) > 6:
            self.n_failures += 1
            raise MemoryError
        loss, logs = squared_error(module, batch)
        if self.n_examples == self.broken_at:
            self.broken_at = None
            loss = loss * float("nan")
        return loss, logs


def test_the_state_of_an_objective_is_that_of_steps_that_count():
    objective, module = Counting(), network()
    fit_loop(
        module,
        objective,
        Listed(cut(data(), [12, 11])),
        optimizer=adam(module),
        max_epochs=3,
    )
    assert (objective.n_examples, objective.n_failures) == (3 * 23, 1)
    assert objective.epochs == [0, 1, 2]


def test_a_rollback_takes_the_objective_back_and_batches_stay_small():
    objective, module = Counting(), network()
    objective.broken_at = 23 + 12
    with pytest.warns(TweetclfWarning, match="epoch 1, step 2"):
        result = fit_loop(
            module,
            objective,
            Listed(cut(data(), [12, 11])),
            optimizer=adam(module),
            max_epochs=3,
            on_divergence="rollback",
        )
    assert (objective.n_examples, objective.n_failures) == (3 * 23, 1)
    # The first step of epoch 1 failed: back to the start of epoch 0.
    assert objective.epochs == [0, 1, 0, 1, 2]
    assert (result.n_rollbacks, result.n_halvings) == (1, 1)


def test_memory_that_no_halving_frees_is_an_error():
    def greedy(module: nn.Module, batch: Any):
        raise MemoryError("all of it")

    batches = Listed(cut(data(), [12, 11]))
    module = network()
    with pytest.raises(MemoryError, match="all of it"):
        fit_loop(module, greedy, batches, optimizer=adam(module), max_epochs=1)
    batches.split = None
    with pytest.raises(MemoryError, match="all of it"):
        fit_loop(module, greedy, batches, optimizer=adam(module), max_epochs=1)


def test_other_runtime_errors_pass():
    def broken(module: nn.Module, batch: Any):
        raise RuntimeError("shapes do not fit")

    module = network()
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        fit_loop(
            module,
            broken,
            Listed(cut(data(), [23])),
            optimizer=adam(module),
            max_epochs=1,
        )


def test_steps_and_epochs_are_reported():
    events = []
    module = network()
    result = fit_loop(
        module,
        squared_error,
        Listed(cut(data(), [12, 11])),
        optimizer=adam(module),
        max_epochs=2,
        report=events.append,
    )
    assert [e["kind"] for e in events] == ["step", "step", "epoch"] * 2
    steps = [e for e in events if e["kind"] == "step"]
    assert [(e["epoch"], e["step"]) for e in steps] == [(0, 0), (0, 1), (1, 2), (1, 3)]
    assert [e["n_examples"] for e in steps] == [12, 11, 12, 11]
    assert all(e["gradient_norm"] > 0 for e in steps)
    assert [e for e in events if e["kind"] == "epoch"] == [
        {"kind": "epoch", **entry} for entry in result.history
    ]


def test_a_report_can_stop_within_an_epoch():
    module = network()
    best = []

    def evaluate(module: nn.Module) -> dict[str, float]:
        best.append(weights(module))
        return {"valid_loss": 1.0}

    result = fit_loop(
        module,
        squared_error,
        Listed(cut(data(), [6, 6, 6, 5])),
        optimizer=adam(module),
        max_epochs=5,
        evaluate=evaluate,
        report=lambda event: event["kind"] == "step" and event["step"] == 5,
    )
    assert (result.stopped, result.n_steps, len(result.history)) == ("report", 6, 1)
    assert result.restored
    assert torch.equal(weights(module), best[0])


def test_schedules_set_rates_of_groups_and_momentum():
    module = network()
    groups = [
        {"params": module[0].parameters(), "lr": 0.1},
        {"params": module[3].parameters(), "lr": 0.2},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.0, momentum=0.9)
    seen = []

    def watching(module: nn.Module, batch: Any):
        seen.append([(g["lr"], g["momentum"]) for g in optimizer.param_groups])
        return squared_error(module, batch)

    fit_loop(
        module,
        watching,
        Listed(cut(data(), [12, 11])),
        optimizer=optimizer,
        max_epochs=1,
        schedule=lambda step: {"lr": [step, 0.5], "momentum": 0.25 * step},
    )
    assert seen == [
        [(0.0, 0.0), (0.1, 0.0)],
        [(0.1, 0.25), (0.1, 0.25)],
    ]
    assert [(g["lr"], g["momentum"]) for g in optimizer.param_groups] == [
        (0.1, 0.9),
        (0.2, 0.9),
    ]


def test_the_momentum_of_adam_is_its_first_beta():
    module = network()
    optimizer = adam(module)
    seen = []

    def watching(module: nn.Module, batch: Any):
        seen.append(optimizer.param_groups[0]["betas"])
        return squared_error(module, batch)

    fit_loop(
        module,
        watching,
        Listed(cut(data(), [12, 11])),
        optimizer=optimizer,
        max_epochs=2,
        schedule=OneCycle(4, pct_start=0.25, momenta=(0.8, 0.7)),
    )
    assert seen[:2] == [(0.8, 0.999), (0.7, 0.999)]
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda step: {"beta": 1}, "gave beta"),
        (lambda step: {"lr": [1.0, 2.0]}, "2 rates for an optimizer of 1 groups"),
    ],
)
def test_schedules_that_make_no_sense(schedule, message):
    module = network()
    with pytest.raises(ValueError, match=message):
        fit_loop(
            module,
            squared_error,
            Listed(cut(data(), [23])),
            optimizer=adam(module),
            max_epochs=1,
            schedule=schedule,
        )


def test_bfloat16_computes_in_it_and_keeps_float32_weights():
    dtypes = []

    def objective(module: nn.Module, batch: Any):
        predicted = module(batch["x"])
        dtypes.append(predicted.dtype)
        return (predicted.float() - batch["y"]).square().mean(), {}

    module = network(dtype=torch.float32)
    fit_loop(
        module,
        objective,
        Listed(cut(data(dtype=torch.float32), [23])),
        optimizer=adam(module),
        max_epochs=1,
        precision="bfloat16",
    )
    assert dtypes == [torch.bfloat16]
    assert weights(module).dtype == torch.float32


@pytest.mark.slow
# torch's own compiler asks for parts of torch that torch has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_module_learns_the_same():
    modules = network(dtype=torch.float32), network(dtype=torch.float32)
    for module, compiled in zip(modules, (True, False), strict=True):
        fit_loop(
            module,
            squared_error,
            Listed(cut(data(dtype=torch.float32), [8, 8, 7])),
            optimizer=adam(module),
            max_epochs=2,
            compile=compiled,
        )
    assert torch.allclose(*map(weights, modules), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epochs": 0}, "'max_epochs' parameter must be an int of at least 1"),
        ({"accumulate": 1.5}, "'accumulate' parameter"),
        ({"accumulate": None}, "'accumulate' parameter"),
        ({"n_iter_no_change": 0}, "'n_iter_no_change' parameter"),
        ({"clip_norm": 0.0}, "'clip_norm' parameter must be positive"),
        ({"on_divergence": "ignore"}, "'on_divergence' parameter"),
        ({"precision": "float16"}, "'precision' parameter"),
    ],
)
def test_options_are_checked(options, message):
    module = network()
    with pytest.raises(ValueError, match=message):
        fit_loop(
            module,
            squared_error,
            Listed(cut(data(), [23])),
            optimizer=adam(module),
            **{"max_epochs": 1, **options},
        )


@pytest.mark.gpu
def test_a_gpu_learns_what_a_cpu_learns():
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    gpu = torch.device("cuda", 0)
    before = torch.get_rng_state(), torch.cuda.get_rng_state(gpu)
    batches = Listed(cut(data(), [6, 6, 6, 5]))
    module, other = network(), network().to(gpu)
    states: list[dict[str, Any]] = []
    for trained in (module, other):
        fit_loop(
            trained,
            squared_error,
            batches,
            optimizer=adam(trained),
            max_epochs=3,
            clip_norm=0.5,
        )
    assert torch.allclose(weights(module), weights(other).cpu(), atol=1e-9)
    runs = []
    for options in ({"checkpoint": states.append}, {"resume": None}):
        again = network(0.3).to(gpu)
        if "resume" in options:
            options["resume"] = states[0]
        fit_loop(
            again,
            squared_error,
            batches,
            optimizer=adam(again),
            max_epochs=3,
            precision="auto",
            **options,
        )
        runs.append(weights(again))
    assert torch.allclose(*runs, atol=1e-6)
    assert torch.equal(before[0], torch.get_rng_state())
    assert torch.equal(before[1], torch.cuda.get_rng_state(gpu))


def test_fetching_losses_rarely_changes_no_number():
    runs = []
    for sync_every in (1, 3):
        module = network(dropout=0.3)
        result = fit_loop(
            module,
            squared_error,
            Listed(cut(data(), [6, 6, 6, 5])),
            optimizer=adam(module),
            max_epochs=2,
            sync_every=sync_every,
        )
        runs.append((weights(module), without_times(result.history)))
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]


def test_batches_by_length_go_through_the_loop():
    whole = data()
    lengths = np.arange(23) % 5 + 1
    module = network()
    result = fit_loop(
        module,
        squared_error,
        LengthBatches(
            lengths,
            lambda rows: {name: tensor[rows] for name, tensor in whole.items()},
            batch_size=4,
            max_tokens=12,
        ),
        optimizer=adam(module, lr=0.05),
        max_epochs=20,
    )
    assert result.history[-1]["loss"] < 0.1 * result.history[0]["loss"]
