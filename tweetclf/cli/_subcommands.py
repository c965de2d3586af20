"""Commands of several kinds, each with a module of its own."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping

__all__ = ["add_subcommands"]


def add_subcommands(
    parser: argparse.ArgumentParser, of: str, kinds: Mapping[str, str], *, metavar: str
) -> None:
    """Give a command kinds, which its modules ``_OF_KIND.py`` declare and run.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the command.
    of : str
        Name of the command.
    kinds : mapping of str to str
        Kind -> what it makes.
    metavar : str
        What a kind is called in help. The chosen one becomes the attribute of that
        name in small letters, and its `run` the attribute ``run_kind``.
    """
    chosen = parser.add_subparsers(dest=metavar.lower(), metavar=metavar, required=True)
    for name, text in kinds.items():
        module = importlib.import_module(f"tweetclf.cli._{of}_{name}")
        kind = chosen.add_parser(
            name,
            help=text,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(kind)
        # Also accepted behind the kind; the command itself has it before.
        kind.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show the traceback of an error",
        )
        kind.set_defaults(run_kind=module.run)
