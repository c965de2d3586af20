"""What the stages of social pre-training read, and how it is told from other data."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import TweetclfWarning
from tweetclf.pretraining.corpus.tokens import TokenFiles
from tweetclf.tasks.corpora import stream_texts
from tweetclf.tasks.rows import read_fields
from tweetclf.utils.files import sha256_bytes, sha256_file

if TYPE_CHECKING:
    from tweetclf.pretraining.social_config import SocialConfig, SocialStage

__all__ = ["StageData", "data_hashes", "fill_languages", "read_alone", "warn_unused"]

UNKNOWN = "und"
"""ISO 639-3: undetermined."""

_LANGUAGES = ("lang", "language", "lang_code")


def fill_languages(languages: Sequence[str | None]) -> list[str] | None:
    """Return the languages of tweets; None, if no tweet names one."""
    if not any(languages):
        return None
    return [language or UNKNOWN for language in languages]


def _languages(path: Path) -> Iterator[str | None]:
    """Yield the language of each row of a file, where it names one."""
    for _, fields in read_fields(path)[1]:
        folded = {name.strip().lower(): value for name, value in fields.items()}
        named = (str(folded.get(column) or "") for column in _LANGUAGES)
        # One language, however it is written.
        yield next((code for name in named if (code := name.strip().lower())), None)


def read_alone(config: SocialConfig) -> tuple[Any, list[str] | None]:
    """Read what stages without pairs have of their own.

    Returns
    -------
    texts : list of str or TokenFiles
        Empty, if there is nothing: they read the tweets of the corpus.
    languages : list of str or None
        Of each text; None, if none is known.
    """
    if config.tokens is not None:
        return TokenFiles.open(config.tokens), None
    rows = [
        row
        for path in config.texts
        for row in zip(stream_texts(path), _languages(path), strict=True)
        if row[0].strip()
    ]
    return [text for text, _ in rows], fill_languages([name for _, name in rows])


def data_hashes(config: SocialConfig) -> dict[str, Any]:
    """Return hashes of all data: the same data elsewhere are the same."""
    assert config.corpus is not None
    told: dict[str, Any] = {
        "corpus": [
            sha256_file(config.corpus / name) for name in ("tweets.jsonl", "pairs.npy")
        ],
        "texts": [sha256_file(path) for path in config.texts],
    }
    if config.tokens is not None:
        # The manifest has the hashes of the shards.
        manifest = dict(TokenFiles.open(config.tokens).manifest)
        told["tokens"] = sha256_bytes(json.dumps(manifest, sort_keys=True).encode())
    return told


@dataclass(frozen=True, eq=False)
class StageData:
    """What there is to read.

    Parameters
    ----------
    texts, pairs, languages
        Of the corpus of pairs.
    alone : list of str or TokenFiles
        Texts of stages without pairs; empty, if they read those of the corpus.
    alone_languages : list of str or None
        Their languages.
    """

    texts: list[str]
    pairs: NDArray[np.int32]
    languages: list[str] | None
    alone: Any
    alone_languages: list[str] | None

    def of(self, stage: SocialStage) -> tuple[Any, Any, list[str] | None]:
        """Return tweets, pairs and languages for a stage."""
        if stage.pairs:
            return self.texts, self.pairs, self.languages
        if len(self.alone):
            return self.alone, None, self.alone_languages
        return self.texts, None, self.languages


def warn_unused(config: SocialConfig, stage: SocialStage, data: StageData) -> None:
    """Say that a stage cannot resample by languages that nobody told it."""
    power = stage.training.language_power
    tweets, _, languages = data.of(stage)
    if power == 1 or languages is not None:
        return
    if tweets is data.texts:
        what, fix = (
            f"the tweets of {config.corpus} name none",
            "give write_pair_corpus tweets with their languages",
        )
    elif config.tokens is None:
        what, fix = (
            "the files of [data] texts name none",
            "name .csv, .tsv or .jsonl files there with a column 'lang'",
        )
    else:
        what, fix = (
            f"the token files of {config.tokens} hold none",
            "write them from a corpus that was resampled (language_exponent of its "
            "plan), or name files with a column 'lang' in [data] texts instead",
        )
    warnings.warn(
        f"language_power={power} has no effect on the stage {stage.name!r}: languages "
        f"are not known, {what}. If there are several, {fix}; else set "
        "language_power = 1.",
        TweetclfWarning,
        stacklevel=4,
    )
