"""Builders of benchmarks: hashtag prediction, engagement prediction, pair corpora."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest

from tweetclf.exceptions import DataError, MissingDependencyError
from tweetclf.social import (
    TweetFiles,
    build_engagement_set,
    build_hashtag_set,
    fasttext_detector,
    pseudonym,
    read_engagement_set,
    write_pair_corpus,
)
from tweetclf.social import hashtags as module
from tweetclf.social.hashtag_texts import find_hashtags, remove_hashtag
from tweetclf.tasks import load_task

RNG = np.random.default_rng(0)
TAGS = ["Gol", "lluvia", "Voto", "raro"]


def _tweet(k):
    tag = TAGS[min(int(RNG.geometric(0.5)) - 1, 3)]
    extra = " #Otro" if k % 9 == 0 else ""
    return (str(k), f"texto número {k} sobre algo #{tag}{extra} 🙂",
            "es" if k % 3 else "pt")  # fmt: skip


TWEETS = [_tweet(k) for k in range(600)]


def _rows(folder, name):
    lines = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


# Hashtags ------------------------------------------------------------------------


def test_hashtags_are_found_and_removed():
    assert find_hashtags("#uno#DOS &#3; x#no #1 ＃さくら #uno") == [
        "uno", "dos", "さくら",
    ]  # fmt: skip
    assert remove_hashtag("a #Uno#dos b #UNO.", "uno") == "a #dos b ."
    assert remove_hashtag("#unos #uno", "uno") == "#unos"
    assert remove_hashtag("é #CAFÉ", "café") == "é"


def test_labels_are_the_hashtags_that_are_no_longer_in_the_text(tmp_path):
    report = build_hashtag_set(TWEETS, tmp_path / "sets", n_hashtags=2, min_rows=20)
    assert [one.language for one in report.sets] == ["es", "pt"]
    source = {id_: (text, code) for id_, text, code in TWEETS}
    for one in report.sets:
        counts = Counter(
            tag
            for _, text, code in TWEETS
            if code == one.language
            for tag in _tags(text)
        )
        best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:2]
        assert one.hashtags == dict(best)
        texts = []
        for name, n in one.n_rows.items():
            rows = _rows(one.path, name)
            assert len(rows) == n
            for row in rows:
                text, code = source[row["id"]]
                assert code == one.language
                own = {tag for tag in _tags(text) if tag in one.hashtags}
                assert own == {row["label"]}  # exactly one candidate
                assert row["label"] not in _tags(row["text"])
                others = _tags(text) - own
                assert _tags(row["text"]) == others
                texts.append(row["text"])
        assert len(texts) == len(set(texts))


def _tags(text):
    return {tag.casefold() for tag in re.findall(r"#(\w+)", text)}


def test_sets_are_read_as_tasks(tmp_path):
    report = build_hashtag_set(TWEETS, tmp_path / "sets", n_hashtags=3, min_rows=20)
    task = load_task(str(report.sets[0].path), text="text", label="label")
    assert {name: len(split) for name, split in task.splits.items()} == (
        report.sets[0].n_rows
    )
    assert task.kind == "multiclass"


def test_order_does_not_matter_and_the_seed_does(tmp_path):
    sizes = {"train": 50, "dev": 10, "test": 10}
    files = []
    for name, tweets, seed in (
        ("a", TWEETS, 0), ("b", TWEETS[::-1], 0), ("c", TWEETS, 1),
    ):  # fmt: skip
        build_hashtag_set(tweets, tmp_path / name, sizes=sizes, min_rows=20, seed=seed)
        files.append(
            {p.name: p.read_text("utf-8") for p in (tmp_path / name).rglob("*.jsonl")}
        )
        card = json.loads((tmp_path / name / "card.json").read_text("utf-8"))
        assert card["sets"][0]["n_rows"] == sizes
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_equal_texts_are_one_and_stay_on_one_side(tmp_path):
    tweets = [(str(k), f"igual {k % 30} #{'ab'[k % 2]}x http://t.co/{k}", "es")
              for k in range(300)]  # fmt: skip
    report = build_hashtag_set(tweets, tmp_path / "sets", n_hashtags=2, min_rows=3)
    (only,) = report.sets
    assert sum(only.n_rows.values()) == 30


def test_what_is_left_out_is_counted(tmp_path):
    tweets = [(str(k), f"palabra {k} #a", "es") for k in range(20)]
    tweets += [("e1", "#a http://t.co/x", "es"), ("s1", "uno #a #b", "es")]
    tweets += [(f"b{k}", f"otra {k} #b", "es") for k in range(10)]
    tweets += [("x", "sin nada", "es"), ("f", "peu de chose #a", "fr")]
    report = build_hashtag_set(tweets, tmp_path / "sets", n_hashtags=2, min_rows=3)
    (only,) = report.sets
    assert (only.n_tweets, only.n_several, only.n_empty) == (32, 1, 1)
    assert only.hashtags == {"a": 22, "b": 11}
    assert report.left_out == {"fr": 1}
    readme = (tmp_path / "sets" / "README.md").read_text("utf-8")
    assert "| es | 24 | 3 | 3 | 2 | 32 | 1 | 1 |" in readme
    assert "fr (1)" in readme


def test_languages_are_detected_where_no_field_names_them(tmp_path):
    tweets = [(k, text) for k, text, _ in TWEETS]

    def detect(text):
        return "par" if int(re.search(r"\d+", text).group()) % 2 == 0 else "impar"

    report = build_hashtag_set(tweets, tmp_path / "a", min_rows=20, detect=detect)
    assert [one.language for one in report.sets] == ["impar", "par"]
    report = build_hashtag_set(tweets, tmp_path / "b", min_rows=20)
    assert [one.language for one in report.sets] == ["und"]
    report = build_hashtag_set(
        TWEETS, tmp_path / "c", min_rows=20, languages=["pt", "xx"]
    )
    assert [one.language for one in report.sets] == ["pt"]


@pytest.mark.parametrize("drop", [False, True])
def test_contamination_is_counted_and_dropped_if_asked_for(tmp_path, drop):
    long = "una frase bastante larga que nadie escribiría dos veces igual número"
    tweets = [(str(k), f"{long} {k} #{'ab'[k % 2]}{'' if k % 5 else ' !'}", "es")
              for k in range(60)]  # fmt: skip
    corpus = [f"antes {long} y después"]
    report = build_hashtag_set(
        tweets, tmp_path / "sets", min_rows=10, corpus=corpus, drop_contaminated=drop
    )
    (only,) = report.sets
    assert sum(only.contaminated.values()) == 60
    assert sum(only.n_rows.values()) == (0 if drop else 60)


def test_counting_in_bounded_memory_is_never_too_high():
    counter = module._Counter(50)
    stream = [("es", f"t{int(k)}") for k in RNG.zipf(1.3, size=20_000)]
    for key in stream:
        counter.add([key])
        assert len(counter.counts) <= 50
    exact = Counter(stream)
    for key, n in counter.counts.items():
        assert exact[key] - counter.too_low_by <= n <= exact[key]
    top = [key for key, _ in exact.most_common(3)]
    assert all(key in counter.counts for key in top)
    assert module._Counter(10**6).too_low_by == 0


def test_input_that_cannot_serve_is_refused(tmp_path):
    with pytest.raises(DataError, match="gone through twice"):
        build_hashtag_set(iter(TWEETS), tmp_path / "x")
    with pytest.raises(DataError, match="no language has 5000 tweets"):
        build_hashtag_set(TWEETS, tmp_path / "x", min_rows=5000)
    with pytest.raises(ValueError, match="'sizes' parameter"):
        build_hashtag_set(TWEETS, tmp_path / "x", sizes={"test": 3})
    with pytest.raises(ValueError, match="'n_hashtags' parameter"):
        build_hashtag_set(TWEETS, tmp_path / "x", n_hashtags=1)
    assert not (tmp_path / "x").exists()
    with pytest.raises(DataError, match="there is no file"):
        fasttext_detector(tmp_path / "lid.176.bin")


def test_a_missing_fasttext_is_named(tmp_path, monkeypatch):
    (tmp_path / "lid.bin").write_bytes(b"x")
    monkeypatch.setitem(__import__("sys").modules, "fasttext", None)
    with pytest.raises(MissingDependencyError, match=r"tweetclf\[fasttext\]"):
        fasttext_detector(tmp_path / "lid.bin")


# Files ---------------------------------------------------------------------------


def test_tweets_are_read_from_files_as_often_as_asked(tmp_path):
    json_file = tmp_path / "a.jsonl"
    json_file.write_text(
        '{"id": 7, "text": "hola", "lang": "es"}\n{"id": 8, "text": "oi"}\n', "utf-8"
    )
    table = tmp_path / "b.tsv"
    table.write_text("tweet\tcuerpo\nt1\tchau\n", "utf-8")
    first = TweetFiles([json_file])
    assert list(first) == list(first) == [("7", "hola", "es"), ("8", "oi", None)]
    second = TweetFiles([table], text="cuerpo")
    assert list(second) == [("t1", "chau", None)]
    (tmp_path / "c.csv").write_text("text\nhola\n", "utf-8")
    assert list(TweetFiles([tmp_path / "c.csv"])) == [("c.csv:2", "hola", None)]
    with pytest.raises(DataError, match="no column 'lenguaje'"):
        list(TweetFiles([table], text="cuerpo", language="lenguaje"))
    with pytest.raises(DataError, match=r"tweets are read from .csv"):
        list(TweetFiles([tmp_path / "d.txt"]))


def _json_lines(path, rows):
    # As Twitter does: everything beyond ASCII is escaped, halves of emoji too.
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_each_row_of_a_file_has_fields_of_its_own(tmp_path):
    rows = [
        {"full_text": "sin nada"},
        {"text": "hola", "lang": "es", "id": 7},
        {"Text": "oi", "language": "pt", "tweet_id": "8"},
        {"delete": {"id": 9}},
    ]
    tweets = TweetFiles([_json_lines(tmp_path / "a.jsonl", rows)])
    assert list(tweets) == [
        ("a.jsonl:1", "sin nada", None), ("7", "hola", "es"), ("8", "oi", "pt"),
    ]  # fmt: skip
    assert tweets.bad_rows.examples == [f"{tmp_path}/a.jsonl, line 4: no text"]
    only = _json_lines(tmp_path / "b.jsonl", [{"frase": "a"}, {"frase": "b", "x": 1}])
    assert [tweet.text for tweet in TweetFiles([only])] == ["a", "b"]


@pytest.mark.parametrize("n", [3, 30])
@pytest.mark.parametrize("name", ["text", "id", "language"])
def test_a_named_column_that_no_row_has_is_refused(tmp_path, name, n):
    rows = [{"texto": "hola", "x": 1}] * n
    path = _json_lines(tmp_path / "a.jsonl", rows)
    files = TweetFiles([path], **{name: "textt"}, max_bad_rows=10)
    with pytest.raises(DataError, match="no column 'textt'.*Did you mean 'texto'"):
        list(files)
    _json_lines(path, [{"x": 1, "y": 2}] * n)
    with pytest.raises(DataError, match="which column holds the text"):
        list(TweetFiles([path], max_bad_rows=10))


HALF = "media cara \ud83d"


def test_half_an_emoji_and_missing_texts_are_counted_and_left_out(tmp_path):
    rows = [{"id": i, "text": text, "lang": code} for i, text, code in TWEETS]
    rows[5]["text"] = HALF + " #gol"
    rows[6]["text"] = None
    rows[7]["text"] = 3
    rows[8]["id"] = "\ud83d"
    tweets = TweetFiles([_json_lines(tmp_path / "a.jsonl", rows)])
    report = build_hashtag_set(tweets, tmp_path / "sets", min_rows=20)
    assert report.n_bad_rows == 4
    assert tweets.bad_rows.reasons == {
        "half of a surrogate pair in the text": 1,
        "no text": 1,
        "the text is no string": 1,
        "no usable id": 1,
    }
    assert "a.jsonl, line 6: half of" in tweets.bad_rows.examples[0]
    assert "`n_bad_rows`: 4" in (tmp_path / "sets" / "README.md").read_text("utf-8")
    with pytest.raises(
        DataError, match=r"3 bad rows, more than max_bad_rows=2.*line 6"
    ):
        list(TweetFiles(tweets.paths, max_bad_rows=2))


def test_no_builder_ends_at_half_an_emoji(tmp_path):
    bad = [("p3", HALF, "es"), ("p4", None, "es")]
    posts = [post for post in POSTS if post[0] not in ("p3", "p4")] + bad
    tagged = [(id_, f"{text} #gol" if text else None, "es") for id_, text, _ in posts]
    hashtags = build_hashtag_set(tagged, tmp_path / "a", min_rows=20)
    engagements = build_engagement_set(posts, LIKES, tmp_path / "b", salt=SALT)
    assert "`n_bad_rows`: 2" in (tmp_path / "b" / "README.md").read_text("utf-8")
    pairs = write_pair_corpus([0, 1], [2, 2], ["p1", "p3", "p2"], posts, tmp_path / "c")
    assert [r.n_bad_rows for r in (hashtags, engagements, pairs)] == [2, 2, 2]
    assert (pairs.n_tweets, pairs.n_pairs, pairs.n_without_text) == (2, 1, 1)


@pytest.mark.parametrize(
    "code", ["../x", "/tmp/x", "a/b", "..", "a\0b", "x" * 36, "\ud83d", "e s", {"a": 1}]
)
def test_what_a_tweet_calls_its_language_names_no_folder_elsewhere(tmp_path, code):
    rows = [
        {"id": id_, "text": text, "lang": code if own == "pt" else own}
        for id_, text, own in TWEETS
    ]
    tweets = TweetFiles([_json_lines(tmp_path / "a.jsonl", rows)])
    report = build_hashtag_set(tweets, tmp_path / "in" / "sets", min_rows=20)
    assert [one.language for one in report.sets] == ["es", "und"]
    assert report.n_unusable_codes == report.sets[1].n_tweets > 100
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "in"]
    folder = tmp_path / "in" / "sets"
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == ["es", "und"]
    said = (folder / "README.md").read_text("utf-8")
    assert f"`n_unusable_codes`: {report.n_unusable_codes}" in said
    detected = build_hashtag_set(
        tweets, tmp_path / "b", min_rows=20, detect=lambda text: "../y"
    )
    assert [one.language for one in detected.sets] == ["es", "und"]


def test_codes_of_languages_are_compared_without_case(tmp_path):
    tweets = [(i, text, ["ES", "es", "zh-TW"][int(i) % 3]) for i, text, _ in TWEETS]
    report = build_hashtag_set(tweets, tmp_path / "a", min_rows=20, languages=["Es"])
    assert [one.language for one in report.sets] == ["es"]
    assert report.sets[0].n_tweets == 400
    posts = [(i, text, code.upper()) for i, text, code in POSTS]
    build_engagement_set(posts, LIKES, tmp_path / "b", salt=SALT, languages=["PT"])
    assert set(read_engagement_set(tmp_path / "b").languages) == {"pt"}
    write_pair_corpus([0], [1], ["p1", "p2"], posts, tmp_path / "c")
    assert [row["lang"] for row in _rows(tmp_path / "c", "tweets")] == ["es", "pt"]


# Engagements ---------------------------------------------------------------------

POSTS = [(f"p{k}", f"texto {k}", "es" if k % 2 else "pt") for k in range(100)]
LIKES = [(f"persona{u}", f"p{p}") for u, p in RNG.integers(120, size=(900, 2)).tolist()]
SALT = b"a salt of sixteen bytes and more"


def test_users_are_pseudonyms_and_records_follow_their_posts(tmp_path):
    report = build_engagement_set(POSTS, LIKES, tmp_path / "set", salt=SALT)
    found = read_engagement_set(tmp_path / "set")
    written = "".join(p.read_text("utf-8") for p in (tmp_path / "set").iterdir())
    assert "persona" not in written
    assert SALT.decode() not in written
    users = {user: pseudonym(user, SALT) for user, _ in LIKES}
    assert len(set(users.values())) == len(users)
    known = {post for post, *_ in POSTS}
    true = {(users[u], p) for u, p in LIKES if p in known}
    got = {
        (found.users[u], found.posts[p])
        for rows in found.records.values()
        for u, p in rows.tolist()
    }
    assert got == true
    assert report.n_without_text == sum(p not in known for _, p in LIKES)
    sides = [{p for _, p in rows.tolist()} for rows in found.records.values()]
    assert not sides[0] & sides[1]
    assert not sides[2] & (sides[0] | sides[1])
    assert sum(report.n_posts.values()) == 100 - report.n_without_engagement
    texts = {p: t for p, t, _ in POSTS}
    assert all(texts[p] == t for p, t in zip(found.posts, found.texts, strict=True))


def test_with_a_salt_files_are_the_same_bytes_whatever_the_order(tmp_path):
    for name, posts, likes in (("a", POSTS, LIKES), ("b", POSTS[::-1], LIKES[::-1])):
        build_engagement_set(posts, likes, tmp_path / name, salt=SALT, n_posts=30)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    card = json.loads((tmp_path / "a" / "card.json").read_text("utf-8"))
    assert [one["n_posts"] for one in card["languages"]] == [30, 30]
    assert "30" in (tmp_path / "a" / "README.md").read_text("utf-8")


def test_without_a_salt_pseudonyms_are_new_every_time(tmp_path):
    for name in "ab":
        build_engagement_set(POSTS, LIKES, tmp_path / name)
    users = [set(read_engagement_set(tmp_path / name).users) for name in "ab"]
    assert not users[0] & users[1]
    with pytest.raises(ValueError, match="at least 16 bytes"):
        build_engagement_set(POSTS, LIKES, tmp_path / "c", salt=b"short")


def test_engagements_that_cannot_serve_are_refused(tmp_path):
    with pytest.raises(DataError, match="gone through twice"):
        build_engagement_set(POSTS, iter(LIKES), tmp_path / "x")
    with pytest.raises(DataError, match="no post has both"):
        build_engagement_set(POSTS, [("u", "elsewhere")], tmp_path / "x")
    with pytest.raises(DataError, match="is no set that build_engagement_set wrote"):
        read_engagement_set(tmp_path)


# Pairs ---------------------------------------------------------------------------


def test_pairs_point_at_their_texts(tmp_path):
    ids = [f"p{k}" for k in range(50)]
    first, second = np.triu_indices(50, 1)
    chosen = RNG.random(len(first)) < 0.05
    first, second = first[chosen], second[chosen]
    tweets = [(i, f"texto de {i}", "es") for i in ids[::-1] if i != "p7"]
    tweets.append(("p3", "otro texto", "es"))  # the first of an id counts
    report = write_pair_corpus(first, second, ids, tweets, tmp_path / "corpus")
    rows = _rows(tmp_path / "corpus", "tweets")
    pairs = np.load(tmp_path / "corpus" / "pairs.npy")
    got = {(rows[a]["text"], rows[b]["text"]) for a, b in pairs.tolist()}
    true = {
        (f"texto de {ids[a]}", f"texto de {ids[b]}")
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
        if 7 not in (a, b)
    }
    assert got == true
    assert report.n_pairs + report.n_without_text == len(first)
    with pytest.raises(DataError, match="none of .* pairs has both texts"):
        write_pair_corpus(first, second, ids, [], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_ids_of_tweets_are_read_as_those_of_logs(tmp_path):
    rows = [
        {"id": id_, "text": f"tuit {k}"}
        for k, id_ in enumerate([7, 7.0, " 7 ", "7", True, {"x": 1}, None, ""])
    ]
    path = _json_lines(tmp_path / "a.jsonl", rows)
    tweets = TweetFiles([path])
    ids = [tweet.id for tweet in tweets]
    assert ids == ["7", "7", "7", "7", "a.jsonl:7", "a.jsonl:8"]
    assert tweets.bad_rows.reasons == {"no usable id": 2}


def test_languages_that_are_no_codes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="build_hashtag_set.*Got 'e s' among them"):
        build_hashtag_set(TWEETS, tmp_path / "a", languages=["es", "e s"])
    with pytest.raises(ValueError, match="build_engagement_set.*Got '../x' among"):
        build_engagement_set([], LIKES, tmp_path / "b", salt=SALT, languages=["../x"])
