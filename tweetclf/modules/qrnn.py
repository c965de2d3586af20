"""Quasi-recurrent layers: all gates by one matrix product, then fo-pooling over time.

Bradbury, Merity, Xiong and Socher (2017), Quasi-Recurrent Neural Networks, ICLR,
arXiv:1611.01576, sections 2.1 and 2.2, as released in salesforce/pytorch-qrnn and
fastai 1.0.52::

    [z_t, f_t, o_t] = W [x_t; x_{t-1}] + b
    c_t = sigmoid(f_t) * tanh(z_t) + (1 - sigmoid(f_t)) * c_{t-1}
    h_t = sigmoid(o_t) * c_t

But:

- As in both codes **f weighs the new input**; in the paper (eq. 4, and in an LSTM) it
  weighs c_{t-1}. One is 1 minus the other, so trained weights differ in sign.
- As in both codes the state that is handed on is c, not h, and the x_{t-1} that is
  kept from one piece of a sequence to the next carries no gradient.
- Windows are 1 or 2, as in the codes; the paper's convolution may be wider.
- Zoneout has the reading of either code: see `QRNNLayer`.
- Tensors are time-major, (time, batch, width): each step of the recurrence is one
  contiguous stretch of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from tweetclf.modules.dropout import WeightDropout, check_probability
from tweetclf.modules.fo_pooling import forget_mult, run_layer

__all__ = ["QRNN", "LayerState", "QRNNLayer", "resolve_windows"]

# What a layer hands on to the next piece of a sequence: named tensors.
LayerState: TypeAlias = dict[str, Tensor]


class QRNNLayer(nn.Module):
    """One quasi-recurrent layer.

    Parameters
    ----------
    input_size, hidden_size : int
        Widths of x and of h.
    window : {1, 2}, default=1
        Whether the gates see x_t alone or also x_{t-1}.
    output_gate : bool, default=True
        Whether h is c times an output gate, or c itself.
    zoneout : float, default=0.0
        Probability that a unit keeps its state over a step of training.
    zoneout_rule : {"salesforce", "fastai"}, default="salesforce"
        "salesforce" multiplies f by a mask of zeros and ones in training and by
        ``1 - zoneout`` in evaluation; "fastai" by zeros and ``1 / (1 - zoneout)`` in
        training (so that a gate may exceed 1) and by nothing in evaluation.
    weight_dropout : float, default=0.0
        Dropout of elements of the matrix, one mask a call; not of the bias.
    save_prev_x : bool, default=True
        Whether the state holds the last x for the window of the next piece. Without
        it every piece starts from an x_{-1} of zeros although c is carried over:
        what fastai 1.0.52 does, whatever is asked of it.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        window: int = 1,
        output_gate: bool = True,
        zoneout: float = 0.0,
        zoneout_rule: Literal["salesforce", "fastai"] = "salesforce",
        weight_dropout: float = 0.0,
        save_prev_x: bool = True,
    ) -> None:
        super().__init__()
        if window not in (1, 2):
            raise ValueError(
                f"QRNNLayer: the 'window' parameter must be 1 or 2. Got {window!r} "
                "instead."
            )
        if zoneout_rule not in ("salesforce", "fastai"):
            raise ValueError(
                "QRNNLayer: the 'zoneout_rule' parameter must be 'salesforce' or "
                f"'fastai'. Got {zoneout_rule!r} instead."
            )
        self.hidden_size = hidden_size
        self.window = window
        self.n_gates = 3 if output_gate else 2
        self.zoneout = check_probability("QRNNLayer", "zoneout", zoneout)
        self.zoneout_rule = zoneout_rule
        self.save_prev_x = save_prev_x
        self.linear = nn.Linear(window * input_size, self.n_gates * hidden_size)
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
            ``"cell"`` (batch, hidden_size): c before the first step; ``"previous_x"``
            (batch, input_size): x before it. What is missing is zero.

        Returns
        -------
        hidden : Tensor of shape (time, batch, hidden_size)
            h of each step.
        state : dict of Tensor
            The last c, with its gradient, and the last x if it is kept, without.
        """
        state = state or {}
        dtype = x.dtype
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
        weight = self.drop_weight(self.linear.weight).to(dtype)
        bias, given = self.linear.bias.to(dtype), x.to(dtype).contiguous()
        cell, before = self._read_state(state, given)
        if self.zoneout:
            source = self._source(given, before)  # (T, B, window * I)
            product = functional.linear(source, weight, bias)
            hidden, last = self._pool_with_zoneout(product, cell)
        else:
            hidden, last = run_layer(given, weight, bias, cell, before, self.n_gates)
        after = {"cell": last}
        if self.window == 2 and self.save_prev_x:
            after["previous_x"] = x[-1].detach().clone()
        return hidden.to(x.dtype), after

    def _read_state(
        self, state: LayerState, x: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return c and x before the first step, checked; None for zeros."""
        cell, before = state.get("cell"), None
        if cell is not None:
            expected = (x.size(1), self.hidden_size)
            if tuple(cell.shape) != expected:
                raise ValueError(
                    f"QRNNLayer: the state's 'cell' must have shape {expected}, "
                    f"(batch, hidden_size). Got {tuple(cell.shape)} instead. A state "
                    "fits only batches of the size it came from."
                )
            cell = cell.to(torch.promote_types(x.dtype, torch.float32))
        if self.window == 2 and self.save_prev_x and "previous_x" in state:
            before = state["previous_x"].detach().to(x.dtype)
        return cell, before

    def _source(self, x: Tensor, before: Tensor | None) -> Tensor:
        """Return [x_t; x_{t-1}], or x itself for a window of one."""
        if self.window == 1:
            return x
        before = torch.zeros_like(x[0]) if before is None else before
        return torch.cat([x, torch.cat([before.unsqueeze(0), x[:-1]])], dim=2)

    def _pool_with_zoneout(
        self, product: Tensor, cell: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(product.dtype, torch.float32)
        gates = product.to(exact).chunk(self.n_gates, dim=2)
        f = self._zone_out(gates[1].sigmoid())
        cells = forget_mult(gates[0].tanh(), f, cell)
        hidden = gates[2].sigmoid() * cells if self.n_gates == 3 else cells
        return hidden, cells[-1]

    def _zone_out(self, f: Tensor) -> Tensor:
        kept = 1.0 - self.zoneout
        if not self.training:
            return f * kept if self.zoneout_rule == "salesforce" else f
        mask = torch.empty_like(f).bernoulli_(kept)
        return f * mask if self.zoneout_rule == "salesforce" else f * mask / kept

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return (
            f"window={self.window}, output_gate={self.n_gates == 3}, "
            f"zoneout={self.zoneout}, save_prev_x={self.save_prev_x}"
        )


def resolve_windows(window: int | Sequence[int] | None, n_layers: int) -> list[int]:
    """Return the window of each layer.

    Parameters
    ----------
    window : int, sequence of int or None
        For all layers (as Salesforce's code reads it), of each, or None: 2 in the
        first and 1 in the others (fastai's convention).
    n_layers : int
        How many layers.

    Returns
    -------
    list of int
        One a layer.

    Examples
    --------
    >>> resolve_windows(None, 3), resolve_windows(2, 3)
    ([2, 1, 1], [2, 2, 2])
    """
    if window is None:
        return [2] + [1] * (n_layers - 1)
    if isinstance(window, int):
        return [window] * n_layers
    if len(window) != n_layers:
        raise ValueError(
            f"'window' names {len(window)} windows for {n_layers} layers: {window!r}."
        )
    return list(window)


class QRNN(nn.Module):
    """A stack of quasi-recurrent layers of one width.

    Parameters
    ----------
    input_size, hidden_size : int
        Width of the first layer's input, and of all layers.
    n_layers : int, default=1
        How many layers.
    window : int, sequence of int or None, default=None
        See `resolve_windows`.
    dropout : float, default=0.0
        Dropout between the layers, with a mask of its own for every step.
    output_gate, zoneout, zoneout_rule, save_prev_x : optional
        See `QRNNLayer`; the same for all layers.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        n_layers: int = 1,
        window: int | Sequence[int] | None = None,
        dropout: float = 0.0,
        output_gate: bool = True,
        zoneout: float = 0.0,
        zoneout_rule: Literal["salesforce", "fastai"] = "salesforce",
        save_prev_x: bool = True,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            QRNNLayer(
                hidden_size if number else input_size,
                hidden_size,
                window=layer_window,
                output_gate=output_gate,
                zoneout=zoneout,
                zoneout_rule=zoneout_rule,
                save_prev_x=save_prev_x,
            )
            for number, layer_window in enumerate(resolve_windows(window, n_layers))
        )
        self.dropout = nn.Dropout(check_probability("QRNN", "dropout", dropout))

    def forward(
        self, x: Tensor, state: Sequence[LayerState] | None = None
    ) -> tuple[Tensor, list[LayerState]]:
        """Run over a sequence, or over its next piece.

        Parameters
        ----------
        x : Tensor of shape (time, batch, input_size)
            At least one step.
        state : list of dict of Tensor, optional
            One a layer; see `QRNNLayer`.

        Returns
        -------
        hidden : Tensor of shape (time, batch, hidden_size)
            h of the last layer.
        state : list of dict of Tensor
            One a layer.
        """
        after = []
        for number, layer in enumerate(self.layers):
            if number:
                x = self.dropout(x)
            x, layer_state = layer(x, state[number] if state else None)
            after.append(layer_state)
        return x, after
