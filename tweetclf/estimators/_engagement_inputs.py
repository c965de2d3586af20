"""What `EngagementPredictor` is given: features or texts, and what it holds out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_array

from tweetclf.exceptions import DataError
from tweetclf.social.engagement import split_by_post

__all__ = ["are_features", "count_posts", "hold_out", "matrix"]


def are_features(texts: Any) -> bool:
    """Tell whether posts are given as numbers, in place of texts."""
    return sparse.issparse(texts) or getattr(texts, "ndim", 1) == 2


def count_posts(texts: Any) -> int:
    """Return how many posts there are."""
    return int(texts.shape[0]) if hasattr(texts, "shape") else len(texts)


def matrix(values: Any, name: str, caller: str) -> NDArray[np.float32]:
    """Return numbers as a dense matrix, or say which argument has none."""
    dense = values.toarray() if sparse.issparse(values) else values
    return check_array(dense, dtype=np.float32, input_name=name, estimator=caller)


def hold_out(
    records: NDArray[np.int64], share: float, seed: int, *, caller: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return engagements to learn from, and those of a share of the posts."""
    kept, held = split_by_post(records[:, 1], fractions=(1 - share, share), seed=seed)
    if not len(kept) or len(np.unique(records[held, 1])) < 2:
        raise DataError(
            f"{caller} cannot hold out validation_fraction={share} of "
            f"{len(np.unique(records[:, 1]))} posts: two are needed on each side. Give "
            "more, X_val, or set early_stopping=False."
        )
    return records[kept], records[held]
