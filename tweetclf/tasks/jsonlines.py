"""JSON Lines, plain or gzip, with errors that name the line."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError

__all__ = ["decode", "read_bytes", "read_jsonl"]


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, unpacked if its name ends in ``.gz``."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"There is no file at {path}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is damaged or no gzip file ({error}). Get it again, or unpack it "
            "and drop the .gz from its name."
        ) from error


def decode(data: bytes, path: Path, encoding: str = "utf-8") -> str:
    """Decode a file's content, without a byte-order mark."""
    if encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
        if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            raise DataError(
                f"{path} begins with the byte-order mark of UTF-16. Pass "
                "encoding='utf-16' or save it as UTF-8."
            )
    try:
        return data.decode(encoding)
    except LookupError:
        raise DataError(
            f"{path}: {encoding!r} is not an encoding Python knows."
        ) from None
    except UnicodeDecodeError as error:
        # utf-8-sig counts offsets from after the mark.
        mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        at = error.start + (mark if encoding == "utf-8-sig" else 0)
        line = data.count(b"\n", 0, at) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{data[at]:02x} at offset {at} is not valid "
            f"{'UTF-8' if encoding == 'utf-8-sig' else encoding}. If the file has "
            "another encoding, pass it (encoding='cp1252' is common) or save the file "
            "as UTF-8."
        ) from error


def read_jsonl(path: Path, encoding: str = "utf-8") -> list[tuple[int, dict[str, Any]]]:
    """Return ``(line number, object)`` of every line that is not blank.

    Lines end at a line feed only: texts may hold U+2028 and its like.

    Raises
    ------
    DataError
        If a line is no JSON object; the message names it.
    """
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(
        decode(read_bytes(path), path, encoding).split("\n"), start=1
    ):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            message = getattr(error, "msg", "nested too deeply")
            column = getattr(error, "colno", 1)
            hint = (
                " A JSON array is not JSON Lines: write one object a line."
                if number == 1 and line.lstrip().startswith("[")
                else ""
            )
            raise DataError(
                f"{path}, line {number}, column {column}: no valid JSON ({message})."
                f"{hint}"
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, line {number}: expected a JSON object with named fields; "
                f"found a {type(row).__name__}."
            )
        rows.append((number, row))
    return rows
