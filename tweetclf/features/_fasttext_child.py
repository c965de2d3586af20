"""Child process that trains with fastText; reads its request from standard input."""

from __future__ import annotations

import json
import sys
from typing import Any

__all__ = ["main"]

# 11 or more: with fewer, fastText leaves part of its matrix uninitialised.
_THREADS = 12


def main(request: dict[str, Any]) -> None:
    """Train as `request` says and save the model at ``request["model"]``."""
    import fasttext

    model = fasttext.train_unsupervised(
        input=request["corpus"],
        model="skipgram",
        lr=request["learning_rate"],
        dim=request["dim"],
        ws=request["window"],
        epoch=request["epochs"],
        minCount=request["min_count"],
        minn=request["minn"],
        maxn=request["maxn"],
        neg=request["negative"],
        bucket=request["bucket"],
        t=request["sample"],
        thread=_THREADS,
        verbose=0,
    )
    model.save_model(request["model"])


if __name__ == "__main__":
    main(json.load(sys.stdin))
