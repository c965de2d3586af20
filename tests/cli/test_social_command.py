"""tweetclf social: from a log to a graph, vectors and pairs."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from tweetclf.cli import main
from tweetclf.social import EngagementGraph, SimilarPairs, TwHINEmbedding

pytestmark = pytest.mark.usefixtures("own_folder")

SMALL = ["--dim", "8", "--epochs", "3", "--batch-size", "50"]


@pytest.fixture
def log() -> Path:
    rng = random.Random(0)
    rows = ["uid\tpid\taction"]
    for _ in range(600):
        user = rng.randrange(40)
        rows.append(f"u{user}\tp{user % 2 * 20 + rng.randrange(20)}\tlike")
    rows.insert(7, "u1\t\tlike")
    path = Path("log.tsv")
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def graph(log: Path) -> str:
    options = ["--user", "uid", "--post", "pid", "--out", "graph"]
    assert main(["social", "graph", str(log), *options]) == 0
    return "graph"


def test_a_graph_is_built_and_described(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--user", "uid", "--post", "pid", "--min-post-degree", "2"]
    options += ["--figure", "degrees.png", "--out", "graph"]
    assert main(["social", "graph", str(log), *options]) == 0
    printed = capsys.readouterr()
    found = EngagementGraph.open("graph")
    assert f"| 40 | 40 | {found.n_edges:,} | 1 |" in printed.out
    assert "log.tsv, line 8: no usable post id" in printed.err
    assert Path("degrees.png").stat().st_size > 1000
    assert main(["social", "graph", str(log), *options]) == 1
    assert "not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ("degrees.xyz", "the suffix must be one of"),
        ("degrees", "the suffix must be one of"),
        ("taken.png", "is a folder"),
        ("log.tsv/degrees.png", "log.tsv is not a folder"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_refused_before_anything_is_built(
    figure: str, message: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken.png").mkdir()
    options = ["--user", "uid", "--post", "pid", "--figure", figure, "--out", "graph"]
    try:
        code = main(["social", "graph", str(log), *options])
    except SystemExit as stop:
        code = stop.code
    assert code in (1, 2)
    printed = capsys.readouterr()
    assert f"--figure {figure.partition('/')[0]}" in printed.err
    assert message in printed.err
    assert "internal" not in printed.err
    assert sorted(p.name for p in Path().iterdir()) == ["log.tsv", "taken.png"]


@pytest.mark.parametrize("figure", ["new/degrees.svg", "graph/degrees.svg"])
def test_folders_of_a_figure_are_made(figure: str, log: Path) -> None:
    options = ["--user", "uid", "--post", "pid", "--figure", figure, "--out", "graph"]
    assert main(["social", "graph", str(log), *options]) == 0
    assert "<svg" in Path(figure).read_text()
    assert EngagementGraph.open("graph").n_edges


def test_a_column_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    Path("log.csv").write_text("user,post,time\na,p,yesterday\n")
    command = ["social", "graph", "log.csv", "--out", "g"]
    assert main(command) == 1
    assert "'yesterday'" in capsys.readouterr().err
    assert main([*command, "--ignore", "time"]) == 0
    assert EngagementGraph.open("g").times is None
    with pytest.raises(SystemExit):
        main([*command[:-1], "h", "--ignore", "time", "--time", "time"])
    assert "--ignore time and --time exclude each other" in capsys.readouterr().err


def test_logs_may_stand_on_both_sides_of_options(log: Path, graph: str) -> None:
    lines = log.read_text().splitlines()
    Path("a.tsv").write_text("\n".join(lines[:300]))
    Path("b.tsv").write_text("\n".join([lines[0], *lines[300:]]))
    line = [
        "graph",
        "a.tsv",
        "--user",
        "uid",
        "--post",
        "pid",
        "--out",
        "both",
        "b.tsv",
    ]
    assert main(["social", *line]) == 0
    assert EngagementGraph.open("both").n_edges == EngagementGraph.open(graph).n_edges


def test_statistics_as_json(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--no-header", "--user", "0", "--post", "1", "--action", "2"]
    log.write_text(log.read_text().partition("\n")[2])
    assert main(["social", "graph", str(log), *options, "--out", "g", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["actions"] == {
        "like": EngagementGraph.open("g").n_edges
    }


def test_vectors_are_compared_with_popularity(
    graph: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--test", "0.1", *SMALL, "--out", "vectors"]
    assert main(["social", "embed", graph, *options]) == 0
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()[2:]] == [
        "embedding",
        "popularity",
        "chance",
    ]
    assert printed.out.splitlines()[-1].endswith("0.5000")
    assert "epoch 3: loss" in printed.err
    model = TwHINEmbedding.load("vectors")
    assert model.post_vectors_.shape == (40, 8)
    assert model.actions_ == ("like",)
    assert not Path("vectors.training").exists()


def test_tables_on_disk_are_the_same(graph: str) -> None:
    options = [*SMALL, "--partitions", "2"]
    assert main(["social", "embed", graph, *options, "--out", "a"]) == 0
    assert main(["social", "embed", graph, *options, "--on-disk", "--out", "b"]) == 0
    one, two = TwHINEmbedding.load("a"), TwHINEmbedding.load("b")
    assert np.array_equal(one.user_vectors_, two.user_vectors_)
    assert sorted(p.name for p in Path().iterdir()) == ["a", "b", "graph", "log.tsv"]


def test_an_interrupted_training_goes_on(
    graph: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["social", "embed", graph, *SMALL, "--out", "whole"]) == 0
    from tweetclf.cli import _social_embed

    say = _social_embed.note

    def stop(message: str) -> None:
        say(message)
        if message.startswith("epoch 2"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_social_embed, "note", stop)
        assert main(["social", "embed", graph, *SMALL, "--out", "v"]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert main(["social", "embed", graph, *SMALL, "--out", "v"]) == 0
    assert "epoch 2" not in capsys.readouterr().err
    whole, resumed = TwHINEmbedding.load("whole"), TwHINEmbedding.load("v")
    assert np.array_equal(whole.post_vectors_, resumed.post_vectors_)


def test_pairs_by_id_without_repeats(
    graph: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["social", "embed", graph, *SMALL, "--out", "vectors"]) == 0
    rows = [{"pid": f"p{i}", "text": f"un texto {i // 2} distinto"} for i in range(38)]
    Path("texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    capsys.readouterr()
    options = ["--graph", graph, "--texts", "texts.jsonl", "--id", "pid", "--k", "3"]
    options += ["--near-duplicates", "1", "--out", "pairs"]
    assert main(["social", "pairs", "vectors", *options]) == 0
    printed = capsys.readouterr()
    pairs = SimilarPairs.open("pairs")
    assert f"pairs    {len(pairs)}" in printed.out
    assert "recall   1.0000" in printed.out
    assert "2 posts have no text" in printed.err
    lines = Path("pairs/pairs.tsv").read_text().splitlines()
    assert len(lines) == len(pairs) + 1
    known = {row["pid"]: row["text"] for row in rows}
    for line in lines[1:]:
        first, second, _ = line.split("\t")
        assert known.get(first, 1) != known.get(second, 2)


def test_an_interrupted_mining_goes_on(
    graph: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tweetclf.social import similar

    assert main(["social", "embed", graph, *SMALL, "--out", "vectors"]) == 0
    command = ["social", "pairs", "vectors", "--k", "3", "--out"]
    assert main([*command, "whole"]) == 0
    found = similar.find_neighbours

    def stop(vectors, index, rules, start, stop):
        if start:
            raise KeyboardInterrupt
        return found(vectors, index, rules, start, stop)

    monkeypatch.setattr(similar, "BLOCK", 16)
    with monkeypatch.context() as patch:
        patch.setattr(similar, "find_neighbours", stop)
        assert main([*command, "p"]) == 130
    assert "is in p.mining, and the same command goes on" in capsys.readouterr().err
    assert main([*command, "p"]) == 0
    assert Path("p/pairs.bin").read_bytes() == Path("whole/pairs.bin").read_bytes()
    assert not Path("p.mining").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["pairs", "vectors", "--texts", "x", "--out", "p"], "--texts needs --graph"),
        (["pairs", "v", "--min-similarity", "2", "--out", "p"], "from -1 to 1"),
        (["graph", "x", "--no-header", "--out", "p"], "needs --user and --post"),
        (
            ["graph", "x", "--no-header", "--user", "a", "--post", "1", "--out", "p"],
            "--user is a position",
        ),
        (
            ["embed", "g", "--batch-negatives", "0", "--uniform-negatives", "0"]
            + ["--out", "p"],
            "give --batch-negatives or",
        ),
        (["embed", "g", "--test", "1", "--out", "p"], "from 0 to below 1"),
    ],
)
def test_wrong_options_are_explained(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["social", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--partitions", "41"], "--partitions 41 is more than"),
        (["--test", "0.00001"], "holds out none of"),
    ],
)
def test_what_a_graph_is_too_small_for_is_said(
    graph: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["social", "embed", graph, *SMALL, *options, "--out", "v"])
    assert message in capsys.readouterr().err
    assert not Path("v").exists()


def test_another_graph_is_refused_before_mining(
    graph: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["social", "embed", graph, *SMALL, "--out", "vectors"]) == 0
    Path("few.csv").write_text("user,post\nana,p1\nbea,p2\n")
    assert main(["social", "graph", "few.csv", "--out", "few"]) == 0
    with pytest.raises(SystemExit):
        main(["social", "pairs", "vectors", "--graph", "few", "--out", "p"])
    assert "is of 40 posts and few has 2" in capsys.readouterr().err
    assert not Path("p").exists()
    options = ["--k", "50", "--graph", graph, "--out", "p"]
    assert main(["social", "pairs", "vectors", *options]) == 0
    assert "only 39 others" in capsys.readouterr().err
    assert len(SimilarPairs.open("p")) == 40 * 39


def test_a_file_without_the_column_leaves_nothing(log: Path) -> None:
    assert main(["social", "graph", str(log), "--user", "x", "--out", "g"]) == 1
    assert [path.name for path in Path().iterdir()] == ["log.tsv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["graph", "none.tsv", "--out", "p"], "There is no file at none.tsv"),
        (["embed", "none", "--out", "p"], "no engagement graph"),
        (["pairs", "none", "--out", "p"], "none holds no embedding"),
    ],
)
def test_missing_inputs_are_named(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["social", *options]) == 1
    assert message in capsys.readouterr().err
