"""Names for texts, parameters and transformers: equal if they would do the same."""

from __future__ import annotations

import copy
import hashlib
from types import BuiltinFunctionType, FunctionType
from typing import Any

import joblib
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

__all__ = ["as_texts", "digest", "identity"]

_PLAIN = (
    type(None),
    bool,
    int,
    complex,
    str,
    bytes,
    type,
    FunctionType,
    BuiltinFunctionType,
)


def as_texts(X: Any) -> list[str] | None:
    """Return a column of texts as a list, or None if it is something else."""
    if isinstance(X, np.ndarray) and (X.ndim != 1 or X.dtype.kind not in "OU"):
        return None
    if sparse.issparse(X) or isinstance(X, str | bytes) or hasattr(X, "columns"):
        return None
    if not hasattr(X, "__len__"):  # nothing to iterate over, or only once
        return None
    texts = list(X)
    return texts if all(isinstance(text, str) for text in texts) else None


def digest(texts: list[str]) -> str:
    """Return a hash of the content of texts; lengths keep them apart."""
    lengths = np.fromiter(map(len, texts), np.int64, count=len(texts))
    state = hashlib.blake2b(lengths.tobytes(), digest_size=20)
    state.update("".join(texts).encode("utf-8", "surrogatepass"))
    return state.hexdigest()


class _Is:
    """A key that stands for one object, which it keeps alive."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Is) and other.value is self.value


def identity(value: Any) -> Any:
    """Return a key that is equal for equal parameters and for nothing else."""
    if isinstance(value, float):
        return float, value.hex()
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, list | tuple):
        return type(value), tuple(identity(item) for item in value)
    if isinstance(value, dict):
        items = value.items()
        return type(value), tuple((identity(k), identity(v)) for k, v in items)
    if hasattr(value, "__tweetclf_key__"):
        return type(value), value.__tweetclf_key__()
    cls = type(value)
    own_clone = getattr(cls, "__sklearn_clone__", None)
    if (
        isinstance(value, BaseEstimator)
        and own_clone is BaseEstimator.__sklearn_clone__
    ):
        state = value.get_params(deep=False)
        # Clones keep these, too.
        for name in ("_sklearn_output_config", "_metadata_request"):
            state[name] = getattr(value, name, None)
        return cls, tuple((name, identity(state[name])) for name in sorted(state))
    if hasattr(cls, "__deepcopy__") and copy.deepcopy(value) is value:
        # It does not change, by its own account; large vectors are such.
        return _Is(value)
    return cls, joblib.hash(value)
