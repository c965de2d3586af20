"""Locks among processes: one that refuses a second one, and one that lets it wait.

They are two things on purpose. Who is refused wants to know by whom, and who takes over
from a killed process that it does: a file says so, on any file system. Who waits must
not wait for a process that is gone: the system ends its lock with it, even on another
machine, where a file would have to be removed by hand.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError, TweetclfWarning
from tweetclf.utils.files import write_text_once

__all__ = ["exclusive_lock", "locked"]


@contextmanager
def exclusive_lock(path: str | os.PathLike[str], caller: str) -> Iterator[None]:
    """Hold a lock file; remove it at the end, however that comes.

    A process that was killed leaves its file. On the same machine the next process
    sees that it is gone, and takes over with a warning; of a process on another machine
    nothing can be told.

    Parameters
    ----------
    path : path
        The file: it names the process that has it.
    caller : str
        Who says so, in messages.

    Raises
    ------
    DataError
        If another process has it, or may have it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tweetclf.utils.locks import exclusive_lock
    >>> lock = Path(tempfile.mkdtemp(), "work.lock")
    >>> with exclusive_lock(lock, "me"):
    ...     lock.exists()
    True
    >>> lock.exists()
    False
    """
    lock = Path(path)
    # The last word tells two locks of one process apart.
    own = {"pid": os.getpid(), "host": socket.gethostname(), "key": uuid.uuid4().hex}
    text = json.dumps(own)
    while not write_text_once(lock, text):
        _take_away(lock, caller)
    try:
        yield
    finally:
        if _read(lock) == text:
            lock.unlink(missing_ok=True)


def _take_away(lock: Path, caller: str) -> None:
    """Remove the lock of a process that is gone; refuse that of any other."""
    text = _read(lock)
    if text is None:
        return
    holder = _holder(text)
    pid, host = holder.get("pid"), holder.get("host")
    if host != socket.gethostname() or not isinstance(pid, int) or _is_alive(pid):
        raise DataError(
            f"{caller}: process {pid} on {host} has {lock}. Wait until it has ended, "
            "or choose another path; if no such process works on it, remove the file."
        )
    # Of several that take it away one has the file; if it is no longer the one that was
    # read, somebody was faster, and has it back.
    aside = lock.with_name(f"{lock.name}.{uuid.uuid4().hex}")
    try:
        lock.rename(aside)
    except FileNotFoundError:
        return
    try:
        found = _read(aside)
        if found is not None and found != text:
            write_text_once(lock, found)
            return
    finally:
        aside.unlink(missing_ok=True)
    warnings.warn(
        f"{caller}: process {pid} had {lock} and is gone; its work is taken over.",
        TweetclfWarning,
        stacklevel=5,
    )


def _read(lock: Path) -> str | None:
    try:
        return lock.read_text("utf-8")
    except FileNotFoundError:
        return None


def _holder(text: str) -> dict[str, Any]:
    """Return who has a lock; nobody that can be asked, where it is not one of ours."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_alive(pid: int) -> bool:
    if os.name != "posix":  # There a signal 0 would not only ask.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Wait until no other process holds the lock of a file, and hold it.

    The file stays, empty. The lock ends with the process, however that ends. Where the
    system has no such locks (Windows), nothing is waited for.

    Parameters
    ----------
    path : path
        The file; made if it is not there.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("ab") as file:
        try:
            import fcntl
        except ImportError:  # pragma: no cover
            pass
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
