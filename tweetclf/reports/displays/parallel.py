"""The parallel plot of a sweep: all parameters and the score at once."""

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
    influence,
    short_names,
    trials_of,
    varied,
)
from tweetclf.reports.displays._style import (
    Margins,
    Style,
    bare,
    text_width,
    width_in_points,
)
from tweetclf.reports.formatting import make_safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.leaderboard.trials import Sweep

__all__ = ["ParallelCoordinatesDisplay"]

Floats = NDArray[np.float64]

MOST_AXES = 9
"""Parameters of a parallel plot; of more, those that go with the score most."""


class ParallelCoordinatesDisplay(Display):
    """All trials of a sweep: a line each, across one axis a parameter to its score.

    The best trials are thick, dark and marked; failed ones are dashed and end below
    the scores. Make one by `from_sweep`, `from_trials` or the constructor.

    Parameters
    ----------
    params : sequence of mapping
        Setting of each trial.
    scores : array-like of shape (n_trials,)
        Their scores; NaN for a trial that failed.
    scales : mapping of str to str, optional
        Parameter -> "linear", "log" or "category"; by default what the values look
        like.
    n_best : int, optional
        Trials that stand out; by default a tenth of them, three at least.
    greater_is_better : bool, default=True
        Direction of the scores.
    label : str, default="score"
        Name of the axis of scores.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    names_ : list of str
        Parameters that are shown, from the left.

    See Also
    --------
    SweepHeatmapDisplay : Two parameters, with numbers.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import ParallelCoordinatesDisplay
    >>> params = [{"C": c, "n": n} for c in (0.1, 1.0) for n in (1, 2)]
    >>> display = ParallelCoordinatesDisplay.from_trials(
    ...     params, [0.5, 0.6, 0.7, float("nan")], ax=Figure().subplots()
    ... )
    >>> display.names_
    ['C', 'n']
    """

    names_: list[str]

    def __init__(
        self,
        params: Sequence[Mapping[str, Any]],
        scores: ArrayLike,
        *,
        scales: Mapping[str, str] | None = None,
        n_best: int | None = None,
        greater_is_better: bool = True,
        label: str = "score",
    ) -> None:
        self.params = params
        self.scores = scores
        self.scales = scales
        self.n_best = n_best
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
    ) -> ParallelCoordinatesDisplay:
        """Draw trials.

        Parameters
        ----------
        params : sequence of mapping
            Setting of each trial, such as ``cv_results_["params"]`` of scikit-learn.
        scores : array-like of shape (n_trials,)
            Their scores; NaN for a trial that failed.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        **options
            Other parameters of the constructor.

        Returns
        -------
        ParallelCoordinatesDisplay
            The display.
        """
        return cls(params, scores, **options).plot(ax)

    @classmethod
    def from_sweep(
        cls,
        sweep: Sweep,
        *,
        n_best: int | None = None,
        ax: Axes | None = None,
    ) -> ParallelCoordinatesDisplay:
        """Draw a sweep.

        Parameters
        ----------
        sweep : Sweep
            The sweep. Of halving, trials on all tweets are shown.
        n_best : int, optional
            Trials that stand out.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ParallelCoordinatesDisplay
            The display.
        """
        from tweetclf.reports.wording import metric_words

        params, scores = trials_of(sweep)
        words = metric_words(sweep.metric, sweep.greater_is_better)
        return cls.from_trials(
            params,
            scores,
            scales=sweep.scales,
            n_best=n_best,
            greater_is_better=sweep.greater_is_better,
            label=words.short,
            ax=ax,
        )

    def choose(self) -> list[str]:
        """Return the parameters to show: those with several values, in their order."""
        scores = checked(self.params, self.scores, "ParallelCoordinatesDisplay")
        scales = varied(self.params, self.scales or {})
        shares = influence(self.params, scores, scales)
        kept = sorted(shares, key=lambda name: -shares[name])[:MOST_AXES]
        return [name for name in scales if name in kept]

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        right = max(0.8, text_width(self.label, style.size) * 0.6 / 72)
        width = max(4.0, 1.35 * (len(self.choose()) + 1) + 0.6)
        return width, 4.0, (0.25, 0.15, right, 0.65)

    def _paint(self, ax: Axes, style: Style) -> None:
        scores = checked(self.params, self.scores, "ParallelCoordinatesDisplay")
        scales = varied(self.params, self.scales or {})
        self.names_ = self.choose()
        n_axes = len(self.names_) + 1
        bare(ax, style)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_xlim(0, max(n_axes - 1, 1))
        ax.set_ylim(-0.16, 1.04)
        heights = np.array(
            [
                [scales[name].place(p.get(name, NOT_SET)) for name in self.names_]
                for p in self.params
            ]
        ).reshape(len(self.params), n_axes - 1)
        ends = self._score_axis(ax, style, scores, n_axes - 1)
        self._lines(ax, style, heights, scores, ends)
        self._axes(ax, style, scales)

    def _score_axis(
        self, ax: Axes, style: Style, scores: Floats, at: int
    ) -> tuple[float, float]:
        """Draw the axis of scores, better ones up; return its ends."""
        from tweetclf.reports.axes import locator

        known = scores[np.isfinite(scores)]
        low, high = float(known.min()), float(known.max())
        if high == low:
            low, high = low - 0.05, high + 0.05
        ticks = [t for t in locator(5).tick_values(low, high) if low <= t <= high]
        for tick in ticks:
            share = (tick - low) / (high - low)
            place = share if self.greater_is_better else 1 - share
            self._tick(ax, style, at, place, f"{tick:.4g}", "left")
        if np.isnan(scores).any():
            self._tick(ax, style, at, -0.12, "failed", "left")
        return low, high

    def _lines(
        self,
        ax: Axes,
        style: Style,
        heights: Floats,
        scores: Floats,
        ends: tuple[float, float],
    ) -> None:
        shares = (scores - ends[0]) / (ends[1] - ends[0])
        if not self.greater_is_better:
            shares = 1 - shares
        n_best = max(3, len(scores) // 10) if self.n_best is None else self.n_best
        order = np.argsort(np.where(np.isnan(shares), -1.0, shares), kind="stable")
        best = set(order[::-1][:n_best].tolist())
        across = np.arange(heights.shape[1] + 1)
        faint = min(0.55, max(0.12, 25 / len(scores)))
        for trial in order.tolist():
            failed = math.isnan(shares[trial])
            up = np.append(heights[trial], -0.12 if failed else shares[trial])
            how: dict[str, Any] = {"color": style.muted, "lw": 1, "alpha": faint}
            if failed:
                how = {
                    "color": style.second,
                    "lw": 1.2,
                    "ls": (0, (4, 3)),
                    "alpha": 0.8,
                }
            elif trial in best:
                how = {"color": style.accent, "lw": 1.6, "marker": "o", "ms": 4.5}
                if trial == order[-1]:
                    how |= {"lw": 3, "ms": 7}
            ax.plot(across, up, clip_on=False, **how)

    def _tick(
        self, ax: Axes, style: Style, at: int, up: float, text: str, align: str
    ) -> None:
        from matplotlib.transforms import offset_copy

        figure: Any = ax.figure
        right = align == "left"
        where = offset_copy(ax.transData, figure, 6 if right else -6, 0, units="points")
        halo = {"facecolor": style.paper, "alpha": 0.75, "linewidth": 0, "pad": 0.6}
        style.write(
            ax,
            at,
            up,
            text,
            width=12,
            transform=where,
            ha=align,
            va="center_baseline",
            fontsize=style.size - 1.5,
            color=style.ink,
            bbox=halo,
            zorder=5,
        )

    def _axes(self, ax: Axes, style: Style, scales: Mapping[str, Scale]) -> None:
        """Draw the axes with their ticks, and their names above."""
        from matplotlib.transforms import offset_copy

        figure: Any = ax.figure
        short = short_names(self.names_)
        step = width_in_points(ax) / max(len(self.names_), 1)
        size = style.size - 0.5
        room = max(8, int((step - 4) / size / 0.58))
        above = offset_copy(ax.transData, figure, 0, 12, units="points")
        names = [*(short[name] for name in self.names_), self.label]
        widest = max(text_width(make_safe(name), size, room * 2) for name in names)
        for at, name in enumerate(names):
            ax.plot([at, at], [0, 1], color=style.ink, lw=1, zorder=4, clip_on=False)
            # Of names that are too long for their place, every second stands higher.
            staggered = widest > step - 6 and at % 2
            style.write(
                ax,
                at,
                1.085 if staggered else 1.02,
                name,
                width=room * 2 if widest > step - 6 else room,
                transform=above,
                ha="left" if at == 0 else "center",
                va="bottom",
                fontsize=size,
                color=style.ink,
                weight="bold" if at == len(names) - 1 else "normal",
            )
            if at < len(self.names_):
                for place, text in scales[self.names_[at]].ticks():
                    self._tick(ax, style, at, place, text, "left")
