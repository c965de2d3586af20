"""Check the installation, the extras, the data, and what the machine offers."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tweetclf._version import __version__
from tweetclf.cli._output import humanise_bytes, print_json, print_table

__all__ = ["add_arguments", "run"]

CORE = (
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "threadpoolctl",
    "safetensors",
    "simplemma",
    "PyStemmer",
    "emoji",
    "psutil",
    "rich",
    "jinja2",
    "matplotlib",
    "pooch",
)
EXTRAS = {
    "fast": ("numba", "compiled kernels; without it the same results, slower"),
    "embeddings": ("gensim", "training word vectors (atalaya-svm, atalaya-lr)"),
    "fasttext": ("fasttext", "training word vectors with fastText itself"),
    "treetagger": ("treetaggerwrapper", "lemmas by TreeTagger"),
    "tables": ("pyarrow", "Parquet files and Hugging Face datasets on disk"),
    "resampling": ("imblearn", "over- and under-sampling in pipelines"),
    "search": ("optuna", "Bayesian search, and searches that processes share"),
    "neural": ("torch", "BiLSTM, ULMFiT, ELMo and transformers"),
    "onnx": ("onnxruntime", "transformers as ONNX graphs with int8 weights"),
    "japanese": ("fugashi", "words of Japanese tweets, cut by MeCab"),
    "social": ("faiss", "mining of similar posts"),
    "tensorboard": ("tensorboard", "pre-training curves in TensorBoard"),
    "dask": ("distributed", "leaderboards on several machines"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf doctor``."""
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _findings(data_dir: str | None) -> dict[str, Any]:
    from tweetclf.leaderboard.environment import describe_environment
    from tweetclf.preprocessing.lemmas import tree_tagger_folder
    from tweetclf.tasks import list_tasks
    from tweetclf.tasks.locations import data_folder

    environment = describe_environment()
    tasks = list_tasks()
    folder = data_folder(data_dir)
    return {
        "tweetclf": __version__,
        "python": sys.version.split()[0],
        "cpu": environment["cpu"],
        "cores": environment["cores"],
        "memory_bytes": environment["memory_bytes"],
        "packages": {name: _installed(name) for name in CORE},
        "extras": {
            extra: importlib.util.find_spec(module) is not None
            for extra, (module, _) in EXTRAS.items()
        },
        "tree_tagger": tree_tagger_folder(),
        "data_folder": str(folder),
        "data_folder_exists": folder.is_dir(),
        "tasks": len(tasks),
        "tasks_at_hand": sum(info.available(data_dir) for info in tasks),
    }


def run(args: argparse.Namespace) -> int:
    """Print the findings; fail if a core package is missing."""
    found = _findings(args.data_dir)
    missing = [name for name, number in found["packages"].items() if number is None]
    if args.json:
        print_json(found)
        return 1 if missing else 0
    print(f"tweetclf {found['tweetclf']} on Python {found['python']}")
    memory = humanise_bytes(found["memory_bytes"])
    print(f"{found['cores']} cores of {found['cpu']}, {memory}\n")
    print_table(
        ["package", "version"],
        [[name, number or "MISSING"] for name, number in found["packages"].items()],
    )
    print()
    print_table(
        ["extra", "for", "installed"],
        [
            [extra, what, "yes" if found["extras"][extra] else f'"tweetclf[{extra}]"']
            for extra, (_, what) in EXTRAS.items()
        ],
    )
    print(f"\nTreeTagger: {found['tree_tagger'] or 'no folder is named (TAGDIR)'}")
    there = "" if found["data_folder_exists"] else " (there is no such folder)"
    print(f"data folder: {found['data_folder']}{there}")
    print(f"tasks at hand: {found['tasks_at_hand']} of {found['tasks']}")
    if missing:
        print(f"missing: {', '.join(missing)}; run: pip install --upgrade tweetclf")
    return 1 if missing else 0
