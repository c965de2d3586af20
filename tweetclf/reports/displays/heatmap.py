"""The heat map of a sweep: two parameters against the score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._parameters import (
    NOT_SET,
    Scale,
    checked,
    trials_of,
    two_of,
    varied,
)
from tweetclf.reports.displays._style import (
    Margins,
    Style,
    bare,
    text_width,
    width_in_points,
)
from tweetclf.reports.formatting import format_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.leaderboard.trials import Sweep

__all__ = ["SweepHeatmapDisplay"]

Floats = NDArray[np.float64]

MOST_CELLS = 12
"""Columns or rows of a heat map; of words with more values there is none."""

# Numbers with more values are put into bins.
_MOST_NUMBERS = 8

# Letters keep their contrast on every shade, in light and dark pages.
_DEEPEST = 0.55
_LABEL = 16  # columns of a value


class SweepHeatmapDisplay(Display):
    """The best score for each pair of values of two parameters.

    The other parameters of a sweep are free: each cell shows the best of all trials
    with its two values. Make one by `from_sweep`, `from_trials` or the constructor.

    Parameters
    ----------
    scores : array-like of shape (n_rows, n_columns)
        Best score in each cell; NaN for a cell without a score.
    counts : array-like of shape (n_rows, n_columns)
        Number of trials in each cell, failed ones included.
    x, y : str
        Names of the parameters; `y` is empty for a sweep over one.
    x_values, y_values : sequence of str
        What columns and rows are.
    greater_is_better : bool, default=True
        Direction of the scores.
    label : str, default="best score"
        What is shown.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    See Also
    --------
    ParallelCoordinatesDisplay : All parameters at once.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import SweepHeatmapDisplay
    >>> params = [{"C": c, "n": n} for c in (0.1, 1.0) for n in (1, 2)]
    >>> display = SweepHeatmapDisplay.from_trials(
    ...     params, [0.5, 0.6, 0.7, 0.65], x="C", y="n", ax=Figure().subplots()
    ... )
    >>> display.scores.tolist()
    [[0.5, 0.7], [0.6, 0.65]]
    """

    def __init__(
        self,
        *,
        scores: ArrayLike,
        counts: ArrayLike,
        x: str,
        y: str,
        x_values: Sequence[str],
        y_values: Sequence[str],
        greater_is_better: bool = True,
        label: str = "best score",
    ) -> None:
        self.scores = scores
        self.counts = counts
        self.x = x
        self.y = y
        self.x_values = x_values
        self.y_values = y_values
        self.greater_is_better = greater_is_better
        self.label = label

    @classmethod
    def from_trials(
        cls,
        params: Sequence[Mapping[str, Any]],
        scores: ArrayLike,
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> SweepHeatmapDisplay:
        """Draw trials.

        Parameters
        ----------
        params, scores, **options
            As of `compute`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        SweepHeatmapDisplay
            The display.

        Raises
        ------
        ValueError
            If no parameter was varied, or one that was not is asked for.
        """
        return cls.compute(params, scores, **options).plot(ax)

    @classmethod
    def from_sweep(
        cls,
        sweep: Sweep,
        *,
        x: str | None = None,
        y: str | None = None,
        ax: Axes | None = None,
    ) -> SweepHeatmapDisplay:
        """Draw a sweep.

        Parameters
        ----------
        sweep : Sweep
            The sweep. Of halving, trials on all tweets are shown.
        x, y : str, optional
            The parameters; by default those whose values go with the score most.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        SweepHeatmapDisplay
            The display.
        """
        from tweetclf.reports.wording import metric_words

        params, scores = trials_of(sweep)
        words = metric_words(sweep.metric, sweep.greater_is_better)
        return cls.from_trials(
            params,
            scores,
            x=x,
            y=y,
            scales=sweep.scales,
            greater_is_better=sweep.greater_is_better,
            label=f"best {words.short} ({words.direction})",
            ax=ax,
        )

    @classmethod
    def compute(
        cls,
        params: Sequence[Mapping[str, Any]],
        scores: ArrayLike,
        *,
        x: str | None = None,
        y: str | None = None,
        scales: Mapping[str, str] | None = None,
        greater_is_better: bool = True,
        label: str = "best score",
    ) -> SweepHeatmapDisplay:
        """Find the best score in each cell, and draw nothing.

        Parameters
        ----------
        params : sequence of mapping
            Setting of each trial, such as ``cv_results_["params"]`` of scikit-learn.
        scores : array-like of shape (n_trials,)
            Their scores; NaN for a trial that failed.
        x, y : str, optional
            The parameters; by default those whose values go with the score most.
        scales : mapping of str to str, optional
            Parameter -> "linear", "log" or "category"; by default what the values look
            like.
        greater_is_better : bool, default=True
            Direction of the scores.
        label : str, default="best score"
            What is shown.

        Returns
        -------
        SweepHeatmapDisplay
            The display.

        Raises
        ------
        ValueError
            If no parameter was varied, or one that was not is asked for.
        """
        values = checked(params, scores, "SweepHeatmapDisplay")
        found = varied(params, scales or {})
        x, y = two_of(params, values, found, x, y, MOST_CELLS)
        columns, x_values = _cells_of(params, found, x)
        rows, y_values = np.zeros(len(params), dtype=np.int64), [""]
        if y:
            rows, y_values = _cells_of(params, found, y)
        shape = len(y_values), len(x_values)
        counts = np.zeros(shape, dtype=np.int64)
        np.add.at(counts, (rows, columns), 1)
        best = np.full(shape, np.nan)
        better = np.fmax if greater_is_better else np.fmin
        better.at(best, (rows, columns), values)
        return cls(
            scores=best,
            counts=counts,
            x=x,
            y=y,
            x_values=x_values,
            y_values=y_values,
            greater_is_better=greater_is_better,
            label=label,
        )

    def _paint(self, ax: Axes, style: Style) -> None:
        scores = np.asarray(self.scores, dtype=np.float64)
        n_rows, n_columns = scores.shape
        bare(ax, style)
        ax.set_xlim(0, n_columns)
        ax.set_ylim(0, n_rows)
        ax.set_xticks([])
        ax.set_yticks([])
        size = min(style.size, width_in_points(ax) / n_columns / 2.9)
        best = np.nanargmax(scores if self.greater_is_better else -scores)
        for row in range(n_rows):
            for column in range(n_columns):
                is_best = row * n_columns + column == best
                self._cell(ax, style, row, column, size, is_best)
        self._names(ax, style)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        """Return width, height and margins in inches that hold cells and names."""
        across = max(text_width(t, style.size, _LABEL) for t in self.x_values) / 72
        left = 0.3 + max(text_width(t, style.size, _LABEL) for t in self.y_values) / 72
        cells = max(2.6, 0.75 * len(self.x_values))
        slanted = across > cells / len(self.x_values) - 0.06
        margins = left, 0.55 + (0.65 * across if slanted else 0.1), 0.2, 0.6
        height = 0.42 * len(self.y_values) + margins[1] + margins[3]
        return left + cells + 0.2, height, margins

    def _shade(self, score: float) -> float:
        """Return the depth of a cell's colour, from 0 to 1."""
        scores = np.asarray(self.scores, dtype=np.float64)
        known = scores[np.isfinite(scores)]
        if not self.greater_is_better:
            known, score = -known, -score
        # A few settings that do not work must not hide what lies between the others.
        low, middle = np.percentile(known, [25, 50])
        floor = max(float(known.min()), float(low - 3 * (middle - low)))
        top = float(known.max())
        return (
            min(max((score - floor) / (top - floor), 0.0), 1.0) if top > floor else 1.0
        )

    def _cell(
        self, ax: Axes, style: Style, row: int, column: int, size: float, is_best: bool
    ) -> None:
        from matplotlib.patches import Rectangle

        score = float(np.asarray(self.scores)[row, column])
        count = int(np.asarray(self.counts)[row, column])
        known = math.isfinite(score)
        gap = 0.03
        ax.add_patch(
            Rectangle(
                (column + gap, row + gap),
                1 - 2 * gap,
                1 - 2 * gap,
                facecolor=style.accent if known else style.line,
                alpha=0.04 + (_DEEPEST - 0.04) * self._shade(score) if known else 0.25,
                linewidth=0,
            )
        )
        if is_best:
            ax.add_patch(
                Rectangle(
                    (column + gap, row + gap),
                    1 - 2 * gap,
                    1 - 2 * gap,
                    fill=False,
                    edgecolor=style.ink,
                    linewidth=2,
                )
            )
        text = format_score(score) if known else "\N{MULTIPLICATION SIGN}"
        ax.text(
            column + 0.5,
            row + 0.5,
            text if known or count else "\N{EN DASH}",
            ha="center",
            va="center_baseline",
            fontsize=size,
            color=style.ink if known else style.muted,
            weight="bold" if is_best else "normal",
        )

    def _names(self, ax: Axes, style: Style) -> None:
        """Write values and names of the parameters."""
        from matplotlib.transforms import offset_copy

        figure: Any = ax.figure
        size = style.size - 0.5
        column = width_in_points(ax) / len(self.x_values)
        slanted = max(text_width(t, size, _LABEL) for t in self.x_values) > column - 4
        below = offset_copy(ax.transData, figure, 0, -6, units="points")
        for place, text in enumerate(self.x_values):
            style.write(
                ax,
                place + 0.5,
                0.0,
                text,
                width=_LABEL,
                transform=below,
                ha="right" if slanted else "center",
                va="top",
                rotation=40 if slanted else 0,
                rotation_mode="anchor",
                fontsize=size,
                color=style.ink,
            )
        left = offset_copy(ax.transData, figure, -6, 0, units="points")
        for place, text in enumerate(self.y_values):
            style.write(
                ax,
                0.0,
                place + 0.5,
                text,
                width=_LABEL,
                transform=left,
                ha="right",
                va="center_baseline",
                fontsize=size,
                color=style.ink,
            )
        drop = max(text_width(t, size, _LABEL) for t in self.x_values) * 0.65 + 10
        under = -(drop if slanted else size + 4) - 12
        up = 10.0 + (size + 6 if self.y else 0.0)
        how = {"fontsize": size, "color": style.muted}
        titles = [(0.5, 0.0, 0.0, under, self.x, "center", "top")]
        titles.append((0.0, 1.0, 0.0, up, self.label, "left", "bottom"))
        if self.y:
            titles.append((0.0, 1.0, 0.0, 8.0, f"{self.y} (rows)", "left", "bottom"))
        for x, y, dx, dy, text, align, side in titles:
            where = offset_copy(ax.transAxes, figure, dx, dy, units="points")
            style.write(
                ax, x, y, text, width=64, transform=where, ha=align, va=side, **how
            )


def _cells_of(
    params: Sequence[Mapping[str, Any]], scales: Mapping[str, Scale], name: str
) -> tuple[NDArray[np.int64], list[str]]:
    return scales[name].bins([p.get(name, NOT_SET) for p in params], _MOST_NUMBERS)
