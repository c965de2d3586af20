"""The examples of docs/features.md run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_examples():
    pytest.importorskip("gensim")
    results = doctest.testfile(str(DOCS / "features.md"), module_relative=False)
    assert results.attempted > 5
    assert results.failed == 0
