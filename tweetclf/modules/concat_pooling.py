"""ULMFiT's classifier: last, largest and mean output of an encoder, and a small head.

Howard and Ruder (2018), Universal Language Model Fine-tuning, ACL, P18-1031, section
3.3, as fastai 1.0.52 builds it (text/learner.py: MultiBatchEncoder, masked_concat_pool,
PoolingLinearClassifier).

But:

- Texts are moved to the left of the batch before they are read, so that padding comes
  behind them and pieces of `bptt` words are counted from the first word of each text.
  A text has the same logits whatever stands beside it. fastai reads the padding in
  front of a text as words, and starts the text from the state that leaves.
- A text without a word is pooled to zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tweetclf.modules.awd import AWDEncoder, detach_state
from tweetclf.modules.dropout import check_probability

__all__ = [
    "AWDClassifier",
    "ClassifierOutput",
    "EncodedTexts",
    "PoolingClassifierHead",
    "concat_pool",
]


class EncodedTexts(NamedTuple):
    """The encoder's last layer over whole texts.

    Parameters
    ----------
    hidden : Tensor of shape (batch, time, width)
        Outputs; what stands where `mask` is false means nothing.
    mask : Tensor of shape (batch, time)
        True at words that are pooled.
    """

    hidden: Tensor
    mask: Tensor


class ClassifierOutput(NamedTuple):
    """What `AWDClassifier` returns.

    Parameters
    ----------
    logits : Tensor of shape (batch, n_outputs)
        Of the classes, or predictions of a regression.
    hidden, mask : Tensor
        See `EncodedTexts`; `activation_penalty` takes both.
    """

    logits: Tensor
    hidden: Tensor
    mask: Tensor


def concat_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return [last; maximum; mean] of the outputs at words.

    Parameters
    ----------
    hidden : Tensor of shape (batch, time, width)
        Outputs of an encoder.
    mask : Tensor of shape (batch, time)
        True at words, wherever they stand.

    Returns
    -------
    Tensor of shape (batch, 3 * width)
        Zeros for a text without a word.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import concat_pool
    >>> hidden = torch.tensor([[[1.0], [4.0], [2.5], [9.0]]])
    >>> concat_pool(hidden, torch.tensor([[True, True, True, False]])).tolist()
    [[2.5, 4.0, 2.5]]
    """
    absent = ~mask.unsqueeze(2)  # (B, T, 1)
    empty = ~mask.any(dim=1, keepdim=True)  # (B, 1)
    steps = torch.arange(mask.size(1), device=mask.device)
    last = (steps * mask).argmax(dim=1)  # (B,)
    rows = torch.arange(mask.size(0), device=mask.device)
    means = hidden.masked_fill(absent, 0.0).sum(dim=1)  # (B, D)
    means = means / mask.sum(dim=1, keepdim=True).clamp(min=1)
    largest = hidden.masked_fill(absent, -torch.inf).max(dim=1).values
    pooled = torch.cat([hidden[rows, last], largest, means], dim=1)
    return pooled.masked_fill(empty, 0.0)


