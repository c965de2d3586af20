"""`build_corpus`: from files of any size to the splits of a corpus and its card."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining.corpus._columns import Columns, copies, split_codes
from tweetclf.pretraining.corpus._filters import Document
from tweetclf.pretraining.corpus._protected import protected_tasks
from tweetclf.pretraining.corpus._reading import Located, locate
from tweetclf.pretraining.corpus._stages import Stages
from tweetclf.pretraining.corpus._work import open_work
from tweetclf.pretraining.corpus.card import card_markdown, make_card
from tweetclf.pretraining.corpus.plan import CorpusPlan
from tweetclf.tasks.lines import read_lines
from tweetclf.tasks.rows import read_json_rows
from tweetclf.utils.files import (
    atomic_path,
    check_free,
    sha256_file,
    write_text_atomic,
)
from tweetclf.utils.progress import track

__all__ = ["BuiltCorpus", "build_corpus", "corpus_documents"]

_CARD = "card.json"


@dataclass(frozen=True)
class BuiltCorpus:
    """A corpus that was built.

    Parameters
    ----------
    path : Path
        Its folder: a file a split, ``card.json`` and ``card.md``.
    card : dict
        What it is made of, step by step, see `make_card`.
    """

    path: Path
    card: dict[str, Any]

    def documents(self, split: str = "train") -> Iterator[Any]:
        """Yield the texts or pairs of a split, see `corpus_documents`."""
        return corpus_documents(self.path, split)


def corpus_documents(
    path: str | os.PathLike[str], split: str = "train"
) -> Iterator[Any]:
    """Yield the documents of a split of a corpus that `build_corpus` wrote.

    Parameters
    ----------
    path : path
        The folder.
    split : str, default="train"
        Name of the split.

    Yields
    ------
    str or (str, str)
        A text, or a tweet and its reply.

    Raises
    ------
    DataError
        If there is no such split.
    """
    folder = Path(path)
    files = [folder / f"{split}.jsonl{suffix}" for suffix in (".gz", "")]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        there = sorted({f.name.partition(".")[0] for f in folder.glob("*.jsonl*")})
        raise DataError(
            f"{folder} has no split {split!r}; it has {', '.join(there) or 'none'}. "
            "build_corpus makes such a folder."
        )
    for _, row in read_json_rows(read_lines(file), str(file)):
        yield (row["text"], row["text_b"]) if "text_b" in row else row["text"]


def build_corpus(
    plan: CorpusPlan,
    out: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    verbose: bool | None = None,
) -> BuiltCorpus:
    """Read, filter, split and describe a corpus.

    Parameters
    ----------
    plan : CorpusPlan
        Sources and filters.
    out : path
        The folder to write, whole or not at all: ``train.jsonl.gz`` and one such file
        for each other split, ``card.json`` and ``card.md``.
    data_dir : path, optional
        Folder of the registered corpora and tasks, as in `load_task`.
    verbose : bool, optional
        Show progress bars; by default on a terminal only.

    Returns
    -------
    BuiltCorpus
        Folder and card.

    Raises
    ------
    DataError
        If a source cannot be read as the plan says, no document is left, or
        ``<out>.work`` holds the stages of another corpus.
    FileExistsError
        If `out` exists and is not an empty folder.
    UnknownNameError
        If a source or task is neither registered nor a file.

    Notes
    -----
    The steps, in order: rows that cannot be read, retweets and other languages are
    left out; pairs are made; documents that are empty, bare, short or long, or share
    text with a test set, are dropped; then exact duplicates, near-duplicates and what
    is beyond an author's cap. The card counts each.

    Memory does not grow with the texts, but with their number: 28 bytes a document,
    at most 90 while duplicates are sorted out, beside 0.4 GB for the index of
    near-duplicates, the n-grams of the test sets (22 bytes each) and, of dumps of
    conversations, one of 128 parts. On the disk the stages take the size of the texts,
    and 256 bytes a document for its signature. They are kept in ``<out>.work`` until
    all is done: called again after an interruption, with the same plan and sources, it
    goes on and writes the same bytes.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from tweetclf.pretraining.corpus import CorpusPlan, build_corpus
    >>> texts = [f"hoy es el lunes {k * k} de {k} otoños" for k in range(40)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = Path(folder, "tweets.txt")
    ...     with source.open("w") as file:
    ...         print(*texts, texts[0], "RT @ana: hola", sep=chr(10), file=file)
    ...     plan = CorpusPlan(
    ...         sources=[str(source)], near_threshold=None, tasks=())
    ...     corpus = build_corpus(plan, folder + "/corpus")
    ...     n_train = len(list(corpus.documents("train")))
    >>> [(step["step"], step["dropped"]) for step in corpus.card["steps"]
    ...     if step["dropped"]]
    [('retweets', 1), ('duplicates', 1)]
    >>> n_train == corpus.card["splits"]["train"]["documents"]
    True
    """
    check_free(out)
    sources = [locate(source, data_dir) for source in plan.sources]
    _check_sources(plan, sources)
    tasks = protected_tasks(plan.tasks, data_dir)
    hashes = [sha256_file(located.path) for located in sources]
    told = {"plan": plan.to_dict(), "sha256": hashes, "tasks": tasks}
    work = open_work(out, told, "build_corpus")
    stages = Stages(plan, sources, tasks, data_dir, work, verbose)
    reports = stages.read()
    n_documents = sum(report["n_documents"] for report in reports)
    if not n_documents:
        raise DataError(
            f"build_corpus: no document of {len(sources)} sources is left; "
            f"{_said(reports)}. Look at the columns and filters of the plan, and "
            f"remove {work}."
        )
    columns = stages.columns(n_documents)
    kept, steps = stages.kept(columns)
    codes = split_codes(columns, plan)
    times, weights = copies(columns, kept & (codes == 0), plan)
    times[~kept] = 0
    files = work / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    splits = _write_splits(stages, files, codes, times)
    card = make_card(
        stages, reports, hashes, steps, splits, _languages(columns, times), weights
    )
    write_text_atomic(files / "card.md", card_markdown(card))
    text = json.dumps(card, indent=1, ensure_ascii=False)
    write_text_atomic(files / _CARD, text + "\n")
    files.replace(out)
    shutil.rmtree(work)
    return BuiltCorpus(Path(out), card)


def _check_sources(plan: CorpusPlan, sources: list[Located]) -> None:
    for located in sources:
        source = located.source
        if plan.documents == "pairs" and not (source.reply or source.parent):
            raise DataError(
                f"build_corpus: {source.path} holds no pairs: name its 'reply' column, "
                "or 'id' and 'parent' of a dump of conversations; or take "
                "documents='texts'."
            )
        if plan.languages and not (source.language or located.language):
            raise DataError(
                f"build_corpus: the language of {source.path} is not known, but the "
                f"plan keeps {', '.join(plan.languages)} alone. Name its 'language' "
                "column, or leave 'languages' out."
            )


def _said(reports: list[dict[str, Any]]) -> str:
    """Say how many rows there were and what they were dropped for."""
    n_rows = sum(sum(report["n_rows"].values()) for report in reports)
    counts: dict[str, int] = {}
    for report in reports:
        bad = sum(entry["n"] for entry in report["bad"].values())
        for step, n in {"bad": bad, **report["dropped"]}.items():
            counts[step] = counts.get(step, 0) + n
    dropped = ", ".join(f"{step} {n:,}" for step, n in counts.items() if n)
    return f"{n_rows:,} rows were read ({dropped or 'none dropped'})"


def _languages(columns: Columns, times: NDArray[np.uint8]) -> dict[str, int]:
    counts = np.bincount(
        columns.languages, weights=times.astype(float), minlength=len(columns.tags)
    )
    found = dict(zip(columns.tags, counts.astype(int).tolist(), strict=True))
    order = sorted(found, key=lambda tag: (-found[tag], tag))
    return {tag: found[tag] for tag in order if found[tag]}


def _record(document: Document) -> dict[str, str]:
    """Return a document as it is written: without its author."""
    names = ("text", "text_b")
    record = {} if document.id is None else {"id": document.id}
    record |= dict(zip(names, document.texts, strict=False))
    for name in ("language", "conversation"):
        if (value := getattr(document, name)) is not None:
            record[name] = value
    return record


def _write_splits(
    stages: Stages,
    folder: Path,
    codes: NDArray[np.uint8],
    times: NDArray[np.uint8],
) -> dict[str, dict[str, Any]]:
    """Write a file a split; return what is in each."""
    plan = stages.plan
    suffix = ".jsonl.gz" if plan.compress else ".jsonl"
    splits: dict[str, dict[str, Any]] = {
        name: {"file": name + suffix, "documents": 0, "characters": 0}
        for name in plan.splits
    }
    with ExitStack() as stack:
        files = [
            _open(stack, folder / f["file"], plan.compress) for f in splits.values()
        ]
        entries = list(splits.values())
        documents = track(
            stages.documents(), "writing", total=len(codes), enabled=stages.verbose
        )
        for document, code, n in zip(
            documents, codes.tolist(), times.tolist(), strict=True
        ):
            if n:
                line = json.dumps(_record(document), ensure_ascii=False) + "\n"
                files[code].write(line.encode() * n)
                entries[code]["documents"] += n
                entries[code]["characters"] += n * sum(map(len, document.texts))
    for entry in entries:
        entry["sha256"] = sha256_file(folder / entry["file"])
    return splits


def _open(stack: ExitStack, path: Path, packed: bool) -> IO[bytes]:
    plain = stack.enter_context(stack.enter_context(atomic_path(path)).open("wb"))
    if not packed:
        return plain
    # Without name and time, the same texts are the same bytes.
    file = gzip.GzipFile(
        filename="", mode="wb", compresslevel=6, fileobj=plain, mtime=0
    )
    return cast(IO[bytes], stack.enter_context(file))
