"""A soft vote of linear n-gram models: what classical features can do together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline

from tweetclf.estimators.class_weights import PowerWeightedClassifier
from tweetclf.estimators.nb_svm import NBSVMClassifier
from tweetclf.estimators.offsets import OffsetClassifier
from tweetclf.estimators.voting import SoftVotingClassifier
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.preprocessing import TweetNormalizer, TweetTokenizer

if TYPE_CHECKING:
    from numpy.random import RandomState

    from tweetclf.tasks.metric import Metric

__all__ = ["ngram_ensemble"]

# Emoticons; words with their hash, at sign, hyphens and apostrophes; runs of end
# marks; any other sign by itself.
TOKEN_PATTERN = (
    r"(?:[<>]?[:;=8xX][\-o\*']?[\)\]\(\[dDpP/:\}\{@\|\\]+(?!\w))|<3"
    r"|[#@]?\w+(?:[-']\w+)*|[!?.]+|[^\w\s]"
)

SHRINK = 0.7
"""Share of the tuned offsets that is used where the metric is the F1 of one class."""


def _words(n: int, **options: Any) -> NgramTfidfVectorizer:
    settings = {"sublinear_tf": True, **options}
    return NgramTfidfVectorizer(
        token_pattern=TOKEN_PATTERN, ngram_range=(1, n), lowercase=False, **settings
    )


def _characters(
    analyzer: str, ngram_range: tuple[int, int], min_df: int
) -> NgramTfidfVectorizer:
    return NgramTfidfVectorizer(
        analyzer=analyzer,
        ngram_range=ngram_range,
        min_df=min_df,
        lowercase=False,
        sublinear_tf=True,
    )


def _stems(language: str) -> NgramTfidfVectorizer:
    return NgramTfidfVectorizer(
        tokenizer=TweetTokenizer(stem=True, language=language),
        token_pattern=None,
        lowercase=False,
        sublinear_tf=True,
    )


def _logistic(
    C: float, power: float, random_state: int | RandomState | None
) -> OneVsRestClassifier:
    learner = LogisticRegression(C=C, solver="liblinear", random_state=random_state)
    if power == 1.0:
        return OneVsRestClassifier(learner.set_params(class_weight="balanced"))
    return OneVsRestClassifier(PowerWeightedClassifier(learner, power=power))


def _ratios(
    alpha: float, C: float, binarize: bool, random_state: int | RandomState | None
) -> OneVsRestClassifier:
    return OneVsRestClassifier(
        NBSVMClassifier(
            "passthrough",
            learner="lr",
            alpha=alpha,
            beta=1.0,
            C=C,
            binarize=binarize,
            class_weight="balanced",
            random_state=random_state,
        )
    )


def _members(
    language: str, random_state: int | RandomState | None
) -> list[tuple[str, Any]]:
    def words_and_characters() -> FeatureUnion:
        return FeatureUnion(
            [("word", _words(2)), ("char", _characters("char_wb", (2, 5), 2))]
        )

    stemmed = FeatureUnion(
        [
            ("word", _words(1)),
            ("stem", _stems(language)),
            ("char", _characters("char_wb", (2, 5), 2)),
        ]
    )
    counts = _words(2, sublinear_tf=False, binary=True, use_idf=False, norm=None)
    steps = {
        "words": (words_and_characters(), _logistic(1.0, 1.0, random_state)),
        "chars": (
            _characters("char", (1, 6), 3),
            _logistic(1.0, 1.0, random_state),
        ),
        "ratios": (stemmed, _ratios(0.3, 1.0, False, random_state)),
        "presence": (counts, _ratios(1.0, 0.1, True, random_state)),
        "tempered": (words_and_characters(), _logistic(3.0, 0.5, random_state)),
    }
    return [
        (name, Pipeline([("features", features), ("lr", learner)]))
        for name, (features, learner) in steps.items()
    ]


def ngram_ensemble(
    *,
    language: str = "es",
    metric: str | Metric = "macro_f1",
    shrink: float | None = None,
    random_state: int | RandomState | None = 0,
) -> Pipeline:
    """Make a soft vote of linear n-gram models.

    Their probabilities are averaged: words and characters in one TF-IDF model
    (``words``), long characters alone (``chars``), TF-IDF of words, stems and
    characters times Naive Bayes log-count ratios (``ratios``), the ratios of binary
    word 1-2-grams (``presence``), and the first one with the square roots of balanced
    class weights (``tempered``); the last two have weight 0 by default. All learners
    are logistic regressions, one class against the rest, and all but the last give
    either side half of the weight. Decisions are tuned for the metric where it is the
    F1 of one class; macro averages are served by the class weights already.

    Parameters
    ----------
    language : str, default="es"
        Language of the stems.
    metric : str or Metric, default="macro_f1"
        The metric that counts: a name of :func:`tweetclf.tasks.list_metrics`, or the
        official metric of a task with its positive class.
    shrink : float or None, default=None
        Share of the tuned class offsets that is used, see
        :class:`OffsetClassifier`. None means 0.7 for the F1 of one class, else 0.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds on which offsets are tuned.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``normalizer`` and ``vote``; the weights of the members, in the order
        above, are ``vote__estimator__weights``.

    Notes
    -----
    This is a recipe of this project. Members, regularisation and the share of the
    offsets were chosen by cross-validation on the train splits and on the dev splits
    of six TweetEval tasks; their test splits had no part in it.

    Handles of several people in a row, double blanks and variation selectors are
    made equal before anything is counted: in TweetEval's training data they mark
    places from which a hashtag or an emoji, that is the label, was removed.

    References
    ----------
    S. Wang and C. D. Manning. Baselines and bigrams: simple, good sentiment and topic
    classification. ACL 2012 (the ratios).

    Examples
    --------
    >>> from tweetclf.estimators import ngram_ensemble
    >>> texts = ["qué buen día", "muy buen día", "qué mal día", "muy mal día"] * 3
    >>> clf = ngram_ensemble().fit(texts, ["P", "P", "N", "N"] * 3)
    >>> clf.predict(["buen día", "mal día"]).tolist()
    ['P', 'N']
    """
    name = metric if isinstance(metric, str) else metric.name
    pos = None if isinstance(metric, str) else metric.pos
    over = () if isinstance(metric, str) else metric.over
    if shrink is None:
        shrink = SHRINK if name == "binary_f1" else 0.0
    vote = SoftVotingClassifier(
        _members(language, random_state), weights=[1, 1, 1, 0, 0]
    )
    normalizer = TweetNormalizer(
        unicode_form="plain",
        urls="http",
        emoji="plain",
        max_run=3,
        run_scope="symbols",
        lowercase=True,
        newlines=" ",
        whitespace=True,
        language=language,
    )
    return Pipeline(
        [
            ("normalizer", normalizer),
            (
                "vote",
                OffsetClassifier(
                    vote,
                    metric=name,
                    pos=pos,
                    over=list(over) or None,
                    shrink=shrink,
                    random_state=random_state,
                ),
            ),
        ]
    )
