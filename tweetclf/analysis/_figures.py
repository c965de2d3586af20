"""Displays as figures of a report, with the numbers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tweetclf.reports.axes import WIDTH
from tweetclf.reports.displays._style import page_style
from tweetclf.reports.drawing import Drawing, defaults
from tweetclf.reports.formatting import finite, format_count, format_score
from tweetclf.reports.model import Cell, Column, Figure, Row, Scalar, Table

if TYPE_CHECKING:
    from tweetclf.reports.displays._base import Display

__all__ = ["draw_figure", "numbers_table"]

Margins = tuple[float, float, float, float]
_MARGINS: Margins = (58, 30, 26, 50)  # left, top, right and bottom, in pixels
_NAME = Column("name", "Name")


def draw_figure(
    draw: Any,
    given: Any,
    data: Table,
    *,
    key: str,
    title: str,
    said: str,
    caption: str,
    height: float,
    margins: Margins = _MARGINS,
) -> Figure:
    """Draw a display in the style of the page."""
    with defaults():
        drawing = Drawing(key, WIDTH, height)
        axes = drawing.axes(*margins)
        display: Display = _undrawn(draw, given)
        display.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"{said}.")
    return Figure(key, svg, f"{title}. {said}.", caption, data)


def _undrawn(draw: Any, given: Any) -> Display:
    """Make a display on axes that are thrown away; the page draws it again."""
    from matplotlib.figure import Figure as Canvas

    made: Display = draw(given, ax=Canvas(figsize=(6, 5)).add_subplot())
    return made


def numbers_table(
    key: str, headers: Sequence[str], rows: Sequence[tuple[Scalar, ...]]
) -> Table:
    """Make the numbers of a figure: the first column names the rows."""
    kinds = [
        any(isinstance(row[i + 1], int | float) for row in rows)
        for i in range(len(headers))
    ]
    columns = [_NAME] + [
        Column(
            f"column-{i + 1}",
            header,
            "right" if is_number else "left",
            "score" if is_number else "",
        )
        for i, (header, is_number) in enumerate(zip(headers, kinds, strict=True))
    ]
    return Table(
        key,
        "Numbers of the figure",
        tuple(columns),
        tuple(Row(tuple(map(_cell, row)), "data") for row in rows),
        header_column="name",
    )


def _cell(value: Scalar) -> Cell:
    if isinstance(value, float):
        return Cell(finite(value), format_score(value))
    if isinstance(value, int):
        return Cell(value, format_count(value))
    return Cell(value, "" if value is None else str(value))
