"""The examples of the guide run as printed."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest


def test_guide() -> None:
    guide = Path(__file__).parents[2] / "docs" / "preprocessing.md"
    if not guide.is_file():
        pytest.skip("the documentation is not at hand")
    result = doctest.testfile(str(guide), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0
