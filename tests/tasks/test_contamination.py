"""Shared n-grams of a task and a corpus, against brute force; corpora as streams."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.tasks import Split, contamination, load_task
from tweetclf.tasks.contamination import find_contamination
from tweetclf.tasks.corpora import stream_corpus, stream_texts
from tweetclf.tasks.duplicates import Labels


def splits_of(**texts):
    return {
        name: Split(name, tuple(found), None, tuple(map(str, range(len(found)))))
        for name, found in texts.items()
    }


def run(splits, corpus, **more):
    return find_contamination(splits, corpus, Labels(splits, ()), **more)


def fold(text):
    return " ".join(text.casefold().split())


def brute_force(texts, corpus, n):
    corpus = [fold(text) for text in corpus]
    grams = {c[i : i + n] for c in corpus for i in range(len(c) - n + 1)}
    rows, short = [], []
    for row, text in enumerate(map(fold, texts)):
        if len(text) < n:
            if text and text in corpus:
                rows.append(row)
                short.append(row)
        elif any(text[i : i + n] in grams for i in range(len(text) - n + 1)):
            rows.append(row)
    return rows, short


def shared_of(texts, corpus, n):
    """How many texts of the corpus share something with some of the others."""
    return sum(bool(brute_force(texts, [text], n)[0]) for text in corpus)


TEXTS = st.lists(st.text(alphabet="abA \u00df", max_size=14), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 9, 999]))
def test_rows_are_those_of_brute_force(test, dev, corpus, n, batch):
    before, contamination._BATCH = contamination._BATCH, batch
    try:
        found = run(splits_of(test=test, dev=dev), iter(corpus), n=n)
    finally:
        contamination._BATCH = before
    for item, texts in zip(found, (test, dev), strict=True):
        rows, short = brute_force(texts, corpus, n)
        assert (list(item.rows), list(item.short_rows)) == (rows, short)
        assert item.n_short == sum(len(fold(text)) < n for text in texts)
        assert item.n_corpus == len(corpus)
        assert item.n_corpus_found == shared_of(test + dev, corpus, n)
        for place, text in item.examples:
            assert place.row in brute_force(texts, [text], n)[0]


def test_fifty_characters_are_enough_and_forty_nine_are_not():
    text = "".join(random.Random(0).choices("abcdefgh", k=80))
    splits = splits_of(test=[text])
    assert run(splits, [f"xx{text[10:59]}yy"])[0].rows == ()
    (found,) = run(splits, ["nada", f"xx{text[10:60]}yy"])
    assert found.rows == (0,)
    assert (found.n_corpus, found.n_corpus_found) == (2, 1)
    assert found.examples[0][1] == f"xx{text[10:60]}yy"


def test_pairs_share_what_one_of_their_texts_shares():
    splits = splits_of(test=[("corto", "y largo de verdad"), ("a", "b")])
    (found,) = run(splits, [("nada", "muy largo de verdad"), ("a", "b")], n=10)
    assert (found.rows, found.short_rows) == ((0, 1), (1,))


def test_nothing_to_compare():
    assert run(splits_of(test=["hola"]), [])[0].rows == ()
    assert run(splits_of(test=["hola"]), ["x" * 60, ""])[0].rows == ()
    assert run(splits_of(test=["", " "]), ["", " "])[0].rows == ()
    with pytest.raises(ValueError, match="at least 1"):
        run(splits_of(test=["hola"]), [], n=0)


PEAK = """
import itertools, random, resource, sys
from tweetclf.tasks import Split
from tweetclf.tasks.contamination import find_contamination
from tweetclf.tasks.duplicates import Labels

source = random.Random(0)
words = ["".join(source.choices("abcdefghijklmnop", k=6)) for _ in range(3000)]
some = [" ".join(source.choices(words, k=15)) for _ in range(2000)]
split = {"test": Split("test", tuple(some[:200]), None, tuple(map(str, range(200))))}
n = int(sys.argv[1])
corpus = itertools.islice(itertools.cycle(some), n)
(found,) = find_contamination(split, corpus, Labels(split, ()))
assert found.n_corpus == n and len(found.rows) == 200
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_corpus():
    small, large = (
        int(
            subprocess.run(
                [sys.executable, "-c", PEAK, str(n)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for n in (20_000, 100_000)
    )
    # 100,000 of these texts alone would be 17 MB; kB on Linux.
    assert large - small < 6_000


# -- corpora ----------------------------------------------------------------------

ROWS = ["hola \u2028 mundo", 'di "s\u00ed"', "a, b"]


def test_all_formats_hold_the_same_texts(tmp_path):
    lines = "".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(ROWS))
    (tmp_path / "c.jsonl").write_text(lines, "utf-8")
    with gzip.open(tmp_path / "c.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    quoted = [t.replace('"', '""') for t in ROWS]
    body = "id,tweet\n" + "".join(f'{i},"{t}"\n' for i, t in enumerate(quoted))
    (tmp_path / "c.csv").write_text(body, "utf-8")
    (tmp_path / "c.txt").write_bytes("".join(f"{t}\r\n" for t in ROWS).encode())
    for name in ("c.jsonl", "c.jsonl.gz", "c.csv", "c.txt"):
        assert list(stream_texts(tmp_path / name)) == ROWS
        assert list(stream_corpus(str(tmp_path / name))) == ROWS
    (tmp_path / "c.tsv").write_text('x\ttext\n1\tdi "s\u00ed"\n', "utf-8")
    assert list(stream_texts(tmp_path / "c.tsv", quoted=False)) == ['di "s\u00ed"']


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("c.csv", "a,b\n1,2\n", {}, "which column holds the text"),
        ("c.csv", "a,texto\n1,2\n", {"text": "textp"}, "Did you mean 'texto'"),
        ("c.jsonl", '{"text": "a"}\n{"text": 3}\n', {}, "line 2: 'text' is 3"),
        ("c.jsonl", '{"text": "a"}\n[]\n', {}, "line 2: expected a JSON object"),
        ("c.txt", "a\n", {"text": "b"}, "one text a line"),
        ("c.gone", None, {}, "no file at"),
    ],
)
def test_what_cannot_be_read_is_named(name, content, options, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        list(stream_texts(tmp_path / name, **options))


def test_a_corpus_is_a_registered_name_or_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TWEETCLF_DATA", str(tmp_path))
    with pytest.raises(UnknownNameError, match="There is no file"):
        list(stream_corpus("no-such-corpus"))
    with pytest.raises(DataError, match="is not there"):
        list(stream_corpus("topics-es"))
    with pytest.raises(UnknownNameError, match="Unknown task 'no-such-task'"):
        list(stream_corpus("task:no-such-task"))


def test_of_a_task_the_training_split_alone_is_read():
    expected = load_task("sample-stance").train.texts
    assert list(stream_corpus("task:sample-stance")) == list(expected)


@pytest.mark.data
def test_a_registered_corpus(shared_data):
    texts = list(stream_corpus("topics-es", data_dir=shared_data))
    assert len(texts) == 62_015
