"""Tokenizers learnt from tweets, as files that plain ``transformers`` loads.

References
----------
Y. Wu et al., "Google's neural machine translation system", 2016, section 4.1
(WordPiece, arXiv:1609.08144). T. Kudo, "Subword regularization", ACL 2018, section 3.2
(unigram). A. Radford et al., "Language models are unsupervised multitask learners",
2019, section 2.2 (BPE over bytes). The limit of the alphabet and the tokens for
mentions, URLs and line ends are those of BERT for Japanese Twitter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tweetclf.exceptions import DataError
from tweetclf.pretraining._alphabet import Coverage, covering_alphabet
from tweetclf.pretraining._subwords import (
    learn_byte_level,
    learn_unigram,
    learn_wordpiece,
)
from tweetclf.pretraining._tweet_normalizer import tweet_normalizer
from tweetclf.utils.optional import import_optional

__all__ = ["BERT_TOKENS", "bert_template", "train_tweet_tokenizer", "wrap_tokenizer"]

BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The tokens that every tokenizer here begins with, in this order."""

_MARKER = "##"


@dataclass(frozen=True)
class _Tokens:
    """The tokens of tweets."""

    url: str | None
    user: str | None
    newline: str | None
    others: tuple[str, ...]

    def all(self) -> list[str]:
        named = (self.user, self.url, self.newline, *self.others)
        return list(dict.fromkeys(token for token in named if token is not None))


def train_tweet_tokenizer(
    texts: Iterable[str],
    *,
    kind: Literal["wordpiece", "bpe", "unigram"] = "wordpiece",
    vocab_size: int = 30_000,
    lowercase: bool = False,
    strip_accents: bool = False,
    unicode_form: Literal["NFC", "NFKC"] = "NFC",
    alphabet_coverage: float = 0.99,
    coverage_of: Coverage = "texts",
    extra_alphabet: Iterable[str] = (),
    user_token: str | None = "[USER]",
    url_token: str | None = "[URL]",
    newline_token: str | None = "[NL]",
    extra_special_tokens: Sequence[str] = (),
    min_frequency: int = 2,
    max_length: int = 512,
    word_splitter: Literal["mecab"] | Callable[[str], list[str]] | None = None,
) -> Any:
    r"""Learn a tokenizer for tweets.

    Parameters
    ----------
    texts : iterable of str
        Raw tweets; they are held in memory.
    kind : {"wordpiece", "bpe", "unigram"}, default="wordpiece"
        WordPiece over words and punctuation, as BERT has it; BPE over bytes, as
        RoBERTa has it, to which no text is unknown; or a unigram language model, as
        XLM-R has it.
    vocab_size : int, default=30000
        Most tokens, special ones included. Small corpora have fewer.
    lowercase, strip_accents : bool, default=False
        Whether case and accents are dropped.
    unicode_form : {"NFC", "NFKC"}, default="NFC"
        Form that texts are brought to. NFKC also makes half-width kana full and
        full-width letters half, as tokenizers for Japanese do.
    alphabet_coverage : float, default=0.99
        Share of the corpus that known characters cover; 1 knows all that occur. Not
        looked at by "bpe", which knows every byte.
    coverage_of : {"texts", "characters"}, default="texts"
        Whether the share is one of the texts, counted where all of their characters
        are known, or one of the characters. 99 % of the characters is much less: in
        Spanish, about the lower-case letters.
    extra_alphabet : iterable of str, default=()
        Characters to know in any case, for example the jōyō kanji.
    user_token, url_token, newline_token : str or None
        What stands for a mention, a URL and the end of a line; by default ``[USER]``,
        ``[URL]`` and ``[NL]``. None leaves mentions and URLs alone, and makes line
        ends blanks. Hashtags are left alone always.
    extra_special_tokens : sequence of str, default=()
        Further tokens that are never cut.
    min_frequency : int, default=2
        Pairs of pieces that are rarer are not merged; not looked at by "unigram".
    max_length : int, default=512
        Longest input of the model that the tokenizer is for.
    word_splitter : "mecab" or callable, optional
        What cuts texts that have no blanks into words, which pieces then stay within;
        "mecab" needs fugashi and a dictionary. For "unigram" only, see Notes.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        The tokenizer: ``[CLS] a [SEP]`` and ``[CLS] a [SEP] b [SEP]``. The tokens
        [PAD], [UNK], [CLS], [SEP], [MASK] are its first, then those of tweets.

    Raises
    ------
    DataError
        If there is nothing to learn from, or `vocab_size` has no room for the
        alphabet.
    ValueError
        If a parameter is out of its range, or a token would not survive its own
        tokenizer.

    See Also
    --------
    migrate_vocabulary : Put a model on another tokenizer.

    Notes
    -----
    Equal texts in equal order give equal files, in any process. Everything that is
    done to a text is in ``tokenizer.json``: after ``save_pretrained``,
    ``AutoTokenizer`` needs nothing of this library.

    ``tokenizer.json`` cannot run MeCab. Unigram pieces that were learnt within its
    words are found again without it, since the likeliest segmentation is searched for;
    WordPiece cuts greedily and needs the words themselves, so it is refused.

    Examples
    --------
    >>> from tweetclf.pretraining import train_tweet_tokenizer
    >>> tweets = ["qué risa @ana https://t.co/x", "qué día", "qué risa el día"] * 3
    >>> tokenizer = train_tweet_tokenizer(tweets, vocab_size=60)
    >>> tokenizer.tokenize("qué risa,\n@luis t.co/y")
    ['qué', 'risa', '[UNK]', '[NL]', '[USER]', '[URL]']
    """
    _check(kind, vocab_size, alphabet_coverage, coverage_of, word_splitter)
    tokens = _Tokens(url_token, user_token, newline_token, tuple(extra_special_tokens))
    fold: dict[str, Any] = {
        "unicode_form": unicode_form,
        "lowercase": lowercase,
        "strip_accents": strip_accents,
    }
    special = [*BERT_TOKENS, *tokens.all()]
    applied = tweet_normalizer(
        url=tokens.url,
        user=tokens.user,
        newline=tokens.newline,
        tokens=tokens.all(),
        **fold,
    )
    _check_tokens(applied, tokens)
    # Learnt from texts without the tokens, which would be cut up like any word.
    gone: dict[str, Any] = {
        name: None if getattr(tokens, name) is None else "" for name in _NAMES
    }
    learning = tweet_normalizer(**gone, **fold)
    lines = _lines(texts, learning, tokens.others, _splitter(word_splitter))
    n_pieces = vocab_size - len(special)
    if kind == "bpe":
        tokenizer = _byte_level(lines, vocab_size, special, min_frequency)
    else:
        alphabet = covering_alphabet(
            lines, alphabet_coverage, coverage_of, _normal(extra_alphabet, learning)
        )
        lines = _within(lines, alphabet)
        if kind == "wordpiece":
            tokenizer = _wordpiece(lines, n_pieces, special, alphabet, min_frequency)
        else:
            tokenizer = _unigram(lines, n_pieces, special, alphabet)
    tokenizer.normalizer = applied
    return wrap_tokenizer(tokenizer, tokens.all(), max_length=max_length)


