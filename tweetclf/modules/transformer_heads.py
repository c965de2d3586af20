"""Heads of Hugging Face models over packed sequences, and a head over pooled states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.modules.packed import PackedEncoder
from tweetclf.modules.pooling import POOLINGS, pool

__all__ = ["ChoiceModel", "HeadedModel", "Plan", "PooledModel", "output_layer"]

Plan: TypeAlias = Literal["packed", "padded", "native"]
"""How sequences are read: in one row, as padded batches, or by the model itself."""

Lengths: TypeAlias = Tensor | NDArray[np.int64]

Head: TypeAlias = Callable[[Any, Tensor], Tensor]


def _head_with_pooler(model: Any, first: Tensor) -> Tensor:
    pooled = model.base_model.pooler(first[:, None])
    return model.classifier(model.dropout(pooled))


def _head_of_albert(model: Any, first: Tensor) -> Tensor:
    pooled = model.albert.pooler_activation(model.albert.pooler(first))
    return model.classifier(model.dropout(pooled))


def _head_of_distilbert(model: Any, first: Tensor) -> Tensor:
    return model.classifier(model.dropout(F.relu(model.pre_classifier(first))))


def _head_of_deberta(model: Any, first: Tensor) -> Tensor:
    return model.classifier(model.dropout(model.pooler(first[:, None])))


def _head_of_modernbert(model: Any, first: Tensor) -> Tensor:
    return model.classifier(model.drop(model.head(first)))


def _head_without_pooler(model: Any, first: Tensor) -> Tensor:
    return model.classifier(model.dropout(first))


def _head_of_its_own(model: Any, first: Tensor) -> Tensor:
    # RoBERTa's family and ELECTRA: a module that looks at place 0 of each sequence.
    return model.classifier(first[:, None])


def _answer_head(model: Any, states: Tensor) -> Tensor:
    return model.qa_outputs(states)


def _answer_head_of_distilbert(model: Any, states: Tensor) -> Tensor:
    return model.qa_outputs(model.dropout(states))


_HEADS: dict[str, Head] = {
    "albert": _head_of_albert,
    "distilbert": _head_of_distilbert,
    "deberta": _head_of_deberta,
    "deberta-v2": _head_of_deberta,
    "modernbert": _head_of_modernbert,
    "twilbert": _head_without_pooler,
}


def _find_head(model: Any, answers: bool) -> Head | None:
    """Return what computes the model's outputs from states, or None if unknown."""
    kind = model.config.model_type
    if answers:
        if not hasattr(model, "qa_outputs"):
            return None
        return _answer_head_of_distilbert if kind == "distilbert" else _answer_head
    if kind in _HEADS:
        return _HEADS[kind]
    classifier = getattr(model, "classifier", None)
    if type(classifier).__name__.endswith("ClassificationHead"):
        return _head_of_its_own
    if getattr(model.base_model, "pooler", None) is not None:
        return _head_with_pooler
    return None


def output_layer(model: nn.Module) -> str:
    """Return the name of the linear layer that makes a model's outputs."""
    for name in ("classifier.out_proj", "classifier", "qa_outputs"):
        try:
            layer = model.get_submodule(name)
        except AttributeError:
            continue
        if isinstance(layer, nn.Linear):
            return name
    raise NotImplementedError(
        f"the output layer of a {type(model).__name__} is unknown"
    )


