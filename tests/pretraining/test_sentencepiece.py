"""The tokenizer of language models against SentencePiece with the same flags."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

spm = pytest.importorskip("sentencepiece")

from tweetclf.exceptions import DataError, ModelFormatError  # noqa: E402
from tweetclf.preprocessing import ULMFiTNormalizer  # noqa: E402
from tweetclf.pretraining import SentencePieceTokenizer  # noqa: E402
from tweetclf.pretraining.tokenizer import SYMBOLS  # noqa: E402

TEXTS = [
    "QUÉ risa jajajaja!!!! https://t.co/x",
    "hoy no, mañana tampoco...\nni el lunes",
    "la casa de la abuela @pepe #finde 😂😂😂😂",
    "¿por qué no? porque no y no y no y no",
    "el lunes trabajo, el martes también",
] * 4


@pytest.fixture(scope="module")
def tokenizer() -> SentencePieceTokenizer:
    return SentencePieceTokenizer.train(TEXTS, vocab_size=150)


def test_it_is_sentencepiece_with_the_flags_of_the_paper(
    tokenizer: SentencePieceTokenizer, tmp_path: Path
) -> None:
    """P2: the released script's flags, given to the trainer through a file."""
    clean = ULMFiTNormalizer(passes=2)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(
        "\n".join(clean.normalize(text) for text in TEXTS) + "\n", "utf-8", newline="\n"
    )
    spm.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(tmp_path / "model"),
        model_type="bpe",
        vocab_size=150,
        character_coverage=0.9995,
        unk_piece="xxunk",
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        user_defined_symbols=",".join(SYMBOLS),
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=3,
    )
    theirs = spm.SentencePieceProcessor(model_file=str(tmp_path / "model.model"))
    pieces = [theirs.id_to_piece(i) for i in range(theirs.get_piece_size())]
    assert tokenizer.pieces == pieces
    assert pieces[:9] == ["xxunk", *SYMBOLS]
    begin = ULMFiTNormalizer(passes=2, bos=True)
    for text, ids in zip(TEXTS, tokenizer.encode(TEXTS), strict=True):
        assert ids.tolist() == theirs.encode(begin.normalize(text))
        assert ids.dtype == np.int32


def test_the_special_ids_are_those_of_the_paper(
    tokenizer: SentencePieceTokenizer,
) -> None:
    named = {name: tokenizer.pieces.index(name) for name in ("xxpad", "xxbos", "xxfld")}
    assert named == {
        "xxpad": tokenizer.pad_id,
        "xxbos": tokenizer.bos_id,
        "xxfld": tokenizer.field_id,
    }
    assert tokenizer.pieces[tokenizer.unk_id] == "xxunk"
    (ids,) = tokenizer.encode(["日本"])
    assert tokenizer.unk_id in ids


def test_each_text_has_one_beginning_and_is_never_empty(
    tokenizer: SentencePieceTokenizer,
) -> None:
    for ids in tokenizer.encode(["", "  ", "hoy", "mal \ud83d cortado", "nul\0"]):
        assert (ids == tokenizer.bos_id).sum() == 1
    assert tokenizer.encode([]) == []


def test_the_sides_of_a_pair_are_joined_by_a_field_mark(
    tokenizer: SentencePieceTokenizer,
) -> None:
    (pair,) = tokenizer.encode([("la casa", "QUÉ risa")])
    assert (pair == tokenizer.field_id).sum() == 1
    assert tokenizer.decode(pair) == "xxbos la casa xxfld xxup qué risa"


def test_equal_texts_make_equal_models_and_threads_do_not_matter() -> None:
    first, second = (SentencePieceTokenizer.train(TEXTS, vocab_size=90) for _ in "ab")
    assert first == second
    assert first.model.tobytes() == second.model.tobytes()
    assert first != SentencePieceTokenizer.train(TEXTS, vocab_size=100)
    assert first != "something else"


def test_a_copy_by_pickle_or_bytes_is_the_same(
    tokenizer: SentencePieceTokenizer,
) -> None:
    copy = pickle.loads(pickle.dumps(tokenizer))
    again = SentencePieceTokenizer(tokenizer.model.tobytes())
    for other in (copy, again):
        assert other == tokenizer
        assert [a.tolist() for a in other.encode(TEXTS)] == [
            a.tolist() for a in tokenizer.encode(TEXTS)
        ]
    assert repr(copy) == f"SentencePieceTokenizer({len(tokenizer)} pieces, passes=2)"


def test_line_ends_are_a_symbol_only_if_asked_for() -> None:
    lines = ["abc\nabc\nabc"] * 8
    glued = SentencePieceTokenizer.train(lines, vocab_size=60)
    apart = SentencePieceTokenizer.train(lines, vocab_size=60, xxnl=True)
    assert "xxnl" not in glued.pieces[:10]
    assert any("cxxnl" in piece for piece in glued.pieces)  # as in the paper's log
    assert apart.pieces[9] == "xxnl"
    assert not any("xxnl" in piece for piece in apart.pieces[10:])


def test_passes_change_the_text_that_is_cut() -> None:
    texts = [*TEXTS, "a & b; amp; c"]
    once = SentencePieceTokenizer.train(texts, vocab_size=150, passes=1)
    twice = SentencePieceTokenizer(once.model, passes=2)
    assert once.decode(once.encode(["AMP;"])[0]).startswith("xxbos xxup amp")
    assert "amp" not in twice.decode(twice.encode(["AMP;"])[0])


@pytest.mark.parametrize("texts", [[], [""], [" \t", "\n"[:0]]])
def test_no_words_no_vocabulary(texts: list[str]) -> None:
    with pytest.raises(DataError, match="without any words"):
        SentencePieceTokenizer.train(texts)


def test_too_small_a_vocabulary_is_refused_with_its_size() -> None:
    with pytest.raises(DataError, match="vocab_size=12 can be learnt"):
        SentencePieceTokenizer.train(TEXTS, vocab_size=12)


def test_foreign_and_broken_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError):
        SentencePieceTokenizer(b"no model")
    with pytest.raises(ModelFormatError):
        SentencePieceTokenizer(b"")
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_prefix=str(tmp_path / "foreign"),
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=3,
    )
    foreign = (tmp_path / "foreign.model").read_bytes()
    with pytest.raises(ModelFormatError, match="has the first pieces .*<unk>"):
        SentencePieceTokenizer(foreign)
