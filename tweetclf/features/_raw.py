"""What the readers and the training engines hand to WordVectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["RawVectors"]


@dataclass(frozen=True)
class RawVectors:
    """Words, one row each, then one row a bucket of character n-grams."""

    words: list[str]
    matrix: np.ndarray
    counts: np.ndarray | None = None
    minn: int = 0
    maxn: int = 0
    bucket: int = 0
