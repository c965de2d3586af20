"""Signs of life of processes that share a study, without comparing clocks.

A process counts up while it lives. Another one looks at the count, and measures by its
own clock for how long it has stood still: what time it is elsewhere does not matter.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable

__all__ = ["BEAT_SECONDS", "SILENT_SECONDS", "Heart", "Listener"]

BEAT_SECONDS = 15.0
"""Time between two counts of a process."""

SILENT_SECONDS = 120.0
"""A process whose count has not moved for so long is taken for gone."""


class Heart:
    """Count up beside the work of a process, from when it is started.

    Parameters
    ----------
    beat : callable
        Given the count. What it raises is passed over: if nothing can be written, the
        work itself will fail.
    seconds : float
        Time between two counts.
    """

    def __init__(self, beat: Callable[[int], None], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to count, unless it has begun."""
        if self._thread is None:
            # A daemon, so that it never keeps a process alive.
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        count = 0
        while True:
            count += 1
            with contextlib.suppress(Exception):
                self._beat(count)
            if self._stop.wait(self._seconds):
                return

    def stop(self) -> None:
        """Count no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


class Listener:
    """Tell who has not been heard for long.

    Parameters
    ----------
    seconds : float
        How long one may be silent.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: dict[Hashable, tuple[object, float]] = {}

    def is_silent(self, name: Hashable, count: object) -> bool:
        """Note the count of one, and tell whether it has stood still for too long."""
        now = time.monotonic()
        before = self._heard.get(name)
        if before is None or before[0] != count:
            self._heard[name] = (count, now)
            return False
        return now - before[1] > self._seconds
