"""Where the data of registered tasks are looked for."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["PACKAGE_DATA", "data_folder"]

PACKAGE_DATA = Path(__file__).resolve().parent / "data"


def data_folder(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the datasets, which need not exist.

    It is `data_dir`, else the environment variable ``TWEETCLF_DATA``, else the
    user's cache folder (on Linux ``~/.cache/tweetclf``).
    """
    if data_dir is not None:
        return Path(data_dir).expanduser()
    if named := os.environ.get("TWEETCLF_DATA"):
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("tweetclf"))
