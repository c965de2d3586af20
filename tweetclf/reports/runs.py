"""Tables beside the ranked one: published results that stand apart, and all runs."""

from __future__ import annotations

from collections.abc import Sequence

from tweetclf.leaderboard.ranking import TaskBoard
from tweetclf.leaderboard.records import RunRecord
from tweetclf.reports.cells import (
    RECONSTRUCTED_NOTE,
    comparable,
    differences,
    number,
    reconstructed,
    reference_text,
    settings,
)
from tweetclf.reports.formatting import (
    format_bytes,
    format_score,
    format_seconds,
)
from tweetclf.reports.model import Cell, Column, Row, Table, spans

__all__ = ["published_apart", "run_table"]


def published_apart(board: TaskBoard, key: str) -> Table | None:
    """Return the published results that may not stand among the scores."""
    apart = [r for r in board.published if not comparable(board, r)]
    if not apart:
        return None
    rows = []
    for result in apart:
        reason, source = "; ".join(differences(board, result)), reference_text(result)
        rows.append(
            Row(
                (
                    Cell(result.system, result.system),
                    number(result.score, format_score, "no score given", muted=True),
                    reconstructed(result),
                    Cell(reason, reason),
                    Cell(source, source),
                ),
                "published",
            )
        )
    return Table(
        key,
        f"Published results on {board.facts.name} that cannot be compared",
        (
            Column("system", "System"),
            Column("score", "Score", "right", "score"),
            Column("interval", "95 % interval", "center"),
            Column("why", "Why it stands apart"),
            Column("reference", "Reference"),
        ),
        tuple(rows),
        (spans(RECONSTRUCTED_NOTE),) if any(r.interval for r in apart) else (),
        header_column="system",
    )


def _runs(board: TaskBoard) -> list[tuple[str, RunRecord]]:
    finished = [(e.system, run) for e in board.entries for run in e.records]
    return finished + [(board.label(run), run) for run in board.failed]


def run_table(board: TaskBoard, key: str) -> Table | None:
    """Return one row a run: what the means above are made of."""
    runs = _runs(board)
    if not runs:
        return None
    metrics: list[tuple[str, str]] = []
    for _, run in runs:
        for split, scores in run.scores.items():
            metrics += [(split, m) for m in scores if (split, m) not in metrics]
    # The official score of the evaluated split comes first.
    metrics.sort(key=lambda pair: (pair[1] != "official", pair[0] != board.split))
    n_folds = max(len(run.fold_scores) for _, run in runs)
    columns = (
        Column("system", "System"),
        Column("seed", "Seed", "right", "count"),
        Column("status", "Status"),
        *(
            Column(f"{split}_{metric}", f"{split} {metric}", "right", "score")
            for split, metric in metrics
        ),
        *(
            Column(f"fold_{i + 1}", f"fold {i + 1}", "right", "score")
            for i in range(n_folds)
        ),
        Column("fit_seconds", "Fit", "right", "seconds"),
        Column("select_seconds", "Selection", "right", "seconds"),
        Column("predict_seconds", "Prediction", "right", "seconds"),
        Column("peak_memory", "Memory", "right", "bytes"),
        Column("model_bytes", "Model", "right", "bytes"),
        Column("n_candidates", "Settings tried", "right", "count"),
        Column("settings", "Selected settings"),
        Column("created", "Finished (UTC)"),
        Column("record", "Record"),
    )
    rows = tuple(_run_row(system, run, metrics, n_folds) for system, run in runs)
    return Table(
        key,
        f"All runs on {board.facts.name}",
        columns,
        rows,
        folded=True,
        header_column="system",
    )


def _run_row(
    system: str, run: RunRecord, metrics: Sequence[tuple[str, str]], n_folds: int
) -> Row:
    cost = run.cost
    folds = [*run.fold_scores, *[None] * (n_folds - len(run.fold_scores))]
    chosen = settings(run.selected)
    why = "the run failed" if run.status != "finished" else "not defined"
    cells = [
        Cell(system, system),
        Cell(run.spec.seed, str(run.spec.seed)),
        Cell(run.status, run.status),
        *(
            number(run.scores.get(split, {}).get(metric), format_score, why)
            for split, metric in metrics
        ),
        *(number(score, format_score, why) for score in folds),
        *(
            number(getattr(cost, key, None), show, "not measured")
            for key, show in (
                ("fit_seconds", format_seconds),
                ("select_seconds", format_seconds),
                ("predict_seconds", format_seconds),
                ("peak_memory", format_bytes),
                ("model_bytes", format_bytes),
            )
        ),
        Cell(len(run.candidates), str(len(run.candidates))),
        Cell(chosen, chosen),
        Cell(run.created, run.created),
        Cell(run.key, run.key),
    ]
    return Row(tuple(cells), "run")
