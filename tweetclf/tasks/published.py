"""Published results, as facts with their source, and what they compare with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tweetclf.tasks import _published_csv as files
from tweetclf.tasks._published_row import PublishedResult, wilson_interval
from tweetclf.tasks.registry import task_info
from tweetclf.utils.files import write_text_atomic

__all__ = [
    "PublishedResult",
    "canonical_system",
    "filter_published",
    "published_results",
    "read_published",
    "references",
    "wilson_interval",
    "write_published",
]


def canonical_system(name: str, cite: str = "") -> str:
    """Return the common name of a system that sources name in several ways.

    Parameters
    ----------
    name : str
        The name as printed.
    cite : str, optional
        Key of the source, where a name means different systems in different sources.

    Returns
    -------
    str
        The common name; `name` itself where no other is known.

    Examples
    --------
    >>> from tweetclf.tasks.published import canonical_system
    >>> canonical_system("dccuchile/bert-base-spanish-wwm-cased")
    'BETO'
    >>> canonical_system("SVM0", "perez-luque-2019-atalaya")
    'atalaya-svm'
    """
    known = files.aliases()
    return known.get((cite, name)) or known.get(("", name)) or name


def references() -> dict[str, str]:
    """Return the BibTeX entry of every source of the package, by key.

    Examples
    --------
    >>> from tweetclf.tasks.published import references
    >>> print(references()["zhang-2023-twhin-bert"].splitlines()[0])
    @inproceedings{zhang-2023-twhin-bert,
    """
    return dict(files.references())


def read_published(
    path: str | os.PathLike[str] | None = None,
) -> list[PublishedResult]:
    """Read published results.

    Parameters
    ----------
    path : str or path-like, optional
        A CSV file of one's own with columns of the package's (see
        ``docs/published.md``); by default the rows of the package.

    Returns
    -------
    list of PublishedResult
        The rows in order, those without a registered task too.

    Raises
    ------
    DataError
        If a file is not as described; the message names the line.

    Examples
    --------
    >>> from tweetclf.tasks import read_published
    >>> rows = read_published()
    >>> len([row for row in rows if row.dataset == "ASAD"])
    6
    """
    if path is None:
        return list(files.packaged())
    return files.read_file(Path(path))


def write_published(
    rows: Iterable[PublishedResult], path: str | os.PathLike[str]
) -> None:
    """Write published results as CSV, whole or not at all.

    Parameters
    ----------
    rows : iterable of PublishedResult
        The rows; `read_published` reads the same ones back.
    path : str or path-like
        The file.
    """
    write_text_atomic(path, files.render(rows))


def filter_published(
    rows: Iterable[PublishedResult],
    *,
    task: str | None = None,
    dataset: str | None = None,
    system: str | None = None,
    cite: str | None = None,
    split: str | None = None,
    signature: str | None = None,
) -> list[PublishedResult]:
    """Return the rows that are like all that is given.

    Parameters
    ----------
    rows : iterable of PublishedResult
        The rows.
    task, dataset, cite, split, signature : str, optional
        What the row must say.
    system : str, optional
        Name of the system in any case, as printed or the common one.

    Returns
    -------
    list of PublishedResult
        Those rows, in order.

    Examples
    --------
    >>> from tweetclf.tasks.published import filter_published, read_published
    >>> rows = filter_published(read_published(), system="beto", task="coset")
    >>> sorted({row.system for row in rows})
    ['S-BERT']
    """
    wanted = {
        "task": task,
        "dataset": dataset,
        "cite": cite,
        "split": split,
        "signature": signature,
    }
    given = {key: value for key, value in wanted.items() if value is not None}

    def is_system(row: PublishedResult) -> bool:
        if system is None:
            return True
        names = (row.system, canonical_system(row.system, row.cite))
        return system.casefold() in {name.casefold() for name in names}

    return [
        row
        for row in rows
        if is_system(row)
        and all(getattr(row, key) == value for key, value in given.items())
    ]


def _merge_repeats(rows: Iterable[PublishedResult]) -> list[PublishedResult]:
    """Keep a number once that a source prints in several places."""
    found: dict[tuple[object, ...], PublishedResult] = {}
    for row in rows:
        what = (row.signature, row.metric, row.version, row.split)
        key = (row.cite, row.system, what, row.score)
        first = found.setdefault(key, row)
        if first is not row:
            notes = dict.fromkeys(note for note in (first.note, row.note) if note)
            found[key] = replace(
                first,
                source=", ".join((first.source, row.table)),
                note="; ".join(notes),
            )
    return list(found.values())


def published_results(
    task_name: str, own: Iterable[PublishedResult] = ()
) -> list[PublishedResult]:
    """Return the published results of a registered task, best first.

    Parameters
    ----------
    task_name : str
        One of `list_tasks`.
    own : iterable of PublishedResult, optional
        Rows of one's own (`read_published`), of which those of this task are taken
        too.

    Returns
    -------
    list of PublishedResult
        Results that compare with the task's test split first: same version of the
        data, same split, same metric; empty if none is known. A number that a source
        prints in two places stands once.

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
    info = task_info(task_name)
    signature = info.metric.signature()
    sign = -1.0 if info.metric.greater_is_better else 1.0

    def place(row: PublishedResult) -> tuple[object, ...]:
        apart = row.differences(version=info.version, split="test", signature=signature)
        return (
            bool(apart),
            row.signature != signature,
            row.signature,
            row.version != info.version,
            row.split,
            sign * row.score,
        )

    rows = filter_published([*files.packaged(), *own], task=task_name)
    return sorted(_merge_repeats(rows), key=place)
