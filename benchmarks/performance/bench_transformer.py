"""Fine-tuning and prediction of transformers beside the Trainer of Hugging Face.

The same model (random weights, dropout 0), tokenizer, tweets, order, optimizer and
schedule on both sides: the check compares the number of updates, the mean loss of the
epoch and the outputs of the trained models.
"""

from __future__ import annotations

import gzip
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from harness import Benchmark, data_folder, tweets
from tokenizers.implementations import BertWordPieceTokenizer
from torch.utils.data import SequentialSampler

from tweetclf.estimators import TransformerClassifier
from tweetclf.training.batching import LengthBatches
from tweetclf.utils.hugging_face import quiet_transformers

_FOLDER = tempfile.TemporaryDirectory(prefix="tweetclf-bench-")
_SIZES = {
    # Layers, width, heads, width of the layer in between.
    "mini": (4, 256, 4, 1024),
    "base": (12, 768, 12, 3072),
}
_MAX_LENGTH = 128
_RATE = 1e-4


@lru_cache
def _model(name: str) -> str:
    """Write a BERT of random weights, without dropout, and its tokenizer."""
    n_layers, width, n_heads, inner = _SIZES[name]
    folder = Path(_FOLDER.name) / name
    texts = [*_hate(9000), *tweets(10_000)]
    tokenizer = _tokenizer(texts)
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=n_layers,
        hidden_size=width,
        num_attention_heads=n_heads,
        intermediate_size=inner,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    return str(folder)


def _tokenizer(texts: list[str]) -> Any:
    """Train WordPieces as those of BERT: 30,000 of them."""
    made = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    made.train_from_iterator(texts, vocab_size=30_000, show_progress=False)
    return transformers.BertTokenizerFast(
        tokenizer_object=made._tokenizer, do_lower_case=False, strip_accents=False
    )


def _hate(n: int) -> list[str]:
    """Return tweets of TweetEval's hate task, 29 tokens long on average."""
    folder = data_folder()
    if folder is None:
        return tweets(n)
    path = folder / "tweeteval/hate/train.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = dict.fromkeys(json.loads(line)["text"] for line in file)
    return list(texts)[:n]


class Data(NamedTuple):
    """A model, texts with labels, what is predicted afterwards, and how to train."""

    folder: str
    texts: list[str]
    labels: list[int]
    new: list[str]
    batch_size: int
    precision: str
    n_threads: int | None


class Result(NamedTuple):
    """What training gave."""

    n_updates: int
    loss: float
    logits: np.ndarray