class PoolingClassifierHead(nn.Module):
    """Concat pooling, then blocks of batch normalisation, dropout and a linear layer.

    A ReLU stands between the blocks. In training, batch normalisation needs at least
    two texts a batch; fastai leaves a smaller last batch out.

    Parameters
    ----------
    input_size : int
        Width of the encoder's output.
    n_outputs : int
        Classes, or 1 for a regression.
    hidden_sizes : sequence of int, default=(50,)
        Widths between the blocks.
    dropouts : sequence of float, default=(0.4, 0.1)
        One a block, that is one more than `hidden_sizes`.
    """

    def __init__(
        self,
        input_size: int,
        n_outputs: int,
        *,
        hidden_sizes: Sequence[int] = (50,),
        dropouts: Sequence[float] = (0.4, 0.1),
    ) -> None:
        super().__init__()
        if len(dropouts) != len(hidden_sizes) + 1:
            raise ValueError(
                "PoolingClassifierHead: 'dropouts' must have one value more than "
                f"'hidden_sizes'. Got {len(dropouts)} and {len(hidden_sizes)} instead."
            )
        sizes = [3 * input_size, *hidden_sizes, n_outputs]
        blocks: list[nn.Module] = []
        for before, after, p in zip(sizes, sizes[1:], dropouts, strict=False):
            if blocks:
                blocks.append(nn.ReLU())
            blocks += [
                nn.BatchNorm1d(before),
                nn.Dropout(check_probability("PoolingClassifierHead", "dropouts", p)),
                nn.Linear(before, after),
            ]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Classify texts.

        Parameters
        ----------
        hidden, mask : Tensor
            See `concat_pool`.

        Returns
        -------
        Tensor of shape (batch, n_outputs)
            Logits.
        """
        return self.blocks(concat_pool(hidden, mask))


class AWDClassifier(nn.Module):
    """An AWD encoder with a pooling head.

    Parameters
    ----------
    encoder : AWDEncoder
        With the dropouts of the classifier, and usually a language model's weights.
    head : PoolingClassifierHead
        Of the encoder's ``embedding_size``.
    bptt : int or None, default=70
        Words a piece: no gradient crosses from one piece to the one before. None
        reads the whole text as one.
    max_len : int or None, default=1400
        Pieces that begin this many words or more before the end of a text are read
        but not pooled. More than `bptt`. None pools all.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import AWDClassifier, AWDEncoder, PoolingClassifierHead
    >>> encoder = AWDEncoder(50, embedding_size=4, hidden_size=6)
    >>> model = AWDClassifier(encoder, PoolingClassifierHead(4, 2)).eval()
    >>> right, left = torch.tensor([[7, 8, 9, 1, 1]]), torch.tensor([[1, 7, 8, 9]])
    >>> torch.allclose(model(right).logits, model(left).logits, atol=1e-6)
    True
    """

    def __init__(
        self,
        encoder: AWDEncoder,
        head: PoolingClassifierHead,
        *,
        bptt: int | None = 70,
        max_len: int | None = 1400,
    ) -> None:
        super().__init__()
        if bptt is not None and bptt < 1:
            raise ValueError(
                "AWDClassifier: the 'bptt' parameter must be at least 1 or None. Got "
                f"{bptt!r} instead."
            )
        if bptt is not None and max_len is not None and max_len <= bptt:
            raise ValueError(
                "AWDClassifier: the 'max_len' parameter must be more than 'bptt', "
                f"{bptt}. Got {max_len!r} instead: no piece might be pooled."
            )
        self.encoder = encoder
        self.head = head
        self.bptt = bptt
        self.max_len = max_len

    def encode(self, ids: Tensor, mask: Tensor | None = None) -> EncodedTexts:
        """Run the encoder over texts, piece by piece.

        Parameters
        ----------
        ids : Tensor of shape (batch, time)
            int64; padding may stand before, behind and between the words.
        mask : Tensor of shape (batch, time), optional
            True at words; all ids but the encoder's ``pad_id`` if not given.

        Returns
        -------
        EncodedTexts
            With the words of each text at the left.
        """
        if mask is None:
            mask = ids != self.encoder.pad_id
        order = torch.argsort((~mask).to(torch.uint8), dim=1, stable=True)
        ids, mask = ids.gather(1, order), mask.gather(1, order)
        if self.bptt is None or ids.size(1) <= self.bptt:
            return EncodedTexts(self.encoder(ids).raw[-1], mask)
        return self._encode_pieces(ids, mask)

    def _encode_pieces(self, ids: Tensor, mask: Tensor) -> EncodedTexts:
        assert self.bptt is not None
        lengths = mask.sum(dim=1).tolist()
        state, hidden, masks = None, [], []
        for start in range(0, max(1, *lengths), self.bptt):
            pooled = [self._is_pooled(start, length) for length in lengths]
            # What is not pooled gets no gradient: no graph need be kept of it.
            with nullcontext() if any(pooled) else torch.no_grad():
                output = self.encoder(ids[:, start : start + self.bptt], state)
            state = detach_state(output.state)
            if any(pooled):
                chosen = torch.tensor(pooled, device=mask.device).unsqueeze(1)
                hidden.append(output.raw[-1])
                masks.append(mask[:, start : start + self.bptt] & chosen)
        return EncodedTexts(torch.cat(hidden, dim=1), torch.cat(masks, dim=1))

    def _is_pooled(self, start: int, length: int) -> bool:
        # fastai: `if i > (sl - self.max_len)`, here for each text by itself.
        if self.max_len is not None and start <= length - self.max_len:
            return False
        return start < max(1, length)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> ClassifierOutput:
        """Classify texts.

        Parameters
        ----------
        ids, mask : Tensor
            See `encode`.

        Returns
        -------
        ClassifierOutput
            Logits, and what `activation_penalty` needs.
        """
        encoded = self.encode(ids, mask)
        logits = self.head(encoded.hidden, encoded.mask)
        return ClassifierOutput(logits, encoded.hidden, encoded.mask)

    def layer_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters from bottom to top, a group for each rate."""
        groups = self.encoder.layer_groups()
        groups["head"] = list(self.head.parameters())
        return groups
