"""Displays of the analyses: they draw what they were given, on any axes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from tweetclf.analysis import (
    Acceptability,
    FeatureScores,
    FewShotCurve,
    PretrainingRun,
)
from tweetclf.analysis.candidates import CandidateScores
from tweetclf.analysis.displays import (
    AttentionDisplay,
    CandidatesDisplay,
    CurvesDisplay,
    EstimatesDisplay,
    HeadMapDisplay,
    TokenMapDisplay,
)
from tweetclf.analysis.displays.lines import Line

PERCENT = "M-F1"


@pytest.fixture
def ax():
    return Figure(figsize=(6, 5)).add_subplot()


def drawn(ax, points):
    """Whether a mark of some line of the axes stands at each point."""
    marks = {
        (round(float(x), 9), round(float(y), 9))
        for line in ax.lines
        for x, y in np.column_stack(line.get_data())
    }
    return {(round(float(x), 9), round(float(y), 9)) for x, y in points} <= marks


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_estimates_stand_at_their_values(ax):
    found = FeatureScores(
        ("cls", "mean"), np.array([0.5, 0.6]), (1.0, 1.0), np.array([0.4, 0.5]),
        np.array([0.6, math.nan]), 0.95, PERCENT,
    )  # fmt: skip
    display = EstimatesDisplay.from_features(found, ax=ax)
    assert display.ax_ is ax
    assert drawn(ax, [(0.5, 0), (0.6, 1), (0.4, 0)])
    assert {"cls", "mean", PERCENT} <= set(texts(ax))
    with pytest.raises(ValueError, match="no value"):
        EstimatesDisplay(
            names=["a"], values=[math.nan], low=[math.nan], high=[math.nan]
        ).plot(Figure().add_subplot())


def test_curves_show_points_bands_and_names(ax):
    curve = FewShotCurve(
        ("bert", "$a$"), (2, 4, 8), np.array([[[0.1, 0.2, 0.3], [0.2, 0.3, 0.5]]] * 2),
        PERCENT,
    )  # fmt: skip
    CurvesDisplay.from_few_shot(curve, ax=ax)
    assert drawn(ax, zip((2, 4, 8), curve.mean[0], strict=True))
    assert ax.get_xscale() == "log"
    assert [t.strip() for t in texts(ax)][-2:] == ["bert", "$a$"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2", "4", "8"]
    assert len(ax.collections) == 2
    with pytest.raises(ValueError, match="no line"):
        CurvesDisplay(lines=[]).plot(Figure().add_subplot())


def test_names_at_the_ends_of_equal_curves_do_not_overlap(ax):
    lines = [Line(name, [1, 2], [0.5, 0.5]) for name in "abcd"]
    CurvesDisplay(lines=lines).plot(ax)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text().strip() in "abcd"]
    boxes = sorted((b.y0, b.y1) for b in boxes if b.height > 0)[-4:]
    assert all(a[1] <= b[0] + 1 for a, b in zip(boxes, boxes[1:], strict=False))


def test_runs_of_different_lengths_are_overlaid(ax):
    runs = [
        PretrainingRun("a", np.arange(1, 6), {"loss": np.arange(5.0)}),
        PretrainingRun("b", np.arange(1, 1001), {"loss": np.linspace(9, 1, 1000)}),
        PretrainingRun("c", np.arange(1, 3), {"other": np.ones(2)}),
    ]
    display = CurvesDisplay.from_runs(runs, smoothing=0.0, ax=ax)
    assert [line.name for line in display.lines] == ["a", "b"]
    assert drawn(ax, [(1000, 1.0), (5, 4.0)])


def test_acceptability_by_rank(ax):
    scores = np.array([0.9, 0.5])
    found = Acceptability(
        (1, 100), np.array([50, 50]), scores, scores - 0.1, scores + 0.1, 0.95, ()
    )
    CurvesDisplay.from_acceptability({"bert": found}, ax=ax)
    assert drawn(ax, [(1, 0.9), (100, 0.5)])


def test_maps_show_every_head_and_class(ax):
    positions = np.random.default_rng(0).normal(size=(6, 2))
    HeadMapDisplay(positions=positions, n_layers=3).plot(ax)
    assert drawn(ax, positions)
    assert sorted(t for t in texts(ax) if t.isdigit()) == list("112233")
    other = Figure().add_subplot()
    classes = ["word", "url", "word", "user", "url", "word"]
    display = TokenMapDisplay(positions=positions, classes=classes).plot(other)
    assert drawn(other, positions)
    assert {"word (3)", "url (2)", "user (1)"} <= set(texts(other))
    assert repr(display) == "TokenMapDisplay(6 tokens)"


def test_attention_leaves_small_weights_out(ax):
    weights = np.array([[0.98, 0.02], [0.5, 0.5]])
    AttentionDisplay(tokens=["[CLS]", "$x$"], weights=weights, least=0.05).plot(ax)
    assert len(ax.lines) == 3
    assert texts(ax).count("$x$") == 2
    other = Figure().add_subplot()
    AttentionDisplay(tokens=["[CLS]", "x"], weights=weights).plot(other)
    assert len(other.lines) == 1
    with pytest.raises(ValueError, match=r"shape \(1, 1\)"):
        AttentionDisplay(tokens=["a"], weights=weights).plot(ax)


def test_candidates_and_controls_differ(ax):
    scores = np.array([[0.6, 0.5], [0.7, 0.65], [0.65, 0.4]])
    found = CandidateScores(
        ("irony", "humor"), ("f1|average:macro|zero:0|v1",) * 2, (True, True),
        ("bert", "a", "b"), np.array([True, False, False]), scores, scores - 0.01,
        scores + 0.01, np.full((3, 2), 3), (),
    )  # fmt: skip
    CandidatesDisplay.from_scores(found, ax=ax)
    assert drawn(ax, scores)
    marks = [line for line in ax.lines if line.get_marker() in ("o", "s")]
    assert [line.get_marker() for line in marks] == ["s", "o", "o"]
    assert {"bert", "a", "b"} <= set(texts(ax))
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 2
