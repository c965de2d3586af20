"""The published recipes against their parts put together by hand."""

from __future__ import annotations

import gzip
import inspect
import json
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

import tweetclf.estimators as room
from tweetclf.estimators import (
    OneVsRestLogisticRegression,
    atalaya_lr,
    atalaya_svm,
    char_svm,
    haha_nbsvm,
    majority,
    mean,
    nbsvm,
    stratified,
    tfidf_lr,
    tfidf_ridge,
)
from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.features import PairFeatures, WordVectors
from tweetclf.testing._data import make_corpus

TEXTS, LABELS = make_corpus(2)
CLASSIFIERS = [
    "atalaya_lr", "atalaya_svm", "char_svm", "haha_nbsvm", "majority", "nbsvm",
    "stratified", "tfidf_lr",
]  # fmt: skip
FACTORIES = [*CLASSIFIERS, "mean", "tfidf_ridge"]
# Punctuation of systems.md: ASCII's and what the notebook adds.
HAHA_SIGNS = r"""([!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~“”¨«»®´·º½¾¿¡§£₤‘’])"""


# --- HAHA ---------------------------------------------------------------------------
def haha_oracle(texts, labels, new):
    """Section 4.5 in a few lines; the last three are what the notebook computes."""
    tfidf = TfidfVectorizer(
        tokenizer=lambda text: re.sub(HAHA_SIGNS, r" \1 ", text).split(),
        token_pattern=None, ngram_range=(1, 2), min_df=3, max_df=0.9,
        strip_accents="unicode", sublinear_tf=True,
    )  # fmt: skip
    X, positive = tfidf.fit_transform(texts), np.asarray(labels) == 1
    p = np.asarray(X[positive].sum(0)).ravel() + 1
    q = np.asarray(X[~positive].sum(0)).ravel() + 1
    r = np.log((p / (positive.sum() + 1)) / (q / ((~positive).sum() + 1)))
    learner = LogisticRegression(C=4, dual=True, solver="liblinear", random_state=0)
    learner.set_params(max_iter=10_000).fit(X.multiply(r).tocsr(), positive)
    scores = learner.predict_proba(tfidf.transform(new).multiply(r).tocsr())[:, 1]
    return tfidf, r, scores


def test_haha_nbsvm_equals_the_notebook():
    labels = [int(label == "bien") for label in LABELS]
    new = [*TEXTS[::3], "¿¡qué risa!?", "nada de nada", "«genial» 100% real…"]
    tfidf, r, scores = haha_oracle(TEXTS, labels, new)
    clf = haha_nbsvm().fit(TEXTS, labels)
    assert_array_equal(clf[0].get_feature_names_out(), tfidf.get_feature_names_out())
    assert_allclose(clf[-1].log_count_ratio_[0], r, atol=1e-8)
    assert_allclose(clf.predict_proba(new)[:, 1], scores, atol=1e-8)
    assert_array_equal(clf.predict(new), (scores > 0.5).astype(int))


def test_haha_nbsvm_on_a_tiny_corpus_says_that_min_df_is_3():
    message = r"no n-gram is left with min_df=3 and max_df=0.9 on 2 texts"
    with pytest.raises(DataError, match=message):
        haha_nbsvm().fit(["qué risa", "qué pena"], [1, 0])
    assert haha_nbsvm(min_df=1).fit(["qué risa", "ay pena"], [1, 0])


# --- Atalaya ------------------------------------------------------------------------
def test_atalaya_steps_and_blocks():
    clf = atalaya_svm()
    assert list(clf.named_steps) == ["features", "svm"]
    assert isinstance(clf["features"], FeatureUnion)
    assert [name for name, _ in clf["features"].transformer_list] == [
        "bow",
        "boc",
        "emb",
    ]
    svm = clf["svm"]
    assert isinstance(svm, LinearSVC)
    assert (svm.C, svm.class_weight, svm.random_state) == (0.1, "balanced", 0)
    assert (svm.loss, svm.penalty) == ("squared_hinge", "l2")
    lr = atalaya_lr()["lr"]
    assert isinstance(lr, OneVsRestLogisticRegression)
    assert (lr.C, lr.class_weight, lr.random_state) == (1.0, "balanced", 0)
    assert {"svm__C", "features__bow__ngram_range"} <= clf.get_params().keys()
    assert "lr__C" in atalaya_lr().get_params()


