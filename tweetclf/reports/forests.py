"""The forest figure of a task: how far each system is from the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tweetclf.reports.axes import WIDTH
from tweetclf.reports.displays._style import page_style
from tweetclf.reports.displays.forest import ForestDisplay
from tweetclf.reports.drawing import Drawing, defaults
from tweetclf.reports.formatting import finite, format_interval, format_score
from tweetclf.reports.model import Cell, Column, Figure, Row, Table
from tweetclf.reports.wording import MetricWords

if TYPE_CHECKING:
    from tweetclf.leaderboard.statistics import Comparison

__all__ = ["forest_figure"]

ROW, FOOT = 25, 48  # pixels: a row, and the axis below


def forest_figure(
    comparisons: Sequence[Comparison],
    words: MetricWords,
    task: str,
    key: str,
    *,
    reference: str | None = None,
) -> Figure | None:
    """Draw how the scores of systems differ from that of one.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Each of the reference and another system.
    words : MetricWords
        The metric.
    task : str
        Name of the task.
    key : str
        Key of the figure.
    reference : str, optional
        The system; by default the first of the first comparison.

    Returns
    -------
    Figure or None
        The figure; None where no difference is defined.
    """
    known = [c for c in comparisons if finite(c.difference) is not None]
    if not known:
        return None
    reference = reference or known[0].names[0]
    display = ForestDisplay._of(known, reference, words.short)
    # The caption says from which system, and how wide the intervals are.
    side = "right" if words.greater_is_better else "left"
    display.label = f"difference in {words.short} ({side} is better)"
    numbers = np.array([display.difference, display.low, display.high]).T.tolist()
    apart = display.told_apart or ()
    rows = [
        (name, *values, told)
        for name, values, told in zip(display.names, numbers, apart, strict=True)
    ]
    said = "; ".join(
        f"{name} {format_score(value)} ({format_interval(low, high)})"
        for name, value, low, high, _ in rows
    )
    title = f"Differences in {words.short} from {reference} on {task}"
    with defaults():
        drawing = Drawing(key, WIDTH, ROW * len(rows) + FOOT)
        axes = drawing.axes(4, 4, 4, FOOT)
        display.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"{said}.")
    caption = (
        f"{title}, with {100 * known[0].level:g} % intervals of the paired bootstrap. "
        "Filled blue: more than chance explains (Holm, 5 %). Hollow grey: cannot be "
        "told apart."
    )
    return Figure(key, svg, f"{title}. {said}.", caption, _data(rows, key))


def _data(rows: Sequence[tuple[str, float, float, float, bool]], key: str) -> Table:
    def score(value: float) -> Cell:
        return Cell(finite(value), format_score(value))

    return Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("system", "System"),
            Column("difference", "Difference", "right", "score"),
            Column("low", "Low", "right", "score"),
            Column("high", "High", "right", "score"),
            Column("apart", "Told apart"),
        ),
        tuple(
            Row(
                (
                    Cell(name, name),
                    *(score(value) for value in numbers),
                    Cell(apart, "yes" if apart else "no"),
                ),
                "data",
            )
            for name, *numbers, apart in rows
        ),
        header_column="system",
    )
