"""Word vectors with subword vectors for unknown words."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features._files import from_gensim, read_any, read_own, write_own
from tweetclf.features._raw import RawVectors
from tweetclf.features._tokens import tokenize_corpus
from tweetclf.features._train import Settings, automatic_bucket, train
from tweetclf.features._word_rows import WordRows
from tweetclf.features.subwords import subword_hashes
from tweetclf.utils._sklearn import Interval, StrOptions, validate_params
from tweetclf.utils.optional import import_optional

__all__ = ["WordVectors"]


class WordVectors(WordRows):
    """Word vectors; with subwords every word has one.

    Objects are immutable: copies and scikit-learn clones share the matrix. Most
    users make them with :meth:`read`, :meth:`train` or :meth:`from_gensim`.

    Parameters
    ----------
    words : sequence of str
        The vocabulary, without repetition.
    matrix : array of shape (n_words + bucket, dim)
        One row a word; with subwords one more a bucket of hashed n-grams. It may be
        a memory map. It is kept as float32.
    counts : array of int of shape (n_words,), optional
        How often each word occurred in the training corpus.
    minn, maxn : int, default=0
        Shortest and longest character n-gram; 0 means no subwords.
    bucket : int, default=0
        Number of buckets that n-grams are hashed to; 0 means no subwords.

    Attributes
    ----------
    words : tuple of str
        The vocabulary.
    matrix : ndarray of float32, read-only
        The rows as given.
    counts : ndarray of int64 or None
        Word counts.
    minn, maxn, bucket : int
        As given.
    dim : int
        Number of dimensions.

    See Also
    --------
    SIFVectorizer : Averages word vectors to tweet vectors.

    Notes
    -----
    As in fastText, the vector of a word with subwords is the mean of its own row
    (if it is in the vocabulary) and of the rows of its n-grams; n-grams are hashed
    by FNV-1a with signed chars. Unknown words without subwords have no vector.

    References
    ----------
    P. Bojanowski, E. Grave, A. Joulin and T. Mikolov, "Enriching word vectors with
    subword information", TACL 2017, section 3.2 (arXiv:1607.04606).

    Examples
    --------
    >>> from tweetclf.features import WordVectors
    >>> vectors = WordVectors(["hola", "chau"], [[1.0, 0.0], [0.0, 1.0]])
    >>> vectors["chau"]
    array([0., 1.], dtype=float32)
    >>> "adiós" in vectors
    False
    >>> vectors.vectors(["hola", "adiós"])
    array([[1., 0.],
           [0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        words: Sequence[str],
        matrix: Any,
        *,
        counts: Any = None,
        minn: int = 0,
        maxn: int = 0,
        bucket: int = 0,
    ) -> None:
        if not isinstance(matrix, np.ndarray):
            matrix = np.asarray(matrix, dtype=np.float32)
        if matrix.dtype != np.float32:
            matrix = matrix.astype(np.float32)
        if matrix.ndim != 2 or matrix.shape[0] != len(words) + bucket:
            raise DataError(
                f"WordVectors: the 'matrix' parameter must have {len(words)} rows for "
                f"words and {bucket} for buckets. Got shape {matrix.shape} instead."
            )
        if bucket and not 0 < minn <= maxn:
            raise DataError(
                "WordVectors: with buckets, 'minn' and 'maxn' must be 0 < minn <= "
                f"maxn. Got {minn} and {maxn} instead."
            )
        self.words = tuple(words)
        # A view: the caller's array stays writable, ours is not.
        self.matrix = matrix[:]
        self.matrix.flags.writeable = False
        self.counts = None if counts is None else np.asarray(counts, dtype=np.int64)
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise DataError(
                f"WordVectors: the 'counts' parameter must have {len(self.words)} "
                f"values. Got shape {self.counts.shape} instead."
            )
        self.minn = int(minn) if bucket else 0
        self.maxn = int(maxn) if bucket else 0
        self.bucket = int(bucket)
        if len(self._index) != len(self.words):
            raise DataError("WordVectors: the 'words' parameter must not repeat words.")

    # The index is quickly made again, and a memory map must not outlive its file.
    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k != "_index"}
        if isinstance(self.matrix, np.memmap):
            state["matrix"] = np.array(self.matrix)
        return state

    def __copy__(self) -> WordVectors:
        return self

    def __deepcopy__(self, memo: dict) -> WordVectors:
        return self

    def __repr__(self) -> str:
        subwords = (
            f", subwords of {self.minn}-{self.maxn} characters in {self.bucket:,} "
            "buckets"
            if self.bucket
            else ""
        )
        return f"<WordVectors: {len(self):,} words x {self.dim} dimensions{subwords}>"

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Tell whether `word` has a vector, its own or one made of subwords."""
        if not isinstance(word, str):
            return False
        if word in self._index:
            return True
        return bool(self.bucket and subword_hashes([word], self.minn, self.maxn)[1][0])

    def __getitem__(self, word: str) -> np.ndarray:
        if word not in self:
            raise KeyError(f"{word!r} has no vector")
        return self.vectors([word])[0]

    def is_known(self, words: Sequence[str]) -> np.ndarray:
        """Tell which words are in the vocabulary.

        Parameters
        ----------
        words : sequence of str
            The words.

        Returns
        -------
        ndarray of bool of shape (n_words,)
            True where a word has a row of its own.
        """
        return self._rows(words) >= 0

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        limit: int | None = None,
        errors: str = "strict",
    ) -> WordVectors:
        """Read vectors from a file; its kind is found by its content.

        Parameters
        ----------
        path : path
            A fastText ``.bin`` (mapped into memory; with subwords), text vectors
            (word2vec, fastText ``.vec``, GloVe; gzipped or not), or a file made by
            :meth:`save`. Nothing in it is executed.
        limit : int, optional
            Read at most this many words of text vectors.
        errors : {"strict", "replace", "ignore"}, default="strict"
            What to do about words of text vectors that are not valid UTF-8.

        Returns
        -------
        WordVectors
            The vectors.

        Raises
        ------
        DataError
            If the file is damaged or of no known kind; for text the message names
            the line. If there is no file, it is a FileNotFoundError, too.
        """
        return cls._from_raw(read_any(path, limit=limit, errors=errors))

    @classmethod
    def read_gensim(cls, path: str | os.PathLike[str]) -> WordVectors:
        """Read a file saved by gensim (KeyedVectors, Word2Vec, FastText).

        Such files are pickles: reading one can run any code. Use it for files that
        you made yourself.

        Parameters
        ----------
        path : path
            What gensim's ``save`` wrote.

        Returns
        -------
        WordVectors
            The vectors.
        """
        utils = import_optional(
            "gensim.utils", extra="embeddings", caller="WordVectors.read_gensim"
        )
        return cls.from_gensim(utils.SaveLoad.load(os.fspath(path)))

    @classmethod
    def from_gensim(cls, model: Any) -> WordVectors:
        """Convert gensim's KeyedVectors, FastTextKeyedVectors or a model of them.

        Parameters
        ----------
        model : gensim object
            Vectors, or a model with an attribute ``wv``.

        Returns
        -------
        WordVectors
            The vectors; with subwords if the model has them.
        """
        return cls._from_raw(from_gensim(model))

    @classmethod
    def _from_raw(cls, raw: RawVectors) -> WordVectors:
        return cls(
            raw.words,
            raw.matrix,
            counts=raw.counts,
            minn=raw.minn,
            maxn=raw.maxn,
            bucket=raw.bucket,
        )

    @classmethod
    @validate_params(
        {
            "dim": [Interval(Integral, 1, None, closed="left")],
            "window": [Interval(Integral, 1, None, closed="left")],
            "epochs": [Interval(Integral, 1, None, closed="left")],
            "min_count": [Interval(Integral, 1, None, closed="left")],
            "minn": [Interval(Integral, 0, None, closed="left")],
            "maxn": [Interval(Integral, 0, None, closed="left")],
            "bucket": [
                Interval(Integral, 1, None, closed="left"),
                StrOptions({"auto"}),
            ],
            "negative": [Interval(Integral, 1, None, closed="left")],
            "workers": [Interval(Integral, 1, None, closed="left")],
            "engine": [StrOptions({"gensim", "fasttext"})],
        },
        prefer_skip_nested_validation=True,
    )
    def train(
        cls,
        corpus: Sequence[str] | Sequence[Sequence[str]],
        *,
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        dim: int = 50,
        window: int = 5,
        epochs: int = 5,
        min_count: int = 1,
        minn: int = 3,
        maxn: int = 6,
        bucket: int | str = "auto",
        negative: int = 5,
        learning_rate: float = 0.05,
        sample: float = 1e-3,
        workers: int = 1,
        seed: int = 0,
        engine: str = "gensim",
    ) -> WordVectors:
        """Train skip-gram vectors with subwords.

        Parameters
        ----------
        corpus : sequence of str, or of lists of str
            Texts, or their tokens.
        tokenizer : callable, optional
            Text to tokens; by default
            :class:`tweetclf.preprocessing.TweetTokenizer`.
        dim : int, default=50
            Number of dimensions.
        window : int, default=5
            Words of context on each side.
        epochs : int, default=5
            Passes over the corpus.
        min_count : int, default=1
            Words that occur less often get no row of their own.
        minn, maxn : int, default=3, 6
            Shortest and longest character n-gram; ``maxn=0`` trains without
            subwords.
        bucket : int or "auto", default="auto"
            Rows for hashed n-grams. "auto" takes one for every two different n-grams
            of the corpus, from 1,000 to 200,000, so that small corpora make small
            models.
        negative : int, default=5
            Negative samples a pair.
        learning_rate : float, default=0.05
            At the start; it falls linearly.
        sample : float, default=1e-3
            Words more frequent than this are thinned out.
        workers : int, default=1
            Threads. With one, gensim gives the same bits for the same seed.
        seed : int, default=0
            Seed of gensim; fastText takes none.
        engine : {"gensim", "fasttext"}, default="gensim"
            gensim is as quick as fastText's own code, which is not deterministic:
            it runs in a child process with 12 threads, for its sake.

        Returns
        -------
        WordVectors
            The trained vectors.

        Raises
        ------
        DataError
            If no word occurs `min_count` times.
        MissingDependencyError
            If the engine is not installed.
        """
        sentences = tokenize_corpus(corpus, tokenizer, caller="WordVectors.train")
        subwords = 0 < minn <= maxn
        if isinstance(bucket, str):
            bucket = automatic_bucket(
                sentences, min_count=min_count, minn=minn, maxn=maxn
            )
        settings = Settings(
            dim=int(dim),
            window=int(window),
            epochs=int(epochs),
            min_count=int(min_count),
            minn=int(minn) if subwords else 0,
            maxn=int(maxn) if subwords else 0,
            bucket=int(bucket) if subwords else 0,
            negative=int(negative),
            learning_rate=float(learning_rate),
            sample=float(sample),
            workers=int(workers),
            seed=int(seed),
        )
        return cls._from_raw(train(sentences, settings, engine))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vectors to one safetensors file; :meth:`load` reads it.

        Parameters
        ----------
        path : path
            The file; it appears whole or not at all.
        """
        raw = RawVectors(
            words=list(self.words),
            matrix=self.matrix,
            counts=self.counts,
            minn=self.minn,
            maxn=self.maxn,
            bucket=self.bucket,
        )
        write_own(path, raw)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> WordVectors:
        """Read what :meth:`save` wrote. Nothing in the file is executed.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        WordVectors
            The vectors.

        Raises
        ------
        ModelFormatError
            If the file is damaged, of another kind or of a newer version.
        """
        raw = read_own(path)
        try:
            return cls._from_raw(raw)
        except DataError as error:
            raise ModelFormatError(f"{path} is damaged: {error}") from error
