"""``tweetclf social evaluate``: from an engagement set to a report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tweetclf.cli import main
from tweetclf.social import build_engagement_set

pytestmark = pytest.mark.usefixtures("own_folder")

QUICK = ["--runs", "2", "--dim", "8", "--epochs", "2", "--resamples", "100"]
SYSTEMS = ["--system", "random", "--system", "tfidf"]
PARAMS = [
    part for name in ("random", "tfidf") for part in ("--param", f"{name}.max_iter=1")
]


@pytest.fixture
def engagements() -> str:
    rng = np.random.default_rng(0)
    tweets = [
        (f"{code}{k}", f"tuit {k % 4} de {k}", code)
        for code in ("en", "es")
        for k in range(40)
    ]
    likes = [(f"u{u}", name) for name, _, _ in tweets for u in rng.choice(9, 4, False)]
    build_engagement_set(tweets, likes, "set", salt=b"sixteen bytes at least")
    return "set"


def test_a_set_is_evaluated_and_runs_are_reused(
    engagements: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["social", "evaluate", engagements, *QUICK, *SYSTEMS, *PARAMS]
    assert main([*command, "--format", "all"]) == 0
    printed = capsys.readouterr()
    assert "HITS@10, median of 2 runs, 2 languages" in printed.out
    assert "(published)" not in printed.out
    assert sorted(p.suffix for p in Path("report").glob("report.*")) == sorted(
        [".html", ".md", ".tex", ".csv", ".json"]
    )
    assert main([*command, "--json", "--no-published"]) == 0
    printed = capsys.readouterr()
    assert "8 of 8 runs were stored before" in printed.err
    assert json.loads(printed.out)["title"] == "Engagement prediction"
    assert "TwHIN-BERT" not in printed.out
    record = next(Path("runs/engagements").rglob("*.json"))
    record.write_text("{}")
    assert main([*command, "--published"]) == 1
    printed = capsys.readouterr()
    assert "TwHIN-BERT-Base (published)" in printed.out
    assert f"left out: {record} is a damaged record" in printed.err


def test_a_definition_is_run_and_a_failing_system_named(
    engagements: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("d.toml").write_text(
        'title = "Mine"\nsystems = ["random", "gone=transformer"]\n'
        'languages = ["es", "fi"]\nn_runs = 1\n[params.gone]\nmodel = "nowhere"\n'
        "[params.random]\nmax_iter = 1\n"
    )
    pytest.importorskip("transformers")
    command = ["social", "evaluate", engagements, *QUICK[2:], "--config", "d.toml"]
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "skipped fi: the set has no post of this language" in printed.err
    assert "failed: gone in es" in printed.err
    assert "random" in printed.out
    page = Path("report/report.html").read_text("utf-8")
    assert "<title>Mine" in page
    assert "nowhere" in page


def test_an_interrupted_call_says_how_to_go_on(
    engagements: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tweetclf.cli import _social_evaluate

    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    command = ["social", "evaluate", engagements, *QUICK, *SYSTEMS, *PARAMS]
    with monkeypatch.context() as patch:
        patch.setattr(_social_evaluate, "_show", stop)
        assert main(command) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert main(command) == 0
    assert "1 of 8 runs were stored before" in capsys.readouterr().err


def test_users_are_taken_from_an_embedding(
    engagements: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    names = [f"{c}{k}" for c in ("en", "es") for k in range(40)]
    rows = [f"u{u},{name}" for name in names for u in rng.choice(9, 4, False)]
    Path("log.csv").write_text("user,post\n" + "\n".join(rows))
    assert main(["social", "graph", "log.csv", "--out", "graph"]) == 0
    sizes = ["--dim", "4", "--epochs", "1"]
    assert main(["social", "embed", "graph", *sizes, "--out", "embedding"]) == 0
    Path("secret").write_bytes(b"sixteen bytes at least")
    command = ["social", "evaluate", engagements, "--runs", "1", "--system", "random"]
    command += ["--param", "random.max_iter=1", "--users", "embedding"]
    command += ["--graph", "graph", "--salt-file", "secret", "--format", "markdown"]
    assert main(command) == 0
    said = Path("report/report.md").read_text("utf-8")
    assert "of an embedding of a graph with 320 edges" in said
    assert "holds 16 posts of dev and test" in said
    printed = capsys.readouterr().err
    assert "holds 16 posts of dev and test" in printed
    assert "Fewer than 999 test posts" in printed
    with pytest.raises(SystemExit) as stop:
        main([*command, "--epochs", "3"])
    assert stop.value.code == 2
    assert "--epochs is of vectors that are learnt" in capsys.readouterr().err
    Path("secret").write_bytes(b"short")
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    assert "holds 5 bytes" in capsys.readouterr().err
    Path("secret").write_bytes(b"another sixteen bytes")
    assert main(command) == 1
    assert "another secret" in capsys.readouterr().err


def test_systems_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["social", "evaluate", "--systems"]) == 0
    assert "twhin-bert-base" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        ([], "name the SET", 2),
        (["set", "--users", "x"], "--users, --graph and --salt-file go together", 2),
        (["set", "--system", "tfid"], "Did you mean 'tfidf'", 1),
        (["set", "--param", "tfidf.widht=3"], "no parameter 'widht'", 1),
        (["none"], "none is no set", 1),
        (["set", "--only", "high"], "a group; name its languages: --only en", 2),
        (["set", "--only", "fi"], "no language can be evaluated", 1),
        (["set", "--config", "none.toml"], "no definition at none.toml", 1),
    ],
)
def test_what_is_wrong_is_explained(
    options: list[str],
    message: str,
    code: int,
    engagements: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [*options, "--dim", "4", "--epochs", "1"]
    if code == 2:
        with pytest.raises(SystemExit) as stop:
            main(["social", "evaluate", *options])
        assert stop.value.code == 2
    else:
        assert main(["social", "evaluate", *options]) == code
    assert message in capsys.readouterr().err
