"""Maintenance: write the rows and sha256 of every split into the package data.

Run ``python -m tweetclf.tasks._maintenance --data-dir FOLDER [TASK ...]`` after adding
a task. Entries of tasks whose data are not at hand are kept. An entry that changes is
refused without ``--force``: tasks are never edited after release.
"""

from __future__ import annotations

import argparse
import json

from tweetclf.tasks.locations import PACKAGE_DATA
from tweetclf.tasks.registered import registered_task
from tweetclf.tasks.registry import list_tasks
from tweetclf.utils.files import write_text_atomic

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Update ``checksums.json``; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("tasks", nargs="*")
    arguments = parser.parse_args(argv)
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
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
