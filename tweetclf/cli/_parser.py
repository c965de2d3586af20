"""A parser that takes files before, between and behind options."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from typing import Any

__all__ = ["CommandParser"]


class CommandParser(argparse.ArgumentParser):
    """A parser of one command: ``MODEL --format csv FILE`` is ``MODEL FILE ...``.

    argparse settles all positional arguments at the first of them, so that one which
    may be left out, or be several, is not taken behind an option. A command line of
    which something is left over is read again with the options apart, as
    `parse_intermixed_args` does; not any other, since that has its own messages about
    missing arguments and loses a ``--``.
    """

    _apart = False
    _has_subcommands = False

    def add_subparsers(self, **kwargs: Any) -> Any:
        """Take commands, whose own parsers are of this kind."""
        self._has_subcommands = True
        return super().add_subparsers(**kwargs)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Return what is read and what is left over."""
        untouched = copy.copy(namespace)
        found, rest = super().parse_known_args(args, namespace)
        if not rest or self._apart or self._has_subcommands:
            return found, rest
        # That calls this method for the options and for the rest.
        self._apart = True
        try:
            return self.parse_known_intermixed_args(args, untouched)
        finally:
            self._apart = False
