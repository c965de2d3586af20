from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_boards import (
    MACRO,
    SYSTEMS,
    board,
    entry,
    facts,
    funniness,
    hostile,
    overall,
    published,
    quoted,
    rich,
    run,
)
from sklearn.metrics import f1_score

from tweetclf.leaderboard.ranking import Leaderboard, TaskBoard, build_leaderboard
from tweetclf.reports import Cell, Column, Note, Paragraph, Row, Table, make_report
from tweetclf.reports.formatting import (
    display_width,
    format_bytes,
    format_interval,
    format_rate,
    format_score,
    format_seconds,
    make_safe,
    shorten,
    unique_slugs,
)
from tweetclf.reports.wording import metric_words, verdict


def text(found) -> str:
    return "".join(span.text for span in found)


def single(one: TaskBoard, **how):
    return make_report(Leaderboard("T", (one,), (), (), 2000), figures=False, **how)


def ranking(one: TaskBoard) -> Table:
    return next(t for t in single(one).tables if t.key.endswith("--ranking"))


def notes(report) -> dict[str, str]:
    return {
        block.title: "\n".join(text(item) for item in block.items)
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Note)
    }


def said(one: TaskBoard, n_resamples: int = 2000) -> str:
    words = metric_words(one.facts.metric, one.facts.greater_is_better)
    return text(verdict(one, words, n_resamples))


# -- numbers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.6154999, "0.615"),
        (1.0, "1.000"),
        (-0.0001, "0.000"),
        (-0.25, "\N{MINUS SIGN}0.250"),
        (12.3456, "12.35"),
        (99999.0, "99999"),
        (math.nan, "–"),
        (math.inf, "–"),
        (None, "–"),
    ],
)
def test_scores_have_three_decimals(value, shown):
    assert format_score(value) == shown


def test_an_interval_across_zero_is_not_read_as_a_minus():
    assert format_interval(0.1, 0.2) == "0.100–0.200"
    assert format_interval(-0.1, 0.2) == "\N{MINUS SIGN}0.100 to 0.200"
    assert format_interval(math.nan, 0.2) == "–"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 ms"),
        (0.00996, "10 ms"),
        (0.9996, "1.0 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.7, "1 h 00 min"),
        (7380, "2 h 03 min"),
        (None, "–"),
        (-1, "–"),
    ],
)
def test_seconds_round_over_unit_borders(value, shown):
    assert format_seconds(value) == shown


def test_bytes_and_rates():
    assert [format_bytes(v) for v in (0, 999, 999_600, 45_100_000)] == [
        "0 B",
        "999 B",
        "1.0 MB",
        "45 MB",
    ]
    assert [format_rate(v) for v in (12345.6, 784, 3.21, math.inf)] == [
        "12,300",
        "784",
        "3.2",
        "–",
    ]


@given(st.text(max_size=40), st.integers(2, 20))
def test_shortened_text_is_never_wider(raw, width):
    cut = shorten(raw, width)
    assert display_width(cut) <= width
    if display_width(raw) <= width and len(raw) <= 4 * width:
        assert cut == raw


@given(st.text(alphabet=st.characters(), max_size=40))
def test_safe_text_can_be_encoded_and_turns_nothing_around(raw):
    safe = make_safe(raw)
    safe.encode("utf-8")
    assert not set(safe) & set("\n\r\t\x00\x1b\u202e\u2066\u200f\ufeff")
    assert make_safe(safe) == safe


def test_joiners_and_accents_survive():
    for kept in ("👩‍👩‍👧", "ñandú", "日本語ー", "نموذج", "e\u0301"):
        assert make_safe(kept) == kept


@given(st.lists(st.text(max_size=6), max_size=12))
def test_slugs_are_unique(texts):
    slugs = unique_slugs(texts)
    assert len(set(slugs)) == len(texts)
    assert all(
        s and set(s) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for s in slugs
    )


# -- words ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "short"),
    [
        ("f1|average:binary|pos:irony|zero:0|v1", "F1 of irony"),
        ("f1|average:macro|zero:0|v1", "macro F1"),
        (
            "f1|average:macro|over:favor+against|zero:0|v1",
            "mean F1 of favor and against",
        ),
        ("f1|average:micro|multilabel|zero:0|v1", "micro F1"),
        ("f1|average:macro|bits:mean|zero:0|v1", "mean macro F1"),
        ("recall|average:macro|zero:0|v1", "macro recall"),
        ("rmse|v1", "RMSE"),
        ("jaccard|average:samples|zero:1|v1", "Jaccard index"),
        ("something-new|v2", "something-new"),
        ("", "score"),
    ],
)
def test_metrics_have_names_for_people(signature, short):
    assert metric_words(signature).short == short


