"""Displays of sweeps: what they compute, and what they draw."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from sweep_samples import EVIL, evil_sweep, grid_sweep, random_sweep

from tweetclf.leaderboard.budget import sweep_curve
from tweetclf.reports.displays import (
    ExpectedPerformanceDisplay,
    ParallelCoordinatesDisplay,
    SweepHeatmapDisplay,
)
from tweetclf.reports.displays._parameters import (
    NOT_SET,
    influence,
    scale_of,
    short_names,
)
from tweetclf.reports.displays._style import Style


def axes():
    return Figure(layout="constrained").subplots()


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_matplotlib_is_loaded_when_something_is_drawn():
    code = (
        "import sys; import tweetclf.reports.displays as d; "
        "d.ExpectedPerformanceDisplay, d.SweepHeatmapDisplay; "
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# Curves


def test_curves_are_drawn_as_computed():
    ax = axes()
    sweeps = [random_sweep(), grid_sweep()]
    display = ExpectedPerformanceDisplay.from_sweeps(sweeps, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    for line, sweep in zip(display.lines_, sweeps, strict=True):
        assert_allclose(line.get_ydata(), sweep_curve(sweep).values)
    said = " ".join(texts(ax))
    assert "atalaya-svm (40 trials, 3 failed)" in said
    assert "nbsvm (grid, 6 trials)" in said
    assert "best macro F1 so far (higher is better)" in said


def test_curves_differ_in_more_than_colour():
    scores = {f"s{i}": np.random.default_rng(i).random(9) for i in range(4)}
    display = ExpectedPerformanceDisplay.from_scores(scores, bounds=(0, 1), ax=axes())
    looks = {(line.get_marker(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == 4


def test_curves_over_seconds_have_times_below():
    ax = axes()
    ExpectedPerformanceDisplay.from_sweeps([random_sweep()], unit="seconds", ax=ax)
    ax.figure.canvas.draw()
    assert ax.get_xscale() == "log"
    assert any(t.get_text().endswith((" s", " min")) for t in ax.get_xticklabels())


def test_bands_do_not_squeeze_the_curves():
    ax = axes()
    display = ExpectedPerformanceDisplay.from_sweeps([random_sweep()], ax=ax)
    values = np.array(display.curves[0].values)
    low, high = ax.get_ylim()
    assert np.ptp(values) > 0.4 * (high - low)
    assert low < values.min()
    assert high > values.max()


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="one or more"):
        ExpectedPerformanceDisplay([]).plot(axes())


@pytest.mark.parametrize("n", [1, 2, 100])
def test_curves_of_any_length_are_drawn(n):
    ax = axes()
    scores = {"s": np.linspace(0.4, 0.5, n)}
    display = ExpectedPerformanceDisplay.from_scores(scores, bounds=(0, 1), ax=ax)
    ax.figure.canvas.draw()
    (line,) = display.lines_
    assert line.get_xdata()[-1] == n
    assert np.isfinite(line.get_ydata()).all()
    assert len(line.get_xdata()) == len(line.get_ydata())


# Heat maps


def test_cells_hold_the_best_over_the_other_parameters():
    rng = np.random.default_rng(0)
    params = [
        {"a": int(a), "b": str(b), "c": float(c)}
        for a, b, c in zip(
            rng.integers(3, size=60),
            rng.choice(["x", "y"], size=60),
            rng.random(60),
            strict=True,
        )
    ]
    scores = rng.random(60)
    scores[5] = math.nan
    display = SweepHeatmapDisplay.from_trials(params, scores, x="a", y="b", ax=axes())
    assert display.x_values == ["0", "1", "2"]
    assert display.y_values == ["x", "y"]
    for row, b in enumerate("xy"):
        for column in range(3):
            inside = [
                s
                for s, p in zip(scores, params, strict=True)
                if p["a"] == column and p["b"] == b
            ]
            assert display.counts[row, column] == len(inside)
            assert display.scores[row, column] == np.nanmax(inside)
    worst = SweepHeatmapDisplay.compute(
        params, scores, x="a", y="b", greater_is_better=False
    )
    assert worst.scores[0, 0] == min(
        s
        for s, p in zip(scores, params, strict=True)
        if p["a"] == 0 and p["b"] == "x" and not math.isnan(s)
    )


def test_numbers_with_many_values_are_put_into_bins():
    display = SweepHeatmapDisplay.from_sweep(random_sweep(), x="svm__C", ax=axes())
    assert len(display.x_values) == 6
    assert all("\N{EN DASH}" in text for text in display.x_values)
    assert np.sum(display.counts) == 40
    assert np.nanmax(display.scores) == random_sweep().best.score


def test_cells_without_trials_or_scores_are_told_apart():
    ax = axes()
    params = [{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 2}]
    SweepHeatmapDisplay.from_trials(params, [0.5, 0.6, math.nan], ax=ax)
    said = texts(ax)
    assert said.count("\N{MULTIPLICATION SIGN}") == 1
    assert said.count("\N{EN DASH}") == 1
    best = next(t for t in ax.texts if t.get_text() == "0.600")
    assert best.get_weight() == "bold"


def test_one_parameter_makes_one_row():
    params = [{"C": c, "same": 1} for c in (0.1, 1.0, 10.0)]
    display = SweepHeatmapDisplay.from_trials(params, [0.1, 0.3, 0.2], ax=axes())
    assert (display.x, display.y) == ("C", "")
    assert display.scores.tolist() == [[0.1, 0.3, 0.2]]


def test_the_parameters_that_go_with_the_score_are_chosen():
    rng = np.random.default_rng(0)
    params = [
        {"noise": int(rng.integers(3)), "a": a, "b": b}
        for a in range(4)
        for b in range(4)
    ]
    scores = [p["a"] + 0.5 * p["b"] for p in params]
    display = SweepHeatmapDisplay.from_trials(params, scores, ax=axes())
    assert {display.x, display.y} == {"a", "b"}


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="no parameter has two values"):
        SweepHeatmapDisplay.from_trials([{"a": 1}] * 2, [0.1, 0.2])
    with pytest.raises(ValueError, match="'z' is no parameter"):
        SweepHeatmapDisplay.from_trials([{"a": 1}, {"a": 2}], [0.1, 0.2], x="z")
    with pytest.raises(ValueError, match="2 trials, 0 of them with a score"):
        SweepHeatmapDisplay.from_trials([{"a": 1}, {"a": 2}], [math.nan] * 2)
    with pytest.raises(ValueError, match="both 'a'"):
        SweepHeatmapDisplay.from_trials([{"a": 1}, {"a": 2}], [0.1, 0.2], x="a", y="a")


# Parallel plots


def test_every_trial_is_a_line():
    ax = axes()
    sweep = random_sweep()
    display = ParallelCoordinatesDisplay.from_sweep(sweep, ax=ax)
    n_axes = len(display.names_) + 1
    lines = [line for line in ax.lines if len(line.get_xdata()) == n_axes]
    assert len(lines) == 40
    dashed = [line for line in lines if line.get_linestyle() == "--"]
    assert len(dashed) == len(sweep.failed)
    assert {line.get_ydata()[-1] for line in dashed} == {-0.12}
    thick = max(lines, key=lambda line: line.get_linewidth())
    assert thick.get_ydata()[-1] == 1
    assert "failed" in texts(ax)
    assert "not set" in texts(ax)


def test_lower_errors_stand_higher():
    ax = axes()
    params = [{"a": 1, "b": 1}, {"a": 2, "b": 2}]
    ParallelCoordinatesDisplay.from_trials(
        params, [3.0, 2.0], greater_is_better=False, ax=ax
    )
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert [line.get_ydata()[-1] for line in lines] == [0, 1]


def test_of_many_parameters_those_that_matter_are_shown():
    rng = np.random.default_rng(0)
    params = [{f"p{j}": int(rng.integers(3)) for j in range(14)} for _ in range(50)]
    scores = [p["p11"] + 0.01 * rng.random() for p in params]
    display = ParallelCoordinatesDisplay.from_trials(params, scores, ax=axes())
    assert len(display.names_) == 9
    assert "p11" in display.names_


def test_hostile_names_are_drawn_as_text():
    sweep = evil_sweep()
    for display in (SweepHeatmapDisplay, ParallelCoordinatesDisplay):
        ax = axes()
        display.from_sweep(sweep, ax=ax)
        said = " ".join(texts(ax))
        assert EVIL[:4] not in said
        assert "\u202e" not in said


# Parameters


def test_scales():
    assert scale_of([1, 2, 3]).kind == "linear"
    assert scale_of([0.001, 1.0]).kind == "log"
    assert scale_of([0.0, 1000.0], "log").kind == "linear"
    assert scale_of([True, False]).kind == "category"
    assert scale_of([1, None]).texts == ("1", "None")
    assert scale_of([1, 2], "category").place(2) == 1
    assert scale_of([0.1, 1.0, 10.0], "log").place(1.0) == pytest.approx(0.5)
    unset = scale_of([1, 5, NOT_SET])
    assert unset.unset
    assert unset.place(NOT_SET) < 0
    columns, names = unset.bins([1, 5, NOT_SET], 8)
    assert columns.tolist() == [0, 1, 2]
    assert names == ["1", "5", NOT_SET]


def test_numbers_with_the_same_text_keep_their_columns():
    values = [0.123451, 0.123452]
    columns, _ = scale_of(values).bins(values, 8)
    assert columns.tolist() == [0, 1]


def test_short_names_are_unique():
    names = ["a__C", "b__C", "c__D", "D", "x__y__z"]
    short = short_names(names)
    assert len(set(short.values())) == 5
    assert short["x__y__z"] == "z"
    assert short["a__C"] == "a__C"


def test_influence_is_a_share_of_variance():
    params = [{"a": i % 2, "b": i // 2} for i in range(4)]
    scales = {name: scale_of([p[name] for p in params]) for name in "ab"}
    shares = influence(params, np.array([0.0, 1.0, 0.0, 1.0]), scales)
    assert shares == {"a": 1.0, "b": 0.0}


def test_black_is_the_ink_of_the_page():
    scores = {f"s{i}": [0.1 * i, 0.2] for i in range(7)}
    display = ExpectedPerformanceDisplay.from_scores(scores, bounds=(0, 1), ax=axes())
    display.plot(axes(), style=Style(ink="#123456"))
    colours = [line.get_color() for line in display.lines_]
    assert "#123456" in colours
    assert "#000000" not in colours
