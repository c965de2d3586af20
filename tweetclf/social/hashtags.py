"""Hashtag prediction: a benchmark from raw tweets, one set a language.

References
----------
X. Zhang et al. TwHIN-BERT. KDD 2023, section 3.3 and Table 2 (arXiv:2209.07562).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.social._cards import hashtag_card
from tweetclf.social._reading import BadRows
from tweetclf.social._sampling import Sample, cut, split_sizes
from tweetclf.social._tweets import (
    Detector,
    as_tweets,
    bad_rows_of,
    code_of,
    codes_of,
    language_of,
)
from tweetclf.social.hashtag_texts import find_hashtags, remove_hashtag
from tweetclf.tasks.base import Split
from tweetclf.tasks.contamination import find_contamination
from tweetclf.tasks.duplicates import Labels, normalise
from tweetclf.utils.files import atomic_directory, check_free

__all__ = [
    "HashtagSet",
    "HashtagSetReport",
    "build_hashtag_set",
]

# Zhang et al. 2023, Table 2. Their section 3.3 says 100,000 tweets a language.
SIZES = {"train": 16_000, "dev": 2_000, "test": 2_000}


class _Counter:
    """Counts of a stream in bounded memory: exact until there are too many.

    Then the rarest are dropped; a count may be too low by the largest count that was
    dropped so far, and is never too high.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.counts: Counter[tuple[str, str]] = Counter()
        self.too_low_by = 0

    def add(self, keys: Iterable[tuple[str, str]]) -> None:
        self.counts.update(keys)
        while len(self.counts) > self._capacity:
            # At least half of them go, so that this is rare.
            least = sorted(self.counts.values())[len(self.counts) // 2]
            self.too_low_by += least
            self.counts = Counter(
                {key: n for key, n in self.counts.items() if n > least}
            )


@dataclass(frozen=True)
class HashtagSet:
    """The set of one language.

    Parameters
    ----------
    language : str
        Its code.
    path : Path
        Folder of ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl``, which
        `tweetclf.tasks.load_task` reads.
    hashtags : dict of str to int
        The candidates, the most frequent first, and the tweets they stand in.
    n_rows : dict of str to int
        Texts of each split.
    n_tweets : int
        Tweets of the language that were read.
    n_several, n_empty : int
        Tweets left out: with several candidates, or nothing but the hashtag.
    n_untrained : int
        Hashtags of dev or test that no training text has.
    contaminated : dict of str to int
        Texts of each split that were found in the corpus; empty if none was given.
    """

    language: str
    path: Path
    hashtags: dict[str, int]
    n_rows: dict[str, int]
    n_tweets: int
    n_several: int
    n_empty: int
    n_untrained: int
    contaminated: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class HashtagSetReport:
    """What was built.

    Parameters
    ----------
    path : Path
        The folder, with ``card.json`` and ``README.md``.
    sets : tuple of HashtagSet
        By language, in order of the code.
    left_out : dict of str to int
        Languages with too few tweets to be split, and how many those were.
    n_bad_rows : int
        Tweets left out, for their text is missing or no Unicode.
    n_unusable_codes : int
        Tweets with hashtags whose language is no code of letters, digits, "-" and "_";
        it was detected instead, or is "und".
    """

    path: Path
    sets: tuple[HashtagSet, ...]
    left_out: dict[str, int]
    n_bad_rows: int = 0
    n_unusable_codes: int = 0


@dataclass
class _Language:
    """What the second reading keeps of a language."""

    sample: Sample
    n_tweets: int = 0
    n_several: int = 0
    n_empty: int = 0


def build_hashtag_set(
    tweets: Iterable[Any],
    out: str | os.PathLike[str],
    *,
    n_hashtags: int = 500,
    sizes: Mapping[str, int] | None = None,
    min_rows: int = 100,
    detect: Detector | None = None,
    languages: Iterable[str] | None = None,
    corpus: Iterable[Any] | None = None,
    drop_contaminated: bool = False,
    capacity: int = 2_000_000,
    seed: int = 0,
) -> HashtagSetReport:
    """Build sets for hashtag prediction, one for each language.

    Candidates are the hashtags that most tweets of a language hold. Tweets with
    exactly one candidate are taken; it is removed from the text and is the label.
    Other hashtags stay.

    Parameters
    ----------
    tweets : iterable of Tweet, or of (id, text) or (id, text, language)
        Gone through twice, so no generator: a list, or `TweetFiles`. What has no
        usable text is counted and left out. Languages are compared in lower case; what
        is no code of letters, digits, "-" and "_" counts as none.
    out : path
        The folder to write.
    n_hashtags : int, default=500
        Candidates of each language.
    sizes : mapping of str to int, optional
        Texts of each split, of which one is "train"; by default 16,000, 2,000 and
        2,000. A language with fewer keeps the proportions.
    min_rows : int, default=100
        Languages with fewer texts are left out.
    detect : callable, optional
        Text -> code of the language, for tweets that name none, as
        `fasttext_detector` makes. Without it those are of the language "und".
    languages : iterable of str, optional
        Only these. Codes are compared in lower case.
    corpus : iterable of str, optional
        Texts that models were pre-trained on: what shares a character 50-gram with
        them is counted.
    drop_contaminated : bool, default=False
        Leave such texts out.
    capacity : int, default=2,000,000
        Different hashtags that are counted at a time, of all languages together.
    seed : int, default=0
        Of the sample and the splits.

    Returns
    -------
    HashtagSetReport
        Counts; the same are in ``card.json``.

    Raises
    ------
    DataError
        If no language has enough tweets, or `tweets` can be read only once.
    FileExistsError
        If `out` exists and is not an empty folder.

    Notes
    -----
    The sample is drawn by hash of the text without its hashtag, folded as
    `tweetclf.tasks` folds texts to find repeats: it does not depend on the order of
    the tweets, equal texts are one, and so none is in two splits. Of equal texts with
    several labels the first label by the alphabet stays.

    Memory: about 200 bytes for each hashtag that is counted, 400 MB by default, and
    the sampled texts, 20,000 a language by default; it does not grow with the tweets.
    Beyond `capacity` the rarest hashtags are dropped while counting, and the card says
    by how much counts may be too low.

    The paper is silent on, and here is chosen: frequency is tweets, not occurrences;
    hashtags are compared without case; classes keep their natural frequencies; texts
    are sampled uniformly; retweets and near repeats stay, but for equal texts. It says
    100,000 tweets a language in its text and 20,000 in Table 2; the latter is taken.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.social import build_hashtag_set
    >>> tweets = [(str(k), f"otro {k} #{'gol' if k % 3 else 'lluvia'}", "es")
    ...           for k in range(40)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = build_hashtag_set(tweets, folder + "/sets", min_rows=10)
    >>> [(s.language, s.n_rows, s.hashtags) for s in report.sets]
    [('es', {'train': 32, 'dev': 4, 'test': 4}, {'gol': 26, 'lluvia': 14})]
    """
    check_free(out)
    wished = dict(SIZES if sizes is None else sizes)
    _check(tweets, n_hashtags, wished)
    bad, counter = bad_rows_of(tweets), _Counter(capacity)
    n_unusable = _count(tweets, counter, bad, detect, languages)
    candidates = _top(counter.counts, n_hashtags)
    found = _collect(tweets, candidates, detect, sum(wished.values()), seed)
    chosen = {
        code: cut(list(part.sample), split_sizes(len(part.sample), wished))
        for code, part in sorted(found.items())
        if len(part.sample) >= max(min_rows, len(wished))
    }
    if not chosen:
        raise DataError(
            f"build_hashtag_set: no language has {min_rows} tweets with exactly one "
            f"candidate hashtag; the most are "
            f"{max((len(p.sample) for p in found.values()), default=0)}. Give more "
            "tweets, or lower min_rows."
        )
    told = {}
    if corpus is not None:
        told = _contaminated(chosen, corpus, drop=drop_contaminated)
    left_out = {c: len(p.sample) for c, p in sorted(found.items()) if c not in chosen}
    settings = {
        "n_hashtags": n_hashtags,
        "sizes": wished,
        "min_rows": min_rows,
        "drop_contaminated": drop_contaminated,
        "capacity": capacity,
        "counts_too_low_by_at_most": counter.too_low_by,
        "seed": seed,
        "language": "field, else detected" if detect else "field",
        "n_bad_rows": bad.total,
        "n_unusable_codes": n_unusable,
    }
    sets = tuple(
        _describe(Path(out) / code, code, parts, candidates[code], found[code], told)
        for code, parts in chosen.items()
    )
    with atomic_directory(out) as folder:
        _write(folder, chosen, sets, settings, left_out)
    return HashtagSetReport(Path(out), sets, left_out, bad.total, n_unusable)


def _check(tweets: Any, n_hashtags: int, sizes: Mapping[str, int]) -> None:
    if iter(tweets) is tweets:
        raise DataError(
            "build_hashtag_set: tweets are gone through twice, and this iterator only "
            "once. Give a list, or TweetFiles."
        )
    if n_hashtags < 2:
        raise ValueError(
            "build_hashtag_set: the 'n_hashtags' parameter must be at least 2. Got "
            f"{n_hashtags!r} instead."
        )
    if "train" not in sizes or min(sizes.values()) < 1:
        raise ValueError(
            "build_hashtag_set: the 'sizes' parameter must have a 'train' and only "
            f"positive numbers. Got {dict(sizes)!r} instead."
        )


def _count(
    tweets: Iterable[Any],
    counter: _Counter,
    bad: BadRows,
    detect: Detector | None,
    languages: Iterable[str] | None,
) -> int:
    """Count the hashtags; return how many tweets name a language that is no code."""
    only = codes_of(languages, caller="build_hashtag_set")
    n_unusable = 0
    for tweet in as_tweets(tweets, bad):
        if tags := find_hashtags(tweet.text):
            n_unusable += bool(tweet.language) and code_of(tweet.language) is None
            language = language_of(tweet, detect)
            if only is None or language in only:
                counter.add((language, tag) for tag in tags)
    return n_unusable


def _top(
    counts: Mapping[tuple[str, str], int], n_hashtags: int
) -> dict[str, dict[str, int]]:
    """Return the most frequent hashtags of each language; of equals by the alphabet."""
    by_language: dict[str, list[tuple[int, str]]] = {}
    for (language, tag), n in counts.items():
        by_language.setdefault(language, []).append((-n, tag))
    return {
        language: {tag: -n for n, tag in sorted(tags)[:n_hashtags]}
        for language, tags in by_language.items()
    }


def _collect(
    tweets: Iterable[Any],
    candidates: Mapping[str, Mapping[str, int]],
    detect: Detector | None,
    size: int,
    seed: int,
) -> dict[str, _Language]:
    """Read the tweets once more, and sample those with exactly one candidate."""
    found: dict[str, _Language] = {}
    # What cannot be used was counted the first time.
    for tweet in as_tweets(tweets, BadRows()):
        tags = find_hashtags(tweet.text)
        # Nothing to detect where no candidate can be.
        if not tags:
            continue
        language = language_of(tweet, detect)
        own = candidates.get(language)
        if own is None:
            continue
        part = found.setdefault(language, _Language(Sample(size, seed)))
        part.n_tweets += 1
        labels = [tag for tag in tags if tag in own]
        if len(labels) != 1:
            part.n_several += len(labels) > 1
            continue
        text = remove_hashtag(tweet.text, labels[0])
        key = normalise(text)
        if not key:
            part.n_empty += 1
            continue
        part.sample.add(key, (labels[0], tweet.id, text))
    return found


def _contaminated(
    chosen: dict[str, dict[str, list[Any]]], corpus: Iterable[Any], *, drop: bool
) -> dict[str, dict[str, int]]:
    """Count what is in a corpus, for all languages in one pass; drop it if asked to."""
    splits = {
        f"{code}/{name}": Split(
            name,
            texts=tuple(text for _, _, text in rows),
            labels=np.array([label for label, _, _ in rows], dtype=str),
            ids=tuple(id_ for _, id_, _ in rows),
        )
        for code, parts in chosen.items()
        for name, rows in parts.items()
    }
    findings = find_contamination(splits, corpus, Labels(splits, ()), n_examples=0)
    told: dict[str, dict[str, int]] = {}
    for finding in findings:
        code, name = finding.split.rsplit("/", 1)
        told.setdefault(code, {})[name] = len(finding.rows)
        if drop:
            out = set(finding.rows)
            rows = chosen[code][name]
            chosen[code][name] = [r for i, r in enumerate(rows) if i not in out]
    return told


def _describe(
    path: Path,
    code: str,
    parts: Mapping[str, list[Any]],
    candidates: dict[str, int],
    found: _Language,
    told: Mapping[str, dict[str, int]],
) -> HashtagSet:
    trained = {label for label, _, _ in parts["train"]}
    others = {row[0] for name, rows in parts.items() if name != "train" for row in rows}
    return HashtagSet(
        code,
        path,
        hashtags=candidates,
        n_rows={name: len(rows) for name, rows in parts.items()},
        n_tweets=found.n_tweets,
        n_several=found.n_several,
        n_empty=found.n_empty,
        n_untrained=len(others - trained),
        contaminated=told.get(code, {}),
    )


def _write(
    folder: Path,
    chosen: Mapping[str, Mapping[str, list[Any]]],
    sets: tuple[HashtagSet, ...],
    settings: dict[str, Any],
    left_out: dict[str, int],
) -> None:
    for code, parts in chosen.items():
        (folder / code).mkdir()
        for name, rows in parts.items():
            lines = [
                json.dumps({"id": i, "text": t, "label": label}, ensure_ascii=False)
                for label, i, t in rows
            ]
            text = "".join(f"{line}\n" for line in lines)
            (folder / code / f"{name}.jsonl").write_text(text, "utf-8")
    card = {
        "format": 1,
        "tweetclf": __version__,
        "settings": settings,
        "sets": [{k: v for k, v in vars(one).items() if k != "path"} for one in sets],
        "left_out": left_out,
    }
    (folder / "README.md").write_text(hashtag_card(card), "utf-8")
    text = json.dumps(card, indent=1, ensure_ascii=False)
    (folder / "card.json").write_text(f"{text}\n", "utf-8")
