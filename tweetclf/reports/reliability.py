"""Whether the probabilities of systems can be believed: cells, a note, and diagrams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tweetclf.leaderboard.ranking import Entry, TaskBoard
from tweetclf.reports.axes import WIDTH
from tweetclf.reports.cells import number
from tweetclf.reports.displays._style import page_style
from tweetclf.reports.displays.reliability import ReliabilityDisplay
from tweetclf.reports.drawing import MUTED, Drawing, defaults
from tweetclf.reports.formatting import format_count, format_score, plural
from tweetclf.reports.model import Cell, Column, Figure, Row, Spans, Table, spans
from tweetclf.reports.wording import join_names

if TYPE_CHECKING:
    from tweetclf.leaderboard.statistics import Calibration

__all__ = [
    "CALIBRATION_COLUMNS",
    "calibration_cells",
    "calibration_note",
    "reliability_figure",
]

MOST_PANELS = 6
"""Systems that are drawn: the best ranked ones, on axes of their own."""

CALIBRATION_COLUMNS = (
    Column(
        "ece",
        "ECE\u00a0\N{DOWNWARDS ARROW}",
        "right",
        "score",
        "ascending",
        "expected calibration error, mean over seeds; lower is better",
    ),
    Column("brier", "Brier score", "right", "score", data_only=True),
)
_NONE = "no probabilities are stored"
# Pixels around and between the panels, and for their heads.
_LEFT, _RIGHT, _BOTTOM, _GAP, _HEAD, _TICKS = 36, 10, 26, 18, 40, 24


def calibration_cells(entry: Entry, board: TaskBoard) -> dict[str, Cell]:
    """Return the cells of `CALIBRATION_COLUMNS` for a system."""
    found = board.calibration.get(entry.system, ())
    return {
        key: number(
            float(np.mean([getattr(part, key) for part in found])) if found else None,
            format_score,
            _NONE,
        )
        for key in ("ece", "brier")
    }


def _answers(board: TaskBoard, n: int) -> str:
    """Say what the answers are that are counted, and how many."""
    if board.facts.kind == "multilabel":
        return plural(n, "decision on a label", "decisions on labels")
    if board.facts.kind == "pair":
        return plural(n, "pair")
    return plural(n, "tweet")


def _asked(board: TaskBoard) -> str:
    if board.facts.kind == "multilabel":
        return "that a label applies or does not, whichever is more probable"
    return "of the most probable label"


def _bins(found: Calibration) -> str:
    wide = "equally wide" if found.strategy == "uniform" else "equally filled"
    return f"{found.n_bins} {wide} bins"


def calibration_note(board: TaskBoard) -> Spans | None:
    """Say what the error is, and of which systems it is not known."""
    if not board.calibration:
        return None
    found = next(iter(board.calibration.values()))[0]
    several = any(len(parts) > 1 for parts in board.calibration.values())
    said = spans(
        "ECE is the expected calibration error: by how much the probability "
        f"{_asked(board)} and the share of such answers that is right differ, in "
        f"{_bins(found)} of {_answers(board, found.n)}"
        f"{', mean over seeds' if several else ''}. 0 is best; few tweets raise it."
    )
    without = [e.system for e in board.entries if e.system not in board.calibration]
    if not without:
        return said
    return spans(
        said,
        " No probabilities are stored of ",
        join_names(without, most=8),
        ": some systems have none (linear SVMs, say), and older runs kept none.",
    )


def reliability_figure(board: TaskBoard, key: str) -> Figure | None:
    """Draw how often the best systems are right when they are so sure, one a panel."""
    known = [entry for entry in board.entries if entry.system in board.calibration]
    if not known:
        return None
    drawn = known[:MOST_PANELS]
    displays = [
        ReliabilityDisplay._of(board.calibration[entry.system][0], entry.system, "")
        for entry in drawn
    ]
    title = f"Reliability of probabilities on {board.facts.name}"
    said = "; ".join(
        f"{d.name} ECE {format_score(d.ece)}, Brier score {format_score(d.brier)}"
        for d in displays
    )
    with defaults():
        svg = _draw(displays, key, title, f"Best first: {said}.")
    caption = _caption(board, drawn, len(known))
    return Figure(key, svg, f"{title}. {said}.", caption, _data(displays, key))


def _caption(board: TaskBoard, drawn: list[Entry], n_known: int) -> str:
    found = board.calibration[drawn[0].system][0]
    seed = drawn[0].records[0].spec.seed if drawn[0].records else 0
    which = ""
    if len(drawn) < n_known:
        which = f" The {len(drawn)} best of {n_known} systems with probabilities."
    return (
        f"Reliability (seed {seed}): the probability {_asked(board)}, and how often "
        f"that is right, in {_bins(found)} of {_answers(board, found.n)}, with 95 % "
        "intervals (Wilson). On the dashed line a system is right as often as it "
        "believes; below it, it believes too much. Grey bars: how many answers a bin "
        f"holds.{which}"
    )


def _draw(displays: list[ReliabilityDisplay], key: str, title: str, said: str) -> str:
    """Draw the panels in rows of up to three, under one set of ticks each."""
    n = len(displays)
    across = {1: 1, 2: 2, 4: 2}.get(n, 3)
    down = -(-n // across)
    room = WIDTH - _LEFT - _RIGHT - _GAP * (across - 1)
    side = min(room / across, 250)
    left = (WIDTH - side * across - _GAP * (across - 1) + _LEFT - _RIGHT) / 2
    step = _HEAD + side + _TICKS
    height = step * down + _BOTTOM
    drawing = Drawing(key, WIDTH, height)
    style = page_style(drawing)
    for place, display in enumerate(displays):
        row, column = divmod(place, across)
        x, y = left + column * (side + _GAP), row * step + _HEAD
        axes = drawing.axes(x, y, WIDTH - x - side, height - y - side)
        display.plot(axes, style=style, compact=True)
        axes.tick_params(labelleft=column == 0, pad=4)
        if place == 0:
            drawing.label(
                axes,
                WIDTH / 2,
                12,
                "across: predicted probability, up: share that is right",
                width=64,
                transform=None,
                ha="center",
                va="center_baseline",
                color=MUTED,
                fontsize=11,
            )
    return drawing.svg(title, said)


def _data(displays: list[ReliabilityDisplay], key: str) -> Table:
    rows = []
    for display in displays:
        numbers = (
            display.confidence,
            display.accuracy,
            *display.intervals,
        )
        for *values, count in zip(*numbers, display.count.tolist(), strict=True):
            cells = [Cell(float(v), format_score(float(v))) for v in values]
            name = Cell(display.name, display.name)
            rows.append(Row((name, *cells, Cell(count, format_count(count))), "data"))
    return Table(
        f"{key}-data",
        "Numbers of the figure, a row for each bin that holds any",
        (
            Column("system", "System"),
            Column("probability", "Mean probability", "right", "score"),
            Column("share", "Share right", "right", "score"),
            Column("low", "Low", "right", "score"),
            Column("high", "High", "right", "score"),
            Column("count", "Answers", "right", "count"),
        ),
        tuple(rows),
        header_column="system",
    )
