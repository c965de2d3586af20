"""Texts and pairs out of pyarrow tables."""

from __future__ import annotations

import pytest

from tweetclf.exceptions import DataError
from tweetclf.utils.validation import check_text_pairs, check_texts, is_pairs

arrow = pytest.importorskip("pyarrow")

PAIRS = {"a": ["llueve", "hay sol"], "b": ["mentira", "es verdad"]}


@pytest.mark.parametrize("make", ["table", "record_batch"])
def test_two_columns_are_pairs(make: str) -> None:
    X = getattr(arrow, make)(PAIRS)
    assert is_pairs(X)
    assert check_text_pairs(X, caller="f") == (PAIRS["a"], PAIRS["b"])


def test_one_column_is_texts() -> None:
    assert check_texts(arrow.table({"a": PAIRS["a"]}), caller="f") == PAIRS["a"]


def test_columns_of_one_name_stay_apart() -> None:
    X = arrow.Table.from_arrays([arrow.array(["x"]), arrow.array(["y"])], ["a", "a"])
    assert check_text_pairs(X, caller="f") == (["x"], ["y"])


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match=r"texts\[1\]\[0\] is None"):
        check_text_pairs(arrow.table({"a": ["x", None], "b": ["x", "y"]}), caller="f")
    with pytest.raises(DataError, match="shape"):
        check_text_pairs(arrow.table({"a": ["x"]}), caller="f")
    assert check_text_pairs(arrow.table(PAIRS).slice(2), caller="f") == ([], [])
