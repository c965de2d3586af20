"""Counts for many fits, and streams of texts, against scikit-learn."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from ngrams_oracles import TEXTS, assert_same_matrix, assert_same_state
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer

from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.preprocessing import TweetTokenizer


def test_counts_of_any_rows(mode):
    options = {"analyzer": "char", "ngram_range": (1, 3)}
    counts = NgramTfidfVectorizer(**options).count(TEXTS)
    counts = pickle.loads(pickle.dumps(counts))
    assert counts.shape == (len(TEXTS), len(counts.vocabulary))
    assert "12 texts" in repr(counts)
    for rows in ([11, 0, 0, 2], np.array([1]), np.arange(12) % 3 == 0, [-1, 4]):
        chosen = np.arange(len(TEXTS))[np.asarray(rows)]
        texts = [TEXTS[i] for i in chosen]
        for more in ({}, {"min_df": 2}, {"max_features": 9}, {"vocabulary": ["a"]}):
            ours = NgramTfidfVectorizer(**options, **more)
            theirs = TfidfVectorizer(**options, **more)
            try:
                expected = theirs.fit_transform(texts)
            except ValueError:
                with pytest.raises(DataError, match="on 1 texts"):
                    ours.fit_transform_counts(counts, rows)
                continue
            assert_same_matrix(ours.fit_transform_counts(counts, rows), expected)
            assert_same_state(ours, theirs)
            assert_same_matrix(
                ours.transform_counts(counts, [3, 1]),
                theirs.transform([TEXTS[3], TEXTS[1]]),
            )
    matrix = counts.to_matrix()
    assert matrix.sum() == sum(len(list(_all_ngrams(t))) for t in TEXTS)
    for row in range(len(TEXTS)):
        ids = counts.ids[counts.indptr[row] : counts.indptr[row + 1]]
        assert len(set(ids)) == len(ids)
    assert np.array_equal(
        np.unique(counts.ids, return_index=True)[1],
        np.sort(np.unique(counts.ids, return_index=True)[1]),
    )


def _all_ngrams(text):
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 3)).build_analyzer()(text)


def test_counts_of_other_vocabularies(mode):
    counts = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 2)).count(TEXTS)
    other = ["otra cosa", "ñandú jaja 😂"]
    ours = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(other)
    theirs = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(other)
    assert_same_matrix(ours.transform_counts(counts), theirs.transform(TEXTS))


def test_counts_belong_to_parameters():
    words = {"tokenizer": TweetTokenizer(), "token_pattern": None}
    counts = NgramTfidfVectorizer(**words).count(TEXTS)
    same = NgramTfidfVectorizer(tokenizer=TweetTokenizer(), token_pattern="x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert clone(same).fit_transform_counts(counts).shape[0] == len(TEXTS)
    with pytest.raises(DataError, match=r"analyzer='word', not 'char'"):
        NgramTfidfVectorizer(analyzer="char").fit_transform_counts(counts)
    longer = NgramTfidfVectorizer(**words, ngram_range=(1, 2)).fit(TEXTS)
    with pytest.raises(DataError, match=r"ngram_range=\(1, 1\), not \(1, 2\)"):
        longer.transform_counts(counts)
    fitted = NgramTfidfVectorizer(**words).fit(TEXTS)
    for rows, message in (([99], r"rows\[0\]"), ([True], "mask"), ([], "0 texts")):
        with pytest.raises((IndexError, DataError), match=message):
            fitted.transform_counts(
                counts, np.array(rows, bool if True in rows else int)
            )


def test_counts_cannot_be_changed():
    counts = NgramTfidfVectorizer().count(TEXTS)
    with pytest.raises(ValueError, match="read-only"):
        counts.ids[0] = 1


def test_streams_start_anew_and_may_be_empty_at_first():
    vectorizer = NgramTfidfVectorizer(min_df=2)
    with pytest.raises(DataError, match="no n-gram is left"):
        vectorizer.partial_fit(["hola"])
    vectorizer.partial_fit(["hola día", "día"])
    assert dict(vectorizer.vocabulary_) == {"hola": 1, "día": 0}
    vectorizer = pickle.loads(pickle.dumps(vectorizer))
    vectorizer.partial_fit(["noche", "noche"])
    assert list(vectorizer.vocabulary_) == ["hola", "día", "noche"]
    vectorizer.fit(["otra vez", "otra"])
    assert list(vectorizer.vocabulary_) == ["otra"]
    vectorizer.partial_fit(["nada", "nada"])
    assert list(vectorizer.vocabulary_) == ["nada"], "fit ends a stream"


def test_streams_that_become_unreadable():
    """A later chunk with odd tokens, or an alphabet too large for two words."""
    options = {"token_pattern": None, "tokenizer": lambda text: text.split("_")}
    chunks = [["a_b", "b_c"], ["a\tb_b"], ["c_d"]]
    ours = NgramTfidfVectorizer(ngram_range=(1, 2), **options)
    theirs = TfidfVectorizer(ngram_range=(1, 2), **options)
    theirs.fit([text for chunk in chunks for text in chunk])
    for chunk in chunks:
        ours.partial_fit(chunk)
    assert_same_state(ours, theirs)
    many = ["".join(map(chr, range(0x4E00, 0x4E00 + n))) for n in (300, 9000)]
    ours = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 10))
    for text in many:
        ours.partial_fit([text])
    theirs = TfidfVectorizer(analyzer="char", ngram_range=(1, 10)).fit(many)
    assert_same_state(ours, theirs)


def test_counts_of_few_ngrams_in_a_large_vocabulary(mode):
    """Columns are larger numbers than the ids of the counts."""
    rng = np.random.default_rng(0)
    options = {"analyzer": "char", "ngram_range": (1, 3)}
    letters = list("!#$%&abcdefghij")
    learnt = ["".join(rng.choice(letters, 300)) for _ in range(60)]
    texts = ["".join(rng.choice(list("aefij"), 300)) for _ in range(20)]
    ours = NgramTfidfVectorizer(**options).fit(learnt)
    theirs = TfidfVectorizer(**options).fit(learnt)
    counts = ours.count(texts)
    assert counts.shape[1] < 256 < len(ours.vocabulary_)
    assert_same_matrix(ours.transform_counts(counts), theirs.transform(texts))


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ({"analyzer": "char"}, {"analyzer": "word"}, "analyzer='char', not 'word'"),
        ({"analyzer": "word"}, {"analyzer": "char"}, "analyzer='word', not 'char'"),
        ({}, {"ngram_range": (1, 2)}, r"ngram_range=\(1, 1\), not \(1, 2\)"),
        ({}, {"lowercase": False}, "lowercase=True, not False"),
        ({}, {"stop_words": ["día"]}, "stop_words=None, not"),
        ({"vocabulary": ["a"]}, {"analyzer": "char"}, "analyzer='word', not 'char'"),
        ({"vocabulary": ["a"]}, {"vocabulary": ["b"]}, "another vocabulary"),
        ({"vocabulary": ["a"]}, {"vocabulary": None}, "another vocabulary"),
        ({}, {"vocabulary": ["a"]}, "another vocabulary"),
        ({}, {"max_features": 3}, "max_features=3"),
    ],
)
def test_streams_keep_to_what_they_count(first, then, message):
    vectorizer = NgramTfidfVectorizer(**first).partial_fit(TEXTS)
    learnt, idf = vectorizer.vocabulary_, vectorizer.idf_
    before = vectorizer.get_params()
    vectorizer.set_params(**then)
    with pytest.raises(DataError, match=message):
        vectorizer.partial_fit(TEXTS)
    assert vectorizer.vocabulary_ is learnt
    assert vectorizer.idf_ is idf
    vectorizer.set_params(**before).partial_fit(TEXTS[:3])
    expected = TfidfVectorizer(**first).fit(TEXTS + TEXTS[:3])
    assert_same_state(vectorizer, expected)


def test_streams_that_learnt_nothing_keep_to_what_they_count():
    vectorizer = NgramTfidfVectorizer(min_df=2)
    with pytest.raises(DataError, match="no n-gram is left"):
        vectorizer.partial_fit(["hola"])
    with pytest.raises(DataError, match="another vocabulary"):
        vectorizer.set_params(vocabulary=["hola"]).partial_fit(["hola"])


def test_streams_check_parameters_on_each_call():
    vectorizer = NgramTfidfVectorizer().partial_fit(TEXTS)
    with pytest.raises(ValueError, match="'norm' parameter"):
        vectorizer.set_params(norm="l3").partial_fit(TEXTS)


@pytest.mark.parametrize("vocabulary", [None, ["jaja", "qué", "no"]])
def test_streams_weigh_as_set_at_the_last_call(vocabulary):
    ours = NgramTfidfVectorizer(vocabulary=vocabulary).partial_fit(TEXTS[:6])
    for change in (
        {"norm": "l1", "sublinear_tf": True},
        {"use_idf": False},
        {"use_idf": True, "smooth_idf": False, "norm": None},
        {"max_df": 2, "dtype": np.float32},
        {"vocabulary": vocabulary and list(vocabulary)},
    ):
        ours.set_params(**change)
        ours.partial_fit(TEXTS[6:])
        theirs = TfidfVectorizer(**ours.get_params())
        # As often as it was streamed.
        theirs.fit(TEXTS[:6] + TEXTS[6:] * (ours._stream.n_texts // 6 - 1))
        assert_same_state(ours, theirs)
        assert_same_matrix(ours.transform(TEXTS), theirs.transform(TEXTS))
