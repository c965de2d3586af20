"""Confusion matrix of the best system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.ranking import TaskBoard
from tweetclf.reports.axes import WIDTH, margin
from tweetclf.reports.drawing import ACCENT, LINE, MUTED, Drawing, defaults
from tweetclf.reports.formatting import display_width, format_count
from tweetclf.reports.model import Cell, Column, Figure, Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["confusion_figure"]

MOST_LABELS = 40
"""Confusion matrices of more labels than this are not drawn."""


@dataclass(frozen=True)
class _Layout:
    """Where a matrix stands on its drawing, in pixels."""

    left: float
    top: float
    right: float
    cell: float
    width: float
    height: float
    size: float  # of letters
    slanted: bool


def _layout(labels: Sequence[str], rows: Sequence[str]) -> _Layout:
    n = len(labels)
    size = 12.5 if n <= 6 else 11 if n <= 12 else 9.5
    cell: float = 62 if n <= 4 else 46 if n <= 7 else 30
    slanted = max(map(display_width, labels)) > 3
    left, top, right = margin(rows, 26, size), 32.0, 16.0
    if slanted:
        # The rightmost label needs room of its own.
        top, right = (margin(labels, 16, size) * share for share in (0.8, 0.75))
    # Small matrices are drawn on the width of other figures, larger ones grow.
    width = max(WIDTH, left + right + cell * n)
    room = width - left - right
    cell = min(room / n, 62)
    left += max(0.0, (room - cell * n) / 2)
    right = width - left - cell * n
    return _Layout(left, top, right, cell, width, top + cell * n + 30, size, slanted)


def confusion_figure(board: TaskBoard, key: str) -> Figure | None:
    """Draw which labels the best system takes for which."""
    labels = board.facts.label_names
    counts = board.confusion
    if counts is None or not board.entries or not 2 <= len(labels) <= MOST_LABELS:
        return None
    best = board.entries[0]
    totals = counts.sum(axis=1)
    rows = [
        f"{label} ({format_count(t)})" for label, t in zip(labels, totals, strict=True)
    ]
    title = f"Confusion matrix of {best.system} on {board.facts.name}"
    said = "; ".join(
        f"{label}: {_percent(counts[i, i], totals[i])} of {totals[i]:,} right"
        for i, label in enumerate(labels)
    )
    with defaults():
        layout = _layout(labels, rows)
        drawing = Drawing(key, layout.width, layout.height)
        axes = drawing.axes(layout.left, layout.top, layout.right, 30)
        axes.set_xlim(0, len(labels))
        axes.set_ylim(len(labels), 0)
        axes.set_xticks([])
        axes.set_yticks([])
        _cells(axes, counts, totals, layout.size)
        _labels(drawing, axes, labels, rows, layout)
        svg = drawing.svg(title, f"{said}.")
    seed = best.records[0].spec.seed if best.records else 0
    caption = (
        f"What {best.system} (seed {seed}) takes for what: each row is a gold label, "
        "and its cells say which share of its tweets got which prediction."
    )
    data = _data(labels, counts, key)
    wide = layout.width > WIDTH + 60
    return Figure(key, svg, f"{title}. {said}.", caption, data, wide=wide)


def _labels(
    drawing: Drawing,
    axes: Axes,
    labels: Sequence[str],
    rows: Sequence[str],
    layout: _Layout,
) -> None:
    """Write the labels left of the rows and above the columns."""
    for i, label in enumerate(labels):
        drawing.label(
            axes,
            -6 / layout.cell,
            i + 0.5,
            rows[i],
            width=26,
            ha="right",
            va="center_baseline",
            fontsize=layout.size,
        )
        drawing.label(
            axes,
            i + 0.5,
            -6 / layout.cell,
            label,
            width=16,
            ha="left" if layout.slanted else "center",
            va="bottom",
            rotation=45 if layout.slanted else 0,
            rotation_mode="anchor",
            fontsize=layout.size,
        )
    drawing.label(
        axes,
        layout.left + layout.cell * len(labels) / 2,
        12,
        "rows: gold label (tweets), columns: predicted, % of the row",
        width=64,
        transform=None,
        ha="center",
        va="center_baseline",
        color=MUTED,
        fontsize=11,
    )


def _data(labels: Sequence[str], counts: NDArray[np.int64], key: str) -> Table:
    return Table(
        f"{key}-data",
        "Counts of the figure: rows gold, columns predicted",
        (
            Column("gold", "Gold label"),
            *(
                Column(f"predicted_{i}", label, "right", "count")
                for i, label in enumerate(labels)
            ),
        ),
        tuple(
            Row(
                (
                    Cell(label, label),
                    *(Cell(int(v), format_count(int(v))) for v in counts[i]),
                ),
                "data",
            )
            for i, label in enumerate(labels)
        ),
        header_column="gold",
    )


def _percent(count: float, total: float) -> str:
    return "none" if not total else f"{100 * count / total:.0f} %"


# Letters keep their contrast on every shade, in both schemes: see the tests.
DEEPEST = 0.55


def _cells(
    axes: Axes, counts: NDArray[np.int64], totals: NDArray[np.int64], size: float
) -> None:
    from matplotlib.patches import Rectangle

    n = len(totals)
    gap = 0.03
    for i in range(n):
        for j in range(n):
            share = counts[i, j] / totals[i] if totals[i] else 0.0
            axes.add_patch(
                Rectangle(
                    (j + gap, i + gap),
                    1 - 2 * gap,
                    1 - 2 * gap,
                    facecolor=ACCENT if share else LINE,
                    alpha=0.04 + (DEEPEST - 0.04) * share if share else 0.25,
                    linewidth=0,
                )
            )
            if counts[i, j] and n <= 24:
                text = "<1" if share < 0.005 else f"{100 * share:.0f}"
                axes.text(
                    j + 0.5,
                    i + 0.5,
                    text,
                    ha="center",
                    va="center_baseline",
                    fontsize=size,
                    weight="bold" if i == j else "normal",
                    clip_on=False,
                )
