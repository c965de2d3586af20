"""All passes of building a graph, from logs to a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.social._build import (
    COLUMNS,
    FORMAT,
    Limits,
    degree_filter,
    number_edges,
    number_ids,
    write_graph,
)
from tweetclf.social._ids import IdTable, read_array
from tweetclf.social._reading import ROLES, Columns
from tweetclf.social._spool import Spool
from tweetclf.utils.files import atomic_directory, check_free

__all__ = ["build_graph", "check_build"]

_REPEATS = ("max", "sum")
_SIDES = ("users", "posts")


def build_graph(
    paths: Sequence[Path],
    target: Path,
    *,
    columns: Columns | None,
    default_action: str,
    limits: Limits,
    repeats: str,
    max_bad_rows: int | None,
    block: int,
    salt: int,
    report: Callable[[str, int, int], None],
) -> None:
    """Build a graph; see `EngagementGraph.build`."""
    check_free(target)
    work = target.with_name(f"{target.name}.building")
    options = {
        "columns": dict(columns) if columns else None,
        "default_action": default_action,
        "salt": salt,
    }
    spool = Spool(work / "rows", paths, options, max_bad_rows=max_bad_rows, block=block)
    try:
        spool.fill(report)
    except DataError:
        if not spool.n_files_read:  # nothing to go on from
            shutil.rmtree(work)
        raise
    if not spool.n_rows:
        shutil.rmtree(work)
        first = "; ".join(spool.bad.examples[:3]) or "there is none"
        raise DataError(f"{', '.join(map(str, paths))}: no row is usable: {first}.")
    whole = work / "whole"
    whole.mkdir(exist_ok=True)
    n_ids = {}
    for side in _SIDES:
        n_ids[side] = number_ids(spool, side, whole)
        report("number", 1, 3)
    n_distinct = number_edges(spool, whole, repeats)
    report("number", 1, 3)
    said = {
        **_describe(spool, paths, salt),
        "n_repeats": spool.n_rows - n_distinct,
        "repeats": repeats,
    }
    _filter_and_write(whole, target, limits, n_ids, said)
    report("write", 1, 1)
    shutil.rmtree(work, ignore_errors=True)


def _filter_and_write(
    whole: Path,
    target: Path,
    limits: Limits,
    n_ids: Mapping[str, int],
    said: Mapping[str, Any],
) -> None:
    """Write the graph of those whose degrees are within the limits."""
    source = {name: read_array(whole / f"{name}.bin", t) for name, t in COLUMNS.items()}
    n_edges = len(source["users"])
    users, posts, rounds = degree_filter(
        source["users"], source["posts"], n_ids["users"], n_ids["posts"], limits
    )
    done = {
        "users": limits.users,
        "posts": limits.posts,
        "until_stable": limits.until_stable,
        "rounds": rounds,
        "n_users_before": n_ids["users"],
        "n_posts_before": n_ids["posts"],
        "n_edges_before": n_edges,
    }
    columns = [n for n in COLUMNS if said.get(n, True)]
    with atomic_directory(target) as folder:
        n_left = write_graph(
            source,
            (
                IdTable(whole, "users", said["salt"]),
                IdTable(whole, "posts", said["salt"]),
            ),
            folder,
            alive=(users, posts),
            where=None,
            columns=columns,
            manifest={**said, "filter": done},
        )
        if not n_left:
            raise DataError(
                f"no edge is left of {n_edges:,} after the degree filters; lower the "
                "least degrees or raise the largest ones."
            )


def _describe(spool: Spool, paths: Sequence[Path], salt: int) -> dict[str, Any]:
    """Return what the manifest says about the logs."""
    return {
        "format": FORMAT,
        "actions": sorted(spool.actions),
        "weights": "weight" in spool.roles,
        "times": "time" in spool.roles,
        "salt": salt,
        "sources": [path.name for path in paths],
        "n_rows": spool.n_rows,
        "bad_rows": {
            "total": spool.bad.total,
            "reasons": dict(spool.bad.reasons),
            "examples": spool.bad.examples,
        },
    }


def check_build(
    files: Any,
    columns: Columns | None,
    limits: Limits,
    repeats: str,
    max_bad_rows: int | None,
    block: int,
) -> list[Path]:
    """Refuse what cannot be built, and return the files."""
    given = [files] if isinstance(files, str | os.PathLike) else list(files)
    paths = [Path(file).expanduser() for file in given]
    if not paths:
        raise DataError("EngagementGraph.build got no files.")
    for path in paths:
        if not path.is_file():
            raise DataError(f"There is no file at {path}.")
    _check_columns(columns or {})
    for low, high in (limits.users, limits.posts):
        if low < 0 or (high is not None and high < max(low, 1)):
            raise ValueError(
                "EngagementGraph.build: degrees must be at least 0, and the largest "
                f"not below the least. Got {low!r} and {high!r} instead."
            )
    if repeats not in _REPEATS or block < 1 or (max_bad_rows or 0) < 0:
        raise ValueError(
            f"EngagementGraph.build: repeats must be one of {', '.join(_REPEATS)}, "
            "block at least 1, and max_bad_rows at least 0 or None. Got "
            f"{repeats!r}, {block!r} and {max_bad_rows!r} instead."
        )
    return paths


def _check_columns(columns: Columns) -> None:
    for role, name in columns.items():
        if role not in ROLES:
            raise ValueError(
                f"columns: {role!r} is none of {', '.join(ROLES)}. Write them as "
                "{'user': 'name of the column', ...}."
            )
        if name is None and role in ("user", "post"):
            raise ValueError(
                f"columns: the {role}s cannot be left out. Got {role!r}: None instead "
                "of the name of a column."
            )