def test_boc_is_that_of_the_226156_features():
    boc = dict(atalaya_svm()["features"].transformer_list)["boc"]
    oracle = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 5), binary=True, lowercase=True
    )
    ours = {name: getattr(boc, name) for name in oracle.get_params()}
    assert ours == oracle.get_params()
    assert_array_equal(
        boc.fit(TEXTS).get_feature_names_out(),
        oracle.fit(TEXTS).get_feature_names_out(),
    )


@pytest.mark.data
def test_boc_of_hateval_es_has_226156_features(shared_data):
    path = shared_data / "hateval_es" / "train.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"HatEval in Spanish is not at {path}; it is not redistributable")
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    texts = [json.loads(line)["text"] for line in lines if line]
    boc = dict(atalaya_svm()["features"].transformer_list)["boc"]
    assert len(boc.fit(texts).vocabulary_) == 226_156


def test_boc_lowercase_is_a_switch():
    boc = dict(atalaya_svm(boc_lowercase=False)["features"].transformer_list)["boc"]
    assert "A" in boc.fit(["Aa"]).vocabulary_


def test_bow_is_binary_tfidf_of_sentiment_tokens():
    bow = dict(atalaya_svm()["features"].transformer_list)["bow"]
    assert (bow.ngram_range, bow.binary, bow.use_idf, bow.norm) == (
        (1, 2), True, True, "l2",
    )  # fmt: skip
    assert bow.tokenizer.profile.startswith("atalaya-sentiment@")
    names = bow.fit(["No me gusta nada, 😂 @ana", "me gustan"]).vocabulary_
    assert any(name.startswith("NOT_") for name in names)
    assert any(" " in name for name in names)


@pytest.mark.parametrize(
    ("without", "left"),
    [
        ("bow", ["boc", "emb"]),
        ("boc", ["bow", "emb"]),
        ("emb", ["bow", "boc"]),
        (("bow", "boc"), ["emb"]),
        (["emb", "bow"], ["boc"]),
        ((), ["bow", "boc", "emb"]),
    ],
)
@pytest.mark.parametrize("make", [atalaya_svm, atalaya_lr])
def test_ablations(make, without, left):
    union = make(without=without)["features"]
    assert [name for name, _ in union.transformer_list] == left


def test_bad_switches_are_refused():
    with pytest.raises(ValueError, match="'without' parameter must name parts"):
        atalaya_svm(without="elmo")
    with pytest.raises(ValueError, match="leaves no features"):
        atalaya_svm(without=("bow", "boc", "emb"))
    with pytest.raises(ValueError, match="'variant' parameter must be"):
        atalaya_lr(variant="notebook")


def embedding(**options):
    union = atalaya_svm(without=("bow", "boc"), **options)["features"]
    return dict(union.transformer_list)["emb"]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    words = sorted({word for text in TEXTS for word in text.lower().split()})
    matrix = rng.normal(size=(len(words), 4)).astype(np.float32)
    return WordVectors(words, matrix)


@pytest.mark.parametrize(("variant", "a"), [("paper", 0.1), ("code", 1.0)])
def test_embedding_equals_ten_lines_of_numpy(vectors, variant, a):
    sif = embedding(vectors=vectors, variant=variant)
    embedded = sif.fit_transform(TEXTS)
    documents = [list(sif.tokenizer(text)) for text in TEXTS]
    if variant == "code":
        documents = [[*tokens, "\n"] for tokens in documents]
    counts: dict[str, int] = {}
    for tokens in documents:
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
    n = len(TEXTS) if variant == "code" else sum(counts.values())
    for row, tokens in zip(embedded, documents, strict=True):
        total = sum(
            a / (a + counts[t] / n) * vectors.vectors([t])[0].astype(float)
            for t in tokens
        )
        assert_allclose(row, total / len(tokens), atol=1e-6)
    assert sif.dim == 50
    assert not sif.remove_component


