from __future__ import annotations

import html
import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty_texts import tweets
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from tweetclf.exceptions import DataError
from tweetclf.preprocessing import TweetNormalizer
from tweetclf.preprocessing._entities import unescape_all, unescape_once


def norm(text: str, **options: object) -> str:
    return TweetNormalizer(**options).normalize(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@pepe, hola", "@user, hola"),
        (".@pepe: sí", ".@user: sí"),
        ("＠Juan_1 y @ana", "@user y @user"),
        ("(@a)(@b)", "(@user)(@user)"),
        ("@@pepe", "@user"),
        ("@pepe@juan hola", "@user hola"),
        ("@español!", "@user!"),
        ("こんにちは@pepeさん", "こんにちは@user さん"),
        ("a@b.com", "a@b.com"),
        ("hola@pepe tod@s", "hola@pepe tod@s"),
        ("RT@pepe: art@pepe", "RT@user: art@pepe"),
        ("@ pepe", "@ pepe"),
    ],
)
def test_handles(text: str, expected: str) -> None:
    assert norm(text, handles="@user") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b.com", "email"),
        ("<juan.perez+x@mail.uni-a.com.ar>.", "<email>."),
        ("a@b.com, c@d.es", "email, email"),
        ("a@b", "a@b"),
        ("a@b.1", "a@b.1"),
        ("@pepe.es", "@pepe.es"),
    ],
)
def test_emails(text: str, expected: str) -> None:
    assert norm(text, emails="email") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mira https://t.co/aB1", "mira url"),
        ("mira http://x.com/a?b=c&d=#e, ya", "mira url, ya"),
        ("(https://x.com/a) fin", "(url) fin"),
        ("HTTPS://X.COM ya", "url ya"),
        ("httttps://x.com", "url"),
        ("ahíhttps://t.co/x", "ahí url"),
        ("https://t.co/xこんにちは", "url こんにちは"),
        ("https://t.co/x😂", "url😂"),
        ("www.x.com www.", "url www."),
        ("ftp://x.y/z, FTPS://x.y", "url, url"),
        ("softp://x ftp: ftp.x.y", "softp://x ftp: ftp.x.y"),
        ("t.co/abc bit.ly/2x pic.twitter.com/Z youtu.be/q", "url url url url"),
        ("clarin.com.ar/nota.", "url."),
        (
            "hola.no fin.de/la es.la elpais.com y/o",
            "hola.no fin.de/la es.la elpais.com y/o",
        ),
        ("3.5/10 a.b/c", "3.5/10 a.b/c"),
    ],
)
def test_urls(text: str, expected: str) -> None:
    assert norm(text, urls="url") == expected


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        ("keep", "#NoTeRindas #1", "#NoTeRindas #1"),
        ("strip", "#NoTeRindas ＃日本 #1", "NoTeRindas 日本 #1"),
        (
            "split",
            "#NoTeRindas #Covid_19 #VivaLaRAEya",
            "No Te Rindas Covid 19 Viva La RA Eya",
        ),
        (
            "split",
            "#ÁrbolAzul #AlertaESI #todojunto",
            "Árbol Azul Alerta ESI todojunto",
        ),
        ("split", "#uno#DosTres", "uno Dos Tres"),
        ("split", "http://x.com/#NoEs a#b &#39;", "http://x.com/#NoEs a#b '"),
        ("mask", "#a#b #1 #مرحبا", "<hashtag><hashtag> #1 <hashtag>"),
        ("mask", "#नमस्ते!", "<hashtag>!"),
    ],
)
def test_hashtags(mode: str, text: str, expected: str) -> None:
    assert norm(text, hashtags=mode) == expected


def test_numbers() -> None:
    text = "10 1.234,5 10:30 2019-04-13 -5% 3€ ٣ covid19 2day #1 x.1"
    # "#N" would be a hashtag and "x.N" a word: the token stands alone.
    expected = "N N N N -N% N€ N covid19 2day # N x. N"
    assert norm(text, numbers="N") == expected
    assert norm("@a1 #b2 http://x.com/3 4", numbers="N") == "@a1 #b2 http://x.com/3 N"


@pytest.mark.parametrize(
    "text",
    [
        *("1️⃣", "1\u20e3", "1️⃣2️⃣ 0️⃣!", "#️⃣ *️⃣ 9️⃣", "👍1️⃣"),
        *("<3", "te amo <3", "<333 </3", "<3<3", ":3", "(:3)", ":-3 >:3", "😂:3", "=3"),
    ],
)
def test_keycaps_hearts_and_faces_are_no_numbers(text: str) -> None:
    assert norm(text, numbers="<num>") == text
    assert norm(text, numbers="") == text


