"""Batches of packed sequences: tokens in one row, and the length of each sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.features._encoding import Tokenized

__all__ = ["PackedInputs", "split_packed"]


class PackedInputs:
    """Encoded rows, each of one sequence of tokens or of a fixed number of them.

    Parameters
    ----------
    tokens : Tokenized
        Of all sequences; those of a row are next to each other.
    per_row : int, default=1
        Sequences of each row.

    Attributes
    ----------
    lengths : ndarray of int64 of shape (n_rows,)
        Tokens of each row.
    """

    def __init__(self, tokens: Tokenized, per_row: int = 1) -> None:
        self._tokens = tokens
        self._per_row = per_row
        self.lengths = tokens.lengths.reshape(-1, per_row).sum(axis=1)

    def collate(self, indices: NDArray[np.int64]) -> dict[str, Any]:
        """Return rows as one batch: ``input_ids``, ``lengths``, ``token_type_ids``."""
        within = np.arange(self._per_row)
        chosen = (np.asarray(indices)[:, None] * self._per_row + within).ravel()
        tokens = self._tokens.take(chosen)
        batch: dict[str, Any] = {
            "input_ids": torch.from_numpy(tokens.ids).long(),
            # An array stays on the CPU, where the packed encoder looks at it.
            "lengths": tokens.lengths,
        }
        if tokens.types is not None:
            batch["token_type_ids"] = torch.from_numpy(tokens.types).long()
        return batch


def split_packed(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Halve a packed batch with its ``targets``, for the day memory runs out.

    Examples
    --------
    >>> import torch
    >>> batch = {
    ...     "input_ids": torch.tensor([2, 5, 3, 2, 3]), "lengths": torch.tensor([3, 2]),
    ...     "targets": torch.tensor([1, 0])}
    >>> [half["input_ids"].tolist() for half in split_packed(batch)]
    [[2, 5, 3], [2, 3]]
    """
    n_rows = len(batch["targets"])
    if n_rows < 2:
        return [batch]
    per_row = len(batch["lengths"]) // n_rows
    n_first = (n_rows + 1) // 2
    n_tokens = int(batch["lengths"][: n_first * per_row].sum())
    cuts = {"targets": n_first, "lengths": n_first * per_row}
    halves: list[dict[str, Any]] = [{}, {}]
    for name, values in batch.items():
        cut = cuts.get(name, n_tokens)
        halves[0][name], halves[1][name] = values[:cut], values[cut:]
    return halves
