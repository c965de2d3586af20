"""Masked texts in batches: what is hidden, and the same for the same seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.training.batching import LengthBatches
from tweetclf.utils.random import stream
from tweetclf.utils.ranges import take_ranges

__all__ = ["Corpus", "MaskedBatches", "Masking", "mask_tokens", "split_rows"]

# What encodes texts: one object a text, with `ids` and, of fast tokenizers, `word_ids`.
Encode = Callable[[list[str]], Iterable[Any]]


def mask_tokens(
    ids: NDArray[np.integer],
    special: NDArray[np.bool_],
    *,
    rate: float,
    mask_id: int,
    choices: NDArray[np.integer],
    generator: np.random.Generator,
    word_starts: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Choose tokens to foretell, and hide most of them.

    Parameters
    ----------
    ids : ndarray of int, (n_tokens,)
        Tokens.
    special : ndarray of bool, (n_tokens,)
        Tokens that are never chosen.
    rate : float
        Probability that a token is chosen.
    mask_id : int
        What stands for 80 % of the chosen.
    choices : ndarray of int
        What 10 % of the chosen are replaced by, uniformly.
    generator : numpy.random.Generator
        Source of the draws.
    word_starts : ndarray of bool, (n_tokens,), optional
        Where words begin. Words are then chosen, with all of their tokens, rather
        than tokens.

    Returns
    -------
    hidden : ndarray of int64, (n_tokens,)
        What the model reads.
    places : ndarray of int, (n_chosen,)
        Positions of the chosen tokens; at least one, or one word, if there is any to
        choose.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.pretraining.masked import mask_tokens
    >>> ids = np.array([2, 9, 9, 9, 3])
    >>> hidden, places = mask_tokens(
    ...     ids, ids < 5, rate=0.9, mask_id=4, choices=np.arange(5, 9),
    ...     generator=np.random.default_rng(0))
    >>> hidden.tolist(), places.tolist()
    ([2, 9, 4, 4, 3], [1, 2, 3])
    """
    if word_starts is None:
        draws = generator.random(len(ids))
    else:
        words = np.cumsum(word_starts) - 1
        draws = generator.random(int(words[-1]) + 1 if len(words) else 0)[words]
    draws[special] = 1.0
    places = np.flatnonzero(draws < rate)
    if not len(places) and not special.all():
        places = np.flatnonzero(draws == draws.min())
    hidden = ids.astype(np.int64)
    kind = generator.random(len(places))
    hidden[places[kind < 0.8]] = mask_id
    replaced = places[(kind >= 0.8) & (kind < 0.9)]
    hidden[replaced] = generator.choice(choices, len(replaced))
    return hidden, places


@dataclass(frozen=True)
class Masking:
    """What is hidden, and how.

    Parameters
    ----------
    rate : float
        Share of the tokens, or words, that is foretold.
    mask_id : int
        What hides them.
    special : ndarray of bool, (vocab_size,)
        Tokens that are never hidden.
    choices : ndarray of int
        Tokens that may stand for another.
    whole_words : bool, default=False
        Whether words are hidden whole.
    """

    rate: float
    mask_id: int
    special: NDArray[np.bool_]
    choices: NDArray[np.integer]
    whole_words: bool = False


class Corpus:
    """Texts as one row of subwords.

    Parameters
    ----------
    encode : callable
        Texts -> one encoding each, with ``ids`` and ``word_ids``.
    texts : list of str
        The texts.
    words : bool, default=False
        Keep where words begin.
    """

    def __init__(
        self, encode: Encode, texts: Sequence[str], words: bool = False
    ) -> None:
        lengths = []
        pieces = []
        starts = []
        for start in range(0, len(texts), 10_000):
            for encoded in encode(list(texts[start : start + 10_000])):
                lengths.append(len(encoded.ids))
                pieces.append(np.array(encoded.ids, dtype=np.int32))
                if words:
                    starts.append(_word_starts(encoded.word_ids))
        self.ids = np.concatenate(pieces)
        self.lengths = np.array(lengths, dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.word_starts = np.concatenate(starts) if words else None


def _word_starts(word_ids: Sequence[int | None]) -> NDArray[np.bool_]:
    """Tell which tokens begin a word; special ones are words of their own."""
    numbers = np.array([-1 if w is None else w for w in word_ids])
    starts = np.ones(len(numbers), dtype=bool)
    starts[1:] = (numbers[1:] != numbers[:-1]) | (numbers[1:] < 0)
    return starts


class MaskedBatches:
    """Batches of masked texts, the same for the same seed and epoch.

    Parameters
    ----------
    corpus : Corpus
        The texts.
    rows : ndarray of int
        Which of them.
    masking : Masking
        What is hidden.
    batch_size : int
        Texts in a batch.
    seed : int
        Of order and masks.
    """

    def __init__(
        self,
        corpus: Corpus,
        rows: NDArray[np.intp],
        masking: Masking,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.corpus = corpus
        self.rows = rows
        self.masking = masking
        self.seed = seed
        # Packed, so that texts of all lengths may be one batch.
        self.batches = LengthBatches(
            np.ones(len(rows), dtype=np.int64),
            lambda indices: indices,
            batch_size=batch_size,
            seed=seed,
        )

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""
        return self.batches.n_batches(epoch)

    def epoch(self, epoch: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch."""
        masking, corpus = self.masking, self.corpus
        for number, indices in enumerate(self.batches.epoch(epoch)):
            rows = self.rows[indices]
            lengths = corpus.lengths[rows]
            tokens = take_ranges(corpus.starts[rows], lengths)
            ids = corpus.ids[tokens]
            hidden, places = mask_tokens(
                ids,
                masking.special[ids],
                rate=masking.rate,
                mask_id=masking.mask_id,
                choices=masking.choices,
                generator=stream(self.seed, "masks", epoch, number),
                word_starts=corpus.word_starts[tokens]
                if masking.whole_words and corpus.word_starts is not None
                else None,
            )
            yield {
                "input_ids": torch.from_numpy(hidden),
                "lengths": torch.from_numpy(lengths),
                "places": torch.from_numpy(places),
                "targets": torch.from_numpy(ids[places].astype(np.int64)),
            }


def split_rows(
    n_texts: int, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of held-out texts, at least one, and those of the others.

    Parameters
    ----------
    n_texts : int
        At least two.
    fraction : float
        Share that is held out.
    seed : int
        Of the choice.

    Returns
    -------
    held, train : ndarray of int
        In order.
    """
    order = stream(seed, "held-out texts").permutation(n_texts)
    n_held = min(max(1, round(fraction * n_texts)), n_texts - 1)
    return np.sort(order[:n_held]), np.sort(order[n_held:])
