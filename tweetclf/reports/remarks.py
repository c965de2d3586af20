"""Notes of a task: what a reader of the scores must know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tweetclf.leaderboard.ranking import Entry, Leaderboard, TaskBoard
from tweetclf.leaderboard.records import RunRecord
from tweetclf.reports.formatting import format_count, plural
from tweetclf.reports.model import Note, Spans, code, name, spans
from tweetclf.reports.wording import best_entries, join_names, tied_entries

__all__ = [
    "failure_note",
    "reference_note",
    "scorings_note",
    "skipped_note",
    "warning_note",
]

REFERENCES = frozenset({"majority", "stratified", "mean"})
"""Systems that read no text: who is not better than they are has learnt nothing."""

_SHARED = re.compile(r"\d+ of \d+ evaluated tweets stand verbatim in train")

LONGEST = 1200
"""Characters of an error or warning that a report shows."""


def _cut(message: str) -> str:
    if len(message) <= LONGEST:
        return message
    rest = format_count(len(message) - LONGEST)
    return (
        f"{message[:LONGEST]}\N{HORIZONTAL ELLIPSIS} ({rest} more characters in the "
        "run record)"
    )


def _group(pairs: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, list[int]]]:
    """Message -> system -> seeds, in order of appearance."""
    grouped: dict[str, dict[str, list[int]]] = {}
    for message, system, seed in pairs:
        grouped.setdefault(message, {}).setdefault(system, []).append(seed)
    return grouped


def _who(systems: dict[str, list[int]], n_runs: int) -> Spans:
    """Name the runs that a message is about; nothing if it is about all."""
    n = sum(map(len, systems.values()))
    if n == n_runs and len(systems) > 1:
        return ()
    seeds = "" if n == len(systems) else f" ({plural(n, 'run')})"
    return spans(join_names(list(systems), most=8), f"{seeds}: ")


def warning_note(board: TaskBoard) -> Note | None:
    """Return the warnings of finished runs; equal ones are said once."""
    runs = [(e.system, run) for e in board.entries for run in e.records]
    told = board.shared is not None
    grouped = _group(
        (message, system, run.spec.seed)
        for system, run in runs
        for message in run.warnings
        # It has a place of its own, where it is counted for all runs together.
        if not (told and _SHARED.fullmatch(message))
    )
    if not grouped:
        return None
    items = tuple(
        spans(_who(systems, len(runs)), _cut(message))
        for message, systems in grouped.items()
    )
    return Note("warning", "Read these scores with care", items)


def failure_note(board: TaskBoard) -> Note | None:
    """Return the failed runs with their errors."""
    grouped = _group(
        (run.error or "no error was recorded", board.label(run), run.spec.seed)
        for run in board.failed
    )
    if not grouped:
        return None
    items = []
    for message, systems in grouped.items():
        seeds = sorted({seed for group in systems.values() for seed in group})
        which = "seed" if len(seeds) == 1 else "seeds"
        listed = ", ".join(map(str, seeds))
        items.append(
            spans(
                join_names(list(systems), most=8),
                f" failed ({which} {listed}): ",
                code(_cut(message)),
            )
        )
    partly = sorted(
        {board.label(run) for run in board.failed} & {e.system for e in board.entries}
    )
    if partly:
        items.append(
            spans(
                "The score of ",
                join_names(partly, most=8),
                " is the mean of the seeds that did finish.",
            )
        )
    return Note("error", "Failed runs", tuple(items))


def scorings_note(board: TaskBoard) -> Note | None:
    """Say when the test split was scored more often than the table shows."""
    n = board.n_test_scorings
    shown = len(all_records([board]))
    if n is None or n <= shown:
        return None
    return Note(
        "warning",
        "The test split was looked at before",
        (
            spans(
                f"Runs that score it were started {plural(n, 'time')} in this store; "
                f"{plural(shown, 'run')} {'is' if shown == 1 else 'are'} shown. The "
                "more often a test split is scored, the more the best score flatters."
            ),
        ),
    )


def reference_note(board: TaskBoard, n_resamples: int) -> Note | None:
    """Say when systems that read no text are not beaten."""
    best = best_entries(board)
    if len(board.entries) < 2 or not best:
        return None

    def references(entries: Sequence[Entry]) -> list[str]:
        return [e.system for e in entries if _is_reference(e)]

    leading = references(best)
    tied = references(tied_entries(board, n_resamples))
    items = []
    if leading:
        said = "leads and reads" if len(leading) == 1 else "lead and read"
        items.append(spans(join_names(leading), f" {said} no text."))
    if tied:
        reads = "reads" if len(tied) == 1 else "read"
        items.append(
            spans(
                join_names(tied),
                f", which {reads} no text, cannot be told apart from the best.",
            )
        )
    if not items:
        return None
    return Note("warning", "A reference system is not beaten", tuple(items))


def _is_reference(entry: Entry) -> bool:
    if entry.records:
        return entry.records[0].spec.system in REFERENCES
    return entry.system in REFERENCES


def skipped_note(leaderboard: Leaderboard) -> Note | None:
    """Return what was not run, and why."""
    grouped: dict[tuple[str, str], list[str]] = {}
    whole: list[Spans] = []
    for task, system, reason in leaderboard.skipped:
        if system is None:
            whole.append(spans("Task ", name(task), f": {_cut(reason)}"))
        else:
            grouped.setdefault((system, reason), []).append(task)
    parts = [
        spans(name(system), " on ", join_names(tasks, most=8), f": {_cut(reason)}")
        for (system, reason), tasks in grouped.items()
    ]
    if not whole and not parts:
        return None
    return Note("info", "Not run", (*whole, *parts))


def all_records(boards: Sequence[TaskBoard]) -> list[RunRecord]:
    """Return the records behind all boards, failed ones included."""
    records: list[RunRecord] = []
    for board in boards:
        records += [run for entry in board.entries for run in entry.records]
        records += board.failed
    return records
