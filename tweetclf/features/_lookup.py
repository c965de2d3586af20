"""What a fitted NgramTfidfVectorizer does to texts, without scikit-learn or SciPy.

A process that labels a handful of tweets would otherwise spend its time importing
them. The matrix is the same, bit for bit where the vectorizer normalises rows by its
own kernels (see :mod:`tweetclf.features._weighing`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tweetclf.features import _arrays
from tweetclf.features._counting import find_texts
from tweetclf.features._packing import TooWideError
from tweetclf.features._reading import Reader
from tweetclf.features._vocabulary import NgramVocabulary
from tweetclf.features._weighing import Ingredient, Weighting, weighed_arrays
from tweetclf.utils.jit import kernels_pay

__all__ = ["NgramLookup", "UnknownOptionError"]

# Nanoseconds that NumPy takes for the n-grams at a character, tenfold less: a process
# that has labelled a few hundred tweets may not have to label many more.
_PER_CHARACTER = 40


class UnknownOptionError(Exception):
    """The vectorizer has an option that is left to scikit-learn."""


def _strip_unicode(text: str) -> str:
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _strip_ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ASCII", "ignore").decode("ASCII")


_ACCENTS: dict[Any, Callable[[str], str] | None] = {
    None: None,
    "unicode": _strip_unicode,
    "ascii": _strip_ascii,
}


def _preprocess(options: Any) -> Callable[[str], str] | None:
    """Return what scikit-learn's ``build_preprocessor`` returns."""
    if options.preprocessor is not None:
        function: Callable[[str], str] = options.preprocessor
        return function
    strip = _ACCENTS[options.strip_accents]
    lower = str.lower if options.lowercase else None
    if strip is None or lower is None:
        return strip or lower
    return lambda text: strip(text.lower())


class NgramLookup:
    """Looks up and weighs the n-grams of texts.

    Parameters
    ----------
    options : object
        Parameters and fitted attributes of a vectorizer, as attributes; the
        preprocessor and the tokenizer are functions of one text.

    Raises
    ------
    UnknownOptionError
        If an option is one that only scikit-learn carries out.
    """

    def __init__(self, options: Any) -> None:
        low, high = options.ngram_range
        if (
            options.input != "content"
            or options.analyzer not in ("char", "char_wb", "word")
            or options.stop_words is not None
            or options.strip_accents not in _ACCENTS
            or low < 1
        ):
            raise UnknownOptionError
        tokenize = options.tokenizer
        if options.analyzer == "word" and tokenize is None:
            tokenize = re.compile(options.token_pattern).findall
        self._reader = Reader(
            options.analyzer,
            int(low),
            int(high),
            preprocess=_preprocess(options),
            tokenize=lambda texts: list(map(tokenize, texts)),
        )
        self._vocabulary = self._packed(options.vocabulary_)
        self.n_columns = len(options.vocabulary_)
        self._weighting = self._weights(options)
        self._n_seen = 0

    def _packed(self, vocabulary: Mapping[str, int]) -> NgramVocabulary:
        if isinstance(vocabulary, NgramVocabulary):
            if vocabulary.is_read_by(self._reader):
                return vocabulary
            vocabulary = vocabulary.to_dict()
        try:
            return NgramVocabulary.of_terms(vocabulary, self._reader)
        except TooWideError:
            raise UnknownOptionError from None

    def _weights(self, options: Any) -> Weighting:
        # As fitted, like scikit-learn: not as set since then.
        tfidf = options._tfidf
        dtype = np.dtype(options.dtype)
        if dtype not in (np.float32, np.float64):
            dtype = np.dtype(np.float64)
        idf = getattr(tfidf, "idf_", None)
        if idf is not None and (
            idf.shape != (self.n_columns,)
            or idf.dtype != dtype
            or not np.isfinite(idf).all()
        ):
            raise UnknownOptionError
        return Weighting(dtype, options.binary, tfidf.sublinear_tf, tfidf.norm, idf)

    def rows(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows of the TF-IDF matrix of texts.

        Parameters
        ----------
        texts : sequence of str
            The texts.

        Returns
        -------
        data, indices, indptr : ndarray
            As of a CSR matrix.

        Raises
        ------
        UnreadableError, TooWideError
            If scikit-learn's analyzer must read the texts.
        """
        self._n_seen += sum(map(len, texts))
        compiled = kernels_pay(self._n_seen * _PER_CHARACTER)
        weighting = self._weighting
        found = find_texts(
            self._vocabulary,
            self._reader,
            texts,
            counted=not weighting.binary,
            compiled=compiled,
        )
        items = [Ingredient(part, None, None) for part in found]
        (data, indices, indptr), normalised = weighed_arrays(
            items, None, weighting, compiled=compiled
        )
        if weighting.norm is not None and not normalised:
            norms = _arrays.row_norms(data, indptr, {"l1": 1, "l2": 2}[weighting.norm])
            norms[norms == 0] = 1.0
            data = (data / np.repeat(norms, np.diff(indptr))).astype(weighting.dtype)
        return data, indices, indptr
