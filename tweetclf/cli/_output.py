"""Output that commands share: tables and JSON on standard output."""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "UsageError",
    "check_output",
    "humanise_bytes",
    "note",
    "print_json",
    "print_table",
    "warnings_as_notes",
]


class UsageError(Exception):
    """Options that do not go together; the command ends with code 2."""


def check_output(path: str) -> None:
    """Refuse at once a folder that could not be saved after hours of training."""
    from tweetclf.utils.files import check_free

    target = Path(path)
    check_free(target)
    parent = next(p for p in target.absolute().parents if p.exists())
    if not parent.is_dir():
        raise NotADirectoryError(f"{target} cannot be made: {parent} is no folder.")
    if not os.access(parent, os.W_OK):
        raise PermissionError(f"{target} cannot be made: {parent} is not writable.")


def print_json(document: Any) -> None:
    """Print `document` as indented JSON."""
    import json

    json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")


def note(message: str) -> None:
    """Print a line for people on standard error."""
    from tweetclf.reports.formatting import make_safe

    print(make_safe(message, newlines=True), file=sys.stderr)


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Print warnings of ours as notes, without the line of code they come from."""
    from tweetclf.exceptions import TweetclfWarning

    with warnings.catch_warnings():
        show = warnings.showwarning

        def say(
            message: Warning | str, category: type[Warning], *where: Any, **rest: Any
        ) -> None:
            if issubclass(category, TweetclfWarning):
                note(f"warning: {message}")
            else:
                show(message, category, *where, **rest)

        warnings.simplefilter("always", TweetclfWarning)
        warnings.showwarning = say
        yield


def _width(text: str) -> int:
    return sum(
        0
        if unicodedata.combining(c)
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """Print aligned columns.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of sequence of str
        Cells.
    right : sequence of int, optional
        Columns aligned to the right.
    """
    from tweetclf.reports.formatting import make_safe

    table = [list(header), *([make_safe(str(cell)) for cell in row] for row in rows)]
    widths = [max(_width(row[i]) for row in table) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            gap = " " * (width - _width(cell))
            cells.append(gap + cell if i in right else cell + gap)
        return "  ".join(cells).rstrip()

    print(line(table[0]))
    print("  ".join("-" * width for width in widths))
    for row in table[1:]:
        print(line(row))


def humanise_bytes(n: float) -> str:
    """Return a size for people, e.g. ``"1.5 GB"``."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
