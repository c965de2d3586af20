"""The neutral table of a sweep: every trial with its setting, score and cost.

Reports, curves and comparisons need nothing but this table.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.shapes import (
    Test,
    first_flaw,
    is_count,
    is_flag,
    is_mapping,
    is_number,
    is_plain,
    is_text,
    list_of,
    mapping_of,
    one_of,
    optional,
    shown,
)
from tweetclf.utils.files import write_text_atomic

__all__ = ["FORMAT", "SCALES", "STATES", "Sweep", "Trial"]

FORMAT = 1
"""Version of the schema of a sweep."""

STATES = ("complete", "failed")

SCALES = ("linear", "log", "category")
"""How an axis may show a parameter."""

_TRIAL_NEEDS: Mapping[str, Test] = {
    "number": is_count,
    "params": mapping_of(is_plain),
    "score": optional(is_number),
    "state": one_of(*STATES),
}
_TRIAL_MAY_HAVE: Mapping[str, Test] = {
    "fold_scores": list_of(optional(is_number)),
    "fit_seconds": is_number,
    "record": is_text,
    "records": list_of(is_text),
    "resource": optional(is_count),
    "error": optional(is_text),
}
_SWEEP_NEEDS: Mapping[str, Test] = {
    **dict.fromkeys(("task", "system", "space", "strategy", "metric"), is_text),
    "evaluation": one_of("dev", "cv"),
    "trials": list_of(is_mapping),
}
_SWEEP_MAY_HAVE: Mapping[str, Test] = {
    "greater_is_better": is_flag,
    "n_folds": optional(is_count),
    "seeds": list_of(is_count),
    "seed": is_count,
    "scales": optional(mapping_of(one_of(*SCALES))),
    "version": is_text,
    "task_version": is_text,
    "whole": is_flag,
}


@dataclass(frozen=True)
class Trial:
    """One setting of a search, evaluated.

    Parameters
    ----------
    number : int
        Place in the order of the search, from 0.
    params : mapping of str to object
        Estimator parameter -> value; plain values, tuples for sequences.
    score : float or None
        Official metric, the mean over the seeds; None where the trial failed or the
        metric is not defined for its predictions.
    state : {"complete", "failed"}
        Whether all runs of the trial finished.
    fold_scores : tuple of float, default=()
        Official metric of each fold under cross-validation, of each run on dev; seed
        after seed.
    fit_seconds : float, default=0.0
        Wall time of all fits. Features that an earlier trial left are not in it.
    record : str, default=""
        Key of the run record; of the first seed where there are several.
    records : tuple of str, default=()
        Keys of all its run records, in order of the seeds.
    resource : int or None, default=None
        Number of tweets it was trained on where the search gives fewer than all.
    error : str or None, default=None
        Why it failed.

    Examples
    --------
    >>> Trial(0, {"svm__C": 0.1}, 0.71, "complete").params
    {'svm__C': 0.1}
    """

    number: int
    params: Mapping[str, Any]
    score: float | None
    state: str
    fold_scores: tuple[float, ...] = ()
    fit_seconds: float = 0.0
    record: str = ""
    records: tuple[str, ...] = ()
    resource: int | None = None
    error: str | None = None

    @property
    def scored(self) -> bool:
        """Whether it finished and its predictions have a score."""
        known = self.score is not None and math.isfinite(self.score)
        return self.state == "complete" and known

    @property
    def n_tweets(self) -> float:
        """Number of tweets that it was trained on; infinite for all there are."""
        return math.inf if self.resource is None else self.resource

    @property
    def outcome(self) -> str:
        """What it gave, in words: all that later trials may depend on."""
        return "failed" if self.state == "failed" else f"score {self.score!r}"

    def to_document(self) -> dict[str, Any]:
        """Return the trial as what JSON knows."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        document["params"] = dict(self.params)
        document["score"] = _number(self.score)
        document["fold_scores"] = [_number(score) for score in self.fold_scores]
        document["records"] = list(self.records)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Trial:
        """Make a trial of what :meth:`to_document` gave.

        Raises
        ------
        RecordError
            If something is missing or has another type.
        """
        if not isinstance(document, Mapping):
            raise RecordError(f"this is no trial: {shown(document)}.")
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        flaw = first_flaw(values, _TRIAL_NEEDS)
        flaw = flaw or first_flaw(values, _TRIAL_MAY_HAVE, needed=False)
        if flaw:
            raise RecordError(f"{_named(values)} is damaged: {flaw}.")
        values["params"] = {key: _frozen(v) for key, v in values["params"].items()}
        values["score"] = _score(values["score"])
        values["fold_scores"] = tuple(
            math.nan if score is None else float(score)
            for score in values.get("fold_scores", ())
        )
        values["records"] = tuple(values.get("records", ()))
        return cls(**values)


