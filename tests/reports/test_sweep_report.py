"""The report of sweeps, in every format and through the command."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from sweep_samples import EVIL, evil_sweep, grid_sweep, random_sweep

from tweetclf.cli import main
from tweetclf.leaderboard.budget import compare_sweeps, sweep_curve
from tweetclf.reports import (
    FORMATS,
    make_sweep_report,
    read_json,
    render,
    write_sweep_report,
)
from tweetclf.reports.model import Note, Paragraph
from tweetclf.reports.to_html import is_safe_svg


@pytest.fixture(scope="module")
def report():
    return make_sweep_report([random_sweep(), grid_sweep()])


def said_in(report):
    return [
        "".join(span.text for span in block.spans)
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Paragraph)
    ]


def test_the_verdict_comes_first(report):
    verdict = compare_sweeps([random_sweep(), grid_sweep()]).verdict(
        "macro F1", "5-fold cross-validation"
    )
    assert said_in(report)[0] == verdict
    assert verdict.startswith("With 6 trials each, ")


def test_sweeps_that_stand_apart_are_named_with_the_reason():
    found = make_sweep_report([random_sweep(), random_sweep(system="nb", seeds=(0, 1))])
    (note,) = (
        block
        for section in found.sections
        for block in section.blocks
        if isinstance(block, Note) and block.title == "Not compared"
    )
    said = "".join(span.text for span in note.items[0])
    assert said == (
        "On toy-task, these stand apart, by number of seeds (1 and 2): atalaya-svm; nb."
    )
    assert not any("is expected to reach" in said for said in said_in(found))


def test_a_random_search_of_a_whole_space_says_so():
    sweep = replace(random_sweep(), whole=True)
    said = " ".join(said_in(make_sweep_report([sweep])))
    assert "random search, which drew every setting of the space" in said
    assert "Other random searches" not in said


def test_every_number_is_that_of_the_sweep(report):
    sweep = random_sweep()
    best = next(t for t in report.tables if t.key == "sweep-atalaya-svm-best")
    ranked = sweep.ranked()[:10]
    assert [c.value for c in best.column("score")] == [t.score for t in ranked]
    assert [c.value for c in best.column("trial")] == [t.number for t in ranked]
    assert best.column("score")[0].bold
    whole = next(t for t in report.tables if t.key == "sweep-atalaya-svm-trials")
    assert len(whole.rows) == 40
    assert whole.folded


def test_failed_trials_are_counted_and_shown(report):
    assert any("3 trials failed." in said for said in said_in(report))
    failed = next(t for t in report.tables if t.key == "sweep-atalaya-svm-failed")
    assert [c.value for c in failed.column("trial")] == [12, 25, 38]
    assert "did not" in failed.column("error")[0].text


def test_curves_of_the_figure_are_those_of_the_sweeps(report):
    figure = next(f for f in report.figures if f.key == "budget-1-trials")
    rows = [
        (row.cells[0].value, row.cells[1].value, row.cells[2].value)
        for row in figure.data.rows
    ]
    curve = sweep_curve(random_sweep())
    assert ("atalaya-svm", 40.0, curve.values[-1]) in rows
    assert ("atalaya-svm", 1.0, curve.values[0]) in rows


def test_keys_are_unique_and_drawings_safe(report):
    keys = [f.key for f in report.figures] + [t.key for t in report.tables]
    assert len(set(keys)) == len(keys)
    assert len(report.figures) == 6
    for figure in report.figures:
        assert is_safe_svg(figure.svg), figure.key


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_it(report, format):
    assert "atalaya-svm" in render(report, format)


def test_it_is_read_back(report):
    assert read_json(render(report, "json")) == report


def test_it_is_the_same_for_the_same_sweeps(report):
    again = make_sweep_report([random_sweep(), grid_sweep()])
    assert again == report


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_texts_do_nothing(format):
    report = make_sweep_report([evil_sweep()])
    text = render(report, format)
    assert "\x1b" not in text
    assert "\u202e" not in text or format == "json"
    assert "<script>alert" not in text or format in {"json", "csv"}
    if format == "html":
        assert all(is_safe_svg(figure.svg) for figure in report.figures)
        assert len(report.figures) == 4


def test_a_page_needs_nothing_else(report):
    page = render(report, "html")
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "").replace(
        "http://www.w3.org/1999/xlink", ""
    )


def test_one_sweep_has_its_curves_in_its_section():
    report = make_sweep_report([random_sweep()])
    assert [section.key for section in report.sections] == ["sweep-atalaya-svm"]
    assert len(report.figures) == 4
    assert report.title == "Search: atalaya-svm on toy-task"
    lead = said_in(report)[0]
    assert lead.startswith("The best of 40 trials of atalaya-svm reaches 0.7")
    assert "svm__C = " not in lead
    assert "C = " in lead


def test_sweeps_that_cannot_be_compared_stand_apart():
    other = replace(grid_sweep(), evaluation="dev", n_folds=None)
    report = make_sweep_report([random_sweep(), other])
    assert not any(s.key.startswith("budget") for s in report.sections)
    assert len(report.figures) == 8


def test_a_sweep_of_failures_is_reported():
    sweep = random_sweep(3)
    trials = tuple(
        replace(t, score=None, state="failed", error="no memory") for t in sweep.trials
    )
    report = make_sweep_report([replace(sweep, trials=trials), grid_sweep()])
    assert any(
        "None of 3 trials of atalaya-svm has a score" in s for s in said_in(report)
    )
    assert "no memory" in render(report, "html")


def test_one_trial_is_reported():
    sweep = grid_sweep()
    report = make_sweep_report([replace(sweep, trials=sweep.trials[:1])])
    assert report.figures == []
    assert "nbsvm__C" not in said_in(report)[0]
    assert "C = 0.1" in said_in(report)[0]


def test_bayesian_search_is_shown_as_it_ran():
    report = make_sweep_report([grid_sweep(strategy="tpe")])
    assert "Bayesian search (TPE)" in " ".join(said_in(report))
    assert "own order" in report.figures[0].caption


def test_halving_is_compared_by_time_alone():
    halving = grid_sweep("lr", strategy="halving")
    trials = tuple(
        replace(t, resource=10 if t.number < 4 else 30) for t in halving.trials
    )
    report = make_sweep_report([replace(halving, trials=trials), grid_sweep()])
    said = said_in(report)
    assert said[0].startswith("With 3 s of fitting each, ")
    assert not any("trials each" in s for s in said)


def test_what_cannot_be_compared_by_time_says_why():
    slow = grid_sweep("slow")
    trials = tuple(replace(t, fit_seconds=60.0) for t in slow.trials)
    said = said_in(make_sweep_report([replace(slow, trials=trials), grid_sweep()]))
    assert said[0].startswith("With 6 trials each, ")
    assert said[1].startswith("They are not compared by time: a budget of 3 seconds")


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="one or more sweeps"):
        make_sweep_report([])
    with pytest.raises(ValueError, match="each with trials"):
        make_sweep_report([replace(grid_sweep(), trials=())])


def test_files_are_written(tmp_path):
    paths = write_sweep_report([grid_sweep()], tmp_path / "out")
    assert [p.name for p in paths] == ["report.html", "report.json"]


def test_the_command_reports_sweeps(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_sweep(12).save("a.json")
    grid_sweep().save("b.json")
    options = ["report", "--sweep", "a.json", "--sweep", "b.json", "--output", "out"]
    assert main(options) == 0
    said = capsys.readouterr().out
    assert "With 6 trials each" in said
    assert "All trials" not in said
    assert (tmp_path / "out" / "report.html").exists()
    assert main([*options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith("Search: ")


def test_the_command_refuses_what_does_not_fit(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grid_sweep().save("b.json")
    with pytest.raises(SystemExit, match="2"):
        main(["report", "--sweep", "b.json", "--task", "x"])
    assert "--task is about stored runs" in capsys.readouterr().err
    assert main(["report", "--sweep", "absent.json"]) != 0
    assert "absent.json" in capsys.readouterr().err


def test_evil_has_teeth():
    assert "<script>" in EVIL
