from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from hypothesis import given, settings
from nasty_texts import tweets
from sklearn.base import clone

from tweetclf.exceptions import TweetclfWarning, UnknownNameError
from tweetclf.preprocessing import (
    TweetNormalizer,
    TweetTokenizer,
    TwilbertNormalizer,
    ULMFiTNormalizer,
    get_profile,
    list_profiles,
    profile_changes,
)

# By the rules of the released code; the docstrings of their normalisers say why.
NOT_IDEMPOTENT = {"ulmfit", "twilbert-reference"}
NORMALIZERS = {name: get_profile(name).make_normalizer() for name in list_profiles()}


def test_names() -> None:
    assert list_profiles() == [
        *("raw", "atalaya-basic", "atalaya-sentiment", "atalaya-sentiment-vectors"),
        *("atalaya-sentiment-corpus", "atalaya-neural", "haha-nbsvm", "ulmfit"),
        *("twilbert", "twilbert-reference"),
    ]


@pytest.mark.parametrize("name", list_profiles())
def test_profile_is_complete(name: str) -> None:
    profile = get_profile(name)
    assert profile.id == f"{name}@1"
    assert get_profile(profile.id) is profile
    assert profile.description
    assert profile.source
    assert profile.idempotent == (name not in NOT_IDEMPOTENT)
    for language in ("es", "en"):
        tokenizer = profile.make_tokenizer(language=language)
        assert tokenizer.profile == tokenizer.normalizer.profile == profile.id
        assert tokenizer.fit_transform(["hola @pepe", ""])[1] == []
        assert profile_changes(tokenizer) == profile_changes(tokenizer.normalizer) == {}
        assert clone(tokenizer).get_params(deep=False).keys() == vars(tokenizer).keys()
        assert pickle.loads(pickle.dumps(tokenizer))("Hola") == tokenizer("Hola")
    with pytest.raises(TypeError):
        profile.tokenizer["stem"] = True  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(set(list_profiles()) - NOT_IDEMPOTENT))
@settings(max_examples=150)
@given(text=tweets)
def test_idempotent(name: str, text: str) -> None:
    once = NORMALIZERS[name].normalize(text)
    assert NORMALIZERS[name].normalize(once) == once


@pytest.mark.parametrize("name", sorted(NOT_IDEMPOTENT))
def test_exceptions_are_real(name: str) -> None:
    once = NORMALIZERS[name].normalize("AMP; &amp;lt;")
    assert NORMALIZERS[name].normalize(once) != once


TEXT = (
    "@Pepe @ana NO me gustan nada, los perrossss!!!!! 2 veces "
    "https://t.co/a https://t.co/b :) #NoTeRindas 😂 a@b.com"
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "atalaya-basic",
            "@user @user NO me gustan nada , los perrosss ! ! ! 2 veces url url :) "
            "#NoTeRindas 😂 email",
        ),
        (
            "atalaya-sentiment",
            "@user no NOT_gustar nada perrosss vez url #noterindas 😂 email",
        ),
        (
            "atalaya-sentiment-vectors",
            "@user gustan perrosss veces url #noterindas 😂 email",
        ),
        (
            "atalaya-sentiment-corpus",
            "@user no NOT_gustan nada perrosss veces url #noterindas 😂 email",
        ),
        (
            "atalaya-neural",
            "@user @user no me gustan nada , los perrosss ! ! ! 2 veces :) "
            "#noterindas 😂 a@b.com",
        ),
        (
            "haha-nbsvm",
            "@ Pepe @ ana NO me gustan nada , los perrossss ! ! ! ! ! 2 veces https : "
            "/ / t . co / a https : / / t . co / b : ) # NoTeRindas 😂 a @ b . com",
        ),
        (
            "twilbert",
            "user user NO me gustan nada, los perrossss!!!!! 2 veces url url :) "
            "#NoTeRindas 😂 a@b.com",
        ),
        ("raw", None),
    ],
)
def test_tokens_by_hand(name: str, expected: str | None) -> None:
    tokens = get_profile(name).make_tokenizer()(TEXT)
    if expected is None:
        assert "".join(tokens) == "".join(TEXT.split())
    else:
        assert tokens == expected.split()


