"""The forest plot: differences from one system, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    Margins,
    Style,
    bare,
    text_width,
    title_axes,
    width_in_points,
)
from tweetclf.reports.formatting import format_interval, format_score, make_safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.leaderboard.statistics import Comparison
    from tweetclf.tasks import Metric

__all__ = ["ForestDisplay"]

MOST = 26  # columns of a name


class ForestDisplay(Display):
    """Paired differences of scores, one row each, with their intervals.

    Make one by `from_predictions`, `from_comparisons` or the constructor.

    Parameters
    ----------
    names : sequence of str
        What each row is about.
    difference : array-like of shape (n_rows,)
        Differences of scores.
    low, high : array-like of shape (n_rows,)
        Ends of their intervals.
    told_apart : sequence of bool, optional
        Whether a difference is more than chance, after adjusting for all rows: those
        marks are filled, others hollow. By default all are filled.
    margin : float, optional
        Largest difference that does not matter; drawn as a band around 0.
    label : str, default="difference"
        What is shown, under the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    See Also
    --------
    tweetclf.leaderboard.statistics.compare_pairs : The numbers behind it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import ForestDisplay
    >>> from tweetclf.tasks import get_metric
    >>> gold = ["no", "yes"] * 60
    >>> display = ForestDisplay.from_predictions(
    ...     gold,
    ...     {"svm": ["yes"] * 10 + gold[10:], "lr": ["yes"] * 50 + gold[50:]},
    ...     metric=get_metric("macro_f1", labels=("no", "yes")),
    ...     reference="svm", n_resamples=200, ax=Figure().subplots(),
    ... )
    >>> display.names, [round(d, 3) for d in display.difference], display.told_apart
    (['lr'], [-0.176], [True])
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        difference: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        told_apart: Sequence[bool] | None = None,
        margin: float | None = None,
        label: str = "difference",
    ) -> None:
        self.names = names
        self.difference = difference
        self.low = low
        self.high = high
        self.told_apart = told_apart
        self.margin = margin
        self.label = label

    @classmethod
    def from_comparisons(
        cls,
        comparisons: Sequence[Comparison],
        *,
        reference: str | None = None,
        score_label: str | None = None,
        ax: Axes | None = None,
    ) -> ForestDisplay:
        """Draw comparisons.

        Parameters
        ----------
        comparisons : sequence of Comparison
            As :func:`tweetclf.leaderboard.statistics.compare_pairs` returns them.
        reference : str, optional
            System of all comparisons from which the others are shown to differ; by
            default rows are called "A - B" and show that difference.
        score_label : str, optional
            What is compared; by default the name of the metric.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ForestDisplay
            The display.

        Raises
        ------
        ValueError
            If there is nothing to draw, or a comparison is without the reference.
        """
        return cls._of(comparisons, reference, score_label).plot(ax)

    @classmethod
    def _of(
        cls,
        comparisons: Sequence[Comparison],
        reference: str | None,
        score_label: str | None,
    ) -> ForestDisplay:
        """Return the display of comparisons, not drawn yet."""
        from tweetclf.leaderboard.statistics import ALPHA

        if not comparisons:
            raise ValueError("ForestDisplay: there are no comparisons to draw.")
        rows = [_row(comparison, reference) for comparison in comparisons]
        first = comparisons[0]
        better = "right is better" if first.greater_is_better else "left is better"
        of = f" from {reference}" if reference else ""
        if reference is None:
            better = f"{better} for the first"
        return cls(
            names=[name for name, _, _, _ in rows],
            difference=[value for _, value, _, _ in rows],
            low=[low for _, _, low, _ in rows],
            high=[high for _, _, _, high in rows],
            told_apart=[
                bool((c.p_value if c.p_adjusted is None else c.p_adjusted) < ALPHA)
                for c in comparisons
            ],
            margin=first.margin,
            label=f"difference in {score_label or first.metric}{of}, "
            f"{100 * first.level:g} % interval ({better})",
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        predictions: Mapping[str, Any],
        *,
        metric: Metric,
        reference: str | None = None,
        n_resamples: int = 10_000,
        margin: float | None = None,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> ForestDisplay:
        """Compare all systems with one by the paired bootstrap, and draw.

        Parameters
        ----------
        y_true : array-like
            Gold labels.
        predictions : mapping of str to array-like
            Predictions of each system.
        metric : Metric
            The metric.
        reference : str, optional
            System that the others are compared with; by default the one with the best
            score.
        n_resamples : int, default=10000
            Bootstrap resamples.
        margin : float, optional
            Largest difference that does not matter.
        random_state : int, default=0
            Seed of the resamples.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ForestDisplay
            The display, best system first.
        """
        from tweetclf.leaderboard.statistics import compare_pairs
        from tweetclf.reports.wording import metric_words

        scores = {
            name: float(metric(y_true, y_pred)) for name, y_pred in predictions.items()
        }
        pick = max if metric.greater_is_better else min
        if reference is None:
            reference = pick(scores, key=scores.__getitem__)
        comparisons = compare_pairs(
            metric,
            y_true,
            predictions,
            reference=reference,
            n_resamples=n_resamples,
            margin=margin,
            rng=np.random.default_rng(random_state),
        )
        sign = -1.0 if metric.greater_is_better else 1.0
        ordered = sorted(comparisons, key=lambda c: sign * scores[c.names[1]])
        words = metric_words(metric.signature(), metric.greater_is_better)
        return cls.from_comparisons(
            ordered, reference=reference, score_label=words.short, ax=ax
        )

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 6.8, 0.3 * len(self.names) + 0.75, (0.1, 0.6, 0.1, 0.1)

    def _paint(self, ax: Axes, style: Style) -> None:
        n = len(self.names)
        bare(ax, style)
        rows = np.array([self.difference, self.low, self.high], dtype=np.float64)
        self._limits(ax, style, rows)
        ax.set_ylim(n - 0.4, -0.6)
        ax.set_yticks([])
        ax.grid(axis="x", color=style.line, linewidth=1)
        if self.margin is not None:
            ax.axvspan(-self.margin, self.margin, color=style.muted, alpha=0.15, lw=0)
        ax.axvline(0, color=style.ink, linewidth=1, linestyle=(0, (4, 2)))
        title_axes(ax, style, self.label)
        apart = [True] * n if self.told_apart is None else list(self.told_apart)
        for place, (name, filled) in enumerate(zip(self.names, apart, strict=True)):
            _draw_row(ax, style, place, rows[:, place].tolist(), filled)
            self._write_row(ax, style, place, name, rows[:, place].tolist())

    def _limits(self, ax: Axes, style: Style, rows: np.ndarray) -> None:
        """Set up the axis, with room for the names left and the numbers right."""
        from tweetclf.reports.axes import limits, locator

        known = rows[np.isfinite(rows)].tolist()
        low, high = limits([0.0, *known], 0.05)
        size = style.size
        left = max(text_width(make_safe(name), size, MOST) for name in self.names) + 12
        numbers = [_numbers(row) for row in rows.T.tolist()]
        right = max(text_width(text, size, 40) for text in numbers) + 12
        room = max(width_in_points(ax) - left - right, 60.0)
        point = (high - low) / room
        ax.set_xlim(low - left * point, high + right * point)
        # Ticks and grid belong to the rows, not to the words beside them.
        ticks = [t for t in locator(5).tick_values(low, high) if low <= t <= high]
        ax.set_xticks(ticks, [format_score(tick) for tick in ticks])

    def _write_row(
        self, ax: Axes, style: Style, place: int, name: str, row: Sequence[float]
    ) -> None:
        how: dict[str, Any] = {
            "transform": ax.get_yaxis_transform(),
            "va": "center_baseline",
            "fontsize": style.size,
            "color": style.ink,
        }
        style.write(ax, 0.0, place, name, width=MOST, ha="left", **how)
        ax.text(1.0, place, _numbers(row), ha="right", **how)


def _row(
    comparison: Comparison, reference: str | None
) -> tuple[str, float, float, float]:
    """Return name, difference and interval of a comparison, seen from the reference."""
    a, b = comparison.names
    low, high = comparison.interval
    if reference is None:
        return f"{a} \N{MINUS SIGN} {b}", comparison.difference, low, high
    if reference == b:
        return a, comparison.difference, low, high
    if reference != a:
        raise ValueError(
            f"ForestDisplay: the comparison of {a} and {b} is without the reference "
            f"{reference!r}."
        )
    # Comparisons say first minus second; rows show how the other differs from it.
    return b, -comparison.difference, -high, -low


def _numbers(row: Sequence[float]) -> str:
    value, low, high = row
    sign = "+" if value > 0 else ""
    return f"{sign}{format_score(value)} ({format_interval(low, high)})"


def _draw_row(
    ax: Axes, style: Style, place: int, row: Sequence[float], filled: bool
) -> None:
    value, low, high = row
    colour = style.accent if filled else style.muted
    ax.plot(
        [low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt"
    )
    ax.plot(
        [value],
        [place],
        "s",
        markersize=7,
        markerfacecolor=colour if filled else style.paper,
        markeredgecolor=colour,
        markeredgewidth=1.8,
    )
