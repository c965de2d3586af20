"""The report of engagement prediction, in every format, beside published rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tweetclf.leaderboard.engagements import (
    EngagementBoard,
    EngagementProtocol,
    EngagementRecord,
    EngagementSpec,
    LanguagePart,
)
from tweetclf.leaderboard.engagements.board import EngagementScore
from tweetclf.reports import FORMATS, make_engagement_report, read_json, render
from tweetclf.reports.by_language import published_scores
from tweetclf.reports.engagements import DATASET
from tweetclf.tasks import read_published

EVIL = "<script>alert(1)</script> & $x_1$ | \u202e"
LANGUAGES = ("en", "ja", "es", "ar", "el", "tl", "fr", "de", "it", "qq")
SIZES = dict.fromkeys(
    ("users", "train_posts", "train_records", "dev_posts", "dev_records", "test_posts",
     "test_records", "left_out"), 7,
)  # fmt: skip


def _score(value: float, **given) -> EngagementScore:
    whole = {"median": value, "low": value - 0.02, "high": value + 0.02,
             "least": value - 0.01, "most": value + 0.01, "p_best": 1.0,
             "best": True}  # fmt: skip
    return EngagementScore(**{**whole, **given})


@pytest.fixture(scope="module")
def board() -> EngagementBoard:
    way = EngagementProtocol()
    none = {n: np.empty((0, 2), dtype=np.int64) for n in ("train", "dev", "test")}
    parts = tuple(
        LanguagePart(code, (), np.zeros((1, 1), np.float32), none, SIZES, "d")
        for code in LANGUAGES
    )
    columns = (*LANGUAGES, "high", "all")
    scores = {
        "mine": {c: _score(0.3) for c in columns},
        EVIL: {c: _score(0.2, best=False, p_best=0.01) for c in columns},
        "near": {c: _score(0.29, best=False, p_best=0.6) for c in ("en", "ja")},
    }
    spec = EngagementSpec("ja", "d", "gone", "t", {}, 0, way, "v")
    failed = EngagementRecord(spec, "failed", error=f"OSError: {EVIL}")
    return EngagementBoard(
        way, parts, {"high": LANGUAGES[:4]}, tuple(scores), scores, (),
        {code: 900.25 if code == "en" else 999 for code in LANGUAGES},
        dict.fromkeys(LANGUAGES, 0.0123), (failed,), (), 2000,
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(board):
    return make_engagement_report(
        board, published=read_published(), skipped=[("sif", "needs vectors")],
        command="tweetclf social evaluate set", n_seen=3,
    )  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_it(report, format) -> None:
    text = render(report, format)
    # Within code spans of Markdown it is text.
    assert "<script>alert" not in text or format in {"json", "csv", "markdown"}
    assert "\u202e" not in text or format == "json"
    assert "mine" in text
    assert "XLM" in text


def test_no_two_columns_of_a_table_have_one_name(report) -> None:
    for table in report.tables:
        keys = [column.key for column in table.columns]
        assert len(keys) == len(set(keys)), table.key


def test_overlapping_groups_give_a_column_once(board) -> None:
    groups = {"high": LANGUAGES[:4], "first": LANGUAGES[:2]}
    found = make_engagement_report(replace(board, groups=groups), figures=False)
    columns = [c.key for key in ("languages", "languages-2")
               for c in _table(found, key).columns[1:]]  # fmt: skip
    assert columns == [*LANGUAGES]


def test_it_is_read_back(report) -> None:
    assert read_json(render(report, "json")) == report


def _table(report, key: str):
    return next(table for table in report.tables if table.key == key)


def _row(table, system: str):
    names = [cell.value for cell in table.column("system")]
    cells = table.rows[names.index(system)].cells
    return {c.key: cell for c, cell in zip(table.columns, cells, strict=True)}


def test_averages_stand_beside_published_ones_over_the_same_languages(report) -> None:
    table = _table(report, "averages")
    kinds = [row.kind for row in table.rows]
    assert kinds == ["system"] * 3 + ["published"] * 7
    published = _row(table, "TwHIN-BERT-Base")
    rows = {r.language: r.score for r in read_published()
            if (r.table, r.system) == ("Table 6", "TwHIN-BERT-Base")}  # fmt: skip
    wanted = np.mean([rows[code] for code in LANGUAGES[:4]])
    assert published["mean-high"].value == pytest.approx(wanted)
    # "qq" is nowhere published: there is no mean over all ten.
    assert published["mean-all"].value is None
    assert not any(c.bold for row in table.rows if row.kind == "published"
                   for c in row.cells)  # fmt: skip
    assert _row(table, "mine")["mean-all"].bold
    assert _row(table, "mine")["mean-high"].value == 0.3
    assert _row(table, "mine")["high"].value == pytest.approx(0.32)
    assert _row(table, "near")["mean-all"].value is None


def test_languages_are_cut_into_tables_that_fit(report) -> None:
    first, second = _table(report, "languages"), _table(report, "languages-2")
    assert [c.key for c in (*first.columns[1:], *second.columns[1:])] == [*LANGUAGES]
    near = _row(first, "near")
    assert near["en"].mark == "\N{DAGGER}"
    assert near["es"].value is None
    assert _row(first, "BERTweet")["en"].value == pytest.approx(0.1414)
    # The excerpt prints French values here; the whole table has the right ones.
    assert _row(first, "TwHIN-BERT-Base")["tl"].value == pytest.approx(0.1332)


def test_what_a_reader_must_know_is_said(report) -> None:
    text = render(report, "markdown")
    assert "the user did not engage with are there in en (900.2 on the mean)" in text
    assert "| 999 | 0.012 |" in text
    assert "3 posts of dev and test: they know" in text
    assert "failed in ja" in text
    assert "sif: needs vectors" in text
    assert "do not compare with ours" in text


def test_without_published_rows_or_systems(board) -> None:
    alone = make_engagement_report(board, figures=False)
    assert {row.kind for row in _table(alone, "averages").rows} == {"system"}
    nothing = replace(board, systems=(), scores={}, candidates={}, chances={})
    assert "No system was scored" in render(make_engagement_report(nothing), "markdown")


def test_published_rows_of_other_languages_are_none() -> None:
    assert published_scores(read_published(), DATASET, ["qq"]) is None
    assert published_scores(read_published(), "no such", ["en"]) is None
