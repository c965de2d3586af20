"""What a corpus is made of, and how: every filter is an option with a stated default.

References
----------
J. A. Gonzalez, L.-F. Hurtado and F. Pla, "TWilBert", Neurocomputing 426 (2021),
section 4: pairs of a tweet and its reply, tweets of fewer than three words dropped; the
released script drops a pair only where both sides are that short. "BERT for Japanese
Twitter" (thesis chapter, Lone-Wolfgang/bert-for-japanese-twitter), chapters 2 to 5:
near-duplicates by MinHash (n-gram 5, Jaccard 0.20), at most 100 tweets a user, splits
of 75/5/10/10. X. Zhang et al., "TwHIN-BERT", KDD 2023 (arXiv:2209.07562), section 2.3:
languages resampled by frequency**0.7; section 3.3: n-grams of 50 characters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["SPLITS", "CorpusPlan", "CorpusSource"]

SPLITS = {"train": 0.75, "validation": 0.05, "development": 0.10, "test": 0.10}
"""Shares of the splits of the Japanese study."""

_CHOICES: dict[str, tuple[Any, ...]] = {
    "documents": ("texts", "pairs"),
    "short": ("either", "both"),
    "duplicates": ("verbatim", "normalised", None),
}


@dataclass(frozen=True, kw_only=True)
class CorpusSource:
    """A file, or a registered corpus, and its columns.

    Parameters
    ----------
    path : str
        A JSON Lines, CSV, TSV or Parquet file, or one of a text a line, all but
        Parquet also packed (``.gz``); or the name of a registered corpus, whose
        columns and language are known.
    text : str, optional
        Column of the texts; by default guessed by its name as `load_task` does. In
        JSON Lines ``"user.name"`` is a field within a field, in all of these.
    reply : str, optional
        Column of the replies, where a row holds a pair.
    id, parent : str, optional
        Columns of the row's id and of the id of what it replies to: a dump of
        conversations, of which pairs are made.
    author, language, conversation : str, optional
        Columns of who wrote the text (of pairs, the reply), of its language, and of
        the thread that must stay within one split.
    encoding : str, default="utf-8"
        Encoding of a text file.
    quoted : bool, optional
        Whether quotation marks around fields are no part of them; by default they are
        not in CSV files, and are in TSV files.
    """

    path: str
    text: str | None = None
    reply: str | None = None
    id: str | None = None
    parent: str | None = None
    author: str | None = None
    language: str | None = None
    conversation: str | None = None
    encoding: str = "utf-8"
    quoted: bool | None = None

    def __post_init__(self) -> None:
        if self.parent is not None and self.id is None:
            raise ValueError(
                f"CorpusSource: {self.path} has a 'parent' column and needs the 'id' "
                "column that it refers to. Name both."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are named."""
        names = ("text", "reply", "id", "parent", "author", "language", "conversation")
        return tuple(v for name in names if (v := getattr(self, name)) is not None)


