"""Pre-training of encoders: what is written, resumed, shared out and refused.

This file is also the program that the slow test starts in two processes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tweetclf.exceptions import DataError
from tweetclf.pretraining import (
    EncoderModel,
    EncoderObjectives,
    EncoderTraining,
    train_encoder,
)
from tweetclf.pretraining._encoder_batches import (
    MixedBatches,
    _shares,
    hold_out,
    make_batches,
    make_masking,
)
from tweetclf.pretraining._encoder_model import (
    count_parameters,
    flops_per_token,
    make_model,
    make_optimizer,
    make_schedule,
)
from tweetclf.pretraining.corpus import TokenFiles, write_tokens
from tweetclf.training import KerasAdam, Lamb, Replicas, read_metrics
from tweetclf.utils.tensors import read_tensors

ROOT = Path(__file__).resolve().parents[2]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALL = EncoderModel(
    hidden_size=16, n_layers=2, n_heads=2, head_size=8, max_positions=32
)
TRAINING = EncoderTraining(
    model=SMALL,
    optimizer="adamw",
    schedule="linear",
    learning_rate=5e-3,
    warmup=0.1,
    batch_size=8,
    effective_batch_size=16,
    max_length=24,
    max_iter=2,
    validation_fraction=0.2,
)


def tokenizer(n_words: int = 30) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from tweetclf.pretraining.tweet_tokenizer import bert_template

    words = [*SPECIAL, *(f"w{k}" for k in range(n_words))]
    vocabulary = {word: number for number, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    bert_template(backend)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{token[1:-1].lower()}_token": token for token in SPECIAL},
    )


def sentences(n: int, first: int, seed: int) -> list[str]:
    """Words from `first` on, each followed by the next one: easy to foretell."""
    rng = np.random.default_rng(seed)
    found = []
    for start, length in zip(
        rng.integers(0, 10, n), rng.integers(3, 8, n), strict=True
    ):
        found.append(" ".join(f"w{first + (start + k) % 10}" for k in range(length)))
    return found


def write_files(folder: Path) -> None:
    # Replies are of other words than tweets: their order can be told.
    pairs = list(zip(sentences(60, 0, 1), sentences(60, 10, 2), strict=True))
    write_tokens(pairs, tokenizer(), folder / "pairs")
    write_tokens(sentences(40, 20, 3), tokenizer(), folder / "texts")
    write_tokens(sentences(9, 0, 4), tokenizer(31), folder / "others")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    write_files(folder)
    return folder


def weights_of(folder: Path) -> dict[str, bytes]:
    arrays = read_tensors(folder / "model.safetensors")[0]
    return {name: array.tobytes() for name, array in arrays.items()}


def test_what_is_written_is_what_was_learnt(tokens, tmp_path):
    from transformers import AutoModelForPreTraining, AutoTokenizer

    out = tmp_path / "model"
    wider = replace(SMALL, hidden_size=64, head_size=32)
    training = replace(TRAINING, max_iter=12, model=wider, clip_norm=1.0)
    result = train_encoder(
        tokens / "pairs", out, training=training, facts={"card": "0123"}
    )
    # 48 pairs, twice each, 16 examples a step.
    assert result.n_steps == 12 * 6
    assert len(result.history) == 12
    assert result.scores["valid_rop_accuracy"] == 1.0
    # By chance it is the logarithm of 30 words, 3.4.
    assert result.history[0]["mlm_loss"] > 3.3
    assert result.history[-1]["mlm_loss"] < 2.7
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "metrics.jsonl", "model.safetensors", "pretraining.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    model = AutoModelForPreTraining.from_pretrained(out)
    assert type(model).__name__ == "TWilBertForPreTraining"
    assert model.config.pair_objective == "rop"
    assert count_parameters(model) == result.n_parameters
    read = AutoTokenizer.from_pretrained(out)
    assert read.model_max_length == 24
    batch = read(["w1 w2 w3", "w11 w12"], ["w11 w12 w13", "w1 w2"], padding=True)
    batch = {name: torch.tensor(ids) for name, ids in batch.items()}
    with torch.no_grad():
        judged = model(**batch).seq_relationship_logits.argmax(1)
    # 1 is a tweet and its reply, as it was written.
    assert judged.tolist() == [1, 0]

    facts = json.loads((out / "pretraining.json").read_text("utf-8"))
    assert facts["card"] == "0123"
    assert facts["n_steps"] == 72
    assert facts["training"]["model"]["hidden_size"] == 64
    assert facts["scores"] == result.scores
    assert facts["corpus"][0]["n_documents"] == 60
    assert set(facts["machine"]) >= {"device", "n_threads", "torch", "precision"}
    assert os.fspath(tokens) not in json.dumps(facts)
    records = read_metrics(out / "metrics.jsonl")
    steps = [record["step"] for record in records if record["kind"] == "step"]
    assert steps[-1] == 71
    assert {"mlm_loss", "rop_loss", "rop_accuracy", "tokens_per_second"} <= set(
        records[0]
    )


@pytest.mark.parametrize("architecture", ["bert", "albert"])
def test_plain_transformers_load_what_is_theirs(tokens, tmp_path, architecture):
    code = (
        "import sys, warnings; from transformers import AutoModel, AutoTokenizer\n"
        "model = AutoModel.from_pretrained(sys.argv[1])\n"
        "read = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "ids = read('w1 w2', return_tensors='pt')\n"
        "assert model(**ids).last_hidden_state.shape == (1, 4, 16)\n"
        "assert not any(name.startswith('tweetclf') for name in sys.modules)\n"
    )
    sizes = {"architecture": architecture, "n_heads": 4, "head_size": None}
    training = replace(TRAINING, model=replace(SMALL, **sizes), max_steps=2)
    train_encoder(tokens / "pairs", tmp_path / "model", training=training)
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], check=True)


@pytest.mark.parametrize("pair", ["nsp", "sop", None])
@pytest.mark.parametrize("masking", ["token", "word"])
def test_other_objectives(tokens, tmp_path, pair, masking):
    training = replace(
        TRAINING,
        objectives=EncoderObjectives(pair=pair, masking=masking),
        max_steps=3,
        optimizer="keras-adam",
    )
    if masking == "word":
        # Words of their own are marked by nothing.
        with pytest.raises(ValueError, match="words cannot be told apart"):
            train_encoder(tokens / "pairs", tmp_path / "model", training=training)
        return
    result = train_encoder(tokens / "pairs", tmp_path / "model", training=training)
    assert (f"valid_{pair}_accuracy" in result.scores) == (pair is not None)
    assert result.n_steps == 3


def test_an_interrupted_training_goes_on_to_the_same_bits(tokens, tmp_path):
    training = replace(TRAINING, model=replace(SMALL, dropout=0.1))
    place = [tokens / "pairs", tokens / "texts"]
    train_encoder(place, tmp_path / "whole", training=training)

    def interrupt_at(step: int) -> Any:
        def interrupt(event: dict[str, Any]) -> None:
            if event["kind"] == "step" and event["step"] == step:
                raise KeyboardInterrupt

        return interrupt

    options = {"checkpoint": tmp_path / "kept", "checkpoint_minutes": 1e-9}
    for at in (3, 11):
        with pytest.raises(KeyboardInterrupt):
            train_encoder(
                place,
                tmp_path / "cut",
                training=training,
                report=interrupt_at(at),
                **options,
            )
        assert not (tmp_path / "cut").exists()
    with pytest.raises(DataError, match="holds the checkpoint of another training"):
        train_encoder(
            place,
            tmp_path / "cut",
            training=replace(training, batch_size=16),
            **options,
        )
    train_encoder(place, tmp_path / "cut", training=training, **options)
    assert weights_of(tmp_path / "whole") == weights_of(tmp_path / "cut")
    assert not (tmp_path / "kept").exists()
    told = [
        [(r["kind"], r["step"], r.get("valid_loss")) for r in read_metrics(path)]
        for path in (tmp_path / "whole/metrics.jsonl", tmp_path / "cut/metrics.jsonl")
    ]
    ends = [[r for r in records if r[0] == "epoch"] for records in told]
    assert ends[0] == ends[1]


def test_gradient_checkpointing_changes_no_number(tokens, tmp_path):
    training = replace(TRAINING, max_steps=3, model=replace(SMALL, dropout=0.2))
    for name in ("plain", "saving"):
        train_encoder(
            tokens / "pairs",
            tmp_path / name,
            training=replace(training, gradient_checkpointing=name == "saving"),
        )
    assert weights_of(tmp_path / "plain") == weights_of(tmp_path / "saving")


def test_training_goes_on_from_a_model(tokens, tmp_path):
    first = replace(
        TRAINING, objectives=EncoderObjectives(pair=None), validation_fraction=0.0
    )
    train_encoder(tokens / "pairs", tmp_path / "first", training=first)
    begun: list[dict[str, Any]] = []
    result = train_encoder(
        tokens / "pairs",
        tmp_path / "second",
        training=replace(TRAINING, learning_rate=1e-9, max_steps=1),
        start=tmp_path / "first",
        validation=tokens / "pairs",
        report=begun.append,
    )
    encoder = weights_of(tmp_path / "first")
    for name, array in read_tensors(tmp_path / "second/model.safetensors")[0].items():
        if name in encoder:
            before = np.frombuffer(encoder[name], array.dtype).reshape(array.shape)
            assert np.abs(array - before).max() < 1e-6
    # Its head for pairs is new.
    assert result.scores["valid_rop_accuracy"] < 1
    facts = json.loads((tmp_path / "second/pretraining.json").read_text("utf-8"))
    assert set(facts["start"]) == {"model.safetensors"}
    with pytest.raises(DataError, match="knows 35 tokens"):
        train_encoder(
            tokens / "others",
            tmp_path / "third",
            training=first,
            start=tmp_path / "first",
        )


def test_what_does_not_fit_is_refused(tokens, tmp_path):
    out = tmp_path / "model"
    with pytest.raises(DataError, match="only single texts"):
        train_encoder(tokens / "texts", out, training=TRAINING)
    with pytest.raises(DataError, match="cut by different tokenizers"):
        train_encoder([tokens / "pairs", tokens / "others"], out, training=TRAINING)
    with pytest.raises(ValueError, match="must be a multiple of 'batch_size'"):
        train_encoder(
            tokens / "pairs", out, training=replace(TRAINING, effective_batch_size=12)
        )
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(FileExistsError):
        train_encoder(tokens / "pairs", out, training=TRAINING)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: EncoderModel(architecture="gpt"),
            "one of 'twilbert', 'bert', 'albert'",
        ),
        (lambda: EncoderModel(n_layers=0), "'n_layers' parameter must be an int"),
        (lambda: EncoderModel(dropout=1.0), "at least 0 and less than 1"),
        (lambda: EncoderObjectives(pair="mlm"), "one of 'rop', 'nsp', 'sop', None"),
        (lambda: EncoderObjectives(mask_rate=0), "between 0 and 1"),
        (lambda: EncoderTraining(optimizer="sgd"), "'keras-adam', 'adamw', 'lamb'"),
        (lambda: EncoderTraining(batch_size=1.5), "'batch_size' parameter must be"),
        (lambda: EncoderTraining(max_length=300), "the model has 260 positions"),
        (lambda: EncoderTraining(warmup=0.1), "needs a 'warmup' in steps"),
    ],
)
def test_settings_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_defaults_are_those_of_twilbert():
    training = EncoderTraining()
    assert training.accumulate() == 32
    assert training.accumulate(4) == 8
    with torch.device("meta"):
        model = make_model(training, 30_002, 0)
    # 82 million, as its README says.
    assert 81.5e6 < count_parameters(model) < 82e6
    schedule = make_schedule(training, 110_000, 768)
    # systems.md 1.8.
    assert schedule(7999) == pytest.approx(4.034e-4, rel=1e-3)
    assert schedule(109_999) == pytest.approx(1.09e-4, rel=1e-2)
    module = torch.nn.Linear(2, 2)
    optimizer = make_optimizer(module, training)
    assert isinstance(optimizer, KerasAdam)
    assert optimizer.defaults["betas"] == (0.9, 0.98)
    assert optimizer.param_groups[0]["lr"] == 1.0
    lamb = make_optimizer(
        module, replace(training, optimizer="lamb", schedule="constant", warmup=0)
    )
    assert isinstance(lamb, Lamb)
    assert lamb.param_groups[0]["lr"] == 1.76e-3


def test_schedules_have_the_peak_that_is_asked_for():
    noam = replace(EncoderTraining(), warmup=10, learning_rate=0.5)
    schedule = make_schedule(noam, 100, 64)
    assert max(map(schedule, range(100))) == schedule(9) == pytest.approx(1)
    linear = make_schedule(replace(noam, schedule="linear", warmup=0.1), 100, 64)
    assert [linear(step) for step in (0, 5, 10, 100)] == [0, 0.5, 1, 0]
    constant = make_schedule(replace(noam, schedule="constant", warmup=4), 100, 64)
    assert [constant(step) for step in (2, 4, 99)] == [0.5, 1, 1]


def test_operations_are_those_of_the_matrices():
    with torch.device("meta"):
        model = make_model(EncoderTraining(), 30_002, 0)
    matrices = sum(
        p.numel() for name, p in model.twilbert.layers.named_parameters() if p.ndim == 2
    )
    head = 0.15 * 768 * 30_002
    attention = 6 * 2 * 50 * 384
    expected = 6 * (matrices + head + attention)
    assert flops_per_token(model.config, 50.0, 0.15) == pytest.approx(expected)


def test_documents_are_held_out_by_their_number():
    kept, held = hold_out(1000, 0.01, 0, "0")
    assert len(held) == 10
    assert sorted([*kept, *held]) == list(range(1000))
    assert not np.array_equal(held, hold_out(1000, 0.01, 0, "1")[1])
    assert len(hold_out(5_000_000, 0.01, 0, "0")[1]) == 10_000
    nothing = hold_out(1000, 0.0, 0, "0")
    assert nothing[0] is None
    assert len(nothing[1]) == 0
    with pytest.raises(DataError, match="too few to hold any out"):
        hold_out(1, 0.5, 0, "0")


def test_batches_hold_a_part_of_each_source(tokens):
    files = [TokenFiles.open(tokens / name) for name in ("texts", "pairs")]
    training = replace(TRAINING, batch_size=16)
    batches = make_batches(
        files,
        [None, None],
        training,
        make_masking(training.objectives, None),
        Replicas(),
    )
    assert _shares(16, [120, 40]) == [12, 4]
    assert batches.n_batches(0) == 10
    n_pairs = 0
    for batch in batches.epoch(0):
        assert len(batch["lengths"]) == 16
        assert len(batch["pair_labels"]) == 12
        # Pairs stand first: two segments each.
        ends = np.cumsum(batch["sizes"])
        types = batch["token_type_ids"].numpy()
        assert types[ends[:12] - 1].all()
        assert not types[ends[11] :].any()
        hidden = batch["input_ids"].clone()
        hidden[batch["places"]] = batch["targets"]
        # The places are those of the joined row: put back, no mask is left.
        assert not (hidden == 4).any()
        assert batch["sizes"].tolist() == batch["lengths"].tolist()
        n_pairs += len(batch["pair_labels"])
    assert n_pairs == 120
    halves = batches.split(batch)
    assert [len(half["sizes"]) for half in halves] == [8, 8]
    assert [len(half["pair_labels"]) for half in halves] == [8, 4]
    assert isinstance(batches, MixedBatches)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tokens, tmp_path):
    _spawn(tokens, tmp_path, 2)
    _spawn(tokens, tmp_path, 1)
    one, two = tmp_path / "by-1", tmp_path / "by-2"
    history = [
        json.loads((folder / "pretraining.json").read_text("utf-8"))["history"]
        for folder in (one, two)
    ]
    for entry, expected in zip(*history, strict=True):
        for name, value in expected.items():
            if "second" not in name:
                assert entry[name] == pytest.approx(value, rel=1e-5)
    arrays = [read_tensors(f / "model.safetensors")[0] for f in (one, two)]
    for name, array in arrays[0].items():
        assert np.allclose(array, arrays[1][name], atol=1e-5)


def _spawn(tokens: Path, folder: Path, size: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(size)}
    place |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(tokens), str(folder / f"by-{size}")],
            env={**os.environ, **place, "RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    errors = [process.communicate(timeout=250)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * size, errors


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    train_encoder(
        source / "pairs",
        target,
        training=replace(TRAINING, batch_size=4),
        checkpoint=target.with_name(f"{target.name}.kept"),
    )
