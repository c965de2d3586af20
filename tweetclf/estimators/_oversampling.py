"""Drawing texts of the rarer classes again, until there are as many as of the most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tweetclf.utils.random import stream

__all__ = ["bootstrapped_rows", "repeated_rows"]


def _by_class(codes: NDArray[np.int64]) -> tuple[list[NDArray[np.intp]], int]:
    members = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    return members, max(map(len, members))


def repeated_rows(codes: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """Return all rows, and of each rarer class some of them again.

    What imbalanced-learn's ``RandomOverSampler`` does.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Class of each row.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of int
        Positions: every row first, then those drawn with replacement.

    Examples
    --------
    >>> import numpy as np
    >>> rows = repeated_rows(np.array([0, 0, 0, 1]), seed=0)
    >>> rows.tolist()
    [0, 1, 2, 3, 3, 3]
    """
    generator = stream(seed, "oversampling")
    members, most = _by_class(codes)
    drawn = [generator.choice(rows, most - len(rows)) for rows in members]
    return np.concatenate([np.arange(len(codes)), *drawn])


def bootstrapped_rows(codes: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """Return the most frequent class whole, and as many of each other one, drawn.

    As the released code of HAHA 2019 did: with as many positives drawn as there are
    negatives, some positives occur often and some not at all. The paper calls it
    SMOTE.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Class of each row; of equally frequent classes the first is kept whole.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of int
        Positions, class by class.

    Examples
    --------
    >>> import numpy as np
    >>> rows = bootstrapped_rows(np.array([0, 0, 0, 1, 1]), seed=0)
    >>> rows[:3].tolist(), set(rows[3:].tolist()) <= {3, 4}, len(rows)
    ([0, 1, 2], True, 6)
    """
    generator = stream(seed, "oversampling")
    members, most = _by_class(codes)
    whole = int(np.argmax([len(rows) for rows in members]))
    return np.concatenate(
        [
            rows if number == whole else generator.choice(rows, most)
            for number, rows in enumerate(members)
        ]
    )
