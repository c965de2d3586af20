"""What a check sees: the estimator, data of its kind and its outputs."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from tweetclf.testing._data import make_corpus, make_pairs

__all__ = [
    "KINDS",
    "MakeRows",
    "Subject",
    "assert_refused",
    "assert_same",
    "identical",
]

# What returns training rows of an estimator's own form, and their targets.
MakeRows: TypeAlias = Callable[[], tuple[list[tuple[str, ...]], list[Any]]]

KINDS = ("classifier", "regressor", "multilabel", "pair", "transformer", "rows")
_OWN = object()
# So that a half, two folds, and nine rows to predict, too, are some.
_N_ROWS = 12
_OUTPUTS = ("predict", "predict_proba", "decision_function", "transform")


class Subject:
    """An estimator under test, with training data of its kind.

    Attributes
    ----------
    estimator : estimator
        The prototype; checks work on clones of it.
    kind : str
        One of ``KINDS``.
    target : {"classes", "numbers", "indicator", "none", "own"}
        What y is; "none" for transformers, which may still be given classes, "own"
        for what only the estimator understands.
    pairs : bool
        Whether X holds text pairs.
    X, X_new : list of str or of tuples of str
        Training texts, and texts to predict.
    pristine : tuple
        The training texts again, out of reach of an estimator that changes its X.
    y : list or ndarray
        Training targets in the plainest form of the kind.
    words : list of str
        Labels of the training texts as plain words, whatever the target is, unless it
        is "own".
    """

    def __init__(
        self, estimator: Any, kind: str, name: str, make_rows: MakeRows | None = None
    ) -> None:
        if kind not in KINDS:
            raise ValueError(
                f"The 'kind' of a text estimator must be one of {KINDS}. Got {kind!r} "
                "instead."
            )
        if (kind == "rows") != (make_rows is not None):
            raise ValueError(
                "The kind 'rows' of a text estimator needs the 'make_rows' parameter, "
                f"and no other takes it. Got kind={kind!r} and make_rows={make_rows!r}."
            )
        self.estimator = _seeded(estimator)
        self.kind = kind
        self.name = name
        self.pairs = kind == "pair"
        self.target = {
            "classifier": "classes",
            "regressor": "numbers",
            "multilabel": "indicator",
            "transformer": "none",
            "rows": "own",
        }.get(kind) or self._pair_target()
        self.X: list[Any]
        self.y: Any
        if make_rows is not None:
            self.X, self.y = _made(make_rows)
        elif self.pairs:
            self.X, self.words = make_pairs()
        else:
            self.X, self.words = make_corpus(3 if self.target == "indicator" else 2)
        self.pristine = tuple(self.X)
        # Seen and unseen texts to predict.
        unseen = self.of(["jajaja genial", "odio el horario", "", "😭 pésimo"])
        # Of own rows the last: `other_data` has the first.
        seen = self.X[-9:] if self.target == "own" else self.X[:9]
        self.X_new = [*seen, *unseen]
        if make_rows is None:
            self.y = self._make_y()

    def _pair_target(self) -> str:
        if is_classifier(self.estimator):
            return "classes"
        return "numbers" if is_regressor(self.estimator) else "none"

    @property
    def predicts(self) -> bool:
        """Whether the estimator is more than a transformer."""
        return self.target != "none"

    def _make_y(self) -> Any:
        rows = list(zip(self.X, self.words, strict=True))
        if self.target == "indicator":
            return np.array(
                [[w == "bien", w == "mal", "che" in t] for t, w in rows], int
            )
        if self.target == "numbers":
            return [float(w == "bien") * 2 + len(str(t)) % 7 / 10 for t, w in rows]
        return list(self.words)

    def of(self, texts: Sequence[str]) -> list[Any]:
        """Return texts as rows of X: themselves, or the last sides of rows."""
        if self.target == "own":
            return [(*self.X[0][:-1], text) for text in texts]
        return [("hoy", text) for text in texts] if self.pairs else list(texts)

    def part(self, indices: Iterable[int]) -> tuple[list[Any], Any]:
        """Return some of the training rows, and their targets as sklearn takes them."""
        chosen = [int(index) for index in indices]
        X = [self.X[index] for index in chosen]
        if self.target == "own":
            # An array of tuples would have another shape.
            return X, [self.y[index] for index in chosen]
        return X, np.asarray(self.y)[chosen]

    @property
    def targets(self) -> Any:
        """All training targets as sklearn takes them."""
        return self.part(range(len(self.X)))[1]

    def other_data(self) -> tuple[list[Any], Any]:
        """Return training data of other words and labels; of own rows half."""
        half = len(self.X) // 2
        X, y = self.part(range(half))
        if self.target == "own":
            return X, y
        y = np.concatenate([y, np.asarray(self.y)[:6]])
        if self.target == "classes":
            y = np.array([f"otra-{label}" for label in y])
        return [*X, *self.of(["palabras nunca vistas genial"] * 6)], y

    def clone(self) -> Any:
        """Return an unfitted copy of the estimator."""
        return clone(self.estimator)

    def fit(self, X: Any = _OWN, y: Any = _OWN, **options: Any) -> Any:
        """Return a clone fitted on the given data, or on the kind's own."""
        X = self.X if X is _OWN else X
        y = self.y if y is _OWN else y
        return self.clone().fit(X, y, **options)

    @functools.cached_property
    def fitted(self) -> Any:
        """A fitted clone that checks share and must not fit again."""
        return self.fit()

    @property
    def requires_fit(self) -> bool:
        """Whether methods must refuse to run before `fit`."""
        return bool(get_tags(self.estimator).requires_fit)

    @property
    def takes_weight(self) -> bool:
        """Whether `fit` has a parameter sample_weight."""
        return bool(has_fit_parameter(self.estimator, "sample_weight"))

    def methods(self, estimator: Any = None) -> list[str]:
        """Return the output methods that the estimator has."""
        estimator = self.fitted if estimator is None else estimator
        return [name for name in _OUTPUTS if hasattr(estimator, name)]

    def output(self, estimator: Any, X: Any) -> Any:
        """Return the main output: predictions, or the transformed texts."""
        return estimator.predict(X) if self.predicts else estimator.transform(X)

    def outputs(self, estimator: Any, X: Any = None) -> dict[str, Any]:
        """Return the output of every method, by name."""
        X = self.X_new if X is None else X
        return {name: getattr(estimator, name)(X) for name in self.methods(estimator)}


