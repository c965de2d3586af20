from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA

torch = pytest.importorskip("torch")

from tweetclf.estimators import (  # noqa: E402
    BiLSTMClassifier,
    BiLSTMRegressor,
    atalaya_lstm_elmo,
    atalaya_lstm_elmo_bow,
    atalaya_svm,
    bilstm,
)
from tweetclf.exceptions import (  # noqa: E402
    DataError,
    ModelFormatError,
    UnknownNameError,
)
from tweetclf.features import (  # noqa: E402
    ElmoVectorizer,
    ElmoWeights,
    NgramTfidfVectorizer,
    WordVectors,
)
from tweetclf.leaderboard import get_system  # noqa: E402
from tweetclf.persistence import load, save  # noqa: E402
from tweetclf.testing._data import make_corpus, make_pairs  # noqa: E402

SMALL = {
    "hidden_size": 8,
    "dense_size": 8,
    "dropout": 0.0,
    "batch_size": 16,
    "max_iter": 4,
    "learning_rate": 0.02,
    "random_state": 0,
}
TEXTS, LABELS = make_corpus(2)
SMALL_ELMO = ElmoWeights.random(
    char_dim=4, filters=[(1, 4), (2, 4)], projection_dim=3, cell_dim=5
)


@pytest.fixture(scope="module")
def vectors():
    words = sorted({word for text in TEXTS for word in text.split()})
    matrix = np.random.default_rng(0).normal(size=(len(words), 6))
    return WordVectors(words, matrix)


# What the network is given


def _batch(estimator, rows):
    return estimator._inputs(rows).collate(np.arange(len(rows)))


def test_learnt_words_are_numbered_and_single_ones_are_unknown():
    clf = BiLSTMClassifier(tokenizer=str.split, embeddings=7, **SMALL)
    clf.fit(["a b b", "c a d", "a", "b"], [0, 1, 0, 1])
    assert clf.vocabulary_ == {"a": 2, "b": 3}
    batch = _batch(clf, ["b zzz a", "a"])
    assert batch["words"].tolist() == [[3, 1, 2], [2, 0, 0]]
    assert batch["lengths"].tolist() == [3, 1]
    assert clf.module_.embedding.weight.shape == (4, 7)
    assert BiLSTMClassifier(**SMALL).fit(TEXTS, LABELS).input_size_ == 100


def test_given_vectors_are_looked_up_and_not_changed(vectors):
    clf = BiLSTMClassifier(embeddings=vectors, tokenizer=str.split, **SMALL)
    clf.fit(TEXTS, LABELS)
    assert clf.word_vectors_ is vectors
    batch = _batch(clf, ["genial xyzzy hoy", ""])
    expected = np.zeros((2, 3, 6), dtype=np.float32)
    expected[0, 0], expected[0, 2] = vectors["genial"], vectors["hoy"]
    np.testing.assert_array_equal(batch["words"].numpy(), expected)
    assert batch["lengths"].tolist() == [3, 0]


def test_vectors_of_a_file_are_read(vectors, tmp_path):
    vectors.save(tmp_path / "vectors")
    options = {**SMALL, "max_iter": 1, "tokenizer": str.split}
    of_file = BiLSTMClassifier(embeddings=tmp_path / "vectors", **options)
    given = BiLSTMClassifier(embeddings=vectors, **options)
    a, b = (clf.fit(TEXTS, LABELS).predict_proba(TEXTS) for clf in (of_file, given))
    assert (a == b).all()
    with pytest.raises(DataError, match="embeddings of BiLSTMClassifier: there is no"):
        BiLSTMClassifier(embeddings="no-such-file").fit(TEXTS, LABELS)


def test_trained_vectors_are_scaled():
    pytest.importorskip("gensim")
    clf = BiLSTMClassifier(embeddings=None, tokenizer=str.split, **SMALL)
    clf.fit(TEXTS, LABELS)
    words = [word for text in TEXTS for word in text.split()]
    squares = clf.word_vectors_.vectors(words).astype(float) ** 2
    assert squares.mean() == pytest.approx(1.0, rel=1e-5)
    plain = WordVectors.train(sorted(TEXTS), tokenizer=str.split, dim=100, seed=0)
    ratio = clf.word_vectors_["genial"] / plain["genial"]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_elmo_gives_the_vectors_of_the_tokens():
    elmo = ElmoVectorizer(SMALL_ELMO, tokenizer=str.split)
    clf = BiLSTMClassifier(embeddings=elmo, **SMALL).fit(TEXTS, LABELS)
    assert clf.input_size_ == 6
    batch = _batch(clf, ["qué risa jajaja", "hoy"])
    fitted = clone(elmo).fit(TEXTS)
    layers = fitted.embed_tokens([["qué", "risa", "jajaja"], ["hoy"]])
    for row, of_text in zip(batch["words"].numpy(), layers, strict=True):
        expected = of_text.mean(axis=1)
        np.testing.assert_allclose(row[: len(of_text)], expected, atol=1e-6)
        assert not row[len(of_text) :].any()
    assert not hasattr(elmo, "weights_")  # the parameter is not fitted


