"""The table of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["METRICS", "RANKED", "VERSION", "MetricKind"]

# Raised when a metric's formula changes: results of two versions do not mix.
VERSION = "v1"


@dataclass(frozen=True)
class MetricKind:
    """How a metric is computed: over counts, over row statistics, or over ranks."""

    formula: str
    greater_is_better: bool = True
    average: str | None = None
    zero_division: float | None = 0.0
    multilabel: bool = False
    numeric: bool = False
    extra: tuple[str, ...] = ()


METRICS: Mapping[str, MetricKind] = MappingProxyType(
    {
        "accuracy": MetricKind("accuracy", zero_division=None),
        "binary_f1": MetricKind("f1", average="binary"),
        "binary_precision": MetricKind("precision", average="binary"),
        "binary_recall": MetricKind("recall", average="binary"),
        "macro_f1": MetricKind("f1", average="macro"),
        "macro_precision": MetricKind("precision", average="macro"),
        "macro_recall": MetricKind("recall", average="macro"),
        "micro_f1": MetricKind("f1", average="micro"),
        "weighted_f1": MetricKind("f1", average="weighted"),
        "mcc": MetricKind("mcc"),
        "qwk": MetricKind("kappa", extra=("weights:quadratic",)),
        "exact_match": MetricKind("exact_match", zero_division=None, extra=("bits",)),
        "mean_bit_macro_f1": MetricKind("f1", average="macro", extra=("bits:mean",)),
        "jaccard": MetricKind(
            "jaccard", average="samples", zero_division=1.0, multilabel=True
        ),
        "multilabel_micro_f1": MetricKind(
            "f1", average="micro", multilabel=True, extra=("multilabel",)
        ),
        "multilabel_macro_f1": MetricKind(
            "f1", average="macro", multilabel=True, extra=("multilabel",)
        ),
        "rmse": MetricKind(
            "rmse", greater_is_better=False, zero_division=None, numeric=True
        ),
        "mae": MetricKind(
            "mae", greater_is_better=False, zero_division=None, numeric=True
        ),
        "pearson": MetricKind("pearson", numeric=True),
        "spearman": MetricKind("spearman", numeric=True),
    }
)
RANKED = frozenset({"spearman"})
