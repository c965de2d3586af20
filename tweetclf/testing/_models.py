"""Tiny random transformers with a tokenizer trained on the spot, for tests and trials.

Nothing is downloaded: the directory holds what a published model's directory holds, so
that the code which reads those is run on small models.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.optional import import_optional

__all__ = ["TINY_KINDS", "make_tiny_transformer"]

_BERT_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_DROPOUTS = (
    "attention_dropout",
    "attention_probs_dropout_prob",
    "dropout",
    "hidden_dropout_prob",
)
_ROBERTA_TOKENS = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "bos_token": "<s>",
    "eos_token": "</s>",
}

# Kind -> (class of its configuration, subword algorithm, special tokens).
TINY_KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "albert": ("AlbertConfig", "unigram", _BERT_TOKENS),
    "bert": ("BertConfig", "wordpiece", _BERT_TOKENS),
    "deberta-v2": ("DebertaV2Config", "unigram", _BERT_TOKENS),
    "distilbert": ("DistilBertConfig", "wordpiece", _BERT_TOKENS),
    "electra": ("ElectraConfig", "wordpiece", _BERT_TOKENS),
    "modernbert": ("ModernBertConfig", "bpe", _BERT_TOKENS),
    "roberta": ("RobertaConfig", "bpe", _ROBERTA_TOKENS),
    "xlm-roberta": ("XLMRobertaConfig", "unigram", _ROBERTA_TOKENS),
}


def make_tiny_transformer(
    path: str | os.PathLike[str],
    texts: Sequence[str],
    *,
    kind: str = "bert",
    vocab_size: int = 400,
    hidden_size: int = 32,
    n_layers: int = 2,
    n_heads: int = 2,
    max_positions: int = 130,
    dropout: float = 0.1,
    seed: int = 0,
) -> Path:
    """Write a small random encoder and a tokenizer trained on texts to a directory.

    Parameters
    ----------
    path : path
        The directory; it is made if need be.
    texts : sequence of str
        What the tokenizer is trained on.
    kind : str, default="bert"
        Architecture: "albert", "bert", "deberta-v2", "distilbert", "electra",
        "modernbert", "roberta" or "xlm-roberta".
    vocab_size : int, default=400
        Most subwords that the tokenizer learns.
    hidden_size, n_layers, n_heads : int
        Sizes of the encoder.
    max_positions : int, default=130
        Positions that the model knows; the longest input has two fewer in RoBERTa's
        family.
    dropout : float, default=0.1
        Of states and attention.
    seed : int, default=0
        Of the weights.

    Returns
    -------
    Path
        The directory, as ``transformers`` loads it.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.testing import make_tiny_transformer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, ["qué risa", "qué asco"])
    ...     sorted(file.name for file in path.iterdir())[:2]
    ['config.json', 'model.safetensors']
    """
    caller = "make_tiny_transformer"
    if kind not in TINY_KINDS:
        raise ValueError(
            f"{caller}: the 'kind' parameter must be one of {sorted(TINY_KINDS)}. Got "
            f"{kind!r} instead."
        )
    torch = import_optional("torch", extra="neural", caller=caller)
    transformers = import_optional("transformers", extra="neural", caller=caller)
    from tweetclf.training.devices import seeded

    name, algorithm, tokens = TINY_KINDS[kind]
    tokenizer = _make_tokenizer(texts, algorithm, tokens, vocab_size)
    sizes = _sizes_of(
        kind,
        tokenizer,
        hidden_size=hidden_size,
        n_layers=n_layers,
        n_heads=n_heads,
        max_positions=max_positions,
        dropout=dropout,
    )
    config = getattr(transformers, name)(**sizes)
    with seeded(seed, torch.device("cpu")):
        model = transformers.AutoModel.from_config(config)
    folder = Path(path)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_positions - (2 if tokens is _ROBERTA_TOKENS else 0),
        model_input_names=["input_ids", "attention_mask"]
        if tokens is _ROBERTA_TOKENS or kind in ("distilbert", "modernbert")
        else ["input_ids", "token_type_ids", "attention_mask"],
        **tokens,
    )
    with quiet_transformers():
        model.save_pretrained(folder)
        wrapped.save_pretrained(folder)
    return folder


def _sizes_of(
    kind: str,
    tokenizer: Any,
    *,
    hidden_size: int,
    n_layers: int,
    n_heads: int,
    max_positions: int,
    dropout: float,
) -> dict[str, Any]:
    """Return the arguments of a configuration, by the names its architecture has."""
    tokens = TINY_KINDS[kind][2]
    ids = {token: tokenizer.token_to_id(token) for token in tokens.values()}
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": hidden_size,
        "num_hidden_layers": n_layers,
        "num_attention_heads": n_heads,
        "intermediate_size": 2 * hidden_size,
        "max_position_embeddings": max_positions,
        "pad_token_id": ids[tokens["pad_token"]],
        "bos_token_id": ids[tokens["cls_token"]],
        "eos_token_id": ids[tokens["sep_token"]],
        # A larger deviation than in pre-training, so that texts are told apart.
        "initializer_range": 0.2,
        # Each architecture reads the names it knows.
        **dict.fromkeys(_DROPOUTS, dropout),
        **_PECULIAR.get(kind, dict)(),
    }
    if kind == "modernbert":
        sizes["cls_token_id"] = sizes["bos_token_id"]
        sizes["sep_token_id"] = sizes["eos_token_id"]
    if kind == "distilbert":
        sizes |= {
            "dim": hidden_size,
            "n_layers": n_layers,
            "n_heads": n_heads,
            "hidden_dim": 2 * hidden_size,
        }
        for other in ("hidden_size", "num_hidden_layers", "num_attention_heads"):
            del sizes[other]
    return sizes


_PECULIAR: dict[str, Callable[[], dict[str, Any]]] = {
    "albert": lambda: {"embedding_size": 16},
    "deberta-v2": lambda: {
        "relative_attention": True,
        "position_biased_input": False,
        "pos_att_type": ["p2c", "c2p"],
        "type_vocab_size": 0,
    },
    "electra": lambda: {"embedding_size": 16},
    # A window that texts of a test reach beyond.
    "modernbert": lambda: {"local_attention": 8, "global_attn_every_n_layers": 2},
    "roberta": lambda: {"type_vocab_size": 1},
    "xlm-roberta": lambda: {"type_vocab_size": 1},
}


def _make_tokenizer(
    texts: Sequence[str], algorithm: str, tokens: dict[str, str], vocab_size: int
) -> Any:
    """Make a tokenizer that wraps texts as ``CLS a SEP`` and ``CLS a SEP b SEP``."""
    library = import_optional(
        "tokenizers", extra="neural", caller="make_tiny_transformer"
    )
    special = list(dict.fromkeys(tokens.values()))
    unknown = tokens["unk_token"]
    if algorithm == "bpe":
        splitter: Any = library.pre_tokenizers.ByteLevel()
        tokenizer = library.Tokenizer(library.models.BPE())
        tokenizer.pre_tokenizer = splitter
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=special,
            initial_alphabet=sorted(splitter.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(list(texts), trainer)
    elif algorithm == "wordpiece":
        splitter = library.pre_tokenizers.BertPreTokenizer()
        pieces = _pieces(texts, splitter, "##")[: max(0, vocab_size - len(special))]
        vocabulary = {token: i for i, token in enumerate(special + pieces)}
        tokenizer = library.Tokenizer(
            library.models.WordPiece(vocabulary, unk_token=unknown)
        )
        tokenizer.pre_tokenizer = splitter
    else:
        splitter = library.pre_tokenizers.Metaspace()
        pieces = _pieces(texts, splitter, "")[: max(0, vocab_size - len(special))]
        scores = [-float(i) / 100 for i in range(len(pieces))]
        tokenizer = library.Tokenizer(
            library.models.Unigram(
                [(token, 0.0) for token in special]
                + list(zip(pieces, scores, strict=True)),
                special.index(unknown),
            )
        )
        tokenizer.pre_tokenizer = splitter
    tokenizer.add_special_tokens(special)
    start, end = tokens["cls_token"], tokens["sep_token"]
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B:1 {end}:1",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in (start, end)],
    )
    return tokenizer


def _pieces(texts: Sequence[str], splitter: Any, inner: str) -> list[str]:
    """Return parts of words, characters first, then those that cover most.

    The library's own trainers of WordPiece and Unigram break ties differently in each
    process; these pieces are the same everywhere. `inner` stands before parts that do
    not begin a word.
    """
    words = Counter(
        word for text in texts for word, _ in splitter.pre_tokenize_str(text)
    )
    covered: Counter[str] = Counter()
    letters = set()
    for word, count in words.items():
        letters |= {word[0], *(inner + letter for letter in word[1:])}
        for end in range(2, len(word) + 1):
            covered[word[:end]] += count * end
        for start in range(1, len(word) - 1):
            covered[inner + word[start:]] += count * (len(word) - start)
    frequent = sorted(set(covered) - letters, key=lambda p: (-covered[p], p))
    return [*sorted(letters), *frequent]
