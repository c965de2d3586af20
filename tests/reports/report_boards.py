"""Leaderboards made by hand, as varied as real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tweetclf.leaderboard.ranking import Entry, Leaderboard, Overall, TaskBoard
from tweetclf.leaderboard.records import Cost, Protocol, RunRecord, RunSpec, TaskFacts
from tweetclf.tasks.published import PublishedResult

MACRO = "f1|average:macro|zero:0|v1"
IRONY = "f1|average:binary|pos:irony|zero:0|v1"
RMSE = "rmse|v1"

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=http://evil.example/x onerror=alert(1)>",
    "]]>--><!--",
    "a|b\\|c | d",
    "50% & $x_1^2$ #1 {~} \\input{/etc/passwd}",
    "line one\nline two\r\n\ttab",
    "\u202egnp.exe\u202c",
    '=HYPERLINK("http://evil.example")',
    "{{ 7*7 }}{% raw %}",
    "日本語の分類器 🇪🇸👩‍👩‍👧 نموذج",
    "half \ud83d surrogate \x00 \x1b[31m",
    "`code` **bold** [x](javascript:alert(1)) www.evil.example",
    "' onmouseover='alert(1)\" x=\"",
]


def facts(name: str = "tweeteval-irony", **changes: Any) -> TaskFacts:
    found = TaskFacts(
        name=name,
        version="1.0",
        language="en",
        kind="binary",
        metric=IRONY,
        metric_options={},
        greater_is_better=True,
        label_names=("non-irony", "irony"),
        data={"train": "a" * 64, "test": "b" * 64},
        sizes={"train": 2862, "dev": 955, "test": 784},
    )
    return replace(found, **changes)


def run(
    task: TaskFacts,
    system: str,
    score: float | None = 0.5,
    *,
    seed: int = 0,
    fit: float = 1.5,
    memory: int | None = 120_000_000,
    warnings: Sequence[str] = (),
    error: str | None = None,
    selected: Mapping[str, Any] | None = None,
    folds: Sequence[float] = (),
    evaluation: str = "test",
    cpu: str = "Example CPU @ 2.50GHz",
) -> RunRecord:
    spec = RunSpec(
        task=task,
        system=system,
        target=f"tweetclf.estimators:{system}",
        arguments={},
        grid={"C": [0.1, 1]} if selected else None,
        seed=seed,
        protocol=Protocol(evaluation, grid=bool(selected)),
        version="0.1.0",
    )
    environment = {
        "cpu": cpu,
        "cores": 2,
        "memory_bytes": 16_000_000_000,
        "system": "Linux x86_64",
        "versions": {"python": "3.11.7", "tweetclf": "0.1.0", "scikit-learn": "1.9.1"},
    }
    if error is not None:
        return RunRecord(
            spec,
            "failed",
            error=error,
            environment=environment,
            created="2025-06-01T10:00:00+00:00",
        )
    model = round(fit * 1.1e6) + 900 if fit == fit else None
    scores = {"official": score, "accuracy": 0.7} if score is not None else {}
    return RunRecord(
        spec,
        "finished",
        scores={evaluation: scores, "dev": {"official": 0.66}},
        fold_scores=tuple(folds),
        selected=selected,
        candidates=({"params": {"C": 0.1}, "score": 0.6},) if selected else (),
        cost=Cost(fit, 0.0, 0.05 + fit / 40, 784, memory, model),
        environment=environment,
        warnings=tuple(warnings),
        created="2025-06-01T10:00:00+00:00",
    )


def entry(
    task: TaskFacts,
    system: str,
    score: float,
    *,
    half: float = 0.03,
    rank: int = 1,
    p: float = 1.0,
    n_seeds: int = 1,
    folds: Sequence[float] = (),
    **how: Any,
) -> Entry:
    steps = np.linspace(-0.004, 0.004, n_seeds) if n_seeds > 1 else [0.0]
    seeds = tuple(float(score + step) for step in steps)
    runs = tuple(
        run(task, system, value, seed=seed, folds=folds, **how)
        for seed, value in enumerate(seeds)
    )
    return Entry(
        system,
        score,
        score - half,
        score + half,
        seeds,
        tuple(folds),
        rank,
        p,
        runs,
    )


SYSTEMS = [
    # system, drop from the best, p, fit seconds
    ("atalaya-svm", 0.0, 1.0, 41.0),
    ("nbsvm", 0.004, 0.71, 1.9),
    ("char-svm", 0.011, 0.22, 2.4),
    ("tfidf-lr", 0.03, 0.02, 0.9),
    ("haha-nbsvm", 0.033, 0.015, 1.1),
    ("atalaya-lr", 0.034, 0.01, 38.0),
    ("sif-svm", 0.06, 0.001, 30.0),
    ("word-svm", 0.061, 0.001, 0.95),
    ("ridge", 0.08, 0.0005, 0.93),
    ("fasttext", 0.1, 0.0005, 12.0),
    ("stratified", 0.22, 0.0005, 0.004),
    ("majority", 0.45, 0.0005, 0.003),
]


def board(
    task: TaskFacts | None = None,
    *,
    n_systems: int = 12,
    best: float = 0.652,
    n_seeds: int = 3,
    split: str = "test",
    **changes: Any,
) -> TaskBoard:
    task = task or facts()
    entries = []
    for place, (system, drop, p, fit) in enumerate(SYSTEMS[:n_systems], start=1):
        sign = 1 if task.greater_is_better else -1
        entries.append(
            entry(
                task,
                system,
                best - sign * drop,
                rank=place,
                p=p,
                fit=fit,
                n_seeds=n_seeds,
                evaluation=split,
                folds=(0.61, 0.66, 0.63, 0.65, 0.64) if split == "cv" else (),
                warnings=("constant predictions: non-irony for every tweet",)
                if system == "majority"
                else (),
                selected={"svm__C": 0.1, "features__bow__ngram_range": [1, 2]}
                if "svm" in system
                else None,
            )
        )
    n = len(task.label_names)
    confusion = None
    if n:
        rng = np.random.default_rng(n)
        confusion = rng.poisson(40 / n, (n, n)) + np.diag(rng.poisson(90, n))
    built = TaskBoard(
        task,
        split,
        task.sizes.get(split, 784),
        tuple(entries),
        confusion=confusion,
        n_test_scorings=n_systems * n_seeds if split == "test" else None,
    )
    return replace(built, **changes)


def quoted(
    system: str,
    task: TaskFacts,
    score: float,
    *,
    signature: str | None = None,
    split: str = "test",
    source: str = "arXiv:2010.12421",
    note: str = "",
) -> PublishedResult:
    signature = task.metric if signature is None else signature
    return PublishedResult(
        system, task.name, signature, split, score, source, note, task.version
    )


def published(task: TaskFacts) -> tuple[PublishedResult, ...]:
    return (
        quoted("RoBERTa-Retrained", task, 0.617),
        quoted("SVM", task, 0.6, note="words and characters"),
        quoted("BERTweet", task, 0.821, source="arXiv:2005.10200"),
        quoted("Other metric", task, 0.7, signature=MACRO, source="x"),
        quoted("Other split", task, 0.9, split="dev", source="x"),
    )


EMOJI = (
    *("❤", "😍", "😂", "💕", "🔥", "😊", "😎", "✨", "💙", "😘", "📷", "🇺🇸", "☀"),
    *("💜", "😉", "💯", "😁", "🎄", "📸", "😜"),
)


def twenty() -> TaskBoard:
    task = facts(
        "tweeteval-emoji",
        kind="multiclass",
        metric=MACRO,
        label_names=EMOJI,
        sizes={"train": 45000, "dev": 5000, "test": 50000},
    )
    return board(task, n_systems=5, best=0.302, n_seeds=1)


def funniness(split: str = "cv") -> TaskBoard:
    task = facts(
        "haha-funniness",
        language="es",
        kind="regression",
        metric=RMSE,
        greater_is_better=False,
        label_names=(),
        sizes={"train": 24000, "cv": 24000},
    )
    return board(task, n_systems=4, best=0.92, split=split, n_seeds=2)


def overall(boards: Sequence[TaskBoard]) -> tuple[Overall, ...]:
    names = [e.system for e in boards[0].entries]
    names = [
        n for n in names if all(n in {e.system for e in b.entries} for b in boards)
    ]
    same = all(b.facts.greater_is_better for b in boards)
    rows = []
    for place, name in enumerate(names, start=1):
        scores = {
            b.facts.name: next(e.score for e in b.entries if e.system == name)
            for b in boards
        }
        mean = float(np.mean(list(scores.values()))) if same else float("nan")
        rows.append(
            Overall(name, place + 0.17, mean, mean - 0.012, mean + 0.012, scores)
        )
    return tuple(rows)


def rich() -> Leaderboard:
    """Return a leaderboard with everything in it."""
    irony = facts()
    first = board(
        irony,
        published=published(irony),
        failed=(
            run(
                irony,
                "word-vectors",
                seed=1,
                error="ValueError: empty vocabulary; perhaps the documents only "
                "contain stop words (ngrams.py:112 in fit)",
            ),
        ),
        n_test_scorings=57,
    )
    boards = (first, twenty(), board(facts("tweeteval-hate", metric=MACRO)))
    return Leaderboard(
        "TweetEval, classical systems",
        boards,
        overall(boards),
        (
            ("tweeteval-sentiment", None, "no data; run: tweetclf fetch tweeteval"),
            ("tweeteval-irony", "fasttext-vec", "needs gensim, which is not installed"),
        ),
        2000,
    )


def hostile() -> Leaderboard:
    """Return a leaderboard in which every name attacks."""
    task = facts(
        HOSTILE[0],
        label_names=tuple(HOSTILE),
        kind="multiclass",
        metric=f"f1|average:binary|pos:{HOSTILE[1]}|zero:0|v1",
        language=HOSTILE[2],
        version=HOSTILE[3],
    )
    entries = tuple(
        entry(
            task,
            name,
            0.7 - place / 50,
            rank=place,
            p=0.3,
            warnings=(name, "never predicted: " + name),
            selected={name: name},
            fit=0.5 * place,
            cpu=name,
        )
        for place, name in enumerate(HOSTILE, start=1)
    )
    results = tuple(
        quoted(name, task, 0.5, signature=metric, source=name, note=name)
        for name in HOSTILE
        for metric in (task.metric, name)
    )
    n = len(HOSTILE)
    attacked = TaskBoard(
        task,
        "test",
        784,
        entries,
        tuple(run(task, name, error=f"ValueError: {name}") for name in HOSTILE),
        results,
        np.eye(n, dtype=np.int64) * 5,
        99,
    )
    second = board(facts(HOSTILE[5]), n_systems=2)
    return Leaderboard(
        HOSTILE[0] + HOSTILE[5],
        (attacked, second),
        (),
        tuple((name, other, name) for name in HOSTILE for other in (None, name)),
        2000,
    )
