"""Sentences of a report must be true of mixed runs and of weak systems."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_boards import board, entry, facts, overall, run

from tweetclf.leaderboard import Protocol
from tweetclf.leaderboard.ranking import Leaderboard, TaskBoard
from tweetclf.reports import Note, Paragraph, Report, make_report
from tweetclf.reports.provenance import protocol_sentence


def text(found) -> str:
    return "".join(span.text for span in found)


def notes(report: Report) -> dict[str, str]:
    return {
        block.title: " ".join(text(item) for item in block.items)
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Note)
    }


def paragraphs(report: Report) -> str:
    return "\n".join(
        text(block.spans)
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Paragraph)
    )


def made(*boards: TaskBoard, rows=()) -> Report:
    return make_report(Leaderboard("T", boards, tuple(rows), (), 2000), figures=False)


def test_protocols_that_differ_name_their_systems() -> None:
    task = facts(data={"train": "a", "dev": "b", "test": "c"})
    plain, tuned = entry(task, "a", 0.7), entry(task, "b", 0.6, rank=2)
    protocol = Protocol(grid=True, refit_on_dev=True)
    spec = replace(tuned.records[0].spec, grid={"C": [1]}, protocol=protocol)
    tuned = replace(tuned, records=(replace(tuned.records[0], spec=spec),))
    one = TaskBoard(task, "test", 784, (plain, tuned), labels={spec.key: "b (grid)"})
    assert text(protocol_sentence(one)) == (
        "Trained on train; settings of b (grid) selected on dev by the official "
        "metric; the models of b (grid) trained again on train and dev together; test "
        "scored once a run."
    )
    alone = replace(one, entries=(tuned,))
    assert text(protocol_sentence(alone)) == (
        "Trained on train; settings selected on dev by the official metric; then "
        "trained again on train and dev together; test scored once a run."
    )


def test_folds_that_differ_name_their_systems() -> None:
    task = facts()
    runs = [run(task, name, evaluation="cv") for name in "ab"]
    spec = replace(runs[1].spec, protocol=Protocol("cv", 3))
    runs[1] = replace(runs[1], spec=spec)
    entries = tuple(
        replace(entry(task, r.spec.system, 0.5), records=(r,)) for r in runs
    )
    said = text(protocol_sentence(TaskBoard(task, "cv", 784, entries)))
    assert said.startswith(
        "Out-of-fold predictions of 3-fold (b) and 5-fold (a) cross-validation"
    )


def test_a_task_with_two_tables_is_one_task() -> None:
    report = made(board(n_systems=2), board(n_systems=2, split="cv"))
    assert report.subtitle.startswith("1 task, 2 systems")
    assert "No system finished" not in paragraphs(report)


def test_no_common_variant_is_said_as_it_is() -> None:
    boards = (
        TaskBoard(facts("x"), "test", 784, (entry(facts("x"), "a", 0.5),)),
        TaskBoard(facts("y"), "test", 784, (entry(facts("y"), "b", 0.5),)),
    )
    assert (
        "No system finished all 2 tasks that were scored on test in one and the same "
        "variant" in paragraphs(made(*boards))
    )
    twice = (boards[0], replace(boards[0], facts=facts("x", version="2")))
    assert "several versions of its data" in paragraphs(made(*twice))


def test_test_and_cross_validation_have_tables_of_their_own() -> None:
    tested = tuple(board(facts(name), n_systems=2) for name in "xy")
    folded = tuple(board(facts(name), n_systems=2, split="cv") for name in "xy")
    rows = overall(tested)
    rows += tuple(replace(row, split="cv") for row in overall(folded))
    report = made(*tested, *folded, rows=rows)
    keys = [table.key for table in report.tables]
    assert keys[:2] == ["overall", "overall-cv"]
    assert len(report.tables[0].rows) == len(report.tables[1].rows) == 2
    assert paragraphs(report).count("over 2 tasks") == 2
    assert paragraphs(report).count("over 2 tasks by cross-validation") == 1


def test_failed_seeds_of_another_variant_are_not_called_missing() -> None:
    task = facts()
    failed = run(task, "a", seed=3, error="ValueError: no")
    one = TaskBoard(
        task,
        "test",
        784,
        (entry(task, "a", 0.5),),
        (failed,),
        labels={failed.key: "a (grid)"},
    )
    said = notes(made(one))["Failed runs"]
    assert said.startswith("a (grid) failed (seed 3)")
    assert "mean of the seeds" not in said


def test_failed_runs_are_no_earlier_looks_at_the_test_split() -> None:
    task = facts()
    one = board(
        task,
        n_systems=1,
        n_seeds=1,
        failed=(run(task, "b", error="E: no"),),
        n_test_scorings=2,
    )
    assert "The test split was looked at before" not in notes(made(one))
    again = notes(made(replace(one, n_test_scorings=3)))
    assert "started 3 times" in again["The test split was looked at before"]


@pytest.mark.parametrize("name", ["majority", "stratified", "mean"])
def test_a_reference_that_is_not_beaten_is_told(name: str) -> None:
    task = facts()
    first, second = entry(task, name, 0.7), entry(task, "a", 0.6, rank=2, p=0.001)
    title = "A reference system is not beaten"
    leading = TaskBoard(task, "test", 784, (first, second))
    assert notes(made(leading))[title] == f"{name} leads and reads no text."
    tied = (entry(task, "a", 0.7), entry(task, name, 0.69, rank=2, p=0.4))
    said = notes(made(replace(leading, entries=tied)))[title]
    assert said == (f"{name}, which reads no text, cannot be told apart from the best.")
    beaten = (tied[0], replace(tied[1], p_best=0.001))
    assert title not in notes(made(replace(leading, entries=beaten)))


def test_intervals_say_that_seeds_are_held_fixed() -> None:
    table = next(t for t in made(board()).tables if t.key.endswith("--ranking"))
    said = " ".join(text(note) for note in table.notes)
    assert "seeds are held fixed" in said
    assert "for these runs" in said
