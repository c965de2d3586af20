"""From stored runs to written reports in one call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import UnknownNameError
from tweetclf.leaderboard.ranking import Leaderboard, build_leaderboard
from tweetclf.leaderboard.shared import SeenAtHand
from tweetclf.tasks.loading import load_task
from tweetclf.tasks.published import (
    PublishedResult,
    filter_published,
    published_results,
)
from tweetclf.tasks.registry import task_info
from tweetclf.utils.registry import suggest

if TYPE_CHECKING:
    from tweetclf.leaderboard.records import RunRecord, TaskFacts
    from tweetclf.leaderboard.store import RunStore
    from tweetclf.tasks import Task

__all__ = [
    "ALL_FORMATS",
    "choose_formats",
    "publish",
    "published_for",
    "rank_stored",
]

ALL_FORMATS = ("html", "markdown", "latex", "csv", "json")
DEFAULT_FORMATS = ("html", "json")


def published_for(
    facts: TaskFacts, own: Iterable[PublishedResult] = ()
) -> list[PublishedResult]:
    """Return the published scores of a task, those of the package and one's own.

    The package has none for a file of one's own. Ranks and means over folds, which have
    no signature, are no scores.

    Parameters
    ----------
    facts : TaskFacts
        The task of stored runs.
    own : iterable of PublishedResult, optional
        Rows of one's own.
    """
    try:
        registered = task_info(facts.name).version == facts.version
    except UnknownNameError:
        registered = False
    if registered:
        rows = published_results(facts.name, own)
    else:
        rows = filter_published(own, task=facts.name)
    return [row for row in rows if row.signature]


def _registered(name: str) -> Task:
    """Load a registered task; a folder of one's own with its name is another thing."""
    task_info(name)
    return load_task(name)


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
    records: Iterable[RunRecord],
    store: RunStore,
    *,
    published: Sequence[PublishedResult] | None = (),
    **options: Any,
) -> Leaderboard:
    """Rank stored runs, beside published results.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs whose predictions are in `store`.
    store : RunStore
        The store.
    published : sequence of PublishedResult or None, default=()
        Published results of one's own (`tweetclf.tasks.read_published`), beside those
        of the package; None leaves all out.
    **options
        Passed on to :func:`tweetclf.leaderboard.build_leaderboard`.

    Returns
    -------
    Leaderboard
        The tables.
    """
    find = None if published is None else partial(published_for, own=published)
    return build_leaderboard(
        records,
        store.predictions,
        seen=SeenAtHand(_registered),
        published=find,
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
    published: Sequence[PublishedResult] | None = (),
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
    published : sequence of PublishedResult or None, default=()
        As in `rank_stored`.

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
        records,
        store,
        title=title,
        skipped=skipped,
        n_resamples=n_resamples,
        published=published,
    )
    report = make_report(leaderboard, command=command)
    return leaderboard, write_report(report, folder, formats=chosen)
