"""Score against cost: which systems are worth what they take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._costs import COSTS, cost_scales
from tweetclf.reports.displays._style import MARGINS, Margins, Style, bare, title_axes
from tweetclf.reports.formatting import (
    display_width,
    finite,
    format_seconds,
    make_safe,
    shorten,
)
from tweetclf.reports.placement import Box, Placed, place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.leaderboard.boards import TaskBoard
    from tweetclf.tasks import Metric

__all__ = ["ParetoDisplay"]

MOST = 22  # columns of a name


class ParetoDisplay(Display):
    """Score against cost of many systems, with intervals and the Pareto front.

    A system is on the front if no other is at least as good and as cheap, and better
    or cheaper. Make a display by `from_board`, `from_predictions` or the constructor.

    Parameters
    ----------
    systems : sequence of str
        Names.
    cost : array-like of shape (n_systems,)
        What each takes, above 0.
    score : array-like of shape (n_systems,)
        How good each is.
    low, high : array-like of shape (n_systems,), optional
        Ends of the interval of each score; NaN where there is none.
    greater_is_better : bool, default=True
        Whether a higher score is better.
    score_label : str, default="score"
        What the score is.
    cost_label : str, default="cost"
        What the cost is.
    format_cost : callable, optional
        Writes a cost for people; with `format_seconds` of
        :mod:`tweetclf.reports.formatting` the ticks are round times.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Examples
    --------
    >>> from tweetclf.reports.displays import ParetoDisplay
    >>> display = ParetoDisplay(
    ...     systems=["majority", "nbsvm", "slow", "transformer"],
    ...     cost=[0.01, 1.0, 20.0, 900.0], score=[0.3, 0.6, 0.55, 0.7],
    ... )
    >>> display.front
    ('majority', 'nbsvm', 'transformer')
    """

    def __init__(
        self,
        *,
        systems: Sequence[str],
        cost: ArrayLike,
        score: ArrayLike,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
        greater_is_better: bool = True,
        score_label: str = "score",
        cost_label: str = "cost",
        format_cost: Callable[[float], str] | None = None,
    ) -> None:
        self.systems = systems
        self.cost = cost
        self.score = score
        self.low = low
        self.high = high
        self.greater_is_better = greater_is_better
        self.score_label = score_label
        self.cost_label = cost_label
        self.format_cost = format_cost

    @classmethod
    def from_board(
        cls, board: TaskBoard, *, cost: str = "fit_seconds", ax: Axes | None = None
    ) -> ParetoDisplay:
        """Draw the ranked systems of a task.

        Parameters
        ----------
        board : TaskBoard
            One of the boards of a `Leaderboard`.
        cost : str, default="fit_seconds"
            Attribute of :class:`tweetclf.leaderboard.Cost`, mean over seeds.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ParetoDisplay
            The display. Systems without a score or a measured cost are left out.
        """
        from tweetclf.reports.wording import metric_words

        if cost not in COSTS:
            raise ValueError(
                f"ParetoDisplay: the 'cost' parameter must be one of "
                f"{', '.join(COSTS)}. Got {cost!r} instead."
            )
        known = [
            (entry, taken)
            for entry in board.entries
            if finite(entry.score) is not None
            and (taken := finite(entry.mean_cost(cost))) is not None
        ]
        least = 1e-3 if cost.endswith("_seconds") else 1.0
        words = metric_words(board.facts.metric, board.facts.greater_is_better)
        label, written = COSTS[cost]
        return cls(
            systems=[entry.system for entry, _ in known],
            cost=[max(taken, least) for _, taken in known],
            score=[entry.score for entry, _ in known],
            low=[entry.low for entry, _ in known],
            high=[entry.high for entry, _ in known],
            greater_is_better=board.facts.greater_is_better,
            score_label=f"{words.short} ({words.direction})",
            cost_label=label,
            format_cost=written,
        ).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        predictions: Mapping[str, Any],
        cost: Mapping[str, float],
        *,
        metric: Metric,
        cost_label: str = "time to train",
        format_cost: Callable[[float], str] | None = format_seconds,
        n_resamples: int = 2000,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> ParetoDisplay:
        """Score predictions, with 95 % bootstrap intervals, and draw.

        Parameters
        ----------
        y_true : array-like
            Gold labels.
        predictions : mapping of str to array-like
            Predictions of each system.
        cost : mapping of str to float
            What each system takes, e.g. seconds to train.
        metric : Metric
            The metric.
        cost_label : str, default="time to train"
            What the cost is.
        format_cost : callable, optional
            Writes a cost for people; by default as a time.
        n_resamples : int, default=2000
            Bootstrap resamples, the same tweets for all systems.
        random_state : int, default=0
            Seed of the resamples.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ParetoDisplay
            The display.
        """
        from tweetclf.leaderboard.statistics import (
            bootstrap_scores,
            percentile_interval,
        )
        from tweetclf.reports.wording import metric_words

        missing = [name for name in predictions if name not in cost]
        if missing:
            raise ValueError(
                f"ParetoDisplay: the 'cost' parameter has no entry for {missing[0]!r}."
            )
        drawn = bootstrap_scores(
            metric,
            y_true,
            list(predictions.values()),
            n_resamples=n_resamples,
            rng=np.random.default_rng(random_state),
        )
        ends = [percentile_interval(row) for row in drawn]
        words = metric_words(metric.signature(), metric.greater_is_better)
        return cls(
            systems=list(predictions),
            cost=[cost[name] for name in predictions],
            score=[float(metric(y_true, y_pred)) for y_pred in predictions.values()],
            low=[low for low, _ in ends],
            high=[high for _, high in ends],
            greater_is_better=metric.greater_is_better,
            score_label=f"{words.short} ({words.direction})",
            cost_label=cost_label,
            format_cost=format_cost,
        ).plot(ax)

    @property
    def front(self) -> tuple[str, ...]:
        """Names of the systems on the Pareto front, the cheapest first."""
        names = list(self.systems)
        return tuple(names[i] for i in self._front())

    def _front(self) -> list[int]:
        cost, score = np.asarray(self.cost, float), np.asarray(self.score, float)
        sign = 1.0 if self.greater_is_better else -1.0
        order = np.lexsort((-sign * score, cost))
        found: list[int] = []
        best = (-np.inf, np.inf)  # of the front so far: score, and what it took
        for i in order.tolist():
            better = sign * score[i] > best[0]
            # Equals share their place on the front.
            if better or (sign * score[i], cost[i]) == best:
                found.append(i)
                best = (sign * score[i], cost[i])
        return found

    def plot(
        self,
        ax: Axes | None = None,
        *,
        style: Style | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> ParetoDisplay:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        style : Style, optional
            Colours and letters.
        kinds : mapping of str to str, optional
            Name -> "best" (filled), "tied" (hollow, in the same colour) or "other"
            (grey); by default the systems on the front are filled and others hollow.

        Returns
        -------
        ParetoDisplay
            Itself.
        """
        self._kinds = dict(kinds or {})
        return super().plot(ax, style=style)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 6.4, 4.4, MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        bare(ax, style)
        cost_scales(ax, self._arrays(), self.format_cost)
        ax.grid(color=style.line, linewidth=1)
        title_axes(ax, style, f"{self.cost_label}, logarithmic", self.score_label)
        self._draw_front(ax, style)
        kinds = self._kinds
        front = set(self._front())
        for i, point in enumerate(self._arrays().T.tolist()):
            kind = kinds[self.systems[i]] if kinds else "best" if i in front else ""
            _draw_point(ax, style, point, kind)
        self._draw_names(ax, style, kinds)

    def _arrays(self) -> np.ndarray:
        """Return cost, score, low and high as rows; ends that are missing are NaN."""
        nothing = np.full(len(self.systems), np.nan)
        ends = [nothing if e is None else e for e in (self.low, self.high)]
        rows = np.array([self.cost, self.score, *ends], dtype=np.float64)
        if not (rows[0] > 0).all() or not np.isfinite(rows[:2]).all():
            raise ValueError(
                "ParetoDisplay needs finite scores, and finite costs above 0: the axis "
                "of the costs is logarithmic."
            )
        return rows

    def _draw_front(self, ax: Axes, style: Style) -> None:
        """Draw the front as steps: what is the best that a cost buys."""
        cost, score = self._arrays()[:2, self._front()]
        ax.plot(
            [*cost, ax.get_xlim()[1]],
            [*score, score[-1]],
            drawstyle="steps-post",
            color=style.second,
            linestyle=(0, (4, 2)),
            linewidth=1.3,
            zorder=1.5,
        )

    def _draw_names(self, ax: Axes, style: Style, kinds: Mapping[str, str]) -> None:
        """Write the names of the points where they hide least."""
        # In points from here on: letters have their size in points, too.
        scale = 72 / ax.figure.dpi
        cost, score, low, high = self._arrays()

        def pixels(y: np.ndarray) -> np.ndarray:
            return ax.transData.transform(np.column_stack([cost, y])) * scale

        points = [(float(x), float(y)) for x, y in pixels(score)]
        shown = [shorten(make_safe(system), MOST) for system in self.systems]
        size = style.size
        sizes = [(display_width(text) * size * 0.56, size * 1.3) for text in shown]
        box = ax.get_window_extent()
        left, bottom, right, top = (float(v) * scale for v in box.extents)
        ends = zip(pixels(low).tolist(), pixels(high).tolist(), strict=True)
        lines = [_box(a, b) for a, b in ends if math.isfinite(a[1] + b[1])]
        lines += _steps([points[i] for i in self._front()], right)
        frame = (left + 2, bottom + 2, right + 18, top + 8)
        places = place_labels(points, sizes, frame, lines)
        for i, place in enumerate(places):
            _draw_name(
                ax,
                style,
                (float(cost[i]), float(score[i])),
                points[i],
                place,
                str(self.systems[i]),
                kinds.get(str(self.systems[i])) == "best",
            )


