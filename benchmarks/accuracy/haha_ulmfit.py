"""ULMFiT-QRNN against NBSVM on HAHA 2019, its language model trained here.

1. A language model is trained on all Spanish texts at hand: the train splits of the
   registered tasks and the corpora without labels. Texts of any dev or test split, the
   withheld one of HAHA included, are left out.
2. It is fine-tuned on the training texts of HAHA, without their labels.
3. Over it, a classifier is trained on four folds of HAHA and predicts the fifth, five
   times. So does NBSVM. The folds are those of benchmarks/leaderboards/haha.toml: all
   24,000 tweets, the tenth that `load_task` cuts off as dev behind the others.
4. F1 of class "humor" of all predictions, with a paired bootstrap interval of the
   difference.

Whatever is finished is kept in the work folder, and the language model is saved every
few minutes: the same command goes on from there.

    python haha_ulmfit.py --plan quick
    python haha_ulmfit.py --data-dir ../shared/data --seeds 3
    python haha_ulmfit.py --data-dir ../shared/data --set max_iter=8
    python haha_ulmfit.py --data-dir ../shared/data --plan paper --device cuda \
        --precision bfloat16

On a GPU that one training leaves idle, folds may be trained side by side, each by a
process with --fold, once the language model is there (--fold without numbers); the
command without --fold then makes the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from tweetclf import load_task
from tweetclf.estimators import ULMFiTClassifier, haha_nbsvm
from tweetclf.exceptions import DataError
from tweetclf.leaderboard.folds import make_folds, rows_together
from tweetclf.pretraining import (
    LanguageModelConfig,
    LanguageModelTraining,
    load_language_model,
    train_language_model,
)
from tweetclf.tasks import list_tasks, load_corpus
from tweetclf.tasks.corpora import stream_texts
from tweetclf.utils.files import sha256_bytes, write_text_atomic
from tweetclf.utils.random import stream

TASK = "haha-2019"
CORPORA = ("topics-es", "humor-es-2016", "news-accounts-es")
WITHHELD = ("haha/dev_unlabelled.jsonl.gz",)
SAY_EVERY = 100
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Plan:
    """Sizes and epochs; those of the paper are in `tweetclf.estimators.haha_ulmfit`.

    One epoch over the corpus, with little dropout: such a model has not seen enough
    text to be regularised much.
    """

    sizes: dict[str, Any] = field(
        default_factory=lambda: {
            "vocab_size": 6_000,
            "emb_size": 200,
            "hidden_size": 500,
            "n_layers": 2,
        }
    )
    pretraining: tuple[Any, ...] = ((1, 5e-3),)
    fine_tuning: tuple[Any, ...] = ((3, 3e-3),)
    lm_dropout: tuple[float, float] = (0.2, 0.5)
    classifier: dict[str, Any] = field(
        default_factory=lambda: {
            "head_iter": 1,
            "max_iter": 5,
            "learning_rate": 1e-2,
            "dropout_multiplier": 0.5,
            "oversampling": "bootstrap",
        }
    )
    batch_size: int = 32
    n_texts: int | None = None
    n_folds: int = 5


# The sizes, rates and dropouts of the paper; fewer epochs of the language model (16 and
# 15 there) and of the classifier (2 and 15 there).
PAPER = Plan(
    sizes={"vocab_size": 30_000, "emb_size": 400, "hidden_size": 2304, "n_layers": 3},
    pretraining=((1, 5e-3), (5, 1e-3, (0.6, 0.4), 0.2)),
    fine_tuning=((3, 3e-3), (3, 1e-4, (0.7, 0.6), 0.2)),
    lm_dropout=(1.0, 1.0),
    classifier={"head_iter": 2, "max_iter": 8, "oversampling": "bootstrap"},
    batch_size=64,
)
QUICK = Plan(
    sizes={"vocab_size": 1_000, "emb_size": 48, "hidden_size": 64, "n_layers": 2},
    pretraining=((2, 1e-2),),
    fine_tuning=((1, 3e-3),),
    batch_size=16,
    n_texts=400,
    n_folds=2,
)
PLANS = {"cpu": Plan(), "paper": PAPER, "quick": QUICK}


def say(message: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {message}", flush=True)


def spanish_texts(data_dir: str | None) -> list[str]:
    """Return the different Spanish texts that may be learnt from, in a fixed order."""
    allowed: dict[str, None] = {}
    forbidden: set[str] = set()
    for info in list_tasks():
        if not info.language.startswith("es") or info.name.startswith("sample-"):
            continue
        try:
            task = load_task(info.name, data_dir=data_dir, holdout=False)
        except DataError:
            continue  # its data are not at hand
        for name, split in task.splits.items():
            sides = [t for text in split.texts for t in _sides(text)]
            if name == "train":
                allowed.update(dict.fromkeys(sides))
            else:
                forbidden.update(map(_key, sides))
    for name in CORPORA:
        allowed.update(dict.fromkeys(load_corpus(name, data_dir=data_dir).texts))
    folder = Path(data_dir or os.environ.get("TWEETCLF_DATA", "."))
    for name in WITHHELD:
        if (folder / name).exists():
            forbidden.update(map(_key, stream_texts(folder / name, text="text")))
    return [text for text in allowed if _key(text) not in forbidden]


def _sides(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


class Work:
    """What is finished, in a folder; how long each part took, in a file there."""

    def __init__(self, folder: Path, plan: Plan, options: argparse.Namespace) -> None:
        self.folder = folder
        self.plan = plan
        self.options = options
        folder.mkdir(parents=True, exist_ok=True)
        self._check_plan(folder / "plan.json")

    def _check_plan(self, path: Path) -> None:
        """Refuse a folder of another plan: its parts would be taken for this one's.

        The classifier is not looked at: its parts have names of their own.
        """
        plan = asdict(self.plan)
        del plan["classifier"]
        plan |= {
            "texts": self.options.texts,
            "tweets": "train and dev",
            "device": _device(self.options.device),
            "precision": self.options.precision,
        }
        text = json.dumps(plan, indent=1) + "\n"
        if not path.exists() and any(self.folder.iterdir()):
            raise SystemExit(
                f"haha_ulmfit.py: {self.folder} holds files and no {path.name}. Give "
                "an empty folder as --work."
            )
        if path.exists() and path.read_text("utf-8") != text:
            raise SystemExit(
                f"haha_ulmfit.py: {self.folder} is of other sizes, stages, texts, "
                f"device or precision, see {path}. Give another folder as --work, or "
                "remove it."
            )
        write_text_atomic(path, text)

    def _done(self, name: str, make: Any) -> Any:
        path = self.folder / f"{name}.json"
        if not path.exists():
            say(name)
            self._clock = self.folder / f"{name}.seconds"
            self._start = time.perf_counter()
            # What a run that was interrupted took is counted too.
            if self._clock.exists():
                self._start -= float(self._clock.read_text("utf-8"))
            document = make()
            document["seconds"] = round(time.perf_counter() - self._start, 1)
            write_text_atomic(path, json.dumps(document))
            self._clock.unlink(missing_ok=True)
        return json.loads(path.read_text("utf-8"))

    def _progress(self, event: dict[str, Any]) -> None:
        if event["kind"] == "epoch":
            measured = event["valid_perplexity"]
            say(
                f"  epoch {event['epoch'] + 1}: loss {event['loss']:.3f}, perplexity "
                f"{measured:.1f}"
            )
        elif event["kind"] == "step" and event["step"] % SAY_EVERY == 0:
            say(f"  step {event['step']}: loss {event['loss']:.3f}")
            seconds = time.perf_counter() - self._start
            write_text_atomic(self._clock, f"{seconds:.1f}")

    def pretrained(self, data_dir: str | None) -> dict[str, Any]:
        """Train the language model on the corpus, unless it is there."""

        def make() -> dict[str, Any]:
            start = time.perf_counter()
            texts = self._corpus(data_dir)
            self._start += time.perf_counter() - start  # reading is not training
            order = stream(0, "corpus").permutation(len(texts))
            texts = [texts[i] for i in order[: self.options.texts]]
            say(f"  {len(texts)} texts")
            self._language_model("pretrained", texts, self.plan.pretraining)
            return {"n_texts": len(texts)}

        return self._done("pretrained-model", make)

    def _corpus(self, data_dir: str | None) -> list[str]:
        path = self.folder / "corpus.json"
        if not path.exists():
            write_text_atomic(path, json.dumps(spanish_texts(data_dir)))
        texts: list[str] = json.loads(path.read_text("utf-8"))
        return texts

    def fine_tuned(self, texts: list[str]) -> dict[str, Any]:
        """Fine-tune it on the texts of the task, unless that is done."""

        def make() -> dict[str, Any]:
            start = load_language_model(self.folder / "pretrained")
            model = self._language_model(
                "fine-tuned", texts, self.plan.fine_tuning, start
            )
            return {"perplexity": model.history[-1]["valid_perplexity"]}

        return self._done("fine-tuned-model", make)

    def _language_model(
        self, name: str, texts: list[str], stages: Any, start: Any = None
    ) -> Any:
        if (self.folder / name).exists():
            return load_language_model(self.folder / name)
        training = LanguageModelTraining(
            stages=stages,
            batch_size=self.plan.batch_size,
            dropout_multiplier=self.plan.lm_dropout[start is not None],
            validation_fraction=0.02,
        )
        model = train_language_model(
            texts,
            None if start else LanguageModelConfig(**self.plan.sizes),
            training,
            start=start,
            device=self.options.device,
            precision=self.options.precision,
            checkpoint=self.folder / "checkpoints",
            checkpoint_every=self.options.checkpoint_every,
            report=self._progress,
        )
        model.save(self.folder / name)
        return model

    def predicted(self, name: str, make: Any, texts: Any, y: Any, fold: Any) -> Any:
        """Return what a model predicts for a fold that it has not seen."""
        inside, outside = fold

        def run() -> dict[str, Any]:
            model = make().fit([texts[i] for i in inside], y[inside])
            predicted = model.predict([texts[i] for i in outside])
            score = f1_score(y[outside], predicted)
            say(f"  F1 {score:.4f}")
            return {"predicted": predicted.tolist()}

        return self._done(name, run)


def _scores(y: Any, predicted: Any) -> dict[str, float]:
    return {
        "accuracy": accuracy_score(y, predicted),
        "precision": precision_score(y, predicted),
        "recall": recall_score(y, predicted),
        "f1": f1_score(y, predicted),
    }


def _interval(y: Any, ours: Any, theirs: Any, n_draws: int = 2000) -> list[float]:
    """Return the 95 % interval of the difference in F1, texts drawn in pairs."""
    generator = stream(0, "bootstrap")
    differences = []
    for _ in range(n_draws):
        rows = generator.integers(len(y), size=len(y))
        differences.append(_f1(y[rows], ours[rows]) - _f1(y[rows], theirs[rows]))
    return [float(q) for q in np.quantile(differences, [0.025, 0.975])]


def _f1(y: Any, predicted: Any) -> float:
    right = float((y & predicted).sum())
    return 2 * right / max(1.0, float(y.sum() + predicted.sum()))


def _report(document: dict[str, Any]) -> str:
    lines = [
        "# ULMFiT-QRNN and NBSVM on HAHA 2019",
        "",
        f"{document['n_texts']:,} tweets, {document['n_folds']} folds, out-of-fold "
        'predictions pooled; F1 is of class "humor".',
        "",
        "| system | seed | accuracy | precision | recall | F1 | seconds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in document["rows"]:
        numbers = [row["scores"][k] for k in ("accuracy", "precision", "recall", "f1")]
        cells = [
            row["system"],
            "" if row["seed"] is None else str(row["seed"]),
            *(f"{number:.4f}" for number in numbers),
            f"{row['seconds']:,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    low, high = document["interval"]
    model = document["language_model"]
    lines += [
        "",
        f"Difference in F1, first seed: {document['difference']:+.4f} (95 % interval "
        f"{low:+.4f} to {high:+.4f}, paired bootstrap over tweets).",
        "",
        f"Language model: {model['sizes']}; {model['n_texts']:,} different texts, "
        f"pre-training {model['seconds'][0]:,.0f} s, fine-tuning "
        f"{model['seconds'][1]:,.0f} s, perplexity after it "
        f"{model['perplexity']:.1f} a piece; it was fine-tuned on the tweets of all "
        f"folds, without labels. Classifier: {document['classifier']}. "
        f"{document['machine']}. Seconds are of one run, on a machine that may have "
        "had other work.",
        "",
        "Published, on the withheld test set: NBSVM .7548, ULMFiT-QRNN .8099 (Farzin, "
        "Czapla and Howard, IberLEF 2019, Table 3).",
        "",
    ]
    return "\n".join(lines)


def _rows(
    work: Work, texts: list[str], y: Any, folds: list[Any]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Run both systems on all folds; return a row and the predictions of each."""
    plan, options = work.plan, work.options

    def ulmfit(seed: int) -> ULMFiTClassifier:
        return ULMFiTClassifier(
            language_model=str(work.folder / "fine-tuned"),
            fine_tuning=(),  # done once, for all folds
            device=options.device,
            precision=options.precision,
            random_state=seed,
            **plan.classifier,
        )

    variant = json.dumps(plan.classifier, sort_keys=True).encode()
    systems: list[tuple[str, int | None, Any]] = [("haha-nbsvm", None, haha_nbsvm)]
    for seed in range(options.seeds):
        systems.append(("haha-ulmfit-qrnn", seed, lambda seed=seed: ulmfit(seed)))
    rows, predictions = [], []
    for system, seed, make in systems:
        predicted = np.zeros(len(y), dtype=np.int64)
        seconds = 0.0
        for number, fold in enumerate(folds):
            if options.fold is not None and number not in options.fold:
                continue
            name = f"{system}-fold-{number}"
            if seed is not None:
                name += f"-seed-{seed}-{sha256_bytes(variant)[:8]}"
            part = work.predicted(name, make, texts, y, fold)
            predicted[fold[1]] = part["predicted"]
            seconds += part["seconds"]
        if options.fold is not None:
            continue
        scores = _scores(y, predicted)
        say(f"{system}, seed {seed}: F1 {scores['f1']:.4f}")
        rows.append(
            {"system": system, "seed": seed, "scores": scores, "seconds": seconds}
        )
        predictions.append(predicted)
    return rows, predictions