@dataclass(frozen=True)
class Sweep:
    """A search and all its trials.

    Parameters
    ----------
    task : str
        Name of the task.
    system : str
        Name of the system.
    space : str
        Name of the search space.
    strategy : str
        ``"grid"``, ``"random"``, ``"halving"`` or ``"tpe"``.
    metric : str
        Signature of the official metric.
    evaluation : {"dev", "cv"}
        What the trials were scored on.
    trials : tuple of Trial
        The trials, in order of number.
    greater_is_better : bool, default=True
        Direction of the metric.
    n_folds : int or None, default=None
        Number of folds under cross-validation.
    seeds : tuple of int, default=(0,)
        Seeds that every trial was run with.
    seed : int, default=0
        Seed of the sampling of settings.
    scales : mapping of str to str, default={}
        Parameter -> ``"linear"``, ``"log"`` or ``"category"``: how an axis shows it.
    version : str, default=""
        Version of tweetclf.
    task_version : str, default=""
        Version of the task.
    whole : bool, default=False
        Whether all settings of a finite space were tried, however they were drawn.

    Examples
    --------
    >>> trials = (
    ...     Trial(0, {"svm__C": 0.1}, 0.71, "complete"),
    ...     Trial(1, {"svm__C": 1.0}, 0.74, "complete"),
    ... )
    >>> sweep = Sweep("toy", "char-svm", "grid", "grid", "accuracy", "dev", trials)
    >>> sweep.best.params
    {'svm__C': 1.0}
    >>> Sweep.from_json(sweep.to_json()) == sweep
    True
    """

    task: str
    system: str
    space: str
    strategy: str
    metric: str
    evaluation: str
    trials: tuple[Trial, ...]
    greater_is_better: bool = True
    n_folds: int | None = None
    seeds: tuple[int, ...] = (0,)
    seed: int = 0
    scales: Mapping[str, str] | None = None
    version: str = ""
    task_version: str = ""
    whole: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", dict(self.scales or {}))

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that failed."""
        return tuple(trial for trial in self.trials if trial.state == "failed")

    def ranked(self) -> list[Trial]:
        """Return the trials with a score, best first.

        Trials that were trained on more tweets come before those on fewer, whose
        scores cannot be compared with theirs. Of equal scores the first trial wins.
        """
        sign = -1.0 if self.greater_is_better else 1.0

        def order(trial: Trial) -> tuple[float, float, int]:
            assert trial.score is not None
            return -trial.n_tweets, sign * trial.score, trial.number

        scored = [trial for trial in self.trials if trial.scored]
        return sorted(scored, key=order)

    @property
    def comparable(self) -> tuple[Trial, ...]:
        """The trials that were trained on the most tweets, failed ones included."""
        most = max((trial.n_tweets for trial in self.trials), default=math.inf)
        return tuple(trial for trial in self.trials if trial.n_tweets == most)

    @property
    def best(self) -> Trial | None:
        """The best trial, or None if no trial has a score."""
        ranked = self.ranked()
        return ranked[0] if ranked else None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters of all trials, in order of appearance."""
        return tuple(dict.fromkeys(name for t in self.trials for name in t.params))

    def to_json(self) -> str:
        """Return the sweep as indented JSON."""
        document: dict[str, Any] = {"format": FORMAT}
        document |= {field.name: getattr(self, field.name) for field in fields(self)}
        document["trials"] = [trial.to_document() for trial in self.trials]
        best = self.best
        document["best"] = None if best is None else best.number
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        return text + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, place: str = "sweep") -> Sweep:
        """Read a sweep back.

        Parameters
        ----------
        text : str or bytes
            Content of the file.
        place : str, default="sweep"
            The file, for messages.

        Raises
        ------
        RecordError
            If the text is no sweep, or of another format.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecordError(
                f"{place} is not JSON: {error}. The same search writes it again; runs "
                "that are finished stand in its store."
            ) from error
        if not isinstance(document, dict) or "trials" not in document:
            raise RecordError(
                f'{place} is not a sweep: "tweetclf search --output" writes one.'
            )
        found = document.pop("format", None)
        if found != FORMAT:
            raise RecordError(
                f"{place} has sweep format {found!r}; this version reads {FORMAT}. "
                "Use the version of tweetclf that wrote it."
            )
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        flaw = first_flaw(values, _SWEEP_NEEDS)
        flaw = flaw or first_flaw(values, _SWEEP_MAY_HAVE, needed=False)
        trials: list[Trial] = []
        for said in () if flaw else document["trials"]:
            try:
                trials.append(Trial.from_document(said))
            except RecordError as error:
                flaw = str(error).rstrip(".")
                break
        numbers = [trial.number for trial in trials]
        if not flaw and len(set(numbers)) < len(numbers):
            flaw = "two of its trials have the same number"
        if flaw:
            raise RecordError(
                f"{place} is damaged: {flaw}. The same search writes it again; runs "
                "that are finished stand in its store."
            )
        values |= {"trials": tuple(trials), "seeds": tuple(values.get("seeds", (0,)))}
        return cls(**values)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Sweep:
        """Read the sweep in a file, or in the ``sweep.json`` of a folder."""
        path = Path(path)
        if path.is_dir():
            path = path / "sweep.json"
        try:
            text = path.read_bytes()
        except OSError as error:
            raise RecordError(f"the sweep {path} cannot be read: {error}.") from error
        return cls.from_json(text, place=str(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sweep as JSON, whole or not at all."""
        write_text_atomic(path, self.to_json())

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row a trial; a parameter it has not is None."""
        names = self.parameters
        return [
            {
                "number": trial.number,
                "state": trial.state,
                "score": trial.score,
                "resource": trial.resource,
                "fit_seconds": trial.fit_seconds,
                **{f"param_{name}": trial.params.get(name) for name in names},
                "record": trial.record,
                "error": trial.error,
            }
            for trial in self.trials
        ]

    def to_csv(self) -> str:
        """Return :meth:`rows` as CSV with a header and LF line ends."""
        rows = self.rows()
        if not rows:
            return ""
        buffer = io.StringIO(newline="")
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: _cell(value) for name, value in row.items()} for row in rows
        )
        return buffer.getvalue()


def _named(values: Mapping[str, Any]) -> str:
    given = values.get("number")
    return f"trial {given}" if is_count(given) else "a trial"


def _number(value: float | None) -> float | None:
    """Return a number that JSON knows, or None."""
    return float(value) if value is not None and math.isfinite(value) else None


def _score(value: Any) -> float | None:
    return None if value is None else float(value)


def _frozen(value: Any) -> Any:
    """Turn lists into tuples, as parameters are declared."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _cell(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = json.dumps(value)
    # A spreadsheet must not take a text of ours for a formula.
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@"))
        else value
    )
