"""Models to pre-train: a BERT or an ALBERT where it is one, else a TWilBERT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from tweetclf.training.devices import seeded
from tweetclf.utils.hugging_face import checkpoint_activations, quiet_transformers
from tweetclf.utils.random import stream

__all__ = ["make_pretraining_model"]

Architecture = Literal["bert", "albert", "twilbert"]

_ARCHITECTURES = ("bert", "albert", "twilbert")


def make_pretraining_model(
    architecture: Architecture = "twilbert",
    *,
    vocab_size: int,
    hidden_size: int = 768,
    n_layers: int = 6,
    n_heads: int = 6,
    head_size: int | None = None,
    intermediate_size: int | None = None,
    embedding_size: int | None = None,
    n_groups: int | None = None,
    max_positions: int = 130,
    dropout: float = 0.0,
    pair_objective: Literal["rop", "nsp", "sop"] | None = "rop",
    pair_hidden_layers: int = 0,
    memory_layers: Sequence[int] = (),
    memory_sub_keys: int = 256,
    memory_variant: Literal["xlm", "twilbert"] = "xlm",
    gradient_checkpointing: bool = False,
    pad_token_id: int = 0,
    random_state: int = 0,
) -> Any:
    """Make a model with fresh weights and the heads of pre-training.

    Parameters
    ----------
    architecture : {"twilbert", "bert", "albert"}, default="twilbert"
        "bert" and "albert" are those of transformers, which any program that uses it
        loads. Take "twilbert" for what they lack: heads of another width, embeddings
        that are not normalised, an untied language model head, memories.
    vocab_size : int
        Tokens, special ones included.
    hidden_size, n_layers, n_heads : int, default=768, 6, 6
        Sizes; TWilBERT-Base by default.
    head_size : int, optional
        Width of a head: 64 for a TWilBERT, and for the others what divides states.
    intermediate_size : int, optional
        Width within feed-forward layers; four states if not given.
    embedding_size : int, optional
        Width of embeddings: 128 for an ALBERT, that of states for a TWilBERT.
    n_groups : int, optional
        Groups of layers that share weights: 1 for an ALBERT, none for a TWilBERT.
    max_positions : int, default=130
        Tokens of the longest example.
    dropout : float, default=0.0
        Of states and attention.
    pair_objective : {"rop", "nsp", "sop"} or None, default="rop"
        What pair labels mean, as the configuration says afterwards. None makes a model
        for masked tokens alone.
    pair_hidden_layers : int, default=0
        TWilBERT: layers between [CLS] and the pair labels.
    memory_layers : sequence of int, default=()
        TWilBERT: layers with a product-key memory.
    memory_sub_keys : int, default=256
        The square root of its values.
    memory_variant : {"xlm", "twilbert"}, default="xlm"
        See `ProductKeyMemory`.
    gradient_checkpointing : bool, default=False
        Compute states of layers anew for the gradient rather than keep them. The
        ALBERT of transformers cannot.
    pad_token_id : int, default=0
        Padding.
    random_state : int, default=0
        Of the weights.

    Returns
    -------
    transformers.PreTrainedModel
        ``BertForPreTraining``, ``AlbertForPreTraining`` or ``TWilBertForPreTraining``;
        without a pair objective the same ``ForMaskedLM``. In training mode.

    Examples
    --------
    >>> from tweetclf.pretraining.pretraining_models import make_pretraining_model
    >>> model = make_pretraining_model(
    ...     "bert", vocab_size=20, hidden_size=8, n_layers=1, n_heads=2)
    >>> type(model).__name__, model.config.pair_objective
    ('BertForPreTraining', 'rop')
    """
    if architecture not in _ARCHITECTURES:
        raise ValueError(
            "make_pretraining_model: the 'architecture' parameter must be 'bert', "
            f"'albert' or 'twilbert'. Got {architecture!r} instead."
        )
    sizes: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "num_hidden_layers": n_layers,
        "num_attention_heads": n_heads,
        "intermediate_size": intermediate_size or 4 * hidden_size,
        "max_position_embeddings": max_positions,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "pad_token_id": pad_token_id,
        "pair_objective": pair_objective,
    }
    if architecture == "twilbert":
        sizes |= {
            "head_dim": head_size or 64,
            "embedding_size": embedding_size,
            "num_hidden_groups": n_groups,
            "pair_hidden_layers": pair_hidden_layers,
            "memory_layers": list(memory_layers),
            "memory_sub_keys": memory_sub_keys,
            "memory_variant": memory_variant,
        }
    else:
        is_bert = architecture == "bert"
        _refuse_peculiar(
            architecture,
            head_size=head_size not in (None, hidden_size // n_heads),
            pair_hidden_layers=bool(pair_hidden_layers),
            memory_layers=bool(memory_layers),
            embedding_size=is_bert and embedding_size not in (None, hidden_size),
            n_groups=is_bert and n_groups not in (None, n_layers),
            gradient_checkpointing=gradient_checkpointing and not is_bert,
        )
        _check_heads(architecture, hidden_size, n_heads)
    if architecture == "albert":
        sizes |= {
            "embedding_size": embedding_size or 128,
            "num_hidden_groups": n_groups or 1,
            "classifier_dropout_prob": dropout,
        }
    model = _build(architecture, sizes, pair_objective is not None, random_state)
    if gradient_checkpointing:
        checkpoint_activations(model)
    return model


def _refuse_peculiar(architecture: str, **given: bool) -> None:
    """Refuse what only another architecture has."""
    wrong = sorted(name for name, is_given in given.items() if is_given)
    if wrong:
        raise ValueError(
            f"make_pretraining_model: a model of architecture={architecture!r} does "
            f"not have {', '.join(map(repr, wrong))}. Leave it out, or take "
            "architecture='twilbert'."
        )


def _check_heads(architecture: str, hidden_size: int, n_heads: int) -> None:
    if hidden_size % n_heads:
        raise ValueError(
            "make_pretraining_model: 'hidden_size' must be a multiple of 'n_heads' "
            f"for architecture={architecture!r}. Got {hidden_size} and {n_heads}."
        )


def _build(
    architecture: str, sizes: dict[str, Any], has_pairs: bool, random_state: int
) -> Any:
    import transformers

    from tweetclf.modules import twilbert

    home: Any = twilbert if architecture == "twilbert" else transformers
    family = {"bert": "Bert", "albert": "Albert", "twilbert": "TWilBert"}[architecture]
    config = getattr(home, f"{family}Config")(**sizes)
    kind = "ForPreTraining" if has_pairs else "ForMaskedLM"
    seed = int(stream(random_state, "pre-training weights").integers(2**62))
    with quiet_transformers(), seeded(seed, torch.device("cpu")):
        return getattr(home, f"{family}{kind}")(config).train()
