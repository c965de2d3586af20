"""Stop words and negation cues of Spanish and English.

The lists are our own and short: closed word classes (articles, prepositions,
pronouns, conjunctions, the commonest forms of ser, estar, haber, be, have, do), with
the spellings without accents that tweets use. Negators are kept in a list of their
own, so that negation marking can see them.

The Spanish cues are the *palabras negativas* of the RAE's grammar with their inflected
forms, plus *sin* and *apenas*; the English cues are the explicit negators of the
lexicons of Councill et al. and Potts, with the contractions spelt with and without
apostrophe. Atalaya's own list was never published.

References
----------
RAE and ASALE, Nueva gramática de la lengua española, 2009, chapter 48 (La negación).
S. M. Jiménez-Zafra et al., "SFU ReviewSP-NEG: a Spanish corpus annotated with negation
for sentiment analysis", Language Resources and Evaluation 52, 2018.
I. Councill, R. McDonald and L. Velikovich, "What's great and what's not: learning to
classify the scope of negation for improved sentiment analysis", NeSp-NLP 2010.
C. Potts, Sentiment symposium tutorial, 2011 (linguistic features: negation).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tweetclf.exceptions import UnknownNameError

__all__ = ["negation_cues", "stop_words", "word_key"]

_NEGATORS_ES = """
no ni nunca jamás jamas nada nadie tampoco sin apenas
ningún ningun ninguno ninguna ningunos ningunas
"""

_NEGATORS_EN = """
no not never none nobody nothing nowhere noone neither nor without cannot
ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't
mustn't needn't shouldn't wasn't weren't won't wouldn't
aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neednt
shouldnt wasnt werent wont wouldnt
"""

_STOP_ES = """
el la los las lo un una uno unos unas al del
a ante bajo con contra de desde durante en entre hacia hasta para por según segun sobre
tras pa q k x d
y e o u que pero si sino porque pues como cuando donde aunque mientras
yo tú tu él ella ello usted nosotros nosotras vosotros vosotras ellos ellas ustedes vos
me te se nos os le les mí mi ti sí conmigo contigo consigo
mis tus su sus mío mía míos mías tuyo tuya tuyos tuyas suyo suya suyos suyas nuestro
nuestra nuestros nuestras vuestro vuestra vuestros vuestras
este esta estos estas esto ese esa esos esas eso aquel aquella aquellos aquellas aquello
qué quién quien quiénes quienes cuál cual cuáles cuales cuyo cuya cómo cuándo dónde
soy eres es somos sois son era eras éramos eran fui fue fuimos fueron sea sean ser sido
siendo será serán sería
estoy estás está esta estamos están estaba estaban estar estado
he has ha hemos han había habían haber hay hubo haya
muy más mas menos ya también tambien tan tanto todo toda todos todas otro otra otros
otras mucho mucha muchos muchas poco algo alguien algún alguno alguna algunos algunas
cada mismo misma así asi ahí allí aquí aqui
"""

_STOP_EN = """
a an the
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him
his himself she her hers herself it its itself they them their theirs themselves
this that these those who whom whose which what when where why how
am is are was were be been being have has had having do does did doing will would shall
should can could may might must
i'm you're he's she's it's we're they're i've you've we've they've i'd you'd he'd she'd
we'd they'd i'll you'll he'll she'll we'll they'll that's what's there's let's
im youre hes shes theyre ive youve ill thats whats u ur r
and or but if because as until while of at by for with about against between into
through during before after above below to from up down in out on off over under
again further then once here there all any both each few more most other some such own
same so than too very just
"""

_STOP: Mapping[str, frozenset[str]] = MappingProxyType(
    {"es": frozenset(_STOP_ES.split()), "en": frozenset(_STOP_EN.split())}
)
_NEGATORS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"es": frozenset(_NEGATORS_ES.split()), "en": frozenset(_NEGATORS_EN.split())}
)


def word_key(word: str) -> str:
    """Return the form in which words of the lists are compared.

    Lower case, and a straight apostrophe for the curly one that phones put into
    ``don’t``.
    """
    return word.lower().replace("’", "'")


def _of(
    lists: Mapping[str, frozenset[str]], language: str, kind: str
) -> frozenset[str]:
    if language not in lists:
        raise UnknownNameError(
            f"There are no {kind} for the language {language!r}, only for "
            f"{' and '.join(map(repr, lists))}. Pass your own words."
        )
    return lists[language]


def stop_words(language: str, *, negators: bool = False) -> frozenset[str]:
    """Return the stop words of a language, in lower case.

    Parameters
    ----------
    language : {"es", "en"}
        The language.
    negators : bool, default=False
        Count negation cues as stop words, as most published lists do.

    Returns
    -------
    frozenset of str
        The words.

    Raises
    ------
    UnknownNameError
        If there is no list for `language`.

    Examples
    --------
    >>> from tweetclf.preprocessing import stop_words
    >>> "no" in stop_words("es"), "no" in stop_words("es", negators=True)
    (False, True)
    """
    words = _of(_STOP, language, "stop words")
    return words | _NEGATORS[language] if negators else words - _NEGATORS[language]


def negation_cues(language: str) -> frozenset[str]:
    """Return the negation cues of a language, in lower case.

    Parameters
    ----------
    language : {"es", "en"}
        The language.

    Returns
    -------
    frozenset of str
        The cues.

    Raises
    ------
    UnknownNameError
        If there is no list for `language`.

    Examples
    --------
    >>> from tweetclf.preprocessing import negation_cues
    >>> sorted(negation_cues("es"))[:4]
    ['apenas', 'jamas', 'jamás', 'nada']
    """
    return _of(_NEGATORS, language, "negation cues")
