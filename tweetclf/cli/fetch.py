"""Download a public dataset into the data folder, checked by sha256.

Files that are already there and whole are not downloaded again; a file appears whole or
not at all.
"""

from __future__ import annotations

import argparse
import sys

from tweetclf.cli._output import note

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf fetch``."""
    parser.add_argument("dataset", metavar="DATASET", help='e.g. "tweeteval"')
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where to (TWEETCLF_DATA, else the user's cache)",
    )
    parser.add_argument(
        "--base-url", metavar="URL", help="a mirror with the same files"
    )


def run(args: argparse.Namespace) -> int:
    """Download."""
    from tweetclf.tasks import fetch

    folder = fetch(
        args.dataset,
        data_dir=args.data_dir,
        base_url=args.base_url,
        progress=sys.stderr.isatty(),
    )
    note(f"{args.dataset} is in {folder}")
    return 0
