"""A product-key memory: a layer with very many values, of which a few are read.

References
----------
G. Lample, A. Sablayrolles, M. Ranzato, L. Denoyer & H. Jégou, "Large memory layers with
product keys", NeurIPS 2019 (arXiv:1907.05242).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ProductKeyMemory"]

_VARIANTS = ("xlm", "twilbert")


class ProductKeyMemory(nn.Module):
    """Read the values whose keys fit a query best, weighted by how well they fit.

    Every head has two tables of sub-keys. A slot's key is one of each, side by side, so
    that its score is the sum of two; the best of all slots are among the sums of the
    best sub-keys, and far fewer numbers are compared than there are slots.

    Parameters
    ----------
    input_size, output_size : int
        Width of what is read, and of the values.
    key_size : int, default=512
        Width of a query, even.
    n_sub_keys : int, default=256
        Sub-keys in a table; the memory has the square of it as values.
    n_heads : int, default=4
        Queries for each state; their answers are summed. They share the values.
    top_k : int, default=32
        Values that each head reads.
    variant : {"xlm", "twilbert"}, default="xlm"
        How weights are drawn. "xlm": values from N(0, 1 / output_size). "twilbert":
        values, and queries, from N(0, 0.02 ** 2) cut at two deviations. Its linear map
        for each head is the slice of one joint map that XLM has; beyond the draws
        the two are the same function.
    batch_norm : bool, default=False
        Normalise queries over the batch. It spreads them over the keys; padding should
        not be among what is read.
    query_dropout : float, default=0.0
        Of queries, in training.
    sparse : bool, default=False
        Give values a sparse gradient, as ``torch.optim.SparseAdam`` takes it. AdamW and
        clipping by norm need a dense one.

    Attributes
    ----------
    keys : Parameter of shape (n_heads, 2, n_sub_keys, key_size / 2)
    values : Parameter of shape (n_sub_keys ** 2, output_size)

    Notes
    -----
    TWilBERT's released code turns batch normalisation on where it is set to false, and
    makes it anew at each call, so that it never learns; its dropout of queries takes
    the rate of outputs. Neither is reproduced.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules.product_keys import ProductKeyMemory
    >>> memory = ProductKeyMemory(
    ...     8, 8, key_size=4, n_sub_keys=6, n_heads=2, top_k=3)
    >>> memory(torch.zeros(5, 8)).shape, memory.values.shape
    (torch.Size([5, 8]), torch.Size([36, 8]))
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        key_size: int = 512,
        n_sub_keys: int = 256,
        n_heads: int = 4,
        top_k: int = 32,
        variant: str = "xlm",
        batch_norm: bool = False,
        query_dropout: float = 0.0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        if key_size < 2 or key_size % 2:
            raise ValueError(
                "ProductKeyMemory: the 'key_size' parameter must be even, for the two "
                f"halves of a key. Got {key_size!r} instead."
            )
        if not 1 <= top_k <= n_sub_keys:
            raise ValueError(
                "ProductKeyMemory: the 'top_k' parameter must be at least 1 and at "
                f"most 'n_sub_keys', {n_sub_keys}. Got {top_k!r} instead."
            )
        if variant not in _VARIANTS:
            raise ValueError(
                "ProductKeyMemory: the 'variant' parameter must be 'xlm' or 'twilbert'."
                f" Got {variant!r} instead."
            )
        self.key_size = key_size
        self.n_sub_keys = n_sub_keys
        self.n_heads = n_heads
        self.top_k = top_k
        self.variant = variant
        self.sparse = sparse
        self.query = nn.Linear(input_size, n_heads * key_size)
        self.norm = nn.BatchNorm1d(n_heads * key_size) if batch_norm else None
        self.dropout = nn.Dropout(query_dropout)
        self.keys = nn.Parameter(torch.empty(n_heads, 2, n_sub_keys, key_size // 2))
        self.values = nn.Parameter(torch.empty(n_sub_keys**2, output_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw keys and values, and in TWilBERT's way queries too."""
        # Lample et al. 2019, released code: uniform in +-1 / sqrt(half a key).
        bound = (self.key_size // 2) ** -0.5
        nn.init.uniform_(self.keys, -bound, bound)
        if self.variant == "xlm":
            nn.init.normal_(self.values, std=self.values.shape[1] ** -0.5)
            return
        for weight in (self.values, self.query.weight):
            nn.init.trunc_normal_(weight, std=0.02, a=-0.04, b=0.04)
        nn.init.zeros_(self.query.bias)

    def read(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return which slots are read, and with which weights.

        Parameters
        ----------
        states : tensor of shape (n, input_size)
            What asks.

        Returns
        -------
        slots : int64 tensor of shape (n, n_heads, top_k)
            Numbers of values, the best first.
        weights : tensor of shape (n, n_heads, top_k)
            They sum to 1 for each head.
        """
        queries = self.query(states)  # (n, heads * key)
        if self.norm is not None:
            queries = self.norm(queries)
        queries = self.dropout(queries).view(-1, self.n_heads, 2, self.key_size // 2)
        scores = torch.einsum("nhpd,hpkd->nhpk", queries, self.keys.to(queries.dtype))
        best, places = scores.topk(self.top_k, dim=-1)  # (n, heads, 2, top)
        sums = best[:, :, 0, :, None] + best[:, :, 1, None, :]  # (n, heads, top, top)
        top, pairs = sums.flatten(2).topk(self.top_k, dim=-1)  # (n, heads, top)
        first = places[:, :, 0].gather(-1, pairs // self.top_k)
        second = places[:, :, 1].gather(-1, pairs % self.top_k)
        return first * self.n_sub_keys + second, top.float().softmax(-1)

    def forward(self, states: Tensor) -> Tensor:
        """Return what the memory holds for each state.

        Parameters
        ----------
        states : tensor of shape (..., input_size)
            What asks.

        Returns
        -------
        tensor of shape (..., output_size)
            Sums over heads of weighted values.
        """
        flat = states.reshape(-1, states.shape[-1])  # (n, input)
        slots, weights = self.read(flat)
        found = F.embedding_bag(
            slots.flatten(1),
            self.values,
            mode="sum",
            sparse=self.sparse,
            per_sample_weights=weights.flatten(1).to(self.values.dtype),
        )  # (n, output)
        return found.view(*states.shape[:-1], -1)
