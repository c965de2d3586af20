"""Sentences: what a table says, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tweetclf.leaderboard.ranking import Entry, TaskBoard
from tweetclf.reports.cells import comparable
from tweetclf.reports.formatting import (
    finite,
    format_interval,
    format_score,
    plural,
)
from tweetclf.reports.model import Span, code, name, spans, strong

__all__ = ["MetricWords", "best_entries", "join", "metric_words", "tied_entries"]

Spans = tuple[Span, ...]

_FORMULAS = {
    "f1": "F1",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "mcc": "Matthews correlation",
    "kappa": "weighted kappa",
    "exact_match": "exact match",
    "jaccard": "Jaccard index",
    "rmse": "RMSE",
    "mae": "MAE",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
}
_AVERAGES = {"macro": "macro ", "micro": "micro ", "weighted": "weighted "}


@dataclass(frozen=True)
class MetricWords:
    """A metric's name for people.

    Parameters
    ----------
    short : str
        For the head of a column: "F1 of irony".
    signature : str
        Full signature, which settles every option.
    greater_is_better : bool
        Direction.
    """

    short: str
    signature: str
    greater_is_better: bool

    @property
    def direction(self) -> str:
        """Which scores are better, in words."""
        return f"{'higher' if self.greater_is_better else 'lower'} is better"

    @property
    def arrow(self) -> str:
        """Arrow that points at better scores."""
        return "\N{UPWARDS ARROW}" if self.greater_is_better else "\N{DOWNWARDS ARROW}"


def metric_words(signature: str, greater_is_better: bool = True) -> MetricWords:
    """Put a metric's signature into words.

    Parameters
    ----------
    signature : str
        As of :meth:`tweetclf.tasks.Metric.signature`; one of an unknown formula is
        taken as it is.
    greater_is_better : bool, default=True
        Direction of the metric.

    Examples
    --------
    >>> from tweetclf.reports.wording import metric_words
    >>> metric_words("f1|average:binary|pos:irony|zero:0|v1").short
    'F1 of irony'
    >>> metric_words("f1|average:macro|zero:0|v1").short
    'macro F1'
    """
    formula, *parts = signature.split("|")
    options = dict(part.split(":", 1) for part in parts if ":" in part)
    base = _FORMULAS.get(formula)
    if base is None:
        return MetricWords(formula or "score", signature, greater_is_better)
    text = _AVERAGES.get(options.get("average", ""), "") + base
    if "over" in options:
        text = f"mean {base} of {join(options['over'].split('+'))}"
    elif options.get("average") == "binary" and "pos" in options:
        text = f"{base} of {options['pos']}"
    if options.get("bits") == "mean":
        text = f"mean {text}"
    return MetricWords(text, signature, greater_is_better)


def join(words: Sequence[str]) -> str:
    """Join words as in a sentence: "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def join_names(names: Sequence[str], most: int = 5) -> Spans:
    """Join names as in a sentence; of many, only the first are given."""
    shown = list(names) if len(names) <= most else list(names[: most - 1])
    parts: list[str | Span] = []
    for position, item in enumerate(shown):
        last = position == len(names) - 1
        if position:
            parts.append(" and " if last else ", ")
        parts.append(name(item))
    if len(shown) < len(names):
        parts.append(f" and {len(names) - len(shown)} more")
    return spans(*parts)


def best_entries(board: TaskBoard) -> list[Entry]:
    """Return the entries of rank 1 that have a score."""
    return [e for e in board.entries if e.rank == 1 and finite(e.score) is not None]


def tied_entries(board: TaskBoard, n_resamples: int) -> list[Entry]:
    """Return the entries below the best that cannot be told apart from it.

    Without resamples nothing was tested, and nothing is said to be tied.
    """
    if not n_resamples or not best_entries(board):
        return []
    return [e for e in board.entries if e.rank > 1 and e.tied]


def noun_of(board: TaskBoard) -> str:
    """Return what is classified in a task: "tweet" or "pair"."""
    return "pair" if board.facts.kind == "pair" else "tweet"


def where_scored(board: TaskBoard) -> str:
    """Say what was scored: "784 test tweets"."""
    what = noun_of(board)
    if board.split == "cv":
        return plural(board.n_scored, what)
    return plural(board.n_scored, f"{board.split} {what}")


def verdict(board: TaskBoard, words: MetricWords, n_resamples: int) -> Spans:
    """Say in a sentence or two who is best, and whether that is more than chance."""
    best = best_entries(board)
    if not board.entries:
        return spans("No system finished on this task.")
    if not best:
        return spans(
            "No system has a defined score: the metric is not defined for their "
            "predictions."
        )
    score = f"{words.short} {format_score(best[0].score)}"
    interval = format_interval(best[0].low, best[0].high)
    if finite(best[0].low) is not None:
        score += f" (95 % interval {interval})"
    scored = where_scored(board)
    if len(board.entries) == 1:
        return spans(
            strong(best[0].system),
            f" has {score} on {scored}; no other system finished, so there is nothing "
            "to compare it with.",
        )
    head = spans(strong(best[0].system), f" is best with {score}")
    if len(best) > 1:
        head = spans(
            join_names([e.system for e in best]), f" are best with the same {score}"
        )
    tied = tied_entries(board, n_resamples)
    below = [
        e
        for e in board.entries
        if e.rank > 1 and e not in tied and finite(e.score) is not None
    ]
    if not n_resamples:
        return spans(head, f" on {scored}; no differences were tested.")
    if not tied and not below:
        return spans(head, f" on {scored}.")
    if not tied:
        others = "the other system" if len(below) == 1 else "all other systems"
        return spans(
            head,
            f"; for these runs, on these {scored}, its lead over {others} is more than "
            "chance explains.",
        )
    told = spans(
        head,
        "; ",
        join_names([e.system for e in tied]),
        f" cannot be told apart from it, for these runs, on these {scored}.",
    )
    if not below:
        return told
    rest = "The other system is" if len(below) == 1 else "All others are"
    return spans(told, f" {rest} worse by more than chance explains.")


def published_sentence(board: TaskBoard, words: MetricWords) -> Spans:
    """Name the best published result that compares; nothing if there is none."""
    results = [r for r in board.published if comparable(board, r)]
    if not results:
        return ()
    pick = max if words.greater_is_better else min
    best = pick(results, key=lambda result: result.score)
    return spans(
        " The best published result is that of ",
        name(best.system),
        f", {format_score(best.score)}.",
    )


def signature_note(words: MetricWords) -> Spans:
    """State the metric in full."""
    return spans(
        f"Scores are {words.short} ({words.direction}), in full ",
        code(words.signature),
        ".",
    )
