"""TweetNormalizer: text to text."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from tweetclf.preprocessing._base import TextNormalizer
from tweetclf.preprocessing._steps import Options, Step, compile_steps
from tweetclf.utils._sklearn import Interval, StrOptions

__all__ = ["TweetNormalizer"]

# The languages for which the emoji package has short names.
_LANGUAGES = {
    *("ar", "de", "en", "es", "fa", "fr", "id", "it", "ja", "ko", "pt", "ru"),
    *("tr", "zh"),
}


class TweetNormalizer(TextNormalizer):
    """Normalise tweets, one option a phenomenon.

    The defaults change next to nothing (Unicode NFC, HTML entities); each option
    adds one thing. An option with a replacement token takes ``None`` (keep), a
    string (replace), or ``""`` (remove, leaving a blank). What is kept is also
    protected: repeated letters are shortened in words, not in URLs or handles.

    The estimator learns nothing and needs no `fit`. It works as a step of a
    pipeline and as ``TfidfVectorizer(preprocessor=TweetNormalizer(...))``.

    Parameters
    ----------
    unicode_form : {"NFC", "plain", "NFKC"} or None, default="NFC"
        Unicode normal form. "plain" is NFC with straight quotes and apostrophes:
        phones write ``don’t``, computers ``don't``. NFKC also turns full-width and
        styled letters into plain ones.
    html_entities : bool, default=True
        Replace ``&amp;``, ``&#39;``, ``&aacute;`` ... by what they stand for, also
        where they were escaped twice. Only entities that end in ``;`` count.
    urls : str or None, default=None
        Replacement of URLs: ``https://...``, ``www.x.com``, and domains with a path
        such as ``t.co/abc``; ``hola.no`` and ``elpais.com`` are no URLs.
    emails : str or None, default=None
        Replacement of e-mail addresses.
    handles : str or None, default=None
        Replacement of handles (``@pepe``, also with the full-width ``＠``).
    hashtags : {"keep", "strip", "split", "mask"}, default="keep"
        Keep hashtags, drop their ``#``, drop it and split camel case, underscores and
        digits (``#NoTeRindas`` -> ``No Te Rindas``), or replace them.
    hashtag_token : str, default="<hashtag>"
        Replacement where ``hashtags="mask"``.
    numbers : str or None, default=None
        Replacement of numbers (``10``, ``1.234,5``, ``10:30``, ``2019-04-13``);
        digits within words (``covid19``), keycap emoji and the faces and hearts
        ``:3``, ``<3``, ``</3`` are no numbers.
    emoji : {"keep", "plain", "text", "mask"}, default="keep"
        Keep emoji; drop the variation selectors that tell ``❤️`` from ``❤``; replace
        each by its CLDR short name in `language`; or by `emoji_token`. Flags, skin
        tones, keycaps and joined emoji are one each.
    emoji_token : str, default="<emoji>"
        Replacement where ``emoji="mask"``.
    language : str, default="es"
        Language of the emoji names and, for Japanese, Korean and Portuguese, of
        further kinds of laughter. One of ar, de, en, es, fa, fr, id, it, ja, ko, pt,
        ru, tr, zh.
    max_run : int or None, default=None
        Longest run of one character that is left (3: ``holaaaaa`` -> ``holaaa``).
        Below 2 it damages words (``calle``, ``leer``).
    run_scope : {"letters", "symbols", "everything"}, default="letters"
        Where `max_run` applies: to letters; also to punctuation and emoji
        (``!!!!!!``); or also to digits and within URLs, handles and hashtags.
    max_word_run : int or None, default=None
        Most copies in a row of one word that are left.
    laughter : str or None, default=None
        Replacement of written laughter (``jajajaj``, ``HAHAHA``, ``xD``, ``ههههه``).
    lowercase : bool, default=False
        Lower-case everything but replacement tokens.
    accents : {"keep", "strip", "strip_keep_enye"}, default="keep"
        Strip the accents of Latin letters, all or all but the tilde of ñ. Other
        scripts keep their marks, which are letters there (が, أ).
    newlines : str or None, default=None
        Replacement of each line end, with blanks around it; ``" "`` for a blank.
    whitespace : bool, default=False
        Make runs of blanks one space and strip the ends; line ends stay unless
        `newlines` replaces them.
    profile : str or None, default=None
        The profile the options were taken from, e.g. ``"atalaya-basic@1"``. It is a
        label and changes nothing: ``get_profile(name).make_normalizer()`` sets the
        options of a profile; see `tweetclf.preprocessing.profile_changes`.

    See Also
    --------
    TweetTokenizer : Text to tokens.
    tweetclf.preprocessing.get_profile : Options of published systems.

    Notes
    -----
    Normalising twice is normalising once, and the time is linear in the length of
    the text whatever it holds. Oddities for which that is not promised: ``max_run=1``
    can make an address by shortening; ``run_scope="everything"`` shortens runs of a
    replacement token of one character, or within one; and of more than 16 things
    glued together, each of which shows only once the one before it is gone
    (``@a#b@c#d...`` with ``handles=""`` and hashtags masked), the rest waits for the
    next call.

    References
    ----------
    Emoji names: Unicode CLDR short names, through the ``emoji`` package.

    Examples
    --------
    >>> from tweetclf.preprocessing import TweetNormalizer
    >>> normalizer = TweetNormalizer(
    ...     urls="url", handles="@user", hashtags="split", emoji="text", max_run=3
    ... )
    >>> normalizer.normalize("@pepe, holaaaaaa #NoTeRindas https://t.co/x1 a@b.com")
    '@user, holaaa No Te Rindas url a@b.com'
    >>> TweetNormalizer(emoji="text", whitespace=True).transform(["qué risa 😂"])
    ['qué risa cara llorando de risa']
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "unicode_form": [StrOptions({"NFC", "plain", "NFKC"}), None],
        "html_entities": ["boolean"],
        "urls": [str, None],
        "emails": [str, None],
        "handles": [str, None],
        "hashtags": [StrOptions({"keep", "strip", "split", "mask"})],
        "hashtag_token": [str],
        "numbers": [str, None],
        "emoji": [StrOptions({"keep", "plain", "text", "mask"})],
        "emoji_token": [str],
        "language": [StrOptions(_LANGUAGES)],
        "max_run": [Interval(Integral, 1, None, closed="left"), None],
        "run_scope": [StrOptions({"letters", "symbols", "everything"})],
        "max_word_run": [Interval(Integral, 1, None, closed="left"), None],
        "laughter": [str, None],
        "lowercase": ["boolean"],
        "accents": [StrOptions({"keep", "strip", "strip_keep_enye"})],
        "newlines": [str, None],
        "whitespace": ["boolean"],
        "profile": [str, None],
    }

    def __init__(
        self,
        *,
        unicode_form: str | None = "NFC",
        html_entities: bool = True,
        urls: str | None = None,
        emails: str | None = None,
        handles: str | None = None,
        hashtags: str = "keep",
        hashtag_token: str = "<hashtag>",
        numbers: str | None = None,
        emoji: str = "keep",
        emoji_token: str = "<emoji>",
        language: str = "es",
        max_run: int | None = None,
        run_scope: str = "letters",
        max_word_run: int | None = None,
        laughter: str | None = None,
        lowercase: bool = False,
        accents: str = "keep",
        newlines: str | None = None,
        whitespace: bool = False,
        profile: str | None = None,
    ) -> None:
        self.unicode_form = unicode_form
        self.html_entities = html_entities
        self.urls = urls
        self.emails = emails
        self.handles = handles
        self.hashtags = hashtags
        self.hashtag_token = hashtag_token
        self.numbers = numbers
        self.emoji = emoji
        self.emoji_token = emoji_token
        self.language = language
        self.max_run = max_run
        self.run_scope = run_scope
        self.max_word_run = max_word_run
        self.laughter = laughter
        self.lowercase = lowercase
        self.accents = accents
        self.newlines = newlines
        self.whitespace = whitespace
        self.profile = profile

    def _options(self) -> Options:
        return Options(*(getattr(self, name) for name in Options._fields))

    def _compile(self) -> Step:
        return compile_steps(self._options())

    def replacement_tokens(self) -> tuple[str, ...]:
        """Return the tokens that the options put in place of something."""
        return self._options().tokens()
