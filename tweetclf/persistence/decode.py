"""From JSON nodes and arrays to Python values; whatever is odd is refused."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import ModelFormatError
from tweetclf.features import NgramVocabulary
from tweetclf.features._front_coding import from_arrays
from tweetclf.persistence._states import check_state
from tweetclf.persistence.allowed import DROPPED, class_named, finish
from tweetclf.utils.strings import unpack_strings
from tweetclf.utils.tensors import is_storable

__all__ = ["BUILTIN_TYPES", "SPARSE_TYPES", "Decoder"]

Node = Any

BUILTIN_TYPES: dict[str, type] = {
    t.__name__: t for t in (bool, int, float, complex, str, object)
}
SPARSE_TYPES = ("csr_matrix", "csr_array", "csc_matrix", "csc_array")
"""Names of SciPy; it and scikit-learn are imported by models that need them."""

_ATTRIBUTE = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MAX_STRING_BYTES = 1 << 30


class Decoder:
    """Decodes the nodes of one model.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The arrays of the model, by name.

    Attributes
    ----------
    unused : set of str
        Names of the arrays that no node has asked for.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays
        self.unused = set(arrays)
        self._shared: dict[int, Any] = {}
        self._finish: list[tuple[str, Any]] = []
        self._decoders: dict[str, Callable[[dict[str, Node]], Any]] = {
            "array": self._array,
            "bunch": self._bunch,
            "dict": lambda node: self._mapping(node, {}),
            "dtype": self._dtype,
            "float": self._float,
            "frozenset": lambda node: self._register(
                node, frozenset(self._list(node, False))
            ),
            "list": self._list,
            "ngrams": self._ngrams,
            "object": self._object,
            "object_array": self._object_array,
            "ordered_dict": lambda node: self._mapping(node, OrderedDict()),
            "path": lambda node: Path(_text(node["value"])),
            "ref": self._ref,
            "scalar": self._scalar,
            "set": lambda node: self._register(node, set(self._list(node, False))),
            "slice": lambda node: slice(*self._plain_items(node, 3)),
            "sparse": self._sparse,
            "str_array": self._str_array,
            "tuple": lambda node: tuple(self._list(node)),
            "type": self._type,
            "vocabulary": self._vocabulary,
        }

    def decode_model(self, node: Node) -> Any:
        """Return the value of the outermost node.

        Raises
        ------
        ModelFormatError
            If anything is not as `Encoder` writes it.
        """
        try:
            value = self.decode(node)
            # Only now are all containers full, those of cycles too.
            for name, instance in self._finish:
                check_state(name, vars(instance))
            for name, instance in self._finish:
                self._finish_object(name, instance)
        except ModelFormatError:
            raise
        except RecursionError:
            raise ModelFormatError("its parts are nested too deeply") from None
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            TypeError,
            ValueError,
        ) as error:
            raise ModelFormatError(
                f"a part cannot be read ({type(error).__name__}: {error})"
            ) from error
        if self.unused:
            raise ModelFormatError(
                f"the arrays {sorted(self.unused)[:5]} belong to no part"
            )
        return value

    def decode(self, node: Node) -> Any:
        """Return the value of one node."""
        if node is None or type(node) in (bool, str, int, float):
            return node
        if type(node) is not dict or type(node.get("$")) is not str:
            raise ModelFormatError(f"a part is a {type(node).__name__} without a kind")
        decoder = self._decoders.get(node["$"])
        if decoder is None:
            raise ModelFormatError(f"a part has the unknown kind {node['$']!r}")
        return decoder(node)

    def _register(self, node: dict[str, Node], value: Any) -> Any:
        if "id" in node:
            if _natural(node["id"]) in self._shared:
                raise ModelFormatError(f"the id {node['id']} occurs twice")
            self._shared[node["id"]] = value
        return value

    def _ref(self, node: dict[str, Node]) -> Any:
        return self._shared[_natural(node["id"])]

    def _fetch(self, name: Any) -> np.ndarray:
        self.unused.discard(name)
        return self._arrays[_text(name)]

    def _strings(self, node: Any) -> list[str]:
        text, lengths = self._fetch(node["text"]), self._fetch(node["lengths"])
        return unpack_strings(text, lengths)

    # Containers

    def _list(self, node: dict[str, Node], register: bool = True) -> list[Any]:
        if "strings" in node:
            items = self._strings(node["strings"])
            return self._register(node, items) if register else items
        result: list[Any] = []
        if register:
            self._register(node, result)
        result += map(self.decode, _items(node["items"]))
        return result

    def _plain_items(self, node: dict[str, Node], length: int) -> list[Any]:
        items = _items(node["items"])
        if len(items) != length or any(type(i) not in (int, type(None)) for i in items):
            raise ModelFormatError(f"a {node['$']} holds {items!r}")
        return items

    def _mapping(self, node: dict[str, Node], empty: Any) -> Any:
        result = self._register(node, empty)
        for key, value in _items(node["items"]):
            result[self.decode(key)] = self.decode(value)
        return result

    def _bunch(self, node: dict[str, Node]) -> Any:
        from sklearn.utils import Bunch

        return self._mapping(node, Bunch())

    def _vocabulary(self, node: dict[str, Node]) -> dict[str, int]:
        words = self._strings(node["strings"])
        numbers = {word: number for number, word in enumerate(words)}
        if len(numbers) != len(words):
            raise ModelFormatError("a vocabulary repeats a word")
        return self._register(node, numbers)

    def _ngrams(self, node: dict[str, Node]) -> NgramVocabulary:
        # Whatever the kernels would trip over is refused there.
        arrays = {name: self._fetch(key) for name, key in node["arrays"].items()}
        return self._register(node, from_arrays(arrays))

    # Numbers and arrays

    def _float(self, node: dict[str, Node]) -> float:
        value = float(_text(node["value"]))
        if math.isfinite(value):
            raise ModelFormatError(f"a part holds the number {node['value']!r} as text")
        return value

    def _scalar(self, node: dict[str, Node]) -> Any:
        if node["dtype"] == "str":
            return np.str_(_text(node["value"]))
        value = self.decode(node["value"])
        if type(value) not in (bool, int, float):
            raise ModelFormatError(f"a number is a {type(value).__name__}")
        return _numeric(node["dtype"]).type(value)

    def _dtype(self, node: dict[str, Node]) -> np.dtype:
        return _any_dtype(node["name"])

    def _type(self, node: dict[str, Node]) -> type:
        module, _, name = _text(node["name"]).rpartition(".")
        if module == "numpy":
            return _numeric(name).type
        return BUILTIN_TYPES[node["name"]]

    def _array(self, node: dict[str, Node]) -> np.ndarray:
        array = self._fetch(node["name"])
        if node["order"] not in ("C", "F"):
            raise ModelFormatError(f"an array has the order {node['order']!r}")
        if node["order"] == "F":
            array = array.T
        if array.dtype != _numeric(node["dtype"]) or array.shape != _shape(node):
            raise ModelFormatError(
                f"the array {node['name']!r} is {array.dtype} of shape {array.shape}; "
                f"it should be {node['dtype']} of shape {tuple(node['shape'])}"
            )
        return self._register(node, array)

    def _object_array(self, node: dict[str, Node]) -> np.ndarray:
        shape, items = _shape(node), node["items"]
        packed = "strings" in items
        n_items = len(
            self._fetch(items["strings"]["lengths"])
            if packed
            else _items(items["items"])
        )
        if n_items != math.prod(shape):
            raise ModelFormatError(f"an array of shape {shape} has {n_items} items")
        result = np.empty(n_items, dtype=object)
        shaped = self._register(node, result.reshape(shape))
        for k, item in enumerate(self._list(items, register=False)):
            result[k] = item
        return shaped

    def _str_array(self, node: dict[str, Node]) -> np.ndarray:
        items = self._list(node["items"])
        dtype = _any_dtype(node["dtype"])
        if dtype.kind not in "UT" or not all(type(item) is str for item in items):
            raise ModelFormatError("an array of text holds something else")
        if len(items) * dtype.itemsize > _MAX_STRING_BYTES:
            raise ModelFormatError("an array of text is too large")
        array = np.array(items, dtype=dtype).reshape(_shape(node))
        if array.reshape(-1).tolist() != items:
            raise ModelFormatError(f"an array of text does not fit its type {dtype}")
        return self._register(node, array)

    def _sparse(self, node: dict[str, Node]) -> Any:
        parts = tuple(self.decode(node[part]) for part in ("data", "indices", "indptr"))
        if not all(isinstance(part, np.ndarray) for part in parts):
            raise ModelFormatError("a part of a sparse matrix is no array")
        matrix = _sparse_type(node["type"])(parts, shape=_shape(node), copy=False)
        # Without this, indices out of range would make SciPy's C++ read anywhere.
        matrix.check_format(full_check=True)
        return self._register(node, matrix)

    # Objects

    def _object(self, node: dict[str, Node]) -> Any:
        name = _text(node["type"])
        instance = self._register(node, self._new_object(name))
        if type(node["state"]) is not dict:
            raise ModelFormatError(f"the state of a {name} is no object")
        state = {}
        for attribute, value in node["state"].items():
            _check_attribute(name, type(instance), attribute)
            if attribute == "_metadata_request":
                state[attribute] = self._requests(value, instance)
            else:
                state[attribute] = self.decode(value)
        # Not setattr: no property of the class runs.
        instance.__dict__.update(state)
        self._finish.append((name, instance))
        return instance

    def _new_object(self, name: str) -> Any:
        cls = class_named(name)
        return cls.__new__(cls)  # type: ignore[call-overload]

    def _finish_object(self, name: str, instance: Any) -> None:
        finish(name, instance)

    def _requests(self, node: Node, owner: Any) -> Any:
        return _metadata_requests(node, owner)


