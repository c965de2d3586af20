"""Word and character n-gram TF-IDF."""

from __future__ import annotations

import contextlib
import re
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tweetclf.exceptions import DataError
from tweetclf.features._engine import NgramEngine, Stream
from tweetclf.features._tokens import require_texts
from tweetclf.features._vocabulary import NgramVocabulary
from tweetclf.features._weighing import Ingredient
from tweetclf.features.counts import (
    NgramCounts,
    differences,
    merge_any,
    parameter_key,
)
from tweetclf.utils._sklearn import InvalidParameterError, _fit_context
from tweetclf.utils.validation import check_texts

__all__ = ["NgramTfidfVectorizer"]


class NgramTfidfVectorizer(NgramEngine):
    """Turn texts into a sparse matrix of n-gram TF-IDF weights.

    A drop-in for scikit-learn's ``TfidfVectorizer``: the same parameters, the same
    vocabulary and, bit for bit, the same matrix, 10 to 30 times sooner and in less
    memory. It reads any column of texts (list, NumPy, pandas, polars, pyarrow) and
    names the index of an item that is not a text.

    Parameters
    ----------
    input, encoding, decode_error, strip_accents, lowercase, preprocessor, tokenizer, \
analyzer, stop_words, token_pattern, ngram_range, max_df, min_df, max_features, \
vocabulary, binary, dtype, norm, use_idf, smooth_idf, sublinear_tf
        As in :class:`sklearn.feature_extraction.text.TfidfVectorizer`. `tokenizer`
        may be a :class:`tweetclf.preprocessing.TweetTokenizer`; give it together
        with ``token_pattern=None``.

    Attributes
    ----------
    vocabulary_ : Mapping
        Column index of each n-gram; columns are in code point order. It equals the
        dict that scikit-learn makes, but holds n-grams as integers.
        With a given vocabulary it is a dict: put another one in its place rather
        than change it, which is not noticed where the size stays the same.
    fixed_vocabulary_ : bool
        Whether the vocabulary was given.
    idf_ : ndarray of shape (n_features,)
        Inverse document frequencies, if `use_idf`.

    See Also
    --------
    NBLogCountRatio : Scale n-grams by how well they tell the classes apart.
    NgramCounts : What `count` returns, for many fits on rows of one corpus.

    Notes
    -----
    With ``smooth_idf`` an n-gram in ``df`` of ``n`` texts weighs
    ``log((1 + n) / (1 + df)) + 1``; rows then have unit `norm`.

    An n-gram is packed exactly into one or two 64-bit integers and counted by kernels
    that Numba compiles (extra ``fast``), in as many threads as ``TWEETCLF_THREADS``,
    else ``OMP_NUM_THREADS``, else the number of processors says; without Numba, NumPy
    counts them. What does not fit is counted by a dictionary, at scikit-learn's speed
    and with the same result: callable analyzers, ``input`` other than "content",
    n-grams too wide for two integers (ten characters of an alphabet of 2,000, 18 of
    one of 100), tokens that are no strings or hold control characters.

    Examples
    --------
    >>> from tweetclf.features import NgramTfidfVectorizer
    >>> vectorizer = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 2))
    >>> X = vectorizer.fit_transform(["jaja", "ja"])
    >>> vectorizer.get_feature_names_out().tolist()
    ['a', 'aj', 'j', 'ja']
    >>> X.shape
    (2, 4)
    """

    def _texts(self, raw_documents: Any) -> Any:
        # Files and file names are scikit-learn's business.
        if self.input != "content":
            if isinstance(raw_documents, str):
                raise ValueError(
                    "Iterable over raw text documents expected, string object received."
                )
            return raw_documents
        caller = type(self).__name__
        return require_texts(check_texts(raw_documents, caller=caller), caller=caller)

    def _no_ngrams(self, size: str) -> str:
        """Return the message for texts that hold not a single n-gram."""
        if self.analyzer in {"char", "char_wb"}:
            where = f"ngram_range={self.ngram_range}"
            fix = "Give longer texts or lower ngram_range"
        elif callable(self.analyzer) or self.tokenizer is not None:
            where = "the given analyzer" if callable(self.analyzer) else "the tokenizer"
            fix = f"Give texts with words or look at what {where} drops"
        else:
            where = f"token_pattern={self.token_pattern!r}"
            fix = "Give texts with words or another token_pattern"
        if self.stop_words is not None:
            fix += ", and fewer stop_words"
        return (
            f"{type(self).__name__}: empty vocabulary; {size} have no n-gram by "
            f"{where}: they are blank or nothing of them is kept. {fix}."
        )

    @contextlib.contextmanager
    def _explained(self, texts: Any) -> Iterator[None]:
        """Say why no n-gram is left, of how many texts.

        scikit-learn says "max_df corresponds to < documents than min_df" where the
        limits did it, and takes texts without any word for lists of stop words.
        """
        try:
            yield
        except ValueError as error:
            size = f"{len(texts)} texts" if hasattr(texts, "__len__") else "the texts"
            if str(error).startswith("empty vocabulary; perhaps"):
                raise DataError(self._no_ngrams(size)) from error
            if not re.search("m(in|ax)_df", str(error)) or isinstance(
                error, InvalidParameterError
            ):
                raise
            raise DataError(
                f"{type(self).__name__}: no n-gram is left with min_df={self.min_df} "
                f"and max_df={self.max_df} on {size}. Lower min_df, raise max_df or "
                f"give more texts. ({error})"
            ) from error

    # scikit-learn's methods

    def fit(self, raw_documents: Any, y: Any = None) -> NgramTfidfVectorizer:
        """Learn the vocabulary and the document frequencies.

        Parameters
        ----------
        raw_documents : sequence of str of length n_samples
            The training texts.
        y : None
            Not used.

        Returns
        -------
        NgramTfidfVectorizer
            This object.
        """
        texts = self._texts(raw_documents)
        with self._explained(texts):
            if self._is_odd():
                return super().fit(texts, y)
            self._fit(texts, rows=False)
        return self

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:
        """Learn the vocabulary and return the training matrix.

        Parameters
        ----------
        raw_documents : sequence of str of length n_samples
            The training texts.
        y : None
            Not used.

        Returns
        -------
        sparse matrix of shape (n_samples, n_features)
            TF-IDF weights.
        """
        texts = self._texts(raw_documents)
        with self._explained(texts):
            if self._is_odd():
                return super().fit_transform(texts, y)
            return self._fit(texts, rows=True)

    def transform(self, raw_documents: Any) -> Any:
        """Return the matrix of new texts over the learnt vocabulary.

        Parameters
        ----------
        raw_documents : sequence of str of length n_samples
            The texts.

        Returns
        -------
        sparse matrix of shape (n_samples, n_features)
            TF-IDF weights.

        Raises
        ------
        DataError
            If there is no text: scikit-learn's learners take no matrix without rows.
        """
        check_is_fitted(self)
        texts = self._texts(raw_documents)
        if self._is_odd():
            return super().transform(texts)
        self._check_vocabulary()
        found = self._find_parts(texts)
        items = [Ingredient(part, None, None) for part in found]
        del found
        return self._matrix(items, None)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the n-grams in the order of the columns.

        Parameters
        ----------
        input_features : None
            Not used.

        Returns
        -------
        ndarray of str
            The n-grams.
        """
        self._check_vocabulary()
        if isinstance(self.vocabulary_, NgramVocabulary):
            return np.asarray(self.vocabulary_.terms(), dtype=object)
        return super().get_feature_names_out(input_features)

    # Corpora larger than memory

    def partial_fit(self, raw_documents: Any, y: Any = None) -> NgramTfidfVectorizer:
        """Learn from some more texts of a corpus that is too large for memory.

        After all chunks, the vectorizer is what `fit` on all texts at once makes it;
        the matrix of each chunk then comes from `transform`. What is kept between
        calls grows with the number of different n-grams, not of texts. `min_df`,
        `max_df`, `max_features` and how to weigh are applied to all texts so far, as
        set at the last call; `fit` and `fit_transform` start anew.

        Parameters
        ----------
        raw_documents : sequence of str of length n_samples
            The next texts.
        y : None
            Not used.

        Returns
        -------
        NgramTfidfVectorizer
            This object.

        Raises
        ------
        DataError
            If the limits leave no n-gram of all texts so far. They are kept: go on
            with the next ones. Or if parameters that decide what is counted are
            others than at the first call.
        """
        texts = self._texts(raw_documents)
        self._refuse_odd_types()
        stream = self._stream
        if stream is None:
            self._begin()
            key, vocabulary = parameter_key(self), self.vocabulary
        else:
            self._go_on(stream)
            key, vocabulary = stream.key, stream.vocabulary
        if self.fixed_vocabulary_:
            found = self._find_parts(texts)
            n_texts = sum(len(part[2]) - 1 for part in found)
            df = self._df_of(found)
            if stream is not None:
                df, n_texts = stream.counted + df, stream.n_texts + n_texts
            self._stream = Stream(df, n_texts, key, vocabulary)
            self._learn_idf(df, n_texts)
            return self
        totals = self._needs_totals()
        parts, grams, _ = self._count_parts(
            texts, counted=totals, totals=totals, kept=False
        )
        n_texts = sum(part.n_texts for part in parts)
        if stream is not None:
            grams = merge_any(stream.counted, grams)
            n_texts += stream.n_texts
        self._stream = Stream(grams, n_texts, key, vocabulary)
        with self._explained(range(n_texts)):
            self._learn(grams, grams.first, grams.df, grams.tf, n_texts)
        return self

    # Many fits on the rows of one corpus

    @_fit_context(prefer_skip_nested_validation=True)
    def count(self, texts: Any) -> NgramCounts:
        """Count the n-grams of texts, for many fits on rows of them.

        Only the parameters that decide what the n-grams of a text are matter here:
        `analyzer`, `ngram_range`, `lowercase`, `strip_accents`, `preprocessor`,
        `tokenizer`, `token_pattern`, `stop_words` (and, for files, `input`,
        `encoding` and `decode_error`).

        Parameters
        ----------
        texts : sequence of str
            All texts.

        Returns
        -------
        NgramCounts
            The counts.
        """
        texts = self._texts(texts)
        self._validate_ngram_range()
        return NgramCounts.of_parts(
            *self._count_parts(texts, counted=True), parameter_key(self)
        )

    def _refuse_odd_types(self) -> None:
        if self._is_odd():
            raise DataError(
                f"{type(self).__name__}: counts are weighed as float32 or float64; "
                f"dtype is {np.dtype(self.dtype)}."
            )

    def _check_counts(self, counts: NgramCounts) -> None:
        self._refuse_odd_types()
        key = parameter_key(self)
        if counts.key != key:
            raise DataError(
                f"{type(self).__name__}: these counts were made with other parameters "
                f"({differences(key, counts.key)}). Call count of a vectorizer with "
                "the same."
            )

    def _chosen(self, counts: NgramCounts, rows: Any) -> np.ndarray:
        """Check counts and return the numbers of the chosen rows."""
        self._check_counts(counts)
        chosen = counts.check_rows(rows)
        if chosen is None:
            chosen = np.arange(len(counts))
        require_texts(chosen, caller=type(self).__name__)
        return chosen

    def fit_transform_counts(self, counts: NgramCounts, rows: Any = None) -> Any:
        """Learn from counted texts and return their matrix.

        Parameters
        ----------
        counts : NgramCounts
            What `count` returned, of this vectorizer or one that reads texts alike.
        rows : array of int, optional
            Which of the texts, in which order; all by default.

        Returns
        -------
        sparse matrix of shape (n_rows, n_features)
            Bit for bit what ``fit_transform([texts[i] for i in rows])`` returns; the
            attributes are the same, too.
        """
        chosen = self._chosen(counts, rows)
        self._begin()
        numbers, df, tf = counts.of_rows(chosen, totals=self._needs_totals())
        if self.fixed_vocabulary_:
            column_of = self._columns_of(counts)
            totals = np.zeros(len(self.vocabulary_), dtype=np.int64)
            totals[column_of[column_of >= 0]] = df[column_of >= 0]
            self._learn_idf(totals, len(chosen))
            item = Ingredient(counts.rows, chosen, column_of)
            return self._matrix([item], None)
        first = counts.grams.first
        with self._explained(chosen):
            often = None if tf is None else tf[first]
            columns = self._learn(
                counts.grams, numbers[first], df[first], often, len(chosen)
            )
        column_of = np.where(numbers < 0, -1, columns[numbers])
        self._matched = weakref.ref(counts), self.vocabulary_, column_of
        numbers[column_of < 0] = -1
        return self._matrix([Ingredient(counts.rows, chosen, numbers)], columns)

    def transform_counts(self, counts: NgramCounts, rows: Any = None) -> Any:
        """Return the matrix of counted texts over the learnt vocabulary.

        Parameters
        ----------
        counts : NgramCounts
            What `count` returned, of this vectorizer or one that reads texts alike.
        rows : array of int, optional
            Which of the texts, in which order; all by default.

        Returns
        -------
        sparse matrix of shape (n_rows, n_features)
            Bit for bit what ``transform([texts[i] for i in rows])`` returns.
        """
        check_is_fitted(self)
        chosen = self._chosen(counts, rows)
        column_of = self._columns_of(counts)
        item = Ingredient(counts.rows, chosen, column_of)
        return self._matrix([item], None)

    def _columns_of(self, counts: NgramCounts) -> np.ndarray:
        """Return the column of each id of the counts, or -1."""
        vocabulary = self.vocabulary_
        if self._matched is not None:
            of, learnt, column_of = self._matched
            if of() is counts and learnt is vocabulary:
                return column_of
        column_of = counts.match(vocabulary, self._known(self._reader()))
        self._matched = weakref.ref(counts), vocabulary, column_of
        return column_of
