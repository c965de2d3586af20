"""The bar of a training run."""

from __future__ import annotations

import io
import sys

import pytest

from tweetclf.training.progress import show_progress

STEP = {"kind": "step", "loss": 0.5, "learning_rate": 1e-3, "n_examples": 32.0}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_sees_nothing(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with show_progress("Training", 2) as report:
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