def _device(name: str) -> str:
    return torch.cuda.get_device_name(name) if name.startswith("cuda") else name


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", help="folder of the public datasets")
    parser.add_argument("--work", help="folder of what is finished (build/...)")
    parser.add_argument(
        "--plan",
        choices=PLANS,
        default="cpu",
        help="sizes for an hour of a CPU, of the paper, or of a few hundred tweets",
    )
    parser.add_argument("--seeds", type=int, default=1, help="classifiers a fold")
    parser.add_argument("--texts", type=int, help="pre-train on so many texts alone")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="another parameter of the classifier; the language model is kept",
    )
    parser.add_argument(
        "--fold",
        type=int,
        nargs="*",
        help="train on these folds alone, from 0 on, and write no table",
    )
    parser.add_argument(
        "--checkpoint-every",
        type=int,
        default=100,
        metavar="STEPS",
        help="save the training of the language model so often (default: 100)",
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--precision", choices=["float32", "bfloat16", "auto"], default="float32"
    )
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    """Return the plan that the options ask for; they are completed."""
    plan = PLANS[options.plan]
    if options.plan == "quick" and options.texts is None:
        options.texts = 2_000
    for text in options.set:
        parameter, _, value = text.partition("=")
        plan.classifier[parameter] = json.loads(value)
    return plan


