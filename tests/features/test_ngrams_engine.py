"""The n-gram engine against scikit-learn: every bit, with and without Numba."""

from __future__ import annotations

import gzip
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ngrams_oracles import (
    MODES,
    TEXTS,
    assert_same_matrix,
    check,
    set_mode,
)
from scipy import sparse
from sklearn import config_context
from sklearn.feature_extraction.text import TfidfVectorizer

from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer, _counting
from tweetclf.features import _weighing as weighing
from tweetclf.persistence import load, save
from tweetclf.preprocessing import TweetTokenizer

OPTIONS = [
    {"analyzer": "char", "ngram_range": (1, 5), "binary": True, "lowercase": False},
    {"analyzer": "char", "ngram_range": (2, 3), "sublinear_tf": True, "norm": "l1"},
    {"analyzer": "char", "ngram_range": (4, 6), "min_df": 2, "dtype": np.float32},
    {"analyzer": "char", "ngram_range": (1, 12), "max_features": 40},  # two words
    {"analyzer": "char", "ngram_range": (1, 40), "max_df": 0.5},  # by dictionary
    {"analyzer": "char_wb", "ngram_range": (1, 4), "max_features": 30},
    {"analyzer": "char_wb", "ngram_range": (5, 7), "norm": None, "use_idf": False},
    {"analyzer": "word", "ngram_range": (1, 2)},
    {"analyzer": "word", "ngram_range": (2, 3), "smooth_idf": False},
    {"ngram_range": (1, 3), "token_pattern": r"\S+", "stop_words": ["jaja", "no,"]},
    {"token_pattern": r"(?s).", "ngram_range": (1, 2)},  # tokens that are spaces
    {"token_pattern": r"\w*", "ngram_range": (1, 3)},  # empty tokens
    {"tokenizer": str.split, "token_pattern": None, "strip_accents": "unicode"},
    {
        "tokenizer": lambda text: text.split("a"),  # tokens with spaces
        "token_pattern": None,
        "ngram_range": (1, 2),
    },
    {"tokenizer": TweetTokenizer(), "token_pattern": None, "ngram_range": (1, 2)},
    {"tokenizer": list, "token_pattern": None, "max_df": 3, "min_df": 0.1},
    {"tokenizer": lambda text: map(len, text.split()), "token_pattern": None},
    {"analyzer": lambda text: text.split()},
    {"analyzer": lambda text: [len(word) for word in text.split()]},
    {"analyzer": "char", "preprocessor": lambda text: text[::-1]},
    {"analyzer": "char", "strip_accents": "ascii", "ngram_range": (3, 3)},
    {"analyzer": "char", "vocabulary": ["ja", "j", "é", "no such", "", "a"]},
    {"vocabulary": {"qué": 1, "jaja": 0, 3: 2}, "lowercase": False},
    {"vocabulary": {"qué risa": 0, "jaja": 1}, "ngram_range": (1, 2), "binary": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o)))
def test_equals_scikit_learn(mode, options):
    check(TEXTS, ["un día más", "zzz", "日本", ""], **options)


@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(), max_size=25), min_size=1, max_size=8),
    others=st.lists(st.text(st.characters(), max_size=25), max_size=3),
    mode=st.sampled_from(MODES),
    analyzer=st.sampled_from(["char", "char_wb", "word"]),
    token_pattern=st.sampled_from([r"(?u)\b\w\w+\b", r"\S+", r"\w*", r"(?s).."]),
    low=st.integers(1, 3),
    more=st.integers(0, 4),
    parameters=st.fixed_dictionaries(
        {
            "binary": st.booleans(),
            "sublinear_tf": st.booleans(),
            "lowercase": st.booleans(),
            "use_idf": st.booleans(),
            "smooth_idf": st.booleans(),
            "norm": st.sampled_from(["l1", "l2", None]),
            "min_df": st.sampled_from([1, 2, 0.3]),
            "max_df": st.sampled_from([1.0, 0.7, 2]),
            "max_features": st.sampled_from([None, 1, 5]),
            "dtype": st.sampled_from([np.float32, np.float64]),
            "strip_accents": st.sampled_from([None, "ascii", "unicode"]),
        }
    ),
)
def test_any_text_and_parameters(
    texts, others, mode, analyzer, token_pattern, low, more, parameters
):
    if analyzer == "word":
        parameters["token_pattern"] = token_pattern
    with pytest.MonkeyPatch.context() as patch:
        set_mode(patch, mode)
        check(
            texts,
            others,
            analyzer=analyzer,
            ngram_range=(low, low + more),
            **parameters,
        )


