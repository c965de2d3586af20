"""Progress bars: on a terminal a bar, in a pipe nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

T = TypeVar("T")


def track(
    iterable: Iterable[T],
    description: str,
    *,
    total: int | None = None,
    enabled: bool | None = None,
) -> Iterator[T]:
    """Yield from `iterable` while showing a progress bar on standard error.

    Parameters
    ----------
    iterable : iterable
        What to go through.
    description : str
        Words before the bar.
    total : int, optional
        Number of items; taken from ``len(iterable)`` where it has one.
    enabled : bool, optional
        Show the bar; by default only if standard error is a terminal.
    """
    if enabled is None:
        enabled = sys.stderr.isatty()
    if not enabled:
        yield from iterable
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(
        iterable,
        description=description,
        total=total,
        console=Console(stderr=True),
        transient=True,
    )
