"""Tweets as numbers for the language model behind ELMo."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.modules.elmo import pack
from tweetclf.modules.elmo_config import ElmoConfig
from tweetclf.preprocessing.characters import TokenCharacters
from tweetclf.training.batching import LengthBatches
from tweetclf.utils.random import stream

__all__ = ["ElmoBatches", "ElmoCorpus", "read_corpus"]

# Words that are foretold: the two ends, all that are not in the vocabulary, the rest.
_BEGIN, _END, _OTHERS = 0, 1, 2
_N_SPECIAL = 3
_TYPES_AT_ONCE = 10_000


@dataclass(frozen=True)
class ElmoCorpus:
    """Tweets, one after another, as rows of the table of their different tokens.

    The token that begins a tweet and the one that ends it are rows 0 and 1.

    Parameters
    ----------
    tokens : ndarray of int32, (n_tokens,)
        The tokens of all tweets, without their ends.
    starts : ndarray of int64, (n_texts + 1,)
        Where each tweet begins, and the end of the last.
    characters : ndarray of uint16, (n_types, max_characters)
        Ids of the characters of each type.
    n_characters : ndarray of int64, (n_types,)
        How many of them are no padding.
    words : ndarray of int64, (n_types,)
        The word of the softmax that each type is.
    n_words : int
        Words of the softmax, the most frequent first.
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    characters: NDArray[np.uint16]
    n_characters: NDArray[np.int64]
    words: NDArray[np.int64]
    n_words: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each tweet, its ends included."""
        return np.diff(self.starts) + 2


def read_corpus(
    token_lists: Iterable[Sequence[str]],
    config: ElmoConfig,
    *,
    min_count: int,
    max_vocabulary: int,
    max_length: int,
) -> ElmoCorpus:
    """Give tokens numbers, and choose the words that are foretold.

    Parameters
    ----------
    token_lists : iterable of sequence of str
        The tokens of each tweet; those without any are left out.
    config : ElmoConfig
        The sizes of the network.
    min_count, max_vocabulary, max_length : int
        See `ElmoTraining`.

    Returns
    -------
    ElmoCorpus
        The corpus.

    Raises
    ------
    DataError
        If there is no token at all.
    """
    speller = TokenCharacters(max_characters=config.max_characters)
    types = {speller.begin: 0, speller.end: 1}
    tokens = array("i")
    starts = [0]
    for text in token_lists:
        for start in range(0, len(text), max_length):
            piece = text[start : start + max_length]
            tokens.extend(types.setdefault(token, len(types)) for token in piece)
            starts.append(len(tokens))
    if not tokens:
        raise DataError("train_elmo: the corpus is empty: it has no token.")
    flat = np.array(tokens, dtype=np.int32)
    words, n_words = _vocabulary(flat, len(types), min_count, max_vocabulary)
    spelt = list(types)
    characters = np.empty((len(spelt), config.max_characters), dtype=np.uint16)
    for first in range(0, len(spelt), _TYPES_AT_ONCE):
        some = spelt[first : first + _TYPES_AT_ONCE]
        ids, _ = speller.encode(some, margin=config.max_characters)
        characters[first : first + len(some)] = ids
    return ElmoCorpus(
        flat,
        np.array(starts, dtype=np.int64),
        characters,
        (characters != speller.padding).sum(axis=1),
        words,
        n_words,
    )


def _vocabulary(
    tokens: NDArray[np.int32], n_types: int, min_count: int, max_vocabulary: int
) -> tuple[NDArray[np.int64], int]:
    """Return the word of the softmax for each type, and how many there are."""
    counts = np.bincount(tokens, minlength=n_types)
    # Texts may hold what looks like an end; as a word it is one.
    counts[[0, 1]] = 0
    # The most frequent first; of equals the one that occurred first.
    order = np.argsort(-counts, kind="stable")[:max_vocabulary]
    order = order[counts[order] >= min_count]
    words = np.full(n_types, _OTHERS, dtype=np.int64)
    words[order] = np.arange(_N_SPECIAL, _N_SPECIAL + len(order))
    words[[0, 1]] = _BEGIN, _END
    return words, _N_SPECIAL + len(order)


class ElmoBatches:
    """Batches for `ElmoLanguageModel`: the same for the same epoch, always.

    Parameters
    ----------
    corpus : ElmoCorpus
        The tweets.
    rows : ndarray of int
        Which of them.
    widest : int
        Width of the widest filter over characters.
    batch_size, max_tokens : int
        See `ElmoTraining`.
    n_sampled : int or None
        Words in the sample of each batch; None for the full softmax.
    shuffle : bool, default=True
        Draw the order anew in every epoch.
    seed : int, default=0
        Of order and samples.
    """

    def __init__(
        self,
        corpus: ElmoCorpus,
        rows: NDArray[np.intp],
        *,
        widest: int,
        batch_size: int,
        max_tokens: int,
        n_sampled: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        self.corpus = corpus
        self.rows = rows
        self.widest = widest
        self.seed = seed
        self.n_sampled = n_sampled
        if n_sampled is not None and n_sampled >= corpus.n_words:
            self.n_sampled = None
        self._plan = LengthBatches(
            corpus.lengths[rows],
            lambda indices: indices,
            batch_size=batch_size,
            max_tokens=max_tokens,
            shuffle=shuffle,
            seed=seed,
        )

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch, counted from 0."""
        return self._plan.n_batches(epoch)

    def epoch(self, epoch: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch."""
        for number, indices in enumerate(self._plan.indices(epoch)):
            batch = self._collate(self.rows[indices])
            if self.n_sampled is not None:
                rng = stream(self.seed, "sampled words", epoch, number)
                batch["candidates"] = _sample(rng, self.corpus.n_words, self.n_sampled)
            yield batch

    def _collate(self, rows: NDArray[np.intp]) -> dict[str, Any]:
        corpus = self.corpus
        lengths = torch.from_numpy(corpus.lengths[rows])
        which, positions, batch_sizes = pack(lengths)
        # Position 0 is the beginning and the last one the end, which are not stored.
        places = torch.from_numpy(corpus.starts[rows])[which] + positions - 1
        inside = (positions > 0) & (positions < lengths[which] - 1)
        types = torch.where(positions == 0, 0, 1)
        types[inside] = torch.from_numpy(corpus.tokens)[places[inside]].long()
        different, tokens = torch.unique(types, return_inverse=True)
        # All words of the softmax, padded to a rectangle: (tweets, longest).
        words = torch.full((len(rows), int(lengths[0]) + 2), -1)
        words[which, positions + 1] = torch.from_numpy(corpus.words)[types]
        ids = different.numpy()
        width = int(corpus.n_characters[ids].max()) + self.widest
        characters = corpus.characters[ids, :width].astype(np.int64)
        return {
            "characters": torch.from_numpy(characters),
            "tokens": tokens,
            "batch_sizes": batch_sizes,
            "next": words[which, positions + 2],
            "previous": words[which, positions],
            "n_texts": len(rows),
        }


def _sample(
    rng: np.random.Generator, n_words: int, n_draws: int
) -> dict[str, torch.Tensor]:
    """Draw words, the frequent ones (which come first) more often.

    The distribution is TensorFlow's log-uniform one, ``log((k + 2) / (k + 1)) /
    log(n + 1)``, which is near that of words in texts.
    """
    draws = np.expm1(rng.random(n_draws) * np.log(n_words + 1)).astype(np.int64)
    different = np.unique(np.minimum(draws, n_words - 1))
    numbers = np.arange(n_words)
    shares = np.log((numbers + 2) / (numbers + 1)) / np.log(n_words + 1)
    # How likely a word is among so many draws.
    expected = -np.expm1(n_draws * np.log1p(-shares))
    return {
        "words": torch.from_numpy(different),
        "log_expected": torch.from_numpy(np.log(expected).astype(np.float32)),
    }
