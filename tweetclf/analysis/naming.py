"""What analyses and models are called."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["ANALYSES", "model_name"]

ANALYSES = ("likelihood", "coherence", "top-k", "heads", "attention", "tokens", "runs")
"""Kinds of analyses of `analyse_models` and ``tweetclf analyze``."""


def model_name(path: str | os.PathLike[str]) -> str:
    """Return what a model is called: its folder, or the one around a folder "model".

    ``tweetclf pretrain CONFIG`` calls the folder of every model so.

    Parameters
    ----------
    path : str or path
        A directory, or a name on the hub.

    Examples
    --------
    >>> from tweetclf.analysis.naming import model_name
    >>> model_name("models/beto"), model_name("small-rop/model")
    ('beto', 'small-rop')
    """
    given = Path(os.fspath(path))
    if given.name in ("", "model"):
        given = given.absolute()
    if given.name == "model" and given.parent.name:
        given = given.parent
    return given.name or os.fspath(path)
