"""Word and character n-gram TF-IDF."""

from __future__ import annotations

from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer

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
        return check_texts(raw_documents, caller=type(self).__name__)

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
        return super().fit(self._texts(raw_documents), y)

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
        return super().fit_transform(self._texts(raw_documents), y)

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
        """
        return super().transform(self._texts(raw_documents))