def test_texts_are_cut():
    clf = BiLSTMClassifier(max_length=3, tokenizer=str.split, **SMALL)
    clf.fit(TEXTS, LABELS)
    assert _batch(clf, ["a b c d e"])["lengths"].tolist() == [3]
    a, b = clf.predict_proba(["hoy genial este partido", "hoy genial este horror"])
    assert (a == b).all()


def test_without_a_mask_empty_words_are_read(vectors):
    options = {**SMALL, "tokenizer": str.split, "max_length": 9}
    clf = BiLSTMClassifier(embeddings=5, mask=False, **options).fit(TEXTS, LABELS)
    batch = _batch(clf, ["hoy genial"])
    assert batch["words"].shape == (1, 9)
    assert batch["lengths"].tolist() == [9]
    assert batch["words"][0, 2:].tolist() == [0] * 7
    elmo = ElmoVectorizer(SMALL_ELMO, tokenizer=str.split)
    clf = BiLSTMClassifier(embeddings=elmo, mask=False, **options).fit(TEXTS, LABELS)
    found = _batch(clf, ["hoy genial"])["words"][0].numpy()
    padded = clone(elmo).fit(TEXTS).embed_tokens([["hoy", "genial", *[""] * 7]])[0]
    np.testing.assert_allclose(found, padded.mean(axis=1), atol=1e-6)
    assert found[5].any()


def test_predictions_do_not_depend_on_the_neighbours():
    clf = BiLSTMClassifier(**SMALL).fit(TEXTS, LABELS)
    alone = clf.predict_proba(["qué risa"])
    beside = clf.predict_proba(["qué risa", " ".join(TEXTS[:6])])
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-6)


def test_the_bag_stands_beside_the_words():
    bag = NgramTfidfVectorizer(use_idf=False, norm=None, binary=True, min_df=2)
    options = {**SMALL, "dense_size": (8, 12)}
    clf = BiLSTMClassifier(bag_of_words=bag, **options).fit(TEXTS, LABELS)
    assert clf.n_terms_ == len(clf.bag_of_words_.vocabulary_)
    assert clf.module_.bag[0].weight.shape == (12, clf.n_terms_)
    batch = _batch(clf, TEXTS[:3])
    expected = clone(bag).fit(TEXTS).transform(TEXTS[:3]).toarray()
    np.testing.assert_array_equal(batch["bag"].numpy(), expected)
    assert not hasattr(bag, "vocabulary_")


def test_both_sides_of_pairs_are_read():
    pairs, labels = make_pairs()
    bag = NgramTfidfVectorizer(use_idf=False, norm=None)
    clf = BiLSTMClassifier(pairs=True, bag_of_words=bag, **SMALL).fit(pairs, labels)
    tweet, reply = pairs[0]
    a, b, c = clf.predict_proba([(tweet, reply), (tweet, "no"), ("no", reply)])
    assert (a != b).any()
    assert (a != c).any()
    names = clf.bag_of_words_.get_feature_names_out()
    assert {name[:3] for name in names} == {"a__", "b__"}


# Training


def test_the_rate_decays_as_in_keras():
    clf = BiLSTMClassifier(**{**SMALL, "learning_rate": (0.02, 0.5)})
    clf.fit(TEXTS, LABELS)  # 32 texts: 2 steps an epoch; the history has the last's
    rates = [epoch["learning_rate"] for epoch in clf.history_]
    np.testing.assert_allclose(rates, [0.02 / (1 + 0.5 * t) for t in (1, 3, 5, 7)])


