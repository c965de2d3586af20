"""Training by several processes, and training that is killed.

This file is also the program that the tests start: ``python FILE SCENARIO FOLDER``.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tweetclf.exceptions import ReplicaError
from tweetclf.training import Checkpoints, Replicas, fit_loop, join_replicas
from tweetclf.training.devices import seeded
from tweetclf.training.distributed import _buckets, local_device
from tweetclf.utils.tensors import read_tensors, write_tensors

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
# Rows of each global batch, and how many of them are the first process's.
BATCHES = [(8, 4), (7, 3), (8, 8), (5, 1), (6, 6)]


class Rows:
    """The rows of a process of each batch; the second has one batch fewer."""

    def __init__(self, replicas: Replicas, pause: float = 0.0, n: int = 1) -> None:
        self.replicas = replicas
        self.pause = pause
        self.sizes = BATCHES * n

    def n_batches(self, epoch: int) -> int:
        return len(self.sizes) - (self.replicas.rank == 1)

    def epoch(self, epoch: int):
        generator = torch.Generator().manual_seed(epoch)
        for size, first in self.sizes[: self.n_batches(epoch)]:
            x = torch.randn(size, 4, generator=generator, dtype=torch.float64)
            marks = torch.rand(size, generator=generator, dtype=torch.float64) < 0.4
            parts = {0: slice(0, first), 1: slice(first, size)}
            part = parts[self.replicas.rank] if self.replicas.size == 2 else slice(None)
            time.sleep(self.pause)
            yield {"x": x[part], "y": x[part].sin().sum(1), "marked": marks[part]}


def mean_error(module: nn.Module, batch: Any):
    """The mean over the rows."""
    n = len(batch["x"])
    error = (module(batch["x"])[:, 0] - batch["y"]).square().sum() / max(n, 1)
    return error, {"weight": n, "n_examples": n, "n_tokens": n, "twice": 2 * error}


class TwoMeans:
    """The mean over the rows plus that over the marked ones."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}

    def counts(self, batches: Any) -> dict[str, float]:
        return {
            "rows": float(sum(len(batch["x"]) for batch in batches)),
            "marked": float(sum(int(batch["marked"].sum()) for batch in batches)),
        }

    def start_step(self, totals: Any) -> None:
        self.totals = totals

    def __call__(self, module: nn.Module, batch: Any):
        predicted = module(batch["x"])
        one = (predicted[:, 0] - batch["y"]).square().sum()
        other = predicted[:, 1][batch["marked"]].cosh().sum()
        one, other = one / self.totals["rows"], other / max(self.totals["marked"], 1)
        logs = {
            "weight": len(batch["x"]),
            "n_examples": len(batch["x"]),
            "other": other,
        }
        return one + other, logs


def network(dropout: float = 0.0) -> nn.Module:
    with seeded(1, CPU):
        module = nn.Sequential(
            nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 2)
        )
        module.register_parameter("unused", nn.Parameter(torch.ones(2)))
    return module.double()


OBJECTIVES = {"mean": lambda: mean_error, "shares": TwoMeans}


def train(replicas: Replicas, objective: str = "mean", **options: Any):
    module = network(options.pop("dropout", 0.0))
    batches = options.pop("batches", None) or Rows(replicas)
    result = fit_loop(
        module,
        OBJECTIVES[objective](),
        batches,
        optimizer=torch.optim.AdamW(module.parameters(), lr=0.02),
        **{"max_epochs": 3, "accumulate": 2, "clip_norm": 0.5, **options},
        replicas=replicas,
        monitor=None,
    )
    return module, result