def main() -> None:
    """Run what is not finished yet, and write the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    plan = _plan(options)
    name = "haha_ulmfit" if options.plan == "cpu" else f"haha_ulmfit_{options.plan}"
    work = Work(Path(options.work or f"build/{name}"), plan, options)

    task = load_task(TASK, data_dir=options.data_dir)
    splits = [task.train, task.splits["dev"]]
    texts = [text for split in splits for text in split.texts][: plan.n_texts]
    labels = np.concatenate([split.labels for split in splits])[: plan.n_texts]
    y = (labels == "humor").astype(np.int64)
    folds = make_folds(labels, rows_together(splits)[: plan.n_texts], plan.n_folds)

    pretrained = work.pretrained(options.data_dir)
    fine_tuned = work.fine_tuned(texts)
    rows, predictions = _rows(work, texts, y, folds)
    if options.fold is not None:
        return
    document = {
        "n_texts": len(texts),
        "n_folds": plan.n_folds,
        "rows": rows,
        "difference": rows[1]["scores"]["f1"] - rows[0]["scores"]["f1"],
        "interval": _interval(y, predictions[1], predictions[0]),
        "classifier": plan.classifier,
        "language_model": {
            "sizes": plan.sizes,
            "stages": [plan.pretraining, plan.fine_tuning],
            "n_texts": pretrained["n_texts"],
            "perplexity": fine_tuned["perplexity"],
            "seconds": [pretrained["seconds"], fine_tuned["seconds"]],
        },
        "machine": f"{options.threads} threads, {platform.machine()}, "
        f"{_device(options.device)}, {options.precision}, torch {torch.__version__}",
    }
    folder = work.folder if options.plan == "quick" else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomic(folder / f"{name}.json", json.dumps(document, indent=1) + "\n")
    write_text_atomic(folder / f"{name}.md", _report(document))
    print(_report(document))


if __name__ == "__main__":
    main()
