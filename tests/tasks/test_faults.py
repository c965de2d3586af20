"""Damage that is found, and sound texts in which nothing is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.tasks import Split
from tweetclf.tasks.duplicates import Labels
from tweetclf.tasks.faults import KINDS, find_faults, is_mojibake, locate

SOUND = [
    "¡Qué día, ¿no? «CAFÉ» “MANHÃ” …",
    "c’était « là », voilà… À»",
    "„Grüße“ aus KÖLN – Ü“",
    "Жж こんにちは 😂 مرحبا",
    "a & b, R&B; AT&T; &; &nosuch; \\o/ 100° ½",
]
DAMAGED = {
    "U+FFFD": ["est\ufffd ahí"],
    "mojibake": ["estÃ¡", "Â¡hola!", "itâ€\u2122s"],
    "HTML entity": ["a &amp; b", "&#39;s", "&#x27;s", "&lt;3"],
    "escape sequence": ["it\\u2019s", "a\\nb", "\\xe1"],
    "control character": ["a\x00b", "a\x85b", "\x1b[31m"],
    "invisible mark": ["\ufeffhola", "co\u00adche"],
    "lone surrogate": ["\ud83d"],
}


def kinds_of(*texts):
    part = Split("train", tuple(texts), None, tuple(map(str, range(len(texts)))))
    splits = {"train": part}
    return {f.kind: f.rows for f in find_faults(splits, Labels(splits, ()))}


@pytest.mark.parametrize("text", SOUND)
def test_sound_texts_have_no_fault(text):
    assert kinds_of(text) == {}


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, t) for kind, texts in DAMAGED.items() for t in texts]
)
def test_damage_is_found(kind, text):
    assert kind in kinds_of("nada", text)
    assert kinds_of("nada", text)[kind] == (1,)
    assert kind in KINDS
    assert locate(kind, "nada") is None
    assert locate(kind, f"nada {text}") == 5 + locate(kind, text)


LETTERS = "áéíóúñ¿¡€’“😂"


@settings(deadline=None)
@given(st.text(alphabet=LETTERS + "ab ", min_size=1, max_size=30))
def test_what_utf8_becomes_in_latin_1_is_found(text):
    broken = text.encode("utf-8").decode("latin-1")
    assert is_mojibake(broken) == (broken != text)


WORDS = [
    "друг",
    "λόγος",
    "ねこ",
    "مرح",
]


@pytest.mark.parametrize("word", WORDS)
def test_other_scripts_are_found_as_well(word):
    assert is_mojibake(word.encode("utf-8").decode("latin-1"))
    assert not is_mojibake(word)


def test_a_text_may_be_empty_or_have_no_words():
    assert kinds_of("a", " \n", "", "@ana http://t.co/x !") == {
        "empty": (1, 2),
        "no words": (3,),
    }


def test_time_is_linear():
    from time import process_time

    for text in ("&", "&amp", "\\u12", "Ã", "ðŸ", "é»", "@", "https:", "www."):
        took = []
        for n in (20_000, 80_000):
            start = process_time()
            kinds_of(text * n)
            took.append(process_time() - start)
        assert took[1] < 16 * max(took[0], 0.01), text


def test_one_text_of_a_pair_suffices():
    assert kinds_of(("a b", "&amp; c"), ("a b", "c")) == {"HTML entity": (0,)}


@pytest.mark.data
@pytest.mark.parametrize("name", ["irosva-es", "emoevent-es", "umsab-french"])
def test_accents_of_real_tweets_are_no_mojibake(name, shared_data):
    from tweetclf.tasks import load_task

    task = load_task(name, data_dir=shared_data)
    texts = [text for part in task.splits.values() for text in part.texts]
    assert sum(map(is_mojibake, texts)) <= len(texts) // 1000
