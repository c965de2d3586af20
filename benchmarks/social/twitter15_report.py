"""What twitter15.py found: the difference of two encoders, and tables for people."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["compare_hits", "render"]


def compare_hits(
    runs: dict[str, list[NDArray[np.float64]]], posts: NDArray[np.int64], n: int
) -> dict[str, Any]:
    """Bootstrap the difference over seeds and over posts with their engagements."""
    codes, inverse = np.unique(posts, return_inverse=True)
    counts = np.bincount(inverse)
    sums = np.array(
        [
            np.bincount(inverse, a - b, len(codes))
            for a, b in zip(runs["joint"], runs["control"], strict=True)
        ]
    )  # (seeds, posts)
    rng = np.random.default_rng(0)
    n_seeds, n_posts = sums.shape
    drawn = np.empty(n)
    for k in range(n):
        # One seed fewer than there are: so the whole variance between seeds shows.
        seeds = rng.integers(n_seeds, size=max(1, n_seeds - 1))
        rows = rng.integers(n_posts, size=n_posts)
        drawn[k] = sums[seeds].mean(axis=0)[rows].sum() / counts[rows].sum()
    low, high = np.quantile(drawn, [0.025, 0.975])
    tail = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return {
        "difference": float(sums.mean(axis=0).sum() / counts.sum()),
        "interval": [float(low), float(high)],
        "p": float(min(1.0, 2 * tail + 1 / n)),
    }


def verdict(entry: dict[str, Any]) -> str:
    """Say what a difference allows to say, three questions being asked."""
    if entry["p_holm"] >= 0.05:
        return "undecided"
    return "helps" if entry["difference"] > 0 else "harms"


def render(result: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = ["# Twitter15: the social objective against masks alone", ""]
    lines += ["| held-out links | MRR | HITS@10 | AUC |", "| --- | --- | --- | --- |"]
    for name, one in result["link_prediction"].items():
        hits = one["hits"].get(10, one["hits"].get("10"))
        lines.append(f"| {name} | {one['mrr']:.4f} | {hits:.4f} | {one['auc']:.4f} |")
    lines += ["", "| pairs | share | by chance | ratio | p |",
              "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for name in ("same_verdict", "shared_subject"):
        one = result["pairs"][name]
        lines.append(
            f"| {name} | {one['share']:.3f} | {one['by_chance']:.3f} | "
            f"{one['ratio']:.2f} | {one['p']:.4f} |"
        )
    lines += ["", "| task | control | joint | difference | 95 % | p | p (Holm) | it |",
              "| --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, one in result["tasks"].items():
        low, high = one["interval"]
        lines.append(
            f"| {name} | {np.mean(one['control']):.4f} | {np.mean(one['joint']):.4f} | "
            f"{one['difference']:+.4f} | {low:+.4f} to {high:+.4f} | {one['p']:.4f} | "
            f"{one['p_holm']:.4f} | {verdict(one)} |"
        )
    one, seeds = result["tasks"]["engagement"], result["config"]["encoder"]["seeds"]
    lines += [
        "",
        f"Macro-F1 of verdict and hashtags; HITS@10 of {one['n_engagements']:,} "
        f"engagements among 1 + {one['n_candidates']:.4g} test posts (mean) (chance "
        f"{one['chance']:.4f}). Means over {len(seeds)} seeds; intervals, of each task "
        "alone, over seeds and tweets (engagement: seeds and posts); the last column "
        "goes by p after Holm.",
    ]
    return "\n".join(lines) + "\n"
