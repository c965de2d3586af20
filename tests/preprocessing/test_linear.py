"""No text makes a profile slow: the time doubles with the length, up to 1 MB."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from nasty_texts import UNITS

from tweetclf.preprocessing import TweetNormalizer, get_profile, list_profiles

ALL_OPTIONS = {
    "urls": "url",
    "emails": "email",
    "handles": "user",
    "hashtags": "split",
    "numbers": "number",
    "emoji": "text",
    "max_run": 2,
    "run_scope": "symbols",
    "max_word_run": 1,
    "laughter": "jaja",
    "lowercase": True,
    "accents": "strip",
    "newlines": "<nl>",
    "whitespace": True,
}
REMOVE = dict.fromkeys(("urls", "emails", "handles", "numbers", "laughter"), "")
PROFILES: dict[str, Callable[[str], object]] = {
    **{name: get_profile(name).make_normalizer() for name in list_profiles()},
    **{f"{n} tokens": get_profile(n).make_tokenizer() for n in list_profiles()},
}
CASES: dict[str, Callable[[str], object]] = {
    **PROFILES,
    "all options": TweetNormalizer(**ALL_OPTIONS),
    "masks": TweetNormalizer(**REMOVE, hashtags="mask", emoji="mask", language="ja"),
}
# Profiles that share their normaliser with another are measured once.
QUICK = [
    *("raw", "atalaya-basic", "ulmfit", "twilbert", "twilbert-reference"),
    *("raw tokens", "atalaya-sentiment tokens", "haha-nbsvm tokens"),
    *("all options", "masks"),
]


def seconds(function: Callable[[str], object], unit: str, length: int) -> float:
    # The last character makes a pattern that runs to the end fail there.
    text = (unit * (length // len(unit) + 1))[:length] + "\x01"
    start = time.process_time()
    function(text)
    return time.process_time() - start


def is_linear(
    function: Callable[[str], object], unit: str, short: int, long: int
) -> bool:
    """Tell whether the time grows as the length does.

    Where linear time grows by a factor f, quadratic time grows by f squared; the line
    is drawn halfway between, a factor of sqrt(f) away from both, so that a busy
    machine cannot move one across it. Small times need no second look.
    """
    limit = (long / short) ** 1.5
    for _ in range(3):
        before = seconds(function, unit, short)
        # What takes so long for a short text is not tried on a long one.
        if before < 5:
            after = seconds(function, unit, long)
            if after < 0.05 or after < limit * max(before, 1e-4):
                return True
    return False


@pytest.mark.parametrize("case", QUICK)
def test_time_is_linear(case: str) -> None:
    # At this length a quadratic pattern takes seconds where a linear one takes
    # milliseconds, so that it cannot hide among the small times.
    slow = [u for u in UNITS if not is_linear(CASES[case], u, 1 << 10, 1 << 14)]
    assert not slow


@pytest.mark.parametrize("case", [case for case in QUICK if case in PROFILES])
def test_a_megabyte_of_everything(case: str) -> None:
    text = "".join(unit * (10_000 // len(unit) + 1) for unit in UNITS)
    start = time.process_time()
    CASES[case](text + text[: (1 << 20) - len(text)])
    assert time.process_time() - start < 20


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", QUICK)
def test_time_is_linear_to_a_megabyte(case: str) -> None:
    slow = [u for u in UNITS if not is_linear(CASES[case], u, 1 << 16, 1 << 20)]
    assert not slow


def test_the_test_can_fail() -> None:
    import re

    quadratic = re.compile(r"\w+@").search
    assert not is_linear(quadratic, "a", 1 << 9, 1 << 13)
    assert is_linear(re.compile(r"\w++@").match, "a", 1 << 9, 1 << 13)
