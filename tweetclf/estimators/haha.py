"""The NBSVM baseline that the winners of HAHA 2019 compared themselves with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.pipeline import Pipeline

from tweetclf.estimators._steps import for_pairs, one_vs_rest
from tweetclf.estimators.nb_svm import NBSVMClassifier
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.preprocessing import get_profile

if TYPE_CHECKING:
    from numpy.random import RandomState

__all__ = ["haha_nbsvm"]


def haha_nbsvm(
    *,
    ngram_range: tuple[int, int] = (1, 2),
    min_df: float = 3,
    max_df: float = 0.9,
    C: float = 4.0,
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
) -> Pipeline:
    """Make the NBSVM baseline of HAHA 2019 (Farzin, Czapla and Howard).

    Punctuation set apart by spaces, TF-IDF of word 1-2-grams (accents stripped,
    sublinear), the log ratio of the classes' mean TF-IDF with +1 smoothing, and a
    dual liblinear logistic regression with C = 4 on their product. No weight
    interpolation. Published in Table 3: accuracy .8223, F1 .7548 on test.

    Parameters
    ----------
    ngram_range, pairs, random_state
        As in :func:`tfidf_lr`.
    min_df : int or float, default=3
        Terms found in fewer texts are dropped; lower it for small training sets.
    max_df : int or float, default=0.9
        Terms found in more texts are dropped.
    C : float, default=4.0
        Inverse of the strength of the L2 penalty.
    multilabel : bool, default=False
        Take an indicator matrix as y (then ``nbsvm__estimator__C``).

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``tfidf`` and ``nbsvm``.

    References
    ----------
    B. Farzin, P. Czapla and J. Howard. Applying a pre-trained language model to
    Spanish Twitter humor prediction. IberLEF 2019, Table 3 and their notebook.

    Examples
    --------
    >>> from tweetclf.estimators import haha_nbsvm
    >>> texts = ["jaja que chiste", "que dia triste"] * 3
    >>> clf = haha_nbsvm().fit(texts, ["1", "0"] * 3)
    >>> print(*clf.predict(["jaja, chiste"]))
    1
    """
    tfidf = NgramTfidfVectorizer(
        tokenizer=get_profile("haha-nbsvm").make_tokenizer(),
        token_pattern=None,
        ngram_range=ngram_range,
        min_df=min_df,
        max_df=max_df,
        strip_accents="unicode",
        sublinear_tf=True,
    )
    classifier = NBSVMClassifier(
        "passthrough",
        variant="haha",
        beta=1.0,  # no interpolation
        learner="lr",
        C=C,
        dual=True,
        random_state=random_state,
    )
    return Pipeline(
        [
            ("tfidf", for_pairs(tfidf, pairs)),
            ("nbsvm", one_vs_rest(classifier, multilabel)),
        ]
    )
