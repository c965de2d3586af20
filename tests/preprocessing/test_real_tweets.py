"""On real Spanish, English, Arabic and Japanese tweets."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from tweetclf.preprocessing import TweetNormalizer, get_profile, list_profiles

pytestmark = pytest.mark.data
FILES = (
    "haha/train.jsonl.gz",
    "tweeteval/irony/train.jsonl.gz",
    "semeval2018_task1_ar",
    "wrime",
)


@pytest.fixture(scope="module")
def texts(shared_data: Path) -> list[str]:
    """A thousand texts of each source that is there."""
    found: list[str] = []
    for name in FILES:
        path = shared_data / name
        files = sorted(path.rglob("*.jsonl.gz")) if path.is_dir() else [path]
        for file in files[:1]:
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                rows = [
                    json.loads(line)
                    for _, line in zip(range(1000), lines, strict=False)
                ]
            found += [v for row in rows for v in row.values() if isinstance(v, str)]
    if not found:
        pytest.skip("none of the datasets is there")
    return found


@pytest.mark.parametrize("name", list_profiles())
def test_profiles_on_real_tweets(name: str, texts: list[str]) -> None:
    profile = get_profile(name)
    normalizer = profile.make_normalizer()
    once = normalizer.transform(texts)
    if profile.idempotent:
        assert normalizer.transform(once) == once
    tokens = profile.make_tokenizer().transform(texts)
    assert sum(map(len, tokens)) > len(texts)


def test_masking_leaves_no_address(texts: list[str]) -> None:
    masked = TweetNormalizer(urls="", handles="", emails="").transform(texts)
    assert not [text for text in masked if re.search(r"(?<!\S)@[A-Za-z0-9]", text)]
    assert not [text for text in masked if "http://" in text or "https://" in text]
