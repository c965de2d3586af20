"""One system of a leaderboard: a recipe by name, and what tells its runs apart."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.spaces import Space
from tweetclf.utils.files import sha256_bytes, sha256_file
from tweetclf.utils.registry import resolve

if TYPE_CHECKING:
    from tweetclf.tasks import Task

__all__ = ["System"]

CLASSIFICATION = ("binary", "multiclass")


@dataclass(frozen=True)
class System:
    """One row of a leaderboard: a recipe with its name, source and search space.

    Parameters
    ----------
    name : str
        Lower-case name with hyphens, e.g. ``"atalaya-svm"``.
    target : str
        ``"module:factory"``; the factory returns an unfitted estimator.
    description : str
        One line for people.
    source : str
        Paper, section or table that the recipe reproduces.
    kinds : tuple of str, default=("binary", "multiclass")
        Kinds of task that the system can do. ``"pair"`` stands for pair
        classification, ``"pair-regression"`` for scores of pairs.
    params : mapping, default={}
        Keyword arguments of the factory; others are parameters of its estimator.
    grid : mapping of str to tuple, default={}
        Search space: estimator parameter -> values, tried in order.
    task_params : mapping of str to str, default={}
        Keyword argument of the factory -> attribute of the task that fills it
        (``{"language": "language"}``).
    extra : str, optional
        Extra of tweetclf that the system needs, e.g. ``"embeddings"``.
    module : str, optional
        Module of that extra, tested for before a run.
    space : Space, optional
        Wider search space, with distributions; searched by "tweetclf search".
    files : tuple of str, default=()
        Keyword arguments that are paths of files or folders. Runs are named by the
        content of these, not by where they lie.
    needs : str, optional
        Keyword argument without which the system cannot run, unless a ``preset``
        brings it.
    """

    name: str
    target: str
    description: str
    source: str
    kinds: tuple[str, ...] = CLASSIFICATION
    params: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    task_params: Mapping[str, str] = field(default_factory=dict)
    extra: str | None = None
    module: str | None = None
    space: Space | None = None
    files: tuple[str, ...] = ()
    needs: str | None = None

    def __post_init__(self) -> None:
        for name in ("params", "grid", "task_params"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    # A mapping proxy cannot be pickled, and systems travel to worker processes.
    def __reduce__(self) -> tuple[Any, ...]:
        return (
            System,
            (
                self.name,
                self.target,
                self.description,
                self.source,
                self.kinds,
                dict(self.params),
                dict(self.grid),
                dict(self.task_params),
                self.extra,
                self.module,
                self.space,
                self.files,
                self.needs,
            ),
        )

    def supports(self, kind: str) -> bool:
        """Tell whether the system can do tasks of this kind."""
        return kind in self.kinds

    def arguments(self, task: Task) -> dict[str, Any]:
        """Return the keyword arguments of the factory for `task`."""
        filled = {key: getattr(task, attr) for key, attr in self.task_params.items()}
        if "language" in filled:
            # Word lists know languages, not countries: "es-MX" is "es" to them.
            filled["language"] = filled["language"].partition("-")[0]
        if task.kind in {"multilabel", "pair"}:
            filled[{"multilabel": "multilabel", "pair": "pairs"}[task.kind]] = True
        return {**filled, **self.params}

    def recorded_arguments(self, task: Task) -> dict[str, Any]:
        """Return the arguments as runs record them: files by name and content.

        Raises
        ------
        DataError
            If a file is not there.
        """
        arguments = self.arguments(task)
        for name in self.files:
            if isinstance(path := arguments.get(name), str):
                arguments[name] = _fingerprint(self.name, name, path)
        return arguments

    def build(self, task: Task, *, seed: int = 0) -> Any:
        """Return an unfitted estimator for `task`.

        Every parameter called ``random_state``, at any depth, is set to `seed`.
        """
        estimator = self._make(self.arguments(task))
        states = [
            name
            for name in estimator.get_params(deep=True)
            if name == "random_state" or name.endswith("__random_state")
        ]
        return estimator.set_params(**dict.fromkeys(states, seed))

    def _make(self, arguments: Mapping[str, Any]) -> Any:
        """Call the factory; what it does not take is set on what it returns."""
        factory = resolve(self.target)
        taken = inspect.signature(factory).parameters
        made = factory(**{k: v for k, v in arguments.items() if k in taken})
        return made.set_params(**{k: v for k, v in arguments.items() if k not in taken})

    def candidates(self, task: Task) -> Iterator[dict[str, Any]]:
        """Yield the parameter settings of the grid for `task`, in order.

        Their names are those of :meth:`parameter_names`.
        """
        names = self.parameter_names(task, self.grid).values()
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(names, values, strict=True))

    def parameter_names(self, task: Task, names: Iterable[str]) -> dict[str, str]:
        """Return what parameters of a search space are called for `task`.

        Where a step is wrapped for the task (one classifier a label, or both sides of
        a pair), the parameters are those of the wrapped one: ``lr__C`` becomes
        ``lr__estimator__C``. Names that the estimator does not have stay as they are.
        """
        known = self.build(task).get_params(deep=True)
        found = {}
        for name in names:
            step, _, rest = name.partition("__")
            wrapped = (
                f"{step}__{part}__{rest}" for part in ("estimator", "vectorizer")
            )
            inside = next((other for other in wrapped if other in known), name)
            found[name] = name if name in known else inside
        return found

    def check_parameters(
        self, task: Task, names: Iterable[str], searched_by: str
    ) -> None:
        """Refuse parameters that the estimator for `task` does not have.

        Parameters
        ----------
        task : Task
            The task.
        names : iterable of str
            Names of a search space.
        searched_by : str
            What names them, for the message.

        Raises
        ------
        DataError
            Naming them and those it has.
        """
        known = self.build(task).get_params(deep=True)
        found = self.parameter_names(task, names)
        missing = [name for name, inside in found.items() if inside not in known]
        if missing:
            plain = (n for n, v in known.items() if not hasattr(v, "get_params"))
            raise DataError(
                f"{searched_by} does not fit system {self.name!r}: it has no parameter "
                f"{', '.join(missing)}. It has {', '.join(sorted(plain))}."
            )


_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def _fingerprint(system: str, name: str, path: str) -> dict[str, str]:
    """Return name and sha256 of a file, or of all files of a folder."""
    found = Path(path)
    if not found.exists() and name == "model" and _HUB_NAME.fullmatch(path):
        # Whoever runs it has the hub's copy of that day; nothing else is known here.
        return {"name": path, "sha256": "of the hub"}
    if not found.exists():
        raise DataError(f"{system}.{name}={path}: there is no such file or folder.")
    if found.is_file() and found.suffix not in {".h5", ".hdf5"}:
        return {"name": found.name, "sha256": sha256_file(found)}
    if found.is_file():
        # AllenNLP's weights mean nothing without the options beside them.
        folder = found.parent
        files = [found, *sorted(folder.glob("*options*.json"))]
    else:
        folder = found
        files = sorted(p for p in found.rglob("*") if p.is_file())
    lines = [f"{sha256_file(p)} {p.relative_to(folder).as_posix()}\n" for p in files]
    # Of "models/beto/." the name is "beto".
    return {
        "name": found.resolve().name,
        "sha256": sha256_bytes("".join(lines).encode("utf-8", "surrogateescape")),
    }
