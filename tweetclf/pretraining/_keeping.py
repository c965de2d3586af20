"""Checkpoints of this very training, and of no other."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.utils.files import write_text_atomic

__all__ = ["open_checkpoint"]

_SETTINGS = "settings.json"


def open_checkpoint(
    path: str | os.PathLike[str] | None, told: Mapping[str, Any], caller: str
) -> Checkpoints | None:
    """Return the checkpoints in a folder, if they are of this very training.

    Parameters
    ----------
    path : path or None
        The folder; it is made if need be. None: no checkpoints.
    told : mapping
        All that determines the training.
    caller : str
        Who asks, for the message.

    Raises
    ------
    DataError
        If the folder holds checkpoints of another training.
    """
    if path is None:
        return None
    folder = Path(path)
    settings = folder / _SETTINGS
    text = json.dumps(told, indent=1, sort_keys=True)
    if not folder.exists() or not any(folder.iterdir()):
        write_text_atomic(settings, text)
    elif not settings.is_file() or settings.read_text("utf-8") != text:
        raise DataError(
            f"{caller}: {folder} holds the checkpoint of another training (other "
            "texts, sizes, settings or seed). Remove it, or choose another path."
        )
    return Checkpoints(folder)
