"""A pretrained encoder that is not trained further, with its tokenizer; needs torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.exceptions import ModelFormatError
from tweetclf.features._captured import capture, rebuild
from tweetclf.features._encoding import TokenEncoder, Tokenized
from tweetclf.features._pretrained import Pretrained, load_pretrained
from tweetclf.modules.packed import PackedEncoder
from tweetclf.modules.pooling import POOLINGS, pool
from tweetclf.training.devices import Precision, choose_device, resolve_precision

__all__ = ["FrozenEncoder", "load_frozen", "restore_frozen"]


class FrozenEncoder:
    """Turns texts into vectors.

    Parameters
    ----------
    pretrained : Pretrained
        Model and tokenizer.
    precision : {"float32", "bfloat16", "auto"}
        Of weights and states; "auto" is bfloat16 where the device is fast at it.
    device : str
        Where to compute; "auto" is an accelerator where there is one.
    """

    def __init__(self, pretrained: Pretrained, precision: str, device: str) -> None:
        self.device = choose_device(device)
        dtype = getattr(
            torch, resolve_precision(cast("Precision", precision), self.device)
        )
        model = pretrained.model.to(self.device, dtype)
        self.encoder = PackedEncoder(model.requires_grad_(False)).eval()
        self.tokenizer = pretrained.tokenizer
        self.profile = pretrained.profile
        self._token_encoders: dict[int, TokenEncoder] = {}

    @property
    def hidden_size(self) -> int:
        """Length of the state of a token."""
        return int(self.encoder.model.config.hidden_size)

    @property
    def n_layers(self) -> int:
        """Number of layers above the embeddings."""
        return int(self.encoder.model.config.num_hidden_layers)

    def n_features(self, pooling: str) -> int:
        """Return the length of a text's vector."""
        return len(POOLINGS[pooling]) * self.hidden_size

    @cached_property
    def captured(self) -> dict[str, Any]:
        """Model and tokenizer as plain data."""
        return capture(self.encoder.model, self.tokenizer)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, their type, the configuration and the tokenizer."""
        digest = hashlib.sha256()
        state = self.captured
        digest.update(f"{self.encoder.model.dtype}\n{state['config']}".encode())
        for part in ("files", "weights"):
            for name, array in sorted(state[part].items()):
                digest.update(f"\n{name} {array.shape} ".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def tokenize(self, rows: Sequence[Any], max_length: int) -> Tokenized:
        """Return the tokens of texts or pairs, as many as the model has places for."""
        longest = self.encoder.max_length
        limit = max_length if longest is None else min(max_length, longest)
        encoder = self._token_encoders.get(limit)
        if encoder is None:
            encoder = self._token_encoders[limit] = TokenEncoder(self.tokenizer, limit)
        tokens = encoder.encode(rows)
        n_known = self.encoder.model.get_input_embeddings().num_embeddings
        if tokens.ids.max(initial=0) >= n_known:
            raise ModelFormatError(
                f"the tokenizer gave token {tokens.ids.max()}; the model knows "
                f"{n_known}. They do not belong together."
            )
        return tokens

    def vectors(
        self,
        rows: Sequence[Any],
        *,
        pooling: str,
        layer: int = -1,
        max_length: int = 128,
        max_tokens: int = 4096,
    ) -> NDArray[np.float32]:
        """Return one vector a text or pair."""
        tokens = self.tokenize(rows, max_length)
        # By length: few groups in a batch, and padding to save where it is needed.
        order = np.argsort(tokens.lengths, kind="stable")
        output = np.empty((len(rows), self.n_features(pooling)), np.float32)
        with torch.inference_mode():
            for indices in _batches(order, tokens.lengths, max_tokens):
                output[indices] = self._forward(tokens.take(indices), pooling, layer)
        return output

    def _forward(self, tokens: Tokenized, pooling: str, layer: int) -> NDArray[Any]:
        lengths = torch.from_numpy(tokens.lengths)
        types = None
        if tokens.types is not None:
            types = torch.from_numpy(tokens.types).to(self.device)
        hidden = self.encoder(
            torch.from_numpy(tokens.ids).to(self.device), lengths, types, layer
        )
        special = torch.from_numpy(tokens.special).to(self.device)
        return pool(hidden, lengths, special, pooling).float().cpu().numpy()


def _batches(
    order: NDArray[np.int64], lengths: NDArray[np.int64], max_tokens: int
) -> list[NDArray[np.int64]]:
    """Cut `order` into pieces of at most `max_tokens` tokens, of one text at least."""
    batches, first, total = [], 0, 0
    for last, index in enumerate(order):
        total += int(lengths[index])
        if total > max_tokens and last > first:
            batches.append(order[first:last])
            first, total = last, int(lengths[index])
    if len(order):
        batches.append(order[first:])
    return batches


def load_frozen(
    name_or_path: str | os.PathLike[str], precision: str, device: str, caller: str
) -> FrozenEncoder:
    """Load an encoder, once for all fits of a search, and again if its files change."""
    folder = Path(name_or_path).expanduser()
    source: str | Path = os.fspath(name_or_path)
    stamp: tuple[Any, ...] = ()
    if folder.is_dir():
        source = folder.resolve()
        stamp = tuple(
            (file.name, file.stat().st_mtime_ns, file.stat().st_size)
            for file in sorted(folder.iterdir())
        )
    return _load(source, stamp, precision, device, caller)


@lru_cache(maxsize=1)
def _load(
    source: str | Path, stamp: tuple[Any, ...], precision: str, device: str, caller: str
) -> FrozenEncoder:
    return FrozenEncoder(load_pretrained(source, caller=caller), precision, device)


def restore_frozen(
    state: Mapping[str, Any], precision: str, device: str, caller: str
) -> FrozenEncoder:
    """Make an encoder again from its plain data."""
    return FrozenEncoder(rebuild(state, caller=caller), precision, device)
