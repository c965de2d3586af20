"""Fine-tuning and prediction of a BERT-base, beside `Trainer` and `pipeline()`."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from gpu_tools import (
    DEVICE,
    PRECISION,
    Sizes,
    free,
    now,
    peak_gib,
    seen_length,
    share,
    tweet_lengths,
)
from tokenizers.implementations import BertWordPieceTokenizer
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from tweetclf.estimators import TransformerClassifier
from tweetclf.estimators._neural_compute import Job
from tweetclf.estimators._transformer_compute import fine_tune
from tweetclf.pretraining._encoder_model import flops_per_token
from tweetclf.utils.hugging_face import quiet_transformers

_FOLDER = tempfile.TemporaryDirectory(prefix="tweetclf-gpu-")
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_MAX_LENGTH = 128


@lru_cache
def _words(n: int) -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    rng = np.random.default_rng(0)
    made = ("".join(word) for word in rng.choice(letters, (2 * n, 6)))
    return list(dict.fromkeys(made))[:n]


@lru_cache
def _model(toy: bool) -> str:
    """Write a BERT of random weights and a tokenizer that knows words of its own."""
    sizes = Sizes(toy)
    words = _words(sizes(30_000, 300) - len(_SPECIAL))
    vocabulary = {word: k for k, word in enumerate([*_SPECIAL, *words])}
    tokenizer = transformers.BertTokenizerFast(
        tokenizer_object=BertWordPieceTokenizer(vocabulary)._tokenizer
    )
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        num_hidden_layers=sizes(12, 1),
        hidden_size=sizes(768, 32),
        num_attention_heads=sizes(12, 2),
        intermediate_size=sizes(3072, 64),
        pad_token_id=0,
    )
    folder = Path(_FOLDER.name) / "bert"
    with quiet_transformers():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _tweets(n: int, toy: bool, seed: int) -> tuple[list[str], np.ndarray]:
    """Return texts, one token a word, and their lengths with special tokens."""
    words = np.array(_words(Sizes(toy)(30_000, 300) - len(_SPECIAL)))
    lengths = tweet_lengths(n, seed)
    rng = np.random.default_rng(seed)
    chosen = np.split(rng.choice(words, lengths.sum()), np.cumsum(lengths)[:-1])
    return [" ".join(row) for row in chosen], lengths + 2


def _classifier(batch_size: int, toy: bool) -> TransformerClassifier:
    return TransformerClassifier(
        model=_model(toy),
        max_length=_MAX_LENGTH,
        max_iter=1,
        batch_size=batch_size,
        learning_rate=2e-5,
        precision=PRECISION,
        random_state=0,
    )


class _Clock(transformers.TrainerCallback):
    """Takes the time from the end of step `skip` to the end of training."""

    def __init__(self, skip: int) -> None:
        self.skip = skip
        self.start = self.stop = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        if state.global_step == self.skip:
            self.start = now()

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.stop = now()


def _trainer(texts: list[str], batch_size: int, skip: int, padding: Any) -> float:
    """Return the seconds that `Trainer` takes for the steps after the first `skip`."""
    with quiet_transformers():
        torch.manual_seed(0)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            Path(_FOLDER.name) / "bert", num_labels=2
        )
    tokenizer = transformers.AutoTokenizer.from_pretrained(Path(_FOLDER.name) / "bert")
    encoded = tokenizer(texts, truncation=True, max_length=_MAX_LENGTH, padding=padding)
    names = ("input_ids", "attention_mask", "token_type_ids")
    rows = [
        {**{name: encoded[name][k] for name in names}, "labels": k % 2}
        for k in range(len(texts))
    ]
    clock = _Clock(skip)
    with tempfile.TemporaryDirectory() as out:
        arguments = transformers.TrainingArguments(
            output_dir=out,
            per_device_train_batch_size=batch_size,
            num_train_epochs=1,
            learning_rate=2e-5,
            weight_decay=0.01,
            optim="adamw_torch_fused" if DEVICE.type == "cuda" else "adamw_torch",
            bf16=PRECISION == "bfloat16",
            use_cpu=DEVICE.type == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = transformers.Trainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
            callbacks=[clock],
        )
        trainer.train()
    return clock.stop - clock.start


def fine_tuning(
    sizes: Sizes,
    ceiling: dict[str, float],
    *,
    batch_size: int,
    n_steps: int,
    peers: bool,
) -> dict[str, Any]:
    """Fine-tune for some steps; return rates of ours and of `Trainer`.

    Ours is the training of an estimator's `fit`, tokenizer included; the Trainer is
    given tokens, and its first steps are left out.
    """
    batch_size, n_steps = sizes((batch_size, n_steps), (4, 4))
    skip = max(1, n_steps // 5)
    texts, lengths = _tweets(batch_size * n_steps, sizes.toy, 1)
    labels = np.arange(len(texts)) % 2
    clf = _classifier(batch_size, sizes.toy)
    # Compiles, fills caches and lets the allocator see the sizes that come.
    clf.fit(texts[: batch_size * skip], labels[: batch_size * skip])
    module = clf.module_
    free()
    start = now()
    fine_tune(clf, Job(module, texts, labels, None, 0))
    seconds = now() - start
    config = module.model.config
    costs = flops_per_token(config, seen_length(lengths), 0.0)
    found = {
        "batch_size": batch_size,
        "mean_length": float(lengths.mean()),
        "plan": clf.plan_,
        "precision": PRECISION,
        "ms_per_step": 1000 * seconds / n_steps,
        "peak_gib": peak_gib(),
        **share(lengths.sum() / seconds, costs, ceiling),
    }
    del module, clf
    if not peers:
        return found
    tokens = lengths.mean() * batch_size * (n_steps - skip)
    for name, padding in (("dynamic", False), ("pad128", "max_length")):
        free()
        taken = _trainer(texts, batch_size, skip, padding)
        rate = tokens / taken
        found[f"trainer_{name}_tokens_per_second"] = rate
        found[f"ratio_to_trainer_{name}"] = found["tokens_per_second"] / rate
    return found


def kernels(sizes: Sizes, ceiling: dict[str, float], *, n_steps: int) -> dict[str, Any]:
    """Return what fine-tuning with 32 tweets a batch makes the GPU do in a step.

    Where its kernels and copies take less time than the step, the rest is the CPU's:
    it launches them one by one.
    """
    batch_size = sizes(32, 4)
    texts, _ = _tweets(batch_size * n_steps, sizes.toy, 1)
    labels = np.arange(len(texts)) % 2
    clf = _classifier(batch_size, sizes.toy).fit(texts, labels)
    job = Job(clf.module_, texts, labels, None, 0)
    start = now()
    fine_tune(clf, job)
    seconds = now() - start
    activities = [ProfilerActivity.CPU]
    if DEVICE.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiled:
        fine_tune(clf, job)
        now()
    on_gpu = [
        event
        for event in profiled.key_averages()
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
    busy = sum(event.self_device_time_total for event in on_gpu)
    return {
        "batch_size": batch_size,
        "precision": PRECISION,
        "ms_per_step": 1000 * seconds / n_steps,
        "kernels_per_step": sum(event.count for event in on_gpu) / n_steps,
        "kernel_ms_per_step": busy / 1000 / n_steps,
    }


def _pipeline(folder: str, texts: list[str], dtype: torch.dtype) -> tuple[Any, float]:
    with quiet_transformers():
        pipe = transformers.pipeline(
            "text-classification", model=folder, device=DEVICE, dtype=dtype, top_k=None
        )
    options = {"batch_size": 64, "truncation": True, "max_length": _MAX_LENGTH}
    pipe(texts[:128], **options)
    start = now()
    answers = pipe(texts, **options)
    seconds = now() - start
    rows = [[a["score"] for a in sorted(r, key=lambda a: a["label"])] for r in answers]
    return np.array(rows), seconds


def prediction(
    sizes: Sizes, ceiling: dict[str, float], *, precision: str
) -> dict[str, Any]:
    """Predict for tweets; return rates of ours and of `pipeline()`."""
    texts, lengths = _tweets(sizes(10_000, 20), sizes.toy, 2)
    clf = _classifier(32, sizes.toy)
    clf.fit(texts[:64], [k % 2 for k in range(len(texts[:64]))])
    clf.set_params(precision=precision)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "fitted"
        clf.save_pretrained(folder)
        clf.predict_proba(texts[:2000])
        free()
        start = now()
        ours = clf.predict_proba(texts)
        seconds = now() - start
        peak = peak_gib()
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        theirs, taken = _pipeline(str(folder), texts, dtype)
    costs = flops_per_token(clf.module_.model.config, seen_length(lengths), 0.0) / 3
    return {
        "tweets": len(texts),
        "precision": precision,
        "peak_gib": peak,
        "tweets_per_second": len(texts) / seconds,
        "pipeline_tweets_per_second": len(texts) / taken,
        "ratio_to_pipeline": taken / seconds,
        "largest_difference": float(np.abs(ours - theirs).max()),
        **share(lengths.sum() / seconds, costs, ceiling),
    }
