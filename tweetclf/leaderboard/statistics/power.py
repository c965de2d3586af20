"""What a test set can show: equivalence within a margin, detectable differences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.statistics.bootstrap import ALPHA, TOLERANCE

__all__ = [
    "equivalence_p_value",
    "least_equivalence_p_value",
    "minimal_detectable_difference",
]

_ROUNDING = 1e-6


def equivalence_p_value(
    differences: NDArray[np.float64], observed: float, margin: float
) -> float:
    """Test that two systems differ by less than a margin (two one-sided tests).

    The null hypothesis is that the true difference is `margin` or more, either way. A
    small p-value is evidence for equivalence; a large p-value of a test for a
    difference is not.

    Parameters
    ----------
    differences : ndarray of shape (n_resamples,)
        Bootstrap differences of two scores.
    observed : float
        Difference on the tweets themselves.
    margin : float
        Largest difference that does not matter, in units of the score; above 0.

    Returns
    -------
    float
        The larger of the two one-sided p-values, each ``(1 + #) / (R + 1)`` with the
        bootstrap distribution moved to the margin.

    References
    ----------
    Schuirmann, A comparison of the two one-sided tests procedure and the power
    approach, J. Pharmacokinetics and Biopharmaceutics 15, 1987.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.statistics import equivalence_p_value
    >>> draws = np.random.default_rng(0).normal(0.001, 0.004, size=999)
    >>> equivalence_p_value(draws, 0.001, margin=0.02)
    0.001
    >>> equivalence_p_value(draws, 0.001, margin=0.002) > 0.05
    True
    """
    if not margin > 0:
        raise ValueError(
            "equivalence_p_value: the 'margin' parameter must be above 0. Got "
            f"{margin} instead. Name the largest difference that does not matter."
        )
    centred = differences - observed
    # What is not defined is no evidence of equivalence: it counts.
    low = ~(centred < observed + margin - TOLERANCE)
    high = ~(centred > observed - margin + TOLERANCE)
    return float((1 + max(low.sum(), high.sum())) / (1 + len(centred)))


def least_equivalence_p_value(
    difference: float, n_samples: int, margin: float, *, reach: float = 1.0
) -> float:
    """Return what the p-value of an equivalence test cannot fall below.

    Resamples of tweets on which two systems hardly differ hardly differ either, however
    few the tweets are. If the true difference is `margin` because one system is wrong,
    and the other right, on a share of ``margin / reach`` of all tweets, this is the
    chance of a difference as small as the one that was seen. Exact for accuracy; for
    other metrics, it takes them to hang on the tweets that count most.

    Parameters
    ----------
    difference : float
        Difference of the scores.
    n_samples : int
        Number of tweets.
    margin : float
        Largest difference that does not matter, in units of the score.
    reach : float, default=1.0
        What one tweet can change, times the number of tweets: 1 for accuracy, more for
        macro-F1, where a tweet of a rare class is worth many others.
    """
    from scipy.stats import binom

    if not np.isfinite(difference):
        return 1.0
    # Rounding must not make a further tweet of a whole number.
    n_net = math.ceil(abs(difference) * n_samples / reach - _ROUNDING)
    return float(binom.cdf(n_net, n_samples, min(margin / reach, 1.0)))


def minimal_detectable_difference(
    standard_error: float, *, alpha: float = ALPHA, power: float = 0.8
) -> float:
    """Return the smallest true difference that a test set is likely to show.

    Parameters
    ----------
    standard_error : float
        Standard error of the difference of two scores, e.g. the standard deviation of
        its bootstrap distribution. For accuracy it is about ``sqrt(q / n)``, with `q`
        the share of tweets on which exactly one system is right.
    alpha : float, default=0.05
        Level of the two-sided test. For the worst case of Holm's procedure over m
        comparisons pass ``0.05 / m``.
    power : float, default=0.8
        Probability of seeing the difference.

    Returns
    -------
    float
        ``(z(1 - alpha / 2) + z(power)) * standard_error``.

    References
    ----------
    Card et al., With Little Power Comes Great Responsibility, EMNLP 2020.

    Examples
    --------
    >>> from math import sqrt
    >>> from tweetclf.leaderboard.statistics import minimal_detectable_difference
    >>> round(minimal_detectable_difference(sqrt(0.15 / 784)), 3)
    0.039
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(
            "minimal_detectable_difference: alpha and power must lie between 0 and 1. "
            f"Got {alpha} and {power} instead."
        )
    if not math.isfinite(standard_error):
        return math.nan
    from scipy.special import ndtri

    return float((ndtri(1 - alpha / 2) + ndtri(power)) * standard_error)
