"""Word vectors of a file, kept from one fit to the next."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from tweetclf.features._files import find_vectors
from tweetclf.features.vectors import WordVectors

__all__ = ["read_vectors"]


def read_vectors(path: str | os.PathLike[str], *, parameter: str) -> WordVectors:
    """Read the vectors that `parameter` names, or say where to get some."""
    found = find_vectors(path, parameter=parameter).resolve()
    status = found.stat()
    return _read(found, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _read(path: Path, modified: int, size: int) -> WordVectors:
    """Read vectors once for all fits of a search, and again if the file changes."""
    return WordVectors.read(path)
