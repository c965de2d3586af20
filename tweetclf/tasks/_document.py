"""The tables of docs/tasks.md, written from the registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tweetclf.tasks.registry import TaskInfo, list_tasks
from tweetclf.utils.files import write_text_atomic

__all__ = ["update"]

_BEGIN = "<!-- begin {}: python -m tweetclf.tasks._maintenance --docs FILE -->"
_END = "<!-- end {} -->"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def _rows(info: TaskInfo) -> str:
    order = [name for name in ("train", "dev", "test") if name in info.splits]
    known = [f"{name} {info.rows[name]:,}" for name in order if name in info.rows]
    return ", ".join(known) or "not at hand"


def _tasks_table() -> str:
    head = ["task", "language", "kind", "official metric", "rows", "dev", "licence"]
    rows = []
    for info in list_tasks():
        pair = f"pair, {info.target_kind}" if info.kind == "pair" else info.kind
        dev = "cut off train" if "cut off" in info.dev_source else "official"
        rows.append(
            [
                f"`{info.name}`",
                info.language,
                pair,
                f"`{_escape(info.metric.signature())}`",
                _rows(info),
                dev,
                _escape(info.licence),
            ]
        )
    return _table(head, rows)


def _label_rule(rule: Mapping[str, Any]) -> str:
    if "bits" in rule:
        return "joined " + ", ".join(f"`{name}`" for name in rule["bits"])
    text = f"`{rule['field']}`"
    if "item" in rule:
        text += f", item {rule['item']}"
    if rule.get("vector"):
        text += " (0 and 1)"
    if rule.get("round_mean"):
        text += " (rounded mean)"
    if "names" in rule:
        text += " (" + ", ".join(f"{k} {v}" for k, v in rule["names"].items()) + ")"
    return text


def _files_table() -> str:
    rows = []
    for info in list_tasks():
        reading = info.reading
        folders = [path.as_posix() for path in info.folders("").values()]
        if info.bundled:
            continue
        files = []
        for split, entry in reading["files"].items():
            where = entry.get("where", reading.get("where", {}))
            rule = entry.get("label", reading["label"])
            text = f"{split}: `{entry['file']}`"
            if entry.get("optional"):
                text += " (if there)"
            if where:
                text += " where " + ", ".join(f"`{k}` = {v}" for k, v in where.items())
            if rule is not None and rule != reading["label"]:
                text += f", label {_label_rule(rule)}"
            files.append(text)
        columns = [f"`{reading['id']}`", "`text`"]
        columns += [f"`{reading['text_b']}`"] if "text_b" in reading else []
        rows.append(
            [
                f"`{info.name}`",
                ", ".join(f"`{folder}`" for folder in folders),
                "; ".join(files),
                ", ".join(columns),
                _label_rule(reading["label"]),
            ]
        )
    return _table(["task", "folder", "files", "fields", "label field"], rows)


def update(path: str | Path, *, write: bool = True) -> str:
    """Return the page with fresh tables; write it unless told not to."""
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    for name, table in (("tasks", _tasks_table()), ("files", _files_table())):
        begin, end = _BEGIN.format(name), _END.format(name)
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}\n{table}\n{end}{after}"
    if write:
        write_text_atomic(path, text)
    return text