def _prepare(
    n: int, *, name: str, precision: str, n_threads: int | None = None
) -> Data:
    # In the order that the estimator puts them into.
    texts = sorted(_hate(n + 16)[:n])
    labels = [len(text) % 2 for text in texts]
    return Data(
        _model(name),
        texts,
        labels,
        _hate(n + 16)[n:],
        min(32, n // 2),
        precision,
        n_threads,
    )


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    """Let torch compute in `n` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _ours(data: Data) -> Result:
    with _threads(data.n_threads):
        return _fine_tune(data)


def _fine_tune(data: Data) -> Result:
    clf = TransformerClassifier(
        model=data.folder,
        max_length=_MAX_LENGTH,
        max_iter=1,
        batch_size=data.batch_size,
        learning_rate=_RATE,
        precision=data.precision,
        random_state=0,
    ).fit(data.texts, data.labels)
    epoch = clf.history_[0]
    return Result(epoch["n_steps"], epoch["loss"], clf._logits(data.new))


class _InOrder(transformers.Trainer):
    """Reads the rows in their order: ours draws another one from the same seed."""

    def _get_train_sampler(self, *arguments: Any, **options: Any) -> Any:
        return SequentialSampler(self.train_dataset)


def _theirs(data: Data, *, padding: bool | str) -> Result:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(0)  # of the head
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            data.folder, num_labels=2
        )
    tokenizer = transformers.AutoTokenizer.from_pretrained(data.folder)
    encoded = tokenizer(
        data.texts, truncation=True, max_length=_MAX_LENGTH, padding=padding
    )
    batches = LengthBatches(
        [1] * len(data.texts), lambda i: i, batch_size=data.batch_size, pool=1
    )
    order = np.concatenate(list(batches.epoch(0))).tolist()
    rows = [
        {
            "input_ids": encoded["input_ids"][i],
            "attention_mask": encoded["attention_mask"][i],
            "token_type_ids": encoded["token_type_ids"][i],
            "labels": data.labels[i],
        }
        for i in order
    ]
    with tempfile.TemporaryDirectory() as out:
        arguments = transformers.TrainingArguments(
            output_dir=out,
            per_device_train_batch_size=data.batch_size,
            num_train_epochs=1,
            learning_rate=_RATE,
            weight_decay=0.01,
            warmup_steps=0.1,
            optim="adamw_torch_fused",
            bf16=data.precision == "bfloat16",
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = _InOrder(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
        )
        output = trainer.train()
    model.eval()
    new = tokenizer(data.new, padding=True, truncation=True, max_length=_MAX_LENGTH,
                    return_tensors="pt")  # fmt: skip
    with torch.inference_mode():
        logits = model(**new).logits.double().numpy()
    return Result(output.global_step, output.training_loss, logits)


def _check(ours: Result, theirs: Result, *, tolerance: float) -> None:
    assert ours.n_updates == theirs.n_updates, (ours.n_updates, theirs.n_updates)
    assert abs(ours.loss - theirs.loss) < tolerance, (ours.loss, theirs.loss)
    difference = np.abs(ours.logits - theirs.logits).max()
    assert difference < 10 * tolerance, f"outputs differ by {difference}"


_pad_to_128 = partial(_theirs, padding="max_length")
_pad_batches = partial(_theirs, padding=False)

# -- prediction -------------------------------------------------------------------


class Fitted(NamedTuple):
    """A fitted estimator, the same model for `pipeline()`, and texts."""

    estimator: TransformerClassifier
    folder: str
    texts: list[str]


@lru_cache
def _fitted(name: str, precision: str) -> tuple[TransformerClassifier, str]:
    data = _prepare(64, name=name, precision=precision)
    clf = TransformerClassifier(
        model=data.folder, max_iter=1, precision=precision, random_state=0
    ).fit(data.texts, data.labels)
    folder = Path(_FOLDER.name) / f"{name}-{precision}-fitted"
    clf.save_pretrained(folder)
    return clf, str(folder)


def _prepare_prediction(n: int, *, name: str, precision: str) -> Fitted:
    clf, folder = _fitted(name, precision)
    return Fitted(clf, folder, _hate(n))


def _predict(data: Fitted) -> np.ndarray:
    return data.estimator.predict_proba(data.texts)


def _pipeline(data: Fitted) -> np.ndarray:
    with quiet_transformers():
        pipe = transformers.pipeline(
            "text-classification", model=data.folder, device="cpu", top_k=None
        )
    answers = pipe(
        data.texts, batch_size=32, truncation=True, max_length=_MAX_LENGTH,
        padding="max_length",
    )  # fmt: skip
    return np.array(
        [[a["score"] for a in sorted(row, key=lambda a: a["label"])] for row in answers]
    )


def _check_prediction(ours: np.ndarray, theirs: np.ndarray, *, atol: float) -> None:
    difference = np.abs(ours - theirs).max()
    assert difference < atol, f"probabilities differ by {difference}"


def _rows() -> list[Benchmark]:
    rows = []
    # (Precision, bar and aim against padding to 128, against dynamic padding.)
    bars = {"float32": ((4.5, 5.0), (2.0, 2.3)), "bfloat16": ((9.0, 12.0), (4.0, 5.0))}
    for name, size, repeats, n_threads in (
        ("mini", 384, 5, None),
        ("mini", 384, 5, 1),
        ("base", 128, 2, 1),
    ):
        for precision, both in bars.items():
            short = "" if precision == "float32" else "-bf16"
            threads = ", one thread" if n_threads else ""
            for peer, theirs, (bar, aim) in zip(
                ("pad128", "dynamic"), (_pad_to_128, _pad_batches), both, strict=True
            ):
                padding = "padding to 128" if peer == "pad128" else "dynamic padding"
                rows.append(
                    Benchmark(
                        name=f"finetune-{name}{'-1thread' if n_threads else ''}"
                        f"-{peer}{short}",
                        what=f"fine-tune BERT-{name} one epoch, {precision}{threads}",
                        peer=f"Trainer, {padding}, float32",
                        prepare=partial(
                            _prepare,
                            name=name,
                            precision=precision,
                            n_threads=n_threads,
                        ),
                        ours=_ours,
                        theirs=partial(_in_float32, theirs=theirs),
                        check=partial(_check, tolerance=1e-3 if not short else 5e-2),
                        sizes=(size,),
                        bar=bar,
                        aim=aim,
                        repeats=repeats,
                    )
                )
    for precision, (bar, aim) in {
        "float32": (4.0, 4.4),
        "bfloat16": (8.0, 9.0),
    }.items():
        short = "" if precision == "float32" else "-bf16"
        rows.append(
            Benchmark(
                name=f"predict-mini-pipeline{short}",
                what=f"predict_proba of a fine-tuned BERT-mini, {precision}",
                peer="pipeline() in batches of 32, padded to 128",
                prepare=partial(_prepare_prediction, name="mini", precision=precision),
                ours=_predict,
                theirs=_pipeline,
                check=partial(_check_prediction, atol=1e-5 if not short else 2e-2),
                sizes=(1000,),
                bar=bar,
                aim=aim,
            )
        )
    return rows


def _in_float32(data: Data, *, theirs: Any) -> Result:
    """Run the peer as a user runs it: its default is float32."""
    with _threads(data.n_threads):
        return theirs(data._replace(precision="float32"))


BENCHMARKS = _rows()