def test_a_replacement_that_is_a_digit_is_looked_at_again() -> None:
    normalizer = TweetNormalizer(numbers="", laughter="0")
    once = normalizer.normalize("<3-jaja")
    assert normalizer.normalize(once) == once


def test_numbers_beside_keycaps_hearts_and_faces() -> None:
    text = "<30 <3.5 10:3 hora:3 x=3 :35 5<3 1️⃣1"
    expected = "<N <N N hora:N x=N :N N<3 1️⃣N"
    assert norm(text, numbers="N") == expected
    assert norm("1️⃣ 10️⃣", numbers="N", emoji="mask") == "<emoji> N<emoji>"
    assert norm("😂:3", numbers="N", emoji="mask", emoji_token="E") == "E :3"


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"max_run": 3}, "holaaaaa 10000000 !!!!!!", "holaaa 10000000 !!!!!!"),
        ({"max_run": 2}, "calle leer goool", "calle leer gool"),
        ({"max_run": 2}, "@jjjj #gooool http://x.com/aaaa a@bbb.com", None),
        ({"max_run": 3}, "すごーーーーーい ههههه", "すごーーーい ههه"),
        (
            {"max_run": 3, "run_scope": "symbols"},
            "!!!!!! 😂😂😂😂 ----",
            "!!! 😂😂😂 ---",
        ),
        ({"max_run": 3, "run_scope": "symbols"}, "10000 🇪🇪🇪🇪🇪🇪 @@@@ ####", None),
        (
            {"max_run": 2, "run_scope": "everything"},
            "1000 #gooool http://aaaa",
            "100 #gool http://aa",
        ),
    ],
)
def test_runs(options: dict[str, object], text: str, expected: str | None) -> None:
    assert norm(text, **options) == (text if expected is None else expected)


def test_word_runs() -> None:
    assert norm("no no  no no más más", max_word_run=2) == "no no más más"
    assert norm("si sin si si", max_word_run=1) == "si sin si"
    assert norm("a, a, a", max_word_run=1) == "a, a, a"


@pytest.mark.parametrize(
    "text",
    [
        "jaja",
        "JAJAJAJ",
        "ajajaja",
        "jajjaaaja",
        "jejeje",
        "haha",
        "HeHe",
        "jsjsjs",
        *("jajajsj", "jajskaj", "jkajkaj", "JAJSJAJS", "ajjajskja", "jejsjej"),
        "xD",
        "XDDD",
        "lol",
        "LMAO",
        "ههههه",
        "jajá",
    ],
)
def test_laughter(text: str) -> None:
    assert norm(f"qué {text}!", laughter="jaja") == "qué jaja!"


@pytest.mark.parametrize(
    "text",
    [
        "hijo",
        "ojo",
        "jefe",
        "hoja",
        "aja",
        "eje",
        "bajaja",
        *("kajak", "jajas", "Saja", "jaskaj", "Majaj", "jjjj", "hijos", "jejas"),
        "www.",
        "KKK",
        "lola",
        "555",
    ],
)
def test_no_laughter(text: str) -> None:
    assert norm(text, laughter="<risa>") == text


def test_laughter_by_language() -> None:
    assert norm("面白いwwww 草", laughter="LOL", language="ja") == "面白い LOL LOL"
    assert norm("kkkk", laughter="LOL", language="pt") == "LOL"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("es", "😂", "cara llorando de risa"),
        ("en", "ya😂ya", "ya face with tears of joy ya"),
        ("es", "👍🏽", "pulgar hacia arriba tono de piel medio"),
        ("es", "👨‍👩‍👧", "familia hombre mujer niña"),
        ("es", "🇪🇸 ❤ ❤️", "bandera españa corazón rojo corazón rojo"),
        ("en", "1️⃣ 1 # *", "keycap 1 1 # *"),
        ("es", "© ™ ーが", "© ™ ーが"),
    ],
)
def test_emoji_text(language: str, text: str, expected: str) -> None:
    assert norm(text, emoji="text", language=language, whitespace=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("te amo ❤️ ❤", "te amo ❤ ❤"),
        ("\u2764\ufe0e \u2600\ufe0f", "\u2764 \u2600"),
        ("1\ufe0f\u20e3#\ufe0f\u20e3", "1\u20e3#\u20e3"),
        ("🏳️\u200d🌈 ❤️\u200d🔥", "🏳\u200d🌈 ❤\u200d🔥"),
        ("👨\u200d👩\u200d👧 👍🏽 🇪🇸 😂", None),
    ],
)
def test_emoji_plain(text: str, expected: str | None) -> None:
    assert norm(text, emoji="plain") == (text if expected is None else expected)


