r"""Predict engagements from texts: systems side by side, language by language.

SET is what "tweetclf social engagements" wrote. Each system turns posts into vectors
that are not trained further; HITS@10 among 1 + 999 test posts, median of six runs, as
in Tables 1 and 6 of TwHIN-BERT, whose rows stand beside. Users' vectors are learnt from
the training engagements of the set, or taken from an embedding of yours. Finished runs
are stored and reused; a call that was killed goes on where it stopped.

examples:
  tweetclf social evaluate engagements
  tweetclf social evaluate engagements --system tfidf --system twhin-bert-base
  tweetclf social evaluate engagements --system mine=transformer --param mine.model=DIR
  tweetclf social evaluate engagements --config benchmarks/social/table1.toml
  tweetclf social evaluate engagements --users embedding --graph graph \
    --salt-file secret
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._data import add_parameter_argument, seed
from tweetclf.cli._output import (
    UsageError,
    note,
    print_json,
    print_table,
    warnings_as_notes,
)
from tweetclf.cli._running import positive, progress_bar
from tweetclf.cli._social_engagements import read_salt
from tweetclf.cli._tables import check_folder, command_line
from tweetclf.cli.leaderboard import add_report_arguments

if TYPE_CHECKING:
    from tweetclf.leaderboard.engagements import (
        EngagementBoard,
        EngagementDefinition,
        EngagementRecord,
        EngagementRun,
        EngagementStore,
        LanguagePart,
        UserVectors,
    )
    from tweetclf.social import EngagementSet
    from tweetclf.tasks.published import PublishedResult

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf social evaluate``."""
    parser.add_argument(
        "set", metavar="SET", nargs="?", help='of "tweetclf social engagements"'
    )
    parser.add_argument(
        "--systems", action="store_true", help="list the text systems, and end"
    )
    what = parser.add_argument_group("what to run")
    what.add_argument("--config", metavar="FILE", help="definition in TOML")
    what.add_argument(
        "--system",
        action="append",
        metavar="NAME",
        help="a text system, or OWN=NAME: one under a name of your own; may be "
        "repeated (random, popularity and tfidf)",
    )
    add_parameter_argument(what)
    what.add_argument(
        "--only",
        action="append",
        metavar="CODE",
        help="a language to take; may be given several times (all)",
    )
    what.add_argument(
        "--runs", type=positive, metavar="N", help="runs, of which the median (6)"
    )
    what.add_argument(
        "--candidates",
        type=positive,
        metavar="N",
        help="other posts that an engagement's post is ranked among (999)",
    )
    users = parser.add_argument_group("vectors of users")
    users.add_argument(
        "--dim",
        type=positive,
        metavar="N",
        help="dimensions, where they are learnt from the set (256)",
    )
    users.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="epochs, where they are learnt from the set (10)",
    )
    users.add_argument(
        "--seed",
        type=seed,
        metavar="N",
        help="seed, where they are learnt from the set (0)",
    )
    users.add_argument(
        "--users", metavar="DIR", help="an embedding to take them from, instead"
    )
    users.add_argument("--graph", metavar="DIR", help="the graph that was embedded")
    users.add_argument(
        "--salt-file", metavar="FILE", help="secret behind the pseudonyms of the set"
    )
    add_report_arguments(parser.add_argument_group("report"))  # type: ignore[arg-type]


