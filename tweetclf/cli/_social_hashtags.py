r"""Build sets for hashtag prediction from raw tweets, one for each language.

Candidates are the hashtags that most tweets of a language hold; tweets with exactly one
of them are taken, without it. Each set is a folder of train, dev and test that every
command reads as a task. Nothing hangs on the order of the tweets. Rows without a usable
text are left out and counted.

examples:
  tweetclf social hashtags tweets.jsonl.gz --out hashtags
  tweetclf social hashtags a.csv b.csv --language lang --hashtags 100 --out hashtags
  tweetclf social hashtags tweets.jsonl --detector lid.176.bin \\
    --corpus pretraining.txt --drop-contaminated --out hashtags
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tweetclf.cli._data import add_reading_arguments, seed
from tweetclf.cli._output import check_output, note, print_table
from tweetclf.cli._running import integer, positive
from tweetclf.cli._social_graph import add_bad_rows_argument, note_bad_rows

if TYPE_CHECKING:
    from tweetclf.social import TweetFiles

__all__ = [
    "add_arguments",
    "add_file_arguments",
    "add_tweet_arguments",
    "detector_of",
    "run",
    "tweets_of",
]

_SIZES = {"train": 16_000, "dev": 2_000, "test": 2_000}


def _two(text: str) -> int:
    return integer(text, 2)


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which tweets are read, and the folder that is written."""
    parser.add_argument(
        "tweets", nargs="+", metavar="FILE", help="tweets (CSV, TSV, JSON Lines, .gz)"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts")
    parser.add_argument("--id", metavar="COLUMN", help="column of the ids")
    parser.add_argument(
        "--language", metavar="COLUMN", help="column of the languages (lang, language)"
    )
    add_reading_arguments(parser)
    add_bad_rows_argument(parser)


def add_tweet_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which tweets are read, and how their languages are known."""
    add_file_arguments(parser)
    parser.add_argument(
        "--detector",
        metavar="FILE",
        help="fastText model that tells the language where no column does",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="CODE",
        help="a language to take; may be given several times (all)",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="seed (0)")


def tweets_of(args: argparse.Namespace) -> TweetFiles:
    """Return the tweets that the options name."""
    from tweetclf.social import TweetFiles

    return TweetFiles(
        args.tweets,
        text=args.text,
        id=args.id,
        language=args.language,
        encoding=args.encoding,
        quoted=not args.no_quotes,
        max_bad_rows=args.max_bad_rows,
    )


def detector_of(args: argparse.Namespace) -> Any:
    """Return what tells languages, if a model is given."""
    from tweetclf.social import fasttext_detector

    return None if args.detector is None else fasttext_detector(args.detector)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social hashtags``."""
    add_tweet_arguments(parser)
    parser.add_argument(
        "--hashtags", type=_two, default=500, metavar="N", help="a language (500)"
    )
    for name, size in _SIZES.items():
        parser.add_argument(
            f"--{name}", type=positive, default=size, metavar="N", help=f"({size})"
        )
    parser.add_argument(
        "--min-rows",
        type=positive,
        default=100,
        metavar="N",
        help="leave languages with fewer texts out (100)",
    )
    parser.add_argument(
        "--corpus",
        action="append",
        default=[],
        metavar="FILE|NAME",
        help="texts that models were pre-trained on: count what shares 50 characters",
    )
    parser.add_argument(
        "--drop-contaminated", action="store_true", help="leave such texts out"
    )


def _corpus(names: list[str]) -> Any:
    from tweetclf.tasks.corpora import stream_corpus

    if not names:
        return None
    return (text for name in names for text in stream_corpus(name))


def run(args: argparse.Namespace) -> int:
    """Build the sets and print their sizes."""
    from tweetclf.social import build_hashtag_set

    check_output(args.out)
    tweets = tweets_of(args)
    report = build_hashtag_set(
        tweets,
        args.out,
        n_hashtags=args.hashtags,
        sizes={name: getattr(args, name) for name in _SIZES},
        min_rows=args.min_rows,
        detect=detector_of(args),
        languages=args.only,
        corpus=_corpus(args.corpus),
        drop_contaminated=args.drop_contaminated,
        seed=args.seed,
    )
    print_table(
        ["language", *_SIZES, "hashtags", "in the corpus"],
        [
            [
                one.language,
                *(f"{one.n_rows[name]:,}" for name in _SIZES),
                f"{len(one.hashtags):,}",
                f"{sum(one.contaminated.values()):,}" if args.corpus else "",
            ]
            for one in report.sets
        ],
        right=(1, 2, 3, 4, 5),
    )
    note_bad_rows(tweets.bad_rows.total, tweets.bad_rows.examples)
    if report.n_unusable_codes:
        note(
            f"{report.n_unusable_codes:,} tweets with hashtags name a language that is "
            'no code; it was detected, or is "und"'
        )
    if report.left_out:
        left = ", ".join(f"{code} ({n:,})" for code, n in report.left_out.items())
        note(f"left out, with fewer than {args.min_rows:,} texts: {left}")
    note(f"{len(report.sets)} sets in {args.out}; its README.md is the data card")
    return 0
