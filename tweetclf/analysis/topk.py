"""Hidden words that several models know, and their ranks among all guesses.

References
----------
E. Lone-Wolfgang, "BERT for Japanese Twitter", its masked-prediction test: in each text
one token that is a whole word of both vocabularies is hidden, K = 1, 3, 5, 10, 100.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.analysis._intervals import mean_interval
from tweetclf.analysis._models import (
    LoadedModel,
    ModelLike,
    Sequences,
    equal_length_batches,
    load_model,
)
from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.utils.progress import track
from tweetclf.utils.random import stream
from tweetclf.utils.validation import check_texts

__all__ = ["TopKAccuracy", "top_k_accuracy"]

# Texts that are tokenised at once.
_AT_ONCE = 1000

# Ids, segments or None, and the place of the hidden word.
_Hidden = tuple[list[int], list[int] | None, int]


@dataclass(frozen=True)
class TopKAccuracy:
    """Ranks of hidden words among all that a model could say.

    Parameters
    ----------
    models : tuple of str
        Names of the models.
    ks : tuple of int
        The numbers of best answers looked at.
    words : tuple of str
        The hidden words, one a text.
    sources : ndarray of int64 of shape (n_words,)
        Which text each stands in; texts without a common word are left out.
    ranks : ndarray of int64 of shape (n_models, n_words)
        Rank of the right token in the model's whole vocabulary, from 1; of equal
        answers the lower token number comes first.
    low, high : ndarray of float64 of shape (n_models, n_ks)
        Bootstrap intervals of `accuracy`, over texts.
    level : float
        Their nominal coverage.
    n_texts : int
        Texts that were given.
    """

    models: tuple[str, ...]
    ks: tuple[int, ...]
    words: tuple[str, ...]
    sources: NDArray[np.int64]
    ranks: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float
    n_texts: int

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of words among the k best, (n_models, n_ks)."""
        return np.stack([(self.ranks <= k).mean(axis=1) for k in self.ks], axis=1)


def top_k_accuracy(
    models: Sequence[ModelLike],
    texts: Sequence[str],
    *,
    ks: Sequence[int] = (1, 3, 5, 10, 100),
    max_length: int = 128,
    max_tokens: int = 8192,
    level: float = 0.95,
    n_resamples: int = 2000,
    random_state: int = 0,
    device: str = "auto",
    verbose: bool = False,
) -> TopKAccuracy:
    """Hide the same word from several models, and look where they rank it.

    Parameters
    ----------
    models : sequence of str, path or LoadedModel
        Models that foretell masked tokens, with fast tokenizers; one or more.
    texts : sequence of str
        The texts, which all models read as they are: preprocess them first.
    ks : sequence of int, default=(1, 3, 5, 10, 100)
        Numbers of best answers.
    max_length : int, default=128
        Most tokens of a text; words beyond it are not hidden.
    max_tokens : int, default=8192
        Tokens that are computed at once.
    level : float, default=0.95
        Nominal coverage of the intervals.
    n_resamples : int, default=2000
        Bootstrap resamples of the texts.
    random_state : int, default=0
        Seed of the choice of words and of the resamples.
    device : str, default="auto"
        Where to compute.
    verbose : bool, default=False
        Show a progress bar on a terminal.

    Returns
    -------
    TopKAccuracy
        Ranks and accuracies of each model on the same words.

    Raises
    ------
    DataError
        If no text has a word that is one token for all models.

    Notes
    -----
    A word may be hidden if each tokenizer reads it as one whole token at the very same
    characters, if it has a letter, and if no tokenizer calls it unknown. In each text
    one of these words is drawn, all being equally likely.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.analysis import top_k_accuracy
    >>> from tweetclf.pretraining import BertTraining, train_bert
    >>> tweets = [f"qué risa el lunes {k}" for k in range(20)]
    >>> small = BertTraining(
    ...     vocab_size=300, hidden_size=8, n_layers=1, n_heads=2, max_iter=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = train_bert(tweets, folder + "/bert", training=small).path
    ...     found = top_k_accuracy([path], tweets, ks=[1, 300], device="cpu")
    >>> float(found.accuracy[0, 1])
    1.0
    """
    caller = "top_k_accuracy"
    rows = check_texts(texts, caller=caller)
    chosen_ks = tuple(sorted(set(ks)))
    if not chosen_ks or chosen_ks[0] < 1:
        raise ValueError(f"{caller}: 'ks' must be numbers from 1 on. Got {ks!r}.")
    loaded = [
        load_model(model, head="masked", device=device, caller=caller)
        for model in models
    ]
    words, sources, hidden = _choose(loaded, rows, max_length, random_state)
    ranks = np.stack(
        [
            _ranks(model, found, max_tokens, verbose)
            for model, found in zip(loaded, hidden, strict=True)
        ]
    )
    ends = np.array(
        [
            [
                mean_interval(
                    own <= k,
                    level=level,
                    n_resamples=n_resamples,
                    random_state=random_state,
                )
                for k in chosen_ks
            ]
            for own in ranks
        ]
    )
    return TopKAccuracy(
        tuple(model.name for model in loaded),
        chosen_ks,
        words,
        sources,
        ranks,
        ends[..., 0],
        ends[..., 1],
        level,
        len(rows),
    )


