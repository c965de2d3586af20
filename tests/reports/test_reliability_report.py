"""Calibration in reports: a column, a note, and small diagrams."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from report_boards import EMOJI, HOSTILE, board, entry, facts, twenty

from tweetclf.leaderboard.boards import Leaderboard, TaskBoard
from tweetclf.leaderboard.statistics import Calibration, measure_calibration
from tweetclf.reports import make_report, render
from tweetclf.reports.ranked import ranked_table
from tweetclf.reports.reliability import (
    MOST_PANELS,
    calibration_note,
    reliability_figure,
)
from tweetclf.reports.to_html import is_safe_svg
from tweetclf.reports.wording import metric_words


def measured(seed: int, n_labels: int = 2, n: int = 400) -> Calibration:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_labels, 0.6), size=n)
    gold = np.array([rng.choice(n_labels, p=row) for row in proba])
    return measure_calibration(gold, proba)


def believing(
    found: TaskBoard, without: tuple[str, ...] = (), n_seeds: int = 2
) -> TaskBoard:
    n_labels = len(found.facts.label_names)
    return replace(
        found,
        calibration={
            e.system: tuple(measured(9 * i + s, n_labels) for s in range(n_seeds))
            for i, e in enumerate(found.entries)
            if e.system not in without
        },
    )


def table(found: TaskBoard) -> Any:
    words = metric_words(found.facts.metric)
    made = ranked_table(found, words, 2000, "t")
    assert made is not None
    return made


def said(spans: Any) -> str:
    return "".join(span.text for span in spans)


def test_without_any_there_is_nothing() -> None:
    plain = board()
    assert calibration_note(plain) is None
    assert reliability_figure(plain, "k") is None
    assert not {"ece", "brier"} & {column.key for column in table(plain).columns}


def test_the_column_is_the_mean_over_seeds() -> None:
    found = believing(board(), without=("char-svm",))
    for one, cell in zip(found.entries, table(found).column("ece"), strict=True):
        if one.system == "char-svm":
            assert cell.value is None
            assert cell.tooltip == "no probabilities are stored"
            continue
        eces = [part.ece for part in found.calibration[one.system]]
        assert cell.value == pytest.approx(np.mean(eces))
        assert cell.text == f"{np.mean(eces):.3f}"


def test_the_note_says_how_it_is_measured_and_of_whom_it_is_not() -> None:
    found = believing(board(), without=("char-svm", "nbsvm"))
    note = said(calibration_note(found))
    assert "of the most probable label" in note
    assert "10 equally wide bins of 400 tweets, mean over seeds" in note
    assert "No probabilities are stored of nbsvm and char-svm: " in note
    assert note in [said(n) for n in table(found).notes]
    all_known = said(calibration_note(believing(board(), n_seeds=1)))
    assert "seeds" not in all_known
    assert "No probabilities" not in all_known


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9])
def test_the_best_are_drawn_and_no_more(n: int) -> None:
    found = believing(board(n_systems=n))
    figure = reliability_figure(found, "k")
    assert figure is not None
    assert is_safe_svg(figure.svg)
    drawn = [e.system for e in found.entries[:MOST_PANELS]]
    for system in drawn:
        first = found.calibration[system][0]
        assert f"{system} ECE {first.ece:.3f}, Brier score {first.brier:.3f}" in (
            figure.alt
        )
        assert f">{system}<" in figure.svg
        assert f">ECE {first.ece:.3f}<" in figure.svg
    assert list(dict.fromkeys(c.value for c in figure.data.column("system"))) == drawn
    more = f"The {MOST_PANELS} best of {n} systems with probabilities."
    assert (more in figure.caption) == (n > MOST_PANELS)
    assert "(seed 0)" in figure.caption
    assert "400 tweets" in figure.caption


def test_the_data_are_the_bins_with_wilsons_intervals() -> None:
    from statsmodels.stats.proportion import proportion_confint

    found = believing(board(n_systems=1))
    figure = reliability_figure(found, "k")
    assert figure is not None
    first = found.calibration["atalaya-svm"][0]
    rows = [[cell.value for cell in row.cells[1:]] for row in figure.data.rows]
    hits = np.rint(first.accuracy * first.count)
    low, high = proportion_confint(hits, first.count, method="wilson")
    expected = [first.confidence, first.accuracy, low, high, first.count]
    np.testing.assert_allclose(rows, np.transpose(expected), atol=1e-12)


def test_label_sets_count_decisions() -> None:
    task = facts("e", kind="multilabel", label_names=("joy", "fear"))
    found = believing(board(task, n_systems=2))
    assert "400 decisions on labels" in said(calibration_note(found))
    figure = reliability_figure(found, "k")
    assert figure is not None
    assert "that a label applies or does not" in figure.caption


def test_many_labels_and_hostile_names_are_drawn() -> None:
    assert reliability_figure(believing(twenty()), "k") is not None
    assert len(EMOJI) == 20
    task = facts()
    hostile = TaskBoard(
        task,
        "test",
        784,
        tuple(
            entry(task, name, 0.7 - i / 50, rank=i + 1)
            for i, name in enumerate(HOSTILE)
        ),
    )
    figure = reliability_figure(believing(hostile), "k")
    assert figure is not None
    assert is_safe_svg(figure.svg)
    assert "<script>" not in figure.svg


@pytest.mark.parametrize("format", ["html", "markdown", "latex", "csv", "json"])
def test_every_format_has_the_column(format: str) -> None:
    found = believing(board(n_systems=3), without=("nbsvm",))
    report = make_report(Leaderboard("T", (found,), (), (), 2000))
    text = render(report, format)
    value = f"{np.mean([p.ece for p in found.calibration['atalaya-svm']]):.3f}"
    assert ("ece" if format == "csv" else "ECE") in text
    assert value in text
    keys = [figure.key for figure in report.figures]
    assert keys[-1].endswith("--reliability")
