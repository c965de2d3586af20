"""A learnt mean of the layers of a network.

References
----------
M. E. Peters et al., "Deep contextualized word representations", NAACL 2018, equation 1
(arXiv:1802.05365). Released code: allennlp/modules/scalar_mix.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ScalarMix"]


class ScalarMix(nn.Module):
    """A learnt mean of layers: ``gamma * sum_k softmax(w)_k h_k`` (equation 1).

    Parameters
    ----------
    n_layers : int
        Layers to mix.
    layer_norm : bool, default=False
        First scale every layer to mean 0 and variance 1 over all tokens of the batch.
    weights : sequence of float of length n_layers, optional
        ``w`` at the start, before the softmax; by default zeros.

    Attributes
    ----------
    weights : Parameter, (n_layers,)
        ``w``.
    gamma : Parameter, scalar
        1 at the start.
    """

    def __init__(
        self,
        n_layers: int,
        *,
        layer_norm: bool = False,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if weights is not None and len(weights) != n_layers:
            raise ValueError(
                f"ScalarMix: the 'weights' parameter must have {n_layers} values, one "
                f"a layer. Got {len(weights)} instead."
            )
        self.layer_norm = layer_norm
        start = torch.zeros(n_layers) if weights is None else torch.tensor(weights)
        self.weights = nn.Parameter(start.to(torch.float32))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, layers: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
        """Mix layers.

        Parameters
        ----------
        layers : sequence of Tensor, n_layers times (..., dim)
            The layers.
        mask : Tensor of bool, (...), optional
            Which tokens are there; read by `layer_norm` alone. By default all.

        Returns
        -------
        Tensor, (..., dim)
            The mix.
        """
        if len(layers) != len(self.weights):
            raise ValueError(
                f"ScalarMix got {len(layers)} layers; it was made to mix "
                f"{len(self.weights)}."
            )
        shares = torch.softmax(self.weights, dim=0)
        if self.layer_norm:
            layers = [_standardized(layer, mask) for layer in layers]
        mixed = torch.stack(
            [share * layer for share, layer in zip(shares, layers, strict=True)]
        )
        return self.gamma * mixed.sum(dim=0)


def _standardized(layer: Tensor, mask: Tensor | None) -> Tensor:
    there = layer if mask is None else layer[mask]
    # AllenNLP adds 1e-13, which single precision does not notice beside a variance.
    scale = torch.sqrt(there.var(unbiased=False) + 1e-13)
    return (layer - there.mean()) / scale
