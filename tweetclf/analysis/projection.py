"""Where a model puts user names, URLs, hashtags, emoji and words: a map by t-SNE.

References
----------
J. Á. González, L.-F. Hurtado and F. Pla, "TWilBert", Neurocomputing 426, 2021, section
6. L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tweetclf.analysis._models import (
    LoadedModel,
    ModelLike,
    equal_length_batches,
    load_model,
    take_sequences,
)
from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features._encoding import Tokenized
from tweetclf.utils.random import stream
from tweetclf.utils.validation import check_texts

__all__ = ["TokenProjection", "project_tokens", "token_class"]

_URL = re.compile(r"(?:https?://|www\.)\S*|\[?url\]?|https?|<url>", re.IGNORECASE)
_USER = re.compile(r"@\w*|\[user\]|user|<user>|@usuario", re.IGNORECASE)
_NUMBER = re.compile(r"[\d.,:%+-]*\d[\d.,:%+-]*")
_ROLES = (
    *("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"),
    *("bos_token", "eos_token"),
)

Classify = Callable[[str], str | None]


@dataclass(frozen=True)
class TokenProjection:
    """Tokens or words in the plane.

    Parameters
    ----------
    model : str
        Name of the model.
    source : {"embeddings", "contextual"}
        What was projected: input embeddings of tokens, or states of words in texts.
    tokens : tuple of str
        The tokens or words.
    classes : tuple of str
        The class of each.
    positions : ndarray of float64 of shape (n, 2)
        Their places; only neighbourhoods mean something, not distances.
    divergence : float
        What t-SNE left of its loss.
    """

    model: str
    source: str
    tokens: tuple[str, ...]
    classes: tuple[str, ...]
    positions: NDArray[np.float64]
    divergence: float


class _Found(NamedTuple):
    tokens: list[str]
    classes: list[str]
    vectors: NDArray[np.float32]


def token_class(token: str) -> str | None:
    """Return what kind of token a token of a tweet is.

    Parameters
    ----------
    token : str
        A token or a word, without the marks of its tokenizer.

    Returns
    -------
    str or None
        "user", "url", "hashtag", "emoji", "number", "punctuation" or "word"; None for
        white space and nothing.

    Examples
    --------
    >>> from tweetclf.analysis import token_class
    >>> [token_class(t) for t in ("@pepe", "#lunes", "😂", "3,5", "...", "risa")]
    ['user', 'hashtag', 'emoji', 'number', 'punctuation', 'word']
    """
    import emoji

    token = token.strip()
    if not token:
        return None
    for name, pattern in (("user", _USER), ("url", _URL), ("number", _NUMBER)):
        if pattern.fullmatch(token):
            return name
    if token.startswith("#") and len(token) > 1:
        return "hashtag"
    if emoji.purely_emoji(token):
        return "emoji"
    return "word" if any(c.isalnum() for c in token) else "punctuation"


def project_tokens(
    model: ModelLike,
    texts: Sequence[str] | None = None,
    *,
    classify: Classify = token_class,
    n_per_class: int = 60,
    perplexity: float = 30.0,
    max_length: int = 128,
    max_tokens: int = 4096,
    random_state: int = 0,
    device: str = "auto",
) -> TokenProjection:
    """Project tokens by class: their input embeddings, or their states in texts.

    Parameters
    ----------
    model : str, path or LoadedModel
        Any encoder.
    texts : sequence of str, optional
        If given, words between white space are projected by the mean state of their
        tokens in the last layer; if not, the tokens of the vocabulary by their input
        embeddings.
    classify : callable, default=token_class
        Called with a token or word; returns its class, or None to leave it out.
    n_per_class : int, default=60
        Most tokens of a class: the first of the vocabulary, which are the most frequent
        for most tokenizers; words of texts are drawn.
    perplexity : float, default=30.0
        Of t-SNE, about the number of neighbours; less for few tokens.
    max_length, max_tokens : int
        Most tokens of a text, and at once.
    random_state : int, default=0
        Seed of the words and of t-SNE.
    device : str, default="auto"
        Where to compute.

    Returns
    -------
    TokenProjection
        Tokens, classes and places.

    Raises
    ------
    DataError
        If there are fewer than five tokens.
    """
    from sklearn.manifold import TSNE

    caller = "project_tokens"
    if n_per_class < 1:
        raise ValueError(
            f"{caller}: the 'n_per_class' parameter must be at least 1. Got "
            f"{n_per_class!r} instead."
        )
    loaded = load_model(model, head="none", device=device, caller=caller)
    if texts is None:
        found = _embeddings(loaded, classify, n_per_class)
    else:
        rows = loaded.normalize(check_texts(texts, caller=caller))
        found = _states(
            loaded, rows, classify, n_per_class, max_length, max_tokens, random_state
        )
    if len(found.tokens) < 5:
        raise DataError(
            f"{caller}: only {len(found.tokens)} tokens have a class; a map needs five."
        )
    fitted = TSNE(
        n_components=2,
        init="pca",
        perplexity=min(perplexity, (len(found.tokens) - 1) / 3),
        random_state=random_state,
    ).fit(found.vectors)
    return TokenProjection(
        loaded.name,
        "embeddings" if texts is None else "contextual",
        tuple(found.tokens),
        tuple(found.classes),
        fitted.embedding_.astype(np.float64),
        float(fitted.kl_divergence_),
    )


def _embeddings(loaded: LoadedModel, classify: Classify, most: int) -> _Found:
    """Take the first tokens of each class from the vocabulary."""
    roles = {getattr(loaded.tokenizer, role, None) for role in _ROLES}
    numbers: list[int] = []
    tokens: list[str] = []
    classes: list[str] = []
    for number, token, whole in _vocabulary(loaded):
        if token in roles:
            continue
        found = classify(token)
        # Parts of words are no words; of other kinds parts are as good.
        if found == "word" and not whole:
            continue
        if found is not None and classes.count(found) < most:
            numbers.append(number)
            tokens.append(token)
            classes.append(found)
    weights = loaded.model.get_input_embeddings().weight
    return _Found(tokens, classes, weights[numbers].float().cpu().numpy())


def _vocabulary(loaded: LoadedModel) -> Iterator[tuple[int, str, bool]]:
    """Yield number and letters of each token, and whether a word begins with it."""
    tokenizer = loaded.tokenizer
    n_known = loaded.model.get_input_embeddings().num_embeddings
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    # Vocabularies mark what begins a word, or what does not.
    marks = any(token.startswith(("\u2581", "\u0120")) for token, _ in vocabulary)
    for token, number in vocabulary:
        if number >= n_known:
            continue
        letters = token.removeprefix("##")
        if marks:
            whole = token.startswith(("\u2581", "\u0120"))
            letters = tokenizer.convert_tokens_to_string([token])
        else:
            whole = letters == token
        # A byte of a letter alone is no letter.
        if letters.strip() and "\ufffd" not in letters:
            yield number, letters.strip(), whole


def _states(
    loaded: LoadedModel,
    texts: list[str],
    classify: Classify,
    most: int,
    max_length: int,
    max_tokens: int,
    seed: int,
) -> _Found:
    """Draw words of each class, and take the mean states of their tokens."""
    if not loaded.tokenizer.is_fast:
        raise ModelFormatError(
            f"the tokenizer of {loaded.name!r} does not say which characters its "
            "tokens are; give one with a tokenizer.json."
        )
    batch = loaded.tokenizer(
        texts,
        truncation=True,
        max_length=loaded.limit(max_length),
        return_offsets_mapping=True,
    )
    by_class: dict[str, list[tuple[int, str, list[int]]]] = {}
    for row, text in enumerate(texts):
        for word, places in _words(text, batch["offset_mapping"][row]):
            found = classify(word)
            if found is not None and places:
                by_class.setdefault(found, []).append((row, word, places))
    generator = stream(seed, "projected words")
    chosen: list[tuple[int, str, list[int]]] = []
    classes: list[str] = []
    for name in sorted(by_class):
        words = by_class[name]
        drawn = np.sort(generator.permutation(len(words))[:most])
        chosen += [words[i] for i in drawn]
        classes += [name] * len(drawn)
    width = int(loaded.model.config.hidden_size)
    vectors = np.empty((len(chosen), width), dtype=np.float32)
    if chosen:
        _mean_states(loaded, batch, chosen, max_tokens, vectors)
    return _Found([word for _, word, _ in chosen], classes, vectors)


def _words(
    text: str, offsets: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, list[int]]]:
    """Yield the words between white space with the places of their tokens."""
    for match in re.finditer(r"\S+", text):
        yield (
            match[0],
            [
                place
                for place, (start, end) in enumerate(offsets)
                if end > start and start < match.end() and end > match.start()
            ],
        )


def _mean_states(
    loaded: LoadedModel,
    batch: Any,
    chosen: list[tuple[int, str, list[int]]],
    max_tokens: int,
    vectors: NDArray[np.float32],
) -> None:
    """Write the mean state of the tokens of each word."""
    rows = sorted({row for row, _, _ in chosen})
    number = {row: i for i, row in enumerate(rows)}
    ids = [batch["input_ids"][row] for row in rows]
    types = None
    if "token_type_ids" in batch:
        types = np.concatenate([batch["token_type_ids"][row] for row in rows])
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    flat = np.concatenate(ids)
    tokens = Tokenized(flat, lengths, np.zeros(len(flat), dtype=bool), types, 0)
    wanted: dict[int, list[int]] = {}
    for i, (row, _, _) in enumerate(chosen):
        wanted.setdefault(number[row], []).append(i)
    for part in equal_length_batches(lengths, max_tokens):
        states = loaded.run(take_sequences(tokens, part)).last_hidden_state
        known = states.float().cpu().numpy()
        for j, row in enumerate(part.tolist()):
            for i in wanted[row]:
                vectors[i] = known[j, chosen[i][2]].mean(axis=0)
