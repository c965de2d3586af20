"""The store of run records: a folder that several processes may write.

Layout::

    STORE/runs/TASK/SYSTEM/KEY.json         record, written once, last
    STORE/runs/TASK/SYSTEM/KEY.npz          gold labels and predictions of the run
    STORE/runs/TASK/SYSTEM/KEY.failed.json  last failure of a run not yet finished
    STORE/test_scorings.jsonl               one line each time a test split was scored
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.records import RunRecord, RunSpec
from tweetclf.utils.files import (
    write_bytes_atomic,
    write_text_atomic,
    write_text_once,
)

__all__ = ["RunStore"]


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".") or "_"


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
        folder = self.path / "runs" / _slug(spec.task.name) / _slug(spec.system)
        return folder / spec.key

    def get(self, spec: RunSpec) -> RunRecord | None:
        """Return the finished record of `spec`, or None if there is none yet."""
        path = self._base(spec).with_suffix(".json")
        if not path.is_file():
            return None
        return RunRecord.from_json(path.read_text("utf-8"), place=str(path))

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
        if record.status != "finished":
            write_text_atomic(base.with_suffix(".failed.json"), record.to_json())
            return record
        if predictions is None:
            raise RecordError(f"run {record.key} is finished but has no predictions.")
        # The record names its predictions by its key, so they must be there first;
        # a run is deterministic, so that writing them twice changes nothing.
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **predictions)
        write_bytes_atomic(base.with_suffix(".npz"), buffer.getvalue())
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
            If they are missing or damaged.
        """
        path = self._base(record.spec).with_suffix(".npz")
        try:
            # np.load leaves a file that it opened itself open on some errors.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise RecordError(
                f"the predictions of run {record.key} cannot be read from {path}: "
                f"{error}. Delete {path.with_suffix('.json')} to run it again."
            ) from error

    def records(self, *, failed: bool = False) -> Iterator[RunRecord]:
        """Yield all finished records, and the failed ones if asked, in path order."""
        for path in sorted((self.path / "runs").glob("*/*/*.json")):
            if path.name.endswith(".failed.json") and not failed:
                continue
            yield RunRecord.from_json(path.read_text("utf-8"), place=str(path))

    def count_test_scoring(self, record: RunRecord) -> None:
        """Append one line to the ledger of test scorings.

        The ledger counts every look at a test split, also of runs whose records are
        deleted later.
        """
        line = json.dumps(
            {
                "task": record.spec.task.name,
                "data": record.spec.task.data.get("test"),
                "system": record.spec.system,
                "key": record.key,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        self.path.mkdir(parents=True, exist_ok=True)
        # One short write to a file opened for appending is atomic on POSIX.
        with (self.path / "test_scorings.jsonl").open("ab") as ledger:
            ledger.write(line.encode() + b"\n")

    def test_scorings(self, task: str) -> int:
        """Return how often the test split of `task` was scored in this store."""
        path = self.path / "test_scorings.jsonl"
        if not path.is_file():
            return 0
        count = 0
        with path.open("rb") as ledger:
            for line in ledger:
                try:
                    count += json.loads(line).get("task") == task
                except (json.JSONDecodeError, UnicodeDecodeError):
                    # A line cut by a crash is not a scoring that anyone saw.
                    continue
        return count
