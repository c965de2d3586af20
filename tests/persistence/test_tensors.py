"""Arrays and strings come back equal whatever their layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tweetclf.exceptions import ModelFormatError
from tweetclf.utils.strings import pack_strings, unpack_strings
from tweetclf.utils.tensors import read_tensors, write_tensors

BASE = np.arange(60, dtype=np.float64).reshape(5, 12)


@pytest.mark.parametrize(
    "array",
    [
        BASE,
        np.asfortranarray(BASE),
        BASE.T,
        BASE[::2, ::3],
        BASE[::-1, ::-1],
        BASE[:, 3],
        np.broadcast_to(BASE[0], (4, 12)),
        BASE.reshape(3, 4, 5).transpose(2, 0, 1),
        np.array(3.5),
        np.empty((0, 7)),
        BASE.astype(">f8"),
        BASE.astype(np.float16),
        BASE.astype(np.int8).T,
        BASE > 7,
    ],
)
def test_any_memory_layout(tmp_path, array):
    write_tensors(tmp_path / "a", {"x": array})
    found = read_tensors(tmp_path / "a")[0]["x"]
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.flags.writeable


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_numeric_array(tmp_path_factory, data):
    dtype = data.draw(
        st.one_of(
            hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes()
        ).filter(lambda d: d.itemsize <= 8)
    )
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))
    order = data.draw(st.permutations(range(array.ndim)))
    array = array.transpose(order)
    path = tmp_path_factory.getbasetemp() / "any"
    write_tensors(path, {"x": array, "y": array[..., ::-1] if array.ndim else array})
    found = read_tensors(path)[0]
    np.testing.assert_array_equal(found["x"], array)
    if array.ndim:
        np.testing.assert_array_equal(found["y"], array[..., ::-1])


def test_damaged_files(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(ModelFormatError, match="cannot be read"):
        read_tensors(path)
    write_tensors(path, {"x": BASE})
    whole = path.read_bytes()
    for cut in (0, 4, 8, 40, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelFormatError, match="cannot be read"):
            read_tensors(path)


@given(st.lists(st.text(st.characters(), max_size=300), max_size=40))
def test_strings(strings):
    assert unpack_strings(*pack_strings(strings)) == strings


def test_strings_with_surrogates_and_line_ends():
    strings = ["\ud83d", "\ude00", "", "a\nb\r\n", "\x00", "😀", "x" * 70_000]
    text, lengths = pack_strings(strings)
    assert lengths.dtype == np.uint32
    assert unpack_strings(text, lengths) == strings
    assert pack_strings(["ab"])[1].dtype == np.uint8


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        (np.array([65], np.uint8), np.array([2], np.uint8)),
        (np.array([65, 66], np.uint8), np.array([], np.uint8)),
        (np.array([0xFF], np.uint8), np.array([1], np.uint8)),
        (np.array([65], np.int8), np.array([1], np.uint8)),
        (np.array([65], np.uint8), np.array([1], np.int64)),
        (np.array([[65]], np.uint8), np.array([1], np.uint8)),
        (np.array([65], np.uint8), np.array([2**63, 2**63, 1], np.uint64)),
    ],
)
def test_strings_that_do_not_belong_together(text, lengths):
    with pytest.raises(ValueError, match=r"packed|utf-8"):
        unpack_strings(text, lengths)
