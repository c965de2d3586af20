"""Frozen transformers: packed against padded batches and `pipeline()`.

The tokenizer is trained here on real tweets, the weights are random: what is compared
is speed on real lengths, and that the vectors are equal. Reduced precision changes
them by what is asserted; on trained weights that has to be judged by scores.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from harness import Benchmark, tweets
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import WordPieceTrainer
from transformers import AutoModel, BertConfig, PreTrainedTokenizerFast, pipeline

from tweetclf.features import OnnxEncoder, TransformerVectorizer, export_onnx
from tweetclf.training.devices import has_fast_bfloat16
from tweetclf.utils.hugging_face import quiet_transformers

N_FOR_TOKENIZER = 20_000
MAX_LENGTH = 128
BATCH = 32
SIZES: dict[str, dict[str, int]] = {
    "mini": {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    "base": {},
}
_FOLDER = tempfile.TemporaryDirectory(prefix="tweetclf-bench-")
# Largest difference that is allowed, as a share of the largest value.
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.1, "int8": 0.25}


@lru_cache(maxsize=1)
def _tokenizer() -> PreTrainedTokenizerFast:
    """Train WordPiece on tweets, as BERT has it."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = WordPieceTrainer(
        vocab_size=30_000, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(tweets(N_FOR_TOKENIZER), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
    )


@lru_cache
def _model(size: str) -> str:
    """Write a random BERT of the size, and return its directory."""
    folder = Path(_FOLDER.name) / size
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = BertConfig(vocab_size=30_000, pad_token_id=0, **SIZES[size])
        AutoModel.from_config(config).save_pretrained(folder)
        _tokenizer().save_pretrained(folder)
    return str(folder)


@lru_cache
def _vectorizer(size: str, precision: str) -> TransformerVectorizer:
    vectorizer = TransformerVectorizer(
        _model(size), pooling="cls", max_length=MAX_LENGTH, precision=precision
    )
    return vectorizer.fit(tweets(2))


@lru_cache
def _plain(size: str) -> Any:
    with quiet_transformers():
        return AutoModel.from_pretrained(_model(size)).eval()


@lru_cache
def _onnx(size: str) -> OnnxEncoder:
    path = Path(_FOLDER.name) / f"{size}-int8"
    export_onnx(_vectorizer(size, "float32"), path, quantize="int8")
    return OnnxEncoder(path, n_threads=torch.get_num_threads())


@lru_cache
def _pipeline(size: str) -> Any:
    return pipeline(
        "feature-extraction", model=_plain(size), tokenizer=_tokenizer(), device=-1
    )


class Data(NamedTuple):
    """Texts, and which model reads them how."""

    texts: list[str]
    size: str
    ours: str


def _prepare(size: str, ours: str) -> Any:
    def prepare(n: int) -> Data:
        _plain(size), _pipeline(size)
        _onnx(size) if ours == "int8" else _vectorizer(size, ours)
        return Data(tweets(n), size, ours)

    return prepare


def _ours(data: Data) -> np.ndarray:
    if data.ours == "int8":
        return _onnx(data.size).transform(data.texts)
    return _vectorizer(data.size, data.ours).transform(data.texts)


def _padded(data: Data) -> np.ndarray:
    """Do what tutorials do: batches in the order of the file, padded to 128."""
    model, tokenizer, parts = _plain(data.size), _tokenizer(), []
    with torch.inference_mode():
        for start in range(0, len(data.texts), BATCH):
            inputs = tokenizer(
                data.texts[start : start + BATCH],
                padding="max_length",
                truncation=True,
                max_length=MAX_LENGTH,
                return_tensors="pt",
            )
            parts.append(model(**inputs).last_hidden_state[:, 0].numpy())
    return np.concatenate(parts)


def _by_pipeline(data: Data) -> np.ndarray:
    """Call `pipeline()` with batches; it pads each to its longest text."""
    outputs = _pipeline(data.size)(
        data.texts,
        batch_size=BATCH,
        tokenize_kwargs={"truncation": True, "max_length": MAX_LENGTH},
        return_tensors=True,
    )
    return np.stack([output[0, 0].numpy() for output in outputs])


def _checker(ours: str) -> Any:
    def check(mine: np.ndarray, theirs: np.ndarray) -> None:
        scale = np.abs(theirs).max()
        difference = np.abs(mine - theirs).max() / scale
        assert difference <= TOLERANCE[ours], f"{ours}: {difference:.2g} of the scale"

    return check


def _row(
    size: str, ours: str, peer: str, n: int, bar: float, aim: float, repeats: int = 5
) -> Benchmark:
    what = {
        "float32": "packed, float32, equal to 1e-5",
        "bfloat16": "packed, bfloat16 weights",
        "int8": "exported ONNX, int8, by length",
    }[ours]
    layers = "L=4 H=256" if size == "mini" else "BERT-base size"
    return Benchmark(
        name=f"encoder-{size}-{ours}-{peer}",
        what=f"vectors of tweets, {layers}: {what}",
        peer={
            "padded": f"transformers, batches of {BATCH} padded to {MAX_LENGTH}",
            "pipeline": f"pipeline(), batches of {BATCH} padded to the longest",
        }[peer],
        prepare=_prepare(size, ours),
        ours=_ours,
        theirs=_padded if peer == "padded" else _by_pipeline,
        check=_checker(ours),
        sizes=(n,),
        bar=bar,
        aim=aim,
        repeats=repeats,
    )


BENCHMARKS = [
    _row("mini", "float32", "padded", 1000, 4.0, 4.4),
    _row("mini", "float32", "pipeline", 1000, 1.5, 2.2),
    _row("mini", "int8", "padded", 1000, 10.0, 14.0),
    _row("base", "float32", "padded", 64, 4.0, 4.4, repeats=3),
    _row("base", "int8", "padded", 64, 10.0, 14.0, repeats=3),
]
# Elsewhere bfloat16 is computed in software, slower than float32, and the vectorizer's
# precision="auto" does not take it.
if has_fast_bfloat16(torch.device("cpu")):
    BENCHMARKS += [
        _row("mini", "bfloat16", "padded", 1000, 8.0, 14.0),
        _row("base", "bfloat16", "padded", 64, 8.0, 14.0, repeats=3),
    ]
