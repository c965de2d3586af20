"""The characters that a tokenizer knows: those that cover most of a corpus."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal

__all__ = ["WORD_START", "Coverage", "covering_alphabet"]

WORD_START = "▁"
"""What stands for the blank before a word; it cannot be a letter as well."""

Coverage = Literal["texts", "characters"]


def covering_alphabet(
    texts: Sequence[str],
    share: float,
    of: Coverage = "texts",
    extra: Iterable[str] = (),
) -> list[str]:
    """Return the fewest, most frequent characters that cover a share of a corpus.

    Parameters
    ----------
    texts : sequence of str
        Texts as the tokenizer will read them.
    share : float
        Share that is to be covered, above 0.
    of : {"texts", "characters"}, default="texts"
        What is covered: texts all of whose characters are known, or characters.
    extra : iterable of str, default=()
        Further characters, whether they occur or not.

    Returns
    -------
    list of str
        The characters in order of their code points; white space is none of them.

    Examples
    --------
    >>> from tweetclf.pretraining._alphabet import covering_alphabet
    >>> covering_alphabet(["aab", "ab", "ac", "a b"], 0.75)
    ['a', 'b']
    >>> covering_alphabet(["aab", "ab", "ac", "a b"], 0.5, "characters", extra="字")
    ['a', '字']
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    known = [c for c in counts if not c.isspace() and c != WORD_START]
    # Equally frequent ones by their code points, so that no order of sets matters.
    known.sort(key=lambda c: (-counts[c], c))
    if of == "characters":
        total = sum(counts[c] for c in known)
        covered = accumulate((counts[c] for c in known), initial=0)
        size = next(k for k, n in enumerate(covered) if n >= share * total)
    else:
        rank = {c: number for number, c in enumerate(known)}
        rarest = sorted(max((rank.get(c, -1) for c in t), default=-1) for t in texts)
        size = rarest[math.ceil(share * len(rarest)) - 1] + 1 if rarest else 0
    return sorted({*known[:size], *(c for c in extra if not c.isspace())})
