"""Put the texts of similar posts beside their pairs: what social pre-training reads.

PAIRS is what "tweetclf social pairs" wrote, the files hold the tweets with their ids,
as the graph names them. Pairs of which a post has no text are left out and counted.

examples:
  tweetclf social corpus pairs tweets.jsonl.gz --graph graph --out corpus
  tweetclf pretrain social twhin-tiny --corpus corpus --out twhin
"""

from __future__ import annotations

import argparse

from tweetclf.cli._output import UsageError, check_output, note
from tweetclf.cli._social_graph import note_bad_rows
from tweetclf.cli._social_hashtags import add_file_arguments, tweets_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social corpus``."""
    parser.add_argument("pairs", metavar="PAIRS", help='of "tweetclf social pairs"')
    add_file_arguments(parser)
    parser.add_argument(
        "--graph", required=True, metavar="DIR", help="graph that was embedded"
    )


def run(args: argparse.Namespace) -> int:
    """Write the corpus, and say how many pairs are in it."""
    from tweetclf.social import EngagementGraph, SimilarPairs, write_pair_corpus

    check_output(args.out)
    pairs, graph = SimilarPairs.open(args.pairs), EngagementGraph.open(args.graph)
    if pairs.n_posts != graph.n_posts:
        raise UsageError(
            f"{args.pairs} is of {pairs.n_posts:,} posts and {args.graph} has "
            f"{graph.n_posts:,}; give the graph that was embedded"
        )
    first, second, _ = pairs.unordered()
    tweets = tweets_of(args)
    report = write_pair_corpus(first, second, graph.post_ids, tweets, args.out)
    print(f"tweets         {report.n_tweets:,}")
    print(f"pairs          {report.n_pairs:,}")
    print(f"without texts  {report.n_without_text:,}")
    note_bad_rows(tweets.bad_rows.total, tweets.bad_rows.examples)
    note(f"corpus saved in {args.out}")
    return 0