@given(tweets)
def test_emoji_plain_only_drops_variation_selectors(text: str) -> None:
    plain = TweetNormalizer(emoji="plain", html_entities=False, unicode_form=None)
    once = plain.normalize(text)
    assert once == "".join(c for c in text if c not in "\ufe0e\ufe0f")
    assert plain.normalize(once) == once


def test_emoji_mask_counts_whole_emoji() -> None:
    text = "👍🏽👨‍👩‍👧🇪🇸🏴󠁧󠁢󠁥󠁮󠁧󠁿❤️1️⃣"
    assert norm(text, emoji="mask", emoji_token="<e>") == 6 * "<e>"
    assert norm("😂😂", emoji="mask", emoji_token="emoji") == "emoji emoji"
    assert norm("a😂b", emoji="mask", emoji_token="") == "a b"


def test_every_emoji_has_a_name_and_a_mask() -> None:
    from emoji import EMOJI_DATA

    text_first = set("©®™‼⁉ℹⓂ〰〽㊗㊙↔↕↖↗↘↙↩↪▪▫▶◀◻◼◽◾")
    # Alone, a skin tone or half a flag is a part; half-dressed forms leave a rest.
    whole = [
        e for e, d in EMOJI_DATA.items() if d["status"] == 2 and e not in text_first
    ]
    assert len(whole) > 3000
    mask = TweetNormalizer(emoji="mask", emoji_token="<e>")
    name = TweetNormalizer(emoji="text", language="es", whitespace=True)
    for emoji in whole:
        assert mask.normalize(emoji) == "<e>", emoji
        assert not set(name.normalize(emoji)) & set(emoji) - set("0123456789#*"), emoji


def test_case_and_accents() -> None:
    assert norm("ÑANDÚ @Pepe #Ya", lowercase=True) == "ñandú @pepe #ya"
    assert norm("ÑandÚ pingüino ç", accents="strip") == "NandU pinguino c"
    assert norm("ÑandÚ n\u0303", accents="strip_keep_enye") == "ÑandU ñ"
    assert norm("Ya https://t.co/A", lowercase=True, urls="[URL]") == "ya [URL]"


@pytest.mark.parametrize(
    "text", ["か\u3099が", "أحمد إلى آمن ؤ", "مَرحبا", "한국", "नमस्ते", "й"]
)
def test_accents_of_other_scripts_are_letters(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert norm(text, accents="strip", lowercase=True) == text


def test_unicode_newlines_whitespace() -> None:
    assert norm("n\u0303") == "ñ"
    assert norm("n\u0303", unicode_form=None) == "n\u0303"
    assert norm("ｆｕｌｌ", unicode_form="NFKC") == "full"
    assert norm("a\r\n\nb\u2028c", newlines=" ", whitespace=True) == "a b c"
    assert norm("a\nb", newlines="<nl>") == "a <nl> b"
    assert norm("  a \u3000 b \n  c ", whitespace=True) == "a b\nc"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&amp;lt;3 &aacute;&#39;&#x1F602;", "<3 á'😂"),
        ("R&D &copy=1 &foo; AT&T; &", "R&D &copy=1 &foo; AT&T; &"),
        ("&#3&#56;;lt;", "<"),
        ("&amp;amp;amp;amp;", "&"),
        (f"&#{5000 * '9'};", f"&#{5000 * '9'};"),
        ("&semi; &amp&semi;", "; &"),
    ],
)
def test_entities(text: str, expected: str) -> None:
    assert norm(text) == expected


@given(
    st.lists(
        st.sampled_from(["&", "#", ";", "amp", "lt", "38", "x26", "a", "&amp;"]),
        max_size=20,
    )
)
def test_unescape_all_leaves_no_entity(parts: list[str]) -> None:
    once = unescape_all("".join(parts))
    assert unescape_all(once) == once


@given(tweets)
def test_unescape_once_is_the_standard_one(text: str) -> None:
    assert unescape_once(text) == html.unescape(text)


