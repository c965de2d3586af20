"""EngagementGraph: what logs say, counted again in plain Python."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import DataError
from tweetclf.social import EngagementGraph, fit_power_law
from tweetclf.social import _building as building
from tweetclf.social import _spool as spooling
from tweetclf.social._reading import BadRows, read_rows
from tweetclf.social._shapes import Shapes

Row = tuple[str, str, str]


def made_rows(n: int = 400, seed: int = 0) -> list[Row]:
    rng = random.Random(seed)
    return [
        (
            f"u{int(rng.paretovariate(1)) % 40}",
            f"p{int(rng.paretovariate(0.7)) % 60}",
            rng.choice(["like", "reply", "rt"]),
        )
        for _ in range(n)
    ]


def write_tsv(path: Path, rows: list[Row], header: str = "user\tpost\taction") -> Path:
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    return path


def named(graph: EngagementGraph) -> list[Row]:
    """Return all edges by name, in their order."""
    return [
        (graph.user_ids[u], graph.post_ids[p], graph.actions[t])
        for u, p, t in zip(graph.users, graph.posts, graph.types, strict=True)
    ]


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name != "graph.json"
    }


def test_it_holds_each_edge_once(tmp_path: Path) -> None:
    rows = made_rows()
    graph = EngagementGraph.build(write_tsv(tmp_path / "a.tsv", rows), tmp_path / "g")
    distinct = set(rows)
    assert sorted(named(graph)) == sorted(distinct)
    assert graph.n_edges == len(graph) == len(distinct)
    assert set(graph.user_ids) == {user for user, _, _ in rows}
    assert set(graph.post_ids) == {post for _, post, _ in rows}
    assert graph.actions == ("like", "reply", "rt")
    assert graph.manifest["n_repeats"] == len(rows) - len(distinct)
    keys = np.stack([graph.users, graph.posts, graph.types])
    assert (np.lexsort(keys[::-1]) == np.arange(len(graph))).all()
    degrees = Counter(user for user, _, _ in distinct)
    found = dict(zip(graph.user_ids, graph.user_degrees.tolist(), strict=True))
    assert found == degrees
    assert int(graph.post_degrees.sum()) == len(distinct)
    assert graph.weights is None
    assert graph.times is None
    assert not (tmp_path / "g.building").exists()


def test_order_files_and_blocks_change_no_byte(tmp_path: Path) -> None:
    rows = made_rows()
    whole = EngagementGraph.build(write_tsv(tmp_path / "a.tsv", rows), tmp_path / "1")
    random.Random(1).shuffle(rows)
    parts = [
        write_tsv(tmp_path / f"part{i}.tsv", rows[i * 100 : (i + 1) * 100])
        for i in range(4)
    ]
    other = EngagementGraph.build(parts, tmp_path / "2", block=3)
    # A small block makes many shards.
    assert spooling._bits(parts, 3) > 3
    assert content(whole.folder) == content(other.folder)


def test_ids_are_found_again(tmp_path: Path) -> None:
    graph = EngagementGraph.build(
        write_tsv(tmp_path / "a.tsv", made_rows()), tmp_path / "g"
    )
    ids = list(graph.user_ids)
    assert graph.user_ids.find(ids).tolist() == list(range(len(ids)))
    assert graph.user_ids.find(["nobody", ids[3]]).tolist() == [-1, 3]
    assert graph.user_ids[-1] == ids[-1]
    assert graph.user_ids[1:4] == ids[1:4]
    with pytest.raises(IndexError):
        graph.user_ids[len(ids)]


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = made_rows(100)
    users, posts, actions = map(list, zip(*rows, strict=True))
    weights = [1 + i / 8 for i in range(100)]
    times = [1000.5 + i for i in range(100)]
    columns = {
        "user": users,
        "tweet_id": posts,
        "type": actions,
        "weight": weights,
        "timestamp": times,
    }
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write("\r\n".join(lines))
    (tmp_path / "a.tsv").write_text("\n".join(lines).replace(",", "\t"))
    (tmp_path / "a.jsonl").write_text(
        "\n".join(
            json.dumps(dict(zip(columns, row, strict=True)))
            for row in zip(*columns.values(), strict=True)
        )
    )
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    graphs = [
        EngagementGraph.build(tmp_path / name, tmp_path / f"g-{name}", block=17)
        for name in ("a.tsv", "a.csv.gz", "a.jsonl", "a.parquet")
    ]
    assert graphs[0].has_weights
    assert graphs[0].has_times
    for graph in graphs[1:]:
        assert content(graph.folder) == content(graphs[0].folder)


def test_weights_and_times_of_repeats(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        {"user": 1, "post": 2, "weight": 2, "time": "2020-01-01T00:00:10Z"},
        {"user": 1, "post": 2, "weight": 3.5, "time": "2020-01-01T00:00:00"},
        {"user": "1", "post": "3", "weight": 1, "time": 7},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    largest = EngagementGraph.build(path, tmp_path / "max")
    assert sorted(largest.weights.tolist()) == [1.0, 3.5]
    assert sorted(largest.times.tolist()) == [7.0, 1577836800.0]
    added = EngagementGraph.build(path, tmp_path / "sum", repeats="sum")
    assert sorted(added.weights.tolist()) == [1.0, 5.5]
    assert added.actions == ("engage",)


BAD = """user,post,weight
a,p,1
b,,1
c,p
"d,p,1
e,p,nan
f,p,-1
g,p,1
"""


def test_bad_rows_are_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(BAD.encode() + b"h\xff,p,1\n")
    graph = EngagementGraph.build(path, tmp_path / "g")
    assert sorted(graph.user_ids) == ["a", "g"]
    bad = graph.manifest["bad_rows"]
    assert bad["total"] == 6
    assert bad["reasons"] == {
        "no usable post id": 1,
        "not 3 fields": 2,
        "the weight is not a number above 0": 2,
        "bytes that are not UTF-8": 1,
    }
    places = [text.split(":")[0].rsplit(", ", 1)[1] for text in bad["examples"]]
    assert places == [f"line {n}" for n in (3, 4, 5, 6, 7, 9)]
    assert "'-1'" in bad["examples"][4]
    with pytest.raises(
        DataError, match=r"3 bad rows, more than max_bad_rows=2.*line 3"
    ):
        EngagementGraph.build(path, tmp_path / "h", max_bad_rows=2)
    assert not (tmp_path / "h").exists()


def write_json(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_each_row_of_json_lines_has_fields_of_its_own(tmp_path: Path) -> None:
    rows = [
        {"user": "a", "delete": {"id": 3}},  # the first has no post: a bad row, no end
        {"user_id": "a", "tweet_id": "p"},
        {"user": "b", "post": "p", "action": "rt", "weight": 2.5, "time": 8},
        {"Post": "q", "type": "like", "User": "b"},
        {"user": "c", "post": "q", "action": None},
    ]
    graph = EngagementGraph.build(
        write_json(tmp_path / "a.jsonl", rows), tmp_path / "g", default_action="fav"
    )
    edges = zip(named(graph), graph.weights.tolist(), graph.times.tolist(), strict=True)
    found = {edge: (weight, time) for edge, weight, time in edges}
    assert sorted(found) == [("a", "p", "fav"), ("b", "p", "rt"), ("b", "q", "like")]
    assert found["b", "p", "rt"] == (2.5, 8.0)
    assert found["a", "p", "fav"][0] == 1.0
    assert np.isnan(found["a", "p", "fav"][1])
    assert graph.manifest["bad_rows"]["reasons"] == {
        "no usable post id": 1,
        "no usable action": 1,
    }


def test_a_named_column_counts_in_the_rows_that_have_it(tmp_path: Path) -> None:
    rows = [{"user": "a", "post": "p"}, {"user": "a", "post": "q", "how": "rt"}]
    path = write_json(tmp_path / "a.jsonl", rows)
    graph = EngagementGraph.build(path, tmp_path / "g", columns={"action": "how"})
    assert set(named(graph)) == {("a", "p", "engage"), ("a", "q", "rt")}
    with pytest.raises(DataError, match=r"no column 'haw' .*Did you mean 'how'"):
        EngagementGraph.build(path, tmp_path / "h", columns={"action": "haw"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": "usr"}, r"no column 'usr' for the users.*Did you mean 'user'"),
        (None, r"no column is called post.*--post COLUMN"),
    ],
)
def test_a_column_that_no_row_has_is_named_whatever_their_number(
    columns: Any, message: str, tmp_path: Path
) -> None:
    for n in (3, 30):
        path = write_json(tmp_path / "a.jsonl", [{"user": "a", "x": "p"}] * n)
        with pytest.raises(DataError, match=message):
            EngagementGraph.build(
                path, tmp_path / "g", columns=columns, max_bad_rows=10
            )
    assert not (tmp_path / "g").exists()


def test_rows_of_ever_new_fields_are_not_all_remembered() -> None:
    shapes = Shapes(len)
    for k in range(5000):
        assert shapes.of({"user": 0, f"x{k}": 0}) == 2
    remembered = len(shapes._found)
    assert remembered <= 1024
    assert shapes.of(dict.fromkeys(map(str, range(5000)))) == 5000
    assert shapes.of({"x" * 10_000: 0}) == 1
    assert len(shapes._found) == remembered
    assert max(map(len, shapes.names)) < 100
    assert shapes.of({}) == 0


def test_rows_of_ever_new_fields_are_read(tmp_path: Path) -> None:
    rows = [{"user": f"u{k}", "post": "p", f"x{k}": 0} for k in range(3000)]
    path = write_json(tmp_path / "a.jsonl", rows)
    assert EngagementGraph.build(path, tmp_path / "g").n_users == 3000
    with pytest.raises(DataError, match="no column 'w' for the weights") as error:
        EngagementGraph.build(path, tmp_path / "h", columns={"weight": "w"})
    assert len(str(error.value)) < 2000


SECOND = 1539202764.0  # 2018-10-10 20:19:24 UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed Oct 10 20:19:24 +0000 2018", SECOND),
        ("Wed Oct 10 22:19:24 +0200 2018", SECOND),
        ("2018-10-10T20:19:24Z", SECOND),
        (" 2018-10-10 20:19:24", SECOND),
        ("1539202764", SECOND),
        ("", None),
        (" ", None),
    ],
)
def test_times_as_twitter_and_others_write_them(
    text: str, expected: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"user,post,created_at\na,p,{text}\n")
    graph = EngagementGraph.build(path, tmp_path / "g", max_bad_rows=0)
    if expected is None:
        assert np.isnan(graph.times[0])
    else:
        assert graph.times[0] == expected


@pytest.mark.parametrize(
    "text", ["Wed Okt 10 20:19:24 +0000 2018", "Wed Oct 32 20:19:24 +0000 2018", "inf"]
)
def test_what_is_no_time_is_a_bad_row(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"user,post,created_at\na,p,{text}\nb,p,7\n")
    graph = EngagementGraph.build(path, tmp_path / "g")
    (example,) = graph.manifest["bad_rows"]["examples"]
    assert "line 2: the time is neither" in example
    assert repr(text) in example


def test_a_guessed_column_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user,post,action,created_at\na,p,rt,yesterday\n")
    with pytest.raises(DataError, match="the time is neither"):
        EngagementGraph.build(path, tmp_path / "g")
    columns = {"time": None, "action": None}
    graph = EngagementGraph.build(path, tmp_path / "g", columns=columns)
    assert graph.times is None
    assert graph.actions == ("engage",)
    rows = write_json(tmp_path / "a.jsonl", [{"user": 1, "post": 2, "time": "x"}])
    graph = EngagementGraph.build(rows, tmp_path / "h", columns={"time": None})
    assert graph.times is None
    with pytest.raises(ValueError, match="the posts cannot be left out"):
        EngagementGraph.build(path, tmp_path / "i", columns={"post": None})


def test_whole_floats_are_ids_where_they_are_exact(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    users = [1.0, None, 2.0**53 - 1, 2.0**53, 1.5, float("nan")]
    table = pyarrow.table({"user": users, "post": list("abcdef")})
    parquet.write_table(table, tmp_path / "a.parquet")
    graph = EngagementGraph.build(tmp_path / "a.parquet", tmp_path / "g")
    assert sorted(graph.user_ids) == ["1", "9007199254740991"]
    said = [text.split(", row ")[1] for text in graph.manifest["bad_rows"]["examples"]]
    assert said == [
        "2: no usable user id (None)",
        "4: no usable user id (9007199254740992.0)",
        "5: no usable user id (1.5)",
        "6: no usable user id (nan)",
    ]


@pytest.mark.parametrize(
    ("name", "text", "columns", "message"),
    [
        ("a.csv", "usr,post\na,b\n", None, r"no column is called user.*--user COLUMN"),
        ("a.csv", "user,post\na,b\n", {"user": "usr"}, r"'usr'.*Did you mean 'user'"),
        ("a.csv", "", None, "is empty"),
        ("a.csv", "user,post\n", None, "no row is usable"),
        ("a.csv", "a,b\n", {"user": 0}, "for user and post"),
        ("a.csv", "a,b\n", {"user": 0, "post": "b"}, "positions for all columns"),
        ("a.csv", "a,b\n", {"user": 0, "post": -1}, "positions count from 0"),
        ("a.jsonl", "[]\n", None, "holds no JSON object"),
        ("a.txt", "a b\n", None, "Rename or convert"),
        ("a.csv.gz", "user,post\n", None, "damaged"),
    ],
)
def test_what_cannot_be_read_is_explained(
    name: str, text: str, columns: Any, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        EngagementGraph.build(tmp_path / name, tmp_path / "g", columns=columns)
    assert not (tmp_path / "g").exists()


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "a.tsv", made_rows(5))
    with pytest.raises(ValueError, match="is none of user, post"):
        EngagementGraph.build(path, tmp_path / "g", columns={"usr": "user"})
    with pytest.raises(ValueError, match="degrees must be"):
        EngagementGraph.build(path, tmp_path / "g", min_user_degree=-1)
    with pytest.raises(ValueError, match="repeats must be"):
        EngagementGraph.build(path, tmp_path / "g", repeats="mean")
    with pytest.raises(DataError, match="There is no file"):
        EngagementGraph.build(tmp_path / "none.tsv", tmp_path / "g")
    with pytest.raises(DataError, match="no files"):
        EngagementGraph.build([], tmp_path / "g")
    with pytest.raises(DataError, match="no engagement graph"):
        EngagementGraph.open(tmp_path)


def test_files_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("7\tx\ta\n8\tx\tb\n")
    graph = EngagementGraph.build(path, tmp_path / "g", columns={"user": 2, "post": 1})
    assert sorted(graph.user_ids) == ["a", "b"]
    assert list(graph.post_ids) == ["x"]


def k_core(edges: set[Row], users: int, posts: int, rounds: int | None) -> set[Row]:
    while rounds is None or rounds > 0:
        of_user = Counter(u for u, _, _ in edges)
        of_post = Counter(p for _, p, _ in edges)
        kept = {e for e in edges if of_user[e[0]] >= users and of_post[e[1]] >= posts}
        if kept == edges:
            break
        edges = kept
        rounds = None if rounds is None else rounds - 1
    return edges


@pytest.mark.parametrize("until_stable", [True, False])
def test_degree_filters(until_stable: bool, tmp_path: Path) -> None:
    rows = made_rows()
    path = write_tsv(tmp_path / "a.tsv", rows)
    graph = EngagementGraph.build(
        path,
        tmp_path / "g",
        min_user_degree=4,
        min_post_degree=6,
        until_stable=until_stable,
    )
    expected = k_core(set(rows), 4, 6, None if until_stable else 1)
    assert sorted(named(graph)) == sorted(expected)
    assert 0 < len(expected) < len(set(rows))
    if until_stable:
        assert graph.user_degrees.min() >= 4
        assert graph.post_degrees.min() >= 6
    # Who is left without edges is not there.
    assert graph.n_users == len({u for u, _, _ in expected})


def test_largest_degrees(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "a.tsv", made_rows())
    graph = EngagementGraph.build(path, tmp_path / "g", max_user_degree=10)
    assert graph.user_degrees.max() <= 10
    with pytest.raises(DataError, match="no edge is left"):
        EngagementGraph.build(path, tmp_path / "h", min_user_degree=10_000)


def test_a_stopped_build_goes_on_behind_the_last_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = made_rows()
    files = [
        write_tsv(tmp_path / f"{i}.tsv", rows[i * 100 : i * 100 + 100])
        for i in range(4)
    ]
    read, seen = spooling.read_rows, []

    def stopping(path: Path, **options: Any) -> Any:
        seen.append(path.name)
        for found in read(path, **options):
            yield found
            if path.name == "2.tsv" and seen.count("2.tsv") == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(spooling, "read_rows", stopping)
    with pytest.raises(KeyboardInterrupt):
        EngagementGraph.build(files, tmp_path / "g", block=30)
    assert not (tmp_path / "g").exists()
    graph = EngagementGraph.build(files, tmp_path / "g", block=30)
    assert seen == ["0.tsv", "1.tsv", "2.tsv", "2.tsv", "3.tsv"]
    monkeypatch.undo()
    whole = EngagementGraph.build(files, tmp_path / "whole")
    assert content(graph.folder) == content(whole.folder)
    assert graph.manifest["n_rows"] == len(rows)


def test_a_changed_file_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tsv(tmp_path / "a.tsv", made_rows(50))

    def broken(*args: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "number_ids", broken)
    with pytest.raises(KeyboardInterrupt):
        EngagementGraph.build(path, tmp_path / "g")
    monkeypatch.undo()
    rows = made_rows(60, seed=5)
    write_tsv(path, rows)
    graph = EngagementGraph.build(path, tmp_path / "g")
    assert sorted(named(graph)) == sorted(set(rows))


def test_equal_hashes_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poor(ids: Any, salt: int = 0) -> np.ndarray:
        names = list(ids)
        check = [hash(name) & 0xFFFF for name in names]
        return np.array([[7] * len(names), check], dtype=np.uint64).T

    monkeypatch.setattr(spooling, "digests", poor)
    path = write_tsv(tmp_path / "a.tsv", [("a", "p", "x"), ("b", "p", "x")])
    with pytest.raises(DataError, match="salt=1"):
        EngagementGraph.build(path, tmp_path / "g")
    monkeypatch.undo()
    assert EngagementGraph.build(path, tmp_path / "g", salt=1).n_users == 2


def test_splits_follow_the_ids(tmp_path: Path) -> None:
    rows = [(f"u{i % 97}", f"p{i % 101}", "like") for i in range(4000)]
    graph = EngagementGraph.build(write_tsv(tmp_path / "a.tsv", rows), tmp_path / "g")
    split = graph.assign_splits(0.1, 0.2)
    share = np.bincount(split, minlength=3) / len(split)
    assert np.abs(share - [0.7, 0.1, 0.2]).max() < 0.03
    assert (split != graph.assign_splits(0.1, 0.2, seed=1)).mean() > 0.2
    by_post = graph.assign_splits(0.1, 0.2, by="post")
    assert all(len(set(by_post[graph.posts == p])) == 1 for p in range(graph.n_posts))
    mixed = EngagementGraph.build(
        write_tsv(tmp_path / "b.tsv", [*rows, *((u, p, "rt") for u, p, _ in rows)]),
        tmp_path / "mixed",
    )
    pairs = mixed.users.astype(np.int64) * mixed.n_posts + mixed.posts
    for by, n_torn in (("pair", 0), ("edge", 300)):
        parts = mixed.assign_splits(0.1, 0.2, by=by)
        torn = len(np.unique(np.stack([pairs, parts]), axis=1).T) - len(set(pairs))
        assert torn >= n_torn if n_torn else torn == 0
        assert 0.25 < (parts > 0).mean() < 0.35
    half = graph.subgraph(tmp_path / "half", graph.users % 2 == 0)
    kept = dict(zip(named(graph), split.tolist(), strict=True))
    again = dict(zip(named(half), half.assign_splits(0.1, 0.2).tolist(), strict=True))
    assert again == {edge: kept[edge] for edge in again}
    with pytest.raises(ValueError, match="assign_splits"):
        graph.assign_splits(0.5, 0.5)


def test_subgraphs(tmp_path: Path) -> None:
    graph = EngagementGraph.build(
        write_tsv(tmp_path / "a.tsv", made_rows()), tmp_path / "g"
    )
    where = graph.types == 1
    small = graph.subgraph(tmp_path / "small", where)
    edges = [e for e, keep in zip(named(graph), where, strict=True) if keep]
    assert sorted(named(small)) == sorted(edges)
    assert small.user_degrees.min() >= 1
    same = graph.subgraph(tmp_path / "same", np.flatnonzero(where), keep_all=True)
    assert list(same.user_ids) == list(graph.user_ids)
    assert (same.edges().users == graph.edges(where).users).all()
    with pytest.raises(DataError, match="no edge is chosen"):
        graph.subgraph(tmp_path / "none", np.zeros(len(graph), dtype=bool))


def test_statistics(tmp_path: Path) -> None:
    rows = [(u, p, "a|b" if a == "rt" else a) for u, p, a in made_rows()]
    graph = EngagementGraph.build(write_tsv(tmp_path / "a.tsv", rows), tmp_path / "g")
    found = graph.statistics()
    distinct = set(rows)
    assert found.actions == Counter(sorted(action for _, _, action in distinct))
    degrees = np.array(list(Counter(p for _, p, _ in distinct).values()))
    assert found.posts.mean == pytest.approx(degrees.mean())
    counted = dict(zip(found.posts.degrees, found.posts.counts, strict=True))
    assert counted == Counter(degrees.tolist())
    assert found.posts.quantiles["50%"] == np.percentile(
        degrees, 50, method="inverted_cdf"
    )
    text = found.to_markdown()
    assert "a\\|b" in text
    assert f"| {len(distinct):,} |" in text
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("alpha", [1.8, 2.6])
def test_power_laws_are_recovered(alpha: float) -> None:
    sample = np.random.default_rng(0).zipf(alpha, 50_000)
    degrees, counts = np.unique(sample, return_counts=True)
    law = fit_power_law(degrees, counts, xmin=1)
    assert law is not None
    assert law.alpha == pytest.approx(alpha, abs=0.03)
    assert law.distance < 0.01
    # What is below the law is left out.
    counts = counts.copy()
    counts[:4] = 1
    searched = fit_power_law(degrees, counts)
    assert searched is not None
    assert searched.xmin >= 5
    assert searched.alpha == pytest.approx(alpha, abs=0.15)
    assert fit_power_law(np.array([3]), np.array([9])) is None


LINE = st.one_of(
    st.text(max_size=20),
    st.builds("{}\t{}\t{}".format, *[st.text(max_size=6)] * 3),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINE, max_size=8))
def test_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    text = "user\tpost\taction\nu\tp\ta\n" + "\n".join(lines)
    (folder / "a.tsv").write_bytes(text.encode("utf-8", "surrogatepass"))
    bad = BadRows()
    found = list(
        read_rows(folder / "a.tsv", columns=None, default_action="x", bad=bad, block=3)
    )
    names = [n for rows, _ in found for n in rows.users + rows.posts + rows.actions]
    assert names[0] == "u"
    assert all(name.strip() == name != "" for name in names)
    assert len(names) // 3 + bad.total <= text.count("\n") + 1


@pytest.mark.data
def test_twitter15(shared_data: Path, tmp_path: Path) -> None:
    graph = EngagementGraph.build(
        shared_data / "twitter15_engagement" / "engagements.tsv.gz", tmp_path / "g"
    )
    assert (graph.n_users, graph.n_posts, graph.n_edges) == (2968, 1489, 27329)
    assert graph.user_degrees.max() == 140
    assert int((graph.user_degrees == 1).sum()) == 529
    assert np.median(graph.post_degrees) == 10
    assert graph.post_degrees.max() == 136
    assert graph.weights.max() == 1
    assert graph.manifest["bad_rows"]["total"] == 0
