"""How the numbers were made: protocol, hardware, versions, command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tweetclf.leaderboard.ranking import Leaderboard, TaskBoard
from tweetclf.leaderboard.records import RunRecord
from tweetclf.reports.cells import text_cell
from tweetclf.reports.formatting import format_bytes, format_count, plural
from tweetclf.reports.model import (
    Block,
    Cell,
    Code,
    Column,
    Heading,
    Paragraph,
    Row,
    Section,
    Span,
    Spans,
    Table,
    spans,
)
from tweetclf.reports.remarks import all_records
from tweetclf.reports.wording import join, join_names

__all__ = ["environment_table", "protocol_sentence", "provenance_section"]


def _whose(board: TaskBoard, picked: Sequence[RunRecord], n_runs: int) -> Spans:
    """Name the systems of some runs: " of a and b"; nothing if they are all."""
    if len(picked) == n_runs:
        return ()
    names = dict.fromkeys(board.label(run) for run in picked)
    return spans(" of ", join_names(list(names), most=12))


def _folds_clause(board: TaskBoard, runs: Sequence[RunRecord]) -> Spans:
    """Say with how many folds: "5-fold", or "3-fold (a) and 5-fold (b)"."""
    counts = sorted({run.spec.way.n_folds for run in runs})
    if len(counts) == 1:
        return spans(f"{counts[0]}-fold")
    parts: list[str | Span | Spans] = []
    for count in counts:
        names = [board.label(run) for run in runs if run.spec.way.n_folds == count]
        parts += [
            " and " if parts else "",
            f"{count}-fold (",
            join_names(list(dict.fromkeys(names)), most=12),
            ")",
        ]
    return spans(*parts)


def protocol_sentence(board: TaskBoard) -> Spans:
    """Say how the systems of a board were trained and scored.

    Where they differ, those that something is true of are named.
    """
    runs = all_records([board])
    if not runs:
        return ()
    selected = [run for run in runs if run.spec.way.grid]
    joined = [run for run in runs if run.spec.way.refit_on_dev]
    folded = board.split == "cv"
    parts: list[str | Span | Spans] = ["Trained on train"]
    if folded:
        parts = [
            "Out-of-fold predictions of ",
            _folds_clause(board, runs),
            " cross-validation over all labelled tweets outside test",
        ]
    if selected:
        how = "within each fold" if folded else "on dev by the official metric"
        whose = _whose(board, selected, len(runs))
        parts += ["; settings", whose, f" selected {how}"]
    if joined:
        whose = _whose(board, joined, len(runs))
        models = spans("; the models", whose) if whose else spans("; then")
        parts += [models, " trained again on train and dev together"]
    parts.append("." if folded else "; test scored once a run.")
    return spans(*parts)


def _hardware_rows(records: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """Fact -> its values over all records, the most frequent first."""
    facts: dict[str, Counter[str]] = {}

    def count(fact: str, value: str) -> None:
        facts.setdefault(fact, Counter())[value] += 1

    for record in records:
        found = record.environment
        if "cpu" in found:
            count("Processor", str(found["cpu"]))
        if "cores" in found:
            count("Cores", format_count(found["cores"]))
        if "memory_bytes" in found:
            count("Memory", format_bytes(found["memory_bytes"]))
        if "system" in found:
            count("System", str(found["system"]))
        for package, version in found.get("versions", {}).items():
            count(package, str(version))
    return [
        (fact, [value for value, _ in values.most_common()])
        for fact, values in facts.items()
    ]


def environment_table(records: Sequence[RunRecord]) -> Table | None:
    """Return hardware and versions of runs, if any are recorded."""
    rows = _hardware_rows(records)
    if not rows:
        return None
    return Table(
        "environment",
        "Hardware and versions",
        (Column("fact", "What"), Column("value", "Value")),
        tuple(
            Row((Cell(fact, fact), text_cell("; ".join(values))), "data")
            for fact, values in rows
        ),
        header_column="fact",
    )


def provenance_section(leaderboard: Leaderboard, command: str | None) -> Section:
    """Return the last section: method, machine and command."""
    records = all_records(leaderboard.boards)
    blocks: list[Block] = []
    if leaderboard.n_resamples:
        blocks.append(
            Paragraph(
                spans(
                    f"Intervals and tests rest on {leaderboard.n_resamples:,} paired "
                    "bootstrap resamples of the stored predictions (percentile "
                    "intervals, Efron & Tibshirani 1993). They describe the tweets "
                    "that were sampled and the runs at hand; they say nothing about "
                    "other topics, times or users. Each system is compared with the "
                    "best one and with its neighbours; the p-values of each of these "
                    "families are adjusted by Holm's method (1979), and never below "
                    "what an exchange test of so many differing predictions could "
                    "give. The adjustment takes the best one as given, though it was "
                    "found on these same tweets: among many equally good systems a "
                    "false difference is more likely than 5 %."
                )
            )
        )
    blocks.append(
        Paragraph(
            spans(
                "Fit is the time of the final training (under cross-validation, of "
                "all folds together), without the selection of settings; memory is "
                "the growth of the process\u2019s peak resident memory during the run; "
                "model is the size of the pickled model; "
                "1 MB is 1,000,000 bytes."
            )
        )
    )
    table = environment_table(records)
    if table is not None:
        blocks.append(table)
        cpus = {str(r.environment.get("cpu")) for r in records if r.environment}
        if len(cpus) > 1:
            blocks.append(
                Paragraph(
                    spans(
                        f"The runs come from {plural(len(cpus), 'machine type')}: "
                        "their times are not comparable with each other."
                    )
                )
            )
    if command:
        blocks += [Heading("To reproduce"), Code(command)]
    return Section("method", "How these numbers were made", tuple(blocks))


def sizes_sentence(board: TaskBoard) -> str:
    """State the sizes of the splits: "train 2,862, dev 955, test 784"."""
    order = {"train": 0, "dev": 1, "test": 2}
    known = [(s, n) for s, n in board.facts.sizes.items() if s != "cv"]
    known.sort(key=lambda pair: (order.get(pair[0], 3), pair[0]))
    return join([f"{split} {format_count(n)}" for split, n in known])