def _texts_of(path, n):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(n), strict=False)]
    return [row["text"] for row in rows if isinstance(row.get("text"), str)]


FILES = (
    "haha/train", "irosva/cu/train", "tweeteval/irony/train", "tweeteval/emoji/train",
    "semeval2018_task1_ar/e_c/train", "wrime/dev", "sentimix_spanglish/train",
)  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_equals_scikit_learn_on_tweets(shared_data, monkeypatch, name):
    path = shared_data / f"{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {name}")
    texts = _texts_of(path, 120)
    set_mode(monkeypatch, "kernels")
    monkeypatch.setenv("TWEETCLF_THREADS", "2")
    monkeypatch.setattr(_counting, "_CHUNK", 10_000)
    cases = (
        {"analyzer": "char", "ngram_range": (1, 5), "binary": True},
        {"analyzer": "char_wb", "ngram_range": (2, 4), "min_df": 2},
        {"ngram_range": (1, 2), "tokenizer": TweetTokenizer(), "token_pattern": None},
    )
    for options in cases:
        check(texts[::2], texts[1::2], **options)


@pytest.mark.slow
@pytest.mark.data
# scikit-learn's side alone takes longer than the suite's limit for one test.
@pytest.mark.timeout(1800)
def test_equals_scikit_learn_on_all_data(shared_data):
    paths = sorted(shared_data.rglob("*.jsonl.gz"))
    assert len(paths) > 100
    for path in paths:
        texts = _texts_of(path, 3000)
        if texts:
            options = {"analyzer": "char", "ngram_range": (1, 5), "binary": True}
            check(texts, **options, lowercase=False)
            check(texts, ngram_range=(1, 2))


def test_large_enough_for_threads_and_tables(monkeypatch):
    """Tables grow, chunks are cut by size, numbers need three bytes."""
    monkeypatch.setenv("TWEETCLF_THREADS", "2")
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz .!@#áéíóú😂")
    texts = ["".join(rng.choice(letters, 90)) for _ in range(900)]
    options = {"analyzer": "char", "ngram_range": (1, 5)}
    ours, theirs = NgramTfidfVectorizer(**options), TfidfVectorizer(**options)
    assert_same_matrix(ours.fit_transform(texts), theirs.fit_transform(texts))
    assert len(ours.vocabulary_) > 2**16
    assert_same_matrix(ours.transform(texts), theirs.transform(texts))
    assert ours.vocabulary_ == theirs.vocabulary_


def test_vocabulary_is_a_mapping():
    vectorizer = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(TEXTS)
    expected = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(TEXTS)
    found, plain = vectorizer.vocabulary_, expected.vocabulary_
    assert found == plain
    assert plain == found
    assert found != {**plain, "a": 10**6}
    assert found != {}
    assert found != 3
    assert list(found.items()) == list(plain.items())
    assert list(found.keys()) == list(plain.keys())
    assert list(found.values()) == list(plain.values())
    assert found["ja"] == plain["ja"]
    assert found.get("zzz") is None
    assert found.get("jaj", -1) == -1
    assert "" not in found
    assert 3 not in found
    assert "\U0010ffff" not in found
    assert repr(found) == f"NgramVocabulary(of {len(plain)} n-grams)"
    assert pickle.loads(pickle.dumps(found)) == plain
    other = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(TEXTS[::-1])
    assert other.vocabulary_ == found
    with pytest.raises(TypeError):
        hash(found)
    inverse = vectorizer.inverse_transform(vectorizer.transform(["ja"]))
    assert set(inverse[0]) == {"j", "a", "ja"}


def test_other_parameters_after_fit():
    """As in scikit-learn, what decides is what is set when transform is called."""
    ours, theirs = (c().fit(TEXTS) for c in (NgramTfidfVectorizer, TfidfVectorizer))
    for change in (
        {"analyzer": "char", "ngram_range": (2, 5)},
        {"analyzer": "word", "lowercase": False},
        {"norm": "l1"},
        {"ngram_range": (1, 3), "binary": True},
    ):
        ours.set_params(**change)
        theirs.set_params(**change)
        assert_same_matrix(ours.transform(TEXTS), theirs.transform(TEXTS))
    for value in (np.arange(len(ours.vocabulary_), dtype=np.float32) + 1,):
        ours.idf_ = theirs.idf_ = value
        assert_same_matrix(ours.transform(TEXTS), theirs.transform(TEXTS))


