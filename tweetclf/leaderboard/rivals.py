"""Predictions from elsewhere, of a transformer say, put beside one's own.

They come as a file of predictions or as a stored run. Which rows they are for is found
out: all rows, the test rows, or those that a leaderboard cuts off a single table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError, RecordError, UnknownNameError
from tweetclf.leaderboard._prediction_files import read_predictions, row_ids
from tweetclf.leaderboard.records import Cost, RunRecord
from tweetclf.leaderboard.store import RunStore
from tweetclf.leaderboard.submission_formats import submission_format
from tweetclf.leaderboard.systems import get_system
from tweetclf.tasks.base import Split
from tweetclf.tasks.holdout import cut_rows
from tweetclf.tasks.userdata import DEV_FRACTION, TEST_FRACTION

if TYPE_CHECKING:
    from tweetclf.leaderboard.shared_runs import Layout
    from tweetclf.tasks import Task

__all__ = ["Rival", "find_rival", "read_rival"]

_KEY = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, eq=False)
class Rival:
    """Predictions to compare with.

    Parameters
    ----------
    name : str
        The system, or the file.
    source : str
        Where they come from, in words.
    rows : ndarray of int
        Positions of the predicted rows in ``layout.rows``.
    y_pred : ndarray
        The predictions: label names, indicator rows or numbers.
    cost : Cost or None, default=None
        What the run cost, where that is known.
    """

    name: str
    source: str
    rows: np.ndarray
    y_pred: np.ndarray
    cost: Cost | None = None


def read_rival(
    given: str, task: Task, layout: Layout, *, store: str | Path | None = None
) -> Rival:
    """Read predictions to compare with.

    Parameters
    ----------
    given : str
        A file of predictions, as `read_predictions` takes it; the file of a run record
        within its store; or the key of a record in `store`, of which the first digits
        will do.
    task : Task
        The task.
    layout : Layout
        Its rows.
    store : path, optional
        Folder of stored runs.

    Raises
    ------
    DataError
        If it is none of these, or is for other data.
    """
    path = Path(given)
    if path.is_file():
        record = _record_in(path)
        if record is not None:
            return _from_record(record, _store_of(path), layout, task)
        return _from_file(path, task, layout)
    if store is not None and re.fullmatch("[0-9a-f]{4,16}", given):
        keeper = RunStore(store)
        found = [r for r in _records(keeper) if r.key.startswith(given)]
        if len(found) == 1:
            return _from_record(found[0], keeper, layout, task)
        raise DataError(
            f"{len(found)} runs in {store} have a key that begins with {given}. Name "
            "the file of the record, STORE/runs/TASK/SYSTEM/KEY.json."
        )
    raise DataError(
        f"there is no file {given}, and it is no key of a stored run. Give a file of "
        "predictions, the file of a run record, or its key with --store."
    )


def _store_of(path: Path) -> RunStore:
    """Return the store that a record lies in: STORE/runs/TASK/SYSTEM/KEY.json."""
    parents = path.resolve().parents
    if len(parents) < 4 or parents[2].name != "runs":
        raise DataError(
            f"{path} is a run record outside of a store, where its predictions would "
            "be. Name the file within the store, STORE/runs/TASK/SYSTEM/KEY.json."
        )
    return RunStore(parents[3])


def find_rival(task: Task, layout: Layout, store: str | Path) -> Rival | None:
    """Return the last stored run of a neural system on these data, if there is one.

    Parameters
    ----------
    task : Task
        The task.
    layout : Layout
        Its rows.
    store : path
        Folder of stored runs.
    """
    keeper = RunStore(store)
    records = [r for r in _records(keeper) if _is_neural(r)]
    for record in sorted(records, key=lambda r: r.created, reverse=True):
        if _rows_of(record, layout, task) is not None:
            return _from_record(record, keeper, layout, task)
    return None


def _records(store: RunStore) -> list[RunRecord]:
    # Damaged records are none of ours to complain about.
    return list(store.records(on_damage=lambda error: None))


def _is_neural(record: RunRecord) -> bool:
    """Tell whether a system needs an extra other than that of word vectors."""
    try:
        extra = get_system(record.spec.system).extra
    except UnknownNameError:
        return False
    return extra not in {None, "embeddings"}


def _record_in(path: Path) -> RunRecord | None:
    """Return the record in a file; None if the file is of another kind."""
    if path.suffix != ".json" or not _KEY.fullmatch(path.stem):
        return None
    return RunRecord.from_json(path.read_bytes(), place=str(path))


# -- which rows ---------------------------------------------------------------------


def _everything(layout: Layout) -> Split:
    """Return all rows as one split."""
    splits = layout.splits
    texts: Any = tuple(text for s in splits for text in s.texts)
    return Split(
        "all",
        texts,
        layout.rows.labels,
        tuple(name for s in splits for name in s.ids),
        clusters=None
        if any(s.clusters is None for s in splits)
        else tuple(c for s in splits for c in s.clusters or ()),
    )


def _cuts(layout: Layout, task: Task) -> Iterator[dict[str, np.ndarray]]:
    """Yield the ways in which a leaderboard may have split these rows."""
    ends = np.cumsum([len(split) for split in layout.splits])
    starts = ends - [len(split) for split in layout.splits]
    own = {
        split.name: np.arange(a, b)
        for split, a, b in zip(layout.splits, starts, ends, strict=True)
    }
    yield own
    if set(own) != {"train"}:
        return
    # A single table: test and dev are cut off it, see `user_task`.
    everything = _everything(layout)
    names = () if task.target_kind == "multilabel" else task.label_names
    try:
        rest, test = cut_rows(everything, TEST_FRACTION, label_names=names)
        inner, dev = cut_rows(everything.take(rest), DEV_FRACTION, label_names=names)
    except DataError:  # too few rows to cut
        return
    yield {"train": rest[inner], "dev": rest[dev], "test": test}


def _rows_of(record: RunRecord, layout: Layout, task: Task) -> np.ndarray | None:
    """Return the rows that a record predicts; None if they are of other data."""
    everything = _everything(layout)
    data = record.spec.task.data
    wanted = ["test"] if record.split == "test" else ["train", "dev"]
    wanted = [name for name in wanted if name in data]
    for parts in _cuts(layout, task):
        if wanted and all(
            name in parts and everything.take(parts[name]).sha256 == data[name]
            for name in wanted
        ):
            return np.concatenate([parts[name] for name in wanted])
    return None


# -- reading ------------------------------------------------------------------------


def _from_record(
    record: RunRecord, store: RunStore, layout: Layout, task: Task
) -> Rival:
    if record.status != "finished":
        raise RecordError(f"run {record.key} of {record.spec.system} did not finish.")
    rows = _rows_of(record, layout, task)
    if rows is None or record.spec.task.label_names != task.label_names:
        raise DataError(
            f"run {record.key} of {record.spec.system} is of other data than these: "
            f"its task is {record.spec.task.name!r}, and the hashes of its "
            f"{record.split} rows are not those of this file. Run it again on these "
            "data, or give its predictions as a file."
        )
    arrays = store.predictions(record)
    scored = set(layout.scored.tolist())
    if not scored.issuperset(rows.tolist()):
        raise DataError(
            f"run {record.key} of {record.spec.system} predicts rows that are trained "
            "on here. Give a run that was scored on test."
        )
    y_pred = arrays["y_pred"]
    if task.target_kind in {"binary", "multiclass"}:
        y_pred = np.array(task.label_names)[y_pred]
    return Rival(
        record.spec.system,
        f"stored run {record.key}, seed {record.spec.seed}",
        rows,
        y_pred,
        record.cost,
    )


def _from_file(path: Path, task: Task, layout: Layout) -> Rival:
    everything = _everything(layout)
    scored = layout.scored
    n_rows, ids = row_ids(path)
    rows = scored
    position = {everything.ids[i]: i for i in scored.tolist()}
    if ids is not None and len(position) == len(scored):
        if len(set(ids)) < len(ids):
            raise DataError(f"{path}: an id stands twice; give one prediction a row.")
        unknown = [name for name in ids if name not in position]
        if unknown:
            raise DataError(
                f"{path}: {len(unknown)} ids are none of the {len(scored)} rows that "
                f"are scored here, the first is {unknown[0]!r}."
            )
        rows = np.array([position[name] for name in ids], dtype=np.int64)
    elif n_rows != len(scored):
        cut = [part["test"] for part in _cuts(layout, task) if "test" in part]
        if layout.evaluation == "test" or not cut or len(cut[0]) != n_rows:
            raise DataError(
                f"{path}: {n_rows} predictions for {len(scored)} rows. There must be "
                "one for each row in order, or a column of ids that says which rows "
                "they are for."
            )
        rows = cut[0]
    layout_of_file = submission_format(task)
    values = read_predictions(path, task, layout_of_file, everything.take(rows))
    if task.target_kind in {"binary", "multiclass"}:
        return Rival(path.name, f"predictions in {path.name}", rows, np.array(values))
    kind: Any = np.int8 if task.target_kind == "multilabel" else np.float64
    y_pred = np.array(values, dtype=kind)
    return Rival(path.name, f"predictions in {path.name}", rows, y_pred)
