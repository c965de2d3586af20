"""From document frequencies to columns and their weights, as scikit-learn decides."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

__all__ = ["idf_of", "kept_grams"]


def kept_grams(
    df: np.ndarray, tf: np.ndarray | None, n_texts: int, limits: Any
) -> np.ndarray:
    """Return the positions of the n-grams that become columns.

    Parameters
    ----------
    df : ndarray of int64
        In how many texts each n-gram occurs, in order.
    tf : ndarray of int64 or None
        How often each occurs in all; None: count once a text.
    n_texts : int
        Number of texts.
    limits : vectorizer
        Its `min_df`, `max_df`, `max_features` and `dtype` count.

    Raises
    ------
    ValueError
        In scikit-learn's words, if none is left.
    """
    present = df > 0
    if not present.any():
        raise ValueError(
            "empty vocabulary; perhaps the documents only contain stop words"
        )
    high, low = limits.max_df, limits.min_df
    high = high if isinstance(high, Integral) else high * n_texts
    low = low if isinstance(low, Integral) else low * n_texts
    if high < low:
        raise ValueError("max_df corresponds to < documents than min_df")
    kept = np.flatnonzero(present & (df <= high) & (df >= low))
    limit = limits.max_features
    if limit is not None and len(kept) > limit:
        # Ties fall as argsort has them on these very numbers of this very type.
        often = df if tf is None else tf
        frequent = (-often[kept].astype(limits.dtype)).argsort()[:limit]
        kept = np.sort(kept[frequent])
    if len(kept) == 0:
        raise ValueError(
            "After pruning, no terms remain. Try a lower min_df or a higher max_df."
        )
    return kept


def idf_of(df: np.ndarray, n_texts: int, *, smooth: bool, dtype: Any) -> np.ndarray:
    """Return inverse document frequencies, to the bits that scikit-learn gives."""
    df = df.astype(dtype)
    df += float(smooth)
    idf = np.full_like(df, fill_value=n_texts + int(smooth), dtype=dtype)
    idf /= df
    np.log(idf, out=idf)
    idf += 1.0
    return idf