def test_the_loss_says_when_to_stop_and_the_score_what_to_keep():
    clf = BiLSTMClassifier(
        **{**SMALL, "max_iter": 40, "learning_rate": 0.05},
        scoring="accuracy",
        n_iter_no_change=3,
    )
    noisy = [*LABELS[2:18], *LABELS[1:17]]
    clf.fit(TEXTS[:16], noisy[:16], TEXTS[16:], noisy[16:])
    losses = [epoch["valid_loss"] for epoch in clf.history_]
    scores = [epoch["valid_score"] for epoch in clf.history_]
    assert clf.n_iter_ < 40
    assert int(np.argmin(losses)) == len(losses) - 4
    assert clf.score(TEXTS[16:], noisy[16:]) == max(scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dropout": (0.5, 1.0)}, "at least 0 and less than 1"),
        ({"dropout": (0.5, 0.5, 0.5)}, "at least 0 and less than 1"),
        ({"dropout": (0.5, None)}, "at least 0 and less than 1"),
        ({"dense_size": (8, "a")}, "an int of at least 1, or two of them"),
        ({"dense_size": (0, 3)}, "an int of at least 1, or two of them"),
        ({"dense_size": (2.5, 3)}, "an int of at least 1, or two of them"),
        ({"dense_size": (True, 3)}, "an int of at least 1, or two of them"),
        ({"learning_rate": (0, 0)}, "a positive rate, or one with a decay"),
        ({"learning_rate": (0.1, -1.0)}, "a positive rate, or one with a decay"),
        ({"learning_rate": (0.1,)}, "a positive rate, or one with a decay"),
        ({"learning_rate": (np.inf, 0)}, "a positive rate, or one with a decay"),
    ],
)
def test_wrong_pairs_of_values_are_refused(change, message, monkeypatch):
    # Before word vectors are trained, which takes long and may need gensim.
    monkeypatch.setattr(WordVectors, "train", _never)
    ((name, value),) = change.items()
    shown = re.escape(repr(value))
    for make in (BiLSTMClassifier, BiLSTMRegressor):
        clf = make(**{**SMALL, **change}, embeddings=None)
        expected = f"{make.__name__}: the '{name}' parameter must be {message}.*{shown}"
        with pytest.raises(DataError, match=expected):
            clf.fit(TEXTS, np.arange(32) % 2)


def _never(*args, **options):
    raise AssertionError("what was to be refused went on")


def test_pairs_of_values_may_be_of_numpy():
    given = {
        "dense_size": (np.int64(8), np.int32(12)),
        "dropout": [np.float32(0), np.float64(0)],
        "learning_rate": (np.float32(0.02), np.int64(0)),
    }
    clf = BiLSTMClassifier(**{**SMALL, **given}).fit(TEXTS, LABELS)
    expected = BiLSTMClassifier(**SMALL).fit(TEXTS, LABELS).predict_proba(TEXTS)
    np.testing.assert_allclose(clf.predict_proba(TEXTS), expected, atol=1e-6)


def test_components_of_texts_are_no_vectors_of_words():
    elmo = ElmoVectorizer(SMALL_ELMO, n_components=2)
    message = r"embeddings=ElmoVectorizer\(n_components=2\).*Set n_components=None"
    for clf in (BiLSTMClassifier(embeddings=elmo), atalaya_lstm_elmo(elmo)):
        with pytest.raises(DataError, match=f"BiLSTMClassifier: {message}"):
            clf.fit(TEXTS, LABELS)


def test_a_misspelt_word_for_learnt_vectors_is_told_the_right_one(monkeypatch):
    monkeypatch.setattr("tweetclf.estimators._over_words.tokenize", _never)
    with pytest.raises(FileNotFoundError, match="at 'learnt'.*embeddings=\"learned\""):
        BiLSTMClassifier(embeddings="learnt").fit(TEXTS, LABELS)


def test_constructors_have_at_most_20_parameters():
    assert len(BiLSTMClassifier().get_params(deep=False)) == 20
    assert len(BiLSTMRegressor().get_params(deep=False)) == 19


# Recipes


def test_settings_of_the_recipes():
    es, en = atalaya_lstm_elmo("elmo"), atalaya_lstm_elmo("elmo", language="en")
    assert (es.max_length, en.max_length) == (50, 55)
    assert (es.dropout, en.dropout) == ((0.8, 0.55), (0.8, 0.5))
    assert (es.learning_rate, en.learning_rate) == ((3.5e-4, 0.01), (5e-4, 0.01))
    assert (es.mask, atalaya_lstm_elmo("elmo", variant="code").mask) == (True, False)
    assert (es.batch_size, es.max_iter, es.n_iter_no_change) == (32, 300, 15)
    assert es.scoring == "accuracy"
    assert es.tokenizer("@ana JAJAJAJA!!! buenísimooooo https://t.co/a") == [
        "jajajaja",
        "buenísimooo",
    ]
    paper = atalaya_lstm_elmo_bow("elmo")
    code = atalaya_lstm_elmo_bow("elmo", variant="code")
    assert (paper.dense_size, code.dense_size) == ((64, 512), (64, 1024))
    english = atalaya_lstm_elmo_bow("elmo", language="en")
    assert (english.hidden_size, english.bag_of_words.max_features) == (128, 2_000)
    assert english.learning_rate == (2e-3, 0.01)
    assert paper.bag_of_words.tokenizer("los PERROS") == ["los", "perr"]
    with pytest.raises(UnknownNameError, match="languages 'es' and 'en', not for 'ja'"):
        atalaya_lstm_elmo("elmo", language="ja")
    with pytest.raises(ValueError, match="'variant' parameter must be 'paper' or"):
        atalaya_lstm_elmo("elmo", variant="papre")


