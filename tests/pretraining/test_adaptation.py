"""Adaptation: any head, the study's settings, losses, resuming, files, comparison."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from tweetclf.exceptions import DataError  # noqa: E402
from tweetclf.features._pretrained import load_pretrained  # noqa: E402
from tweetclf.pretraining import (  # noqa: E402
    AdaptationTraining,
    adapt_language_model,
    compare_migrations,
    train_tweet_tokenizer,
)
from tweetclf.pretraining._masked_run import PackedMaskedLM  # noqa: E402
from tweetclf.testing import make_tiny_transformer  # noqa: E402

RNG = np.random.default_rng(0)
WORDS = ["hola", "chau", "lunes", "viernes", "risa", "pena", "gol", "mate", "corriendo"]
GENERAL = [" ".join(RNG.choice(WORDS[:6], 6)) for _ in range(60)]
TWEETS = [" ".join(RNG.choice(WORDS, 6)) + f" @ana {k}" for k in range(90)]
FAST = AdaptationTraining(
    max_iter=3, batch_size=16, max_length=40, learning_rate=5e-3,
    validation_fraction=0.2,
)  # fmt: skip


def _load(folder: Path, kind: str = "bert") -> tuple[Any, Any]:
    path = folder / kind
    if not path.exists():
        make_tiny_transformer(path, GENERAL, kind=kind, n_layers=1, hidden_size=16)
    loaded = load_pretrained(path, auto_class="AutoModelForMaskedLM")
    return loaded.model, loaded.tokenizer


def test_the_settings_are_those_of_the_study() -> None:
    training = AdaptationTraining()
    assert (training.batch_size, training.max_length) == (55, 116)
    assert (training.learning_rate, training.weight_decay) == (1e-4, 0.03)
    assert training.warmup(1_000_000) == 10_000
    assert training.warmup(500) == 50
    for wrong in ({"mask_rate": 1.0}, {"max_iter": 0}, {"max_length": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AdaptationTraining(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", ["bert", "roberta", "xlm-roberta", "albert", "electra", "modernbert"]
)
def test_the_head_is_the_models_own(kind: str, tmp_path: Path) -> None:
    """Packed texts get the logits that the model gives them one by one."""
    model, tokenizer = _load(tmp_path, kind)
    model.eval()
    texts = ["hola lunes", "chau", "risa pena hola gol"]
    ids = [torch.tensor(tokenizer(text)["input_ids"]) for text in texts]
    with torch.inference_mode():
        single = torch.cat([model(input_ids=row[None]).logits[0] for row in ids])
        module = PackedMaskedLM(model).eval()
        packed = module(
            torch.cat(ids), torch.tensor([len(row) for row in ids]),
            torch.arange(len(single)),
        )  # fmt: skip
    torch.testing.assert_close(packed, single, rtol=1e-4, atol=1e-4)


def test_a_head_of_another_kind_is_refused(tmp_path: Path) -> None:
    model, _ = _load(tmp_path, "distilbert")
    with pytest.raises(ValueError, match="DistilBertForMaskedLM is not a chain"):
        PackedMaskedLM(model)


def test_it_adapts_and_tells_what_it_did(tmp_path: Path) -> None:
    model, tokenizer = _load(tmp_path)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    new = train_tweet_tokenizer(TWEETS, vocab_size=120)
    result = adapt_language_model(
        model, tokenizer, TWEETS, tmp_path / "out", new_tokenizer=new, training=FAST
    )
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert result.end.nats_per_token < result.start.nats_per_token - 0.3
    assert len(result.history) == 3
    assert result.end.nats_per_token == pytest.approx(
        min(epoch["valid_loss"] for epoch in result.history), rel=1e-5
    )
    assert (result.n_steps, result.warmup_steps) == (15, 1)
    told = json.loads((tmp_path / "out" / "adaptation.json").read_text("utf-8"))
    assert told["end"]["nats_per_token"] == result.end.nats_per_token
    assert told["overlap"]["n_new"] == len(new)
    assert told["training"]["batch_size"] == 16
    assert told["n_texts"] == len(TWEETS)
    plain = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    reader = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert plain.config.vocab_size == len(reader) == len(new)


def test_losses_a_character_are_losses_a_token_over_their_lengths(
    tmp_path: Path,
) -> None:
    model, tokenizer = _load(tmp_path)
    result = adapt_language_model(
        model, tokenizer, TWEETS, tmp_path / "out", training=FAST
    )
    assert result.overlap is None
    assert result.original == result.start
    from tweetclf.pretraining._masked_batches import split_rows

    held, _ = split_rows(len(TWEETS), 0.2, 0)
    texts = [TWEETS[row] for row in held]
    n_tokens = sum(
        sum(i not in tokenizer.all_special_ids for i in tokenizer(t)["input_ids"])
        for t in texts
    )
    for loss in (result.start, result.end):
        assert loss.nats_per_character == pytest.approx(
            loss.nats_per_token * n_tokens / sum(map(len, texts))
        )


def test_roberta_adapts_with_whole_words(tmp_path: Path) -> None:
    model, tokenizer = _load(tmp_path, "roberta")
    new = train_tweet_tokenizer(TWEETS, kind="bpe", vocab_size=300)
    result = adapt_language_model(
        model, tokenizer, TWEETS, tmp_path / "out", new_tokenizer=new, init="mean",
        training=replace(FAST, whole_words=True),
    )  # fmt: skip
    assert result.end.nats_per_token < result.start.nats_per_token
    plain = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    assert plain.get_output_embeddings().weight is plain.get_input_embeddings().weight


def test_the_same_seed_gives_the_same_files_and_resuming_too(tmp_path: Path) -> None:
    new = train_tweet_tokenizer(TWEETS, vocab_size=120)
    options: dict[str, Any] = {
        "new_tokenizer": new,
        "training": FAST,
        "random_state": 5,
    }
    state = torch.random.get_rng_state()
    adapt_language_model(*_load(tmp_path), TWEETS, tmp_path / "whole", **options)
    assert torch.equal(torch.random.get_rng_state(), state)

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "epoch" and event["epoch"] == 1:
            raise KeyboardInterrupt

    options["checkpoint"] = tmp_path / "kept"
    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        adapt_language_model(*_load(tmp_path), TWEETS, cut, report=interrupt, **options)
    assert not cut.exists()
    with pytest.raises(DataError, match="another training"):
        adapt_language_model(*_load(tmp_path), TWEETS, cut, init="mean", **options)
    adapt_language_model(*_load(tmp_path), TWEETS, cut, **options)
    assert not (tmp_path / "kept").exists()
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        files = [(tmp_path / folder / name).read_bytes() for folder in ("whole", "cut")]
        assert files[0] == files[1], name


def test_variants_differ_in_their_rows_alone(tmp_path: Path) -> None:
    model, tokenizer = _load(tmp_path)
    new = train_tweet_tokenizer(TWEETS, vocab_size=120)
    found = compare_migrations(
        model, tokenizer, TWEETS, new, training=replace(FAST, max_iter=2)
    )
    assert list(found["variants"]) == ["none", "random", "mean"]
    assert found["n_steps"] == 10
    for name, variant in found["variants"].items():
        assert [p["step"] for p in variant["held_out"]] == [0, 5, 10], name
        assert [p["step"] for p in variant["training"]] == list(range(1, 11))
    # The variant is what `adapt_language_model` does with it.
    result = adapt_language_model(
        model, tokenizer, TWEETS, tmp_path / "out", new_tokenizer=new, init="random",
        training=replace(FAST, max_iter=2),
    )  # fmt: skip
    curve = found["variants"]["random"]["held_out"]
    assert curve[0]["nats_per_token"] == result.start.nats_per_token
    assert [p["nats_per_token"] for p in curve[1:]] == [
        epoch["valid_loss"] for epoch in result.history
    ]
    assert found["original"]["nats_per_token"] == result.original.nats_per_token


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    model, tokenizer = _load(tmp_path)
    run = (model, tokenizer)
    with pytest.raises(DataError, match="holds 1 texts"):
        adapt_language_model(*run, ["hola", "hola", " "], tmp_path / "x")
    with pytest.raises(DataError, match="raise it"):
        adapt_language_model(
            *run, TWEETS, tmp_path / "x", training=replace(FAST, max_length=3)
        )
    with pytest.raises(DataError, match="knows 130 positions"):
        adapt_language_model(
            *run, TWEETS, tmp_path / "x", training=replace(FAST, max_length=200)
        )
    with pytest.raises(FileExistsError, match="not an empty folder"):
        adapt_language_model(*run, TWEETS, tmp_path / "bert")
    tokenizer.mask_token = None
    with pytest.raises(DataError, match="mask_token"):
        adapt_language_model(*run, TWEETS, tmp_path / "x")