def test_every_registered_metric_has_a_name():
    from tweetclf.tasks import get_metric, list_metrics

    for name in list_metrics():
        signature = get_metric(name, labels=("0", "1")).signature()
        assert metric_words(signature).short != signature.split("|")[0] or name in {
            "accuracy"
        }


def test_the_verdict_names_the_best_and_the_tied():
    one = board(n_systems=4, n_seeds=1)
    assert said(one) == (
        "atalaya-svm is best with F1 of irony 0.652 (95 % interval 0.622–0.682); "
        "nbsvm and char-svm cannot be told apart from it, for these runs, on these 784 "
        "test tweets. "
        "The other system is worse by more than chance explains."
    )


def test_the_verdict_of_a_clear_winner():
    task = facts()
    pair = (entry(task, "a", 0.7), entry(task, "b", 0.5, rank=2, p=0.001))
    assert said(TaskBoard(task, "test", 784, pair)).endswith(
        "; for these runs, on these 784 test tweets, its lead over the other system is "
        "more than chance explains."
    )


def test_the_verdict_of_equal_scores_one_system_and_none():
    task = facts()
    same = (entry(task, "a", 0.7), entry(task, "b", 0.7, rank=1, p=1.0))
    assert said(TaskBoard(task, "test", 784, same)).startswith(
        "a and b are best with the same F1 of irony 0.700"
    )
    assert "nothing to compare it with" in said(board(n_systems=1))
    assert said(TaskBoard(task, "test", 784, ())) == (
        "No system finished on this task."
    )
    undefined = (entry(task, "a", math.nan),)
    assert "defined" in said(TaskBoard(task, "test", 784, undefined))


def test_undefined_scores_are_not_called_worse():
    task = facts()
    entries = (entry(task, "a", 0.7), entry(task, "b", math.nan, rank=2, p=0.001))
    assert said(TaskBoard(task, "test", 784, entries)) == (
        "a is best with F1 of irony 0.700 (95 % interval 0.670–0.730) on 784 test "
        "tweets."
    )


def test_without_resamples_nothing_is_said_to_be_tied():
    one = board(n_systems=4)
    assert "no differences were tested" in said(one, n_resamples=0)
    report = make_report(Leaderboard("T", (one,), (), (), 0), figures=False)
    table = next(t for t in report.tables if t.key.endswith("--ranking"))
    assert {cell.mark for cell in table.column("system")} == {""}


def test_the_verdict_of_errors_and_of_cross_validation():
    assert said(funniness()).startswith("atalaya-svm is best with RMSE 0.920")
    assert "24,000 tweets" in said(funniness())
    assert "24,000 cv" not in said(funniness())


# -- tables -----------------------------------------------------------------------


def test_the_ranked_table_marks_best_tied_and_published():
    task = facts()
    table = ranking(board(task, n_systems=5, published=published(task)))
    assert [cell.text for cell in table.column("rank")] == [
        "–",
        *"1234",
        "5",
        "–",
        "–",
    ]
    systems = table.column("system")
    assert [cell.text for cell in systems if cell.bold] == ["atalaya-svm"]
    assert [cell.text for cell in systems if cell.mark == "\N{DAGGER}"] == [
        "nbsvm",
        "char-svm",
    ]
    kinds = {c.text: row.kind for c, row in zip(systems, table.rows, strict=True)}
    assert [name for name, kind in kinds.items() if kind == "published"] == [
        "BERTweet",
        "RoBERTa-Retrained",
        "SVM",
    ]
    assert not any(
        cell.bold for row in table.rows if row.kind == "published" for cell in row.cells
    )
    assert [c.mark for c in systems if c.text in {"BERTweet", "SVM"}] == ["[1]", "[2]"]
    assert text(table.notes[-1]) == (
        "Sources of published results: [1] arXiv:2005.10200; [2] arXiv:2010.12421."
    )
    assert [c.text for c in table.column("remark") if c.text] == [
        "words and characters"
    ]


def test_the_best_published_result_that_compares_is_named():
    task = facts()
    report = single(board(task, n_systems=2, published=published(task)))
    lead = next(b for b in report.sections[0].blocks if isinstance(b, Paragraph))
    assert text(lead.spans).endswith(
        "The best published result is that of BERTweet, 0.821."
    )
    one = funniness()
    results = tuple(
        quoted(n, one.facts, s, split="cv") for n, s in (("a", 0.9), ("b", 1))
    )
    lead = single(replace(one, published=results)).sections[0].blocks[0]
    assert text(lead.spans).endswith("that of a, 0.900.")


def test_results_of_other_metrics_or_splits_stand_apart():
    task = facts()
    report = single(board(task, n_systems=2, published=published(task)))
    apart = next(t for t in report.tables if t.key.endswith("--published"))
    assert [c.text for c in apart.column("system")] == ["Other metric", "Other split"]
    why = [c.text for c in apart.column("why")]
    assert MACRO in why[0]
    assert "scored on dev, here on test" in why[1]
    main = next(t for t in report.tables if t.key.endswith("--ranking"))
    assert not {"Other metric", "Other split"} & {c.text for c in main.column("system")}


