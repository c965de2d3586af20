"""Saved vocabularies: read back as written, refused where no kernel may trust them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import ModelFormatError
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.features import _vocabulary as vocabulary_module
from tweetclf.features._front_coding import from_arrays, to_arrays
from tweetclf.persistence import load, save
from tweetclf.utils.tensors import read_tensors

OPTIONS = [
    {"analyzer": "char", "ngram_range": (1, 5)},
    {"analyzer": "char", "ngram_range": (1, 18)},
    {"analyzer": "char_wb", "ngram_range": (3, 3), "min_df": 2},
    {"token_pattern": r"\S+"},
    {"token_pattern": r"\S+", "ngram_range": (1, 3)},
    {"token_pattern": r"\w*", "ngram_range": (2, 2), "max_features": 3},
]


def vocabulary_of(options, texts=("la la! ley", "él, la ley, 😂 \ud83d", "jaja")):
    return NgramTfidfVectorizer(**options).fit(texts).vocabulary_


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_round_trip(options):
    vocabulary = vocabulary_of(options)
    again = from_arrays(to_arrays(vocabulary))
    assert again == vocabulary
    assert again.to_dict() == dict(vocabulary)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(), min_size=1, max_size=20), min_size=1),
    options=st.sampled_from(OPTIONS),
)
def test_round_trip_of_any_texts(texts, options):
    try:
        vocabulary = vocabulary_of(options, texts)
    except ValueError:
        return
    if not isinstance(vocabulary, dict):
        assert from_arrays(to_arrays(vocabulary)) == vocabulary


def test_many_look_ups_make_a_dict(monkeypatch):
    vocabulary = vocabulary_of(OPTIONS[0])
    monkeypatch.setattr(vocabulary_module, "_MANY", 3)
    for _ in range(2):
        assert dict(vocabulary) == vocabulary.to_dict()
        with pytest.raises(KeyError):
            vocabulary["zzz"]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_changed_arrays_are_refused_or_harmless(data):
    """What passes is sorted, without repetitions, and can be looked up."""
    options = data.draw(st.sampled_from(OPTIONS))
    arrays = {name: a.copy() for name, a in to_arrays(vocabulary_of(options)).items()}
    name = data.draw(st.sampled_from(sorted(arrays)))
    change = data.draw(st.sampled_from(["value", "cut", "double", "type", "shape"]))
    array = arrays[name]
    if change == "value" and len(array):
        at = data.draw(st.integers(0, len(array) - 1))
        array[at] = data.draw(st.integers(0, int(np.iinfo(array.dtype).max)))
    elif change == "cut":
        arrays[name] = array[: data.draw(st.integers(0, len(array)))]
    elif change == "double":
        arrays[name] = np.concatenate([array, array])
    elif change == "type":
        arrays[name] = array.astype(np.float64)
    else:
        arrays[name] = array[:, None]
    try:
        vocabulary = from_arrays(arrays)
    except (ValueError, TypeError, IndexError):
        return
    terms = vocabulary.terms()
    assert terms == sorted(set(terms))
    assert vocabulary.find(terms).tolist() == list(range(len(terms)))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("points", lambda a: a[::-1].copy(), "code points out of order"),
        ("points", lambda a: a + np.uint32(0x110000), "its code points"),
        ("symbols", lambda a: a * 0, "symbols out of range"),
        ("symbols", lambda a: a * 0 + a.max() + 1, "symbols out of range"),
        ("symbols", lambda a: a[1:], "number of its symbols"),
        ("heads", lambda a: a * 0, "its lengths"),
        ("heads", lambda a: a.astype(np.int8), "its heads"),
        ("symbols", lambda a: np.sort(a), "n-grams out of order"),
    ],
)
def test_forged_models_are_refused(tmp_path, monkeypatch, name, change, message):
    vectorizer = NgramTfidfVectorizer(**OPTIONS[0]).fit(["la la! ley", "él"])

    def forged(vocabulary):
        arrays = to_arrays(vocabulary)
        return {**arrays, name: change(arrays[name])}

    monkeypatch.setattr("tweetclf.persistence.encode.to_arrays", forged)
    with pytest.raises(ModelFormatError, match=message):
        load(save(vectorizer, tmp_path / "model"))


@pytest.mark.parametrize("attribute", ["_packed", "_matched", "_stream"])
def test_private_parts_are_not_saved(tmp_path, attribute):
    vectorizer = NgramTfidfVectorizer().partial_fit(["hola día", "hola noche"])
    vectorizer.transform_counts(vectorizer.count(["hola"]))
    again = load(save(vectorizer, tmp_path / "model"))
    assert attribute not in vars(again)


def test_a_saved_vocabulary_is_small(tmp_path):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefgh "), 80)) for _ in range(200)]
    vectorizer = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 5)).fit(texts)
    path = save(vectorizer, tmp_path / "model")
    arrays, _ = read_tensors(path / "arrays.safetensors")
    n_bytes = sum(array.nbytes for array in arrays.values() if array.dtype != float)
    assert n_bytes < 2.2 * len(vectorizer.vocabulary_)


def test_a_saved_vocabulary_needs_numpy_alone():
    code = """
import sys
import numpy as np
from tweetclf.features._front_coding import from_arrays
from tweetclf.features._reading import Reader
arrays = {"points": np.array([97, 106], np.uint32),
          "heads": np.array([1, 1, 18], np.uint8),
          "symbols": np.array([1, 2, 1], np.uint8)}
vocabulary = from_arrays(arrays)
rows = vocabulary.rows_of(Reader("char", 1, 2), ["jaja!", "a"])
print([part.tolist() for part in rows], vocabulary.to_dict())
print([m for m in ("sklearn", "scipy", "numba") if m in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    rows, modules = done.stdout.splitlines()
    assert rows == "[[0, 1, 2, 0], [2, 2, 2, 1], [0, 3, 4]] {'a': 0, 'j': 1, 'ja': 2}"
    assert modules == "[]"
