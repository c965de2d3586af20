"""Peak memory and time of n-gram TF-IDF over a corpus that is never in memory.

``python benchmarks/performance/large.py [TWEETS ...] [--analyzer word]`` learns
document frequencies from blocks of tweets and then transforms them block by block; each
size runs in a process of its own. The tweets are made as they are needed: real ones,
spliced and noised. Rows are kept in ``results/large.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from harness import HERE, describe_machine, noised, peak_memory, tweets

BLOCK = 100_000
OPTIONS: dict[str, dict[str, Any]] = {
    "char": {"analyzer": "char", "ngram_range": (1, 5), "binary": True},
    "word": {"analyzer": "word", "ngram_range": (1, 2)},
}


def stream(n: int) -> Iterator[list[str]]:
    """Yield `n` tweets in blocks, the same ones each time."""
    real = tweets(BLOCK)
    for start in range(0, n, BLOCK):
        rng = random.Random(start)
        yield [noised(rng, real) for _ in range(min(BLOCK, n - start))]


def measure(n: int, analyzer: str) -> dict[str, Any]:
    """Learn from `n` tweets, transform them, and return what it took."""
    from tweetclf.features import NgramTfidfVectorizer

    vectorizer = NgramTfidfVectorizer(**OPTIONS[analyzer])
    seconds = {"fit": 0.0, "transform": 0.0}
    found = {"nonzeros": 0}

    def run() -> None:
        for block in stream(n):
            start = time.perf_counter()
            vectorizer.partial_fit(block)
            seconds["fit"] += time.perf_counter() - start
        for block in stream(n):
            start = time.perf_counter()
            found["nonzeros"] += vectorizer.transform(block).nnz
            seconds["transform"] += time.perf_counter() - start

    # Imports, compiled kernels and the tweets that all are made of come before.
    NgramTfidfVectorizer(**OPTIONS[analyzer]).fit_transform(tweets(BLOCK)[:2_000])
    peak = peak_memory(run)
    return {
        "analyzer": analyzer,
        "tweets": n,
        "features": vectorizer.transform([""]).shape[1],
        "nonzeros": found["nonzeros"],
        "fit_s": seconds["fit"],
        "transform_s": seconds["transform"],
        "peak_mib": peak / 2**20,
    }


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table of all rows."""
    machine = describe_machine()
    lines = [
        "# Streams",
        "",
        "Written by `benchmarks/performance/large.py`: `partial_fit` over blocks of "
        f"{BLOCK:,} tweets, then `transform` of each block, which is dropped. Peak is "
        "the growth of the resident memory of the process; the whole matrix, which "
        "nobody holds, would take 12 bytes a nonzero.",
        "",
        f"{machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Python {machine['python']}.",
        "",
        "| n-grams | tweets | features | fit | transform | peak | the matrix |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['analyzer']} {OPTIONS[row['analyzer']]['ngram_range']} "
            f"| {row['tweets']:,} | {row['features']:,} | {row['fit_s']:.0f} s "
            f"| {row['transform_s']:.0f} s | {row['peak_mib']:,.0f} MiB "
            f"| {row['nonzeros'] * 12 / 2**20:,.0f} MiB |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[500_000, 5_000_000])
    parser.add_argument("--analyzer", choices=sorted(OPTIONS), default="char")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.sizes[0], arguments.analyzer)))
        return 0
    stored = HERE / "results" / "large.json"
    rows = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else []
    for size in arguments.sizes:
        command = [sys.executable, __file__, str(size), "--child"]
        command += ["--analyzer", arguments.analyzer]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ
        )
        row = json.loads(done.stdout.splitlines()[-1])
        place = (row["analyzer"], row["tweets"])
        rows = [r for r in rows if (r["analyzer"], r["tweets"]) != place] + [row]
        rows.sort(key=lambda r: (r["analyzer"], r["tweets"]))
        stored.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        text = to_markdown(rows)
        stored.with_suffix(".md").write_text(text, encoding="utf-8")
    print(to_markdown(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
