"""What transformers says of itself and how to silence it, and what it renamed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tweetclf.utils.optional import import_optional

__all__ = ["checkpoint_activations", "quiet_transformers"]

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


def checkpoint_activations(model: Any) -> None:
    """Have a model compute the states of its layers anew for the gradient.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Changed in place.

    Raises
    ------
    ValueError
        If its architecture cannot, as ALBERT's.
    """
    # transformers 5.2x gave the method a new name, and warns of the old one.
    enable = getattr(model, "activation_checkpointing_enable", None)
    options = {"use_reentrant": False}
    if enable is None:
        model.gradient_checkpointing_enable(options)
    else:
        enable(activation_checkpointing_kwargs=options)