_NAMES = ("url", "user", "newline")


def _check(
    kind: str, vocab_size: int, share: float, of: str, word_splitter: Any
) -> None:
    for name, value, choices in (
        ("kind", kind, ("wordpiece", "bpe", "unigram")),
        ("coverage_of", of, ("texts", "characters")),
    ):
        if value not in choices:
            raise ValueError(
                f"train_tweet_tokenizer: the {name!r} parameter must be one of "
                f"{choices}. Got {value!r} instead."
            )
    if vocab_size < 1 or not 0 < share <= 1:
        raise ValueError(
            "train_tweet_tokenizer: 'vocab_size' must be at least 1, and "
            "'alphabet_coverage' above 0 and at most 1. Got "
            f"{vocab_size!r} and {share!r} instead."
        )
    if word_splitter is not None and kind != "unigram":
        raise ValueError(
            f"train_tweet_tokenizer: a 'word_splitter' needs kind='unigram'; {kind!r} "
            "would need it to apply the tokenizer as well, which tokenizer.json "
            "cannot do. Split the texts themselves, or choose 'unigram'."
        )


def _check_tokens(normalizer: Any, tokens: _Tokens) -> None:
    """Refuse tokens that the normaliser takes apart."""
    for token in tokens.all():
        left = normalizer.normalize_str(token)
        if left != token:
            raise ValueError(
                f"train_tweet_tokenizer: the token {token!r} would be read as {left!r} "
                "by the tokenizer itself. Choose one without blanks, for example "
                "'[USER]'."
            )


