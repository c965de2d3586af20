"""Score against cost: which systems are worth their time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tweetclf.leaderboard.ranking import Entry, TaskBoard
from tweetclf.reports.axes import WIDTH, kinds
from tweetclf.reports.displays._style import page_style
from tweetclf.reports.displays.pareto import ParetoDisplay
from tweetclf.reports.drawing import Drawing, defaults
from tweetclf.reports.formatting import (
    finite,
    format_interval,
    format_score,
    format_seconds,
)
from tweetclf.reports.model import Cell, Column, Figure, Row, Table
from tweetclf.reports.wording import MetricWords, join

__all__ = ["cost_figure"]

HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 330, 58, 26, 26, 50


def _framed(
    entries: Sequence[Entry], board: TaskBoard
) -> tuple[list[Entry], list[Entry]]:
    """Part entries from those so far below that they would squeeze all others."""
    best = board.entries[0]
    gaps = sorted(abs(best.score - entry.score) for entry in entries)
    reach = max(3.5 * gaps[len(gaps) // 2], 4 * ((best.high - best.low) or 0.0))
    inside = [e for e in entries if abs(best.score - e.score) <= reach]
    if len(inside) < 3 or not math.isfinite(reach):
        return list(entries), []
    return inside, [e for e in entries if e not in inside]


def _seconds(entry: Entry) -> float:
    return max(entry.mean_cost("fit_seconds"), 1e-3)


def _said(entry: Entry) -> str:
    return f"{format_score(entry.score)} in {format_seconds(_seconds(entry))}"


def cost_figure(
    board: TaskBoard, words: MetricWords, n_resamples: int, key: str
) -> Figure | None:
    """Draw each system's score against the time to train it."""
    known = [
        entry
        for entry in board.entries
        if finite(entry.score) is not None
        and finite(entry.mean_cost("fit_seconds")) is not None
    ]
    if len(known) < 2:
        return None
    inside, outside = _framed(known, board)
    said = "; ".join(f"{entry.system} {_said(entry)}" for entry in known)
    title = f"{words.short} against training time on {board.facts.name}"
    display = ParetoDisplay(
        systems=[entry.system for entry in inside],
        cost=[_seconds(entry) for entry in inside],
        score=[entry.score for entry in inside],
        low=[entry.low for entry in inside],
        high=[entry.high for entry in inside],
        greater_is_better=words.greater_is_better,
        score_label=f"{words.short} ({words.direction})",
        cost_label="time to train",
        format_cost=format_seconds,
    )
    with defaults():
        drawing = Drawing(key, WIDTH, HEIGHT)
        axes = drawing.axes(LEFT, TOP, RIGHT, BOTTOM)
        kind_of = kinds(board, n_resamples)
        display.plot(axes, style=page_style(drawing), kinds=kind_of)
        svg = drawing.svg(title, f"Best first: {said}.")
    caption = _caption(words, inside, outside)
    front = f"Best for what they cost: {join(display.front)}."
    return Figure(key, svg, f"{title}. {said}. {front}", caption, _data(known, key))


def _caption(
    words: MetricWords, inside: Sequence[Entry], outside: Sequence[Entry]
) -> str:
    better = "higher" if words.greater_is_better else "lower"
    measured = any(finite(entry.low) is not None for entry in inside)
    caption = (
        f"Score against cost: {words.short}"
        f"{' with 95 % intervals' if measured else ''}, and the time of the final "
        f"training. Further left is cheaper, {better} is better; the dashed steps are "
        "the best score that a time buys."
    )
    if outside:
        listed = ", ".join(f"{entry.system} ({_said(entry)})" for entry in outside)
        caption += f" Beyond the frame: {listed}."
    return caption


def _data(known: Sequence[Entry], key: str) -> Table:
    return Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("system", "System"),
            Column("fit_seconds", "Fit", "right", "seconds"),
            Column("score", "Score", "right", "score"),
            Column("interval", "95 % interval", "center"),
            Column("low", "Low", "right", "score", data_only=True),
            Column("high", "High", "right", "score", data_only=True),
        ),
        tuple(
            Row(
                (
                    Cell(entry.system, entry.system),
                    Cell(_seconds(entry), format_seconds(_seconds(entry))),
                    Cell(entry.score, format_score(entry.score)),
                    Cell(None, format_interval(entry.low, entry.high)),
                    Cell(finite(entry.low), format_score(entry.low)),
                    Cell(finite(entry.high), format_score(entry.high)),
                ),
                "data",
            )
            for entry in known
        ),
        header_column="system",
    )
