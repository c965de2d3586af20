"""TWilBERT: an encoder of tweets, as a model of transformers.

What sets it apart from a BERT: embeddings are summed and neither normalised nor dropped
out, heads may be narrower or wider than a share of the state, attention has no biases,
and what foretells masked tokens is one linear layer with weights of its own. Importing
this module makes transformers' Auto classes know it.

References
----------
J. A. González, L.-F. Hurtado & F. Pla, "TWilBert: pre-trained deep bidirectional
transformers for Spanish Twitter", Neurocomputing 426, 2021, 58-69, and its code
(jogonba2/TWilBert).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForSequenceClassification,
)
from transformers.activations import ACT2FN
from transformers.modeling_outputs import MaskedLMOutput, SequenceClassifierOutput
from transformers.utils import ModelOutput

from tweetclf.modules.twilbert_config import TWilBertConfig
from tweetclf.modules.twilbert_encoder import (
    OutputLayer,
    TWilBertModel,
    TWilBertPreTrainedModel,
)

__all__ = [
    "TWilBertConfig",
    "TWilBertForMaskedLM",
    "TWilBertForPreTraining",
    "TWilBertForPreTrainingOutput",
    "TWilBertForSequenceClassification",
    "TWilBertModel",
]


class PairHead(nn.Module):
    """The head that judges pairs from the state of [CLS]."""

    def __init__(self, config: TWilBertConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = config.hidden_size
        for _ in range(config.pair_hidden_layers):
            layers += [
                nn.Linear(width, config.pair_hidden_size),
                ACT2FN[config.hidden_act],
                nn.LayerNorm(config.pair_hidden_size, eps=config.layer_norm_eps),
            ]
            width = config.pair_hidden_size
        self.hidden = nn.Sequential(*layers)
        self.output = OutputLayer(width, 2)

    def forward(self, first: Tensor) -> Tensor:
        """Return logits of shape (n, 2) from the states of [CLS]."""
        return self.output(self.hidden(first))


class TWilBertHeads(nn.Module):
    """What foretells masked tokens and, for pre-training on pairs, judges pairs."""

    def __init__(self, config: TWilBertConfig, pairs: bool) -> None:
        super().__init__()
        self.predictions = OutputLayer(config.hidden_size, config.vocab_size)
        self.seq_relationship = PairHead(config) if pairs else None

    def forward(self, states: Tensor) -> Tensor:
        """Return logits of shape (..., vocab_size)."""
        return self.predictions(states)


@dataclass
class TWilBertForPreTrainingOutput(ModelOutput):
    """What `TWilBertForPreTraining` returns, named as by ``BertForPreTraining``.

    Parameters
    ----------
    loss : tensor, optional
        Sum of both losses.
    prediction_logits : tensor of shape (batch, tokens, vocab_size)
        Of the masked language model.
    seq_relationship_logits : tensor of shape (batch, 2)
        Of the pair labels.
    hidden_states, attentions : tuple of tensor, optional
        Of the encoder.
    """

    loss: Tensor | None = None
    prediction_logits: Tensor | None = None
    seq_relationship_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class _WithLanguageModel(TWilBertPreTrainedModel):
    """A TWilBERT that foretells masked tokens."""

    _pairs = False

    def __init__(self, config: TWilBertConfig) -> None:
        super().__init__(config)
        self.twilbert = TWilBertModel(config)
        self.cls = TWilBertHeads(config, self._pairs)
        self.post_init()

    def get_output_embeddings(self) -> nn.Linear:
        """Return the layer that foretells tokens."""
        return self.cls.predictions

    def set_output_embeddings(self, new_embeddings: Any) -> None:
        """Set the layer that foretells tokens."""
        self.cls.predictions = new_embeddings


class TWilBertForPreTraining(_WithLanguageModel):
    """A TWilBERT with the heads of pre-training: masked tokens and pair labels.

    Parameters
    ----------
    config : TWilBertConfig
        Sizes and switches.
    """

    _pairs = True

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        pair_labels: Tensor | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> Any:
        """Return the logits of both heads; see `TWilBertModel.forward`.

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds
            As of the encoder.
        labels : int64 tensor of shape (batch, tokens), optional
            Tokens to foretell, -100 elsewhere.
        pair_labels : int64 tensor of shape (batch,), optional
            1 for a pair as it was written, else 0.
        return_dict : bool, optional
            False for a tuple.
        **others
            Of the encoder.
        """
        encoded = self.twilbert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            **others,
        )
        states = encoded.last_hidden_state
        logits = self.cls.predictions(states)  # (batch, tokens, V)
        judge = self.cls.seq_relationship
        assert judge is not None
        judged = judge(states[:, 0])  # (batch, 2)
        losses = []
        if labels is not None:
            losses.append(F.cross_entropy(logits.flatten(0, 1), labels.flatten()))
        if pair_labels is not None:
            losses.append(F.cross_entropy(judged, pair_labels.flatten()))
        output = TWilBertForPreTrainingOutput(
            loss=torch.stack(losses).sum() if losses else None,
            prediction_logits=logits,
            seq_relationship_logits=judged,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        return output.to_tuple() if return_dict is False else output


class TWilBertForMaskedLM(_WithLanguageModel):
    """A TWilBERT that foretells masked tokens, without a head for pairs.

    Parameters
    ----------
    config : TWilBertConfig
        Sizes and switches.
    """

    # A checkpoint of pre-training has one.
    _keys_to_ignore_on_load_unexpected = [r"cls\.seq_relationship\."]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> Any:
        """Return logits of shape (batch, tokens, vocab_size).

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds
            As of the encoder.
        labels : int64 tensor of shape (batch, tokens), optional
            Tokens to foretell, -100 elsewhere.
        return_dict : bool, optional
            False for a tuple.
        **others
            Of the encoder.
        """
        encoded = self.twilbert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            **others,
        )
        logits = self.cls(encoded.last_hidden_state)  # (batch, tokens, V)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        output = MaskedLMOutput(
            loss=loss,
            logits=logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        return output.to_tuple() if return_dict is False else output


class TWilBertForSequenceClassification(TWilBertPreTrainedModel):
    """A TWilBERT with dropout and a linear layer on the state of [CLS].

    Parameters
    ----------
    config : TWilBertConfig
        Sizes and switches; ``num_labels`` outputs.
    """

    def __init__(self, config: TWilBertConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels or 2
        self.twilbert = TWilBertModel(config)
        rate = config.classifier_dropout
        self.dropout = nn.Dropout(config.hidden_dropout_prob if rate is None else rate)
        self.classifier = OutputLayer(config.hidden_size, self.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> Any:
        """Return logits of shape (batch, num_labels).

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds
            As of the encoder.
        labels : tensor, optional
            Classes (batch,), or floats: numbers (batch,) for one output, an indicator
            matrix (batch, num_labels) for more.
        return_dict : bool, optional
            False for a tuple.
        **others
            Of the encoder.
        """
        encoded = self.twilbert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            **others,
        )
        first = encoded.last_hidden_state[:, 0]  # (batch, H)
        logits = self.classifier(self.dropout(first))  # (batch, num_labels)
        loss = None
        if labels is not None:
            loss = self._loss(logits, labels)
        output = SequenceClassifierOutput(
            loss=loss,
            logits=logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        return output.to_tuple() if return_dict is False else output

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.num_labels == 1:
            return F.mse_loss(logits.flatten(), labels.flatten().to(logits.dtype))
        if labels.is_floating_point():
            return F.binary_cross_entropy_with_logits(logits, labels)
        return F.cross_entropy(logits, labels.flatten())


def _register() -> None:
    """Let transformers' Auto classes find the models by their configuration."""
    AutoConfig.register("twilbert", TWilBertConfig, exist_ok=True)
    for auto, model in (
        (AutoModel, TWilBertModel),
        (AutoModelForMaskedLM, TWilBertForMaskedLM),
        (AutoModelForPreTraining, TWilBertForPreTraining),
        (AutoModelForSequenceClassification, TWilBertForSequenceClassification),
    ):
        auto.register(TWilBertConfig, model, exist_ok=True)


_register()