def _splitter(word_splitter: Any) -> Callable[[str], list[str]] | None:
    if word_splitter != "mecab":
        return word_splitter
    fugashi = import_optional(
        "fugashi", extra="japanese", caller="train_tweet_tokenizer(word_splitter)"
    )
    tagger = fugashi.Tagger("-Owakati")
    return lambda text: tagger.parse(text).split()


def _normal(characters: Iterable[str], normalizer: Any) -> set[str]:
    """Return characters as they are once a text is normalised."""
    return {c for text in characters for c in normalizer.normalize_str(text)}


def _lines(
    texts: Iterable[str],
    normalizer: Any,
    others: Sequence[str],
    split: Callable[[str], list[str]] | None,
) -> list[str]:
    """Return what pieces are learnt from."""
    lines = []
    for text in texts:
        # Half of a surrogate pair is nothing that UTF-8 can write.
        whole = text.encode("utf-8", "replace").decode("utf-8")
        for token in (*BERT_TOKENS, *others):
            whole = whole.replace(token, " ")
        line = normalizer.normalize_str(whole).strip()
        if line:
            lines.append(" ".join(split(line)) if split else line)
    if not lines:
        raise DataError(
            "train_tweet_tokenizer: no tokenizer can be learnt from texts without any "
            "words."
        )
    return lines


def _within(lines: Sequence[str], alphabet: Sequence[str]) -> list[str]:
    """Return lines with blanks for the characters that are not known."""
    foreign = re.compile(f"[^{re.escape(''.join(alphabet))}]+")
    return [foreign.sub(" ", line) for line in lines]


def _byte_level(
    lines: Sequence[str], vocab_size: int, special: Sequence[str], min_frequency: int
) -> Any:
    from tokenizers import normalizers, pre_tokenizers

    return learn_byte_level(
        lines,
        vocab_size,
        special,
        normalizer=normalizers.NFC(),
        # Words by themselves: a blank at the end of a stretch would be a token.
        pre_tokenizer=pre_tokenizers.Sequence(
            [
                pre_tokenizers.WhitespaceSplit(),
                pre_tokenizers.ByteLevel(add_prefix_space=True),
            ]
        ),
        min_frequency=min_frequency,
    )


def _wordpiece(
    lines: Sequence[str],
    n_pieces: int,
    special: Sequence[str],
    alphabet: Sequence[str],
    min_frequency: int,
) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    words = pre_tokenizers.BertPreTokenizer()
    pieces = learn_wordpiece(
        lines,
        n_pieces,
        alphabet,
        pre_tokenizer=words,
        prefix=_MARKER,
        min_frequency=min_frequency,
    )
    numbered = {token: i for i, token in enumerate([*special, *pieces])}
    tokenizer = Tokenizer(models.WordPiece(numbered, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.WordPiece(prefix=_MARKER)
    return tokenizer


def _unigram(
    lines: Sequence[str], n_pieces: int, special: Sequence[str], alphabet: Sequence[str]
) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pieces = [
        (piece, score)
        for piece, score in learn_unigram(lines, n_pieces, alphabet)
        if piece not in special
    ]
    scored = [*((token, 0.0) for token in special), *pieces]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=special.index("[UNK]")))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(prepend_scheme="always"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return tokenizer


def bert_template(tokenizer: Any) -> None:
    """Let a tokenizer write ``[CLS] a [SEP]`` and ``[CLS] a [SEP] b [SEP]``.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        Changed in place; it must have the two tokens.
    """
    from tokenizers import processors

    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")],
    )


def wrap_tokenizer(
    tokenizer: Any, extra_special_tokens: Sequence[str] = (), *, max_length: int
) -> Any:
    """Wrap a tokenizer with BERT's special tokens for ``transformers``.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        With `BERT_TOKENS` and the extra ones in its vocabulary.
    extra_special_tokens : sequence of str, default=()
        Tokens that the normaliser makes, like ``[URL]``.
    max_length : int
        Longest input of the model.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        The tokenizer.
    """
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    # Looked for in the normalised text: the normaliser is what makes them.
    extra = [
        AddedToken(token, normalized=True, special=True)
        for token in extra_special_tokens
    ]
    tokenizer.add_special_tokens([*BERT_TOKENS, *extra])
    bert_template(tokenizer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **({"extra_special_tokens": extra} if extra else {}),
        **{f"{t[1:-1].lower()}_token": t for t in BERT_TOKENS},
    )
