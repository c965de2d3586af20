"""Tokenising many texts with any tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Any, TypeVar

from tweetclf.exceptions import DataError
from tweetclf.preprocessing import TweetTokenizer
from tweetclf.utils.validation import check_texts

__all__ = ["require_texts", "tokenize", "tokenize_corpus"]

T = TypeVar("T", bound=Sized)


def require_texts(texts: T, *, caller: str) -> T:
    """Return `texts`, or refuse to make features of none.

    One rule for all that makes features or predictions: scikit-learn's learners
    refuse a matrix without rows, in words that do not speak of texts.
    """
    if len(texts) == 0:
        raise DataError(f"{caller} got 0 texts; pass at least one.")
    return texts


def tokenize(
    tokenizer: Callable[[str], Sequence[str]] | None, texts: Sequence[str]
) -> Sequence[Sequence[str]]:
    """Return the tokens of each text; None stands for ``TweetTokenizer()``."""
    if tokenizer is None:
        tokenizer = TweetTokenizer()
    if isinstance(tokenizer, TweetTokenizer):
        return tokenizer.transform(texts)
    return [tokenizer(text) for text in texts]


def tokenize_corpus(
    corpus: Any, tokenizer: Callable[[str], Sequence[str]] | None, *, caller: str
) -> Sequence[Sequence[str]]:
    """Return the token lists of a corpus of texts or of token lists."""
    is_tokens = (
        isinstance(corpus, Sequence)
        and len(corpus) > 0
        and isinstance(corpus[0], list | tuple)
    )
    if not is_tokens:
        return tokenize(tokenizer, check_texts(corpus, caller=caller, name="corpus"))
    for index, tokens in enumerate(corpus):
        if not isinstance(tokens, list | tuple) or not all(
            isinstance(token, str) for token in tokens
        ):
            raise DataError(
                f"{caller} expected every item of corpus to be a list of str, like "
                f"the first; corpus[{index}] is not."
            )
    return list(corpus)
