"""Transformers as ONNX graphs: the same outputs, and small differences with int8."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch

from tweetclf.exceptions import ModelFormatError
from tweetclf.features import OnnxEncoder, TransformerVectorizer, export_onnx
from tweetclf.features._encoding import tokenize
from tweetclf.features._files import MissingFileError
from tweetclf.features._onnx_graph import whole_model
from tweetclf.features._pretrained import load_pretrained
from tweetclf.modules.pooling import POOLINGS
from tweetclf.testing import make_tiny_transformer

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

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
    return make_tiny_transformer(tmp_path_factory.mktemp("bert"), TEXTS)


@pytest.mark.parametrize("how", sorted(POOLINGS))
def test_padded_pooling_is_that_of_packed_states(folder, how):
    vectorizer = TransformerVectorizer(folder, pooling=how, layer=1).fit(TEXTS)
    module = whole_model(vectorizer._frozen().encoder.model, how, 1)
    tokens = tokenize(vectorizer._frozen().tokenizer, TEXTS, 64)
    expected = TransformerVectorizer(folder, pooling=how, layer=1, max_length=64)
    np.testing.assert_allclose(
        module.by_batches(tokens), expected.fit_transform(TEXTS), rtol=1e-5, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_vectorizer(folder, tmp_path, quantize):
    vectorizer = TransformerVectorizer(
        folder, pooling="combined", profile="twilbert"
    ).fit(TEXTS)
    levels = [logging.getLogger(name).level for name in ("torch.onnx", "root")]
    export = export_onnx(vectorizer, tmp_path / "x", quantize=quantize, texts=TEXTS)
    assert levels == [logging.getLogger(n).level for n in ("torch.onnx", "root")]
    encoder = OnnxEncoder(export.path)

    def difference(texts):
        return np.abs(encoder.transform(texts) - vectorizer.transform(texts)).max()

    limit = 1e-5 if quantize is None else 0.2 * export.scale
    assert difference([*TEXTS, "@pepe QUÉ risaaa"]) < limit
    # Of the texts that were given and no others: int8 rounds by what a batch holds.
    assert export.difference == pytest.approx(difference(TEXTS), abs=1e-6)
    assert sorted(p.name for p in export.path.iterdir()) == [
        "config.json",
        "model.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
        "tweetclf-onnx.json",
    ]
    with pytest.raises(FileExistsError):
        export_onnx(vectorizer, tmp_path / "x")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["roberta", "deberta-v2"])
def test_a_head_on_pairs_of_another_architecture(tmp_path, kind):
    path = make_tiny_transformer(tmp_path / "m", TEXTS, kind=kind, max_positions=66)
    pretrained = load_pretrained(
        path, auto_class="AutoModelForSequenceClassification", num_labels=3
    )
    export = export_onnx(
        pretrained.model,
        tmp_path / "x",
        tokenizer=pretrained.tokenizer,
        quantize=None,
        texts=TEXTS,
    )
    assert export.difference < 1e-5
    logits = OnnxEncoder(export.path, max_tokens=40).transform(TEXTS)
    for text, row in zip(TEXTS, logits, strict=True):
        inputs = pretrained.tokenizer(text, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            expected = pretrained.model(**inputs).logits[0].numpy()
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)
    # Cut to what the model has positions for.
    assert np.isfinite(OnnxEncoder(export.path).transform(["qué risa " * 300])).all()


@pytest.mark.slow
def test_pairs_and_files_that_do_not_fit(folder, tmp_path):
    pairs = [("qué risa", "no me gusta"), ("", "genial")]
    vectorizer = TransformerVectorizer(folder, pairs=True).fit(pairs)
    path = export_onnx(vectorizer, tmp_path / "x", quantize=None).path
    np.testing.assert_allclose(
        OnnxEncoder(path).transform(pairs),
        vectorizer.transform(pairs),
        rtol=1e-5,
        atol=1e-5,
    )
    settings = json.loads((path / "tweetclf-onnx.json").read_text("utf-8"))
    (path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelFormatError, match="cannot be read"):
        OnnxEncoder(path)
    settings["version"] = 2
    (path / "tweetclf-onnx.json").write_text(json.dumps(settings))
    with pytest.raises(ModelFormatError, match="newer tweetclf"):
        OnnxEncoder(path)


def test_what_cannot_be_exported_is_said(folder, tmp_path):
    vectorizer = TransformerVectorizer(folder).fit(TEXTS)
    with pytest.raises(ValueError, match="Got 'int4' instead"):
        export_onnx(vectorizer, tmp_path / "x", quantize="int4")
    with pytest.raises(ValueError, match="needs its tokenizer"):
        export_onnx(load_pretrained(folder).model, tmp_path / "x")
    with pytest.raises(MissingFileError, match=r"no tweetclf-onnx\.json in"):
        OnnxEncoder(tmp_path)
