"""The bar of a training run."""

from __future__ import annotations

import io
import sys

import pytest

from tweetclf.training import progress
from tweetclf.training.progress import show_progress

STEP = {"kind": "step", "loss": 0.5, "learning_rate": 1e-3, "n_examples": 32.0}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_sees_a_line_a_minute(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    now = 100.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    with show_progress("Training", 150) as report:
        for step in range(130):
            now += 1.0
            assert not report({**STEP, "step": step})
            report({"kind": "rollback"})
    first, second = stream.getvalue().splitlines()
    assert first.startswith("Training: step 60 of 150  loss 0.5000  rate 1.00e-03")
    assert second.endswith("32 tweets/s")


def test_what_is_switched_off_says_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with show_progress("Training", 2, enabled=False) as report:
        assert not report({**STEP, "step": 0})
    assert stream.getvalue() == ""


def test_a_terminal_sees_loss_rate_and_speed(monkeypatch: pytest.MonkeyPatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with show_progress("Training", 4) as report:
        for step in range(3):
            assert not report({**STEP, "step": step})
        report({"kind": "epoch"})
        report({"kind": "rollback"})
        report({**STEP, "step": 1})
    shown = stream.getvalue()
    for words in ("Training", "2/4", "loss 0.5000", "rate 1.00e-03", "tweets/s"):
        assert words in shown


def test_a_watcher_sees_the_fits_inside_and_may_end_them():
    from tweetclf.estimators import BiLSTMClassifier
    from tweetclf.training import watch_training

    texts, y = ["qué risa", "qué pena"] * 8, [1, 0] * 8
    clf = BiLSTMClassifier(hidden_size=4, max_iter=4, batch_size=8, random_state=0)
    events = []

    def report(event):
        events.append(event)
        return event["kind"] == "epoch" and event["epoch"] == 1

    with watch_training(report):
        clf.fit(texts, y)
    assert events[0] == {
        "kind": "start",
        "description": "BiLSTMClassifier",
        "n_steps": 8,
    }
    assert [event["kind"] for event in events[1:]] == ["step", "step", "epoch"] * 2
    assert clf.n_iter_ == 2
    clf.fit(texts, y)
    assert clf.n_iter_ == 4
    assert len(events) == 7


def test_the_bar_of_all_fits_of_an_ensemble(monkeypatch: pytest.MonkeyPatch):
    from tweetclf.estimators import haha_ulmfit_qrnn
    from tweetclf.training import watch_training

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    clf = haha_ulmfit_qrnn(size="tiny").set_params(
        max_iter=1,
        lm_params={"vocab_size": 40, "emb_size": 8, "hidden_size": 8, "n_layers": 1},
        fine_tuning=(),
    )
    clf.lm_params["stages"] = ((1, 1e-2),)
    with watch_training():
        clf.fit(["qué risa el lunes", "qué pena el martes"] * 8, [1, 0] * 8)
    shown = stream.getvalue()
    for words in ("ULMFiTClassifier, language model", "groups"):
        assert words in shown
