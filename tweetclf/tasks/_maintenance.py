"""Maintenance: rows and sha256 of every split, and the tables of the documentation.

Run ``python -m tweetclf.tasks._maintenance --data-dir FOLDER [TASK ...]`` after adding
a task. Entries of tasks whose data are not at hand are kept. An entry that changes is
refused without ``--force``: tasks are never edited after release. Then run it with
``--docs docs/tasks.md``.
"""

from __future__ import annotations

import argparse
import json

from tweetclf.tasks._document import update
from tweetclf.tasks.locations import PACKAGE_DATA
from tweetclf.tasks.registered import registered_task
from tweetclf.tasks.registry import list_tasks
from tweetclf.utils.files import write_text_atomic

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Update ``checksums.json``; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir")
    parser.add_argument("--docs", help="page whose tables are written again")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("tasks", nargs="*")
    arguments = parser.parse_args(argv)
    if arguments.docs:
        update(arguments.docs)
    if arguments.data_dir:
        _update_checksums(parser, arguments)
    return 0


def _update_checksums(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace
) -> None:
    path = PACKAGE_DATA / "checksums.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    for info in list_tasks():
        if arguments.tasks and info.name not in arguments.tasks:
            continue
        if not info.available(arguments.data_dir):
            continue
        task = registered_task(info, arguments.data_dir, verify=False)
        found = {
            name: {"rows": len(task.splits[name]), "sha256": task.splits[name].sha256}
            for name in task.splits
        }
        known = facts.get(info.name, {})
        changed = [k for k in known if k in found and known[k] != found[k]]
        if changed and not arguments.force:
            parser.error(f"{info.name}: {', '.join(changed)} changed; see --force")
        facts[info.name] = {**known, **found}
    text = json.dumps(dict(sorted(facts.items())), indent=1) + "\n"
    write_text_atomic(path, text)


if __name__ == "__main__":
    raise SystemExit(main())
