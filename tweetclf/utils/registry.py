"""A registry of names with lazy targets and did-you-mean errors."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from tweetclf.exceptions import UnknownNameError

__all__ = ["Registry", "resolve", "suggest"]

T = TypeVar("T")


def resolve(target: str) -> Any:
    """Import the object that ``"package.module:attribute"`` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def suggest(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names near `name`, nearest first."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return close
    parts = [part for part in name.lower().replace("_", "-").split("-") if part]
    return [k for k in known if parts and all(part in k for part in parts)][:3]


class Registry(Generic[T]):
    """Names mapped to objects, or to ``"module:attribute"`` targets.

    A target is imported when it is first asked for, so that listing names never
    imports what they name.

    Parameters
    ----------
    kind : str
        What is registered, in the singular ("task"); used in messages.
    listing : str, optional
        The command or function that lists all names; used in messages.
    """

    def __init__(self, kind: str, listing: str | None = None) -> None:
        self.kind = kind
        self.listing = listing
        self._targets: dict[str, T | str] = {}

    def register(self, name: str, target: T | str) -> None:
        """Add `name`; a name that is taken is refused."""
        if name in self._targets:
            raise ValueError(
                f"{self.kind} {name!r} is already registered as "
                f"{self._targets[name]!r}; names are never redefined."
            )
        self._targets[name] = target

    def get(self, name: str) -> T:
        """Return the object called `name`, importing it if need be.

        Raises
        ------
        UnknownNameError
            If the name is not registered; the message suggests near names.
        """
        if name not in self._targets:
            near = suggest(name, self._targets)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            where = f" {self.listing} lists all {len(self)}." if self.listing else ""
            raise UnknownNameError(f"Unknown {self.kind} {name!r}.{hint}{where}")
        target = self._targets[name]
        if isinstance(target, str):
            resolved: T = resolve(target)
            self._targets[name] = resolved
            return resolved
        return target

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._targets))

    def __len__(self) -> int:
        return len(self._targets)
