"""TwilbertNormalizer: the preprocessing of TWilBERT."""

from __future__ import annotations

from typing import Any

from tweetclf.preprocessing._base import TextNormalizer

__all__ = ["TwilbertNormalizer"]


class TwilbertNormalizer(TextNormalizer):
    """Apply the preprocessing of TWilBERT."""

    _parameter_constraints: dict[str, list[Any]] = {}

    def __init__(
        self,
        *,
        strip_rt: str | None = "token",
        patterns: str = "safe",
        profile: str | None = None,
    ) -> None:
        self.strip_rt = strip_rt
        self.patterns = patterns
        self.profile = profile

    def normalize(self, text: str) -> str:
        """Return the normalised `text`."""
        return text
