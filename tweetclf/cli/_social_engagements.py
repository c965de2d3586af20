r"""Build a set for engagement prediction: posts, and who engaged with them.

Users become pseudonyms, by a secret that is drawn and forgotten; with --salt-file a
secret of yours gives the same ones again. Posts are cut into train, dev and test, and
engagements follow them. Engagements are what "tweetclf social graph" wrote.

examples:
  tweetclf social engagements tweets.jsonl.gz --graph graph --out engagements
  tweetclf social engagements tweets.csv --graph graph --salt-file secret --out set
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tweetclf.cli._output import UsageError, check_output, note, print_table
from tweetclf.cli._running import positive
from tweetclf.cli._social_graph import note_bad_rows
from tweetclf.cli._social_hashtags import add_tweet_arguments, detector_of, tweets_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social engagements``."""
    add_tweet_arguments(parser)
    parser.add_argument(
        "--graph", required=True, metavar="DIR", help="folder of the graph"
    )
    parser.add_argument(
        "--posts", type=positive, default=10_000, metavar="N", help="a language (10000)"
    )
    parser.add_argument(
        "--salt-file", metavar="FILE", help="secret behind the pseudonyms, as bytes"
    )


class _Engagements:
    """User and post of each edge of a graph, as often as they are asked for."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    def __iter__(self) -> Iterator[tuple[str, str]]:
        graph = self.graph
        for user, post in zip(graph.users, graph.posts, strict=True):
            yield graph.user_ids[int(user)], graph.post_ids[int(post)]


def read_salt(path: str) -> bytes:
    """Read the secret behind pseudonyms, or say why it is none."""
    try:
        salt = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"--salt-file {path}: {error.strerror}") from error
    if len(salt) < 16:
        raise UsageError(
            f"--salt-file {path} holds {len(salt)} bytes; a secret that nobody can "
            "guess has 16 at least"
        )
    return salt


def run(args: argparse.Namespace) -> int:
    """Build the set and print its sizes."""
    from tweetclf.social import EngagementGraph, build_engagement_set

    check_output(args.out)
    salt = None if args.salt_file is None else read_salt(args.salt_file)
    tweets = tweets_of(args)
    report = build_engagement_set(
        tweets,
        _Engagements(EngagementGraph.open(args.graph)),
        args.out,
        salt=salt,
        n_posts=args.posts,
        detect=detector_of(args),
        languages=args.only,
        seed=args.seed,
    )
    print_table(
        ["split", "posts", "engagements"],
        [
            [name, f"{n:,}", f"{report.n_records[name]:,}"]
            for name, n in report.n_posts.items()
        ],
        right=(1, 2),
    )
    note_bad_rows(tweets.bad_rows.total, tweets.bad_rows.examples)
    note(
        f"{report.n_users:,} users, under pseudonyms; left out: "
        f"{report.n_without_engagement:,} posts that nobody engaged with, "
        f"{report.n_without_text:,} engagements with posts that have no text"
    )
    note(f"saved in {args.out}; its README.md is the data card")
    return 0
