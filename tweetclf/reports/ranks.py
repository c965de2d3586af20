"""Systems over tasks: Friedman's test, the critical-difference diagram, and pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tweetclf.leaderboard.boards import Leaderboard
from tweetclf.reports.axes import WIDTH
from tweetclf.reports.displays._style import page_style
from tweetclf.reports.displays.critical_difference import CriticalDifferenceDisplay
from tweetclf.reports.drawing import Drawing, defaults
from tweetclf.reports.formatting import plural
from tweetclf.reports.model import (
    Block,
    Cell,
    Column,
    Figure,
    Paragraph,
    Row,
    Span,
    Spans,
    Table,
    spans,
)
from tweetclf.reports.over_tasks import pair_blocks, practical_blocks
from tweetclf.reports.overall import overall_rows, scored_boards
from tweetclf.reports.wording import join_names
from tweetclf.utils.p_values import p_equals

if TYPE_CHECKING:
    from tweetclf.leaderboard.statistics import ManyTasks

__all__ = ["MIN_TASKS", "rank_blocks"]

MIN_SYSTEMS = 3
MIN_TASKS = 5
"""Over fewer tasks ranks say too little to be tested."""

# Demsar 2006, section 3.2.2: above these the chi-squared distribution fits well.
MANY_TASKS, MANY_SYSTEMS = 10, 5


def rank_blocks(
    leaderboard: Leaderboard, split: str, *, figures: bool = True
) -> list[Block]:
    """Return what is said and drawn of the mean ranks over the tasks.

    Parameters
    ----------
    leaderboard : Leaderboard
        Ranked systems.
    split : {"test", "cv"}
        Which evaluation.
    figures : bool, default=True
        Whether the diagram is drawn.

    Returns
    -------
    list of Block
        Friedman's test in words, the diagram, Wilcoxon's tests of the pairs, and the
        Bayesian signed-rank test of the best system; nothing where fewer than three
        systems finished the same five tasks.
    """
    from tweetclf.leaderboard.statistics import compare_over_tasks

    rows = overall_rows(leaderboard, split)
    boards, left = scored_boards(leaderboard, split)
    if len(rows) < MIN_SYSTEMS or len(boards) < MIN_TASKS:
        return []
    table = np.array(
        [[row.scores[board.facts.name] for row in rows] for board in boards]
    )
    upward = [board.facts.greater_is_better for board in boards]
    result = compare_over_tasks(
        table, [row.system for row in rows], greater_is_better=upward
    )
    display = CriticalDifferenceDisplay(result=result)
    said = _sentences(result, display)
    if left:
        said = spans(
            said,
            " Left out, as the score of a system is not defined there: ",
            join_names([board.facts.name for board in left]),
            ".",
        )
    blocks: list[Block] = [Paragraph(said)]
    key = "summary--ranks" if split == "test" else f"summary--ranks-{split}"
    if figures:
        blocks.append(_figure(display, "".join(span.text for span in said), key))
    blocks += pair_blocks(result, key)
    if all(upward):
        # Of errors a point is not a region that means the same on every task.
        order = np.argsort(result.mean_ranks, kind="stable")
        names = tuple(result.systems[place] for place in order)
        blocks += practical_blocks(table[:, order], names, key)
    return blocks


def _sentences(result: ManyTasks, display: CriticalDifferenceDisplay) -> Spans:
    n, k = result.n_tasks, len(result.systems)
    p = p_equals(result.friedman_p)
    test = f"(chi-squared {result.friedman_statistic:.1f}, {p})"
    if result.friedman_p >= result.alpha:
        head = spans(
            f"Friedman\u2019s test finds no difference between the mean ranks of "
            f"{plural(k, 'system')} over {plural(n, 'task')} {test}, so pairs are not "
            "compared."
        )
    else:
        head = spans(
            f"The mean ranks of {plural(k, 'system')} over {plural(n, 'task')} differ "
            f"by Friedman\u2019s test {test}. By Nemenyi\u2019s test (5 %), systems "
            f"whose mean ranks are less than {result.critical_difference:.2f} apart "
            "are not told apart",
            _groups(display.bars),
            ".",
        )
    if n > MANY_TASKS and k > MANY_SYSTEMS:
        return head
    return spans(
        head,
        " The p-value is approximate: there are few tasks or few systems.",
    )


def _groups(bars: tuple[tuple[str, ...], ...]) -> Spans:
    if not bars:
        return spans(": all of them are")
    parts: list[str | Span | Spans] = [": "]
    for place, bar in enumerate(bars):
        parts += ["; " if place else "", join_names(bar, most=8)]
    return spans(*parts)


def _figure(display: CriticalDifferenceDisplay, said: str, key: str) -> Figure:
    result = display.result
    title = f"Mean ranks over {plural(result.n_tasks, 'task')}"
    ranked = sorted(zip(result.mean_ranks, result.systems, strict=True))
    listed = "; ".join(f"{name} {rank:.2f}" for rank, name in ranked)
    with defaults():
        drawing = Drawing(key, WIDTH, round(display.height * 17))
        axes = drawing.axes(2, 2, 2, 2)
        display.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"Best first: {listed}.")
    caption = (
        f"Critical-difference diagram (Dem\u0161ar 2006): {title.lower()}, the best "
        "left. A bar joins systems that are not told apart. Mean ranks depend on which "
        "systems take part; they say nothing of single tasks."
    )
    data = Table(
        f"{key}-data",
        "Numbers of the figure",
        (
            Column("system", "System"),
            Column("mean_rank", "Mean rank", "right", "rank"),
        ),
        tuple(
            Row((Cell(name, name), Cell(rank, f"{rank:.2f}")), "data")
            for rank, name in ranked
        ),
        header_column="system",
    )
    return Figure(key, svg, f"{title}. {listed}. {said}", caption, data)
