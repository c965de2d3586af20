"""Mined pairs of posts with their texts: what social pre-training reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.social._tweets import as_tweets, bad_rows_of, code_of
from tweetclf.utils.files import atomic_directory, check_free

__all__ = ["PairCorpusReport", "write_pair_corpus"]


@dataclass(frozen=True)
class PairCorpusReport:
    """What was written.

    Parameters
    ----------
    path : Path
        The folder: ``tweets.jsonl`` (id, text, lang), ``pairs.npy`` (int32, two lines
        of it a row, counted from 0) and ``card.json``.
    n_tweets, n_pairs : int
        Tweets, each in a pair at least, and pairs.
    n_without_text : int
        Pairs left out, for one of their posts has no text.
    n_bad_rows : int
        Tweets left out, for their text is missing or no Unicode.
    """

    path: Path
    n_tweets: int
    n_pairs: int
    n_without_text: int
    n_bad_rows: int = 0


def write_pair_corpus(
    first: ArrayLike,
    second: ArrayLike,
    ids: Sequence[str],
    tweets: Iterable[Any],
    out: str | os.PathLike[str],
) -> PairCorpusReport:
    """Put the texts of mined pairs beside them, for `train_social_encoder`.

    Parameters
    ----------
    first, second : array-like of int of shape (n,)
        The pairs, as `SimilarPairs.unordered` returns them.
    ids : sequence of str
        What number is which post: `EngagementGraph.post_ids`, for example.
    tweets : iterable of Tweet, or of (id, text) or (id, text, language)
        The texts; gone through once. Of several of one id the first counts; what has
        no usable text is counted and left out.
    out : path
        The folder to write.

    Returns
    -------
    PairCorpusReport
        Counts.

    Raises
    ------
    DataError
        If no pair has both texts.
    FileExistsError
        If `out` exists and is not an empty folder.

    Notes
    -----
    Memory: the ids of the posts that are in a pair, and 12 bytes a pair; texts pass by.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.social import write_pair_corpus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = write_pair_corpus(
    ...         [0, 0], [2, 1], ["a", "b", "c"], [("c", "hola"), ("a", "chau")],
    ...         folder + "/corpus")
    >>> report.n_tweets, report.n_pairs, report.n_without_text
    (2, 1, 1)
    """
    check_free(out)
    pairs = np.column_stack([np.asarray(first), np.asarray(second)])
    used = np.unique(pairs)
    number = {ids[int(post)]: int(post) for post in used}
    line_of = np.full(int(used[-1]) + 1 if len(used) else 0, -1, dtype=np.int64)
    bad = bad_rows_of(tweets)
    with atomic_directory(out) as folder:
        n_tweets = 0
        with (folder / "tweets.jsonl").open(
            "w", encoding="utf-8", newline="\n"
        ) as file:
            for tweet in as_tweets(tweets, bad):
                post = number.get(tweet.id)
                if post is None or line_of[post] >= 0 or not tweet.text.strip():
                    continue
                line_of[post] = n_tweets
                n_tweets += 1
                code = code_of(tweet.language)
                row = {"id": tweet.id, "text": tweet.text, "lang": code}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        lines = line_of[pairs] if len(pairs) else pairs
        known = (lines >= 0).all(axis=1)
        if not known.any():
            raise DataError(
                f"write_pair_corpus: none of {len(pairs):,} pairs has both texts; "
                f"{n_tweets:,} of {len(used):,} posts have one. Check that ids "
                "are written alike in the graph and in the tweets."
            )
        np.save(folder / "pairs.npy", lines[known].astype(np.int32))
        report = PairCorpusReport(
            Path(out), n_tweets, int(known.sum()), int((~known).sum()), bad.total
        )
        card = {"format": 1, "tweetclf": __version__}
        card |= {k: v for k, v in vars(report).items() if k != "path"}
        text = json.dumps(card, indent=1)
        (folder / "card.json").write_text(f"{text}\n", "utf-8")
    return report
