"""The figure of a learning curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tweetclf.reports.axes import WIDTH
from tweetclf.reports.displays._style import page_style
from tweetclf.reports.displays.learning import LearningCurveDisplay
from tweetclf.reports.drawing import Drawing, defaults
from tweetclf.reports.formatting import format_count, format_interval, format_score
from tweetclf.reports.model import Cell, Column, Figure, Row, Table
from tweetclf.reports.wording import MetricWords

if TYPE_CHECKING:
    from tweetclf.leaderboard.advice import Advice

__all__ = ["curve_figure"]

HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 330, 58, 26, 26, 50


def curve_figure(advice: Advice, words: MetricWords, key: str) -> Figure | None:
    """Draw the learning curve of the best baseline, and where it leads."""
    curve, fitted = advice.curve, advice.fitted
    if curve is None:
        return None
    until = max((f.n_to for f in advice.forecasts), default=None)
    display = LearningCurveDisplay(
        curve=curve,
        fitted=fitted,
        until=until,
        score_label=f"{words.short} ({words.direction})",
    )
    title = f"{words.short} of {advice.best} by number of labels on {advice.task}"
    pairs = zip(curve.sizes.tolist(), curve.mean.tolist(), strict=True)
    said = "; ".join(f"{format_count(n)} {format_score(score)}" for n, score in pairs)
    for found in advice.forecasts:
        said += (
            f"; expected with {format_count(found.n_to)} {format_score(found.score)} "
            f"({format_interval(found.score_low, found.score_high)})"
        )
    with defaults():
        drawing = Drawing(key, WIDTH, HEIGHT)
        axes = drawing.axes(LEFT, TOP, RIGHT, BOTTOM)
        display.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"Labels and score: {said}.")
    caption = (
        f"Learning curve of {advice.best}: dots are means over {curve.n_repeats} "
        "orders of the labels, dashes the single ones."
    )
    if fitted is not None:
        caption += (
            " Blue: the fitted curve. Orange, dashed: its continuation, with a 95 % "
            "interval between the dotted lines."
        )
    return Figure(key, svg, f"{title}. {said}.", caption, _data(advice, key))


def _data(advice: Advice, key: str) -> Table:
    """Return the measured scores, and those of the fit and the continuation."""
    curve, fitted = advice.curve, advice.fitted
    assert curve is not None
    columns = (
        Column("kind", "Kind"),
        Column("labels", "Labels", "right", "count"),
        Column("score", "Score", "right", "score"),
        Column("low", "Low", "right", "score"),
        Column("high", "High", "right", "score"),
    )

    def row(kind: str, n: int, *values: float | None) -> Row:
        cells = [Cell(kind, kind), Cell(n, format_count(n))]
        cells += [Cell(value, format_score(value)) for value in values]
        return Row(tuple(cells), "data")

    sizes = curve.sizes.tolist()
    rows = [
        row("mean", n, s, None, None)
        for n, s in zip(sizes, curve.mean.tolist(), strict=True)
    ]
    for number, scores in enumerate(curve.scores.tolist(), start=1):
        for n, score in zip(sizes, scores, strict=True):
            rows.append(row(f"order {number}", n, score, None, None))
    if fitted is not None:
        ahead = [f.n_to for f in advice.forecasts]
        every = [*sizes, *ahead]
        low, high = fitted.band(every)
        for n, *values in zip(
            every,
            fitted.predict(every).tolist(),
            low.tolist(),
            high.tolist(),
            strict=True,
        ):
            kind = "fitted" if n <= sizes[-1] else "expected"
            rows.append(row(kind, n, *values))
    return Table(
        f"{key}-data",
        "Numbers of the figure",
        columns,
        tuple(rows),
        header_column="kind",
    )
