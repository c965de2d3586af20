"""Extractive question answering by a pretrained transformer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators._answers import (
    Answer,
    answer_f1,
    exact_match,
    read_answers,
)
from tweetclf.estimators._labels import require_texts
from tweetclf.estimators._seeds import inner_seed
from tweetclf.estimators._training_options import check_options
from tweetclf.estimators._transformer import TransformerEstimator
from tweetclf.exceptions import DataError
from tweetclf.training.options import TrainingOptions
from tweetclf.utils._sklearn import Interval, StrOptions
from tweetclf.utils.random import stream
from tweetclf.utils.validation import check_text_pairs

if TYPE_CHECKING:
    from numpy.random import RandomState

__all__ = ["TransformerQuestionAnswering"]

_Right = tuple[tuple[int, str], ...]


class TransformerQuestionAnswering(TransformerEstimator):
    """Find the part of a context that answers a question.

    The model (``AutoModelForQuestionAnswering``) gives each token two numbers: for
    being the first and the last one of the answer. Contexts that are too long are read
    in windows that overlap.

    Parameters
    ----------
    model : str or path, default="Twitter/twhin-bert-base"
        Directory or hub name of the pretrained model. Its tokenizer must tell where
        tokens stand (a ``tokenizer.json``).
    max_length : int or None, default=None
        Most tokens of a question with a window of its context.
        None stands for 384, or as many as the model has positions for, if fewer.
    overlap : int, default=128
        Tokens of the context that a window shares with the next.
    max_answer_length : int, default=30
        Most tokens of an answer.
    no_answer : bool, default=False
        Whether a context may hold no answer; `predict` then gives "" where that is
        surer than any part of the context.
    answer_unit : {"word", "character"}, default="word"
        What the F1 of answers counts; "character" is for Japanese, as JGLUE has it.
    max_iter : int, default=3
        Epochs.
    batch_size : int, default=32
        Windows in a batch.
    learning_rate, weight_decay, warmup, layer_decay
        As in :class:`TransformerClassifier`.
    profile : str or None, default=None
        Preprocessing profile of questions. Contexts stay as they are, since answers are
        parts of them.
    early_stopping, validation_fraction, n_iter_no_change
        As in :class:`TransformerClassifier`.
    scoring : {"f1", "exact_match"}, default="f1"
        By which the best epoch is chosen, and what `score` gives.
    precision, random_state, training
        As in :class:`TransformerClassifier`.

    Attributes
    ----------
    module_, max_length_, normalizer_, plan_
        As in :class:`TransformerClassifier`.
    architecture_, config_, tokenizer_files_
        As in :class:`TransformerClassifier`.
    n_iter_, history_
        As in :class:`TransformerClassifier`.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.estimators import TransformerQuestionAnswering
    >>> from tweetclf.testing import make_tiny_transformer
    >>> X = [("¿Qué bebe?", "Ana bebe agua hoy"), ("¿Quién bebe?", "Ana bebe agua hoy")]
    >>> y = [(9, "agua"), (0, "Ana")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, [text for row in X for text in row])
    ...     qa = TransformerQuestionAnswering(
    ...         model=folder, max_length=64, max_iter=40, learning_rate=0.01,
    ...         random_state=0)
    ...     qa = qa.fit(X * 4, y * 4)
    >>> qa.predict(X).tolist()
    ['agua', 'Ana']
    """

    _auto_class: ClassVar[str] = "AutoModelForQuestionAnswering"
    _default_length: ClassVar[int] = 384
    _n_outputs = 2

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TransformerEstimator._parameter_constraints,
        "overlap": [Interval(Integral, 0, None, closed="left")],
        "max_answer_length": [Interval(Integral, 1, None, closed="left")],
        "no_answer": ["boolean"],
        "answer_unit": [StrOptions({"word", "character"})],
        "scoring": [StrOptions({"f1", "exact_match"})],
    }

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] = "Twitter/twhin-bert-base",
        max_length: int | None = None,
        overlap: int = 128,
        max_answer_length: int = 30,
        no_answer: bool = False,
        answer_unit: str = "word",
        max_iter: int = 3,
        batch_size: int = 32,
        learning_rate: float = 3e-5,
        weight_decay: float = 0.01,
        warmup: float | None = 0.1,
        layer_decay: float = 1.0,
        profile: str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        scoring: str = "f1",
        precision: str = "float32",
        random_state: int | RandomState | None = None,
        training: TrainingOptions | None = None,
    ) -> None:
        self.model = model
        self.max_length = max_length
        self.overlap = overlap
        self.max_answer_length = max_answer_length
        self.no_answer = no_answer
        self.answer_unit = answer_unit
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.profile = profile
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.precision = precision
        self.random_state = random_state
        self.training = training

    def fit(self, X: Any, y: Any, X_val: Any = None, y_val: Any = None) -> Any:
        """Train on questions, contexts and answers.

        Parameters
        ----------
        X : sequence of (question, context)
            The training texts. Their order does not matter.
        y : sequence
            Of each row ``(start, text)``, the answer and the place of its first
            character in the context; a list of such answers; SQuAD's ``{"text": [...],
            "answer_start": [...]}``; or None, if there is none (with `no_answer`).
        X_val, y_val : optional
            Rows to validate on, in place of a share of the training rows.

        Returns
        -------
        estimator
            This object.
        """
        return super().fit(X, y, X_val, y_val)

    def _read(self, X: Any, *, caller: str) -> list[Any]:
        return list(zip(*check_text_pairs(X, caller=caller), strict=True))

    def _model_options(self) -> dict[str, Any]:
        return {"num_labels": 2}

    def _read_both(
        self, X: Any, y: Any, caller: str
    ) -> tuple[list[tuple[str, str]], list[_Right]]:
        rows = self._read(X, caller=caller)
        require_texts(len(rows), caller=caller)
        answers = read_answers(y, [context for _, context in rows], caller=caller)
        lacking = [index for index, known in enumerate(answers) if not known]
        if lacking and not self.no_answer:
            raise DataError(
                f"{caller} got no answer in y[{lacking[0]}]; set no_answer=True if "
                "contexts may hold none."
            )
        return rows, answers

    def _check_own_options(self, options: TrainingOptions) -> None:
        super()._check_own_options(options)
        default = TrainingOptions()
        for name in (
            "loss",
            "label_smoothing",
            "confidence_penalty",
            "reduction",
            "huber_delta",
        ):
            if getattr(options, name) != getattr(default, name):
                raise DataError(
                    f"{type(self).__name__}: {name}={getattr(options, name)!r} is for "
                    "classes, labels and numbers; an answer is learnt by the "
                    "cross-entropy of its first and last token. Leave it out."
                )

    def _job(self, X: Any, y: Any, X_val: Any, y_val: Any) -> Any:
        caller = type(self).__name__
        self._require_torch()
        from tweetclf.estimators._neural_compute import Job, make_module

        check_options(self)
        if (X_val is None) != (y_val is None):
            raise DataError(f"{caller}.fit needs X_val and y_val, or neither of them.")
        rows, answers = self._read_both(X, y, caller)
        order = sorted(range(len(rows)), key=lambda i: (rows[i], answers[i]))
        train = [(rows[i], answers[i]) for i in order]
        seed = inner_seed(self.random_state)
        held: list[tuple[tuple[str, str], _Right]] = []
        if X_val is not None:
            both = self._read_both(X_val, y_val, f"{caller} (X_val)")
            held = list(zip(*both, strict=True))
        elif self.early_stopping:
            train, held = self._divided(train, seed)
        for name in (*self._restored, "module_state_"):
            self.__dict__.pop(name, None)
        self._fit_inputs([row for row, _ in train], seed)
        windows = self._windows([row for row, _ in train])
        evaluate = self._evaluator(held) if held else None
        rights = [right for _, right in train]
        return Job(make_module(self, seed), windows, rights, evaluate, seed)

    def _train(self, job: Any) -> list[dict[str, Any]]:
        from tweetclf.estimators._answering_compute import train_on_spans

        return train_on_spans(self, job)

    def _divided(self, train: list[Any], seed: int) -> tuple[list[Any], list[Any]]:
        n_held = int(round(self.validation_fraction * len(train)))
        if not 0 < n_held < len(train):
            raise DataError(
                f"{type(self).__name__} cannot hold out validation_fraction="
                f"{self.validation_fraction} of {len(train)} rows; give more, X_val "
                "and y_val, or set early_stopping=False."
            )
        chosen = stream(seed, "validation").permutation(len(train))[:n_held]
        held = set(chosen.tolist())
        kept = [row for index, row in enumerate(train) if index not in held]
        return kept, [train[index] for index in sorted(held)]

    def _evaluator(self, held: list[tuple[tuple[str, str], _Right]]) -> Any:
        rows = [row for row, _ in held]
        windows = self._windows(rows)

        def evaluate(module: Any) -> dict[str, float]:
            best = self._best(module, rows, windows, 1)
            scores = self._scores([a[0].text for a in best], [r for _, r in held])
            return {f"valid_{name}": value for name, value in scores.items()}

        return evaluate

    def _windows(self, rows: Sequence[tuple[str, str]]) -> list[Any]:
        from tweetclf.estimators._windows import make_windows

        questions = self.normalizer_.transform([question for question, _ in rows])
        contexts = [context for _, context in rows]
        tokenizer = self._token_encoder().tokenizer
        return make_windows(
            tokenizer,
            list(zip(questions, contexts, strict=True)),
            self._row_length,
            self.overlap,
            type(self).__name__,
        )

    @property
    def _has_types(self) -> bool:
        names = self._token_encoder().tokenizer.model_input_names
        return "token_type_ids" in names

    def _best(
        self,
        module: Any,
        rows: Sequence[tuple[str, str]],
        windows: Sequence[Any],
        n_best: int,
    ) -> list[list[Answer]]:
        from tweetclf.estimators._answering_compute import numbers_of
        from tweetclf.estimators._windows import best_answers

        numbers = numbers_of(self, module, windows)
        mine: list[list[int]] = [[] for _ in rows]
        for index, window in enumerate(windows):
            mine[window.row].append(index)
        return [
            best_answers(
                [windows[i] for i in indices],
                [numbers[i] for i in indices],
                rows[row][1],
                n_best=n_best,
                max_tokens=self.max_answer_length,
                no_answer=self.no_answer,
            )
            for row, indices in enumerate(mine)
        ]

    def predict_spans(self, X: Any, *, n_best: int = 5) -> list[list[Answer]]:
        """Return the best answers to each question, the best first.

        Parameters
        ----------
        X : sequence of (question, context)
            As in `fit`.
        n_best : int, default=5
            Most answers a question.

        Returns
        -------
        list of list of Answer
            Text, place of the first character, and score of each. With `no_answer` the
            empty text is one of them.
        """
        caller = type(self).__name__
        check_is_fitted(self, "history_")
        rows = self._read(X, caller=caller)
        require_texts(len(rows), caller=caller)
        self._require_torch()
        return self._best(self.module_, rows, self._windows(rows), n_best)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the answer to each question.

        Parameters
        ----------
        X : sequence of (question, context)
            As in `fit`.

        Returns
        -------
        ndarray of object of shape (n_samples,)
            Parts of the contexts; with `no_answer`, "" where there is no answer.
        """
        best = self.predict_spans(X, n_best=1)
        answers = np.empty(len(best), dtype=object)
        answers[:] = [found[0].text for found in best]
        return answers

    def _scores(self, found: list[str], right: Sequence[_Right]) -> dict[str, float]:
        expected = [[text for _, text in known] or [""] for known in right]
        pairs = list(zip(found, expected, strict=True))
        unit = self.answer_unit
        return {
            "exact_match": float(np.mean([exact_match(*p, unit) for p in pairs])),
            "f1": float(np.mean([answer_f1(*p, unit) for p in pairs])),
        }

    def _check_scoring(self, rows: list[Any], targets: NDArray[Any]) -> None:
        """Do nothing: both scores are ours, and can score any answer."""

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """Return exact match and F1, as SQuAD's scorer computes them, from 0 to 1.

        Parameters
        ----------
        X : sequence of (question, context)
            As in `fit`.
        y : sequence
            Right answers, as in `fit`. Of several the best counts.

        Returns
        -------
        dict
            "exact_match" and "f1".
        """
        rows, right = self._read_both(X, y, type(self).__name__)
        return self._scores(self.predict(rows).tolist(), right)

    def score(self, X: Any, y: Any) -> float:
        """Return what `scoring` names.

        Parameters
        ----------
        X : sequence of (question, context)
            As in `fit`.
        y : sequence
            Right answers, as in `fit`.

        Returns
        -------
        float
            F1 or exact match, from 0 to 1.
        """
        return self.evaluate(X, y)[self.scoring]
