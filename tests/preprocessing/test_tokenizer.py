from __future__ import annotations

import pickle
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty_texts import tweets
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.preprocessing import (
    TweetNormalizer,
    TweetTokenizer,
    negation_cues,
    stop_words,
)
from tweetclf.preprocessing.negation import mark_negation
from tweetclf.preprocessing.words import word_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hola, @pepe!", "Hola|,|@pepe|!"),
        ("a@b.com hola.no", "a@b.com|hola|.|no"),
        ("https://t.co/x... ya…", "https://t.co/x|...|ya|…"),
        ("ve a ftp://x.y, ya", "ve|a|ftp://x.y|,|ya"),
        ("tod@s l@s amig@! RT@pepe", "tod@s|l@s|amig@|!|RT|@pepe"),
        ("#uno#dos #1", "#uno|#dos|#|1"),
        ("👨‍👩‍👧😂👍🏽🇪🇸1️⃣❤️", "👨‍👩‍👧|😂|👍🏽|🇪🇸|1️⃣|❤️"),
        (
            "bien:) :-((( :D XD <3 (ya): (10) ^_^",
            "bien|:)|:-(((|:D|XD|<3|(|ya|)|:|(|10|)|^_^",
        ),
        ("jaja :v >:v :'v :vvv :c :L :b :'3", "jaja|:v|>:v|:'v|:vvv|:c|:L|:b|:'3"),
        ("hoy c: ay D: D':", "hoy|c:|ay|D:|D':"),
        ("C: a) nota:v :vaya 3:v c:x", "C|:|a|)|nota|:|v|:|vaya|3|:|v|c|:|x"),
        ("don't l’amour ex-novio -No", "don't|l’amour|ex-novio|-|No"),
        ("1.234,5 10:30 50% covid19", "1.234,5|10:30|50%|covid19"),
        ("<url> [USER] <3", "<url>|[USER]|<3"),
        ("すごーい か\u3099", "すごーい|か\u3099"),
        ("مَرحبا، أحمد", "مَرحبا|،|أحمد"),
        ("नमस्ते की", "नमस्ते|की"),
        ("¿Qué?«»", "¿|Qué|?|«|»"),
        (" \n\t", ""),
        ("", ""),
    ],
)
def test_tweet_scheme(text: str, expected: str) -> None:
    assert "|".join(TweetTokenizer()(text)) == expected


def test_agrees_with_nltk_on_plain_tweets() -> None:
    from nltk.tokenize import TweetTokenizer as Oracle

    oracle = Oracle()
    for text in (
        "@pepe No me gusta nada, la verdad... #NoTeRindas :) https://t.co/abc",
        "I can't believe it!! 😂👍🏽 RT @ana_1: so-so <3",
        "¡Qué risa! :D mañana a las 10:30 en la cía. ñandú",
        "ya voy a casa... (creo) :-( juan@correo.com",
    ):
        assert TweetTokenizer()(text) == oracle.tokenize(text)


HAHA_MARKS = string.punctuation + "“”¨«»®´·º½¾¿¡§£₤‘’"


@given(tweets)
def test_punctuation_scheme_is_the_notebooks(text: str) -> None:
    spaced = re.sub(f"([{re.escape(HAHA_MARKS)}])", r" \1 ", text)
    assert TweetTokenizer(scheme="punctuation")(text) == spaced.split()


@given(tweets)
def test_no_character_is_lost(text: str) -> None:
    for scheme in ("tweet", "punctuation", "whitespace"):
        tokens = TweetTokenizer(scheme=scheme)(text)
        assert "".join(tokens) == "".join(text.split())
        assert all(token and not token.isspace() for token in tokens)


@given(tweets)
def test_tokens_are_stable_between_blanks(text: str) -> None:
    # Tokens set apart by blanks are tokens again, but for what needs its neighbour.
    tokenize = TweetTokenizer(lowercase=True)
    assert tokenize(text) == [t for chunk in text.split() for t in tokenize(chunk)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no me gusta nada", "no NOT_me NOT_gusta nada"),
        ("no es que yo quiera ir", "no NOT_es NOT_que NOT_yo quiera ir"),
        ("no , me gusta", "no , me gusta"),
        ("nunca vi 😂 eso", "nunca NOT_vi 😂 eso"),
        ("sin @user mi amigo", "sin @user mi amigo"),
        ("NO voy", "NO NOT_voy"),
        (
            "no quiero nunca ir a casa ya",
            "no NOT_quiero nunca NOT_ir NOT_a NOT_casa ya",
        ),
        ("no url vale", "no url vale"),
        ("no 2 veces", "no 2 veces"),
        ("hola", "hola"),
    ],
)
def test_negation(text: str, expected: str) -> None:
    # The rule of the paper, by hand: at most three words, ended by a non-word.
    cues = negation_cues("es")
    assert mark_negation(text.split(), cues, barriers={"url"}) == expected.split()