def _choose(
    loaded: list[LoadedModel], texts: list[str], max_length: int, seed: int
) -> tuple[tuple[str, ...], NDArray[np.int64], list[list[_Hidden]]]:
    """Draw a word of each text, and hide it from each model."""
    if not loaded:
        raise ValueError("top_k_accuracy: 'models' must hold a model or more.")
    generator = stream(seed, "masked words")
    words: list[str] = []
    sources: list[int] = []
    hidden: list[list[_Hidden]] = [[] for _ in loaded]
    for first in range(0, len(texts), _AT_ONCE):
        part = texts[first : first + _AT_ONCE]
        batches = [_tokenize(model, part, max_length) for model in loaded]
        for i, text in enumerate(part):
            places = [
                _whole_words(model, batch, i, text)
                for model, batch in zip(loaded, batches, strict=True)
            ]
            common = sorted(set(places[0]).intersection(*places[1:]))
            if not common:
                continue
            start, end = common[int(generator.integers(len(common)))]
            words.append(text[start:end])
            sources.append(first + i)
            for k, batch in enumerate(batches):
                types = batch.get("token_type_ids")
                hidden[k].append(
                    (
                        list(batch["input_ids"][i]),
                        None if types is None else list(types[i]),
                        places[k][start, end],
                    )
                )
    if not words:
        raise DataError(
            "top_k_accuracy: no text has a word that is one whole token for "
            f"{', '.join(repr(model.name) for model in loaded)}."
        )
    return tuple(words), np.array(sources, dtype=np.int64), hidden


def _tokenize(loaded: LoadedModel, texts: list[str], max_length: int) -> Any:
    if not loaded.tokenizer.is_fast:
        raise ModelFormatError(
            f"the tokenizer of {loaded.name!r} does not say which characters its "
            "tokens are; give one with a tokenizer.json."
        )
    return loaded.tokenizer(
        texts,
        truncation=True,
        max_length=loaded.limit(max_length),
        return_offsets_mapping=True,
    )


def _whole_words(
    loaded: LoadedModel, batch: Any, row: int, text: str
) -> dict[tuple[int, int], int]:
    """Return the place of each token that is a whole word, by its characters."""
    numbers = batch.word_ids(row)
    counts = Counter(numbers)
    ids = batch["input_ids"][row]
    found = {}
    for place, number in enumerate(numbers):
        if number is None or counts[number] > 1:
            continue
        if ids[place] == loaded.tokenizer.unk_token_id:
            continue
        start, end = batch["offset_mapping"][row][place]
        # Some tokenizers count the space before a word in.
        start += len(text[start:end]) - len(text[start:end].lstrip())
        if any(character.isalpha() for character in text[start:end]):
            found[start, end] = place
    return found


def _ranks(
    loaded: LoadedModel, hidden: list[_Hidden], max_tokens: int, verbose: bool
) -> NDArray[np.int64]:
    lengths = np.array([len(ids) for ids, _, _ in hidden], dtype=np.int64)
    places = np.array([place for _, _, place in hidden], dtype=np.int64)
    ranks = np.empty(len(hidden), dtype=np.int64)
    batches = equal_length_batches(lengths, max_tokens)
    for rows in track(batches, loaded.name, enabled=None if verbose else False):
        ids = np.array([hidden[i][0] for i in rows], dtype=np.int64)
        types = None
        if hidden[rows[0]][1] is not None:
            types = np.array([hidden[i][1] for i in rows], dtype=np.int64)
        at = np.arange(len(rows)), places[rows]
        targets = torch.from_numpy(ids[at]).to(loaded.device)[:, None]
        ids[at] = loaded.mask_id
        logits = loaded.masked_logits(Sequences(ids, types), places[rows])
        right = logits.gather(1, targets)
        before = torch.arange(logits.shape[1], device=loaded.device) < targets
        better = (logits > right) | ((logits == right) & before)
        ranks[rows] = 1 + better.sum(dim=1).cpu().numpy()
    return ranks
