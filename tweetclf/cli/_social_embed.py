"""Embed the users and posts of a graph by who engaged with what (TwHIN).

The defaults are those of the TwHIN-BERT paper where it states them: 256 dimensions, 10
epochs, wrong edges that are drawn uniformly and by prevalence, row-wise Adagrad. With
--test, some edges are held out, and it is measured how well the vectors find them; the
vectors that are written have not seen these edges either.

A run that is interrupted goes on behind its last epoch when it is started again.

examples:
  tweetclf social embed graph --out embedding
  tweetclf social embed graph --test 0.05 --dim 64 --epochs 20 --out embedding
  tweetclf social embed graph --partitions 8 --jobs 8 --on-disk --out embedding
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._data import seed
from tweetclf.cli._output import UsageError, check_output, note, print_json, print_table
from tweetclf.cli._pretraining import checkpoint_of, rate, share
from tweetclf.cli._running import integer, positive, progress_bar
from tweetclf.utils.optional import import_optional

if TYPE_CHECKING:
    from tweetclf.social import Edges, EngagementGraph, TwHINEmbedding

__all__ = ["add_arguments", "run"]

_MOST_TESTED = 10_000


def _count(text: str) -> int:
    return integer(text, 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social embed``."""
    parser.add_argument("graph", metavar="GRAPH", help='of "tweetclf social graph"')
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    how = parser.add_argument_group("training")
    for name, default, kind in (
        ("--dim", 256, positive),
        ("--epochs", 10, positive),
        ("--batch-size", 1000, positive),
        ("--batch-negatives", 50, _count),
        ("--uniform-negatives", 50, _count),
    ):
        how.add_argument(
            name, type=kind, default=default, metavar="N", help=f"({default})"
        )
    how.add_argument(
        "--learning-rate", type=rate, default=0.1, metavar="RATE", help="(0.1)"
    )
    how.add_argument("--weights", action="store_true", help="use the edges' weights")
    how.add_argument("--seed", type=seed, default=0, metavar="N", help="seed (0)")
    where = parser.add_argument_group("where to compute")
    where.add_argument(
        "--partitions",
        type=positive,
        default=1,
        metavar="N",
        help="ranges of users and posts, of which one each is worked on (1)",
    )
    where.add_argument(
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="processes, at most one a partition (1)",
    )
    where.add_argument(
        "--on-disk",
        action="store_true",
        help="keep tables and edges on disk, beside --out",
    )
    where.add_argument("--device", default="cpu", metavar="NAME", help="(cpu)")
    parser.add_argument(
        "--test",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="hold out this share of the pairs of user and post, with all their "
        "actions, and try to predict them (0)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _fit(
    args: argparse.Namespace, graph: EngagementGraph, train: Edges
) -> TwHINEmbedding:
    from tweetclf.social import TwHINEmbedding

    model = TwHINEmbedding(
        dim=args.dim,
        max_iter=args.epochs,
        learning_rate=args.learning_rate,
        batch_size=args.batch_size,
        n_batch_negatives=args.batch_negatives,
        n_uniform_negatives=args.uniform_negatives,
        use_weights=args.weights,
        n_partitions=args.partitions,
        n_jobs=args.jobs,
        device=args.device,
        random_state=args.seed,
    )
    out, done = Path(args.out), 0
    with (
        progress_bar() as show,
        tempfile.TemporaryDirectory(
            dir=out.absolute().parent, prefix=f".{out.name}."
        ) as work,
    ):

        def report(event: dict[str, Any]) -> None:
            nonlocal done
            if event["kind"] == "epoch":
                note(f"epoch {event['epoch'] + 1}: loss {event['loss']:.4f} an edge")
            elif show is not None:
                done += event["n"]
                show("edges", done, len(train) * args.epochs)

        model.fit(
            train,
            n_users=graph.n_users,
            n_posts=graph.n_posts,
            folder=work if args.on_disk else None,
            checkpoint=checkpoint_of(args),
            report=report,
        )
        model.actions_ = graph.actions
        model.save(out)
    return TwHINEmbedding.load(out)


def _compare(
    graph: EngagementGraph, model: TwHINEmbedding, train: Edges, test: Edges
) -> dict[str, Any]:
    """Return link prediction by the vectors, by popularity and by chance."""
    import numpy as np

    from tweetclf.social import popularity_baseline, rank_links

    def chance(some: Edges, candidates: np.ndarray) -> np.ndarray:
        return np.zeros((len(some), len(candidates)))

    if len(test) > _MOST_TESTED:
        test = test.take(np.linspace(0, len(test) - 1, _MOST_TESTED).astype(int))
    popular = popularity_baseline(train, graph.n_posts)
    known = graph.edges()
    scorers = {"popularity": popular, "chance": chance}
    found = {"embedding": model.link_prediction(test, filtered=known)}
    for name, scorer in scorers.items():
        found[name] = rank_links(scorer, test, graph.n_posts, known=known)
    return {name: result.to_dict() for name, result in found.items()}


def _check_device(name: str) -> None:
    """Refuse a device that is not there, before anything is made."""
    if name in ("cpu", "auto"):
        return
    torch = import_optional("torch", extra="neural", caller="tweetclf social embed")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"--device {name} cannot be used: {reason}") from error


def _hold_out(
    args: argparse.Namespace, graph: EngagementGraph
) -> tuple[Edges, Edges | None]:
    """Return the edges to train on, and those to find, if any."""
    if not args.test:
        return graph.edges(), None
    split = graph.assign_splits(0.0, args.test, by="pair", seed=args.seed)
    train, test = graph.edges(split == 0), graph.edges(split == 2)
    if not len(test):
        raise UsageError(
            f"--test {args.test:g} holds out none of {len(graph):,} edges; give a "
            "larger share"
        )
    return train, test


def _print_scores(found: dict[str, Any]) -> None:
    rows = []
    for name, row in found.items():
        values = (row["mrr"], row["hits"][1], row["hits"][10], row["auc"])
        rows.append([name, *(f"{value:.4f}" for value in values)])
    names = ["scores", "MRR", "HITS@1", "HITS@10", "AUC"]
    print_table(names, rows, right=[1, 2, 3, 4])


def run(args: argparse.Namespace) -> int:
    """Train, save, and say how well held-out edges are found."""
    from tweetclf.social import EngagementGraph

    if not (args.batch_negatives or args.uniform_negatives):
        raise UsageError("give --batch-negatives or --uniform-negatives")
    check_output(args.out)
    _check_device(args.device)
    graph = EngagementGraph.open(args.graph)
    train, test = _hold_out(args, graph)
    if args.partitions > min(graph.n_users, graph.n_posts):
        raise UsageError(
            f"--partitions {args.partitions:,} is more than there are users or posts, "
            f"{graph.n_users:,} and {graph.n_posts:,}"
        )
    try:
        model = _fit(args, graph, train)
    except KeyboardInterrupt:
        if args.debug:
            raise
        kept = any(checkpoint_of(args).glob("epoch-*"))
        rest = (
            f"finished epochs are in {checkpoint_of(args)}, and the same command goes "
            "on from there."
            if kept
            else "no epoch was finished, so nothing is kept."
        )
        note(f"tweetclf social embed: interrupted; {rest}")
        return 130
    shutil.rmtree(checkpoint_of(args), ignore_errors=True)
    note(
        f"vectors of {graph.n_users:,} users and {graph.n_posts:,} posts in {args.out}"
    )
    found = {} if test is None else _compare(graph, model, train, test)
    if args.json:
        print_json({"loss_curve": model.loss_curve_, "link_prediction": found})
    elif found:
        _print_scores(found)
    return 0
