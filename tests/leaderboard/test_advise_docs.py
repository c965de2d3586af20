"""The examples of docs/advise.md run and print what they say."""

from __future__ import annotations

import doctest
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "advise.md"


def test_the_guide_runs() -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testfile(str(GUIDE), module_relative=False, optionflags=flags)
    assert result.attempted > 5
    assert result.failed == 0
