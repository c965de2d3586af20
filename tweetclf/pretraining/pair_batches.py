"""Batches to pre-train encoders: pairs or single texts, packed and masked anew.

Examples are made from a flat array of tokens by compiled kernels. What one looks like
follows from the seed, the epoch and its number alone; in which order they come, from
seed and epoch. Neither hangs on the size of the batches, the number of processes or
workers, or on whether Numba is installed.

References
----------
J. A. González, L.-F. Hurtado & F. Pla, "TWilBert", Neurocomputing 426, 2021: reply
order prediction. J. Devlin et al., NAACL 2019, section 3.1: next sentence prediction.
Z. Lan et al., ICLR 2020, section 3.1: sentence order prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tweetclf.exceptions import DataError
from tweetclf.pretraining._batch_kernels import NSP, ROP, SOP, choose_segments
from tweetclf.pretraining._layout import Layout
from tweetclf.pretraining.spans import Masker, Masking, epoch_key
from tweetclf.training.batching import LengthBatches
from tweetclf.utils.random import stream

__all__ = ["PAIR_OBJECTIVES", "PairObjective", "PretrainingBatches", "split_packed"]

PairObjective: TypeAlias = Literal["rop", "nsp", "sop"]

PAIR_OBJECTIVES: dict[str | None, int] = {None: 0, "rop": ROP, "nsp": NSP, "sop": SOP}


class PretrainingBatches:
    """Packed batches for masked language modelling, alone or with pairs to judge.

    An example is ``[CLS] A [SEP]``, or ``[CLS] A [SEP] B [SEP]`` for pairs. Examples
    that are too long are cut at the ends of their segments, the longer one first.

    Parameters
    ----------
    shards : sequence of (ndarray, ndarray)
        Tokens of each shard, flat and without special ones, and offsets: where each
        segment begins, and the end. ``TokenFiles.open(folder).shards``.
    n_segments : {1, 2}
        Segments of a document: a text, or a tweet and its reply.
    special : mapping of str to int
        Tokens ``"pad"``, ``"unk"``, ``"cls"``, ``"sep"`` and ``"mask"``; any others
        in it are never foretold either.
    vocab_size : int
        Every token is below.
    masking : SpanMasking, TokenMasking or WholeWordMasking
        Which tokens are foretold.
    pair_objective : {"rop", "nsp", "sop"} or None, default="rop"
        Reply order prediction: every pair comes twice an epoch, as it was written
        (label 1) and turned round (label 0). Next sentence prediction: at every second
        one, on average, the reply is that of another document (label 0). Sentence order
        prediction: every second one is turned round (label 0). None: no labels.
    batch_size : int, default=64
        Examples of a global batch: that of all ranks together.
    max_length : int, default=128
        Most tokens of an example, special ones included.
    seed : int, default=0
        Of order, labels and masks.
    rank, world_size : int, default=0, 1
        Which of how many processes this is. Each reads a contiguous part of every
        global batch; together they read all of it.
    documents : array-like of int, optional
        Numbers of the documents to read, each once; all by default.
    length_pool : int, default=1
        So many batches are drawn together and sorted by length (`LengthBatches`); 1
        leaves lengths to chance, as packed sequences may.
    shuffle : bool, default=True
        Draw the order anew in every epoch. Masks are new in every epoch in any case.

    Attributes
    ----------
    n_examples : int
        Examples of an epoch.

    Notes
    -----
    The order takes 4 bytes an example, 8 if there are 2 ** 32 or more; with a
    `length_pool` above 1 some 40. Tokens are read from the shards as they are needed.

    No example is left out: the last batch of an epoch is smaller, and may leave some
    ranks without examples (``lengths`` is then empty). A batch whose texts hold
    unknown tokens alone has no ``places``.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.pretraining.pair_batches import PretrainingBatches
    >>> from tweetclf.pretraining.spans import SpanMasking
    >>> tokens = np.array([5, 6, 7, 8, 9], dtype=np.uint16)
    >>> batches = PretrainingBatches(
    ...     [(tokens, np.array([0, 3, 5]))], n_segments=2, vocab_size=10,
    ...     special={"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4},
    ...     masking=SpanMasking(), batch_size=2, shuffle=False)
    >>> batch = next(batches.epoch(0))
    >>> batch["pair_labels"].tolist(), batch["lengths"].tolist()
    ([1, 0], [8, 8])
    >>> batch["token_type_ids"].tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    """

    def __init__(
        self,
        shards: Sequence[tuple[ArrayLike, ArrayLike]],
        *,
        n_segments: int,
        special: Mapping[str, int],
        vocab_size: int,
        masking: Masking,
        pair_objective: PairObjective | None = "rop",
        batch_size: int = 64,
        max_length: int = 128,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        documents: ArrayLike | None = None,
        length_pool: int = 1,
        shuffle: bool = True,
    ) -> None:
        _check_objective(pair_objective, n_segments)
        _check_sizes(batch_size, rank, world_size)
        self.layout = Layout(
            shards,
            n_segments=n_segments,
            special=special,
            vocab_size=vocab_size,
            max_length=max_length,
        )
        self.pair_objective = pair_objective
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.length_pool = length_pool
        self.shuffle = shuffle
        n_all = self.layout.n_documents
        self.documents = _check_documents(documents, n_all)
        self.n_documents = n_all if documents is None else len(self.documents)
        if pair_objective == "nsp" and self.n_documents < 2:
            raise DataError(
                "PretrainingBatches: next sentence prediction needs at least 2 "
                f"documents. Got {self.n_documents}."
            )
        self.n_examples = self.n_documents * (2 if pair_objective == "rop" else 1)
        self._masker = Masker(
            masking,
            special=list(special.values()),
            mask_id=special["mask"],
            vocab_size=vocab_size,
            max_length=max_length,
        )
        self._key = int(stream(seed, "pre-training examples").integers(2**63))
        self._ordered: tuple[int, NDArray[Any]] | None = None
        self._pooled = self._make_pools() if length_pool > 1 else None

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch: the same for all, on all ranks."""
        return -(-self.n_examples // self.batch_size)

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """Yield the batches of an epoch: the same for the same number, always.

        Parameters
        ----------
        epoch : int
            Counted from 0.
        start : int, default=0
            Batches at the beginning that are left out, without making them.

        Yields
        ------
        dict of Tensor of int64
            ``input_ids`` and ``token_type_ids`` of shape (total,), ``lengths`` (n,),
            ``places`` and ``targets`` (m,), and with a pair objective ``pair_labels``
            (n,): 1 for a pair as it was written.
        """
        key = epoch_key(self._key, epoch)
        for number in range(start, self.n_batches(epoch)):
            rows = self._rows(epoch, number)
            size, rest = divmod(len(rows), self.world_size)
            first = self.rank * size + min(self.rank, rest)
            mine = rows[first : first + size + (self.rank < rest)]
            yield self._make(mine.astype(np.int64), key)

    def split(self, batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
        """Halve a batch; see `split_packed`."""
        return split_packed(batch)

    def _rows(self, epoch: int, number: int) -> NDArray[Any]:
        """Return the rows of a global batch."""
        if self._pooled is not None:
            return self._pooled.indices(epoch)[number]
        if self._ordered is None or self._ordered[0] != epoch:
            few = self.n_examples < 2**32
            order = np.arange(self.n_examples, dtype=np.uint32 if few else np.int64)
            if self.shuffle:
                stream(self.seed, "order of examples", epoch).shuffle(order)
            self._ordered = (epoch, order)
        start = number * self.batch_size
        return self._ordered[1][start : start + self.batch_size]

    def _make_pools(self) -> LengthBatches:
        lengths = self.layout.lengths()
        if len(self.documents):
            lengths = lengths[self.documents]
        if self.pair_objective == "rop":
            lengths = np.repeat(lengths, 2)
        return LengthBatches(
            lengths,
            lambda indices: indices,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            pool=self.length_pool,
        )

    def _numbers(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of examples: they stay when others are left out."""
        if not len(self.documents):
            return rows
        if self.pair_objective == "rop":
            return 2 * self.documents[rows >> 1] + (rows & 1)
        return self.documents[rows]

    def _make(self, rows: NDArray[np.int64], key: np.uint64) -> dict[str, Tensor]:
        numbers = self._numbers(rows)
        shape = (len(rows), self.layout.n_segments)
        segments = np.empty(shape, dtype=np.int64)
        labels = np.empty(len(rows), dtype=np.int64)
        with np.errstate(over="ignore"):
            choose_segments(
                numbers,
                PAIR_OBJECTIVES[self.pair_objective],
                self.layout.n_segments,
                self.n_documents,
                self.documents,
                key,
                segments,
                labels,
            )
        ids, types, lengths = self.layout.lay_out(segments)
        places, targets = self._masker.mask(ids, lengths, numbers, key)
        batch = {
            "input_ids": ids,
            "token_type_ids": types,
            "lengths": lengths,
            "places": places,
            "targets": targets,
        }
        if self.pair_objective is not None:
            batch["pair_labels"] = labels
        return {name: torch.from_numpy(array) for name, array in batch.items()}


def _check_objective(pair_objective: str | None, n_segments: int) -> None:
    if pair_objective not in PAIR_OBJECTIVES:
        raise ValueError(
            "PretrainingBatches: 'pair_objective' must be 'rop', 'nsp', 'sop' or None. "
            f"Got {pair_objective!r} instead."
        )
    if pair_objective is not None and n_segments == 1:
        raise ValueError(
            f"PretrainingBatches: {pair_objective!r} needs 2 segments a document. Set "
            "pair_objective=None for single texts."
        )


def _check_sizes(batch_size: int, rank: int, world_size: int) -> None:
    if batch_size < 1:
        raise ValueError(
            "PretrainingBatches: the 'batch_size' parameter must be at least 1. Got "
            f"{batch_size!r} instead."
        )
    if not 0 <= rank < world_size:
        raise ValueError(
            "PretrainingBatches: 'rank' must be at least 0 and below 'world_size'. Got "
            f"{rank!r} of {world_size!r}."
        )


def _check_documents(documents: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Return the numbers of the documents; none of them stand for all."""
    if documents is None:
        if not n:
            raise DataError("PretrainingBatches: the shards hold no documents.")
        return np.empty(0, dtype=np.int64)
    numbers = np.asarray(documents)
    if numbers.ndim != 1 or not len(numbers) or numbers.dtype.kind not in "iu":
        raise DataError(
            "PretrainingBatches: 'documents' must be a non-empty sequence of ints. Got "
            f"an array of shape {numbers.shape} and dtype {numbers.dtype}."
        )
    if numbers.min() < 0 or numbers.max() >= n:
        raise DataError(
            f"PretrainingBatches: 'documents' must be numbers below {n}. Got "
            f"{numbers.min()} to {numbers.max()}."
        )
    if len(np.unique(numbers)) < len(numbers):
        raise DataError("PretrainingBatches: 'documents' names some more than once.")
    return numbers.astype(np.int64)


def split_packed(batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Halve a packed batch, for the day memory runs out.

    Parameters
    ----------
    batch : dict of Tensor
        As `PretrainingBatches` yields it.

    Returns
    -------
    list of dict of Tensor
        Two batches that together hold the same examples; the batch alone if it has
        one.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.pretraining.pair_batches import split_packed
    >>> batch = {
    ...     "input_ids": torch.arange(5), "lengths": torch.tensor([3, 2]),
    ...     "places": torch.tensor([1, 4]), "targets": torch.tensor([7, 8])}
    >>> [half["places"].tolist() for half in split_packed(batch)]
    [[1], [1]]
    """
    lengths = batch["lengths"]
    if len(lengths) < 2:
        return [batch]
    rows = (len(lengths) + 1) // 2
    tokens = int(lengths[:rows].sum())
    chosen = int((batch["places"] < tokens).sum())
    cuts = {"lengths": rows, "pair_labels": rows, "places": chosen, "targets": chosen}
    halves: list[dict[str, Tensor]] = [{}, {}]
    for name, values in batch.items():
        cut = cuts.get(name, tokens)
        halves[0][name], halves[1][name] = values[:cut], values[cut:]
    halves[1]["places"] = halves[1]["places"] - tokens
    return halves
