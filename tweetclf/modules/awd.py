"""AWD recurrent encoders and language models: ULMFiT's, on QRNN or LSTM layers.

Merity, Keskar and Socher (2018), Regularizing and Optimizing LSTM Language Models,
ICLR, arXiv:1708.02182 (salesforce/awd-lstm-lm); Howard and Ruder (2018), Universal
Language Model Fine-tuning, ACL, P18-1031, as fastai 1.0.52 builds it
(text/models/awd_lstm.py), which is what Farzin, Czapla and Howard ran at HAHA 2019.

But:

- The hidden state is an argument and a result, not hidden in the module.
- The decoder has no matrix of its own: it multiplies by the embedding table. A QRNN's
  matrix is one parameter, not two (`WeightDropout`): 36,264,672 parameters at the
  paper's sizes, where fastai counts 60,484,320 with the classifier's copies.
- Embedding dropout looks up the rows in use instead of masking the whole table.
- Everything inside is time-major; what comes out is (batch, time, ...), as a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tweetclf.modules.dropout import (
    AWDDropout,
    EmbeddingDropout,
    VariationalDropout,
    WeightDropout,
)
from tweetclf.modules.qrnn import LayerState, QRNNLayer, resolve_windows

__all__ = [
    "AWDEncoder",
    "AWDLanguageModel",
    "EncoderOutput",
    "LSTMLayer",
    "LanguageModelOutput",
    "activation_penalty",
    "detach_state",
]

# Embedding and decoder of both codes: uniform in [-0.1, 0.1].
_INIT_RANGE = 0.1


class EncoderOutput(NamedTuple):
    """What `AWDEncoder` returns.

    Parameters
    ----------
    raw : tuple of Tensor, each of shape (batch, time, width)
        What each layer gave.
    dropped : tuple of Tensor, each of shape (batch, time, width)
        The same after hidden dropout; the last one has none, and equals its raw one.
    state : list of dict of Tensor
        What each layer hands on to the next piece of the sequence.
    """

    raw: tuple[Tensor, ...]
    dropped: tuple[Tensor, ...]
    state: list[LayerState]


class LanguageModelOutput(NamedTuple):
    """What `AWDLanguageModel` returns.

    Parameters
    ----------
    logits : Tensor of shape (batch, time, vocab_size)
        Of the token after each one.
    raw : Tensor of shape (batch, time, embedding_size)
        What the last layer gave.
    dropped : Tensor of shape (batch, time, embedding_size)
        The same after output dropout.
    state : list of dict of Tensor
        What each layer hands on.
    """

    logits: Tensor
    raw: Tensor
    dropped: Tensor
    state: list[LayerState]


def detach_state(state: Sequence[LayerState]) -> list[LayerState]:
    """Return a state through which no gradient flows back to the piece before.

    Parameters
    ----------
    state : list of dict of Tensor
        Of the layers.

    Returns
    -------
    list of dict of Tensor
        The same values.
    """
    return [{name: t.detach() for name, t in layer.items()} for layer in state]


class LSTMLayer(nn.Module):
    """One LSTM layer with dropout on its hidden-to-hidden matrix.

    Parameters
    ----------
    input_size, hidden_size : int
        Widths of x and of h.
    weight_dropout : float, default=0.0
        Dropout of elements of the hidden-to-hidden matrix, one mask a call.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, weight_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size)
        self.drop_weight = WeightDropout(weight_dropout)

    def forward(
        self, x: Tensor, state: LayerState | None = None
    ) -> tuple[Tensor, LayerState]:
        """Run over a sequence, or over its next piece.

        Parameters
        ----------
        x : Tensor of shape (time, batch, input_size)
            At least one step.
        state : dict of Tensor, optional
            ``"hidden"`` and ``"cell"``, each (batch, hidden_size); zeros if missing.

        Returns
        -------
        hidden : Tensor of shape (time, batch, hidden_size)
            h of each step.
        state : dict of Tensor
            The last h and c.
        """
        lstm = self.lstm
        if state is None:
            zeros = x.new_zeros(x.size(1), lstm.hidden_size)
            state = {"hidden": zeros, "cell": zeros}
        weights = [
            lstm.weight_ih_l0,
            self.drop_weight(lstm.weight_hh_l0),
            lstm.bias_ih_l0,
            lstm.bias_hh_l0,
        ]
        # nn.LSTM would run on its own matrix; this is what it calls. The flags are:
        # biases, one layer, no dropout, training, one direction, time first.
        hidden, h, c = torch.lstm(
            x,
            (state["hidden"].unsqueeze(0), state["cell"].unsqueeze(0)),
            weights,
            True,
            1,
            0.0,
            self.training,
            False,
            False,
        )
        return hidden, {"hidden": h.squeeze(0), "cell": c.squeeze(0)}