def test_where_smaller_is_better_published_rows_follow_that_order():
    one = funniness()
    results = tuple(
        quoted(name, one.facts, score, split="cv")
        for name, score in (("first", 0.5), ("last", 2.0), ("middle", 0.9205))
    )
    table = ranking(replace(one, published=results))
    assert [c.text for c in table.column("system")] == [
        "first",
        "atalaya-svm",
        "middle",
        "nbsvm",
        "char-svm",
        "tfidf-lr",
        "last",
    ]
    score = table.columns[[c.key for c in table.columns].index("score")]
    assert score.sort == "ascending"
    assert score.header.endswith("\N{DOWNWARDS ARROW}")


def test_values_are_unrounded_and_missing_ones_have_a_reason():
    task = facts()
    one = TaskBoard(
        task,
        "test",
        784,
        (entry(task, "a", 1 / 3, memory=None), entry(task, "b", math.nan, rank=2)),
    )
    table = ranking(one)
    assert table.column("score")[0].value == 1 / 3
    gone = table.column("score")[1]
    assert (gone.value, gone.text) == (None, "–")
    assert "not defined" in gone.tooltip
    assert "spread" not in [c.key for c in table.columns]
    for row in table.rows:
        for cell in row.cells:
            assert cell.text != "nan"
            if cell.text == "–":
                assert cell.tooltip


def test_seed_and_fold_spread_are_sample_deviations():
    table = ranking(funniness())
    scores = funniness().entries[0].seed_scores
    assert table.column("spread")[0].value == pytest.approx(np.std(scores, ddof=1))
    folds = (0.61, 0.66, 0.63, 0.65, 0.64)
    assert table.column("fold_spread")[0].value == pytest.approx(np.std(folds, ddof=1))


def test_settings_that_differ_by_seed_are_counted():
    task = facts()
    first = entry(task, "a", 0.6, selected={"svm__C": 0.1})
    runs = (*first.records, run(task, "a", seed=1, selected={"svm__C": 1}))
    table = ranking(TaskBoard(task, "test", 784, (replace(first, records=runs),)))
    cell = table.column("settings")[0]
    assert cell.text == "2 settings, by seed"
    assert cell.value == "C=0.1; C=1"


def test_every_run_is_listed_with_its_record():
    leaderboard = rich()
    report = make_report(leaderboard, figures=False)
    table = next(t for t in report.tables if t.key == "task-tweeteval-irony--runs")
    first = leaderboard.boards[0]
    keys = [r.key for e in first.entries for r in e.records]
    keys += [r.key for r in first.failed]
    assert [cell.value for cell in table.column("record")] == keys
    assert table.folded
    assert table.columns[3].key == "test_official"


def test_the_table_over_tasks():
    table = next(
        t for t in make_report(rich(), figures=False).tables if t.key == "overall"
    )
    assert [c.text for c in table.column("system")][0] == "atalaya-svm"
    assert table.column("mean_rank")[0].bold
    assert table.column("mean_score")[0].bold
    assert sum(cell.bold for cell in table.column("task-tweeteval-irony")) == 1


def test_published_means_need_a_comparable_score_on_every_task():
    tasks = [facts("a"), facts("b")]
    boards = tuple(
        board(
            t,
            n_systems=3,
            published=(
                quoted("both", t, 0.9 if t.name == "a" else 0.5),
                *([quoted("one", t, 0.8)] if t.name == "a" else []),
            ),
        )
        for t in tasks
    )
    leaderboard = Leaderboard("T", boards, overall(boards), (), 100)
    table = next(
        t for t in make_report(leaderboard, figures=False).tables if t.key == "overall"
    )
    rows = [
        (row.cells[0].text, row.cells[2].value)
        for row in table.rows
        if row.kind == "published"
    ]
    assert rows == [("both", pytest.approx(0.7))]


def test_metrics_of_both_directions_have_no_mean():
    boards = (funniness(split="test"), board(facts("x"), n_systems=4))
    leaderboard = Leaderboard("T", boards, overall(boards), (), 100)
    table = next(
        t for t in make_report(leaderboard, figures=False).tables if t.key == "overall"
    )
    assert "mean_score" not in [c.key for c in table.columns]
    best = {
        key: [c.value for c in table.column(key) if c.bold]
        for key in ("task-haha-funniness", "task-x")
    }
    assert best == {
        "task-haha-funniness": [pytest.approx(0.92)],
        "task-x": [pytest.approx(0.652)],
    }


# -- notes ------------------------------------------------------------------------


