"""Find pairs of posts that are near each other in the embedding of a graph.

The folder that is written holds a binary table (pairs.bin) and how it was made
(pairs.json); with --graph also pairs.tsv, by the ids of the posts. With --texts, pairs
of which one text nearly repeats the other are left out. A run that was stopped goes on
where it was when it is started again.

examples:
  tweetclf social pairs embedding --out pairs
  tweetclf social pairs embedding --graph graph --k 5 --mutual --out pairs
  tweetclf social pairs embedding --graph graph --texts tweets.jsonl --id tweet --out p
  tweetclf social pairs embedding --index "IVF1024,Flat" --probes 64 --out pairs
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tweetclf.cli._data import seed
from tweetclf.cli._output import (
    UsageError,
    check_output,
    note,
    print_json,
    warnings_as_notes,
)
from tweetclf.cli._running import positive, progress_bar

if TYPE_CHECKING:
    from tweetclf.social import EngagementGraph, SimilarPairs

__all__ = ["add_arguments", "run"]


def _cosine(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 2.0
    if not -1 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be from -1 to 1, got {text!r}")
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social pairs``."""
    parser.add_argument(
        "embedding", metavar="EMBEDDING", help='of "tweetclf social embed"'
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--graph", metavar="DIR", help="its graph, for the ids of the posts"
    )
    parser.add_argument(
        "--k", type=positive, default=10, metavar="N", help="neighbours a post (10)"
    )
    parser.add_argument(
        "--index",
        default="auto",
        metavar="NAME",
        help='"exact", "paper", a FAISS factory string, or what fits the size (auto)',
    )
    parser.add_argument(
        "--probes", type=positive, metavar="N", help="lists of the index to look into"
    )
    which = parser.add_argument_group("which pairs")
    which.add_argument(
        "--mutual", action="store_true", help="neighbours of each other only"
    )
    which.add_argument(
        "--min-similarity", type=_cosine, metavar="COSINE", help="least cosine"
    )
    which.add_argument(
        "--texts", metavar="FILE", help="CSV, TSV, JSON Lines or Parquet of the texts"
    )
    which.add_argument(
        "--text", default="text", metavar="COLUMN", help="column of the texts (text)"
    )
    which.add_argument(
        "--id", default="id", metavar="COLUMN", help="column of the post ids (id)"
    )
    which.add_argument(
        "--near-duplicates",
        type=_cosine,
        default=0.7,
        metavar="SHARE",
        help="similarity from which on texts are near duplicates (0.7)",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="seed (0)")
    parser.add_argument("--json", action="store_true", help="print how they were made")


def _texts(args: argparse.Namespace, graph: EngagementGraph) -> list[str]:
    """Return the text of each post; an empty one where the file has none."""
    from tweetclf.exceptions import DataError
    from tweetclf.tasks.tables import read_table

    table = read_table(Path(args.texts))
    ids = [str(value) for value in table.column(args.id, "--id")]
    values = table.column(args.text, "--text")
    texts = [""] * graph.n_posts
    places = graph.post_ids.find(ids)
    for place, value in zip(places.tolist(), values, strict=True):
        if place >= 0:
            texts[place] = str(value)
    if not any(texts):
        raise DataError(
            f"{args.texts}: no {args.id!r} is the id of a post of {args.graph}."
        )
    missing = sum(not text for text in texts)
    if missing:
        note(f"{missing:,} posts have no text; they are compared with none")
    return texts


def _mine(args: argparse.Namespace, graph: EngagementGraph | None) -> SimilarPairs:
    from tweetclf.social import TwHINEmbedding, mine_similar_pairs

    model = TwHINEmbedding.load(args.embedding)
    n_posts = len(model.post_vectors_)
    if graph is not None and graph.n_posts != n_posts:
        raise UsageError(
            f"{args.embedding} is of {n_posts:,} posts and {args.graph} has "
            f"{graph.n_posts:,}; give the graph that was embedded"
        )
    if args.k >= n_posts:
        note(f"there are only {n_posts - 1:,} others to be neighbours of a post")
    texts = _texts(args, graph) if args.texts and graph is not None else None
    done = 0
    with progress_bar() as show, warnings_as_notes():

        def report(new: int, total: int) -> None:
            nonlocal done
            done += new
            if show is not None:
                show("posts", done, total)

        try:
            return mine_similar_pairs(
                model.post_vectors_,
                args.out,
                k=args.k,
                index=args.index,
                n_probes=args.probes,
                mutual=args.mutual,
                min_similarity=args.min_similarity,
                texts=texts,
                near_duplicates=args.near_duplicates,
                random_state=args.seed,
                report=report,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    """Mine, and say how many pairs there are and how many the index misses."""
    if args.texts and not args.graph:
        raise UsageError("--texts needs --graph, which knows the ids of the posts")
    check_output(args.out)
    graph = None
    if args.graph:
        from tweetclf.social import EngagementGraph

        graph = EngagementGraph.open(args.graph)
    try:
        pairs = _mine(args, graph)
    except KeyboardInterrupt:
        if args.debug:
            raise
        work = Path(args.out).with_name(f"{Path(args.out).name}.mining")
        rest = (
            f"what was found is in {work}, and the same command goes on from there."
            if work.exists()
            else "nothing was found yet, so nothing is kept."
        )
        note(f"tweetclf social pairs: interrupted; {rest}")
        return 130
    if graph is not None:
        pairs.to_tsv(Path(args.out) / "pairs.tsv", graph.post_ids)
    recall = pairs.manifest["recall"]
    if args.json:
        print_json(pairs.manifest)
    else:
        print(f"pairs    {len(pairs):,}")
        print(f"posts    {pairs.n_posts:,}")
        print(f"index    {pairs.manifest['index']}")
        print(f"recall   {'not measured' if recall is None else f'{recall:.4f}'}")
    note(f"pairs saved in {args.out}")
    return 0
