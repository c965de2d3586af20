"""The course of writing token files: shard by shard, and on from where it broke off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining.corpus._token_shards import Encoder, ShardWriter
from tweetclf.pretraining.corpus._work import read_state, write_state
from tweetclf.utils.files import write_text_atomic
from tweetclf.utils.hugging_face import quiet_transformers

__all__ = ["FORMAT", "MANIFEST", "TOKENIZER", "Writing"]

MANIFEST = "tokens.json"
TOKENIZER = "tokenizer"
FORMAT = 1


class Writing:
    """The state of `write_tokens`: what was read, and the shards so far.

    Parameters
    ----------
    work : Path
        Where stages are kept, see `open_work`.
    encoder : Encoder
        Makes tokens of texts.
    n_segments : int
        Texts a document.
    shard_size : int
        Tokens from which on a shard is full.

    Attributes
    ----------
    files : Path
        The folder that is to become the result.
    """

    def __init__(
        self, work: Path, encoder: Encoder, n_segments: int, shard_size: int
    ) -> None:
        self.files = work / "files"
        self.files.mkdir(exist_ok=True)
        self._work = work
        self._encoder = encoder
        self._n_segments = n_segments
        self._shard_size = shard_size
        self._writer: ShardWriter | None = None
        self._digest = hashlib.sha256()
        self._n_read = 0
        self._n_dropped = 0
        self._known: Mapping[str, Any] = read_state(work, "shards") or {}
        self._shards: list[dict[str, Any]] = list(self._known.get("shards", ()))
        self._to_skip = int(self._known.get("n_read", 0))

    def add(self, batch: list[tuple[str, ...]]) -> None:
        """Write documents, those aside that a run before has written."""
        if self._to_skip:
            done, batch = batch[: self._to_skip], batch[self._to_skip :]
            self._read(done)
            self._to_skip -= len(done)
            if not self._to_skip:
                self._check_known()
        if not batch:
            return
        ids, flat = self._encoder([text for texts in batch for text in texts])
        lengths = flat.reshape(-1, self._n_segments)
        kept: NDArray[np.bool_] = np.all(lengths > 0, axis=1)
        n_tokens = lengths.sum(axis=1)
        ids = ids[np.repeat(kept, n_tokens)]
        ends = np.cumsum(np.where(kept, n_tokens, 0))
        start = 0
        while start < len(batch):
            writer = self._writer = self._writer or self._new_writer()
            first = int(ends[start - 1]) if start else 0
            full = first + self._shard_size - writer.n_tokens
            stop = min(int(np.searchsorted(ends, full)) + 1, len(batch))
            part = slice(start, stop)
            self._read(batch[part])
            self._n_dropped += int((~kept[part]).sum())
            writer.write(ids[first : ends[stop - 1]], lengths[part][kept[part]].ravel())
            if writer.n_tokens >= self._shard_size:
                self._close_shard()
            start = stop

    def _read(self, documents: list[tuple[str, ...]]) -> None:
        for texts in documents:
            data = "\x1f".join(texts).encode()
            self._digest.update(len(data).to_bytes(8, "little") + data)
        self._n_read += len(documents)

    def _check_known(self) -> None:
        if self._digest.hexdigest() != self._known["sha256"]:
            raise DataError(
                f"write_tokens: {self._work} holds token files of other documents. "
                "Remove it, or choose another path."
            )
        self._n_dropped = int(self._known["n_dropped"])

    def _new_writer(self) -> ShardWriter:
        return ShardWriter(self.files, len(self._shards), self._n_segments)

    def _close_shard(self) -> None:
        assert self._writer is not None
        self._shards.append(self._writer.close())
        self._writer = None
        state = {
            "n_read": self._n_read,
            "n_dropped": self._n_dropped,
            "sha256": self._digest.hexdigest(),
            "shards": self._shards,
        }
        write_state(self._work, "shards", state)

    def finish(self) -> None:
        """Close the last shard, and write the tokenizer and then the manifest."""
        if self._to_skip:
            raise DataError(
                f"write_tokens: {self._work} holds token files of more documents than "
                f"the {self._n_read} there are now. Remove it, or choose another path."
            )
        if self._writer is not None and self._writer.n_tokens:
            self._close_shard()
        self.abandon()
        if not self._shards:
            raise DataError(
                f"write_tokens: none of {self._n_read} documents has a token in each "
                "of its segments."
            )
        with quiet_transformers():
            self._encoder.tokenizer.save_pretrained(self.files / TOKENIZER)
        manifest = {
            "format": FORMAT,
            "dtype": self._encoder.dtype,
            "n_documents": sum(entry["n_documents"] for entry in self._shards),
            "n_segments": self._n_segments,
            "n_tokens": sum(entry["n_tokens"] for entry in self._shards),
            "n_dropped": self._n_dropped,
            "vocab_size": self._encoder.vocab_size,
            "special": self._encoder.special,
            "tokenizer_sha256": self._encoder.sha256,
            "documents_sha256": self._digest.hexdigest(),
            "shards": self._shards,
        }
        write_text_atomic(self.files / MANIFEST, json.dumps(manifest, indent=1))

    def abandon(self) -> None:
        """Close, and remove, a shard that is not full."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
