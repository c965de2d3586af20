"""What is behind NgramTfidfVectorizer: read, count, choose columns, weigh."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer

from tweetclf.exceptions import DataError
from tweetclf.features._arrays import Rows
from tweetclf.features._counting import (
    Part,
    count_texts,
    find_texts,
    merge_grams,
    tally,
)
from tweetclf.features._learning import idf_of, kept_grams
from tweetclf.features._packing import TooWideError
from tweetclf.features._reading import Reader, UnreadableError
from tweetclf.features._vocabulary import NgramVocabulary
from tweetclf.features._weighing import Ingredient, Weighting, weigh
from tweetclf.features.counts import (
    count_by_dict,
    differences,
    find_by_dict,
    parameter_key,
)
from tweetclf.preprocessing import TweetTokenizer
from tweetclf.utils._sklearn import _fit_context

__all__ = ["NgramEngine", "Stream"]


# Tokens of so many texts are alive at a time, and stay in the processor's caches.
_AT_A_TIME = 256


def _tokens_of(tokenizer: Any, texts: Sequence[str]) -> Iterable[Any]:
    if isinstance(tokenizer, TweetTokenizer):
        starts = range(0, len(texts), _AT_A_TIME)
        return chain.from_iterable(
            tokenizer.transform(texts[start : start + _AT_A_TIME]) for start in starts
        )
    return map(tokenizer, texts)


def _are_finite(idf: np.ndarray, ingredients: list[Ingredient]) -> bool:
    """Tell whether the weights of the columns of some rows are finite.

    Those of a vocabulary that was given need not be, without `smooth_idf`.
    """
    ids = [item.rows[0] for item in ingredients if item.numbers is None]
    if len(ids) == len(ingredients) and sum(map(len, ids)) < len(idf):
        return all(np.isfinite(idf[own]).all() for own in ids)
    return bool(np.isfinite(idf).all())


class Stream(NamedTuple):
    """What `partial_fit` keeps between calls.

    Attributes
    ----------
    counted : Grams, ListedGrams or ndarray
        The n-grams so far; for a given vocabulary, in how many texts each occurs.
    n_texts : int
        Number of texts so far.
    key : tuple
        The parameters that decided what was counted.
    vocabulary : object
        The parameter.
    """

    counted: Any
    n_texts: int
    key: tuple[tuple[str, Any], ...]
    vocabulary: Any


class NgramEngine(TfidfVectorizer):
    """scikit-learn's vectorizer with the inside of an n-gram engine.

    :class:`tweetclf.features.NgramTfidfVectorizer` has the methods for users.
    """

    vocabulary_: Any
    fixed_vocabulary_: bool

    # What was learnt so far by `partial_fit`.
    _stream: Stream | None = None
    # Made when needed and left out of pickles: a dict's n-grams as integers, after
    # what they were made for; the column of each n-gram of the counts last fitted on.
    _packed: tuple[Any, tuple[Any, ...], NgramVocabulary | None] | None = None
    _matched: tuple[Any, Any, np.ndarray] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k not in ("_packed", "_matched")}

    # Reading

    def _reader(self) -> Reader | None:
        """Return what reads texts for the engine, or None if it cannot."""
        low, high = self.ngram_range
        if (
            self.input != "content"
            or callable(self.analyzer)
            or not (isinstance(low, Integral) and isinstance(high, Integral))
            or low < 1
        ):
            return None
        preprocess: Any = str.lower if self.lowercase else None
        if self.preprocessor is not None or self.strip_accents:
            preprocess = self.build_preprocessor()
        if self.analyzer != "word":
            return Reader(self.analyzer, int(low), int(high), preprocess=preprocess)
        tokenizer = self.build_tokenizer()
        return Reader(
            "word",
            int(low),
            int(high),
            preprocess=preprocess,
            tokenize=partial(_tokens_of, tokenizer),
            stop_words=frozenset(self.get_stop_words() or ()),
        )

    def _count_parts(
        self, texts: Any, *, counted: bool, totals: bool = False, kept: bool = True
    ) -> tuple[list[Part], Any, list[np.ndarray | None]]:
        """Count texts; return their parts and all n-grams, by new ids for each part."""
        analyze = self.build_analyzer()
        reader = self._reader()
        if reader is not None:
            try:
                parts = count_texts(
                    reader, texts, counted=counted, totals=totals, kept=kept
                )
                grams = [part.grams for part in parts]
                parts = [part._replace(grams=None) for part in parts]
                return parts, *merge_grams(grams)
            except (TooWideError, UnreadableError):
                pass  # the dict below counts whatever has no packed form
        part = count_by_dict(analyze, texts)
        return [part], part.grams, [None]

    def _known(self, reader: Reader | None) -> NgramVocabulary | None:
        """Return the vocabulary as the engine can look it up, or None."""
        vocabulary = self.vocabulary_
        if reader is None:
            return None
        if isinstance(vocabulary, NgramVocabulary) and vocabulary.is_read_by(reader):
            return vocabulary
        # What `of_terms` looks at. That a dict was changed in place shows by its size
        # alone: comparing it all would cost more than looking up a tweet.
        words = reader.analyzer == "word"
        made_for = len(vocabulary), words, None if words else reader.n_range[1]
        if self._packed is None or (
            self._packed[0] is not vocabulary or self._packed[1] != made_for
        ):
            packed = None
            with contextlib.suppress(TooWideError):
                packed = NgramVocabulary.of_terms(dict(vocabulary), reader)
            self._packed = vocabulary, made_for, packed
        return self._packed[2]

    def _find_parts(self, texts: Any) -> list[Rows]:
        """Look up the n-grams of texts."""
        reader = self._reader()
        known = self._known(reader)
        if reader is not None and known is not None:
            if self.stop_words is not None:
                self.build_analyzer()  # It warns of odd ones.
            with contextlib.suppress(UnreadableError):
                return find_texts(known, reader, texts, counted=not self.binary)
        vocabulary = self.vocabulary_
        if isinstance(vocabulary, NgramVocabulary):
            vocabulary = vocabulary.to_dict()
        return [find_by_dict(self.build_analyzer(), texts, vocabulary)]

    # Learning

    @_fit_context(prefer_skip_nested_validation=True)
    def _begin(self) -> None:
        """Check the parameters and forget what was learnt, as scikit-learn does."""
        self._check_params()
        self._stream = None
        self._tfidf = self._new_tfidf()
        self._validate_ngram_range()
        self._warn_for_unused_params()
        self._validate_vocabulary()
        if self.fixed_vocabulary_ and self.lowercase:
            for term in self.vocabulary:
                if any(map(str.isupper, term)):
                    warnings.warn(
                        "Upper case characters found in vocabulary while 'lowercase' "
                        "is True. These entries will not be matched with any documents",
                        stacklevel=4,
                    )
                    break

    @_fit_context(prefer_skip_nested_validation=True)
    def _go_on(self, stream: Stream) -> None:
        """Check that the next texts of a stream are counted as those before."""
        self._check_params()
        caller = type(self).__name__
        fix = "Call fit, or partial_fit of a new vectorizer, to start anew."
        key = parameter_key(self)
        if key != stream.key:
            raise DataError(
                f"{caller}: partial_fit counted earlier texts with other parameters "
                f"({differences(key, stream.key)}). {fix}"
            )
        if self.vocabulary is not stream.vocabulary:
            now: Any = TfidfVectorizer(vocabulary=self.vocabulary)
            now._validate_vocabulary()
            same = now.fixed_vocabulary_ == self.fixed_vocabulary_ and (
                not now.fixed_vocabulary_ or now.vocabulary_ == self.vocabulary_
            )
            if not same:
                raise DataError(
                    f"{caller}: partial_fit counted earlier texts with another "
                    f"vocabulary. {fix}"
                )
        if (
            not self.fixed_vocabulary_
            and self._needs_totals()
            and stream.counted.tf is None
        ):
            raise DataError(
                f"{caller}: max_features={self.max_features} keeps the n-grams that "
                "occur most often; partial_fit did not count that in earlier texts, "
                f"as max_features was None or binary was True. {fix}"
            )

    def _new_tfidf(self) -> TfidfTransformer:
        return TfidfTransformer(
            norm=self.norm,
            use_idf=self.use_idf,
            smooth_idf=self.smooth_idf,
            sublinear_tf=self.sublinear_tf,
        )

    def _weighting(self) -> Weighting:
        # As fitted, like scikit-learn: not as set since then.
        tfidf = self._tfidf
        idf = getattr(tfidf, "idf_", None)
        return Weighting(
            np.dtype(self.dtype), self.binary, tfidf.sublinear_tf, tfidf.norm, idf
        )

    def _learn(
        self, grams: Any, numbers: np.ndarray, df: np.ndarray, tf: Any, n_texts: int
    ) -> np.ndarray:
        """Choose the columns, and return the column of each number or -1.

        Parameters
        ----------
        grams : Grams or ListedGrams
            All n-grams.
        numbers, df, tf : ndarray
            Of each of them: its number in the order of first occurrence, in how many
            texts it occurs (0: in none of these), and how often in all.
        n_texts : int
            Number of texts.
        """
        kept = kept_grams(df, None if self.binary else tf, n_texts, self)
        self.vocabulary_ = grams.vocabulary(kept, numbers)
        self._learn_idf(df[kept], n_texts)
        columns = np.full(len(numbers), -1, dtype=np.int32)
        columns[numbers[kept]] = np.arange(len(kept), dtype=np.int32)
        return columns

    def _learn_idf(self, df: np.ndarray, n_texts: int) -> None:
        # A new one: parameters may be others since the last call of partial_fit.
        self._tfidf = self._new_tfidf()
        self._tfidf.n_features_in_ = len(df)
        if self.use_idf:
            self._tfidf.idf_ = idf_of(
                df, n_texts, smooth=self.smooth_idf, dtype=np.dtype(self.dtype)
            )

    def _df_of(self, found: list[Rows]) -> np.ndarray:
        """Return in how many rows each column of the vocabulary occurs."""
        df = np.zeros(len(self.vocabulary_), dtype=np.int64)
        for part in found:
            df += tally(part[0], len(df))
        return df

    def _matrix(self, ingredients: list[Ingredient], columns: np.ndarray | None) -> Any:
        """Weigh counted rows; with odd weights of columns, scikit-learn does."""
        n_columns = len(self.vocabulary_)
        weighting = self._weighting()
        idf = weighting.idf
        if idf is None or (
            getattr(idf, "shape", None) == (n_columns,)
            and idf.dtype == weighting.dtype
            and (columns is not None or _are_finite(idf, ingredients))
        ):
            return weigh(ingredients, columns, n_columns, weighting)
        raw = weighting._replace(idf=None, norm=None, sublinear=False)
        X = weigh(ingredients, columns, n_columns, raw)
        return self._tfidf.transform(X, copy=False)

    def _fit(self, texts: Any, *, rows: bool) -> Any:
        """Learn from texts; return their matrix if `rows`."""
        self._begin()
        if self.fixed_vocabulary_:
            found = self._find_parts(texts)
            n_texts = sum(len(part[2]) - 1 for part in found)
            self._learn_idf(self._df_of(found), n_texts)
            items = [Ingredient(part, None, None) for part in found]
            return self._matrix(items, None)
        parts, grams, own = self._count_parts(
            texts,
            counted=not self.binary and (rows or self._needs_totals()),
            totals=self._needs_totals(),
            kept=rows,
        )
        n_texts = sum(part.n_texts for part in parts)
        columns = self._learn(grams, grams.first, grams.df, grams.tf, n_texts)
        if not rows:
            return None
        items = []
        for numbers in own:
            # Nothing but the ingredient holds on to the rows: they are freed early.
            part = parts.pop(0)
            if numbers is None:
                numbers = np.arange(len(columns), dtype=np.int32)
            if len(self.vocabulary_) < len(columns):
                numbers = np.where(columns[numbers] < 0, -1, numbers)
            items.append(Ingredient(part.rows, None, numbers))
            del part
        return self._matrix(items, columns)

    def _needs_totals(self) -> bool:
        """Tell whether term frequencies decide which n-grams are kept."""
        return self.max_features is not None and not self.binary

    def _is_odd(self) -> bool:
        """Tell whether the type of weights is scikit-learn's business."""
        return np.dtype(self.dtype) not in (np.float32, np.float64)
