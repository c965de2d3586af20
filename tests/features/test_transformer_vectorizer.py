"""TransformerVectorizer: vectors equal transformers' own, cached, saved."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from transformers import AutoModel, AutoTokenizer

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features import TransformerVectorizer
from tweetclf.features._files import MissingFileError
from tweetclf.features._frozen import FrozenEncoder
from tweetclf.persistence import load, save
from tweetclf.testing import make_tiny_transformer, yield_checks
from tweetclf.utils.hugging_face import quiet_transformers

TEXTS = [
    "qué risa me da",
    "no me gusta nada esto",
    "genial 😂 el partido de hoy",
    "",
    "qué risa me da",
    "hoy no " * 40,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(make_tiny_transformer(tmp_path_factory.mktemp("bert"), TEXTS))


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    with quiet_transformers():
        yield


def states_of(folder, row, layer=-1, max_length=128):
    """Return states and special mask of one row, by transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer(
        *([row] if isinstance(row, str) else row),
        truncation="longest_first",
        max_length=max_length,
        return_tensors="pt",
        return_special_tokens_mask=True,
    )
    special = inputs.pop("special_tokens_mask")[0].bool().numpy()
    with torch.inference_mode():
        hidden = model(**inputs, output_hidden_states=True).hidden_states[layer]
    return hidden[0].numpy(), special


def by_hand(folder, rows, pooling, **options):
    vectors = []
    for row in rows:
        states, special = states_of(folder, row, **options)
        text = states[~special] if not special.all() else states[:1]
        parts = {
            "cls": [states[0]],
            "mean": [states.mean(axis=0)],
            "mean_tokens": [text.mean(axis=0)],
            "max": [states.max(axis=0)],
            "concat": [states[0], states.mean(axis=0), states.max(axis=0)],
            "combined": [states[0], text.mean(axis=0)],
        }
        vectors.append(np.concatenate(parts[pooling]))
    return np.stack(vectors)


@pytest.mark.parametrize(
    "pooling", ["cls", "mean", "mean_tokens", "max", "concat", "combined"]
)
def test_equals_transformers(folder, pooling):
    vectorizer = TransformerVectorizer(folder, pooling=pooling)
    vectors = vectorizer.fit_transform(TEXTS)
    assert vectors.dtype == np.float32
    expected = by_hand(folder, TEXTS, pooling)
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)
    assert vectorizer.get_feature_names_out()[0] == "transformervectorizer0"
    assert len(vectorizer.get_feature_names_out()) == vectors.shape[1]


@pytest.mark.parametrize("options", [{"layer": 1}, {"layer": -3}, {"max_length": 8}])
def test_layers_and_lengths(folder, options):
    vectorizer = TransformerVectorizer(folder, **options).fit(TEXTS)
    expected = by_hand(folder, TEXTS, "mean", **options)
    np.testing.assert_allclose(
        vectorizer.transform(TEXTS), expected, rtol=1e-5, atol=1e-5
    )
    assert vectorizer.n_truncated_ == (1 if "max_length" in options else 0)


def test_pairs(folder):
    pairs = [("qué risa", "no me gusta"), ("", "genial"), ("hoy " * 90, "no " * 90)]
    vectorizer = TransformerVectorizer(folder, pairs=True, max_length=32)
    expected = by_hand(folder, pairs, "mean", max_length=32)
    vectors = vectorizer.fit_transform(pairs)
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)
    frame = pd.DataFrame(pairs, columns=["text", "text_b"])
    np.testing.assert_array_equal(vectorizer.transform(frame), vectors)


def test_small_batches_and_a_model_that_pads_agree(folder, tmp_path):
    whole = TransformerVectorizer(folder).fit_transform(TEXTS)
    pieces = TransformerVectorizer(folder, max_tokens=1).fit_transform(TEXTS)
    np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-5)
    path = make_tiny_transformer(tmp_path, TEXTS, kind="deberta-v2")
    vectors = TransformerVectorizer(path, max_tokens=64).fit_transform(TEXTS)
    expected = by_hand(path, TEXTS, "mean")
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)


def test_bfloat16_is_close(folder):
    whole = TransformerVectorizer(folder).fit_transform(TEXTS)
    half = TransformerVectorizer(folder, precision="bfloat16").fit(TEXTS)
    vectors = half.transform(TEXTS)
    assert vectors.dtype == np.float32
    assert 0 < np.abs(vectors - whole).mean() < 0.03
    # It comes back in the precision in which it was.
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(half)).transform(TEXTS), vectors
    )


def test_equal_texts_are_computed_once(folder, monkeypatch):
    seen = []
    vectors = FrozenEncoder.vectors

    def counted(self, rows, **options):
        seen.append(list(rows))
        return vectors(self, rows, **options)

    monkeypatch.setattr(FrozenEncoder, "vectors", counted)
    output = TransformerVectorizer(folder).fit_transform(TEXTS * 3)
    assert seen == [list(dict.fromkeys(TEXTS))]
    np.testing.assert_array_equal(output[:6], output[6:12])


