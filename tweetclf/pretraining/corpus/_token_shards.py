"""Writing of token files: texts become numbers, batch by batch, shard by shard."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.utils.optional import import_optional

__all__ = ["Encoder", "ShardWriter", "batches", "special_ids"]

_ROLES = ("pad", "unk", "cls", "sep", "mask")
# Characters of a batch: long texts must not make it grow.
_MOST_CHARACTERS = 1 << 22

Document = str | tuple[str, str]


def special_ids(tokenizer: Any) -> dict[str, int]:
    """Return the ids of padding, unknown, first, separating and masking token.

    Raises
    ------
    DataError
        If the tokenizer lacks one.
    """
    found = {role: getattr(tokenizer, f"{role}_token_id", None) for role in _ROLES}
    if missing := [role for role, number in found.items() if number is None]:
        raise DataError(
            f"write_tokens: the tokenizer has no {missing[0]}_token, which "
            "pre-training needs. Set it (tokenizer.add_special_tokens), or take a "
            "tokenizer of the BERT kind."
        )
    return {role: int(number) for role, number in found.items()}  # type: ignore[arg-type]


def batches(
    documents: Iterable[Document], batch_size: int
) -> Iterator[list[tuple[str, ...]]]:
    """Yield documents as tuples of as many texts each, some at a time.

    Raises
    ------
    DataError
        If a document is neither a text nor a pair, or not what those before it were.
    """
    batch: list[tuple[str, ...]] = []
    n_characters = 0
    n_segments = 0
    for number, document in enumerate(documents):
        texts = (document,) if isinstance(document, str) else tuple(document)
        n_segments = n_segments or len(texts)
        if (
            len(texts) != n_segments
            or n_segments not in (1, 2)
            or not all(isinstance(text, str) for text in texts)
        ):
            wanted = {1: "a text", 2: "a pair of texts"}.get(
                n_segments, "a text or a pair of texts"
            )
            raise DataError(
                f"write_tokens: documents[{number}] must be {wanted}. Got "
                f"{document!r:.80} instead."
            )
        if not all(map(_is_encodable, texts)):
            raise DataError(
                f"write_tokens: documents[{number}] holds half of a surrogate pair; "
                "remove it."
            )
        batch.append(texts)
        n_characters += sum(map(len, texts))
        if len(batch) == batch_size or n_characters >= _MOST_CHARACTERS:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Encoder:
    """A copy of a fast tokenizer that adds nothing and cuts nothing off.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerFast or path
        The tokenizer, or a directory that holds one.

    Attributes
    ----------
    tokenizer : PreTrainedTokenizerFast
        The tokenizer as it is.
    special : dict of str to int
        See `special_ids`.
    vocab_size : int
        One more than the largest id.
    sha256 : str
        Hash of all that determines the tokens.
    """

    def __init__(self, tokenizer: Any) -> None:
        if isinstance(tokenizer, str | os.PathLike):
            transformers = import_optional(
                "transformers", extra="neural", caller="write_tokens"
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                os.fspath(tokenizer), local_files_only=True
            )
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise TypeError(
                "write_tokens: the 'tokenizer' parameter must be a fast tokenizer of "
                f"transformers, or the path of one. Got {type(tokenizer).__name__} "
                "instead."
            )
        self.tokenizer = tokenizer
        self.special = special_ids(tokenizer)
        self._backend = type(backend).from_str(backend.to_str())
        self._backend.no_truncation()
        self._backend.no_padding()
        text = self._backend.to_str()
        self.sha256 = hashlib.sha256(text.encode()).hexdigest()
        self.vocab_size = 1 + max(self._backend.get_vocab(True).values())
        roles = ("pad", "cls", "sep", "mask")
        self._reserved = np.array([self.special[role] for role in roles])

    @property
    def dtype(self) -> str:
        """The type of the ids: the smallest that holds them."""
        return "uint16" if self.vocab_size <= 1 << 16 else "uint32"

    def __call__(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
        """Return the ids of all texts in a row, and how many each has."""
        # Without offsets into the text, which nothing here needs, it is faster.
        encode = getattr(self._backend, "encode_batch_fast", self._backend.encode_batch)
        lists = [e.ids for e in encode(list(texts), add_special_tokens=False)]
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        ids = np.fromiter(chain.from_iterable(lists), dtype=self.dtype)
        # A tweet that writes "[SEP]" must not end a segment.
        ids[np.isin(ids, self._reserved)] = self.special["unk"]
        return ids, lengths


class ShardWriter:
    """One shard, written as the tokens come.

    Parameters
    ----------
    folder : Path
        Where to write.
    number : int
        Number of the shard.
    n_segments : int
        Texts a document.
    """

    def __init__(self, folder: Path, number: int, n_segments: int) -> None:
        self._paths = {
            kind: folder / f"{kind}-{number:05d}.bin" for kind in ("tokens", "offsets")
        }
        self._files = {kind: path.open("wb") for kind, path in self._paths.items()}
        self._hashes = {kind: hashlib.sha256() for kind in self._paths}
        self._n_segments = n_segments
        self.n_tokens = 0
        self.n_texts = 0
        self._write("offsets", np.zeros(1, dtype=np.int64))

    def _write(self, kind: str, values: NDArray[Any]) -> None:
        # The files are little-endian wherever they are written.
        data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        self._files[kind].write(data)
        self._hashes[kind].update(data)

    def write(self, ids: NDArray[np.integer], lengths: NDArray[np.int64]) -> None:
        """Add the tokens of whole documents, and the length of each text."""
        self._write("tokens", ids)
        self._write("offsets", self.n_tokens + np.cumsum(lengths))
        self.n_tokens += len(ids)
        self.n_texts += len(lengths)

    def close(self) -> dict[str, Any]:
        """Bring the files to the disk and return their entry in the manifest."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
            file.close()
        return {
            "tokens": self._paths["tokens"].name,
            "offsets": self._paths["offsets"].name,
            "n_documents": self.n_texts // self._n_segments,
            "n_tokens": self.n_tokens,
            "sha256": self._hashes["tokens"].hexdigest(),
            "offsets_sha256": self._hashes["offsets"].hexdigest(),
        }

    def abandon(self) -> None:
        """Close and remove the files; what they hold is written anew next time."""
        for kind, file in self._files.items():
            file.close()
            self._paths[kind].unlink()
