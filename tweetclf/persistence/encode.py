"""From Python values to JSON nodes and arrays.

Text, finite numbers, booleans and None stand for themselves; everything else is an
object whose key ``"$"`` tells what it is. Values that may change and occur more than
once (cycles included) are written once, with an ``"id"``, and referred to after that.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import PurePath
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch

from tweetclf.exceptions import ModelFormatError
from tweetclf.features import NgramVocabulary
from tweetclf.features._front_coding import to_arrays
from tweetclf.persistence._states import check_state
from tweetclf.persistence.allowed import DROPPED, name_of
from tweetclf.persistence.decode import BUILTIN_TYPES, SPARSE_TYPES
from tweetclf.utils._sklearn import SIMPLE_METHODS, MetadataRequest
from tweetclf.utils.strings import pack_strings
from tweetclf.utils.tensors import is_storable

__all__ = ["Encoder"]

Node = Any

_MAPPINGS = {dict: "dict", OrderedDict: "ordered_dict", Bunch: "bunch"}
# Shorter sequences of strings are easier to read in place.
_MIN_PACKED = 32


class Encoder:
    """Encodes one value; `arrays` holds what does not go into JSON.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays, by name.
    profiles : set of str
        Preprocessing profiles, as ``name@version``, of the parts.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.profiles: set[str] = set()
        # By id: the node of each shared value, and the value itself, which must
        # stay alive for its id to stay its own.
        self._seen: dict[int, tuple[dict[str, Node], Any]] = {}
        self._n_ids = 0

    def encode(self, value: Any, where: str) -> Node:
        """Return the node of `value`; `where` names its place in messages."""
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is int:
            if value.bit_length() > 10_000:
                raise ModelFormatError(f"{where} is an int of too many digits")
            return value
        if kind is float:
            if math.isfinite(value):
                return value
            return {"$": "float", "value": repr(value)}
        if kind is tuple:
            return self._sequence(value, "tuple", where)
        if isinstance(value, np.generic):
            return self._scalar(value, where)
        if isinstance(value, PurePath):
            return {"$": "path", "value": str(value)}
        if kind is slice:
            parts = (value.start, value.stop, value.step)
            return {"$": "slice", "items": [self.encode(p, where) for p in parts]}
        if isinstance(value, np.dtype):
            return {"$": "dtype", "name": _dtype_name(value, where)}
        if isinstance(value, type):
            return self._type(value, where)
        return self._shared(value, where)

    def _shared(self, value: Any, where: str) -> Node:
        known = self._seen.get(id(value))
        if known is not None:
            node = known[0]
            if "id" not in node:
                node["id"] = self._n_ids
                self._n_ids += 1
            return {"$": "ref", "id": node["id"]}
        # Registered before its parts are encoded, so that a cycle finds it.
        node = {}
        self._seen[id(value)] = (node, value)
        node.update(self._compound(value, where))
        return node

    def _compound(self, value: Any, where: str) -> dict[str, Node]:
        kind = type(value)
        if kind is list:
            return self._sequence(value, "list", where)
        if kind in (set, frozenset):
            return self._set(value, where)
        if kind in _MAPPINGS:
            return self._mapping(value, where)
        if kind in (np.ndarray, np.memmap):
            return self._array(value, where)
        if sparse.issparse(value):
            return self._sparse(value, where)
        if kind is NgramVocabulary:
            arrays = to_arrays(value)
            names = {name: self._store(array) for name, array in arrays.items()}
            return {"$": "ngrams", "arrays": names}
        return self._object(value, where)

    def _sequence(self, value: Any, kind: str, where: str) -> dict[str, Node]:
        if len(value) >= _MIN_PACKED and all(type(item) is str for item in value):
            return {"$": kind, "strings": self._pack(value)}
        items = [self.encode(item, f"{where}[{k}]") for k, item in enumerate(value)]
        return {"$": kind, "items": items}

    def _set(self, value: Any, where: str) -> dict[str, Node]:
        # Sets have no order of their own; files of equal models should be equal.
        try:
            ordered = sorted(value)
        except TypeError:
            ordered = sorted(value, key=repr)
        return {**self._sequence(ordered, "list", where), "$": type(value).__name__}

    def _mapping(self, value: Any, where: str) -> dict[str, Node]:
        vocabulary = _vocabulary(value) if type(value) is dict else None
        if vocabulary is not None:
            return {"$": "vocabulary", "strings": self._pack(vocabulary)}
        items = [
            [
                self.encode(key, f"a key of {where}"),
                self.encode(item, f"{where}[{key!r}]"),
            ]
            for key, item in value.items()
        ]
        return {"$": _MAPPINGS[type(value)], "items": items}

    def _pack(self, strings: Any) -> dict[str, str]:
        text, lengths = pack_strings(strings)
        return {"text": self._store(text), "lengths": self._store(lengths)}

    def _store(self, array: np.ndarray) -> str:
        name = str(len(self.arrays))
        self.arrays[name] = array
        return name

    def _array(self, array: np.ndarray, where: str) -> dict[str, Node]:
        shape = list(array.shape)
        if array.dtype.kind == "O":
            items = self._sequence(array.ravel().tolist(), "list", where)
            return {"$": "object_array", "shape": shape, "items": items}
        if array.dtype.kind in "UT":
            strings = [str(item) for item in array.ravel().tolist()]
            items = self._sequence(strings, "list", where)
            name = _dtype_name(array.dtype, where)
            return {"$": "str_array", "shape": shape, "dtype": name, "items": items}
        if not is_storable(array.dtype):
            raise ModelFormatError(f"{where} is an array of {array.dtype}")
        # Products of matrices may differ in the last bit between memory layouts, so
        # a matrix that runs down its columns comes back so.
        by_column = array.ndim == 2 and abs(array.strides[0]) < abs(array.strides[1])
        return {
            "$": "array",
            "name": self._store(array.T if by_column else array),
            "dtype": array.dtype.name,
            "shape": shape,
            "order": "F" if by_column else "C",
        }

    def _sparse(self, value: Any, where: str) -> dict[str, Node]:
        kind = type(value)
        name = kind.__name__
        if name not in SPARSE_TYPES or getattr(sparse, name) is not kind:
            raise ModelFormatError(
                f"{where} is a {name}; only csr and csc matrices can be saved"
            )
        parts = ("data", "indices", "indptr")
        return {
            "$": "sparse",
            "type": name,
            "shape": [int(n) for n in value.shape],
            **{part: self.encode(getattr(value, part), where) for part in parts},
        }

    def _scalar(self, value: np.generic, where: str) -> Node:
        if isinstance(value, np.str_):
            # NumPy's own str() drops a trailing "\0".
            return {"$": "scalar", "dtype": "str", "value": str.__str__(value)}
        if not is_storable(value.dtype):
            raise ModelFormatError(f"{where} is a NumPy {type(value).__name__}")
        node = self.encode(value.item(), where)
        return {"$": "scalar", "dtype": value.dtype.name, "value": node}

    def _type(self, value: type, where: str) -> Node:
        if BUILTIN_TYPES.get(value.__name__) is value:
            return {"$": "type", "name": value.__name__}
        if issubclass(value, np.generic) and is_storable(np.dtype(value)):
            return {"$": "type", "name": f"numpy.{np.dtype(value).name}"}
        name_of(type(value), where)  # raises
        raise AssertionError

    def _object(self, value: Any, where: str) -> dict[str, Node]:
        name = name_of(type(value), where)
        profile = getattr(value, "profile", None)
        if name.startswith("tweetclf.preprocessing.") and isinstance(profile, str):
            self.profiles.add(profile)
        state = dict(value.__getstate__() or {})
        state.pop("_sklearn_version", None)
        for dropped in DROPPED.get(name, ()):
            state.pop(dropped, None)
        check_state(name, state)
        label = f"{where} ({type(value).__name__})" if where == "estimator" else where
        return {
            "$": "object",
            "type": name,
            "state": {
                attribute: _requests(item)
                if isinstance(item, MetadataRequest)
                else self.encode(item, f"{label}.{attribute}")
                for attribute, item in state.items()
            },
        }


def _dtype_name(dtype: np.dtype, where: str) -> str:
    if dtype.kind == "U":
        return f"U{dtype.itemsize // 4}"
    if dtype.kind == "T" and not hasattr(dtype, "na_object"):
        return "str"
    if dtype.kind == "O":
        return "object"
    if not is_storable(dtype):
        raise ModelFormatError(f"{where} has the dtype {dtype}")
    return dtype.name


def _vocabulary(value: dict[Any, Any]) -> list[str] | None:
    """Return the keys by their numbers, if those are 0 to n - 1 in any order."""
    if len(value) < _MIN_PACKED:
        return None
    words: list[str | None] = [None] * len(value)
    for word, number in value.items():
        if (
            type(word) is not str
            or type(number) is not int
            or not 0 <= number < len(words)
            or words[number] is not None
        ):
            return None
        words[number] = word
    return words  # type: ignore[return-value]


def _requests(request: MetadataRequest) -> Node:
    """Encode what an estimator asks of metadata routing."""
    return {
        "$": "requests",
        "methods": {
            method: dict(getattr(request, method).requests) for method in SIMPLE_METHODS
        },
    }
