"""Tokenizers for tweets: what is learnt, what the files do, and TWilBERT's reading."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

transformers = pytest.importorskip("transformers")
spm = pytest.importorskip("sentencepiece")

import tokenizers  # noqa: E402

from tweetclf.exceptions import (  # noqa: E402
    DataError,
    MissingDependencyError,
    ModelFormatError,
)
from tweetclf.preprocessing import TweetNormalizer, TwilbertNormalizer  # noqa: E402
from tweetclf.pretraining import train_tweet_tokenizer, twilbert_tokenizer  # noqa: E402
from tweetclf.pretraining._alphabet import covering_alphabet  # noqa: E402
from tweetclf.pretraining._subwords import learn_unigram  # noqa: E402

KINDS = ["wordpiece", "bpe", "unigram"]
ROOT = Path(__file__).resolve().parents[2]

RNG = np.random.default_rng(0)
WORDS = [
    "hola",
    "chau",
    "lunes",
    "viernes",
    "risa",
    "penas",
    "gol",
    "mate",
    "qué",
    "ñandú",
    "corriendo",
    "corrió",
    "correr",
    "día",
    "el",
    "la",
    "los",
    "de",
    "que",
    "no",
    "😂",
    "#FelizLunes",
    "jajaja",
]
TEXTS = [" ".join(RNG.choice(WORDS, 6)) + f" {k % 30}" for k in range(300)]

RAW = [
    "RT @ana: mirá esto https://t.co/Ab1 jajaja &amp; ya",
    "hola\nchau\r\nlunes @luis_9 www.foo.com/x",
    "#FelizLunes a pepe@mail.com y @a@b t.co/xyz.",
    "qué risa 😂😂 <3 &lt;3",
]


@pytest.fixture(scope="module", params=KINDS)
def learnt(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return request.param, train_tweet_tokenizer(
        TEXTS, kind=request.param, vocab_size=400
    )


def test_the_special_tokens_come_first_and_frame_the_text(
    learnt: tuple[str, Any],
) -> None:
    _, tokenizer = learnt
    first = tokenizer.convert_ids_to_tokens(list(range(8)))
    assert first == [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
        *("[USER]", "[URL]", "[NL]"),
    ]
    assert set(tokenizer.all_special_tokens) == set(first)
    one, two = tokenizer("hola"), tokenizer("hola", "chau")
    assert (one["input_ids"][0], one["input_ids"][-1]) == (2, 3)
    assert two["input_ids"].count(3) == 2
    assert two["token_type_ids"][-1] == 1


def test_tweets_are_normalised_inside_the_file(
    learnt: tuple[str, Any], tmp_path: Path
) -> None:
    kind, tokenizer = learnt
    tokenizer.save_pretrained(tmp_path)
    plain = transformers.AutoTokenizer.from_pretrained(tmp_path)
    bare = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*RAW, *TEXTS[:20], "", " ", "\n"]:
        ids = tokenizer(text)["input_ids"]
        assert plain(text)["input_ids"] == ids
        assert bare.encode(text).ids == ids
    counts = [Counter(plain.convert_ids_to_tokens(plain(t)["input_ids"])) for t in RAW]
    assert [c["[USER]"] for c in counts] == [1, 1, 1, 0]
    assert [c["[URL]"] for c in counts] == [1, 1, 1, 0]
    assert [c["[NL]"] for c in counts] == [0, 2, 0, 0]
    assert "FelizLunes" in plain.decode(plain(RAW[2])["input_ids"]).replace(" ", "")
    assert plain.model_max_length == 512
    # Entities are what they stand for.
    assert plain("a &lt;b")["input_ids"] == plain("a <b")["input_ids"]
    # Blanks around the tokens make no further ones.
    tight, loose = plain("hola\nchau"), plain("hola \n  chau")
    assert tight["input_ids"] == loose["input_ids"]
    assert tight["input_ids"].count(1) == 0, kind


def test_urls_and_mentions_are_those_of_the_normalizer() -> None:
    """The regular expressions are read by another engine than Python's."""
    tokenizer = train_tweet_tokenizer(TEXTS, kind="bpe", vocab_size=300)
    ours = TweetNormalizer(urls="[URL]", handles="[USER]")
    ends = ["", ",", ".", ")", "…", "😂", "ñ", "@", "/", "\n"]
    names = [
        *(
            "https://t.co/a1",
            "http://x.es/?q=1&r=2",
            "WWW.Foo.com",
            "t.co/abc",
            "hola.no",
        ),
        *("pic.twitter.com/x", "HTTPS://A.B/c", "httpss://x.y", "ftp://a.b/c", "://x"),
        *(
            "@ana",
            "＠ana",
            "@a@b",
            "@@x_9",
            "a@b",
            "a@b.com",
            "@",
            "RT@pepe",
            "xRT@pepe",
        ),
        *("rt@pepe", "tod@s", "こんにちは@pepe", "@ñandú", ".@ana", "(@ana)", "@ana:"),
    ]
    for before in ("", "hola ", "¡", "(", "😂", "RT ", "a"):
        for name in names:
            for end in ends:
                text = f"{before}{name}{end}"
                ids = tokenizer(text)["input_ids"]
                found = Counter(tokenizer.convert_ids_to_tokens(ids))
                expected = ours.normalize(text)
                for token in ("[URL]", "[USER]"):
                    assert found[token] == expected.count(token), (text, expected)


