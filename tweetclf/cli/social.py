"""Engagement graphs: who engaged with which post, their embedding, similar posts.

examples:
  tweetclf social graph likes.tsv.gz --out graph
  tweetclf social embed graph --test 0.05 --out embedding
  tweetclf social pairs embedding --graph graph --out pairs
  tweetclf social corpus pairs tweets.jsonl.gz --graph graph --out corpus
  tweetclf social evaluate engagements --system tfidf --system twhin-bert-base

Each step has its own options: "tweetclf social embed --help".
"""

from __future__ import annotations

import argparse

from tweetclf.cli._subcommands import add_subcommands

__all__ = ["add_arguments", "run"]

# Step -> what it makes; tweetclf/cli/_social_STEP.py has its options.
STEPS = {
    "graph": "an engagement graph from logs of any size",
    "embed": "vectors of users and posts from a graph",
    "pairs": "pairs of posts whose vectors are near each other",
    "corpus": "the texts of such pairs, for tweetclf pretrain social",
    "hashtags": "sets for hashtag prediction from raw tweets",
    "engagements": "a set for engagement prediction, users under pseudonyms",
    "evaluate": "text systems on such a set, language by language, with a report",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social``."""
    add_subcommands(parser, "social", STEPS, metavar="STEP")


def run(args: argparse.Namespace) -> int:
    """Make one step."""
    code: int = args.run_kind(args)
    return code
