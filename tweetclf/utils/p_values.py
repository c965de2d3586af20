"""P-values as people read them: the same in sentences, tables and figures."""

from __future__ import annotations

__all__ = ["p_equals", "round_p"]


def round_p(value: float) -> str:
    """Three decimals, and no false zero.

    Examples
    --------
    >>> from tweetclf.utils.p_values import round_p
    >>> round_p(0.0412), round_p(0.0002)
    ('0.041', '< 0.001')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_equals(value: float) -> str:
    """Return a p-value with its letter.

    Examples
    --------
    >>> from tweetclf.utils.p_values import p_equals
    >>> p_equals(0.0412), p_equals(0.0002)
    ('p = 0.041', 'p < 0.001')
    """
    shown = round_p(value)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"
