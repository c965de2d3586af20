"""Metrics of pre-training runs, whole, resumed and cut off."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tweetclf.analysis import read_metrics
from tweetclf.analysis.displays.lines import smooth
from tweetclf.exceptions import DataError


def write(path, *rows, tail=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + tail, "utf-8")
    return path


def test_numbers_and_parts_are_read(tmp_path):
    path = write(
        tmp_path / "base" / "metrics.jsonl",
        {"step": 10, "epoch": 0, "loss": 9.5, "parts": {"mlm": 8.8, "pair": 0.7}},
        {"step": 20, "loss": 8.0, "valid_loss": 8.1, "kind": "epoch", "best": True},
        {"step": 20, "tokens_per_second": 1000},
    )
    run = read_metrics(path.parent)
    assert run.name == "base"
    assert run.steps.tolist() == [10, 20]
    assert run.known("loss")[1].tolist() == [9.5, 8.0]
    assert run.known("parts.pair")[0].tolist() == [10]
    assert run.known("tokens_per_second")[1].tolist() == [1000]
    assert run.last("valid_loss") == 8.1
    assert np.isnan(run.last("accuracy"))
    assert "best" not in run.values
    with pytest.raises(DataError, match="no 'accuracy'; it has epoch, loss"):
        run.known("accuracy")


def test_the_mean_of_an_epoch_is_not_the_loss_of_its_last_steps(tmp_path):
    epoch = {"kind": "epoch", "step": 19, "loss": 7.5, "valid_loss": 6.5}
    steps = [{"kind": "step", "step": s, "loss": loss} for s, loss in ((9, 9), (19, 6))]
    run = read_metrics(write(tmp_path / "metrics.jsonl", *steps, epoch))
    assert run.known("loss")[1].tolist() == [9.0, 6.0]
    assert run.last("valid_loss") == 6.5


def test_a_resumed_run_replaces_what_it_does_again(tmp_path):
    rows = [{"step": s, "loss": float(s)} for s in (10, 20, 30)]
    again = [{"step": s, "loss": s + 0.5} for s in (15, 25, 35)]
    run = read_metrics(write(tmp_path / "metrics.jsonl", *rows, *again), name="r")
    assert run.steps.tolist() == [10, 15, 25, 35]
    assert run.known("loss")[1].tolist() == [10.0, 15.5, 25.5, 35.5]


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    path = write(tmp_path / "m.jsonl", {"step": 1, "loss": 2.0}, tail='{"step": 2, "l')
    assert read_metrics(path).steps.tolist() == [1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"loss": 1}\n', "line 1: expected a JSON object"),
        ('{"step": 1}\nnonsense\n{"step": 2}\n', "line 2"),
        ('{"step": NaN}\n', "line 1"),
        ("\n", "holds no metrics"),
    ],
)
def test_what_is_no_metrics_is_named(tmp_path, content, message):
    path = tmp_path / "metrics.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        read_metrics(path)


def test_smoothing_is_a_weighted_mean():
    values = np.random.default_rng(0).normal(size=30)
    found = smooth(values, 0.8)
    weights = 0.8 ** np.arange(30)[::-1]
    assert found[-1] == pytest.approx(np.average(values, weights=weights))
    np.testing.assert_array_equal(smooth(values, 0.0), values)
    with pytest.raises(ValueError, match="'weight'"):
        smooth(values, 1.0)
