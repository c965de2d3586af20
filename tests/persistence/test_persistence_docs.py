"""The examples of the documentation run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", ["persistence.md", "prediction.md"])
def test_examples(page):
    results = doctest.testfile(str(DOCS / page), module_relative=False)
    assert results.attempted > 5
    assert results.failed == 0
