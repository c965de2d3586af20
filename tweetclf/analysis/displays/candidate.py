"""Candidates of pre-training and controls, by their scores on two tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tweetclf.reports.axes import limits, locator
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import MARGINS, Margins, Style, bare, title_axes
from tweetclf.reports.formatting import display_width, format_score, make_safe, shorten
from tweetclf.reports.placement import Box, place_labels
from tweetclf.reports.wording import metric_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.analysis.candidates import CandidateScores

__all__ = ["CandidatesDisplay"]

_WIDTH = 20  # columns of a name


class CandidatesDisplay(Display):
    """A scatter of two tasks: candidates are filled circles, controls hollow squares.

    Thin lines join the lowest and the highest score of a seed. Dashed lines stand at
    the best control of each task: a candidate beyond both is better than all controls.
    Make one by `from_scores` or the constructor.

    Parameters
    ----------
    found : CandidateScores
        Of `compare_candidates`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    """

    def __init__(self, *, found: CandidateScores) -> None:
        self.found = found

    @classmethod
    def from_scores(
        cls, found: CandidateScores, *, ax: Axes | None = None
    ) -> CandidatesDisplay:
        """Draw candidates and controls.

        Parameters
        ----------
        found : CandidateScores
            Of `compare_candidates`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        return cls(found=found).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 6.4, 5.2, MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        found = self.found
        bare(ax, style)
        for side, axis in enumerate((ax.xaxis, ax.yaxis)):
            ends = np.concatenate([found.low[:, side], found.high[:, side]])
            low, high = limits(ends.tolist(), 0.1)
            (ax.set_xlim, ax.set_ylim)[side](low, high)
            axis.set_major_locator(locator(5))
            axis.set_major_formatter(lambda value, _: format_score(value))
        ax.grid(color=style.line, linewidth=1)
        labels = [
            f"{task}: {words.short} ({words.direction})"
            for task, words in (
                (task, metric_words(metric, better))
                for task, metric, better in zip(
                    found.tasks, found.metrics, found.greater_is_better, strict=True
                )
            )
        ]
        title_axes(ax, style, *labels)
        self._best_controls(ax, style)
        for i in range(len(found.systems)):
            self._point(ax, style, i)
        self._names(ax, style)

    def _best(self) -> list[tuple[int, float]]:
        """Return the axis and the score of the best control of each task."""
        found = self.found
        own = found.scores[found.is_control]
        return [
            (side, float(own[:, side].max() if better else own[:, side].min()))
            for side, better in enumerate(found.greater_is_better)
            if len(own)
        ]

    def _best_controls(self, ax: Axes, style: Style) -> None:
        for side, at in self._best():
            line = (ax.axvline, ax.axhline)[side]
            line(at, color=style.second, linestyle="--", linewidth=1.2, zorder=1)

    def _point(self, ax: Axes, style: Style, i: int) -> None:
        found = self.found
        x, y = found.scores[i].tolist()
        control = bool(found.is_control[i])
        colour = style.second if control else style.accent
        ax.plot([found.low[i, 0], found.high[i, 0]], [y, y], color=colour, linewidth=1)
        ax.plot([x, x], [found.low[i, 1], found.high[i, 1]], color=colour, linewidth=1)
        ax.plot(
            [x],
            [y],
            "s" if control else "o",
            markersize=8,
            markerfacecolor=style.paper if control else colour,
            markeredgecolor=colour,
            markeredgewidth=1.8,
            zorder=3,
        )

    def _lines(self, ax: Axes, scale: float) -> list[Box]:
        """Return what the lines take up, in points, which names should not hide."""
        found = self.found

        def place(x: float, y: float) -> tuple[float, float]:
            across, up = ax.transData.transform((x, y)) * scale
            return float(across), float(up)

        ends = []
        for (x, y), low, high in zip(
            found.scores.tolist(), found.low.tolist(), found.high.tolist(), strict=True
        ):
            ends.append((place(low[0], y), place(high[0], y)))
            ends.append((place(x, low[1]), place(x, high[1])))
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        for side, value in self._best():
            if side == 0:
                ends.append((place(value, bottom), place(value, top)))
            else:
                ends.append((place(left, value), place(right, value)))
        return [(a[0] - 1, a[1] - 1, b[0] + 1, b[1] + 1) for a, b in ends]

    def _names(self, ax: Axes, style: Style) -> None:
        """Write the names where they hide least."""
        from matplotlib.transforms import offset_copy

        found = self.found
        scale = 72 / ax.figure.dpi
        points = [tuple(p) for p in (ax.transData.transform(found.scores) * scale)]
        shown = [shorten(make_safe(name), _WIDTH) for name in found.systems]
        sizes = [
            (display_width(n) * style.size * 0.56, style.size * 1.3) for n in shown
        ]
        left, bottom, right, top = (
            float(v) * scale for v in ax.get_window_extent().extents
        )
        places = place_labels(
            points,
            sizes,
            (left + 2, bottom + 2, right + 10, top + 6),
            self._lines(ax, scale),
        )
        for i, (place, point) in enumerate(zip(places, points, strict=True)):
            style.write(
                ax,
                *found.scores[i].tolist(),
                found.systems[i],
                width=_WIDTH,
                transform=offset_copy(
                    ax.transData,
                    ax.figure,  # type: ignore[arg-type]
                    place.x - point[0],
                    place.y - point[1],
                    units="points",
                ),
                ha=place.align,
                va="center_baseline",
                fontsize=style.size,
                color=style.ink,
                zorder=4,
            )
