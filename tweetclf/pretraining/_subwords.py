"""Learning the pieces of tokenizers, the same ones in every process.

The WordPiece and Unigram trainers of ``tokenizers`` number single characters in the
order of a hash table, and break ties between merges by those numbers: equal input,
another vocabulary in each process. Its BPE trainer does not where it is given all
characters, and SentencePiece's trainer does not with one thread.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.pretraining._alphabet import WORD_START
from tweetclf.utils.optional import import_optional

__all__ = ["learn_byte_level", "learn_unigram", "learn_wordpiece"]

# SentencePiece skips longer lines; a tweet with its replies may be one.
_LONGEST_LINE = 1 << 20


def learn_byte_level(
    texts: Iterable[str],
    vocab_size: int,
    special_tokens: Sequence[Any],
    *,
    normalizer: Any,
    pre_tokenizer: Any,
    min_frequency: int = 2,
) -> Any:
    """Learn byte-level BPE: no text has an unknown token, and ties are broken alike.

    Parameters
    ----------
    texts : iterable of str
        The corpus.
    vocab_size : int
        Most pieces, special tokens and the 256 bytes included.
    special_tokens : sequence of str or AddedToken
        Come first.
    normalizer, pre_tokenizer : objects of ``tokenizers``
        Of the tokenizer; the latter maps bytes to characters.
    min_frequency : int, default=2
        Rarer pairs are not merged.

    Returns
    -------
    tokenizers.Tokenizer
        The tokenizer, without a template.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def learn_wordpiece(
    texts: Sequence[str],
    vocab_size: int,
    alphabet: Sequence[str],
    *,
    pre_tokenizer: Any,
    prefix: str = "##",
    min_frequency: int = 2,
) -> list[str]:
    """Learn WordPiece's pieces: the merges of BPE, as its usual trainer has them.

    Parameters
    ----------
    texts : sequence of str
        The corpus, normalised, of characters of `alphabet` and blanks only.
    vocab_size : int
        Most pieces.
    alphabet : sequence of str
        Characters in order.
    pre_tokenizer : tokenizers.pre_tokenizers.PreTokenizer
        What cuts texts into words.
    prefix : str, default="##"
        What marks pieces within words.
    min_frequency : int, default=2
        Rarer pairs are not merged.

    Returns
    -------
    list of str
        The alphabet, its characters within words, then merges as learnt.

    Raises
    ------
    DataError
        If `vocab_size` has no room for the single characters.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    words = {word for t in texts for word, _ in pre_tokenizer.pre_tokenize_str(t)}
    within = {c for word in words for c in word[1:]}
    unseen = set(alphabet).difference(*words)
    pieces = [*alphabet, *(prefix + c for c in sorted(within | unseen))]
    if len(pieces) > vocab_size:
        raise DataError(
            f"train_tweet_tokenizer: {vocab_size} pieces, special tokens left out, "
            f"have no room for {len(pieces)} single characters. Raise 'vocab_size' or "
            "lower 'alphabet_coverage'."
        )
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizer, pre_tokenizers.Metaspace(WORD_START, prepend_scheme="always")]
    )
    trainer = trainers.BpeTrainer(
        # Of its pieces, single characters and the blank are none of ours.
        vocab_size=vocab_size + len(alphabet) + 1,
        min_frequency=min_frequency,
        initial_alphabet=[WORD_START, *alphabet],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    seen = set(pieces)
    learnt = learner.get_vocab()
    for merged in sorted(learnt, key=learnt.__getitem__):
        if merged.startswith(WORD_START):
            piece = merged.removeprefix(WORD_START)
        else:
            piece = prefix + merged
        if len(merged) > 1 and piece not in seen and len(pieces) < vocab_size:
            seen.add(piece)
            pieces.append(piece)
    return pieces


def learn_unigram(
    texts: Sequence[str], vocab_size: int, alphabet: Sequence[str]
) -> list[tuple[str, float]]:
    """Learn the pieces of a unigram language model, by SentencePiece.

    Parameters
    ----------
    texts : sequence of str
        The corpus, normalised, of characters of `alphabet` and blanks only.
    vocab_size : int
        Most pieces.
    alphabet : sequence of str
        Characters that are pieces in any case.

    Returns
    -------
    list of (str, float)
        Pieces, with ``▁`` before those that begin a word, and their log-probabilities.

    Raises
    ------
    DataError
        If `vocab_size` has no room for all characters.
    """
    package = import_optional(
        "sentencepiece", extra="neural", caller="train_tweet_tokenizer"
    )
    written = io.BytesIO()
    try:
        package.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=written,
            model_type="unigram",
            vocab_size=vocab_size + 1,  # one of them is <unk>
            hard_vocab_limit=False,
            character_coverage=1.0,
            required_chars="".join(alphabet),
            normalization_rule_name="identity",
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            max_sentence_length=_LONGEST_LINE,
            num_threads=1,
            minloglevel=3,
        )
    except RuntimeError as error:
        raise DataError(
            f"train_tweet_tokenizer: no {vocab_size} pieces can be learnt from these "
            f"texts: {' '.join(str(error).split())}"
        ) from error
    model = package.SentencePieceProcessor(model_proto=written.getvalue())
    return [
        (model.id_to_piece(i), model.get_score(i))
        for i in range(1, model.get_piece_size())
    ]
