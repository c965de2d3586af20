"""Encoders over packed sequences: no padding, and no token sees another sequence."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tweetclf.modules._variable_length import (
    Groups,
    attend_by_groups,
    sent,
    variable_length_attention,
)
from tweetclf.utils.ranges import take_ranges

__all__ = [
    "ATTENTION",
    "PackedEncoder",
    "length_buckets",
    "longest_sequence",
    "packed_attention",
]

ATTENTION = "tweetclf_packed"
"""Name of `packed_attention` among the attention functions of transformers."""


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    sliding_window: int | None = None,
    packed_groups: Groups | None = None,
    packed_offsets: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attend within each sequence of a packed row; elsewhere do what "sdpa" does.

    Registered with transformers, so that any model whose attention goes through its
    attention interface can be packed.

    Parameters
    ----------
    module : torch.nn.Module
        The attention layer that calls.
    query, key, value : tensor of shape (1, n_heads, total, d_head)
        Of all tokens of all sequences, in a row.
    attention_mask : tensor or None
        Not looked at where `packed_groups` is given.
    dropout : float, default=0.0
        Probability that an attention weight is dropped.
    scaling : float, optional
        What scores are multiplied by.
    is_causal : bool, optional
        Whether tokens see only those before them; by default as the layer says.
    sliding_window : int, optional
        Tokens see those less than so many places away.
    packed_groups : tuple of (int, int), optional
        Length and number of the sequences of each group, in the order of the row,
        the longest last.
    packed_offsets : int32 tensor of shape (n + 1,), optional
        Where each sequence starts, and the number of tokens: on a GPU, so that one
        kernel can read all groups.
    **others
        Handed on to "sdpa".

    Returns
    -------
    tensor of shape (1, total, n_heads, d_head), None
        The states, and no weights.
    """
    if packed_groups is None:
        return sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
            **others,
        )
    for unknown in ("position_bias", "softcap", "s_aux"):
        if others.get(unknown) is not None:
            raise NotImplementedError(f"packed attention knows no {unknown}")
    if is_causal is None:
        is_causal = bool(getattr(module, "is_causal", True))
    if packed_offsets is not None:
        states = variable_length_attention(
            query[0].transpose(0, 1),  # (t, h, d)
            key[0].transpose(0, 1),
            value[0].transpose(0, 1),
            packed_offsets,
            packed_groups[-1][0],
            dropout=dropout,
            scale=scaling,
            is_causal=is_causal,
            window=sliding_window,
        )
        if states is not None:
            return states[None], None
    return attend_by_groups(
        query,
        key,
        value,
        packed_groups,
        dropout=dropout,
        scale=scaling,
        is_causal=is_causal,
        window=sliding_window,
    ), None


AttentionInterface.register(ATTENTION, packed_attention)
# For calls that are not packed; packed ones bring a mask of four dimensions, at which
# transformers makes none of its own.
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