def test_letters_only() -> None:
    tokenize = get_profile("atalaya-neural").make_tokenizer(letters_only=True)
    words = tokenize(TEXT)
    assert words == ["no", "me", "gustan", "nada", "los", "perrosss", "veces"]
    stems = get_profile("atalaya-neural").make_tokenizer(stem=True)
    assert stems("los PERROS ladran") == ["los", "perr", "ladr"]


def test_english_has_no_negation() -> None:
    tokenize = get_profile("atalaya-sentiment").make_tokenizer(language="en")
    assert tokenize("I don't like cats") == ["like", "cat"]


def test_options_and_changes() -> None:
    profile = get_profile("atalaya-sentiment")
    tokenizer = profile.make_tokenizer(stem=True, normalizer__max_run=2)
    assert tokenizer("holaaaa") == ["hola"]
    assert profile_changes(tokenizer) == {
        "stem": (False, True),
        "normalizer__max_run": (3, 2),
    }
    assert profile_changes(tokenizer.normalizer) == {"max_run": (3, 2)}
    bare = profile.make_tokenizer(normalizer=None)
    assert list(profile_changes(bare)) == ["normalizer"]
    assert profile_changes(tokenizer.set_params(profile=None)) == {}
    with pytest.raises(ValueError, match="Invalid parameter 'stemm'"):
        profile.make_tokenizer(stemm=True)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'twilbert'"):
        get_profile("twilbrt")
    with pytest.raises(UnknownNameError, match="no version '7'"):
        get_profile("raw@7")


def test_importing_loads_little() -> None:
    code = (
        "import sys, tweetclf.preprocessing as p; p.list_profiles(); "
        "print(sorted({'sklearn', 'emoji', 'simplemma', 'treetaggerwrapper', 'numpy'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


MAKERS = [TweetTokenizer, TweetNormalizer, TwilbertNormalizer, ULMFiTNormalizer]


@pytest.mark.parametrize("make", MAKERS)
def test_a_label_of_no_profile_is_refused_where_it_is_used(make: type) -> None:
    wrong = make(profile="twilbrt")
    for use in (wrong, wrong.fit_transform, wrong.transform):
        with pytest.raises(UnknownNameError, match="Did you mean 'twilbert'"):
            use("hola" if use is wrong else ["hola"])
    with pytest.raises(UnknownNameError, match="Unknown profile 'twilbrt'"):
        TweetTokenizer(normalizer=TweetNormalizer(profile="twilbrt"))("hola")


@pytest.mark.parametrize("make", MAKERS)
def test_a_bare_label_beside_other_options_says_how_to_get_them(make: type) -> None:
    kind = "tokenizer" if make is TweetTokenizer else "normalizer"
    said = rf"get_profile\('haha-nbsvm'\).make_{kind}\(\).*'haha-nbsvm@1'"
    with pytest.warns(TweetclfWarning, match=said):
        make(profile="haha-nbsvm").fit(["hola"])


@pytest.mark.parametrize("name", list_profiles())
def test_labels_that_profiles_write_are_no_cause_for_warnings(name: str) -> None:
    # Warnings are errors here.
    profile = get_profile(name)
    for made in (profile.make_tokenizer(lemmatizer=None), profile.make_normalizer()):
        clone(made).fit_transform(["hola"])
        bare = clone(profile.make_normalizer()).set_params(profile=name)
        bare.fit_transform(["hola"])
    for scheme in ("tweet", "whitespace", "punctuation"):
        profile.make_tokenizer(lemmatizer=None, scheme=scheme)("hola")
    assert TweetTokenizer(normalizer="raw", profile="raw")("hola") == ["hola"]


def test_a_label_of_another_release_is_kept() -> None:
    for label in ("raw@7", "nonsense@1"):
        with pytest.warns(TweetclfWarning, match="not known here"):
            assert TweetTokenizer(profile=label, lowercase=True)("Hola") == ["hola"]
