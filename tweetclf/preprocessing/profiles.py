"""Named, versioned preprocessing profiles, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tweetclf.exceptions import UnknownNameError
from tweetclf.utils.registry import suggest

__all__ = ["Profile", "get_profile", "list_profiles", "profile_changes"]


@dataclass(frozen=True)
class Profile:
    """The preprocessing of a published system, by name and version."""

    name: str
    version: int
    description: str
    source: str
    normalizer: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    normalizer_class: str = "TweetNormalizer"
    by_language: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name and version, e.g. ``"raw@1"``."""
        return f"{self.name}@{self.version}"

    def make_normalizer(self, *, language: str = "es", **options: Any) -> Any:
        """Return a new normaliser with the options of the profile."""
        from tweetclf import preprocessing

        cls = getattr(preprocessing, self.normalizer_class)
        return cls(profile=self.id)

    def make_tokenizer(self, *, language: str = "es", **options: Any) -> Any:
        """Return a new tokenizer with the options of the profile."""
        from tweetclf.preprocessing.tokenizer import TweetTokenizer

        normalizer = self.make_normalizer(language=language)
        return TweetTokenizer(
            **{"normalizer": normalizer, "language": language, "profile": self.id}
            | dict(options)
        )


_NAMES = (
    "raw",
    "atalaya-basic",
    "atalaya-sentiment",
    "atalaya-sentiment-vectors",
    "atalaya-sentiment-corpus",
    "haha-nbsvm",
    "ulmfit",
    "twilbert",
    "twilbert-reference",
)
_PROFILES = MappingProxyType({name: Profile(name, 1, "", "") for name in _NAMES})


def list_profiles() -> list[str]:
    """Return the names of all profiles."""
    return list(_PROFILES)


def get_profile(name: str) -> Profile:
    """Return the profile called `name` (``"raw"`` or ``"raw@1"``)."""
    bare = name.partition("@")[0]
    if bare not in _PROFILES:
        raise UnknownNameError(f"Unknown profile {name!r}. {suggest(name, _PROFILES)}")
    return _PROFILES[bare]


def profile_changes(estimator: Any) -> dict[str, tuple[Any, Any]]:
    """Return the options of `estimator` that are not those of its profile."""
    return {}
