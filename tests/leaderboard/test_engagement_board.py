"""Engagement prediction as a board: parts, runs that are kept, statistics."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tweetclf.exceptions import DataError, RecordError
from tweetclf.leaderboard.engagements import (
    TEXT_SYSTEMS,
    EngagementProtocol,
    EngagementRecord,
    EngagementSpec,
    EngagementStore,
    LanguagePart,
    build_engagement_board,
    language_parts,
    learn_user_vectors,
    read_engagement_definition,
    run_engagements,
    take_user_vectors,
)
from tweetclf.leaderboard.given import choose_systems
from tweetclf.social import (
    EngagementGraph,
    TwHINEmbedding,
    build_engagement_set,
    read_engagement_set,
)

WORDS = ("gol", "lluvia", "voto")
SALT = b"sixteen bytes at least"
SMALL = {"max_iter": 3, "batch_size": 64, "n_components": 4}


@pytest.fixture(scope="module")
def tweets():
    rng = np.random.default_rng(0)
    found = []
    for code, n in (("en", 60), ("es", 60), ("xx", 3)):
        for k in range(n):
            fill = " ".join(rng.choice(list("abcde"), 3))
            found.append((f"{code}{k}", f"{WORDS[k % 3]} {fill} {k}", code))
    return found


@pytest.fixture(scope="module")
def likes(tweets):
    """Users like the subject of theirs."""
    rng = np.random.default_rng(1)
    found = []
    for name, text, _ in tweets:
        subject = WORDS.index(text.split()[0])
        found += [(f"u{3 * i + subject}", name) for i in rng.choice(12, 4, False)]
    return found


@pytest.fixture(scope="module")
def engagement_set(tweets, likes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set") / "set"
    build_engagement_set(tweets, likes, folder, salt=SALT)
    return read_engagement_set(folder)


@pytest.fixture(scope="module")
def parts(engagement_set):
    users = learn_user_vectors(engagement_set, dim=8, max_iter=3)
    return language_parts(engagement_set, users)[0]


def _systems(*names: str):
    return choose_systems(names, dict.fromkeys(names, SMALL), registry=TEXT_SYSTEMS)


WAY = EngagementProtocol(n_runs=3, k=2, n_candidates=4)


@pytest.fixture
def crowded(tmp_path: Path) -> LanguagePart:
    """Users with several test posts each, and a test post that no known user likes."""
    tweets = [(f"t{k}", f"{WORDS[k % 3]} {k}", "en") for k in range(60)]
    rng = np.random.default_rng(2)
    likes = [(f"u{u}", f"t{k}") for k in range(60) for u in rng.choice(12, 6, False)]
    build_engagement_set(tweets, likes, tmp_path / "set", salt=SALT)
    found = read_engagement_set(tmp_path / "set")
    users = learn_user_vectors(found, dim=4, max_iter=1)
    test = found.records["test"]
    known = users.known.copy()
    known[test[test[:, 1] == test[0, 1], 0]] = False
    ((part,), _) = language_parts(found, replace(users, known=known))
    assert len(part.pool) == 6 > len(np.unique(part.records["test"][:, 1]))
    assert np.bincount(part.records["test"][:, 0]).max() > 1
    return part


def test_a_constant_predictor_has_the_chance_that_is_told(
    crowded: LanguagePart, tmp_path: Path
):
    # Without users' vectors nothing is told apart: all posts score 0.
    part = replace(crowded, user_vectors=np.zeros_like(crowded.user_vectors))
    store = EngagementStore(tmp_path / "store")
    for n in (5, 2):
        way = replace(WAY, n_runs=1, n_candidates=n)
        found = run_engagements([part], _systems("random"), store, protocol=way)
        board = build_engagement_board([part], found.records, store, protocol=way)
        score = board.scores["random"]["en"].median
        assert score == pytest.approx(board.chance("en"))
        own = np.bincount(part.records["test"][:, 0])[part.records["test"][:, 0]]
        left = np.minimum(n, 6 - own)
        assert board.candidates["en"] == pytest.approx(left.mean())
        assert board.chance("en") == pytest.approx(np.minimum(1, 2 / (left + 1)).mean())


# Languages -----------------------------------------------------------------------


def test_a_part_has_its_language_and_users_with_a_vector(engagement_set):
    users = learn_user_vectors(engagement_set, dim=8, max_iter=1)
    parts, left_out = language_parts(engagement_set, users)
    assert [part.language for part in parts] == ["en", "es"]
    ((code, why),) = left_out
    assert code == "xx"
    assert "posts are engaged with" in why
    part = parts[1]
    pairs = zip(engagement_set.texts, engagement_set.languages, strict=True)
    own = [text for text, code in pairs if code == "es"]
    assert list(part.texts) == own
    # What its numbers stand for is what the set says.
    for name in ("train", "dev", "test"):
        wanted = {
            (users.values[user].tobytes(), engagement_set.texts[post])
            for user, post in engagement_set.records[name].tolist()
            if engagement_set.languages[post] == "es" and users.known[user]
        }
        found = {
            (part.user_vectors[user].tobytes(), part.texts[post])
            for user, post in part.records[name].tolist()
        }
        assert found == wanted
        assert part.sizes[f"{name}_records"] == len(part.records[name])


def test_an_embedding_of_users_is_kept(engagement_set, tmp_path, monkeypatch):
    options = {"dim": 8, "max_iter": 2}
    plain = learn_user_vectors(engagement_set, **options)
    once = learn_user_vectors(engagement_set, **options, folder=tmp_path)
    assert sum(place.is_dir() for place in tmp_path.iterdir()) == 1
    with monkeypatch.context() as patch:
        patch.delattr(TwHINEmbedding, "fit")
        again = learn_user_vectors(engagement_set, **options, folder=tmp_path)
    assert_array_equal(once.values, plain.values)
    assert_array_equal(again.values, plain.values)
    other = learn_user_vectors(engagement_set, **options, seed=1, folder=tmp_path)
    assert not np.array_equal(other.values, plain.values)


def test_users_unknown_in_training_are_left_out_and_counted(engagement_set):
    users = learn_user_vectors(engagement_set, dim=8, max_iter=1)
    known = users.known.copy()
    gone = int(engagement_set.records["test"][0, 0])
    known[gone] = False
    fewer, _ = language_parts(engagement_set, replace(users, known=known))
    whole, _ = language_parts(engagement_set, users)
    n = sum(int((rows[:, 0] == gone).sum()) for rows in engagement_set.records.values())
    n_xx = sum(
        int(engagement_set.languages[post] == "xx")
        for rows in engagement_set.records.values()
        for user, post in rows.tolist()
        if user == gone
    )
    both = list(zip(fewer, whole, strict=True))
    lost = [f.sizes["left_out"] - w.sizes["left_out"] for f, w in both]
    assert sum(lost) == n - n_xx
    assert [f.digest != w.digest for f, w in both] == [bool(x) for x in lost]


def test_vectors_of_a_graph_are_found_behind_pseudonyms(
    engagement_set, likes, tmp_path: Path
):
    log = tmp_path / "log.csv"
    log.write_text("user,post\n" + "\n".join(f"{u},{p}" for u, p in likes))
    graph = EngagementGraph.build([log], tmp_path / "graph")
    embedding = TwHINEmbedding(dim=4, max_iter=1, random_state=0).fit(graph)
    users = take_user_vectors(engagement_set, embedding, graph, SALT)
    assert users.known.all()
    from tweetclf.social import pseudonym

    place = engagement_set.users.index(pseudonym("u5", SALT))
    row = int(graph.user_ids.find(["u5"])[0])
    assert_array_equal(users.values[place], embedding.user_vectors_[row])
    held_out = {
        p for n in ("dev", "test") for _, p in engagement_set.records[n].tolist()
    }
    assert users.n_seen == len(held_out)  # the graph has them all: it leaks
    with pytest.raises(DataError, match="another secret"):
        take_user_vectors(engagement_set, embedding, graph, b"0" * 16)
    few = TwHINEmbedding(dim=4, max_iter=1).fit([[0, 0], [1, 1]])
    with pytest.raises(DataError, match="of 2 users and the graph has 36"):
        take_user_vectors(engagement_set, few, graph, SALT)


# Runs ----------------------------------------------------------------------------


def test_runs_are_those_of_the_predictor(parts, tmp_path: Path):
    (tfidf,) = _systems("tfidf")
    store = EngagementStore(tmp_path)
    found = run_engagements(parts[:1], [tfidf], store, protocol=WAY)
    part = parts[0]
    for record in found.records:
        predictor = tfidf.build(part, seed=0).set_params(
            k=2, n_candidates=4, random_state=record.spec.run
        )
        predictor.fit(
            part.records["train"], user_vectors=part.user_vectors, texts=part.texts,
            X_val=part.records["dev"],
        )  # fmt: skip
        ranked = predictor.rank(
            part.records["test"], user_vectors=part.user_vectors, texts=part.texts,
            pool=part.pool,
        )  # fmt: skip
        assert_array_equal(store.hits(record), ranked.hits)
        assert record.score == ranked.mean
    assert found.records[0].score != found.records[1].score


def test_a_killed_call_goes_on_to_the_same_numbers(parts, tmp_path: Path):
    systems = _systems("random", "popularity", "tfidf")
    whole = EngagementStore(tmp_path / "whole")
    once = run_engagements(parts, systems, whole, protocol=WAY)
    assert len(once.records) == 2 * 3 * 3
    seen = []

    def stop(record: EngagementRecord, done: int, total: int) -> None:
        seen.append((done, total))
        if done == 5:
            raise KeyboardInterrupt

    halved = EngagementStore(tmp_path / "halved")
    with pytest.raises(KeyboardInterrupt):
        run_engagements(parts, systems, halved, protocol=WAY, on_record=stop)
    assert seen[-1] == (5, 18)
    again = run_engagements(parts, systems, halved, protocol=WAY)
    assert again.n_reused == 5
    for one, two in zip(once.records, again.records, strict=True):
        assert one.spec == two.spec
        assert_array_equal(whole.hits(one), halved.hits(two))
    third = run_engagements(parts, systems, halved, protocol=WAY)
    assert third.n_reused == 18
    assert third.records == again.records


def test_more_runs_add_to_those_that_are_there(parts, tmp_path: Path):
    systems = _systems("random")
    store = EngagementStore(tmp_path)
    run_engagements(parts[:1], systems, store, protocol=replace(WAY, n_runs=1))
    more = run_engagements(parts[:1], systems, store, protocol=WAY)
    assert (more.n_reused, len(more.records)) == (1, 3)
    other = run_engagements(parts[:1], systems, store, protocol=replace(WAY, k=1))
    assert other.n_reused == 0


def test_what_fails_is_recorded_and_the_rest_goes_on(parts, tmp_path: Path):
    systems = choose_systems(
        ["gone=transformer", "random", "sif"],
        {"gone": {"model": str(tmp_path / "no-model")}, "random": {"max_iter": 1}},
        registry=TEXT_SYSTEMS,
    )
    store = EngagementStore(tmp_path / "store")
    found = run_engagements(parts, systems, store, protocol=WAY)
    assert [r.spec.language for r in found.failed] == ["en", "es"]
    assert "no-model" in (found.failed[0].error or "")
    assert found.skipped[0][0] == "sif"
    assert "--param sif.vectors=PATH" in found.skipped[0][1]
    board = build_engagement_board(parts, found.records, store, protocol=WAY)
    assert board.systems == ("random",)
    assert len(board.failed) == 2
    assert len(list((tmp_path / "store").rglob("*.failed.json"))) == 2
    given = {"random": {"k": 5}}
    systems = choose_systems(["random"], given, registry=TEXT_SYSTEMS)
    with pytest.raises(DataError, match=r"random.k cannot be set"):
        run_engagements(parts, systems, store)


def test_a_frozen_transformer_is_a_system(parts, tmp_path: Path):
    pytest.importorskip("transformers")
    from tweetclf.testing import make_tiny_transformer

    path = make_tiny_transformer(tmp_path / "model", parts[0].texts)
    given = {"mine": {"model": str(path), "max_iter": 1, "n_components": 4}}
    systems = choose_systems(["mine=transformer"], given, registry=TEXT_SYSTEMS)
    assert systems[0].build(parts[0]).vectorizer.pooling == "combined"
    store = EngagementStore(tmp_path / "store")
    found = run_engagements(parts[:1], systems, store, protocol=WAY)
    assert not found.failed
    # It is named by what is in the folder, not by where that lies.
    assert set(found.records[0].spec.arguments["model"]) == {"name", "sha256"}


def test_damaged_runs_are_told(parts, tmp_path: Path):
    store = EngagementStore(tmp_path)
    found = run_engagements(parts[:1], _systems("random"), store, protocol=WAY)
    (hits,) = tmp_path.glob(f"{found.records[0].spec.path}.*.npz")
    hits.write_bytes(hits.read_bytes()[:-1])
    with pytest.raises(RecordError, match="damaged"):
        store.hits(found.records[0])
    board = build_engagement_board(parts[:1], found.records, store, protocol=WAY)
    assert board.systems == ()
    assert "to run it again" in board.damaged[0]
    record = tmp_path / f"{found.records[0].spec.path}.json"
    document = json.loads(record.read_text())
    document["spec"]["run"] = 7
    record.write_text(json.dumps(document))
    with pytest.raises(RecordError, match="it was changed"):
        store.get(found.records[0].spec)
    # The others are run, and the one that cannot be read is named.
    again = run_engagements(
        parts[:1], _systems("random", "popularity"), store, protocol=WAY
    )
    assert (again.n_reused, len(again.records), len(again.damaged)) == (2, 5, 1)
    board = build_engagement_board(
        parts[:1], again.records, store, protocol=WAY, damaged=again.damaged
    )
    assert board.systems == ("popularity",)
    assert str(record) in board.damaged[0]


def test_runs_whose_hits_are_gone_are_run_again(parts, tmp_path: Path):
    store = EngagementStore(tmp_path)
    found = run_engagements(parts[:1], _systems("random"), store, protocol=WAY)
    kept = store.hits(found.records[1])
    (hits,) = tmp_path.glob(f"{found.records[1].spec.path}.*.npz")
    hits.unlink()
    assert store.get(found.records[1].spec) is None
    again = run_engagements(parts[:1], _systems("random"), store, protocol=WAY)
    assert (again.n_reused, len(again.records)) == (2, 3)
    assert again.records[-1].spec == found.records[1].spec
    assert_array_equal(store.hits(again.records[-1]), kept)


def test_two_processes_may_make_one_run_with_other_bits(tmp_path: Path, monkeypatch):
    one, two = EngagementStore(tmp_path), EngagementStore(tmp_path)
    spec = EngagementSpec("en", "d", "mine", "t", {}, 0, WAY, "v")
    record = EngagementRecord(spec, "finished", score=0.5, n_candidates=4, chance=0.4)
    first = one.put(record, np.array([1.0, 0.0]))
    second = two.put(record, np.array([0.0, 1.0]))
    assert first == second
    assert one.hits(second).tolist() == [1.0, 0.0]
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    # And where the hits of the record are gone, others are taken.
    next(tmp_path.rglob("*.npz")).unlink()
    third = two.put(record, np.array([0.0, 1.0]))
    assert one.get(spec) == third
    assert one.hits(third).tolist() == [0.0, 1.0]


def test_of_two_that_embed_the_same_users_one_waits(
    engagement_set, tmp_path, monkeypatch
):
    fit, started = TwHINEmbedding.fit, []

    def slow(self, *given, **named):
        started.append(named["checkpoint"])
        time.sleep(0.3)
        return fit(self, *given, **named)

    monkeypatch.setattr(TwHINEmbedding, "fit", slow)
    # Locks are of open files: threads stand for processes.
    with ThreadPoolExecutor(2) as pool:
        calls = [
            pool.submit(
                learn_user_vectors, engagement_set, dim=4, max_iter=1, folder=tmp_path
            )
            for _ in range(2)
        ]
        one, two = (call.result() for call in calls)
    assert_array_equal(one.values, two.values)
    assert len(started) == 1


@pytest.mark.parametrize("seed", ["x", -1, True, 0.5])
def test_seeds_of_protocols_are_checked(seed):
    with pytest.raises(ValueError, match="'seed' parameter must be an integer from 0"):
        EngagementProtocol(seed=seed)


# Statistics ----------------------------------------------------------------------


def _part(language: str, posts: np.ndarray) -> LanguagePart:
    test = np.column_stack([np.zeros_like(posts), posts])
    none = np.empty((0, 2), dtype=np.int64)
    records = {"train": none, "dev": none, "test": test.astype(np.int64)}
    return LanguagePart(language, (), np.zeros((1, 1), np.float32), records, {}, "d")


def _records(store: EngagementStore, language: str, hits: dict[str, np.ndarray]):
    found = []
    for system, rows in hits.items():
        for run, row in enumerate(rows):
            spec = EngagementSpec(language, "d", system, "t", {}, run, WAY, "v")
            record = EngagementRecord(spec, "finished", score=float(row.mean()),
                                      n_candidates=4, chance=0.4)  # fmt: skip
            found.append(store.put(record, row))
    return found


def _draws(rng, p, n):
    return (rng.random((3, n)) < p).astype(float)


def test_medians_and_averages_are_those_of_the_numbers(tmp_path: Path):
    rng = np.random.default_rng(3)
    store = EngagementStore(tmp_path)
    posts = {code: rng.integers(30, size=200) for code in ("en", "es", "el")}
    parts = [_part(code, rows) for code, rows in posts.items()]
    hits = {
        code: {"good": _draws(rng, 0.5, 200), "bad": _draws(rng, 0.2, 200)}
        for code in posts
    }
    del hits["el"]["bad"]
    records = [r for code in posts for r in _records(store, code, hits[code])]
    board = build_engagement_board(parts, records, store, protocol=WAY, n_resamples=300)
    median = {c: np.median(hits[c]["good"].mean(axis=1)) for c in posts}
    good, bad = board.scores["good"], board.scores["bad"]
    assert good["en"].median == pytest.approx(median["en"])
    assert good["high"].median == pytest.approx((median["en"] + median["es"]) / 2)
    assert good["mid"].median == pytest.approx(median["el"])
    assert good["all"].median == pytest.approx(np.mean(list(median.values())))
    assert board.groups == {"high": ("en", "es"), "mid": ("el",)}
    assert set(bad) == {"en", "es", "high"}  # no average over what it has not
    assert board.systems == ("good", "bad")
    assert good["en"].best
    assert not bad["high"].tied
    assert bad["high"].p_best < 0.01
    assert board.chance("en") == 2 / 5
    assert board.contrasts == ()  # one system alone has all languages


def test_intervals_are_those_of_drawing_posts_one_by_one(tmp_path: Path):
    rng = np.random.default_rng(5)
    # Engagements of a post hang together, and posts have different numbers of them.
    posts = np.repeat(np.arange(25), rng.integers(1, 20, size=25))
    levels = rng.random(25)[posts]
    hits = {
        name: (rng.random((3, len(posts))) < levels * share).astype(float)
        for name, share in (("one", 0.9), ("two", 0.7))
    }
    store = EngagementStore(tmp_path)
    records = _records(store, "en", hits)
    part = _part("en", posts)
    board = build_engagement_board(
        [part], records, store, protocol=WAY, n_resamples=4000
    )
    drawn, differences = [], []
    for _ in range(4000):
        rows = np.concatenate(
            [np.flatnonzero(posts == post) for post in rng.integers(25, size=25)]
        )
        drawn.append(np.median(hits["one"][:, rows].mean(axis=1)))
        own = [h[rng.integers(3, size=2)][:, rows].mean() for h in hits.values()]
        differences.append(own[0] - own[1])
    score = board.scores["one"]["en"]
    wanted = np.quantile(drawn, [0.025, 0.975])
    assert_allclose((score.low, score.high), wanted, atol=0.015)
    (contrast,) = board.contrasts
    assert (contrast.first, contrast.second) == ("one", "two")
    assert contrast.difference == pytest.approx(hits["one"].mean() - hits["two"].mean())
    wanted = np.quantile(differences, [0.025, 0.975])
    assert_allclose((contrast.low, contrast.high), wanted, atol=0.015)


def test_equal_systems_are_tied_and_few_posts_prove_nothing(tmp_path: Path):
    store = EngagementStore(tmp_path)
    posts = np.arange(40)
    same = np.tile(np.arange(40) % 2.0, (3, 1))
    better = same.copy()
    better[:, :6:2] = 1.0  # three posts more, in every run
    records = _records(store, "en", {"same": same, "twin": same, "better": better})
    board = build_engagement_board([_part("en", posts)], records, store, protocol=WAY)
    scores = {name: own["en"] for name, own in board.scores.items()}
    assert scores["better"].best
    # Three posts: an exact test of exchanges cannot fall below 2 / 2**3.
    assert scores["same"].p_best >= 0.25
    assert scores["same"].tied
    twins = [c for c in board.contrasts if {c.first, c.second} == {"same", "twin"}]
    assert twins[0].p_value == 1
    assert twins[0].difference == 0


def test_groups_may_overlap_and_are_not_called_as_languages(tmp_path: Path):
    rng = np.random.default_rng(3)
    store = EngagementStore(tmp_path)
    posts = {code: rng.integers(30, size=50) for code in ("en", "es")}
    parts = [_part(code, rows) for code, rows in posts.items()]
    records = [
        r for c in posts for r in _records(store, c, {"one": _draws(rng, 0.5, 50)})
    ]
    groups = {"a": ["en", "es", "en"], "b": ["es"]}
    board = build_engagement_board(
        parts, records, store, protocol=WAY, groups=groups, n_resamples=100
    )
    own = board.scores["one"]
    assert board.groups == {"a": ("en", "es"), "b": ("es",)}
    assert own["a"].median == pytest.approx((own["en"].median + own["es"].median) / 2)
    for name in ("es", "all"):
        with pytest.raises(DataError, match=f"a group cannot be called '{name}'"):
            build_engagement_board(
                parts, records, store, protocol=WAY, groups={name: ["en"]}
            )


def test_resamples_suffice_for_all_pairs(tmp_path: Path):
    store = EngagementStore(tmp_path)
    names = [f"s{i}" for i in range(8)]
    # Each is far better than the one before it.
    hits = {n: np.tile(np.arange(160) < 20 * i, (3, 1)) * 1.0
            for i, n in enumerate(names)}  # fmt: skip
    records = _records(store, "en", hits)
    board = build_engagement_board(
        [_part("en", np.arange(160))], records, store, protocol=WAY, n_resamples=100
    )
    assert board.n_resamples == 28 / 0.05
    assert len(board.contrasts) == 28
    assert max(c.p_holm for c in board.contrasts) < 0.05


# Definitions ---------------------------------------------------------------------


def test_a_definition_is_read(tmp_path: Path):
    path = tmp_path / "d.toml"
    path.write_text(
        'systems = ["random", "a=transformer"]\nlanguages = ["en"]\nn_runs = 2\n'
        '[groups]\nmain = ["en", "es"]\n[params.a]\nmodel = "x"\n'
    )
    found = read_engagement_definition(path)
    assert found.systems == ("random", "a=transformer")
    assert found.protocol == EngagementProtocol(n_runs=2)
    assert found.groups == {"main": ("en", "es")}
    assert found.params["a"] == {"model": "x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system = []", "unknown key 'system'. Did you mean 'systems'"),
        ("systems = []", "'systems' is empty"),
        ('systems = ["a", "a"]', "'a' stands twice"),
        ("systems = [1]", "must be a list of strings"),
        ('languages = "en"', "'languages' must be a list"),
        ("n_runs = 0", "'n_runs' parameter must be an integer from 1"),
        ("n_resamples = 5", "'n_resamples' must be an integer from 100"),
        ('ties = "best"', "'ties' parameter must be"),
        ('[groups]\nall = ["en"]', "a group cannot be called 'all'"),
        ("[groups]\nx = []", "the group 'x' must be a list"),
        ('[groups]\nx = ["en", "en"]', "'en' stands twice in the group 'x'"),
        ('[groups]\nen = ["en", "es"]', "a group cannot be called 'en'"),
        ('seed = "x"', "'seed' parameter must be an integer from 0"),
        ("[params]\nx = 1", r"as in \[params.x\]"),
    ],
)
def test_wrong_definitions_are_explained(text: str, message: str, tmp_path: Path):
    path = tmp_path / "d.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_engagement_definition(path)