def test_negation_in_english_and_options() -> None:
    english = TweetTokenizer(language="en", negation=True)
    assert english("I don’t like it at all")[2:] == [
        "NOT_like",
        "NOT_it",
        "NOT_at",
        "all",
    ]
    assert TweetTokenizer(negation=True, negation_scope=1)("no me va") == [
        "no",
        "NOT_me",
        "va",
    ]
    own = TweetTokenizer(negation=True, negation_cues=["zero"], language="ja")
    assert own("no zero b") == ["no", "zero", "NOT_b"]
    masked = TweetTokenizer(normalizer=TweetNormalizer(urls="url"), negation=True)
    assert masked("no https://t.co/x ya") == ["no", "url", "ya"]


@pytest.mark.parametrize("lemmatizer", [None, "simplemma"])
@pytest.mark.parametrize("cue", ["don't", "don’t", "DON’T", "Don't"])
def test_any_apostrophe_and_case_negates(cue: str, lemmatizer: str | None) -> None:
    options = {"language": "en", "negation": True, "lemmatizer": lemmatizer}
    assert TweetTokenizer(**options)(f"I {cue} like it")[1:3] == [cue, "NOT_like"]


@pytest.mark.parametrize("own", ["AIN'T", "ain’t", "Ain't"])
def test_own_lists_match_any_apostrophe_and_case(own: str) -> None:
    marked = TweetTokenizer(negation=True, negation_cues=[own], language="en")
    kept = TweetTokenizer(stop_words=[own, "IT"], language="en")
    for word in ("ain't", "ain’t", "AIN’T"):
        assert marked(f"{word} so") == [word, "NOT_so"]
        assert mark_negation([word, "so"], [own]) == [word, "NOT_so"]
        assert kept(f"{word} so It") == ["so"]


def test_stop_words_match_any_apostrophe() -> None:
    tokenize = TweetTokenizer(language="en", stop_words="language")
    assert tokenize("He’s fine, that's what we’re told") == ["fine", ",", "told"]


@given(tweets, st.integers(1, 4))
def test_negation_only_adds_marks(text: str, scope: int) -> None:
    tokens = TweetTokenizer()(text)
    marked = mark_negation(tokens, negation_cues("es"), scope=scope)
    assert [m.removeprefix("NOT_") for m in marked] == [
        t.removeprefix("NOT_") for t in tokens
    ]
    cues = [i for i, t in enumerate(tokens) if word_key(t) in negation_cues("es")]
    for i, (token, mark) in enumerate(zip(tokens, marked, strict=True)):
        if mark != token:
            assert any(i - scope <= c < i for c in cues)


def test_stop_words() -> None:
    text = "No me gusta el lunes de la semana"
    assert TweetTokenizer(stop_words="language")(text) == [
        "No",
        "gusta",
        "lunes",
        "semana",
    ]
    both = TweetTokenizer(stop_words="language", stop_negators=True)
    assert both(text) == ["gusta", "lunes", "semana"]
    assert clone(both).set_params(negation=True)(text)[:2] == ["No", "NOT_gusta"]
    assert TweetTokenizer(stop_words=["gusta"])("me gusta") == ["me"]
    assert TweetTokenizer(stop_words={"no"}, negation=True)("no va") == ["no", "NOT_va"]


@pytest.mark.parametrize("language", ["es", "en"])
def test_word_lists(language: str) -> None:
    content, cues = stop_words(language), negation_cues(language)
    assert not content & cues
    assert stop_words(language, negators=True) == content | cues
    assert 80 < len(content) < 300
    assert all(word == word.lower().strip() for word in content | cues)
    with pytest.raises(UnknownNameError, match="language 'fi'"):
        stop_words("fi")
    with pytest.raises(UnknownNameError, match="no negation cues"):
        negation_cues("fi")