_PROGRAM = """
import json, sys
from tweetclf.pretraining import train_tweet_tokenizer
for kind in ("wordpiece", "bpe", "unigram"):
    texts = json.load(open("texts"))
    tokenizer = train_tweet_tokenizer(texts, kind=kind, vocab_size=250)
    tokenizer.save_pretrained(f"other/{kind}")
"""


def test_every_process_learns_the_same_files(own_folder: Path) -> None:
    """Also with hashes and threads that put words in another order."""
    Path("texts").write_text(json.dumps(TEXTS), "utf-8")
    other = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT), "RAYON_NUM_THREADS": "3"}
    subprocess.run(
        [sys.executable, "-c", _PROGRAM], check=True, env={**os.environ, **other}
    )
    for kind in KINDS:
        tokenizer = train_tweet_tokenizer(TEXTS, kind=kind, vocab_size=250)
        tokenizer.save_pretrained(f"here/{kind}")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            files = [
                Path(folder, kind, name).read_bytes() for folder in ("here", "other")
            ]
            assert files[0] == files[1], (kind, name)


def test_wordpiece_learns_what_its_usual_trainer_learns() -> None:
    """The merges of tokenizers' own trainer, but for ties, broken by chance."""
    ours = train_tweet_tokenizer(TEXTS, vocab_size=150, alphabet_coverage=1.0)
    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=142, min_frequency=2, show_progress=False
    )
    theirs.train_from_iterator(TEXTS, trainer)
    mine = set(ours.get_vocab()) - set(ours.all_special_tokens)
    other = set(theirs.get_vocab())
    single = {p for p in mine if len(p.removeprefix("##")) == 1}
    assert single == {p for p in other if len(p.removeprefix("##")) == 1}
    assert len(mine & other) >= 0.7 * len(mine)
    # Pairs within a word are as frequent as each other: whole words have no such ties.
    words = {word for text in TEXTS for word in text.split()}
    assert len(mine & other & words) >= 0.9 * len(mine & words)
    counts = [
        sum(len(ours(text, add_special_tokens=False)["input_ids"]) for text in TEXTS),
        sum(len(theirs.encode(text).ids) for text in TEXTS),
    ]
    assert counts[0] == pytest.approx(counts[1], rel=0.06)


