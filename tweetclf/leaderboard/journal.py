"""The journal of a search on disk: which trials were begun, and how they ended.

One JSON object a line. A line is written when trials are handed out and when one is
finished; what a crash has cut off is passed over. The runs themselves stand in the
store, so a journal that is deleted costs no computation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.strategies import Proposal, Strategy
from tweetclf.leaderboard.trials import Trial

__all__ = ["Journal", "Ledger", "pending"]


class Ledger(Protocol):
    """Where a search keeps its trials: a journal, or a study that many share."""

    def finished(self) -> dict[int, Trial]:
        """Return the finished and failed trials by number."""

    def take(self, strategy: Strategy, limit: int) -> list[Proposal]:
        """Return trials to run now; empty if there are none at the moment."""

    def finish(self, trial: Trial) -> None:
        """Keep a trial that has ended."""

    def wait(self, strategy: Strategy) -> list[Proposal]:
        """Wait for other processes; return trials that they will not finish."""


def pending(finished: Mapping[int, Trial], strategy: Strategy) -> list[int]:
    """Return the numbers of trials that may be begun, given the finished ones."""
    known = 0
    while known in finished:
        known += 1
    numbers = range(known, strategy.n_trials)
    return [n for n in numbers if n not in finished and strategy.needs(n) <= known]


class Journal:
    """The trials of a search that one process runs.

    Parameters
    ----------
    path : path-like
        The file; it is made when the first trial is begun.
    search : mapping
        What determines the search; written as the first line, for people.
    retry_failed : bool, default=False
        Run the trials that failed once more.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        search: Mapping[str, Any],
        *,
        retry_failed: bool = False,
    ) -> None:
        self.path = Path(path)
        self._search = search
        self._begun: dict[int, Proposal] = {}
        self._finished: dict[int, Trial] = {}
        for line in self._lines():
            self._read(line)
        if retry_failed:
            self._finished = {
                n: t for n, t in self._finished.items() if t.state != "failed"
            }

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        lines = []
        for text in self.path.read_bytes().splitlines():
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                # Cut by a crash: what it would have said is done again.
                continue
            if isinstance(line, dict):
                lines.append(line)
        return lines

    def _read(self, line: Mapping[str, Any]) -> None:
        try:
            for said in line.get("begin", ()):
                proposal = Proposal.from_document(said)
                self._begun[proposal.number] = proposal
            if "end" in line:
                trial = Trial.from_document(line["end"])
                # A trial that was run again ends again: the last word holds.
                self._finished[trial.number] = trial
        except (RecordError, TypeError) as error:
            raise RecordError(
                f"{self.path} is a damaged journal: {error} Delete the file; runs that "
                "are finished stand in the store and are found again."
            ) from error

    def _write(self, *lines: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        with self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # The crash of an earlier call may have left half a line.
                data = data if file.read(1) == b"\n" else f"\n{data}"
            file.write(data.encode())
            file.flush()
            os.fsync(file.fileno())

    def forget(self, number: int) -> None:
        """Run a trial again whose record is not in the store any more."""
        del self._finished[number]

    def finished(self) -> dict[int, Trial]:
        """Return the finished and failed trials by number."""
        return dict(self._finished)

    def take(self, strategy: Strategy, limit: int) -> list[Proposal]:
        """Return all trials that wait for nothing; those begun before are as then."""
        numbers = pending(self._finished, strategy)
        taken: dict[int, Proposal] = {}
        for number in numbers:
            taken[number] = self._begun.get(number) or strategy.propose(
                number, self._finished, taken
            )
        new = [taken[number] for number in numbers if number not in self._begun]
        if new:
            header = [] if self.path.is_file() else [{"search": self._search}]
            self._write(
                *header, {"begin": [proposal.to_document() for proposal in new]}
            )
            self._begun |= {proposal.number: proposal for proposal in new}
        return list(taken.values())

    def finish(self, trial: Trial) -> None:
        """Keep a trial that has ended."""
        self._write({"end": trial.to_document()})
        self._finished[trial.number] = trial

    def wait(self, strategy: Strategy) -> list[Proposal]:
        """Return nothing: there are no other processes."""
        return []
