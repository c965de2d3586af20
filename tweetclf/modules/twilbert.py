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
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutput,
    MaskedLMOutput,
    SequenceClassifierOutput,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert.modeling_bert import eager_attention_forward
from transformers.utils import ModelOutput

from tweetclf.modules.product_keys import ProductKeyMemory
from tweetclf.modules.twilbert_config import TWilBertConfig

__all__ = [
    "TWilBertConfig",
    "TWilBertForMaskedLM",
    "TWilBertForPreTraining",
    "TWilBertForPreTrainingOutput",
    "TWilBertForSequenceClassification",
    "TWilBertModel",
]


class _OutputLayer(nn.Linear):
    """A linear layer that makes outputs: `head_init` says how it is drawn."""


class TWilBertEmbeddings(nn.Module):
    """Sums of the embeddings of token, position and segment."""

    def __init__(self, config: TWilBertConfig) -> None:
        super().__init__()
        width = config.embedding_size or config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.projection: nn.Module = nn.Identity()
        if width != config.hidden_size:
            self.projection = nn.Linear(width, config.hidden_size)
            if config.embedding_activation == "gelu":
                activation = ACT2FN[config.hidden_act]
                self.projection = nn.Sequential(self.projection, activation)

    def forward(
        self, words: Tensor, token_type_ids: Tensor | None, position_ids: Tensor | None
    ) -> Tensor:
        """Return states of shape (batch, tokens, H) from embedded words (.., E)."""
        shape, device = words.shape[:2], words.device
        if position_ids is None:
            position_ids = torch.arange(shape[1], device=device)[None]
        if token_type_ids is None:
            token_type_ids = torch.zeros(shape, dtype=torch.long, device=device)
        summed = (
            words
            + self.position_embeddings(position_ids)
            + self.token_type_embeddings(token_type_ids)
        )  # (batch, tokens, E)
        return self.projection(summed)


class TWilBertAttention(nn.Module):
    """Attention by heads whose width together may differ from that of states."""

    # Where nothing else is said, attention functions take layers for causal ones.
    is_causal = False

    def __init__(self, config: TWilBertConfig) -> None:
        super().__init__()
        self.config = config
        self.head_dim = config.head_dim
        self.scaling = config.head_dim**-0.5
        inner, outer = config.attention_size, config.hidden_size
        self.query = nn.Linear(outer, inner, bias=config.attention_bias)
        self.key = nn.Linear(outer, inner, bias=config.attention_bias)
        self.value = nn.Linear(outer, inner, bias=config.attention_bias)
        self.output = nn.Linear(inner, outer, bias=config.attention_bias)

    def forward(
        self, states: Tensor, attention_mask: Tensor | None, **others: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Return what is added to states, and weights if the function gives them."""
        split = (*states.shape[:-1], -1, self.head_dim)
        query, key, value = (
            layer(states).view(split).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )  # (batch, heads, tokens, d)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        mixed, weights = attend(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.config.attention_probs_dropout_prob if self.training else 0.0,
            scaling=self.scaling,
            **others,
        )  # (batch, tokens, heads, d)
        return self.output(mixed.reshape(*states.shape[:-1], -1)), weights


class TWilBertFeedForward(nn.Module):
    """Two linear layers and a GELU between them."""

    def __init__(self, config: TWilBertConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACT2FN[config.hidden_act]
        self.outer = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states: Tensor) -> Tensor:
        """Return what is added to states."""
        return self.outer(self.activation(self.inner(states)))


def _make_memory(config: TWilBertConfig) -> ProductKeyMemory:
    return ProductKeyMemory(
        config.hidden_size,
        config.hidden_size,
        key_size=config.memory_key_size,
        n_sub_keys=config.memory_sub_keys,
        n_heads=config.memory_heads,
        top_k=config.memory_top_k,
        variant=config.memory_variant,
        batch_norm=config.memory_batch_norm,
        query_dropout=config.memory_query_dropout,
    )


class TWilBertLayer(GradientCheckpointingLayer):
    """Attention, then a feed-forward layer or a memory; norms come after each."""

    def __init__(self, config: TWilBertConfig, has_memory: bool) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.attention = TWilBertAttention(config)
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        self.feed_forward: nn.Module = (
            _make_memory(config) if has_memory else TWilBertFeedForward(config)
        )
        self.output_norm = nn.LayerNorm(width, eps=eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self, states: Tensor, attention_mask: Tensor | None = None, **others: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Return states of shape (batch, tokens, H), and attention weights or None."""
        mixed, weights = self.attention(states, attention_mask, **others)
        states = self.attention_norm(states + self.dropout(mixed))
        added = self.dropout(self.feed_forward(states))
        return self.output_norm(states + added), weights


class TWilBertPreTrainedModel(PreTrainedModel):
    """What all models of the family share: configuration and how weights are drawn."""

    config: TWilBertConfig
    config_class = TWilBertConfig
    base_model_prefix = "twilbert"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _no_split_modules = ["TWilBertEmbeddings", "TWilBertLayer"]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ProductKeyMemory):
            module.reset_parameters()
        elif isinstance(module, _OutputLayer) and self.config.head_init == "reference":
            # Keras 2.2.4: TruncatedNormal(0.02) sets the mean; the deviation stays at
            # 0.05, and draws further off than two of it are drawn again.
            nn.init.trunc_normal_(module.weight, mean=0.02, std=0.05, a=-0.08, b=0.12)


