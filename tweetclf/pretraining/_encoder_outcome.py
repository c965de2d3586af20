"""A pre-training run: what determines it, what it tells, and what it writes."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from tweetclf._version import __version__
from tweetclf.pretraining._encoder_model import count_parameters, flops_per_token
from tweetclf.pretraining.corpus.tokens import TokenFiles
from tweetclf.pretraining.encoder_settings import (
    EncoderTraining,
    EncoderTrainingResult,
)
from tweetclf.training.devices import resolve_precision
from tweetclf.training.distributed import Replicas
from tweetclf.training.loop import TrainingResult
from tweetclf.training.metrics import MetricsLog, peak_flops, tensorboard_writer
from tweetclf.utils.files import atomic_directory, sha256_file
from tweetclf.utils.hugging_face import quiet_transformers

__all__ = ["LOG_EVERY", "METRICS", "EncoderRun", "make_outcome", "watch", "write_model"]

METRICS = "metrics.jsonl"
FACTS = "pretraining.json"
LOG_EVERY = 10

Report = Callable[[dict[str, Any]], bool | None]


@dataclass(frozen=True)
class EncoderRun:
    """What the steps of a pre-training share.

    Parameters
    ----------
    files, validation : dict of str to TokenFiles
        By their paths; the second may be empty.
    training : EncoderTraining
        The settings.
    tokenizer : transformers.PreTrainedTokenizerFast
        Of the files.
    replicas : Replicas
        The processes that train together.
    device : torch.device
        Of this process.
    start : path or None
        The model to go on from.
    began : float
        Reading of ``time.perf_counter`` at the beginning.
    """

    files: dict[str, TokenFiles]
    validation: dict[str, TokenFiles]
    training: EncoderTraining
    tokenizer: Any
    replicas: Replicas
    device: torch.device
    start: str | os.PathLike[str] | None
    began: float

    @property
    def first(self) -> TokenFiles:
        """The first of the files: what they share can be read from it."""
        return next(iter(self.files.values()))

    @property
    def mean_length(self) -> float:
        """Tokens of an example, special ones included."""
        files = self.files.values()
        n_documents = sum(file.n_documents for file in files)
        n_special = sum(file.n_documents * (1 + file.n_segments) for file in files)
        n_tokens = sum(file.n_tokens for file in files)
        return min(self.training.max_length, (n_tokens + n_special) / n_documents)

    def told(self) -> dict[str, Any]:
        """Return all that determines the training, of JSON's types."""
        start = None
        if self.start is not None:
            weights = sorted(Path(self.start).glob("*.safetensors"))
            start = {path.name: sha256_file(path) for path in weights}
        told = {
            "training": asdict(self.training),
            "documents": [
                [file.manifest["documents_sha256"] for file in files.values()]
                for files in (self.files, self.validation)
            ],
            "tokenizer": self.first.manifest["tokenizer_sha256"],
            "start": start,
            # A checkpoint counts the batches that each of them has read.
            "n_processes": self.replicas.size,
        }
        return json.loads(json.dumps(told))


@contextmanager
def watch(
    run: EncoderRun,
    model: Any,
    folder: Path,
    start_step: int,
    tensorboard: str | os.PathLike[str] | None,
    report: Report | None,
) -> Iterator[Report | None]:
    """Yield what the main process does with events: write and report them."""
    if not run.replicas.is_main:
        yield None
        return
    training = run.training
    peak = peak_flops(run.device, training.precision)
    operations = flops_per_token(
        model.config, run.mean_length, training.objectives.mask_rate
    )
    with ExitStack() as stack:
        also = None
        if tensorboard is not None:
            also = stack.enter_context(tensorboard_writer(tensorboard, start_step))
        log = stack.enter_context(
            MetricsLog(
                folder / METRICS,
                start_step=start_step,
                every=LOG_EVERY,
                flops_per_token=operations,
                peak=None if peak is None else peak * run.replicas.size,
                also=also,
            )
        )

        def told(event: dict[str, Any]) -> bool | None:
            log(event)
            return None if report is None else report(event)

        yield told


def make_outcome(
    out: str | os.PathLike[str], model: Any, result: TrainingResult
) -> EncoderTrainingResult:
    """Return what came out, before it is written."""
    last = result.history[-1] if result.history else {}
    return EncoderTrainingResult(
        Path(out),
        n_parameters=count_parameters(model),
        n_steps=result.n_steps,
        scores={k: v for k, v in last.items() if k.startswith("valid_")},
        history=result.history,
    )


def write_model(
    run: EncoderRun,
    model: Any,
    outcome: EncoderTrainingResult,
    metrics: Path,
    facts: Mapping[str, Any],
) -> None:
    """Write the directory: model, tokenizer, metrics and facts."""
    # Packing is ours; whoever loads the directory chooses an attention of their own.
    model.set_attn_implementation("sdpa")
    tokenizer = run.tokenizer
    tokenizer.model_max_length = run.training.max_length
    if any(file.n_segments == 2 for file in run.files.values()):
        # Not every tokenizer says which segment a token is of; the model must know.
        names = ["input_ids", "token_type_ids", "attention_mask"]
        tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = names
    counts = ("n_documents", "n_segments", "n_tokens")
    told = {
        "format": 1,
        "tweetclf": __version__,
        **facts,
        **run.told(),
        "corpus": [
            {"name": Path(name).name, **{key: file.manifest[key] for key in counts}}
            for name, file in run.files.items()
        ],
        "pair_labels": {"1": "as it was written", "0": "turned round, or another's"},
        "n_parameters": outcome.n_parameters,
        "n_steps": outcome.n_steps,
        "scores": outcome.scores,
        "history": outcome.history,
        "machine": _machine(run),
    }
    with atomic_directory(outcome.path) as folder, quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if metrics.is_file():
            shutil.copy(metrics, folder / METRICS)
        text = json.dumps(told, indent=1, ensure_ascii=False)
        (folder / FACTS).write_text(text + "\n", "utf-8")


def _machine(run: EncoderRun) -> dict[str, Any]:
    on_gpu = run.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(run.device) if on_gpu else "cpu",
        "architecture": platform.machine(),
        "n_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "precision": resolve_precision(run.training.precision, run.device),
        "seconds_since_last_start": round(time.perf_counter() - run.began, 1),
    }
