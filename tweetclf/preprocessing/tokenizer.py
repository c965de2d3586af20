"""TweetTokenizer: text to tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from numbers import Integral
from typing import Any

from tweetclf.exceptions import UnknownNameError
from tweetclf.preprocessing import lemmas
from tweetclf.preprocessing._base import StatelessTextTransformer
from tweetclf.preprocessing._scan import SCHEMES, make_scanner
from tweetclf.preprocessing.negation import MARK, is_word, mark_negation
from tweetclf.preprocessing.words import negation_cues as cues_of
from tweetclf.preprocessing.words import stop_words as stop_words_of
from tweetclf.preprocessing.words import word_key
from tweetclf.utils._sklearn import HasMethods, Interval, StrOptions
from tweetclf.utils.validation import check_texts

__all__ = ["TweetTokenizer"]

Step = Callable[[list[str]], list[str]]

# Atalaya's code drops the tokens that start with one of these.
_PUNCTUATION = frozenset("!(),.…-:;?¿¡\"'`´^*+=_%")
# Atalaya's code adds these to the stop words when it lemmatises Spanish.
_SPANISH_AUXILIARIES = frozenset({"haber", "ser", "hacer"})


class TweetTokenizer(StatelessTextTransformer):
    """Split tweets into tokens, and mark, drop or reduce them.

    An instance is a function from text to tokens, so that it serves as ``tokenizer``
    of scikit-learn's vectorizers, and an estimator, so that a grid search reaches
    its options (``tfidfvectorizer__tokenizer__negation``). It learns nothing and needs
    no `fit`.

    The steps, in this order, each of them optional: normalise, split, drop hashtags,
    drop numbers, lower-case, lemmas, stop words, negation marks, drop punctuation,
    stems, collapse repeated tokens.

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
        The profile the options were taken from; a label that changes nothing.

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
        normalize, tokenize = self._normalize(), self._compiled()
        tokens: list[str] = tokenize(normalize(text) if normalize else text)
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
        normalize, tokenize = self._normalize(), self._compiled()
        return [tokenize(normalize(text) if normalize else text) for text in texts]

    def _resolved_normalizer(self) -> Any:
        if not isinstance(self.normalizer, str):
            return self.normalizer
        from tweetclf.preprocessing.profiles import get_profile

        return get_profile(self.normalizer).make_normalizer()

    def _normalize(self) -> Callable[[str], str] | None:
        normalizer = self._resolved_normalizer()
        if normalizer is None:
            return None
        if hasattr(normalizer, "normalize"):
            one: Callable[[str], str] = normalizer.normalize
            return one
        return lambda text: str(normalizer.transform([text])[0])

    def _literals(self) -> tuple[str, ...]:
        """Return the replacement tokens of the normaliser, which stay whole."""
        normalizer = self._resolved_normalizer()
        if hasattr(normalizer, "replacement_tokens"):
            return tuple(normalizer.replacement_tokens())
        return ()

    def _key(self) -> tuple[Any, ...]:
        _, *options = super()._key()
        return (
            self._literals(),
            *(tuple(v) if isinstance(v, list | set) else v for v in options),
        )

    def _compile(self) -> Callable[[str], list[str]]:
        literals = frozenset(self._literals())
        scan = make_scanner(self.scheme, self._literals())
        cues = self._cues()
        steps: list[Step] = []
        if not self.keep_hashtags:
            steps.append(_keep_if(lambda token: not _is_hashtag(token)))
        if not self.keep_numbers:
            steps.append(_keep_if(lambda token: not token[0].isdigit()))
        if self.lowercase:
            steps.append(_each(str.lower, lambda token: token not in literals))
        if self.lemmatizer is not None:
            steps.append(self._lemmatize(literals, cues))
            if self.lowercase:
                # Dictionaries capitalise names: europa -> Europa.
                steps.append(_each(str.lower, lambda token: token not in literals))
        if self.stop_words is not None:
            stop = self._stop_words() - cues if self.negation else self._stop_words()
            steps.append(_keep_if(lambda token: word_key(token) not in stop))
        if self.negation:
            scope = self.negation_scope
            steps.append(
                lambda tokens: mark_negation(
                    tokens, cues, scope=scope, barriers=literals
                )
            )
        if not self.keep_punctuation:
            steps.append(_keep_if(lambda token: token[0] not in _PUNCTUATION))
        if self.stem:
            steps.append(self._stems(literals))
        if self.collapse:
            steps.append(_collapse(frozenset(self.collapse)))

        def run(text: str) -> list[str]:
            tokens = scan(text)
            for step in steps:
                tokens = step(tokens)
            return tokens

        return run

    def _cues(self) -> frozenset[str]:
        if self.negation_cues is not None:
            return frozenset(map(word_key, self.negation_cues))
        try:
            return cues_of(self.language)
        except UnknownNameError:
            if self.negation:
                raise
            return frozenset()

    def _stop_words(self) -> frozenset[str]:
        if isinstance(self.stop_words, str):
            stop = stop_words_of(self.language, negators=self.stop_negators)
            if self.lemmatizer is not None and self.language == "es":
                stop |= _SPANISH_AUXILIARIES
            return stop
        return frozenset(map(word_key, self.stop_words or ()))

    def _lemmatize(self, literals: frozenset[str], cues: frozenset[str]) -> Step:
        language, folder = self.language, self.treetagger_dir

        def is_kept(token: str) -> bool:
            return token in literals or word_key(token) in cues or not is_word(token)

        if self.lemmatizer == "simplemma":
            lemmas.check_simplemma(language)
            return _each(
                lambda token: lemmas.simple_lemma(token, language),
                lambda token: not is_kept(token),
            )

        def by_tree_tagger(tokens: list[str]) -> list[str]:
            found = lemmas.tree_tagger_lemmas(tokens, language, folder)
            return [
                lemma
                for token, own in zip(tokens, found, strict=True)
                for lemma in ((token,) if is_kept(token) else own)
            ]

        return by_tree_tagger

    def _stems(self, literals: frozenset[str]) -> Step:
        language = self.language
        lemmas.stemmer(language)

        def stem(token: str) -> str:
            if token.startswith(MARK):
                return MARK + lemmas.stem(token[len(MARK) :], language)
            return lemmas.stem(token, language)

        return _each(stem, lambda token: is_word(token) and token not in literals)


def _is_hashtag(token: str) -> bool:
    return len(token) > 1 and token[0] in "#＃" and token[1] not in "\ufe0f\u20e3"


def _keep_if(condition: Callable[[str], bool]) -> Step:
    return lambda tokens: [token for token in tokens if condition(token)]


def _each(change: Callable[[str], str], condition: Callable[[str], bool]) -> Step:
    return lambda tokens: [
        change(token) if condition(token) else token for token in tokens
    ]


def _collapse(which: frozenset[str]) -> Step:
    return lambda tokens: [
        token
        for i, token in enumerate(tokens)
        if token not in which or i == 0 or tokens[i - 1] != token
    ]
