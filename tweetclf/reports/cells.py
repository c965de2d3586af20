"""Cells of tables: numbers that may be missing, settings, published results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tweetclf.leaderboard.ranking import TaskBoard
from tweetclf.reports.formatting import DASH, finite, format_interval
from tweetclf.reports.model import Cell, Spans, spans
from tweetclf.tasks.published import PublishedResult

__all__ = [
    "RECONSTRUCTED_NOTE",
    "comparable",
    "differences",
    "missing",
    "number",
    "number_sources",
    "reconstructed",
    "reference_text",
    "settings",
    "sources_note",
    "text_cell",
    "track",
    "track_domain",
]


def comparable(board: TaskBoard, result: PublishedResult) -> bool:
    """Tell whether a published result may stand among the scores of a board."""
    return not differences(board, result)


def differences(board: TaskBoard, result: PublishedResult) -> tuple[str, ...]:
    """Return why a published result may not stand among the scores of a board."""
    return result.differences(
        version=board.facts.version,
        split=board.split,
        signature=board.facts.metric,
    )


def reconstructed(result: PublishedResult) -> Cell:
    """Return the cell of the interval that score and size of a result allow."""
    if result.interval is None:
        why = result.why_no_interval
        return Cell(None, DASH, muted=True, tooltip=f"not published; {why}")
    return Cell(
        None,
        f"{format_interval(*result.interval)}*",
        muted=True,
        tooltip=f"reconstructed from the score and {result.n} texts (Wilson), not "
        "published",
    )


RECONSTRUCTED_NOTE = (
    "* Interval reconstructed from the published score and the number of texts "
    "(Wilson); nobody published it."
)


def missing(why: str) -> Cell:
    """Return the cell of a value that is not there, with the reason."""
    return Cell(None, DASH, muted=True, tooltip=why)


def number(
    value: float | None, show: Callable[[float | None], str], why: str, **options: Any
) -> Cell:
    """Return the cell of a number, or a dash with the reason."""
    value = finite(value)
    if value is None:
        return missing(why)
    return Cell(value, show(value), **options)


def settings(selected: Mapping[str, Any] | None) -> str:
    """Write hyper-parameters as ``name=value``, short names where they are clear."""
    if not selected:
        return ""
    short = {key: key.rsplit("__", 1)[-1] for key in selected}
    clear = len(set(short.values())) == len(short)
    return ", ".join(
        f"{short[key] if clear else key}="
        + (value if isinstance(value, str) else json.dumps(value, default=repr))
        for key, value in selected.items()
    )


def text_cell(text: str) -> Cell:
    """Return the cell of a text that shows itself."""
    return Cell(text, text)


def reference_text(result: PublishedResult) -> str:
    """Return the source of a published result, with its note."""
    return "; ".join(str(part) for part in (result.source, result.note) if part)


def number_sources(sources: Iterable[str]) -> dict[str, str]:
    """Give each source a number in brackets, in order of appearance."""
    known = dict.fromkeys(source for source in sources if source)
    return {source: f"[{number}]" for number, source in enumerate(known, start=1)}


def sources_note(numbers: Mapping[str, str]) -> Spans:
    """Return the list of numbered sources, for below a table."""
    listed = "; ".join(f"{number} {source}" for source, number in numbers.items())
    return spans(f"Sources of published results: {listed}.")


def track_domain(low: float, score: float, high: float) -> tuple[float, float] | None:
    """Return the stretch around the best interval that tracks show.

    Scores far off, such as those of a trivial baseline, would squeeze all intervals
    to points; they get no track.
    """
    if any(finite(value) is None for value in (low, score, high)) or high <= low:
        return None
    width = high - low
    return score - 2.5 * width, score + 2.5 * width


def track(
    low: float | None,
    score: float,
    high: float | None,
    domain: tuple[float, float] | None,
) -> tuple[float | None, float, float | None] | None:
    """Place an interval on the track that all rows of a table share."""
    if domain is None:
        return None
    start, stop = domain

    def place(value: float | None) -> float | None:
        value = finite(value)
        return None if value is None else round((value - start) / (stop - start), 4)

    left, middle, right = place(low), place(score), place(high)
    ends = [end for end in (left, middle, right) if end is not None]
    if middle is None or min(ends) < 0 or max(ends) > 1:
        return None
    return left, middle, right