def test_tokens_for_vectors_differ_between_paper_and_code():
    paper, code = embedding(variant="paper"), embedding(variant="code")
    text = "no me gusta el partido"
    assert any(token.startswith("NOT_") for token in paper.tokenizer(text))
    tokens = code.tokenizer(text)
    assert "no" not in tokens
    assert not any(token.startswith("NOT_") for token in tokens)
    assert paper.training_tokenizer(text) == code.training_tokenizer(text)


def test_extra_corpus_and_vectors_change_the_embedding(vectors, tmp_path):
    parts = ("bow", "boc")
    plain = atalaya_svm(without=parts).fit(TEXTS, LABELS)
    extra = ["otro corpus enorme de genial y pésimo"] * 20
    more = atalaya_svm(without=parts, extra_corpus=extra).fit(TEXTS, LABELS)
    assert not np.allclose(
        plain["features"].transform(TEXTS), more["features"].transform(TEXTS)
    )
    path = tmp_path / "vectors.safetensors"
    vectors.save(path)
    from_path, given = (
        atalaya_svm(without=parts, vectors=v).fit(TEXTS, LABELS)["features"]
        for v in (path, vectors)
    )
    assert_array_equal(from_path.transform(TEXTS), given.transform(TEXTS))
    assert given.transform(TEXTS).shape == (len(TEXTS), 4)


def test_english_has_no_negation():
    bow = dict(atalaya_svm(language="en")["features"].transformer_list)["bow"]
    tokens = bow.tokenizer("i do not like running games")
    assert not any(token.startswith("NOT_") for token in tokens)
    assert "like" in tokens


def test_blocks_are_side_by_side_and_not_rescaled(vectors):
    clf = atalaya_svm(vectors=vectors).fit(TEXTS, LABELS)
    blocks = [
        block.fit_transform(TEXTS)
        for _, block in clone(clf["features"]).transformer_list
    ]
    widths = [block.shape[1] for block in blocks]
    joined = clf["features"].transform(TEXTS).toarray()
    assert joined.shape[1] == sum(widths)
    first = widths[0]
    assert_allclose(joined[:, :first], blocks[0].toarray(), atol=1e-12)
    assert_allclose(joined[:, -4:], blocks[2], atol=1e-7)
    names = clf["features"].get_feature_names_out()
    assert names[0].startswith("bow__")
    assert names[first].startswith("boc__")
    assert names[-1].startswith("emb__")


# --- all factories ------------------------------------------------------------------
def make(name, **options):
    if name.startswith("atalaya"):
        options |= {"without": "emb"}
    if name == "haha_nbsvm":
        options |= {"min_df": 1}
    return getattr(room, name)(**options)


@pytest.mark.parametrize("name", FACTORIES)
def test_factories_return_plain_pipelines(name):
    factory = getattr(room, name)
    assert type(factory()) is Pipeline
    parameters = inspect.signature(factory).parameters.values()
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters)
    assert len(parameters) <= 20
    assert factory() is not factory()


@pytest.mark.parametrize("name", FACTORIES)
def test_factories_are_seeded_where_there_is_chance(name):
    seeds = [
        value
        for key, value in getattr(room, name)().get_params(deep=True).items()
        if key.rpartition("__")[2] == "random_state"
        and key.partition("__")[0] not in {"ridge", "dummy"}
    ]
    assert seeds == [0] * len(seeds)
    assert stratified()["dummy"].random_state == 0


@pytest.mark.parametrize("name", FACTORIES)
def test_pairs(name):
    pairs = list(zip(TEXTS[::-1], TEXTS, strict=True))
    y = LABELS if name in CLASSIFIERS else [float(t == "bien") for t in LABELS]
    predicted = make(name, pairs=True).fit(pairs, y).predict(pairs[:5])
    assert predicted.shape == (5,)
    with pytest.raises(DataError, match="pairs"):
        make(name, pairs=True).fit(TEXTS, y)


