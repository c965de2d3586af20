"""Answers to questions: their form, and how well one equals another."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tweetclf.exceptions import DataError

__all__ = ["Answer", "answer_f1", "exact_match", "read_answers"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Answer(NamedTuple):
    """A part of a context.

    Parameters
    ----------
    text : str
        The answer; empty where the context holds none.
    start : int
        Place of its first character in the context; -1 where there is none.
    score : float
        Sum of the model's numbers for its first and last token.
    """

    text: str
    start: int
    score: float


def normalized(text: str, unit: str) -> str:
    """Return an answer as SQuAD's scorer compares it.

    In lower case, without punctuation and blanks that say nothing; without English
    articles where answers are compared by words.
    """
    text = text.lower().translate(_PUNCTUATION)
    if unit == "word":
        text = _ARTICLES.sub(" ", text)
    return " ".join(text.split())


def _parts(text: str, unit: str) -> list[str]:
    text = normalized(text, unit)
    return text.split() if unit == "word" else list(text.replace(" ", ""))


def exact_match(found: str, expected: Sequence[str], unit: str = "word") -> float:
    """Return 1.0 if an answer equals one of those expected, else 0.0.

    Examples
    --------
    >>> exact_match("The cat.", ["a cat", "dog"])
    1.0
    """
    mine = normalized(found, unit)
    return float(any(mine == normalized(text, unit) for text in expected))


def answer_f1(found: str, expected: Sequence[str], unit: str = "word") -> float:
    """Return the F1 of the words or characters, the best over those expected.

    Examples
    --------
    >>> round(answer_f1("black cat", ["the cat"]), 4)
    0.6667
    """
    return max(_f1(_parts(found, unit), _parts(text, unit)) for text in expected)


def _f1(mine: list[str], theirs: list[str]) -> float:
    if not mine or not theirs:
        return float(mine == theirs)
    n_shared = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * n_shared / (len(mine) + len(theirs))


def read_answers(
    y: Any, contexts: Sequence[str], *, caller: str
) -> list[tuple[tuple[int, str], ...]]:
    """Return the right answers of each context, as (start, text); none: empty.

    Parameters
    ----------
    y : sequence
        Of each row ``(start, text)``, a list of them, SQuAD's
        ``{"text": [...], "answer_start": [...]}``, or None where there is no answer.
    contexts : sequence of str
        Where the answers stand.
    caller : str
        Name of the estimator, for messages.

    Returns
    -------
    list of tuple
        One a row.

    Raises
    ------
    DataError
        If an answer is of another form, or does not stand where it is said to.
    """
    if y is None or not hasattr(y, "__len__"):
        raise DataError(f"{caller} requires y to be passed: the answers of each row.")
    rows = list(y)
    if len(rows) != len(contexts):
        raise DataError(
            f"{caller} got {len(contexts)} texts and {len(rows)} values of y; there "
            "must be one a text."
        )
    return [
        _read_row(row, context, f"{caller}: y[{index}]")
        for index, (row, context) in enumerate(zip(rows, contexts, strict=True))
    ]


def _read_row(row: Any, context: str, where: str) -> tuple[tuple[int, str], ...]:
    if row is None:
        return ()
    if isinstance(row, Mapping):
        pairs: Any = list(zip(row["answer_start"], row["text"], strict=True))
    elif isinstance(row, tuple) and len(row) == 2 and isinstance(row[1], str):
        pairs = [row]
    elif isinstance(row, list | tuple):
        pairs = list(row)
    else:
        raise DataError(
            f"{where} is a {type(row).__name__}. Give (start, text), a list of them, or "
            "None where there is no answer."
        )
    answers = []
    for pair in pairs:
        start, text = int(pair[0]), str(pair[1])
        if not text or context[start : start + len(text)] != text:
            raise DataError(
                f"{where} is {text[:40]!r} at character {start}, where the context has "
                f"{context[max(start, 0) : max(start, 0) + len(text)][:40]!r}."
            )
        answers.append((start, text))
    return tuple(answers)
