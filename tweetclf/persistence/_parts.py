"""Models decoded to plain parts: what they hold, not what they do.

A `Part` has the type and the attributes of a saved object, and no code of it, so that
neither scikit-learn nor anything else is imported to read it.
"""

from __future__ import annotations

from typing import Any

from tweetclf.exceptions import ModelFormatError
from tweetclf.persistence.allowed import ALLOWED
from tweetclf.persistence.decode import Decoder

__all__ = ["Part", "PartDecoder", "types_in"]


class Part:
    """The attributes of a saved object.

    Parameters
    ----------
    kind : str
        Its type, as the allow-list has it.
    """

    __slots__ = ("__dict__", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the saved {self.kind} has no {name!r}")


class PartDecoder(Decoder):
    """Decodes a model to parts, with the checks of `Decoder`."""

    def _new_object(self, name: str) -> Any:
        if name not in ALLOWED:
            raise ModelFormatError(
                f"the type {name!r} is not on the list of allowed types"
            )
        return Part(name)

    def _finish_object(self, name: str, instance: Any) -> None:
        pass

    def _requests(self, node: Any, owner: Any) -> None:
        return None


def types_in(node: Any) -> set[str]:
    """Return the types of all objects in a tree of nodes."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("$") == "object":
                found.add(str(node.get("type")))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return found
