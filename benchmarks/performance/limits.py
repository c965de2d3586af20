"""Where the time goes in the rows that stay below their bar.

``python benchmarks/performance/limits.py [NAME ...]``; names are the functions below.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

from harness import tweets


@contextmanager
def _timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"  {what:58} {time.perf_counter() - start:8.3f} s")


def atalaya() -> None:
    """Fit the Atalaya pipeline on HAHA: features, then liblinear."""
    import bench_atalaya

    from tweetclf.estimators import atalaya_svm
    from tweetclf.preprocessing._cache import clear_caches

    texts, labels, new, vectors = bench_atalaya.prepare(24_000)
    model = atalaya_svm(vectors=vectors)
    model.set_params(features__bow__tokenizer__lemmatizer=None)
    model[:-1].fit_transform(texts[:2_000])
    clear_caches()
    for name, part in model.named_steps["features"].transformer_list:
        with _timed(f"features: {name}, fit_transform"):
            part.fit_transform(texts)
    matrix = model[:-1].fit_transform(texts)
    with _timed("scikit-learn's LinearSVC (liblinear), which both sides fit"):
        model[-1].fit(matrix, labels)
    with _timed(f"predict {len(new):,} others"):
        model.predict(new)


def leaderboard() -> None:
    """Run the nine systems of the whole leaderboard on hate: selection, final fits."""
    import tempfile

    import bench_search

    tasks = bench_search.prepare_tasks(bench_search.ALL)[-1:]
    with tempfile.TemporaryDirectory() as folder, _timed("all"):
        records = bench_search._run(tasks, folder).records
    for part in ("select_seconds", "fit_seconds", "predict_seconds"):
        total = sum(getattr(record.cost, part) for record in records)
        print(f"  {part:58} {total:8.3f} s")
    slow = [
        (trial["fit_seconds"], trial["params"]["clf__C"])
        for record in records
        for trial in record.candidates
    ]
    for cost in bench_search.COSTS:
        seconds = sum(took for took, c in slow if c == cost)
        print(f"  fits at C = {cost:<46g} {seconds:8.3f} s")


def logistic_regression() -> None:
    """Fit scikit-learn's LogisticRegression on char n-grams of irony, C = 10."""
    import bench_search
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    from tweetclf.features import NgramTfidfVectorizer

    texts, labels = bench_search._tweets(bench_search.IRONY)
    matrix = NgramTfidfVectorizer(**bench_search.CHARS).fit_transform(texts)
    print(f"  {matrix.shape[0]:,} tweets, {matrix.shape[1]:,} n-grams")
    for limit in (None, 1):
        with (
            threadpool_limits(limit),
            _timed(f"fit, BLAS threads: {limit or 'as they come'}"),
        ):
            LogisticRegression(C=10.0, max_iter=1000).fit(matrix, labels)
    profile = cProfile.Profile()
    with threadpool_limits(1), profile:
        LogisticRegression(C=10.0, max_iter=1000).fit(matrix, labels)
    stats: Any = pstats.Stats(profile)
    total = stats.total_tt
    for place, (_, _, own, _, _) in sorted(stats.stats.items(), key=lambda s: -s[1][2])[
        :3
    ]:
        print(f"  {place[2]:58} {own / total:8.0%}")


def words() -> None:
    """Word (1,2) TF-IDF at three sizes from empty caches: what grows faster."""
    import bench_ngrams

    from tweetclf.preprocessing import TweetTokenizer, _cache

    bench_ngrams.token_fit_ours(tweets(5_000))
    bound = _cache.MOST_ENTRIES
    for size in (5_000, 50_000, 500_000):
        texts = tweets(size)
        print(f"  {size:,} tweets")
        for most in (bound, 1 << 24):
            _cache.MOST_ENTRIES = most
            _cache.clear_caches()
            tokenize = TweetTokenizer(lowercase=True)._compiled()
            with _timed(f"tokens alone, at most {most:,} entries cached"):
                found = sum(len(tokenize(text)) for text in texts)
            if most == bound:
                print(f"  {'tokens':58} {found:10,}")
            else:
                print(f"  {'different pieces':58} {_cache.cached_entries():10,}")
        _cache.MOST_ENTRIES = bound
        with _timed("all: tokens, n-grams, TF-IDF"):
            bench_ngrams.token_fit_ours(texts)


