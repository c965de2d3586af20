"""Corpora: each filter against its rule, and the whole whatever happens on the way."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_samples import files_of, tweets, write_jsonl

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.pretraining.corpus import (
    CorpusPlan,
    CorpusSource,
    build_corpus,
    corpus_documents,
)
from tweetclf.tasks import Split, load_task
from tweetclf.tasks import registry as task_registry

TEXT_OR_PAIR = Any

# What a test is not about is switched off.
PLAIN: dict[str, Any] = {
    "near_threshold": None,
    "duplicates": None,
    "max_per_author": None,
    "tasks": (),
    "min_words": 0,
}


@pytest.fixture
def build(tmp_path: Path):
    """Build a corpus of rows, and return its documents by split and its card."""
    count = iter(range(1000))

    def run(rows: list[Any], source: dict[str, Any] | None = None, **options: Any):
        k = next(count)
        path = write_jsonl(tmp_path / f"rows-{k}.jsonl", rows)
        plan = CorpusPlan(
            sources=[{"path": str(path), **(source or {})}], **{**PLAIN, **options}
        )
        corpus = build_corpus(plan, tmp_path / f"corpus-{k}")
        found = {name: list(corpus.documents(name)) for name in plan.splits}
        return found, corpus.card

    return run


def everything(found: dict[str, list[TEXT_OR_PAIR]]) -> list[TEXT_OR_PAIR]:
    return sorted(document for split in found.values() for document in split)


def dropped(card: dict[str, Any]) -> dict[str, int]:
    return {s["step"]: s["dropped"] for s in card["steps"] if s["dropped"]}


# -- filters of rows -------------------------------------------------------


def test_retweets(build) -> None:
    rows = [{"text": t} for t in ("RT @ana: hola", " RT  @b hm", "ART @ana", "RT ana")]
    found, card = build(rows)
    assert everything(found) == ["ART @ana", "RT ana"]
    assert dropped(card) == {"retweets": 2}
    assert len(everything(build(rows, keep_retweets=True)[0])) == 4


def test_languages(build) -> None:
    tags = ["es", "ES-mx", "en", "und", None, "est", "pt_BR"]
    rows = [{"text": f"texto {k}", "lang": tag} for k, tag in enumerate(tags)]
    found, card = build(rows, {"language": "lang"}, languages=["es", "pt"])
    assert everything(found) == ["texto 0", "texto 1", "texto 6"]
    assert dropped(card) == {"languages": 4}
    assert card["languages"] == {"ES-mx": 1, "es": 1, "pt_BR": 1}
    with pytest.raises(DataError, match="language of .* is not known"):
        build(rows, languages=["es"])


def test_lengths_of_texts(build) -> None:
    rows = [{"text": t} for t in ("a b", "a b c", "  ", "", "abcdefgh i j", "a  b  c")]
    found, card = build(rows, min_words=3, max_characters=8)
    assert everything(found) == ["a  b  c", "a b c"]
    assert dropped(card) == {"empty": 2, "short": 1, "long": 1}
    assert dropped(build(rows, min_characters=5)[1]) == {"empty": 2, "short": 1}


PAIRS = [
    ("uno dos tres", "cuatro cinco seis"),
    ("uno dos", "tres cuatro cinco"),
    ("uno dos tres", "cuatro"),
    ("uno", "dos tres"),
]


@pytest.mark.parametrize(("short", "kept"), [("either", 1), ("both", 3)])
def test_both_readings_of_fewer_than_three_words(build, short, kept) -> None:
    """TWilBERT: paper (tweets of fewer are discarded) and code (pairs of two such)."""
    rows = [{"a": a, "b": b} for a, b in PAIRS]
    found, card = build(
        rows, {"text": "a", "reply": "b"}, documents="pairs", min_words=3, short=short
    )
    assert everything(found) == sorted(PAIRS[:kept])
    assert dropped(card) == {"short": 4 - kept}


def test_bare_texts_and_pairs(build) -> None:
    bare = ["@ana https://t.co/x", "user url", "[USER] <url> @user"]
    rows = [{"text": t, "b": t} for t in [*bare, "@ana sí", "usurero url"]]
    found, card = build(rows)
    assert everything(found) == ["@ana sí", "usurero url"]
    assert dropped(card) == {"bare": 3}
    rows[1]["b"] = "sí, user"
    found, card = build(rows, {"reply": "b"}, documents="pairs")
    assert dropped(card) == {"bare": 2}
    assert len(everything(build(rows, drop_bare=False)[0])) == 5


def test_both_sides_of_pairs_can_be_texts(build) -> None:
    rows = [{"a": a, "b": b} for a, b in PAIRS]
    found, _ = build(rows, {"text": "a", "reply": "b"})
    assert everything(found) == sorted(text for pair in PAIRS for text in pair)


def test_a_profile_is_applied_before_lengths_are_measured(build) -> None:
    rows = [{"text": "mira  @ana https://t.co/x"}, {"text": "RT y ya está"}]
    found, _ = build(rows, profile="twilbert", min_words=3)
    assert everything(found) == ["mira user url", "y ya está"]


# -- pairs of dumps --------------------------------------------------------


def dump(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Tweets, two thirds of which reply to one of the others or of another place."""
    source = random.Random(seed)
    rows = []
    for k, text in enumerate(tweets(n, seed)):
        parent = None
        if k % 3:
            parent = source.choice([source.randrange(n), source.randrange(n), 10**6])
        row = {"id": k, "text": text, "in_reply_to": parent, "thread": f"t{k % 17}"}
        rows.append(row)
    source.shuffle(rows)
    return rows