def test_set_output(folder):
    vectorizer = TransformerVectorizer(folder).set_output(transform="pandas")
    frame = vectorizer.fit_transform(TEXTS)
    assert list(frame.columns) == list(vectorizer.get_feature_names_out())


def test_in_front_of_a_classifier(folder):
    texts = ["qué risa", "no me gusta", "genial", "nada de esto"] * 4
    labels = ["bien", "mal", "bien", "mal"] * 4
    pipeline = make_pipeline(TransformerVectorizer(folder), LogisticRegression())
    assert pipeline.fit(texts, labels).score(texts, labels) == 1.0


# The profile


def test_the_profile_of_the_directory_is_used_unless_another_is_named(folder, tmp_path):
    path = make_tiny_transformer(tmp_path, TEXTS)
    (path / "tweetclf.json").write_text('{"profile": "twilbert@1"}')
    raw, own = TransformerVectorizer(folder), TransformerVectorizer(path)
    texts = ["@pepe QUÉ risaaaaa", "no me gusta"]
    assert raw.fit(texts).profile_ is None
    assert own.fit(texts).profile_ == "twilbert@1"
    from tweetclf.preprocessing import get_profile

    normal = get_profile("twilbert@1").make_normalizer().transform(texts)
    np.testing.assert_array_equal(own.transform(texts), raw.transform(normal))
    named = TransformerVectorizer(folder, profile="twilbert").fit(texts)
    np.testing.assert_array_equal(named.transform(texts), own.transform(texts))
    pairs = [(text, text) for text in texts]
    both = TransformerVectorizer(folder, profile="twilbert", pairs=True).fit(pairs)
    plain = TransformerVectorizer(folder, pairs=True).fit(pairs)
    np.testing.assert_array_equal(
        both.transform(pairs),
        plain.transform([(text, text) for text in normal]),
    )


# The cache


def test_the_cache_is_used_and_told_apart(folder, tmp_path, monkeypatch):
    seen = []
    vectors = FrozenEncoder.vectors

    def counted(self, rows, **options):
        seen.extend(rows)
        return vectors(self, rows, **options)

    monkeypatch.setattr(FrozenEncoder, "vectors", counted)
    plain = TransformerVectorizer(folder).fit_transform(TEXTS)
    seen.clear()
    first = TransformerVectorizer(folder, cache_dir=tmp_path).fit(TEXTS)
    np.testing.assert_array_equal(first.transform(TEXTS[:2]), plain[:2])
    assert seen == TEXTS[:2]
    np.testing.assert_allclose(
        TransformerVectorizer(folder, cache_dir=tmp_path).fit_transform(TEXTS),
        plain,
        rtol=1e-5,
        atol=1e-5,
    )
    assert seen == TEXTS[:4] + TEXTS[5:]
    other = TransformerVectorizer(folder, cache_dir=tmp_path, pooling="cls")
    np.testing.assert_allclose(
        other.fit_transform(TEXTS), by_hand(folder, TEXTS, "cls"), rtol=1e-5, atol=1e-5
    )
    assert len(list(tmp_path.iterdir())) == 2


def test_another_model_has_another_cache(folder, tmp_path):
    path = make_tiny_transformer(tmp_path / "m", TEXTS, seed=1)
    cache = tmp_path / "cache"
    for model in (folder, path):
        cached = TransformerVectorizer(model, cache_dir=cache).fit_transform(TEXTS)
        plain = TransformerVectorizer(model).fit_transform(TEXTS)
        np.testing.assert_array_equal(cached, plain)
    assert len(list(cache.iterdir())) == 2


def test_pairs_that_join_to_the_same_text_are_told_apart(folder, tmp_path):
    pairs = [("qué risa", "me da"), ("qué", "risa me da"), ("", "qué risa me da")]
    vectorizer = TransformerVectorizer(folder, pairs=True, cache_dir=tmp_path)
    vectors = vectorizer.fit_transform(pairs)
    expected = by_hand(folder, pairs, "mean")
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(vectorizer.transform(pairs), vectors)


def test_lone_surrogates_are_cached_apart(folder, tmp_path):
    vectorizer = TransformerVectorizer(folder, cache_dir=tmp_path)
    vectorizer.fit_transform(["a \ud83d b", "a ? b"])
    (file,) = tmp_path.iterdir()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (2,)
    connection.close()


def test_a_damaged_cache_is_named_or_made_good(folder, tmp_path):
    vectorizer = TransformerVectorizer(folder, cache_dir=tmp_path)
    expected = vectorizer.fit_transform(TEXTS)
    (file,) = tmp_path.iterdir()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE vectors SET vector = x'00'")
    connection.close()
    np.testing.assert_array_equal(vectorizer.transform(TEXTS), expected)
    file.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(DataError, match="cannot be used.*Remove the file") as caught:
        vectorizer.transform(TEXTS)
    assert str(file) in str(caught.value)


