"""The linear systems of Atalaya at SemEval-2019 Task 5 (HatEval)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

from tweetclf.estimators._steps import for_pairs, one_vs_rest
from tweetclf.estimators.liblinear import OneVsRestLogisticRegression
from tweetclf.exceptions import UnknownNameError
from tweetclf.features import (
    ElmoVectorizer,
    NgramTfidfVectorizer,
    SIFVectorizer,
    WordVectors,
)
from tweetclf.preprocessing import get_profile

if TYPE_CHECKING:
    from numpy.random import RandomState

    from tweetclf.features import ElmoWeights

__all__ = ["atalaya_lr", "atalaya_svm"]

_PARTS = ("bow", "boc", "emb")
_LANGUAGES = ("es", "en")

# What the paper says (section 3.1) and what the released notebooks ran. The paper's
# tokens for vectors carry negation marks; the code's do not, and drop the negators.
_VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {
        "profile": "atalaya-sentiment-corpus",
        "options": {"a": 0.1, "per": "token", "newline_token": False},
    },
    "code": {
        "profile": "atalaya-sentiment-vectors",
        "options": {"a": 1.0, "per": "text", "newline_token": True},
    },
}


def _check_parts(without: str | Sequence[str], caller: str) -> tuple[str, ...]:
    """Return the names of the feature blocks that stay."""
    dropped = {without} if isinstance(without, str) else set(without)
    unknown = sorted(dropped - set(_PARTS))
    if unknown:
        raise ValueError(
            f"{caller}: the 'without' parameter must name parts among {_PARTS}. Got "
            f"{without!r} instead."
        )
    if dropped == set(_PARTS):
        raise ValueError(f"{caller}: 'without' leaves no features at all.")
    return tuple(part for part in _PARTS if part not in dropped)


def _embedding(
    language: str,
    vectors: Any,
    extra_corpus: Any,
    variant: str,
    random_state: Any,
) -> SIFVectorizer:
    """Make the tweet embedding of section 3.1: 50-d, weights a / (a + p(w))."""
    settings = _VARIANTS[variant]
    corpus_profile = get_profile("atalaya-sentiment-corpus")
    return SIFVectorizer(
        vectors,
        tokenizer=get_profile(settings["profile"]).make_tokenizer(language=language),
        training_tokenizer=corpus_profile.make_tokenizer(language=language),
        divide_by="tokens",
        extra_corpus=extra_corpus,
        dim=50,
        random_state=random_state,
        **settings["options"],
    )


def _elmo(weights: Any, language: str) -> ElmoVectorizer:
    """Make the block of SVM-ELMo: means of ELMo's vectors, 100 components of them."""
    if isinstance(weights, ElmoVectorizer):
        return weights
    profile = get_profile("atalaya-neural")
    return ElmoVectorizer(
        weights,
        tokenizer=profile.make_tokenizer(language=language, letters_only=True),
        n_components=100,
    )


def _features(
    caller: str,
    *,
    without: str | Sequence[str],
    language: str,
    vectors: Any,
    extra_corpus: Any,
    variant: str,
    boc_lowercase: bool,
    random_state: Any,
    with_elmo: Any = None,
) -> FeatureUnion:
    """Make the union of the blocks that stay; another block is one more entry."""
    if variant not in _VARIANTS:
        raise ValueError(
            f"{caller}: the 'variant' parameter must be 'paper' or 'code'. Got "
            f"{variant!r} instead."
        )
    blocks: dict[str, Any] = {}
    parts = _check_parts(without, caller)
    if language not in _LANGUAGES and set(parts) != {"boc"}:
        raise UnknownNameError(
            f"{caller}: there are stop words and negators for the languages "
            f"{' and '.join(map(repr, _LANGUAGES))}, not for {language!r}. Set "
            'without=("bow", "emb"), which leaves the character n-grams, or take '
            "char_svm(), which needs no language."
        )
    if "bow" in parts:
        tokenizer = get_profile("atalaya-sentiment").make_tokenizer(language=language)
        blocks["bow"] = NgramTfidfVectorizer(
            tokenizer=tokenizer, token_pattern=None, ngram_range=(1, 2), binary=True
        )
    if "boc" in parts:
        # These values give the 226,156 features of section 3.1 on HatEval-ES; with
        # lowercase=False, which the text suggests, there are 286,371.
        blocks["boc"] = NgramTfidfVectorizer(
            analyzer="char", ngram_range=(1, 5), binary=True, lowercase=boc_lowercase
        )
    if "emb" in parts:
        blocks["emb"] = _embedding(
            language, vectors, extra_corpus, variant, random_state
        )
    if with_elmo is not None:
        blocks["elmo"] = _elmo(with_elmo, language)
    return FeatureUnion(list(blocks.items()))


