"""The store of run records: a folder that several processes may write.

Layout::

    STORE/runs/TASK/SYSTEM/KEY.json         record, written once, last
    STORE/runs/TASK/SYSTEM/KEY.npz          gold labels and predictions of the run
    STORE/runs/TASK/SYSTEM/KEY.failed.json  last failure of a run not yet finished
    STORE/trials/TASK/SYSTEM/KEY.*          the same of the trials of searches
    STORE/searches/TASK/SYSTEM/KEY.jsonl    journal of a search
    STORE/test_scorings.jsonl               one line for each run started that scores
                                            a test split

A record holds a digest of itself and the hash of its predictions; both are checked
when they are read.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.checking import check_arrays
from tweetclf.leaderboard.records import RunRecord, RunSpec
from tweetclf.utils.files import (
    sha256_bytes,
    write_bytes_atomic,
    write_text_atomic,
    write_text_once,
)

__all__ = ["RunStore", "find_run", "read_predictions"]

_KEY = re.compile("[0-9a-f]{4,16}")


class RunStore:
    """Write-once store of run records and their predictions.

    Parameters
    ----------
    path : str or path-like
        Folder of the store; it is made when the first run is stored.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def _base(self, spec: RunSpec) -> Path:
        return (self.path / spec.path).with_suffix("")

    def get(self, spec: RunSpec) -> RunRecord | None:
        """Return the finished record of `spec`, or None if there is none yet."""
        path = self._base(spec).with_suffix(".json")
        if not path.is_file():
            return None
        return RunRecord.from_json(path.read_bytes(), place=str(path))

    def put(
        self, record: RunRecord, predictions: Mapping[str, np.ndarray] | None = None
    ) -> RunRecord:
        """Store a record; a finished run that is already there is kept.

        Parameters
        ----------
        record : RunRecord
            A finished or failed run.
        predictions : mapping of str to ndarray, optional
            ``y_true`` and ``y_pred`` of the evaluated split, and what else belongs
            to the run. Required for finished runs.

        Returns
        -------
        RunRecord
            The record that the store holds now: the given one, or the one that
            another process finished first.
        """
        base = self._base(record.spec)
        stored = self.get(record.spec)
        if stored is not None:
            return stored
        if record.status != "finished":
            write_text_atomic(base.with_suffix(".failed.json"), record.to_json())
            return record
        if predictions is None:
            raise RecordError(f"run {record.key} is finished but has no predictions.")
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **predictions)
        data = buffer.getvalue()
        # The record names its predictions, so they must be there first. What stands
        # there without a record was left by a call that was killed.
        path = base.with_suffix(".npz")
        if not path.is_file() or path.read_bytes() != data:
            write_bytes_atomic(path, data)
        record = replace(record, predictions_sha256=sha256_bytes(data))
        write_text_once(base.with_suffix(".json"), record.to_json())
        base.with_suffix(".failed.json").unlink(missing_ok=True)
        stored = self.get(record.spec)
        assert stored is not None
        return stored

    def predictions(self, record: RunRecord) -> dict[str, np.ndarray]:
        """Return the arrays stored beside a record.

        Raises
        ------
        RecordError
            If they are missing or damaged, or do not fit the record.
        """
        return read_predictions(record, self._base(record.spec).with_suffix(".npz"))

    def find(self, key: str) -> RunRecord:
        """Return the finished record whose key begins with `key`.

        Parameters
        ----------
        key : str
            Sixteen hexadecimal digits, or the first four or more of them.

        Raises
        ------
        RecordError
            If there is no such record, or more than one.
        """
        if not _KEY.fullmatch(key):
            raise RecordError(
                f"{key!r} is neither a folder, a file nor the key of a run: 4 to 16 "
                "hexadecimal digits."
            )
        paths = [
            path
            for path in sorted((self.path / "runs").glob(f"*/*/{key}*.json"))
            if not path.name.endswith(".failed.json")
        ]
        if len(paths) != 1:
            found = ", ".join(path.stem for path in paths[:5])
            reason = f"several do: {found}" if paths else "none does"
            raise RecordError(
                f"one finished run in {self.path} must have a key that begins with "
                f"{key}; {reason}. Name the record's file, or its store with --store."
            )
        return RunRecord.from_json(paths[0].read_bytes(), place=str(paths[0]))

    def records(
        self,
        *,
        failed: bool = False,
        on_damage: Callable[[RecordError], None] | None = None,
        trials: bool = False,
    ) -> Iterator[RunRecord]:
        """Yield all finished records, and the failed ones if asked, in path order.

        Parameters
        ----------
        failed : bool, default=False
            Also yield the last failure of runs that never finished.
        on_damage : callable, optional
            Called with the error of each damaged record, which is left out; without
            it the error is raised.
        trials : bool, default=False
            Yield the trials of searches instead of the runs of leaderboards.
        """
        room = "trials" if trials else "runs"
        for path in sorted((self.path / room).glob("*/*/*.json")):
            if path.name.endswith(".failed.json"):
                finished = path.with_name(path.name.replace(".failed.json", ".json"))
                if not failed or finished.is_file():
                    continue
            try:
                yield RunRecord.from_json(path.read_bytes(), place=str(path))
            except RecordError as error:
                if on_damage is None:
                    raise
                on_damage(error)

    def count_test_scoring(self, spec: RunSpec) -> None:
        """Append one line to the ledger of test scorings.

        A line stands for a run that was started and scores a test split. It is
        written before the run, so that a run counts however it ends, and also when
        its record is deleted later.
        """
        line = json.dumps(
            {
                "task": spec.task.name,
                "data": spec.task.data.get("test"),
                "system": spec.system,
                "key": spec.key,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        self.path.mkdir(parents=True, exist_ok=True)
        # One short write to a file opened for appending is atomic on POSIX.
        with (self.path / "test_scorings.jsonl").open("ab") as ledger:
            ledger.write(line.encode() + b"\n")

    def test_scorings(self, task: str, data: str | None = None) -> int:
        """Return how many runs that score the test split of `task` were started.

        Parameters
        ----------
        task : str
            Name of the task.
        data : str, optional
            Hash of the test split; without it all versions of the data count.
        """
        path = self.path / "test_scorings.jsonl"
        if not path.is_file():
            return 0
        count = 0
        with path.open("rb") as ledger:
            for text in ledger:
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    # A line cut by a crash is not one that anyone can read.
                    continue
                if not isinstance(line, dict) or line.get("task") != task:
                    continue
                count += data is None or line.get("data") == data
        return count


def read_predictions(record: RunRecord, path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a run from their file, checked against the record.

    Raises
    ------
    RecordError
        If they are missing or damaged, or do not fit the record.
    """
    remedy = f"Delete {path.with_suffix('.json')} to run it again."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(
            f"the predictions of run {record.key} cannot be read from {path}: "
            f"{error}. {remedy}"
        ) from error
    expected = record.predictions_sha256
    if expected is not None and sha256_bytes(data) != expected:
        raise RecordError(
            f"the predictions of run {record.key} in {path} were changed after "
            f"they were written. {remedy}"
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    # Damaged archives raise whatever their parts raise.
    except Exception as error:
        raise RecordError(
            f"the predictions of run {record.key} cannot be read from {path}: "
            f"{error}. {remedy}"
        ) from error
    check_arrays(record, arrays, str(path))
    return arrays


def find_run(name: str, store: RunStore) -> tuple[RunRecord, dict[str, np.ndarray]]:
    """Return a finished run by the file of its record, or by its key in a store.

    Parameters
    ----------
    name : str
        Path of a record, as it is or within `store`, with the predictions beside it;
        or the key of a run in `store`, or the first digits of it.
    store : RunStore
        The store.

    Returns
    -------
    record, predictions : RunRecord, dict of str to ndarray
        The run.

    Raises
    ------
    RecordError
        If there is no such run, it failed, or its files are damaged.
    """
    path = Path(name)
    if path.is_dir():
        raise RecordError(
            f"{name} is a folder; name the file of one record, or a key and the store."
        )
    if not path.is_file() and (store.path / path).is_file():
        path = store.path / path
    if not path.is_file():
        record = store.find(name)
        return record, store.predictions(record)
    record = RunRecord.from_json(path.read_bytes(), place=str(path))
    if record.status != "finished":
        raise RecordError(f"{name} is the record of a failed run: {record.error}")
    return record, read_predictions(record, path.with_suffix(".npz"))


def home_of(name: str, record: RunRecord, store: RunStore) -> RunStore | None:
    """Return the store that a run of `find_run` lies in; None if it lies in none.

    Parameters
    ----------
    name : str
        As given to `find_run`.
    record : RunRecord
        What it returned.
    store : RunStore
        The store in which a key was looked up.
    """
    path = Path(name).resolve()
    if not path.is_file():
        return store
    # runs/TASK/SYSTEM/KEY.json, within the folder of a store
    inside = Path(record.spec.path)
    if path.parts[-len(inside.parts) :] != inside.parts:
        return None
    return RunStore(path.parents[len(inside.parts) - 1])
