"""Score against cost: which systems are worth their time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tweetclf.leaderboard.ranking import TaskBoard
from tweetclf.reports.axes import WIDTH, ink, kinds, limits, locator
from tweetclf.reports.drawing import LINE, MUTED, PAPER, Drawing, defaults
from tweetclf.reports.formatting import (
    display_width,
    finite,
    format_score,
    format_seconds,
    shorten,
)
from tweetclf.reports.model import Cell, Column, Figure, Row, Table
from tweetclf.reports.placement import place_labels
from tweetclf.reports.wording import MetricWords

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cost_figure"]

_TIMES = (
    *((m * 10.0**e / 1000, f"{m * 10**e} ms") for e in range(3) for m in (1, 2, 5)),
    *((float(s), f"{s} s") for s in (1, 2, 5, 10, 20, 30)),
    *((60.0 * m, f"{m} min") for m in (1, 2, 5, 10, 20, 30)),
    *((3600.0 * h, f"{h} h") for h in (1, 2, 5, 10, 24, 48, 120, 240)),
)


def _time_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """At most six round times between two, evenly thinned."""
    inside = [tick for tick in _TIMES if low <= tick[0] <= high]
    step = max(1, math.ceil(len(inside) / 6))
    return inside[::step]


Point = tuple[str, float, float]


def _framed(
    points: Sequence[Point], board: TaskBoard
) -> tuple[list[Point], list[Point]]:
    """Part points from those so far below that they would squeeze all others."""
    best = board.entries[0]
    gaps = sorted(abs(best.score - score) for _, _, score in points)
    reach = max(3.5 * gaps[len(gaps) // 2], 4 * ((best.high - best.low) or 0.0))
    inside = [p for p in points if abs(best.score - p[2]) <= reach]
    if len(inside) < 3 or not math.isfinite(reach):
        return list(points), []
    return inside, [p for p in points if p not in inside]


def cost_figure(
    board: TaskBoard, words: MetricWords, n_resamples: int, key: str
) -> Figure | None:
    """Draw each system's score against the time to train it."""
    known = [
        (e.system, max(e.mean_cost("fit_seconds"), 1e-3), e.score)
        for e in board.entries
        if finite(e.score) is not None
        and finite(e.mean_cost("fit_seconds")) is not None
    ]
    if len(known) < 2:
        return None
    points, outside = _framed(known, board)
    kind_of = kinds(board, n_resamples)
    said = "; ".join(
        f"{system} {format_score(score)} in {format_seconds(seconds)}"
        for system, seconds, score in known
    )
    title = f"{words.short} against training time on {board.facts.name}"
    with defaults():
        drawing = Drawing(key, WIDTH, HEIGHT)
        axes = drawing.axes(LEFT, 26, RIGHT, 50)
        _scales(axes, points)
        for system, seconds, score in points:
            _point(axes, seconds, score, kind_of[system])
        _names(drawing, axes, points, kind_of)
        _titles(drawing, axes, words)
        svg = drawing.svg(title, f"Best first: {said}.")
    better = "higher" if words.greater_is_better else "lower"
    caption = (
        f"Score against cost: {words.short} and the time of the final training. "
        f"Further left is cheaper, {better} is better."
    )
    if outside:
        listed = ", ".join(
            f"{system} ({format_score(score)} in {format_seconds(seconds)})"
            for system, seconds, score in outside
        )
        caption += f" Beyond the frame: {listed}."
    return Figure(key, svg, f"{title}. {said}.", caption, _data(known, key))


HEIGHT, LEFT, RIGHT = 330, 58, 26
LETTERS = 11.5


def _scales(axes: Axes, points: Sequence[Point]) -> None:
    logs = [math.log10(seconds) for _, seconds, _ in points]
    low, high = min(logs), max(logs)
    pad = max((high - low) * 0.1, 0.15)
    axes.set_xlim(10 ** (low - pad), 10 ** (high + pad))
    axes.set_xscale("log")
    axes.set_ylim(*limits([score for _, _, score in points], 0.1))
    ticks = _time_ticks(10 ** (low - pad), 10 ** (high + pad))
    axes.set_xticks([t for t, _ in ticks], [text for _, text in ticks], minor=False)
    axes.minorticks_off()
    axes.yaxis.set_major_locator(locator(5))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
    axes.grid(color=LINE, linewidth=1)
    axes.set_axisbelow(True)


def _point(axes: Axes, seconds: float, score: float, kind: str) -> None:
    colour = ink(kind)
    axes.plot(
        [seconds],
        [score],
        "o",
        markersize=9,
        markerfacecolor=PAPER if kind == "tied" else colour,
        markeredgecolor=colour,
        markeredgewidth=1.8,
        clip_on=False,
    )


def _names(
    drawing: Drawing, axes: Axes, points: Sequence[Point], kind_of: Mapping[str, str]
) -> None:
    """Write the names of the points where they hide least."""
    pixels = [
        (float(x), float(y))
        for x, y in axes.transData.transform([(s, v) for _, s, v in points])
    ]
    shown = [shorten(system, 22) for system, _, _ in points]
    sizes = [(display_width(text) * LETTERS * 0.56, LETTERS * 1.3) for text in shown]
    places = place_labels(pixels, sizes, (4, 40, WIDTH - 4, HEIGHT - 22))
    for (system, _, _), (px, py), place in zip(points, pixels, places, strict=True):
        if place.leader:
            axes.plot(
                [px, place.x],
                [py, place.y],
                color=MUTED,
                linewidth=0.7,
                transform=None,
                clip_on=False,
                zorder=1,
            )
        drawing.label(
            axes,
            place.x,
            place.y,
            system,
            width=22,
            transform=None,
            ha=place.align,
            va="center_baseline",
            fontsize=LETTERS,
            weight="bold" if kind_of[system] == "best" else "normal",
        )


def _titles(drawing: Drawing, axes: Axes, words: MetricWords) -> None:
    """Name the axes, time below and score above."""
    middle = (LEFT + WIDTH - RIGHT) / 2
    for x, y, text, align in (
        (middle, 12, "time to train, logarithmic", "center"),
        (8, HEIGHT - 12, f"{words.short} ({words.direction})", "left"),
    ):
        drawing.label(
            axes,
            x,
            y,
            text,
            width=60,
            transform=None,
            ha=align,
            va="center_baseline",
            color=MUTED,
        )


def _data(known: Sequence[Point], key: str) -> Table:
    return Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("system", "System"),
            Column("fit_seconds", "Fit", "right", "seconds"),
            Column("score", "Score", "right", "score"),
        ),
        tuple(
            Row(
                (
                    Cell(system, system),
                    Cell(seconds, format_seconds(seconds)),
                    Cell(score, format_score(score)),
                ),
                "data",
            )
            for system, seconds, score in known
        ),
        header_column="system",
    )
