"""TweetTokenizer: text to tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tweetclf.preprocessing._base import StatelessTextTransformer
from tweetclf.utils.validation import check_texts

__all__ = ["TweetTokenizer"]


class TweetTokenizer(StatelessTextTransformer):
    """Split tweets into tokens."""

    _parameter_constraints: dict[str, list[Any]] = {}

    def __init__(
        self,
        *,
        normalizer: Any = None,
        scheme: str = "tweet",
        language: str = "es",
        lowercase: bool = False,
        keep_hashtags: bool = True,
        keep_numbers: bool = True,
        keep_punctuation: bool = True,
        lemmatizer: str | None = None,
        treetagger_dir: str | None = None,
        stop_words: str | Collection[str] | None = None,
        stop_negators: bool = False,
        negation: bool = False,
        negation_cues: Collection[str] | None = None,
        negation_scope: int = 3,
        stem: bool = False,
        collapse: Sequence[str] = (),
        profile: str | None = None,
    ) -> None:
        self.normalizer = normalizer
        self.scheme = scheme
        self.language = language
        self.lowercase = lowercase
        self.keep_hashtags = keep_hashtags
        self.keep_numbers = keep_numbers
        self.keep_punctuation = keep_punctuation
        self.lemmatizer = lemmatizer
        self.treetagger_dir = treetagger_dir
        self.stop_words = stop_words
        self.stop_negators = stop_negators
        self.negation = negation
        self.negation_cues = negation_cues
        self.negation_scope = negation_scope
        self.stem = stem
        self.collapse = collapse
        self.profile = profile

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of one text."""
        return text.split()

    def transform(self, X: Any) -> list[list[str]]:
        """Return the tokens of texts."""
        texts = check_texts(X, caller=type(self).__name__)
        return [self(text) for text in texts]
