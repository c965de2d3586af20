"""What exports say of the runs of a system on a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tweetclf.exceptions import TweetclfError, UnknownNameError
from tweetclf.leaderboard.boards import Entry, Leaderboard, TaskBoard
from tweetclf.leaderboard.records import RunSpec
from tweetclf.leaderboard.systems import System, get_system
from tweetclf.reports.formatting import finite, format_interval, format_score, plural
from tweetclf.reports.wording import MetricWords, metric_words, where_scored
from tweetclf.tasks.registry import TaskInfo, task_info

__all__ = ["Exported", "all_exported"]


@dataclass(frozen=True)
class Exported:
    """The runs of one system, in one variant, on one task.

    Parameters
    ----------
    board : TaskBoard
        The task; of its entries only that of the system.
    """

    board: TaskBoard

    @property
    def entry(self) -> Entry:
        """Score, interval and records of the system."""
        return self.board.entries[0]

    @property
    def spec(self) -> RunSpec:
        """What the first run was made of."""
        return self.entry.records[0].spec

    @property
    def words(self) -> MetricWords:
        """Official metric for people."""
        facts = self.board.facts
        return metric_words(facts.metric, facts.greater_is_better)

    @property
    def created(self) -> str:
        """UTC time of the last run, ISO 8601; empty if no record has one."""
        return max(record.created for record in self.entry.records)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(record.spec.seed for record in self.entry.records)

    @property
    def info(self) -> TaskInfo | None:
        """What is registered of the task; None for data of one's own."""
        try:
            info = task_info(self.board.facts.name)
        except UnknownNameError:
            return None
        return info if info.version == self.board.facts.version else None

    @property
    def system(self) -> System | None:
        """What is registered of the system; None if it is another one by now."""
        try:
            system = get_system(self.spec.system)
        except UnknownNameError:
            return None
        return system if system.target == self.spec.target else None

    @property
    def data_sha256(self) -> str:
        """Hash of the scored split; of a cross-validation, all hashes joined by +."""
        data = self.board.facts.data
        if self.board.split in data:
            return data[self.board.split]
        return "+".join(data[name] for name in ("train", "dev") if name in data)

    @property
    def score_text(self) -> str:
        """Score, interval, tweets and seeds, in words."""
        entry = self.entry
        text = f"{self.words.short} {format_score(entry.score)}"
        if finite(entry.low) is not None:
            text += f" (95 % interval {format_interval(entry.low, entry.high)})"
        text += f" on {where_scored(self.board)}"
        if self.board.split == "cv":
            text += ", by cross-validation"
        listed = ", ".join(map(str, self.seeds))
        if len(self.seeds) == 1:
            return f"{text}, one run (seed {listed})"
        return f"{text}, mean of {plural(len(self.seeds), 'run')} (seeds {listed})"

    @property
    def metrics(self) -> Mapping[str, list[float | None]]:
        """Signature of each metric -> score of each run; None where a run has none."""
        facts, split = self.board.facts, self.board.split
        scores = [record.scores.get(split, {}) for record in self.entry.records]
        names = dict.fromkeys(name for found in scores for name in found)
        return {
            facts.metric if name == "official" else name: [
                finite(found.get(name)) for found in scores
            ]
            for name in names
        }

    @property
    def means(self) -> Mapping[str, float | None]:
        """Signature of each metric -> mean of the runs; None unless all have one."""
        means: dict[str, float | None] = {}
        for signature, values in self.metrics.items():
            known = [value for value in values if value is not None]
            whole = len(known) == len(values)
            means[signature] = sum(known) / len(known) if whole else None
        return means

    @property
    def profiles(self) -> tuple[str, ...]:
        """Preprocessing profiles of the system's parts, as ``name@version``."""
        system = self.system
        if system is None:
            return ()
        try:
            estimator = _build(system, self.spec)
        except (TweetclfError, ImportError, TypeError, ValueError):
            # Another version's arguments, or an extra that is not installed.
            return ()
        found = {
            value.profile
            for value in estimator.get_params(deep=True).values()
            if type(value).__module__.startswith("tweetclf.preprocessing.")
            and isinstance(getattr(value, "profile", None), str)
        }
        return tuple(sorted(found))


def _build(system: System, spec: RunSpec) -> Any:
    """Return an unfitted estimator as the runs had it; no data are needed."""
    from tweetclf.tasks.metric import Metric
    from tweetclf.utils.registry import resolve

    arguments = dict(spec.arguments)
    if "metric" in arguments:
        # A record holds its text only, and beside it what it is made of.
        arguments["metric"] = Metric(**spec.task.metric_options)
    return resolve(system.target)(**arguments)


def all_exported(leaderboard: Leaderboard) -> Iterator[Exported]:
    """Yield what can be exported: systems with a score, task by task.

    Parameters
    ----------
    leaderboard : Leaderboard
        Ranked runs.

    Yields
    ------
    Exported
        One system on one task.
    """
    for board in leaderboard.boards:
        for entry in board.entries:
            if finite(entry.score) is not None:
                yield Exported(replace(board, entries=(entry,), failed=()))
