"""Questions and contexts as windows of tokens, and answers from their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.estimators._answers import Answer
from tweetclf.exceptions import DataError
from tweetclf.features._encoding import Tokenized

__all__ = ["Window", "best_answers", "make_windows", "span_in", "tokens_of"]


@dataclass(frozen=True)
class Window:
    """A question with a part of its context.

    Parameters
    ----------
    row : int
        Number of the question.
    ids, types : list of int
        Tokens, and their segments.
    first : int
        Place of the context's first token among them.
    offsets : ndarray of int of shape (n, 2)
        Characters of the context that its tokens here stand for.
    """

    row: int
    ids: list[int]
    types: list[int]
    first: int
    offsets: NDArray[np.int64]


def _frame(tokenizer: Any) -> tuple[list[int], list[int], list[int], bool]:
    """Return the special tokens around a pair, and whether segments are told apart."""
    encoding = tokenizer("a", "a", return_special_tokens_mask=True)
    ids, mask = encoding["input_ids"], encoding["special_tokens_mask"]
    text = [i for i, is_special in enumerate(mask) if not is_special]
    inner = [ids[i] for i in range(text[0], text[-1]) if mask[i]]
    told = "token_type_ids" in tokenizer.model_input_names
    return ids[: text[0]], inner, ids[text[-1] + 1 :], told


def _encodable(text: str) -> str:
    # One character for one, so that places stay what they are.
    return text.encode("utf-8", "replace").decode()


def make_windows(
    tokenizer: Any,
    rows: Sequence[tuple[str, str]],
    max_length: int,
    overlap: int,
    caller: str,
) -> list[Window]:
    """Cut contexts that are too long into windows that overlap.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        Must tell the characters that tokens stand for.
    rows : sequence of (str, str)
        Questions and contexts.
    max_length : int
        Most tokens of a window. Questions are cut to half of it.
    overlap : int
        Tokens that a window shares with the next.
    caller : str
        Name of the estimator, for messages.
    """
    if not tokenizer.is_fast:
        raise DataError(
            f"{caller} needs a tokenizer that tells where tokens stand (a "
            f"tokenizer.json); {type(tokenizer).__name__} does not."
        )
    before, between, after, told = _frame(tokenizer)
    windows = []
    for number, (question, context) in enumerate(rows):
        asked = tokenizer(
            _encodable(question), add_special_tokens=False, verbose=False
        )["input_ids"][: max_length // 2]
        encoded = tokenizer(
            _encodable(context),
            add_special_tokens=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        ids = encoded["input_ids"]
        offsets = np.array(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        head = [*before, *asked, *between]
        room = max(1, max_length - len(head) - len(after))
        step = max(1, room - min(overlap, room // 2))
        for start in range(0, max(1, len(ids) - room + step), step):
            part = ids[start : start + room]
            windows.append(
                Window(
                    number,
                    [*head, *part, *after],
                    [0] * len(head) + [int(told)] * (len(part) + len(after)),
                    len(head),
                    offsets[start : start + room],
                )
            )
    return windows


def tokens_of(windows: Sequence[Window], has_types: bool) -> Tokenized:
    """Return the tokens of windows, one window after the other."""
    lengths = np.array([len(w.ids) for w in windows], dtype=np.int64)
    ids = np.array([i for w in windows for i in w.ids], dtype=np.int32)
    types = np.array([i for w in windows for i in w.types], dtype=np.int32)
    special = np.zeros(len(ids), dtype=bool)
    return Tokenized(ids, lengths, special, types if has_types else None, 0)


def span_in(window: Window, start: int, stop: int) -> tuple[int, int]:
    """Return first and last token of the characters, or (0, 0) if not all are there."""
    offsets = window.offsets
    inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < stop))
    if (
        not len(inside)
        or offsets[inside[0], 0] > start
        or offsets[inside[-1], 1] < stop
    ):
        return 0, 0
    return window.first + int(inside[0]), window.first + int(inside[-1])


def best_answers(
    windows: Sequence[Window],
    numbers: Sequence[NDArray[np.float64]],
    context: str,
    *,
    n_best: int,
    max_tokens: int,
    no_answer: bool,
) -> list[Answer]:
    """Return the best answers to a question, the best first.

    Parameters
    ----------
    windows : sequence of Window
        All windows of the question.
    numbers : sequence of ndarray of shape (n_tokens, 2)
        What the model gives for first and last token, a window each.
    context : str
        The whole context.
    n_best : int
        How many.
    max_tokens : int
        Most tokens of an answer.
    no_answer : bool
        Whether "none" (the first token) is an answer.
    """
    found: dict[tuple[int, int], float] = {}
    for window, values in zip(windows, numbers, strict=True):
        n = len(window.offsets)
        first = values[window.first : window.first + n, 0]
        last = values[window.first : window.first + n, 1]
        sums = first[:, None] + last[None, :]  # (first token, last token)
        spans = np.arange(n)[None, :] - np.arange(n)[:, None]
        sums = np.where((spans >= 0) & (spans < max_tokens), sums, -np.inf)
        order = np.argsort(-sums, axis=None, kind="stable")[:n_best]
        for place in order.tolist():
            i, j = divmod(place, n)
            if np.isfinite(sums[i, j]):
                span = int(window.offsets[i, 0]), int(window.offsets[j, 1])
                score = float(sums[i, j])
                found[span] = max(score, found.get(span, -np.inf))
    answers = [
        Answer(context[start:stop], start, score)
        for (start, stop), score in found.items()
        if stop > start
    ]
    if no_answer or not answers:
        # No part of the context may hold the answer: the least sure window decides.
        none = min(float(values[0].sum()) for values in numbers)
        answers.append(Answer("", -1, none))
    answers.sort(key=lambda a: (-a.score, a.start, len(a.text)))
    return answers[:n_best]
