"""The dropouts of AWD models: whole words, whole sequences, weights.

Merity, Keskar and Socher (2018), Regularizing and Optimizing LSTM Language Models,
ICLR, arXiv:1708.02182, sections 2 and 4.1-4.3. All scale what they keep by
``1 / (1 - p)``, draw from torch's generator and do nothing in evaluation.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "AWDDropout",
    "EmbeddingDropout",
    "VariationalDropout",
    "WeightDropout",
    "check_probability",
]


def check_probability(owner: str, name: str, value: float) -> float:
    """Return `value`, which must lie in [0, 1).

    Parameters
    ----------
    owner, name : str
        Class and parameter, named in the error.
    value : float
        A dropout probability.

    Returns
    -------
    float
        The same.
    """
    if not 0.0 <= value < 1.0:
        raise ValueError(
            f"{owner}: the {name!r} parameter must be at least 0 and less than 1. Got "
            f"{value!r} instead."
        )
    return float(value)


@dataclass(frozen=True)
class AWDDropout:
    """Probabilities of the five dropouts of an AWD model.

    The defaults are those of fastai's language model on QRNNs; `for_classifier` gives
    those of its classifier.

    Parameters
    ----------
    output : float, default=0.1
        Of the encoder's output before the decoder or, pooled, before the head.
    hidden : float, default=0.15
        Between recurrent layers.
    input : float, default=0.25
        Of the embeddings that enter the first layer.
    embedding : float, default=0.02
        Of whole rows of the embedding table.
    weight : float, default=0.2
        Of elements of each layer's weight matrix.

    Examples
    --------
    >>> from tweetclf.modules import AWDDropout
    >>> AWDDropout.for_classifier().times(0.5).output
    0.2
    """

    # fastai 1.0.52, text/models/awd_lstm.py: awd_lstm_lm_config
    output: float = 0.1
    hidden: float = 0.15
    input: float = 0.25
    embedding: float = 0.02
    weight: float = 0.2

    @classmethod
    def for_classifier(cls) -> AWDDropout:
        """Return the base values of fastai's classifier (awd_lstm_clas_config)."""
        return cls(output=0.4, hidden=0.3, input=0.4, embedding=0.05, weight=0.5)

    def times(self, factor: float) -> AWDDropout:
        """Return all probabilities times `factor`: fastai's ``drop_mult``."""
        return AWDDropout(*(factor * value for value in astuple(self)))


class EmbeddingDropout(nn.Embedding):
    """An embedding that leaves out whole words: all their occurrences in a batch.

    The same as dropping rows of the table, but only the rows in use are touched.

    Parameters
    ----------
    num_embeddings : int
        Words in the vocabulary.
    embedding_dim : int
        Width of a row.
    p : float, default=0.0
        Probability that a word is left out.
    padding_idx : int, optional
        Row that gets no gradient from here.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        p: float = 0.0,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx=padding_idx)
        self.p = check_probability("EmbeddingDropout", "p", p)

    def forward(self, ids: Tensor) -> Tensor:
        """Look the rows of `ids` up: (...) int64 -> (..., embedding_dim)."""
        rows = super().forward(ids)
        if not self.training or self.p == 0.0:
            return rows
        kept = rows.new_empty(self.num_embeddings).bernoulli_(1.0 - self.p)
        kept /= 1.0 - self.p
        return rows * kept[ids].unsqueeze(-1)


class VariationalDropout(nn.Module):
    """Dropout with one mask for all time steps of a sequence.

    Gal and Ghahramani (2016), arXiv:1512.05287; "locked" in AWD-LSTM's code,
    RNNDropout in fastai.

    Parameters
    ----------
    p : float
        Probability that a unit is left out.
    time_dim : int, default=0
        Dimension of the time, along which the mask is constant.
    """

    def __init__(self, p: float, time_dim: int = 0) -> None:
        super().__init__()
        self.p = check_probability("VariationalDropout", "p", p)
        self.time_dim = time_dim

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, of any shape with a dimension of time, with units left out."""
        if not self.training or self.p == 0.0:
            return x
        shape = list(x.shape)
        shape[self.time_dim] = 1
        mask = x.new_empty(shape).bernoulli_(1.0 - self.p).div_(1.0 - self.p)
        return x * mask

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return f"p={self.p}"


class WeightDropout(nn.Module):
    """Dropout of the elements of a weight matrix (DropConnect), one mask a call.

    The matrix itself stays the only parameter: fastai keeps a second copy of it, and
    counts it twice.

    Parameters
    ----------
    p : float
        Probability that an element is left out.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = check_probability("WeightDropout", "weight_dropout", p)

    def forward(self, weight: Tensor) -> Tensor:
        """Return `weight`, of any shape, with elements left out."""
        return functional.dropout(weight, self.p, self.training) if self.p else weight

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return f"p={self.p}"
