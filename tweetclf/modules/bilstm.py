"""A bidirectional LSTM over word vectors, beside a bag of words if there is one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["BagBranch", "BiLSTM", "BiLSTMNet", "init_as_keras_", "keras_decay"]


class BiLSTM(nn.Module):
    """Read a sequence in both directions; return the last states side by side.

    Parameters
    ----------
    input_size : int
        Dimensions of a word's vector.
    hidden_size : int
        Units of each direction.
    masked : bool, default=True
        Read every sequence up to its length. If false, padding is read as words are,
        so that a state depends on how far the batch is padded.

    Examples
    --------
    >>> import torch
    >>> lstm = BiLSTM(3, 4)
    >>> lstm(torch.zeros(2, 5, 3), torch.tensor([5, 0])).shape
    torch.Size([2, 8])
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, masked: bool = True
    ) -> None:
        super().__init__()
        self.masked = masked
        self.ahead = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.back = nn.LSTM(input_size, hidden_size, batch_first=True)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return the states after the last word and, backwards, after the first.

        Parameters
        ----------
        vectors : Tensor of shape (batch, seq, input_size)
            Vectors of the words, padded at the end; seq is at least 1.
        lengths : int64 Tensor of shape (batch,)
            How many of them are words. Without any the state is zero.

        Returns
        -------
        Tensor of shape (batch, 2 * hidden_size)
            The forward state, then the backward one.

        Notes
        -----
        Padding comes after the words in both directions, where no state that counts
        sees it. On a CPU that is quicker than packed sequences.
        """
        if not self.masked:
            lengths = torch.full_like(lengths, vectors.shape[1])
        last = (lengths - 1).clamp(min=0)[:, None]  # (batch, 1)
        places = torch.arange(vectors.shape[1], device=vectors.device)
        turned = (last - places).clamp(min=0)[:, :, None]  # (batch, seq, 1)
        backwards = vectors.gather(1, turned.expand_as(vectors))
        states = [
            _state_at(lstm(words)[0], last)
            for lstm, words in ((self.ahead, vectors), (self.back, backwards))
        ]
        return torch.cat(states, dim=1).masked_fill((lengths == 0)[:, None], 0.0)


def _state_at(states: Tensor, places: Tensor) -> Tensor:
    """Return one state a row: (batch, seq, size), (batch, 1) -> (batch, size)."""
    index = places[:, :, None].expand(-1, 1, states.shape[2])
    return states.gather(1, index)[:, 0]


class BagBranch(nn.Sequential):
    """Two dense layers over a bag of words, each followed by dropout.

    Parameters
    ----------
    n_terms : int
        Columns of the bag.
    first_size, size : int
        Units of the layers.
    dropout : tuple of two floats
        Shares of units that are dropped after each of them.
    """

    def __init__(
        self, n_terms: int, first_size: int, size: int, dropout: tuple[float, float]
    ) -> None:
        super().__init__(
            nn.Linear(n_terms, first_size),
            nn.ReLU(),
            nn.Dropout(dropout[0]),
            nn.Linear(first_size, size),
            nn.ReLU(),
            nn.Dropout(dropout[1]),
        )


class BiLSTMNet(nn.Module):
    """Atalaya's network: a BiLSTM, a dense layer, and a bag of words beside them.

    Parameters
    ----------
    n_outputs : int
        Units of the last layer, which has no activation.
    input_size : int
        Dimensions of a word's vector.
    n_words : int, optional
        If given, words come as numbers below it, and their vectors are learnt. Number
        0 is padding.
    hidden_size, dense_size : int, default=256, 64
        Units of each direction, and of the dense layer after them.
    dropout : tuple of two floats, default=(0.8, 0.55)
        Shares of units that are dropped after the LSTM and after the dense layer.
    masked : bool, default=True
        As in `BiLSTM`.
    n_terms : int, default=0
        Columns of the bag of words; 0 is none.
    bag_size : int, default=512
        Units of the first layer over the bag.
    pairs : bool, default=False
        Read two sequences a text with the same weights.

    Notes
    -----
    Of a pair's states u and v the dense layer sees u, v, abs(u - v) and u * v.

    References
    ----------
    J. M. Perez and F. M. Luque, "Atalaya at SemEval 2019 Task 5", SemEval 2019,
    figure 1.

    A. Conneau et al., "Supervised learning of universal sentence representations from
    natural language inference data", EMNLP 2017, section 3.1 (of pairs).

    Examples
    --------
    >>> import torch
    >>> net = BiLSTMNet(2, input_size=3, hidden_size=4, dense_size=5, n_terms=7)
    >>> words, lengths = torch.zeros(6, 9, 3), torch.full((6,), 9)
    >>> net(words, lengths, bag=torch.zeros(6, 7)).shape
    torch.Size([6, 2])
    """

    def __init__(
        self,
        n_outputs: int,
        *,
        input_size: int,
        n_words: int | None = None,
        hidden_size: int = 256,
        dense_size: int = 64,
        dropout: tuple[float, float] = (0.8, 0.55),
        masked: bool = True,
        n_terms: int = 0,
        bag_size: int = 512,
        pairs: bool = False,
    ) -> None:
        super().__init__()
        self.embedding: nn.Embedding | None = None
        if n_words is not None:
            # Padding that is read is a word like others, and learnt.
            padding = 0 if masked else None
            self.embedding = nn.Embedding(n_words, input_size, padding_idx=padding)
        self.encoder = BiLSTM(input_size, hidden_size, masked=masked)
        n_states = (8 if pairs else 2) * hidden_size
        self.dense = nn.Sequential(
            nn.Dropout(dropout[0]),
            nn.Linear(n_states, dense_size),
            nn.ReLU(),
            nn.Dropout(dropout[1]),
        )
        self.bag: BagBranch | None = None
        if n_terms:
            self.bag = BagBranch(n_terms, bag_size, dense_size, dropout)
        n_joined = 2 * dense_size if n_terms else dense_size
        self.output = nn.Linear(n_joined, n_outputs)
        init_as_keras_(self)

    def _states(self, words: Tensor, lengths: Tensor) -> Tensor:
        vectors = words if self.embedding is None else self.embedding(words)
        return self.encoder(vectors, lengths)

    def forward(
        self,
        words: Tensor,
        lengths: Tensor,
        words_b: Tensor | None = None,
        lengths_b: Tensor | None = None,
        bag: Tensor | None = None,
    ) -> Tensor:
        """Return the outputs, a row a text.

        Parameters
        ----------
        words : int64 Tensor (batch, seq) or float32 Tensor (batch, seq, input_size)
            Numbers of words where their vectors are learnt, and vectors elsewhere.
        lengths : int64 Tensor of shape (batch,)
            How many words each text has.
        words_b, lengths_b : Tensor, optional
            The same of the second texts of pairs.
        bag : float32 Tensor of shape (batch, n_terms), optional
            Bags of words.

        Returns
        -------
        Tensor of shape (batch, n_outputs)
            Logits, or numbers.
        """
        states = self._states(words, lengths)  # (batch, 2 * hidden_size)
        if words_b is not None and lengths_b is not None:
            other = self._states(words_b, lengths_b)
            states = torch.cat(
                [states, other, (states - other).abs(), states * other], dim=1
            )  # (batch, 8 * hidden_size)
        joined = self.dense(states)  # (batch, dense_size)
        if self.bag is not None:
            joined = torch.cat([joined, self.bag(bag)], dim=1)
        return self.output(joined)


def init_as_keras_(module: nn.Module) -> None:
    """Draw the weights of a module as Keras does by default, in place.

    Matrices are Glorot uniform, those between the states of an LSTM orthogonal,
    learnt vectors uniform in +-0.05; biases are 0, but those of forget gates 1.

    Parameters
    ----------
    module : nn.Module
        Its parts may be linear layers, embeddings and LSTMs.

    Notes
    -----
    torch's LSTM has two biases a gate, as Keras's CuDNNLSTM has; the ones are in the
    recurrent bias, as there.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.uniform_(part.weight, -0.05, 0.05)
            if part.padding_idx is not None:
                with torch.no_grad():
                    part.weight[part.padding_idx] = 0.0
        elif isinstance(part, nn.LSTM):
            _init_lstm_(part)


def _init_lstm_(lstm: nn.LSTM) -> None:
    n = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_hh"):
                with torch.no_grad():
                    parameter[n : 2 * n] = 1.0  # gates in order: i, f, g, o


def keras_decay(step: int, decay: float) -> float:
    """Return Keras's factor on the rate at a step, counted from 0.

    Examples
    --------
    >>> [keras_decay(step, 0.01) for step in (0, 100, 300)]
    [1.0, 0.5, 0.25]
    """
    return 1.0 / (1.0 + decay * step)
