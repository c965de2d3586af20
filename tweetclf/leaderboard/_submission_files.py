"""Archives and folders of submissions."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.submission_formats import SubmissionFormat

__all__ = ["archive_bytes", "read_files"]

# Bytes that one archive may unpack to; the largest task has 50,000 lines.
_MAX_BYTES = 256 * 1024 * 1024


def archive_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return a zip file: the same bytes on every machine and day."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, so that the next line is understood
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return target.getvalue()


def _flat(name: str) -> str:
    """Return how a file of a folder is called where files stand side by side.

    TweetEval's own predictions are: ``stance_abortion.txt``.
    """
    return name.replace("/", "_")


def _unpack(path: Path, names: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
    """Return the content of the named files of a zip file, and what it holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {info.filename: info for info in archive.infolist()}
            held = {n: n if n in entries else _flat(n) for n in names}
            held = {n: entry for n, entry in held.items() if entry in entries}
            if sum(entries[n].file_size for n in held.values()) > _MAX_BYTES:
                raise DataError(f"{path}: the files are too large for a submission.")
            found = {n: archive.read(entry) for n, entry in held.items()}
            return found, sorted(entries)
    # Encrypted files are a RuntimeError, unknown compression is not implemented.
    except (
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        NotImplementedError,
        EOFError,
    ) as error:
        raise DataError(f"{path} is no zip file that can be read: {error}.") from None


def read_files(layout: SubmissionFormat, path: Path) -> dict[str, bytes]:
    """Return the content of the files of a submission: a zip, a folder, a file."""
    names = list(layout.files.values())
    if path.is_dir():
        held = {n: path / (n if (path / n).is_file() else _flat(n)) for n in names}
        found = {n: file.read_bytes() for n, file in held.items() if file.is_file()}
        has = sorted(p.name for p in path.iterdir())
    elif not path.is_file():
        raise DataError(f"There is no file or folder at {path}.")
    elif zipfile.is_zipfile(path):
        found, has = _unpack(path, names)
    elif len(names) == 1:
        return {names[0]: path.read_bytes()}
    else:
        raise DataError(
            f"{path}: a submission for {layout.task} has {len(names)} files "
            f"({', '.join(names)}); name their folder or zip file."
        )
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{path} has no file {missing[0]!r}. A submission for {layout.task} holds "
            f"{', '.join(names)}, in no folder of their own; found: "
            f"{', '.join(has[:10]) or 'nothing'}."
        )
    return found
