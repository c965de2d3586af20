"""A classifier of rows of its own; processes import it without all batteries."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators import NBSVMClassifier
from tweetclf.exceptions import DataError


def make_triples() -> tuple[list[tuple[str, ...]], list[str]]:
    """Return 16 rows of name, verb and end, and what the verb says."""
    names, ends = ("Ana", "Eva"), ("hoy", "siempre")
    halves = {"ama": "bien", "odia": "mal"}, {"adora": "bien", "detesta": "mal"}
    rows = [
        (name, verb, end)
        for verbs in halves
        for name in names
        for end in ends
        for verb in verbs
    ]
    return rows, [{**halves[0], **halves[1]}[verb] for _, verb, _ in rows]


class TripleClassifier(ClassifierMixin, BaseEstimator):
    """Classifies rows of three texts; a fault makes it break one of the rules."""

    def __init__(self, *, fault: str | None = None) -> None:
        self.fault = fault

    def _joined(self, X: Any) -> list[str]:
        rows = X.tolist() if hasattr(X, "tolist") else X
        if not isinstance(rows, list | tuple) or not len(rows):
            raise DataError("TripleClassifier got 0 texts; pass at least one row.")
        for index, row in enumerate(rows):
            if not isinstance(row, list | tuple) or len(row) != 3:
                raise DataError(f"X[{index}] must be one of rows of three texts.")
            for column, text in enumerate(row):
                if not isinstance(text, str):
                    place = "" if self.fault == "place" else f"[{index}][{column}]"
                    raise DataError(f"X{place} is no text.")
        return [" ".join(row) for row in rows]

    def fit(self, X: Any, y: Any) -> TripleClassifier:
        texts = self._joined(X)
        if y is None or np.ndim(y) != 1 or len(y) != len(texts):
            raise DataError(f"y must have a label for each of {len(texts)} rows.")
        if self.fault == "seed":
            np.random.seed(0)  # noqa: NPY002 - the fault to be found
        if self.fault == "leftover" and hasattr(self, "inner_"):
            return self
        self.inner_ = NBSVMClassifier().fit(texts, list(y))
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X: Any) -> Any:
        check_is_fitted(self)
        texts = self._joined(X)
        if self.fault == "state":
            self.n_seen_ = len(texts)
        return self.inner_.predict(sorted(texts) if self.fault == "order" else texts)
