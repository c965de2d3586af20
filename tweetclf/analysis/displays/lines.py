"""Curves of several series, with bands: by rank, by examples, by steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.analysis.displays._colours import series_colour
from tweetclf.reports.axes import limits, locator
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    Margins,
    Style,
    bare,
    series,
    text_width,
    title_axes,
)
from tweetclf.reports.formatting import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.analysis.curves import PretrainingRun
    from tweetclf.analysis.few_shot import FewShotCurve
    from tweetclf.analysis.judging import Acceptability
    from tweetclf.analysis.topk import TopKAccuracy

__all__ = ["CurvesDisplay", "Line", "smooth"]

Floats = NDArray[np.float64]

# Points of a line that are drawn: more are not told apart.
_MOST_POINTS = 400
_MOST_MARKS = 12
_WIDTH = 22  # columns of a name


@dataclass(frozen=True)
class Line:
    """One curve.

    Parameters
    ----------
    name : str
        Name of the series.
    x, y : array-like of shape (n,)
        The points, in order of `x`.
    low, high : array-like of shape (n,), optional
        Ends of a band or of intervals.
    raw : array-like of shape (n,), optional
        Values before they were smoothed, drawn thin.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    raw: ArrayLike | None = None


def smooth(values: ArrayLike, weight: float) -> Floats:
    """Return the exponential moving average of values, without a bias at the start.

    Parameters
    ----------
    values : array-like of shape (n,)
        The values.
    weight : float
        Of the past, from 0 (nothing changes) to below 1.

    Examples
    --------
    >>> from tweetclf.analysis.displays.lines import smooth
    >>> smooth([4.0, 2.0], 0.5).tolist()
    [4.0, 2.6666666666666665]
    """
    if not 0 <= weight < 1:
        raise ValueError(
            "smooth: the 'weight' parameter must be from 0 to below 1. Got "
            f"{weight!r} instead."
        )
    values = np.asarray(values, dtype=np.float64)
    smoothed = np.empty(len(values))
    total = norm = 0.0
    for i, value in enumerate(values.tolist()):
        total = weight * total + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        smoothed[i] = total / norm
    return smoothed


class CurvesDisplay(Display):
    """Curves with bands, told apart by colour, line and mark, named at their ends.

    Make one by `from_top_k`, `from_acceptability`, `from_few_shot`, `from_runs` or the
    constructor.

    Parameters
    ----------
    lines : sequence of Line
        The curves.
    x_label, y_label : str
        What the axes show.
    log_x : bool, default=False
        Whether the x axis is logarithmic, with a tick at each point.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Examples
    --------
    >>> from tweetclf.analysis.displays import CurvesDisplay
    >>> from tweetclf.analysis.displays.lines import Line
    >>> CurvesDisplay(lines=[Line("a", [1, 2], [0.5, 0.6])]).log_x
    False
    """

    def __init__(
        self,
        *,
        lines: Sequence[Line],
        x_label: str = "",
        y_label: str = "",
        log_x: bool = False,
    ) -> None:
        self.lines = lines
        self.x_label = x_label
        self.y_label = y_label
        self.log_x = log_x

    @classmethod
    def from_top_k(
        cls, found: TopKAccuracy, *, ax: Axes | None = None
    ) -> CurvesDisplay:
        """Draw the top-k accuracies of models.

        Parameters
        ----------
        found : TopKAccuracy
            Of `top_k_accuracy`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        lines = [
            Line(name, found.ks, y, low, high)
            for name, y, low, high in zip(
                found.models, found.accuracy, found.low, found.high, strict=True
            )
        ]
        return cls(
            lines=lines,
            x_label="K, logarithmic",
            y_label="share of hidden words among the K best",
            log_x=True,
        ).plot(ax)

    @classmethod
    def from_acceptability(
        cls, found: Mapping[str, Acceptability], *, ax: Axes | None = None
    ) -> CurvesDisplay:
        """Draw the shares of accepted texts by rank.

        Parameters
        ----------
        found : mapping of str to Acceptability
            Name of the model -> what `score_judgements` returned.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        return cls(
            lines=[Line(n, f.ks, f.scores, f.low, f.high) for n, f in found.items()],
            x_label="rank of the replacement, logarithmic",
            y_label="share of texts judged acceptable",
            log_x=True,
        ).plot(ax)

    @classmethod
    def from_few_shot(
        cls, found: FewShotCurve, *, ax: Axes | None = None
    ) -> CurvesDisplay:
        """Draw scores by the number of examples of each class.

        Parameters
        ----------
        found : FewShotCurve
            Of `few_shot_curve`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        lines = [
            Line(name, found.sizes, y, y - margin, y + margin)
            for name, y, margin in zip(
                found.systems, found.mean, found.margin, strict=True
            )
        ]
        return cls(
            lines=lines,
            x_label="examples of each class, logarithmic",
            y_label=f"{found.metric} (mean, {100 * found.level:g} % interval)",
            log_x=True,
        ).plot(ax)

    @classmethod
    def from_runs(
        cls,
        runs: Sequence[PretrainingRun],
        quantity: str = "loss",
        *,
        smoothing: float = 0.9,
        ax: Axes | None = None,
    ) -> CurvesDisplay:
        """Draw a quantity of pre-training runs over their steps.

        Parameters
        ----------
        runs : sequence of PretrainingRun
            The runs; those that never measured it are left out.
        quantity : str, default="loss"
            What is drawn.
        smoothing : float, default=0.9
            Weight of the past in the moving average; the raw values are drawn thin.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        lines = []
        for run in runs:
            if quantity not in run.values:
                continue
            steps, values = run.known(quantity)
            lines.append(
                Line(run.name, steps, smooth(values, smoothing), raw=values)
                if smoothing
                else Line(run.name, steps, values)
            )
        return cls(lines=lines, x_label="step", y_label=quantity).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        names = [line.name for line in self.lines] or [""]
        right = max(text_width(name, style.size, _WIDTH) for name in names) / 72 + 0.35
        return 5.2 + right, 4.0, (0.65, 0.65, right, 0.4)

    def _paint(self, ax: Axes, style: Style) -> None:
        drawn = [_Points.of(line) for line in self.lines]
        drawn = [points for points in drawn if len(points.x)]
        if not drawn:
            raise ValueError("CurvesDisplay: there is no line to draw.")
        bare(ax, style)
        self._scales(ax, drawn)
        ax.grid(color=style.line, linewidth=1)
        title_axes(ax, style, self.x_label, self.y_label)
        for position, points in enumerate(drawn):
            _draw(ax, style, position, points)
        _name_ends(ax, style, drawn)

    def _scales(self, ax: Axes, drawn: Sequence[_Points]) -> None:
        xs = np.unique(np.concatenate([p.x for p in drawn]))
        ys = np.concatenate([v for p in drawn for v in (p.y, p.low, p.high, p.raw)])
        ax.set_ylim(*limits(ys[np.isfinite(ys)].tolist(), 0.08))
        if self.log_x:
            ax.set_xscale("log")
            ax.set_xlim(xs[0] / 1.15, xs[-1] * 1.15)
            ticks = _apart(xs)
            ax.set_xticks(ticks, [format_count(t) for t in ticks], minor=False)
            ax.minorticks_off()
        else:
            ax.set_xlim(*limits([float(xs[0]), float(xs[-1])], 0.02))
            ax.xaxis.set_major_locator(locator(5))
            ax.xaxis.set_major_formatter(lambda value, _: format_count(value))
        ax.yaxis.set_major_locator(locator(5))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")


