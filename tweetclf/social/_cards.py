"""Data cards of the sets that are built, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["engagement_card", "hashtag_card", "markdown_table"]


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown, thousands set apart in numbers."""
    names = list(header)

    def cell(value: Any) -> str:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        return text.replace("|", "\\|")

    lines = [names, ["---"] * len(names), *([cell(v) for v in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _settings(settings: Mapping[str, Any]) -> str:
    return "\n".join(f"- `{name}`: {value}" for name, value in settings.items())


def hashtag_card(card: Mapping[str, Any]) -> str:
    """Return the card of sets for hashtag prediction."""
    splits = list(card["settings"]["sizes"])
    checked = any(one["contaminated"] for one in card["sets"])
    header = ["language", *splits, "hashtags", "tweets with hashtags"]
    header += ["several candidates", "nothing else", "without training text"]
    header += ["in the corpus"] if checked else []
    rows = [
        [
            one["language"],
            *(one["n_rows"][name] for name in splits),
            len(one["hashtags"]),
            one["n_tweets"],
            one["n_several"],
            one["n_empty"],
            one["n_untrained"],
            *([sum(one["contaminated"].values())] if checked else []),
        ]
        for one in card["sets"]
    ]
    left = "".join(
        f"\nLeft out, with too few texts: {code} ({n:,})."
        for code, n in card["left_out"].items()
    )
    return f"""# Hashtag prediction

Which of the most frequent hashtags of its language a tweet held: exactly one of them,
which was removed from the text. Other hashtags stay. Classes keep their natural
frequencies. Equal texts are one, and no text is in two splits.

{markdown_table(header, rows)}
{left}
Texts that share 50 characters in a row with the pre-training corpus: \
{"counted above" if checked else "not looked for"}.

Made by tweetclf {card["tweetclf"]} after Zhang et al., TwHIN-BERT, KDD 2023, section
3.3, with:

{_settings(card["settings"])}

Tweets belong to their authors; whether a set may be passed on depends on the terms
under which the tweets were obtained.
"""


def engagement_card(card: Mapping[str, Any]) -> str:
    """Return the card of a set for engagement prediction."""
    rows = [
        [one["language"], one["n_posts"], one["n_records"], *one["posts"].values()]
        for one in card["languages"]
    ]
    splits = list(card["settings"]["fractions"])
    header = ["language", "posts", "engagements"]
    header += [f"posts of {name}" for name in splits]
    counts = ", ".join(f"{name} {n:,}" for name, n in card["n_records"].items())
    return f"""# Engagement prediction

Which user engaged with which post. Posts were cut into {", ".join(splits)}, and
engagements follow their posts: {counts}. Users are pseudonyms: a keyed hash of their
ids, whose key is not in this folder. There are {card["n_users"]:,} of them.

{markdown_table(header, rows)}

Posts without an engagement: {card["n_without_engagement"]:,}; engagements with a post
that has no text here: {card["n_without_text"]:,}; both are left out.

Vectors of users must not be learnt from engagements of the test posts.

Made by tweetclf {card["tweetclf"]} after Zhang et al., TwHIN-BERT, KDD 2023, section
3.2, with:

{_settings(card["settings"])}

Who engages with what says much about a person. A pseudonym is no anonymity: whoever
has the network's own data can find users by the posts they engaged with.
"""
