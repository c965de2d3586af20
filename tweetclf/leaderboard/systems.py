"""The systems of the leaderboard, named by lazy strings.

Listing systems imports no estimator: a target is resolved when the system is built.
"""

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
from tweetclf.leaderboard.spaces import (
    Choice,
    Dimension,
    Integer,
    LogUniform,
    Space,
    Uniform,
)
from tweetclf.utils.files import sha256_bytes, sha256_file
from tweetclf.utils.registry import Registry, resolve

if TYPE_CHECKING:
    from tweetclf.tasks import Task

__all__ = ["SYSTEMS", "System", "get_system", "list_systems", "register_system"]

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


SYSTEMS: Registry[System] = Registry("system", 'Run "tweetclf systems": it')


def register_system(system: System) -> None:
    """Add a system, so that leaderboards can name it.

    Parameters
    ----------
    system : System
        The system.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    SYSTEMS.register(system.name, system)


def get_system(name: str) -> System:
    """Return the system called `name`.

    Parameters
    ----------
    name : str
        Lower-case name with hyphens.

    Raises
    ------
    UnknownNameError
        With near names, if there is none.
    """
    return SYSTEMS.get(name)


def list_systems() -> list[System]:
    """Return all systems in order of name."""
    return [SYSTEMS.get(name) for name in SYSTEMS]


_ESTIMATORS = "tweetclf.estimators"
_LANGUAGE = {"language": "language"}
_EMBEDDINGS: dict[str, Any] = {
    "extra": "embeddings",
    "module": "gensim",
    "files": ("vectors", "extra_corpus"),
}
_NEURAL: dict[str, Any] = {"extra": "neural", "module": "torch"}
_C = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_TERMS: dict[str, Dimension] = {
    "tfidf__ngram_range": Choice(((1, 1), (1, 2), (1, 3))),
    "tfidf__min_df": Integer(1, 5),
}
_WEIGHTS = Choice((None, "balanced"))
_ATALAYA_SVM = Space({"svm__C": LogUniform(0.003, 10.0), "svm__class_weight": _WEIGHTS})
_FASTTEXT = Space(
    {
        "fasttext__learning_rate": LogUniform(0.03, 3.0),
        "fasttext__max_iter": Integer(3, 50),
        "fasttext__n_components": Choice((20, 50, 100, 200)),
        "fasttext__class_weight": _WEIGHTS,
    }
)
_BILSTM = Space(
    {
        "learning_rate": LogUniform(3e-4, 1e-2),
        "hidden_size": Choice((64, 128, 256)),
        "dropout": Uniform(0.0, 0.8),
        "class_weight": _WEIGHTS,
    }
)
_ATALAYA = "Perez & Luque, SemEval-2019 Task 5 (Atalaya)"

for _system in (
    System(
        "majority",
        f"{_ESTIMATORS}:majority",
        "Always the most frequent class",
        "reference point",
        kinds=("binary", "multiclass", "multilabel", "pair"),
    ),
    System(
        "stratified",
        f"{_ESTIMATORS}:stratified",
        "Random labels in the proportions of the training set",
        "reference point",
        kinds=("binary", "multiclass", "multilabel", "pair"),
    ),
    System(
        "tfidf-lr",
        f"{_ESTIMATORS}:tfidf_lr",
        "Word 1-2-gram TF-IDF, logistic regression",
        "the usual first baseline",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"lr__C": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)},
        space=Space(
            {
                "lr__C": LogUniform(0.03, 100.0),
                "lr__class_weight": _WEIGHTS,
                **_TERMS,
            }
        ),
    ),
    System(
        "char-svm",
        f"{_ESTIMATORS}:char_svm",
        "Character n-gram TF-IDF, linear SVM",
        "the usual strong baseline of shared tasks",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"svm__C": _C},
        space=Space(
            {
                "svm__C": LogUniform(0.003, 10.0),
                "svm__class_weight": _WEIGHTS,
                "tfidf__ngram_range": Choice(((1, 4), (2, 4), (2, 5), (2, 6), (3, 6))),
                "tfidf__min_df": Integer(1, 5),
            }
        ),
    ),
    System(
        "char-svm-balanced",
        f"{_ESTIMATORS}:char_svm",
        "Character n-gram TF-IDF, linear SVM, rare classes weighted up",
        "the same, for skewed classes",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"class_weight": "balanced"},
        grid={"svm__C": _C},
    ),
    System(
        "nbsvm",
        f"{_ESTIMATORS}:nbsvm",
        "Linear SVM on binary n-grams scaled by NB log-count ratios",
        "Wang & Manning, ACL 2012",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"nbsvm__C": (0.01, 0.1, 1.0), "nbsvm__beta": (0.25, 1.0)},
        space=Space(
            {
                "nbsvm__C": LogUniform(0.003, 10.0),
                "nbsvm__alpha": LogUniform(0.1, 10.0),
                "nbsvm__intercept": Choice(("none", "interpolated", "learner")),
                "nbsvm__beta": Uniform(0.0, 1.0),
                "counts__ngram_range": Choice(((1, 1), (1, 2), (1, 3))),
            }
        ),
    ),
    System(
        "fasttext",
        f"{_ESTIMATORS}:fasttext",
        "Averaged embeddings of word 1-2-grams, softmax, learnt by SGD",
        "Joulin et al., EACL 2017",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={
            "fasttext__learning_rate": (0.1, 0.3, 1.0),
            "fasttext__max_iter": (5, 15, 40),
        },
        space=_FASTTEXT,
    ),
    System(
        "fasttext-subwords",
        f"{_ESTIMATORS}:fasttext",
        "The same with character 3-6-grams within words",
        "Joulin et al., EACL 2017; Bojanowski et al., TACL 2017",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"subwords": (3, 6)},
        grid={
            "fasttext__learning_rate": (0.1, 0.3, 1.0),
            "fasttext__max_iter": (5, 15, 40),
        },
        space=_FASTTEXT,
    ),
    System(
        "haha-nbsvm",
        f"{_ESTIMATORS}:haha_nbsvm",
        "NB-scaled TF-IDF, logistic regression",
        "Farzin, Czapla & Howard, IberLEF 2019, baseline of Table 3",
        kinds=("binary", "multiclass", "multilabel"),
        space=Space({"nbsvm__C": LogUniform(0.1, 100.0), **_TERMS}),
    ),
    System(
        "atalaya-svm",
        f"{_ESTIMATORS}:atalaya_svm",
        "Bag of words + bag of characters + SIF tweet embedding, linear SVM",
        f"{_ATALAYA}, SVM0 of Table 1",
        kinds=("binary", "multiclass", "multilabel"),
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-lr",
        f"{_ESTIMATORS}:atalaya_lr",
        "The same features, logistic regression",
        f"{_ATALAYA}, section 3.1",
        kinds=("binary", "multiclass", "multilabel"),
        task_params=_LANGUAGE,
        grid={"lr__C": (0.1, 0.3, 1.0, 3.0, 10.0)},
        space=Space({"lr__C": LogUniform(0.03, 30.0), "lr__class_weight": _WEIGHTS}),
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-svm-no-bow",
        f"{_ESTIMATORS}:atalaya_svm",
        "Ablation: without the bag of words",
        f"{_ATALAYA}, SVM without BoW",
        params={"without": "bow"},
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-svm-no-boc",
        f"{_ESTIMATORS}:atalaya_svm",
        "Ablation: without the bag of characters",
        f"{_ATALAYA}, SVM without BoC",
        params={"without": "boc"},
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-svm-no-emb",
        f"{_ESTIMATORS}:atalaya_svm",
        "Ablation: without the tweet embedding",
        f"{_ATALAYA}, SVM without embeddings",
        params={"without": "emb"},
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
    ),
    System(
        "atalaya-svm-elmo",
        f"{_ESTIMATORS}:atalaya_svm",
        "The same with the mean of ELMo vectors, reduced to 100 dimensions",
        f"{_ATALAYA}, SVM with ELMo",
        kinds=("binary", "multiclass", "multilabel"),
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        files=("with_elmo", "vectors", "extra_corpus"),
        needs="with_elmo",
        **_NEURAL,
    ),
    System(
        "atalaya-lstm-elmo",
        f"{_ESTIMATORS}:atalaya_lstm_elmo",
        "BiLSTM over ELMo vectors",
        f"{_ATALAYA}, LSTM-ELMo",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        task_params=_LANGUAGE,
        files=("weights",),
        needs="weights",
        **_NEURAL,
    ),
    System(
        "atalaya-lstm-elmo-bow",
        f"{_ESTIMATORS}:atalaya_lstm_elmo_bow",
        "The same beside a bag of words",
        f"{_ATALAYA}, LSTM-ELMo+BoW, figure 1",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        task_params=_LANGUAGE,
        files=("weights",),
        needs="weights",
        **_NEURAL,
    ),
    System(
        "bilstm",
        f"{_ESTIMATORS}:bilstm",
        "BiLSTM over word vectors learnt with it",
        "the usual neural baseline, as in TweetEval (Barbieri et al., 2020)",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        space=_BILSTM,
        files=("vectors", "embeddings"),
        **_NEURAL,
    ),
    System(
        "transformer",
        f"{_ESTIMATORS}:transformer",
        "A pretrained transformer of yours, fine-tuned",
        "Devlin et al., NAACL 2019; the presets cite their own",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"learning_rate": (1e-5, 3e-5, 1e-4)},
        space=Space(
            {
                "learning_rate": LogUniform(5e-6, 5e-4),
                "max_iter": Integer(2, 10),
                "pooling": Choice(("cls", "mean")),
            }
        ),
        files=("model",),
        needs="model",
        **{**_NEURAL, "module": "transformers"},
    ),
    System(
        "transformer-regressor",
        f"{_ESTIMATORS}:transformer",
        "The same for numbers",
        "Devlin et al., NAACL 2019",
        kinds=("regression", "pair-regression"),
        params={"regression": True},
        grid={"learning_rate": (1e-5, 3e-5, 1e-4)},
        files=("model",),
        needs="model",
        **{**_NEURAL, "module": "transformers"},
    ),
    System(
        "ngram-ensemble",
        f"{_ESTIMATORS}:ngram_ensemble",
        "Soft vote of word, character and NB-ratio models, decisions tuned",
        "this project; chosen on the dev splits of TweetEval",
        task_params={**_LANGUAGE, "metric": "metric"},
        grid={
            "vote__estimator__weights": (
                (1, 1, 1, 0, 0),
                (1, 1, 0, 0, 0),
                (1, 1, 1, 1, 0),
                (0, 0, 0, 0, 1),
                (1, 0, 1, 0, 1),
                (0, 0, 1, 0, 1),
            )
        },
    ),
    System(
        "haha-ulmfit-qrnn",
        f"{_ESTIMATORS}:haha_ulmfit_qrnn",
        "QRNN language model of the training tweets, fine-tuned (ULMFiT), tiny",
        "Farzin, Czapla & Howard, IberLEF 2019, Table 3, in a size for a CPU",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"size": "tiny"},
        grid={"learning_rate": (2e-3, 5e-3, 1e-2)},
        space=Space(
            {
                "learning_rate": LogUniform(1e-3, 3e-2),
                "dropout_multiplier": Uniform(0.0, 1.0),
                "max_iter": Integer(4, 20),
            }
        ),
        files=("language_model", "extra_corpus"),
        **_NEURAL,
    ),
    System(
        "haha-ulmfit-qrnn-regressor",
        f"{_ESTIMATORS}:haha_ulmfit_qrnn_regressor",
        "The same for numbers",
        "Farzin, Czapla & Howard, IberLEF 2019, task 2, in a size for a CPU",
        kinds=("regression",),
        params={"size": "tiny"},
        grid={"learning_rate": (2e-3, 5e-3, 1e-2)},
        files=("language_model", "extra_corpus"),
        **_NEURAL,
    ),
    System(
        "mean",
        f"{_ESTIMATORS}:mean",
        "Always the mean of the training targets",
        "reference point",
        kinds=("regression", "pair-regression"),
    ),
    System(
        "tfidf-ridge",
        f"{_ESTIMATORS}:tfidf_ridge",
        "Word 1-2-gram TF-IDF, ridge regression",
        "the usual first baseline",
        kinds=("regression", "pair-regression"),
        grid={"ridge__alpha": (0.3, 1.0, 3.0, 10.0)},
        space=Space({"ridge__alpha": LogUniform(0.03, 100.0), **_TERMS}),
    ),
):
    register_system(_system)