DUMP = {"id": "id", "parent": "in_reply_to"}


def test_pairs_of_a_dump(build) -> None:
    rows = dump(300)
    found, card = build(rows, DUMP, documents="pairs")
    texts = {row["id"]: row["text"] for row in rows}
    expected = sorted(
        (texts[row["in_reply_to"]], row["text"])
        for row in rows
        if row["in_reply_to"] in texts and row["in_reply_to"] != row["id"]
    )
    assert everything(found) == expected
    steps = dropped(card)
    assert steps["orphans"] == sum(row["in_reply_to"] == 10**6 for row in rows)
    assert steps["no_replies"] + steps["orphans"] + len(expected) == 300


def test_rows_that_are_filtered_are_in_no_pair(build) -> None:
    rows = [
        {"id": "1", "text": "hola a todos", "to": None, "lang": "es"},
        {"id": "2", "text": "RT @ana: hola", "to": "1", "lang": "es"},
        {"id": "3", "text": "hello there", "to": "1", "lang": "en"},
        {"id": "4", "text": "muy buenas", "to": "3", "lang": "es"},
        {"id": "5", "text": "buenos días", "to": "1", "lang": "es"},
    ]
    source = {"id": "id", "parent": "to", "language": "lang"}
    found, card = build(rows, source, documents="pairs", languages=["es"])
    assert everything(found) == [("hola a todos", "buenos días")]
    assert dropped(card) == {
        "retweets": 1,
        "languages": 1,
        "orphans": 1,
        "no_replies": 1,
    }


def test_pairs_are_found_across_dumps(tmp_path) -> None:
    rows = dump(100)
    for name, part in {"a": rows[:50], "b": rows[50:]}.items():
        write_jsonl(tmp_path / f"{name}.jsonl.gz", part)
    write_jsonl(tmp_path / "all.jsonl", rows)
    several = [{"path": str(tmp_path / f"{n}.jsonl.gz"), **DUMP} for n in "ab"]
    one = [{"path": str(tmp_path / "all.jsonl"), **DUMP}]
    found = []
    for name, sources in {"x": several, "y": one}.items():
        plan = CorpusPlan(sources=sources, documents="pairs", **PLAIN)
        corpus = build_corpus(plan, tmp_path / name)
        found.append([list(corpus.documents(split)) for split in plan.splits])
    assert found[0] == found[1]


# -- what is looked at as a whole ------------------------------------------


def test_exact_duplicates(build) -> None:
    texts = ["Hola, lunes", "hola lunes", "Hola, lunes ", "otra cosa"]
    rows = [{"text": text} for text in texts]
    found, card = build(rows, duplicates="verbatim")
    assert everything(found) == ["Hola, lunes", "hola lunes", "otra cosa"]
    found, card = build(rows, duplicates="normalised")
    assert everything(found) == ["Hola, lunes", "otra cosa"]
    assert dropped(card) == {"duplicates": 2}
    assert card["steps"][-1]["left"] == 2