class AWDEncoder(nn.Module):
    """Embedding and recurrent layers of an AWD model.

    Layers are as wide as ``hidden_size``, the last as wide as the embedding.

    Parameters
    ----------
    vocab_size : int
        Words in the vocabulary.
    embedding_size : int, default=400
        Width of embeddings and of the output.
    hidden_size : int, default=2304
        Width of the layers between; the default is that of HAHA 2019.
    n_layers : int, default=3
        How many layers, at least 1.
    cell : {"qrnn", "lstm"}, default="qrnn"
        Kind of layer.
    pad_id : int, default=1
        Id of padding; fastai's is 1.
    dropout : AWDDropout, optional
        Probabilities; those of the language model if not given. `output` is not
        used here.
    window : int, sequence of int or None, default=None
        Windows of QRNN layers; None is 2 in the first and 1 in the others.
    save_prev_x : bool, default=True
        Whether QRNN layers of window 2 remember the last x of a piece. False is what
        fastai 1.0.52 does.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import AWDEncoder
    >>> encoder = AWDEncoder(50, embedding_size=4, hidden_size=6)
    >>> output = encoder(torch.zeros(2, 7, dtype=torch.int64))
    >>> [tuple(hidden.shape) for hidden in output.raw]
    [(2, 7, 6), (2, 7, 6), (2, 7, 4)]
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        embedding_size: int = 400,
        hidden_size: int = 2304,
        n_layers: int = 3,
        cell: Literal["qrnn", "lstm"] = "qrnn",
        pad_id: int = 1,
        dropout: AWDDropout | None = None,
        window: int | Sequence[int] | None = None,
        save_prev_x: bool = True,
    ) -> None:
        super().__init__()
        if cell not in ("qrnn", "lstm"):
            raise ValueError(
                "AWDEncoder: the 'cell' parameter must be 'qrnn' or 'lstm'. Got "
                f"{cell!r} instead."
            )
        if n_layers < 1:
            raise ValueError(
                "AWDEncoder: the 'n_layers' parameter must be at least 1. Got "
                f"{n_layers!r} instead."
            )
        dropout = dropout or AWDDropout()
        self.embedding_size = embedding_size
        self.pad_id = pad_id
        self.embedding = EmbeddingDropout(
            vocab_size, embedding_size, dropout.embedding, padding_idx=pad_id
        )
        nn.init.uniform_(self.embedding.weight, -_INIT_RANGE, _INIT_RANGE)
        self.input_dropout = VariationalDropout(dropout.input)
        self.hidden_dropout = VariationalDropout(dropout.hidden)
        sizes = [embedding_size, *[hidden_size] * (n_layers - 1), embedding_size]
        windows = resolve_windows(window, n_layers)
        self.layers = nn.ModuleList()
        for before, after, layer_window in zip(sizes, sizes[1:], windows, strict=False):
            if cell == "lstm":
                layer: nn.Module = LSTMLayer(
                    before, after, weight_dropout=dropout.weight
                )
            else:
                layer = QRNNLayer(
                    before,
                    after,
                    window=layer_window,
                    weight_dropout=dropout.weight,
                    save_prev_x=save_prev_x,
                )
            self.layers.append(layer)

    def forward(
        self, ids: Tensor, state: Sequence[LayerState] | None = None
    ) -> EncoderOutput:
        """Encode texts, or the next piece of each.

        Parameters
        ----------
        ids : Tensor of shape (batch, time)
            int64. Padding is read like any other word: keep it behind the text.
        state : list of dict of Tensor, optional
            Of the piece before, as returned; through `detach_state` where gradients
            shall not reach it.

        Returns
        -------
        EncoderOutput
            Of all layers.
        """
        x = self.input_dropout(self.embedding(ids.t()))  # (T, B, E)
        raw, dropped, after = [], [], []
        for number, layer in enumerate(self.layers):
            x, layer_state = layer(x, state[number] if state else None)
            raw.append(x.transpose(0, 1))
            if number < len(self.layers) - 1:
                x = self.hidden_dropout(x)
            dropped.append(x.transpose(0, 1))
            after.append(layer_state)
        return EncoderOutput(tuple(raw), tuple(dropped), after)

    def layer_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters from bottom to top, a group for each rate."""
        groups = {"embedding": list(self.embedding.parameters())}
        for number, layer in enumerate(self.layers, start=1):
            groups[f"rnn_{number}"] = list(layer.parameters())
        return groups