def atalaya_svm(
    *,
    without: str | Sequence[str] = (),
    language: str = "es",
    vectors: str | PathLike[str] | WordVectors | None = None,
    extra_corpus: Sequence[str] | str | PathLike[str] | None = None,
    variant: str = "paper",
    boc_lowercase: bool = True,
    C: float = 0.1,
    class_weight: Mapping[object, float] | str | None = "balanced",
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
    with_elmo: str | PathLike[str] | ElmoWeights | ElmoVectorizer | None = None,
) -> Pipeline:
    """Make Atalaya's SVM0 (Perez and Luque, SemEval-2019 Task 5).

    A linear SVM on three blocks side by side, not rescaled: word 1-2-grams over
    sentiment-oriented tokens (lemmas, negation marks, no stop words), character
    1-5-grams of the original text, both binary TF-IDF, and a 50-dimensional
    embedding, the average of word vectors weighted by a / (a + p(w)). Sections 3.1
    and 3.2; first in Spanish subtask A (Table 2: macro-F1 .730).

    Parameters
    ----------
    without : {"bow", "boc", "emb"} or sequence of them, default=()
        Blocks left out: the ablations of Table 1 (there SVM_emb is the one
        *without* embedding).
    language : {"es", "en"}, default="es"
        Language of stop words, lemmas and negation; in English there is no negation
        handling, as in the paper. Any, where the character n-grams are all that is
        left.
    vectors : path, WordVectors or None, default=None
        Word vectors, such as fastText's ``.bin``; the authors' were trained on 90
        million tweets. None trains them on the training texts and `extra_corpus`
        (needs gensim).
    extra_corpus : sequence of str, path or None, default=None
        More texts to train word vectors on; of a file, one text a line.
    variant : {"paper", "code"}, default="paper"
        The embedding as the paper has it: a = 0.1, p(w) a share of the tokens, words
        marked for negation. Or as the released code ran: a = 1.0, occurrences a
        tweet, one newline token more a tweet, negators dropped as stop words.
    boc_lowercase : bool, default=True
        Lower-case before character n-grams. The paper's text argues with capitals,
        yet its count of 226,156 features holds with True alone.
    C : float, default=0.1
        Inverse of the strength of the L2 penalty.
    class_weight : dict, "balanced" or None, default="balanced"
        Weights of the classes.
    pairs : bool, default=False
        Take text pairs; each side gets its own three blocks.
    multilabel : bool, default=False
        Take an indicator matrix as y: one SVM a column (then
        ``svm__estimator__C``). For the triple of subtask B see
        :class:`LabelPowerset`.
    random_state : int, RandomState instance or None, default=0
        Seed of the learner and of word vectors.
    with_elmo : path, ElmoWeights, ElmoVectorizer or None, default=None
        Add a fourth block, which makes it their SVM-ELMo: the mean of the ELMo vectors
        of a tweet's words, reduced to 100 principal components of the training
        tweets; there must be at least as many. An `ElmoVectorizer` is taken as it is.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``features`` (a union of ``bow``, ``boc`` and ``emb``, and ``elmo`` if
        asked for) and ``svm``.

    See Also
    --------
    atalaya_lr : The same features with logistic regression.
    atalaya_lstm_elmo : Their network over ELMo.

    Notes
    -----
    Not published, and specified by us: the list of negators, the base tokenizer, the
    training of the word vectors, and the lemmatiser (TreeTagger there, simplemma
    here unless the tokenizer is told otherwise).

    References
    ----------
    J. M. Perez and F. M. Luque. Atalaya at SemEval 2019 Task 5: robust embeddings for
    tweet classification. SemEval 2019, sections 3.1-3.2, Tables 1 and 2 (ACL
    Anthology S19-2008).

    Examples
    --------
    >>> from tweetclf.estimators import atalaya_svm
    >>> clf = atalaya_svm(without="emb")
    >>> texts = ["que se vayan todos", "buen dia a todos"] * 2
    >>> clf = clf.set_params(svm__C=1.0).fit(texts, [1, 0] * 2)
    >>> clf.predict(["que se vayan", "buen dia"]).tolist()
    [1, 0]
    """
    features = _features(
        "atalaya_svm",
        without=without,
        language=language,
        vectors=vectors,
        extra_corpus=extra_corpus,
        variant=variant,
        boc_lowercase=boc_lowercase,
        random_state=random_state,
        with_elmo=with_elmo,
    )
    svm = LinearSVC(
        C=C, class_weight=class_weight, max_iter=10_000, random_state=random_state
    )
    return Pipeline(
        [
            ("features", for_pairs(features, pairs)),
            ("svm", one_vs_rest(svm, multilabel)),
        ]
    )


