"""Word and character n-gram TF-IDF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from tweetclf.exceptions import DataError
from tweetclf.features._tokens import require_texts
from tweetclf.utils._sklearn import InvalidParameterError
from tweetclf.utils.validation import check_texts

__all__ = ["NgramTfidfVectorizer"]


class NgramTfidfVectorizer(TfidfVectorizer):
    """Turn texts into a sparse matrix of n-gram TF-IDF weights.

    A drop-in for scikit-learn's ``TfidfVectorizer``: the same parameters, the same
    vocabulary and the same matrix. It reads any column of texts (list, NumPy,
    pandas, polars, pyarrow) and names the index of an item that is not a text.

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
    vocabulary_ : dict
        Column index of each n-gram; columns are in code point order.
    fixed_vocabulary_ : bool
        Whether the vocabulary was given.
    idf_ : ndarray of shape (n_features,)
        Inverse document frequencies, if `use_idf`.

    See Also
    --------
    NBLogCountRatio : Scale n-grams by how well they tell the classes apart.

    Notes
    -----
    With ``smooth_idf`` an n-gram in ``df`` of ``n`` texts weighs
    ``log((1 + n) / (1 + df)) + 1``; rows then have unit `norm`.

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

    @contextmanager
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
            return super().fit(texts, y)

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
            return super().fit_transform(texts, y)

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
        return super().transform(self._texts(raw_documents))
