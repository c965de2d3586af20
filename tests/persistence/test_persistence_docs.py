"""The examples of docs/persistence.md run."""

from __future__ import annotations

import doctest
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_examples():
    results = doctest.testfile(str(DOCS / "persistence.md"), module_relative=False)
    assert results.attempted > 5
    assert results.failed == 0
