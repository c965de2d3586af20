"""Counts of n-grams, made once and used by many fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from tweetclf.features import _arrays, _row_kernels
from tweetclf.features._arrays import Rows
from tweetclf.features._counting import Grams, Part, merge_grams
from tweetclf.features._packing import TooWideError
from tweetclf.features._vocabulary import NgramVocabulary
from tweetclf.utils.jit import has_numba

__all__ = [
    "ListedGrams",
    "NgramCounts",
    "count_by_dict",
    "differences",
    "find_by_dict",
    "merge_any",
    "parameter_key",
]


@dataclass(frozen=True, eq=False)
class ListedGrams:
    """The different features of some texts, as an analyzer of any kind returns them.

    Attributes
    ----------
    terms : list
        The features, ascending.
    first, df, tf : ndarray
        As of :class:`tweetclf.features._counting.Grams`.
    """

    terms: list[Any]
    first: np.ndarray
    df: np.ndarray
    tf: np.ndarray | None

    def vocabulary(self, kept: np.ndarray, first: np.ndarray) -> dict[Any, int]:
        """Return the vocabulary of the features at the positions `kept`."""
        terms = [self.terms[i] for i in kept.tolist()]
        order = np.argsort(first[kept]).tolist()
        return {terms[column]: column for column in order}


def count_by_dict(
    analyze: Callable[[Any], Iterable[Any]], texts: Iterable[Any]
) -> Part:
    """Count what any analyzer returns, as scikit-learn does."""
    numbers: dict[Any, int] = {}
    ids: list[int] = []
    counts: list[int] = []
    indptr = [0]
    for text in texts:
        row: dict[int, int] = {}
        for feature in analyze(text):
            number = numbers.setdefault(feature, len(numbers))
            row[number] = row.get(number, 0) + 1
        ids.extend(row)
        counts.extend(row.values())
        indptr.append(len(ids))
    rows = (
        np.array(ids, dtype=np.int32),
        np.array(counts, dtype=np.int32),
        np.array(indptr, dtype=np.int64),
    )
    df = np.bincount(rows[0], minlength=len(numbers))
    tf = np.bincount(rows[0], rows[1], len(numbers)).astype(np.int64)
    terms = sorted(numbers)
    first = np.fromiter((numbers[term] for term in terms), np.int32, len(terms))
    grams = ListedGrams(terms, first, df[first], tf[first])
    return Part(rows, len(indptr) - 1, grams)


def find_by_dict(
    analyze: Callable[[Any], Iterable[Any]],
    texts: Iterable[Any],
    vocabulary: Mapping[Any, int],
) -> Rows:
    """Look up what any analyzer returns; what is unknown is left out.

    Returns
    -------
    columns, counts, indptr : ndarray
        The columns of each text, ascending, and how often each occurs.
    """
    columns: list[int] = []
    counts: list[int] = []
    indptr = [0]
    for text in texts:
        row: dict[int, int] = {}
        for feature in analyze(text):
            column = vocabulary.get(feature, -1)
            if column >= 0:
                row[column] = row.get(column, 0) + 1
        for column in sorted(row):
            columns.append(column)
            counts.append(row[column])
        indptr.append(len(columns))
    return (
        np.array(columns, dtype=np.int32),
        np.array(counts, dtype=np.int32),
        np.array(indptr, dtype=np.int64),
    )


def _listed(grams: Grams | ListedGrams) -> ListedGrams:
    if isinstance(grams, ListedGrams):
        return grams
    terms = grams.vocabulary(np.arange(len(grams)), grams.first).terms()
    return ListedGrams(terms, grams.first, grams.df, grams.tf)


def merge_any(a: Grams | ListedGrams, b: Grams | ListedGrams) -> Grams | ListedGrams:
    """Return the n-grams of one corpus after those of another."""
    if isinstance(a, Grams) and isinstance(b, Grams):
        try:
            return merge_grams([a, b])[0]
        except TooWideError:
            pass  # as lists of terms, then, which have no width
    numbers: dict[Any, int] = {}
    listed = [_listed(a), _listed(b)]
    for grams in listed:
        for at in np.argsort(grams.first).tolist():
            numbers.setdefault(grams.terms[at], len(numbers))
    terms = sorted(numbers)
    places = {term: at for at, term in enumerate(terms)}
    where = [np.fromiter(map(places.__getitem__, g.terms), np.int64) for g in listed]

    def total(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
        both = np.zeros(len(terms), dtype=np.int64)
        both[where[0]] += mine
        both[where[1]] += other
        return both

    tf = None
    if a.tf is not None and b.tf is not None:
        tf = total(a.tf, b.tf)
    first = np.fromiter(map(numbers.__getitem__, terms), np.int32)
    return ListedGrams(terms, first, total(a.df, b.df), tf)


def parameter_key(vectorizer: Any) -> tuple[tuple[str, Any], ...]:
    """Return the parameters of a vectorizer that decide what it counts.

    Those that its analyzer does not look at are left out; estimators, such as
    tokenizers, stand as their class and parameters, so that clones are equal.
    """
    names = ["input", "analyzer"]
    if vectorizer.input != "content":
        names += ["encoding", "decode_error"]
    if not callable(vectorizer.analyzer):
        names += ["ngram_range", "preprocessor"]
        if vectorizer.preprocessor is None:
            names += ["lowercase", "strip_accents"]
        if vectorizer.analyzer == "word":
            names += ["stop_words", "tokenizer"]
            if vectorizer.tokenizer is None:
                names += ["token_pattern"]
    return tuple((name, _comparable(getattr(vectorizer, name))) for name in names)


def differences(
    mine: tuple[tuple[str, Any], ...], theirs: tuple[tuple[str, Any], ...]
) -> str:
    """Return in words which parameters of two keys differ."""
    others = dict(theirs)
    return "; ".join(
        f"{name}={others[name]!r}, not {value!r}"
        for name, value in mine
        if name in others and others[name] != value
    )


def counts_alike(vectorizer: Any) -> bool:
    """Tell whether clones of a vectorizer are known to count what it counts.

    They are not where a tokenizer, preprocessor or analyzer is a callable object or a
    bound method: clones hold copies, which compare as different.
    """
    try:
        key = parameter_key(vectorizer)
        hash(key)
        return bool(parameter_key(clone(vectorizer)) == key)
    except Exception:  # parameters may be anything
        return False


def _comparable(value: Any) -> Any:
    if hasattr(value, "get_params") and not isinstance(value, type):
        parameters = value.get_params(deep=False)
        return type(value), tuple(
            (name, _comparable(item)) for name, item in sorted(parameters.items())
        )
    if isinstance(value, list):
        return tuple(value)
    return value


class NgramCounts:
    """How often each n-gram occurs in each text of a corpus; not to be changed.

    `NgramTfidfVectorizer.count` makes it; `fit_transform_counts` and
    `transform_counts` make matrices of any of its rows, as often as a search needs
    them, without reading a text again.

    Parameters
    ----------
    rows : tuple of ndarray
        `ids`, `counts` and `indptr`.
    grams : Grams or ListedGrams
        The n-grams.
    key : tuple
        The parameters that decided what was counted.

    Attributes
    ----------
    ids : ndarray of int32 of shape (nnz,)
        The n-grams of each text, in the order of their first occurrence in it. They
        are numbered in the order of first occurrence in the corpus.
    counts : ndarray of int32 of shape (nnz,)
        How often each occurs in the text.
    indptr : ndarray of int64 of shape (n_texts + 1,)
        Where each text begins.
    key : tuple
        Equal for vectorizers that count the same.
    shape : tuple of int
        Number of texts and of different n-grams.

    Examples
    --------
    >>> from tweetclf.features import NgramTfidfVectorizer
    >>> vectorizer = NgramTfidfVectorizer(analyzer="char")
    >>> counts = vectorizer.count(["jaja", "ja!", "no"])
    >>> counts
    NgramCounts(of 3 texts, 5 n-grams)
    >>> vectorizer.fit_transform_counts(counts, rows=[0, 1]).shape
    (2, 3)
    """

    def __init__(
        self, rows: Rows, grams: Grams | ListedGrams, key: tuple[Any, ...]
    ) -> None:
        self.ids, self.counts, self.indptr = rows
        self.grams = grams
        self.key = key
        for array in rows:
            # Others hold maps from these ids; arrays mapped into memory by joblib
            # are read-only already.
            if array.flags.owndata:
                array.flags.writeable = False

    @classmethod
    def of_parts(
        cls,
        parts: Sequence[Part],
        grams: Grams | ListedGrams,
        numbers: Sequence[np.ndarray | None],
        key: tuple[Any, ...],
    ) -> NgramCounts:
        """Return the counts of a corpus from those of its parts, in order.

        Parameters
        ----------
        parts : sequence of Part
            The parts.
        grams : Grams or ListedGrams
            The n-grams of all.
        numbers : sequence of ndarray or None
            For each part, the id in the corpus of each of its ids; None: the same.
        key : tuple
            As for the class.
        """
        ids = [
            part.rows[0] if own is None else own[part.rows[0]]
            for part, own in zip(parts, numbers, strict=True)
        ]
        counts = [part.rows[1] for part in parts]
        sizes = np.concatenate([np.diff(part.rows[2]) for part in parts])
        indptr = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes, out=indptr[1:])
        return cls((np.concatenate(ids), np.concatenate(counts), indptr), grams, key)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __repr__(self) -> str:
        return f"NgramCounts(of {self.shape[0]} texts, {self.shape[1]} n-grams)"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of texts and of different n-grams."""
        return len(self), len(self.grams.first)

    @property
    def rows(self) -> Rows:
        """`ids`, `counts` and `indptr`."""
        return self.ids, self.counts, self.indptr

    @property
    def vocabulary(self) -> NgramVocabulary | dict[Any, int]:
        """The position of each n-gram among all, sorted."""
        every = np.arange(self.shape[1])
        return self.grams.vocabulary(every, self.grams.first)

    def to_matrix(self, dtype: Any = np.int64) -> sparse.csr_array:
        """Return the counts as a matrix with a column for each id.

        Parameters
        ----------
        dtype : dtype, default=int64
            Of the counts.
        """
        return sparse.csr_array(
            (self.counts.astype(dtype), self.ids.copy(), self.indptr.copy()),
            shape=self.shape,
        )

    def check_rows(self, rows: Any) -> np.ndarray | None:
        """Return `rows` as an array of row numbers, or None for all of them.

        Raises
        ------
        IndexError
            If a number is out of range.
        """
        if rows is None:
            return None
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise IndexError(
                    f"a mask of rows has shape {chosen.shape}; there are {len(self)} "
                    "texts."
                )
            return np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64, casting="same_kind", copy=False).ravel()
        chosen = np.where(chosen < 0, chosen + len(self), chosen)
        outside = (chosen < 0) | (chosen >= len(self))
        if outside.any():
            raise IndexError(
                f"rows[{int(np.argmax(outside))}] is out of range: there are "
                f"{len(self)} texts."
            )
        return chosen

    def match(
        self, vocabulary: Mapping[Any, int], packed: NgramVocabulary | None
    ) -> np.ndarray:
        """Return the column of each id in a vocabulary, or -1.

        Parameters
        ----------
        vocabulary : mapping to int
            Any.
        packed : NgramVocabulary or None
            The same as integers, if that can be.
        """
        if isinstance(self.grams, Grams) and packed is not None:
            own = self.grams.vocabulary(np.arange(len(self.grams)), self.grams.first)
            found = packed.match(own)
        else:
            if isinstance(vocabulary, NgramVocabulary):
                vocabulary = vocabulary.to_dict()
            terms = _listed(self.grams).terms
            get = vocabulary.get
            found = np.fromiter((get(term, -1) for term in terms), np.int32, len(terms))
        columns = np.empty(len(found), dtype=np.int32)
        columns[self.grams.first] = found
        return columns

    def of_rows(
        self, chosen: np.ndarray, *, totals: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return numbers, document and term frequencies over some rows.

        Parameters
        ----------
        chosen : ndarray of int64
            Which rows, in order.
        totals : bool
            Whether term frequencies are wanted.

        Returns
        -------
        numbers : ndarray of int32
            The number of each id in the order of first occurrence in these rows;
            -1 for ids that do not occur.
        df : ndarray of int64
            In how many of the rows each id occurs.
        tf : ndarray of int64 or None
            How often each occurs in all, if wanted.
        """
        n_ids = self.shape[1]
        if has_numba():
            numbers = np.full(n_ids, -1, dtype=np.int32)
            df = np.zeros(n_ids, dtype=np.int64)
            tf = np.zeros(n_ids if totals else 0, dtype=np.int64)
            _row_kernels.number_rows(*self.rows, chosen, numbers, df, tf)
            return numbers, df, tf if totals else None
        return _arrays.number_rows(self.rows, chosen, n_ids)
