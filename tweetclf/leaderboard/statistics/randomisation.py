"""The test of approximate randomisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tweetclf.leaderboard.statistics.bootstrap import TOLERANCE
from tweetclf.leaderboard.statistics.coding import paired_cells
from tweetclf.leaderboard.statistics.drawing import resample_swaps

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = ["Randomisation", "approximate_randomisation"]


class Randomisation(NamedTuple):
    """Result of `approximate_randomisation`.

    Parameters
    ----------
    difference : float
        Score of the first minus that of the second.
    p_value : float
        Two-sided p-value.
    """

    difference: float
    p_value: float


def approximate_randomisation(
    metric: Metric,
    y_true: Any,
    y_pred_a: Any,
    y_pred_b: Any,
    *,
    label_names: Sequence[str] = (),
    groups: Any = None,
    n_resamples: int = 10_000,
    rng: np.random.Generator,
) -> Randomisation:
    """Test two systems by exchanging their predictions on random halves of the tweets.

    Under the null hypothesis it does not matter which system made which prediction.

    Parameters
    ----------
    metric : Metric
        Official metric.
    y_true, y_pred_a, y_pred_b : array-like
        Gold labels and predictions: codes of `label_names` if those are given, else
        what `metric` accepts.
    label_names : sequence of str, optional
        Labels in order of their codes.
    groups : array-like, optional
        Groups of the tweets, for metrics that are means over groups.
    n_resamples : int, default=10000
        Number of exchanges.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Randomisation
        Difference and p-value, ``(1 + #{|d*| >= |d|}) / (R + 1)``.

    References
    ----------
    Noreen, Computer-Intensive Methods for Testing Hypotheses, 1989; Yeh, More accurate
    tests for the statistical significance of result differences, COLING 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.statistics import approximate_randomisation
    >>> from tweetclf.tasks import get_metric
    >>> metric = get_metric("accuracy", labels=("no", "yes"))
    >>> gold = ["yes"] * 20
    >>> result = approximate_randomisation(
    ...     metric, gold, gold, ["no"] * 6 + gold[6:], rng=np.random.default_rng(0)
    ... )
    >>> round(result.difference, 2), abs(result.p_value - 2 / 2**6) < 0.01
    (0.3, True)
    """
    pair = paired_cells(
        metric, y_true, y_pred_a, y_pred_b, label_names=label_names, groups=groups
    )
    first, second = pair.as_given(pair.cells.observed())
    # The order of a sum must not make one of two mirrored systems better.
    difference = 0.0 if pair.mirrored else float(first - second)
    draws = resample_swaps(pair.cells, n_resamples, rng)
    exceed = ~(np.abs(draws[0] - draws[1]) < abs(difference) - TOLERANCE)
    p_value = float((1 + exceed.sum()) / (1 + n_resamples))
    return Randomisation(difference, p_value)