class PackedEncoder(nn.Module):
    """Run a Hugging Face encoder on the tokens of many sequences in one row.

    Linear layers read real tokens only, attention runs for sequences of one length at
    a time, on a GPU for all of them at once, and positions restart with every sequence.
    A model that cannot do so reads padded batches of similar lengths: what comes out is
    the same, to rounding.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The encoder, without a head; its attention implementation is changed.
    packing : {"auto", "packed", "padded"}, default="auto"
        How sequences are read. "auto" packs if the model then answers what it answers
        to sequences one by one, which is tried on a few random tokens.

    Attributes
    ----------
    is_packed : bool
        Whether sequences are packed.
    max_length : int or None
        Tokens of the longest sequence that the model has positions for.

    Examples
    --------
    >>> import torch
    >>> from transformers import BertConfig, BertModel
    >>> from tweetclf.modules.packed import PackedEncoder
    >>> config = BertConfig(
    ...     vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
    ...     intermediate_size=8)
    >>> encoder = PackedEncoder(BertModel(config))
    >>> encoder(torch.tensor([2, 5, 3, 2, 3]), torch.tensor([3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(self, model: Any, packing: str = "auto") -> None:
        super().__init__()
        if packing not in ("auto", "packed", "padded"):
            raise ValueError(
                "PackedEncoder: the 'packing' parameter must be 'auto', 'packed' or "
                f"'padded'. Got {packing!r} instead."
            )
        self.model = model
        self._padding_position = _padding_position(model)
        self._has_types = (
            "token_type_ids" in inspect.signature(model.forward).parameters
            and getattr(model.config, "type_vocab_size", 0) > 1
        )
        self.max_length = longest_sequence(model)
        self.is_packed = packing == "packed"
        if packing != "padded":
            original = model.config._attn_implementation
            if original != ATTENTION and model._can_set_attn_implementation():
                model.set_attn_implementation(ATTENTION)
            if packing == "auto":
                self.is_packed = _can_be_packed(self)
            if not self.is_packed and model.config._attn_implementation != original:
                model.set_attn_implementation(original)

    def forward(
        self,
        input_ids: Tensor,
        lengths: Tensor,
        token_type_ids: Tensor | None = None,
        layer: int = -1,
    ) -> Tensor:
        """Return the states of all tokens.

        Parameters
        ----------
        input_ids : int tensor of shape (total,)
            Tokens of all sequences, one sequence after the other.
        lengths : int64 tensor of shape (n,)
            Tokens of each sequence, at least 1; on the CPU, best.
        token_type_ids : int tensor of shape (total,), optional
            Segments of the tokens; not looked at if the model knows one only.
        layer : int, default=-1
            Which states: 0 stands for the embeddings, -1 for the output.

        Returns
        -------
        tensor of shape (total, hidden_size)
            In the order of the tokens.
        """
        sizes = lengths.cpu().numpy()
        if sizes.sum() != len(input_ids) or sizes.min(initial=1) < 1:
            raise ValueError(
                f"PackedEncoder: lengths must be at least 1 and sum to the number of "
                f"tokens. Got lengths from {sizes.min(initial=1)} that sum to "
                f"{sizes.sum()}, and {len(input_ids)} tokens."
            )
        if self.max_length is not None and sizes.max(initial=0) > self.max_length:
            raise ValueError(
                f"PackedEncoder: sequences must have at most {self.max_length} tokens, "
                f"the positions of the model. Got one of {sizes.max()}."
            )
        if not len(sizes):
            empty = self.model.get_input_embeddings().weight
            return empty.new_zeros((0, self.model.config.hidden_size))
        if not self._has_types:
            token_type_ids = None
        run = self._packed if self.is_packed else self._padded
        order = np.argsort(sizes, kind="stable")
        if (order[1:] > order[:-1]).all():
            return run(input_ids, sizes, token_type_ids, layer)
        # By length, each group is a slice of the row.
        starts = np.cumsum(sizes) - sizes
        tokens = sent(take_ranges(starts[order], sizes[order]), input_ids.device)
        if token_type_ids is not None:
            token_type_ids = token_type_ids[tokens]
        states = run(input_ids[tokens], sizes[order], token_type_ids, layer)
        back = torch.empty_like(tokens)
        back[tokens] = torch.arange(len(tokens), device=tokens.device)
        return states.index_select(0, back)

    def _packed(
        self,
        input_ids: Tensor,
        sizes: NDArray[np.int64],
        token_type_ids: Tensor | None,
        layer: int,
    ) -> Tensor:
        inputs = {
            "input_ids": input_ids[None],
            "position_ids": self._positions(input_ids, sizes)[None],
            # Four dimensions: transformers then makes no mask of total x total.
            "attention_mask": torch.zeros((1, 1, 1, 1), device=input_ids.device),
            "packed_groups": _groups_of(sizes),
        }
        if input_ids.device.type == "cuda":
            bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
            inputs["packed_offsets"] = sent(bounds, input_ids.device)
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids[None]
        return self._states(inputs, layer)[0]

    def _positions(self, input_ids: Tensor, sizes: NDArray[np.int64]) -> Tensor:
        """Return the position of each token, as the model itself counts them."""
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        padding = self._padding_position
        if padding is None:
            return sent(np.arange(len(starts)) - starts, input_ids.device)
        # RoBERTa's family: padding tokens, which a text may spell out, do not count.
        counted = input_ids.ne(padding).long()
        before = counted.cumsum(0) - counted
        first = before[sent(starts, input_ids.device)]
        return (before - first + 1) * counted + padding

    def _padded(
        self,
        input_ids: Tensor,
        sizes: NDArray[np.int64],
        token_type_ids: Tensor | None,
        layer: int,
    ) -> Tensor:
        states = []
        filler = self.model.config.pad_token_id or 0
        for first, last, start, stop in length_buckets(sizes):
            lengths = sent(sizes[first:last], input_ids.device)
            places = torch.arange(int(sizes[last - 1]), device=input_ids.device)
            mask = places < lengths[:, None]  # (sequences, longest)
            ids = input_ids.new_full(mask.shape, filler)
            ids[mask] = input_ids[start:stop]
            inputs = {"input_ids": ids, "attention_mask": mask.long()}
            if token_type_ids is not None:
                types = torch.zeros_like(ids)
                types[mask] = token_type_ids[start:stop].to(types.dtype)
                inputs["token_type_ids"] = types
            states.append(self._states(inputs, layer)[mask])
        return torch.cat(states)

    def _states(self, inputs: dict[str, Any], layer: int) -> Tensor:
        """Return the states of shape (batch, tokens, hidden_size) of a layer."""
        if layer == -1:
            return self.model(**inputs).last_hidden_state
        hidden = self.model(**inputs, output_hidden_states=True).hidden_states
        return hidden[layer]


def _groups_of(sizes: NDArray[np.int64]) -> Groups:
    """Return the groups of a row of sequences in order of length."""
    lengths, counts = np.unique(sizes, return_counts=True)
    return tuple(zip(lengths.tolist(), counts.tolist(), strict=True))


# Padded batches: as many tokens at most, and no more padding than this share.
_MAX_TOKENS = 8192
_MAX_PADDING = 0.15


def length_buckets(
    sizes: NDArray[np.int64], max_tokens: int = _MAX_TOKENS
) -> list[tuple[int, int, int, int]]:
    """Cut sequences in order of length into batches with little padding.

    Parameters
    ----------
    sizes : ndarray of int64 of shape (n,)
        Lengths, none below the one before.
    max_tokens : int, default=8192
        Most tokens of a batch, padding included, unless it is one sequence.

    Returns
    -------
    list of (int, int, int, int)
        First sequence of each batch, the one past its last, and likewise its tokens.
    """
    ends = np.cumsum(sizes)
    buckets = []
    first = start = 0
    for last in range(1, len(sizes) + 1):
        if last < len(sizes):
            padded = int(sizes[last]) * (last + 1 - first)
            real = int(ends[last]) - start
            if padded <= max_tokens and (
                last - first < 4 or padded - real <= _MAX_PADDING * padded
            ):
                continue
        buckets.append((first, last, start, int(ends[last - 1])))
        first, start = last, int(ends[last - 1])
    return buckets


def _padding_position(model: nn.Module) -> int | None:
    """Return the position of padding where positions are counted from it on."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return module.padding_idx
    return None


