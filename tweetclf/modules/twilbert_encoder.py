"""The encoder of TWilBERT; `tweetclf.modules.twilbert` has the models with heads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import ACT2FN
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutput
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert.modeling_bert import eager_attention_forward

from tweetclf.modules.product_keys import ProductKeyMemory
from tweetclf.modules.twilbert_config import TWilBertConfig

__all__ = ["OutputLayer", "TWilBertModel", "TWilBertPreTrainedModel"]


class OutputLayer(nn.Linear):
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
        elif isinstance(module, OutputLayer) and self.config.head_init == "reference":
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

    def set_input_embeddings(self, value: Any) -> None:
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
