"""Bootstrap intervals of means, seeded and bounded in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.statistics import percentile_interval
from tweetclf.utils.random import stream

__all__ = ["mean_interval"]

# Values that are drawn at once.
_AT_ONCE = 4_000_000


def mean_interval(
    values: NDArray[np.float64],
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    random_state: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One value a text; NaN ones are left out.
    level : float, default=0.95
        Nominal coverage.
    n_resamples : int, default=2000
        Resamples.
    random_state : int, default=0
        Their seed.

    Returns
    -------
    low, high : float
        Ends of the interval; NaN if there is no value.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.analysis._intervals import mean_interval
    >>> low, high = mean_interval(np.arange(100.0))
    >>> low < 49.5 < high
    True
    """
    if not 0 < level < 1:
        raise ValueError(
            f"the 'level' parameter must be between 0 and 1. Got {level!r} instead."
        )
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    generator = stream(random_state, "mean interval")
    means = np.empty(n_resamples)
    step = max(1, _AT_ONCE // len(values))
    for first in range(0, n_resamples, step):
        size = min(step, n_resamples - first)
        drawn = generator.integers(len(values), size=(size, len(values)))
        means[first : first + size] = values[drawn].mean(axis=1)
    return percentile_interval(means, level)
