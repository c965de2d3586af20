"""Look for what makes scores on a task doubtful.

Everything here is found in the texts, labels and identifiers alone. What needs a
trained model, candidates for wrong labels, is in `tweetclf.leaderboard.noise`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

from tweetclf.tasks.base import Split, Task
from tweetclf.tasks.contamination import find_contamination
from tweetclf.tasks.duplicates import Labels, find_contradictions, find_duplicates
from tweetclf.tasks.faults import find_faults
from tweetclf.tasks.findings import Audit, Overlap
from tweetclf.tasks.shift import find_shifts

__all__ = ["audit_contamination", "audit_task"]

_FIRST = ("train", "dev", "test")


def audit_task(
    task: Task, *, threshold: float = 0.7, seed: int = 0, n_examples: int = 5
) -> Audit:
    """Look for leaks between splits, contradicting labels, shift and damage.

    Parameters
    ----------
    task : Task
        The task; all of its splits are read.
    threshold : float, default=0.7
        Least Jaccard similarity of near duplicates.
    seed : int, default=0
        Seed of hashes and simulations.
    n_examples : int, default=5
        Examples of each finding.

    Returns
    -------
    Audit
        What was found, without contamination and label noise; see
        `audit_contamination` and `tweetclf.leaderboard.find_label_noise`.

    Examples
    --------
    >>> from tweetclf.tasks import audit_task, load_task
    >>> audit = audit_task(load_task("sample-humor"))
    >>> len(audit.shared("test", "train").rows)
    0
    """
    splits = _in_order(task)
    labels = Labels(splits, task.label_names)
    duplicates = find_duplicates(
        splits, labels, threshold=threshold, seed=seed, n_examples=n_examples
    )
    return Audit(
        task=task.name,
        version=task.version,
        sizes={name: len(split) for name, split in splits.items()},
        sha256={name: split.sha256 for name, split in splits.items()},
        threshold=float(threshold),
        duplicates=duplicates,
        contradictions=find_contradictions(splits, labels, n_examples=n_examples),
        overlaps=tuple(_overlaps(splits, n_examples)),
        shifts=find_shifts(splits, task.label_names, seed=seed),
        faults=find_faults(splits, labels, n_examples=n_examples),
        notes=tuple(_notes(splits)),
    )


def audit_contamination(
    audit: Audit,
    task: Task,
    corpus: Iterable[Any],
    *,
    name: str = "corpus",
    n: int = 50,
    n_examples: int = 5,
) -> Audit:
    """Add which texts share a character n-gram with a corpus.

    Parameters
    ----------
    audit : Audit
        Of this task.
    task : Task
        The task.
    corpus : iterable of str, or of (str, str)
        Texts or pairs, gone through once and never held, so that a generator over a
        file of any size will do; see `tweetclf.tasks.corpora.stream_corpus`.
    name : str, default="corpus"
        Name of the corpus.
    n : int, default=50
        Characters in an n-gram.
    n_examples : int, default=5
        Examples a split.

    Returns
    -------
    Audit
        With one more finding a split.
    """
    splits = _in_order(task)
    labels = Labels(splits, task.label_names)
    found = find_contamination(
        splits, corpus, labels, name=name, n=n, n_examples=n_examples
    )
    return replace(audit, contamination=(*audit.contamination, *found))


def _in_order(task: Task) -> dict[str, Split]:
    """Return all splits, train first: later ones are said to repeat earlier ones."""
    names = [name for name in _FIRST if name in task.splits]
    names += sorted(set(task.splits) - set(names))
    return {name: task.splits[name] for name in names}


def _has_ids(split: Split) -> bool:
    """Tell whether the identifiers are more than numbers of rows."""
    return split.ids != tuple(map(str, range(len(split))))


def _overlaps(splits: Mapping[str, Split], n_examples: int) -> list[Overlap]:
    found = []
    for earlier, later in combinations(splits.values(), 2):
        pairs = {"cluster": (later.clusters, earlier.clusters)}
        if _has_ids(later) and _has_ids(earlier):
            pairs["id"] = (later.ids, earlier.ids)
        for what, (own, theirs) in pairs.items():
            if own is None or theirs is None:
                continue
            known = set(theirs)
            rows = tuple(row for row, value in enumerate(own) if value in known)
            if rows:
                values = list(dict.fromkeys(own[row] for row in rows))
                found.append(
                    Overlap(
                        what,
                        later.name,
                        earlier.name,
                        len(values),
                        len(later),
                        rows,
                        tuple(values[:n_examples]),
                    )
                )
    return found


def _notes(splits: Mapping[str, Split]) -> list[str]:
    notes = []
    unlabelled = [name for name, split in splits.items() if split.labels is None]
    if unlabelled:
        notes.append(
            f"Without labels, compared by text alone: {', '.join(unlabelled)}."
        )
    if len(splits) > 1:
        unknown = [name for name, split in splits.items() if split.clusters is None]
        if unknown:
            notes.append(
                "Threads and authors were not compared: none are known of "
                f"{', '.join(unknown)}."
            )
        if not all(map(_has_ids, splits.values())):
            notes.append("Identifiers were not compared where they are row numbers.")
    return notes
