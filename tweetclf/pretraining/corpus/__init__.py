"""Corpora of any size: filtered, split, described, and cut into token files."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.pretraining.corpus.tokens import TokenFiles, write_tokens

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "TokenFiles": "tweetclf.pretraining.corpus.tokens",
        "write_tokens": "tweetclf.pretraining.corpus.tokens",
    },
)

__all__ = [
    "TokenFiles",
    "write_tokens",
]
