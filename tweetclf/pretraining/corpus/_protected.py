"""What a corpus must not hold: the texts that models are scored on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks.base import Split
from tweetclf.tasks.contamination import GramIndex
from tweetclf.tasks.loading import load_task
from tweetclf.tasks.registry import list_tasks, task_info

__all__ = ["Protected", "protected_tasks"]


def protected_tasks(names: Sequence[str] | None, data_dir: Any) -> list[str]:
    """Return the tasks whose test sets are looked for, by name.

    Parameters
    ----------
    names : sequence of str or None
        Their names; None: all registered tasks whose data are at hand.
    data_dir : path or None
        Folder of the datasets.

    Raises
    ------
    UnknownNameError
        If a task is not registered.
    DataError
        If the data of a task that is named are not at hand.
    """
    if names is None:
        return [info.name for info in list_tasks() if info.available(data_dir)]
    for name in names:
        if missing := task_info(name).missing(data_dir):
            raise DataError(
                f"CorpusPlan: the data of task {name!r} are not there to compare with: "
                f"looked for {missing[0]}. Name the folder by data_dir=... or "
                "TWEETCLF_DATA, or take the task off 'tasks'."
            )
    return sorted(set(names))


class Protected:
    """Test sets, and which of their rows the corpus has had.

    All splits but "train" are meant, and those that are cut off it.

    Parameters
    ----------
    names : sequence of str
        Registered tasks.
    data_dir : path or None
        Folder of the datasets.
    n : int
        Characters in an n-gram.

    Attributes
    ----------
    sizes : dict of str to int
        Rows of each test set, by "task/split".
    """

    def __init__(self, names: Sequence[str], data_dir: Any, n: int) -> None:
        splits: dict[str, Split] = {}
        for name in names:
            task = load_task(name, data_dir=data_dir, verify=False)
            left_out = (
                {"train", "dev"} if "dev" in task_info(name).reading else {"train"}
            )
            for split in task.splits:
                if split not in left_out:
                    splits[f"{name}/{split}"] = task.splits[split]
        self.sizes = {name: len(split) for name, split in splits.items()}
        self._index = GramIndex(splits, n)

    def offenders(self, documents: Sequence[tuple[str, ...]]) -> set[int]:
        """Return the positions of documents that share text with a test set.

        Parameters
        ----------
        documents : sequence of tuple of str
            Texts as they were read; each side of a pair is looked at for itself, too.
        """
        parts: list[Any] = []
        owners: list[int] = []
        for number, texts in enumerate(documents):
            own = [*texts, texts] if len(texts) > 1 else list(texts)
            parts += own
            owners += [number] * len(own)
        return {owners[at] for at in self._index.look(parts)}

    def found(self) -> np.ndarray:
        """Return which rows of all test sets were found, those in order."""
        return self._index.found.copy()

    def by_split(self, found: np.ndarray) -> dict[str, int]:
        """Return how many rows of each test set are among those found."""
        starts = self._index.starts
        return {
            name: int(found[starts[name] : starts[name] + size].sum())
            for name, size in self.sizes.items()
        }
