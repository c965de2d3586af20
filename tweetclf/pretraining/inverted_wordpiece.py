"""TWilBERT's tokenizer: WordPiece over SentencePiece's pieces, its marker inverted.

The released script learns SentencePiece BPE and writes ``##`` for its mark of the
*start* of a word; the tokenizer it is then read by takes ``##`` for a piece *within* a
word. The published models were trained with this, so their
vocabularies must be read so; "correct" puts the marker right, for models to come.

References
----------
J. A. Gonzalez, L.-F. Hurtado and F. Pla, "TWilBert: Pre-trained deep bidirectional
transformers for Spanish Twitter", Neurocomputing 426 (2021), section 4; released code
``scripts/create_vocab.py``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from tweetclf.exceptions import ModelFormatError
from tweetclf.pretraining.tweet_tokenizer import BERT_TOKENS, wrap_tokenizer

__all__ = ["twilbert_tokenizer"]

_MARKER = "##"
# Of the released tokenizer; transformers' own has 100.
_LONGEST_WORD = 200


def _reversed(token: str) -> str:
    if token in BERT_TOKENS or token == _MARKER:
        return token
    if token.startswith(_MARKER):
        return token.removeprefix(_MARKER)
    return _MARKER + token


def twilbert_tokenizer(
    vocab_file: str | os.PathLike[str],
    *,
    marker: Literal["inverted", "correct"] = "inverted",
    lowercase: bool = True,
    max_length: int = 128,
) -> Any:
    r"""Read a vocabulary as TWilBERT's release does, or as it was meant.

    Parameters
    ----------
    vocab_file : path
        One piece a line, its number that of the line: [PAD], [UNK], [MASK], [CLS],
        [SEP] first, then SentencePiece's pieces with ``##`` for their ``▁``.
    marker : {"inverted", "correct"}, default="inverted"
        ``##`` is taken for a piece within a word, as the published models have it; or
        for the start of one, which is what it stands for. The numbers of the pieces
        are the same.
    lowercase : bool, default=True
        Drop case and accents, as the release does, though its vocabulary has both.
    max_length : int, default=128
        Longest input of the model.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        The tokenizer, for texts that `TwilbertNormalizer` has normalised.

    Raises
    ------
    ModelFormatError
        If the file lacks one of the five special tokens.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tweetclf.pretraining import twilbert_tokenizer
    >>> pieces = "[PAD] [UNK] [MASK] [CLS] [SEP] gus ##ta ##gusta".split()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "vocab.txt")
    ...     _ = file.write_text("\n".join(pieces), "utf-8")
    ...     released, meant = (
    ...         twilbert_tokenizer(file, marker=m) for m in ("inverted", "correct"))
    >>> released.tokenize("Gusta"), meant.tokenize("Gusta")
    (['gus', '##ta'], ['gusta'])
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    if marker not in ("inverted", "correct"):
        raise ValueError(
            "twilbert_tokenizer: the 'marker' parameter must be 'inverted' or "
            f"'correct'. Got {marker!r} instead."
        )
    # Not splitlines: pieces may hold line ends of Unicode's.
    lines = Path(vocab_file).read_text("utf-8").rstrip("\n").split("\n")
    missing = [token for token in BERT_TOKENS if token not in lines]
    if missing:
        raise ModelFormatError(
            f"{vocab_file} is no vocabulary of TWilBERT: it has no {missing[0]}."
        )
    if marker == "correct":
        lines = [_reversed(token) for token in lines]
    vocabulary = {token: number for number, token in enumerate(lines)}
    tokenizer = Tokenizer(
        models.WordPiece(
            vocabulary, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD
        )
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=_MARKER)
    return wrap_tokenizer(tokenizer, max_length=max_length)