def longest_sequence(model: Any) -> int | None:
    """Return the tokens of the longest sequence that an encoder has positions for.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The encoder, without a head.

    Returns
    -------
    int or None
        None if its positions do not end.
    """
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is None or positions <= 0:
        return None
    padding_position = _padding_position(model)
    return int(positions) - (0 if padding_position is None else padding_position + 1)


def _can_be_packed(encoder: PackedEncoder) -> bool:
    """Tell whether packed sequences get the states that they get one by one."""
    model = encoder.model
    config = model.config
    if config._attn_implementation != ATTENTION or config.vocab_size < 2:
        return False
    window = getattr(config, "sliding_window", None) or 0
    longest = min(encoder.max_length or 512, 512)
    sizes = np.minimum(np.sort([2, 5, 5, max(9, int(window) + 8)]), longest)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(config.vocab_size, (int(sizes.sum()),), generator=generator).to(
        model.device
    )
    if config.pad_token_id is not None:
        ids[ids == config.pad_token_id] = (config.pad_token_id + 1) % config.vocab_size
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            packed = encoder._packed(ids, sizes, None, -1)
            single = [
                model(input_ids=part[None]).last_hidden_state[0]
                for part in ids.split(sizes.tolist())
            ]
    except (
        AttributeError,
        IndexError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ):
        return False
    finally:
        model.train(was_training)
    scale = float(torch.cat(single).abs().max())
    tolerance = 1e-4 if packed.dtype in (torch.float32, torch.float64) else 3e-2
    return bool((packed - torch.cat(single)).abs().max() <= tolerance * max(scale, 1.0))
