"""From a transformer to an ONNX file; needs torch."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tweetclf.features._encoding import Tokenized
from tweetclf.features.exported import padded_batches
from tweetclf.modules.pooling import POOLINGS

__all__ = ["WholeModel", "whole_model", "write_graph"]


class WholeModel(nn.Module):
    """Padded tokens to one row a text: pooled states, or the logits of a head.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        With a head if `pooling` is None.
    pooling : str or None
        A name of ``modules.pooling.POOLINGS``.
    layer : int
        Whose states are pooled.
    """

    def __init__(self, model: Any, pooling: str | None, layer: int) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.layer = layer
        self.has_segments = (
            "token_type_ids" in inspect.signature(model.forward).parameters
            and getattr(model.config, "type_vocab_size", 0) > 1
        )

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        special_tokens_mask: Tensor,
    ) -> Tensor:
        """Return the rows; all inputs have the shape (batch, tokens)."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self.has_segments:
            inputs["token_type_ids"] = token_type_ids
        if self.pooling is None:
            return self.model(**inputs).logits
        if self.layer == -1:
            states = self.model(**inputs).last_hidden_state
        else:
            hidden = self.model(**inputs, output_hidden_states=True).hidden_states
            states = hidden[self.layer]
        real = attention_mask.unsqueeze(-1) > 0  # (batch, tokens, 1)
        text = real & (special_tokens_mask.unsqueeze(-1) == 0)
        first = states[:, 0]  # (batch, hidden_size)
        parts = []
        for name in POOLINGS[self.pooling]:
            if name == "cls":
                parts.append(first)
            elif name == "max":
                lowest = torch.finfo(states.dtype).min
                parts.append(states.masked_fill(~real, lowest).amax(1))
            else:
                kept = (real if name == "mean" else text).to(states.dtype)
                counts = kept.sum(1)  # (batch, 1)
                means = (states * kept).sum(1) / counts.clamp(min=1)
                parts.append(torch.where(counts > 0, means, first))
        return torch.cat(parts, 1)

    def by_batches(self, tokens: Tokenized) -> np.ndarray:
        """Return the rows of tokenized texts, by torch."""
        filler = self.model.config.pad_token_id or 0
        outputs = None
        with torch.inference_mode():
            for indices, inputs in padded_batches(tokens, filler, 8192):
                rows = self(**{k: torch.from_numpy(v) for k, v in inputs.items()})
                if outputs is None:
                    outputs = np.empty((len(tokens.lengths), rows.shape[1]), np.float32)
                outputs[indices] = rows.float().numpy()
        return outputs if outputs is not None else np.empty((0, 0), np.float32)


def whole_model(model: Any, pooling: str | None, layer: int) -> WholeModel:
    """Return a copy of the model, in float32 and on the CPU, that can be exported."""
    plain = copy.deepcopy(model).float().cpu().eval()
    if plain._can_set_attn_implementation():
        plain.set_attn_implementation("sdpa" if plain._supports_sdpa else "eager")
    return WholeModel(plain, pooling, layer).eval()


def write_graph(
    module: WholeModel, model: Any, path: Path, quantize: str | None
) -> None:
    """Export with batches and lengths left open, then make weights small if asked."""
    largest = min(model.config.vocab_size, 5)
    ids = torch.arange(21).reshape(3, 7) % largest
    # Sizes that differ from one another and from 1, which the exporter would fix.
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    names = list(inspect.signature(module.forward).parameters)
    open_axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    plain = path if quantize is None else path.with_suffix(".float.onnx")
    with torch.no_grad():
        torch.onnx.export(
            module,
            (ids, mask, torch.zeros_like(ids), 1 - mask),
            plain,
            input_names=names,
            output_names=["rows"],
            dynamic_shapes=dict.fromkeys(names, open_axes),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if quantize is None:
        return
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(plain, path, weight_type=QuantType.QInt8)
    plain.unlink()
