"""Features of folds, computed once: a ``memory`` for scikit-learn's pipelines."""

from __future__ import annotations

import contextlib
import copy
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import joblib
import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, Pipeline

from tweetclf.estimators.voting import fit_member
from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.features.counts import counts_alike, parameter_key
from tweetclf.leaderboard.identity import as_texts, digest, identity
from tweetclf.leaderboard.remembering import Remembering, fit_plainly
from tweetclf.leaderboard.results import Holder, Member, Results, handed_out

__all__ = ["FoldCache"]


class _Origin(NamedTuple):
    """Where a result of the cache came from."""

    result: Any  # a weak reference
    key: Any
    whole: bool


class FoldCache(Holder):
    """Remember the features of every fold; count n-grams once for all folds.

    Give it to a pipeline as its ``memory`` and every search over that pipeline, such
    as scikit-learn's ``GridSearchCV``, fits each feature step once a fold and a
    setting of that step, instead of once a cell of the grid. What a fold is
    validated on is transformed once, too. The matrices are the same bits as without
    it, so no score changes.

    Parameters
    ----------
    texts : sequence of str, default=()
        All texts of the search. N-grams of :class:`NgramTfidfVectorizer` are counted
        once in all of them; document frequencies, vocabulary and weights of a fold
        are then computed from its rows of the counts.
    max_bytes : int, default=2**30
        Most memory of the counts and matrices that are kept, in bytes; those used
        longest ago are dropped and computed again when they are needed.

    Notes
    -----
    A result is found by the content of all that made it: the class and all
    parameters of the transformer, nested ones too, the texts or the earlier result it
    was fitted on, and y. Functions are told apart by identity. A transformer that
    cannot be described so, and results that are neither arrays, sparse matrices nor
    lists of str, are computed anew each time.

    Matrices that are kept are never handed out themselves, but copies of them, so that
    a step may write on its input. Fits on all of `texts`, such as the
    final one of ``GridSearchCV``, give plain transformers; those on other texts, a thin
    wrapper that remembers what it transformed. :meth:`plain` gives a final pipeline
    without the wrappers and the memory, to be looked at, saved or fitted anew.

    It may be used by many threads. Processes (``n_jobs`` with joblib's default
    backend) fill one of their own each.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from tweetclf.estimators import char_svm
    >>> from tweetclf.leaderboard import FoldCache
    >>> texts = ["jaja que risa", "que triste dia", "jajaja", "triste"] * 3
    >>> pipeline = char_svm().set_params(memory=FoldCache(texts))
    >>> search = GridSearchCV(pipeline, {"svm__C": [0.1, 1.0]}, cv=3)
    >>> search.fit(texts, ["P", "N"] * 6).best_score_
    np.float64(1.0)
    """

    def __init__(self, texts: Sequence[Any] = (), *, max_bytes: int = 2**30) -> None:
        self.texts = as_texts(texts) or []
        self._max_bytes = max_bytes
        self._token = uuid.uuid4().hex
        self._start()

    def _start(self) -> None:
        self._row = {text: row for row, text in enumerate(self.texts)}
        self._results = Results(self._max_bytes)
        self._origins: dict[int, _Origin] = {}
        self._lock = threading.RLock()
        _LIVE[self._token] = self

    @property
    def max_bytes(self) -> int:
        """Most memory of what is kept, in bytes."""
        return self._max_bytes

    def __repr__(self) -> str:
        return f"FoldCache(of {len(self.texts)} texts)"

    # scikit-learn clones pipelines with all they hold; all clones share one cache.
    def __sklearn_clone__(self) -> FoldCache:
        return self

    def __deepcopy__(self, memo: Any) -> FoldCache:
        return self

    def __reduce__(self) -> Any:
        return _attach, (self._token, self.texts, self.max_bytes)

    def cache(self, func: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Return `func` with a memory, as a pipeline asks for it.

        Parameters
        ----------
        func : callable
            What scikit-learn's pipeline fits a transformer with; any other function is
            returned as it is.
        **options
            Not used.
        """
        return self._cached(func, shared=False)

    def sharing(self) -> Any:
        """Return a memory for pipelines of which no step writes on its input.

        Their matrices are handed out without a copy, read-only.
        """
        return _Sharing(self)

    def _cached(self, func: Callable[..., Any], shared: bool) -> Callable[..., Any]:
        if func is fit_member:
            return self.fit_member
        if not getattr(func, "__name__", "").startswith("_fit_transform_one"):
            return func

        def fit_transform(
            transformer: Any, X: Any, y: Any = None, weight: Any = None, **rest: Any
        ) -> tuple[Any, Any]:
            routed = rest.get("params") or {}
            if weight is not None or any(routed.values()):
                return self._fit_aside(
                    lambda: func(transformer, X, y, weight, **rest), X
                )
            return self.fit_transform(transformer, X, y, shared=shared)

        return fit_transform

    def fit_transform(
        self, transformer: Any, X: Any, y: Any = None, *, shared: bool = False
    ) -> tuple[Any, Any]:
        """Fit a transformer, or find it fitted; return the result and the transformer.

        Parameters
        ----------
        transformer : transformer
            Unfitted; it may be fitted in place.
        X : sequence of str, array or sparse matrix
            What it is fitted on.
        y : array, optional
            Labels.
        shared : bool, default=False
            Return what is kept itself, read-only, in place of a copy.

        Returns
        -------
        result, fitted : tuple
            As of ``fit_transform``.
        """
        try:
            of, whole = self._input_key(X)
            settings = identity(transformer), _containers()
            key = ("fit", settings, of, joblib.hash(y))
            hash(key)
        except Exception:  # what cannot be described is not remembered
            return self._fit_aside(lambda: fit_plainly(transformer, X, y), X)
        if whole:
            result, fitted = self._fit(transformer, X, y)
            self._trace(result, key, whole)
            return _Whole(result) if type(result) is list else result, fitted
        result, fitted = self._results.find(key, lambda: self._fit(transformer, X, y))
        result = handed_out(result, shared)
        self._trace(result, key, whole)
        return result, Remembering(self, key, fitted, shared)

    def fit_member(self, member: Any, X: Any, y: Any) -> Any:
        """Fit a member of a vote, or find it fitted.

        Parameters
        ----------
        member : estimator
            Unfitted; it may be fitted in place.
        X : sequence of str, array or sparse matrix
            What it is fitted on.
        y : array
            Labels.

        Returns
        -------
        estimator
            The fitted member. It is shared, and must not be changed.
        """
        try:
            settings = identity(member), _containers()
            key = ("member", settings, self._input_key(X)[0], joblib.hash(y))
            hash(key)
        except Exception:  # what cannot be described is not remembered
            self._forget(X)
            return member.fit(X, y)
        return self._results.find(key, lambda: Member(member.fit(X, y))).fitted

    def transform(self, fitted: Any, key: Any, X: Any, *, shared: bool = False) -> Any:
        """Return ``fitted.transform(X)``, computed or found.

        Parameters
        ----------
        fitted : transformer
            A fitted transformer.
        key : tuple
            What names it.
        X : sequence of str, array or sparse matrix
            What to transform.
        shared : bool, default=False
            Return what is kept itself, read-only, in place of a copy.
        """
        try:
            of, whole = self._input_key(X)
        except Exception:
            self._forget(X)
            return fitted.transform(X)
        name = ("transform", key, of, _containers())
        result = self._results.find(name, lambda: self._transform(fitted, X))
        result = handed_out(result, shared)
        self._trace(result, name, whole)
        return result

    @staticmethod
    def plain(model: Any) -> Any:
        """Return a copy of a fitted model that neither uses nor holds a cache.

        Parameters
        ----------
        model : estimator
            Fitted with a cache as its memory, or as that of a part of it.

        Returns
        -------
        estimator
            The same model, of the classes it has without a cache.
        """
        model = copy.deepcopy(model)  # copies of wrappers are what they wrap
        for part in parts_of(model):
            if isinstance(getattr(part, "memory", None), FoldCache | _Sharing):
                part.memory = None
        return model

    def is_memory_of(self, part: Any) -> bool:
        """Tell whether a pipeline or a vote remembers in this cache."""
        memory = getattr(part, "memory", None)
        return memory is self or (
            isinstance(memory, _Sharing) and memory._cache is self
        )

    def _trace(self, result: Any, key: Any, whole: bool) -> None:
        """Note where a matrix came from, for the step that is fitted on it."""
        traceable = isinstance(result, np.ndarray) or sparse.issparse(result)
        if traceable or (whole and type(result).__weakrefoffset__):
            with self._lock:
                self._origins[id(result)] = _Origin(weakref.ref(result), key, whole)
                dead = [i for i, o in self._origins.items() if o.result() is None]
                for i in dead:
                    del self._origins[i]

    def _forget(self, X: Any) -> None:
        """Let its content name an input from now on, as it may be changed."""
        with self._lock:
            self._origins.pop(id(X), None)

    def _input_key(self, X: Any) -> tuple[Any, bool]:
        """Return what names an input, and whether it is (made of) all texts."""
        with self._lock:
            origin = self._origins.get(id(X))
        if origin is not None and origin.result() is X:
            return origin.key, origin.whole
        texts = as_texts(X)
        if texts is None:
            return ("content", type(X), joblib.hash(X)), False
        whole = isinstance(X, _Whole) or (bool(texts) and texts == self.texts)
        return ("texts", digest(texts)), whole

    # How it is computed

    def _fit_aside(self, fit: Callable[[], tuple[Any, Any]], X: Any) -> tuple[Any, Any]:
        """Fit what is not remembered, and name its result by content."""
        try:
            whole = self._input_key(X)[1]
        except Exception:  # it is fitted below all the same, and nothing is remembered
            whole = False
        self._forget(X)
        result, fitted = fit()
        if not whole:
            return result, Remembering(self, None, fitted, False)
        if type(result) is list:
            return _Whole(result), fitted
        with contextlib.suppress(Exception):  # what has no hash has no name
            self._trace(result, ("content", type(result), joblib.hash(result)), whole)
        return result, fitted

    def _fit(self, transformer: Any, X: Any, y: Any) -> tuple[Any, Any]:
        if type(transformer) is FeatureUnion and _is_simple(transformer):
            return self._fit_union(transformer, X, y)
        if type(transformer) is Pipeline and transformer.memory is None:
            transformer.memory = self
            result, fitted = fit_plainly(transformer, X, y)
            fitted.memory = None
            return result, fitted
        rows = self._rows(transformer, X)
        if rows is not None:
            try:
                counts = self._counts(transformer)
                return transformer.fit_transform_counts(counts, rows), transformer
            except DataError:  # counts do not serve it; errors of its own come again
                pass
        return fit_plainly(transformer, X, y)

    def _fit_union(self, union: FeatureUnion, X: Any, y: Any) -> tuple[Any, Any]:
        blocks, steps = [], []
        for name, part in union.transformer_list:
            block, fitted = self.fit_transform(clone(part), X, y, shared=True)
            blocks.append(block)
            steps.append((name, fitted))
        union.transformer_list = steps
        if any(sparse.issparse(block) for block in blocks):
            return sparse.hstack(blocks).tocsr(), union
        return np.hstack(blocks), union

    def _transform(self, fitted: Any, X: Any) -> Any:
        rows = self._rows(fitted, X)
        if rows is not None:
            try:
                return fitted.transform_counts(self._counts(fitted), rows)
            except DataError:  # as in `_fit`
                pass
        return fitted.transform(X)

    def _rows(self, transformer: Any, X: Any) -> np.ndarray | None:
        """Return where the texts stand in the corpus; None if counts do not help."""
        if type(transformer) is not NgramTfidfVectorizer:
            return None
        texts = as_texts(X)
        if not texts or transformer.input != "content" or not counts_alike(transformer):
            return None
        rows = [self._row.get(text, -1) for text in texts]
        return None if min(rows) < 0 else np.array(rows)

    def _counts(self, vectorizer: NgramTfidfVectorizer) -> Any:
        key = ("counts", parameter_key(vectorizer))
        return self._results.find(key, lambda: clone(vectorizer).count(self.texts))


class _Whole(list[str]):
    """Texts made of all texts, so that the next step knows that this is no fold."""


class _Sharing:
    """A cache as the memory of pipelines that write on no matrix."""

    def __init__(self, cache: FoldCache) -> None:
        self._cache = cache

    def __sklearn_clone__(self) -> _Sharing:
        return self

    def __deepcopy__(self, memo: Any) -> _Sharing:
        return self

    def cache(self, func: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Return `func` with a memory, as a pipeline asks for it."""
        return self._cache._cached(func, shared=True)


def parts_of(model: Any) -> Iterator[Any]:
    """Yield all objects that make up a fitted model, itself first."""
    seen: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _LEAVES) or id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, list | tuple):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, np.ndarray):
            if part.dtype == object:
                waiting.extend(part.ravel().tolist())
        elif not sparse.issparse(part):
            yield part
            waiting.extend(getattr(part, "__dict__", {}).values())