def _check_attribute(name: str, cls: type, attribute: str) -> None:
    if not _ATTRIBUTE.fullmatch(attribute) or attribute in DROPPED.get(name, ()):
        raise ModelFormatError(f"a {name} has no attribute {attribute!r}")
    if callable(getattr(cls, attribute, None)):
        raise ModelFormatError(f"the method {attribute!r} of a {name} was replaced")


def _sparse_type(name: Any) -> type:
    from scipy import sparse

    if name not in SPARSE_TYPES:
        raise ModelFormatError(f"{name!r} is no type of sparse matrices")
    return getattr(sparse, name)


def _metadata_requests(node: Node, owner: Any) -> Any:
    from tweetclf.utils._sklearn import SIMPLE_METHODS, MetadataRequest

    if node["$"] != "requests" or set(node["methods"]) != set(SIMPLE_METHODS):
        raise ModelFormatError("a metadata request is broken")
    request = MetadataRequest(owner=owner)
    for method, parameters in node["methods"].items():
        for parameter, alias in parameters.items():
            getattr(request, method).add_request(param=parameter, alias=alias)
    return request


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ModelFormatError(f"a part holds {value!r} in place of text")
    return value


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ModelFormatError(f"a part holds {value!r} in place of a number")
    return value


def _items(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ModelFormatError("the items of a part are no list")
    return value


def _shape(node: dict[str, Node]) -> tuple[int, ...]:
    return tuple(_natural(n) for n in _items(node["shape"]))


def _numeric(name: Any) -> np.dtype:
    # Only plain names: NumPy also parses structured types and sizes from text.
    if not re.fullmatch(r"bool|(?:u?int|float)[0-9]{1,2}", _text(name)):
        raise ModelFormatError(f"{name!r} is no type of numbers")
    dtype = np.dtype(name)
    if not is_storable(dtype):
        raise ModelFormatError(f"{name!r} is no type of numbers")
    return dtype


def _any_dtype(name: Any) -> np.dtype:
    if name == "object":
        return np.dtype(object)
    if name == "str":
        return np.dtypes.StringDType()
    if re.fullmatch(r"U[0-9]{1,7}", _text(name)):
        return np.dtype(name)
    return _numeric(name)
