"""tweetclf pretrain lm: from texts to a folder, interrupted and fine-tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

from tweetclf.cli import main
from tweetclf.pretraining import load_language_model

SMALL = [
    *("--vocab-size", "60", "--emb-size", "8", "--hidden-size", "8"),
    *("--layers", "1", "--batch-size", "4", "--bptt", "8"),
]


@pytest.fixture
def corpus(own_folder: Path) -> Path:
    path = own_folder / "tweets.txt"
    lines = [f"hoy {a} y mañana {b}" for a in ("risa", "pena") for b in "abcdefgh"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _pretrain(corpus: Path, *options: str) -> int:
    return main(["pretrain", "lm", "--corpus", str(corpus), *options])


def test_it_writes_a_model_and_fine_tunes_it(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _pretrain(corpus, "--out", "lm", *SMALL, "--epochs", "2") == 0
    printed = capsys.readouterr().err
    assert "epoch 2: loss" in printed
    assert "pieces saved in lm" in printed
    model = load_language_model("lm")
    assert model.config.n_layers == 1
    assert len(model.history) == 2
    table = corpus.with_name("more.csv")
    table.write_text('tweet,class\n"la casa",1\n"el sol",0\n' * 8, "utf-8")
    options = ["--text", "tweet", "--from", "lm", "--epochs", "1", "--out", "tuned"]
    assert _pretrain(table, *options) == 0
    tuned = load_language_model("tuned")
    assert tuned.tokenizer == model.tokenizer
    assert len(tuned.history) == 3
    left = sorted(path.name for path in corpus.parent.iterdir())
    assert left == ["lm", "more.csv", "tuned", "tweets.txt"]


def test_an_interrupted_run_goes_on(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tweetclf.cli import _pretrain_lm as command

    options = ["--epochs", "3", *SMALL]
    assert _pretrain(corpus, "--out", "whole", *options) == 0
    report = command._report

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "epoch" and event["epoch"] == 1:
            raise KeyboardInterrupt
        report(event)

    monkeypatch.setattr(command, "_report", interrupt)
    assert _pretrain(corpus, "--out", "cut", *options) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert not Path("cut").exists()
    monkeypatch.setattr(command, "_report", report)
    assert _pretrain(corpus, "--out", "cut", *options) == 0
    assert "epoch 1:" not in capsys.readouterr().err
    whole, cut = load_language_model("whole"), load_language_model("cut")
    for name, array in whole.state.items():
        np.testing.assert_array_equal(array, cut.state[name])
    assert not Path("cut.training").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "lm", "--layers", "2"], "--from brings the sizes"),
        (["--learning-rate", "0.1"], "--learning-rate needs --epochs"),
        (["--learning-rate", "2"], "above 0, at most 1"),
        (["--emb-size", "0"], "must be at least 1"),
        (["--cell", "gru"], "invalid choice: 'gru'"),
    ],
)
def test_wrong_options_are_explained(
    corpus: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        _pretrain(corpus, "--out", "lm", *options)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_errors_are_one_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _pretrain(corpus, "--out", str(corpus.parent)) == 1
    assert "exists and is not an empty folder" in capsys.readouterr().err
    assert main(["pretrain", "lm", "--corpus", "no.txt", "--out", "lm"]) == 1
    assert "There is no file no.txt" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["pretrain"])
    assert stop.value.code == 2