def _definition(args: argparse.Namespace) -> EngagementDefinition:
    """Join the configuration file and the options; options win."""
    from tweetclf.leaderboard.engagements import (
        EngagementDefinition,
        read_engagement_definition,
    )
    from tweetclf.leaderboard.given import parse_parameters

    found = (
        read_engagement_definition(args.config)
        if args.config
        else EngagementDefinition()
    )
    changes: dict[str, Any] = {}
    if args.system:
        changes["systems"] = tuple(dict.fromkeys(args.system))
    if args.only:
        changes["languages"] = tuple(dict.fromkeys(args.only))
    if args.param:
        given = parse_parameters(args.param)
        changes["params"] = {
            name: {**found.params.get(name, {}), **given.get(name, {})}
            for name in {**found.params, **given}
        }
    if args.title:
        changes["title"] = args.title
    if args.resamples:
        changes["n_resamples"] = args.resamples
    protocol = found.protocol
    if args.runs:
        protocol = replace(protocol, n_runs=args.runs)
    if args.candidates:
        protocol = replace(protocol, n_candidates=args.candidates)
    groups = [name for name in args.only or () if name in found.groups]
    if groups:
        raise UsageError(
            f"--only {groups[0]}: that is a group; name its languages: "
            + " ".join(f"--only {one}" for one in found.groups[groups[0]])
        )
    try:
        return replace(found, protocol=protocol, **changes)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _list_systems() -> int:
    from tweetclf.leaderboard.engagements import TEXT_SYSTEMS

    systems = [TEXT_SYSTEMS.get(name) for name in TEXT_SYSTEMS]
    print_table(
        ["system", "what it is", "source"],
        [[one.name, one.description, one.source] for one in systems],
    )
    return 0


def _user_vectors(args: argparse.Namespace, found: EngagementSet) -> UserVectors:
    from tweetclf.leaderboard.engagements import learn_user_vectors, take_user_vectors
    from tweetclf.social import EngagementGraph, TwHINEmbedding

    if not args.users:
        note("embedding users by the training engagements of the set ...")
        return learn_user_vectors(
            found,
            dim=args.dim or 256,
            max_iter=args.epochs or 10,
            seed=args.seed or 0,
            folder=Path(args.store, "engagement-users"),
        )
    return take_user_vectors(
        found,
        TwHINEmbedding.load(args.users),
        EngagementGraph.open(args.graph),
        read_salt(args.salt_file),
    )


def _check(args: argparse.Namespace) -> None:
    if args.set is None:
        raise UsageError("name the SET, or list the systems with --systems")
    together = [args.users, args.graph, args.salt_file]
    if any(together) and not all(together):
        raise UsageError("--users, --graph and --salt-file go together")
    if args.users:
        for option in ("dim", "epochs", "seed"):
            if getattr(args, option) is not None:
                raise UsageError(
                    f"--{option} is of vectors that are learnt from the set; leave it "
                    "out, or leave out --users"
                )
        read_salt(args.salt_file)
    check_folder("--store", args.store)
    check_folder("--output", args.output, report=True)


def run(args: argparse.Namespace) -> int:
    """Run, store, compare, and write the report."""
    if args.systems:
        return _list_systems()
    _check(args)
    from tweetclf.leaderboard.engagements import (
        TEXT_SYSTEMS,
        EngagementStore,
        language_parts,
        run_engagements,
    )
    from tweetclf.leaderboard.given import choose_systems
    from tweetclf.social import read_engagement_set
    from tweetclf.tasks.by_language import present_groups

    definition = _definition(args)
    systems = choose_systems(
        definition.systems, definition.params, registry=TEXT_SYSTEMS
    )
    found = read_engagement_set(args.set)
    users = _user_vectors(args, found)
    parts, left_out = language_parts(
        found, users, languages=definition.languages or None
    )
    for language, reason in left_out:
        note(f"skipped {language}: {reason}")
    if not parts:
        note("no language can be evaluated.")
        return 1
    # A group that is called as a language is refused before anything is run.
    present_groups(definition.groups, (part.language for part in parts))
    store = EngagementStore(args.store)
    told: set[Any] = set()
    try:
        with progress_bar() as bar, warnings_as_notes():
            outcome = run_engagements(
                parts,
                systems,
                store,
                protocol=definition.protocol,
                on_record=lambda *given: _show(bar, told, *given),
            )
    except KeyboardInterrupt:
        if args.debug:
            raise
        note(
            "tweetclf social evaluate: interrupted; finished runs are stored, and the "
            "same command goes on from there."
        )
        return 130
    return _conclude(args, definition, parts, store, outcome, users, left_out)


def _show(
    bar: Any, told: set[Any], record: EngagementRecord, done: int, total: int
) -> None:
    """Move the bar; say an error once, and not for every language."""
    spec = record.spec
    if record.status == "failed":
        if (spec.system, record.error) not in told:
            note(f"failed: {spec.system} in {spec.language}: {record.error}")
        told.add((spec.system, record.error))
    elif bar is not None:
        bar(f"{spec.language} {spec.system} {record.score:.3f}", done, total)


