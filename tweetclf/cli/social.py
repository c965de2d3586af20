"""Engagement graphs: who engaged with which post, their embedding, similar posts.

examples:
  tweetclf social graph likes.tsv.gz --out graph
  tweetclf social embed graph --test 0.05 --out embedding
  tweetclf social pairs embedding --graph graph --out pairs
  tweetclf social corpus pairs tweets.jsonl.gz --graph graph --out corpus

Each step has its own options: "tweetclf social embed --help".
"""

from __future__ import annotations

import argparse
import importlib

__all__ = ["add_arguments", "run"]

# Step -> what it makes; tweetclf/cli/_social_STEP.py has its options.
STEPS = {
    "graph": "an engagement graph from logs of any size",
    "embed": "vectors of users and posts from a graph",
    "pairs": "pairs of posts whose vectors are near each other",
    "corpus": "the texts of such pairs, for tweetclf pretrain social",
    "hashtags": "sets for hashtag prediction from raw tweets",
    "engagements": "a set for engagement prediction, users under pseudonyms",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social``."""
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    for name, text in STEPS.items():
        module = importlib.import_module(f"tweetclf.cli._social_{name}")
        step = steps.add_parser(
            name,
            help=text,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(step)
        # Also accepted behind the step; the command itself has it before.
        step.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show the traceback of an error",
        )
        step.set_defaults(make=module.run)


def run(args: argparse.Namespace) -> int:
    """Make one step."""
    code: int = args.make(args)
    return code
