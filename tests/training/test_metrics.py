"""The file of metrics, what becomes of it after a crash, and TensorBoard."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from tweetclf.exceptions import MissingDependencyError
from tweetclf.training import (
    LengthBatches,
    MetricsLog,
    fit_loop,
    peak_flops,
    read_metrics,
    tensorboard_writer,
)


def run(log, n: int = 12) -> None:
    x = torch.linspace(-1, 1, n)[:, None]
    module = nn.Linear(1, 1)

    def objective(module, batch):
        loss = (module(batch) - 3 * batch).square().mean()
        logs = {"weight": len(batch), "n_examples": 2, "n_tokens": 8, "same": loss}
        return loss, logs

    fit_loop(
        module,
        objective,
        LengthBatches([1] * n, lambda rows: x[rows], batch_size=2),
        optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
        max_epochs=2,
        evaluate=lambda module: {"valid_loss": 0.5},
        evaluate_every=4,
        report=log,
    )


def test_records_are_means_over_steps(tmp_path):
    events = []
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path, every=3, flops_per_token=10.0, peak=1000.0) as log:

        def report(event):
            events.append(event)
            log(event)

        run(report)
    records = read_metrics(path)
    assert [(r["kind"], r["step"]) for r in records] == [
        *(("step", 2), ("step", 3), ("evaluation", 3), ("step", 5), ("epoch", 5)),
        *(("step", 7), ("evaluation", 7), ("step", 8), ("step", 11)),
        *(("evaluation", 11), ("epoch", 11)),
    ]
    losses = [event["loss"] for event in events if event["kind"] == "step"]
    first = records[0]
    assert first["loss"] == pytest.approx(sum(losses[:3]) / 3)
    assert first["same"] == pytest.approx(first["loss"])
    share = first["tokens_per_second"] * 10 / 1000
    assert first["flops_share"] == pytest.approx(share)
    assert first["tokens_per_second"] == pytest.approx(4 * first["examples_per_second"])
    assert records[2]["valid_loss"] == 0.5


def test_a_run_that_goes_on_drops_what_it_takes_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"kind": "step", "step": step}) for step in range(6)]
    # Killed while it wrote.
    path.write_text("\n".join([*lines, '{"kind": "st']), "utf-8")
    with MetricsLog(path, start_step=4):
        pass
    assert [record["step"] for record in read_metrics(path)] == [0, 1, 2, 3]


def test_steps_that_are_left_over_are_written(tmp_path):
    with MetricsLog(tmp_path / "m.jsonl", every=100) as log:
        run(log)
    kinds = [record["kind"] for record in read_metrics(tmp_path / "m.jsonl")]
    # Before each evaluation and each end of an epoch that has new ones.
    assert kinds.count("step") == 4
    assert "flops_share" not in read_metrics(tmp_path / "m.jsonl")[0]


@pytest.mark.parametrize(
    ("name", "precision", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989e12),
        ("NVIDIA H100 PCIe", "bfloat16", 756e12),
        ("NVIDIA A100-SXM4-40GB", "float32", 19.5e12),
        ("NVIDIA L4", "bfloat16", 121e12),
        ("NVIDIA L40S", "bfloat16", 362e12),
        ("Some other GPU", "bfloat16", None),
    ],
)
def test_peaks_are_those_of_data_sheets(name, precision, peak):
    assert peak_flops(torch.device("cuda"), precision, name) == peak


def test_a_cpu_has_no_known_peak():
    assert peak_flops(torch.device("cpu"), "float32") is None


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with tensorboard_writer(tmp_path / "board") as write:
        write({"kind": "step", "step": 9, "loss": 2.5, "n": 3})
        write({"kind": "step", "step": 19, "loss": 1.5})
    board = EventAccumulator(str(tmp_path / "board"))
    board.Reload()
    assert board.Tags()["scalars"] == ["step/loss"]
    assert [(e.step, e.value) for e in board.Scalars("step/loss")] == [
        (9, 2.5),
        (19, 1.5),
    ]


def test_without_tensorboard_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with (
        pytest.raises(MissingDependencyError, match=r"tweetclf\[tensorboard\]"),
        tensorboard_writer(tmp_path),
    ):
        pass
