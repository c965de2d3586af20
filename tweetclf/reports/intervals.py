"""Interval figures: a dot and a whisker a system, published scores among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tweetclf.leaderboard.ranking import Leaderboard, TaskBoard
from tweetclf.reports.axes import WIDTH, ink, kinds, limits, locator, margin
from tweetclf.reports.cells import comparable
from tweetclf.reports.drawing import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    PAPER,
    PUBLISHED,
    Drawing,
    defaults,
)
from tweetclf.reports.formatting import (
    finite,
    format_interval,
    format_score,
    plural,
)
from tweetclf.reports.model import Cell, Column, Figure, Row, Table
from tweetclf.reports.overall import overall_rows, published_means, ranked_boards
from tweetclf.reports.wording import MetricWords

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["IntervalMark", "draw_intervals", "interval_figure", "overall_figure"]


@dataclass(frozen=True)
class IntervalMark:
    """A line of an interval figure.

    Parameters
    ----------
    name : str
        Name of the system.
    score : float
        Its score.
    low, high : float or None
        Its interval, if it has one.
    kind : {"best", "tied", "other", "published"}
        How it is drawn.
    """

    name: str
    score: float
    low: float | None
    high: float | None
    kind: str


def interval_figure(
    board: TaskBoard, words: MetricWords, n_resamples: int, key: str
) -> Figure | None:
    """Draw each system's score with its interval, and published scores."""
    kind_of = kinds(board, n_resamples)
    marks = [
        IntervalMark(
            e.system, e.score, finite(e.low), finite(e.high), kind_of[e.system]
        )
        for e in board.entries
        if finite(e.score) is not None
    ]
    marks += [
        IntervalMark(r.system, float(r.score), None, None, "published")
        for r in board.published
        if comparable(board, r)
    ]
    return draw_intervals(marks, words, f"{words.short} on {board.facts.name}", key)


def overall_figure(leaderboard: Leaderboard, split: str, key: str) -> Figure | None:
    """Draw the mean score of each system over all tasks of an evaluation."""
    boards = ranked_boards(leaderboard, split)
    rows = overall_rows(leaderboard, split)
    known = [r for r in rows if finite(r.mean_score) is not None]
    if not known or len(known) < len(rows):
        return None
    top = max(row.mean_score for row in known)
    marks = [
        IntervalMark(
            row.system,
            row.mean_score,
            finite(row.low),
            finite(row.high),
            "best" if row.mean_score == top else "other",
        )
        for row in known
    ]
    marks += [
        IntervalMark(
            system, sum(scores.values()) / len(scores), None, None, "published"
        )
        for system, _, scores in published_means(boards)
    ]
    words = MetricWords("mean score", "", True)
    title = f"Mean score over {plural(len(boards), 'task')}"
    return draw_intervals(marks, words, title, key)


def draw_intervals(
    marks: Sequence[IntervalMark], words: MetricWords, title: str, key: str
) -> Figure | None:
    """Draw scores with their intervals, best first.

    Parameters
    ----------
    marks : sequence of IntervalMark
        The lines.
    words : MetricWords
        The metric.
    title, key : str
        Title and name of the figure.

    Returns
    -------
    Figure or None
        None with a single line, which has nothing to be compared with.
    """
    if len(marks) < 2:
        return None
    sign = -1 if words.greater_is_better else 1
    marks = sorted(marks, key=lambda m: (sign * m.score, m.kind == "published", m.name))
    said = "; ".join(
        f"{m.name} {format_score(m.score)}"
        + (f" ({format_interval(m.low, m.high)})" if m.low is not None else "")
        + (" (published)" if m.kind == "published" else "")
        for m in marks
    )
    with defaults():
        height = 24 * len(marks) + 62
        drawing = Drawing(key, WIDTH, height)
        left = margin([m.name for m in marks], 24, 12)
        axes = drawing.axes(left, 8, 14, 50)
        _frame(axes, marks)
        for place, mark in enumerate(marks):
            _draw_mark(axes, place, mark)
            _draw_name(drawing, axes, place, mark, WIDTH - left - 14)
        drawing.label(
            axes,
            0.5,
            -38 / (height - 58),
            f"{words.short} ({words.direction})",
            width=60,
            transform=axes.transAxes,
            ha="center",
            va="center_baseline",
            color=MUTED,
        )
        svg = drawing.svg(f"{title} with 95 % intervals", f"Best first: {said}.")
    tied = any(m.kind == "tied" for m in marks)
    quoted = any(m.kind == "published" for m in marks)
    caption = (
        f"{title[:1].upper()}{title[1:]}, with 95 % intervals. "
        "Filled blue: the best."
        + (" Hollow blue: cannot be told apart from it." if tied else "")
        + (" Orange diamonds: published results, without interval." if quoted else "")
    )
    return Figure(key, svg, f"{title}. {said}.", caption, _interval_data(marks, key))


def _frame(axes: Axes, marks: Sequence[IntervalMark]) -> None:
    """Set up the axes, with a line down from the best."""
    ends = [v for m in marks for v in (m.low, m.score, m.high) if v is not None]
    axes.set_xlim(*limits(ends))
    axes.set_ylim(len(marks) - 0.4, -0.6)
    axes.grid(axis="x", color=LINE, linewidth=1)
    axes.set_axisbelow(True)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(locator(5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
    leader = next((m for m in marks if m.kind == "best"), None)
    if leader is not None:
        axes.axvline(leader.score, color=ACCENT, linewidth=1, alpha=0.45, ls=":")


def _draw_mark(axes: Axes, place: int, mark: IntervalMark) -> None:
    colour = ink(mark.kind)
    if mark.low is not None and mark.high is not None:
        axes.plot(
            [mark.low, mark.high],
            [place, place],
            color=colour,
            linewidth=2.2,
            solid_capstyle="round",
        )
    axes.plot(
        [mark.score],
        [place],
        "D" if mark.kind == "published" else "o",
        markersize=7 if mark.kind == "published" else 8,
        markerfacecolor=PAPER if mark.kind in {"tied", "published"} else colour,
        markeredgecolor=colour,
        markeredgewidth=1.8,
        clip_on=False,
    )


def _draw_name(
    drawing: Drawing, axes: Axes, place: int, mark: IntervalMark, width: float
) -> None:
    quoted = mark.kind == "published"
    drawing.label(
        axes,
        -10 / width,
        place,
        mark.name,
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center_baseline",
        color=PUBLISHED if quoted else INK,
        style="italic" if quoted else "normal",
        weight="bold" if mark.kind == "best" else "normal",
    )


def _interval_data(marks: Sequence[IntervalMark], key: str) -> Table:
    def score(value: float | None) -> Cell:
        return Cell(value, format_score(value))

    return Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("system", "System"),
            Column("kind", "Kind"),
            Column("score", "Score", "right", "score"),
            Column("low", "Low", "right", "score"),
            Column("high", "High", "right", "score"),
        ),
        tuple(
            Row(
                (
                    Cell(m.name, m.name),
                    Cell(m.kind, m.kind),
                    score(m.score),
                    score(m.low),
                    score(m.high),
                ),
                "data",
            )
            for m in marks
        ),
        header_column="system",
    )
