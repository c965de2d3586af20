"""SIFVectorizer against loops over tweets in double precision."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from features_oracles import sif
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline

from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer, SIFVectorizer, WordVectors

WORDS = ["hola", "chau", "que", "risa", "dia", "de", "la", "noche", "\n"]
TRAIN = [
    "hola que risa que dia",
    "chau de la noche noche",
    "que noche de risa xx",
    "zz",
    "",
]
TEST = ["hola hola nueva noche", "que", "zz xx", "", "de la risa que la noche dia"]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    matrix = rng.normal(scale=0.3, size=(len(WORDS), 6)).astype(np.float32)
    return WordVectors(WORDS, matrix)


def lookup(vectors):
    known = {word: vectors[word] for word in vectors.words}
    zero = np.zeros(vectors.dim)
    return lambda word: known.get(word, zero)


def split(texts, newline=False):
    return [text.split() + (["\n"] if newline else []) for text in texts]


@pytest.mark.parametrize("divide_by", ["nonzero", "tokens", "weights"])
@pytest.mark.parametrize("a", [1e-3, 0.1, 1.0])
def test_token_probabilities(vectors, a, divide_by):
    counts = Counter(token for tokens in split(TRAIN) for token in tokens)
    total = sum(counts.values())
    p = {token: count / total for token, count in counts.items()}
    ours = SIFVectorizer(vectors, tokenizer=str.split, a=a, divide_by=divide_by)
    ours.fit(TRAIN)
    expected = sif(split(TEST), p, lookup(vectors), a, divide_by)
    np.testing.assert_allclose(ours.transform(TEST), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("a", [0.1, 1.0])
def test_atalaya(vectors, a):
    """Counts over the number of tweets, a newline token, division by all tokens."""
    counts = Counter(token for tokens in split(TRAIN, newline=True) for token in tokens)
    p = {token: count / len(TRAIN) for token, count in counts.items()}
    assert p["\n"] == 1
    ours = SIFVectorizer(
        vectors,
        tokenizer=str.split,
        a=a,
        per="text",
        divide_by="tokens",
        newline_token=True,
    ).fit(TRAIN)
    expected = sif(split(TEST, newline=True), p, lookup(vectors), a, "tokens")
    np.testing.assert_allclose(ours.transform(TEST), expected, rtol=0, atol=1e-7)
    assert ours.transform([""])[0].any(), "an empty tweet still has its newline"


def test_a_word_twice_in_one_of_two_texts_counts_twice(vectors):
    """Occurrences a text, no document frequency: p may exceed 1."""
    texts = ["hola hola hola", "de la"]
    options = {"tokenizer": str.split, "a": 0.5}
    for per, p in (("text", 3 / 2), ("token", 3 / 5)):
        ours = SIFVectorizer(vectors, per=per, **options).fit(texts)
        assert ours.probabilities_[ours.vocabulary_["hola"]] == p
        expected = 0.5 / (0.5 + p) * vectors["hola"]
        np.testing.assert_allclose(ours.transform(["hola"])[0], expected, rtol=1e-6)
    with pytest.raises(ValueError, match="'per' parameter"):
        SIFVectorizer(vectors, per="document").fit(texts)


@pytest.mark.parametrize(
    ("variant", "settings"),
    [
        ("paper", {"a": 0.1, "per": "token", "newline_token": False}),
        ("code", {"a": 1.0, "per": "text", "newline_token": True}),
    ],
)
def test_published_settings_of_atalaya_are_those_of_the_recipe(variant, settings):
    from tweetclf.estimators import atalaya_svm

    sif = atalaya_svm(variant=variant).get_params()["features__emb"]
    assert {name: getattr(sif, name) for name in settings} == settings
    assert sif.divide_by == "tokens"
    changed = {"divide_by": "tokens"} | {
        name: value
        for name, value in settings.items()
        if value != SIFVectorizer().get_params()[name]
    }
    notes = " ".join(SIFVectorizer.__doc__.split())
    guide = Path(__file__).parents[2] / "docs" / "features.md"
    order = ("a", "per", "divide_by", "newline_token")
    written = ", ".join(
        f"{name}={changed[name]!r}".replace("'", '"')
        for name in order
        if name in changed
    )
    assert f"``{written}`` (Atalaya's {variant})" in notes
    assert f"| Atalaya, {variant} | `{written}` |" in guide.read_text("utf-8")


def test_plain_mean(vectors):
    ours = SIFVectorizer(vectors, tokenizer=str.split, weighting="mean").fit(TRAIN)
    expected = np.mean([vectors["de"], vectors["la"], vectors["la"]], axis=0)
    np.testing.assert_allclose(ours.transform(["de la la xx"])[0], expected, atol=1e-7)
    assert ours.vocabulary_ == {}


def test_fasttext_sentence_vectors_equal_gensim(tmp_path):
    fasttext = pytest.importorskip("gensim.models.fasttext")
    corpus = split(TRAIN[:3] + TEST[:1])
    model = fasttext.FastText(
        corpus, vector_size=10, min_count=1, bucket=200, workers=1, seed=1
    )
    path = tmp_path / "model.bin"
    fasttext.save_facebook_model(model, str(path))
    ours = SIFVectorizer(
        path, tokenizer=str.split, weighting="mean", normalize_words=True
    ).fit(TRAIN)
    theirs = fasttext.load_facebook_vectors(str(path))
    texts = ["hola noche inventada", "risa"]
    expected = [theirs.get_sentence_vector(text.split()) for text in texts]
    np.testing.assert_allclose(ours.transform(texts), expected, rtol=0, atol=1e-6)


def test_component_equals_truncated_svd_and_numpy():
    rng = np.random.default_rng(2)
    words = [f"w{k}" for k in range(40)]
    vectors = WordVectors(words, rng.normal(0.1, 0.3, (40, 8)).astype(np.float32))
    texts = [" ".join(rng.choice(words, 9)) for _ in range(60)]
    options = {"tokenizer": str.split, "a": 0.1}
    plain = SIFVectorizer(vectors, **options).fit_transform(texts)
    ours = SIFVectorizer(vectors, **options, remove_component=True)
    removed = ours.fit_transform(texts)
    oracle = TruncatedSVD(1, n_iter=7, random_state=0).fit(plain.astype(np.float64))
    direct = np.linalg.svd(plain.astype(np.float64), full_matrices=False)[2][:1]
    for component in (oracle.components_, direct):
        expected = plain - plain @ component.T @ component
        np.testing.assert_allclose(removed, expected, rtol=0, atol=1e-5)
        assert abs(component[0] @ ours.component_) == pytest.approx(1, abs=1e-6)
    assert removed.dtype == np.float32
    assert not np.allclose(plain, removed, atol=1e-2)


def test_the_component_is_that_of_the_training_texts(vectors):
    options = {"tokenizer": str.split, "remove_component": True}
    ours = SIFVectorizer(vectors, **options).fit(TRAIN)
    plain = SIFVectorizer(vectors, tokenizer=str.split).fit(TRAIN).transform(TEST)
    v = np.linalg.svd(
        SIFVectorizer(vectors, tokenizer=str.split).fit_transform(TRAIN).astype(float)
    )[2][0]
    np.testing.assert_allclose(
        ours.transform(TEST), plain - np.outer(plain @ v, v), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("remove_component", [False, True])
@pytest.mark.parametrize("normalize_words", [False, True])
def test_rows_do_not_depend_on_their_neighbours(
    vectors, remove_component, normalize_words
):
    ours = SIFVectorizer(
        vectors,
        tokenizer=str.split,
        remove_component=remove_component,
        normalize_words=normalize_words,
    )
    fitted = ours.fit_transform(TRAIN)
    np.testing.assert_array_equal(fitted, ours.transform(TRAIN))
    together = ours.transform(TEST)
    for row, text in enumerate(TEST):
        np.testing.assert_array_equal(ours.transform([text])[0], together[row])
    np.testing.assert_array_equal(ours.transform(TEST[::-1])[::-1], together)


@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(st.text(max_size=40), min_size=1, max_size=6),
    weighting=st.sampled_from(["sif", "mean"]),
    divide_by=st.sampled_from(["nonzero", "tokens", "weights"]),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_any_text_has_a_finite_vector(texts, weighting, divide_by, switches):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(2 + 50, 4)).astype(np.float32)
    vectors = WordVectors(["a", "b"], matrix, minn=2, maxn=4, bucket=50)
    ours = SIFVectorizer(
        vectors,
        tokenizer=str.split,
        weighting=weighting,
        divide_by=divide_by,
        normalize_words=switches[0],
        newline_token=switches[1],
        remove_component=switches[2],
    )
    X = ours.fit_transform(texts)
    assert X.shape == (len(texts), 4)
    assert X.dtype == np.float32
    assert np.isfinite(X).all()
    assert np.abs(X).max() < 100


# Where vectors come from


def test_training_on_the_texts_and_an_extra_corpus(tmp_path):
    pytest.importorskip("gensim")
    path = tmp_path / "extra.txt"
    path.write_text("madrugada larga\nmadrugada corta\n\n", encoding="utf-8")
    options = {"tokenizer": str.split, "dim": 5, "epochs": 1, "random_state": 0}
    alone = SIFVectorizer(**options).fit(TRAIN)
    assert set(alone.word_vectors_.words) == set(" ".join(TRAIN).split())
    more = SIFVectorizer(**options, extra_corpus=["madrugada larga"]).fit(TRAIN)
    assert "madrugada" in more.word_vectors_.words
    from_file = SIFVectorizer(**options, extra_corpus=path).fit(TRAIN)
    assert "corta" in from_file.word_vectors_.words
    assert "madrugada" not in from_file.vocabulary_, "it tells nothing about p"
    again = SIFVectorizer(**options).fit_transform(TRAIN)
    np.testing.assert_array_equal(alone.transform(TRAIN), again)
    assert not np.array_equal(
        again, SIFVectorizer(**{**options, "random_state": 1}).fit_transform(TRAIN)
    )
    upper = SIFVectorizer(**options, training_tokenizer=lambda t: t.upper().split())
    assert "HOLA" in upper.fit(TRAIN).word_vectors_.words


def test_a_file_is_read_once_until_it_changes(tmp_path):
    path = tmp_path / "a.vec"
    path.write_text("1 2\nhola 1 2\n")
    ours = SIFVectorizer(str(path), tokenizer=str.split)
    first = ours.fit(TRAIN).word_vectors_
    assert clone(ours).fit(TEST).word_vectors_ is first
    path.write_text("1 2\nhola 30 40\n")
    assert ours.fit(TRAIN).word_vectors_["hola"].tolist() == [30, 40]
    with pytest.raises(FileNotFoundError):
        SIFVectorizer(tmp_path / "none.vec").fit(TRAIN)


def test_default_tokenizer(vectors):
    X = SIFVectorizer(vectors).fit_transform(["hola, noche"])
    assert X.any()


# The estimator


def test_works_in_pipelines_searches_and_pickles(vectors):
    labels = np.array([0, 1, 0, 1, 1])
    union = FeatureUnion(
        [
            ("bow", NgramTfidfVectorizer()),
            ("emb", SIFVectorizer(vectors, tokenizer=str.split)),
        ]
    )
    pipeline = make_pipeline(union, LogisticRegression())
    grid = {"featureunion__emb__a": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(TRAIN, labels)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(
        again.predict_proba(TEST), search.best_estimator_.predict_proba(TEST)
    )
    names = search.best_estimator_[0].get_feature_names_out()
    assert names[-1] == "emb__sifvectorizer5"


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_set_output(vectors, frame):
    ours = SIFVectorizer(vectors, tokenizer=str.split).set_output(transform=frame)
    table = ours.fit_transform(TRAIN)
    assert isinstance(table, {"pandas": pd.DataFrame, "polars": pl.DataFrame}[frame])
    assert list(table.columns) == list(ours.get_feature_names_out())
    plain = clone(ours).set_output(transform="default").fit(TRAIN)
    np.testing.assert_array_equal(table.to_numpy(), plain.transform(TRAIN))


@pytest.mark.parametrize("kind", [str, Path])
def test_missing_files_are_named_with_a_remedy(tmp_path, kind):
    path = kind(tmp_path / "no.vec")
    for read, parameter in (
        (lambda: WordVectors.read(path), "path of WordVectors.read"),
        (
            lambda: SIFVectorizer(path).fit(["hola"]),
            r"word_vectors of SIFVectorizer \(vectors of a recipe\)",
        ),
    ):
        with pytest.raises(DataError, match=parameter) as error:
            read()
        assert isinstance(error.value, FileNotFoundError)
        assert "no.vec'" in str(error.value)
        assert "fasttext.cc" in str(error.value)
        assert "WordVectors.train" in str(error.value)
    with pytest.raises(DataError, match=r"extra_corpus.*no\.vec'.*as a list") as error:
        SIFVectorizer(extra_corpus=path).fit(["hola"])
    assert isinstance(error.value, FileNotFoundError)
    with pytest.raises(DataError, match="no file of word vectors"):
        WordVectors.read(tmp_path)


def test_errors(vectors):
    with pytest.raises(DataError, match=r"texts\[1\] is None"):
        SIFVectorizer(vectors).fit(["a", None])
    with pytest.raises(DataError, match="got 0 texts"):
        SIFVectorizer(vectors).fit([])
    with pytest.raises(ValueError, match="'a' parameter"):
        SIFVectorizer(vectors, a=0).fit(TRAIN)
    with pytest.raises(ValueError, match="'weighting' parameter"):
        SIFVectorizer(vectors, weighting="idf").fit(TRAIN)
    with pytest.raises(NotFittedError):
        SIFVectorizer(vectors).transform(TRAIN)
    fitted = SIFVectorizer(vectors, tokenizer=str.split).fit(TRAIN)
    with pytest.raises(DataError, match="got 0 texts"):
        fitted.transform([])
