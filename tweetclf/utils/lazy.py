"""Lazy package namespaces (PEP 562), so that importing a package costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["attach"]


def attach(
    package: str, targets: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make the ``__getattr__``, ``__dir__`` and ``__all__`` of a lazy package.

    Parameters
    ----------
    package : str
        Name of the package, that is its ``__name__``.
    targets : mapping of str to str
        Public name -> absolute module that defines it. A target equal to
        ``f"{package}.{name}"`` is a submodule and is returned as the module.

    Returns
    -------
    getattr_, dir_, all_ : tuple
        To be bound to ``__getattr__``, ``__dir__`` and ``__all__``.
    """

    def getattr_(name: str) -> Any:
        if name not in targets:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(targets[name])
        if targets[name] == f"{package}.{name}":
            return module
        return getattr(module, name)

    def dir_() -> list[str]:
        return sorted(targets)

    return getattr_, dir_, sorted(targets)