def test_unigram_cuts_as_sentencepiece_does() -> None:
    tokenizer = train_tweet_tokenizer(
        TEXTS, kind="unigram", vocab_size=120, alphabet_coverage=1.0
    )
    alphabet = covering_alphabet(TEXTS, 1.0)
    pieces = learn_unigram(TEXTS, 112, alphabet)
    numbers = tokenizer.get_vocab()
    assert [numbers[piece] for piece, _ in pieces] == list(range(8, 8 + len(pieces)))
    written = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=written, model_type="unigram",
        vocab_size=113, hard_vocab_limit=False, character_coverage=1.0,
        required_chars="".join(alphabet), normalization_rule_name="identity",
        unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1, num_threads=1, minloglevel=3,
    )  # fmt: skip
    theirs = spm.SentencePieceProcessor(model_proto=written.getvalue())
    for text in TEXTS[:100]:
        assert tokenizer.tokenize(text) == theirs.encode(text, out_type=str)


def test_no_text_is_unknown_to_bytes_and_back() -> None:
    tokenizer = train_tweet_tokenizer(TEXTS, kind="bpe", vocab_size=300)
    text = "漢字 ωμέγα 🏳️‍🌈 hola"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids).strip() == text


def test_the_alphabet_covers_texts_or_characters() -> None:
    texts = ["aaab", "aab", "aac", "aad"]
    # a is in all, b in two of the four, and a nine of the thirteen characters.
    assert covering_alphabet(texts, 0.5) == ["a", "b"]
    assert covering_alphabet(texts, 0.51) == ["a", "b", "c"]
    assert covering_alphabet(texts, 9 / 13, "characters") == ["a"]
    assert covering_alphabet(texts, 10 / 13, "characters") == ["a", "b"]
    assert covering_alphabet(texts, 1.0) == ["a", "b", "c", "d"]
    assert covering_alphabet(texts, 0.01, extra="zñ z") == ["a", "b", "z", "ñ"]
    assert covering_alphabet([" ", ""], 0.9) == []
    rng = np.random.default_rng(3)
    letters = [chr(97 + k) for k in range(20)]
    law = 1 / np.arange(1, 21) ** 2
    many = ["".join(rng.choice(letters, 5, p=law / law.sum())) for _ in range(200)]
    known = set(covering_alphabet(many, 0.9))
    n_covered = sum(set(text) <= known for text in many)
    assert n_covered >= 180
    counts = Counter("".join(many))
    rarest = min(known, key=lambda c: (counts[c], c))
    assert sum(set(text) <= known - {rarest} for text in many) < 180


def test_characters_beyond_the_alphabet_are_unknown_and_given_ones_are_not() -> None:
    texts = [*TEXTS, "ж"]
    for kind in ("wordpiece", "unigram"):
        tokenizer = train_tweet_tokenizer(
            texts,
            kind=kind,
            vocab_size=300,
            extra_alphabet="亜哀ｶ",
            unicode_form="NFKC",
        )
        unknown = tokenizer.unk_token_id
        assert unknown in tokenizer("ж")["input_ids"]
        for text in ("亜", "亜哀", "カ", "ｶ"):
            assert unknown not in tokenizer(text)["input_ids"], (kind, text)


def test_case_and_accents_go_if_asked() -> None:
    tokenizer = train_tweet_tokenizer(
        ["Qué RISA ñandú @Ana https://T.co/X"] * 4,
        vocab_size=80, lowercase=True, strip_accents=True,
    )  # fmt: skip
    ids = tokenizer("QUÉ risa @ANA HTTPS://t.co/y", add_special_tokens=False)
    assert tokenizer.convert_ids_to_tokens(ids["input_ids"]) == [
        *("que", "risa", "[USER]", "[URL]"),
    ]


def test_tokens_may_be_named_or_left_out() -> None:
    tokenizer = train_tweet_tokenizer(
        [*TEXTS, "<sep> hola"], kind="bpe", vocab_size=300, user_token=None,
        url_token="HTTPURL", newline_token=None, extra_special_tokens=["<sep>"],
        max_length=64,
    )  # fmt: skip
    assert tokenizer.convert_ids_to_tokens([5, 6]) == ["HTTPURL", "<sep>"]
    found = tokenizer("@ana\nhttps://t.co/x <sep>", add_special_tokens=False)
    shown = tokenizer.decode(found["input_ids"])
    assert "@ana" in shown
    assert found["input_ids"][-2:] == [5, 6]
    assert tokenizer.model_max_length == 64
    bertweet = train_tweet_tokenizer(
        TEXTS, kind="bpe", vocab_size=300, user_token="@USER", lowercase=True
    )
    ids = bertweet("HOLA @Ana", add_special_tokens=False)["input_ids"]
    assert bertweet.convert_ids_to_tokens(ids)[-1] == "@USER"