class AWDLanguageModel(nn.Module):
    """An encoder and a decoder that shares its embedding table.

    Parameters
    ----------
    encoder : AWDEncoder
        May be shared with others, or copied into a classifier by its ``state_dict``.
    output_dropout : float, default=0.1
        Dropout of the encoder's output, one mask for all steps.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import AWDEncoder, AWDLanguageModel
    >>> model = AWDLanguageModel(AWDEncoder(50, embedding_size=4, hidden_size=6))
    >>> tuple(model(torch.zeros(2, 7, dtype=torch.int64)).logits.shape)
    (2, 7, 50)
    """

    def __init__(self, encoder: AWDEncoder, *, output_dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.output_dropout = VariationalDropout(output_dropout, time_dim=1)
        self.bias = nn.Parameter(torch.zeros(encoder.embedding.num_embeddings))

    def forward(
        self, ids: Tensor, state: Sequence[LayerState] | None = None
    ) -> LanguageModelOutput:
        """Predict the token after each one.

        Parameters
        ----------
        ids : Tensor of shape (batch, time)
            int64.
        state : list of dict of Tensor, optional
            See `AWDEncoder`.

        Returns
        -------
        LanguageModelOutput
            Logits are contiguous, so that flattening them copies nothing.
        """
        output = self.encoder(ids, state)
        raw = output.raw[-1]  # (B, T, E)
        dropped = self.output_dropout(raw)
        weight = self.encoder.embedding.weight
        logits = functional.linear(dropped.contiguous(), weight, self.bias)
        return LanguageModelOutput(logits, raw, dropped, output.state)

    def layer_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters, a group for each rate, as fastai splits them.

        The recurrent layers come first, then embedding and decoder, which are one.
        """
        groups = self.encoder.layer_groups()
        groups["decoder"] = [*groups.pop("embedding"), self.bias]
        return groups


def activation_penalty(
    raw: Tensor,
    dropped: Tensor,
    *,
    alpha: float = 2.0,
    beta: float = 1.0,
    ar_of: Literal["dropped", "raw"] = "dropped",
    mask: Tensor | None = None,
) -> Tensor:
    """Return the activation regularisation (AR and TAR) of a model's last layer.

    ``alpha * mean(dropped ** 2) + beta * mean((raw_{t+1} - raw_t) ** 2)``, section
    4.5 of Merity, Keskar and Socher.

    Parameters
    ----------
    raw : Tensor of shape (batch, time, width)
        What the last layer gave.
    dropped : Tensor of shape (batch, time, width)
        The same after dropout.
    alpha, beta : float, default=2.0 and 1.0
        Weights of AR and of TAR.
    ar_of : {"dropped", "raw"}, default="dropped"
        What AR is of: "dropped" in the paper and its code, "raw" in fastai 1.0.52.
    mask : Tensor of shape (batch, time), optional
        True at words; padding adds nothing, and a step counts between two words.

    Returns
    -------
    Tensor
        A scalar, in float32 or wider.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import activation_penalty
    >>> hidden = torch.tensor([[[1.0], [3.0]]])
    >>> activation_penalty(hidden, hidden).item()  # 2 * (1 + 9) / 2 + 1 * 4
    14.0
    """
    if ar_of not in ("dropped", "raw"):
        raise ValueError(
            "activation_penalty: 'ar_of' must be 'dropped' or 'raw'. Got "
            f"{ar_of!r} instead."
        )
    penalty = raw.new_zeros((), dtype=torch.promote_types(raw.dtype, torch.float32))
    if alpha:
        active = raw if ar_of == "raw" else dropped
        penalty = penalty + alpha * _mean_square(active, mask)
    if beta and raw.size(1) > 1:
        both = None if mask is None else mask[:, 1:] & mask[:, :-1]
        penalty = penalty + beta * _mean_square(raw[:, 1:] - raw[:, :-1], both)
    return penalty


def _mean_square(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean of x**2 over (B, T, D), or where mask (B, T) is true."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if mask is None:
        return x.square().mean()
    # Padding may hold anything: it is left out, not multiplied by zero.
    squares = x.square().sum(dim=2).masked_fill(~mask, 0.0)
    return squares.sum() / (mask.sum().clamp(min=1) * x.size(2))
