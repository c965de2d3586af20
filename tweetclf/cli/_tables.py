"""What the commands that write a report share: folders, files, printed tables."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import note, print_json, print_table

if TYPE_CHECKING:
    from tweetclf.leaderboard import Leaderboard, RunRecord, RunStore
    from tweetclf.leaderboard.ranking import Entry, TaskBoard

__all__ = ["check_folder", "command_line", "write_tables"]


def check_folder(option: str, path: str, *, report: bool = False) -> None:
    """Refuse a folder that cannot be made or written, before anything is run.

    Parameters
    ----------
    option : str
        The option that named it.
    path : str
        The folder.
    report : bool, default=False
        Whether the name of one file is allowed as well, see ``write_report``.

    Raises
    ------
    OSError
        Naming the option, the reason and what to do.
    """
    from tweetclf.reports import FORMATS

    place = Path(path).absolute()
    if report and place.suffix.lower() in FORMATS.values() and not place.is_dir():
        place = place.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    reason = f"{place} is not a folder"
    if place.is_dir():
        try:
            # Trying tells more than permissions do, which bind no administrator.
            with tempfile.TemporaryDirectory(prefix=".tweetclf-", dir=place):
                return
        except OSError as error:
            reason = f"{place} may not be written ({error.strerror})"
    raise OSError(f"{option} {path}: {reason}. Choose another folder with {option}.")


def _short(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    option, equals, value = argument.rpartition("=")
    if Path(value).is_absolute() and (option.startswith("-") or not equals):
        return f"{option}{equals}{Path(value).name or value}"
    return Path(argument).name if Path(argument).is_absolute() else argument


def command_line(argv: Sequence[str]) -> str:
    """Return the command as one would type it; absolute paths by their last part."""
    return shlex.join(["tweetclf", *map(_short, argv)])


def write_tables(
    args: argparse.Namespace,
    store: RunStore,
    records: Iterable[RunRecord],
    *,
    title: str,
    n_resamples: int,
    skipped: Sequence[tuple[str, str | None, str]] = (),
    command: str | None = None,
    by_language: str = "",
) -> bool:
    """Rank stored runs, write the report, print its tables.

    Damaged runs are named and left out.

    Returns
    -------
    bool
        Whether no run was damaged.
    """
    from tweetclf.reports import make_report, render, write_report
    from tweetclf.reports.publish import choose_formats, rank_stored
    from tweetclf.tasks import read_published

    own = read_published(args.published) if args.published else []
    damaged: list[Any] = []
    leaderboard = rank_stored(
        records,
        store,
        title=title,
        n_resamples=n_resamples,
        skipped=skipped,
        on_damage=damaged.append,
        published=None if args.no_published else own,
    )
    for error in damaged:
        note(f"left out: {error}")
    if leaderboard.n_resamples > n_resamples:
        note(
            f"{leaderboard.n_resamples} resamples instead of {n_resamples}: with "
            "fewer, no difference between so many systems could be found."
        )
    if damaged and not leaderboard.boards:
        note("no run is left to report.")
        return False
    quoted = [] if args.no_published or not by_language else [*read_published(), *own]
    report = make_report(
        leaderboard, command=command, by_language=by_language, published=quoted
    )
    try:
        paths = write_report(report, args.output, formats=choose_formats(args.format))
    except OSError as error:
        raise OSError(
            f"--output {args.output} cannot be written: {error}. Choose another folder "
            "with --output."
        ) from error
    if args.json:
        print_json(json.loads(render(report, "json")))
        return not damaged
    print_boards(leaderboard, published=args.published is not None)
    for path in paths:
        print(path)
    return not damaged


def _has_seeds(board: TaskBoard) -> bool:
    return any(len(entry.seed_scores) > 1 for entry in board.entries)


def _spread(entry: Entry) -> str:
    return "" if math.isnan(entry.spread) else f"{entry.spread:.3f}"


def _board_rows(board: TaskBoard, published: bool) -> list[list[str]]:
    """Return the printed rows of a board, published ones where their score belongs."""
    from tweetclf.reports.cells import comparable

    sign = -1.0 if board.facts.greater_is_better else 1.0
    several = _has_seeds(board)
    rows = [
        (
            sign * entry.score,
            [
                str(entry.rank),
                entry.system + (" =" if entry.tied and entry.rank > 1 else ""),
                f"{entry.score:.3f}",
                f"[{entry.low:.3f}, {entry.high:.3f}]",
                *([_spread(entry)] if several else []),
                f"{entry.mean_cost('fit_seconds'):.1f} s",
            ],
        )
        for entry in board.entries
    ]
    if published:
        rows += [
            (
                sign * result.score,
                [
                    *("", f"{result.system} (published)", f"{result.score:.3f}", ""),
                    *[""] * (1 + several),
                ],
            )
            for result in board.published
            if comparable(board, result)
        ]
        # Entries whose score is not defined stay last.
        rows.sort(key=lambda row: (row[0] != row[0], row[0]))
    return [cells for _, cells in rows]


def print_boards(leaderboard: Leaderboard, *, published: bool = False) -> None:
    """Print the ranked systems of every task."""
    from tweetclf.reports.formatting import plural
    from tweetclf.reports.wording import noun_of

    for board in leaderboard.boards:
        how = "test" if board.split == "test" else "cross-validation"
        several = _has_seeds(board)
        what = plural(board.n_scored, noun_of(board))
        print(f"{board.facts.name} ({how}, {what})")
        print_table(
            [
                "#",
                "system",
                board.facts.metric.partition("|")[0],
                "95 % interval",
                *(["seed sd"] if several else []),
                "fit",
            ],
            _board_rows(board, published),
            right=(0, 2, 4, 5),
        )
        if any(entry.tied and entry.rank > 1 for entry in board.entries):
            print(
                "= not told apart from the best, for these runs (paired bootstrap, "
                "Holm, 5 %)"
            )
        print()
