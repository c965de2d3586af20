"""Token files: what is written is read, in whatever pieces, and nothing else is."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("transformers")

from corpus_samples import files_of, word_tokenizer

from tweetclf.exceptions import ChecksumError, DataError
from tweetclf.pretraining.corpus import TokenFiles, write_tokens

WORDS = [f"w{k}" for k in range(50)]
TOKENIZER = word_tokenizer(WORDS)


def some_texts(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=1 + k % 7)) for k in range(n)]


def ids_of(text: str) -> list[int]:
    return [5 + WORDS.index(word) for word in text.split()]


def as_lists(files: TokenFiles) -> list[tuple[list[int], ...]]:
    return [tuple(part.tolist() for part in d) for d in files.documents()]


@pytest.mark.parametrize("shard_size", [1, 10, 64, 1 << 20])
@pytest.mark.parametrize("batch_size", [3, 10_000])
def test_texts_come_back_whatever_the_pieces(tmp_path, shard_size, batch_size) -> None:
    texts = some_texts(30)
    files = write_tokens(
        texts, TOKENIZER, tmp_path / "t", shard_size=shard_size, batch_size=batch_size
    )
    assert as_lists(files) == [(ids_of(text),) for text in texts]
    assert (files.n_documents, files.n_segments, len(files)) == (30, 1, 30)
    assert files.n_tokens == sum(len(text.split()) for text in texts)
    assert files.vocab_size == 55
    assert files.special == {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    sizes = [len(tokens) for tokens, _ in files.shards]
    # A shard is full with the document that fills it, and documents have up to 7.
    assert all(shard_size <= size < shard_size + 7 for size in sizes[:-1])
    assert not (tmp_path / "t.work").exists()


def test_files_are_as_documented(tmp_path) -> None:
    pairs = list(zip(some_texts(9), some_texts(9, seed=1), strict=True))
    files = write_tokens(pairs, TOKENIZER, tmp_path / "t", shard_size=30)
    manifest = json.loads((tmp_path / "t" / "tokens.json").read_text())
    assert manifest["format"] == 1
    assert manifest["dtype"] == "uint16"
    assert manifest["n_segments"] == 2
    start = 0
    for entry in manifest["shards"]:
        tokens = np.fromfile(tmp_path / "t" / entry["tokens"], dtype="<u2")
        offsets = np.fromfile(tmp_path / "t" / entry["offsets"], dtype="<i8")
        assert len(offsets) == 2 * entry["n_documents"] + 1
        for k in range(entry["n_documents"]):
            a, b, c = offsets[2 * k : 2 * k + 3]
            first, second = pairs[start + k]
            assert tokens[a:b].tolist() == ids_of(first)
            assert tokens[b:c].tolist() == ids_of(second)
        start += entry["n_documents"]
    assert start == 9
    from transformers import PreTrainedTokenizerFast

    again = PreTrainedTokenizerFast.from_pretrained(files.tokenizer_path)
    assert again.convert_tokens_to_ids(["[MASK]", "w3"]) == [4, 8]


def test_wide_vocabularies_take_four_bytes(tmp_path) -> None:
    tokenizer = word_tokenizer([f"w{k}" for k in range(65_532)])
    files = write_tokens(["w65531 w0"], tokenizer, tmp_path / "t")
    assert files.shards[0][0].dtype == np.uint32
    assert as_lists(files) == [([65_536, 5],)]


def test_what_a_text_spells_is_no_special_token(tmp_path) -> None:
    tokenizer = word_tokenizer(WORDS, special=(*word_special(), "[USER]"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["[USER]"]})
    files = write_tokens(["w0 [SEP] [USER] [MASK] w1"], tokenizer, tmp_path / "t")
    assert as_lists(files) == [([6, 1, 5, 1, 7],)]


def word_special() -> tuple[str, ...]:
    return ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def test_truncation_and_padding_of_the_tokenizer_are_not_used(tmp_path) -> None:
    tokenizer = word_tokenizer(WORDS)
    tokenizer.backend_tokenizer.enable_truncation(2)
    tokenizer.backend_tokenizer.enable_padding(length=9)
    files = write_tokens(["w0 w1 w2 w3", "w4"], tokenizer, tmp_path / "t")
    assert as_lists(files) == [([5, 6, 7, 8],), ([9],)]
    # The tokenizer that was given stays as it was.
    assert tokenizer.backend_tokenizer.truncation["max_length"] == 2


def test_documents_without_tokens_are_left_out_and_counted(tmp_path) -> None:
    pairs = [("w0", "w1"), ("w2", " "), ("", "w3"), ("w4", "w5")]
    files = write_tokens(pairs, TOKENIZER, tmp_path / "t", shard_size=1)
    assert as_lists(files) == [([5], [6]), ([9], [10])]
    assert files.manifest["n_dropped"] == 2


class Killed(BaseException):
    pass


def until(texts: list[str], stop: int):
    for number, text in enumerate(texts):
        if number == stop:
            raise Killed
        yield text


@pytest.mark.parametrize("stop", [1, 30, 61, 99])
def test_an_interrupted_run_ends_in_the_same_bytes(tmp_path, stop) -> None:
    texts = [*some_texts(100), "", "w1"]
    sizes = {"shard_size": 40, "batch_size": 7}
    write_tokens(texts, TOKENIZER, tmp_path / "whole", **sizes)
    with pytest.raises(Killed):
        write_tokens(until(texts, stop), TOKENIZER, tmp_path / "cut", **sizes)
    assert not (tmp_path / "cut").exists()
    # What a kill leaves is not even closed.
    if (tmp_path / "cut.work").exists():
        (tmp_path / "cut.work" / "files" / "tokens-00001.bin").touch()
    write_tokens(texts, TOKENIZER, tmp_path / "cut", **sizes)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_finished_shards_are_not_tokenised_again(tmp_path, monkeypatch) -> None:
    from tweetclf.pretraining.corpus import _token_shards

    texts = some_texts(100)
    with pytest.raises(Killed):
        write_tokens(
            until(texts, 70), TOKENIZER, tmp_path / "t", shard_size=50, batch_size=5
        )
    seen: list[str] = []
    call = _token_shards.Encoder.__call__

    def spy(self, some):
        seen.extend(some)
        return call(self, some)

    monkeypatch.setattr(_token_shards.Encoder, "__call__", spy)
    write_tokens(texts, TOKENIZER, tmp_path / "t", shard_size=50, batch_size=5)
    assert 0 < len(seen) < 50


def test_work_on_other_documents_is_refused(tmp_path) -> None:
    texts = some_texts(60)
    with pytest.raises(Killed):
        write_tokens(
            until(texts, 50), TOKENIZER, tmp_path / "t", shard_size=50, batch_size=5
        )
    how = {"shard_size": 50, "batch_size": 5}
    with pytest.raises(DataError, match="other documents"):
        write_tokens(["w7", *texts], TOKENIZER, tmp_path / "t", **how)
    with pytest.raises(DataError, match="more documents than the 2"):
        write_tokens(texts[:2], TOKENIZER, tmp_path / "t", **how)
    with pytest.raises(DataError, match="other data or settings"):
        write_tokens(texts, TOKENIZER, tmp_path / "t", shard_size=51)


def test_damage_is_found(tmp_path) -> None:
    write_tokens(some_texts(20), TOKENIZER, tmp_path / "t", shard_size=30)
    path = tmp_path / "t" / "tokens-00001.bin"
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    TokenFiles.open(tmp_path / "t")
    with pytest.raises(ChecksumError, match="tokens-00001"):
        TokenFiles.open(tmp_path / "t", verify=True)
    path.write_bytes(data[:-2])
    with pytest.raises(DataError, match="bytes; the manifest says"):
        TokenFiles.open(tmp_path / "t")
    offsets = tmp_path / "t" / "offsets-00000.bin"
    values = np.fromfile(offsets, dtype="<i8")
    values[-1] += 10**9
    values.tofile(offsets)
    with pytest.raises(DataError, match="do not span"):
        TokenFiles.open(tmp_path / "t")


def test_manifests_name_no_files_elsewhere(tmp_path) -> None:
    write_tokens(["w0"], TOKENIZER, tmp_path / "t")
    path = tmp_path / "t" / "tokens.json"
    manifest = json.loads(path.read_text())
    manifest["shards"][0]["tokens"] = "../t/tokens-00000.bin"
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="format 1"):
        TokenFiles.open(tmp_path / "t")
    path.write_text("[]")
    with pytest.raises(DataError, match="damaged"):
        TokenFiles.open(tmp_path / "t")


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([], "no document"),
        (["", " "], "none of 2 documents"),
        (["w0", ("w0", "w1")], r"documents\[1\] must be a text\."),
        ([("w0", "w1"), "w0"], r"documents\[1\] must be a pair"),
        ([("w0", "w1", "w2")], r"documents\[0\] must be a text or a pair"),
        (["w0", "w\ud800"], r"documents\[1\] holds half of a surrogate"),
    ],
)
def test_what_is_no_document_is_refused(tmp_path, documents, said) -> None:
    with pytest.raises(DataError, match=said):
        write_tokens(documents, TOKENIZER, tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_tokenizers_must_be_fast_and_have_special_tokens(tmp_path) -> None:
    with pytest.raises(TypeError, match="fast tokenizer"):
        write_tokens(["w0"], object(), tmp_path / "t")
    tokenizer = word_tokenizer(WORDS)
    tokenizer.mask_token = None
    with pytest.raises(DataError, match="no mask_token"):
        write_tokens(["w0"], tokenizer, tmp_path / "t")
    with pytest.raises(ValueError, match="'shard_size'"):
        write_tokens(["w0"], TOKENIZER, tmp_path / "t", shard_size=0)


def test_a_folder_that_is_there_is_left_alone(tmp_path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "mine").touch()
    with pytest.raises(FileExistsError):
        write_tokens(["w0"], TOKENIZER, tmp_path / "t")
    with pytest.raises(DataError, match="no token files"):
        TokenFiles.open(tmp_path / "t")


def test_memory_does_not_grow_with_the_documents(tmp_path) -> None:
    def peak(n: int) -> int:
        texts = (f"w{k % 50} w{k % 7} w1 w2 w3" for k in range(n))
        tracemalloc.start()
        try:
            write_tokens(
                texts, TOKENIZER, tmp_path / str(n), shard_size=9_000, batch_size=200
            )
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(500)
    small, large = peak(2_000), peak(12_000)
    assert large < 1.3 * small + 100_000
