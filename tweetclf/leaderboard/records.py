"""Run records: what was run, what came out, what it cost.

A record is a JSON document named by the hash of everything that determines its
numbers. It is written once. Ranking and statistics need nothing but records and the
predictions beside them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.schema import check_document
from tweetclf.utils.files import sha256_bytes

__all__ = ["FORMAT", "Cost", "Protocol", "RunRecord", "RunSpec", "TaskFacts"]

FORMAT = 1
"""Version of the record schema."""


@dataclass(frozen=True)
class Protocol:
    """How a system is trained, selected and scored.

    Parameters
    ----------
    evaluation : {"test", "cv", "dev"}, default="test"
        ``"test"``: train on train, score test once. ``"cv"``: out-of-fold predictions
        over train and dev together, for tasks whose test labels are withheld.
        ``"dev"``: train on train, score dev; for trials of a search alone.
    n_folds : int, default=5
        Number of stratified folds where `evaluation` is ``"cv"``.
    grid : bool, default=False
        Select hyper-parameters from the system's grid on dev, by the official metric.
    refit_on_dev : bool, default=False
        Train the selected setting on train and dev together before test is scored.
    """

    evaluation: str = "test"
    n_folds: int = 5
    grid: bool = False
    refit_on_dev: bool = False

    def normalise(self, *, has_grid: bool, has_dev: bool) -> Protocol:
        """Return the protocol without options that change no number of a run.

        Parameters
        ----------
        has_grid : bool
            Whether the system has settings to select.
        has_dev : bool
            Whether the task has a dev split.
        """
        grid = self.grid and has_grid
        folded = self.evaluation == "cv"
        # Within folds there is a dev part only where settings are selected on it.
        refit = self.refit_on_dev and (grid if folded else has_dev)
        n_folds = self.n_folds if folded else Protocol.n_folds
        return replace(self, grid=grid, refit_on_dev=refit, n_folds=n_folds)


@dataclass(frozen=True)
class TaskFacts:
    """What a report must know of a task, without its data.

    Parameters
    ----------
    name, version, language, kind : str
        As in :class:`tweetclf.tasks.Task`.
    metric : str
        Signature of the official metric.
    metric_options : mapping
        Fields of :class:`tweetclf.tasks.Metric` that define it, from which it can be
        made again.
    greater_is_better : bool
        Direction of the official metric.
    label_names : tuple of str
        Labels in order; empty for regression.
    data : mapping of str to str
        Split -> sha256 of its content.
    sizes : mapping of str to int
        Split -> number of tweets.
    n_shared : int
        Tweets of the evaluated split that stand verbatim in train, white space at the
        ends aside (in records of old, with it).
    """

    name: str
    version: str
    language: str
    kind: str
    metric: str
    metric_options: Mapping[str, Any]
    greater_is_better: bool
    label_names: tuple[str, ...]
    data: Mapping[str, str]
    sizes: Mapping[str, int]
    n_shared: int = 0


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines a run's numbers.

    Parameters
    ----------
    task : TaskFacts
        The task and the hashes of its data.
    system : str
        Name of the system.
    target : str
        Factory, ``"module:attribute"``.
    arguments : mapping
        Keyword arguments of the factory.
    grid : mapping or None
        Search space, if hyper-parameters are selected.
    seed : int
        Seed of every random stream.
    protocol : Protocol
        How the system is trained and scored.
    version : str
        Version of tweetclf.
    trial : mapping, optional
        Where the run is a trial of a search: its ``"params"``, the ``"fold_seed"``
        under cross-validation, and the ``"resource"`` (a number of training tweets)
        where it is given fewer than all. None for runs of leaderboards.
    """

    task: TaskFacts
    system: str
    target: str
    arguments: Mapping[str, Any]
    grid: Mapping[str, Any] | None
    seed: int
    protocol: Protocol
    version: str
    trial: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits of the sha256 of the canonical JSON."""
        facts = self.to_document()
        # Derived from the data, which the hashes name already.
        for derived in ("n_shared", "sizes"):
            facts["task"].pop(derived)
        text = json.dumps(facts, sort_keys=True, default=_plain, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_document(self) -> dict[str, Any]:
        """Return the spec as what JSON knows; runs of leaderboards have no trial."""
        document: dict[str, Any] = _finite(asdict(self), "text")
        if self.trial is None:
            del document["trial"]
        return document

    @property
    def path(self) -> str:
        """Where a store keeps the record, seen from the folder of the store."""
        room = "runs" if self.trial is None else "trials"
        return f"{room}/{_slug(self.task.name)}/{_slug(self.system)}/{self.key}.json"

    @property
    def way(self) -> Protocol:
        """The protocol in normal form, also where the spec says more than it does."""
        return self.protocol.normalise(
            has_grid=self.grid is not None, has_dev="dev" in self.task.data
        )


@dataclass(frozen=True)
class Cost:
    """What a run cost.

    Parameters
    ----------
    fit_seconds : float
        Wall time of the final fit (all groups or folds together).
    select_seconds : float
        Wall time of the selection of hyper-parameters.
    predict_seconds : float
        Wall time of the predictions on the evaluated split.
    n_predicted : int
        Number of tweets predicted in that time.
    peak_memory : int or None
        Growth of the process's peak resident memory while the final model is fitted
        and predicts, in bytes.
    model_bytes : int or None
        Size of the pickled model or models.
    """

    fit_seconds: float
    select_seconds: float
    predict_seconds: float
    n_predicted: int
    peak_memory: int | None
    model_bytes: int | None

    @property
    def tweets_per_second(self) -> float:
        """Tweets predicted a second."""
        return self.n_predicted / max(self.predict_seconds, 1e-9)


@dataclass(frozen=True)
class RunRecord:
    """A finished or failed run.

    Parameters
    ----------
    spec : RunSpec
        What was run.
    status : {"finished", "failed"}
        Whether there are scores.
    scores : mapping of str to mapping
        Split -> metric name -> value. The official metric stands under ``"official"``.
    fold_scores : tuple of float
        Official metric of each fold, where the protocol is cross-validation.
    selected : mapping or None
        Chosen hyper-parameters.
    candidates : tuple of mapping
        All settings tried on dev with their scores.
    cost : Cost or None
        What it cost.
    environment : mapping
        Hardware and versions.
    warnings : tuple of str
        What a reader of the score must know.
    error : str or None
        Why a failed run failed: type, message, place.
    created : str
        UTC time at the end of the run, ISO 8601.
    predictions_sha256 : str or None
        Hash of the file of predictions beside the record; None in records of old.
    """

    spec: RunSpec
    status: str
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fold_scores: tuple[float, ...] = ()
    selected: Mapping[str, Any] | None = None
    candidates: tuple[Mapping[str, Any], ...] = ()
    cost: Cost | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str | None = None
    created: str = ""
    predictions_sha256: str | None = None

    @property
    def key(self) -> str:
        """Name of the record, from its spec."""
        return self.spec.key

    @property
    def remedy(self) -> str:
        """What to do where the record or its predictions are damaged."""
        return f"Delete {self.spec.path} in the store to run it again."

    @property
    def split(self) -> str:
        """Split of the official score: ``"test"``, ``"cv"`` or ``"dev"``."""
        return self.spec.protocol.evaluation

    @property
    def score(self) -> float:
        """Official metric on the evaluated split; NaN where the run failed."""
        score = self.scores.get(self.split, {}).get("official")
        return math.nan if score is None else float(score)

    def to_json(self) -> str:
        """Return the record as indented JSON, with its key and format."""
        document = {"format": FORMAT, "key": self.key, **_finite(asdict(self), None)}
        document["spec"] = self.spec.to_document()
        # The digest is of what a reader will see, so that it can be checked.
        plain = json.loads(json.dumps(document, default=_plain, allow_nan=False))
        document["digest"] = _digest(plain)
        text = json.dumps(
            document, indent=1, ensure_ascii=False, default=_plain, allow_nan=False
        )
        return text + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, place: str = "record") -> RunRecord:
        """Read a record back.

        Parameters
        ----------
        text : str or bytes
            Content of the file.
        place : str, default="record"
            The file, for messages.

        Raises
        ------
        RecordError
            If the text is no record, is of another format, holds values of a wrong
            type, or was changed after it was written; the message names `place` and
            the remedy.
        """
        document = _parse(text, place)
        key = document.pop("key", None)
        check_document(document, place)
        try:
            record = cls._from_document(document)
            found = record.key
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RecordError(
                f"{place} is a damaged run record: {error!r}. Delete the file to run "
                "it again."
            ) from error
        if found != key:
            raise RecordError(
                f"{place} says key {key!r}, but its content has key {found!r}: "
                "it was changed after it was written. Delete the file to run it again."
            )
        return record

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> RunRecord:
        spec = document["spec"]
        task = {**spec["task"], "label_names": tuple(spec["task"]["label_names"])}
        scores = [math.nan if v is None else v for v in document["fold_scores"]]
        return cls(
            **{
                **document,
                "spec": RunSpec(
                    **{
                        **spec,
                        "task": TaskFacts(**task),
                        "protocol": Protocol(**spec["protocol"]),
                    }
                ),
                "cost": Cost(**document["cost"]) if document["cost"] else None,
                "fold_scores": tuple(scores),
                "candidates": tuple(document["candidates"]),
                "warnings": tuple(document["warnings"]),
            }
        )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".") or "_"


def _digest(document: Mapping[str, Any]) -> str:
    return sha256_bytes(json.dumps(document, sort_keys=True).encode())


def _parse(text: str | bytes, place: str) -> dict[str, Any]:
    """Return the JSON object of a record after checking its format and digest."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(
            f"{place} is not JSON: {error}. Delete the file to run it again."
        ) from error
    if not isinstance(document, dict) or "spec" not in document:
        raise RecordError(
            f"{place} is not a run record of tweetclf. Delete the file or use another "
            "store."
        )
    digest = document.pop("digest", None)
    # Records of old have no digest.
    if digest is not None and digest != _digest(document):
        raise RecordError(
            f"{place} was changed after it was written: its digest does not fit its "
            "content. Delete the file to run it again."
        )
    found = document.pop("format", None)
    if found != FORMAT or isinstance(found, bool):
        raise RecordError(
            f"{place} has record format {found!r}; this version reads {FORMAT}. "
            "Use the version of tweetclf that wrote it, or another store."
        )
    return document


def _finite(value: Any, instead: str | None) -> Any:
    """Replace NaN and infinities, which JSON does not know.

    Scores become null. Parameters become text, since they determine the key.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value) if instead == "text" else None
    if isinstance(value, Mapping):
        return {key: _finite(item, instead) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, instead) for item in value]
    return value


def _plain(value: Any) -> Any:
    """JSON form of what records hold besides plain values."""
    if hasattr(value, "items"):
        return dict(value.items())
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if hasattr(value, "get_params"):
        return repr(value)
    return str(value)