class TWilBertModel(TWilBertPreTrainedModel):
    """The encoder, without a head.

    Parameters
    ----------
    config : TWilBertConfig
        Sizes and switches.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules.twilbert import TWilBertConfig, TWilBertModel
    >>> config = TWilBertConfig(
    ...     vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
    ...     head_dim=3, intermediate_size=8)
    >>> TWilBertModel(config)(torch.tensor([[2, 5, 3]])).last_hidden_state.shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, config: TWilBertConfig) -> None:
        super().__init__(config)
        self.embeddings = TWilBertEmbeddings(config)
        memories = {config.group_of(i) for i in config.memory_layers or ()}
        self.layers = nn.ModuleList(
            TWilBertLayer(config, group in memories) for group in range(config.n_groups)
        )
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the embeddings of tokens."""
        return self.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Set the embeddings of tokens."""
        self.embeddings.word_embeddings = value

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> Any:
        """Return the states of all tokens.

        Parameters
        ----------
        input_ids : int tensor of shape (batch, tokens)
            Tokens.
        attention_mask : tensor of shape (batch, tokens), optional
            1 for tokens, 0 for padding; not looked at if the configuration has the
            attention masking "none".
        token_type_ids, position_ids : int tensor of shape (batch, tokens), optional
            Segments, 0 by default, and positions, counted from 0.
        inputs_embeds : tensor of shape (batch, tokens, E), optional
            In place of `input_ids`.
        output_hidden_states, output_attentions : bool, optional
            Return the embeddings and the states after each layer, and the weights of
            attention (for the "eager" attention implementation).
        return_dict : bool, optional
            False for a tuple.
        **others
            Handed on to attention functions.

        Returns
        -------
        BaseModelOutput
            Its ``last_hidden_state`` is of shape (batch, tokens, hidden_size).
        """
        config = self.config
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("TWilBertModel needs input_ids or inputs_embeds.")
        if output_hidden_states is None:
            output_hidden_states = config.output_hidden_states
        if output_attentions is None:
            output_attentions = config.output_attentions
        if output_attentions and config._attn_implementation != "eager":
            raise ValueError(
                "TWilBertModel: attention weights are given by the implementation "
                f"'eager', not by {config._attn_implementation!r}. Call "
                "set_attn_implementation('eager') first."
            )
        words = inputs_embeds
        if words is None:
            words = self.embeddings.word_embeddings(input_ids)  # (batch, tokens, E)
        states = self.embeddings(words, token_type_ids, position_ids)
        if config.attention_masking == "none" and attention_mask is not None:
            # One of four dimensions says who sees whom, not what padding is.
            attention_mask = attention_mask if attention_mask.dim() == 4 else None
        mask = create_bidirectional_mask(
            config=config, inputs_embeds=states, attention_mask=attention_mask
        )
        all_states, all_weights = [states], []
        for i in range(config.num_hidden_layers):
            states, weights = self.layers[config.group_of(i)](states, mask, **others)
            all_states.append(states)
            all_weights.append(weights)
        output = BaseModelOutput(
            last_hidden_state=states,
            hidden_states=tuple(all_states) if output_hidden_states else None,
            attentions=tuple(all_weights) if output_attentions else None,
        )
        return output.to_tuple() if return_dict is False else output


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
        self.output = _OutputLayer(width, 2)

    def forward(self, first: Tensor) -> Tensor:
        """Return logits of shape (n, 2) from the states of [CLS]."""
        return self.output(self.hidden(first))


class TWilBertHeads(nn.Module):
    """What foretells masked tokens and, for pre-training on pairs, judges pairs."""

    def __init__(self, config: TWilBertConfig, pairs: bool) -> None:
        super().__init__()
        self.predictions = _OutputLayer(config.hidden_size, config.vocab_size)
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

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
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
        judged = self.cls.seq_relationship(states[:, 0])  # (batch, 2)
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
        self.num_labels = config.num_labels
        self.twilbert = TWilBertModel(config)
        rate = config.classifier_dropout
        self.dropout = nn.Dropout(config.hidden_dropout_prob if rate is None else rate)
        self.classifier = _OutputLayer(config.hidden_size, config.num_labels)
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
