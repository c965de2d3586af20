"""The reliability diagram: whether a classifier is right as often as it believes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.leaderboard.statistics import measure_calibration
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    MARGINS,
    Margins,
    Style,
    bare,
    title_axes,
    width_in_points,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.leaderboard.statistics import Calibration

__all__ = ["ReliabilityDisplay"]

# Height of the longest bar, as a share of the axes.
_TALLEST = 0.16


class ReliabilityDisplay(Display):
    """Share of right predictions against the probability they were made with.

    Make one by `from_predictions` or `from_estimator`.

    Parameters
    ----------
    confidence : array-like of shape (n_bins,)
        Mean predicted probability of each bin.
    accuracy : array-like of shape (n_bins,)
        Share of tweets of the bin that came true.
    count : array-like of shape (n_bins,)
        Tweets of each bin.
    ece : float
        Expected calibration error: mean gap of the bins, weighted by their tweets.
    brier : float
        Brier score: mean squared error of the probabilities.
    name : str, default=""
        What made the probabilities.
    label : str, default="predicted probability"
        What is predicted, under the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Notes
    -----
    The expected calibration error depends on the bins: with ``strategy="uniform"`` they
    are equally wide, and few tweets may decide one; with ``"quantile"`` (adaptive) they
    hold equally many. It is biased upwards on few tweets. The Brier score needs no
    bins, and is 0 at best; of two classes, it is at most 1, of more, at most 2.

    References
    ----------
    Brier, Verification of forecasts expressed in terms of probability, Monthly Weather
    Review 78, 1950; Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural
    Networks, ICML 2017, section 2 (the confidence of the predicted class, equal bins);
    Nguyen & O'Connor, Posterior calibration and exploratory analysis for natural
    language processing models, EMNLP 2015, section 3.2 (adaptive bins).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import ReliabilityDisplay
    >>> display = ReliabilityDisplay.from_predictions(
    ...     ["yes", "no", "yes", "no"], [0.9, 0.9, 0.8, 0.3], labels=("no", "yes"),
    ...     n_bins=5, ax=Figure().subplots(),
    ... )
    >>> display.count.tolist(), round(display.ece, 3), round(display.brier, 4)
    ([1, 1, 2], 0.325, 0.2375)
    """

    def __init__(
        self,
        *,
        confidence: ArrayLike,
        accuracy: ArrayLike,
        count: ArrayLike,
        ece: float,
        brier: float,
        name: str = "",
        label: str = "predicted probability",
    ) -> None:
        self.confidence = np.asarray(confidence, dtype=np.float64)
        self.accuracy = np.asarray(accuracy, dtype=np.float64)
        self.count = np.asarray(count, dtype=np.int64)
        self.ece = ece
        self.brier = brier
        self.name = name
        self.label = label
        self._compact = False

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_bins: int = 10,
        strategy: str = "uniform",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> ReliabilityDisplay:
        """Let a fitted classifier predict probabilities, and draw.

        Parameters
        ----------
        estimator : classifier
            Fitted, with ``predict_proba``.
        X : sequence of str
            Texts.
        y : array-like
            Their labels.
        n_bins : int, default=10
            Number of bins.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins that are equally wide, or that hold equally many tweets.
        name : str, optional
            Name of the classifier; by default that of its class.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"ReliabilityDisplay needs probabilities; {type(estimator).__name__} "
                "has no predict_proba. Wrap it in sklearn.calibration."
                "CalibratedClassifierCV, or take a logistic regression."
            )
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            labels=[str(label) for label in estimator.classes_],
            n_bins=n_bins,
            strategy=strategy,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_proba: ArrayLike,
        *,
        labels: Sequence[str],
        n_bins: int = 10,
        strategy: str = "uniform",
        name: str = "",
        ax: Axes | None = None,
    ) -> ReliabilityDisplay:
        """Bin predicted probabilities and draw.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Gold labels.
        y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
            Probability of the second of two labels, which is then what the diagram is
            about; or of every label, in order: the diagram is then about the label
            with the highest one (of equals, the first).
        labels : sequence of str
            The labels in order.
        n_bins : int, default=10
            Number of bins; empty ones are left out.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins that are equally wide, or that hold equally many tweets.
        name : str, default=""
            What made the probabilities.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        ReliabilityDisplay
            The display.

        Raises
        ------
        ValueError
            If a label is unknown, or the probabilities are none.
        """
        proba = np.asarray(y_proba, dtype=np.float64)
        codes = _codes(y_true, [str(label) for label in labels])
        _check(proba, codes, len(labels))
        found = measure_calibration(codes, proba, n_bins=n_bins, strategy=strategy)
        label = "probability of the predicted label"
        if proba.ndim == 1:
            label = f"predicted probability of {labels[1]}"
        return cls._of(found, name, label).plot(ax)

    @classmethod
    def _of(cls, found: Calibration, name: str, label: str) -> ReliabilityDisplay:
        """Make a display of what was measured, without drawing it."""
        return cls(
            confidence=found.confidence,
            accuracy=found.accuracy,
            count=found.count,
            ece=found.ece,
            brier=found.brier,
            name=name,
            label=label,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        style: Style | None = None,
        compact: bool = False,
    ) -> ReliabilityDisplay:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        style : Style, optional
            Colours and letters.
        compact : bool, default=False
            Draw a small panel, one of several: its head is the name and the error, and
            nothing is written on the axes.

        Returns
        -------
        ReliabilityDisplay
            Itself.
        """
        self._compact = compact
        return super().plot(ax, style=style)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 4.65, 4.85, MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        bare(ax, style)
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.02)
        ax.set_aspect("equal")
        ticks = [0, 0.5, 1] if self._compact else [0, 0.2, 0.4, 0.6, 0.8, 1]
        labels = [f"{tick:g}" for tick in ticks]
        ax.set_xticks(ticks, labels)
        ax.set_yticks(ticks, labels)
        ax.grid(color=style.line, linewidth=1)
        ax.plot([0, 1], [0, 1], color=style.ink, linewidth=1, linestyle=(0, (4, 2)))
        self._draw_counts(ax, style)
        self._draw_bins(ax, style)
        if self._compact:
            self._head(ax, style)
            return
        what = f"{self.name}: " if self.name else ""
        said = f"{what}ECE {self.ece:.3f}, Brier score {self.brier:.3f}"
        title_axes(ax, style, self.label, said)
        self._say_most(ax, style)

    def _head(self, ax: Axes, style: Style) -> None:
        """Write name and error above a small panel, cut to its width."""
        from matplotlib.transforms import offset_copy

        width = int(width_in_points(ax) / (0.58 * style.size))
        heads = [
            (20.0, self.name, style.ink, "bold"),
            (6.0, f"ECE {self.ece:.3f}", style.muted, "normal"),
        ]
        for offset, text, colour, weight in heads:
            where = offset_copy(
                ax.transAxes,
                ax.figure,  # type: ignore[arg-type]
                0.0,
                offset,
                units="points",
            )
            style.write(
                ax,
                0.0,
                1.0,
                text,
                width=width,
                transform=where,
                ha="left",
                va="bottom",
                color=colour,
                weight=weight,
                fontsize=style.size - 0.5,
            )

    def _draw_bins(self, ax: Axes, style: Style) -> None:
        """Draw the shares with Wilson's intervals, 95 %."""
        low, high = self.intervals
        thin = self._compact
        line = 1.3 if thin else 1.6
        ax.vlines(self.confidence, low, high, color=style.accent, linewidth=line)
        ax.plot(
            self.confidence,
            self.accuracy,
            "o-",
            color=style.accent,
            linewidth=line,
            markersize=4.5 if thin else 7,
            clip_on=False,
        )

    @property
    def intervals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends of Wilson's intervals of the shares, 95 %."""
        from tweetclf.tasks.published import wilson_interval

        ends = np.array(
            [
                wilson_interval(float(share), int(n))
                for share, n in zip(self.accuracy, self.count, strict=True)
            ]
        )
        return ends[:, 0], ends[:, 1]

    def _draw_counts(self, ax: Axes, style: Style) -> None:
        """Draw how many tweets each bin has, as bars at the bottom."""
        heights = _TALLEST * self.count / self.count.max()
        ax.bar(
            self.confidence,
            heights + 0.02,
            bottom=-0.02,
            width=0.05 if self._compact else 0.03,
            color=style.muted,
            alpha=0.35,
            linewidth=0,
        )

    def _say_most(self, ax: Axes, style: Style) -> None:
        ax.text(
            1.0,
            0.01 + _TALLEST,
            f"bars: tweets, at most {self.count.max():,}",
            ha="right",
            va="bottom",
            color=style.muted,
            fontsize=style.size - 1.5,
        )


def _codes(y_true: Any, labels: Sequence[str]) -> NDArray[np.int64]:
    order = {label: code for code, label in enumerate(labels)}
    try:
        return np.array([order[str(label)] for label in y_true], dtype=np.int64)
    except KeyError as error:
        raise ValueError(
            f"ReliabilityDisplay: the gold label {error.args[0]!r} is none of the "
            f"labels {', '.join(labels)}."
        ) from None


def _check(proba: NDArray[np.float64], codes: NDArray[np.int64], n: int) -> None:
    expected: list[tuple[int, ...]] = [(len(codes), n)]
    if n == 2:
        expected.insert(0, (len(codes),))
    if proba.shape not in expected or not len(codes):
        raise ValueError(
            f"ReliabilityDisplay: y_proba has shape {proba.shape}; for {len(codes)} "
            f"tweets and {n} labels it must be "
            f"{' or '.join(str(shape) for shape in expected)}, and not empty."
        )
