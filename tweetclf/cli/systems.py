"""List the systems, what they can do and the papers they reproduce."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import print_json, print_table

if TYPE_CHECKING:
    from tweetclf.leaderboard.system import System

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf systems``."""
    parser.add_argument(
        "system", nargs="?", metavar="NAME", help="all about one system"
    )
    parser.add_argument(
        "--kind",
        choices=["binary", "multiclass", "multilabel", "regression", "pair"],
        help="only the systems that can do tasks of this kind",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _row(system: System) -> dict[str, Any]:
    installed = not system.module or importlib.util.find_spec(system.module)
    return {
        "name": system.name,
        "description": system.description,
        "source": system.source,
        "kinds": list(system.kinds),
        "grid": {key: list(values) for key, values in system.grid.items()},
        "ready": bool(installed),
        "extra": system.extra,
    }


def _ready(row: dict[str, Any]) -> str:
    return "yes" if row["ready"] else f'pip install "tweetclf[{row["extra"]}]"'


def _show(args: argparse.Namespace) -> int:
    """Print all about one system."""
    from tweetclf.cli._spaces import dimension_words
    from tweetclf.leaderboard.given import known_parameters
    from tweetclf.leaderboard.named_spaces import find_space
    from tweetclf.leaderboard.systems import get_system

    system = get_system(args.system)
    row = _row(system)
    spaces = {"grid": bool(system.grid), "wide": system.space is not None}
    found = {n: find_space(system, n) for n, declared in spaces.items() if declared}
    # What a missing package would tell cannot be known.
    with contextlib.suppress(ImportError):
        row["parameters"] = known_parameters(system)
    row |= {"factory": system.target, "set": dict(system.params)}
    if args.json:
        wide = found["wide"].to_document() if "wide" in found else None
        print_json({**row, "wide": wide})
        return 0
    lines = {
        **{key: row[key] for key in ("name", "description", "source")},
        "kinds": ", ".join(row["kinds"]),
        "ready": _ready(row),
        "factory": row["factory"],
        "set": ", ".join(f"{k}={v!r}" for k, v in system.params.items()) or "nothing",
        **{name: dimension_words(space) for name, space in found.items()},
        "parameters": ", ".join(row.get("parameters", ["known when it is installed"])),
    }
    for key, value in lines.items():
        print(f"{key + ':':<15}{value}")
    return 0


def run(args: argparse.Namespace) -> int:
    """Print the systems, or all about one."""
    from tweetclf.leaderboard.systems import list_systems

    if args.system:
        return _show(args)
    rows = [
        _row(system)
        for system in list_systems()
        if not args.kind or system.supports(args.kind)
    ]
    if args.json:
        print_json(rows)
        return 0
    print_table(
        ["system", "description", "source", "ready"],
        [[row["name"], row["description"], row["source"], _ready(row)] for row in rows],
    )
    return 0
