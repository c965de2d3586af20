"""Where the rows of unlike length lie that stand one after another in one array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["take_ranges"]


def take_ranges(starts: NDArray[Any], lengths: NDArray[Any]) -> NDArray[np.int64]:
    """Return the places of ranges, one range after the other.

    Parameters
    ----------
    starts, lengths : ndarray of int of shape (n,)
        First place of each range, and how many it has; in any order.

    Returns
    -------
    ndarray of int64 of shape (lengths.sum(),)
        Places, to index what the ranges are of.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.utils.ranges import take_ranges
    >>> take_ranges(np.array([7, 0, 4]), np.array([2, 3, 0])).tolist()
    [7, 8, 0, 1, 2]
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