@dataclass(frozen=True, kw_only=True)
class CorpusPlan:
    """What a corpus is made of, and how.

    Parameters
    ----------
    sources : sequence of CorpusSource, str or mapping
        What is read, in this order; a name alone is a source whose columns are
        guessed, a mapping holds the fields of `CorpusSource`.
    documents : {"texts", "pairs"}, default="texts"
        What the corpus holds. Of rows that are pairs, "texts" takes both sides, each
        for itself.
    languages : sequence of str, default=()
        Languages that are kept, with all their regions ("es" keeps "es-MX"); empty:
        all.
    keep_retweets : bool, default=False
        Keep texts that begin with "RT @".
    profile : str, optional
        A preprocessing profile that is applied to all texts, see
        `tweetclf.preprocessing.list_profiles`; by default they stay as they are.
    min_words : int, default=3
        Texts of fewer words (between white space) are short; use 1 where words are
        not written apart.
    short : {"either", "both"}, default="either"
        A pair is dropped if either side is short, as TWilBERT's paper says, or only if
        both are, as its code does.
    drop_bare : bool, default=True
        Drop texts, and pairs on both sides, of nothing but user names and URLs.
    min_characters, max_characters : int, default=1, None
        Texts that are shorter or longer (either side, of pairs) are dropped.
    duplicates : {"verbatim", "normalised"} or None, default="verbatim"
        Of equal texts (pairs: equal on both sides) the first is kept; "normalised"
        texts are equal whatever case, user names, URLs and punctuation.
    near_threshold : float or None, default=0.2
        Texts (pairs: both sides) whose Jaccard similarity to one that was kept before
        is that much or more are dropped; None: none are.
    near_n : int, default=5
        Characters in the n-grams of which similarity is measured, of normalised texts.
    max_per_author : int or None, default=100
        Texts that one author has at most; which ones, the hashes of the texts tell.
    language_exponent : float, default=1.0
        Exponent of the frequency by which languages are resampled within the training
        split: 0.7 is TwHIN-BERT's, 1 leaves them as they are.
    splits : mapping of str to float, default=75/5/10/10 %
        Splits and their shares. The first is that of training.
    tasks : sequence of str or None, default=None
        Registered tasks whose test sets must not be in the corpus; None: all whose
        data are at hand; empty: none.
    contamination_n : int, default=50
        A text that shares so many characters in a row with a test set is dropped.
    compress : bool, default=True
        Write ``.jsonl.gz`` rather than ``.jsonl``.
    seed : int, default=0
        Seed of splits, of the author's texts that are kept, and of resampling.

    Examples
    --------
    >>> from tweetclf.pretraining.corpus import CorpusPlan
    >>> plan = CorpusPlan(sources=["tweets.jsonl", {"path": "p.tsv", "reply": "b"}])
    >>> plan.sources[1].reply, plan.near_threshold
    ('b', 0.2)
    """

    sources: tuple[CorpusSource, ...]
    documents: str = "texts"
    languages: tuple[str, ...] = ()
    keep_retweets: bool = False
    profile: str | None = None
    min_words: int = 3
    short: str = "either"
    drop_bare: bool = True
    min_characters: int = 1
    max_characters: int | None = None
    duplicates: str | None = "verbatim"
    near_threshold: float | None = 0.2
    near_n: int = 5
    max_per_author: int | None = 100
    language_exponent: float = 1.0
    splits: Mapping[str, float] = field(default_factory=lambda: dict(SPLITS))
    tasks: tuple[str, ...] | None = None
    contamination_n: int = 50
    compress: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.sources, str) or not self.sources:
            raise ValueError(
                "CorpusPlan: the 'sources' parameter must be one or more sources. Got "
                f"{self.sources!r} instead."
            )
        object.__setattr__(self, "sources", tuple(map(_source, self.sources)))
        for name in ("languages", "tasks"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise ValueError(
                    f"CorpusPlan: the {name!r} parameter must be a sequence of names. "
                    f"Got {value!r} instead."
                )
            object.__setattr__(self, name, None if value is None else tuple(value))
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"CorpusPlan: the {name!r} parameter must be one of {known}. Got "
                    f"{getattr(self, name)!r} instead."
                )
        self._check_numbers()
        self._check_splits()

    def _check_numbers(self) -> None:
        least = {"min_words": 0, "min_characters": 0, "near_n": 1}
        least |= {"max_characters": 1, "max_per_author": 1, "contamination_n": 1}
        for name, lowest in {**least, "seed": 0}.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise ValueError(
                    f"CorpusPlan: the {name!r} parameter must be at least {lowest}. "
                    f"Got {value!r} instead."
                )
        if not 0 < self.language_exponent <= 1:
            raise ValueError(
                "CorpusPlan: the 'language_exponent' parameter must be above 0 and at "
                f"most 1. Got {self.language_exponent!r} instead."
            )
        from tweetclf.tasks.near import LEAST_SIMILARITY

        near = self.near_threshold
        if near is not None and not LEAST_SIMILARITY <= near <= 1:
            raise ValueError(
                "CorpusPlan: the 'near_threshold' parameter must lie between "
                f"{LEAST_SIMILARITY} and 1, or be None. Got {near!r} instead."
            )

    def _check_splits(self) -> None:
        shares = dict(self.splits)
        plain = all(name.isidentifier() and name != "card" for name in shares)
        whole = math.isclose(sum(shares.values()), 1, abs_tol=1e-9)
        if not plain or not whole or any(share <= 0 for share in shares.values()):
            raise ValueError(
                "CorpusPlan: the 'splits' parameter must name splits by words, with "
                f"shares above 0 that add up to 1. Got {shares!r} instead."
            )
        object.__setattr__(self, "splits", shares)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan in JSON's types."""
        told = asdict(self)
        told["sources"] = [
            {name: value for name, value in source.items() if value is not None}
            for source in told["sources"]
        ]
        for name in ("languages", "tasks"):
            told[name] = None if told[name] is None else list(told[name])
        return told


def _source(value: Any) -> CorpusSource:
    if isinstance(value, CorpusSource):
        return value
    if isinstance(value, Mapping):
        return CorpusSource(**value)
    return CorpusSource(path=str(value))
