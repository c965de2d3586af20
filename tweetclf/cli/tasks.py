"""List the tasks: language, kind, official metric, and whether the data are at hand."""

from __future__ import annotations

import argparse
from typing import Any

from tweetclf.cli._output import note, print_json, print_table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf tasks``."""
    parser.add_argument("task", nargs="?", metavar="NAME", help="all about one task")
    parser.add_argument(
        "--language",
        metavar="CODE",
        help='only this language, e.g. "es", which "es-MX" is too',
    )
    parser.add_argument(
        "--kind",
        choices=["binary", "multiclass", "multilabel", "regression", "pair"],
        help="only tasks of this kind",
    )
    parser.add_argument(
        "--available", action="store_true", help="only tasks whose data are at hand"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _row(info: Any, data_dir: str | None) -> dict[str, Any]:
    return {
        "name": info.name,
        "version": info.version,
        "language": info.language,
        "kind": info.kind,
        "target_kind": info.target_kind,
        "metric": info.metric.signature(),
        "rows": dict(info.rows),
        "labels": list(info.label_names),
        "available": info.available(data_dir),
        "dev": info.dev_source,
        "test": info.test_source,
        "licence": info.licence,
        "citation": info.citation,
        "source": info.source,
        "how_to_obtain": info.how_to_obtain,
        "description": info.description,
    }


def _speaks(language: str, wanted: str | None) -> bool:
    """Tell whether a language is the wanted one, or that of one of its countries."""
    if not wanted:
        return True
    found, wanted = language.casefold(), wanted.casefold()
    return found == wanted or found.startswith(f"{wanted}-")


def run(args: argparse.Namespace) -> int:
    """Print the tasks, or all about one."""
    from tweetclf.tasks import list_tasks, task_info

    if args.task:
        row = _row(task_info(args.task), args.data_dir)
        if args.json:
            print_json(row)
            return 0
        for key, value in row.items():
            if isinstance(value, dict):
                value = ", ".join(f"{name} {size}" for name, size in value.items())
            elif isinstance(value, list):
                value = ", ".join(value)
            elif isinstance(value, bool):
                value = "yes" if value else "no"
            print(f"{key.replace('_', ' ') + ':':<15}{value}")
        return 0
    rows = [
        _row(info, args.data_dir)
        for info in list_tasks()
        if _speaks(info.language, args.language)
        and (not args.kind or info.kind == args.kind)
    ]
    if args.available:
        rows = [row for row in rows if row["available"]]
    if not rows:
        note('no task is like that; "tweetclf tasks" lists them all')
    if args.json:
        print_json(rows)
    if args.json or not rows:
        return 0 if rows else 1
    print_table(
        ["task", "language", "kind", "metric", "train", "dev", "test", "at hand"],
        [
            [
                row["name"],
                row["language"],
                row["kind"],
                row["metric"],
                *(
                    str(row["rows"].get(split, ""))
                    for split in ("train", "dev", "test")
                ),
                "yes" if row["available"] else "no",
            ]
            for row in rows
        ],
        right=(4, 5, 6),
    )
    return 0
