"""The display of learning curves, on matplotlib axes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

matplotlib = pytest.importorskip("matplotlib")

from matplotlib.figure import Figure  # noqa: E402

from tweetclf.leaderboard.learning import LearningCurve  # noqa: E402
from tweetclf.reports.displays import LearningCurveDisplay  # noqa: E402
from tweetclf.tasks import get_metric  # noqa: E402

SIZES = np.array([250, 500, 1000, 2000, 4000])


@pytest.fixture
def ax():
    return Figure(figsize=(6, 4)).add_subplot()


def _scores(noise: float = 0.003) -> np.ndarray:
    rng = np.random.default_rng(0)
    return 0.8 - 3.0 * SIZES**-0.45 + rng.normal(0, noise, (5, len(SIZES)))


def test_points_curve_and_continuation(ax) -> None:
    display = LearningCurveDisplay.from_scores(SIZES, _scores(), ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.fitted is not None
    lines = {line.get_marker(): line for line in ax.lines}
    np.testing.assert_allclose(lines["o"].get_ydata(), _scores().mean(axis=0))
    styles = {line.get_linestyle() for line in ax.lines}
    # Told apart without colour: solid, dashed and dotted.
    assert {"-", "--", ":"} <= styles
    assert ax.get_xscale() == "log"
    right = max(float(np.max(line.get_xdata())) for line in ax.lines)
    assert right == pytest.approx(8000)


def test_what_cannot_be_followed_has_no_line(ax) -> None:
    flat = np.full((4, len(SIZES)), 0.7)
    display = LearningCurveDisplay.from_curve(LearningCurve(SIZES, flat), ax=ax)
    assert display.fitted is None
    assert "flat" in display.note
    assert {line.get_marker() for line in ax.lines} == {"o", "_"}


def test_from_predictions(ax) -> None:
    rng = np.random.default_rng(1)
    gold = rng.integers(2, size=400)

    def wrong(share: float) -> np.ndarray:
        return np.where(rng.random(400) < share, 1 - gold, gold)

    shares = {250: 0.4, 500: 0.34, 1000: 0.29, 2000: 0.25, 4000: 0.22}
    predictions = {n: [wrong(share) for _ in range(4)] for n, share in shares.items()}
    display = LearningCurveDisplay.from_predictions(
        gold, predictions, metric=accuracy_score, ax=ax
    )
    expected = [accuracy_score(gold, y) for y in predictions[250]]
    assert display.curve.scores[:, 0].tolist() == expected
    rmse = get_metric("rmse")
    other = LearningCurveDisplay.from_predictions(
        gold.astype(float),
        {n: [y.astype(float) for y in found] for n, found in predictions.items()},
        metric=rmse,
        ax=ax,
    )
    assert not other.curve.greater_is_better
    predictions[250].pop()
    with pytest.raises(ValueError, match="as many repeats"):
        LearningCurveDisplay.from_predictions(gold, predictions, metric=accuracy_score)


def test_without_axes_pyplot_makes_some() -> None:
    import matplotlib.pyplot as plt

    previous = plt.get_backend()
    plt.switch_backend("agg")
    try:
        display = LearningCurveDisplay.from_scores(SIZES, _scores(), until=16_000)
        assert display.until == 16_000
        plt.close(display.figure_)
    finally:
        plt.switch_backend(previous)
