"""Loss of a language model while it is adapted, with and without migration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    MARGINS,
    Margins,
    Style,
    bare,
    series,
    title_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AdaptationCurvesDisplay"]

_NAMES = {
    "none": "no migration: all rows random",
    "random": "shared rows copied, others random",
    "mean": "shared rows copied, others means",
}


class AdaptationCurvesDisplay(Display):
    """Losses by step, one line a variant: thin in training, dots on held-out texts.

    Make one by `from_comparison`.

    Parameters
    ----------
    held_out : mapping of str to sequence of (int, float)
        Steps and losses on held-out texts, by variant.
    training : mapping of str to sequence of (int, float)
        Steps and losses in training, by variant.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import AdaptationCurvesDisplay
    >>> display = AdaptationCurvesDisplay(
    ...     held_out={"mean": [(0, 6.0), (9, 4.0)]}, training={"mean": [(9, 4.5)]})
    >>> display.plot(Figure().subplots()).held_out["mean"][-1]
    (9, 4.0)
    """

    def __init__(
        self,
        *,
        held_out: Mapping[str, Sequence[tuple[int, float]]],
        training: Mapping[str, Sequence[tuple[int, float]]],
    ) -> None:
        self.held_out = {name: list(points) for name, points in held_out.items()}
        self.training = {name: list(points) for name, points in training.items()}

    @classmethod
    def from_comparison(
        cls, compared: Mapping[str, Any], *, ax: Axes | None = None
    ) -> AdaptationCurvesDisplay:
        """Draw what `tweetclf.pretraining.compare_migrations` returns.

        Parameters
        ----------
        compared : mapping
            The comparison, or what ``comparison.json`` holds.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.

        Returns
        -------
        AdaptationCurvesDisplay
            The display.
        """
        variants = compared["variants"]
        return cls(
            held_out={
                name: [(p["step"], p["nats_per_token"]) for p in found["held_out"]]
                for name, found in variants.items()
            },
            training={
                name: [(p["step"], p["loss"]) for p in found["training"]]
                for name, found in variants.items()
            },
        ).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 6.4, 4.2, MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        if not any(self.held_out.values()):
            raise ValueError("AdaptationCurvesDisplay: there is no loss to draw.")
        bare(ax, style)
        ax.grid(color=style.line, linewidth=1, axis="y")
        for position, (name, points) in enumerate(self.held_out.items()):
            look = series(position)
            trained = self.training.get(name, [])
            ax.plot(
                [step for step, _ in trained],
                [loss for _, loss in trained],
                color=look["color"],
                linewidth=0.8,
                alpha=0.6,
            )
            ax.plot(
                [step for step, _ in points],
                [loss for _, loss in points],
                **look,
                label=_NAMES.get(name, name),
            )
        ax.set_xlim(left=0)
        ax.legend(frameon=False, fontsize=style.size - 1)
        title_axes(
            ax, style, "steps", "nats a token on held-out texts (thin: training)"
        )
