"""What the commands that read a task or a file of one's own share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import note

if TYPE_CHECKING:
    from tweetclf.tasks import Task

__all__ = [
    "add_column_arguments",
    "add_own_arguments",
    "add_parameter_argument",
    "add_reading_arguments",
    "given_columns",
    "given_reading",
    "load_whole",
    "say_notes",
    "seed",
]

_MAX_SEED = 2**32 - 1


def seed(text: str) -> int:
    """Read a seed."""
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= _MAX_SEED:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 to {_MAX_SEED}, got {text!r}"
        )
    return number


def add_column_arguments(parser: Any) -> None:
    """Declare which columns hold what; `parser` may be a group of one."""
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts")
    parser.add_argument("--text-b", metavar="COLUMN", help="column of the second texts")
    parser.add_argument("--label", metavar="COLUMN", help="column of the labels")


def add_reading_arguments(parser: Any) -> None:
    """Declare how text files of one's own are read."""
    parser.add_argument(
        "--encoding",
        default="utf-8",
        metavar="NAME",
        help="encoding of the input, e.g. cp1252 (utf-8)",
    )
    parser.add_argument(
        "--no-quotes",
        action="store_true",
        help="quotation marks are part of the fields of a CSV or TSV file",
    )


def add_own_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare all that is said of a file of one's own that is looked at closely."""
    own = parser.add_argument_group("your own file")
    add_column_arguments(own)
    own.add_argument("--id", metavar="COLUMN", help="column of the identifiers")
    own.add_argument("--group", metavar="COLUMN", help="column of author or thread")
    add_reading_arguments(own)


def add_parameter_argument(parser: Any) -> None:
    """Declare what changes the parameters of a system."""
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="SYSTEM.NAME=VALUE",
        help="set a parameter of a system, e.g. transformer.model=models/beto; VALUE "
        "is JSON or text; may be repeated",
    )


def given_columns(args: argparse.Namespace) -> dict[str, Any]:
    """Return the columns that were named, as `load_task` takes them."""
    names = ("text", "text_b", "label", "id", "group")
    found = {name: getattr(args, name, None) for name in names}
    return {name: column for name, column in found.items() if column}


def given_reading(args: argparse.Namespace) -> dict[str, Any]:
    """Return columns, encoding and quoting, as `load_task` takes them.

    The encoding is left out where a command has none by default and none was given.
    """
    options = given_columns(args)
    if args.encoding is not None:
        options["encoding"] = args.encoding
    return {**options, "quoting": False} if args.no_quotes else options


def load_whole(args: argparse.Namespace, name: str) -> Task:
    """Load a task or a file; of a single file nothing is held out."""
    from tweetclf.tasks import load_task

    return load_task(name, data_dir=args.data_dir, holdout=False, **given_reading(args))


def say_notes(task: Task) -> None:
    """Print what was found out about the data while they were read."""
    for line in task.notes:
        note(f"{task.name}: {line}")
