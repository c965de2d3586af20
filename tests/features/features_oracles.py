"""Slow and plain versions of what the library does fast."""

from __future__ import annotations

import numpy as np


def fasttext_hash(data: bytes) -> int:
    """FNV-1a with signed chars, after fastText's description of its hash."""
    state = 2166136261
    for byte in data:
        signed = byte - 256 if byte > 127 else byte
        state = ((state ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return state


def fasttext_ngrams(word: str, minn: int, maxn: int) -> list[str]:
    marked = f"<{word}>"
    found = []
    for start in range(len(marked)):
        for n in range(minn, maxn + 1):
            gram = marked[start : start + n]
            if len(gram) < n or (n == 1 and start in (0, len(marked) - 1)):
                continue
            found.append(gram)
    return found


def sif(token_lists, probability, vector, a, divide):
    """One tweet after another, in double precision."""
    rows = []
    for tokens in token_lists:
        total = np.zeros(len(vector("")), dtype=np.float64)
        weights = []
        for token in tokens:
            weight = a / (a + probability.get(token, 0.0))
            if np.any(vector(token)):
                weights.append(weight)
            total += weight * np.asarray(vector(token), dtype=np.float64)
        divisor = {
            "tokens": len(tokens),
            "nonzero": np.count_nonzero(weights),
            "weights": sum(weights),
        }[divide]
        rows.append(total / divisor if divisor else total)
    return np.array(rows)
