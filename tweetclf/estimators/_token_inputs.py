"""Batches of padded words; imported when a network over words is fitted or predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["TokenInputs", "TokenRows"]


class TokenRows:
    """The words of texts, by number: numbers of words, or of rows of vectors.

    Parameters
    ----------
    numbers : list of int arrays
        The words of each text.
    vectors : ndarray of float32 of shape (n_vectors, dim), optional
        What the numbers stand for. Without it, the numbers themselves are the input,
        0 being padding.
    """

    def __init__(
        self,
        numbers: Sequence[NDArray[np.int64]],
        vectors: NDArray[np.float32] | None = None,
    ) -> None:
        self.lengths = np.array([len(row) for row in numbers], dtype=np.int64)
        self.flat = (
            np.concatenate(numbers) if len(numbers) else np.empty(0, dtype=np.int64)
        )
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.vectors = vectors

    def padded(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return words and lengths of texts, padded to the longest of them."""
        lengths = self.lengths[indices]
        longest = max(int(lengths.max(initial=0)), 1)
        places = np.arange(longest)
        is_word = places < lengths[:, None]  # (batch, seq)
        numbers = np.zeros(is_word.shape, dtype=np.int64)
        numbers[is_word] = self.flat[(self.starts[indices][:, None] + places)[is_word]]
        if self.vectors is None:
            return torch.from_numpy(numbers), torch.from_numpy(lengths)
        words = np.zeros((*is_word.shape, self.vectors.shape[1]), dtype=np.float32)
        words[is_word] = self.vectors[numbers[is_word]]
        return torch.from_numpy(words), torch.from_numpy(lengths)


class TokenInputs:
    """Encoded texts, or pairs of them, with bags of words if there are any.

    Parameters
    ----------
    sides : list of TokenRows
        The texts; of pairs the first and the second ones.
    bag : sparse matrix, optional
        Bags of words, a row a text.
    """

    def __init__(self, sides: list[TokenRows], bag: Any = None) -> None:
        self.sides = sides
        self.bag = bag
        self.lengths = np.sum([side.lengths for side in sides], axis=0)

    def collate(self, indices: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return the texts as arguments of `BiLSTMNet`."""
        batch = {}
        for suffix, side in zip(("", "_b"), self.sides, strict=False):
            words, lengths = side.padded(indices)
            batch["words" + suffix] = words
            batch["lengths" + suffix] = lengths
        if self.bag is not None:
            bag = self.bag[indices].toarray().astype(np.float32)
            batch["bag"] = torch.from_numpy(bag)
        return batch
