"""The journal of a search on disk: which trials were begun, and how they ended.

One JSON object a line. A line is written when trials are handed out, when one is
finished and when some are to be run anew; what a crash has cut off is passed over. The
runs themselves stand in the store, so a journal that is deleted costs no computation,
and what it says of a run counts only where the store has no record of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
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

    def close(self) -> None:
        """End what goes on beside the search."""


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
    """

    def __init__(self, path: str | os.PathLike[str], search: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._search = search
        self._begun: dict[int, Proposal] = {}
        self._finished: dict[int, Trial] = {}
        for place, line in self._lines():
            self._read(place, line)

    def _lines(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the lines that can be read, with their numbers from 1."""
        if not self.path.is_file():
            return []
        lines = []
        for place, text in enumerate(self.path.read_bytes().splitlines(), start=1):
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                # Cut by a crash: what it would have said is done again.
                continue
            if isinstance(line, dict):
                lines.append((place, line))
        return lines

    def _read(self, place: int, line: Mapping[str, Any]) -> None:
        try:
            for said in line.get("begin", ()):
                proposal = Proposal.from_document(said)
                self._begun[proposal.number] = proposal
            if "end" in line:
                trial = Trial.from_document(line["end"])
                # A trial that was run again ends again: the last word holds.
                self._finished[trial.number] = trial
            self._drop(line.get("forget", ()))
        except (RecordError, TypeError) as error:
            raise RecordError(
                f"{self.path}, line {place}, is damaged: {error} Delete the file; "
                "runs that are finished stand in the store and are found again."
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

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._begun.pop(number, None)
            self._finished.pop(number, None)

    def _forget(self, numbers: Iterable[int], strategy: Strategy) -> None:
        """Have trials run anew, and those that were proposed from what they gave.

        It is written down first: a call that is killed goes on without them.
        """
        again = set(numbers)
        if not again:
            return
        first = min(again)
        known = {*self._begun, *self._finished}
        again |= {number for number in known if strategy.needs(number) > first}
        self._write({"forget": sorted(again)})
        self._drop(again)

    def retry_failed(self, strategy: Strategy) -> None:
        """Run the trials that failed once more.

        Later trials that were proposed without what these would have given are
        proposed anew, so that the search ends like one in which they had not failed.
        """
        failed = [n for n, t in self._finished.items() if t.state == "failed"]
        self._forget((n for n in failed if n < strategy.n_trials), strategy)

    def reconcile(
        self, strategy: Strategy, stored: Callable[[Proposal], Trial | None]
    ) -> list[str]:
        """Take what trials gave from their records, whatever the journal says.

        Parameters
        ----------
        strategy : Strategy
            What proposed the trials.
        stored : callable
            Proposal -> the trial as its records say, or None without all of them.

        Returns
        -------
        list of str
            What the journal said that the records do not.
        """
        before = dict(self._finished)
        corrected: dict[int, Trial] = {}
        strange: list[int] = []
        for number, said in sorted(before.items()):
            proposal = Proposal(number, said.params, said.resource)
            if self._begun.get(number, proposal) != proposal:
                strange.append(number)
                continue
            trial = stored(proposal)
            if trial is None and said.state == "complete":
                # The same run gives the same again: what followed stays as it is.
                del self._finished[number]
            elif trial is not None and trial.to_document() != said.to_document():
                corrected[number] = trial
        for trial in corrected.values():
            self.finish(trial)
        moved = [n for n, t in corrected.items() if t.outcome != before[n].outcome]
        if first := [*moved, *strange]:
            after = (n for n in before | self._begun if strategy.needs(n) > min(first))
            self._forget([*strange, *after], strategy)
        remarks = dict.fromkeys(strange, "another setting ended than was begun")
        for number, trial in corrected.items():
            told, found = before[number].outcome, trial.outcome
            if told == found:
                told, found = "other details", "otherwise"
            remarks[number] = f"the journal says {told}, the records say {found}"
        return [f"trial {number}: {remarks[number]}" for number in sorted(remarks)]

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

    def close(self) -> None:
        """Do nothing: nothing goes on beside the search."""
