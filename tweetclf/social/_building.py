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
from tweetclf.social._reading import ROLES
from tweetclf.social._spool import Spool
from tweetclf.utils.files import atomic_directory, check_free

__all__ = ["build_graph", "check_build"]

_REPEATS = ("max", "sum")
_SIDES = ("users", "posts")


def build_graph(
    paths: Sequence[Path],
    target: Path,
    *,
    columns: Mapping[str, str | int] | None,
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
    spool.fill(report)
    if not spool.n_rows:
        first = "; ".join(spool.bad.examples[:3]) or "there is none"
        raise DataError(f"{', '.join(map(str, paths))}: no row is usable: {first}.")
    whole = work / "whole"
    whole.mkdir(exist_ok=True)
    n_ids = []
    for side in _SIDES:
        n_ids.append(number_ids(spool, side, whole))
        report("number", 1, 3)
    n_distinct = number_edges(spool, whole, repeats)
    report("number", 1, 3)
    source = {name: read_array(whole / f"{name}.bin", t) for name, t in COLUMNS.items()}
    users, posts, rounds = degree_filter(
        source["users"], source["posts"], n_ids[0], n_ids[1], limits
    )
    names = ["users", "posts", "types"]
    names += [n for n in ("weights", "times") if n.removesuffix("s") in spool.roles]
    before = {
        "n_users_before": n_ids[0],
        "n_posts_before": n_ids[1],
        "n_edges_before": n_distinct,
    }
    with atomic_directory(target) as folder:
        n_edges = write_graph(
            source,
            (IdTable(whole, "users", salt), IdTable(whole, "posts", salt)),
            folder,
            alive=(users, posts),
            where=None,
            columns=names,
            manifest={
                **_describe(spool, paths, names, salt),
                "n_repeats": spool.n_rows - n_distinct,
                "repeats": repeats,
                "filter": {
                    "users": limits.users,
                    "posts": limits.posts,
                    "until_stable": limits.until_stable,
                    "rounds": rounds,
                    **before,
                },
            },
        )
        if not n_edges:
            raise DataError(
                f"no edge is left of {n_distinct:,} after the degree filters; lower "
                "the least degrees or raise the largest ones."
            )
    report("write", 1, 1)
    shutil.rmtree(work, ignore_errors=True)


def _describe(
    spool: Spool, paths: Sequence[Path], names: Sequence[str], salt: int
) -> dict[str, Any]:
    """Return what the manifest says about the logs."""
    return {
        "format": FORMAT,
        "actions": sorted(spool.actions),
        "weights": "weights" in names,
        "times": "times" in names,
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
    columns: Mapping[str, str | int] | None,
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
    unknown = [role for role in columns or {} if role not in ROLES]
    if unknown:
        raise ValueError(
            f"columns: {unknown[0]!r} is none of {', '.join(ROLES)}. Write them as "
            "{'user': 'name of the column', ...}."
        )
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