def test_pairs_see_both_sides():
    pairs = [("si", "va"), ("si", "viene"), ("no", "va"), ("no", "viene")] * 2
    for side, labels in enumerate([["s", "s", "n", "n"], ["a", "b", "a", "b"]]):
        clf = tfidf_lr(pairs=True, C=100.0).fit(pairs, labels * 2)
        assert clf.predict(pairs).tolist() == labels * 2, side
    assert isinstance(tfidf_lr(pairs=True)["tfidf"], PairFeatures)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_multilabel(name):
    y = np.array([[label == "bien", "che" in text] for text, label in zip(
        TEXTS, LABELS, strict=True)], dtype=np.int8)  # fmt: skip
    clf = make(name, multilabel=True).fit(TEXTS, y)
    predicted = clf.predict(TEXTS)
    assert predicted.shape == y.shape
    assert set(np.unique(predicted)) <= {0, 1}
    if name not in {"majority", "stratified"}:
        assert isinstance(clf[-1], OneVsRestClassifier)
        assert (predicted == y).mean() > 0.9


def test_baselines_are_what_they_say():
    assert tfidf_lr()["lr"].C == 1.0
    assert char_svm()["tfidf"].analyzer == "char_wb"
    assert tfidf_ridge(alpha=2.0)["ridge"].alpha == 2.0
    assert (nbsvm()["nbsvm"].beta, nbsvm()["nbsvm"].alpha) == (0.25, 1.0)
    assert majority().fit(TEXTS, ["a"] * 20 + ["b"] * 12).predict(["x"]) == ["a"]
    assert mean().fit(["a", "b"], [1, 2]).predict(["x"]) == [1.5]
    for factory in (tfidf_lr, char_svm, nbsvm):
        oracle = factory(C=0.3, min_df=2, ngram_range=(1, 1), class_weight="balanced")
        assert oracle[0].get_params()["min_df"] == 2
        assert oracle[-1].C == 0.3
        assert oracle[-1].class_weight == "balanced"


def test_importing_the_room_loads_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, tweetclf.estimators;"
        "print(sorted({'torch', 'transformers', 'gensim', 'matplotlib', 'sklearn',"
        " 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("recipe", [atalaya_svm, atalaya_lr])
def test_atalaya_refuses_a_language_without_word_lists(recipe):
    for without in ((), "emb", "bow", ("boc", "emb")):
        with pytest.raises(UnknownNameError, match="'es' and 'en', not for 'ja'") as e:
            recipe(language="ja", without=without)
        assert 'without=("bow", "emb")' in str(e.value)
        assert "char_svm()" in str(e.value)
    texts = ["とても楽しい", "とても悲しい"] * 3
    chars = recipe(language="ja", without=("bow", "emb")).fit(texts, ["P", "N"] * 3)
    assert chars.predict(["楽しい"]).tolist() == ["P"]


# --- frozen transformer ---------------------------------------------------------------
def test_frozen_lr_is_vectors_standardised_and_logistic_regression(tmp_path):
    pytest.importorskip("transformers")
    from sklearn.preprocessing import StandardScaler

    from tweetclf.estimators import frozen_lr
    from tweetclf.features import TransformerVectorizer
    from tweetclf.testing import make_tiny_transformer

    path = make_tiny_transformer(tmp_path, TEXTS)
    found = frozen_lr(path, C=0.1).fit(TEXTS, LABELS)
    vectors = TransformerVectorizer(path, pooling="combined").fit_transform(TEXTS)
    scaled = StandardScaler().fit_transform(vectors)
    oracle = LogisticRegression(C=0.1, max_iter=2000, random_state=0)
    oracle.fit(scaled, LABELS)
    assert_allclose(found.predict_proba(TEXTS), oracle.predict_proba(scaled), atol=1e-6)
