"""ElmoVectorizer against loops in double precision, and its contract."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from elmo_oracles import (
    SENTENCES,
    SIZE,
    allennlp_layers,
    manylangs_layers,
    write_allennlp,
    write_manylangs,
)
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline

pytest.importorskip("torch")
pytest.importorskip("h5py")

from tweetclf.exceptions import (
    DataError,
    MissingDependencyError,
    ModelFormatError,
)
from tweetclf.features import ElmoVectorizer, ElmoWeights
from tweetclf.persistence import load, save
from tweetclf.preprocessing import TweetTokenizer, get_profile

DIM, N_LAYERS = 2 * SIZE, 3
TEXTS = [" ".join(sentence) for sentence in SENTENCES if "a b" not in sentence]
SMALL = {
    "char_dim": 4,
    "filters": [(1, 6), (2, 6)],
    "projection_dim": 4,
    "cell_dim": 6,
}


@pytest.fixture(scope="module", params=["allennlp", "manylangs"])
def published(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    write, oracle = {
        "allennlp": (write_allennlp, allennlp_layers),
        "manylangs": (write_manylangs, manylangs_layers),
    }[request.param]
    raw = write(folder)
    return folder, lambda sentence, states=None: oracle(raw, sentence, states)


@pytest.fixture(scope="module")
def small():
    return ElmoWeights.random(**SMALL)


def means(reference, texts, combine):
    """Return the mean over the tokens of each text, zeros if it has none."""
    rows = []
    for text in texts:
        layers, _ = reference(text.split())
        inner = combine(layers[:, 1:-1])  # the two ends are no tokens
        rows.append(inner.mean(0) if len(inner) else np.zeros(inner.shape[1]))
    return np.array(rows)


SHARES = np.exp([0.5, -1.0, 2.0]) / np.exp([0.5, -1.0, 2.0]).sum()


@pytest.mark.parametrize(
    ("options", "combine"),
    [
        ({}, lambda layers: layers.mean(0)),
        ({"layers": "all"}, lambda layers: np.concatenate(list(layers), axis=1)),
        ({"layers": 0}, lambda layers: layers[0]),
        ({"layers": 2}, lambda layers: layers[2]),
        (
            {"layers": "mix", "mix_weights": [0.5, -1.0, 2.0]},
            lambda layers: np.tensordot(SHARES, layers, 1),
        ),
    ],
    ids=["average", "all", "first", "last", "mix"],
)
def test_vectors_are_means_of_the_reference(published, options, combine):
    folder, reference = published
    elmo = ElmoVectorizer(folder, tokenizer=str.split, **options)
    found = elmo.fit_transform(TEXTS)
    assert found.dtype == np.float32
    expected = means(reference, TEXTS, combine)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert len(elmo.get_feature_names_out()) == expected.shape[1]


def test_token_vectors_are_those_of_the_reference(published):
    folder, reference = published
    elmo = ElmoVectorizer(folder).fit(["x"])
    layers, averages = (
        method([*SENTENCES, SENTENCES[0]])
        for method in (elmo.embed_tokens, elmo.token_vectors)
    )
    for sentence, found, average in zip(SENTENCES, layers, averages, strict=False):
        assert found.shape == (len(sentence), N_LAYERS, DIM)
        assert found.dtype == np.float32
        expected = reference(sentence)[0][:, 1:-1]
        np.testing.assert_allclose(found.swapaxes(0, 1), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(average, expected.mean(0), rtol=0, atol=1e-5)
    assert layers[-1] is layers[0]


def test_stateful_batches_go_on_where_the_last_one_ended(published):
    folder, reference = published
    # Batches of 3, 3 and 1 texts; the same text is another one the second time.
    texts = ["hola", "que tal", "", "hola", "tal que tal", "ñandú", "que"]
    elmo = ElmoVectorizer(
        folder, tokenizer=str.split, layers=2, stateful=True, batch_size=3
    ).fit(texts)
    expected, states = [], [None, None, None]
    for number, text in enumerate(texts):
        row = number % 3
        layers, states[row] = reference(text.split(), states[row])
        inner = layers[2, 1:-1]
        expected.append(inner.mean(0) if len(inner) else np.zeros(DIM))
    found = elmo.transform(texts)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.abs(found[3] - found[0]).max() > 1e-3
    # Every call begins afresh.
    np.testing.assert_array_equal(elmo.transform(texts), found)


def test_rows_that_a_batch_does_not_have_keep_their_state(published):
    folder, reference = published
    elmo = ElmoVectorizer(
        folder, tokenizer=str.split, layers=1, stateful=True, batch_size=2
    ).fit(["x"])
    texts = ["hola", "que tal", "tal"]
    found = elmo.embed_tokens([text.split() for text in texts])
    layers, _ = reference(["tal"], reference(["hola"])[1])
    np.testing.assert_allclose(
        found[2].swapaxes(0, 1), layers[:, 1:-1], rtol=0, atol=1e-5
    )


def test_components_are_those_of_scikit_learn(small):
    rng = np.random.default_rng(0)
    letters = list("abcdefghij ")
    texts = ["".join(rng.choice(letters, 20)) for _ in range(40)]
    whole = ElmoVectorizer(small).fit_transform(texts)
    pca = PCA(3, random_state=0).fit(whole.astype(np.float64))
    expected = pca.transform(whole.astype(np.float64))
    elmo = ElmoVectorizer(small, n_components=3)
    found = elmo.fit_transform(texts)
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-6)
    np.testing.assert_array_equal(elmo.transform(texts), found)
    assert elmo.get_feature_names_out().tolist() == [
        f"elmovectorizer{k}" for k in range(3)
    ]
    with pytest.raises(DataError, match="must be at most 2, as 2 texts of 8 dim"):
        ElmoVectorizer(small, n_components=3).fit(texts[:2])


class Counting:
    """Wraps a network and notes what goes through it."""

    def __init__(self, network):
        self.network = network
        self.config = network.config
        self.encoder = network.encoder
        self.words, self.batches = 0, []
        network.encoder.register_forward_hook(self._encoded)

    def _encoded(self, module, arguments, output):
        self.words += len(output)

    def contextualize(self, tokens, batch_sizes, state=None):
        self.batches.append((batch_sizes[0], len(batch_sizes), len(tokens)))
        return self.network.contextualize(tokens, batch_sizes, state)


def test_texts_and_words_are_computed_once_and_batches_keep_their_budget():
    weights = ElmoWeights.random(**SMALL)
    counting = Counting(weights.network("cpu"))
    weights.__dict__["_networks"]["cpu"] = counting
    words = ["uno", "dos", "tres", "cuatro"]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(60)] * 3
    elmo = ElmoVectorizer(
        weights, tokenizer=str.split, batch_size=7, max_tokens=30, device="cpu"
    )
    elmo.fit(texts)
    assert counting.words == 0  # nothing to learn, nothing is embedded
    elmo.transform(texts)
    assert counting.words == len(words) + 2
    n_different = len(set(texts))
    assert sum(size for size, _, _ in counting.batches) == n_different
    assert sum(tokens for _, _, tokens in counting.batches) == sum(
        len(text.split()) + 2 for text in set(texts)
    )
    assert all(size <= 7 for size, _, _ in counting.batches)
    assert all(size * steps <= 30 for size, steps, _ in counting.batches)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1},
        {"batch_size": 5, "max_tokens": 12},
        {"max_tokens": 1},
    ],
)
def test_batches_change_nothing(small, options):
    expected = ElmoVectorizer(small).fit_transform(TEXTS)
    found = ElmoVectorizer(small, **options).fit_transform(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_thousands_of_tokens_are_averaged_exactly(small):
    elmo = ElmoVectorizer(small).fit(["x"])
    text = "😂 " * 1500
    alone = elmo.transform([text])
    (vectors,) = elmo.token_vectors(elmo.tokenize([text]))
    assert len(vectors) == 1500
    np.testing.assert_allclose(
        alone[0], vectors.mean(axis=0, dtype=np.float64), rtol=0, atol=2e-7
    )
    together = elmo.transform(["hola", text, "qué risa"])
    np.testing.assert_allclose(together[1:2], alone, rtol=0, atol=1e-6)


def test_blocks_of_words_change_nothing(small, monkeypatch):
    from tweetclf.features import _elmo_embedding

    expected = ElmoVectorizer(small).fit_transform(TEXTS)
    monkeypatch.setattr(_elmo_embedding, "_BLOCK_TOKENS", 5)
    monkeypatch.setattr(_elmo_embedding, "_WORDS_AT_ONCE", 2)
    found = ElmoVectorizer(small, batch_size=2).fit_transform(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


# -- weights, and where they are ------------------------------------------------------


def test_saved_weights_are_read_back(small, tmp_path):
    path = small.save(tmp_path / "elmo")
    again = ElmoWeights.read(path)
    assert repr(again) == "ElmoWeights(source='random', n_layers=3, dim=8)"
    for name, array in small.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    np.testing.assert_array_equal(
        ElmoVectorizer(path).fit_transform(TEXTS),
        ElmoVectorizer(small).fit_transform(TEXTS),
    )
    with pytest.raises(FileExistsError, match="not an empty folder"):
        small.save(path)


def test_published_weights_can_be_kept_in_our_format(published, tmp_path):
    folder, _ = published
    copy = ElmoWeights.read(folder).save(tmp_path / "elmo")
    np.testing.assert_array_equal(
        ElmoVectorizer(copy).fit_transform(TEXTS),
        ElmoVectorizer(folder).fit_transform(TEXTS),
    )


def test_weights_are_read_once_and_again_when_they_change(small, tmp_path):
    path = small.save(tmp_path / "elmo")
    first = ElmoVectorizer(path).fit(["x"]).weights_
    assert ElmoVectorizer(path).fit(["x"]).weights_ is first
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    ElmoWeights.random(seed=1, **SMALL).save(path)
    other = ElmoVectorizer(path).fit(["x"]).weights_
    name = "encoder.projection.weight"
    assert not np.array_equal(other.arrays[name], first.arrays[name])


def test_clones_and_copies_share_the_weights(small):
    elmo = ElmoVectorizer(small).fit(["x"])
    assert clone(elmo).weights is small
    again = pickle.loads(pickle.dumps(elmo))
    assert again.weights_ is again.weights
    assert len(pickle.dumps(elmo)) < 1.2 * len(pickle.dumps(small)) + 2000


def test_a_model_can_name_its_weights_instead_of_holding_them(small, tmp_path):
    path = small.save(tmp_path / "elmo")
    elmo = ElmoVectorizer(path, store_weights=False).fit(["x"])
    expected = elmo.transform(TEXTS)
    data = pickle.dumps(elmo)
    assert len(data) < 3000
    model = save(elmo, tmp_path / "model")
    assert sum(file.stat().st_size for file in model.iterdir()) < 8000
    for again in (pickle.loads(data), load(model)):
        assert "weights_" not in vars(again)
        np.testing.assert_array_equal(again.transform(TEXTS), expected)
    again = load(model)
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    with pytest.raises(DataError, match="there are no ELMo weights at"):
        again.transform(TEXTS)
    ElmoWeights.random(seed=1, **SMALL).save(path)
    with pytest.raises(DataError, match="are not those .* expected sha256"):
        again.transform(TEXTS)
    with pytest.raises(DataError, match="store_weights=False .* must be a path"):
        ElmoVectorizer(small, store_weights=False).fit(["x"])
    # A fit with other options leaves nothing of this one behind.
    elmo.set_params(store_weights=True).fit(["x"])
    assert "weights_path_" not in vars(elmo)


def test_a_saved_model_needs_no_files_but_its_own(small, tmp_path):
    path = small.save(tmp_path / "elmo")
    pipeline = make_pipeline(
        FeatureUnion(
            [
                ("words", TfidfVectorizer()),
                ("elmo", ElmoVectorizer(path, n_components=2)),
            ]
        ),
        LogisticRegression(),
    ).fit(["qué risa", "qué pena", "jaja"], ["P", "N", "P"])
    model = save(pipeline, tmp_path / "model")
    for file in path.iterdir():
        file.unlink()
    np.testing.assert_array_equal(
        load(model).predict_proba(TEXTS), pipeline.predict_proba(TEXTS)
    )


def test_weights_that_do_not_fit_are_not_loaded(small, tmp_path):
    elmo = ElmoVectorizer(small).fit(["x"])
    name = "encoder.projection.bias"
    for change, message in (
        ({"config": {**small.config, "cell_dim": 5}}, "its sizes call for"),
        ({"words": {"a": 0}}, "embeds 0 whole words, and there is a list"),
        ({"arrays": {**small.arrays, name: np.zeros(4)}}, "expected float32"),
        ({"metadata": []}, "metadata of ELMo weights are no dict"),
    ):
        broken = ElmoWeights.__new__(ElmoWeights)
        broken.__dict__ = {**vars(small), **change}
        elmo.weights = elmo.weights_ = broken
        with pytest.raises(ModelFormatError, match=message):
            save(elmo, tmp_path / "model")


def test_the_tokenizer_that_weights_were_learnt_with_is_the_default(small):
    text = "@Pepe Qué risaaaaaa http://t.co/x"
    assert ElmoVectorizer(small).fit(["x"]).tokenize([text]) == [TweetTokenizer()(text)]
    metadata = {"tokenizer": {"profile": "atalaya-basic@1", "language": "es"}}
    weights = ElmoWeights(small.config, small.arrays, metadata=metadata)
    expected = get_profile("atalaya-basic").make_tokenizer()(text)
    assert ElmoVectorizer(weights).fit(["x"]).tokenize([text]) == [expected]
    own = ElmoVectorizer(weights, tokenizer=str.split).fit(["x"])
    assert own.tokenize([text]) == [text.split()]


# -- errors ---------------------------------------------------------------------------


def test_bad_parameters_are_named(small, tmp_path):
    for options, message in (
        ({"weights": None}, "must be the path of ELMo weights, .* Got None"),
        ({"weights": tmp_path / "nothing"}, 'Learn some with "tweetclf pretrain elmo'),
        ({"weights": tmp_path}, "weights of ElmoVectorizer: .* holds no ELMo weights"),
        ({"layers": 3}, "'layers' parameter must be below 3, .* Got 3"),
        ({"layers": "mix"}, "must be 3 finite numbers, one a layer. Got None"),
        ({"layers": "mix", "mix_weights": [1, 2]}, "must be 3 finite numbers"),
        ({"layers": "sum"}, "'layers' parameter of ElmoVectorizer must be"),
        ({"device": 3}, "'device' parameter"),
    ):
        with pytest.raises(ValueError, match=message):
            ElmoVectorizer(**{"weights": small, **options}).fit(["x"])
    with pytest.raises(FileNotFoundError):
        ElmoVectorizer(tmp_path / "nothing").fit(["x"])


def test_without_torch_the_error_names_the_extra(small, monkeypatch):
    elmo = ElmoVectorizer(small).fit(["x"])
    monkeypatch.setitem(sys.modules, "torch", None)
    for call in (
        lambda: elmo.transform(["x"]),
        lambda: elmo.embed_tokens([["x"]]),
        lambda: elmo.token_vectors([["x"]]),
    ):
        with pytest.raises(MissingDependencyError, match=r"needs torch.*\[neural\]"):
            call()


def test_neither_torch_nor_h5py_is_loaded_before_it_is_needed():
    code = (
        "from tweetclf.features import ElmoVectorizer, ElmoWeights\n"
        "ElmoWeights.random(char_dim=2, filters=[(1, 2)], projection_dim=2, "
        "cell_dim=2)\n"
        "import sys; print([m for m in ('torch', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_fifty_fits_leave_no_memory_behind(small, growth_of_memory):
    texts = TEXTS * 10

    def fit():
        elmo = ElmoVectorizer(small, n_components=2)
        elmo.fit(texts).transform(texts)

    growth = growth_of_memory(fit)
    assert growth < 0.01, f"50 fits made the process {growth:.1%} larger"
