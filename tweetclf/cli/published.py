"""List published results of a task or dataset, with their sources.

Results that compare with a test score made here stand first: same version of the data,
same split, same metric. All others stand apart, with the reason. Intervals marked * are
reconstructed from the score and the number of texts; nobody published them.

examples:
  tweetclf published
  tweetclf published hateval-es
  tweetclf published hateval-es --system atalaya-svm --json
  tweetclf published ASAD
  tweetclf published coset --file mine.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import note, print_json, print_table
from tweetclf.reports.formatting import make_safe

if TYPE_CHECKING:
    from tweetclf.tasks import PublishedResult, TaskInfo

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf published``."""
    parser.add_argument(
        "task",
        nargs="?",
        metavar="TASK",
        help="a registered task, or a dataset as the source names it; without it, all "
        "are listed",
    )
    parser.add_argument(
        "--system", metavar="NAME", help="only this system, as printed or by its alias"
    )
    parser.add_argument("--cite", metavar="KEY", help="only this source")
    parser.add_argument("--split", metavar="NAME", help="only scores on this split")
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="CSV",
        help="results of your own too, in the same columns (repeatable)",
    )
    parser.add_argument(
        "--bibtex", action="store_true", help="print the sources as BibTeX"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _rows(
    args: argparse.Namespace, own: list[PublishedResult]
) -> tuple[TaskInfo | None, list[PublishedResult]]:
    """Return the rows of a task, or of a dataset that is no registered task."""
    from tweetclf.tasks import list_tasks, published_results, read_published, task_info
    from tweetclf.utils.registry import Registry

    everything = [*read_published(), *own]
    tasks = {info.name for info in list_tasks()}
    # A file of one's own may be about a task that is not registered.
    datasets = {row.dataset for row in everything} | {row.task for row in everything}
    known: Registry[str] = Registry("task or dataset", '"tweetclf published"')
    for name in sorted((tasks | datasets) - {""}):
        known.register(name, name)
    if args.task not in known:
        known.get(args.task)  # raises, with near names
    if args.task in tasks:
        return task_info(args.task), published_results(args.task, own)
    return None, [r for r in everything if args.task in (r.task, r.dataset)]


def _digits(score: float) -> str:
    """Return a score as printed, with three decimals at least; a rank with none."""
    if score >= 1 and score.is_integer():
        return f"{score:.0f}"
    whole, _, decimals = f"{score:.6f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(3, '0')}"


def _interval(row: PublishedResult) -> str:
    if row.interval is None:
        return ""
    low, high = row.interval
    return f"[{low:.3f}, {high:.3f}]*"


def _apart(info: TaskInfo | None) -> Callable[[PublishedResult], tuple[str, ...]]:
    def why(row: PublishedResult) -> tuple[str, ...]:
        if info is None:
            return ()
        signature = info.metric.signature()
        return row.differences(version=info.version, split="test", signature=signature)

    return why


def _document(row: PublishedResult, why: tuple[str, ...]) -> dict[str, Any]:
    from tweetclf.tasks.published import canonical_system

    return {
        **asdict(row),
        "alias": canonical_system(row.system, row.cite),
        "interval": row.interval and list(row.interval),
        "interval_is": "reconstructed" if row.interval else None,
        "no_interval": row.why_no_interval or None,
        "comparable": not why,
        "differences": list(why),
    }


def _numbered(texts: Sequence[str]) -> dict[str, str]:
    known = dict.fromkeys(text for text in texts if text)
    return {text: f"[{number}]" for number, text in enumerate(known, start=1)}


def _print(info: TaskInfo | None, rows: list[PublishedResult]) -> None:
    why = _apart(info)
    remarks = _numbered(
        ["; ".join(part for part in (row.source, row.note) if part) for row in rows]
    )

    def cells(row: PublishedResult) -> list[str]:
        remark = "; ".join(part for part in (row.source, row.note) if part)
        return [row.system, _digits(row.score), _interval(row), remarks.get(remark, "")]

    near = [row for row in rows if info and not why(row)]
    far = [row for row in rows if not info or why(row)]
    header = ["system", "score", "95 % interval", "source"]
    if info and near:
        print(f"{info.name} {info.version}, test, by {info.metric.signature()}")
        print_table(header, map(cells, near), right=(1,))
        print()
    if info and far:
        print("Apart, because they do not compare")
        print_table(
            [*header, "why"],
            [[*cells(row), "; ".join(why(row))] for row in far],
            right=(1,),
        )
        print()
    elif far:
        print_table(
            [*header, "language", "metric", "split"],
            [[*cells(row), row.language, row.metric, row.split] for row in far],
            right=(1,),
        )
        print()
    for remark, number in remarks.items():
        print(make_safe(f"{number} {remark}"))
    if any(row.interval for row in rows):
        print("* reconstructed from score and number of texts (Wilson), not published")


def _overview(args: argparse.Namespace, own: list[PublishedResult]) -> int:
    """List tasks, then datasets that belong to no task, with their numbers."""
    from tweetclf.tasks import list_tasks, published_results, read_published

    listed: list[dict[str, Any]] = []
    for info in list_tasks():
        rows = published_results(info.name, own)
        why = _apart(info)
        near = [row for row in rows if not why(row)]
        if rows:
            listed.append(
                {
                    "name": info.name,
                    "registered": True,
                    "comparable": len(near),
                    "apart": len(rows) - len(near),
                    "best": near[0].system if near else None,
                    "score": near[0].score if near else None,
                }
            )
    registered = {info.name for info in list_tasks()}
    loose = [
        row.dataset or row.task
        for row in [*read_published(), *own]
        if row.task not in registered
    ]
    for name in dict.fromkeys(loose):
        listed.append(
            {
                "name": name,
                "registered": False,
                "comparable": 0,
                "apart": loose.count(name),
                "best": None,
                "score": None,
            }
        )
    if args.json:
        print_json(listed)
        return 0
    print_table(
        ["task or dataset", "compare", "apart", "best", "score"],
        [
            [
                item["name"],
                str(item["comparable"] or ""),
                str(item["apart"] or ""),
                item["best"] or "",
                "" if item["score"] is None else _digits(item["score"]),
            ]
            for item in listed
        ],
        right=(1, 2, 4),
    )
    return 0


def _print_bibtex(rows: list[PublishedResult]) -> None:
    from tweetclf.tasks.published import references

    entries = references()
    for key in dict.fromkeys(row.cite for row in rows):
        if key in entries:
            print(make_safe(entries[key], newlines=True))
            print()


def run(args: argparse.Namespace) -> int:
    """Print published results."""
    from tweetclf.tasks import read_published
    from tweetclf.tasks.published import filter_published

    own = [row for path in args.file for row in read_published(path)]
    if not args.task:
        if args.bibtex:
            _print_bibtex([*read_published(), *own])
            return 0
        return _overview(args, own)
    info, rows = _rows(args, own)
    rows = filter_published(rows, system=args.system, cite=args.cite, split=args.split)
    if not rows:
        note(f"no published result of {args.task} is like that")
    if args.json:
        why = _apart(info)
        print_json([_document(row, why(row)) for row in rows])
    elif args.bibtex:
        _print_bibtex(rows)
    elif rows:
        _print(info, rows)
    return 0 if rows else 1
