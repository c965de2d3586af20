"""Lines of text files and streams, with errors that name the line.

Whatever reads text here reads it through this module, so that a file is refused for
the same reasons, in the same words, by `load_task` and by ``tweetclf predict``.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from tweetclf.exceptions import DataError

__all__ = [
    "BadLine",
    "checked_lines",
    "open_binary",
    "open_text",
    "read_lines",
    "suffix_of",
]

BadLine = Callable[[int, DataError], None]
"""Told the number of a line that cannot be read, and why, where others go on."""

_MARK = "tweetclf.mark"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Decode each bad byte to U+DC00 + byte, so that its line can be named later."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in bad), error.end


# Like "surrogateescape", which however leaves bytes below 0x80 (half a UTF-16 unit,
# say) to fail without a line.
codecs.register_error(_MARK, _mark)


@contextlib.contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if its name ends in ``.gz``.

    Raises
    ------
    DataError
        If it is not there, cannot be read, or is damaged.
    """
    try:
        # Closed below, as the errors of whoever reads are not ours to reword.
        packed = path.suffix == ".gz"
        file = cast(IO[bytes], gzip.open(path) if packed else path.open("rb"))  # noqa: SIM115
    except FileNotFoundError:
        raise DataError(f"There is no file at {path}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    with file:
        yield file


def open_text(
    file: IO[bytes], name: str, *, encoding: str = "utf-8", table: bool = False
) -> io.TextIOWrapper:
    """Decode a binary file for `checked_lines`.

    Parameters
    ----------
    file : binary file
        With or without a byte-order mark.
    name : str
        Name of the input, for messages.
    encoding : str, default="utf-8"
        Any text encoding that Python knows.
    table : bool, default=False
        In tables every kind of line end counts, in all else the line feed alone: texts
        may hold U+2028 and its like.

    Returns
    -------
    TextIOWrapper
        Bytes that are not of the encoding come as lone surrogates.

    Raises
    ------
    DataError
        If there is no such encoding.
    """
    try:
        codec = codecs.lookup(encoding).name
        if codec == "utf-8":
            codec = "utf-8-sig"
        newline = "" if table else "\n"
        return io.TextIOWrapper(file, encoding=codec, errors=_MARK, newline=newline)
    except LookupError:
        raise DataError(
            f"{name}: {encoding!r} is not an encoding Python knows."
        ) from None


def checked_lines(
    lines: Iterable[str],
    name: str,
    *,
    encoding: str = "utf-8",
    table: bool = False,
    bad: BadLine | None = None,
) -> Iterator[str]:
    """Yield lines as they are, without a byte-order mark; refuse what is no text.

    Parameters
    ----------
    lines : iterable of str
        Of `open_text`, or any others.
    name : str
        Name of the input, for messages.
    encoding : str, default="utf-8"
        That of the input, for messages.
    table : bool, default=False
        Refuse NUL characters too, which the other formats have rules of their own for.
    bad : callable, optional
        Called with the number and the fault of a line that is refused, which comes as
        a blank line; by default the fault is raised.

    Yields
    ------
    str
        A line with its end.

    Raises
    ------
    DataError
        If a line was not of the encoding, or is no text; the message names the line.
    """
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            text = line.removeprefix("\ufeff") if number == 1 else line
            fault = _fault(text, f"{name}, line {number}", encoding, table)
            if fault is not None:
                if bad is None:
                    raise fault
                bad(number, fault)
                text = "\n"
            yield text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{name} is damaged or no gzip file ({error}). Get it again, or unpack it "
            "and drop the .gz from its name."
        ) from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error}.") from error


def _fault(line: str, place: str, encoding: str, table: bool) -> DataError | None:
    """Return what is wrong with a line, if anything is."""
    if not line.isascii():
        try:
            line.encode("utf-8")
        except UnicodeEncodeError as error:
            return _undecodable(line, error.start, place, encoding)
    if table and "\0" in line:
        return DataError(
            f"{place}: a NUL character, which text files do not hold. Is the file "
            "UTF-16 (pass encoding='utf-16', or --encoding utf-16) or damaged? Remove "
            "the character."
        )
    return None


def _undecodable(line: str, at: int, place: str, encoding: str) -> DataError:
    marks = [ord(character) - 0xDC00 for character in line[at : at + 2]]
    if not 0 <= marks[0] <= 0xFF:
        return DataError(f"{place}: half of a surrogate pair; remove it.")
    if at == 0 and marks in ([0xFF, 0xFE], [0xFE, 0xFF]):
        reason = "character 1: this is the byte-order mark of UTF-16"
        remedy = "Pass encoding='utf-16' (or --encoding utf-16), or save it as UTF-8."
    else:
        reason = (
            f"character {at + 1}: byte 0x{marks[0]:02x} is not valid {encoding.upper()}"
        )
        remedy = (
            "If it has another encoding, pass it (encoding='cp1252', or --encoding "
            "cp1252, is common), or save it as UTF-8."
        )
    return DataError(f"{place}, {reason}. {remedy}")


def suffix_of(path: str | Path) -> str:
    """Return what the name of a file says of its kind, packed or not.

    Examples
    --------
    >>> from tweetclf.tasks.lines import suffix_of
    >>> suffix_of("tweets.TSV.gz")
    '.tsv'
    """
    return Path(Path(path).name.removesuffix(".gz")).suffix.lower()


def read_lines(
    path: Path,
    *,
    encoding: str = "utf-8",
    table: bool = False,
    bad: BadLine | None = None,
) -> Iterator[str]:
    """Yield the lines of a file, plain or gzip; see `checked_lines`."""
    with (
        open_binary(path) as file,
        open_text(file, str(path), encoding=encoding, table=table) as text,
    ):
        yield from checked_lines(
            text, str(path), encoding=encoding, table=table, bad=bad
        )
