"""Stages of long work, kept beside what is to be written until it is whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.utils.files import check_free, claim_folder, write_text_atomic

__all__ = ["open_work", "read_state", "write_state"]


def open_work(
    out: str | os.PathLike[str], told: Mapping[str, Any], caller: str
) -> Path:
    """Return the folder that keeps the stages of making `out`.

    It lies beside `out`, so that what is finished can be renamed to it.

    Parameters
    ----------
    out : path
        What is to be written; it must be free.
    told : mapping
        All that determines the work, of JSON's types.
    caller : str
        Who asks, for the message.

    Returns
    -------
    Path
        ``<out>.work``, new or of the very same work.

    Raises
    ------
    FileExistsError
        If `out` exists and is not an empty folder.
    DataError
        If the stages that are there are of other work.
    """
    check_free(out)
    target = Path(out)
    work = target.with_name(f"{target.name}.work")
    folder = claim_folder(work, told)
    if folder is None:
        raise DataError(
            f"{caller}: {work} holds unfinished work of other data or settings. "
            "Remove it, or choose another path."
        )
    return folder


def read_state(folder: Path, name: str) -> Any:
    """Return what `write_state` kept; None if there is nothing."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def write_state(folder: Path, name: str, state: Any) -> None:
    """Keep a state of JSON's types, whole or not at all."""
    text = json.dumps(state, indent=1, ensure_ascii=False)
    write_text_atomic(folder / f"{name}.json", text)
