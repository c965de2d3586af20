"""Seeds for inner learners that leave the global generators alone."""

from __future__ import annotations

import numpy as np

__all__ = ["inner_seed"]


def inner_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return a seed for scikit-learn's learners.

    An integer is passed on as it is, so that the result equals scikit-learn's with
    the same seed. None means fresh entropy: scikit-learn would draw from NumPy's
    global generator, which is not ours to move.

    Examples
    --------
    >>> from tweetclf.estimators._seeds import inner_seed
    >>> inner_seed(7)
    7
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31 - 1))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)
