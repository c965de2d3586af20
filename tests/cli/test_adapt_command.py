"""tweetclf adapt: from a general model and tweets to a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

transformers = pytest.importorskip("transformers")

from tweetclf.cli import main  # noqa: E402
from tweetclf.testing import make_tiny_transformer  # noqa: E402

RNG = np.random.default_rng(0)
WORDS = ["hola", "chau", "lunes", "viernes", "risa", "pena", "gol", "mate"]
TWEETS = [" ".join(RNG.choice(WORDS, 6)) + f" @ana {k}" for k in range(60)]
QUICK = [
    *("--epochs", "2", "--batch-size", "20", "--max-length", "40"),
    *("--validation-fraction", "0.2", "--device", "cpu"),
]

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def model(own_folder: Path) -> str:
    Path("tweets.txt").write_text("\n".join(TWEETS) + "\n", "utf-8")
    texts = [text.split(" @")[0] for text in TWEETS]
    make_tiny_transformer("general", texts, n_layers=1, hidden_size=16)
    return "general"


def _adapt(model: str, *options: str) -> int:
    return main(["adapt", model, "--corpus", "tweets.txt", *options, *QUICK])


def test_it_learns_a_vocabulary_and_adapts(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _adapt(model, "--out", "adapted", "--vocab-size", "80") == 0
    printed = capsys.readouterr().err
    assert "tokenizer (wordpiece): 80 tokens" in printed
    assert "are shared" in printed
    assert "epoch 2: loss" in printed
    assert "warm-up: 0 steps, a tenth of 6, not 10000" in printed
    assert "nats a token" in printed
    told = json.loads(Path("adapted/adaptation.json").read_text("utf-8"))
    assert told["overlap"]["n_new"] == 80
    assert told["training"]["max_length"] == 40
    tokenizer = transformers.AutoTokenizer.from_pretrained("adapted")
    assert "[USER]" in tokenizer.decode(tokenizer("hola @pepe")["input_ids"])
    # A directory that fine-tuning takes.
    encoder = transformers.AutoModel.from_pretrained("adapted")
    assert encoder.config.vocab_size == 80
    left = sorted(path.name for path in Path().iterdir())
    assert left == ["adapted", "general", "tweets.txt"]


def test_the_tokenizer_may_be_kept_or_given(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _adapt(model, "--out", "kept", "--keep-tokenizer") == 0
    assert "shared" not in capsys.readouterr().err
    assert (
        Path("kept/tokenizer.json").read_bytes()
        == Path("general/tokenizer.json").read_bytes()
    )
    assert (
        json.loads(Path("kept/adaptation.json").read_text("utf-8"))["overlap"] is None
    )
    make_tiny_transformer("other", TWEETS, kind="roberta", n_layers=1)
    assert _adapt(model, "--out", "given", "--tokenizer", "other") == 0
    given = transformers.AutoTokenizer.from_pretrained("given")
    assert given.cls_token == "<s>"


def test_a_random_head_is_named(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    # The tiny model is an encoder alone.
    assert _adapt(model, "--out", "adapted", "--keep-tokenizer") == 0
    assert "general has no head that foretells" in capsys.readouterr().err
    assert _adapt("adapted", "--out", "again", "--keep-tokenizer") == 0
    assert "no head" not in capsys.readouterr().err


@pytest.mark.slow  # three trainings and a figure; the parts have tests of their own
def test_it_compares_with_and_without_migration(model: str) -> None:
    pytest.importorskip("matplotlib")
    options = ["--vocab-size", "80", "--compare", "--init", "mean"]
    assert _adapt(model, "--out", "adapted", *options) == 0
    compared = json.loads(Path("adapted/comparison.json").read_text("utf-8"))
    assert list(compared["variants"]) == ["none", "random", "mean"]
    told = json.loads(Path("adapted/adaptation.json").read_text("utf-8"))
    last = compared["variants"]["mean"]["held_out"][-1]["nats_per_token"]
    assert last == told["history"][-1]["valid_loss"]
    assert "<svg" in Path("adapted/comparison.svg").read_text("utf-8")


def test_an_interrupted_run_goes_on(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tweetclf.cli import adapt as command

    options = ["--vocab-size", "80"]
    assert _adapt(model, "--out", "whole", *options) == 0
    make = command._report_to

    def interrupting(show: Any, name: str) -> Any:
        def report(event: dict[str, Any]) -> None:
            if event["kind"] == "epoch" and event["epoch"] == 1:
                raise KeyboardInterrupt

        return report

    monkeypatch.setattr(command, "_report_to", interrupting)
    assert _adapt(model, "--out", "cut", *options) == 130
    said = capsys.readouterr().err
    assert "tweetclf adapt: interrupted" in said
    assert "the same command goes on from there" in said
    monkeypatch.setattr(command, "_report_to", make)
    assert _adapt(model, "--out", "cut", *options) == 0
    assert "epoch 1:" not in capsys.readouterr().err
    weights = [Path(f, "model.safetensors").read_bytes() for f in ("whole", "cut")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep-tokenizer", "--init", "mean"], "--init needs a new vocabulary"),
        (["--keep-tokenizer", "--compare"], "--compare needs a new vocabulary"),
        (["--keep-tokenizer", "--kind", "bpe"], "--kind is for a tokenizer"),
        (["--tokenizer", "x", "--lowercase"], "--lowercase is for a tokenizer"),
        (["--tokenizer", "x", "--keep-tokenizer"], "not allowed with"),
        (["--mask-rate", "0"], "'mask_rate' parameter must be between"),
    ],
)
def test_wrong_options_are_explained(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        _adapt("general", "--out", "adapted", *options)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_errors_are_one_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _adapt("nowhere", "--out", "x") == 1
    assert "'nowhere' is no directory" in capsys.readouterr().err
    assert _adapt(model, "--out", "x", "--tokenizer", "nowhere") == 1
    assert "no directory nowhere" in capsys.readouterr().err
    assert _adapt(model, "--out", "general") == 1
    assert "exists and is not an empty folder" in capsys.readouterr().err