def test_near_duplicates(build) -> None:
    texts = tweets(60)
    changed = [text.rsplit(" ", 2)[0] + " y más" for text in texts[:20]]
    rows = [{"text": text} for text in [*texts, *changed]]
    found, card = build(rows, near_threshold=0.2)
    assert everything(found) == sorted(texts)
    assert dropped(card) == {"near_duplicates": 20}
    assert card["near_duplicates"]["recall_at_twice_the_threshold"] >= 0.99


def test_authors_have_a_cap_that_no_order_moves(build) -> None:
    rows = [
        {"text": text, "user": f"u{k % 4}" if k % 5 else None}
        for k, text in enumerate(tweets(100))
    ]
    found, card = build(rows, {"author": "user"}, max_per_author=6)
    kept = set(everything(found))
    counts = Counter(row["user"] for row in rows if row["text"] in kept)
    assert counts == {None: 20, "u0": 6, "u1": 6, "u2": 6, "u3": 6}
    assert dropped(card) == {"author_cap": 56}
    random.Random(1).shuffle(rows)
    assert set(everything(build(rows, {"author": "user"}, max_per_author=6)[0])) == kept
    # Authors are counted, and not written.
    assert not any("u1" in str(split) for split in found.values())


def test_languages_are_resampled_by_a_power_of_their_frequency(build) -> None:
    sizes = {"en": 1200, "es": 200, "ca": 30}
    tags = [tag for tag, size in sizes.items() for _ in range(size)]
    rows = [
        {"text": text, "lang": tag}
        for text, tag in zip(tweets(len(tags), n_words=2), tags, strict=True)
    ]
    splits = {"train": 0.9, "test": 0.1}
    options: dict[str, Any] = {"source": {"language": "lang"}, "splits": splits}
    plain, _ = build(rows, **options)
    found, card = build(rows, language_exponent=0.7, **options)
    assert found["test"] == plain["test"]
    tag_of = {row["text"]: row["lang"] for row in rows}
    before = Counter(tag_of[text] for text in plain["train"])
    after = Counter(tag_of[text] for text in found["train"])
    shares = {tag: n**0.7 for tag, n in before.items()}
    total = sum(before.values())
    for tag, share in shares.items():
        expected = total * share / sum(shares.values())
        # Each text is rounded by a draw of its own.
        assert abs(after[tag] - expected) < 4 * np.sqrt(before[tag]) / 2 + 1
        assert card["language_weights"][tag] == pytest.approx(
            expected / before[tag], abs=1e-5
        )
    assert after["ca"] > 2 * before["ca"]
    assert after["en"] < before["en"]


# -- splits ----------------------------------------------------------------


def where(found: dict[str, list[TEXT_OR_PAIR]]) -> dict[TEXT_OR_PAIR, str]:
    return {text: split for split, texts in found.items() for text in texts}


def test_splits_have_the_shares_of_the_study(build) -> None:
    found, card = build([{"text": text} for text in tweets(2000, n_words=2)])
    for name, share in {
        "train": 0.75,
        "validation": 0.05,
        "development": 0.10,
        "test": 0.10,
    }.items():
        n = len(found[name])
        assert abs(n - 2000 * share) < 4 * np.sqrt(2000 * share * (1 - share))
        assert card["splits"][name]["documents"] == n


def test_splits_never_move(build) -> None:
    texts = tweets(300)
    before = where(build([{"text": text} for text in texts])[0])
    more = [*tweets(200, seed=1), *texts[::-1]]
    after = where(build([{"text": text} for text in more], duplicates="verbatim")[0])
    assert {text: after[text] for text in texts} == before
    # What is the same but for case and links is in the same split.
    loud = [
        {"text": f"{text.upper()}! https://t.co/{k}"} for k, text in enumerate(texts)
    ]
    found = where(build(loud)[0])
    assert [found[row["text"]] for row in loud] == [before[text] for text in texts]
    other = where(build([{"text": text} for text in texts], seed=1)[0])
    assert other != before


