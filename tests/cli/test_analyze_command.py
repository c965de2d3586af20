"""tweetclf analyze: from models, texts and pairs to one page with its numbers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tweetclf.analysis import analyse_models
from tweetclf.cli import main
from tweetclf.pretraining import BertTraining, train_bert
from tweetclf.reports.to_json import read_json

pytestmark = pytest.mark.usefixtures("own_folder")

HOSTILE = "<script>alert(1)</script> $\\frac{1}{2}$ \u202e @user =1+1"
TWEETS = [
    HOSTILE,
    *(f"qué {a} me da el {b} de hoy" for a in ("risa", "pena") for b in "abcdefgh"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two models: one with a head for pairs."""
    from transformers import AutoConfig, AutoTokenizer, BertForPreTraining

    from tweetclf.training.devices import seeded
    from tweetclf.utils.hugging_face import quiet_transformers

    folder = tmp_path_factory.mktemp("models")
    small = BertTraining(
        vocab_size=320, hidden_size=8, n_layers=2, n_heads=2, max_iter=1
    )
    train_bert(TWEETS, folder / "plain", training=small, device="cpu")
    with quiet_transformers(), seeded(0, torch.device("cpu")):
        config = AutoConfig.from_pretrained(folder / "plain")
        config.pair_objective = "rop"
        BertForPreTraining(config).save_pretrained(folder / "pairs")
        AutoTokenizer.from_pretrained(folder / "plain").save_pretrained(
            folder / "pairs"
        )
    return folder


def _data() -> None:
    Path("tweets.txt").write_text("\n".join(TWEETS) + "\n", "utf-8")
    rows = [{"text": a, "text_b": b} for a, b in zip(TWEETS, TWEETS[1:], strict=False)]
    Path("pairs.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), "utf-8"
    )
    Path("metrics.jsonl").write_text(
        "".join(
            json.dumps({"step": s, "loss": 9 - s / 10, "parts": {"mlm": 8 - s / 10}})
            + "\n"
            for s in range(1, 30)
        ),
        "utf-8",
    )


def test_one_page_holds_everything(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _data()
    code = main(
        [
            *("analyze", str(models / "pairs"), "--compare", str(models / "plain")),
            *("--texts", "tweets.txt", "--pairs", "pairs.jsonl"),
            *("--metrics", "metrics.jsonl", "--report", "out.html"),
            *("--n-texts", "8", "--n-pairs", "4", "--device", "cpu"),
        ]
    )
    captured = capsys.readouterr()
    assert code == 0, captured.err
    assert sorted(p.name for p in Path().glob("out.*")) == ["out.html", "out.json"]
    assert "8 of 17 of tweets.txt, drawn at random" in captured.out
    assert "4 of 16 of pairs.jsonl" in captured.out
    # The model without a head for pairs does not cost the rest.
    assert "left out: " in captured.err
    page = Path("out.html").read_text("utf-8")
    assert page.count("<svg") >= 10
    assert "<script>alert" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    report = read_json(Path("out.json").read_text("utf-8"))
    keys = [section.key for section in report.sections]
    assert keys == [
        *("left-out", "likelihood", "coherence", "top-k", "heads", "attention"),
        *("tokens", "runs"),
    ]
    by_key = {figure.key: figure.data for figure in report.figures}
    shown = by_key["likelihood"].column("column-2")
    for cell, model in zip(shown, ("pairs", "plain"), strict=True):
        assert f"{model}: pseudo-log-likelihood {cell.value:.4f}" in captured.out
    assert len(by_key["coherence"].rows) == 2
    assert {"run-loss", "run-parts-mlm"} <= set(by_key)


def test_the_bundled_sample_is_the_default_and_runs_repeat(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--n-texts", "5", "--only", "likelihood", "--device", "cpu"]
    for name in ("a.html", "b.html"):
        assert main(["analyze", str(models / "plain"), "--report", name, *options]) == 0
    assert "5 of 1,240 of the bundled sample" in capsys.readouterr().out
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    assert main(
        ["analyze", str(models / "plain"), "--report", "c.html", *options, "--json"]
    ) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert json.loads(printed)["title"] == "Analysis of plain"


def test_the_metrics_beside_a_model_are_drawn(models: Path) -> None:
    _data()
    shutil.copytree(models / "plain", "small-rop/model")
    Path("metrics.jsonl").rename("small-rop/model/metrics.jsonl")
    options = ["--n-texts", "5", "--only", "likelihood", "--only", "runs"]
    assert main(["analyze", "small-rop/model", "--report", "a.html", *options]) == 0
    report = read_json(Path("a.json").read_text("utf-8"))
    assert report.title == "Analysis of small-rop"
    assert [section.key for section in report.sections] == ["likelihood", "runs"]


def test_from_python_an_unknown_analysis_is_named(models: Path) -> None:
    with pytest.raises(ValueError, match="Got 'curves' among them"):
        analyse_models([models / "plain"], TWEETS, kinds=["curves"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--report", "out"], "must be the name of a page"),
        (["--report", "o.html", "--text-b", "x"], "--text-b needs --pairs"),
        (["--report", "o.html", "--only", "coherence"], "coherence needs --pairs"),
        ([], "required: --report"),
    ],
)
def test_wrong_usage_is_explained(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["analyze", "model", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_errors_are_one_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "nowhere/at/all", "--report", "o.html"]) == 1
    assert "no directory of a model" in capsys.readouterr().err
    Path("one.jsonl").write_text('{"text": "a", "text_b": "b"}\n', "utf-8")
    options = ["--report", "o.html", "--pairs", "one.jsonl", "--device", "cpu"]
    assert main(["analyze", str(models / "pairs"), *options]) == 1
    assert "two are needed" in capsys.readouterr().err
    assert not Path("o.html").exists()
