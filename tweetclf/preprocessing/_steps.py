"""The steps of `TweetNormalizer`, compiled once for each set of options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from tweetclf.preprocessing import patterns
from tweetclf.preprocessing._entities import unescape_all
from tweetclf.preprocessing._pieces import ByPieces
from tweetclf.preprocessing._shortcuts import MOST_PASSES, make_leaves, make_piece

__all__ = ["Options", "compile_steps"]

Step = Callable[[str], str]


class Options(NamedTuple):
    """The options of `TweetNormalizer` that change its output."""

    unicode_form: str | None
    html_entities: bool
    urls: str | None
    emails: str | None
    handles: str | None
    hashtags: str
    hashtag_token: str
    numbers: str | None
    emoji: str
    emoji_token: str
    language: str
    max_run: int | None
    run_scope: str
    max_word_run: int | None
    laughter: str | None
    lowercase: bool
    accents: str
    newlines: str | None
    whitespace: bool

    def tokens(self) -> tuple[str, ...]:
        """Return the replacement tokens in use, without empty ones."""
        tokens = [self.urls, self.emails, self.handles, self.numbers, self.laughter]
        if self.hashtags == "mask":
            tokens.append(self.hashtag_token)
        if self.emoji == "mask":
            tokens.append(self.emoji_token)
        if self.newlines is not None:
            tokens.append(self.newlines.strip())
        return tuple(token for token in tokens if token)


def compile_steps(options: Options) -> Step:
    """Return the function from text to text that `options` describe.

    The order matters: what makes new text (entities, emoji names, hashtags split
    into words) comes before what reads it, so that one pass does all there is to do.
    """
    steps: list[Step] = []
    if options.html_entities:
        steps.append(unescape_all)
    if options.unicode_form:
        steps.append(_unicode(options.unicode_form))
    if options.newlines is not None:
        steps.append(_newlines(options.newlines))
    if options.emoji == "text":
        steps.append(_emoji_text(options.language))
    elif options.emoji == "plain":
        steps.append(_drop_variation_selectors)
    if options.hashtags in {"strip", "split"}:
        steps.append(_open_hashtags(split=options.hashtags == "split"))
    if options.lowercase or options.accents != "keep":
        steps.append(_characters(options))
    if options.max_run is not None and options.run_scope == "everything":
        steps.append(_shorten(r"(.)", options.max_run))
    scan = _entities_and_rest(options)

    def once(text: str) -> tuple[str, bool]:
        for step in steps:
            text = step(text)
        return scan(text)

    def run(text: str) -> str:
        for _ in range(MOST_PASSES):
            found, again = once(text)
            if not again or found == text:
                text = found
                break
            text = found
        return _collapse_spaces(text) if options.whitespace else text

    if not _reads_no_blanks(options):
        return run
    finish = _collapse_spaces if options.whitespace else None
    leaves = make_leaves(options)
    return ByPieces(make_piece(options, once, leaves), run, finish, leaves)


def _reads_no_blanks(options: Options) -> bool:
    """Tell whether what happens to a text happens to its pieces between spaces.

    All patterns are made of characters that are no spaces, look no further than the
    next space, and no space composes with a mark or decides about the lower case of
    its neighbours. These are the exceptions.
    """
    return (
        options.max_word_run is None
        and (options.max_run is None or options.run_scope != "everything")
        and not any(" " in token for token in options.tokens())
    )


_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})


def _unicode(form: str) -> Step:
    if form == "plain":
        normal = _unicode("NFC")
        return lambda text: normal(text).translate(_STRAIGHT)

    def step(text: str) -> str:
        # Nearly all tweets are in the form already, and asking is cheaper.
        if text.isascii() or unicodedata.is_normalized(form, text):  # type: ignore[arg-type]
            return text
        return unicodedata.normalize(form, text)  # type: ignore[arg-type]

    return step


_NEWLINE = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def _newlines(token: str) -> Step:
    token = f" {token.strip()} " if token.strip() else " "
    # No line end is printable, and asking is cheaper.
    return lambda text: (
        text if text.isprintable() else _NEWLINE.sub(lambda match: token, text)
    )


_SPACES = re.compile(r"[^\S\n]*\n[^\S\n]*|[^\S\n]+")


def _collapse_spaces(text: str) -> str:
    """Make each run of blanks one space; line ends that are left stay."""
    if "\n" not in text:
        return " ".join(text.split())
    return _SPACES.sub(lambda m: "\n" if "\n" in m[0] else " ", text).strip()


@lru_cache(maxsize=1 << 14)
def _emoji_name(sequence: str, language: str) -> str:
    """Return the name of an emoji as words between blanks; unknown ones stay."""
    from emoji import demojize

    named = demojize(sequence, delimiters=("\x00", "\x00"), language=language)
    if named == sequence:
        return sequence
    words = named.replace("\x00", " ").replace("_", " ").split()
    return f" {' '.join(words)} "


def _drop_variation_selectors(text: str) -> str:
    """Drop what asks a font for a coloured or a plain sign: ❤️ and ❤ are one."""
    return text.replace("\ufe0f", "").replace("\ufe0e", "")


def _emoji_text(language: str) -> Step:
    replace = re.compile(patterns.emoji_pattern()).sub
    # Every emoji but the keycaps is outside ASCII, and those have a mark that is.
    return lambda text: (
        text
        if text.isascii()
        else replace(lambda match: _emoji_name(match[0], language), text)
    )


def split_camel_case(word: str) -> str:
    """Put spaces between the words of a hashtag: ``NoTeRindas2024_ya``."""
    pieces: list[str] = []
    start = 0
    for i in range(1, len(word)):
        left, here = word[i - 1], word[i]
        right = word[i + 1 : i + 2]
        if (
            (here.isupper() and (left.islower() or right.islower()))
            or here.isdigit() != left.isdigit()
            or here == "_"
            or left == "_"
        ):
            pieces.append(word[start:i])
            start = i
    pieces.append(word[start:])
    return " ".join(piece for piece in pieces if piece.strip("_"))


def _open_hashtags(*, split: bool) -> Step:
    pattern = re.compile(
        f"{patterns.URL}|{patterns.EMAIL}|({patterns.hashtag_pattern()})"
    )

    def words(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        tags = [tag for tag in re.split("[#＃]+", match[1]) if tag]
        return " ".join(split_camel_case(tag) if split else tag for tag in tags)

    return lambda text: (
        pattern.sub(words, text) if "#" in text or "＃" in text else text
    )


_MARKS = re.compile("(?<=[A-Za-z])[\u0300-\u036f]+")


@lru_cache(maxsize=4)
def _accent_table(keep: str) -> dict[int, str]:
    """Map accented Latin letters to their base; other scripts are left alone.

    Stripping all marks, as is often done, makes か of が and ا of أ.
    """
    table = {}
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii() and base.isalpha() and chr(code) not in keep:
            table[code] = base
    return table


def _strip_accents(text: str, keep: str) -> str:
    for letter in keep:
        text = text.replace(unicodedata.normalize("NFD", letter), letter)
    return _MARKS.sub("", text.translate(_accent_table(keep)))


def _characters(options: Options) -> Step:
    """Case and accents, everywhere but in replacement tokens (``[URL]``)."""
    keep = {"strip": "", "strip_keep_enye": "ñÑ"}.get(options.accents)

    def change(text: str) -> str:
        if options.lowercase:
            text = text.lower()
        if keep is not None and not text.isascii():
            text = _strip_accents(text, keep)
        return text

    protected = tuple(token for token in options.tokens() if change(token) != token)
    if not protected:
        return change
    split = re.compile(f"({patterns.literal_pattern(protected)})").split

    def step(text: str) -> str:
        parts = split(text)
        parts[::2] = map(change, parts[::2])
        return "".join(parts)

    return step


def _shorten(unit: str, longest: int) -> Step:
    pattern = re.compile(unit + rf"\1{{{longest},}}+", re.DOTALL)
    return lambda text: pattern.sub(lambda match: match[1] * longest, text)


# Flags are pairs of regional indicators, so that a run of them is no elongation; the
# tags of a regional flag and the glue of joined emoji are not either. "@" and "#" say
# what follows.
_SYMBOL = "([^\\d\\s@#＠＃\u200d\ufe0f\U0001f1e6-\U0001f1ff\U000e0020-\U000e007f])"
_LETTER = r"([^\W\d_])"


def _plain_text(options: Options) -> Step | None:
    """Return what is done to text that is no URL, handle, hashtag ... ."""
    steps: list[Step] = []
    if options.max_run is not None and options.run_scope != "everything":
        unit = _LETTER if options.run_scope == "letters" else _SYMBOL
        steps.append(_shorten(unit, options.max_run))
    if options.max_word_run is not None:
        steps.append(_shorten_word_runs(options.max_word_run))
    if not steps:
        return None

    def run(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return run


def _shorten_word_runs(longest: int) -> Step:
    chars = patterns.word_chars()
    again = rf"\s++\2(?![{chars}])"
    kept = rf"((?<![{chars}])([{chars}]++)(?:{again}){{{longest - 1}}})"
    more = re.compile(rf"{kept}(?:{again})++")
    return lambda text: more.sub(lambda match: match[1], text)


def _entity_patterns(options: Options) -> dict[str, tuple[str, str | None]]:
    """Return name -> pattern, and what takes its place, if anything; the first wins."""
    found: dict[str, tuple[str, str | None]] = {
        "url": (patterns.URL, options.urls),
        "email": (patterns.EMAIL, options.emails),
    }
    if options.tokens():
        found["token"] = patterns.literal_pattern(options.tokens()), None
    found["entity"] = patterns.ENTITY, None
    found["handle"] = patterns.HANDLE, options.handles
    masked = options.hashtag_token if options.hashtags == "mask" else None
    found["hashtag"] = patterns.hashtag_pattern(), masked
    if options.emoji == "mask":
        found["emoji"] = patterns.emoji_pattern(), options.emoji_token
    if options.numbers is not None:
        found["digits"] = patterns.NO_NUMBER, None
        found["number"] = patterns.NUMBER_TO_REPLACE, options.numbers
    if options.laughter is not None:
        pattern = patterns.laughter_pattern(options.language)
        found["laughter"] = pattern, options.laughter
    return found


def _entities_and_rest(options: Options) -> Callable[[str], tuple[str, bool]]:
    """Find every entity in one scan; replace it, or keep it as it stands.

    The function returns the text and whether its neighbours may look different now:
    where something was removed, or was glued to what stood beside it.
    """
    entities = _entity_patterns(options)
    replacements = {name: token for name, (_, token) in entities.items()}
    plain = _plain_text(options)
    if plain is None and all(token is None for token in replacements.values()):
        return lambda text: (text, False)
    alternatives = (f"(?P<{name}>{p})" for name, (p, _) in entities.items())
    scan = re.compile("|".join(alternatives)).finditer
    # ":3" is a face only where it follows no word.
    glued_after = _GLUED_AFTER if options.numbers is None else _GLUED_AFTER_OR_FACE
    hint = re.compile(_hint(options)).search

    def step(text: str) -> tuple[str, bool]:
        if not hint(text):
            return text, False
        pieces: list[str] = []
        end = 0
        again = False
        for match in scan(text):
            if match.start() > end:
                rest = text[end : match.start()]
                pieces.append(plain(rest) if plain else rest)
            end = match.end()
            token = replacements[match.lastgroup or ""]
            if token is None:
                pieces.append(match[0])
                continue
            count = 1
            if match.lastgroup == "hashtag":
                count = len(_TAG_HEAD.findall(match[0]))
            left = pieces and _GLUED_BEFORE.search(pieces[-1][-2:])
            right = glued_after.match(text, end)
            # A digit may make a number of what stood before it: <3-jaja -> <3-0.
            again |= bool(left or right or not token or token[0].isdigit())
            pieces.append(_placed(token, count, bool(left), bool(right)))
        if end < len(text):
            pieces.append(plain(text[end:]) if plain else text[end:])
        return "".join(pieces), again

    return step


def _hint(options: Options) -> str:
    """Return a pattern that is found wherever the scan would change something."""
    if options.laughter is not None or options.max_word_run is not None:
        return ""
    # Signs of an entity, a handle, a hashtag or an address, of a URL with a scheme,
    # of one without.
    signs = [r"[@＠&#＃]", ":[:/]", r"\.[\w-]"]
    if options.numbers is not None:
        signs.append(r"\d")
    if options.emoji == "mask":
        signs.append(r"[^\x00-\x7f]")
    if options.max_run is not None and options.run_scope != "everything":
        unit = _LETTER if options.run_scope == "letters" else _SYMBOL
        signs.append(rf"{unit}\1{{{options.max_run}}}")
    return "|".join(signs)


_TAG_HEAD = re.compile("[#＃]+")
_GLUED_BEFORE = re.compile(r"(?:[\w@＠#＃]|\w\.)\Z")
_GLUED_AFTER = re.compile(r"[\w@＠#＃]|[.+%-]++[\w@]")
_GLUED_AFTER_OR_FACE = re.compile(rf"{_GLUED_AFTER.pattern}|{patterns.FACE_OF_3}")


def _placed(token: str, count: int, left: bool, right: bool) -> str:
    """Return `token` with the blanks that keep it a word of its own.

    Without them ``https://t.co/xこんにちは`` becomes ``urlこんにちは`` and
    ``@pepe.com/x`` becomes ``user.com/x``, an address.
    """
    if not token:
        return " "
    before = " " if token[0].isalnum() or token[0] == "_" else ""
    after = " " if token[-1].isalnum() or token[-1] == "_" else ""
    text = before.join([token] * count)
    return (before if left else "") + text + (after if right else "")
