"""Which rows and documents stay in a corpus; each that does not is counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tweetclf.pretraining.corpus._reading import Row
from tweetclf.pretraining.corpus.plan import CorpusPlan

__all__ = ["STEPS", "Document", "Filters"]

STEPS = {
    "bad": "rows that could not be read",
    "retweets": "retweets",
    "languages": "rows of other languages, or of none",
    "orphans": "replies to tweets that are not in the dump",
    "no_replies": "rows that reply to nothing",
    "empty": "documents without text",
    "bare": "documents of user names and URLs alone",
    "short": "documents of too few words or characters",
    "long": "documents of too many characters",
    "contaminated": "documents that share text with a test set",
}
"""Why a row or a document is left out, in the order in which that is looked at."""

_RETWEET = re.compile(r"\s*RT\s+@\w")
_NAMES = re.compile(
    r"https?:\S*|www\.\S+|@\w+|[\[<@]?\b(?:user|url)\b[\]>]?", re.IGNORECASE
)


class Document(NamedTuple):
    """A text or a pair, and what is known of it."""

    texts: tuple[str, ...]
    id: str | None = None
    author: str | None = None
    language: str | None = None
    conversation: str | None = None


class Filters:
    """The filters of a plan that look at one row or document at a time.

    Parameters
    ----------
    plan : CorpusPlan
        The plan.

    Attributes
    ----------
    counts : Counter
        How many each filter has left out.
    """

    def __init__(self, plan: CorpusPlan) -> None:
        self.counts: Counter[str] = Counter()
        self._plan = plan
        self._languages = {tag.casefold() for tag in plan.languages}
        self._normalise = _normaliser(plan.profile)

    def keeps_row(self, row: Row) -> bool:
        """Tell whether a row may be part of a document."""
        texts = [row.text] if row.reply is None else [row.text, row.reply]
        if not self._plan.keep_retweets and any(map(_RETWEET.match, texts)):
            return self._drop("retweets")
        if self._languages:
            tag = (row.language or "").casefold()
            if not self._languages & {tag, re.split("[-_]", tag)[0]}:
                return self._drop("languages")
        return True

    def documents(self, row: Row) -> Iterator[Document]:
        """Yield the documents that a row holds: by the plan, texts or a pair."""
        texts = (row.text,) if row.reply is None else (row.text, row.reply)
        about = (row.id, row.author, row.language, row.conversation)
        if self._plan.documents == "pairs":
            yield Document(texts, *about)
        else:
            for text in texts:
                yield Document((text,), *about)

    def normalised(self, document: Document) -> Document | None:
        """Return a document as it goes into the corpus; None if it does not."""
        texts = tuple(map(self._normalise, document.texts))
        if (fault := self._fault(texts)) is None:
            return document._replace(texts=texts)
        self.counts[fault] += 1
        return None

    def _fault(self, texts: tuple[str, ...]) -> str | None:
        """Return the step that drops a document; None if none does."""
        plan = self._plan
        lengths = [len(text.strip()) for text in texts]
        if not all(lengths):
            return "empty"
        if plan.drop_bare and not any(_NAMES.sub("", text).split() for text in texts):
            return "bare"
        few = [len(text.split()) < plan.min_words for text in texts]
        if (any if plan.short == "either" else all)(few):
            return "short"
        if min(lengths) < plan.min_characters:
            return "short"
        if plan.max_characters is not None and max(lengths) > plan.max_characters:
            return "long"
        return None

    def _drop(self, step: str) -> bool:
        self.counts[step] += 1
        return False


def _normaliser(profile: str | None) -> Callable[[str], str]:
    if profile is None:
        return str
    from tweetclf.preprocessing import get_profile

    return get_profile(profile).make_normalizer().normalize
