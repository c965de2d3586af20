"""What all normalisers and the tokenizer share: they learn nothing from data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, Self

from sklearn.base import BaseEstimator, TransformerMixin

from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import _fit_context
from tweetclf.utils.validation import check_texts

__all__ = ["StatelessTextTransformer", "TextNormalizer"]

_COMPILED: dict[tuple[Any, ...], Callable[[str], Any]] = {}
_MOST_COMPILED = 256


@cache
def _options_of(cls: type[StatelessTextTransformer]) -> Callable[[Any], Any]:
    """Return what reads all options of an object at once.

    Not get_params: it reads the signature each time, and this runs for each text.
    """
    return attrgetter(*cls._parameter_constraints)


class StatelessTextTransformer(TransformerMixin, BaseEstimator, ABC):
    """Base of transformers whose output depends on their parameters alone."""

    _parameter_constraints: dict[str, list[Any]] = {}

    def _key(self) -> tuple[Any, ...]:
        """Return all that decides the output, as something that can be hashed."""
        options: tuple[Any, ...] = _options_of(type(self))(self)
        return options

    def _validate_params(self) -> None:
        # Called by `fit`, and by the first use of options.
        from tweetclf.preprocessing._labels import check_label

        super()._validate_params()
        check_label(self)

    @abstractmethod
    def _compile(self) -> Callable[[str], Any]:
        """Return the function of one text that the options describe."""

    def _compiled(self) -> Callable[[str], Any]:
        """Return what `_compile` returns, made once for equal options.

        Nothing compiled is stored in the estimator: it could not be saved.
        """
        key = (type(self), self._key())
        try:
            function = _COMPILED.get(key)
        except TypeError:  # An option that cannot be hashed is of a wrong type.
            self._validate_params()
            self._compile()  # Perhaps one of the normaliser within.
            raise
        if function is None:
            self._validate_params()
            if len(_COMPILED) >= _MOST_COMPILED:
                _COMPILED.clear()
            function = _COMPILED[key] = self._compile()
        return function

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Validate the parameters and the texts; nothing is learnt.

        Parameters
        ----------
        X : sequence of str
            Texts.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The same estimator.
        """
        check_texts(X, caller=type(self).__name__)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _check_one(self, text: Any) -> None:
        if not isinstance(text, str):
            raise DataError(
                f"{type(self).__name__} expected a text to be a str; it is "
                f"{type(text).__name__}. Use transform for several texts."
            )


class TextNormalizer(StatelessTextTransformer):
    """Base of normalisers: a subclass says what happens to one text."""

    def normalize(self, text: str) -> str:
        """Return the normalised `text`."""
        self._check_one(text)
        normalized: str = self._compiled()(text)
        return normalized

    def transform(self, X: Any) -> list[str]:
        """Normalise texts.

        Parameters
        ----------
        X : sequence of str
            Texts.

        Returns
        -------
        list of str of length n_samples
            Normalised texts, in order.
        """
        texts = check_texts(X, caller=type(self).__name__)
        return list(map(self._compiled(), texts))

    def __call__(self, text: str) -> str:
        """Normalise one text, so that a vectorizer takes it as ``preprocessor``."""
        return self.normalize(text)

    def replacement_tokens(self) -> tuple[str, ...]:
        """Return the tokens that the options put in place of something."""
        return ()
