"""From texts to the token numbers of a pretrained model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.utils.ranges import take_ranges

__all__ = ["TokenEncoder", "Tokenized", "tokenize"]

Row = str | Sequence[str]


@dataclass(frozen=True)
class Tokenized:
    """The tokens of many texts, one text after the other.

    Parameters
    ----------
    ids : ndarray of int32 of shape (total,)
        Token numbers.
    lengths : ndarray of int64 of shape (n,)
        Tokens of each text, at least 1.
    special : ndarray of bool of shape (total,)
        Tokens that the tokenizer added, as CLS and SEP.
    types : ndarray of int32 of shape (total,) or None
        Segments of the tokens, for models that have them.
    n_truncated : int
        How many texts were cut to the greatest length.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    special: NDArray[np.bool_]
    types: NDArray[np.int32] | None
    n_truncated: int

    def take(self, indices: NDArray[np.int64]) -> Tokenized:
        """Return the texts at `indices`, in that order; `n_truncated` is kept."""
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = self.lengths[indices]
        rows = take_ranges(starts[indices], lengths)
        types = None if self.types is None else self.types[rows]
        return Tokenized(
            self.ids[rows], lengths, self.special[rows], types, self.n_truncated
        )


class TokenEncoder:
    """Encodes texts, pairs and longer rows with a pretrained tokenizer.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        Is not changed: threads may encode at once.
    max_length : int
        Most tokens of a text, special ones included. Longer ones are cut, of a pair
        the longer side first.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._has_types = "token_type_ids" in tokenizer.model_input_names
        self._backend = None
        if tokenizer.is_fast:
            # A copy: setting truncation on a tokenizer that another thread uses fails.
            backend = type(tokenizer.backend_tokenizer).from_str(
                tokenizer.backend_tokenizer.to_str()
            )
            backend.no_padding()
            backend.enable_truncation(max_length, strategy="longest_first")
            self._backend = backend
        self._check_room()

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers."""
        return self._tokenizer

    def _check_room(self) -> None:
        n_special = self._tokenizer.num_special_tokens_to_add(pair=True)
        if self._max_length <= n_special:
            raise ValueError(
                f"max_length={self._max_length} leaves no room for text beside "
                f"{n_special} special tokens; it must be {n_special + 1} or more."
            )

    def encode(self, rows: Sequence[Row]) -> Tokenized:
        """Return the tokens of rows: texts, or sequences of one or more of them."""
        parts = [(row,) if isinstance(row, str) else tuple(row) for row in rows]
        parts = [tuple(_encodable(text) for text in part) for part in parts]
        if all(len(part) <= 2 for part in parts):
            encoded = self._encode_pairs(parts)
        else:
            encoded = [self._encode_many(part) for part in parts]
        return self._join(encoded)

    def _encode_pairs(self, parts: list[tuple[str, ...]]) -> list[_Encoded]:
        if self._backend is None:
            return [self._encode_slowly(part) for part in parts]
        # encode_batch_fast leaves offsets out, which nobody asks for here.
        batch = self._backend.encode_batch_fast(
            [part[0] if len(part) == 1 else part for part in parts]
        )
        return [
            (e.ids, e.special_tokens_mask, e.type_ids, bool(e.overflowing))
            for e in batch
        ]

    def _encode_slowly(self, part: tuple[str, ...]) -> _Encoded:
        whole = self._tokenizer(*part, verbose=False)["input_ids"]
        encoding = self._tokenizer(
            *part,
            truncation="longest_first",
            max_length=self._max_length,
            return_special_tokens_mask=True,
            return_token_type_ids=True,
        )
        ids = encoding["input_ids"]
        return (
            ids,
            encoding["special_tokens_mask"],
            encoding["token_type_ids"],
            len(ids) < len(whole),
        )

    def _encode_many(self, part: tuple[str, ...]) -> _Encoded:
        """Encode more than two segments: each further one like the second of a pair."""
        before, between, after = self._frame()
        segments = [
            self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            for text in part
        ]
        n_special = len(before) + len(between) * (len(part) - 1) + len(after)
        room = _shares([len(s) for s in segments], self._max_length - n_special)
        ids, special, types = list(before), [1] * len(before), [0] * len(before)
        for k, (segment, kept) in enumerate(zip(segments, room, strict=True)):
            closing = between if k < len(part) - 1 else after
            ids += [*segment[:kept], *closing]
            special += [0] * kept + [1] * len(closing)
            types += [min(k, 1)] * (kept + len(closing))
        return ids, special, types, sum(room) < sum(map(len, segments))

    def _frame(self) -> tuple[list[int], list[int], list[int]]:
        """Return the special tokens before, between and after a pair's texts."""
        encoding = self._tokenizer("a", "a", return_special_tokens_mask=True)
        ids, mask = encoding["input_ids"], encoding["special_tokens_mask"]
        text = [i for i, is_special in enumerate(mask) if not is_special]
        inner = [i for i in range(text[0], text[-1]) if mask[i]]
        return ids[: text[0]], [ids[i] for i in inner], ids[text[-1] + 1 :]

    def _join(self, encoded: list[_Encoded]) -> Tokenized:
        # A tokenizer without special tokens gives none at all for an empty text.
        filler = self._filler()
        encoded = [e if e[0] else ([filler], [1], [0], False) for e in encoded]
        lengths = np.array([len(e[0]) for e in encoded], dtype=np.int64)

        def flat(parts: Iterable[Sequence[int]], dtype: Any) -> NDArray[Any]:
            values = chain.from_iterable(parts)
            return np.fromiter(values, dtype=dtype, count=int(lengths.sum()))

        types = None
        if self._has_types:
            types = flat((e[2] for e in encoded), np.int32)
        return Tokenized(
            flat((e[0] for e in encoded), np.int32),
            lengths,
            flat((e[1] for e in encoded), np.bool_),
            types,
            sum(e[3] for e in encoded),
        )

    def _filler(self) -> int:
        known = self._tokenizer
        for name in ("unk_token_id", "eos_token_id", "pad_token_id"):
            if getattr(known, name, None) is not None:
                return int(getattr(known, name))
        return 0


# Token numbers, whether each is special, segments, whether the text was cut.
_Encoded = tuple[Sequence[int], Sequence[int], Sequence[int], bool]


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no tokenizer can encode."""
    return text.encode("utf-8", "replace").decode()


def _shares(lengths: list[int], room: int) -> list[int]:
    """Return how many tokens of each segment stay: the longest lose first."""
    kept = list(lengths)
    if room < len(lengths):
        raise ValueError(
            f"max_length leaves room for {room} tokens of {len(lengths)} texts; raise "
            "it."
        )
    excess = sum(kept) - room
    while excess > 0:
        longest = max(kept)
        second = max((n for n in kept if n < longest), default=0)
        tied = [i for i, n in enumerate(kept) if n == longest]
        step = min(longest - second, -(-excess // len(tied)))
        for i in reversed(tied):
            cut = min(step, excess)
            kept[i] -= cut
            excess -= cut
    return kept


def tokenize(tokenizer: Any, rows: Sequence[Row], max_length: int) -> Tokenized:
    """Return the tokens of texts, pairs or longer rows; see `TokenEncoder`."""
    return TokenEncoder(tokenizer, max_length).encode(rows)
