"""Files of word vectors: our own, and finding out what another one is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features._raw import RawVectors
from tweetclf.features._read_bin import FASTTEXT_MAGIC, read_fasttext_bin
from tweetclf.features._read_text import GZIP_MAGIC, read_text_vectors
from tweetclf.utils.files import atomic_path
from tweetclf.utils.strings import pack_strings, unpack_strings
from tweetclf.utils.tensors import read_tensors, write_tensors

__all__ = [
    "MissingFileError",
    "find_vectors",
    "from_gensim",
    "read_any",
    "read_own",
    "write_own",
]

_FORMAT = "tweetclf-word-vectors"
_FORMAT_VERSION = 1
_SETTINGS = ("minn", "maxn", "bucket")


class MissingFileError(DataError, FileNotFoundError):
    """A file that a parameter names is not there."""


def find_vectors(path: str | os.PathLike[str], *, parameter: str) -> Path:
    """Return `path`, or say that `parameter` names no file and where to get one."""
    if not Path(path).is_file():
        raise MissingFileError(
            f"{parameter}: there is no file of word vectors at {os.fspath(path)!r}. "
            "Ready ones (.bin or .vec) are at https://fasttext.cc/docs/en/"
            "crawl-vectors.html; WordVectors.train makes some of texts, and None in "
            "a recipe trains them on the training texts (pip install "
            '"tweetclf[embeddings]").'
        )
    return Path(path)


def read_any(
    path: str | os.PathLike[str], *, limit: int | None, errors: str
) -> RawVectors:
    """Read vectors of any kind that is safe to read; see ``WordVectors.read``."""
    with find_vectors(path, parameter="path of WordVectors.read").open("rb") as file:
        head = file.read(9)
    if head.startswith(FASTTEXT_MAGIC):
        return read_fasttext_bin(path)
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        raise DataError(
            f"{path} is a pickle, which may run code when it is read. If it was "
            "saved by gensim and you trust it, use WordVectors.read_gensim."
        )
    if head[8:9] == b"{" and b"\0" in head:
        return read_own(path)
    if b"\0" in head and not head.startswith(GZIP_MAGIC):
        raise DataError(
            f"{path} is neither a fastText .bin file nor text vectors. For "
            "word2vec's binary format use gensim's "
            "KeyedVectors.load_word2vec_format and WordVectors.from_gensim."
        )
    return read_text_vectors(path, limit=limit, errors=errors)


def from_gensim(model: Any) -> RawVectors:
    """Convert gensim's vectors, or a model that has some."""
    vectors = getattr(model, "wv", model)
    if not hasattr(vectors, "index_to_key"):
        raise DataError(
            "WordVectors.from_gensim expected gensim's KeyedVectors or a model; "
            f"got {type(model).__name__}."
        )
    words = list(vectors.index_to_key)
    counts = None
    if "count" in getattr(vectors, "expandos", {}):
        counts = np.array([vectors.get_vecattr(word, "count") for word in words])
    bucket = int(getattr(vectors, "bucket", 0))
    minn, maxn = getattr(vectors, "min_n", 0), getattr(vectors, "max_n", 0)
    if not (bucket and 0 < minn <= maxn):
        return RawVectors(words, np.array(vectors.vectors), counts)
    matrix = np.concatenate([vectors.vectors_vocab, vectors.vectors_ngrams])
    return RawVectors(words, matrix, counts, minn, maxn, bucket)


def write_own(path: str | os.PathLike[str], raw: RawVectors) -> None:
    """Write vectors to one safetensors file."""
    text, lengths = pack_strings(raw.words)
    arrays = {"matrix": raw.matrix, "text": text, "lengths": lengths}
    if raw.counts is not None:
        arrays["counts"] = raw.counts
    settings = {name: getattr(raw, name) for name in _SETTINGS}
    with atomic_path(path) as temporary:
        write_tensors(
            temporary,
            arrays,
            {
                "format": _FORMAT,
                "version": str(_FORMAT_VERSION),
                "settings": json.dumps(settings),
            },
        )


def read_own(path: str | os.PathLike[str]) -> RawVectors:
    """Read what `write_own` wrote.

    Raises
    ------
    ModelFormatError
        If the file is damaged, of another kind or of a newer version.
    """
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != _FORMAT:
        raise ModelFormatError(f"{path} does not hold word vectors of tweetclf.")
    if metadata.get("version") != str(_FORMAT_VERSION):
        raise ModelFormatError(
            f"{path} has version {metadata.get('version')} of the format of word "
            f"vectors; this tweetclf reads version {_FORMAT_VERSION}. Upgrade "
            "tweetclf."
        )
    try:
        settings = json.loads(metadata["settings"])
        if not isinstance(settings, dict) or set(settings) != set(_SETTINGS):
            raise ValueError(f"its settings are {settings!r}")
        if any(type(value) is not int or value < 0 for value in settings.values()):
            raise ValueError(f"its settings are {settings!r}")
        words = unpack_strings(arrays["text"], arrays["lengths"])
        return RawVectors(words, arrays["matrix"], arrays.get("counts"), **settings)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ModelFormatError(f"{path} is damaged: {error}") from error