def atalaya_lr(
    *,
    without: str | Sequence[str] = (),
    language: str = "es",
    vectors: str | PathLike[str] | WordVectors | None = None,
    extra_corpus: Sequence[str] | str | PathLike[str] | None = None,
    variant: str = "paper",
    boc_lowercase: bool = True,
    C: float = 1.0,
    class_weight: Mapping[object, float] | str | None = "balanced",
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
) -> Pipeline:
    """Make Atalaya's features with their logistic regression.

    The features of :func:`atalaya_svm` (sections 3.1 and 3.2) and liblinear's
    one-vs-rest logistic regression. The submission to Spanish subtask B was this,
    around the five combinations of HS, TR and AG, although the paper says SVM0:
    ``LabelPowerset(atalaya_lr())``.

    Parameters
    ----------
    without, language, vectors, extra_corpus, variant, boc_lowercase, pairs
        As in :func:`atalaya_svm`.
    C : float, default=1.0
        Inverse of the strength of the L2 penalty.
    class_weight : dict, "balanced" or None, default="balanced"
        Weights of the classes.
    multilabel : bool, default=False
        Take an indicator matrix as y: one regression a column (then
        ``lr__estimator__C``).
    random_state : int, RandomState instance or None, default=0
        Seed of the learner and of word vectors.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``features`` and ``lr``, an :class:`OneVsRestLogisticRegression`.

    References
    ----------
    J. M. Perez and F. M. Luque. Atalaya at SemEval 2019 Task 5: robust embeddings for
    tweet classification. SemEval 2019, sections 3.1-3.2 (ACL Anthology S19-2008).

    Examples
    --------
    >>> from tweetclf.estimators import atalaya_lr
    >>> texts = ["que se vayan todos", "buen dia a todos"] * 2
    >>> clf = atalaya_lr(without=("bow", "emb")).fit(texts, [1, 0] * 2)
    >>> clf.predict_proba(["que se vayan"]).argmax()
    np.int64(1)
    """
    features = _features(
        "atalaya_lr",
        without=without,
        language=language,
        vectors=vectors,
        extra_corpus=extra_corpus,
        variant=variant,
        boc_lowercase=boc_lowercase,
        random_state=random_state,
    )
    regression = OneVsRestLogisticRegression(
        C=C, class_weight=class_weight, random_state=random_state
    )
    return Pipeline(
        [
            ("features", for_pairs(features, pairs)),
            ("lr", one_vs_rest(regression, multilabel)),
        ]
    )
