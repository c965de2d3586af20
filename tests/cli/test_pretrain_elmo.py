"""`tweetclf pretrain elmo`: from a file of tweets to a folder of weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tweetclf.cli import main
from tweetclf.features import ElmoVectorizer

pytestmark = pytest.mark.usefixtures("own_folder")

TWEETS = ["qué risa el lunes", "qué pena el martes", "@ana hola"] * 8
ARGUMENTS = ["pretrain", "elmo", "--size", "tiny", "--epochs", "2", "--device", "cpu"]


def test_from_tweets_to_vectors(capsys):
    Path("a.txt").write_text("\n".join(TWEETS[:12]) + "\n", encoding="utf-8")
    rows = [json.dumps({"tuit": tweet, "n": 1}) for tweet in TWEETS[12:]]
    Path("b.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    argv = [*ARGUMENTS, "--validation-fraction", "0.2", "--seed", "3"]
    assert main([*argv, "--corpus", "a.txt", "--out", "one"]) == 0
    said = capsys.readouterr().err
    assert "epoch 2: loss" in said
    assert "learnt from 12 tweets" in said
    assert "saved in one" in said
    assert main([*argv, "--corpus", "b.jsonl", "--text", "tuit", "--out", "two"]) == 0
    assert not list(Path().glob("*.training"))
    for name in ("one", "two"):
        elmo = ElmoVectorizer(name).fit(TWEETS)
        assert elmo.transform(TWEETS).shape == (24, 128)


def test_both_sides_of_pairs_are_texts(capsys):
    corpus = ["--corpus", "task:sample-stance"]
    options = ["--epochs", "1", "--device", "cpu", "--out"]
    elmo = ["pretrain", "elmo", "--size", "tiny", *options, "elmo", *corpus]
    assert main(elmo) == 0
    bert = ["pretrain", "bert", *options, "bert", *corpus]
    sizes = ["--vocab-size", "300", "--hidden-size", "8", "--layers", "1"]
    assert main([*bert, *sizes, "--heads", "2"]) == 0
    assert "saved in bert" in capsys.readouterr().err


def test_an_interrupted_run_goes_on(capsys, monkeypatch):
    from tweetclf.pretraining import elmo

    Path("a.txt").write_text("\n".join(TWEETS) + "\n", encoding="utf-8")
    argv = [*ARGUMENTS, "--corpus", "a.txt"]
    assert main([*argv, "--out", "whole"]) == 0
    fit_loop = elmo.fit_loop

    def interrupted(*args, report, **options):
        def stop(event):
            if event["kind"] == "step" and event["epoch"] == 1:
                raise KeyboardInterrupt
            return report(event)

        return fit_loop(*args, report=stop, **options)

    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(elmo, "fit_loop", interrupted)
        assert main([*argv, "--out", "cut"]) == 130
    assert "interrupted; what was learnt is in cut.training" in capsys.readouterr().err
    assert not Path("cut").exists()
    assert main([*argv, "--out", "cut"]) == 0
    assert "epoch 1" not in capsys.readouterr().err
    name = "elmo.safetensors"
    assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()


def test_mistakes_are_told_at_once(capsys):
    assert main([*ARGUMENTS, "--corpus", "no.txt", "--out", "elmo"]) == 1
    assert "no.txt" in capsys.readouterr().err
    Path("full").mkdir()
    Path("full", "file").touch()
    Path("a.txt").write_text("hola\n", encoding="utf-8")
    assert main([*ARGUMENTS, "--corpus", "a.txt", "--out", "full"]) == 1
    assert "is not an empty folder" in capsys.readouterr().err
    for option in ("--epochs", "--max-tokens", "--learning-rate"):
        with pytest.raises(SystemExit) as caught:
            main([*ARGUMENTS, "--corpus", "a.txt", "--out", "elmo", option, "-1"])
        assert caught.value.code == 2
    assert not Path("elmo").exists()
