"""Official metrics, named by a signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks import _inputs as inputs
from tweetclf.tasks import scores
from tweetclf.tasks._kinds import METRICS, RANKED, VERSION, MetricKind
from tweetclf.utils.registry import Registry

__all__ = ["METRICS", "Metric", "get_metric", "list_metrics"]


def list_metrics() -> list[str]:
    """Return the names of all metrics, sorted."""
    return sorted(METRICS)


def get_metric(name: str, **options: Any) -> Metric:
    """Return the metric called `name`.

    Parameters
    ----------
    name : str
        One of `list_metrics`.
    **options
        `labels`, `pos`, `over`, `zero_division`, `by_group` of `Metric`.

    Raises
    ------
    UnknownNameError
        If there is no such metric; the message suggests near names.

    Examples
    --------
    >>> from tweetclf.tasks import get_metric
    >>> f1 = get_metric("binary_f1", labels=("no", "irony"), pos="irony")
    >>> f1(["irony", "no", "irony"], ["irony", "irony", "no"])
    0.5
    >>> f1.signature()
    'f1|average:binary|pos:irony|zero:0|v1'
    """
    if name not in METRICS:
        registry: Registry[MetricKind] = Registry(
            "metric", "tweetclf.tasks.list_metrics()"
        )
        for known, kind in METRICS.items():
            registry.register(known, kind)
        registry.get(name)
    return Metric(name=name, **options)


@dataclass(frozen=True)
class Metric:
    """A metric with all its options: callable, comparable, named by a signature.

    Parameters
    ----------
    name : str
        One of `list_metrics`.
    labels : tuple of str
        Label names of the task in order. They fix the divisor of macro averages: a
        class that is in neither gold nor predictions counts as `zero_division`,
        like ``labels=`` of scikit-learn. On test sets that hold every class this
        equals the organisers' scorers, which average over the classes seen. If
        empty, the labels seen are taken.
    pos : str, optional
        Positive class of the binary metrics; by default the last label.
    over : tuple of str, optional
        Average over these labels only (stance: favour and against). The others
        still count as errors of these.
    zero_division : float, optional
        Value of 0 / 0: an F1 of a class that is neither there nor predicted, a
        Jaccard index of two empty sets, a correlation with a constant. By default 1
        for "jaccard", else 0.
    by_group : bool, default=False
        Mean of the scores within groups; calls then need `groups`.

    Notes
    -----
    Counts and row statistics are sums over rows, so that bootstrap samples are
    scored without going back to the rows: weight the rows, sum, call
    `from_confusion` or `from_rows` on all samples at once.
    """

    name: str
    labels: tuple[str, ...] = ()
    pos: str | None = None
    over: tuple[str, ...] = ()
    zero_division: float | None = None
    by_group: bool = False

    def __post_init__(self) -> None:
        if self.name not in METRICS:
            raise ValueError(
                f"Metric: the 'name' parameter must be one of {list_metrics()}. "
                f"Got {self.name!r} instead."
            )
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "over", tuple(self.over))
        if self.zero_division is None:
            object.__setattr__(self, "zero_division", self._kind.zero_division)
        if self._kind.average == "binary" and self.pos is None and self.labels:
            object.__setattr__(self, "pos", self.labels[-1])
        for option in (*self.over, *(() if self.pos is None else (self.pos,))):
            if self.labels and option not in self.labels:
                raise ValueError(
                    f"Metric {self.name!r}: {option!r} is not one of the labels "
                    f"{self.labels}."
                )

    @property
    def _kind(self) -> MetricKind:
        return METRICS[self.name]

    # make_scorer shows the name of its function.
    @property
    def __name__(self) -> str:
        return self.name

    @property
    def greater_is_better(self) -> bool:
        """Whether a higher score is better."""
        return self._kind.greater_is_better

    @property
    def options(self) -> dict[str, Any]:
        """Options that define the metric, beside its name and labels."""
        chosen = {
            "average": self._kind.average,
            "over": self.over or None,
            "pos": self.pos,
            "zero_division": self.zero_division,
            "by_group": self.by_group or None,
        }
        return {key: value for key, value in chosen.items() if value is not None}

    def signature(self) -> str:
        """Return the text that must be equal for two scores to be comparable."""
        kind = self._kind
        parts = [kind.formula]
        if kind.average:
            parts.append(f"average:{kind.average}")
        parts.extend(kind.extra)
        if self.pos is not None:
            parts.append(f"pos:{self.pos}")
        if self.over:
            parts.append(f"over:{'+'.join(self.over)}")
        if self.zero_division is not None:
            parts.append(f"zero:{self.zero_division:g}")
        if self.by_group:
            parts.append("groups:mean")
        return "|".join([*parts, VERSION])

    def with_labels(self, labels: Sequence[str]) -> Metric:
        """Return the same metric over other labels."""
        return replace(self, labels=tuple(labels))

    # -- scores ---------------------------------------------------------------

    def __call__(
        self, y_true: Any, y_pred: Any, *, groups: Sequence[str] | None = None
    ) -> float:
        """Return the score of `y_pred` against `y_true`.

        Raises
        ------
        DataError
            If lengths differ, a label is not one of the task's, or a number is not
            finite; the message names the index.
        """
        if self.by_group:
            return self._by_group(y_true, y_pred, groups)
        if self.supports_confusion:
            return float(self.from_confusion(self.confusion(y_true, y_pred)))
        if self.name in RANKED:
            true, pred = inputs.numbers(y_true, "y_true"), inputs.numbers(y_pred)
            inputs.same_length(true, pred)
            ranks = scores.average_ranks(true), scores.average_ranks(pred)
            moments = scores.moment_rows(*ranks).mean(axis=0)
            return float(scores.pearson_from_moments(moments, self._zero))
        return float(self.from_rows(self.per_row(y_true, y_pred).mean(axis=0)))

    def _by_group(
        self, y_true: Any, y_pred: Any, groups: Sequence[str] | None
    ) -> float:
        if groups is None:
            raise DataError(
                f"Metric {self.name!r} is the mean over groups and needs them: "
                "metric(y_true, y_pred, groups=split.groups)."
            )
        true, pred, names = np.asarray(y_true), np.asarray(y_pred), np.asarray(groups)
        inputs.same_length(true, pred)
        inputs.same_length(true, names)
        single = replace(self, by_group=False)
        parts = [
            single(true[names == name], pred[names == name])
            for name in sorted(set(names.tolist()))
        ]
        return float(np.mean(parts))

    @property
    def supports_confusion(self) -> bool:
        """Whether the score is a function of the confusion matrix."""
        kind = self._kind
        return not (kind.multilabel or kind.numeric or self._bits or self.by_group) or (
            kind.numeric and bool(self.labels) and self.name not in RANKED
        )

    @property
    def supports_rows(self) -> bool:
        """Whether the score is a function of the mean of `per_row`."""
        return not self.by_group and self.name not in RANKED

    @property
    def _bits(self) -> bool:
        return any(part.startswith("bits") for part in self._kind.extra)

    @property
    def _zero(self) -> float:
        return 0.0 if self.zero_division is None else self.zero_division

    def cells(self, y_true: Any, y_pred: Any) -> tuple[np.ndarray, int]:
        """Return each row's position in the flattened confusion matrix, and its side.

        ``np.bincount(cells[rows], minlength=side**2)`` counts any sample of rows.
        """
        true, pred = inputs.names(y_true), inputs.names(y_pred)
        inputs.same_length(true, pred)
        # With no label set given, from_confusion cannot know which class is which.
        if not self.labels and (self.pos or self.over or self._kind.numeric):
            raise DataError(
                f"Metric {self.name!r} needs the task's labels: "
                "metric.with_labels(task.label_names)."
            )
        labels = self.labels or tuple(sorted({*true, *pred}))
        index = {name: i for i, name in enumerate(labels)}
        gold = inputs.encode(true, index, "y_true")
        return gold * len(labels) + inputs.encode(pred, index, "y_pred"), len(labels)

    def confusion(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the counts: rows gold, columns predicted, in label order."""
        cells, k = self.cells(y_true, y_pred)
        return np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.float64)

    def from_confusion(self, counts: Any) -> np.ndarray:
        """Return the scores of confusion matrices.

        Parameters
        ----------
        counts : array-like of shape (..., n_labels, n_labels)
            Counts or weights; rows gold, columns predicted, in label order.

        Returns
        -------
        ndarray of shape (...)
            The scores.
        """
        if not self.supports_confusion:
            raise TypeError(
                f"Metric {self.name!r} is not a function of the confusion matrix; "
                "see per_row and from_rows."
            )
        counts = np.asarray(counts, dtype=np.float64)
        if self.labels and counts.shape[-2:] != (len(self.labels),) * 2:
            raise DataError(
                f"Metric {self.name!r} has {len(self.labels)} labels; the counts have "
                f"shape {counts.shape}."
            )
        kind = self._kind
        if kind.formula == "accuracy":
            return scores.accuracy(counts)
        if kind.formula == "mcc":
            return scores.mcc(counts, self._zero)
        if kind.formula == "kappa":
            return scores.quadratic_kappa(counts, self._zero)
        if kind.numeric:
            return scores.numeric_from_confusion(
                kind.formula, counts, self._values, self._zero
            )
        if kind.average == "binary" and self.pos is None:
            raise DataError(
                f"Metric {self.name!r} needs to know the positive class: pass pos=..."
            )
        chosen = (self.pos,) if kind.average == "binary" else self.over
        positions = [self.labels.index(name) for name in chosen if name] or None
        return scores.precision_recall_f1(
            kind.formula,
            counts,
            average="macro" if kind.average == "binary" else str(kind.average),
            positions=positions,
            zero_division=self._zero,
        )

    def per_row(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return row statistics whose mean determines the score.

        Returns
        -------
        ndarray of shape (n_samples, n_statistics)
            For "rmse" squared errors, for "jaccard" each row's index, for
            "pearson" centred moments, for classes the one-hot confusion cells.
        """
        if not self.supports_rows:
            raise TypeError(f"Metric {self.name!r} is not a function of row means.")
        kind = self._kind
        if kind.multilabel:
            k = len(self.labels)
            true = inputs.indicators(y_true, k, "y_true")
            pred = inputs.indicators(y_pred, k)
            inputs.same_length(true, pred)
            if kind.formula == "jaccard":
                return scores.jaccard_rows(true, pred, self._zero)
            return scores.multilabel_rows(true, pred)
        if self._bits:
            true, pred = inputs.bit_matrix(y_true), inputs.bit_matrix(y_pred)
            inputs.same_length(true, pred)
            return scores.bit_rows(true, pred)
        if kind.numeric:
            true, pred = inputs.numbers(y_true, "y_true"), inputs.numbers(y_pred)
            inputs.same_length(true, pred)
            return scores.numeric_rows(kind.formula, true, pred)
        cells, k = self.cells(y_true, y_pred)
        rows = np.zeros((len(cells), k * k))
        rows[np.arange(len(cells)), cells] = 1.0
        return rows

    def from_rows(self, means: Any) -> np.ndarray:
        """Return the scores of mean row statistics.

        Parameters
        ----------
        means : array-like of shape (..., n_statistics)
            (Weighted) means over rows of what `per_row` gives.

        Returns
        -------
        ndarray of shape (...)
            The scores.
        """
        means = np.asarray(means, dtype=np.float64)
        kind = self._kind
        if kind.multilabel and kind.formula == "f1":
            return scores.multilabel_f1(means, str(kind.average), self._zero)
        if self._bits:
            return scores.bits_score(kind.formula, means, self._zero)
        if kind.numeric and self.name != "pearson":
            return np.sqrt(means[..., 0]) if self.name == "rmse" else means[..., 0]
        if self.name == "pearson":
            return scores.pearson_from_moments(means, self._zero)
        if kind.formula == "jaccard":
            return means[..., 0]
        k = round(means.shape[-1] ** 0.5)
        return self.from_confusion(means.reshape(*means.shape[:-1], k, k))

    @cached_property
    def _values(self) -> np.ndarray:
        return np.array([float(name) for name in self.labels])