def _box(a: Sequence[float], b: Sequence[float]) -> Box:
    """Return what a straight line takes up, in points."""
    (left, right), (bottom, top) = (sorted(pair) for pair in zip(a, b, strict=True))
    return left - 1, bottom - 1, right + 1, top + 1


def _steps(front: Sequence[tuple[float, float]], right: float) -> list[Box]:
    """Return what the steps of the front take up, up to the right end of the axes."""
    boxes = []
    for place, (x, y) in enumerate(front):
        following = front[place + 1] if place + 1 < len(front) else (right, y)
        corner = following[0], y
        boxes += [_box((x, y), corner), _box(corner, following)]
    return boxes


def _draw_point(ax: Axes, style: Style, point: Sequence[float], kind: str) -> None:
    cost, score, low, high = point
    colour = style.accent if kind in {"best", "tied"} else style.muted
    if math.isfinite(low + high):
        ax.plot(
            [cost, cost],
            [low, high],
            color=colour,
            linewidth=1.6,
            solid_capstyle="round",
            zorder=2,
        )
    ax.plot(
        [cost],
        [score],
        "o",
        markersize=8,
        markerfacecolor=style.paper if kind in {"tied", ""} else colour,
        markeredgecolor=colour,
        markeredgewidth=1.8,
        clip_on=False,
        zorder=3,
    )


def _draw_name(
    ax: Axes,
    style: Style,
    at: tuple[float, float],
    point: tuple[float, float],
    place: Placed,
    name: str,
    bold: bool,
) -> None:
    """Write a name at an offset from its point, so that it moves with it."""
    from matplotlib.transforms import offset_copy

    offset = place.x - point[0], place.y - point[1]
    if place.leader:
        ax.annotate(
            "",
            at,
            offset,
            textcoords="offset points",
            arrowprops={
                "arrowstyle": "-",
                "color": style.muted,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 4,
            },
            zorder=1,
        )
    style.write(
        ax,
        *at,
        name,
        width=MOST,
        transform=offset_copy(
            ax.transData,
            ax.figure,  # type: ignore[arg-type]
            *offset,
            units="points",
        ),
        ha=place.align,
        va="center_baseline",
        fontsize=style.size,
        color=style.ink,
        weight="bold" if bold else "normal",
    )
