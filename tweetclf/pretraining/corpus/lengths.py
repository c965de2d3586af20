"""Lengths of documents in tokens, and the length that covers a share of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining.corpus._token_shards import Encoder, batches
from tweetclf.pretraining.corpus.tokens import TokenFiles
from tweetclf.utils.progress import track

__all__ = ["LengthCoverage", "length_coverage"]


@dataclass(frozen=True, eq=False)
class LengthCoverage:
    """How long documents are, in tokens with those that stand around them.

    Parameters
    ----------
    counts : ndarray of int64
        Number of documents of each length: ``counts[n]`` have n tokens.
    share : float
        The share of documents that is to be covered.
    max_length : int
        The least length that so many documents do not exceed.
    """

    counts: NDArray[np.int64]
    share: float
    max_length: int

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return int(self.counts.sum())

    @property
    def covered(self) -> float:
        """The share that `max_length` does cover."""
        return self.coverage(self.max_length)

    @property
    def mean(self) -> float:
        """Mean length."""
        return float(np.arange(len(self.counts)) @ self.counts / self.n_documents)

    @property
    def longest(self) -> int:
        """The longest document's length."""
        return int(np.flatnonzero(self.counts)[-1])

    def coverage(self, length: int) -> float:
        """Return the share of documents that are not longer."""
        return float(self.counts[: length + 1].sum() / self.n_documents)

    def length_for(self, share: float) -> int:
        """Return the least length that covers a share.

        Parameters
        ----------
        share : float
            Above 0, at most 1.
        """
        return _least(self.counts, share)


def length_coverage(
    documents: Any,
    tokenizer: Any = None,
    *,
    share: float = 0.999,
    n_special: int | None = None,
    verbose: bool | None = None,
) -> LengthCoverage:
    """Measure how long documents are, and which length covers a share of them.

    Parameters
    ----------
    documents : TokenFiles, path, or iterable of str or of (str, str)
        Token files (or their folder), or texts or pairs.
    tokenizer : PreTrainedTokenizerFast or path, optional
        The tokenizer of texts, see `write_tokens`.
    share : float, default=0.999
        Share to cover; that of the Japanese study, which came to 116 tokens.
    n_special : int, optional
        Tokens that are put around a document; by default 2 for texts ([CLS] A [SEP])
        and 3 for pairs ([CLS] A [SEP] B [SEP]).
    verbose : bool, optional
        Show a progress bar; by default on a terminal only.

    Returns
    -------
    LengthCoverage
        Histogram and length. Memory is that of one number a length.

    Raises
    ------
    DataError
        If there is no document.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.pretraining.corpus import LengthCoverage
    >>> coverage = LengthCoverage(np.array([0, 0, 0, 90, 9, 1]), 0.99, 4)
    >>> coverage.length_for(0.9), coverage.covered, coverage.longest
    (3, 0.99, 5)
    """
    if not 0 < share <= 1:
        raise ValueError(
            "length_coverage: the 'share' parameter must be above 0 and at most 1. Got "
            f"{share!r} instead."
        )
    if isinstance(documents, str | os.PathLike):
        documents = TokenFiles.open(documents)
    if isinstance(documents, TokenFiles):
        parts = _lengths_of_files(documents)
    elif tokenizer is None:
        raise ValueError(
            "length_coverage: texts need a tokenizer; give one, or token files."
        )
    else:
        parts = _lengths_of_texts(documents, Encoder(tokenizer), verbose)
    counts = np.zeros(1, dtype=np.int64)
    for lengths, n_segments in parts:
        around = n_segments + 1 if n_special is None else n_special
        new = np.bincount(lengths + around)
        size = max(len(counts), len(new))
        counts = np.pad(counts, (0, size - len(counts)))
        counts[: len(new)] += new
    if not counts.any():
        raise DataError("length_coverage: there is no document.")
    return LengthCoverage(counts, share, _least(counts, share))


def _least(counts: NDArray[np.int64], share: float) -> int:
    needed = share * counts.sum()
    # 0.999 * 1000 is a hair above 999.
    return int(np.searchsorted(np.cumsum(counts), needed * (1 - 1e-12)))


def _lengths_of_files(files: TokenFiles) -> Iterable[tuple[NDArray[np.int64], int]]:
    for _, offsets in files.shards:
        yield np.diff(offsets[:: files.n_segments]), files.n_segments


def _lengths_of_texts(
    documents: Iterable[Any], encoder: Encoder, verbose: bool | None
) -> Iterable[tuple[NDArray[np.int64], int]]:
    for batch in batches(track(documents, "measuring", enabled=verbose), 10_000):
        _, lengths = encoder([text for texts in batch for text in texts])
        yield lengths.reshape(len(batch), -1).sum(axis=1), len(batch[0])
