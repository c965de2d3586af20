"""Systems against each other: verdicts in words, and the numbers behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tweetclf.leaderboard.boards import Contrast, TaskBoard
from tweetclf.leaderboard.statistics import ALPHA
from tweetclf.leaderboard.statistics.verdicts import verdict
from tweetclf.reports.cells import missing, number
from tweetclf.reports.formatting import (
    format_count,
    format_interval,
    format_p,
    format_score,
    plural,
)
from tweetclf.reports.model import (
    Block,
    Cell,
    Column,
    Listing,
    Paragraph,
    Row,
    Spans,
    Table,
    name,
    spans,
    strong,
)
from tweetclf.reports.ranked import DAGGER
from tweetclf.reports.wording import MetricWords, best_entries, noun_of

__all__ = ["contrast_blocks", "verdict_spans"]

# More statements than these are closed at first.
_MANY = 8
# Stand for the names while a verdict is written; no name holds them.
_FIRST, _SECOND = "\ue000", "\ue001"
_PLACES = re.compile(f"([{_FIRST}{_SECOND}])")


def verdict_spans(
    contrast: Contrast, words: MetricWords, *known: str, noun: str = "tweet"
) -> Spans:
    """Return the verdict of a comparison, with its names kept apart from the text.

    Names stand out, save those that are `known` from the heading.
    """
    comparison = contrast.comparison
    unnamed = replace(comparison, names=(_FIRST, _SECOND), metric=words.short)
    said = verdict(unnamed, noun)
    names = {
        sign: name(system) if system in known else strong(system)
        for sign, system in zip((_FIRST, _SECOND), comparison.names, strict=True)
    }
    return spans(*(names.get(part, part) for part in _PLACES.split(said) if part))


def _text(parts: Spans) -> str:
    return "".join(part.text for part in parts)


def _tweets(value: float | None) -> Cell:
    """Return the cell of a number of tweets, which with several runs is a mean."""
    if value is None:
        return missing("numbers are not right or wrong")
    nearest = round(value)
    if abs(value - nearest) < 1e-6:
        return Cell(nearest, format_count(nearest))
    return Cell(value, f"{value:,.1f}")


def _columns(words: MetricWords) -> tuple[Column, ...]:
    return (
        Column("pair", "Systems"),
        Column("first", "First", data_only=True),
        Column("second", "Second", data_only=True),
        Column("verdict", "Verdict", data_only=True),
        Column(
            "difference",
            "Difference",
            "right",
            "score",
            hint=f"{words.short} of the first minus that of the second",
        ),
        Column("interval", "95 % interval", "center"),
        Column("low", "Interval low", "right", "score", data_only=True),
        Column("high", "Interval high", "right", "score", data_only=True),
        Column("p_adjusted", "p", "right", "p", hint="adjusted after Holm"),
        Column("family", "adjusted over", hint="the family of comparisons"),
        Column("family_size", "Comparisons", "right", "count", data_only=True),
        Column("p_value", "p, not adjusted", "right", "p", data_only=True),
        Column(
            "fixed",
            "Fixed",
            "right",
            "count",
            hint="tweets that the second gets wrong and the first right",
        ),
        Column(
            "broken",
            "Broken",
            "right",
            "count",
            hint="tweets that the second gets right and the first wrong",
        ),
        Column(
            "n_different", "Predicted differently", "right", "count", data_only=True
        ),
        Column(
            "detectable",
            "Detectable",
            "right",
            "score",
            hint="difference that these tweets would show with a probability of 80 %",
        ),
        Column("standard_error", "Standard error", "right", "score", data_only=True),
    )


_UNDEFINED = "a score is not defined"


def _row(
    contrast: Contrast, words: MetricWords, family: str, marked: bool, noun: str
) -> Row:
    c = contrast.comparison
    low, high = c.interval
    said = _text(verdict_spans(contrast, words, noun=noun))
    pair = f"{c.names[0]} vs. {c.names[1]}"
    tied = marked and _tied(contrast)
    family_text = f"{c.family_size} {family}"
    return Row(
        (
            Cell(pair, pair, mark=DAGGER if tied else ""),
            Cell(c.names[0], c.names[0]),
            Cell(c.names[1], c.names[1]),
            Cell(said, said),
            number(c.difference, format_score, _UNDEFINED),
            Cell(None, format_interval(low, high)),
            number(low, format_score, _UNDEFINED),
            number(high, format_score, _UNDEFINED),
            number(c.p_adjusted, format_p, "not tested"),
            Cell(family_text, family_text),
            Cell(c.family_size, format_count(c.family_size)),
            number(c.p_value, format_p, "not tested"),
            _tweets(contrast.n_fixed),
            _tweets(contrast.n_broken),
            Cell(c.n_different, format_count(c.n_different)),
            number(c.detectable, format_score, _UNDEFINED),
            number(c.standard_error, format_score, _UNDEFINED),
        ),
        "data",
    )


def _tied(contrast: Contrast) -> bool:
    p = contrast.comparison.p_adjusted
    return p is not None and p >= ALPHA


def _notes(
    board: TaskBoard, words: MetricWords, shown: Sequence[Contrast]
) -> tuple[Spans, ...]:
    n_resamples = format_count(shown[0].comparison.n_resamples)
    notes = [
        spans(
            f"Differences are of {words.short}, the first system minus the second, on "
            f"the {n_resamples} resamples of the scores' own intervals. Each interval "
            "is for its own pair; p is adjusted after Holm for its family. So an "
            "interval may leave 0 out where p is above 0.05. A point is 0.01."
        ),
        spans(
            f"Detectable is the true difference that these {noun_of(board)}s would "
            "show with a probability of 80 %, at the strictest step of Holm's "
            "procedure."
        ),
    ]
    if any(_tied(contrast) for contrast in shown):
        notes.append(spans(f"{DAGGER} Cannot be told apart from the best."))
    if shown[0].n_fixed is not None:
        several = any(len(e.records) > 1 for e in board.entries)
        mean = ", mean over pairs of runs" if several else ""
        notes.append(
            spans(
                f"Fixed are the {noun_of(board)}s that the second system gets wrong "
                f"and the first right{mean}; broken are those the other way round."
            )
        )
    return tuple(notes)


def _coverage(board: TaskBoard) -> Paragraph | None:
    """Say what comparisons of cross-validated systems cover; else nothing."""
    if board.split != "cv":
        return None
    folds = sorted({run.spec.way.n_folds for e in board.entries for run in e.records})
    models = f"the {' or '.join(map(str, folds))} models" if folds else "the models"
    return Paragraph(
        spans(
            "What the comparisons below cover: the pooled out-of-fold predictions of "
            f"{models} of each system, held fixed, on other "
            f"{noun_of(board)}s of this sort. They "
            "say nothing about training again on other data (the models of different "
            "folds share most of theirs), nor about a model trained on all of it."
        )
    )


def contrast_blocks(board: TaskBoard, words: MetricWords, key: str) -> list[Block]:
    """Return the comparisons of a task: in words, then as a table.

    Parameters
    ----------
    board : TaskBoard
        The task.
    words : MetricWords
        Its metric.
    key : str
        Key of the table.

    Returns
    -------
    list of blocks
        Empty where there is nothing to compare.
    """
    if not board.contrasts or not best_entries(board):
        return []
    blocks: list[Block] = []
    coverage = _coverage(board)
    if coverage is not None:
        blocks.append(coverage)
    n = len(board.contrasts)
    noun = noun_of(board)
    best = board.contrasts[0].comparison.names[0]
    blocks.append(
        Listing(
            "The best against "
            + (f"each of the {n} other systems" if n > 1 else "the other system"),
            tuple(verdict_spans(c, words, best, noun=noun) for c in board.contrasts),
            folded=n > _MANY,
        )
    )
    if board.neighbours:
        pairs = plural(len(board.neighbours), "pair")
        blocks.append(
            Listing(
                f"Below the best: {pairs} of neighbours",
                tuple(verdict_spans(c, words, noun=noun) for c in board.neighbours),
                folded=True,
            )
        )
    rows = [_row(c, words, "against the best", True, noun) for c in board.contrasts]
    rows += [_row(c, words, "of neighbours", False, noun) for c in board.neighbours]
    what = f"{best} against the others"
    if board.neighbours:
        what += ", and neighbours"
    blocks.append(
        Table(
            key,
            f"Differences on {board.facts.name}: {what}",
            _columns(words),
            tuple(rows),
            _notes(board, words, board.contrasts),
            folded=True,
            header_column="pair",
        )
    )
    return blocks
