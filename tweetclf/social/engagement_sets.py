"""Engagement prediction: a benchmark from posts and logs, users under pseudonyms.

References
----------
X. Zhang et al. TwHIN-BERT. KDD 2023, section 3.2 (arXiv:2209.07562).
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.social._cards import engagement_card
from tweetclf.social._reading import BadRows
from tweetclf.social._sampling import Sample
from tweetclf.social._tweets import (
    Detector,
    as_tweets,
    bad_rows_of,
    codes_of,
    language_of,
)
from tweetclf.social.engagement import split_by_post
from tweetclf.utils.files import atomic_directory, check_free

__all__ = [
    "EngagementSet",
    "EngagementSetReport",
    "build_engagement_set",
    "pseudonym",
    "read_engagement_set",
]

_FRACTIONS = {"train": 0.8, "dev": 0.1, "test": 0.1}
_FORMAT = 1


def pseudonym(user: str, salt: bytes) -> str:
    """Return another name of a user, which only who has the salt can find again.

    Parameters
    ----------
    user : str
        Id of the user.
    salt : bytes
        A secret of at least 16 bytes.

    Returns
    -------
    str
        "u" and 20 hexadecimal digits of an HMAC-SHA256: no two of a thousand million
        users are likely to share it.

    Examples
    --------
    >>> from tweetclf.social import pseudonym
    >>> pseudonym("12345", b"sixteen bytes or more")
    'u7e6ce3cfc0bc9502eece'
    """
    if len(salt) < 16:
        raise ValueError(
            "pseudonym: the 'salt' parameter must be at least 16 bytes, so that nobody "
            f"can try them all. Got {len(salt)}."
        )
    return "u" + hmac.new(salt, user.encode("utf-8"), hashlib.sha256).hexdigest()[:20]


@dataclass(frozen=True)
class EngagementSetReport:
    """What was built.

    Parameters
    ----------
    path : Path
        The folder: ``posts.jsonl``, ``train.tsv``, ``dev.tsv``, ``test.tsv``,
        ``card.json``, ``README.md``.
    n_users : int
        Different users.
    n_posts, n_records : dict of str to int
        Posts and engagements of each split.
    n_without_engagement, n_without_text : int
        Posts that nobody engaged with, and engagements whose post has no text; both
        left out.
    n_bad_rows : int
        Posts left out, for their text is missing or no Unicode.
    """

    path: Path
    n_users: int
    n_posts: dict[str, int]
    n_records: dict[str, int]
    n_without_engagement: int
    n_without_text: int
    n_bad_rows: int = 0


@dataclass(frozen=True, eq=False)
class EngagementSet:
    """A set as it is read: numbers, and what they stand for.

    Parameters
    ----------
    users : tuple of str
        Pseudonyms.
    posts, texts, languages : tuple of str
        Ids of the posts, their texts and their languages.
    records : dict of str to ndarray of int64 of shape (n, 2)
        User and post of each engagement of each split.
    """

    users: tuple[str, ...]
    posts: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    records: dict[str, NDArray[np.int64]]


def build_engagement_set(
    tweets: Iterable[Any],
    engagements: Iterable[tuple[str, str]],
    out: str | os.PathLike[str],
    *,
    salt: bytes | None = None,
    n_posts: int = 10_000,
    fractions: Mapping[str, float] | None = None,
    detect: Detector | None = None,
    languages: Iterable[str] | None = None,
    seed: int = 0,
) -> EngagementSetReport:
    """Build a set for engagement prediction: posts, and who engaged with them.

    Parameters
    ----------
    tweets : iterable of Tweet, or of (id, text) or (id, text, language)
        The posts; gone through once. What has no usable text is counted and left out.
    engagements : iterable of (str, str)
        User and post of each; gone through twice, so no generator. Repeats are one.
    out : path
        The folder to write.
    salt : bytes, optional
        Secret behind the pseudonyms, at least 16 bytes. By default a new one is drawn,
        used and forgotten: then nobody can tell which user is which, nor build the
        same pseudonyms again. It is never written.
    n_posts : int, default=10,000
        Most posts of a language.
    fractions : mapping of str to float, optional
        Share of the posts of each split; by default 0.8, 0.1 and 0.1 for "train",
        "dev" and "test". Engagements follow their posts.
    detect : callable, optional
        Text -> code of the language, for tweets that name none.
    languages : iterable of str, optional
        Only these. Codes are compared in lower case.
    seed : int, default=0
        Of the sample of posts and the splits.

    Returns
    -------
    EngagementSetReport
        Counts; the same are in ``card.json``.

    Raises
    ------
    DataError
        If nothing is left, or `engagements` can be read only once.
    FileExistsError
        If `out` exists and is not an empty folder.

    Notes
    -----
    Posts are sampled by hash of their ids, so the same are taken whatever their order,
    and split within their language. Lines are in order of pseudonym and post: with a
    fixed salt files are the same bytes for the same data.

    Memory: some 100 bytes for each different post with an engagement, the texts of the
    sampled posts, and some 300 bytes for each engagement with one of these; all other
    engagements pass by.

    Of the paper: up to 10,000 tweets of each of 50 languages, split 0.8/0.1/0.1 by
    tweet. How tweets were sampled, it does not say: here, uniformly.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.social import build_engagement_set, read_engagement_set
    >>> tweets = [(f"t{k}", f"tuit {k}", "es") for k in range(20)]
    >>> likes = [(f"user{k % 7}", f"t{k % 20}") for k in range(60)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = build_engagement_set(tweets, likes, folder + "/set")
    ...     found = read_engagement_set(folder + "/set")
    >>> report.n_posts, report.n_records, len(found.users)
    ({'train': 16, 'dev': 2, 'test': 2}, {'train': 48, 'dev': 6, 'test': 6}, 7)
    """
    check_free(out)
    shares = dict(_FRACTIONS if fractions is None else fractions)
    if iter(engagements) is engagements:
        raise DataError(
            "build_engagement_set: engagements are gone through twice, and this "
            "iterator only once. Give a list, or what opens the file anew."
        )
    key = secrets.token_bytes(32) if salt is None else salt
    pseudonym("", key)  # Refuses a short one before hours of reading.
    only = codes_of(languages, caller="build_engagement_set")
    engaged = {_digest(post) for _, post in engagements}
    bad = bad_rows_of(tweets)
    samples, n_lonely = _sample(tweets, bad, engaged, detect, only, n_posts, seed)
    posts = {
        post: (text, code)
        for code in sorted(samples)
        for post, text in sorted(samples[code])
    }
    if not posts:
        raise DataError(
            "build_engagement_set: no post has both a text and an engagement. Check "
            "that ids of posts are written alike in both."
        )
    split_of = _split(posts, shares, seed)
    records: set[tuple[str, str]] = set()
    n_unknown = 0
    for user, post in engagements:
        if post in posts:
            records.add((pseudonym(user, key), post))
        else:
            n_unknown += 1
    parts = {
        name: sorted(r for r in records if split_of[r[1]] == name) for name in shares
    }
    report = EngagementSetReport(
        Path(out),
        n_users=len({user for user, _ in records}),
        n_posts={name: sum(s == name for s in split_of.values()) for name in shares},
        n_records={name: len(rows) for name, rows in parts.items()},
        n_without_engagement=n_lonely,
        n_without_text=n_unknown,
        n_bad_rows=bad.total,
    )
    settings = {"n_posts": n_posts, "fractions": shares, "seed": seed}
    settings["n_bad_rows"] = bad.total
    settings["pseudonyms"] = "salt given" if salt is not None else "salt forgotten"
    with atomic_directory(out) as folder:
        _write(folder, posts, split_of, parts, report, settings)
    return report


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8"), digest_size=8).digest()


def _sample(
    tweets: Iterable[Any],
    bad: BadRows,
    engaged: set[bytes],
    detect: Detector | None,
    only: set[str] | None,
    n_posts: int,
    seed: int,
) -> tuple[dict[str, Sample], int]:
    """Return posts that somebody engaged with, by language, and how many nobody did."""
    samples: dict[str, Sample] = {}
    n_lonely = 0
    for tweet in as_tweets(tweets, bad):
        if _digest(tweet.id) not in engaged:
            n_lonely += 1
            continue
        code = language_of(tweet, detect)
        if only is None or code in only:
            sample = samples.setdefault(code, Sample(n_posts, seed))
            sample.add(tweet.id, (tweet.id, tweet.text))
    return samples, n_lonely


def _split(
    posts: Mapping[str, tuple[str, str]], shares: Mapping[str, float], seed: int
) -> dict[str, str]:
    """Return the split of each post, drawn within its language."""
    split_of: dict[str, str] = {}
    for code in sorted({code for _, code in posts.values()}):
        own = [post for post, (_, other) in posts.items() if other == code]
        cut = split_by_post(
            np.arange(len(own)), fractions=[*shares.values()], seed=seed
        )
        for name, rows in zip(shares, cut, strict=True):
            split_of.update((own[i], name) for i in rows.tolist())
    return split_of


def _write(
    folder: Path,
    posts: Mapping[str, tuple[str, str]],
    split_of: Mapping[str, str],
    parts: Mapping[str, list[tuple[str, str]]],
    report: EngagementSetReport,
    settings: dict[str, Any],
) -> None:
    with (folder / "posts.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for post, (text, code) in posts.items():
            row = {"id": post, "text": text, "lang": code, "split": split_of[post]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    n_of_post: dict[str, int] = {}
    for name, rows in parts.items():
        with (folder / f"{name}.tsv").open("w", encoding="utf-8", newline="\n") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(("user", "post"))
            writer.writerows(rows)
        for _, post in rows:
            n_of_post[post] = n_of_post.get(post, 0) + 1
    languages = []
    for code in sorted({code for _, code in posts.values()}):
        own = [post for post, (_, other) in posts.items() if other == code]
        languages.append(
            {
                "language": code,
                "n_posts": len(own),
                "n_records": sum(n_of_post[post] for post in own),
                "posts": {
                    name: sum(split_of[p] == name for p in own) for name in parts
                },
            }
        )
    card = {
        "format": _FORMAT,
        "tweetclf": __version__,
        "settings": settings,
        "languages": languages,
        **{k: v for k, v in vars(report).items() if k != "path"},
    }
    (folder / "README.md").write_text(engagement_card(card), "utf-8")
    text = json.dumps(card, indent=1, ensure_ascii=False)
    (folder / "card.json").write_text(f"{text}\n", "utf-8")


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="\t")
        next(reader, None)
        yield from ((user, post) for user, post in reader)


def read_engagement_set(path: str | os.PathLike[str]) -> EngagementSet:
    """Read a set that `build_engagement_set` wrote.

    Parameters
    ----------
    path : path
        Its folder.

    Returns
    -------
    EngagementSet
        Posts in the order of the file, users in order of their pseudonyms.

    Raises
    ------
    DataError
        If the folder is no such set.
    """
    folder = Path(path)
    try:
        card = json.loads((folder / "card.json").read_text("utf-8"))
        if card.get("format") != _FORMAT or "n_without_text" not in card:
            raise ValueError("no card of an engagement set of this version")
        lines = (folder / "posts.jsonl").read_text("utf-8").split("\n")
        posts = [json.loads(line) for line in lines if line]
        number = {post["id"]: i for i, post in enumerate(posts)}
        read = {name: list(_rows(folder / f"{name}.tsv")) for name in card["n_records"]}
        if {name: len(rows) for name, rows in read.items()} != card["n_records"]:
            raise ValueError("its engagements are not as many as its card says")
        users = sorted({user for rows in read.values() for user, _ in rows})
        place = {user: i for i, user in enumerate(users)}
        records = {
            name: np.array(
                [(place[user], number[post]) for user, post in rows], dtype=np.int64
            ).reshape(-1, 2)
            for name, rows in read.items()
        }
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"read_engagement_set: {folder} is no set that build_engagement_set wrote "
            f"({error})."
        ) from error
    return EngagementSet(
        tuple(users),
        tuple(post["id"] for post in posts),
        tuple(post["text"] for post in posts),
        tuple(post["lang"] for post in posts),
        records,
    )
