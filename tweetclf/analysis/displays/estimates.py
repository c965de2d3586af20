"""Estimates with intervals, one a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.analysis.displays._colours import series_colour
from tweetclf.reports.axes import limits, locator
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    MARKERS,
    Margins,
    Style,
    bare,
    text_width,
    title_axes,
)
from tweetclf.reports.formatting import format_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.analysis.few_shot import FeatureScores
    from tweetclf.analysis.pair_coherence import Coherence
    from tweetclf.analysis.pseudo_likelihood import PseudoLikelihood

__all__ = ["EstimatesDisplay"]

ROW = 0.42
"""Height of a line, in inches."""

_WIDTH = 30  # columns of a name


class EstimatesDisplay(Display):
    """Estimates as dots on lines, with their intervals.

    Make one by `from_likelihoods`, `from_coherence`, `from_features` or the
    constructor.

    Parameters
    ----------
    names : sequence of str
        What was estimated, from the top.
    values, low, high : array-like of shape (n,)
        Estimates and the ends of their intervals.
    groups : sequence of int, optional
        Group of each: groups differ in colour and shape.
    reference : float, optional
        Where a dashed line is drawn, e.g. chance.
    label : str, default="estimate"
        What the values are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Examples
    --------
    >>> from tweetclf.analysis.displays import EstimatesDisplay
    >>> display = EstimatesDisplay(
    ...     names=["a", "b"], values=[0.5, 0.6], low=[0.4, 0.5], high=[0.6, 0.7])
    >>> display.label
    'estimate'
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        values: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        groups: Sequence[int] | None = None,
        reference: float | None = None,
        label: str = "estimate",
    ) -> None:
        self.names = names
        self.values = values
        self.low = low
        self.high = high
        self.groups = groups
        self.reference = reference
        self.label = label

    @classmethod
    def from_likelihoods(
        cls, found: Sequence[PseudoLikelihood], *, ax: Axes | None = None
    ) -> EstimatesDisplay:
        """Draw the mean pseudo-log-likelihoods of models.

        Parameters
        ----------
        found : sequence of PseudoLikelihood
            One a model.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        return cls(
            names=[f.model for f in found],
            values=[f.mean for f in found],
            low=[f.low for f in found],
            high=[f.high for f in found],
            groups=list(range(len(found))),
            label="mean pseudo-log-likelihood in nats (higher is better)",
        ).plot(ax)

    @classmethod
    def from_coherence(
        cls, found: Sequence[Coherence], *, ax: Axes | None = None
    ) -> EstimatesDisplay:
        """Draw accuracies on sets of right and wrong replies, beside chance.

        Parameters
        ----------
        found : sequence of Coherence
            One a model and set.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        models = list(dict.fromkeys(f.model for f in found))
        return cls(
            names=[f"{f.model}, {f.name}" for f in found],
            values=[f.accuracy for f in found],
            low=[f.low for f in found],
            high=[f.high for f in found],
            groups=[models.index(f.model) for f in found],
            reference=0.5,
            label="accuracy (dashed: chance)",
        ).plot(ax)

    @classmethod
    def from_features(
        cls, found: FeatureScores, *, ax: Axes | None = None
    ) -> EstimatesDisplay:
        """Draw the scores of logistic regression on frozen vectors.

        Parameters
        ----------
        found : FeatureScores
            Of `feature_based_scores`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        return cls(
            names=list(found.poolings),
            values=found.scores,
            low=found.low,
            high=found.high,
            label=found.metric,
        ).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        widest = max(text_width(name, style.size, _WIDTH) for name in self.names) / 72
        height = 1.15 + ROW * len(self.names)
        return widest + 4.6, height, (widest + 0.3, 0.65, 0.75, 0.3)

    def _paint(self, ax: Axes, style: Style) -> None:
        values, low, high = (
            np.asarray(v, dtype=np.float64) for v in (self.values, self.low, self.high)
        )
        bare(ax, style)
        ends = [*values, *low, *high]
        ends += [] if self.reference is None else [self.reference]
        known = [float(v) for v in ends if np.isfinite(v)]
        if not known:
            raise ValueError("EstimatesDisplay: there is no value to draw.")
        ax.set_xlim(*limits(known, 0.1))
        ax.set_ylim(len(values) - 0.4, -0.6)
        ax.set_yticks([])
        ax.xaxis.set_major_locator(locator(3))
        ax.xaxis.set_major_formatter(lambda value, _: format_score(value))
        ax.grid(axis="x", color=style.line, linewidth=1)
        title_axes(ax, style, self.label)
        if self.reference is not None:
            ax.axvline(self.reference, color=style.muted, linestyle="--", linewidth=1.3)
        groups = self.groups or [0] * len(values)
        for row, group in enumerate(groups):
            self._line(ax, style, row, group, values[row], low[row], high[row])

    def _line(
        self,
        ax: Axes,
        style: Style,
        row: int,
        group: int,
        value: float,
        low: float,
        high: float,
    ) -> None:
        colour = series_colour(style, group)
        if np.isfinite(low + high):
            ax.plot([low, high], [row, row], color=colour, linewidth=2)
        ax.plot(
            [value],
            [row],
            MARKERS[group % len(MARKERS)],
            color=colour,
            markersize=8,
            clip_on=False,
            zorder=3,
        )
        from matplotlib.transforms import offset_copy

        for x, shift, text, align in (
            (0.0, -8.0, str(self.names[row]), "right"),
            (1.0, 8.0, format_score(value), "left"),
        ):
            where = offset_copy(
                ax.get_yaxis_transform(),
                ax.figure,  # type: ignore[arg-type]
                shift,
                0,
                units="points",
            )
            style.write(
                ax,
                x,
                row,
                text,
                width=_WIDTH,
                transform=where,
                ha=align,
                va="center_baseline",
                fontsize=style.size,
                color=style.ink,
            )