def test_elmo_without_weights_is_refused(tmp_path):
    with pytest.raises(DataError, match="'weights' parameter must be the path"):
        atalaya_lstm_elmo().fit(TEXTS, LABELS)
    with pytest.raises(DataError, match="weights of ElmoVectorizer"):
        atalaya_lstm_elmo(tmp_path / "nowhere").fit(TEXTS, LABELS)


def test_the_elmo_block_of_the_svm_is_sklearns_pca(tmp_path):
    """P19."""
    SMALL_ELMO.save(tmp_path / "elmo")
    texts = [f"{a} {b}" for a in TEXTS[:16] for b in TEXTS[16:24]]  # 128 of them
    labels = LABELS[:16] * 8
    elmo = ElmoVectorizer(str(tmp_path / "elmo"), n_components=5)
    clf = atalaya_svm(without=("bow", "emb"), with_elmo=elmo).fit(texts, labels)
    found = clf[:-1].transform(TEXTS[24:])[:, -5:].toarray()
    means = ElmoVectorizer(SMALL_ELMO).fit(texts)
    pca = PCA(5, random_state=0).fit(means.transform(texts).astype(float))
    expected = pca.transform(means.transform(TEXTS[24:]).astype(float))
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, rtol=0, atol=1e-6)


def test_the_elmo_block_of_the_recipe_has_100_components():
    block = dict(atalaya_svm(with_elmo="elmo")["features"].transformer_list)["elmo"]
    assert (block.weights, block.n_components, block.layers) == ("elmo", 100, "average")
    assert block.tokenizer("@ana 2 ¡HOLA!") == ["hola"]
    assert "elmo" not in dict(atalaya_svm()["features"].transformer_list)


def test_bilstm_takes_vectors_or_trains_them(vectors):
    assert bilstm().embeddings == "learned"
    assert bilstm(train_vectors=True).embeddings is None
    assert bilstm(vectors=vectors).embeddings is vectors
    with pytest.raises(ValueError, match="either given or trained"):
        bilstm(vectors=vectors, train_vectors=True)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("bilstm", None),
        ("atalaya-lstm-elmo", "weights"),
        ("atalaya-lstm-elmo-bow", "weights"),
        ("atalaya-svm-elmo", "with_elmo"),
    ],
)
def test_systems(name, needs):
    system = get_system(name)
    assert (system.extra, system.module) == ("neural", "torch")
    assert system.needs == needs
    assert (needs or "vectors") in system.files


# Saved models


def test_a_saved_model_is_checked(tmp_path):
    clf = BiLSTMClassifier(embeddings=4, **SMALL).fit(TEXTS, LABELS)
    expected = clf.predict_proba(TEXTS)
    save(clf, tmp_path / "model")
    assert (load(tmp_path / "model").predict_proba(TEXTS) == expected).all()
    for change in (
        {"hidden_size": 10**6},
        {"input_size_": 5},
        {"vocabulary_": {"hola": 2}},
        {"vocabulary_": {**clf.vocabulary_, "hola": 10**9}},
        {"module_state_": {"encoder.ahead.weight_ih_l0": "no array"}},
    ):
        broken = pickle.loads(pickle.dumps(clf))
        vars(broken).update(change)
        with pytest.raises(ModelFormatError, match="BiLSTM|neural estimator"):
            save(broken, tmp_path / "broken")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [BiLSTMClassifier, BiLSTMRegressor])
def test_fifty_fits_leave_no_memory_behind(kind, growth_of_memory):
    y = LABELS if kind is BiLSTMClassifier else [float(len(text)) for text in TEXTS]

    def fit():
        kind(**{**SMALL, "hidden_size": 64}).fit(TEXTS, y).predict(TEXTS)

    growth = growth_of_memory(fit)
    assert growth < 0.01, f"50 fits made the process {growth:.1%} larger"
