"""Which tokens of an example are foretold: spans, tokens one by one, or whole words.

References
----------
Z. Lan et al., "ALBERT", ICLR 2020, section 3.1 (arXiv:1909.11942): spans of up to three
tokens, of size l with a probability proportional to 1 / l. J. A. González, L.-F.
Hurtado & F. Pla, "TWilBert", Neurocomputing 426, 2021, equation 1, which takes that
law. J. Devlin et al., NAACL 2019, section 3.1 (arXiv:1810.04805): 15 % of the tokens
are foretold; of these 80 % are masked, 10 % replaced and 10 % left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tweetclf.pretraining._batch_kernels import SPANS, TOKENS, WORDS, mask_examples, mix

__all__ = [
    "Masker",
    "Masking",
    "SpanMasking",
    "TokenMasking",
    "WholeWordMasking",
    "epoch_key",
    "word_continuations",
]


def _check_shares(masking: Any) -> None:
    caller = type(masking).__name__
    if not 0 < masking.rate < 1:
        raise ValueError(
            f"{caller}: the 'rate' parameter must be between 0 and 1. Got "
            f"{masking.rate!r} instead."
        )
    shares = (masking.mask_share, masking.random_share)
    if min(shares) < 0 or sum(shares) > 1:
        raise ValueError(
            f"{caller}: 'mask_share' and 'random_share' must not be negative nor sum "
            f"to more than 1. Got {shares[0]!r} and {shares[1]!r}."
        )


@dataclass(frozen=True, kw_only=True)
class SpanMasking:
    """Choose spans of tokens, short ones more often.

    Spans are drawn until ceil(rate * n) of the n maskable tokens of an example are
    chosen, so that up to ``max_span - 1`` more may be. A span is a run of maskable
    tokens of one segment of which none is chosen yet; all places where it fits are
    equally likely, and where there is none it is drawn one token shorter.

    Parameters
    ----------
    rate : float, default=0.15
        Share of the maskable tokens that is foretold at least.
    max_span : int, default=3
        Most tokens of a span; 1 chooses exactly ceil(rate * n) tokens.
    mask_share, random_share : float, default=0.8, 0.1
        Of the chosen tokens, each drawn on its own: the share that is replaced by
        [MASK], and by a random ordinary token. The rest stays.

    Notes
    -----
    TWilBERT's released code lets spans run over special tokens into the padding of
    the second tweet, chooses tokens a second time that a span before had left or
    replaced, counting them twice, and fails on an example with a single maskable token
    at one draw in six. Here none of this happens: the law of the sizes and the budget
    are the same, but more examples exceed the budget (of 22 tokens, 5 or 6 rather than
    4 in 40 % of the draws, theirs in 33 %), since no part of a span is lost.

    Examples
    --------
    >>> from tweetclf.pretraining.spans import SpanMasking
    >>> [round(p, 3) for p in SpanMasking().probabilities]
    [0.545, 0.273, 0.182]
    """

    rate: float = 0.15
    max_span: int = 3
    mask_share: float = 0.8
    random_share: float = 0.1
    kind: ClassVar[int] = SPANS

    def __post_init__(self) -> None:
        _check_shares(self)
        if self.max_span < 1:
            raise ValueError(
                "SpanMasking: the 'max_span' parameter must be at least 1. Got "
                f"{self.max_span!r} instead."
            )

    @property
    def probabilities(self) -> list[float]:
        """Probability of each size, from 1 on."""
        total = sum(1 / size for size in range(1, self.max_span + 1))
        return [1 / size / total for size in range(1, self.max_span + 1)]


@dataclass(frozen=True, kw_only=True)
class TokenMasking:
    """Choose each token on its own, at least one of each example.

    Parameters
    ----------
    rate : float, default=0.15
        Probability that a token is chosen, given that one of its example is: the law
        of drawing the whole example anew until one is chosen.
    mask_share, random_share : float, default=0.8, 0.1
        As in `SpanMasking`.

    Examples
    --------
    >>> from tweetclf.pretraining.spans import TokenMasking
    >>> TokenMasking(rate=0.2).rate
    0.2
    """

    rate: float = 0.15
    mask_share: float = 0.8
    random_share: float = 0.1
    kind: ClassVar[int] = TOKENS

    def __post_init__(self) -> None:
        _check_shares(self)


@dataclass(frozen=True, kw_only=True)
class WholeWordMasking:
    """Choose whole words, up to ceil(rate * n) of the n maskable tokens.

    Words are taken in random order; one that would exceed the budget is passed over,
    unless no word fits: then one is taken all the same.

    Parameters
    ----------
    continues : ndarray of bool, (vocab_size,)
        Which tokens go on the word before them, as `word_continuations` tells.
    rate : float, default=0.15
        Share of the maskable tokens that is foretold.
    mask_share, random_share : float, default=0.8, 0.1
        As in `SpanMasking`; each token of a word is drawn on its own.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.pretraining.spans import WholeWordMasking
    >>> WholeWordMasking(continues=np.array([False, True])).rate
    0.15
    """

    continues: NDArray[np.bool_] = field(compare=False)
    rate: float = 0.15
    mask_share: float = 0.8
    random_share: float = 0.1
    kind: ClassVar[int] = WORDS

    def __post_init__(self) -> None:
        _check_shares(self)


Masking: TypeAlias = SpanMasking | TokenMasking | WholeWordMasking


def word_continuations(vocabulary: Mapping[str, int]) -> NDArray[np.bool_]:
    """Tell which pieces of a vocabulary go on the word before them.

    Parameters
    ----------
    vocabulary : mapping of str to int
        Pieces and their numbers, as ``tokenizer.get_vocab()`` returns them. Which mark
        it uses is told from the pieces: "##" before what goes on a word (WordPiece),
        or else "▁" or "Ġ" before what begins one (SentencePiece, byte-level BPE).

    Returns
    -------
    ndarray of bool, (vocab_size,)
        By number of the piece; False for special tokens in brackets.

    Raises
    ------
    ValueError
        If no piece has any of the marks.

    Examples
    --------
    >>> from tweetclf.pretraining.spans import word_continuations
    >>> word_continuations({"[PAD]": 0, "hola": 1, "##s": 2}).tolist()
    [False, False, True]
    >>> word_continuations({"<s>": 0, "▁hola": 1, "s": 2}).tolist()
    [False, False, True]
    """
    counts = {
        mark: sum(piece.startswith(mark) and piece != mark for piece in vocabulary)
        for mark in ("##", "▁", "Ġ")
    }
    mark = max(counts, key=lambda name: counts[name])
    if not counts[mark]:
        raise ValueError(
            "word_continuations: no piece begins with '##', '▁' or 'Ġ', so that words "
            "cannot be told apart. Give a table of your own."
        )
    result = np.zeros(max(vocabulary.values()) + 1, dtype=bool)
    for piece, number in vocabulary.items():
        marked = piece.startswith(mark)
        if mark == "##":
            result[number] = marked and piece != mark
        else:
            is_special = piece[:1] in "[<" and piece[-1:] in "]>" and len(piece) > 2
            result[number] = not marked and not is_special
    return result


def epoch_key(key: int, epoch: int) -> np.uint64:
    """Return the key of an epoch's examples.

    Parameters
    ----------
    key : int
        Of the run, below 2 ** 64.
    epoch : int
        Counted from 0.

    Examples
    --------
    >>> from tweetclf.pretraining.spans import epoch_key
    >>> bool(epoch_key(5, 0) == epoch_key(5, 1))
    False
    """
    with np.errstate(over="ignore"):
        return np.uint64(mix(np.uint64(key) ^ mix(np.uint64(epoch + 1))))


class Masker:
    """Masks packed examples; which tokens depends on key and number alone.

    Parameters
    ----------
    masking : SpanMasking, TokenMasking or WholeWordMasking
        What is chosen.
    special : sequence of int
        Tokens that are never chosen nor put in place of others, such as those of
        [CLS], [SEP], [PAD], [UNK] and [MASK].
    mask_id : int
        The token [MASK].
    vocab_size : int
        All tokens are below.
    max_length : int
        Most tokens of an example.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.pretraining.spans import Masker, SpanMasking, epoch_key
    >>> masker = Masker(
    ...     SpanMasking(), special=range(5), mask_id=4, vocab_size=9, max_length=8)
    >>> ids = np.array([2, 7, 8, 3, 2, 6, 3])
    >>> places, targets = masker.mask(
    ...     ids, np.array([4, 3]), np.array([0, 1]), epoch_key(0, 0))
    >>> len(places), targets[-1].item()
    (3, 6)
    """

    def __init__(
        self,
        masking: Masking,
        *,
        special: Sequence[int],
        mask_id: int,
        vocab_size: int,
        max_length: int,
    ) -> None:
        self.masking = masking
        self.mask_id = mask_id
        self._special = np.zeros(vocab_size, dtype=np.bool_)
        self._special[list(special)] = True
        self._choices = np.flatnonzero(~self._special).astype(np.int64)
        if not len(self._choices):
            raise ValueError("Masker: a vocabulary must hold more than special tokens.")
        self._continues = np.zeros(vocab_size, dtype=np.bool_)
        if isinstance(masking, WholeWordMasking):
            known = np.asarray(masking.continues, dtype=np.bool_)[:vocab_size]
            self._continues[: len(known)] = known
        probabilities = (
            masking.probabilities if isinstance(masking, SpanMasking) else [1.0]
        )
        self._law = np.cumsum(probabilities)
        rate = masking.rate
        counts = range(max_length + 1)
        # Rounded, lest 0.15 * 140 be a little more than 21.
        self._budgets = np.array([math.ceil(round(rate * n, 9)) for n in counts])
        hazards = [0.0] + [rate / (1 - (1 - rate) ** n) for n in counts if n]
        self._hazards = np.array(hazards)
        self._hazards[1] = 1.0
        shares = [masking.mask_share, masking.mask_share + masking.random_share]
        self._shares = np.array(shares)

    def mask(
        self,
        ids: NDArray[np.int64],
        lengths: NDArray[np.int64],
        numbers: NDArray[np.int64],
        key: np.uint64,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hide tokens of packed examples.

        Parameters
        ----------
        ids : ndarray of int64, (total,)
            Tokens of all examples, changed in place.
        lengths, numbers : ndarray of int64, (n,)
            Tokens of each example, and its number.
        key : uint64
            See `epoch_key`.

        Returns
        -------
        places, targets : ndarray of int64, (n_chosen,)
            The chosen places, rising, and what stood there. An example with maskable
            tokens has at least one.
        """
        places = np.empty(len(ids), dtype=np.int64)
        targets = np.empty(len(ids), dtype=np.int64)
        with np.errstate(over="ignore"):
            n_places = mask_examples(
                ids,
                lengths,
                numbers,
                key,
                self.masking.kind,
                self.masking.rate,
                self._law,
                self._budgets,
                self._hazards,
                self._special,
                self._continues,
                self._choices,
                self.mask_id,
                self._shares,
                places,
                targets,
            )
        # Copies: else the memory for as many places as tokens would be kept.
        return places[:n_places].copy(), targets[:n_places].copy()
