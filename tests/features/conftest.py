"""Fixtures for features."""

from __future__ import annotations

import pytest
from ngrams_oracles import MODES, set_mode


@pytest.fixture(params=MODES)
def mode(request, monkeypatch):
    """Force each way of counting on inputs of any size."""
    set_mode(monkeypatch, request.param)
    return request.param