@dataclass(frozen=True)
class _Points:
    name: str
    x: Floats
    y: Floats
    low: Floats
    high: Floats
    raw: Floats

    @classmethod
    def of(cls, line: Line) -> _Points:
        """Return the points of a line as arrays, thinned where they are many."""
        x = np.asarray(line.x, dtype=np.float64)
        nothing = np.full(len(x), np.nan)
        kept = np.arange(len(x))
        if len(x) > _MOST_POINTS:
            kept = np.unique(np.linspace(0, len(x) - 1, _MOST_POINTS).round())
            kept = kept.astype(np.int64)
        rest = [
            (nothing if v is None else np.asarray(v, dtype=np.float64))[kept]
            for v in (line.y, line.low, line.high, line.raw)
        ]
        return cls(line.name, x[kept], *rest)


def _apart(ticks: Floats, least: float = 1.35) -> list[float]:
    """Keep ticks far enough apart to be read, on a logarithmic axis."""
    kept: list[float] = []
    for tick in ticks.tolist():
        if not kept or tick / kept[-1] >= least:
            kept.append(tick)
    return kept


def _look(style: Style, position: int) -> dict[str, Any]:
    return {**series(position), "color": series_colour(style, position)}


def _draw(ax: Axes, style: Style, position: int, points: _Points) -> None:
    look = _look(style, position)
    colour = look["color"]
    if np.isfinite(points.low + points.high).any():
        ax.fill_between(
            points.x, points.low, points.high, color=colour, alpha=0.14, linewidth=0
        )
        for end in (points.low, points.high):
            # In grey the band may be lost; its ends are not.
            ax.plot(points.x, end, color=colour, linewidth=0.7, linestyle=":")
    if np.isfinite(points.raw).any():
        ax.plot(points.x, points.raw, color=colour, linewidth=0.6, alpha=0.35)
    every = max(1, len(points.x) // _MOST_MARKS)
    ax.plot(
        points.x,
        points.y,
        linewidth=1.8,
        markersize=6,
        markevery=every,
        **look,
    )


def _name_ends(ax: Axes, style: Style, drawn: Sequence[_Points]) -> None:
    """Write the names beside the right ends of the lines, none on another."""
    from matplotlib.transforms import offset_copy

    scale = 72 / ax.figure.dpi
    line = 1.25 * style.size
    ends = np.array(
        [ax.transData.transform((p.x[-1], p.y[-1]))[1] * scale for p in drawn]
    )
    order = np.argsort(ends, kind="stable")
    heights = ends.copy()
    for below, above in zip(order, order[1:], strict=False):
        heights[above] = max(heights[above], heights[below] + line)
    # The stack grew upwards only; it belongs around the ends.
    heights -= (heights - ends).mean()
    for i, points in enumerate(drawn):
        where = offset_copy(
            ax.get_yaxis_transform(),
            ax.figure,  # type: ignore[arg-type]
            8,
            heights[i] - ends[i],
            units="points",
        )
        look = _look(style, i)
        ax.plot(
            [1.0],
            [points.y[-1]],
            marker=look["marker"],
            color=look["color"],
            markersize=5,
            transform=where,
            clip_on=False,
        )
        style.write(
            ax,
            1.0,
            points.y[-1],
            points.name,
            width=_WIDTH,
            transform=offset_copy(
                where,
                ax.figure,  # type: ignore[arg-type]
                7,
                0,
                units="points",
            ),
            ha="left",
            va="center_baseline",
            fontsize=style.size,
            color=style.ink,
        )
