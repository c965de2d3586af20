"""Token files: a corpus as flat arrays of numbers, mapped into memory.

A folder holds ``tokens.json`` (the manifest, written last), ``tokenizer/`` (as
``AutoTokenizer`` loads it) and shards: ``tokens-00000.bin``, the tokens of all
documents in a row without special tokens, and ``offsets-00000.bin``, where each
segment begins (int64). A document is one segment, a text, or two, a pair; documents
never straddle shards. Training reads shards where they lie; what it does not read is
never in memory.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import ChecksumError, DataError
from tweetclf.pretraining.corpus._token_shards import Document, Encoder, batches
from tweetclf.pretraining.corpus._token_writing import (
    FORMAT,
    MANIFEST,
    TOKENIZER,
    Writing,
)
from tweetclf.pretraining.corpus._work import open_work
from tweetclf.utils.files import sha256_file
from tweetclf.utils.progress import track

__all__ = ["SHARD_SIZE", "TokenFiles", "write_tokens"]

SHARD_SIZE = 1 << 26
"""Tokens from which on a shard is full: 128 MiB of two bytes each."""

_DTYPES = ("uint16", "uint32")

Shard = tuple[NDArray[np.integer], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class TokenFiles:
    """A corpus as numbers, as `write_tokens` writes it.

    Parameters
    ----------
    folder : Path
        Where it lies.
    n_documents, n_segments, n_tokens : int
        Documents, segments of each (1: texts, 2: pairs) and tokens of all.
    vocab_size : int
        One more than the largest id there may be.
    special : mapping of str to int
        Ids of "pad", "unk", "cls", "sep" and "mask".
    shards : tuple of (ndarray, ndarray)
        Tokens (uint16 or uint32) and offsets (int64, ``n_segments * n_documents + 1``)
        of each shard, mapped into memory: opening costs nothing, whatever their size.
    manifest : mapping
        ``tokens.json``.

    See Also
    --------
    write_tokens : Makes them; with an example.
    """

    folder: Path
    n_documents: int
    n_segments: int
    n_tokens: int
    vocab_size: int
    special: Mapping[str, int]
    shards: tuple[Shard, ...] = field(repr=False)
    manifest: Mapping[str, Any] = field(repr=False)

    def __len__(self) -> int:
        return self.n_documents

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, verify: bool = False) -> Self:
        """Map the files of a folder into memory.

        Parameters
        ----------
        folder : path
            As `write_tokens` wrote it.
        verify : bool, default=False
            Read all and compare hashes, see `verify`; by default sizes alone.

        Returns
        -------
        TokenFiles
            The corpus.

        Raises
        ------
        DataError
            If the folder holds no token files, or damaged ones.
        ChecksumError
            If `verify` is true and a hash is not that of the manifest.
        """
        path = Path(folder)
        manifest = _read_manifest(path)
        shards = tuple(_map(path, entry, manifest) for entry in manifest["shards"])
        files = cls(
            folder=path,
            **{
                name: int(manifest[name])
                for name in ("n_documents", "n_segments", "n_tokens", "vocab_size")
            },
            special={k: int(v) for k, v in manifest["special"].items()},
            shards=shards,
            manifest=manifest,
        )
        if verify:
            files.verify()
        return files

    @property
    def tokenizer_path(self) -> Path:
        """The directory of the tokenizer, as ``AutoTokenizer`` loads it."""
        return self.folder / TOKENIZER

    def verify(self) -> None:
        """Read all files once; refuse what `write_tokens` did not write.

        Raises
        ------
        ChecksumError
            If a file's sha256 is not that of the manifest.
        DataError
            If offsets descend, or a token is beyond the vocabulary.
        """
        for entry, (tokens, offsets) in zip(
            self.manifest["shards"], self.shards, strict=True
        ):
            expected = {"tokens": "sha256", "offsets": "offsets_sha256"}
            for kind, key in expected.items():
                path = self.folder / entry[kind]
                if (found := sha256_file(path)) != entry[key]:
                    raise ChecksumError(
                        f"{path} is damaged: expected sha256 {entry[key]}, found "
                        f"{found}. Write the token files again."
                    )
            if (np.diff(offsets) < 0).any() or int(tokens.max()) >= self.vocab_size:
                raise DataError(
                    f"{self.folder / entry['tokens']} does not fit its offsets or its "
                    "vocabulary. Write the token files again."
                )

    def documents(self) -> Iterator[tuple[NDArray[np.integer], ...]]:
        """Yield the tokens of each document, a tuple of its segments."""
        for tokens, offsets in self.shards:
            for start in range(0, len(offsets) - 1, self.n_segments):
                ends = offsets[start : start + self.n_segments + 1].tolist()
                yield tuple(
                    tokens[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)
                )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"{folder} holds no token files: there is no {path}. write_tokens makes "
            "them; if it was interrupted, call it again."
        )
    try:
        manifest = json.loads(path.read_text("utf-8"))
        known = manifest["format"] == FORMAT and manifest["dtype"] in _DTYPES
        plain = all(
            Path(entry[kind]).name == entry[kind]
            for entry in manifest["shards"]
            for kind in ("tokens", "offsets")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error!r}).") from error
    if not known or not plain:
        raise DataError(
            f"{path} is not of format {FORMAT}. Write the token files again."
        )
    return manifest


def _map(folder: Path, entry: Mapping[str, Any], manifest: Mapping[str, Any]) -> Shard:
    n_offsets = manifest["n_segments"] * entry["n_documents"] + 1
    wanted = {
        "tokens": (np.dtype(manifest["dtype"]).newbyteorder("<"), entry["n_tokens"]),
        "offsets": (np.dtype("<i8"), n_offsets),
    }
    mapped = {}
    for kind, (dtype, length) in wanted.items():
        path = folder / entry[kind]
        size = path.stat().st_size if path.is_file() else 0
        if length < 1 or size != length * dtype.itemsize:
            raise DataError(
                f"{path} has {size:,} bytes; the manifest says "
                f"{length * dtype.itemsize:,}. Write the token files again."
            )
        mapped[kind] = np.memmap(path, dtype=dtype, mode="r", shape=(length,))
    offsets = mapped["offsets"]
    # Whoever reads trusts them: a kernel does not look twice.
    if offsets[0] != 0 or offsets[-1] != entry["n_tokens"]:
        raise DataError(
            f"{folder / entry['offsets']} is damaged: its offsets do not span the "
            "tokens. Write the token files again."
        )
    return mapped["tokens"], offsets


def write_tokens(
    documents: Iterable[Document],
    tokenizer: Any,
    folder: str | os.PathLike[str],
    *,
    shard_size: int = SHARD_SIZE,
    batch_size: int = 10_000,
    verbose: bool | None = None,
) -> TokenFiles:
    """Write documents as token files.

    Parameters
    ----------
    documents : iterable of str, or of (str, str)
        Texts, or pairs of texts, gone through once. Documents without a token in each
        of their segments are left out and counted (``manifest["n_dropped"]``).
    tokenizer : PreTrainedTokenizerFast or path
        Of transformers, with tokens for padding, unknown, first, separator and mask;
        or a directory that holds one.
    folder : path
        The folder to write: whole, or not at all.
    shard_size : int, default=2**26
        Tokens from which on a shard is full.
    batch_size : int, default=10000
        Documents that are tokenised at a time.
    verbose : bool, optional
        Show a progress bar; by default on a terminal only.

    Returns
    -------
    TokenFiles
        The files, opened.

    Raises
    ------
    DataError
        If there is no document, one is no text, the tokenizer lacks a special token,
        or ``<folder>.work`` holds files of other documents, tokenizer or sizes.
    FileExistsError
        If `folder` exists and is not an empty folder.

    Notes
    -----
    Memory is that of one batch: `batch_size` documents, or four million characters if
    those are fewer, at about 150 bytes a token; it grows with neither documents nor
    shards. The texts are tokenised without special tokens, which whoever builds
    batches adds; what a text itself spells like one ("[SEP]") becomes the unknown
    token, tokens of tweets ("[USER]") aside. Finished shards are kept in
    ``<folder>.work`` until all are there: called again after an interruption with the
    same documents, it reads those again, tokenises only what is not written yet, and
    writes the same bytes.

    Examples
    --------
    >>> import tempfile
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> from transformers import PreTrainedTokenizerFast
    >>> from tweetclf.pretraining.corpus import write_tokens
    >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hola", "lunes"]
    >>> model = models.WordLevel({w: i for i, w in enumerate(words)}, "[UNK]")
    >>> backend = Tokenizer(model)
    >>> backend.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> tokenizer = PreTrainedTokenizerFast(
    ...     tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]",
    ...     cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    >>> pairs = [("hola lunes", "hola"), ("hola", "martes")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_tokens(pairs, tokenizer, folder + "/tokens")
    ...     tokens, offsets = files.shards[0]
    ...     files.n_documents, tokens.tolist(), offsets.tolist()
    (2, [5, 6, 5, 5, 1], [0, 2, 3, 4, 5])
    """
    for name, value in (("shard_size", shard_size), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(
                f"write_tokens: the {name!r} parameter must be at least 1. Got "
                f"{value!r} instead."
            )
    encoder = Encoder(tokenizer)
    stream = batches(track(documents, "tokenising", enabled=verbose), batch_size)
    first = next(stream, None)
    if first is None:
        raise DataError("write_tokens: there is no document.")
    n_segments = len(first[0])
    told = {
        "tokenizer": encoder.sha256,
        "n_segments": n_segments,
        "shard_size": shard_size,
    }
    work = open_work(folder, told, "write_tokens")
    writing = Writing(work, encoder, n_segments, shard_size)
    try:
        for batch in chain([first], stream):
            writing.add(batch)
        writing.finish()
    finally:
        writing.abandon()
    writing.files.replace(folder)
    shutil.rmtree(work)
    return TokenFiles.open(folder)