class HeadedModel(nn.Module):
    """A Hugging Face model with its own head, run on packed sequences.

    The encoder reads all sequences in one row (`PackedEncoder`) and the head reads the
    states it needs: the first of each sequence, or all of them for answers. Where
    that does not give what the model itself gives, as is tried on a few random tokens,
    the model itself reads padded batches.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        For sequence classification, multiple choice or question answering.
    plan : {"packed", "padded", "native"}, optional
        How sequences are read; found out if not given.

    Attributes
    ----------
    plan : str
        How sequences are read.

    Examples
    --------
    >>> import torch
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> from tweetclf.modules.transformer_heads import HeadedModel
    >>> config = BertConfig(
    ...     vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
    ...     intermediate_size=8, num_labels=3)
    >>> model = HeadedModel(BertForSequenceClassification(config))
    >>> model(torch.tensor([2, 5, 3, 2, 3]), torch.tensor([3, 2])).shape
    torch.Size([2, 3])
    """

    def __init__(self, model: Any, plan: Plan | None = None) -> None:
        super().__init__()
        self.model = model
        kind = type(model).__name__
        self._answers = "QuestionAnswering" in kind
        self._choices = "MultipleChoice" in kind
        self._head = _find_head(model, self._answers)
        packing = "auto" if plan is None else "padded" if plan == "native" else plan
        # In a tuple: as a submodule its weights would be listed a second time.
        self._encoder = (PackedEncoder(model.base_model, packing),)
        self.plan: Plan = plan or self._find_plan()

    def _find_plan(self) -> Plan:
        if self._head is None or not self._heads_agree():
            return "native"
        return "packed" if self._encoder[0].is_packed else "padded"

    def _heads_agree(self) -> bool:
        """Tell whether our reading of the head gives what the model gives."""
        vocabulary = self.model.config.vocab_size
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(vocabulary, (6,), generator=generator)
        lengths = torch.tensor([4, 2])
        padding = self.model.config.pad_token_id
        if padding is not None:
            ids[ids == padding] = (padding + 1) % vocabulary
        ids = ids.to(self.model.device)
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                ours = self._headed(ids, lengths, None)
                theirs = self._native(ids, lengths, None)
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            return False
        finally:
            self.model.train(was_training)
        if ours.shape != theirs.shape:
            return False
        tolerance = 1e-4 * max(1.0, float(theirs.abs().max()))
        return bool((ours - theirs).abs().max() <= tolerance)

    @property
    def max_length(self) -> int | None:
        """Tokens of the longest sequence that the model has positions for."""
        return self._encoder[0].max_length

    def forward(
        self,
        input_ids: Tensor,
        lengths: Lengths,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Return the outputs.

        Parameters
        ----------
        input_ids : int tensor of shape (total,)
            Tokens of all sequences, one sequence after the other.
        lengths : int64 tensor or array of shape (n,)
            Tokens of each sequence; an array, or a tensor on the CPU, saves waiting
            for a GPU.
        token_type_ids : int tensor of shape (total,), optional
            Segments of the tokens.

        Returns
        -------
        tensor of shape (n, n_outputs), or (total, 2) for answers
            Logits.
        """
        lengths = torch.as_tensor(lengths)
        if self.plan == "native":
            return self._native(input_ids, lengths, token_type_ids)
        return self._headed(input_ids, lengths, token_type_ids)

    def _headed(
        self, input_ids: Tensor, lengths: Tensor, token_type_ids: Tensor | None
    ) -> Tensor:
        assert self._head is not None
        states = self._encoder[0](input_ids, lengths, token_type_ids)  # (total, H)
        if self._answers:
            return self._head(self.model, states)  # (total, 2)
        return self._head(self.model, pool(states, lengths, how="cls"))

    def _native(
        self, input_ids: Tensor, lengths: Tensor, token_type_ids: Tensor | None
    ) -> Tensor:
        filler = self.model.config.pad_token_id or 0
        inputs = {"input_ids": _padded(input_ids, lengths, filler)}  # (n, longest)
        places = torch.arange(inputs["input_ids"].shape[1], device=input_ids.device)
        mask = places < lengths.to(input_ids.device)[:, None]  # (n, longest)
        inputs["attention_mask"] = mask.long()
        if token_type_ids is not None:
            inputs["token_type_ids"] = _padded(token_type_ids, lengths, 0)
        if self._choices:
            inputs = {name: value[:, None] for name, value in inputs.items()}
        output = self.model(**inputs)
        if self._answers:
            both = torch.stack([output.start_logits, output.end_logits], -1)
            return both[mask]  # (total, 2)
        return output.logits  # (n, n_outputs)


class ChoiceModel(HeadedModel):
    """A model for multiple choice: one number a sequence, `n_choices` of them a row.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        For multiple choice.
    n_choices : int
        Sequences of a row.
    plan : {"packed", "padded", "native"}, optional
        How sequences are read; found out if not given.
    """

    def __init__(self, model: Any, n_choices: int, plan: Plan | None = None) -> None:
        super().__init__(model, plan)
        self.n_choices = n_choices

    def forward(
        self,
        input_ids: Tensor,
        lengths: Lengths,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Return the outputs, of shape (n / n_choices, n_choices)."""
        outputs = super().forward(input_ids, lengths, token_type_ids)  # (n, 1)
        return outputs.view(-1, self.n_choices)


def _padded(values: Tensor, lengths: Tensor, filler: int) -> Tensor:
    """Return the values of each sequence as a row of shape (n, longest)."""
    parts = list(values.split(lengths.tolist()))
    return nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=filler)


class PooledModel(nn.Module):
    """An encoder, and dropout and a linear layer over its pooled states.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The encoder, without a head.
    pooling : {"mean", "max", "concat"}
        As in `tweetclf.modules.pooling.pool`.
    n_outputs : int
        Width of the output.
    plan : {"packed", "padded"}, optional
        How sequences are read; found out if not given.

    Attributes
    ----------
    plan : str
        How sequences are read.
    """

    def __init__(
        self, model: Any, pooling: str, n_outputs: int, plan: Plan | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        encoder = PackedEncoder(model, plan or "auto")
        # In a tuple: as a submodule its weights would be listed a second time.
        self._encoder = (encoder,)
        self.plan: Plan = "packed" if encoder.is_packed else "padded"
        config = model.config
        dropout = getattr(config, "classifier_dropout", None)
        if dropout is None:
            dropout = getattr(config, "hidden_dropout_prob", None) or 0.0
        self.dropout = nn.Dropout(dropout)
        width = config.hidden_size * len(POOLINGS[pooling])
        self.classifier = nn.Linear(width, n_outputs)
        std = getattr(config, "initializer_range", 0.02)
        nn.init.normal_(self.classifier.weight, std=std)
        nn.init.zeros_(self.classifier.bias)

    @property
    def max_length(self) -> int | None:
        """Tokens of the longest sequence that the model has positions for."""
        return self._encoder[0].max_length

    def forward(
        self,
        input_ids: Tensor,
        lengths: Lengths,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Return the outputs, of shape (n, n_outputs); see `HeadedModel.forward`."""
        lengths = torch.as_tensor(lengths)
        states = self._encoder[0](input_ids, lengths, token_type_ids)  # (total, H)
        pooled = pool(states, lengths, how=self.pooling)  # (n, k * H)
        return self.classifier(self.dropout(pooled))