def _made(make_rows: MakeRows) -> tuple[list[tuple[str, ...]], list[Any]]:
    made = make_rows()
    if not isinstance(made, tuple) or len(made) != 2:
        raise ValueError(
            "'make_rows' must return rows and targets, as (X, y). Got a "
            f"{type(made).__name__} instead."
        )
    X, y = list(made[0]), list(made[1])
    are_rows = all(
        isinstance(row, tuple) and row and all(isinstance(text, str) for text in row)
        for row in X
    )
    if not are_rows or not _N_ROWS <= len(X) == len(y):
        raise ValueError(
            f"'make_rows' must return {_N_ROWS} or more tuples of str, and as many "
            f"targets. Got {len(X)} rows and {len(y)} targets."
        )
    return X, y


def _seeded(estimator: Any) -> Any:
    """Return a clone in which every random_state that is None is 0."""
    seeds = {
        name: 0
        for name, value in estimator.get_params(deep=True).items()
        if value is None and name.rpartition("__")[2] == "random_state"
    }
    return clone(estimator).set_params(**seeds)


def _rows_of(output: Any) -> Any:
    return output.toarray() if sparse.issparse(output) else output


def identical(a: Any, b: Any, tolerance: float = 0.0) -> bool:
    """Tell whether two outputs are equal, numbers up to a relative tolerance."""
    a, b = _rows_of(a), _rows_of(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(identical(a[k], b[k], tolerance) for k in a)
    if not isinstance(a, np.ndarray):
        return bool(np.all(a == b)) if hasattr(a, "shape") else a == b
    b = np.asarray(b)
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return False
    if a.dtype.kind == "f" and tolerance:
        scale = float(np.abs(a).max(initial=1.0))
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * scale))
    return bool(np.array_equal(a, b))


def assert_same(a: Any, b: Any, what: str, tolerance: float = 0.0) -> None:
    """Raise AssertionError, saying what changed, unless the outputs are equal."""
    if not identical(a, b, tolerance):
        raise AssertionError(f"{what}: {_short(a)} is not {_short(b)}")


def _short(value: Any) -> str:
    text = repr(_rows_of(value)).replace("\n", " ")
    return text if len(text) < 160 else text[:157] + "..."


def assert_refused(call: Callable[[], Any], pattern: str, what: str) -> None:
    """Check that `call` raises ValueError or TypeError with a message that helps.

    Parameters
    ----------
    call : callable
        Is expected to fail.
    pattern : str
        Regular expression that the message must contain, without regard to case.
    what : str
        What was tried, for the failure's message.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
    except (ValueError, TypeError) as error:
        if not re.search(pattern, str(error), flags=re.IGNORECASE):
            raise AssertionError(
                f"{what} was refused with a message that does not say "
                f"/{pattern}/: {error}"
            ) from error
    except Exception as error:
        raise AssertionError(
            f"{what} must be refused with a ValueError or TypeError; it raised "
            f"{type(error).__name__}: {error}"
        ) from error
    else:
        raise AssertionError(f"{what} was not refused; the result is {_short(result)}")