def test_unescape_once_survives_long_numbers() -> None:
    with pytest.raises(ValueError, match="digits"):
        html.unescape(f"&#{5000 * '9'};")
    assert unescape_once(f"&#{5000 * '9'}; &#{5000 * '0'}65;") == "\ufffd A"


# Everything at once, and removals: where one option makes work for another.
ALL = TweetNormalizer(
    urls="url",
    emails="email",
    handles="user",
    hashtags="split",
    numbers="0",
    emoji="text",
    max_run=2,
    run_scope="symbols",
    max_word_run=1,
    laughter="jaja",
    lowercase=True,
    accents="strip",
    newlines="<NL>",
    whitespace=True,
)
NONE = TweetNormalizer(
    urls="",
    emails="",
    handles="",
    hashtags="mask",
    hashtag_token="",
    numbers="",
    emoji="mask",
    emoji_token="",
    laughter="",
    max_word_run=2,
    unicode_form="NFKC",
)
TOKEN = st.sampled_from([None, "", "url", "<url>", "[USER]", "@user", "X", "0"])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "unicode_form": st.sampled_from(["NFC", "NFKC", None]),
        "html_entities": st.booleans(),
        **dict.fromkeys(("urls", "emails", "handles", "numbers", "laughter"), TOKEN),
        "hashtags": st.sampled_from(["keep", "strip", "split", "mask"]),
        "emoji": st.sampled_from(["keep", "plain", "text", "mask"]),
        "emoji_token": st.sampled_from(["emoji", ""]),
        "language": st.sampled_from(["es", "en", "ja", "pt"]),
        "max_run": st.sampled_from([2, 3]),
        "run_scope": st.sampled_from(["letters", "symbols", "everything"]),
        "max_word_run": st.sampled_from([1, 2]),
        "lowercase": st.booleans(),
        "accents": st.sampled_from(["keep", "strip", "strip_keep_enye"]),
        "newlines": st.sampled_from([None, " ", "<nl>"]),
        "whitespace": st.booleans(),
    },
)


@pytest.mark.parametrize("normalizer", [ALL, NONE], ids=["all", "none"])
@given(text=tweets)
def test_idempotent_with_everything(normalizer: TweetNormalizer, text: str) -> None:
    once = normalizer.normalize(text)
    assert normalizer.normalize(once) == once


@given(text=tweets, options=OPTIONS)
def test_idempotent_with_any_options(text: str, options: dict[str, object]) -> None:
    normalizer = TweetNormalizer(**options)
    once = normalizer.normalize(text)
    assert normalizer.normalize(once) == once


@given(tweets, tweets)
def test_nothing_is_left_of_what_is_masked(left: str, right: str) -> None:
    text = f"{left} @pepe https://t.co/x a@b.com {right}"
    masked = norm(text, urls="<u>", emails="<m>", handles="<h>")
    assert " <h> <u> <m> " in masked


@given(tweets)
def test_defaults_are_the_normal_form_alone(text: str) -> None:
    assert norm(text) == unicodedata.normalize("NFC", unescape_all(text))


def test_estimator() -> None:
    normalizer = TweetNormalizer(urls="url", lowercase=True)
    assert normalizer.fit_transform(["A http://x.co", "B"]) == ["a url", "b"]
    assert normalizer("A") == "a"
    assert repr(clone(normalizer)) == "TweetNormalizer(lowercase=True, urls='url')"
    assert pickle.loads(pickle.dumps(normalizer)).transform(["A"]) == ["a"]
    assert normalizer.set_params(lowercase=False).transform(["A"]) == ["A"]
    assert len(normalizer.get_params()) <= 20
    counts = make_pipeline(TweetNormalizer(urls="url"), CountVectorizer())
    assert "url" in counts.fit(["mira https://t.co/x"])[-1].vocabulary_
    assert "url" in CountVectorizer(preprocessor=normalizer).fit(["t.co/x"]).vocabulary_


def test_errors() -> None:
    with pytest.raises(DataError, match=r"texts\[1\] is None"):
        TweetNormalizer().transform(["a", None])
    with pytest.raises(DataError, match="single str"):
        TweetNormalizer().transform("a")
    with pytest.raises(DataError, match="to be a str; it is list"):
        TweetNormalizer().normalize(["a"])
    for call in (lambda n: n.normalize("a"), lambda n: n.fit(["a"])):
        with pytest.raises(ValueError, match="'hashtags' parameter"):
            call(TweetNormalizer(hashtags="cut"))
    with pytest.raises(ValueError, match="'urls' parameter"):
        TweetNormalizer(urls=["url"]).normalize("a")
