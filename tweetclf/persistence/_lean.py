"""Predicting with NumPy alone: the arithmetic of the linear systems, to the bit.

`build` turns the parts of a saved model into functions, where it knows every one of
them. The sums run in the order in which SciPy's and scikit-learn's run, and nothing
is fused or paired, so that decision values have the same bits (on x86, where those
two do not fuse products and sums either).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tweetclf.features._embedding import Averaging
from tweetclf.features._lookup import NgramLookup, UnknownOptionError
from tweetclf.features._word_rows import WordRows
from tweetclf.persistence._parts import Part
from tweetclf.preprocessing._steps import Options, compile_steps
from tweetclf.preprocessing._tokenizing import compile_tokenizer

__all__ = ["KINDS", "LeanModel", "NotLeanError", "build"]

Array = np.ndarray


class NotLeanError(Exception):
    """A part, or an option of one, is left to scikit-learn."""


class Values(NamedTuple):
    """Stored values of a sparse matrix, each row's in the order of its columns.

    Attributes
    ----------
    data, row, column : ndarray
        One entry a value.
    shape : (int, int)
        That of the matrix.
    """

    data: Array
    row: Array
    column: Array
    shape: tuple[int, int]

    @classmethod
    def of_dense(cls, matrix: Array) -> Values:
        """Return all values of a matrix."""
        n_rows, n_columns = matrix.shape
        row = np.repeat(np.arange(n_rows), n_columns)
        column = np.tile(np.arange(n_columns), n_rows)
        return cls(matrix.ravel(), row, column, (n_rows, n_columns))


Matrix = Values | Array


class Step(NamedTuple):
    """A step of a pipeline.

    Attributes
    ----------
    run : callable
        From texts to texts or a matrix, or from a matrix to one.
    width : callable
        From the number of columns before to that after; texts have None.
    """

    run: Callable[[Any], Any]
    width: Callable[[int | None], int | None]


def _stack(blocks: list[Matrix]) -> Matrix:
    """Put blocks side by side, as FeatureUnion does."""
    dense = [block for block in blocks if isinstance(block, np.ndarray)]
    if len(dense) == len(blocks):
        return np.hstack(dense)
    values = [
        Values.of_dense(block) if isinstance(block, np.ndarray) else block
        for block in blocks
    ]
    widths = [block.shape[1] for block in values]
    offsets = np.cumsum([0, *widths[:-1]]).tolist()
    # Block after block: within a row, values are in the order of their columns.
    return Values(
        np.concatenate([np.asarray(b.data, np.float64) for b in values]),
        np.concatenate([b.row for b in values]),
        np.concatenate([b.column + at for b, at in zip(values, offsets, strict=True)]),
        (values[0].shape[0], sum(widths)),
    )


def _binarized(X: Matrix) -> Matrix:
    if isinstance(X, np.ndarray):
        return (X > 0).astype(X.dtype)
    return X._replace(data=(X.data > 0).astype(X.data.dtype))


def _scores(X: Matrix, coef: Array, intercept: Any) -> Array:
    """Return ``X @ coef.T + intercept``."""
    if isinstance(X, np.ndarray):
        product: Array = X @ coef.T
        return product + intercept
    n_rows = X.shape[0]
    scores = np.empty((n_rows, len(coef)))
    for k, weights in enumerate(coef):
        products = X.data * weights[X.column]
        # bincount adds one value after the other, as a sparse product does.
        scores[:, k] = np.bincount(X.row, weights=products, minlength=n_rows)
    return scores + intercept


def _expit(scores: Array) -> Array:
    """Return the sigmoid of each value, to the bits of ``scipy.special.expit``."""
    # NumPy's own exp differs in the last bit; SciPy's is that of the C library.
    flat = [
        1.0 / (1.0 + math.exp(-x)) if x > -700.0 else _small_expit(x)
        for x in scores.ravel().tolist()
    ]
    return np.array(flat).reshape(scores.shape)


def _small_expit(x: float) -> float:
    try:
        return 1.0 / (1.0 + math.exp(-x))
    except OverflowError:
        return 0.0


def _softmax(scores: Array) -> Array:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _both_classes(scores: Array) -> Array:
    positive = _expit(scores.ravel())
    return np.column_stack([1.0 - positive, positive])


def _normalised(scores: Array) -> Array:
    """Return sigmoids that sum to 1; see `normalise_one_vs_rest`."""
    if scores.shape[1] == 1:
        return _both_classes(scores)
    proba = _expit(scores)
    total = proba.sum(axis=1, keepdims=True)
    safe = np.where(total > 0, total, 1.0)
    return np.where(total > 0, proba / safe, 1.0 / scores.shape[1])


def _multinomial(scores: Array) -> Array:
    return _both_classes(scores) if scores.shape[1] == 1 else _softmax(scores)


class LeanModel:
    """A linear model on texts.

    Parameters
    ----------
    steps : sequence of callable
        From texts to a matrix, one after the other.
    classes : ndarray
        The classes.
    coef, intercept : ndarray
        One row, and one number, a binary problem.
    link : callable or None
        From scores to probabilities; None if the model has none.
    caller : str
        What reads the texts, for messages.
    """

    def __init__(
        self,
        steps: Sequence[Callable[[Any], Any]],
        classes: Array,
        coef: Array,
        intercept: Any,
        link: Callable[[Array], Array] | None,
        caller: str,
    ) -> None:
        self.classes_ = classes
        self.caller = caller
        self.link = link
        self._steps = tuple(steps)
        # Rows are gathered from: values that lie together are quicker.
        self._coef = np.ascontiguousarray(coef)
        self._intercept = intercept

    def scores(self, texts: list[str]) -> Array:
        """Return decision values, one column a binary problem."""
        X: Any = texts
        for step in self._steps:
            X = step(X)
        return _scores(X, self._coef, self._intercept)

    def labels(self, scores: Array) -> Array:
        """Return the class of the highest score, of ties the first."""
        if scores.shape[1] == 1:
            return self.classes_[(scores[:, 0] > 0).astype(int)]
        return self.classes_[scores.argmax(axis=1)]


# -- parts ------------------------------------------------------------------------


def _ngrams(part: Part) -> Step:
    options = Part(part.kind)
    vars(options).update(vars(part))
    for name in ("preprocessor", "tokenizer"):
        value = getattr(part, name)
        vars(options)[name] = None if value is None else _text_function(value)
    try:
        lookup = NgramLookup(options)
    except UnknownOptionError:
        raise NotLeanError from None

    def run(texts: Sequence[str]) -> Values:
        data, indices, indptr = lookup.rows(texts)
        row = np.repeat(np.arange(len(texts)), np.diff(indptr))
        return Values(data, row, indices, (len(texts), lookup.n_columns))

    return Step(run, _of_texts(lookup.n_columns))


def _of_texts(n_columns: int) -> Callable[[int | None], int]:
    def width(before: int | None) -> int:
        if before is not None:
            raise NotLeanError
        return n_columns

    return width


def _text_function(part: Any) -> Callable[[str], Any]:
    """Return what a normaliser or a tokenizer does to one text."""
    if not isinstance(part, Part):
        raise NotLeanError
    if part.kind == "tweetclf.preprocessing.TweetNormalizer":
        return compile_steps(_normalizer_options(part))
    if part.kind == "tweetclf.preprocessing.TweetTokenizer":
        if part.normalizer is None:
            return compile_tokenizer(part, None, ())
        normalize = _text_function(part.normalizer)
        tokens = _normalizer_options(part.normalizer).tokens()
        return compile_tokenizer(part, normalize, tokens)
    raise NotLeanError


def _normalizer_options(part: Part) -> Options:
    return Options(*(getattr(part, name) for name in Options._fields))


def _normalizer(part: Part) -> Step:
    function = _text_function(part)

    def width(before: int | None) -> None:
        if before is not None:
            raise NotLeanError

    return Step(lambda texts: list(map(function, texts)), width)


def _embedding(part: Part) -> Step:
    function = _text_function(part.tokenizer)
    vectors = part.word_vectors_
    if not isinstance(vectors, Part):
        raise NotLeanError
    averaging = Averaging()
    vars(averaging).update(vars(part))
    averaging.word_vectors_ = WordRows()
    vars(averaging.word_vectors_).update(vars(vectors))

    def run(texts: Sequence[str]) -> Array:
        return averaging._embed(list(map(function, texts)))

    return Step(run, _of_texts(averaging.word_vectors_.dim))


def _ratios(part: Part) -> Step:
    binarize = part.binarize
    if binarize == "auto":
        binarize = part.variant == "wang-manning"
    log_ratio = part.log_ratio_

    def run(X: Matrix) -> Matrix:
        if binarize:
            X = _binarized(X)
        dtype = X.dtype if isinstance(X, np.ndarray) else X.data.dtype
        ratio = log_ratio.astype(dtype, copy=False)
        if isinstance(X, np.ndarray):
            return np.hstack([X * row for row in ratio])
        blocks: list[Matrix] = [
            X._replace(data=X.data * row[X.column]) for row in ratio
        ]
        return blocks[0] if len(blocks) == 1 else _stack(blocks)

    def width(before: int | None) -> int:
        if before != log_ratio.shape[1]:
            raise NotLeanError
        return int(log_ratio.size)

    return Step(run, width)


def _union(part: Part) -> Step:
    if part.transformer_weights is not None:
        raise NotLeanError
    steps = [_feature(block) for _, block in part.transformer_list]

    def width(before: int | None) -> int:
        widths = [step.width(before) for step in steps]
        if None in widths:
            raise NotLeanError
        return sum(widths)  # type: ignore[arg-type]

    return Step(lambda texts: _stack([step.run(texts) for step in steps]), width)


_FEATURES: dict[str, Callable[[Part], Step]] = {
    "sklearn.pipeline.FeatureUnion": _union,
    "tweetclf.features.NBLogCountRatio": _ratios,
    "tweetclf.features.NgramTfidfVectorizer": _ngrams,
    "tweetclf.features.SIFVectorizer": _embedding,
    "tweetclf.preprocessing.TweetNormalizer": _normalizer,
}

_LINKS: dict[str, Callable[[Array], Array] | None] = {
    "sklearn.linear_model.LogisticRegression": _multinomial,
    "sklearn.svm.LinearSVC": None,
    "tweetclf.estimators.NBSVMClassifier": _normalised,
    "tweetclf.estimators.OneVsRestLogisticRegression": _normalised,
}

KINDS = frozenset(
    {
        *_FEATURES,
        *_LINKS,
        "sklearn.feature_extraction.text.TfidfTransformer",
        "sklearn.pipeline.Pipeline",
        "tweetclf.features.WordVectors",
        "tweetclf.preprocessing.TweetTokenizer",
    }
)
"""The types that a lean model may consist of."""


def _feature(part: Any) -> Step:
    if not isinstance(part, Part) or part.kind not in _FEATURES:
        raise NotLeanError
    # What `set_output` asked for is made by scikit-learn.
    if "_sklearn_output_config" in vars(part):
        raise NotLeanError
    return _FEATURES[part.kind](part)


def _linear(part: Any, steps: list[Step], caller: str) -> LeanModel:
    if not isinstance(part, Part) or part.kind not in _LINKS:
        raise NotLeanError
    link = _LINKS[part.kind]
    if part.kind == "tweetclf.estimators.NBSVMClassifier":
        binarize = part.binarize
        if binarize == "auto":
            binarize = part.variant == "wang-manning"
        if part.vectorizer_ is not None:
            steps = [*steps, _feature(part.vectorizer_)]
            caller = part.kind
        if binarize:
            steps = [*steps, Step(_binarized, lambda before: before)]
        if part.learner != "lr":
            link = None
    width: int | None = None
    for step in steps:
        width = step.width(width)
    n_problems = 1 if len(part.classes_) == 2 else len(part.classes_)
    # Products of float32 are rounded by SciPy's own loops.
    if part.coef_.shape != (n_problems, width) or part.coef_.dtype != np.float64:
        raise NotLeanError
    return LeanModel(
        [step.run for step in steps],
        part.classes_,
        part.coef_,
        part.intercept_,
        link,
        caller.rpartition(".")[2],
    )


def _reader(part: Any) -> str:
    """Return the type of the first vectorizer, which refuses what is no text."""
    while part.kind in ("sklearn.pipeline.Pipeline", "sklearn.pipeline.FeatureUnion"):
        inner = part.steps if part.kind.endswith("Pipeline") else part.transformer_list
        part = next(p for _, p in inner if not p.kind.endswith("Normalizer"))
    kind: str = part.kind
    return kind


def build(part: Any) -> LeanModel:
    """Return a model that predicts with NumPy alone.

    Parameters
    ----------
    part : Part
        A saved estimator.

    Raises
    ------
    NotLeanError
        If it, or a part of it, is left to scikit-learn.
    """
    try:
        if not isinstance(part, Part):
            raise NotLeanError
        if part.kind != "sklearn.pipeline.Pipeline":
            return _linear(part, [], part.kind)
        *features, (_, last) = part.steps
        steps = [_feature(step) for _, step in features]
        return _linear(last, steps, _reader(part))
    # Not as fitted models of these versions are; the whole model will say so.
    except (AttributeError, LookupError, TypeError, ValueError):
        raise NotLeanError from None
