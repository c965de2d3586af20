"""Pairs of tweets as packed batches: both tweets of a pair, and all of them apart.

Every tweet is a sequence of its own in the row: it attends to itself alone, and its
positions begin at 0. So the two tweets of a pair never see one another. They do not
either where tweets share sequences, which is an option: no two tweets that are a pair
of the same batch share one, in whichever pairs they come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining.spans import Masker, TokenMasking, epoch_key
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.random import stream

__all__ = [
    "SocialBatches",
    "TweetTokens",
    "order_by_language",
    "shared_sequences",
    "tokenize",
]

Shard = tuple[NDArray[np.integer], NDArray[np.int64]]

_AT_ONCE = 10_000


def tokenize(tokenizer: Any, texts: Sequence[str]) -> Shard:
    """Return the tokens of texts in a row, without special ones, and their offsets."""
    pieces: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    for start in range(0, len(texts), _AT_ONCE):
        some = list(texts[start : start + _AT_ONCE])
        # Tweets are cut in batches; here the tokenizer would warn of the long ones.
        with quiet_transformers():
            encoded = tokenizer(some, add_special_tokens=False, truncation=False)
        for ids in encoded["input_ids"]:
            lengths.append(len(ids))
            pieces.append(np.array(ids, dtype=np.int32))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return np.concatenate(pieces), offsets.astype(np.int64)


class TweetTokens:
    """Tweets as tokens, wrapped as ``[CLS] tweet [SEP]`` when they are taken.

    Parameters
    ----------
    shards : sequence of (ndarray, ndarray)
        Tokens without special ones, and offsets: of `tokenize`, or of `TokenFiles` of
        texts, mapped into memory.
    special : mapping of str to int
        Ids "cls", "sep" and "mask".
    never : sequence of int
        Tokens that are neither foretold nor drawn.
    vocab_size : int
        Every token is below.
    max_length : int
        Longer tweets are cut at their ends.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        *,
        special: Mapping[str, int],
        never: Sequence[int],
        vocab_size: int,
        max_length: int,
    ) -> None:
        # Plain arrays: slices of memory maps are slow to make.
        self.shards = [(np.asarray(t), np.asarray(o)) for t, o in shards]
        self.special = special
        self.max_length = max_length
        self.never = sorted({*never, *special.values()})
        self.vocab_size = vocab_size
        self._bounds = np.cumsum([0, *(len(offsets) - 1 for _, offsets in shards)])

    def __len__(self) -> int:
        return int(self._bounds[-1])

    @property
    def n_tokens(self) -> int:
        """Tokens of all tweets, without special ones and uncut."""
        return sum(len(tokens) for tokens, _ in self.shards)

    def take(
        self, rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of tweets in a row, special ones included, and their lengths.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of the tweets.
        """
        pieces = []
        shard_of = np.searchsorted(self._bounds, rows, side="right") - 1
        longest = self.max_length - 2
        for row, number in zip(rows.tolist(), shard_of.tolist(), strict=True):
            tokens, offsets = self.shards[number]
            first, last = offsets[row - self._bounds[number] :][:2].tolist()
            pieces.append(tokens[first : min(last, first + longest)])
        lengths = np.array([len(piece) for piece in pieces], dtype=np.int64) + 2
        ends = np.cumsum(lengths)
        ids = np.empty(int(ends[-1]), dtype=np.int64)
        inner = np.ones(len(ids), dtype=bool)
        inner[ends - 1] = inner[ends - lengths] = False
        ids[ends - lengths] = self.special["cls"]
        ids[ends - 1] = self.special["sep"]
        ids[inner] = np.concatenate(pieces)
        return ids, lengths


def order_by_language(
    languages: NDArray[np.integer], power: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return as many rows as there are, languages by a power of their frequencies.

    A language whose quota is beyond its rows is read whole as often as that goes, and
    the rest of the quota is drawn without replacement: no row comes twice more often
    than another of its language.

    Parameters
    ----------
    languages : ndarray of int of shape (n,)
        Language of each row.
    power : float
        1 gives every row once.
    generator : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ndarray of int64 of shape (n,)
        Rows in random order.

    Examples
    --------
    >>> import numpy as np
    >>> rows = order_by_language(np.repeat([0, 1], [90, 10]), 0.5,
    ...                          np.random.default_rng(0))
    >>> np.bincount(np.repeat([0, 1], [90, 10])[rows]).tolist()
    [75, 25]
    """
    n = len(languages)
    if power == 1:
        return generator.permutation(n)
    codes, inverse = np.unique(languages, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(codes))
    wished = counts**power / (counts**power).sum() * n
    quotas = np.floor(wished).astype(np.int64)
    # What rounding left over goes where most was cut off.
    lacking = np.argsort(quotas - wished, kind="stable")[: n - quotas.sum()]
    quotas[lacking] += 1
    chosen = []
    for code, (quota, count) in enumerate(zip(quotas, counts, strict=True)):
        rows = np.flatnonzero(inverse == code)
        times, rest = divmod(int(quota), int(count))
        chosen += [rows] * times
        chosen.append(generator.permutation(rows)[:rest])
    return generator.permutation(np.concatenate(chosen))


def shared_sequences(
    lengths: NDArray[np.integer],
    tweets: NDArray[np.integer],
    pairs: NDArray[np.integer],
    most: int,
) -> NDArray[np.int64]:
    """Return the lengths of sequences that tweets share, in the order of the row.

    Tweets are put into a sequence one after the other while they fit. Another one
    begins where a tweet is a partner of one that is in it, or the same tweet once more:
    where pairs form a chain, that happens among the firsts and among the seconds, too.

    Parameters
    ----------
    lengths : ndarray of int of shape (n,)
        Of the tweets.
    tweets : ndarray of int of shape (n,)
        Which tweets they are.
    pairs : ndarray of int of shape (m, 2) or (m, 1)
        All pairs of the batch; or tweets alone, which have no partners.
    most : int
        Tokens of a sequence.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = np.array([[0, 3], [1, 4], [4, 5]])
    >>> tweets = pairs.T.reshape(-1)  # 0, 1, 4, 3, 4, 5
    >>> shared_sequences(np.array([3, 4, 2, 5, 2, 3]), tweets, pairs, 8).tolist()
    [7, 7, 2, 3]
    """
    apart: defaultdict[int, set[int]] = defaultdict(set)
    if pairs.shape[1] == 2:
        for one, other in pairs.tolist():
            apart[one].add(other)
            apart[other].add(one)
    found: list[int] = []
    filled, barred = most + 1, set[int]()
    for tweet, length in zip(tweets.tolist(), lengths.tolist(), strict=True):
        if filled + length > most or tweet in barred:
            found.append(0)
            filled, barred = 0, set()
        filled += length
        found[-1] = filled
        barred |= {tweet, *apart[tweet]}
    return np.array(found, dtype=np.int64)


class SocialBatches:
    """Packed and masked batches of groups of tweets: pairs, or tweets alone.

    Parameters
    ----------
    tweets : TweetTokens
        The tweets.
    groups : ndarray of int of shape (n, 2) or (n, 1)
        Which tweets belong together.
    batch_size : int
        Groups of a step of all processes together. What is left over at the end of an
        epoch is left out, so that every batch has as many negatives; fewer groups than
        that are one batch.
    accumulate : int, default=1
        Batches that a step is read in.
    mask_rate : float
        Share of the tokens that is foretold.
    languages : ndarray of int of shape (n,), optional
        Language of each group.
    language_power : float, default=1.0
        See `order_by_language`.
    keep_clean : bool, default=False
        Give the tokens as they were, too.
    blocked : bool, default=True
        Whether every tweet is a sequence of its own; see `shared_sequences`.
    n_steps : int, optional
        The epochs together have so many steps.
    shuffle : bool, default=True
        Draw a new order in every epoch.
    seed : int, default=0
        Of order and masks.
    rank, world_size : int, default=0, 1
        Which of how many processes this is; each reads its share of every batch.
    """

    def __init__(
        self,
        tweets: TweetTokens,
        groups: NDArray[np.integer],
        *,
        batch_size: int,
        mask_rate: float,
        accumulate: int = 1,
        languages: NDArray[np.integer] | None = None,
        language_power: float = 1.0,
        keep_clean: bool = False,
        blocked: bool = True,
        n_steps: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        parts = accumulate * world_size
        step = min(batch_size, len(groups))
        if step < parts or step % parts:
            raise DataError(
                f"SocialBatches: a step of {step} cannot be read in {parts} equal "
                f"parts (accumulate={accumulate}, {world_size} processes). Give more "
                "pairs, or another batch_size."
            )
        self.tweets = tweets
        self.groups = groups
        self._masker = Masker(
            TokenMasking(rate=mask_rate),
            special=tweets.never,
            mask_id=tweets.special["mask"],
            vocab_size=tweets.vocab_size,
            max_length=tweets.max_length,
        )
        self._key = int(stream(seed, "masks of tweets").integers(2**63))
        self.size = step // accumulate
        self.accumulate = accumulate
        self.steps_per_epoch = len(groups) // step
        self.languages = languages
        self.language_power = language_power
        self.keep_clean = keep_clean
        self.blocked = blocked
        self.n_steps = n_steps
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size

    @property
    def n_epochs(self) -> int | None:
        """Epochs that all steps take; None if those are not limited."""
        if self.n_steps is None:
            return None
        return -(-self.n_steps // self.steps_per_epoch)

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch, counted from 0."""
        n = self.steps_per_epoch
        if self.n_steps is not None:
            n = max(0, min(n, self.n_steps - epoch * n))
        return n * self.accumulate

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch: the same for the same number, always.

        Parameters
        ----------
        epoch : int
            Counted from 0.
        start : int, default=0
            Batches at the beginning that are left out, without making them.
        """
        order = self._order(epoch)
        share = self.size // self.world_size
        for number in range(start, self.n_batches(epoch)):
            first = number * self.size + self.rank * share
            batch = self._make(order[first : first + share], first, epoch)
            if not self.blocked:
                batch["sizes"] = shared_sequences(
                    batch["sizes"],
                    batch["identities"].numpy(),
                    # Those that other processes read are pairs of the batch, too.
                    self.groups[order[number * self.size :][: self.size]],
                    self.tweets.max_length,
                )
            yield batch

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if not self.shuffle:
            return np.arange(len(self.groups))
        generator = stream(self.seed, "order of pairs", epoch)
        if self.languages is None:
            return generator.permutation(len(self.groups))
        return order_by_language(self.languages, self.language_power, generator)

    def _make(self, rows: NDArray[np.int64], first: int, epoch: int) -> dict[str, Any]:
        """Return the batch of some groups, the first of which has this place."""
        # All firsts, then all seconds.
        tweets = self.groups[rows].T.reshape(-1).astype(np.int64)
        # Masks hang on the place in the epoch: not on parts, nor on processes.
        width = self.groups.shape[1]
        places = np.arange(first, first + len(rows)) * width
        numbers = (places + np.arange(width)[:, None]).reshape(-1)
        ids, lengths = self.tweets.take(tweets)
        clean = ids.copy() if self.keep_clean else None
        chosen, targets = self._masker.mask(
            ids, lengths, numbers, epoch_key(self._key, epoch)
        )
        batch = {
            "input_ids": torch.from_numpy(ids),
            "lengths": torch.from_numpy(lengths),
            "places": torch.from_numpy(chosen),
            "targets": torch.from_numpy(targets),
            "identities": torch.from_numpy(tweets),
            # An array stays on the CPU, where the packed encoder looks at it.
            "sizes": lengths,
            # One segment: no model needs to be told.
            "token_type_ids": None,
        }
        if clean is not None:
            batch["clean_ids"] = torch.from_numpy(clean)
        return batch
