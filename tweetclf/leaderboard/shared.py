"""What the evaluated tweets share with what the systems were trained on.

At run time it is written down for each tweet beside the predictions, since reports are
made from records alone. Of runs that were stored before, it is found out when the
report is made, if the data are at hand; else it is not known, and the report says so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import TweetclfError
from tweetclf.leaderboard.boards import Shared, Without
from tweetclf.leaderboard.statistics import percentile_interval
from tweetclf.leaderboard.statistics.cells import LinearCells
from tweetclf.leaderboard.statistics.coding import cells_in_order
from tweetclf.leaderboard.statistics.drawing import resample
from tweetclf.tasks.duplicates import Labels
from tweetclf.tasks.seen import SEEN_LEVELS, Seen, find_seen, find_seen_in_folds
from tweetclf.utils.random import stream

if TYPE_CHECKING:
    from tweetclf.leaderboard.records import Protocol, RunRecord
    from tweetclf.tasks import Metric, Task

__all__ = ["ARRAYS", "FindSeen", "SeenAtHand", "seen_arrays", "share_with_training"]

Array = NDArray[Any]
Predictions = Mapping[str, Array]
FindSeen = Callable[["RunRecord", Predictions], Predictions | None]

ARRAYS = ("seen", "contradicted")
"""Names of the arrays beside the predictions; codes as in `tweetclf.tasks.Seen`."""

# Resamples of metrics that are scored tweet by tweet: ranks, means over groups.
_FEWER = 500
# Runs of one task follow each other and see the same texts.
_KEPT = 4
_found: OrderedDict[tuple[Any, ...], Seen] = OrderedDict()


def seen_arrays(
    task: Task, protocol: Protocol, folds: Array | None = None
) -> dict[str, Array]:
    """Return what a run stores: for each evaluated tweet, whether it was trained on.

    Parameters
    ----------
    task : Task
        The task with its data.
    protocol : Protocol
        How the run is trained and scored: with `refit_on_dev` dev is trained on, too.
    folds : ndarray of int, shape (n_rows,), optional
        Fold of each tweet, under cross-validation.

    Returns
    -------
    dict of str to ndarray of uint8
        ``seen`` and ``contradicted``: 0 not, 1 normalised, 2 verbatim; as in
        :class:`tweetclf.tasks.seen.Seen`.
    """
    names = [name for name in ("train", "dev", "test") if name in task.splits]
    hashes = tuple(task.splits[name].sha256 for name in names)
    cut = None if folds is None else np.asarray(folds).tobytes()
    key = (hashes, protocol.evaluation, protocol.refit_on_dev, cut)
    if key not in _found:
        _found[key] = _look(task, names, protocol, folds)
        while len(_found) > _KEPT:
            _found.popitem(last=False)
    _found.move_to_end(key)
    return {"seen": _found[key].level, "contradicted": _found[key].contradicted}


def _look(
    task: Task, names: Sequence[str], protocol: Protocol, folds: Array | None
) -> Seen:
    splits = {name: task.splits[name] for name in names}
    labels = Labels(splits, task.label_names)
    if folds is not None:
        folded = [name for name in names if name != "test"]
        return find_seen_in_folds(splits, folded, folds, labels)
    joined = protocol.refit_on_dev and "dev" in splits
    trained = ["train", "dev"] if joined else ["train"]
    return find_seen(splits, "test", trained, labels)


class SeenAtHand:
    """Find out for stored runs what they had seen, where their data are at hand.

    Parameters
    ----------
    load : callable
        Name -> Task, e.g. ``tweetclf.tasks.load_task``; it may raise any error of
        tweetclf.
    """

    def __init__(self, load: Callable[[str], Task]) -> None:
        self._load = load
        self._last: tuple[str, Task | None] = ("", None)

    def _task(self, name: str) -> Task | None:
        # Records of one task follow each other: one task is held at a time.
        if self._last[0] != name:
            try:
                self._last = (name, self._load(name))
            except (TweetclfError, OSError):
                self._last = (name, None)
        return self._last[1]

    def __call__(self, record: RunRecord, arrays: Predictions) -> Predictions | None:
        """Return the arrays of :func:`seen_arrays`; None where they are not known."""
        facts = record.spec.task
        if record.split == "cv" and "folds" not in arrays:
            return None
        task = self._task(facts.name)
        if task is None:
            return None
        try:
            same = all(task.splits[n].sha256 == h for n, h in facts.data.items())
        except (TweetclfError, OSError, KeyError):
            return None
        if not same or (record.split == "test" and "test" not in facts.data):
            return None
        return seen_arrays(task, record.spec.way, arrays.get("folds"))


def _trained_on(run: RunRecord) -> tuple[bool, int]:
    """Return what tells runs apart that were trained on other tweets of a task."""
    way = run.spec.way
    return way.refit_on_dev and way.evaluation == "test", way.n_folds


@dataclass(frozen=True)
class _Known:
    level: Array
    contradicted: Array
    joined: bool
    n_unknown: int


def _combine(
    runs: Sequence[RunRecord], arrays: Mapping[str, Predictions], find: FindSeen | None
) -> _Known | None:
    """Join what the runs of a board have seen: what any of them was trained on.

    All systems are to be scored on the same tweets, also where some of them were
    trained on dev as well, or with other folds.
    """
    found: dict[tuple[bool, int], Predictions] = {}
    for run in runs:
        stored = arrays[run.key]
        if all(name in stored for name in ARRAYS):
            found.setdefault(_trained_on(run), stored)
    for run in runs:
        if find is not None and _trained_on(run) not in found:
            computed = find(run, arrays[run.key])
            if computed is not None:
                found[_trained_on(run)] = computed
    if not found:
        return None
    parts = found.values()
    return _Known(
        np.max([part["seen"] for part in parts], axis=0),
        np.max([part["contradicted"] for part in parts], axis=0),
        any(joined for joined, _ in found),
        sum(_trained_on(run) not in found for run in runs),
    )


def share_with_training(
    by_system: Mapping[str, Sequence[RunRecord]],
    arrays: Mapping[str, Predictions],
    metric: Metric,
    *,
    find: FindSeen | None = None,
    n_resamples: int,
    seed: int,
) -> Shared | None:
    """Count the evaluated tweets that were trained on, and score without them.

    Parameters
    ----------
    by_system : mapping of str to sequence of RunRecord
        Runs of each system on one task.
    arrays : mapping of str to mapping
        Key of a run -> its predictions, with the arrays of :func:`seen_arrays`.
    metric : Metric
        Official metric.
    find : callable, optional
        Finds the arrays of a run that was stored without them, e.g.
        :class:`SeenAtHand`.
    n_resamples : int
        Bootstrap resamples behind the intervals.
    seed : int
        Seed of the bootstrap; each level has a stream of its own.

    Returns
    -------
    Shared or None
        None where it is not known for any run.
    """
    runs = [run for group in by_system.values() for run in group]
    known = _combine(runs, arrays, find)
    if known is None:
        return None
    counts: dict[str, tuple[int, int]] = {}
    without = []
    for name, code in sorted(SEEN_LEVELS.items(), key=lambda item: -item[1]):
        seen = known.level >= code
        n = int(seen.sum())
        # Each level includes those before it: the same number is the same tweets.
        new = n not in {0, *(before for before, _ in counts.values())}
        counts[name] = (n, int((known.contradicted >= code).sum()))
        if new and n < len(seen):
            without.append(
                _rescore(by_system, arrays, metric, ~seen, name, n_resamples, seed)
            )
    return Shared(counts, known.joined, tuple(without), known.n_unknown)


def _rescore(
    by_system: Mapping[str, Sequence[RunRecord]],
    arrays: Mapping[str, Predictions],
    metric: Metric,
    keep: Array,
    level: str,
    n_resamples: int,
    seed: int,
) -> Without:
    """Score the systems on some of the tweets; mean over seeds, with intervals."""
    names = ("y_true", "y_pred", "groups")
    runs = [run for group in by_system.values() for run in group]
    parts = [
        {name: arrays[run.key][name][keep] for name in names if name in arrays[run.key]}
        for run in runs
    ]
    facts = runs[0].spec.task
    cells = cells_in_order(
        metric,
        parts[0]["y_true"],
        [part["y_pred"] for part in parts],
        label_names=facts.label_names,
        groups=parts[0].get("groups"),
    )
    if not isinstance(cells, LinearCells):
        n_resamples = min(n_resamples, _FEWER)
    rng = stream(seed, "bootstrap", facts.name, level)
    resampled = resample(cells, n_resamples, rng, draw="tweets")
    observed = cells.observed()
    scores, start = {}, 0
    for system, group in by_system.items():
        rows = slice(start, start + len(group))
        start += len(group)
        low, high = percentile_interval(resampled[rows].mean(axis=0))
        scores[system] = (float(np.mean(observed[rows])), low, high)
    return Without(level, int(keep.sum()), scores, n_resamples)
