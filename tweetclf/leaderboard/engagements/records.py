"""Runs of engagement prediction, each stored once.

Layout::

    STORE/engagements/LANGUAGE/SYSTEM/KEY.json         record, written once, last
    STORE/engagements/LANGUAGE/SYSTEM/KEY.HASH.npz     the hit of each test engagement
    STORE/engagements/LANGUAGE/SYSTEM/KEY.failed.json  last failure of a run

    STORE/engagement-users/KEY/                       vectors of users, if learnt

A record names the hash of its hits, which is checked when they are read. It is in their
name, too: processes that make a run at once do not write over each other's hits.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import RecordError
from tweetclf.utils.files import (
    sha256_bytes,
    write_bytes_atomic,
    write_text_atomic,
    write_text_once,
)

__all__ = [
    "EngagementProtocol",
    "EngagementRecord",
    "EngagementSpec",
    "EngagementStore",
]

_FORMAT = 1


@dataclass(frozen=True)
class EngagementProtocol:
    """How systems are evaluated: what all of them have in common.

    Parameters
    ----------
    n_runs : int, default=6
        Runs, of which the median is reported.
    k : int, default=10
        How many of the best posts count as a hit.
    n_candidates : int, default=999
        Other posts that an engagement's post is ranked among.
    ties : {"expected", "optimistic", "pessimistic"}, default="expected"
        See `tweetclf.social.expected_hits`.
    seed : int, default=0
        Of the candidates, which are the same for all systems and runs.
    """

    n_runs: int = 6
    k: int = 10
    n_candidates: int = 999
    ties: str = "expected"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_runs", "k", "n_candidates"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"EngagementProtocol: the {name!r} parameter must be an integer "
                    f"from 1. Got {value!r} instead."
                )
        if self.ties not in ("expected", "optimistic", "pessimistic"):
            raise ValueError(
                "EngagementProtocol: the 'ties' parameter must be 'expected', "
                f"'optimistic' or 'pessimistic'. Got {self.ties!r} instead."
            )
        seed = self.seed
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(
                "EngagementProtocol: the 'seed' parameter must be an integer from 0. "
                f"Got {seed!r} instead."
            )


@dataclass(frozen=True)
class EngagementSpec:
    """Everything that determines a run.

    Parameters
    ----------
    language : str
        Code of the language.
    data : str
        Digest of its posts, engagements and users' vectors.
    system, target : str
        Name of the system and its factory.
    arguments : mapping
        Keyword arguments of the factory, files by their content.
    run : int
        Number of the run, the seed of its predictor.
    protocol : EngagementProtocol
        How it is evaluated; how many runs there are changes none of them.
    version : str
        Version of tweetclf.
    """

    language: str
    data: str
    system: str
    target: str
    arguments: Mapping[str, Any]
    run: int
    protocol: EngagementProtocol
    version: str

    def to_document(self) -> dict[str, Any]:
        """Return what the run is named by, as plain values."""
        document = {**asdict(self), "arguments": dict(self.arguments)}
        del document["protocol"]["n_runs"]
        plain: dict[str, Any] = json.loads(json.dumps(document, default=str))
        return plain

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits of the sha256 of the canonical JSON."""
        text = json.dumps(self.to_document(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def path(self) -> str:
        """Where a store keeps the record, without its ending."""
        names = (self.language, self.system)
        parts = (re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".") for name in names)
        return "/".join(["engagements", *(part or "_" for part in parts), self.key])


@dataclass(frozen=True)
class EngagementRecord:
    """A finished or failed run.

    Parameters
    ----------
    spec : EngagementSpec
        What was run.
    status : {"finished", "failed"}
        Whether there is a score.
    score : float or None
        HITS@k on the test engagements.
    n_candidates : float or None
        Other posts that each was ranked among, on the mean: fewer than asked for where
        there are not so many that the user did not engage with.
    chance : float or None
        HITS@k of a predictor that says the same of all posts.
    n_iter : int or None
        Epochs of the predictor.
    fit_seconds : float or None
        Wall time of the run; of the first run of a language with the features.
    error : str or None
        Why it failed.
    created : str
        UTC time at the end of the run, ISO 8601.
    hits_sha256 : str or None
        Hash of the file of hits beside the record.
    """

    spec: EngagementSpec
    status: str
    score: float | None = None
    n_candidates: float | None = None
    chance: float | None = None
    n_iter: int | None = None
    fit_seconds: float | None = None
    error: str | None = None
    created: str = ""
    hits_sha256: str | None = None

    def to_json(self) -> str:
        """Return the record as indented JSON."""
        document = {k: v for k, v in vars(self).items() if k != "spec"}
        text = json.dumps(
            {
                "format": _FORMAT,
                "key": self.spec.key,
                "spec": self.spec.to_document(),
                **document,
            },
            indent=1,
            ensure_ascii=False,
        )
        return text + "\n"


class EngagementStore:
    """Write-once store of runs, which several processes may write.

    Parameters
    ----------
    path : str or path-like
        Folder; leaderboards may keep their runs in the same one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def _file(self, spec: EngagementSpec, ending: str) -> Path:
        return self.path / f"{spec.path}{ending}"

    def _hits_file(self, record: EngagementRecord) -> Path:
        return self._file(record.spec, f".{(record.hits_sha256 or '')[:16]}.npz")

    def get(self, spec: EngagementSpec) -> EngagementRecord | None:
        """Return the finished record of a run, or None if there is none yet.

        A record whose hits are gone is none: the run is to be made again.

        Raises
        ------
        RecordError
            If the record is damaged, or is not of this run.
        """
        path = self._file(spec, ".json")
        if not path.is_file():
            return None
        try:
            document = json.loads(path.read_text("utf-8"))
            if document.pop("format") != _FORMAT:
                raise ValueError("it is of another format")
            if document.pop("key") != spec.key:
                raise ValueError("it is of another run")
            if document.pop("spec") != spec.to_document():
                raise ValueError("it was changed")
            record = EngagementRecord(spec, **document)
            if not re.fullmatch("[0-9a-f]{64}", record.hits_sha256 or ""):
                raise ValueError("it names no hits")
            return record if self._hits_file(record).is_file() else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(
                f"{path} is a damaged record: {error}. Delete the file to run it again."
            ) from error

    def put(
        self, record: EngagementRecord, hits: NDArray[np.float64] | None = None
    ) -> EngagementRecord:
        """Store a record; a finished one that is there with its hits is kept.

        Parameters
        ----------
        record : EngagementRecord
            A finished or failed run.
        hits : ndarray of float64 of shape (n,), optional
            The hit of each test engagement; required of finished runs.

        Returns
        -------
        EngagementRecord
            What the store holds now.
        """
        spec = record.spec
        if record.status != "finished" or hits is None:
            write_text_atomic(self._file(spec, ".failed.json"), record.to_json())
            return record
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, hits=hits)
        data = buffer.getvalue()
        record = replace(record, hits_sha256=sha256_bytes(data))
        # The record names its hits, so they must be there first.
        path, hits_path = self._file(spec, ".json"), self._hits_file(record)
        write_bytes_atomic(hits_path, data)
        write_text_once(path, record.to_json())
        stored = self.get(spec)
        if stored is None:  # of the record that is there the hits are gone
            write_text_atomic(path, record.to_json())
            stored = record
        elif self._hits_file(stored) != hits_path:
            hits_path.unlink(missing_ok=True)
        self._file(spec, ".failed.json").unlink(missing_ok=True)
        return stored

    def hits(self, record: EngagementRecord) -> NDArray[np.float64]:
        """Return the hit of each test engagement of a finished run.

        Raises
        ------
        RecordError
            If they are missing or damaged.
        """
        path = self._hits_file(record)
        try:
            data = path.read_bytes()
            if sha256_bytes(data) != record.hits_sha256:
                raise ValueError("its hash is not the one that the record names")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                hits: NDArray[np.float64] = arrays["hits"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RecordError(
                f"{path} is damaged: {error}. Delete it to run it again."
            ) from error
        return hits