def _containers() -> tuple[Any, Any]:
    """Return the settings of scikit-learn that decide of which class results are."""
    config = get_config()
    return config["transform_output"], config.get("sparse_interface")


def _is_simple(union: FeatureUnion) -> bool:
    """Tell whether a union does nothing but put its blocks side by side."""
    parts = [part for _, part in union.transformer_list]
    return (
        not union.transformer_weights
        and not getattr(union, "_sklearn_output_config", None)
        and bool(parts)
        and not any(isinstance(part, str) or part is None for part in parts)
    )


# What holds no part of a model, or nothing but a cache.
_LEAVES = (str, bytes, int, float, type, FunctionType, ModuleType, FoldCache, _Sharing)

_LIVE: weakref.WeakValueDictionary[str, FoldCache] = weakref.WeakValueDictionary()
# A worker process keeps the cache of the search it works for between its tasks.
_ATTACHED: list[FoldCache] = []


def _attach(token: str, texts: list[str], max_bytes: int) -> FoldCache:
    """Return the cache of this process that belongs to a pickled one."""
    found = _LIVE.get(token)
    if found is None:
        found = FoldCache.__new__(FoldCache)
        found.texts, found._max_bytes, found._token = texts, max_bytes, token
        found._start()
        _ATTACHED[:] = [found]
    return found
