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

The loop over the time is the only one. It is `torch.lerp` a step, with its gradient
written by hand: indexing in a loop under autograd costs a gradient of the size of the
whole sequence a step, and scans do more work than they save on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tweetclf.modules.dropout import WeightDropout, check_probability

__all__ = ["QRNN", "LayerState", "QRNNLayer", "forget_mult", "resolve_windows"]

# What a layer hands on to the next piece of a sequence: named tensors.
LayerState: TypeAlias = dict[str, Tensor]

# Elements of a block of steps: what is computed of it stays in a core's cache.
_BLOCK = 2**16


def _blocks(steps: Tensor) -> list[slice]:
    """Return the spans of steps of (T, ...) that are worked on together."""
    n_steps = steps.size(0)
    if steps.is_cuda:
        # Launches cost more there than traffic.
        return [slice(0, n_steps)]
    length = max(1, _BLOCK // max(1, steps[0].numel()))
    return [slice(a, a + length) for a in range(0, n_steps, length)]


def _recur(z: Tensor, f: Tensor, previous: Tensor, out: Tensor) -> Tensor:
    """Write c_t = f_t z_t + (1 - f_t) c_{t-1} into `out`; return the last c_t."""
    for z_t, f_t, c_t in zip(z.unbind(), f.unbind(), out.unbind(), strict=True):
        torch.lerp(previous, z_t, f_t, out=c_t)
        previous = c_t
    return previous


def _flow_back(
    gradient: Tensor, keep: Tensor, carry: Tensor | None, out: Tensor
) -> Tensor:
    """Write the gradient of each c_t into `out`; return that of the c before them.

    `gradient` holds what comes to c_t from outside, `carry` what comes to the last of
    them from the steps after, `keep` is 1 - f. `out` may be `gradient`.
    """
    coming, keeps, flows = gradient.unbind(), keep.unbind(), out.unbind()
    if carry is None:
        if out is not gradient:
            flows[-1].copy_(coming[-1])
    else:
        torch.add(coming[-1], carry, out=flows[-1])
    for t in range(len(flows) - 2, -1, -1):
        torch.addcmul(coming[t], keeps[t + 1], flows[t + 1], out=flows[t])
    return keeps[0] * flows[0]


def _subtract_previous(
    z: Tensor, cells: Tensor, initial: Tensor | None, span: slice, out: Tensor
) -> None:
    """Write z_t - c_{t-1} of the steps of `span` into `out`."""
    start, steps = span.start, z[span]
    torch.sub(steps[1:], cells[start : start + len(steps) - 1], out=out[1:])
    if start > 0:
        torch.sub(steps[0], cells[start - 1], out=out[0])
    elif initial is not None:
        torch.sub(steps[0], initial, out=out[0])
    else:
        out[0] = steps[0]


class _ForgetMult(torch.autograd.Function):
    """`forget_mult` with its gradient written by hand."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, f: Tensor, initial: Tensor | None) -> Tensor:
        cells = torch.empty_like(z, memory_format=torch.contiguous_format)
        _recur(z, f, torch.zeros_like(z[0]) if initial is None else initial, cells)
        ctx.save_for_backward(z, f, initial, cells)
        return cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        z, f, initial, cells = ctx.saved_tensors
        grad_z, grad_f = torch.empty_like(cells), torch.empty_like(cells)
        carry = None
        for span in reversed(_blocks(cells)):
            # The flow is built where the gradient of z goes.
            flow, f_block = grad_z[span], f[span]
            carry = _flow_back(gradient[span], 1 - f_block, carry, flow)
            _subtract_previous(z, cells, initial, span, grad_f[span])
            grad_f[span].mul_(flow)
            flow.mul_(f_block)
        return grad_z, grad_f, carry if initial is not None else None


def forget_mult(z: Tensor, f: Tensor, initial: Tensor | None = None) -> Tensor:
    """Mix each input into the state: ``c_t = f_t * z_t + (1 - f_t) * c_{t-1}``.

    The gate weighs the new input. Gradients are exact and of first order only.

    Parameters
    ----------
    z : Tensor of shape (time, batch, width)
        Inputs, at least one step.
    f : Tensor of shape (time, batch, width)
        Gates.
    initial : Tensor of shape (batch, width), optional
        The state before the first step; zeros if it is not given.

    Returns
    -------
    Tensor of shape (time, batch, width)
        The states.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import forget_mult
    >>> z, f = torch.tensor([[[4.0]], [[2.0]]]), torch.tensor([[[0.5]], [[0.25]]])
    >>> forget_mult(z, f).flatten().tolist()  # 0.5 * 4; 0.25 * 2 + 0.75 * 2
    [2.0, 2.0]
    """
    if z.shape != f.shape or z.dim() < 2 or z.size(0) == 0:
        raise ValueError(
            "forget_mult: z and f must have one shape, (time, batch, width), with at "
            f"least one step. Got {tuple(z.shape)} and {tuple(f.shape)} instead."
        )
    if initial is not None and initial.shape != z.shape[1:]:
        raise ValueError(
            f"forget_mult: 'initial' must have shape {tuple(z.shape[1:])}, that of a "
            f"step. Got {tuple(initial.shape)} instead."
        )
    return _ForgetMult.apply(z, f, initial)


class _GatedPool(torch.autograd.Function):
    """Activations, fo-pooling and output gate in one pass over the time.

    Takes the product (T*B, n*H), n = 2 or 3 gates, and overwrites it by the
    activations: nothing else needs it, and at these sizes memory that was never
    touched costs as much as the arithmetic.
    """

    @staticmethod
    def forward(
        ctx: Any, product: Tensor, initial: Tensor | None, n_steps: int, n_gates: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        gates = product.view(n_steps, -1, n_gates, product.size(1) // n_gates)
        z, f = gates[:, :, 0], gates[:, :, 1]  # (T, B, H)
        cells = torch.empty_like(z, memory_format=torch.contiguous_format)
        hidden = torch.empty_like(cells) if n_gates == 3 else cells
        previous = torch.zeros_like(cells[0]) if initial is None else initial
        for span in _blocks(cells):
            z[span].tanh_()
            gates[span, :, 1:].sigmoid_()
            previous = _recur(z[span], f[span], previous, cells[span])
            if n_gates == 3:
                torch.mul(gates[span, :, 2], cells[span], out=hidden[span])
        ctx.mark_dirty(product)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(product, initial, cells)
        ctx.n_gates = n_gates
        # A copy, or the last state would keep all of them in memory.
        return product, hidden, previous.clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, _: None, grad_hidden: Tensor | None, grad_last: Tensor | None
    ) -> tuple[Tensor, Tensor | None, None, None]:
        product, initial, cells = ctx.saved_tensors
        gates = product.view(len(cells), -1, ctx.n_gates, cells.size(2))
        grad_product = torch.empty_like(product)
        grads = grad_product.view(gates.shape)
        if grad_hidden is None:
            grad_hidden = torch.zeros_like(cells)
        carry = grad_last
        for span in reversed(_blocks(cells)):
            z, f = gates[span, :, 0], gates[span, :, 1]
            flow = grad_hidden[span]
            if ctx.n_gates == 3:
                o = gates[span, :, 2]
                torch.ops.aten.sigmoid_backward.grad_input(
                    flow * cells[span], o, grad_input=grads[span, :, 2]
                )
                flow = flow * o
                carry = _flow_back(flow, 1 - f, carry, flow)
            else:
                coming, flow = flow, torch.empty_like(cells[span])
                carry = _flow_back(coming, 1 - f, carry, flow)
            difference = torch.empty_like(flow)
            _subtract_previous(gates[:, :, 0], cells, initial, span, difference)
            torch.ops.aten.sigmoid_backward.grad_input(
                difference.mul_(flow), f, grad_input=grads[span, :, 1]
            )
            torch.ops.aten.tanh_backward.grad_input(
                flow.mul_(f), z, grad_input=grads[span, :, 0]
            )
        return grad_product, carry if initial is not None else None, None, None


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
        source = self._source(x, state.get("previous_x"))  # (T, B, window * I)
        weight = self.drop_weight(self.linear.weight)
        # Not linear(): its result is a view, which nothing may overwrite.
        product = torch.addmm(self.linear.bias, source.flatten(0, 1), weight.t())
        if product.dtype in (torch.bfloat16, torch.float16):
            # The product is cheap in half precision, the sum over time inexact.
            product = product.float()
        cell = state.get("cell")
        if cell is not None:
            cell = self._checked_cell(cell, x).to(product.dtype)
        if self.zoneout:
            hidden, last = self._pool_with_zoneout(product, cell, len(x))
        else:
            _, hidden, last = _GatedPool.apply(product, cell, len(x), self.n_gates)
        after = {"cell": last}
        if self.window == 2 and self.save_prev_x:
            after["previous_x"] = x[-1].detach().clone()
        return hidden.to(x.dtype), after

    def _source(self, x: Tensor, previous: Tensor | None) -> Tensor:
        """Return [x_t; x_{t-1}], or x itself for a window of one."""
        if self.window == 1:
            return x
        if previous is None or not self.save_prev_x:
            previous = torch.zeros_like(x[0])
        before = torch.cat([previous.to(x.dtype).unsqueeze(0), x[:-1]])
        return torch.cat([x, before], dim=2)

    def _checked_cell(self, cell: Tensor, x: Tensor) -> Tensor:
        expected = (x.size(1), self.hidden_size)
        if tuple(cell.shape) != expected:
            raise ValueError(
                f"QRNNLayer: the state's 'cell' must have shape {expected}, (batch, "
                f"hidden_size). Got {tuple(cell.shape)} instead. A state fits only "
                "batches of the size it came from."
            )
        return cell

    def _pool_with_zoneout(
        self, product: Tensor, cell: Tensor | None, n_steps: int
    ) -> tuple[Tensor, Tensor]:
        gates = product.view(n_steps, -1, self.n_gates, self.hidden_size)
        f = self._zone_out(gates[:, :, 1].sigmoid())
        cells = forget_mult(gates[:, :, 0].tanh(), f, cell)
        if self.n_gates == 2:
            return cells, cells[-1]
        return gates[:, :, 2].sigmoid() * cells, cells[-1]

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
