"""Published results, as facts with their source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from tweetclf.tasks.locations import PACKAGE_DATA
from tweetclf.tasks.registry import task_info

__all__ = ["PublishedResult", "published_results"]


@dataclass(frozen=True)
class PublishedResult:
    """One published score.

    Parameters
    ----------
    system, task, split : str
        What was scored on what.
    signature : str
        Signature of the metric. Where it is not the task's own, the score does not
        compare: another metric, or other data (``data:...``).
    score : float
        The score, shares as 0 to 1 (never percent).
    source : str
        Publication or file, and table.
    note : str
        What one should know before comparing; may be empty.
    """

    system: str
    task: str
    signature: str
    split: str
    score: float
    source: str
    note: str = ""


@lru_cache(maxsize=1)
def _all() -> tuple[PublishedResult, ...]:
    rows: list[PublishedResult] = []
    for path in sorted((PACKAGE_DATA / "published").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        rows.extend(PublishedResult(**row) for row in content["results"])
    return tuple(rows)


def published_results(task_name: str) -> list[PublishedResult]:
    """Return the published results of a registered task, best first.

    Parameters
    ----------
    task_name : str
        One of `list_tasks`.

    Returns
    -------
    list of PublishedResult
        Results by the task's own metric first; empty if none is known.

    Raises
    ------
    UnknownNameError
        If there is no such task.

    Examples
    --------
    >>> from tweetclf.tasks import published_results
    >>> best = published_results("tweeteval-irony")[0]
    >>> best.system, best.score
    ('BERTweet', 0.821)
    """
    metric = task_info(task_name).metric
    sign = -1.0 if metric.greater_is_better else 1.0
    own = metric.signature()
    return sorted(
        (row for row in _all() if row.task == task_name),
        key=lambda row: (row.signature != own, row.signature, sign * row.score),
    )
