"""The cleaning rules of HAHA 2019 and TWilBERT, literally and as published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from nasty_texts import tweets

from tweetclf.preprocessing import (
    TwilbertNormalizer,
    ULMFiTNormalizer,
    get_profile,
)

ONE = ULMFiTNormalizer()
TWO = ULMFiTNormalizer(passes=2, bos=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("goooool", "g xxrep 5 o l"),
        ("goool", "goool"),
        ("ya!!!!!", "ya xxrep 5 ! "),
        ("sí sí sí sí sí no", " xxwrep 5 sí no"),
        ("sí sí sí sí", "sí sí sí sí"),
        ("ESO OK ya", " xxup eso ok ya"),
        ("¿QUÉ? ¡ya!", "¿ xxup qué ? ¡ya ! "),
        ("a\r\nb", "axxnl b"),
        ("a<br />b\\nc", "axxnl bxxnl c"),
        ("AT&amp;T &#39;x&#39; &gt;", "at&&t &'x&' >"),
        ("a\\b", "a \\ b"),
        ("<unk> 1 @.@ 5 @-@ x", "xxunk 1.5-x"),
        # A number too long for Python's int must not make the rules fail.
        (f"&#{5000 * '7'};", "\ufffd"),
    ],
)
def test_ulmfit_rules(text: str, expected: str) -> None:
    assert ONE.normalize(text) == expected


def test_ulmfit_passes() -> None:
    text = "HOLA grrrreat!!!!"
    assert TWO.normalize(text) == ONE.normalize("xxbos " + ONE.normalize(text))
    assert ULMFiTNormalizer(passes=2).normalize(text) == ONE.normalize(
        ONE.normalize(text)
    )
    assert ULMFiTNormalizer(bos=True).normalize("a") == "xxbos a"
    with pytest.raises(ValueError, match="'passes' parameter"):
        ULMFiTNormalizer(passes=0).normalize("a")


def test_ulmfit_is_not_idempotent_by_its_rules() -> None:
    assert not get_profile("ulmfit").idempotent
    once = ONE.normalize("AMP; x")
    assert ONE.normalize(once) != once


@given(tweets)
def test_ulmfit_reads_anything(text: str) -> None:
    once = ONE.normalize(text)
    assert "\n" not in once
    assert "  " not in once.replace("xxnl  ", "xxnl ")
    assert once == once.lower() or not text.isascii()


@pytest.mark.parametrize(
    ("text", "safe", "released"),
    [
        ("RT @pepe: ya… https://t.co/a &amp; RT", "user: ya url &", "user: ya url &"),
        ("MUERTE", "MUERTE", "MUE E"),
        ("mail a@b.com", "mail a@b.com", "mail auser.com"),
        ("@@pepe\n\nhola", "user hola", "user hola"),
        ("&#64;pepe", "user", "@pepe"),
        ("&amp;lt;", "<", "&lt;"),
        ("(https://x.com/a) ya", "(url) ya", "(url ya"),
    ],
)
def test_twilbert(text: str, safe: str, released: str) -> None:
    assert get_profile("twilbert").make_normalizer().normalize(text) == safe
    reference = get_profile("twilbert-reference").make_normalizer()
    assert reference.normalize(text) == released


def test_twilbert_keeps_the_retweet_mark_if_told_so() -> None:
    corpus = TwilbertNormalizer(strip_rt=None, patterns="released")
    assert corpus.normalize("RT @pepe: MUERTE") == "RT user: MUERTE"
    with pytest.raises(ValueError, match="'strip_rt' parameter"):
        TwilbertNormalizer(strip_rt="all").fit(["a"])


def recorded(name: str) -> list[dict[str, str]]:
    """Return the pairs of input and output recorded from released code."""
    path = Path(__file__).parent / "fixtures" / f"{name}.json"
    pairs: list[dict[str, str]] = json.loads(path.read_text("utf-8"))["pairs"]
    return pairs


def test_ulmfit_parity() -> None:
    rows = recorded("ulmfit")
    texts = [row["text"] for row in rows]
    assert len(rows) == 24
    assert get_profile("ulmfit").make_normalizer().transform(texts) == [
        row["one_pass"] for row in rows
    ]
    two = get_profile("ulmfit").make_normalizer(passes=2, bos=True)
    assert two.transform(texts) == [row["two_pass_with_bos"] for row in rows]


def test_twilbert_parity() -> None:
    rows = recorded("twilbert")
    assert len(rows) == 7
    reference = get_profile("twilbert-reference").make_normalizer()
    safe = get_profile("twilbert").make_normalizer()
    differing = []
    for row in rows:
        assert reference.normalize(row["text"]) == row["preprocessed"]
        if safe.normalize(row["text"]) != row["preprocessed"]:
            differing.append(row["text"])
    # The one sample with RT inside a word.
    assert differing == ["MUERTE al fascismo RT"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "record"),
    [("ulmfit", "haha_clean_rules"), ("twilbert", "twilbert_tokenizer")],
)
def test_pairs_are_those_of_the_record(
    shared_data: Path, name: str, record: str
) -> None:
    path = shared_data.parent / "parity_fixtures.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))[record]
    pairs = recorded(name)
    assert pairs == [{key: row[key] for key in pairs[0]} for row in rows]
