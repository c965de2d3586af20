"""Vectors of texts on disk, by what they were made of; processes may share it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError

__all__ = ["VectorCache"]

# SQLite takes 32,766 variables at most; older ones 999.
_CHUNK = 900
_SECONDS_TO_WAIT = 120.0


class VectorCache:
    """Keeps float32 vectors in a SQLite file, which is named after their maker.

    Parameters
    ----------
    folder : path
        Where the file lies; made if need be.
    fingerprint : str
        Of all that decides the vectors but the texts.
    n_features : int
        Length of a vector.
    """

    def __init__(
        self, folder: str | os.PathLike[str], fingerprint: str, n_features: int
    ) -> None:
        self._fingerprint = fingerprint
        self._n_features = n_features
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._path = Path(folder) / f"vectors-{fingerprint[:32]}.sqlite"

    def get(
        self,
        rows: Sequence[Any],
        compute: Callable[[list[Any]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """Return the vectors of distinct rows; those not there are computed and kept.

        Parameters
        ----------
        rows : sequence of str or of tuples of str
            Texts or pairs.
        compute : callable
            List of rows -> array of one vector a row.
        """
        keys = [self._key(row) for row in rows]
        try:
            with closing(self._connect()) as connection:
                known = self._read(connection, keys)
            missing = [i for i, key in enumerate(keys) if key not in known]
            if missing:
                made = compute([rows[i] for i in missing])
                fresh = {
                    keys[i]: vector for i, vector in zip(missing, made, strict=True)
                }
                with closing(self._connect()) as connection:
                    self._write(connection, fresh)
                known |= fresh
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"the cache of vectors {str(self._path)!r} cannot be used ({error}). "
                "Remove the file; it is made anew."
            ) from error
        if not keys:
            return np.empty((0, self._n_features), np.float32)
        return np.stack([known[key] for key in keys])

    def _key(self, row: Any) -> bytes:
        parts = (row,) if isinstance(row, str) else row
        digest = hashlib.sha256(f"{self._fingerprint} {len(parts)}".encode())
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(f" {len(data)} ".encode() + data)
        return digest.digest()

    def _connect(self) -> sqlite3.Connection:
        # A transaction is whole or not at all, whoever is killed.
        connection = sqlite3.connect(self._path, timeout=_SECONDS_TO_WAIT)
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)"
            )
        return connection

    def _read(
        self, connection: sqlite3.Connection, keys: list[bytes]
    ) -> dict[bytes, NDArray[np.float32]]:
        known = {}
        n_bytes = 4 * self._n_features
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            marks = ", ".join("?" * len(chunk))
            found = connection.execute(
                f"SELECT key, vector FROM vectors WHERE key IN ({marks})", chunk
            )
            for key, data in found:
                if isinstance(data, bytes) and len(data) == n_bytes:
                    known[key] = np.frombuffer(data, "<f4").astype(np.float32)
        return known

    def _write(
        self, connection: sqlite3.Connection, vectors: dict[bytes, NDArray[np.float32]]
    ) -> None:
        with connection:
            connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                [(k, v.astype("<f4").tobytes()) for k, v in vectors.items()],
            )
