"""The linear systems of Atalaya at SemEval-2019 Task 5 (HatEval)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline

if TYPE_CHECKING:
    from numpy.random import RandomState

__all__ = ["atalaya_lr", "atalaya_svm"]


def atalaya_svm(
    *,
    without: str | Sequence[str] = (),
    language: str = "es",
    vectors: str | PathLike[str] | Any | None = None,
    extra_corpus: Sequence[str] | None = None,
    variant: str = "paper",
    boc_lowercase: bool = True,
    C: float = 0.1,
    class_weight: Mapping[object, float] | str | None = "balanced",
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
) -> Pipeline:
    """Make SVM0 of Atalaya."""
    raise NotImplementedError


def atalaya_lr(
    *,
    without: str | Sequence[str] = (),
    language: str = "es",
    vectors: str | PathLike[str] | Any | None = None,
    extra_corpus: Sequence[str] | None = None,
    variant: str = "paper",
    boc_lowercase: bool = True,
    C: float = 1.0,
    class_weight: Mapping[object, float] | str | None = "balanced",
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
) -> Pipeline:
    """Make the logistic regression of Atalaya."""
    raise NotImplementedError
