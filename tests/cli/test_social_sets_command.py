"""``tweetclf social hashtags`` and ``engagements``, ``tweetclf pretrain social``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tweetclf.cli import main
from tweetclf.cli.pretrain import spell_out
from tweetclf.exceptions import DataError
from tweetclf.pretraining.social_config import read_pair_corpus
from tweetclf.social import (
    build_engagement_set,
    read_engagement_set,
    write_pair_corpus,
)

pytestmark = pytest.mark.usefixtures("own_folder")

ROOT = Path(__file__).resolve().parents[2]
TWEETS = [
    {"id": f"t{k}", "text": f"tuit {k} sobre #{'gol' if k % 3 else 'lluvia'}",
     "lang": "es"}
    for k in range(60)
]  # fmt: skip


def _write_tweets() -> None:
    lines = "".join(json.dumps(row) + "\n" for row in TWEETS)
    Path("tweets.jsonl").write_text(lines, "utf-8")


def _write_pairs(folder: str, step: int = 2) -> None:
    tweets = [(row["id"], row["text"], row["lang"]) for row in TWEETS]
    first = np.arange(60 - step)
    ids = [row["id"] for row in TWEETS]
    write_pair_corpus(first, first + step, ids, tweets, folder)


def test_hashtag_sets_are_built_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    _write_tweets()
    Path("corpus.txt").write_text("nada de eso\n", "utf-8")
    command = ["social", "hashtags", "tweets.jsonl", "--out", "sets"]
    options = ["--hashtags", "2", "--min-rows", "10", "--corpus", "corpus.txt"]
    assert main([*command, *options]) == 0
    said = capsys.readouterr()
    assert "es" in said.out
    assert "48" in said.out
    assert "1 sets in sets" in said.err
    assert Path("sets/es/train.jsonl").is_file()
    assert main([*command, *options]) != 0  # not over what is there


def test_an_engagement_set_is_built_from_a_graph(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _write_tweets()
    rows = [f"u{k % 9}\tt{k % 60}\n" for k in range(200)]
    Path("likes.tsv").write_text("user\ttweet\n" + "".join(rows), "utf-8")
    assert main(["social", "graph", "likes.tsv", "--out", "graph"]) == 0
    Path("secret").write_bytes(b"sixteen bytes at least")
    for name in ("one", "two"):
        command = ["social", "engagements", "tweets.jsonl", "--graph", "graph"]
        assert main([*command, "--salt-file", "secret", "--out", name]) == 0
    said = capsys.readouterr()
    assert "9 users, under pseudonyms" in said.err
    found = read_engagement_set("one")
    assert found.users == read_engagement_set("two").users
    assert sum(len(r) for r in found.records.values()) == len(
        {(k % 9, k % 60) for k in range(200)}
    )


def test_rows_that_cannot_be_used_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = [
        {"id": "t9", "text": "media cara \ud83d", "lang": "es"},
        {"id": "t8", "text": None},
        {"id": "t99", "text": "uno #gol", "lang": "../x"},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in [*TWEETS[:8], *bad, *TWEETS[10:]])
    Path("tweets.jsonl").write_text(lines, "utf-8")
    command = ["social", "hashtags", "tweets.jsonl", "--min-rows", "10", "--out"]
    assert main([*command, "sets"]) == 0
    said = capsys.readouterr().err
    assert "2 bad rows were left out" in said
    assert "tweets.jsonl, line 9: half of a surrogate pair in the text" in said
    assert "1 tweets with hashtags name a language that is no code" in said
    assert main([*command, "others", "--max-bad-rows", "1"]) == 1
    assert "more than max_bad_rows=1" in capsys.readouterr().err
    Path("likes.csv").write_text("user,tweet\na,t1\nb,t1\na,t2\nb,t2\na,t3\nb,t3\n")
    assert main(["social", "graph", "likes.csv", "--out", "graph"]) == 0
    small = ["--dim", "4", "--epochs", "1"]
    assert main(["social", "embed", "graph", *small, "--out", "vectors"]) == 0
    assert main(["social", "pairs", "vectors", "--k", "2", "--out", "pairs"]) == 0
    rest = ["tweets.jsonl", "--graph", "graph", "--out"]
    capsys.readouterr()
    for line in (["engagements", *rest, "set"], ["corpus", "pairs", *rest, "corpus"]):
        assert main(["social", *line]) == 0
        assert "2 bad rows were left out" in capsys.readouterr().err


def test_stages_are_trained_by_a_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("transformers")
    _write_pairs("pairs")
    Path("c.toml").write_text(
        'kind = "social"\n[model]\nhidden_size = 8\nn_layers = 1\nn_heads = 2\n'
        'max_positions = 32\n[tokenizer]\nvocab_size = 300\n[data]\ncorpus = "none"\n'
        '[[stages]]\nname = "joint"\nn_steps = 2\nbatch_size = 8\nmax_length = 32\n'
        "projection = [8, 4]\n",
        "utf-8",
    )
    command = ["pretrain", "c.toml", "--corpus", "pairs", "--out", "out"]
    assert main(command) == 0
    assert "joint: 2 steps, saved in" in capsys.readouterr().err
    assert Path("out/joint/model.safetensors").is_file()
    assert main(command) == 0
    assert "all stages are in out already" in capsys.readouterr().err
    _write_pairs("others", step=3)
    command[command.index("pairs")] = "others"
    assert main(command) == 1
    assert "out holds stages of other data than others" in capsys.readouterr().err
    Path("others/tweets.jsonl").write_text(
        "".join(json.dumps({**row, "lang": None}) + "\n" for row in TWEETS), "utf-8"
    )
    assert main([*command[:-1], "unnamed"]) == 0
    said = capsys.readouterr().err
    assert said.count("warning: language_power=0.7 has no effect on the stage") == 1


STAGES = """
kind = "social"
[model]
hidden_size = 16
n_layers = 1
n_heads = 2
max_positions = 24
[tokenizer]
vocab_size = 300
[data]
corpus = "pairs"
[[stages]]
name = "mlm"
pairs = false
social_weight = 0
n_steps = 4
batch_size = 16
max_length = 16
[[stages]]
name = "joint"
projection = [16, 8]
n_steps = 3
batch_size = 16
max_length = 16
"""


def _by_two(*options: str) -> subprocess.CompletedProcess[str]:
    """Run ``torchrun --nproc-per-node 2 -m tweetclf pretrain c.toml``."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = ["-m", "tweetclf", "pretrain", "c.toml", "--device", "cpu", *options]
    return subprocess.run(
        [*torchrun, "--nproc-per-node", "2", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_train_all_stages_under_torchrun() -> None:
    pytest.importorskip("transformers")
    _write_pairs("pairs")
    Path("c.toml").write_text(STAGES, "utf-8")
    done = _by_two("--out", "two")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("mlm: 4 steps, saved in") == 1
    assert done.stderr.count("joint: 3 steps, saved in") == 1
    there = {path.name for path in Path("two").iterdir()}
    assert there == {"config.json", "tokenizer", "mlm", "joint"}
    again = _by_two("--out", "two")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("all stages are in two already") == 1
    # What the main process cannot make ends the other one, too.
    Path("c.toml").write_text(STAGES.replace("[tokenizer]\nvocab_size = 300\n", ""))
    failed = _by_two("--out", "none")
    assert failed.returncode == 1
    assert "needs a tokenizer" in failed.stderr


def test_a_configuration_goes_to_the_command_of_its_kind() -> None:
    Path("a.toml").write_text('kind = "social"\n', "utf-8")
    Path("b.toml").write_text("[model]\n", "utf-8")
    assert spell_out(["a.toml"]) == ["social", "a.toml"]
    assert spell_out(["b.toml"]) == ["config", "b.toml"]
    assert spell_out(["missing.toml"]) == ["config", "missing.toml"]
    assert spell_out(["twhin-base", "--out", "x"]) == [
        "social",
        "twhin-base",
        "--out",
        "x",
    ]
    assert spell_out(["social", "a.toml"]) == ["social", "a.toml"]


def test_pairs_get_their_texts(capsys: pytest.CaptureFixture[str]) -> None:
    _write_tweets()
    rows = [f"u{k % 9},t{k % 61}\n" for k in range(300)]  # t60 has no text
    Path("likes.csv").write_text("user,tweet\n" + "".join(rows), "utf-8")
    assert main(["social", "graph", "likes.csv", "--out", "graph"]) == 0
    small = ["--dim", "4", "--epochs", "1"]
    assert main(["social", "embed", "graph", *small, "--out", "vectors"]) == 0
    assert main(["social", "pairs", "vectors", "--k", "60", "--out", "pairs"]) == 0
    capsys.readouterr()
    command = ["social", "corpus", "pairs", "tweets.jsonl"]
    assert main([*command, "--graph", "graph", "--out", "corpus"]) == 0
    n_all = 61 * 60 // 2
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == [
        "60",
        f"{n_all - 60:,}",
        "60",
    ]
    texts, pairs, languages = read_pair_corpus("corpus")
    assert set(texts) == {row["text"] for row in TWEETS}
    assert len(pairs) == n_all - 60
    assert languages == ["es"] * 60
    Path("few.csv").write_text("user,tweet\na,t1\nb,t2\n")
    assert main(["social", "graph", "few.csv", "--out", "few"]) == 0
    with pytest.raises(SystemExit):
        main([*command, "--graph", "few", "--out", "other"])
    assert "is of 61 posts and few has 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (["hashtags", "tweets.jsonl", "--hashtags", "1"], "at least 2, got 1"),
        (
            ["engagements", "tweets.jsonl", "--graph", "g", "--salt-file", "salt"],
            "salt holds 5 bytes",
        ),
        (
            ["graph", "l.csv", "--min-user-degree", "9", "--max-user-degree", "3"],
            "--max-user-degree 3 is below --min-user-degree 9",
        ),
        (["embed", "g", "--device", "gpux"], "--device gpux cannot be used"),
    ],
)
def test_wrong_values_are_named(
    step: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("salt").write_bytes(b"short")
    with pytest.raises(SystemExit) as stop:
        main(["social", *step, "--out", "out"])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_set_that_lost_engagements_is_refused() -> None:
    tweets = [(f"t{k}", f"tuit {k}", "es") for k in range(20)]
    likes = [(f"user{k % 7}", f"t{k % 20}") for k in range(60)]
    build_engagement_set(tweets, likes, "set")
    Path("set/test.tsv").write_text("")
    with pytest.raises(DataError, match="not as many as its card says"):
        read_engagement_set("set")
