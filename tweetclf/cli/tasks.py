"""List the tasks: language, kind, official metric, and whether the data are at hand."""

from __future__ import annotations

import argparse

from tweetclf.cli._output import note, print_json, print_table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf tasks``."""
    parser.add_argument("task", nargs="?", metavar="NAME", help="all about one task")
    parser.add_argument(
        "--language", metavar="CODE", help='only this language, e.g. "es"'
    )
    parser.add_argument(
        "--kind",
        choices=["binary", "multiclass", "multilabel", "regression", "pair"],
        help="only tasks of this kind",
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
