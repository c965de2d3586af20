"""Boards of one task in several languages, in one table beside published rows."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, median

import numpy as np
import pytest

from tweetclf.cli import main
from tweetclf.leaderboard import RunStore
from tweetclf.reports import read_json
from tweetclf.tasks import read_published

pytestmark = pytest.mark.usefixtures("own_folder")

HASHTAGS = "TwHIN hashtag prediction"


def _write(language: str, n: int = 60) -> None:
    rng = np.random.default_rng(len(language))
    folder = Path("sets", language)
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        rows = []
        for k in range(n):
            label = ("gol", "voto")[int(rng.integers(2))]
            word = label[:2] if rng.random() < 0.8 else "zz"
            text = f"{word} {language} {split} {k}"
            rows.append(json.dumps({"text": text, "label": label}))
        Path(folder, f"{split}.jsonl").write_text("\n".join(rows), "utf-8")


def test_languages_stand_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    for language in ("en", "el", "qq"):
        _write(language)
    Path("d.toml").write_text(
        'tasks = ["sets/qq", "sets/en", "sets/el", "sets/fi"]\n'
        'systems = ["stratified", "tfidf-lr"]\nseeds = [0, 1, 2]\n'
        f'n_resamples = 100\nby_language = "{HASHTAGS}"\n'
    )
    assert main(["leaderboard", "--config", "d.toml", "--format", "json"]) == 0
    assert "skipped sets/fi: There is no file or folder" in capsys.readouterr().err
    report = read_json(Path("report/report.json").read_text("utf-8"))
    tables = {table.key: table for table in report.tables}
    table, averages = tables["by-language"], tables["by-language--averages"]
    assert [c.key for c in table.columns[1:]] == ["en", "el", "qq"]
    scores: dict[str, dict[str, list[float]]] = {}
    for record in RunStore("runs").records():
        own = scores.setdefault(record.spec.system, {})
        own.setdefault(record.spec.task.name, []).append(record.score)
    for i, system in enumerate(("tfidf-lr", "stratified")):  # the best first
        medians = {code: median(runs) for code, runs in scores[system].items()}
        assert table.column("system")[i].value == system
        for code, value in medians.items():
            assert table.column(code)[i].value == pytest.approx(value)
        every = fmean(medians.values())
        assert averages.column("mean-all")[i].value == pytest.approx(every)
        assert averages.column("mean-mid")[i].value == pytest.approx(medians["el"])
    names = [cell.value for cell in averages.column("system")]
    published = {r.language: r.score for r in read_published()
                 if (r.table, r.system) == ("Table 7", "XLM-T")}  # fmt: skip
    row = names.index("XLM-T")
    assert averages.rows[row].kind == "published"
    assert averages.column("mean-high")[row].value == published["en"]
    assert averages.column("mean-all")[row].value is None  # no "qq" there
    assert main(["leaderboard", "--config", "d.toml", "--json", "--no-published"]) == 0
    assert "XLM-T" not in capsys.readouterr().out
