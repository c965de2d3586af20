"""The critical-difference diagram: mean ranks over tasks, and who is not told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    Margins,
    Style,
    text_width,
    width_in_points,
)
from tweetclf.reports.formatting import shorten
from tweetclf.utils.p_values import p_equals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.leaderboard.boards import Leaderboard
    from tweetclf.leaderboard.statistics import ManyTasks

__all__ = ["CriticalDifferenceDisplay"]

# Places of the parts, in lines of text from the axis downwards.
TOP, CD_BAR, FIRST_BAR, BAR_STEP, ROW = -2.9, -1.75, 0.45, 0.3, 1.0
GAP = 8.0  # points between a name and its line
MOST = 26  # columns of a name


class CriticalDifferenceDisplay(Display):
    """Mean ranks of systems over tasks, with bars over those not told apart.

    Make one by `from_scores` or `from_leaderboard`.

    Parameters
    ----------
    result : ManyTasks
        What :func:`tweetclf.leaderboard.statistics.compare_over_tasks` returned.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Notes
    -----
    The best system stands left. A bar joins systems whose mean ranks differ by less
    than Nemenyi's critical difference, which the line at the top shows. Where
    Friedman's test finds no difference at 5 %, pairs are not compared, and one bar
    joins all.

    A mean rank depends on which systems take part: leaving one out can change who is
    told apart from whom. Wilcoxon's tests of pairs, in `result`, do not.

    References
    ----------
    Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7,
    2006, section 3.2 and figure 1; Benavoli, Corani & Mangili, Should We Really Use
    Post-Hoc Tests Based on Mean-Ranks?, JMLR 17(5), 2016.

    Examples
    --------
    >>> from tweetclf.reports.displays import CriticalDifferenceDisplay
    >>> from matplotlib.figure import Figure
    >>> scores = [[0.7 + i / 90, 0.7 + i / 95, 0.5 + i / 99, 0.2] for i in range(8)]
    >>> display = CriticalDifferenceDisplay.from_scores(
    ...     scores, ["nbsvm", "svm", "lr", "majority"], ax=Figure().subplots()
    ... )
    >>> display.bars
    (('nbsvm', 'svm'), ('svm', 'lr'), ('lr', 'majority'))
    """

    def __init__(self, *, result: ManyTasks) -> None:
        self.result = result

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike,
        systems: Sequence[str],
        *,
        greater_is_better: bool | Sequence[bool] = True,
        alpha: float = 0.05,
        ax: Axes | None = None,
    ) -> CriticalDifferenceDisplay:
        """Compare systems over tasks and draw the diagram.

        Parameters
        ----------
        scores : array-like of shape (n_tasks, n_systems)
            Score of every system on every task.
        systems : sequence of str
            Names of the systems.
        greater_is_better : bool or sequence of bool, default=True
            Whether a higher score is better, for all tasks or for each.
        alpha : float, default=0.05
            Level of the critical difference.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        CriticalDifferenceDisplay
            The display.

        Raises
        ------
        ValueError
            For fewer than three systems or two tasks, or scores that are not finite.
        """
        from tweetclf.leaderboard.statistics import compare_over_tasks

        result = compare_over_tasks(
            scores, systems, greater_is_better=greater_is_better, alpha=alpha
        )
        return cls(result=result).plot(ax)

    @classmethod
    def from_leaderboard(
        cls, leaderboard: Leaderboard, *, split: str = "test", ax: Axes | None = None
    ) -> CriticalDifferenceDisplay:
        """Draw the systems that finished every task of a leaderboard.

        Parameters
        ----------
        leaderboard : Leaderboard
            As :func:`tweetclf.leaderboard.build_leaderboard` returns it.
        split : {"test", "cv"}, default="test"
            Which evaluation.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        CriticalDifferenceDisplay
            The display.

        Raises
        ------
        ValueError
            If there are too few systems or tasks to compare.
        """
        from tweetclf.reports.overall import overall_rows, scored_boards

        rows = overall_rows(leaderboard, split)
        boards, _ = scored_boards(leaderboard, split)
        if len(rows) < 3 or len(boards) < 2:
            raise ValueError(
                "CriticalDifferenceDisplay needs three systems that finished the same "
                f"two tasks or more; this leaderboard has {len(rows)} such systems and "
                f"{len(boards)} such tasks by {split!r}."
            )
        return cls.from_scores(
            [[row.scores[board.facts.name] for row in rows] for board in boards],
            [row.system for row in rows],
            greater_is_better=[board.facts.greater_is_better for board in boards],
            ax=ax,
        )

    @property
    def bars(self) -> tuple[tuple[str, ...], ...]:
        """Sets of systems that are not told apart, each a bar of the diagram."""
        if self.result.friedman_p >= self.result.alpha:
            return (tuple(name for name, _ in self._ranked()),)
        return self.result.groups

    @property
    def height(self) -> float:
        """Height of the diagram in lines of text, for figures made to measure."""
        n = len(self.result.systems)
        return self._first_row() + ROW * ((n + 1) // 2) + 1.3 - TOP

    def _ranked(self) -> list[tuple[str, float]]:
        pairs = zip(self.result.systems, self.result.mean_ranks, strict=True)
        return sorted(pairs, key=lambda pair: pair[1])

    def _first_row(self) -> float:
        return FIRST_BAR + BAR_STEP * len(self.bars) + 0.6

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return (6.6, self.height * style.size * 1.45 / 72, (0.05, 0.05, 0.05, 0.05))

    def _paint(self, ax: Axes, style: Style) -> None:
        ranked = self._ranked()
        half = (len(ranked) + 1) // 2
        # Names stand within the axes: the scale of the ranks is what they leave.
        left, right = (
            max((text_width(_label(*r), style.size, MOST) for r in part), default=0)
            + 2 * GAP
            for part in (ranked[:half], ranked[half:])
        )
        k = len(ranked)
        room = max(width_in_points(ax) - left - right, 60.0)
        point = (k - 1) / room
        ax.set_xlim(1 - left * point, k + right * point)
        ax.set_ylim(TOP + self.height, TOP)
        ax.set_axis_off()
        self._scale(ax, style, point)
        self._bars(ax, style, point)
        first = self._first_row()
        for place, (name, rank) in enumerate(ranked[:half]):
            end = 1 - GAP * point
            _arm(ax, style, rank, first + ROW * place, end, -3 * point, name)
        for place, (name, rank) in enumerate(reversed(ranked[half:])):
            end = k + GAP * point
            _arm(ax, style, rank, first + ROW * place, end, 3 * point, name)
        ax.text(
            (1 + k) / 2,
            first + ROW * half + 0.1,
            self._foot(),
            ha="center",
            va="center",
            color=style.muted,
            fontsize=style.size - 0.5,
        )

    def _foot(self) -> str:
        shown = p_equals(self.result.friedman_p)
        return (
            f"mean rank over {self.result.n_tasks} tasks, 1 is best; Friedman {shown}"
        )

    def _scale(self, ax: Axes, style: Style, point: float) -> None:
        """Draw the axis of the ranks, and the critical difference above it."""
        k = len(self.result.systems)
        ax.plot([1, k], [0, 0], color=style.ink, linewidth=1.2)
        # Numbers need room for two digits.
        step = max(1, math.ceil(2.2 * style.size * point))
        for rank in range(1, k + 1, step):
            ax.plot([rank, rank], [0, -0.25], color=style.ink, linewidth=1.2)
            ax.text(
                rank,
                -0.45,
                str(rank),
                ha="center",
                va="bottom",
                color=style.muted,
                fontsize=style.size - 0.5,
            )
        difference = self.result.critical_difference
        end = min(1 + difference, k)
        ax.plot([1, end], [CD_BAR, CD_BAR], color=style.accent, linewidth=1.6)
        # A difference longer than the scale has no end on it.
        for x in [1.0, end] if 1 + difference <= k else [1.0]:
            ax.plot(
                [x, x], [CD_BAR - 0.2, CD_BAR + 0.2], color=style.accent, linewidth=1.6
            )
        ax.text(
            1,
            CD_BAR - 0.35,
            f"critical difference {difference:.2f}",
            ha="left",
            va="bottom",
            color=style.accent,
            fontsize=style.size - 0.5,
        )

    def _bars(self, ax: Axes, style: Style, point: float) -> None:
        rank_of = dict(self._ranked())
        for place, group in enumerate(self.bars):
            ranks = [rank_of[name] for name in group]
            y = FIRST_BAR + BAR_STEP * place
            ax.plot(
                [min(ranks) - 3 * point, max(ranks) + 3 * point],
                [y, y],
                color=style.accent,
                linewidth=4,
                solid_capstyle="butt",
            )


def _label(name: str, rank: float) -> str:
    return f"{shorten(name, MOST - 6)}  {rank:.2f}"


def _arm(
    ax: Axes, style: Style, rank: float, y: float, end: float, gap: float, name: str
) -> None:
    """Draw the line from a mean rank to a name left or right of the diagram."""
    ax.plot([rank, rank, end], [0, y, y], color=style.muted, linewidth=1)
    ax.plot([rank], [0], "o", color=style.ink, markersize=4)
    style.write(
        ax,
        end + gap,
        y,
        _label(name, rank),
        width=MOST,
        ha="right" if gap < 0 else "left",
        va="center_baseline",
        color=style.ink,
        fontsize=style.size,
    )