def test_conversations_stay_together(build) -> None:
    rows = dump(400)
    source = {**DUMP, "conversation": "thread"}
    found, _ = build(rows, source, documents="pairs")
    thread_of = {row["text"]: row["thread"] for row in rows}
    splits: dict[str, set[str]] = {}
    for (_, reply), split in where(found).items():
        splits.setdefault(thread_of[reply], set()).add(split)
    assert len(splits) == 17
    assert all(len(where_) == 1 for where_ in splits.values())
    # Without threads, the replies to one tweet do.
    answered = where(build(rows, DUMP, documents="pairs")[0])
    of_tweet: dict[str, set[str]] = {}
    for (tweet, _), split in answered.items():
        of_tweet.setdefault(tweet, set()).add(split)
    assert all(len(where_) == 1 for where_ in of_tweet.values())


# -- contamination ---------------------------------------------------------


def test_texts_of_test_sets_are_dropped_and_counted(tmp_path) -> None:
    task = load_task("sample-sentiment")
    test = [str(text) for text in task.splits["test"].texts]
    train = [str(text) for text in task.splits["train"].texts]
    own = [*tweets(30), f"mira esto: {test[0]} jajaja"]
    path = write_jsonl(tmp_path / "x.jsonl", [{"text": t} for t in [*own, *test[1:4]]])
    options = {**PLAIN, "tasks": ["sample-sentiment"]}
    plan = CorpusPlan(sources=[str(path)], **options)
    corpus = build_corpus(plan, tmp_path / "corpus")
    found = [text for split in plan.splits for text in corpus.documents(split)]
    assert sorted(found) == sorted(own[:-1])
    assert dropped(corpus.card) == {"contaminated": 4}
    sets = corpus.card["contamination"]["test_sets"]
    assert sets["sample-sentiment/test"] == {"rows": len(test), "found": 4}
    assert "sample-sentiment/train" not in sets
    assert "sample-sentiment/test | 4" in (
        (tmp_path / "corpus" / "card.md").read_text()
    )
    # Of the training split all may be learnt from.
    path = write_jsonl(tmp_path / "y.jsonl", [{"text": text} for text in train])
    plan = CorpusPlan(sources=[str(path)], **options)
    card = build_corpus(plan, tmp_path / "other").card
    assert dropped(card).get("contaminated", 0) < len(train) / 10


def test_sides_of_pairs_are_compared_each_for_itself(build) -> None:
    task = load_task("sample-sentiment")
    test = str(task.splits["test"].texts[0])
    rows = [{"a": "hola a todos", "b": test}, {"a": "hola a todos", "b": "qué tal"}]
    source = {"text": "a", "reply": "b"}
    options: dict[str, Any] = {"documents": "pairs", "tasks": [task.name]}
    found, card = build(rows, source, **options)
    assert everything(found) == [("hola a todos", "qué tal")]
    assert dropped(card) == {"contaminated": 1}


