"""What tests and doctests share: what has been imported is set aside from collection.

Every run of a leaderboard collects garbage, so that its memory is its own. With all
tests and torch, scikit-learn and pandas in one process there are a million objects to
look through, which takes a second of the processor each time: more than the runs.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


def _set_aside() -> None:
    gc.collect()
    gc.freeze()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Set the tests themselves aside, and what they import."""
    _set_aside()


@pytest.fixture(autouse=True, scope="module")
def _imports_set_aside() -> Iterator[None]:
    """Set aside what a module has imported on the way."""
    yield
    _set_aside()
