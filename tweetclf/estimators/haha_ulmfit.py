"""The system that won HAHA 2019: ULMFiT on a QRNN language model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tweetclf.estimators.fold_ensemble import FoldEnsemble, SeedEnsemble
from tweetclf.estimators.ulmfit import ULMFiTClassifier, ULMFiTRegressor
from tweetclf.pretraining.stages import FINE_TUNING, PRETRAINING

if TYPE_CHECKING:
    from numpy.random import RandomState

__all__ = ["SIZES", "haha_ulmfit_qrnn", "haha_ulmfit_qrnn_regressor"]

# What a language model is like, how it is trained and fine-tuned, and epochs of the
# head and of all layers. "paper": section 3, Tables 1 and 2. The others are for
# machines without an accelerator, with rates that suit few steps.
SIZES: dict[str, dict[str, Any]] = {
    "paper": {
        "lm_params": {
            "vocab_size": 30_000,
            "emb_size": 400,
            "hidden_size": 2304,
            "n_layers": 3,
            "stages": PRETRAINING,
        },
        "fine_tuning": FINE_TUNING,
        "head_iter": 2,
        "max_iter": 15,
    },
    "small": {
        "lm_params": {
            "vocab_size": 8_000,
            "emb_size": 200,
            "hidden_size": 600,
            "n_layers": 2,
            "stages": ((6, 5e-3),),
        },
        "fine_tuning": ((3, 3e-3),),
        "head_iter": 1,
        "max_iter": 6,
    },
    "tiny": {
        "lm_params": {
            "vocab_size": 2_000,
            "emb_size": 64,
            "hidden_size": 128,
            "n_layers": 2,
            "batch_size": 16,
            "bptt": 35,
            "stages": ((6, 1e-2),),
        },
        "fine_tuning": ((2, 3e-3),),
        "head_iter": 2,
        "max_iter": 10,
    },
}
_VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {"passes": 1, "xxnl": True, "save_prev_x": True},
    "code": {"passes": 2, "xxnl": False, "save_prev_x": False},
}
_FOLD_SEED = 20190313  # the split seed of the released code


def haha_ulmfit_qrnn(
    *,
    size: str = "paper",
    variant: str = "paper",
    language_model: str | os.PathLike[str] | None = None,
    extra_corpus: Any = None,
    oversampling: str | None = None,
    scoring: str = "f1_macro",
    n_folds: int = 1,
    n_seeds: int = 1,
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
) -> Any:
    """Make the winner of HAHA 2019 (Farzin, Czapla and Howard).

    A QRNN language model of tweets, fine-tuned on the task's texts; a classifier over
    it, its head trained first. With ``variant="code", n_folds=5, n_seeds=20,
    oversampling="bootstrap", scoring="f1"`` this is what was submitted: of 20 seeds
    the one of the best F1 over five folds, the mean probability of its five models.
    Published in Table 3: accuracy .8458, F1 .8099 on test.

    Parameters
    ----------
    size : {"paper", "small", "tiny"}, default="paper"
        Sizes and epochs: those of the paper, those that a CPU trains in an hour on
        some hundred thousand tweets, and those for a try on some hundred.
    variant : {"paper", "code"}, default="paper"
        A new language model as the paper has it: cleaning rules applied once, the mark
        of line ends a piece of its own, the first layer shown the token before. Or as
        the released code ran: rules twice, no such piece, no such token. A given
        `language_model` brings its own.
    language_model : path or None, default=None
        Folder of a language model to fine-tune, as "tweetclf pretrain lm" makes it;
        its own sizes count. None: one is trained on the training texts.
    extra_corpus : sequence of str, path or None, default=None
        Texts without labels to train or fine-tune the language model on besides.
    oversampling : {"random", "smote", "bootstrap"} or None, default=None
        See :class:`ULMFiTClassifier`. The paper says SMOTE, its code did what
        "bootstrap" does.
    scoring : str, default="f1_macro"
        What chooses the epoch, fold by fold, where `n_folds` is above 1. The released
        code took the F1 of class 1: "f1", which needs labels 0 and 1.
    n_folds, n_seeds : int, default=1
        Above 1: wrap the classifier in a :class:`FoldEnsemble`, and that in a
        :class:`SeedEnsemble`.
    pairs : bool, default=False
        Take pairs of texts.
    multilabel : bool, default=False
        Take an indicator matrix as y. The scores of its labels are compared as
        `scoring` says; the classifier itself is the same.
    random_state : int, RandomState or None, default=0
        Seed of everything but the folds, which have the paper's.

    Returns
    -------
    ULMFiTClassifier, FoldEnsemble or SeedEnsemble
        Not fitted.

    Raises
    ------
    ValueError
        If `size` or `variant` is none of those, or `multilabel` and `oversampling` are
        both asked for.

    References
    ----------
    B. Farzin, P. Czapla and J. Howard. Applying a pre-trained language model to
    Spanish Twitter humor prediction. IberLEF 2019, Tables 1-3 and their notebooks.

    Examples
    --------
    >>> from tweetclf.estimators import haha_ulmfit_qrnn
    >>> haha_ulmfit_qrnn(size="small").max_iter
    6
    >>> submitted = haha_ulmfit_qrnn(n_folds=5, n_seeds=20)
    >>> type(submitted).__name__, type(submitted.estimator).__name__
    ('SeedEnsemble', 'FoldEnsemble')
    """
    if multilabel and oversampling is not None:
        raise ValueError(
            f"haha_ulmfit_qrnn: oversampling={oversampling!r} is for classes; with "
            "multilabel=True it must be None."
        )
    classifier = ULMFiTClassifier(
        **_settings(size, variant, language_model),
        language_model=language_model,
        extra_corpus=extra_corpus,
        oversampling=oversampling,
        scoring=scoring,
        pairs=pairs,
        random_state=random_state,
    )
    return _ensemble(classifier, scoring, n_folds, n_seeds, random_state)


def haha_ulmfit_qrnn_regressor(
    *,
    size: str = "paper",
    variant: str = "paper",
    language_model: str | os.PathLike[str] | None = None,
    extra_corpus: Any = None,
    n_folds: int = 1,
    n_seeds: int = 1,
    pairs: bool = False,
    random_state: int | RandomState | None = 0,
) -> Any:
    """Make the regression twin of the winner of HAHA 2019, for funniness.

    Parameters
    ----------
    size, variant, language_model, extra_corpus, n_folds, n_seeds, pairs, random_state
        As in :func:`haha_ulmfit_qrnn`. The epoch of the lowest loss is kept.

    Returns
    -------
    ULMFiTRegressor, FoldEnsemble or SeedEnsemble
        Not fitted.

    References
    ----------
    B. Farzin, P. Czapla and J. Howard. Applying a pre-trained language model to
    Spanish Twitter humor prediction. IberLEF 2019, task 2.

    Examples
    --------
    >>> from tweetclf.estimators import haha_ulmfit_qrnn_regressor
    >>> haha_ulmfit_qrnn_regressor(size="tiny").max_iter
    10
    """
    regressor = ULMFiTRegressor(
        **_settings(size, variant, language_model),
        language_model=language_model,
        extra_corpus=extra_corpus,
        pairs=pairs,
        random_state=random_state,
    )
    scoring = "neg_root_mean_squared_error"
    return _ensemble(regressor, scoring, n_folds, n_seeds, random_state)


def _settings(size: str, variant: str, language_model: Any) -> dict[str, Any]:
    for name, value, known in (
        ("size", size, SIZES),
        ("variant", variant, _VARIANTS),
    ):
        if value not in known:
            raise ValueError(
                f"The {name!r} of haha_ulmfit_qrnn must be one of {', '.join(known)}. "
                f"Got {value!r} instead."
            )
    settings = dict(SIZES[size])
    settings["lm_params"] = {**settings["lm_params"], **_VARIANTS[variant]}
    if language_model is not None:
        # A given model has its sizes; only how it is trained is left to say.
        kept = ("batch_size", "bptt")
        given = settings["lm_params"]
        settings["lm_params"] = {name: given[name] for name in kept if name in given}
    return settings


def _ensemble(
    estimator: Any, scoring: str, n_folds: int, n_seeds: int, random_state: Any
) -> Any:
    if n_folds > 1:
        # Not stratified, as in the released code.
        estimator = FoldEnsemble(
            estimator,
            n_splits=n_folds,
            stratify=False,
            scoring=scoring,
            fold_seed=_FOLD_SEED,
            random_state=random_state,
        )
    if n_seeds > 1:
        estimator = SeedEnsemble(
            estimator, n_seeds=n_seeds, scoring=scoring, random_state=random_state
        )
    return estimator
