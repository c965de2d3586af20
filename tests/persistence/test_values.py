"""The codec of values: what goes in comes out, of the same type."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from tweetclf.exceptions import ModelFormatError
from tweetclf.persistence.decode import Decoder
from tweetclf.persistence.encode import Encoder


def roundtrip(value):
    encoder = Encoder()
    node = encoder.encode(value, "value")
    node = json.loads(json.dumps(node, allow_nan=False))
    arrays = {k: np.array(v, order="C") for k, v in encoder.arrays.items()}
    return Decoder(arrays).decode_model(node)


def assert_same(found, expected):
    """Compare values and types; NaN equals NaN."""
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        if expected.dtype.kind == "O":
            for a, b in zip(found.ravel(), expected.ravel(), strict=True):
                assert_same(a, b)
        else:
            np.testing.assert_array_equal(found, expected)
    elif sparse.issparse(expected):
        for part in ("data", "indices", "indptr"):
            assert_same(getattr(found, part), getattr(expected, part))
        assert found.shape == expected.shape
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    elif isinstance(expected, dict):
        assert_same(list(found), list(expected))
        assert_same(list(found.values()), list(expected.values()))
    elif isinstance(expected, float | np.floating) and math.isnan(expected):
        assert math.isnan(found)
    elif isinstance(expected, np.str_):
        # NumPy's own str() drops a trailing "\0".
        assert str.__str__(found) == str.__str__(expected)
    else:
        assert found == expected
        if isinstance(expected, float | np.floating):
            assert math.copysign(1, found) == math.copysign(1, expected)


text = st.text(st.characters(), max_size=8)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.floats(width=32).map(np.float32),
    st.integers(-128, 127).map(np.int8),
    st.booleans().map(np.bool_),
)
atoms = st.one_of(st.none(), st.booleans(), text, numbers, text.map(np.str_))
keys = st.one_of(text, st.integers(), st.booleans(), st.tuples(text, st.integers()))
arrays = st.one_of(
    hnp.arrays(
        hnp.integer_dtypes(endianness="="), hnp.array_shapes(min_dims=0, min_side=0)
    ),
    hnp.arrays(
        hnp.floating_dtypes(endianness="="), hnp.array_shapes(min_dims=0, min_side=0)
    ),
    hnp.arrays("<U4", hnp.array_shapes(max_dims=2, min_side=0)),
    hnp.arrays(object, hnp.array_shapes(max_dims=2, min_side=0), elements=atoms),
    st.lists(text, max_size=40).map(lambda items: np.array(items, dtype=object)),
)
values = st.recursive(
    st.one_of(atoms, arrays),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(text, inner, max_size=3).map(OrderedDict),
        st.dictionaries(text, inner, max_size=3).map(lambda d: Bunch(**d)),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_any_value(value):
    assert_same(roundtrip(value), value)


@given(st.sets(text, max_size=50), st.frozensets(st.integers(), max_size=5))
def test_sets(some, frozen):
    found = roundtrip([some, frozen, some, frozen])
    assert found == [some, frozen, some, frozen]
    assert type(found[0]) is set
    assert type(found[1]) is frozenset
    assert found[2] is found[0]


@settings(deadline=None)
@given(st.lists(text, min_size=33, max_size=80, unique=True), st.randoms())
def test_vocabularies(words, random):
    numbers = list(range(len(words)))
    random.shuffle(numbers)
    vocabulary = dict(zip(words, numbers, strict=True))
    encoder = Encoder()
    assert encoder.encode(vocabulary, "v")["$"] == "vocabulary"
    assert roundtrip(vocabulary) == vocabulary
    for other in (
        {**vocabulary, words[0]: len(words)},
        {**vocabulary, words[0]: -1},
        {**vocabulary, words[0]: 1.0},
        {word: np.int64(k) for word, k in vocabulary.items()},
        dict.fromkeys(words, 0),
    ):
        assert Encoder().encode(other, "v")["$"] == "dict"
        assert_same(roundtrip(other), other)


@pytest.mark.parametrize(
    "value",
    [
        slice(1, None, 2),
        np.dtype("float32"),
        np.dtype("<U7"),
        np.dtype(object),
        np.float64,
        np.int64,
        float,
        object,
        Path("a/b.bin"),
        10**100,
        -0.0,
        5e-324,
    ],
)
def test_odd_values(value):
    assert_same(roundtrip(value), value)


def test_string_arrays_of_numpy_2():
    array = np.array([["a", "bb\0"], ["", "😀"]], dtype=np.dtypes.StringDType())
    assert_same(roundtrip(array), array)


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "csc_matrix", "csc_array"])
def test_sparse(kind):
    dense = np.array([[0, 1.5, 0], [0, 0, 0], [2, 0, -3]])
    matrix = getattr(sparse, kind)(dense)
    assert_same(roundtrip(matrix), matrix)
    unsorted = sparse.csr_array(
        (np.array([1.0, 2.0]), np.array([2, 0]), np.array([0, 2])), shape=(1, 3)
    )
    assert_same(roundtrip(unsorted), unsorted)


def test_memory_order_of_matrices_is_kept():
    base = np.arange(12.0).reshape(3, 4)
    for array in (base, np.asfortranarray(base), base.T, base[:, ::2], base[::2].T):
        found = roundtrip(array)
        np.testing.assert_array_equal(found, array)
        by_column = array.strides[0] < array.strides[1]
        assert found.flags.f_contiguous == by_column
        assert found.flags.c_contiguous != by_column


def test_integers_that_json_cannot_read_back():
    with pytest.raises(ModelFormatError, match="value is an int of too many digits"):
        Encoder().encode(10**5000, "value")


def test_shared_values_stay_shared():
    array, items, table = np.arange(3), [1], {"k": 1}
    estimator = LogisticRegression()
    encoder = Encoder()
    encoder.encode([array, array, (array,)], "value")
    assert len(encoder.arrays) == 1
    found = roundtrip([array, items, table, estimator, array, items, table, estimator])
    for k in range(4):
        assert found[k] is found[k + 4]
    apart = roundtrip([[1], [1]])
    assert apart[0] is not apart[1]


def test_cycles():
    items = [1]
    items.append((items, {"self": items}))
    found = roundtrip(items)
    assert found[1][0] is found
    assert found[1][1]["self"] is found
    estimator = LogisticRegression()
    estimator.own_ = estimator
    again = roundtrip(estimator)
    assert again.own_ is again
    array = np.empty(2, dtype=object)
    array[:] = [1, array]
    assert roundtrip(array)[1].shape == (2,)


class Int(int):
    """A type that models may not hold."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (len, "builtin_function_or_method.*TweetTokenizer"),
        (str.split, r"value\[0\]\['k'\] is a .*method_descriptor"),
        (lambda x: x, "function"),
        (LogisticRegression().fit, "method"),
        (np.random.RandomState(0), "RandomState.*Pass an int"),
        (np.random.default_rng(0), "Generator.*Pass an int"),
        (b"bytes", "builtins.bytes"),
        (Int(3), r"test_values.Int"),
        (1 + 2j, "complex"),
        (np.array([1 + 2j]), "array of complex128"),
        (np.datetime64("2020-01-01"), "datetime64"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "array of datetime64"),
        (np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]), "array of"),
        (np.ma.array([1]), "MaskedArray"),
        (sparse.coo_array(np.eye(2)), "only csr and csc"),
        (Int, "builtins.type"),
        (np.dtype("M8[D]"), "dtype"),
        (json, "builtins.module"),
    ],
)
def test_what_models_may_not_hold_is_named(value, message):
    with pytest.raises(ModelFormatError, match=message):
        Encoder().encode([{"k": value}], "value")
