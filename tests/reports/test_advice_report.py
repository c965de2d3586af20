"""The report of an advice, in every format; hostile tweets do nothing in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tweetclf import load_task
from tweetclf.leaderboard import advise
from tweetclf.reports import FORMATS, make_advice_report, read_json, render
from tweetclf.reports.advising import brief_report
from tweetclf.reports.model import Figure, Table
from tweetclf.reports.to_html import is_safe_svg
from tweetclf.reports.to_text import render_text

EVIL = "<script>alert(1)</script>\u202e $x_1$ <img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def advice(tmp_path_factory: pytest.TempPathFactory):
    rng = np.random.default_rng(0)
    # So many words of each label that more texts teach more of them.
    letters = list("aeioulmnrst")
    words = {
        label: ["".join(rng.choice(letters, 6)) for _ in range(250)]
        for label in ("<b>no</b>", "s\u00ed & $x$")
    }
    rows, gold = [], []
    for i in range(700):
        label = list(words)[int(rng.integers(2))]
        chosen = rng.choice(words[label], 2)
        noise = " ".join(f"w{rng.integers(2000)}" for _ in range(8))
        text = f"{' '.join(chosen)} {noise} {EVIL if i % 50 == 0 else ''}"
        if i % 9 == 0:
            label = list(words)[int(rng.integers(2))]
        rows.append({"id": f"r{i}", "text": text, "label": label})
        gold.append(label)
    folder = tmp_path_factory.mktemp("report")
    path = folder / "evil.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    bert = folder / "bert<i>.jsonl"
    found = [{"id": r["id"], "prediction": r["label"]} for r in rows[:300]]
    bert.write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")
    task = load_task(path, holdout=False)
    return advise(task, transformer=str(bert), labels=400)


@pytest.fixture(scope="module")
def report(advice):
    return make_advice_report(advice, command="tweetclf advise evil.jsonl")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_it(report, format) -> None:
    text = render(report, format)
    assert "<script>alert" not in text or format in {"json", "csv"}
    assert "\u202e" not in text or format == "json"
    assert "<img src" not in text or format in {"json", "csv"}


def test_html_needs_and_runs_nothing(report) -> None:
    page = render(report, "html")
    assert re.search(r"(?:src|href)=\"(?!#)", page) is None
    assert "Content-Security-Policy" in page
    assert page.count("<script") == 1  # the one that sorts columns, by its hash
    assert all(is_safe_svg(figure.svg) for figure in report.figures)


def test_it_is_read_back(report) -> None:
    assert read_json(render(report, "json")) == report


def _texts(table: Table) -> set[str]:
    return {cell.text for row in table.rows for cell in row.cells if cell.text}


def test_json_has_every_figure_of_the_page(report) -> None:
    stored = read_json(render(report, "json"))
    known = set()
    for section in stored.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                known |= _texts(block)
            elif isinstance(block, Figure):
                known |= _texts(block.data)
    page = render(report, "html")
    shown = re.findall(r"<t[dh][^>]*data-value[^>]*>(?:<span[^>]*>)?<bdi>([^<]+)", page)
    assert len(shown) > 100
    from html import unescape

    assert {unescape(text) for text in shown} <= known


def test_figures_are_those_of_the_advice(advice, report) -> None:
    tables = {table.key: table for table in report.tables}
    gains = [cell.value for cell in tables["forecasts"].column("gain")]
    assert gains == [found.gain for found in advice.forecasts]
    scores = {row.cells[1].value: row.cells[2].value for row in tables["ranking"].rows}
    assert scores == {e.system: e.score for e in advice.board.entries}
    differences = [c.value for c in tables["comparisons"].column("difference")]
    assert differences == [c.difference for c in advice.comparisons]
    titles = [cell.value for cell in tables["actions"].column("title")]
    assert titles == [action.title for action in advice.actions]
    assert len({table.key for table in report.tables}) == len(report.tables)
    (curve,) = (f for f in report.figures if f.key == "learning")
    kinds = [cell.value for cell in curve.data.column("kind")]
    assert kinds.count("mean") == len(advice.curve.sizes)
    assert kinds.count("expected") == len(advice.forecasts)


def test_text_is_brief_and_safe(report) -> None:
    text = render_text(brief_report(report))
    assert "What to do next" in text
    assert "more labels: " in text
    assert "Audit: Summary" in text
    assert "Label-noise" not in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_too_few_rows_have_a_report(tmp_path: Path) -> None:
    path = tmp_path / "tiny.csv"
    path.write_text("text,label\n" + "".join(f"t{i},{i % 2}\n" for i in range(8)))
    report = make_advice_report(advise(load_task(path, holdout=False)))
    for format in FORMATS:
        assert "too few" in render(report, format) or format == "csv"