def test_all_tasks_at_hand_are_compared_with(build, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TWEETCLF_DATA", str(tmp_path / "none"))
    _, card = build([{"text": "hola"}], tasks=None)
    bundled = {info.name for info in task_registry.list_tasks() if info.bundled}
    sets = card["contamination"]["test_sets"]
    assert {name.partition("/")[0] for name in sets} == bundled
    with pytest.raises(DataError, match="haha-2019.*TWEETCLF_DATA"):
        build([{"text": "hola"}], tasks=["haha-2019"])
    with pytest.raises(UnknownNameError, match="haha-2019"):
        build([{"text": "hola"}], tasks=["haha-2010"])


# -- files -----------------------------------------------------------------


def test_bad_rows_are_counted_with_their_lines(build) -> None:
    rows = ['{"text": "uno"}', "{", '{"text": 3}', "", '{"other": "x"}', "[1]"]
    rows += ['{"text": "dos"}', '{"text": "\\ud800"}', '{"text": null}']
    found, card = build(rows)
    assert everything(found) == ["dos", "uno"]
    (source,) = card["sources"]
    assert source["rows"] == 8
    assert source["bad_rows"] == 6
    lines = [example.partition(":")[0] for example in source["bad_examples"]]
    assert lines == [f"line {k}" for k in (2, 3, 5, 6, 8, 9)]
    assert source["bad_examples"][1] == "line 3: expected a text, found 3."
    # The card tells no folder beyond what the plan says.
    assert "no valid JSON" in source["bad_examples"][0]
    assert "/" not in source["bad_examples"][0]
    assert dropped(card) == {"bad": 6}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
def test_tables(tmp_path, suffix) -> None:
    import gzip

    sign = "\t" if "tsv" in suffix else ","
    lines = [f"id{sign}tweet", f"1{sign}uno", f"2{sign}dos{sign}x", f"3{sign}tres"]
    data = ("\n".join(lines) + "\n").encode() + f"4{sign}".encode() + b"\xff\n"
    path = tmp_path / f"x{suffix}"
    path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    plan = CorpusPlan(sources=[str(path)], **PLAIN)
    corpus = build_corpus(plan, tmp_path / "corpus")
    found = {split: list(corpus.documents(split)) for split in plan.splits}
    assert everything(found) == ["tres", "uno"]
    (source,) = corpus.card["sources"]
    assert source["bad_rows"] == 2
    # A fault of the bytes is seen when the line is read, before its row is.
    assert sorted(e[:7] for e in source["bad_examples"]) == ["line 3:", "line 5:"]


def test_quotation_marks_of_tables(tmp_path) -> None:
    (tmp_path / "x.csv").write_text('text\n"uno, ""dos"""\n"tres" x\nfin\n')
    (tmp_path / "x.tsv").write_text('text\n"uno\ndos"\n')
    found = []
    for name in ("x.csv", "x.tsv"):
        plan = CorpusPlan(sources=[str(tmp_path / name)], **PLAIN)
        corpus = build_corpus(plan, tmp_path / f"{name}-corpus")
        texts = [text for split in plan.splits for text in corpus.documents(split)]
        found.append((sorted(texts), corpus.card["sources"][0]["bad_rows"]))
    assert found == [(["fin", 'uno, "dos"'], 1), (['"uno', 'dos"'], 0)]


def test_parquet(tmp_path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = arrow.table({"n": [1, 2, 3], "tweet": ["uno", None, "tres"]})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    plan = CorpusPlan(
        sources=[{"path": str(tmp_path / "x.parquet"), "id": "n"}], **PLAIN
    )
    corpus = build_corpus(plan, tmp_path / "corpus")
    found = {split: list(corpus.documents(split)) for split in plan.splits}
    assert everything(found) == ["tres", "uno"]
    assert corpus.card["sources"][0]["bad_examples"] == [
        "line 2: expected a text, found None."
    ]
    (tmp_path / "bad.parquet").write_bytes(b"no such thing")
    with pytest.raises(DataError, match="no Parquet file"):
        build_corpus(
            CorpusPlan(sources=[str(tmp_path / "bad.parquet")], **PLAIN),
            tmp_path / "other",
        )


def test_columns_within_columns_and_plain_files(tmp_path, build) -> None:
    rows = [{"text": "hola", "user": {"id": 7}}, {"text": "adiós", "user": {"id": 7}}]
    found, _ = build(rows, {"author": "user.id"}, max_per_author=1)
    assert len(everything(found)) == 1
    (tmp_path / "x.txt").write_text("uno\n\ndos\r\n")
    plan = CorpusPlan(sources=[str(tmp_path / "x.txt")], **PLAIN)
    corpus = build_corpus(plan, tmp_path / "corpus")
    assert everything({s: list(corpus.documents(s)) for s in plan.splits}) == [
        "dos",
        "uno",
    ]


@pytest.mark.data
def test_registered_corpora(tmp_path, shared_data) -> None:
    source = {"path": "conversations", "language": "lang", "conversation": "thread"}
    plan = CorpusPlan(
        sources=[source],
        documents="pairs",
        languages=["es"],
        **{**PLAIN, "min_words": 3},
    )
    corpus = build_corpus(plan, tmp_path / "corpus", data_dir=shared_data)
    pairs = [pair for split in plan.splits for pair in corpus.documents(split)]
    assert 100 < len(pairs) <= 183
    assert corpus.card["sources"][0]["rows"] == 25260


def test_what_is_written_can_be_read_elsewhere(tmp_path, build) -> None:
    import gzip

    rows = [{"i": 5, "a": "hola 😂", "b": "sí", "l": "es", "c": "t1", "u": "ana"}]
    source = {"text": "a", "reply": "b", "id": "i", "language": "l", "author": "u"}
    build(rows, {**source, "conversation": "c"}, documents="pairs")
    files = sorted((tmp_path / "corpus-0").glob("*.jsonl.gz"))
    assert len(files) == 4
    (line,) = [
        line for f in files for line in gzip.decompress(f.read_bytes()).splitlines()
    ]
    assert json.loads(line) == {
        "id": "5",
        "text": "hola 😂",
        "text_b": "sí",
        "language": "es",
        "conversation": "t1",
    }
    build(rows, source, documents="pairs", compress=False)
    assert len(list((tmp_path / "corpus-1").glob("*.jsonl"))) == 4
    with pytest.raises(DataError, match="no split 'dev'; it has development, test"):
        list(corpus_documents(tmp_path / "corpus-1", "dev"))


def test_cards_are_no_markup(build, tmp_path) -> None:
    build(["{", '{"text": "hola"}', "[<b>|x|</b>](http://x)"])
    text = (tmp_path / "corpus-0" / "card.md").read_text()
    assert "<b>" not in text
    card = json.loads((tmp_path / "corpus-0" / "card.json").read_text())
    assert card["plan"]["seed"] == 0
    assert len(card["sources"][0]["sha256"]) == 64


# -- resuming --------------------------------------------------------------


def full_plan(tmp_path: Path) -> CorpusPlan:
    texts = tweets(150)
    changed = [text.rsplit(" ", 1)[0] + " más" for text in texts[:20]]
    rows = [
        {"text": text, "user": f"u{k % 9}", "lang": "es" if k % 3 else "ca"}
        for k, text in enumerate([*texts, *changed, *texts[:5]])
    ]
    write_jsonl(tmp_path / "a.jsonl", rows[:100])
    write_jsonl(tmp_path / "b.jsonl.gz", rows[100:])
    about = {"author": "user", "language": "lang"}
    return CorpusPlan(
        sources=[
            CorpusSource(path=str(tmp_path / name), **about)
            for name in ("a.jsonl", "b.jsonl.gz")
        ],
        max_per_author=12,
        language_exponent=0.7,
        tasks=["sample-sentiment"],
    )


KILLED = """
    import os, sys
    from tweetclf.pretraining.corpus import CorpusPlan, _stages, build_corpus, builder
    from tweetclf.pretraining.corpus import _conversations
    import json

    def die(*args, **kwargs):
        os._exit(9)

    module, name = sys.argv[3].split(":")
    setattr({"stages": _stages, "builder": builder}[module], name, die)
    plan = CorpusPlan(**json.loads(sys.argv[1]))
    build_corpus(plan, sys.argv[2])
"""


@pytest.mark.parametrize(
    "where",
    ["stages:write_state", "stages:find_near", "builder:card_markdown"],
)
def test_a_killed_run_ends_in_the_same_bytes(tmp_path, where) -> None:
    plan = full_plan(tmp_path)
    build_corpus(plan, tmp_path / "whole")
    told = json.dumps(plan.to_dict())
    command = [sys.executable, "-c", textwrap.dedent(KILLED), told]
    done = subprocess.run([*command, str(tmp_path / "cut"), where], env=os.environ)
    assert done.returncode == 9
    assert not (tmp_path / "cut").exists()
    assert (tmp_path / "cut.work").is_dir()
    build_corpus(plan, tmp_path / "cut")
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert not (tmp_path / "cut.work").exists()


def test_sources_that_are_read_are_not_read_again(tmp_path, monkeypatch) -> None:
    from tweetclf.pretraining.corpus import _stages

    plan = full_plan(tmp_path)
    read = _stages.read_rows
    names: list[str] = []

    def once(located, bad):
        if names == ["a.jsonl"]:
            raise KeyboardInterrupt
        names.append(located.path.name)
        return read(located, bad)

    monkeypatch.setattr(_stages, "read_rows", once)
    with pytest.raises(KeyboardInterrupt):
        build_corpus(plan, tmp_path / "corpus")
    names.append("again")
    build_corpus(plan, tmp_path / "corpus")
    assert names == ["a.jsonl", "again", "b.jsonl.gz"]


def test_stages_of_another_corpus_are_refused(tmp_path, monkeypatch) -> None:
    from tweetclf.pretraining.corpus import _stages

    plan = full_plan(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(_stages, "find_near", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build_corpus(plan, tmp_path / "corpus")
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"text": "uno más", "user": "u", "lang": "es"}\n')
    with pytest.raises(DataError, match="other data or settings"):
        build_corpus(plan, tmp_path / "corpus")


# -- size and errors -------------------------------------------------------


def test_memory_grows_by_a_few_bytes_a_document(tmp_path, monkeypatch) -> None:
    from tweetclf.pretraining.corpus import _stages

    monkeypatch.setattr(_stages, "_BATCH", 1 << 14)

    def peak(n: int) -> int:
        path = tmp_path / f"{n}.jsonl"
        with path.open("w") as file:
            for k in range(n):
                text = f"{k} hoy {k * k} es {k % 97} un día {k % 89} como otros " * 3
                file.write(json.dumps({"text": text, "user": str(k)}) + "\n")
        options = {**PLAIN, "duplicates": "verbatim", "max_per_author": 5}
        plan = CorpusPlan(sources=[{"path": str(path), "author": "user"}], **options)
        tracemalloc.start()
        try:
            build_corpus(plan, tmp_path / f"corpus-{n}")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    small, large = peak(500), peak(3_500)
    # The texts alone have 180 bytes each.
    assert large - small < 3_000 * 90


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sources": []}, "'sources'"),
        ({"sources": "x.jsonl"}, "'sources'"),
        ({"short": "none"}, "'short'.*either"),
        ({"documents": "words"}, "'documents'"),
        ({"duplicates": "all"}, "'duplicates'"),
        ({"languages": "es"}, "'languages'.*sequence"),
        ({"near_threshold": 0.01}, "'near_threshold'"),
        ({"max_per_author": 0}, "'max_per_author'"),
        ({"language_exponent": 0}, "'language_exponent'"),
        ({"splits": {"train": 0.8}}, "'splits'"),
        ({"splits": {"train": 0.5, "../x": 0.5}}, "'splits'"),
        ({"seed": -1}, "'seed'"),
    ],
)
def test_plans_that_make_no_sense_are_refused(options, said) -> None:
    with pytest.raises(ValueError, match=said):
        CorpusPlan(**{"sources": ["x.jsonl"], **options})


def test_sources_that_make_no_sense_are_refused(tmp_path, build) -> None:
    with pytest.raises(ValueError, match="'id' column"):
        CorpusSource(path="x", parent="to")
    with pytest.raises(UnknownNameError, match="no file"):
        build_corpus(CorpusPlan(sources=["topics-ez"], **PLAIN), tmp_path / "c")
    plan = CorpusPlan(sources=["topics-es"], **PLAIN)
    with pytest.raises(DataError, match="topics-es.*not there"):
        build_corpus(plan, tmp_path / "c", data_dir=tmp_path)
    with pytest.raises(DataError, match="holds no pairs"):
        build([{"text": "hola"}], documents="pairs")
    with pytest.raises(DataError, match="2 rows were read .bad 1, empty 1"):
        build(["{", '{"text": ""}'])
    with pytest.raises(DataError, match="which column holds the text"):
        build([{"a": "x", "b": "y"}])
    (tmp_path / "x.csv").write_text("id,tweet\n1,hola\n")
    source = {"path": str(tmp_path / "x.csv"), "author": "user"}
    with pytest.raises(DataError, match="no column 'user'"):
        build_corpus(CorpusPlan(sources=[source], **PLAIN), tmp_path / "c")
    (tmp_path / "x.txt").write_text("hola\n")
    source = {"path": str(tmp_path / "x.txt"), "author": "user"}
    with pytest.raises(DataError, match="one text a line"):
        build_corpus(CorpusPlan(sources=[source], **PLAIN), tmp_path / "d")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").touch()
    with pytest.raises(FileExistsError):
        build_corpus(CorpusPlan(sources=[source], **PLAIN), tmp_path / "taken")


def test_a_split_object_is_what_the_index_takes() -> None:
    from tweetclf.tasks.contamination import GramIndex

    split = Split("test", ("x" * 60, "hola"), None, ("0", "1"))
    index = GramIndex({"t": split}, 50)
    assert index.look(["nada", "aa" + "x" * 55, "HOLA"]) == [1, 2]
    assert index.found.tolist() == [True, True]
