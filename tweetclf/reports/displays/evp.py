"""Expected validation performance: the best score against the budget of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.leaderboard.budget.bands import is_open
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    Margins,
    Style,
    bare,
    series,
    title_axes,
)
from tweetclf.reports.formatting import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.leaderboard.budget import BudgetCurve
    from tweetclf.leaderboard.trials import Sweep

__all__ = ["ExpectedPerformanceDisplay", "key_height"]

MOST = 60  # columns of a line of the key
# Points between lines of the key.
_STEP = 16.0
# From so many trials on, their numbers stand on a logarithmic axis.
_MANY = 60


def key_height(n_curves: int) -> float:
    """Return the points that the key takes above the axes."""
    return 26.0 + _STEP * n_curves


class ExpectedPerformanceDisplay(Display):
    """The best score of searches against the trials or the seconds they may spend.

    Make one by `from_scores`, `from_sweeps` or the constructor.

    Parameters
    ----------
    curves : sequence of BudgetCurve
        Curves of one unit and direction.
    label : str, default="best score"
        What is shown.
    bounds : tuple of (float, float), default=(-inf, inf)
        Lowest and highest possible score: a band that ends there has no end that the
        trials set, and none is drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    tweetclf.leaderboard.budget.budget_curve : The numbers behind it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import ExpectedPerformanceDisplay
    >>> display = ExpectedPerformanceDisplay.from_scores(
    ...     {"nbsvm": [0.61, 0.63, 0.62], "svm": [0.2, 0.5, 0.7, 0.6]},
    ...     bounds=(0, 1), ax=Figure().subplots(),
    ... )
    >>> [round(curve.values[-1], 3) for curve in display.curves]
    [0.63, 0.7]
    """

    lines_: list[Any]

    def __init__(
        self,
        curves: Sequence[BudgetCurve],
        *,
        label: str = "best score",
        bounds: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        self.curves = curves
        self.label = label
        self.bounds = bounds

    @classmethod
    def from_scores(
        cls,
        scores: Mapping[str, ArrayLike],
        seconds: Mapping[str, ArrayLike] | None = None,
        *,
        label: str = "expected best score",
        bounds: tuple[float, float] = (-math.inf, math.inf),
        greater_is_better: bool = True,
        ax: Axes | None = None,
        **options: Any,
    ) -> ExpectedPerformanceDisplay:
        """Draw the curves of random searches.

        Parameters
        ----------
        scores : mapping of str to array-like
            Scores of the trials of each search.
        seconds : mapping of str to array-like, optional
            Costs of the trials; with them the budget is in seconds.
        label : str, default="expected best score"
            What is shown.
        bounds : tuple of (float, float), default=(-inf, inf)
            Lowest and highest possible score.
        greater_is_better : bool, default=True
            Direction of the scores.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        **options
            Passed on to :func:`tweetclf.leaderboard.budget.budget_curve`.

        Returns
        -------
        ExpectedPerformanceDisplay
            The display.
        """
        from tweetclf.leaderboard.budget import budget_curve

        curves = [
            budget_curve(
                found,
                None if seconds is None else seconds[name],
                name=name,
                bounds=bounds,
                greater_is_better=greater_is_better,
                **options,
            )
            for name, found in scores.items()
        ]
        return cls(curves, label=label, bounds=bounds).plot(ax)

    @classmethod
    def from_sweeps(
        cls,
        sweeps: Sequence[Sweep],
        *,
        unit: str = "trials",
        band: str | None = "ld",
        level: float = 0.95,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> ExpectedPerformanceDisplay:
        """Draw the curves of sweeps.

        Parameters
        ----------
        sweeps : sequence of Sweep
            Sweeps of one task, metric and evaluation.
        unit : {"trials", "seconds"}, default="trials"
            Unit of the budgets.
        band : {"ld", "ks", "bootstrap"} or None, default="ld"
            The band, see :func:`tweetclf.leaderboard.budget.sweep_curve`.
        level : float, default=0.95
            Confidence of each band.
        random_state : int, default=0
            Seed of resamples and orders.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ExpectedPerformanceDisplay
            The display.
        """
        from tweetclf.leaderboard.budget.sweeps import (
            metric_bounds,
            names_of,
            sweep_curve,
        )
        from tweetclf.reports.wording import metric_words

        curves = [
            sweep_curve(
                sweep,
                unit=unit,
                band=band,
                level=level,
                name=name,
                random_state=random_state,
            )
            for sweep, name in zip(sweeps, names_of(sweeps), strict=True)
        ]
        words = metric_words(sweeps[0].metric, sweeps[0].greater_is_better)
        label = f"best {words.short} so far ({words.direction})"
        return cls(curves, label=label, bounds=metric_bounds(sweeps[0].metric)).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        self._unit()  # what cannot be drawn opens no figure
        above = (key_height(len(self.curves)) + 8) / 72
        return 6.4, 3.6 + above, (0.65, 0.65, 0.2, above)

    def _unit(self) -> str:
        """Return what budgets of all curves are counted in."""
        units = sorted({curve.unit for curve in self.curves})
        if len(units) != 1:
            raise ValueError(
                "ExpectedPerformanceDisplay: the curves must be one or more, of one "
                f"unit. Got {len(self.curves)} of {units} instead."
            )
        return units[0]

    def _paint(self, ax: Axes, style: Style) -> None:
        unit = self._unit()
        bare(ax, style)
        ax.grid(color=style.line, linewidth=1)
        below = "trials" if unit == "trials" else "time of fitting, logarithmic"
        if unit == "trials" and self._largest() > _MANY:
            below = "trials, logarithmic"
        self._scales(ax, unit)
        title_axes(ax, style, below, self.label)
        self.lines_ = []
        for place, curve in enumerate(self.curves):
            self._draw(ax, style, place, curve)
            self._tell(ax, style, place, curve)

    def _largest(self) -> float:
        return max(curve.budgets[-1] for curve in self.curves)

    def _scales(self, ax: Axes, unit: str) -> None:
        from matplotlib.ticker import (
            FixedLocator,
            LogLocator,
            NullFormatter,
            NullLocator,
        )

        from tweetclf.reports.axes import locator
        from tweetclf.reports.displays._costs import time_ticks

        first = min(
            b
            for curve in self.curves
            for b, v in zip(curve.budgets, curve.values, strict=True)
            if not math.isnan(v)
        )
        last = self._largest()
        if unit == "seconds":
            first, last = max(first, last * 1e-6) / 1.08, last * 1.08
            ax.set_xscale("log")
            ticks = time_ticks(first, last)
            ax.xaxis.set_major_locator(FixedLocator([t for t, _ in ticks]))
            ax.set_xticks([t for t, _ in ticks], [text for _, text in ticks])
        elif last > _MANY:
            first, last = 0.9, last * 1.12
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0)))
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        else:
            pad = max(0.03 * last, 0.3)
            first, last = 1 - pad, last + pad
            step = max(1, math.ceil(last / 10))
            step = next(s for s in (1, 2, 5, 10) if s >= step)
            ax.set_xticks([1, *range(max(step, 2), int(last) + 1, step)])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlim(first, last)
        ax.set_ylim(*self._heights())
        ax.yaxis.set_major_locator(locator(5))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")

    def _heights(self) -> tuple[float, float]:
        """Return the ends of the axis of scores: bands must not squeeze the curves."""
        values = np.concatenate([curve.values for curve in self.curves])
        values = values[~np.isnan(values)]
        low, high = float(values.min()), float(values.max())
        air = (high - low) or abs(high) * 0.05 or 0.05
        ends = np.concatenate([[low, high], *self._edges(0), *self._edges(1)])
        ends = ends[(ends >= low - 0.6 * air) & (ends <= high + 0.3 * air)]
        return float(ends.min()) - 0.06 * air, float(ends.max()) + 0.06 * air

    def _edges(self, side: int) -> list[np.ndarray]:
        """Return the lower or upper ends of all bands, NaN where they say nothing."""
        return [
            np.array(
                [
                    math.nan if is_open(end, self.bounds[side], value) else end
                    for end, value in zip(ends, curve.values, strict=True)
                ]
            )
            for curve in self.curves
            for ends in [(curve.low, curve.high)[side]]
        ]

    def _draw(self, ax: Axes, style: Style, place: int, curve: BudgetCurve) -> None:
        look = _look(style, place)
        budgets = np.array(curve.budgets)
        values = np.array(curve.values)
        drawn = "steps-post" if curve.kind == "observed" else "default"
        if curve.band:
            self._draw_band(ax, style, place, curve)
        (line,) = ax.plot(
            budgets,
            values,
            **look,
            linewidth=2,
            markersize=6,
            markerfacecolor=style.paper if place % 2 else look["color"],
            markeredgewidth=1.5,
            markevery=_marked(ax, budgets, values, place),
            drawstyle=drawn,
            zorder=3,
        )
        self.lines_.append(line)

    def _draw_band(
        self, ax: Axes, style: Style, place: int, curve: BudgetCurve
    ) -> None:
        """Draw the edges, and shade what lies between those that say something."""
        look = _look(style, place)
        budgets, values = np.array(curve.budgets), np.array(curve.values)
        shaded = []
        for side in (0, 1):
            edge = self._edges(side)[place]
            ax.plot(
                budgets,
                edge,
                color=look["color"],
                linestyle=look["linestyle"],
                linewidth=0.9,
                alpha=0.75,
            )
            missing = np.isnan(edge) & ~np.isnan(values)
            if side == curve.greater_is_better and missing.any():
                # Few trials bound the best from above, many do not: no cliff between.
                missing[:] = True
            shaded.append(np.where(missing, values, edge))
        low, high = shaded
        ax.fill_between(
            budgets, low, high, color=look["color"], alpha=0.13, linewidth=0
        )

    def _tell(self, ax: Axes, style: Style, place: int, curve: BudgetCurve) -> None:
        """Write a line of the key: what a curve is, and of how many trials."""
        from matplotlib.transforms import offset_copy

        up = 32.0 + _STEP * (len(self.curves) - 1 - place)
        look = _look(style, place)
        self._sample(ax, style, place, up)
        figure: Any = ax.figure
        ax.plot(
            [0.0],
            [1.0],
            marker=look["marker"],
            color=look["color"],
            markersize=6,
            markerfacecolor=style.paper if place % 2 else look["color"],
            markeredgewidth=1.5,
            transform=offset_copy(ax.transAxes, figure, 13.0, up, units="points"),
            clip_on=False,
        )
        style.write(
            ax,
            0.0,
            1.0,
            _said(curve),
            width=MOST,
            transform=offset_copy(ax.transAxes, figure, 36.0, up, units="points"),
            va="center_baseline",
            fontsize=style.size - 0.5,
            color=style.ink,
        )

    def _sample(self, ax: Axes, style: Style, place: int, up: float) -> None:
        """Draw a piece of a curve's line, 27 points long."""
        from matplotlib.transforms import ScaledTranslation

        look = _look(style, place)
        figure: Any = ax.figure
        at_corner: Any = ScaledTranslation(0.0, 1.0, ax.transAxes)  # type: ignore[arg-type]
        ax.plot(
            [0.0, 27 / 72],
            [up / 72, up / 72],
            color=look["color"],
            linestyle=look["linestyle"],
            linewidth=2,
            transform=figure.dpi_scale_trans + at_corner,
            clip_on=False,
        )


def _look(style: Style, place: int) -> dict[str, Any]:
    """Return the look of a curve; black is the page's ink, which may be white."""
    look = series(place)
    return look | {"color": style.ink} if look["color"] == "#000000" else look


def _marked(ax: Axes, budgets: np.ndarray, values: np.ndarray, place: int) -> list[int]:
    """Return about eight points that are evenly spread over the axis, and the last."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) <= 12:
        return known.tolist()
    spots = ax.transData.transform(np.column_stack([budgets, np.nan_to_num(values)]))
    across = spots[known, 0]
    # Curves that lie on each other are marked at different places.
    wanted = np.linspace(across[0], across[-1], 9) + 7.0 * (place % 3)
    found = np.abs(across[:, None] - wanted[None, :-1]).argmin(axis=0)
    return sorted({*known[found].tolist(), int(known[-1])})


def _said(curve: BudgetCurve) -> str:
    """Say what a curve is."""
    trials = plural(curve.n_trials, "trial")
    if curve.n_failed:
        trials += f", {curve.n_failed:,} failed"
    how = {"grid": "grid, ", "observed": "one search as it ran, "}.get(curve.kind, "")
    return f"{curve.name} ({how}{trials})"
