"""A fitted transformer that remembers what it transformed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from tweetclf.leaderboard.identity import identity

if TYPE_CHECKING:
    from tweetclf.leaderboard.fold_cache import FoldCache

__all__ = ["Remembering", "fit_plainly", "is_wrapper"]


def fit_plainly(transformer: Any, X: Any, y: Any, **params: Any) -> tuple[Any, Any]:
    """Fit a transformer and return its result and itself, as pipelines do."""
    if hasattr(transformer, "fit_transform"):
        return transformer.fit_transform(X, y, **params), transformer
    return transformer.fit(X, y, **params).transform(X), transformer


class Remembering:
    """A fitted transformer that remembers what it transformed.

    Copies and pickles of it are the transformer itself. The transformer is shared, so
    what would change it is done to a copy, which is not remembered any more; without
    a key, it is not remembered from the start.
    """

    _OWN = ("_cache", "_key", "_fitted", "_shared")

    def __init__(self, cache: FoldCache, key: Any, fitted: Any, shared: bool) -> None:
        self._cache = cache
        self._key = key
        self._fitted = fitted
        self._shared = shared

    def _private(self) -> Any:
        """Return a transformer that may be changed."""
        if self._key is not None:
            self._fitted = copy.deepcopy(self._fitted)
            self._key = None
        return self._fitted

    def fit(self, X: Any, y: Any = None, **params: Any) -> Remembering:
        """Fit a copy."""
        self._cache._forget(X)
        self._private().fit(X, y, **params)
        return self

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit a copy and return its result."""
        self._cache._forget(X)
        return fit_plainly(self._private(), X, y, **params)[0]

    def set_params(self, **params: Any) -> Remembering:
        """Set parameters of a copy."""
        if params:
            self._private().set_params(**params)
        return self

    def transform(self, X: Any, **params: Any) -> Any:
        """Return the result, computed or found."""
        if params or self._key is None:
            self._cache._forget(X)
            return self._fitted.transform(X, **params)
        return self._cache.transform(self._fitted, self._key, X, shared=self._shared)

    def __getattr__(self, name: str) -> Any:
        if name in self._OWN:
            raise AttributeError(name)
        if name == "partial_fit" or name.startswith("set_"):
            return getattr(self._private(), name)
        return getattr(self._fitted, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._private(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._private(), name)

    def __repr__(self) -> str:
        return repr(self._fitted)

    def __tweetclf_key__(self) -> Any:
        return identity(self._fitted) if self._key is None else self._key

    def __sklearn_clone__(self) -> Any:
        return clone(self._fitted)

    def __reduce__(self) -> Any:
        return _itself, (self._fitted,)


def _itself(value: Any) -> Any:
    return value


def is_wrapper(part: Any) -> bool:
    """Tell whether a step is a transformer within its wrapper."""
    return isinstance(part, Remembering)
