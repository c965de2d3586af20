"""SentencePiece BPE over cleaned tweets, as the HAHA 2019 system has it.

The flags are those that its script passed and its log printed: BPE,
30,000 pieces, eight symbols of fastai's and no begin, end or padding of
SentencePiece's own, everything else as SentencePiece has it by default.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.preprocessing.ulmfit import ULMFiTNormalizer
from tweetclf.utils.optional import import_optional

__all__ = ["SYMBOLS", "SentencePieceTokenizer"]

SYMBOLS = ("xxpad", "xxbos", "xxeos", "xxfld", "xxmaj", "xxup", "xxrep", "xxwrep")
"""The user-defined symbols; their ids are 1 to 8, and xxunk is 0."""

# Pieces are looked for within words; a line of nothing but blanks has none.
_COVERAGE = 0.9995


def _valid(text: str) -> str:
    """Return `text` as something that UTF-8 can write: half a pair becomes ``?``."""
    return text.encode("utf-8", "replace").decode("utf-8")


class SentencePieceTokenizer:
    """Clean tweets and cut them into the pieces of a SentencePiece model.

    Parameters
    ----------
    model : bytes or ndarray of uint8
        A SentencePiece model, as its files hold it.
    passes : int, default=2
        How often the cleaning rules are applied; twice in the released code.

    Attributes
    ----------
    model : ndarray of uint8
        The model's bytes.
    passes : int
        As given.

    See Also
    --------
    tweetclf.preprocessing.ULMFiTNormalizer : The cleaning rules.

    Notes
    -----
    Each text starts with ``xxbos``, once. In the released code the texts of the
    language model start with two of them, by an oversight.

    Examples
    --------
    >>> from tweetclf.pretraining import SentencePieceTokenizer
    >>> tokenizer = SentencePieceTokenizer.train(["hola hola"] * 9, vocab_size=24)
    >>> tokenizer.pieces[:4]
    ['xxunk', 'xxpad', 'xxbos', 'xxeos']
    >>> tokenizer.decode(tokenizer.encode(["HOLA"])[0])
    'xxbos xxup hola'
    """

    unk_id = 0
    pad_id = 1
    bos_id = 2
    field_id = 4

    model: NDArray[np.uint8]
    passes: int

    def __init__(self, model: bytes | NDArray[np.uint8], *, passes: int = 2) -> None:
        self.model = np.frombuffer(bytes(model), dtype=np.uint8)
        self.passes = passes
        self._load()

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocab_size: int = 30_000,
        passes: int = 2,
        xxnl: bool = False,
    ) -> SentencePieceTokenizer:
        """Learn the pieces of a corpus.

        Parameters
        ----------
        texts : iterable of str
            Raw tweets; they are cleaned here.
        vocab_size : int, default=30000
            Most pieces to learn, symbols included. Small corpora have fewer.
        passes : int, default=2
            How often the cleaning rules are applied.
        xxnl : bool, default=False
            Make the mark of line ends a symbol. The released code left it to the
            merges, which learnt pieces like ``alxxnl``.

        Returns
        -------
        SentencePieceTokenizer
            The tokenizer; the same for the same texts in the same order.

        Raises
        ------
        DataError
            If there is no text to learn from, or `vocab_size` has no room for all
            characters.
        """
        package = _sentencepiece()
        normalizer = ULMFiTNormalizer(passes=passes)
        lines = _lines(normalizer.normalize(text) for text in texts)
        first = next(lines, None)
        if first is None:
            raise DataError("No vocabulary can be learnt from texts without any words.")
        written = io.BytesIO()
        try:
            package.SentencePieceTrainer.train(
                sentence_iterator=_chain(first, lines),
                model_writer=written,
                model_type="bpe",
                vocab_size=vocab_size,
                hard_vocab_limit=False,
                character_coverage=_COVERAGE,
                unk_piece="xxunk",
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                user_defined_symbols=[*SYMBOLS, *(["xxnl"] if xxnl else [])],
                num_threads=1,  # more of them do not promise the same merges
                minloglevel=3,
            )
        except RuntimeError as error:
            raise DataError(
                f"No tokenizer of vocab_size={vocab_size} can be learnt from these "
                f"texts: {' '.join(str(error).split())}"
            ) from error
        return cls(written.getvalue(), passes=passes)

    def _load(self) -> None:
        package = _sentencepiece()
        self._processor = package.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(self.model.tobytes())
        except RuntimeError as error:
            raise ModelFormatError(f"not a SentencePiece model: {error}") from error
        names = [self._processor.id_to_piece(i) for i in range(min(9, len(self)))]
        if names != ["xxunk", *SYMBOLS]:
            raise ModelFormatError(
                f"a SentencePiece model has the first pieces {names}; a tokenizer of "
                f"language models has xxunk, {', '.join(SYMBOLS)}."
            )

    # The processor is foreign memory; it is made from the bytes when needed.
    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "passes": self.passes}

    def _loaded(self) -> Any:
        if "_processor" not in self.__dict__:
            self._load()
        return self._processor

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SentencePieceTokenizer):
            return NotImplemented
        same = np.array_equal(self.model, other.model)
        return same and self.passes == other.passes

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return int(self._loaded().get_piece_size())

    def __repr__(self) -> str:
        return f"SentencePieceTokenizer({len(self)} pieces, passes={self.passes})"

    @property
    def pieces(self) -> list[str]:
        """The pieces by their ids."""
        processor = self._loaded()
        return [processor.id_to_piece(i) for i in range(len(self))]

    def encode(
        self, texts: Sequence[str] | Sequence[tuple[str, str]]
    ) -> list[NDArray[np.int32]]:
        """Return the ids of texts.

        Parameters
        ----------
        texts : sequence of str, or of pairs of str
            Raw tweets. The sides of a pair are joined by ``xxfld``, fastai's mark of
            a further field.

        Returns
        -------
        list of ndarray of int32
            One array a text, beginning with ``xxbos``; never empty.
        """
        processor = self._loaded()
        begin = ULMFiTNormalizer(passes=self.passes, bos=True)
        inner = ULMFiTNormalizer(passes=self.passes)

        def cleaned(text: str | tuple[str, str]) -> str:
            if isinstance(text, str):
                return _valid(begin.normalize(text))
            first, *others = text
            sides = [begin.normalize(first), *map(inner.normalize, others)]
            return _valid(" xxfld ".join(sides))

        lines = [cleaned(text) for text in texts]
        if not lines:
            return []
        return [
            np.array(ids, dtype=np.int32)
            for ids in processor.encode(lines, out_type=int, num_threads=1)
        ]

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """Return the cleaned text of ids."""
        return str(self._loaded().decode([int(i) for i in ids]))


def _sentencepiece() -> Any:
    return import_optional(
        "sentencepiece", extra="neural", caller="SentencePieceTokenizer"
    )


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield what a line-based trainer can read of cleaned texts."""
    for text in texts:
        line = _valid(text).replace("\0", " ")
        if line.strip():
            yield line


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
