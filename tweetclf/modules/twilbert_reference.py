"""What the released TWilBERT models need: their layout of inputs, and their weights.

The released models were trained with padding at the start of each segment, which no
attention mask hides and which moves positions on. They answer as published only if they
read such inputs: ``TWilBertConfig(attention_masking="none")`` and `left_padded`.

How the layers are named within the released HDF5 files is not published, so that the
files are not read here. `reference_state_dict` takes the arrays under plain names, as
anyone who has opened a file can give them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tweetclf.modules.twilbert_config import TWilBertConfig

__all__ = [
    "PaddedRows",
    "bucket_of",
    "left_padded",
    "reference_config",
    "reference_state_dict",
]


def bucket_of(
    length: int, *, minimum: int = 5, maximum: int = 45, step: int = 5
) -> int:
    """Return the length that a segment is padded or cut to.

    Parameters
    ----------
    length : int
        Tokens of the segment, special ones left out.
    minimum, maximum, step : int, default=5, 45, 5
        The buckets are ``range(minimum, maximum, step)``, `maximum` itself left out: 5
        to 40 in pre-training. Fine-tuning on single tweets went up to 85, with 90.

    Examples
    --------
    >>> from tweetclf.modules.twilbert_reference import bucket_of
    >>> [bucket_of(length) for length in (0, 5, 6, 41)]
    [5, 5, 10, 40]
    """
    edges = range(minimum, maximum, step)
    return next((edge for edge in edges if length <= edge), edges[-1])


class PaddedRows(NamedTuple):
    """Examples of one bucket, as the released models read them.

    Parameters
    ----------
    rows : list of int
        Which examples these are.
    input_ids, token_type_ids : int64 tensor of shape (n, tokens)
        What is read. There is no attention mask.
    """

    rows: list[int]
    input_ids: Tensor
    token_type_ids: Tensor


def left_padded(
    examples: Sequence[Sequence[ArrayLike]],
    *,
    special: Mapping[str, int],
    minimum: int = 5,
    maximum: int = 45,
    step: int = 5,
) -> list[PaddedRows]:
    """Lay out examples as the released models read them.

    A segment is cut at its end, or padded at its start, to the length of its bucket:
    ``[CLS] [PAD] A [SEP] [PAD] B [SEP]``.

    Parameters
    ----------
    examples : sequence of sequences of int sequences
        The segments of each example, one or two, without special tokens.
    special : mapping of str to int
        Tokens ``"pad"``, ``"cls"`` and ``"sep"``.
    minimum, maximum, step : int
        See `bucket_of`.

    Returns
    -------
    list of PaddedRows
        One a bucket, or pair of them, the shortest first; examples in the order given.

    Examples
    --------
    >>> from tweetclf.modules.twilbert_reference import left_padded
    >>> special = {"pad": 0, "cls": 3, "sep": 4}
    >>> left_padded([[[7, 8, 9]]], special=special)[0].input_ids.tolist()
    [[3, 0, 0, 7, 8, 9, 4]]
    """
    buckets: dict[tuple[int, ...], list[int]] = {}
    for row, segments in enumerate(examples):
        sizes = tuple(
            bucket_of(
                len(np.atleast_1d(s)), minimum=minimum, maximum=maximum, step=step
            )
            for s in segments
        )
        buckets.setdefault(sizes, []).append(row)
    result = []
    for sizes in sorted(buckets, key=lambda sizes: (sum(sizes), sizes)):
        rows = buckets[sizes]
        width = 1 + sum(sizes) + len(sizes)
        ids = np.full((len(rows), width), special["pad"], dtype=np.int64)
        types = np.zeros((len(rows), width), dtype=np.int64)
        ids[:, 0] = special["cls"]
        end = 1
        for k, size in enumerate(sizes):
            types[:, end : end + size + 1] = k
            end += size
            for line, row in enumerate(rows):
                kept = np.asarray(examples[row][k], dtype=np.int64)[:size]
                ids[line, end - len(kept) : end] = kept
            ids[:, end] = special["sep"]
            end += 1
        result.append(PaddedRows(rows, torch.from_numpy(ids), torch.from_numpy(types)))
    return result


def reference_config(size: str = "base", **changes: Any) -> TWilBertConfig:
    """Return the configuration of a released model.

    Parameters
    ----------
    size : {"base", "large"}, default="base"
        Which of the two.
    **changes
        Of any parameter of `TWilBertConfig`.

    Examples
    --------
    >>> from tweetclf.modules.twilbert_reference import reference_config
    >>> reference_config("large").attention_masking
    'none'
    """
    if size not in ("base", "large"):
        raise ValueError(
            "reference_config: the 'size' parameter must be 'base' or 'large'. Got "
            f"{size!r} instead."
        )
    make = TWilBertConfig.base if size == "base" else TWilBertConfig.large
    return make(**{"attention_masking": "none", "head_init": "reference", **changes})


def reference_state_dict(
    arrays: Mapping[str, ArrayLike], config: TWilBertConfig
) -> dict[str, Tensor]:
    """Return the weights of `TWilBertForPreTraining` from plainly named arrays.

    Parameters
    ----------
    arrays : mapping of str to array-like
        Kernels as Keras has them, (inputs, outputs):

        - ``token`` (V or V + 1, E: the last row is never read), ``position``,
          ``segment``;
        - ``block.I.query``, ``.key``, ``.value`` (heads, H, d), and ``block.I.output``
          (heads * d, H), I from 0;
        - ``block.I.norm1.gamma``, ``.beta``, ``block.I.norm2.gamma``, ``.beta``;
        - ``block.I.ffn1.kernel``, ``.bias``, ``block.I.ffn2.kernel``, ``.bias``;
        - ``mlm.kernel``, ``.bias``, ``rop.kernel``, ``.bias``.
    config : TWilBertConfig
        Of the model, with neither factorised embeddings nor memories nor hidden layers
        before the pair labels nor shared layers nor biases of attention.

    Returns
    -------
    dict of str to Tensor
        For ``load_state_dict``.

    Raises
    ------
    ValueError
        If an array is missing, left over or of another shape.
    """
    wanted = _reference_names(config)
    if set(arrays) != set(wanted):
        raise ValueError(
            "reference_state_dict: the arrays do not fit the configuration. Missing: "
            f"{sorted(set(wanted) - set(arrays))[:5]}; left over: "
            f"{sorted(set(arrays) - set(wanted))[:5]}."
        )
    result = {}
    for name, (target, shape) in wanted.items():
        array = np.asarray(arrays[name], dtype=np.float32)
        if name == "token" and array.shape == (shape[0] + 1, shape[1]):
            array = array[:-1]
        if array.shape != shape:
            raise ValueError(
                f"reference_state_dict: {name!r} must have the shape {shape}. Got "
                f"{array.shape}."
            )
        result[target] = torch.from_numpy(_to_torch(array, target))
    return result


def _to_torch(array: NDArray[np.float32], target: str) -> NDArray[np.float32]:
    """Turn a kernel of (inputs, outputs), or one a head, into rows of outputs."""
    if array.ndim == 3:  # (heads, H, d)
        array = array.transpose(0, 2, 1).reshape(-1, array.shape[1])  # (heads * d, H)
    elif array.ndim == 2 and "embeddings" not in target:
        array = array.T
    return np.array(array, order="C")


def _reference_names(
    config: TWilBertConfig,
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the name of a weight, and the shape of the array, by the array's name."""
    width, inner = config.hidden_size, config.intermediate_size
    heads = (config.num_attention_heads, width, config.head_dim)
    tables = "twilbert.embeddings."
    names: dict[str, tuple[str, tuple[int, ...]]] = {
        "token": (f"{tables}word_embeddings.weight", (config.vocab_size, width)),
        "position": (
            f"{tables}position_embeddings.weight",
            (config.max_position_embeddings, width),
        ),
        "segment": (
            f"{tables}token_type_embeddings.weight",
            (config.type_vocab_size, width),
        ),
    }
    for i in range(config.num_hidden_layers):
        layer, block = f"twilbert.layers.{i}", f"block.{i}"
        for part in ("query", "key", "value"):
            names[f"{block}.{part}"] = (f"{layer}.attention.{part}.weight", heads)
        names[f"{block}.output"] = (
            f"{layer}.attention.output.weight",
            (config.attention_size, width),
        )
        for number, norm in (("norm1", "attention_norm"), ("norm2", "output_norm")):
            names[f"{block}.{number}.gamma"] = (f"{layer}.{norm}.weight", (width,))
            names[f"{block}.{number}.beta"] = (f"{layer}.{norm}.bias", (width,))
        for number, linear, shape in (
            ("ffn1", "inner", (width, inner)),
            ("ffn2", "outer", (inner, width)),
        ):
            target = f"{layer}.feed_forward.{linear}"
            names[f"{block}.{number}.kernel"] = (f"{target}.weight", shape)
            names[f"{block}.{number}.bias"] = (f"{target}.bias", shape[1:])
    for head, target, size in (
        ("mlm", "cls.predictions", config.vocab_size),
        ("rop", "cls.seq_relationship.output", 2),
    ):
        names[f"{head}.kernel"] = (f"{target}.weight", (width, size))
        names[f"{head}.bias"] = (f"{target}.bias", (size,))
    return names
