"""Import of optional packages with an error that names the remedy."""

from __future__ import annotations

import importlib
from types import ModuleType

from tweetclf.exceptions import MissingDependencyError

__all__ = ["import_optional"]


def import_optional(module: str, *, extra: str, caller: str) -> ModuleType:
    """Import `module`, or say which extra of tweetclf installs it.

    Parameters
    ----------
    module : str
        Absolute module name, e.g. ``"gensim.models"``.
    extra : str
        Extra of tweetclf that installs it, e.g. ``"embeddings"``.
    caller : str
        What needs the module, named in the error.

    Returns
    -------
    types.ModuleType
        The imported module.

    Raises
    ------
    MissingDependencyError
        If the module cannot be found.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f"{caller} needs {package}, which is not installed "
            f'({error}). Run: pip install "tweetclf[{extra}]".'
        ) from error
