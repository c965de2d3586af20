"""TweetTokenizer: text to tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from numbers import Integral
from typing import Any

from tweetclf.preprocessing._base import StatelessTextTransformer, TextNormalizer
from tweetclf.preprocessing._scan import SCHEMES
from tweetclf.preprocessing._tokenizing import compile_tokenizer
from tweetclf.utils._sklearn import HasMethods, Interval, StrOptions
from tweetclf.utils.validation import check_texts

__all__ = ["TweetTokenizer"]


class TweetTokenizer(StatelessTextTransformer):
    """Split tweets into tokens, and mark, drop or reduce them.

    An instance is a function from text to tokens, so that it serves as ``tokenizer``
    of scikit-learn's vectorizers, and an estimator, so that a grid search reaches
    its options (``tfidfvectorizer__tokenizer__negation``). It learns nothing and needs
    no `fit`.

    The steps, in this order, each of them optional: normalise, split, drop hashtags,
    drop numbers, drop all but words of letters, lower-case, lemmas, stop words,
    negation marks, drop punctuation, stems, collapse repeated tokens.

    Parameters
    ----------
    normalizer : transformer, str or None, default=None
        What is applied to the text first: a `TweetNormalizer`, any transformer from
        texts to texts, or the name of a profile.
    scheme : {"tweet", "punctuation", "whitespace"}, default="tweet"
        How to split: ``"tweet"`` keeps URLs, e-mail addresses, handles, hashtags,
        emoticons, whole emoji, numbers and words with inner hyphens or apostrophes
        together; ``"punctuation"`` splits at blanks and around every punctuation
        mark (the HAHA baseline); ``"whitespace"`` at blanks only.
    language : str, default="es"
        Language of stop words, negation cues, lemmas and stems.
    lowercase : bool, default=False
        Lower-case the tokens, but not replacement tokens of the normaliser.
    keep_hashtags : bool, default=True
        If false, drop hashtags.
    keep_numbers : bool, default=True
        If false, drop tokens that start with a digit.
    keep_punctuation : bool, default=True
        If false, drop tokens that start with a punctuation mark, emoticons included.
    letters_only : bool, default=False
        Drop tokens that hold anything but letters: handles, hashtags, numbers, emoji,
        replacement tokens such as ``@user``.
    lemmatizer : {"simplemma", "treetagger"} or None, default=None
        Replace words by their lemmas. Negation cues keep their form, and `lowercase`
        goes for lemmas, too.
    treetagger_dir : str or None, default=None
        Folder of TreeTagger; by default the environment variable ``TAGDIR``.
    stop_words : "language", collection of str or None, default=None
        Words to drop, compared after lemmatising without regard to case or the form
        of apostrophes; ``"language"`` is our list for `language` ("es" or "en").
    stop_negators : bool, default=False
        Count negation cues as stop words where ``stop_words="language"``. With
        `negation` they never are.
    negation : bool, default=False
        Prefix the words after a negation cue with ``NOT_``; anything that is no word
        ends the scope.
    negation_cues : collection of str or None, default=None
        Cues, compared as stop words are; by default our list for `language`.
    negation_scope : int, default=3
        Most words marked after a cue.
    stem : bool, default=False
        Replace words by their Snowball stems.
    collapse : sequence of str, default=()
        Tokens of which only the first in a row is kept.
    profile : str or None, default=None
        The profile the options were taken from; a label that changes nothing. Options
        of a profile are set by ``get_profile(name).make_tokenizer()``.

    See Also
    --------
    TweetNormalizer : Text to text.
    tweetclf.preprocessing.get_profile : Options of published systems.
    tweetclf.preprocessing.negation.mark_negation : The negation rule.

    Notes
    -----
    A vectorizer lower-cases the text before it calls its tokenizer, unless told not
    to. The time of ``scheme="tweet"`` is linear in the length of the text.

    References
    ----------
    J. M. Pérez and F. M. Luque, "Atalaya at SemEval 2019 Task 5: Robust Embeddings
    for Tweet Classification", section 2: the steps, their order, negation with a
    scope of three.

    Examples
    --------
    >>> from tweetclf.preprocessing import TweetTokenizer
    >>> tokenize = TweetTokenizer(negation=True)
    >>> tokenize("@pepe no me gusta nada, xD #NoTeRindas 😂")
    ['@pepe', 'no', 'NOT_me', 'NOT_gusta', 'nada', ',', 'xD', '#NoTeRindas', '😂']

    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> vectorizer = TfidfVectorizer(tokenizer=TweetTokenizer(), token_pattern=None)
    >>> vectorizer.fit(["hola @pepe :)"]).get_feature_names_out().tolist()
    [':)', '@pepe', 'hola']
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "normalizer": [HasMethods("transform"), str, None],
        "scheme": [StrOptions(set(SCHEMES))],
        "language": [str],
        "lowercase": ["boolean"],
        "keep_hashtags": ["boolean"],
        "keep_numbers": ["boolean"],
        "keep_punctuation": ["boolean"],
        "letters_only": ["boolean"],
        "lemmatizer": [StrOptions({"simplemma", "treetagger"}), None],
        "treetagger_dir": [str, None],
        "stop_words": [StrOptions({"language"}), list, tuple, set, frozenset, None],
        "stop_negators": ["boolean"],
        "negation": ["boolean"],
        "negation_cues": [list, tuple, set, frozenset, None],
        "negation_scope": [Interval(Integral, 1, None, closed="left")],
        "stem": ["boolean"],
        "collapse": [list, tuple],
        "profile": [str, None],
    }

    def __init__(
        self,
        *,
        normalizer: Any = None,
        scheme: str = "tweet",
        language: str = "es",
        lowercase: bool = False,
        keep_hashtags: bool = True,
        keep_numbers: bool = True,
        keep_punctuation: bool = True,
        letters_only: bool = False,
        lemmatizer: str | None = None,
        treetagger_dir: str | None = None,
        stop_words: str | Collection[str] | None = None,
        stop_negators: bool = False,
        negation: bool = False,
        negation_cues: Collection[str] | None = None,
        negation_scope: int = 3,
        stem: bool = False,
        collapse: Sequence[str] = (),
        profile: str | None = None,
    ) -> None:
        self.normalizer = normalizer
        self.scheme = scheme
        self.language = language
        self.lowercase = lowercase
        self.keep_hashtags = keep_hashtags
        self.keep_numbers = keep_numbers
        self.keep_punctuation = keep_punctuation
        self.letters_only = letters_only
        self.lemmatizer = lemmatizer
        self.treetagger_dir = treetagger_dir
        self.stop_words = stop_words
        self.stop_negators = stop_negators
        self.negation = negation
        self.negation_cues = negation_cues
        self.negation_scope = negation_scope
        self.stem = stem
        self.collapse = collapse
        self.profile = profile

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of one text."""
        self._check_one(text)
        tokens: list[str] = self._function()(text)
        return tokens

    def transform(self, X: Any) -> list[list[str]]:
        """Return the tokens of texts.

        Parameters
        ----------
        X : sequence of str
            Texts.

        Returns
        -------
        list of list of str, of length n_samples
            Tokens of each text, in order.
        """
        texts = check_texts(X, caller=type(self).__name__)
        return list(map(self._function(), texts))

    def _function(self) -> Callable[[str], list[str]]:
        """Return the function of a text, with the normaliser, whosever it is."""
        tokenize = self._compiled()
        normalizer = self.normalizer
        if normalizer is None or isinstance(normalizer, str) or _is_ours(normalizer):
            return tokenize
        if hasattr(normalizer, "normalize"):
            return lambda text: tokenize(normalizer.normalize(text))
        return lambda text: tokenize(str(normalizer.transform([text])[0]))

    def _resolved_normalizer(self) -> Any:
        if not isinstance(self.normalizer, str):
            return self.normalizer
        from tweetclf.preprocessing.profiles import get_profile

        return get_profile(self.normalizer).make_normalizer()

    def _literals(self) -> tuple[str, ...]:
        """Return the replacement tokens of the normaliser, which stay whole."""
        normalizer = self._resolved_normalizer()
        if hasattr(normalizer, "replacement_tokens"):
            return tuple(normalizer.replacement_tokens())
        return ()

    def _key(self) -> tuple[Any, ...]:
        normalizer, *options = super()._key()
        if _is_ours(normalizer):
            # Not the object, whose options may change.
            normalizer = (type(normalizer), normalizer._key())
        elif normalizer is not None and not isinstance(normalizer, str):
            normalizer = self._literals()
        return (
            normalizer,
            *(tuple(v) if isinstance(v, list | set) else v for v in options),
        )

    def _compile(self) -> Callable[[str], list[str]]:
        normalizer = self._resolved_normalizer()
        # That of someone else is not part of the key; `_function` applies it.
        normalize = normalizer._compiled() if _is_ours(normalizer) else None
        return compile_tokenizer(self, normalize, self._literals())


def _is_ours(normalizer: Any) -> bool:
    """Tell whether an object normalises as its options say, and not otherwise."""
    return (
        isinstance(normalizer, TextNormalizer)
        and type(normalizer).normalize is TextNormalizer.normalize
    )