def test_threads_share_a_cache(folder, tmp_path):
    texts = [f"hoy no {i}" for i in range(40)]
    vectorizer = TransformerVectorizer(folder, cache_dir=tmp_path).fit(texts)
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(vectorizer.transform, [texts] * 8))
    expected = TransformerVectorizer(folder).fit(texts).transform(texts)
    for output in outputs:
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


_WRITER = """
import sys, numpy as np
from tweetclf.features._vector_cache import VectorCache
cache = VectorCache(sys.argv[1], "f", 3)
for start in range(0, 400, 20):
    rows = [str(i) for i in range(start, start + 40)]
    made = cache.get(
        rows, lambda some: np.array([[float(r)] * 3 for r in some], np.float32)
    )
    assert made[:, 0].tolist() == [float(r) for r in rows]
"""


def test_processes_share_a_cache(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)])
        for _ in range(4)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    (file,) = tmp_path.iterdir()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (420,)
    connection.close()


# Saving


def test_a_saved_vectorizer_needs_the_directory_no_more(tmp_path):
    path = make_tiny_transformer(tmp_path / "m", TEXTS)
    vectorizer = TransformerVectorizer(path, pooling="combined").fit(TEXTS)
    expected = vectorizer.transform(TEXTS)
    save(vectorizer, tmp_path / "saved")
    data = pickle.dumps(vectorizer)
    for file in path.iterdir():
        file.unlink()
    for again in (load(tmp_path / "saved"), pickle.loads(data)):
        assert "pretrained_" in vars(again)
        np.testing.assert_array_equal(again.transform(TEXTS), expected)
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(again)).transform(TEXTS), expected
        )
    with pytest.raises(MissingFileError):
        clone(vectorizer).fit(TEXTS)


def test_a_state_that_asks_for_code_is_not_loaded(folder, tmp_path):
    vectorizer = TransformerVectorizer(folder).fit(TEXTS)
    state = vectorizer.__getstate__()
    state["pretrained_"] = {
        **state["pretrained_"],
        "config": '{"auto_map": {"AutoModel": "x.Y"}}',
    }
    del vectorizer._encoder
    vars(vectorizer).update(state)
    with pytest.raises(ModelFormatError, match="asks for code"):
        save(vectorizer, tmp_path / "saved")


def test_fits_share_one_model_and_see_new_files(tmp_path):
    path = make_tiny_transformer(tmp_path, TEXTS)
    first, second = (TransformerVectorizer(path).fit(TEXTS) for _ in range(2))
    assert first._encoder is second._encoder
    before = first.transform(TEXTS)
    make_tiny_transformer(tmp_path, TEXTS, seed=5)
    third = TransformerVectorizer(path).fit(TEXTS)
    assert np.abs(third.transform(TEXTS) - before).max() > 0.1
    np.testing.assert_array_equal(first.transform(TEXTS), before)


# Refusals


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pooling": "median"}, ValueError, "'pooling' parameter"),
        ({"layer": 3}, ValueError, "'layer' parameter must be from -3 to 2"),
        ({"max_length": 3}, ValueError, "max_length=3 leaves no room"),
        ({"profile": "no-such"}, KeyError, "no-such"),
        ({"model": "./no/such"}, FileNotFoundError, "no directory of a model"),
    ],
)
def test_wrong_options_are_named(folder, options, error, message):
    with pytest.raises(error, match=message):
        TransformerVectorizer(**{"model": folder, **options}).fit(TEXTS)


def test_no_texts(folder):
    with pytest.raises(DataError, match="got 0 texts"):
        TransformerVectorizer(folder).fit([])


# The battery. One check starts processes that import torch: it is slow.

_SLOW = {"check_processes"}


@pytest.fixture(scope="module")
def battery(folder):
    return {
        kind: {
            check.name: check
            for check in yield_checks(
                TransformerVectorizer(folder, **options), kind=kind
            )
        }
        for kind, options in (("transformer", {}), ("pair", {"pairs": True}))
    }


@pytest.mark.parametrize(("kind", "n_checks"), [("transformer", 120), ("pair", 116)])
def test_battery(battery, kind, n_checks):
    assert len(battery[kind]) == n_checks
    for name, check in battery[kind].items():
        if name not in _SLOW:
            check()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transformer", "pair"])
@pytest.mark.parametrize("name", sorted(_SLOW))
def test_slow_checks_of_the_battery(battery, kind, name):
    battery[kind][name]()


@pytest.mark.slow
def test_fifty_fits_leave_no_memory_behind(folder, growth_of_memory):
    texts = [f"{text} {k}" for k in range(10) for text in TEXTS]

    def fit():
        TransformerVectorizer(folder).fit(texts).transform(texts)

    growth = growth_of_memory(fit)
    assert growth < 0.01, f"50 fits made the process {growth:.1%} larger"
