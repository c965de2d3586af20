"""Time and peak memory of graphs and embeddings, from 10^5 to 10^8 edges.

``python benchmarks/performance/social_scale.py [EDGES ...] [--partitions P]`` writes a
log of synthetic engagements (both ends by a power law, half as many users and posts as
edges, at most 20 million), builds its graph, and trains one epoch with all tables on
disk; each size runs in a process of its own. The largest takes half an hour and, with
256 dimensions, 30 GB of disk. Rows are kept in ``results/social_scale.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_social import power_law
from harness import HERE, describe_machine, growth_exponent, peak_memory

_BLOCK = 1 << 20
_MOST_NODES = 20_000_000


def write_log(path: Path, n_edges: int) -> None:
    """Write `n_edges` rows of user, post and action, block by block."""
    n = min(n_edges // 4, _MOST_NODES // 2)
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("user\tpost\taction\n")
        for start in range(0, n_edges, _BLOCK):
            size = min(_BLOCK, n_edges - start)
            columns = [power_law(n, size, rng).tolist() for _ in range(2)]
            columns.append(rng.integers(3, size=size).tolist())
            lines = [f"u{u}\tp{p}\ta{a}\n" for u, p, a in zip(*columns, strict=True)]
            file.writelines(lines)


def measure(n_edges: int, dim: int, partitions: int, jobs: int) -> dict[str, Any]:
    """Build a graph of so many rows and train an epoch; return what it took."""
    from tweetclf.social import EngagementGraph, TwHINEmbedding

    warm = TwHINEmbedding(dim=dim, max_iter=1)
    warm.fit(np.random.default_rng(0).integers(500, size=(2000, 2)))
    found: dict[str, Any] = {"rows": n_edges, "dim": dim, "partitions": partitions}
    with tempfile.TemporaryDirectory(dir=HERE) as name:
        folder = Path(name)
        write_log(folder / "log.tsv", n_edges)

        def build() -> None:
            start = time.perf_counter()
            EngagementGraph.build(folder / "log.tsv", folder / "graph")
            found["build_s"] = time.perf_counter() - start

        found["build_mib"] = peak_memory(build) / 2**20
        (folder / "log.tsv").unlink()
        graph = EngagementGraph.open(folder / "graph")
        found["edges"], found["nodes"] = len(graph), graph.n_users + graph.n_posts
        model = TwHINEmbedding(
            dim=dim, max_iter=1, n_partitions=partitions, n_jobs=jobs, random_state=0
        )

        def embed() -> None:
            start = time.perf_counter()
            model.fit(graph, folder=folder / "tables")
            found["embed_s"] = time.perf_counter() - start

        # The parent's peak; each worker holds two partitions more.
        found["embed_mib"] = peak_memory(embed) / 2**20
    return found


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table of all rows."""
    lines = [
        "# Engagement graphs and their embedding, by size",
        "",
        "Written by `benchmarks/performance/social_scale.py`. Peaks are the growth of "
        "the resident memory of the process, pages of mapped files included.",
        "",
        "| rows | edges | nodes | dim | partitions | build | rows/s | peak | an epoch "
        "| edges/s | peak |",
        "|" + "---|" * 11,
    ]
    for row in rows:
        lines.append(
            f"| {row['rows']:,} | {row['edges']:,} | {row['nodes']:,} | {row['dim']} "
            f"| {row['partitions']} | {row['build_s']:.1f} s "
            f"| {row['rows'] / row['build_s']:,.0f} | {row['build_mib']:,.0f} MiB "
            f"| {row['embed_s']:.1f} s | {row['edges'] / row['embed_s']:,.0f} "
            f"| {row['embed_mib']:,.0f} MiB |"
        )
    if len(rows) > 1:
        slopes = [
            growth_exponent({row[of]: row[seconds] for row in rows})
            for of, seconds in (("rows", "build_s"), ("edges", "embed_s"))
        ]
        lines += ["", f"Exponents: {slopes[0]:.2f} (build), {slopes[1]:.2f} (epoch)."]
    machine = describe_machine()
    lines += ["", f"{machine['processor']}, {machine['cores']} cores."]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Measure each size in a process of its own and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("edges", nargs="*", type=int, default=[10**5, 10**6])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        found = measure(args.edges[0], args.dim, args.partitions, args.jobs)
        print(json.dumps(found))
        return 0
    rows = []
    for n_edges in args.edges:
        command = [sys.executable, __file__, str(n_edges), "--child"]
        for name in ("dim", "partitions", "jobs"):
            command += [f"--{name}", str(getattr(args, name))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1])
    (HERE / "results" / "social_scale.md").write_text(to_markdown(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
