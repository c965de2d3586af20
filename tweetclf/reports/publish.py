"""From stored runs to written reports in one call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import UnknownNameError
from tweetclf.leaderboard.ranking import Leaderboard, build_leaderboard
from tweetclf.tasks.published import PublishedResult, published_results
from tweetclf.tasks.registry import task_info
from tweetclf.utils.registry import suggest

if TYPE_CHECKING:
    from tweetclf.leaderboard.records import RunRecord, TaskFacts
    from tweetclf.leaderboard.store import RunStore

__all__ = ["ALL_FORMATS", "choose_formats", "publish", "rank_stored"]

ALL_FORMATS = ("html", "markdown", "latex", "csv", "json")
DEFAULT_FORMATS = ("html", "json")


def _published(facts: TaskFacts) -> list[PublishedResult]:
    """Return the published results of a registered task; one's own file has none."""
    try:
        if task_info(facts.name).version != facts.version:
            return []
    except UnknownNameError:
        return []
    return list(published_results(facts.name))


def choose_formats(formats: Sequence[str] | None) -> tuple[str, ...]:
    """Return the formats that are asked for; HTML and JSON by default.

    Raises
    ------
    ValueError
        With the known formats, if there is no such one.
    """
    chosen = tuple(formats or DEFAULT_FORMATS)
    if "all" in chosen:
        return ALL_FORMATS
    unknown = [name for name in chosen if name not in ALL_FORMATS]
    if unknown:
        near = suggest(unknown[0], ALL_FORMATS)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"publish: formats must be of {', '.join(ALL_FORMATS)}. Got "
            f"{unknown[0]!r} instead.{hint}"
        )
    return chosen


def rank_stored(
    records: Iterable[RunRecord], store: RunStore, **options: Any
) -> Leaderboard:
    """Rank stored runs, beside published results.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs whose predictions are in `store`.
    store : RunStore
        The store.
    **options
        Passed on to :func:`tweetclf.leaderboard.build_leaderboard`.

    Returns
    -------
    Leaderboard
        The tables.
    """
    return build_leaderboard(
        records,
        store.predictions,
        published=_published,
        n_test_scorings=store.test_scorings,
        **options,
    )


def publish(
    records: Iterable[RunRecord],
    store: RunStore,
    folder: str | os.PathLike[str],
    *,
    title: str = "Leaderboard",
    formats: Sequence[str] | None = None,
    skipped: Iterable[tuple[str, str | None, str]] = (),
    n_resamples: int = 2000,
    command: str | None = None,
) -> tuple[Leaderboard, list[Path]]:
    """Rank stored runs and write a report of them.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs whose predictions are in `store`.
    store : RunStore
        The store.
    folder : str or path-like
        Folder of the report; it is made if need be, and files of an earlier report
        are replaced.
    title : str, default="Leaderboard"
        Title of the report.
    formats : sequence of str, optional
        Any of ``"html"``, ``"markdown"``, ``"latex"``, ``"csv"``, ``"json"``, or
        ``"all"``; by default HTML and JSON.
    skipped : iterable of (task, system or None, reason), optional
        What was not run.
    n_resamples : int, default=2000
        Bootstrap resamples behind the intervals.
    command : str, optional
        The command that made the report, named in it.

    Returns
    -------
    leaderboard : Leaderboard
        The tables.
    paths : list of pathlib.Path
        The files written.
    """
    from tweetclf.reports import make_report, write_report

    chosen = choose_formats(formats)
    leaderboard = rank_stored(
        records, store, title=title, skipped=skipped, n_resamples=n_resamples
    )
    report = make_report(leaderboard, command=command)
    return leaderboard, write_report(report, folder, formats=chosen)
