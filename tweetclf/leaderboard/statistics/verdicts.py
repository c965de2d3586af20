"""Verdicts: what a comparison says, in one line that cannot be misread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tweetclf.leaderboard.statistics.bootstrap import ALPHA, TOLERANCE
from tweetclf.utils.p_values import p_equals

if TYPE_CHECKING:
    from tweetclf.leaderboard.statistics.comparison import Comparison

__all__ = ["verdict"]


def verdict(comparison: Comparison, noun: str = "tweet") -> str:
    """Say in one line what a comparison shows, and what it cannot show.

    Parameters
    ----------
    comparison : Comparison
        Result of `compare_systems` or `compare_pairs`.
    noun : str, default="tweet"
        What was classified.

    Returns
    -------
    str
        The verdict, at level 0.05 over the family.
    """
    a, b = comparison.names
    n = comparison.n_samples
    tweets = f"this {noun}" if n == 1 else f"these {n:,} {noun}s"
    if comparison.n_different == 0:
        return f"{a} and {b} predict the same on {tweets}."
    if not math.isfinite(comparison.difference):
        return f"{a} and {b} cannot be compared on {tweets}: a score is not defined."
    constant = comparison.standard_error < TOLERANCE
    if constant and abs(comparison.difference) < TOLERANCE:
        return (
            f"{a} and {b} have the same score on {tweets}, whichever of them are drawn."
        )
    equivalent = (
        comparison.p_equivalence_adjusted is not None
        and comparison.p_equivalence_adjusted < ALPHA
    )
    if comparison.p_adjusted is not None and comparison.p_adjusted < ALPHA:
        return _different(comparison, tweets, equivalent)
    if constant:
        # No resample differs from another: there is no error to judge by.
        return f"{a} and {b} cannot be told apart on {tweets}: too few to tell."
    if equivalent and comparison.margin is not None:
        return (
            f"{a} and {b} are equivalent on {tweets}: they differ by less than "
            f"{_amount(comparison, comparison.margin)} "
            f"({_p(comparison, comparison.p_equivalence_adjusted)})."
        )
    if abs(comparison.difference) >= comparison.detectable:
        return (
            f"{a} and {b} cannot be told apart on {tweets}: they differ on "
            f"{comparison.n_different:,} of them, which is too few to tell."
        )
    return (
        f"{a} and {b} cannot be told apart on {tweets}; a difference under "
        f"{_amount(comparison, comparison.detectable)} would probably not be seen."
    )


def _different(comparison: Comparison, tweets: str, equivalent: bool) -> str:
    difference = comparison.difference
    first_is_better = (difference > 0) == comparison.greater_is_better
    a, b = comparison.names if first_is_better else comparison.names[::-1]
    low, high = sorted(
        bound if difference > 0 else -bound for bound in comparison.interval
    )
    scale = 100.0 if comparison.greater_is_better else 1.0
    text = (
        f"{a} is better than {b} on {tweets}, by "
        f"{_amount(comparison, abs(difference))} of {comparison.metric} "
        f"({100 * comparison.level:g} % interval {_number(scale * low)} to "
        f"{_number(scale * high)}; {_p(comparison, comparison.p_adjusted)})"
    )
    if equivalent and comparison.margin is not None:
        text += f", which is less than {_amount(comparison, comparison.margin)}"
    return text + "."


def _amount(comparison: Comparison, value: float) -> str:
    """Write a difference: points of scores, plain numbers of errors."""
    if not comparison.greater_is_better:
        return _number(value)
    written = _number(100.0 * value)
    return f"{written} point" if written == "1.0" else f"{written} points"


def _number(value: float) -> str:
    """Round to a decimal, or to two digits where a decimal shows nothing."""
    return f"{value:.1f}" if abs(value) >= 0.95 or value == 0 else f"{value:.2g}"


def _p(comparison: Comparison, value: float | None) -> str:
    assert value is not None
    shown = p_equals(value)
    if comparison.family_size == 1:
        return shown
    return f"{shown} after Holm over {comparison.family_size:,} comparisons"
