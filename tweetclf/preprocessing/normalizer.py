"""TweetNormalizer: text to text."""

from __future__ import annotations

from typing import Any

from tweetclf.preprocessing._base import TextNormalizer
from tweetclf.utils._sklearn import Interval, StrOptions

__all__ = ["TweetNormalizer"]


class TweetNormalizer(TextNormalizer):
    """Normalise tweets, one option a phenomenon."""

    _parameter_constraints: dict[str, list[Any]] = {}

    def __init__(
        self,
        *,
        unicode_form: str | None = "NFC",
        html_entities: bool = True,
        urls: str | None = None,
        emails: str | None = None,
        handles: str | None = None,
        hashtags: str = "keep",
        hashtag_token: str = "<hashtag>",
        numbers: str | None = None,
        emoji: str = "keep",
        emoji_token: str = "<emoji>",
        language: str = "es",
        max_run: int | None = None,
        run_scope: str = "letters",
        max_word_run: int | None = None,
        laughter: str | None = None,
        lowercase: bool = False,
        accents: str = "keep",
        newlines: str | None = None,
        whitespace: bool = False,
        profile: str | None = None,
    ) -> None:
        self.unicode_form = unicode_form
        self.html_entities = html_entities
        self.urls = urls
        self.emails = emails
        self.handles = handles
        self.hashtags = hashtags
        self.hashtag_token = hashtag_token
        self.numbers = numbers
        self.emoji = emoji
        self.emoji_token = emoji_token
        self.language = language
        self.max_run = max_run
        self.run_scope = run_scope
        self.max_word_run = max_word_run
        self.laughter = laughter
        self.lowercase = lowercase
        self.accents = accents
        self.newlines = newlines
        self.whitespace = whitespace
        self.profile = profile

    def normalize(self, text: str) -> str:
        """Return the normalised `text`."""
        return text
