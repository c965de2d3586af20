"""Damaged, foreign and forged models: refused, never executed."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from tweetclf.exceptions import ModelFormatError
from tweetclf.persistence import load, model_info, save
from tweetclf.persistence.model import _sealed
from tweetclf.utils.files import sha256_file
from tweetclf.utils.tensors import read_tensors, write_tensors

FILES = ("model.json", "arrays.safetensors")


@pytest.fixture(scope="module")
def model(tmp_path_factory, atalaya):
    return save(atalaya, tmp_path_factory.mktemp("hostile") / "model")


@pytest.fixture
def alarm(monkeypatch):
    """Fail on anything that runs code from a file."""

    def refuse(*args, **kwargs):
        raise AssertionError(f"code was run: {args}")

    for owner, name in (
        (builtins, "eval"),
        (os, "system"),
        (subprocess, "Popen"),
        (np, "load"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(f"pickle.{name}", refuse)


def copy_of(model, tmp_path, name, content):
    target = tmp_path / "copy"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target)
    (target / name).write_bytes(content)
    return target


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_is_found(model, tmp_path_factory, data):
    name = data.draw(st.sampled_from(FILES))
    content = bytearray((model / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.getbasetemp() / "flipped"
    folder.mkdir(exist_ok=True)
    with pytest.raises(ModelFormatError, match=name):
        load(copy_of(model, folder, name, bytes(content)))


@pytest.mark.parametrize("name", FILES)
def test_truncated_and_extended_files(model, tmp_path, name, alarm):
    content = (model / name).read_bytes()
    for changed in (b"", content[:10], content[:-1], content + b" ", content * 2):
        with pytest.raises(ModelFormatError, match=name):
            load(copy_of(model, tmp_path, name, changed))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_manifest(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "noise"
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_bytes(content)
    with pytest.raises(ModelFormatError):
        load(folder)


def test_missing_and_foreign_directories(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="no model at"):
        load(tmp_path / "none")
    with pytest.raises(ModelFormatError, match=r"has no model\.json"):
        load(tmp_path)
    with pytest.raises(ModelFormatError, match=r"has no model\.json"):
        load(model / "arrays.safetensors")
    (tmp_path / "model.json").write_text('{"model_type": "bert"}')
    for read in (load, model_info):
        with pytest.raises(ModelFormatError, match="not a manifest of a tweetclf"):
            read(tmp_path)
    folder = copy_of(model, tmp_path, "model.json", (model / FILES[0]).read_bytes())
    (folder / "arrays.safetensors").unlink()
    with pytest.raises(ModelFormatError, match=r"has no arrays\.safetensors"):
        load(folder)


def test_edits_of_the_manifest_are_found(model, tmp_path):
    text = (model / "model.json").read_text()
    for old, new in (("balanced", "Balanced"), ("\n ", "\n  "), ("{", "{ ")):
        changed = text.replace(old, new, 1)
        assert changed != text
        with pytest.raises(ModelFormatError, match="checksum"):
            load(copy_of(model, tmp_path, "model.json", changed.encode()))


# Forgeries: whoever forges a model also seals it.


def forge(path, change, change_arrays=None):
    """Change the manifest (and arrays) of a model and seal it again."""
    if change_arrays is not None:
        arrays, _ = read_tensors(path / FILES[1])
        change_arrays(arrays)
        write_tensors(path / FILES[1], arrays)
    manifest = json.loads((path / FILES[0]).read_text())
    del manifest["checksum"]
    manifest["files"][FILES[1]] = {
        "sha256": sha256_file(path / FILES[1]),
        "bytes": (path / FILES[1]).stat().st_size,
    }
    change(manifest)
    (path / FILES[0]).write_bytes(_sealed(manifest))
    return path


@pytest.fixture
def simple(tmp_path):
    return save(LogisticRegression(C=2.0), tmp_path / "simple")


def test_a_forgery_without_harm_loads(simple):
    forge(simple, lambda m: m["estimator"]["state"].update(C=3.0))
    assert load(simple).C == 3.0


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "builtins.object",
        "sklearn.linear_model.os.system",
        "sklearn.pipeline.make_pipeline",
        "tweetclf.utils.optional.import_optional",
        "antigravity.fly",
        "../LogisticRegression",
        "",
        3,
    ],
)
def test_types_off_the_list(simple, name, alarm):
    sys.modules.pop("antigravity", None)
    forge(simple, lambda m: m["estimator"].update(type=name))
    with pytest.raises(ModelFormatError, match=r"not on the list|describes no"):
        load(simple)
    assert "antigravity" not in sys.modules, "not even imported"


@pytest.mark.parametrize(
    "attribute",
    ["__class__", "__dict__", "__reduce__", "predict", "fit", "a b", "", "ñ", "a.b"],
)
def test_attributes_that_are_none(simple, attribute, alarm):
    forge(simple, lambda m: m["estimator"]["state"].update({attribute: 1}))
    with pytest.raises(ModelFormatError, match=r"no attribute|was replaced"):
        load(simple)


NODES = [
    {"$": "pickle", "value": "gASV"},
    {"$": "type", "name": "os.system"},
    {"$": "type", "name": "eval"},
    {"$": "type", "name": "numpy.object"},
    {"$": "type", "name": "numpy.lib.format"},
    {"$": "dtype", "name": "i4,(2,3)f8"},
    {"$": "dtype", "name": "V999999999"},
    {"$": "ref", "id": 12},
    {"$": "ref", "id": -1},
    {"$": "ref", "id": "0"},
    {"$": "ref"},
    {"$": []},
    {"value": 1},
    [1, 2],
    {"$": "list", "items": {"a": 1}},
    {"$": "list", "items": 3},
    {"$": "list"},
    {"$": "dict", "items": [[1]]},
    {"$": "dict", "items": [[{"$": "list", "items": []}, 1]]},
    {"$": "float", "value": "__import__('os')"},
    {"$": "float", "value": "1.0"},
    {"$": "scalar", "dtype": "int8", "value": 300},
    {"$": "scalar", "dtype": "object", "value": 3},
    {"$": "scalar", "dtype": "float64", "value": {"$": "list", "items": [1]}},
    {"$": "slice", "items": [1, 2]},
    {"$": "array", "name": "99", "dtype": "float64", "shape": [1], "order": "C"},
    {"$": "object_array", "shape": [10**15], "items": {"$": "list", "items": []}},
    {"$": "object_array", "shape": [-1], "items": {"$": "list", "items": [1]}},
    {
        "$": "str_array",
        "shape": [1],
        "dtype": "U9999999999",
        "items": {"$": "list", "items": ["a"]},
    },
    {
        "$": "str_array",
        "shape": [1],
        "dtype": "U1",
        "items": {"$": "list", "items": ["abc"]},
    },
    {"$": "requests", "methods": {}},
    {"$": "object", "type": "sklearn.svm.SVC", "state": []},
    {"$": "object", "type": "sklearn.svm.SVC"},
]


@pytest.mark.parametrize("node", NODES)
def test_broken_parts(simple, node, alarm):
    forge(simple, lambda m: m["estimator"]["state"].update(C=node))
    with pytest.raises(ModelFormatError, match=r"model\.json"):
        load(simple)


def test_deep_nesting(simple, tmp_path):
    node: object = 1
    for _ in range(440):
        node = {"$": "list", "items": [node]}
    path = save(LogisticRegression(), tmp_path / "deep")
    forge(path, lambda m: m["estimator"]["state"].update(C=node))
    limit = sys.getrecursionlimit()
    for lower in (900, 500):  # too deep for our decoder; too deep for JSON's
        sys.setrecursionlimit(lower)
        try:
            with pytest.raises(ModelFormatError, match=r"nested too deeply|recursion"):
                load(path)
        finally:
            sys.setrecursionlimit(limit)
    (simple / "model.json").write_text("[" * 50_000 + "]" * 50_000)
    with pytest.raises(ModelFormatError, match="damaged"):
        load(simple)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, r"format version 2; this tweetclf .* Upgrade"),
        ({"format_version": "1"}, "its format version is '1'"),
        ({"format_version": True}, "its format version is True"),
        ({"format": "other"}, "not a manifest"),
        ({"extra": 1}, "damaged"),
        ({"versions": []}, "wrong type"),
        ({"profiles": [1]}, "wrong type"),
        ({"estimator": 3}, "describes no estimator"),
        ({"files": {"../../etc/passwd": {}}}, "lists other files"),
        ({"files": {}}, "lists other files"),
        ({"files": {FILES[1]: {"sha256": "0" * 64, "bytes": 1}}}, "is damaged"),
    ],
)
def test_forged_manifests(simple, change, message):
    forge(simple, lambda m: m.update(change))
    with pytest.raises(ModelFormatError, match=message):
        load(simple)


def test_a_newer_format_is_named_even_if_it_is_laid_out_otherwise(simple):
    content = '{"format": "tweetclf-model", "format_version": 7, "zip": true}'
    (simple / "model.json").write_text(content)
    with pytest.raises(ModelFormatError, match="Upgrade tweetclf"):
        load(simple)


def test_arrays_that_nobody_asked_for(simple):
    def add(arrays):
        arrays["stowaway"] = np.zeros(3)

    forge(simple, lambda m: None, add)
    with pytest.raises(ModelFormatError, match="stowaway"):
        load(simple)


def test_arrays_of_another_shape_or_type(tmp_path):
    X = np.arange(8.0).reshape(4, 2)
    for k, change in enumerate(
        (lambda a: a[..., None], lambda a: a.astype(np.float32))
    ):
        path = save(LogisticRegression().fit(X, [0, 1, 0, 1]), tmp_path / str(k))

        def apply(arrays, change=change):
            for name, array in arrays.items():
                if array.dtype == np.float64:
                    arrays[name] = np.array(change(array))

        forge(path, lambda m: None, apply)
        with pytest.raises(ModelFormatError, match="it should be float64"):
            load(path)


def test_indices_out_of_range_never_reach_native_code(tmp_path):
    from scipy import sparse

    X = sparse.csr_matrix(np.random.default_rng(0).random((12, 3)))
    y = np.arange(12) % 2

    def wild(arrays):
        for name, array in arrays.items():
            if array.dtype == np.int32 and array.ndim == 1 and len(array) > 3:
                arrays[name] = np.full_like(array, 10**8)

    path = save(SVC().fit(X, y), tmp_path / "svc")
    forge(path, lambda m: None, wild)
    with pytest.raises(ModelFormatError, match=r"index|indices|indptr"):
        load(path)

    path = save(SVC().fit(X.toarray(), y), tmp_path / "dense")
    forge(
        path,
        lambda m: m["estimator"]["state"]["shape_fit_"].update(items=[12, 9]),
    )
    with pytest.raises(ModelFormatError, match="do not fit together"):
        load(path)

    path = save(CountVectorizer().fit(["hola que tal"]), tmp_path / "count")
    items = [["hola", 0], ["que", 1], ["tal", 10**9]]
    forge(path, lambda m: m["estimator"]["state"]["vocabulary_"].update(items=items))
    with pytest.raises(ModelFormatError, match="out of range"):
        load(path)


def test_a_function_transformer_with_a_function_cannot_be_smuggled(tmp_path):
    from sklearn.preprocessing import FunctionTransformer

    path = save(FunctionTransformer(), tmp_path / "m")
    forge(
        path,
        lambda m: m["estimator"]["state"].update(func={"$": "type", "name": "object"}),
    )
    with pytest.raises(ModelFormatError, match="only the identity"):
        load(path)