def weights(module: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


# What the processes do


def _together(replicas: Replicas, folder: Path) -> None:
    """Train in every way there is, and write what came out of each."""
    found: dict[str, torch.Tensor] = {}
    told: dict[str, Any] = {}
    for objective in OBJECTIVES:
        module, result = train(replicas, objective, evaluate=_rank_of(replicas))
        found[objective] = weights(module)
        told[objective] = result.untimed_history()
    module, _ = train(replicas, dropout=0.5)
    found["dropout"] = weights(module)

    def stop(event: dict[str, Any]) -> bool:
        return replicas.rank == 1 and event["kind"] == "step" and event["step"] == 3

    states: list[Any] = []
    module, result = train(
        replicas, report=stop, checkpoint=states.append, checkpoint_every=2
    )
    told["stopped"] = [result.stopped, result.n_steps]
    told["n_states"] = len(states)
    # All resume from what the main process kept, as if each had read its file.
    checkpoints = Checkpoints(folder / "kept")
    if replicas.is_main:
        checkpoints(states[0])
    replicas.wait()
    module, _ = train(replicas, resume=checkpoints.latest())
    found["resumed"] = weights(module)
    clock: list[Any] = []
    train(replicas, checkpoint=clock.append, checkpoint_minutes=1e-9, max_epochs=1)
    told["n_by_the_clock"] = len(clock)
    told["agreed"] = replicas.agree({"rank": replicas.rank, "ñ": [1.5, None]})
    told["gathered"] = replicas.gather(replicas.rank + 1)
    try:
        train(replicas, resume=checkpoints.latest() if replicas.is_main else None)
    except ValueError as error:
        told["refused"] = str(error)
    arrays = {name: tensor.numpy() for name, tensor in found.items()}
    write_tensors(folder / f"{replicas.rank}.safetensors", arrays)
    (folder / f"{replicas.rank}.json").write_text(json.dumps(told), "utf-8")


def _rank_of(replicas: Replicas):
    # What the main process measures counts.
    return lambda module: {"valid_loss": 1.0 + replicas.rank}


def _die(replicas: Replicas, folder: Path) -> None:
    def report(event: dict[str, Any]) -> None:
        if replicas.rank == 1 and event["kind"] == "step" and event["step"] == 2:
            os._exit(3)

    train(replicas, report=report)


def _long(replicas: Replicas, folder: Path) -> None:
    """Train slowly, keep the state by the clock, and write the weights."""
    checkpoints = Checkpoints(folder / "kept")
    module, _ = train(
        replicas,
        dropout=0.5,
        batches=Rows(replicas, pause=0.01, n=20),
        checkpoint=checkpoints,
        checkpoint_minutes=0.02 / 60,
        resume=checkpoints.latest(),
    )
    write_tensors(folder / "weights.safetensors", {"w": weights(module).numpy()})


def _n_threads() -> int:
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else 1


def _meet_again(folder: Path) -> None:
    """Join three times; wait for longer than a process may be silent; fail."""
    told: dict[str, Any] = {"made": [], "calls": 0}

    def slowly() -> list[Any]:
        time.sleep(3 * told["calls"])
        told["calls"] += 1
        return ["hecho", None]

    def badly() -> None:
        raise ValueError("no hay sitio")

    # Processes start seconds apart, and are together from then on.
    for minutes in (1, 2 / 60):
        with join_replicas(timeout_minutes=minutes) as replicas:
            told["made"].append(replicas.make_once(slowly))
    n_threads = _n_threads()
    with join_replicas() as replicas:
        replicas.wait()
        # As transformers does.
        importlib.import_module("torch.distributed.nn.functional")
    # Threads that were left would abort the program when it ends.
    assert _n_threads() == n_threads
    try:
        with join_replicas() as outer, join_replicas() as replicas:
            assert outer == replicas
            replicas.make_once(badly)
    except (ReplicaError, ValueError) as error:
        told["failed"] = f"{type(error).__name__}: {error}"
    (folder / f"{replicas.rank}.json").write_text(json.dumps(told), "utf-8")


def _main_dies(folder: Path) -> None:
    with join_replicas() as replicas:
        replicas.make_once(lambda: os._exit(3))


SCENARIOS = {"together": _together, "die": _die, "long": _long}
JOINING = {"meet again": _meet_again, "main dies": _main_dies}


def start(scenario: str, folder: Path, size: int) -> list[subprocess.Popen[str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, __file__, scenario, str(folder)],
            env={
                **os.environ,
                **place,
                "RANK": str(rank),
                "WORLD_SIZE": str(size),
                "PYTHONPATH": str(ROOT),
                "OMP_NUM_THREADS": "1",
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


# The tests


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("together")
    processes = start("together", folder, 2)
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    return [
        (
            read_tensors(folder / f"{rank}.safetensors")[0],
            json.loads((folder / f"{rank}.json").read_text("utf-8")),
        )
        for rank in (0, 1)
    ]


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_two_processes_learn_what_one_learns(together, objective):
    module, result = train(Replicas(), objective, evaluate=_rank_of(Replicas()))
    expected = result.untimed_history()
    for arrays, told in together:
        assert torch.allclose(
            torch.from_numpy(arrays[objective]), weights(module), rtol=0, atol=1e-9
        )
        for entry, one in zip(told[objective], expected, strict=True):
            assert entry == pytest.approx(one, rel=1e-9)


def test_all_processes_have_the_same_bits(together):
    (first, _), (second, _) = together
    for name in ("mean", "shares", "dropout", "resumed"):
        assert first[name].tobytes() == second[name].tobytes()


def test_resuming_by_two_is_bit_equal(together):
    arrays, _ = together[0]
    assert arrays["resumed"].tobytes() == arrays["mean"].tobytes()


def test_what_one_process_decides_all_do(together):
    (_, main), (_, other) = together
    assert main["stopped"] == other["stopped"] == ["report", 4]
    # After steps 2 and 4, within and at the end of epochs of three steps, and epoch 1.
    assert main["n_states"] == 3
    assert main["n_by_the_clock"] == 4
    assert other["n_states"] == other["n_by_the_clock"] == 0
    assert main["agreed"] == other["agreed"] == {"rank": 0, "ñ": [1.5, None]}
    assert main["gathered"] == other["gathered"] == [1, 2]
    for told in (main, other):
        assert "resumed from different steps ([2.0, 0.0])" in told["refused"]


def test_a_process_that_dies_is_named(tmp_path):
    first, second = start("die", tmp_path, 2)
    second.communicate(timeout=120)
    assert second.returncode == 3
    error = first.communicate(timeout=120)[1]
    assert first.returncode == 1
    assert "ReplicaError: process 0 of 2: another process" in error
    assert "goes on from its last checkpoint" in error


def test_processes_meet_again_and_wait_for_what_the_main_one_makes(tmp_path):
    processes = start("meet again", tmp_path, 2)
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    main, other = (
        json.loads((tmp_path / f"{rank}.json").read_text("utf-8")) for rank in (0, 1)
    )
    assert main["made"] == other["made"] == [["hecho", None]] * 2
    assert (main["calls"], other["calls"]) == (2, 0)
    assert main["failed"] == "ValueError: no hay sitio"
    assert other["failed"] == (
        "ReplicaError: process 1 of 2: the main process could not make what all of "
        "them need. It says ValueError: no hay sitio"
    )


def test_a_main_process_that_dies_leaves_nobody_waiting(tmp_path):
    first, second = start("main dies", tmp_path, 2)
    first.communicate(timeout=120)
    assert first.returncode == 3
    error = second.communicate(timeout=120)[1]
    assert second.returncode == 1
    assert "ReplicaError: process 1 of 2: another process" in error


def newest(folder: Path) -> int:
    """Return the number of the last checkpoint, 0 if there is none."""
    names = [path.name for path in folder.glob("checkpoint-*")]
    return max((int(name.split("-")[1][:6]) for name in names), default=0)


def test_a_killed_run_ends_with_the_same_bits(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    (process,) = start("long", whole, 1)
    cut = tmp_path / "cut"
    cut.mkdir()
    for n_kept in (10, 40):
        (killed,) = start("long", cut, 1)
        # Old checkpoints are removed, so that a number may be gone before it is seen.
        while newest(cut / "kept") < n_kept:
            assert killed.poll() is None, killed.communicate()[1]
            time.sleep(0.001)
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=60)
        assert killed.returncode == -signal.SIGKILL
        state = Checkpoints(cut / "kept").latest()
        assert state is not None
    (last,) = start("long", cut, 1)
    for started in (process, last):
        assert started.communicate(timeout=120)[1] == ""
    expected, found = (
        read_tensors(folder / "weights.safetensors")[0]["w"] for folder in (whole, cut)
    )
    assert expected.tobytes() == found.tobytes()


def test_steps_can_be_counted_instead_of_epochs():
    events: list[dict[str, Any]] = []
    module, result = train(Replicas(), max_epochs=9, max_steps=5, report=events.append)
    assert (result.stopped, result.n_steps) == ("max_steps", 5)
    # The second epoch, of three steps, ends after two of them.
    assert [entry["n_steps"] for entry in result.history] == [3, 2]
    assert [e["step"] for e in events if e["kind"] == "step"] == list(range(5))
    assert events[0]["logs"]["twice"] == pytest.approx(2 * events[0]["loss"])
    assert not module.training


def test_evaluations_between_steps_change_nothing():
    def evaluate(module: nn.Module) -> dict[str, float]:
        assert not module.training
        return {"valid_loss": float(torch.rand(()))}

    events: list[dict[str, Any]] = []
    one, _ = train(Replicas(), dropout=0.5)
    other, _ = train(
        Replicas(),
        dropout=0.5,
        evaluate=evaluate,
        evaluate_every=2,
        report=events.append,
    )
    assert torch.equal(weights(one), weights(other))
    between = [e for e in events if e["kind"] == "evaluation"]
    assert [e["step"] for e in between] == [1, 3, 5, 7]
    assert all(0 <= e["valid_loss"] <= 1 for e in between)


def test_shares_of_a_loss_add_up_over_micro_batches():
    class Whole(Rows):
        def n_batches(self, epoch: int) -> int:
            return 1

        def epoch(self, epoch: int):
            parts = list(Rows(self.replicas).epoch(epoch))
            yield {name: torch.cat([p[name] for p in parts]) for name in parts[0]}

    cut, result = train(Replicas(), "shares", accumulate=5)
    whole, expected = train(Replicas(), "shares", batches=Whole(Replicas()))
    assert torch.allclose(weights(cut), weights(whole), rtol=0, atol=1e-12)
    for entry, one in zip(
        result.untimed_history(), expected.untimed_history(), strict=True
    ):
        assert entry == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_steps": 0}, "'max_steps' parameter must be an int of at least 1"),
        ({"evaluate_every": 0}, "'evaluate_every' parameter must be an int"),
        (
            {"checkpoint_minutes": 0.0},
            "'checkpoint_minutes' parameter must be positive",
        ),
    ],
)
def test_new_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        train(Replicas(), **options)


def test_alone_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_replicas() as replicas:
        assert replicas == Replicas(0, 1)
        replicas.wait()
        assert replicas.make_once(lambda: CPU) is CPU
        tensor = torch.ones(2)
        replicas.add_tensors([tensor])
        replicas.share_tensors([tensor])
        assert tensor.tolist() == [1, 1]
    assert local_device("cpu") == CPU


def test_processes_that_do_not_find_each_other(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(ReplicaError, match="process 1 of 2 does not find the others"),
        join_replicas(),
    ):
        pass


def test_gradients_travel_in_buckets_of_one_kind(monkeypatch):
    monkeypatch.setattr("tweetclf.training.distributed._BUCKET", 100)
    tensors = [torch.ones(20), torch.ones(6), torch.ones(1), torch.ones(2).double()]
    sizes = [[t.numel() for t in bucket] for bucket in _buckets(tensors)]
    assert sizes == [[20, 6], [1], [2]]


def test_a_state_from_batch_to_batch_is_refused():
    class Carries:
        def __call__(self, module: nn.Module, batch: Any):
            return mean_error(module, batch)

        def state_dict(self) -> dict[str, Any]:
            return {}

    module = network()
    with pytest.raises(ValueError, match="carries a state from batch to batch"):
        fit_loop(
            module,
            Carries(),
            Rows(Replicas()),
            optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
            max_epochs=1,
            replicas=Replicas(0, 2),
        )


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    if name in JOINING:
        JOINING[name](Path(folder))
    else:
        with join_replicas(timeout_minutes=1) as replicas:
            SCENARIOS[name](replicas, Path(folder))