def _conclude(
    args: argparse.Namespace,
    definition: EngagementDefinition,
    parts: list[LanguagePart],
    store: EngagementStore,
    outcome: EngagementRun,
    users: UserVectors,
    left_out: list[tuple[str, str]],
) -> int:
    """Compare, write and print what came out; return the exit code."""
    from tweetclf.leaderboard.engagements import build_engagement_board
    from tweetclf.reports import make_engagement_report, render, write_report
    from tweetclf.reports.publish import choose_formats
    from tweetclf.tasks import read_published

    for system, reason in outcome.skipped:
        note(f"skipped {system}: {reason}")
    if outcome.n_reused:
        note(f"{outcome.n_reused} of {len(outcome.records)} runs were stored before")
    board = build_engagement_board(
        parts,
        outcome.records,
        store,
        protocol=definition.protocol,
        groups=definition.groups,
        n_resamples=definition.n_resamples,
        damaged=outcome.damaged,
    )
    _warn(board, definition.n_resamples, users.n_seen)
    published = [] if args.no_published else read_published()
    if args.published:
        published += read_published(args.published)
    report = make_engagement_report(
        board,
        title=definition.title,
        published=published,
        skipped=[*outcome.skipped, *left_out],
        facts=[f"Vectors of users: {users.source}."],
        n_seen=users.n_seen,
        command=command_line(args.argv),
    )
    paths = write_report(report, args.output, formats=choose_formats(args.format))
    if args.json:
        print_json(json.loads(render(report, "json")))
    else:
        _print_board(board, published if args.published is not None else ())
        for path in paths:
            print(path)
    sound = board.systems and not outcome.failed and not board.damaged
    return 0 if sound else 1


def _warn(board: EngagementBoard, n_asked: int, n_seen: int) -> None:
    """Say on the console what the report says of scores to be read with care."""
    from tweetclf.reports.engagements import engagement_cautions

    for what in board.damaged:
        note(f"left out: {what}")
    for caution in engagement_cautions(board, n_seen):
        note("warning: " + "".join(span.text for span in caution))
    if board.n_resamples > n_asked:
        note(
            f"{board.n_resamples} resamples are drawn, not {n_asked}: with fewer no "
            "difference between so many pairs of systems could be found"
        )


def _published_rows(
    board: EngagementBoard, published: Iterable[PublishedResult], groups: list[str]
) -> list[list[str]]:
    from tweetclf.leaderboard.engagements.board import ALL
    from tweetclf.reports.by_language import average_key, published_scores
    from tweetclf.reports.engagements import DATASET

    quoted = published_scores(published, DATASET, board.languages, groups=board.groups)
    rows = []
    for system, cells in quoted.rows if quoted else ():
        found = [cells.get(average_key(one)) for one in (ALL, *groups)]
        first, *others = [cell.text if cell else "" for cell in found]
        rows.append([f"{system} (published)", first, "", *others])
    return rows


def _print_board(
    board: EngagementBoard, published: Iterable[PublishedResult] = ()
) -> None:
    """Print averages with intervals."""
    from tweetclf.leaderboard.engagements.board import ALL

    groups = list(board.groups) if len(board.languages) > 1 else []
    rows = []
    for system in board.systems:
        own = board.scores[system]
        score = own.get(ALL)
        known = [own.get(column) for column in groups]
        rows.append(
            [
                system + (" =" if score and score.tied and not score.best else ""),
                f"{score.median:.4f}" if score else "",
                f"[{score.low:.4f}, {score.high:.4f}]" if score else "",
                *(f"{one.median:.4f}" if one else "" for one in known),
            ]
        )
    rows += _published_rows(board, published, groups)
    n = len(board.languages)
    print(
        f"HITS@{board.protocol.k}, median of {board.protocol.n_runs} runs, {n} "
        f"language{'s' if n > 1 else ''}"
    )
    right = range(3, 3 + len(groups))
    print_table(["system", "all", "95 % interval", *groups], rows, right=(1, *right))
    if any("=" in row[0][-2:] for row in rows):
        print(
            "= not told apart from the best (bootstrap over posts and runs, Holm, 5 %)"
        )
    print()
