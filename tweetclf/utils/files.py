"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "atomic_directory",
    "atomic_path",
    "check_free",
    "claim_folder",
    "sha256_bytes",
    "sha256_file",
    "write_bytes_atomic",
    "write_text_atomic",
    "write_text_once",
]


def sha256_bytes(data: bytes) -> str:
    """Return the hexadecimal sha256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the hexadecimal sha256 of a file, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_public(path: Path, mode: int) -> None:
    """Give a temporary file the permissions that a plain one would have."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(mode & ~umask)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it there on success.

    On an exception the temporary file is removed and `path` is left as it was.
    Missing parent folders are made.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.name}.", suffix=".tmp"
    )
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        _make_public(temporary, 0o666)
        _fsync(temporary)
        temporary.replace(target)
        _fsync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` as UTF-8 with LF line ends, whole or not at all."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_text_once(path: str | os.PathLike[str], text: str) -> bool:
    """Write `text` to `path` unless it exists; return whether it was written.

    Of several processes that write the same path, exactly one succeeds, and no
    reader ever sees a part of the text.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        _make_public(temporary, 0o666)
        try:
            # A hard link, unlike a rename, never replaces what is there.
            target.hardlink_to(temporary)
        except FileExistsError:
            return False
        _fsync(target.parent)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def check_free(path: str | os.PathLike[str]) -> None:
    """Refuse a folder that is not empty: before hours of work, not after.

    Raises
    ------
    FileExistsError
        If `path` exists and is not an empty folder.
    """
    target = Path(path)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FileExistsError(
            f"{target} exists and is not an empty folder; choose another path or "
            "remove it first."
        )


def claim_folder(path: str | os.PathLike[str], told: Mapping[str, Any]) -> Path | None:
    """Return a folder of unfinished work, if it is of this very work.

    Parameters
    ----------
    path : path
        The folder; new or empty, it is made and marked.
    told : mapping
        All that determines the work, of JSON's types.

    Returns
    -------
    Path or None
        None if the folder holds something else.
    """
    folder = Path(path)
    settings = folder / "settings.json"
    text = json.dumps(told, indent=1, sort_keys=True)
    if not folder.exists() or not any(folder.iterdir()):
        write_text_atomic(settings, text)
        return folder
    known = settings.is_file() and settings.read_text("utf-8") == text
    return folder if known else None


@contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it there on success.

    Raises
    ------
    FileExistsError
        If `path` exists and is not an empty folder.
    """
    import shutil

    target = Path(path)
    check_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        _make_public(temporary, 0o777)
        for file in temporary.rglob("*"):
            if file.is_file():
                _fsync(file)
        temporary.replace(target)
        _fsync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