def test_failures_warnings_skips_and_scorings_are_told():
    found = notes(make_report(rich(), figures=False))
    assert "word-vectors failed (seed 1): ValueError: empty" in found["Failed runs"]
    assert (
        "majority (3 runs): constant predictions"
        in found["Read these scores with care"]
    )
    assert "tweetclf fetch tweeteval" in found["Not run"]
    assert "fasttext-vec on tweeteval-irony: needs gensim" in found["Not run"]
    assert "57 times" in found["The test split was looked at before"]


def test_a_warning_of_all_runs_is_said_once_without_names():
    task = facts()
    message = "12 of 784 evaluated tweets stand verbatim in train"
    entries = tuple(
        entry(task, name, 0.5, rank=i, n_seeds=2, warnings=(message,))
        for i, name in enumerate("ab", 1)
    )
    found = notes(single(TaskBoard(task, "test", 784, entries)))
    assert found["Read these scores with care"] == message


def test_partly_failed_systems_and_endless_errors():
    task = facts()
    one = board(
        task,
        n_systems=1,
        failed=(run(task, "atalaya-svm", seed=9, error="E" * 100_000),),
    )
    note = notes(single(one))["Failed runs"]
    assert len(note) < 2000
    assert "98,800 more characters" in note
    assert "mean of the seeds that did finish" in note


def test_the_method_names_machine_versions_and_command():
    report = single(board(), command="tweetclf leaderboard --seeds 3")
    section = report.sections[-1]
    table = next(b for b in section.blocks if isinstance(b, Table))
    shown = {row.cells[0].text: row.cells[1].text for row in table.rows}
    assert shown["Processor"] == "Example CPU @ 2.50GHz"
    assert shown["scikit-learn"] == "1.9.1"
    assert section.blocks[-1].text == "tweetclf leaderboard --seeds 3"


def test_several_machines_are_a_reason_not_to_compare_times():
    task = facts()
    entries = (
        entry(task, "a", 0.7, cpu="One"),
        entry(task, "b", 0.6, rank=2, cpu="Two"),
    )
    report = single(TaskBoard(task, "test", 784, entries))
    paragraphs = [
        text(b.spans) for b in report.sections[-1].blocks if isinstance(b, Paragraph)
    ]
    assert any("not comparable" in p for p in paragraphs)


# -- the whole --------------------------------------------------------------------


def test_keys_are_unique_even_for_equal_names():
    boards = (board(n_systems=2), board(n_systems=2), board(n_systems=2, split="cv"))
    report = make_report(Leaderboard("T", boards, (), (), 10))
    keys = [s.key for s in report.sections] + [t.key for t in report.tables]
    keys += [f.key for f in report.figures] + [f.data.key for f in report.figures]
    assert len(set(keys)) == len(keys)


def test_reports_are_the_same_for_the_same_leaderboard():
    assert make_report(rich()) == make_report(rich())


def test_empty_leaderboards_and_tasks_make_reports():
    empty = make_report(Leaderboard("Nothing", ()))
    assert empty.subtitle == "0 tasks, 0 systems, 0 runs"
    task = facts()
    nothing = TaskBoard(task, "test", 784, (), (run(task, "a", error="E: no"),))
    report = make_report(Leaderboard("T", (nothing, nothing), (), (), 10))
    assert "Failed runs" in notes(report)
    assert not report.figures


def test_rows_must_fit_the_columns():
    with pytest.raises(ValueError, match="2 columns and a row of 1"):
        Table("k", "c", (Column("a", "A"), Column("b", "B")), (Row((Cell(),)),))


def test_a_leaderboard_from_records_makes_a_report():
    task = facts(
        metric_options={
            "name": "binary_f1",
            "labels": ("non-irony", "irony"),
            "pos": "irony",
        }
    )
    rng = np.random.default_rng(0)
    gold = rng.integers(2, size=784)
    runs, stored = [], {}
    for (system, *_), noise in zip(SYSTEMS[:3], (0.2, 0.22, 0.45), strict=True):
        found = np.where(rng.random(784) < noise, 1 - gold, gold)
        record = run(task, system, f1_score(gold, found))
        stored[record.key] = {"y_true": gold, "y_pred": found}
        runs.append(record)
    leaderboard = build_leaderboard(
        runs, lambda record: stored[record.key], n_resamples=200
    )
    report = make_report(leaderboard)
    assert len(report.figures) == 4
    data = report.figures[3].data
    counts = [[cell.value for cell in row.cells[1:]] for row in data.rows]
    assert np.array_equal(counts, leaderboard.boards[0].confusion)


def test_hostile_leaderboards_make_reports():
    report = make_report(hostile())
    json.dumps(report.title)
    assert len(report.sections) == 5


def test_the_package_is_lazy():
    program = (
        "import sys, tweetclf.reports; from tweetclf.reports import render, Report;"
        "assert not {'matplotlib', 'jinja2', 'sklearn'} & set(sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)
