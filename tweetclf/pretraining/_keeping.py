"""Checkpoints of this very training, and of no other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.distributed import Replicas
from tweetclf.utils.files import claim_folder

__all__ = ["open_checkpoint", "open_checkpoint_together"]


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
    folder = claim_folder(path, told)
    if folder is None:
        raise DataError(
            f"{caller}: {os.fspath(path)} holds the checkpoint of another training "
            "(other texts, sizes, settings or seed). Remove it, or choose another path."
        )
    return Checkpoints(folder)


def open_checkpoint_together(
    path: str | os.PathLike[str] | None,
    told: Mapping[str, Any],
    caller: str,
    replicas: Replicas,
) -> Checkpoints | None:
    """Open the checkpoints in all processes; the main one makes their folder.

    Parameters
    ----------
    path, told, caller
        As in `open_checkpoint`.
    replicas : Replicas
        The processes.
    """
    if not replicas.is_main:
        replicas.wait()
    found = open_checkpoint(path, told, caller)
    if replicas.is_main:
        replicas.wait()
    return found
