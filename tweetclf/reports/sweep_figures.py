"""Figures of sweeps: the displays of `tweetclf.reports.displays` on a report's page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tweetclf.leaderboard.budget import BudgetCurve
from tweetclf.leaderboard.trials import Sweep
from tweetclf.reports.axes import WIDTH, margin
from tweetclf.reports.displays._parameters import trials_of, value_text
from tweetclf.reports.displays._style import page_style, text_width
from tweetclf.reports.displays.evp import ExpectedPerformanceDisplay, key_height
from tweetclf.reports.displays.heatmap import SweepHeatmapDisplay
from tweetclf.reports.displays.parallel import ParallelCoordinatesDisplay
from tweetclf.reports.drawing import Drawing, defaults
from tweetclf.reports.formatting import (
    finite,
    format_count,
    format_score,
    format_seconds,
    plural,
)
from tweetclf.reports.model import Cell, Column, Figure, Row, Table
from tweetclf.reports.wording import MetricWords

__all__ = ["curves_figure", "heatmap_figure", "parallel_figure"]

# Budgets of a curve in the table of a figure.
_ROWS = 25
# Wider drawings get the whole width of the page.
_WIDE = WIDTH + 60


def _number(value: float) -> Cell:
    return Cell(finite(value), format_score(value))


def curves_figure(
    curves: Sequence[BudgetCurve],
    words: MetricWords,
    bounds: tuple[float, float],
    key: str,
) -> Figure:
    """Draw the best score against the budget.

    Parameters
    ----------
    curves : sequence of BudgetCurve
        Curves of one unit.
    words : MetricWords
        The metric.
    bounds : tuple of (float, float)
        Lowest and highest possible score.
    key : str
        Key of the figure.
    """
    label = f"best {words.short} so far ({words.direction})"
    seconds = curves[0].unit == "seconds"
    unit = "the time of fitting" if seconds else "trials"
    title = f"Best {words.short} against {unit}"
    said = "; ".join(
        f"{c.name} {format_score(c.values[-1])} at {_budget(c, c.budgets[-1])}"
        for c in curves
    )
    with defaults():
        above = key_height(len(curves)) + 6
        drawing = Drawing(key, WIDTH, 250 + above)
        axes = drawing.axes(52, above, 16, 44)
        display = ExpectedPerformanceDisplay(curves, label=label, bounds=bounds)
        display.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"At the end: {said}.")
    caption = f"{title}. {' '.join(_reading(curves))}"
    return Figure(key, svg, f"{title}. {said}.", caption, _curve_data(curves, key))


def _budget(curve: BudgetCurve, budget: float) -> str:
    if curve.unit == "seconds":
        return format_seconds(budget)
    return plural(round(budget), "trial")


def _reading(curves: Sequence[BudgetCurve]) -> list[str]:
    """Say what curves and bands are."""
    said = []
    kinds = {curve.kind for curve in curves}
    what = {"mean": "expected best score", "median": "median of the best score"}
    if "random" in kinds:
        found = next(curve for curve in curves if curve.kind == "random")
        said.append(f"Random search: {what[found.statistic]} of other such draws.")
    if "grid" in kinds:
        said.append(
            "Grids: expected best score if the cells are tried in random order."
        )
    if "observed" in kinds:
        said.append("Steps: what one search saw in its own order.")
    banded = [curve for curve in curves if curve.band]
    if banded:
        level = f"{100 * (banded[0].level or 0):.3g} %"
        if banded[0].band == "bootstrap":
            said.append(
                f"Bands: {level} percentile bootstrap at each budget, too narrow near "
                "the end."
            )
        else:
            said.append(
                f"Bands: {level} for the whole curve, whatever the scores' "
                "distribution. Where an edge is missing, these trials say less of the "
                "curve than the range of possible scores does."
            )
    return said


def _curve_data(curves: Sequence[BudgetCurve], key: str) -> Table:
    rows = []
    for curve in curves:
        n = len(curve.budgets)
        shown = np.unique(np.linspace(0, n - 1, min(n, _ROWS)).round().astype(int))
        for place in shown.tolist():
            budget = curve.budgets[place]
            rows.append(
                Row(
                    (
                        Cell(curve.name, curve.name),
                        Cell(budget, _budget(curve, budget)),
                        _number(curve.values[place]),
                        _number(curve.low[place]),
                        _number(curve.high[place]),
                    ),
                    "data",
                )
            )
    unit = "seconds" if curves[0].unit == "seconds" else "count"
    return Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("search", "Search"),
            Column("budget", "Budget", "right", unit),
            Column("score", "Best score", "right", "score"),
            Column("low", "Low", "right", "score"),
            Column("high", "High", "right", "score"),
        ),
        tuple(rows),
        header_column="search",
    )


def heatmap_figure(sweep: Sweep, words: MetricWords, key: str) -> Figure | None:
    """Draw two parameters against the score; None if there are no two values."""
    params, scores = trials_of(sweep)
    try:
        found = SweepHeatmapDisplay.compute(
            params,
            scores,
            scales=sweep.scales,
            greater_is_better=sweep.greater_is_better,
            label=f"best {words.short} ({words.direction})",
        )
    except ValueError:  # nothing was varied
        return None
    names = f"{found.x} and {found.y}" if found.y else found.x
    title = f"Best {words.short} of {sweep.system} by {names}"
    best = np.asarray(found.scores, dtype=np.float64)
    flat = int(np.nanargmax(best if sweep.greater_is_better else -best))
    row, column = divmod(flat, best.shape[1])
    said = f"Best: {format_score(float(best[row, column]))} at {found.x} "
    said += found.x_values[column]
    if found.y:
        said += f", {found.y} {found.y_values[row]}"
    with defaults():
        size = 11.0
        left = margin(found.y_values, 16, size)
        cell = 44.0 if len(found.x_values) > 7 else 52.0
        width = max(WIDTH, left + 16 + cell * len(found.x_values))
        longest = max(text_width(text, size, 16) for text in found.x_values)
        # Values that do not fit side by side are slanted.
        fits = longest < (width - left - 16) / len(found.x_values) - 4
        below = 50.0 if fits else longest * 0.65 + 44
        height = 30.0 * len(found.y_values)
        drawing = Drawing(key, width, height + 46 + below)
        axes = drawing.axes(left, 46, 16, below)
        found.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"{said}.")
    caption = (
        f"{title}: each cell shows the best over all other parameters, the frame marks "
        "the best of all. An en dash was not tried, a cross failed."
    )
    return Figure(
        key,
        svg,
        f"{title}. {said}.",
        caption,
        _cell_data(found, key),
        wide=width > _WIDE,
    )


def _cell_data(found: SweepHeatmapDisplay, key: str) -> Table:
    scores = np.asarray(found.scores, dtype=np.float64)
    counts = np.asarray(found.counts)
    rows = []
    for i, row in enumerate(found.y_values):
        for j, column in enumerate(found.x_values):
            n = int(counts[i, j])
            rows.append(
                Row(
                    (
                        Cell(column, column),
                        Cell(row, row),
                        _number(float(scores[i, j])),
                        Cell(n, format_count(n)),
                    ),
                    "data",
                )
            )
    return Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("x", found.x),
            Column("y", found.y),
            Column("score", "Best score", "right", "score"),
            Column("trials", "Trials", "right", "count"),
        ),
        tuple(rows),
        header_column="x",
    )


def parallel_figure(sweep: Sweep, words: MetricWords, key: str) -> Figure | None:
    """Draw all parameters and the score; None if no parameter was varied."""
    params, scores = trials_of(sweep)
    display = ParallelCoordinatesDisplay(
        params,
        scores,
        scales=sweep.scales,
        greater_is_better=sweep.greater_is_better,
        label=words.short,
    )
    names = display.choose()
    if not names:
        return None
    title = f"Trials of {sweep.system}: parameters and {words.short}"
    n_failed = int(np.isnan(scores).sum())
    said = f"{plural(len(params), 'trial')} over {', '.join(names)}"
    with defaults():
        # The name of the last axis stands in its middle, and numbers beside it.
        right = max(58.0, text_width(words.short, 12) * 0.6 + 6)
        width = max(WIDTH, 92.0 * (len(names) + 1))
        drawing = Drawing(key, width, 310)
        axes = drawing.axes(14, 50, right, 10)
        display.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"{said}.")
    caption = (
        f"{title}. A line is a trial, better ones end higher; dark, with dots: the "
        "best; the thickest is the best of all."
        + (f" Dashed: {n_failed:,} without a score." if n_failed else "")
    )
    return Figure(
        key,
        svg,
        f"{title}. {said}.",
        caption,
        _trial_data(sweep, names, key),
        wide=width > _WIDE,
    )


def _trial_data(sweep: Sweep, names: Sequence[str], key: str) -> Table:
    rows = []
    for trial in sweep.trials:
        texts = [
            value_text(trial.params[n]) if n in trial.params else "" for n in names
        ]
        score = math.nan if trial.score is None else trial.score
        rows.append(
            Row(
                (
                    Cell(trial.number, format_count(trial.number)),
                    *(Cell(text, text) for text in texts),
                    _number(score),
                    Cell(trial.fit_seconds, format_seconds(trial.fit_seconds)),
                ),
                "data",
            )
        )
    return Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("trial", "Trial", "right", "count"),
            *(Column(f"param_{i}", name) for i, name in enumerate(names)),
            Column("score", "Score", "right", "score"),
            Column("fit_seconds", "Fits", "right", "seconds"),
        ),
        tuple(rows),
        header_column="trial",
    )