def test_a_word_splitter_bounds_what_is_learnt() -> None:
    texts = ["日本語文" * 3] * 20
    free = train_tweet_tokenizer(texts, kind="unigram", vocab_size=40)
    split = train_tweet_tokenizer(
        texts, kind="unigram", vocab_size=40,
        word_splitter=lambda text: [text[i : i + 2] for i in range(0, len(text), 2)],
    )  # fmt: skip
    assert max(map(len, free.get_vocab())) > 5
    pieces = set(split.get_vocab()) - set(split.all_special_tokens)
    assert max(len(p.removeprefix("▁")) for p in pieces) == 2


def test_mecab_bounds_what_is_learnt_or_is_named_where_it_is_missing() -> None:
    texts = ["今日は本当に楽しかった"] * 20
    options: dict[str, Any] = {"kind": "unigram", "vocab_size": 60}
    try:
        import fugashi  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match=r"fugashi.*\[japanese\]"):
            train_tweet_tokenizer(texts, word_splitter="mecab", **options)
        return
    free, split = (
        train_tweet_tokenizer(texts, word_splitter=splitter, **options).get_vocab()
        for splitter in (None, "mecab")
    )
    crossing = ("日は", "は本", "当に", "に楽")
    assert any(bound in piece for bound in crossing for piece in free)
    assert not any(bound in piece for bound in crossing for piece in split)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "words"}, ValueError, "'kind' parameter must be one of"),
        ({"coverage_of": "words"}, ValueError, "'coverage_of' parameter"),
        ({"alphabet_coverage": 0.0}, ValueError, "'alphabet_coverage' above 0"),
        ({"word_splitter": "mecab"}, ValueError, "kind='unigram'"),
        ({"url_token": "@U"}, ValueError, r"token '@U' would be read as '\[USER\]'"),
        ({"user_token": "a  b"}, ValueError, "token 'a  b' would be read as 'a b'"),
        ({"vocab_size": 20}, DataError, "have no room for"),
    ],
)
def test_what_cannot_be_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train_tweet_tokenizer(TEXTS, **options)


def test_no_words_no_tokenizer() -> None:
    for kind in KINDS:
        with pytest.raises(DataError, match="without any words"):
            train_tweet_tokenizer([" ", "@ana https://t.co/x"], kind=kind)


# TWilBERT's vocabularies --------------------------------------------------------------


@pytest.fixture(scope="module")
def fixtures(shared_data: Path) -> dict[str, Any]:
    found = json.loads((shared_data.parent / "parity_fixtures.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def _as_in_the_file(piece: str) -> str:
    """Return how a piece of the correct reading stands in the vocabulary."""
    return piece[2:] if piece.startswith("##") else f"##{piece}"


@pytest.fixture(scope="module")
def part_of_the_vocabulary(fixtures: dict[str, Any], tmp_path_factory: Any) -> Path:
    """Write those lines of the vocabulary that the fixtures tell.

    Longest match in a vocabulary is longest match in any part of it that has the
    pieces found, so that the fixtures hold for the part if they hold for the whole.
    """
    pieces = []
    for fixture in fixtures["twilbert_tokenizer"]:
        pieces += fixture["reference_pieces"]
        pieces += map(_as_in_the_file, fixture["marker_fixed_pieces"])
    special = fixtures["twilbert_vocab"]["special_first_five"]
    path = tmp_path_factory.mktemp("twilbert") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys([*special, *pieces])) + "\n", "utf-8")
    return path


