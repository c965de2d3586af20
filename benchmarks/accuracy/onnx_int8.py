"""What int8 weights cost in score: a fine-tuned model beside its ONNX exports.

``python benchmarks/accuracy/onnx_int8.py MODEL TASK`` fine-tunes the model in the
directory MODEL on the training split of TASK, and scores it and its exports on dev.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tweetclf import load_task
from tweetclf.estimators import TransformerClassifier
from tweetclf.features import OnnxEncoder, export_onnx


def _timed(call: Callable[[Any], np.ndarray], texts: Any) -> tuple[np.ndarray, float]:
    call(texts[:64])
    start = time.perf_counter()
    answer = call(texts)
    return answer, time.perf_counter() - start


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="directory of a model, such as a BERT")
    parser.add_argument("task", help="a task with single texts, one label each")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    task = load_task(arguments.task, data_dir=os.environ.get("TWEETCLF_DATA"))
    texts, gold = task.dev
    clf = TransformerClassifier(
        model=arguments.model,
        max_iter=arguments.epochs,
        precision="float32",
        random_state=arguments.seed,
    ).fit(*task.train)
    expected, seconds = _timed(clf.predict_proba, texts)
    print(f"{task.name}, {len(texts):,} tweets of dev, {task.metric.name}")
    print("| weights | score | labels changed | largest difference | seconds | MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain")
        clf.save_pretrained(plain)
        size = (plain / "model.safetensors").stat().st_size
        rows = [("torch, float32", expected, seconds, size)]
        model = AutoModelForSequenceClassification.from_pretrained(plain)
        tokenizer = AutoTokenizer.from_pretrained(plain)
        for quantize in (None, "int8"):
            export = export_onnx(
                model, Path(folder, str(quantize)), tokenizer=tokenizer,
                quantize=quantize,
            )  # fmt: skip
            logits, seconds = _timed(OnnxEncoder(export.path).transform, texts)
            name = f"ONNX, {quantize or 'float32'}"
            rows.append((name, softmax(logits, axis=1), seconds, export.n_bytes))
    labels = expected.argmax(axis=1)
    for name, found, seconds, size in rows:
        score = task.metric(gold, clf.classes_[found.argmax(axis=1)])
        changed = np.mean(found.argmax(axis=1) != labels)
        print(
            f"| {name} | {score:.4f} | {changed:.2%} "
            f"| {np.abs(found - expected).max():.4f} | {seconds:.2f} "
            f"| {size / 1e6:.1f} |"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
