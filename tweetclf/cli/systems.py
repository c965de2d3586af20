"""List the systems, what they can do and the papers they reproduce."""

from __future__ import annotations

import argparse
import importlib.util
from typing import Any

from tweetclf.cli._output import print_json, print_table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf systems``."""
    parser.add_argument(
        "--kind",
        choices=["binary", "multiclass", "multilabel", "regression", "pair"],
        help="only the systems that can do tasks of this kind",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the systems."""
    from tweetclf.leaderboard.systems import list_systems

    rows: list[dict[str, Any]] = []
    for system in list_systems():
        if args.kind and not system.supports(args.kind):
            continue
        installed = not system.module or importlib.util.find_spec(system.module)
        rows.append(
            {
                "name": system.name,
                "description": system.description,
                "source": system.source,
                "kinds": list(system.kinds),
                "grid": {key: list(values) for key, values in system.grid.items()},
                "ready": bool(installed),
                "extra": system.extra,
            }
        )
    if args.json:
        print_json(rows)
        return 0
    print_table(
        ["system", "description", "source", "ready"],
        [
            [
                row["name"],
                row["description"],
                row["source"],
                "yes" if row["ready"] else f'pip install "tweetclf[{row["extra"]}]"',
            ]
            for row in rows
        ],
    )
    return 0