def test_other_types_are_left_to_scikit_learn():
    for dtype in (np.int64, np.int32):
        options = {"analyzer": "char", "dtype": dtype, "sublinear_tf": True}
        ours, theirs = NgramTfidfVectorizer(**options), TfidfVectorizer(**options)
        with pytest.warns(UserWarning, match="converted to np.float64"):
            assert_same_matrix(ours.fit_transform(TEXTS), theirs.fit_transform(TEXTS))
        assert_same_matrix(ours.transform(TEXTS), theirs.transform(TEXTS))
        counts = ours.count(TEXTS)
        with pytest.raises(DataError, match=f"dtype is {np.dtype(dtype)}"):
            ours.fit_transform_counts(counts)
        with pytest.raises(DataError, match=f"dtype is {np.dtype(dtype)}"):
            ours.partial_fit(TEXTS)


def test_dict_in_place_of_the_vocabulary():
    ours, theirs = (
        c(analyzer="char").fit(TEXTS) for c in (NgramTfidfVectorizer, TfidfVectorizer)
    )
    ours.vocabulary_ = dict(ours.vocabulary_)
    assert_same_matrix(ours.transform(TEXTS), theirs.transform(TEXTS))


def test_sparse_arrays_if_scikit_learn_is_set_so():
    with config_context(sparse_interface="sparray"):
        X = NgramTfidfVectorizer().fit_transform(TEXTS)
        assert_same_matrix(X, TfidfVectorizer().fit_transform(TEXTS))
    assert isinstance(X, sparse.csr_array)


def test_positions_of_64_bits(mode, monkeypatch):
    monkeypatch.setattr(weighing, "_MOST_SHORT", 10)
    X = NgramTfidfVectorizer().fit_transform(TEXTS)
    assert X.indices.dtype == X.indptr.dtype == np.int64
    expected = TfidfVectorizer().fit_transform(TEXTS)
    np.testing.assert_array_equal(X.toarray(), expected.toarray())


def test_norms_of_other_machines(mode, monkeypatch):
    monkeypatch.setattr(weighing, "_OWN_NORMS", False)
    check(TEXTS, analyzer="char", ngram_range=(1, 3))


def test_warnings_are_those_of_scikit_learn():
    for options, message in (
        ({"stop_words": ["Qué-día"]}, "inconsistent"),
        ({"tokenizer": str.split}, "token_pattern"),
        ({"vocabulary": ["A"]}, "Upper case"),
        ({"analyzer": "char", "stop_words": ["a"]}, "stop_words"),
    ):
        for cls in (NgramTfidfVectorizer, TfidfVectorizer):
            with pytest.warns(UserWarning, match=message):
                cls(**options).fit_transform(TEXTS)


@pytest.mark.parametrize(
    "options", [{"ngram_range": (2, 1)}, {"token_pattern": "(a)(b)"}, {"min_df": -1}]
)
def test_errors_are_those_of_scikit_learn(options):
    for method in ("fit", "fit_transform", "partial_fit"):
        with pytest.raises(ValueError, match=".") as ours:
            getattr(NgramTfidfVectorizer(**options), method)(TEXTS)
        with pytest.raises(ValueError, match=".") as theirs:
            TfidfVectorizer(**options).fit(TEXTS)
        name = "TfidfVectorizer"
        assert str(ours.value).replace("Ngram" + name, name) == str(theirs.value)


@pytest.mark.parametrize(
    "options",
    [
        {"analyzer": "char", "ngram_range": (1, 5)},
        {"analyzer": "char", "ngram_range": (1, 12), "min_df": 2},
        {"ngram_range": (1, 2), "token_pattern": r"\S+"},
        {"ngram_range": (1, 2), "tokenizer": TweetTokenizer(), "token_pattern": None},
        {"analyzer": "char", "vocabulary": ["j", "a"]},
    ],
)
def test_saved_and_loaded(tmp_path, options):
    vectorizer = NgramTfidfVectorizer(**options).fit(TEXTS)
    again = load(save(vectorizer, tmp_path / "model"))
    assert type(again.vocabulary_) is type(vectorizer.vocabulary_)
    assert again.vocabulary_ == vectorizer.vocabulary_
    assert_same_matrix(again.transform(TEXTS), vectorizer.transform(TEXTS))
