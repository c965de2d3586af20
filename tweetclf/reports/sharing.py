"""What the evaluated tweets share with what was trained on, and the scores without."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tweetclf.leaderboard.boards import Shared, TaskBoard, Without
from tweetclf.reports.cells import missing, number
from tweetclf.reports.formatting import (
    finite,
    format_count,
    format_interval,
    format_score,
    plural,
)
from tweetclf.reports.model import (
    Block,
    Cell,
    Column,
    Note,
    Paragraph,
    Row,
    Spans,
    Table,
    spans,
)
from tweetclf.reports.wording import MetricWords, join_names, where_scored

__all__ = ["sharing_blocks"]

_ASIDE = "case, user names, URLs and punctuation aside"
_UNDEFINED = "the metric is not defined for what is left"


def _other_label(board: TaskBoard) -> str:
    if board.facts.kind == "multilabel":
        return "other labels"
    if not board.facts.label_names:
        return "a number more than a standard deviation off"
    return "another label"


def _place(board: TaskBoard, shared: Shared) -> str:
    if board.split == "cv":
        return "another fold"
    return "train or dev" if shared.joined else "train"


def _share(n: int, whole: int) -> str:
    return f"{100 * n / whole:.1f} %"


def _counted(board: TaskBoard, shared: Shared) -> str:
    """Say how many tweets were trained on, at both levels."""
    where, other = _place(board, shared), _other_label(board)
    (same, same_off), (alike, alike_off) = (
        shared.counts["verbatim"],
        shared.counts["normalised"],
    )
    scored = where_scored(board)
    if not alike:
        return f"None of the {scored} stands in {where}, not even with {_ASIDE}."
    if not same:
        return (
            f"None of the {scored} stands verbatim in {where}; with {_ASIDE}, "
            f"{format_count(alike)} do, {format_count(alike_off)} of them with {other} "
            "there."
        )
    said = (
        f"{format_count(same)} of {scored} ({_share(same, board.n_scored)}) "
        f"{'stands' if same == 1 else 'stand'} verbatim in {where}, "
        f"{format_count(same_off)} of them with {other} there"
    )
    if alike == same:
        return f"{said}; with {_ASIDE} there are no more."
    return (
        f"{said}; with {_ASIDE} there are {format_count(alike)}, "
        f"{format_count(alike_off)} of them with {other}."
    )


def _leaders(scores: Mapping[str, float], greater_is_better: bool) -> list[str]:
    """Return the systems with the best defined score; those of equal score together."""
    known = {name: s for name, s in scores.items() if finite(s) is not None}
    if not known:
        return []
    best = max(known.values()) if greater_is_better else min(known.values())
    return [name for name, score in known.items() if score == best]


def _outcome(board: TaskBoard, words: MetricWords, without: Without) -> Spans:
    """Say who is best without those tweets, and with what score."""
    whole = {e.system: e.score for e in board.entries}
    rest = {name: score for name, (score, _, _) in without.scores.items()}
    before = _leaders(whole, words.greater_is_better)
    after = _leaders(rest, words.greater_is_better)
    n = board.n_scored - without.n_left
    head = f"Without {'it' if n == 1 else f'these {format_count(n)}'}, "
    if not after:
        return spans(head, "no score is defined.")
    score = f"{words.short} {format_score(rest[after[0]])}"
    _, low, high = without.scores[after[0]]
    if finite(low) is not None:
        score += f" (95 % interval {format_interval(low, high)})"
    verb = "is" if len(after) == 1 else "are"
    if after != before:
        rest_of = spans(", and no longer ", join_names(before)) if before else spans()
        return spans(
            head, join_names(after), f" {verb} best, with {score}", rest_of, "."
        )
    order = "stays the same" if _order(whole) == _order(rest) else "changes"
    return spans(
        head,
        join_names(after),
        f" {verb} best as before, with {score} instead of "
        f"{format_score(whole[after[0]])}"
        + ("." if len(rest) <= len(after) + 1 else f"; the order below {order}."),
    )


def _order(scores: Mapping[str, float]) -> list[str]:
    """Return the systems by score; those without one last."""
    known = {name: -math.inf if s != s else s for name, s in scores.items()}
    return sorted(known, key=lambda name: (known[name], name))


def _unknown(board: TaskBoard) -> Paragraph:
    """Say that it was not recorded what the tweets share with the training set."""
    if board.split == "cv":
        said = (
            "Equal texts stay in one fold (case and white space aside), so no tweet is "
            "predicted by a model that was trained on its text. Which tweets have the "
            "same words as one in another fold was not recorded."
        )
    else:
        said = (
            f"Which of the {where_scored(board)} stand in train as well was not "
            "recorded with these runs, and the data were not at hand when the report "
            "was made."
        )
    return Paragraph(spans(said))


def _counts_table(board: TaskBoard, shared: Shared, key: str) -> Table:
    where = _place(board, shared)
    rows = []
    for level, (n, off) in shared.counts.items():
        rows.append(
            Row(
                (
                    Cell(level, level),
                    Cell(n, format_count(n)),
                    Cell(board.n_scored, format_count(board.n_scored)),
                    Cell(off, format_count(off)),
                ),
                "data",
            )
        )
    return Table(
        key,
        f"How many of the scored tweets of {board.facts.name} stand in {where}",
        (
            Column("level", "the same"),
            Column("shared", "tweets", "right", "count"),
            Column("of", "of", "right", "count"),
            Column("contradicted", f"with {_other_label(board)}", "right", "count"),
        ),
        tuple(rows),
        (
            spans(
                "Verbatim: the same characters, white space at the ends aside. "
                f"Normalised: the same words and emoji, with {_ASIDE}; it includes "
                "those before."
            ),
        ),
        folded=True,
        header_column="level",
    )


def _level_columns(board: TaskBoard, without: Without) -> list[Column]:
    level, n = without.level, board.n_scored - without.n_left
    score = f"Without {format_count(n)} {level}"
    return [
        Column(f"score_{level}", score, "right", "score"),
        Column(f"interval_{level}", "95 % interval", "center"),
        Column(f"low_{level}", "Interval low", "right", "score", data_only=True),
        Column(f"high_{level}", "Interval high", "right", "score", data_only=True),
        Column(f"rank_{level}", "Rank", "right", "rank"),
    ]


def _rank(score: float, scores: Mapping[str, float], greater_is_better: bool) -> Cell:
    if not math.isfinite(score):
        return missing(_UNDEFINED)
    others = [other for other in scores.values() if math.isfinite(other)]
    ahead = (o > score if greater_is_better else o < score for o in others)
    rank = 1 + sum(ahead)
    return Cell(rank, str(rank))


def _score_cells(
    score: float, low: float, high: float, best: bool
) -> tuple[Cell, Cell, Cell, Cell]:
    return (
        number(score, format_score, _UNDEFINED, bold=best),
        Cell(None, format_interval(low, high)),
        number(low, format_score, _UNDEFINED),
        number(high, format_score, _UNDEFINED),
    )


def _without_table(
    board: TaskBoard, words: MetricWords, shared: Shared, key: str
) -> Table:
    columns = [
        Column("system", "System"),
        Column("score", f"All {format_count(board.n_scored)}", "right", "score"),
        Column("interval", "95 % interval", "center"),
        Column("low", "Interval low", "right", "score", data_only=True),
        Column("high", "Interval high", "right", "score", data_only=True),
    ]
    for without in shared.without:
        columns += _level_columns(board, without)
    better = words.greater_is_better
    best = _leaders({e.system: e.score for e in board.entries}, better)
    rows = []
    for entry in board.entries:
        leads = entry.system in best
        cells = [
            Cell(entry.system, entry.system, leads),
            *_score_cells(entry.score, entry.low, entry.high, leads),
        ]
        for without in shared.without:
            scores = {name: found[0] for name, found in without.scores.items()}
            score, low, high = without.scores[entry.system]
            cells += [
                *_score_cells(
                    score, low, high, entry.system in _leaders(scores, better)
                ),
                _rank(score, scores, better),
            ]
        rows.append(Row(tuple(cells)))
    where = _place(board, shared)
    return Table(
        key,
        f"Scores on {board.facts.name} with and without the tweets that stand in "
        f"{where}",
        tuple(columns),
        tuple(rows),
        (
            spans(
                f"Scores are {words.short} ({words.direction}); intervals rest on "
                f"{format_count(shared.without[0].n_resamples)} bootstrap resamples of "
                "the tweets that are left. The best of each column is bold; "
                "differences without those tweets were not tested."
            ),
        ),
        folded=not shared.counts["verbatim"][0],
        header_column="system",
    )


def sharing_blocks(board: TaskBoard, words: MetricWords, key: str) -> list[Block]:
    """Return what the scored tweets share with what was trained on.

    Parameters
    ----------
    board : TaskBoard
        The task.
    words : MetricWords
        Its metric.
    key : str
        What keys of tables begin with.

    Returns
    -------
    list of blocks
        Empty for a task without finished systems.
    """
    if not board.entries:
        return []
    shared = board.shared
    if shared is None:
        return [_unknown(board)]
    items = [spans(_counted(board, shared))]
    items += [_outcome(board, words, without) for without in shared.without[:1]]
    if shared.n_unknown:
        items.append(
            spans(
                f"{plural(shared.n_unknown, 'run')} of old trained on other tweets; "
                "for these it was not recorded."
            )
        )
    if not shared.counts["normalised"][0]:
        return [Paragraph(spans(" ".join("".join(s.text for s in i) for i in items)))]
    cv = board.split == "cv"
    serious = shared.counts["verbatim"][0] > 0
    title = "Texts in several folds" if cv else "Test tweets that were trained on"
    blocks: list[Block] = [Note("warning" if serious else "info", title, tuple(items))]
    if shared.without:
        blocks.append(_without_table(board, words, shared, f"{key}--without"))
    return [*blocks, _counts_table(board, shared, f"{key}--shared")]
