"""Sizes and switches of a TWilBERT."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Any, cast

from transformers import PretrainedConfig

__all__ = ["TWilBertConfig"]


class TWilBertConfig(PretrainedConfig):
    """Sizes and switches of a TWilBERT; the defaults are TWilBERT-Base.

    Parameters
    ----------
    vocab_size : int, default=30002
        Tokens, special ones included.
    hidden_size : int, default=768
        Width of states (H).
    num_hidden_layers, num_attention_heads, head_dim : int, default=6, 6, 64
        Layers, heads, and the width of each head: all heads together need not be as
        wide as a state.
    intermediate_size : int, default=3072
        Width within feed-forward layers.
    embedding_size : int, optional
        Width of embeddings (E); as wide as states if not given. Where it differs, a
        linear map leads from the sum of the embeddings to states.
    embedding_activation : {"gelu", "linear"}, default="gelu"
        What follows that map: TWilBERT's code has a GELU, ALBERT nothing.
    hidden_act : str, default="gelu_pytorch_tanh"
        GELU by its approximation with tanh.
    max_position_embeddings : int, default=260
        Positions: 2 * 128 + 4 in the released code.
    type_vocab_size : int, default=2
        Segments.
    attention_bias : bool, default=False
        Whether the four maps of attention have biases; the released models have none.
    num_hidden_groups : int, optional
        Groups of consecutive layers that share all weights, 1 for one layer used again
        and again; as many as layers if not given.
    hidden_dropout_prob, attention_probs_dropout_prob : float, default=0.0
        Of what is added to states, and of attention.
    classifier_dropout : float, optional
        Before the classification head; as of states if not given.
    layer_norm_eps : float, default=1e-12
        Added to variances.
    initializer_range : float, default=0.02
        Deviation of fresh weights, normal.
    head_init : {"normal", "reference"}, default="normal"
        How weights of output layers are drawn. "reference": normal with mean 0.02 and
        deviation 0.05, cut at two deviations, as the released code does by mistaking a
        mean for a deviation.
    attention_masking : {"padding", "none"}, default="padding"
        Whether padding is hidden from attention. "none" reads padding as the released
        models do; see `tweetclf.modules.twilbert_reference`.
    memory_layers : list of int, optional
        Numbers, from 0, of the layers whose feed-forward layer is a product-key memory.
    memory_variant : {"xlm", "twilbert"}, default="xlm"
        See `ProductKeyMemory`, as for what follows.
    memory_key_size, memory_sub_keys, memory_heads, memory_top_k : int
        512, 256 (65,536 values), 4 and 32 by default.
    memory_batch_norm : bool, default=False
        Normalise the queries of memories.
    memory_query_dropout : float, default=0.0
        Of these queries.
    pair_hidden_layers, pair_hidden_size : int, default=0, 512
        Layers (linear, GELU, LayerNorm) between [CLS] and the pair labels.
    pair_objective : {"rop", "nsp", "sop"} or None, default="rop"
        What the pair labels mean.
    pad_token_id : int, default=0
        Padding; its embedding is learnt like any other.
    tie_word_embeddings : bool, default=False
        Not supported: the language model's head has weights of its own.
    **others
        What every configuration of transformers has, as ``num_labels``.

    Examples
    --------
    >>> from tweetclf.modules.twilbert_config import TWilBertConfig
    >>> config = TWilBertConfig.large(vocab_size=8000)
    >>> config.num_hidden_layers, config.attention_size, config.vocab_size
    (12, 768, 8000)
    """

    model_type = "twilbert"

    vocab_size: int = 30002
    hidden_size: int = 768
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    head_dim: int = 64
    intermediate_size: int = 3072
    embedding_size: int | None = None
    embedding_activation: str = "gelu"
    hidden_act: str = "gelu_pytorch_tanh"
    max_position_embeddings: int = 260
    type_vocab_size: int = 2
    attention_bias: bool = False
    num_hidden_groups: int | None = None
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    classifier_dropout: float | None = None
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    head_init: str = "normal"
    attention_masking: str = "padding"
    memory_layers: list[int] | None = None
    memory_variant: str = "xlm"
    memory_key_size: int = 512
    memory_sub_keys: int = 256
    memory_heads: int = 4
    memory_top_k: int = 32
    memory_batch_norm: bool = False
    memory_query_dropout: float = 0.0
    pair_hidden_layers: int = 0
    pair_hidden_size: int = 512
    pair_objective: str | None = "rop"
    pad_token_id: int | None = 0
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        choices = {
            "embedding_activation": ("gelu", "linear"),
            "head_init": ("normal", "reference"),
            "attention_masking": ("padding", "none"),
            "pair_objective": ("rop", "nsp", "sop", None),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"TWilBertConfig: the {name!r} parameter must be one of {known}. "
                    f"Got {getattr(self, name)!r} instead."
                )
        if self.tie_word_embeddings:
            raise ValueError(
                "TWilBertConfig: 'tie_word_embeddings' must be False; take a BERT for "
                "a tied head."
            )
        n_layers = self.num_hidden_layers
        if not 1 <= self.n_groups <= n_layers:
            raise ValueError(
                "TWilBertConfig: 'num_hidden_groups' must be at least 1 and at most "
                f"'num_hidden_layers', {n_layers}. Got {self.num_hidden_groups!r}."
            )
        memories = set(self.memory_layers or ())
        if memories - set(range(n_layers)):
            raise ValueError(
                "TWilBertConfig: 'memory_layers' must be numbers of layers, from 0 to "
                f"{n_layers - 1}. Got {self.memory_layers!r}."
            )
        mixed = {self.group_of(i) for i in memories} & {
            self.group_of(i) for i in range(n_layers) if i not in memories
        }
        if mixed:
            raise ValueError(
                "TWilBertConfig: layers that share weights must all be in "
                f"'memory_layers' or none of them. Got {self.memory_layers!r} with "
                f"'num_hidden_groups' {self.num_hidden_groups!r}."
            )

    @property
    def attention_size(self) -> int:
        """Width of all heads together."""
        return self.num_attention_heads * self.head_dim

    @property
    def n_groups(self) -> int:
        """Number of layers with weights of their own."""
        if self.num_hidden_groups is None:
            return self.num_hidden_layers
        return self.num_hidden_groups

    def group_of(self, layer: int) -> int:
        """Return which of the layers with weights of their own a layer is."""
        return layer * self.n_groups // self.num_hidden_layers

    @classmethod
    def base(cls, **changes: Any) -> TWilBertConfig:
        """Return TWilBERT-Base: 6 layers, 6 heads, 82 million parameters.

        Parameters
        ----------
        **changes
            Of any parameter.
        """
        return cls(**changes)

    @classmethod
    def large(cls, **changes: Any) -> TWilBertConfig:
        """Return TWilBERT-Large: 12 layers, 12 heads, 131 million parameters.

        Parameters
        ----------
        **changes
            Of any parameter.
        """
        return cls(**{"num_hidden_layers": 12, "num_attention_heads": 12, **changes})


# What is shown of it: its own fields, not those that transformers adds.
cast(Any, TWilBertConfig).__signature__ = Signature(
    [
        Parameter(name, Parameter.KEYWORD_ONLY, default=getattr(TWilBertConfig, name))
        for name in TWilBertConfig.__annotations__
    ]
    + [Parameter("others", Parameter.VAR_KEYWORD)]
)
