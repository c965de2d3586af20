"""A corpus read as one stream of tokens, in pieces, many places at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tweetclf.exceptions import DataError
from tweetclf.utils.random import stream

__all__ = ["TokenStream"]


class TokenStream:
    """The batches of a causal language model (back-propagation through time).

    In each epoch the texts are put into a new order and read as one stream, which is
    cut into rows of equal length. A batch holds the next `bptt` tokens of every row,
    so that row i of a batch goes on where row i of the one before ended. What does
    not fill the rows, fewer tokens than there are rows, is left out.

    Parameters
    ----------
    texts : sequence of ndarray of int32
        Tokens of each text.
    batch_size : int
        Rows. Corpora with fewer than `bptt` tokens a row have fewer rows.
    bptt : int
        Tokens a row in each batch; the last batch of an epoch may be shorter.
    shuffle : bool, default=True
        Put the texts into a new order in each epoch.
    seed : int, default=0
        Of the order.

    Examples
    --------
    >>> import numpy as np
    >>> texts = [np.array([2, 7, 8]), np.array([2, 9])]
    >>> stream = TokenStream(texts, batch_size=1, bptt=2, shuffle=False)
    >>> [batch["ids"].tolist() for batch in stream.epoch(0)]
    [[[2, 7]], [[8, 2]]]
    >>> [batch["following"].tolist() for batch in stream.epoch(0)]
    [[[7, 8]], [[2, 9]]]
    """

    def __init__(
        self,
        texts: Sequence[NDArray[np.int32]],
        *,
        batch_size: int,
        bptt: int,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        self.texts = texts
        self.bptt = bptt
        self.shuffle = shuffle
        self.seed = seed
        n_tokens = sum(map(len, texts))
        if n_tokens < 2:
            raise DataError(
                f"A language model cannot learn from {n_tokens} tokens; give it more "
                "texts."
            )
        self.n_rows = min(batch_size, max(1, (n_tokens - 1) // bptt))
        self.n_steps = (n_tokens - 1) // self.n_rows

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch: the same for all."""
        return -(-self.n_steps // self.bptt)

    def epoch(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        """Yield the batches of an epoch: the same for the same number, always.

        Yields
        ------
        dict of Tensor of int64, of shape (n_rows, bptt)
            ``"ids"``, and as ``"following"`` the token after each.
        """
        order = np.arange(len(self.texts))
        if self.shuffle:
            order = stream(self.seed, "order of texts", epoch).permutation(order)
        flat = np.concatenate([self.texts[i] for i in order.tolist()])
        n_used = self.n_rows * self.n_steps
        shape = (self.n_rows, self.n_steps)
        ids = torch.from_numpy(flat[:n_used].reshape(shape))
        following = torch.from_numpy(flat[1 : n_used + 1].reshape(shape))
        for start in range(0, self.n_steps, self.bptt):
            part = slice(start, start + self.bptt)
            yield {
                "ids": ids[:, part].long(),
                "following": following[:, part].long(),
            }
