"""Predict with a saved model, without scikit-learn where that is possible."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features._packing import TooWideError
from tweetclf.features._reading import UnreadableError
from tweetclf.persistence._lean import KINDS, LeanModel, NotLeanError, build
from tweetclf.persistence._parts import PartDecoder, types_in
from tweetclf.persistence.model import StoredModel, open_model
from tweetclf.utils.validation import check_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Predictor", "load_predictor"]

# Versions of scikit-learn whose fitted attributes are read here.
_KNOWN = ("1.8.", "1.9.")


class Predictor:
    """Predicts what a saved model predicts; made by :func:`load_predictor`.

    The linear systems on n-grams are carried out with NumPy alone, which starts in
    a fraction of the time that importing scikit-learn takes, and answers a single
    text sooner. Any other model is loaded as :func:`load` does it.

    Parameters
    ----------
    stored : StoredModel
        What :func:`load_predictor` has read.

    See Also
    --------
    load : The estimator itself, to look into, to fit again or to search with.
    """

    def __init__(self, stored: StoredModel) -> None:
        self._stored = stored
        self._lean = _lean_model(stored)
        self._estimator: Any = None
        if self._lean is None:
            self._whole()

    def _whole(self) -> Any:
        """Return the estimator, loaded when it is first needed."""
        if self._estimator is None:
            self._estimator = self._stored.decode()
        return self._estimator

    def __repr__(self) -> str:
        how = "NumPy alone" if self.is_lean else "scikit-learn"
        return f"<Predictor of {self._stored.folder} by {how}>"

    @property
    def is_lean(self) -> bool:
        """Whether predicting needs neither scikit-learn nor SciPy."""
        return self._lean is not None

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes, if the model is a classifier."""
        classes: NDArray[Any]
        classes = (self._lean or self._whole()).classes_
        return classes

    @property
    def takes_pairs(self) -> bool | None:
        """Whether texts are pairs; None if the model's parts do not say."""
        if self._lean is not None:
            return False
        from tweetclf.persistence.labelling import takes_pairs

        return takes_pairs(self._whole())

    def predict(self, texts: Any) -> NDArray[Any]:
        """Return the label of each text.

        Parameters
        ----------
        texts : sequence of str of length n_texts
            The texts; pairs if the model takes pairs.

        Returns
        -------
        ndarray of shape (n_texts,)
            As the model's own `predict` returns them.
        """
        if self._lean is not None:
            scores = self._scores(texts)
            if scores is not None:
                return self._lean.labels(scores)
        labels: NDArray[Any] = self._whole().predict(texts)
        return labels

    @property
    def predict_proba(self) -> Callable[[Any], NDArray[Any]]:
        """The function from texts to the probabilities of the classes.

        There is none, that is an AttributeError, where the model has none.
        """
        if self._lean is None:
            proba: Callable[[Any], NDArray[Any]] = self._whole().predict_proba
            return proba
        if self._lean.link is None:
            raise AttributeError(
                "the model has no predict_proba: a linear SVM yields no probabilities"
            )
        return self._lean_proba

    def _lean_proba(self, texts: Any) -> NDArray[Any]:
        assert self._lean is not None
        assert self._lean.link is not None
        scores = self._scores(texts)
        if scores is not None:
            return self._lean.link(scores)
        proba: NDArray[Any] = self._whole().predict_proba(texts)
        return proba

    def _scores(self, texts: Any) -> NDArray[Any] | None:
        """Return decision values, or None if scikit-learn must read the texts."""
        assert self._lean is not None
        caller = self._lean.caller
        texts = check_texts(texts, caller=caller)
        if not texts:
            raise DataError(f"{caller} got 0 texts; pass at least one.")
        try:
            return self._lean.scores(texts)
        except (TooWideError, UnreadableError):
            return None


def _lean_model(stored: StoredModel) -> LeanModel | None:
    node = stored.manifest["estimator"]
    saved_with = stored.manifest["versions"].get("scikit-learn", "")
    if not saved_with.startswith(_KNOWN) or not types_in(node) <= KINDS:
        return None
    try:
        return build(PartDecoder(stored.arrays).decode_model(node))
    # A damaged model is refused by the decoder of whole models, in its words.
    except (ModelFormatError, NotLeanError):
        return None


def load_predictor(path: str | os.PathLike[str]) -> Predictor:
    """Load a saved model to predict with, as quickly as it can be done.

    Everything that :func:`load` checks is checked, and nothing is executed. A lean
    model does without scikit-learn, so that its version needs no warning.

    Parameters
    ----------
    path : path
        A directory that :func:`save` made.

    Returns
    -------
    Predictor
        With `predict`, `predict_proba` (where the model has it) and `classes_`. The
        labels are those of the estimator that :func:`load` returns, and so are the
        probabilities, bit for bit on x86.

    Raises
    ------
    ModelFormatError
        If the directory is damaged, is no model, or was saved by a newer tweetclf.
    FileNotFoundError
        If there is no such directory.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.estimators import char_svm
    >>> from tweetclf.persistence import load_predictor, save
    >>> model = char_svm().fit(["jaja que risa", "que triste dia"], ["P", "N"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     predictor = load_predictor(save(model, folder + "/model"))
    >>> predictor.predict(["jajaja"]).tolist()
    ['P']
    >>> predictor.is_lean
    True
    """
    return Predictor(open_model(path))