def sif() -> None:
    """SIF averages of three sizes: which part grows faster than the texts."""
    import bench_vectors
    import numpy as np

    for size in (5_000, 50_000, 150_000):
        data = bench_vectors._corpus(size)
        vectorizer = bench_vectors._FromTokens(data.vectors, a=bench_vectors._A)
        bench_vectors._sif(data)
        words = len(data.vectors.words)
        print(f"  {size:,} tweets, vectors of {words:,} words")
        vectorizer.word_vectors_ = data.vectors
        with _timed("number the tokens (a dictionary)"):
            indexed = vectorizer._index(data.tokens)
        with _timed("count them"):
            vectorizer._count(indexed)
        with _timed("average the vectors"):
            result = vectorizer._average(indexed)
        with _timed("of that, write the result once, to fresh memory"):
            np.full(result.shape, 1.0, dtype=result.dtype)
        near = indexed._replace(ids=indexed.ids % 1_000)
        with _timed("average the vectors, all tokens among 1,000 words"):
            vectorizer._average(near)


def cold_tokens() -> None:
    """Tokenise 20,000 tweets as ``atalaya-sentiment`` does, with empty caches."""
    import bench_text

    from tweetclf.preprocessing._cache import Memo, clear_caches

    texts = tweets(20_000)
    pieces = list(dict.fromkeys(chain.from_iterable(t.split(" ") for t in texts)))
    tokenize = bench_text._ours(lemmatizer=None)._compiled()
    by_pieces: Any = tokenize.__self__  # type: ignore[attr-defined]
    words = [piece for piece in pieces if by_pieces._find_word(piece) is not None]
    known = set(words)
    others = [piece for piece in pieces if piece not in known]
    clear_caches()
    with _timed("all, empty caches"):
        list(map(tokenize, texts))
    with _timed("all, again: cut, look up, put in a row"):
        list(map(tokenize, texts))
    clear_caches()
    with _timed(f"{len(words):,} different words, perhaps among marks"):
        for piece in words:
            by_pieces._find_tokens(piece)
    with _timed(f"{len(others):,} other pieces: handles, URLs, runs, emoji ..."):
        for piece in others:
            by_pieces._find_tokens(piece)
    memo = Memo(lambda piece: None)
    with _timed(f"remember {len(pieces):,} results"):
        for piece in pieces:
            memo[piece]


_OPERATIONS = {
    "products": ("aten::mm", "aten::addmm", "aten::bmm", "mkldnn"),
    "attention": ("scaled_dot_product",),
    "optimizer, clipping": ("adamw", "linalg_vector_norm", "Optimizer"),
}


def _operations(call: Callable[[], Any]) -> None:
    """Print what PyTorch's operations take of a call, by kind."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        call()
    rest = "everything else that PyTorch does"
    seconds = dict.fromkeys([*_OPERATIONS, rest], 0.0)
    for event in profiled.key_averages():
        fitting = [
            kind
            for kind, names in _OPERATIONS.items()
            if any(name in event.key for name in names)
        ]
        seconds[fitting[0] if fitting else rest] += event.self_cpu_time_total / 1e6
    for kind, value in seconds.items():
        print(f"    {kind:56} {value:8.3f} s")


def fine_tuning() -> None:
    """Fine-tune BERT-mini for an epoch in one thread, as Trainer does and as we do."""
    import bench_transformer
    from transformers import AutoTokenizer

    for precision in ("float32", "bfloat16"):
        data = bench_transformer._prepare(
            384, name="mini", precision=precision, n_threads=1
        )
        sides: dict[str, Callable[[Any], Any]] = {"ours": bench_transformer._ours}
        if precision == "float32":
            rows = AutoTokenizer.from_pretrained(data.folder)(data.texts)["input_ids"]
            real, padded = sum(map(len, rows)), 128 * len(rows)
            print(f"  {padded:,} tokens with padding to 128, {real:,} without:"
                  f" {padded / real:.2f}x")  # fmt: skip
            sides["Trainer, padded to 128"] = bench_transformer._pad_to_128
        for side, call in sides.items():
            with bench_transformer._threads(1):
                call(data)
                with _timed(f"{side}, {precision}"):
                    call(data)
                _operations(partial(call, data))


def main(names: list[str]) -> int:
    """Run the named ones, or all; return the exit code."""
    parts: dict[str, Callable[[], None]] = {
        part.__name__: part
        for part in (
            atalaya,
            leaderboard,
            logistic_regression,
            words,
            sif,
            cold_tokens,
            fine_tuning,
        )
    }
    for name in names or parts:
        if name not in parts:
            raise SystemExit(
                f"limits.py: there is no {name!r}, only {', '.join(parts)}"
            )
        print(f"{name}: {parts[name].__doc__}")
        parts[name]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