def test_lemmas_and_stems() -> None:
    lemma = TweetTokenizer(lemmatizer="simplemma", lowercase=True)
    assert lemma("Los niños fuimos #perros @niños 😂") == [
        *("el", "niño", "ir", "#perros", "@niños", "😂")
    ]
    assert lemma("en Europa") == ["en", "europa"]
    with_aux = clone(lemma).set_params(stop_words="language")
    assert with_aux("hemos hacemos perros") == ["perro"]
    stem = TweetTokenizer(stem=True, negation=True)
    assert stem("no gustando #gustando") == ["no", "NOT_gust", "#gustando"]
    assert TweetTokenizer(stem=True, language="en")("running") == ["run"]
    long = 1000 * "as"
    assert clone(lemma).set_params(stem=True)(long) == [long]
    with pytest.raises(UnknownNameError, match="simplemma has no lemmas"):
        TweetTokenizer(lemmatizer="simplemma", language="ja")("a")
    with pytest.raises(UnknownNameError, match="no stemmer for the language 'ja'"):
        TweetTokenizer(stem=True, language="ja")("a")


def test_dropping_and_collapsing() -> None:
    text = "#ya 2 veces , :) (eh) @user @user url url"
    tokenizer = TweetTokenizer(
        keep_hashtags=False,
        keep_numbers=False,
        keep_punctuation=False,
        collapse=["@user"],
    )
    assert tokenizer(text) == ["veces", "eh", "@user", "url", "url"]


def test_replacement_tokens_stay_whole() -> None:
    normalizer = TweetNormalizer(urls="(URL)", numbers="#n#", emoji="mask")
    tokenizer = TweetTokenizer(normalizer=normalizer, lowercase=True)
    assert tokenizer("YA 😂 5 https://t.co/x") == ["ya", "<emoji>", "#n#", "(URL)"]


class Upper:
    """A transformer of someone else."""

    def transform(self, texts: list[str]) -> list[str]:
        return [text.upper() for text in texts]


def test_normalizer_kinds() -> None:
    assert TweetTokenizer(normalizer="twilbert")("RT @pepe ya") == ["user", "ya"]
    assert TweetTokenizer(normalizer=Upper())("ya") == ["YA"]
    with pytest.raises(UnknownNameError, match="Did you mean 'twilbert'"):
        TweetTokenizer(normalizer="twilbet")("ya")


def test_in_a_vectorizer_and_a_grid() -> None:
    texts = ["no me gusta", "me gusta mucho", "no va nada bien", "va muy bien"] * 3
    y = [0, 1, 0, 1] * 3
    pipeline = make_pipeline(
        TfidfVectorizer(tokenizer=TweetTokenizer(), token_pattern=None),
        LogisticRegression(),
    )
    grid = {
        "tfidfvectorizer__tokenizer__negation": [False, True],
        "tfidfvectorizer__tokenizer__normalizer": [None, TweetNormalizer(urls="url")],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(texts, y)
    assert len(search.cv_results_["params"]) == 4
    marked = clone(pipeline).set_params(tfidfvectorizer__tokenizer__negation=True)
    names = marked.fit(texts, y)[0].get_feature_names_out()
    assert "NOT_gusta" in names
    loaded = pickle.loads(pickle.dumps(marked))
    assert loaded.predict(texts).tolist() == marked.predict(texts).tolist()


def test_estimator() -> None:
    tokenizer = TweetTokenizer(negation=True, stop_words=["x"])
    assert repr(clone(tokenizer)) == "TweetTokenizer(negation=True, stop_words=['x'])"
    assert len(tokenizer.get_params(deep=False)) <= 20
    assert tokenizer.fit_transform(["a x", "b"]) == [["a"], ["b"]]
    # No state is kept: a changed option, or a changed list, shows at once.
    tokenizer.stop_words.append("a")
    assert tokenizer("a b") == ["b"]
    assert set(vars(tokenizer)) == set(tokenizer.get_params(deep=False))
    with pytest.raises(DataError, match=r"texts\[0\] is int"):
        tokenizer.transform([1])
    with pytest.raises(DataError, match="to be a str"):
        tokenizer(["a"])
    with pytest.raises(ValueError, match="'scheme' parameter"):
        TweetTokenizer(scheme="words")("a")
    with pytest.raises(ValueError, match="'stop_words' parameter"):
        TweetTokenizer(stop_words="english").fit(["a"])
