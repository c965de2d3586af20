"""What transformers says of itself, and how to keep it from saying it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tweetclf.utils.optional import import_optional

__all__ = ["quiet_transformers"]

_LOCK = threading.Lock()
_n_quiet = 0
_before: tuple[int, bool] = (0, True)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence what transformers prints when it loads or saves, for the time being."""
    global _n_quiet, _before
    logging = import_optional(
        "transformers.utils.logging", extra="neural", caller="quiet_transformers"
    )
    with _LOCK:
        if _n_quiet == 0:
            _before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
            logging.set_verbosity_error()
            logging.disable_progress_bar()
        _n_quiet += 1
    try:
        yield
    finally:
        with _LOCK:
            # Of threads that load at once, the last one puts back what was.
            _n_quiet -= 1
            if _n_quiet == 0:
                logging.set_verbosity(_before[0])
                if _before[1]:
                    logging.enable_progress_bar()
