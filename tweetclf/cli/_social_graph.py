"""Build the graph of engagement logs: users, posts, and who did what.

The files are CSV, TSV, JSON Lines (all also .gz) or Parquet, a row an engagement, of
any size: they are read once and never held. Columns are found by their usual names
(user, user_id; post, tweet_id; action; weight; time, created_at), or named. Rows
without user or post, and damaged ones, are left out and counted.

examples:
  tweetclf social graph likes.tsv.gz replies.jsonl --out graph
  tweetclf social graph log.csv --user uid --post pid --min-user-degree 2 --out graph
  tweetclf social graph pairs.tsv --user 0 --post 1 --no-header --out graph
  tweetclf social graph likes.csv --ignore time --out graph
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import UsageError, check_output, note, print_json
from tweetclf.cli._running import integer, positive, progress_bar

if TYPE_CHECKING:
    from tweetclf.social import EngagementGraph, GraphStatistics

__all__ = ["add_arguments", "add_bad_rows_argument", "note_bad_rows", "run"]

_COLUMNS = ("user", "post", "action", "weight", "time")


def _count(text: str) -> int:
    return integer(text, 0)


def add_bad_rows_argument(parser: Any) -> None:
    """Declare how many rows may be unusable; `parser` may be a group of one."""
    parser.add_argument(
        "--max-bad-rows",
        type=_count,
        default=1000,
        metavar="N",
        help="fail with more bad rows than this (1000)",
    )


def note_bad_rows(total: int, examples: Sequence[str]) -> None:
    """Tell how many rows were left out, if any, and where the first are."""
    if total:
        note(f"{total:,} bad rows were left out; the first of them:")
        for example in examples[:5]:
            note(f"  {example}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social graph``."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="logs")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    columns = parser.add_argument_group("columns")
    for name in _COLUMNS:
        columns.add_argument(
            f"--{name}", metavar="COLUMN", help=f"column of the {name}"
        )
    columns.add_argument(
        "--ignore",
        action="append",
        default=[],
        choices=_COLUMNS[2:],
        help="a column to pass by, though it is there; may be given several times",
    )
    columns.add_argument(
        "--no-header",
        action="store_true",
        help="the files have no header; columns are named by position, from 0",
    )
    columns.add_argument(
        "--default-action",
        default="engage",
        metavar="NAME",
        help="action where there is no such column (engage)",
    )
    kept = parser.add_argument_group("what is kept")
    for side in ("user", "post"):
        kept.add_argument(
            f"--min-{side}-degree",
            type=_count,
            default=1,
            metavar="N",
            help=f"fewest edges of a {side} (1)",
        )
        kept.add_argument(
            f"--max-{side}-degree",
            type=positive,
            metavar="N",
            help=f"most edges of a {side}",
        )
    kept.add_argument(
        "--once",
        action="store_true",
        help="filter by degree once, not until no one falls out any more",
    )
    add_bad_rows_argument(kept)
    parser.add_argument(
        "--figure", metavar="FILE", help="draw the degrees (.png, .svg, .pdf)"
    )
    parser.add_argument("--json", action="store_true", help="print statistics as JSON")


def _columns(args: argparse.Namespace) -> dict[str, str | int | None] | None:
    given: dict[str, Any] = {
        name: getattr(args, name)
        for name in _COLUMNS
        if getattr(args, name) is not None
    }
    if args.no_header:
        if not {"user", "post"} <= given.keys():
            raise UsageError("--no-header needs --user and --post")
        for name, value in given.items():
            if not value.isdecimal():
                raise UsageError(
                    f"--no-header: --{name} is a position from 0, got {value!r}"
                )
            given[name] = int(value)
    for name in args.ignore:
        if name in given:
            raise UsageError(f"--ignore {name} and --{name} exclude each other")
    return {**given, **dict.fromkeys(args.ignore)} or None


def _check_figure(path: str) -> None:
    """Refuse at once what could not be drawn after hours of reading."""
    from matplotlib.figure import Figure

    from tweetclf.cli._tables import check_folder

    known = Figure().canvas.get_supported_filetypes()
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in known:
        raise UsageError(
            f"--figure {path}: the suffix must be one of "
            f"{', '.join(f'.{name}' for name in sorted(known))}"
        )
    if Path(path).is_dir():
        raise UsageError(f"--figure {path} is a folder; name a file")
    check_folder("--figure", str(Path(path).parent))


def _draw(statistics: GraphStatistics, path: str) -> None:
    from matplotlib.figure import Figure

    from tweetclf.reports.displays import DegreeDisplay
    from tweetclf.utils.files import atomic_path

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    DegreeDisplay.from_statistics(statistics, ax=figure.subplots())
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=Path(path).suffix.lower().removeprefix("."))


def _build(args: argparse.Namespace) -> EngagementGraph:
    from tweetclf.social import EngagementGraph

    done: dict[str, int] = {}
    words = {"read": "reading bytes", "number": "numbering", "write": "writing"}
    with progress_bar() as show:

        def report(stage: str, new: int, total: int) -> None:
            done[stage] = done.get(stage, 0) + new
            if show is not None:
                show(words[stage], done[stage], total)

        return EngagementGraph.build(
            args.files,
            args.out,
            columns=_columns(args),
            default_action=args.default_action,
            min_user_degree=args.min_user_degree,
            max_user_degree=args.max_user_degree,
            min_post_degree=args.min_post_degree,
            max_post_degree=args.max_post_degree,
            until_stable=not args.once,
            max_bad_rows=args.max_bad_rows,
            report=report,
        )


def run(args: argparse.Namespace) -> int:
    """Build, and print what came out."""
    check_output(args.out)
    if args.figure:
        _check_figure(args.figure)
    for side in ("user", "post"):
        least, most = (getattr(args, f"{end}_{side}_degree") for end in ("min", "max"))
        if most is not None and most < least:
            raise UsageError(
                f"--max-{side}-degree {most} is below --min-{side}-degree {least}"
            )
    graph = _build(args)
    bad = graph.manifest["bad_rows"]
    note_bad_rows(bad["total"], bad["examples"])
    statistics = graph.statistics()
    if args.json:
        print_json(statistics.to_dict())
    else:
        print(statistics.to_markdown(), end="")
    if args.figure:
        _draw(statistics, args.figure)
    note(f"graph saved in {args.out}")
    return 0
