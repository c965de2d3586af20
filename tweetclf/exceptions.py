"""Errors and warnings of tweetclf.

Every error is also the builtin that a caller would expect, so that
``except ValueError`` keeps working.
"""

from __future__ import annotations

__all__ = [
    "ChecksumError",
    "ContaminationError",
    "DataError",
    "DivergenceError",
    "MissingDependencyError",
    "ModelFormatError",
    "RecordError",
    "ReplicaError",
    "TweetclfError",
    "TweetclfWarning",
    "UnknownNameError",
]


class TweetclfError(Exception):
    """Base of all errors that tweetclf raises on purpose."""


class MissingDependencyError(TweetclfError, ImportError):
    """An optional package is needed and not installed."""


class UnknownNameError(TweetclfError, KeyError):
    """A task, system, profile or metric name is not registered."""

    # KeyError quotes its message; ours is a sentence.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class DataError(TweetclfError, ValueError):
    """Texts, labels or data files are not what was expected."""


class ChecksumError(DataError):
    """A file's sha256 is not the expected one."""


class ContaminationError(DataError):
    """Data that must be kept apart overlap."""


class DivergenceError(TweetclfError, ArithmeticError):
    """Training came to a loss or a gradient that is not finite."""


class RecordError(TweetclfError, ValueError):
    """A run record is damaged or contradicts another."""


class ReplicaError(TweetclfError, RuntimeError):
    """Another process of a training by several does not answer."""


class ModelFormatError(TweetclfError, ValueError):
    """A model directory is damaged, foreign or holds a type that is not allowed."""


class TweetclfWarning(UserWarning):
    """Base of all warnings that tweetclf issues on purpose."""
