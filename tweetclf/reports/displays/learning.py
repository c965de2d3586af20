"""Learning curves: what was measured, and where more labels would lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.learning import (
    MAX_RATIO,
    FittedCurve,
    LearningCurve,
    fit_learning_curve,
)
from tweetclf.reports.axes import limits, locator
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import MARGINS, Margins, Style, bare, title_axes
from tweetclf.reports.formatting import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.tasks import Metric

__all__ = ["LearningCurveDisplay"]

_N_POINTS = 80


class LearningCurveDisplay(Display):
    """Scores by number of labels, the fitted curve, and its continuation.

    Dots are means, thin marks the single repeats. The solid line is the fitted curve
    within what was measured; the dashed line and its band, with the ends hatched by
    thin lines, are the extrapolation with its interval. Make a display by
    `from_scores`, `from_predictions`, `from_curve` or the constructor.

    Parameters
    ----------
    curve : LearningCurve
        What was measured.
    fitted : FittedCurve, optional
        The curve fitted to it.
    until : int, optional
        Labels up to which `fitted` is followed; by default twice the largest size.
    level : float, default=0.95
        Nominal coverage of the band.
    score_label : str, default="score"
        What the score is.
    note : str, default=""
        Why there is no fitted curve.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.learning import LearningCurve
    >>> from tweetclf.reports.displays.learning import LearningCurveDisplay
    >>> curve = LearningCurve([100, 200], [[0.5, 0.6], [0.55, 0.62]])
    >>> LearningCurveDisplay(curve=curve).until
    400
    """

    def __init__(
        self,
        *,
        curve: LearningCurve,
        fitted: FittedCurve | None = None,
        until: int | None = None,
        level: float = 0.95,
        score_label: str = "score",
        note: str = "",
    ) -> None:
        largest = int(curve.sizes[-1])
        self.curve = curve
        self.fitted = fitted
        self.until = 2 * largest if until is None else max(int(until), largest)
        self.level = level
        self.score_label = score_label
        self.note = note

    @classmethod
    def from_curve(
        cls,
        curve: LearningCurve,
        *,
        until: int | None = None,
        level: float = 0.95,
        score_label: str = "score",
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> LearningCurveDisplay:
        """Fit a curve, where it may be, and draw it.

        Parameters
        ----------
        curve : LearningCurve
            What was measured.
        until : int, optional
            Labels up to which it is followed, at most four times the largest size.
        level : float, default=0.95
            Nominal coverage of the band.
        score_label : str, default="score"
            What the score is.
        random_state : int, default=0
            Seed of the bootstrap.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        LearningCurveDisplay
            The display. Where the curve must not be followed, it has no line, and
            `note` says why.
        """
        fitted, note = None, ""
        try:
            fitted = fit_learning_curve(curve, rng=np.random.default_rng(random_state))
        except DataError as error:
            note = str(error)
        display = cls(
            curve=curve,
            fitted=fitted,
            until=until,
            level=level,
            score_label=score_label,
            note=note,
        )
        return display.plot(ax)

    @classmethod
    def from_scores(
        cls,
        sizes: ArrayLike,
        scores: ArrayLike,
        *,
        greater_is_better: bool = True,
        ax: Axes | None = None,
        **options: Any,
    ) -> LearningCurveDisplay:
        """Draw scores that were measured.

        Parameters
        ----------
        sizes : array-like of int, shape (n_sizes,)
            Numbers of labels, ascending; as ``train_sizes_abs`` of
            :func:`sklearn.model_selection.learning_curve`.
        scores : array-like of shape (n_repeats, n_sizes)
            Scores; the transpose of its ``test_scores``.
        greater_is_better : bool, default=True
            Direction of the score.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        **options
            As of `from_curve`.
        """
        curve = LearningCurve(sizes, scores, greater_is_better)
        return cls.from_curve(curve, ax=ax, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        predictions: Mapping[int, Sequence[Any]],
        *,
        metric: Metric | Callable[[Any, Any], float],
        ax: Axes | None = None,
        **options: Any,
    ) -> LearningCurveDisplay:
        """Score predictions of models trained on ever more labels, and draw.

        Parameters
        ----------
        y_true : array-like
            Gold labels of the scored tweets.
        predictions : mapping of int to sequence of array-like
            Number of labels -> predictions of each repeat, as many for every size.
        metric : Metric or callable
            Called with gold labels and predictions.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        **options
            As of `from_curve`.
        """
        sizes = sorted(predictions)
        counts = {len(predictions[size]) for size in sizes}
        if len(counts) != 1:
            raise ValueError(
                "LearningCurveDisplay: predictions must have as many repeats for every "
                f"size. Got {sorted(counts)} repeats."
            )
        scores = [[float(metric(y_true, y)) for y in predictions[s]] for s in sizes]
        better = bool(getattr(metric, "greater_is_better", True))
        curve = LearningCurve(sizes, np.array(scores).T, better)
        return cls.from_curve(curve, ax=ax, **options)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 6.4, 4.2, MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        bare(ax, style)
        self._scales(ax)
        ax.grid(color=style.line, linewidth=1)
        title_axes(ax, style, "labels, logarithmic", self.score_label)
        if self.fitted is not None:
            self._draw_fit(ax, style, self.fitted)
        self._draw_points(ax, style)

    def _ahead(self) -> np.ndarray:
        """Return the sizes at which the continuation is drawn."""
        largest = float(self.curve.sizes[-1])
        stop = min(float(self.until), MAX_RATIO * largest)
        return np.geomspace(largest, stop, _N_POINTS)

    def _scales(self, ax: Axes) -> None:
        sizes = self.curve.sizes
        right = float(self.until if self.fitted is not None else sizes[-1])
        values = [self.curve.scores.ravel()]
        if self.fitted is not None:
            values += self.fitted.band(self._ahead(), self.level)
        ax.set_xscale("log")
        ax.set_xlim(float(sizes[0]) / 1.15, right * 1.15)
        ax.set_ylim(*limits(np.concatenate(values).tolist(), 0.08))
        ticks = _thinned([*sizes.tolist(), *([right] if right > sizes[-1] else [])])
        ax.set_xticks(ticks, [format_count(t) for t in ticks], minor=False)
        ax.minorticks_off()
        ax.yaxis.set_major_locator(locator(5))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")

    def _draw_fit(self, ax: Axes, style: Style, fitted: FittedCurve) -> None:
        sizes = self.curve.sizes
        inside = np.geomspace(float(sizes[0]), float(sizes[-1]), _N_POINTS)
        ax.plot(inside, fitted.predict(inside), color=style.accent, linewidth=1.8)
        ahead = self._ahead()
        if ahead[-1] <= ahead[0]:
            return
        low, high = fitted.band(ahead, self.level)
        ax.fill_between(ahead, low, high, color=style.second, alpha=0.16, linewidth=0)
        for end in (low, high):
            # In grey the band may be lost; its ends are not.
            ax.plot(ahead, end, color=style.second, linewidth=0.9, linestyle=":")
        ax.plot(
            ahead,
            fitted.predict(ahead),
            color=style.second,
            linewidth=1.8,
            linestyle=(0, (5, 2)),
        )

    def _draw_points(self, ax: Axes, style: Style) -> None:
        for row in self.curve.scores:
            ax.plot(
                self.curve.sizes,
                row,
                "_",
                markersize=8,
                markeredgecolor=style.muted,
                markeredgewidth=1,
                alpha=0.8,
            )
        ax.plot(
            self.curve.sizes,
            self.curve.mean,
            "o",
            markersize=7,
            markerfacecolor=style.accent,
            markeredgecolor=style.accent,
            clip_on=False,
            zorder=3,
        )


def _thinned(ticks: Sequence[float], least: float = 1.6) -> list[float]:
    """Keep ticks far enough apart to be read, the last one first."""
    kept: list[float] = []
    for tick in sorted(ticks, reverse=True):
        if not kept or kept[-1] / tick >= least:
            kept.append(tick)
    return kept[::-1]