@pytest.mark.data
def test_p20_the_fixtures_of_twilbert(
    fixtures: dict[str, Any], part_of_the_vocabulary: Path
) -> None:
    released = twilbert_tokenizer(part_of_the_vocabulary)
    meant = twilbert_tokenizer(part_of_the_vocabulary, marker="correct")
    normalizer = TwilbertNormalizer(strip_rt="substring", patterns="released")
    assert len(fixtures["twilbert_tokenizer"]) == 7
    for fixture in fixtures["twilbert_tokenizer"]:
        text = normalizer.normalize(fixture["text"])
        assert text == fixture["preprocessed"]
        assert released.tokenize(text) == fixture["reference_pieces"]
        assert meant.tokenize(text) == fixture["marker_fixed_pieces"]
    ids = released.convert_tokens_to_ids(
        fixtures["twilbert_vocab"]["special_first_five"]
    )
    assert ids == [0, 1, 2, 3, 4]
    framed = released("hola", "hola")
    assert [framed["input_ids"][0], framed["input_ids"][-1]] == [3, 4]


@pytest.mark.data
def test_p20_equals_bert_on_the_same_vocabulary(
    part_of_the_vocabulary: Path, fixtures: dict[str, Any]
) -> None:
    lines = part_of_the_vocabulary.read_text("utf-8").split("\n")[:-1]
    _compare_with_bert(
        lines, [f["preprocessed"] for f in fixtures["twilbert_tokenizer"]]
    )


def test_equals_bert_on_a_vocabulary_of_sentencepiece(tmp_path: Path) -> None:
    """A vocabulary made as the released script makes it: BPE, ▁ becomes ##."""
    written = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=written, model_type="bpe",
        vocab_size=150, hard_vocab_limit=False, minloglevel=3,
    )  # fmt: skip
    model = spm.SentencePieceProcessor(model_proto=written.getvalue())
    pieces = [model.id_to_piece(i) for i in range(3, model.get_piece_size())]
    special = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]"]
    lines = [*special, *(p.replace("▁", "##") for p in pieces)]
    _compare_with_bert(lines, [*TEXTS[:60], *RAW])
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join(lines), "utf-8")
    n_pieces = [
        sum(len(tokenizer.tokenize(text)) for text in TEXTS)
        for tokenizer in (
            twilbert_tokenizer(file, lowercase=False),
            twilbert_tokenizer(file, marker="correct", lowercase=False),
        )
    ]
    assert n_pieces[1] < n_pieces[0]  # the right reading needs fewer


def _compare_with_bert(lines: list[str], texts: list[str]) -> None:
    swapped = [t if t in lines[:5] or t == "##" else _as_in_the_file(t) for t in lines]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "vocab.txt")
        file.write_text("\n".join(lines) + "\n", "utf-8")
        for marker, vocabulary in (("inverted", lines), ("correct", swapped)):
            for lowercase in (True, False):
                theirs = transformers.BertTokenizer(
                    vocab={token: i for i, token in enumerate(vocabulary)},
                    do_lower_case=lowercase,
                )
                ours = twilbert_tokenizer(file, marker=marker, lowercase=lowercase)
                for text in texts:
                    assert ours(text)["input_ids"] == theirs(text)["input_ids"]


def test_long_words_and_odd_lines_of_a_vocabulary(tmp_path: Path) -> None:
    file = tmp_path / "vocab.txt"
    lines = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]", "a\u2028b", "a", "##a", "##"]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    tokenizer = twilbert_tokenizer(file)
    assert tokenizer.convert_tokens_to_ids("##") == 8
    assert tokenizer.tokenize("a" * 200) == ["a", *["##a"] * 199]
    assert tokenizer.tokenize("a" * 201) == ["[UNK]"]
    file.write_text("a\n##a\n", "utf-8")
    with pytest.raises(ModelFormatError, match=r"has no \[PAD\]"):
        twilbert_tokenizer(file)
    with pytest.raises(ValueError, match="'marker' parameter"):
        twilbert_tokenizer(file, marker="wrong")  # type: ignore[arg-type]
