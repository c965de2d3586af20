"""The stages of a corpus, each of which is kept: rows, numbers, what stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.pretraining.corpus._columns import (
    Columns,
    measure,
    over_cap,
    repeated,
)
from tweetclf.pretraining.corpus._conversations import join_replies, spill_rows
from tweetclf.pretraining.corpus._filters import Document, Filters
from tweetclf.pretraining.corpus._protected import Protected
from tweetclf.pretraining.corpus._reading import BadRows, Located, Row, read_rows
from tweetclf.pretraining.corpus._work import read_state, write_state
from tweetclf.pretraining.corpus.near_stream import find_near, sign
from tweetclf.pretraining.corpus.plan import CorpusPlan
from tweetclf.utils.files import atomic_path
from tweetclf.utils.progress import track

__all__ = ["Stages"]

# Characters in memory at a time.
_BATCH = 1 << 19


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += sum(map(len, document.texts)) + 1
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass
class Stages:
    """The stages of making a corpus in a folder; those that are there are not redone.

    Parameters
    ----------
    plan : CorpusPlan
        The plan.
    sources : sequence of Located
        Its sources.
    tasks : sequence of str
        Tasks whose test sets must not be in the corpus.
    data_dir : path or None
        Folder of their data.
    work : Path
        Where the stages are kept.
    verbose : bool or None
        Whether to show progress.
    """

    plan: CorpusPlan
    sources: list[Located]
    tasks: list[str]
    data_dir: Any
    work: Path
    verbose: bool | None = None

    @cached_property
    def protected(self) -> Protected:
        """The test sets; read when first needed."""
        return Protected(self.tasks, self.data_dir, self.plan.contamination_n)

    # -- rows --------------------------------------------------------

    @property
    def _units(self) -> list[list[int]]:
        """Sources that are read together: each alone, but dumps as one, last."""
        pairs = self.plan.documents == "pairs"
        dumps = [
            k
            for k, located in enumerate(self.sources)
            if pairs and located.source.parent is not None
        ]
        alone = [[k] for k in range(len(self.sources)) if k not in dumps]
        return [*alone, dumps] if dumps else alone

    def read(self) -> list[dict[str, Any]]:
        """Read the sources through the filters of rows and documents.

        Returns
        -------
        list of dict
            Of each unit of sources: rows, counts, bad rows, test rows found.
        """
        reports = []
        for unit, members in enumerate(self._units):
            name = f"rows-{unit:03d}"
            report = read_state(self.work, name)
            if report is None:
                report = self._read_unit(members, self.work / f"{name}.jsonl")
                write_state(self.work, name, report)
            reports.append(report)
        return reports

    def _read_unit(self, members: list[int], path: Path) -> dict[str, Any]:
        filters = Filters(self.plan)
        bad = {k: BadRows(self.sources[k].path) for k in members}
        n_rows = dict.fromkeys(members, 0)

        def rows(k: int) -> Iterator[Row]:
            name = f"reading {self.sources[k].path.name}"
            for row in track(
                read_rows(self.sources[k], bad[k]), name, enabled=self.verbose
            ):
                n_rows[k] += 1
                yield row

        if members == self._units[-1] and self._is_dump(members[0]):
            documents = self._joined(chain.from_iterable(map(rows, members)), filters)
        else:
            documents = (
                document
                for row in rows(members[0])
                if filters.keeps_row(row)
                for document in filters.documents(row)
            )
        n_documents = 0
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            for document in self._clean(documents, filters):
                file.write(json.dumps(document).encode() + b"\n")
                n_documents += 1
        found = np.flatnonzero(self.protected.found()).tolist() if self.tasks else []
        return {
            "sources": members,
            "n_rows": {str(k): n_rows[k] + bad[k].n for k in members},
            "bad": {str(k): {"n": b.n, "examples": b.examples} for k, b in bad.items()},
            "dropped": dict(filters.counts),
            "n_documents": n_documents,
            "test_rows_found": found,
        }

    def _is_dump(self, k: int) -> bool:
        pairs = self.plan.documents == "pairs"
        return pairs and self.sources[k].source.parent is not None

    def _joined(self, rows: Iterable[Row], filters: Filters) -> Iterator[Document]:
        folder = self.work / "dump"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        spill_rows(rows, folder, filters)
        yield from join_replies(folder, filters)
        shutil.rmtree(folder)

    def _clean(
        self, documents: Iterable[Document], filters: Filters
    ) -> Iterator[Document]:
        """Yield the documents that stay, as they go into the corpus."""
        for batch in _batches(documents):
            made = [(raw, filters.normalised(raw)) for raw in batch]
            kept = [(raw, clean) for raw, clean in made if clean is not None]
            offenders: set[int] = set()
            if self.tasks:
                offenders = self.protected.offenders([raw.texts for raw, _ in kept])
            filters.counts["contaminated"] += len(offenders)
            for k, (_, clean) in enumerate(kept):
                if k not in offenders:
                    yield clean

    def documents(self) -> Iterator[Document]:
        """Yield what was read and stayed."""
        for unit in range(len(self._units)):
            path = self.work / f"rows-{unit:03d}.jsonl"
            # As text: of bytes, json would guess the encoding of every line.
            with path.open(encoding="ascii") as lines:
                for line in lines:
                    texts, *about = json.loads(line)
                    yield Document(tuple(texts), *about)

    # -- what must be known of all -----------------------------------

    def _kept_array(self, name: str, make: Any) -> NDArray[Any]:
        """Return an array that was kept, or make and keep it."""
        path = self.work / f"{name}.npy"
        if not path.is_file():
            array = make()
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        return np.load(path, allow_pickle=False)

    def columns(self, n_documents: int) -> Columns:
        """Return hashes and languages of all documents."""
        return measure(
            track(
                self.documents(), "measuring", total=n_documents, enabled=self.verbose
            ),
            self.plan,
        )

    def near(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of the documents that are kept are nearly one before them."""
        result = np.zeros(len(kept), dtype=bool)
        if self.plan.near_threshold is None or not kept.any():
            return result
        path = self.work / "signatures.npy"
        if not path.is_file():
            self._sign(kept, path)
        signed = np.load(path, mmap_mode="r", allow_pickle=False)
        result[kept] = self._kept_array(
            "near",
            lambda: find_near(
                signed,
                threshold=float(self.plan.near_threshold or 0),
                n_sides=1 if self.plan.documents == "texts" else 2,
                verbose=self.verbose,
            ),
        )
        return result

    def _sign(self, kept: NDArray[np.bool_], path: Path) -> None:
        chosen = (
            document
            for document, stays in zip(self.documents(), kept, strict=True)
            if stays
        )
        n = int(kept.sum())
        with atomic_path(path) as temporary:
            signed = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.uint16, shape=(n, 128)
            )
            at = 0
            for batch in _batches(
                track(chosen, "signing", total=n, enabled=self.verbose)
            ):
                texts = [document.texts for document in batch]
                signed[at : at + len(batch)] = sign(texts, n=self.plan.near_n)
                at += len(batch)
            signed.flush()
            del signed

    def kept(self, columns: Columns) -> tuple[NDArray[np.bool_], list[tuple[str, int]]]:
        """Return which documents stay, and how many each step has dropped."""
        plan = self.plan
        kept = np.ones(len(columns.keys), dtype=bool)
        steps = []
        if plan.duplicates is not None:
            kept &= ~repeated(columns.keys)
            steps.append(("duplicates", len(kept) - int(kept.sum())))
        if plan.near_threshold is not None:
            near = self.near(kept)
            kept &= ~near
            steps.append(("near_duplicates", int(near.sum())))
        if plan.max_per_author is not None:
            places = np.flatnonzero(kept)
            over = over_cap(
                columns.authors[places],
                columns.keys[places],
                plan.max_per_author,
                plan.seed,
            )
            kept[places[over]] = False
            steps.append(("author_cap", int(over.sum())))
        return kept, steps
