"""tweetclf pretrain CONFIG: stages that are made once, killed, refused and planned."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tweetclf.cli import main
from tweetclf.cli.pretrain import spell_out
from tweetclf.exceptions import DataError
from tweetclf.pretraining import (
    EncoderTraining,
    bundled_configs,
    read_pretraining_config,
)
from tweetclf.tasks import load_task

pytestmark = pytest.mark.usefixtures("own_folder")

ROOT = Path(__file__).resolve().parents[2]
SMALL = """
[corpus.pairs]
sources = ["pairs.jsonl"]
near_threshold = "none"
tasks = []
splits = { train = 0.8, validation = 0.2 }

[tokenizer]
vocab_size = 70
alphabet_coverage = 1.0

[model]
hidden_size = 16
n_layers = 1
n_heads = 2
head_size = 8
max_positions = 32

[training]
optimizer = "adamw"
schedule = "linear"
warmup = 0.1
batch_size = 8
effective_batch_size = "none"
max_length = 32
max_steps = 12

[out]
folder = "made"
checkpoint_minutes = 0.0001
"""


@pytest.fixture
def config(own_folder: Path) -> Path:
    rows = [
        {"text": f"hoy hay {a} en {b}", "text_b": f"pues yo no veo {a} por {b}"}
        for a in ("sol", "lluvia", "niebla", "viento")
        for b in ("casa", "lima", "murcia", "quito", "playa", "cuba")
    ]
    lines = [json.dumps(row) + "\n" for row in rows]
    (own_folder / "pairs.jsonl").write_text("".join(lines), "utf-8")
    path = own_folder / "small.toml"
    path.write_text(SMALL, "utf-8")
    return path


def changed(config: Path, before: str, after: str) -> None:
    text = config.read_text("utf-8")
    assert before in text
    config.write_text(text.replace(before, after), "utf-8")


def test_stages_are_made_once(config, capsys, monkeypatch):
    assert main(["pretrain", "small.toml"]) == 0
    said = capsys.readouterr().err
    made = [line.partition(":")[0] for line in said.splitlines() if ": made in" in line]
    assert made == ["corpus", "tokenizer", "tokens", "model"]
    assert "rop_accuracy" in said
    folder = Path("made")
    assert sorted(p.name for p in folder.iterdir()) == sorted(made)
    facts = json.loads((folder / "model/pretraining.json").read_text("utf-8"))
    assert facts["n_steps"] == 12
    assert len(facts["cards"]["pairs"]) == 64
    assert facts["config"] == "small"
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}

    assert main(["pretrain", "small.toml"]) == 0
    assert capsys.readouterr().err.count("up to date") == 4
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == times

    # Other training, same tokens: the model alone is of other settings.
    changed(config, "max_steps = 12", "max_steps = 13")
    assert main(["pretrain", "small.toml"]) == 1
    said = capsys.readouterr().err
    assert "model was made of other data or settings. Remove it" in said
    assert main(["pretrain", "small.toml", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    states = {stage["stage"]: stage["state"] for stage in plan["stages"]}
    assert states == {
        **dict.fromkeys(("corpus", "tokenizer", "tokens"), "done"),
        "model": "other settings",
    }
    assert plan["n_steps"] == 13
    assert plan["n_examples"] % 2 == 0

    # Other texts: all is.
    with Path("pairs.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "una cosa más", "text_b": "y otra más"}\n')
    assert main(["pretrain", "small.toml"]) == 1
    assert "corpus was made of other data" in capsys.readouterr().err


def test_one_stage_at_a_time(config, capsys):
    assert main(["pretrain", "small.toml", "--only", "tokenizer"]) == 1
    assert "needs 'corpus', which is not there yet" in capsys.readouterr().err
    for stage in ("corpus", "tokenizer"):
        assert main(["pretrain", "small.toml", "--only", stage]) == 0
    assert sorted(p.name for p in Path("made").iterdir()) == ["corpus", "tokenizer"]


def test_an_interrupted_training_goes_on(config, capsys, monkeypatch):
    from tweetclf.cli import _pretrain_config as command

    assert main(["pretrain", "small.toml", "--out", "whole"]) == 0
    assert main(["pretrain", "small.toml", "--only", "corpus"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(command, "_tell", _interrupt)
        assert main(["pretrain", "small.toml"]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not Path("made/model").exists()
    assert main(["pretrain", "small.toml", "--data-dir", "no-data"]) == 0
    weights = "model/model.safetensors"
    assert Path("whole", weights).read_bytes() == Path("made", weights).read_bytes()
    # No work is left behind.
    assert len(list(Path("made").iterdir())) == 4


def _interrupt(event: dict[str, Any]) -> None:
    if event["kind"] == "step" and event["step"] == 7:
        raise KeyboardInterrupt


def test_a_plan_makes_nothing(config, capsys):
    assert main(["pretrain", "small.toml", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "parameters:" in out
    assert "memory of a process:   about" in out
    assert out.count("to do") == 4
    assert not Path("made").exists()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "n_layers",
            "layers",
            "small.toml [model]: unknown key 'layers'. Did you mean",
        ),
        ("max_steps", "steps", "[training]: unknown key 'steps'. Did you mean 'max_st"),
        ("[out]", "[output]", "unknown key 'output'. Did you mean 'out'?"),
        ("[corpus.pairs]", "[corpus.pear]", "[corpus]: unknown key 'pear'"),
        ("near_threshold", "threshold", "[corpus.pairs]: unknown key 'threshold'"),
        ("vocab_size", "vocabulary_size", "[tokenizer]: unknown key 'vocabulary_size'"),
        ('"adamw"', '"adam"', "must be one of 'keras-adam', 'adamw', 'lamb'"),
        ("max_steps = 12", "max_steps = 0", "'max_steps' parameter must be an int"),
        ('"pairs.jsonl"', '"no.jsonl"', "There is no file no.jsonl"),
        ('sources = ["pairs.jsonl"]\n', "", "does not name what to learn from"),
        ('["pairs.jsonl"]', '[{ path = "x", replay = "b" }]', "unknown key 'replay'"),
        ("[out]", "[out", "is not TOML"),
        ("0.0001", "0", "'checkpoint_minutes' must be above 0"),
        ("= 70", '= 70\npath = "x"', "a tokenizer with a 'path' is not learnt"),
    ],
)
def test_what_is_wrong_is_named(config, capsys, before, after, message):
    changed(config, before, after)
    assert main(["pretrain", "small.toml"]) == 1
    assert message in capsys.readouterr().err
    assert not Path("made").exists()


def test_configurations_come_with_the_package():
    assert bundled_configs() == ["tiny", "twilbert-base", "twilbert-large"]
    base, large = map(read_pretraining_config, ("twilbert-base", "twilbert-large"))
    # The defaults of the settings are those of TWilBERT Base, but for what is not its.
    ours = {"max_steps": base.training.max_steps, "evaluate_every": 1000}
    assert base.training.max_steps == 110_000
    expected = vars(EncoderTraining(**ours, model=base.training.model))
    assert vars(base.training) == expected
    assert large.training.model.n_layers == large.training.model.n_heads == 12
    assert large.training.warmup == 10_000
    with pytest.raises(DataError, match="Did you mean 'tiny'"):
        read_pretraining_config("tinny")
    with pytest.raises(DataError, match="there is no configuration at no.toml"):
        read_pretraining_config("no.toml")


def test_the_name_of_a_configuration_stands_for_its_kind(capsys):
    assert spell_out(["tiny", "--only", "model"]) == [
        "config",
        "tiny",
        "--only",
        "model",
    ]
    assert spell_out(["bert", "--corpus", "x.toml"]) == ["bert", "--corpus", "x.toml"]
    assert main(["pretrain", "twilbert-base", "--dry-run"]) == 1
    assert "Name files or registered corpora with --pairs" in capsys.readouterr().err


def test_tiny_needs_nothing_and_leaves_tests_alone(capsys):
    assert main(["pretrain", "tiny", "--only", "corpus"]) == 0
    folder = Path("tiny-pretraining/corpus")
    learnt = "".join(
        path.read_text("utf-8")
        for path in sorted(folder.glob("*/*.jsonl*"))
        if path.suffix == ".jsonl"
    )
    assert not learnt
    import gzip

    for path in sorted(folder.glob("*/*.jsonl.gz")):
        learnt += gzip.decompress(path.read_bytes()).decode("utf-8")
    texts = {json.loads(line)["text"] for line in learnt.splitlines()}
    assert len(texts) > 900
    for name in ("sample-sentiment", "sample-stance"):
        for text in load_task(name).test.texts:
            first = text if isinstance(text, str) else text[0]
            assert first not in texts
    assert main(["pretrain", "tiny", "--dry-run"]) == 0

    # A test set that was not at hand when the corpus was made is named.
    capsys.readouterr()
    assert main(["pretrain", "tiny", "--only", "corpus"]) == 0
    assert "was not compared" not in capsys.readouterr().err
    path = folder / "texts/card.json"
    card = json.loads(path.read_text("utf-8"))
    card["contamination"]["tasks"].remove("sample-humor")
    path.write_text(json.dumps(card), "utf-8")
    assert main(["pretrain", "tiny", "--only", "corpus"]) == 0
    said = capsys.readouterr().err
    assert "texts was not compared with the test sets of sample-humor, which" in said


def test_files_of_ones_own_take_the_place_of_others(own_folder, capsys):
    lines = [f"hoy es el día {k} del año y hace sol" for k in range(40)]
    (own_folder / "mine.txt").write_text("\n".join(lines), "utf-8")
    assert main(["pretrain", "tiny", "--texts", "mine.txt", "--only", "corpus"]) == 0
    assert [p.name for p in Path("tiny-pretraining/corpus").glob("*/")] == ["texts"]
    config = read_pretraining_config("tiny").with_sources(texts=["mine.txt"])
    # Single texts have no order to tell.
    assert config.training.objectives.pair is None


@pytest.mark.slow
def test_a_killed_command_goes_on_under_torchrun(config):
    """SIGKILL in the training of one process; then the same with two of them."""
    changed(config, "max_steps = 12", "max_steps = 60")
    changed(config, "batch_size = 8", "batch_size = 4")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    alone = [sys.executable, "-m", "tweetclf", "pretrain", "small.toml", "--out"]
    subprocess.run([*alone, "whole"], check=True, env=environment)
    killed = subprocess.Popen([*alone, "cut"], env=environment)
    while not list(Path("cut").glob(".model-*.training/checkpoint-0000[1-9]?")):
        assert killed.poll() is None
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not Path("cut/model").exists()
    subprocess.run([*alone, "cut"], check=True, env=environment)
    weights = [
        Path(f, "model/model.safetensors").read_bytes() for f in ("whole", "cut")
    ]
    assert weights[0] == weights[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "--standalone", *alone[1:], "two"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(Path("two/model/pretraining.json").read_text("utf-8"))
    assert facts["n_processes"] == 2
    assert done.stderr.count("corpus: made in") == 1
