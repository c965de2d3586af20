"""Pairs of systems over tasks: Wilcoxon with Holm, and Bayesian signed ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tweetclf.reports.formatting import format_p, plural
from tweetclf.reports.model import (
    Block,
    Cell,
    Column,
    Paragraph,
    Row,
    Spans,
    Table,
    spans,
)
from tweetclf.reports.wording import name
from tweetclf.utils.random import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tweetclf.leaderboard.statistics import ManyTasks, SignedRank

__all__ = ["ROPE", "pair_blocks", "practical_blocks"]

ROPE = 0.01
"""Half the region of practical equivalence: one point of the official metric."""

# Of more pairs than these the table tells, and not the sentence.
_MOST_PAIRS = 10


def pair_blocks(result: ManyTasks, key: str) -> list[Block]:
    """Return what Wilcoxon's tests say of the pairs of systems.

    Parameters
    ----------
    result : ManyTasks
        The systems over the tasks.
    key : str
        What the key of the table starts with.

    Returns
    -------
    list of Block
        The verdict, and the p-values of all pairs where Friedman's test found that
        there is something to compare.
    """
    said = f"{_verdict(result)}{_least(result)}"
    if result.friedman_p >= result.alpha:
        return [Paragraph(spans(said))]
    return [
        Paragraph(
            spans(
                f"{said} For pairs this is the test to read, as Nemenyi\u2019s verdict "
                "on two systems depends on the others (Benavoli et al. 2016)."
            )
        ),
        _pairs_table(result, key),
    ]


def _verdict(result: ManyTasks) -> str:
    """Return the verdict by Wilcoxon's tests, without a long list of pairs."""
    n_told = sum(p < result.alpha for p in result.holm_p)
    if result.friedman_p >= result.alpha or n_told <= _MOST_PAIRS:
        return f"Pairs by Wilcoxon\u2019s signed-rank test: {result.verdict}"
    return (
        "Pairs by Wilcoxon\u2019s signed-rank test: after Holm "
        f"{n_told} of {plural(len(result.pairs), 'comparison')} tell two systems "
        "apart; the table has them."
    )


def _least(result: ManyTasks) -> str:
    """Say that no pair can be told apart, where there are too few tasks for it."""
    # All differences of one sign have this p-value in the exact test.
    least = 2.0 ** (1 - result.n_tasks)
    adjusted = min(1.0, least * len(result.pairs))
    if adjusted < result.alpha:
        return ""
    under = (
        "under 6 tasks it cannot fall below 0.05"
        if least >= result.alpha
        else f"after Holm it cannot fall below {format_p(adjusted)}"
    )
    return (
        f" Over {plural(result.n_tasks, 'task')} the p-value of Wilcoxon\u2019s exact "
        f"test is at least {format_p(least)} ({under}), so no pair can be told apart."
    )


def _pairs_table(result: ManyTasks, key: str) -> Table:
    rows = tuple(
        Row(
            (Cell(a, a), Cell(b, b), Cell(p, format_p(p)), Cell(q, format_p(q))), "data"
        )
        for (a, b), p, q in zip(
            result.pairs, result.wilcoxon_p, result.holm_p, strict=True
        )
    )
    return Table(
        f"{key}-pairs",
        f"Pairs of systems over {plural(result.n_tasks, 'task')}",
        (
            Column("system", "System"),
            Column("other", "Other"),
            Column("wilcoxon_p", "p (Wilcoxon)", "right", "p"),
            Column("holm_p", "p after Holm", "right", "p"),
        ),
        rows,
        folded=True,
        header_column="system",
    )


def practical_blocks(
    table: NDArray[np.float64], systems: tuple[str, ...], key: str
) -> list[Block]:
    """Return how likely the best system is practically better than each other one.

    Parameters
    ----------
    table : ndarray of shape (n_tasks, n_systems)
        Scores, of which higher ones are better; the best system first.
    systems : tuple of str
        Names of the systems, the best two first.
    key : str
        What the key of the table starts with.

    Returns
    -------
    list of Block
        The posterior shares of the best two in words, and those of all in a table.
    """
    from tweetclf.leaderboard.statistics import bayesian_signed_rank

    best, *others = systems
    found = [
        bayesian_signed_rank(
            table[:, 0],
            table[:, place],
            rope=ROPE,
            rng=stream(0, "signed rank", best, other),
        )
        for place, other in enumerate(others, start=1)
    ]
    said = _shares_said(best, others[0], found[0], len(table))
    return [Paragraph(said), _shares_table(best, others, found, key)]


def _shares_said(best: str, second: str, found: SignedRank, n_tasks: int) -> Spans:
    better, same, worse = (f"{100 * share:.1f} %" for share in found)
    return spans(
        f"The best two over {plural(n_tasks, 'task')} by the Bayesian signed-rank test "
        "(Benavoli et al. 2017): that ",
        name(best),
        " is practically better than ",
        name(second),
        f" has probability {better}, that both "
        f"are practically equivalent {same}, and that it is practically worse {worse}. "
        f"The region of practical equivalence is \u00b1{100 * ROPE:g} point of the "
        "official metrics.",
    )


def _shares_table(
    best: str, others: list[str], found: list[SignedRank], key: str
) -> Table:
    rows = tuple(
        Row(
            (
                Cell(other, other),
                *(Cell(share, f"{share:.3f}") for share in shares),
                Cell(ROPE, f"{ROPE:g}"),
            ),
            "data",
        )
        for other, shares in zip(others, found, strict=True)
    )
    return Table(
        f"{key}-practical",
        f"Probability that {best} is practically better, equivalent or worse",
        (
            Column("system", "Than"),
            Column("p_better", "Better", "right", "score"),
            Column("p_equivalent", "Equivalent", "right", "score"),
            Column("p_worse", "Worse", "right", "score"),
            Column("rope", "Region \u00b1", "right", "score", data_only=True),
        ),
        rows,
        folded=True,
        header_column="system",
    )
