"""Named, versioned preprocessing profiles, each with its source.

A profile is never edited: a change of what it does is a new version, and a fitted
estimator carries the options themselves with the label ``name@version``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import UnknownNameError
from tweetclf.utils.registry import Registry

if TYPE_CHECKING:
    from tweetclf.preprocessing._base import TextNormalizer
    from tweetclf.preprocessing.tokenizer import TweetTokenizer

__all__ = ["Profile", "get_profile", "list_profiles", "profile_changes"]


def _frozen(**options: Any) -> Mapping[str, Any]:
    return MappingProxyType(options)


@dataclass(frozen=True)
class Profile:
    """The preprocessing of a published system, by name and version.

    Parameters
    ----------
    name, version : str, int
        Its name, and a number that rises whenever its output changes.
    description : str
        What it does, in a sentence.
    source : str
        The paper or code it follows, with the section.
    normalizer : mapping of str to object
        Options of the normaliser.
    tokenizer : mapping of str to object
        Options of `TweetTokenizer`.
    normalizer_class : str, default="TweetNormalizer"
        Name of the normaliser in `tweetclf.preprocessing`.
    by_language : mapping of str to mapping
        Options of the tokenizer that are others in some language.
    idempotent : bool, default=True
        Whether normalising twice is normalising once.
    """

    name: str
    version: int
    description: str
    source: str
    normalizer: Mapping[str, Any] = field(default_factory=_frozen)
    tokenizer: Mapping[str, Any] = field(default_factory=_frozen)
    normalizer_class: str = "TweetNormalizer"
    by_language: Mapping[str, Mapping[str, Any]] = field(default_factory=_frozen)
    idempotent: bool = True

    @property
    def id(self) -> str:
        """Name and version, e.g. ``"raw@1"``."""
        return f"{self.name}@{self.version}"

    def make_normalizer(
        self, *, language: str = "es", **options: Any
    ) -> TextNormalizer:
        """Return a new normaliser with the options of the profile.

        Parameters
        ----------
        language : str, default="es"
            Language of what depends on it.
        **options
            Options that shall differ from the profile's.
        """
        from tweetclf import preprocessing

        normalizer: TextNormalizer = getattr(preprocessing, self.normalizer_class)(
            **self.normalizer, profile=self.id
        )
        if "language" in normalizer.get_params():
            normalizer.set_params(language=language)
        return normalizer.set_params(**options)

    def make_tokenizer(self, *, language: str = "es", **options: Any) -> TweetTokenizer:
        """Return a new tokenizer, with its normaliser, as the profile says.

        Parameters
        ----------
        language : str, default="es"
            Language of stop words, cues and lemmas.
        **options
            Options that shall differ from the profile's, also of the normaliser
            (``normalizer__max_run=2``).
        """
        from tweetclf.preprocessing.tokenizer import TweetTokenizer

        tokenizer = TweetTokenizer(
            normalizer=self.make_normalizer(language=language),
            language=language,
            profile=self.id,
        )
        tokenizer.set_params(**self.tokenizer)
        tokenizer.set_params(**self.by_language.get(language, {}))
        return tokenizer.set_params(**options)


_ATALAYA = (
    "J. M. Pérez and F. M. Luque, Atalaya at SemEval 2019 Task 5: Robust Embeddings "
    "for Tweet Classification, SemEval-2019, section 2"
)
_ATALAYA_CODE = "hate/tokenizer.py of finiteautomata/hatEval"
_ATALAYA_BASE = _frozen(
    urls="url",
    emails="email",
    handles="@user",
    max_run=3,
    run_scope="symbols",
    newlines=" ",
    whitespace=True,
)
_ATALAYA_SENTIMENT = _frozen(
    lowercase=True,
    keep_numbers=False,
    keep_punctuation=False,
    stop_words="language",
    collapse=("@user", "url"),
)
# The paper handles negation in Spanish only; elsewhere negators are stop words.
_NO_NEGATION = _frozen(negation=False, stop_negators=True)

_PROFILES = (
    Profile(
        "raw",
        1,
        "The text as the service delivers it; tokens by our tweet scheme.",
        "X. Zhang et al., TwHIN-BERT, KDD 2023: no preprocessing, as its author "
        "confirms (xinyangz/TwHIN-BERT#1)",
        normalizer=_frozen(unicode_form=None, html_entities=False),
    ),
    Profile(
        "atalaya-basic",
        1,
        "Handles, URLs and e-mail addresses replaced, repeated letters cut to three.",
        f"{_ATALAYA} (basic preprocessing). The patterns are ours: the package that "
        "held theirs was never published.",
        normalizer=_ATALAYA_BASE,
    ),
    Profile(
        "atalaya-sentiment",
        1,
        "For bags of words: lower case, no numbers, lemmas, no stop words, negation "
        "(Spanish only), no punctuation.",
        f"{_ATALAYA} (sentiment-oriented preprocessing); order of the steps: "
        f"{_ATALAYA_CODE}. Lemmas by simplemma where they used TreeTagger; word lists "
        "are ours.",
        normalizer=_ATALAYA_BASE,
        tokenizer=_frozen(**_ATALAYA_SENTIMENT, lemmatizer="simplemma", negation=True),
        by_language=_frozen(en=_NO_NEGATION),
    ),
    Profile(
        "atalaya-sentiment-vectors",
        1,
        "For tweet vectors: as atalaya-sentiment, without lemmas and negation, so "
        "that negators go with the stop words.",
        f"{_ATALAYA}; what was done to tweets before looking up vectors: "
        f"{_ATALAYA_CODE} and its notebooks.",
        normalizer=_ATALAYA_BASE,
        tokenizer=_frozen(**_ATALAYA_SENTIMENT, **_NO_NEGATION),
    ),
    Profile(
        "atalaya-sentiment-corpus",
        1,
        "For the corpus that word vectors are trained on: as atalaya-sentiment, with "
        "negation (Spanish only), without lemmas.",
        f"{_ATALAYA} (fastText training).",
        normalizer=_ATALAYA_BASE,
        tokenizer=_frozen(**_ATALAYA_SENTIMENT, negation=True),
        by_language=_frozen(en=_NO_NEGATION),
    ),
    Profile(
        "atalaya-neural",
        1,
        "For networks: lower case, every run of one character cut to three, URLs "
        "dropped, handles replaced. ELMo's tokens were letters alone "
        "(letters_only=True), those of its bag of words stems (stem=True).",
        "hate/nn/preprocessing.py of finiteautomata/hatEval, which splits by NLTK's "
        "TweetTokenizer(reduce_len=True) and drops tokens with http in them. The "
        "patterns are ours.",
        normalizer=_frozen(urls="", handles="@user", max_run=3, run_scope="everything"),
        tokenizer=_frozen(lowercase=True),
    ),
    Profile(
        "haha-nbsvm",
        1,
        "Split at blanks and around every punctuation mark. Lower case and accents "
        "are the vectorizer's (lowercase=True, strip_accents='unicode').",
        "B. Farzin, P. Czapla and J. Howard, IberLEF 2019, NBSVM baseline; notebook of "
        "bfarzin/haha_2019",
        normalizer=_frozen(unicode_form=None, html_entities=False),
        tokenizer=_frozen(scheme="punctuation"),
    ),
    Profile(
        "ulmfit",
        1,
        "xxrep, xxwrep, xxup and xxnl markers; one pass (the released code makes two: "
        "passes=2, bos=True). Not idempotent, by its rules.",
        "B. Farzin, P. Czapla and J. Howard, Applying a Pre-trained Language Model to "
        "Spanish Twitter Humor Prediction, IberLEF 2019, section 3; prod/sp_tok.py of "
        "bfarzin/haha_2019_final",
        normalizer=_frozen(passes=1, bos=False),
        tokenizer=_frozen(scheme="whitespace"),
        normalizer_class="ULMFiTNormalizer",
        idempotent=False,
    ),
    Profile(
        "twilbert",
        1,
        "URLs to url, handles to user, entities unescaped, the retweet mark removed; "
        "e-mail addresses stay whole.",
        "J. A. Gonzalez, L.-F. Hurtado and F. Pla, TWilBert, Neurocomputing 426, 2021, "
        "section 4",
        normalizer=_frozen(strip_rt="token", patterns="safe"),
        tokenizer=_frozen(scheme="whitespace"),
        normalizer_class="TwilbertNormalizer",
    ),
    Profile(
        "twilbert-reference",
        1,
        "What the released fine-tuning code does: every RT is removed, also within "
        "words, and entities are unescaped last. Not idempotent, by its rules.",
        "Utils.preprocessing of jogonba2/TWilBert",
        normalizer=_frozen(strip_rt="substring", patterns="released"),
        tokenizer=_frozen(scheme="whitespace"),
        normalizer_class="TwilbertNormalizer",
        idempotent=False,
    ),
)

_REGISTRY: Registry[Profile] = Registry(
    "profile", "tweetclf.preprocessing.list_profiles()"
)
for _profile in _PROFILES:
    _REGISTRY.register(_profile.name, _profile)


def list_profiles() -> list[str]:
    """Return the names of all profiles.

    Examples
    --------
    >>> from tweetclf.preprocessing import list_profiles
    >>> list_profiles()[:2]
    ['raw', 'atalaya-basic']
    """
    return [profile.name for profile in _PROFILES]


def get_profile(name: str) -> Profile:
    """Return the profile called `name`.

    Parameters
    ----------
    name : str
        Its name, with or without its version: ``"raw"`` or ``"raw@1"``.

    Returns
    -------
    Profile
        The profile.

    Raises
    ------
    UnknownNameError
        If there is no such profile or no such version of it.

    Examples
    --------
    >>> from tweetclf.preprocessing import get_profile
    >>> tokenize = get_profile("atalaya-sentiment").make_tokenizer()
    >>> tokenize("@pepe @juan No me gustan los lunes!!!!!")
    ['@user', 'no', 'NOT_gustar', 'NOT_lunes']
    """
    bare, _, version = name.partition("@")
    profile = _REGISTRY.get(bare)
    if version and version != str(profile.version):
        raise UnknownNameError(
            f"Profile {bare!r} has no version {version!r} here, only "
            f"{profile.version}. Install the release of tweetclf that made it."
        )
    return profile


def profile_changes(estimator: Any) -> dict[str, tuple[Any, Any]]:
    """Return the options of an estimator that are not those of its profile.

    Parameters
    ----------
    estimator : estimator of this package
        A normaliser or tokenizer with a `profile`.

    Returns
    -------
    dict of str to tuple
        Option -> (value of the profile, value of the estimator); empty where the
        estimator does what its profile says, or has none.

    Examples
    --------
    >>> from tweetclf.preprocessing import get_profile, profile_changes
    >>> tokenizer = get_profile("atalaya-sentiment").make_tokenizer(negation=False)
    >>> profile_changes(tokenizer)
    {'negation': (True, False)}
    """
    if estimator.profile is None:
        return {}
    profile = get_profile(estimator.profile)
    options = estimator.get_params()
    make = (
        profile.make_tokenizer if "normalizer" in options else profile.make_normalizer
    )
    expected = make(language=options.get("language", "es")).get_params()
    changes = {
        name: (expected.get(name), value)
        for name, value in options.items()
        if name != "normalizer" and expected.get(name) != value
    }
    if options.get("normalizer", ()) is None or isinstance(
        options.get("normalizer"), str
    ):
        changes["normalizer"] = (expected["normalizer"], options["normalizer"])
    return changes
