"""Vocabulary migration, P38: rows copied, drawn or averaged, all else as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import nn

transformers = pytest.importorskip("transformers")

from tweetclf.features._pretrained import load_pretrained  # noqa: E402
from tweetclf.pretraining import migrate_vocabulary, train_tweet_tokenizer  # noqa: E402
from tweetclf.pretraining._piece_keys import Key, read_pieces  # noqa: E402
from tweetclf.testing import make_tiny_transformer  # noqa: E402

RNG = np.random.default_rng(0)
OLD = [
    "the",
    "old",
    "words",
    "are",
    "here",
    "and",
    "some",
    "of",
    "them",
    "remain",
    "in",
    "use",
    ".",
    ",",
    "!",
]
NEW = [
    "hola",
    "chau",
    "lunes",
    "viernes",
    "risa",
    "pena",
    "some",
    "of",
    "them",
    "remain",
    ".",
    ",",
    "!",
    "#gol",
]
OLD_TEXTS = [" ".join(RNG.choice(OLD, 7)) for _ in range(80)]
NEW_TEXTS = [" ".join(RNG.choice(NEW, 7)) for _ in range(80)]

# Architecture, and what the new tokenizer is: each convention meets each other.
PAIRS = [
    ("bert", "wordpiece"),
    ("roberta", "wordpiece"),
    ("xlm-roberta", "bpe"),
    ("albert", "unigram"),
    ("roberta", "unigram"),
    ("bert", "bpe"),
]


def _load(folder: Path, kind: str = "bert", **options: Any) -> tuple[Any, Any]:
    path = make_tiny_transformer(folder / kind, OLD_TEXTS, kind=kind, n_layers=1)
    loaded = load_pretrained(path, auto_class="AutoModelForMaskedLM", **options)
    model = loaded.model
    # Biases start at 0; those of a trained model do not.
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and "bias" in name:
                parameter.normal_()
    return model, loaded.tokenizer


@pytest.fixture(autouse=True)
def _leave_the_generator_alone() -> Any:
    state = torch.random.get_rng_state()
    yield
    torch.random.set_rng_state(state)


def _word_pieces(tokenizer: Any) -> dict[str, int]:
    """Return pieces of letters, as WordPiece writes them."""
    model = type(tokenizer.backend_tokenizer.model).__name__
    start = {"BPE": "Ġ", "Unigram": "▁"}.get(model)
    found = {}
    for token, number in tokenizer.get_vocab().items():
        if start is None:
            name = token
        else:
            name = token[1:] if token.startswith(start) else f"##{token}"
        if name.removeprefix("##").isascii() and name.removeprefix("##").isalpha():
            found[name] = number
    return found


@pytest.mark.parametrize(("kind", "new_kind"), PAIRS)
def test_shared_rows_are_copied_and_all_else_is_as_it_was(
    kind: str, new_kind: str, tmp_path: Path
) -> None:
    model, old = _load(tmp_path, kind)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    new = train_tweet_tokenizer(NEW_TEXTS, kind=new_kind, vocab_size=320)
    generator = torch.random.get_rng_state()
    moved, report = migrate_vocabulary(model, old, new)
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert type(moved) is type(model)
    theirs, ours = _word_pieces(old), _word_pieces(new)
    pairs = [(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()]
    roles = ("pad", "unk", "cls", "sep", "mask")
    pairs += [
        tuple(getattr(t, f"{role}_token_id") for t in (new, old)) for role in roles
    ]
    assert len(pairs) > 10
    to, of = (torch.tensor(numbers) for numbers in zip(*pairs, strict=True))
    old_rows = model.get_input_embeddings().weight
    new_rows = moved.get_input_embeddings().weight
    assert torch.equal(new_rows[to], old_rows[of])
    assert torch.equal(
        moved.get_output_embeddings().bias[to], model.get_output_embeddings().bias[of]
    )
    # What is new has a row of its own.
    lacking = [ours[name] for name in ours.keys() - theirs.keys()]
    assert lacking
    equal = (new_rows[lacking][:, None] == old_rows[None]).all(-1)
    assert not equal.any()
    assert report.n_shared >= len(pairs)
    # Tied as before.
    assert moved.get_output_embeddings().weight is new_rows
    # Everything else, bit for bit; the model that was given, all of it.
    n_old, n_new = len(old_rows), len(new)
    state = moved.state_dict()
    for name, value in before.items():
        assert torch.equal(model.state_dict()[name], value)
        if value.shape[:1] == (n_old,):
            assert state[name].shape[0] == n_new
        elif not name.endswith("position_embeddings.weight"):
            assert torch.equal(state[name], value), name


@pytest.mark.parametrize(("kind", "new_kind"), PAIRS)
def test_shared_tokens_have_the_logits_they_had(
    kind: str, new_kind: str, tmp_path: Path
) -> None:
    """Also where positions are counted from the number of the padding token."""
    model, old = _load(tmp_path, kind)
    new = train_tweet_tokenizer(NEW_TEXTS, kind=new_kind, vocab_size=320)
    moved, _ = migrate_vocabulary(model.eval(), old, new)
    theirs, ours = _word_pieces(old), _word_pieces(new)
    names = sorted(ours.keys() & theirs.keys())
    to = torch.tensor([ours[name] for name in names])
    of = torch.tensor([theirs[name] for name in names])
    frame = [(t.cls_token_id, t.sep_token_id) for t in (new, old)]
    choice = torch.from_numpy(np.random.default_rng(2).integers(len(names), size=9))
    inputs = [
        torch.tensor([[cls, *row[choice].tolist(), sep]])
        for row, (cls, sep) in zip((to, of), frame, strict=True)
    ]
    with torch.inference_mode():
        after = moved(input_ids=inputs[0]).logits[0][:, to]
        before = model(input_ids=inputs[1]).logits[0][:, of]
        torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
        # Padding counts for nothing, as before.
        padded = torch.cat([inputs[0], torch.full((1, 3), new.pad_token_id)], 1)
        mask = (torch.arange(padded.shape[1]) < inputs[0].shape[1]).long()[None]
        wide = moved(input_ids=padded, attention_mask=mask).logits[0][: len(after), to]
        torch.testing.assert_close(wide, before, rtol=1e-5, atol=1e-5)
    usable = [
        m.config.max_position_embeddings
        - (m.config.pad_token_id + 1 if "roberta" in kind else 0)
        for m in (model, moved)
    ]
    assert usable[0] == usable[1]


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert"])
def test_plain_transformers_loads_it_with_the_same_logits(
    kind: str, tmp_path: Path
) -> None:
    model, old = _load(tmp_path, kind)
    new = train_tweet_tokenizer(NEW_TEXTS, vocab_size=200)
    moved, _ = migrate_vocabulary(model, old, new)
    moved.eval().save_pretrained(tmp_path / "moved")
    new.save_pretrained(tmp_path / "moved")
    plain = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "moved")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "moved")
    inputs = tokenizer("hola some of them\n@ana", return_tensors="pt")
    with torch.inference_mode():
        assert torch.equal(plain(**inputs).logits, moved(**inputs).logits)
    for role in ("pad", "bos", "eos"):
        number = getattr(moved.config, f"{role}_token_id")
        assert number in (None, getattr(new, f"{role}_token_id"))
    assert moved.config.vocab_size == len(new)


def test_new_rows_are_drawn_from_the_law_of_the_study(tmp_path: Path) -> None:
    model, old = _load(tmp_path)
    model.config.initializer_range = 0.02
    new = train_tweet_tokenizer(NEW_TEXTS, kind="bpe", vocab_size=400)
    moved, report = migrate_vocabulary(model, old, new)
    again, _ = migrate_vocabulary(model, old, new)
    other, _ = migrate_vocabulary(model, old, new, random_state=1)
    rows = moved.get_input_embeddings().weight.detach()
    old_rows = model.get_input_embeddings().weight.detach()
    copied = (rows[:, None] == old_rows[None]).all(-1).any(1)
    assert int((~copied).sum()) == report.n_random > 200
    drawn = rows[~copied].numpy().ravel()
    assert kstest(drawn / 0.02, "norm").pvalue > 1e-3
    assert torch.equal(again.get_input_embeddings().weight, rows)
    assert not torch.equal(other.get_input_embeddings().weight, rows)
    assert not moved.get_output_embeddings().bias[~copied].any()


def test_untied_rows_are_migrated_likewise(tmp_path: Path) -> None:
    model, old = _load(tmp_path, tie_word_embeddings=False)
    output = model.get_output_embeddings()
    with torch.no_grad():
        output.weight.normal_()
    new = train_tweet_tokenizer(NEW_TEXTS, vocab_size=200)
    moved, _ = migrate_vocabulary(model, old, new)
    weight = moved.get_output_embeddings().weight
    assert weight is not moved.get_input_embeddings().weight
    to, of = new.get_vocab()["some"], old.get_vocab()["some"]
    assert torch.equal(weight[to], output.weight[of])
    assert torch.equal(moved.get_output_embeddings().bias[to], output.bias[of])
    fresh = new.get_vocab()["hola"]
    # Drawn for themselves, not those of the input.
    assert not torch.equal(weight[fresh], moved.get_input_embeddings().weight[fresh])
    moved.save_pretrained(tmp_path / "moved")
    plain = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "moved")
    assert torch.equal(plain.get_output_embeddings().weight, weight)


class _Words(nn.Module):
    """Just enough of a tokenizer."""

    def __init__(self, tokens: list[str], special: list[str], kind: str) -> None:
        super().__init__()
        import tokenizers

        numbered = {t: i for i, t in enumerate([*special, *tokens])}
        made = tokenizers.Tokenizer(
            tokenizers.models.WordPiece(numbered, unk_token=special[1])
            if kind == "WordPiece"
            else tokenizers.models.BPE(numbered, [])
        )
        self.made = transformers.PreTrainedTokenizerFast(
            tokenizer_object=made, pad_token=special[0], unk_token=special[1],
            cls_token=special[2], sep_token=special[3], mask_token=special[4],
        )  # fmt: skip


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def _tokenizer(tokens: list[str], kind: str = "WordPiece", special: Any = BERT) -> Any:
    return _Words(tokens, list(special), kind).made


def _bert(n_tokens: int) -> Any:
    config = transformers.BertConfig(
        vocab_size=n_tokens, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(config)
    with torch.no_grad():
        model.cls.predictions.bias.normal_()
    return model


def test_the_mean_is_that_of_the_longest_old_pieces() -> None:
    old = _tokenizer(["foot", "##ball", "##b", "##all", "##er", "goal", "!"])
    new = _tokenizer(["football", "##baller", "goals", "goal", "!!", "##!"])
    model = _bert(len(old))
    moved, report = migrate_vocabulary(model, old, new, init="mean")
    vocabulary = old.get_vocab()
    rows, moved_rows = (m.get_input_embeddings().weight for m in (model, moved))
    bias, moved_bias = (m.get_output_embeddings().bias for m in (model, moved))
    for token, parts in {
        "football": ["foot", "##ball"],
        "##baller": ["##ball", "##er"],
        "!!": ["!", "!"],
    }.items():
        of, to = [vocabulary[part] for part in parts], new.get_vocab()[token]
        by_hand = sum(rows[i].detach() for i in of) / len(of)
        torch.testing.assert_close(moved_rows[to], by_hand, rtol=0, atol=1e-7)
        by_hand = sum(bias[i].detach() for i in of) / len(of)
        torch.testing.assert_close(moved_bias[to], by_hand, rtol=0, atol=1e-7)
    # "s" is no old piece: the row is drawn; and marks match wherever they stand.
    assert (report.n_mean, report.n_random, report.n_shared) == (3, 1, 7)
    to = new.get_vocab()["##!"]
    assert torch.equal(moved_rows[to], rows[vocabulary["!"]])


def test_bytes_and_pieces_are_the_same_text() -> None:
    new = _tokenizer(["año", "##ño", "😂", "##.", "Ġ"])
    spelt = {"año": "ĠaÃ±o", "##ño": "Ã±o", "😂": "ĠðŁĺĤ", "##.": "."}
    roberta = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    old = _tokenizer([*spelt.values(), "Ġhola"], "BPE", roberta)
    keys = read_pieces(old).keys
    assert keys[old.get_vocab()["ĠaÃ±o"]] == Key("año".encode(), True)
    assert keys[old.get_vocab()["Ã±o"]] == Key("ño".encode(), False)
    model = _bert(len(old))
    moved, report = migrate_vocabulary(model, old, new)
    rows, moved_rows = (m.get_input_embeddings().weight for m in (model, moved))
    for ours, theirs in {**spelt, **dict(zip(BERT, roberta, strict=True))}.items():
        to, of = new.get_vocab()[ours], old.get_vocab()[theirs]
        assert torch.equal(moved_rows[to], rows[of]), ours
    assert report.n_shared == 9  # "Ġ" is a letter of WordPiece's, a blank of bytes'


def test_a_part_of_a_letter_is_no_punctuation() -> None:
    roberta = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    old = _tokenizer(["Ã", "Ġ."], "BPE", roberta)
    new = _tokenizer(["ĠÃ", "."], "BPE", roberta)
    _, report = migrate_vocabulary(_bert(len(old)), old, new)
    # The full stop is shared wherever it stands, the first byte of ñ is not.
    assert report.by_type["punctuation"] == {"n": 1, "shared": 1}
    assert report.by_type["word-initial"] == {"n": 1, "shared": 0}


def test_nothing_is_taken_over_if_so_asked(tmp_path: Path) -> None:
    model, old = _load(tmp_path)
    moved, report = migrate_vocabulary(model, old, old, init="none")
    same, everything = migrate_vocabulary(model, old, old)
    rows = model.get_input_embeddings().weight
    assert not (moved.get_input_embeddings().weight == rows).all(1).any()
    assert torch.equal(same.get_input_embeddings().weight, rows)
    assert (report.n_copied, report.n_random) == (0, len(old))
    assert everything.n_copied == everything.n_shared == len(old)
    assert everything.share == report.share == 1.0


def test_the_report_counts_and_reads_well(tmp_path: Path) -> None:
    model, old = _load(tmp_path)
    new = train_tweet_tokenizer([*NEW_TEXTS, "a|b`"] * 2, vocab_size=200)
    _, report = migrate_vocabulary(model, old, new)
    told = json.loads(json.dumps(report.to_dict()))
    assert told["n_new"] == len(new) == sum(c["n"] for c in report.by_type.values())
    assert report.n_shared == sum(c["shared"] for c in report.by_type.values())
    assert report.by_type["special"] == {"n": 8, "shared": 5}
    assert report.new_examples["special"] == ["[USER]", "[URL]", "[NL]"]
    assert "some" in report.shared_examples["word-initial"] + list(new.get_vocab())
    lines = report.to_markdown().splitlines()
    assert len(lines) == 8
    # Tokens do not break the table.
    assert {line.replace("\\|", "").count("|") for line in lines[2:]} == {7}


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    model, old = _load(tmp_path)
    new = train_tweet_tokenizer(NEW_TEXTS, kind="bpe", vocab_size=400)
    with pytest.raises(ValueError, match="it is not the model's"):
        migrate_vocabulary(model, new, old)
    with pytest.raises(ValueError, match="'init' parameter"):
        migrate_vocabulary(model, old, new, init="zeros")  # type: ignore[arg-type]
