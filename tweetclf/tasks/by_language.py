"""One table of scores by language, with averages by how many tweets there are of each.

As Tables 1, 3, 6 and 7 of TwHIN-BERT (Zhang et al., KDD 2023) are laid out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType

from tweetclf.exceptions import DataError
from tweetclf.tasks.published import PublishedResult, canonical_system

__all__ = [
    "TWHIN_RESOURCES",
    "LanguageTable",
    "fullest_rows",
    "language_table",
    "languages_in_order",
    "present_groups",
]

# The paper heads four columns each with these words; which they are follows from the
# order of its columns.
TWHIN_RESOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "high": ("en", "ja", "es", "ar"),
        "mid": ("el", "ur", "tl", "nl"),
        "low": ("no", "te", "da", "ps"),
    }
)
"""Languages of Tables 1 and 3 of TwHIN-BERT, by their resources on Twitter."""


@dataclass(frozen=True)
class LanguageTable:
    """Scores of systems on languages.

    Parameters
    ----------
    dataset, metric : str
        What was scored, and how.
    languages : tuple of str
        Columns, those of the groups first.
    groups : mapping of str to tuple of str
        Name -> languages of it.
    scores : dict of str to dict of str to float
        System -> language -> score, as 0 to 1.
    printed : dict of str to float
        System -> mean over all languages that its source prints; not always the mean
        of its own numbers.
    """

    dataset: str
    metric: str
    languages: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    scores: dict[str, dict[str, float]]
    printed: dict[str, float]

    def average(self, system: str, group: str | None = None) -> float:
        """Return the mean of a system over a group, or over all languages.

        NaN unless the system has a score for each of them: means over different
        languages do not compare.

        Parameters
        ----------
        system : str
            One of `scores`.
        group : str, optional
            One of `groups`; all languages by default.
        """
        wanted = self.languages if group is None else self.groups[group]
        own = self.scores[system]
        if not wanted or any(language not in own for language in wanted):
            return math.nan
        return fmean(own[language] for language in wanted)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table as texts, its header first: averages, then languages."""
        header = ("system", *self.groups, "all", "as printed", *self.languages)
        lines = [header]
        for system, own in self.scores.items():
            averages = [self.average(system, group) for group in (*self.groups, None)]
            cells = [*averages, self.printed.get(system, math.nan)]
            cells += [own.get(language, math.nan) for language in self.languages]
            texts = ("" if math.isnan(cell) else f"{cell:.4f}" for cell in cells)
            lines.append((system, *texts))
        return lines


def present_groups(
    groups: Mapping[str, Sequence[str]], languages: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return the languages of each group that are there, each of them once.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Name -> languages of it; groups may overlap.
    languages : iterable of str
        What is there; groups of none of them are left out.

    Raises
    ------
    DataError
        If a group is called as one of the languages, or "all": its average would be
        taken for something else.

    Examples
    --------
    >>> from tweetclf.tasks.by_language import present_groups
    >>> present_groups({"big": ["en", "ja", "en"], "rest": ["da"]}, ["en", "es"])
    {'big': ('en',)}
    """
    there = set(languages)
    for name in groups:
        if name in there or name == "all":
            raise DataError(
                f"a group cannot be called {name!r}, which is a column of its own. "
                "Call the group otherwise."
            )
    return {
        name: found
        for name, wanted in groups.items()
        if (found := tuple(one for one in dict.fromkeys(wanted) if one in there))
    }


def languages_in_order(
    groups: Mapping[str, Sequence[str]], languages: Iterable[str]
) -> tuple[str, ...]:
    """Return languages, those of the groups first, each of them once.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Name -> languages of it.
    languages : iterable of str
        The others, in this order.
    """
    first = (one for found in groups.values() for one in found)
    return tuple(dict.fromkeys([*first, *languages]))


def fullest_rows(
    results: Iterable[PublishedResult], dataset: str
) -> list[PublishedResult]:
    """Return the rows of a dataset, a system's from the table that says most.

    Sources print excerpts of their own tables, not always with the same numbers; of
    TwHIN-BERT, Tables 1 and 3 are excerpts of 6 and 7, but for BERTweet.

    Parameters
    ----------
    results : iterable of PublishedResult
        Published rows, and one's own among them.
    dataset : str
        As the rows name it.

    Examples
    --------
    >>> from tweetclf.tasks import read_published
    >>> from tweetclf.tasks.by_language import fullest_rows
    >>> rows = fullest_rows(read_published(), "TwHIN engagement prediction")
    >>> sorted({(r.system, r.table) for r in rows if r.system in ("mBERT", "BERTweet")})
    [('BERTweet', 'Table 1'), ('mBERT', 'Table 6')]
    """
    tables: dict[tuple[str, str], dict[str, list[PublishedResult]]] = {}
    for row in results:
        if row.dataset == dataset:
            own = tables.setdefault((row.cite, row.system), {})
            own.setdefault(row.table, []).append(row)
    return [row for own in tables.values() for row in max(own.values(), key=len)]


def language_table(
    results: Iterable[PublishedResult],
    dataset: str,
    *,
    table: str | None = None,
    groups: Mapping[str, Sequence[str]] = TWHIN_RESOURCES,
) -> LanguageTable:
    """Lay out the scores of a dataset by language.

    Parameters
    ----------
    results : iterable of PublishedResult
        Published rows (`read_published`), and one's own among them.
    dataset : str
        As the rows name it.
    table : str, optional
        Only rows of this table of its source; rows without a table, which are one's
        own, are always taken.
    groups : mapping of str to sequence of str, default=TWHIN_RESOURCES
        Languages to average over; those that no row has are left out.

    Returns
    -------
    LanguageTable
        Systems in the order of the rows, by their common names.

    Raises
    ------
    DataError
        If there is no such row, rows are of several metrics, or two rows give a system
        different scores for a language.

    Examples
    --------
    >>> from tweetclf.tasks import read_published
    >>> from tweetclf.tasks.by_language import language_table
    >>> found = language_table(
    ...     read_published(), "TwHIN engagement prediction", table="Table 6")
    >>> len(found.languages), round(found.average("TwHIN-BERT-Large"), 4)
    (50, 0.1497)
    """
    rows = [
        row
        for row in results
        if row.dataset == dataset and (not table or row.table in ("", table))
    ]
    if not rows:
        raise DataError(
            f"language_table: there is no row of {dataset!r}"
            f"{f' in {table}' if table else ''}. See 'tweetclf published'."
        )
    metrics = sorted({row.metric for row in rows})
    if len(metrics) > 1:
        raise DataError(
            f"language_table: rows of {dataset!r} are of several metrics: "
            f"{', '.join(metrics)}. Choose a table."
        )
    scores: dict[str, dict[str, float]] = {}
    printed: dict[str, float] = {}
    for row in rows:
        system = canonical_system(row.system, row.cite)
        own = scores.setdefault(system, {})
        if row.language.startswith("all"):
            printed[system] = row.score
        elif own.setdefault(row.language, row.score) != row.score:
            raise DataError(
                f"language_table: {system} has two scores for {row.language}: "
                f"{own[row.language]} and {row.score} ({row.table}). Choose a table."
            )
    there = {language for own in scores.values() for language in own}
    kept = present_groups(groups, there)
    return LanguageTable(
        dataset,
        metrics[0],
        languages_in_order(kept, sorted(there)),
        kept,
        scores,
        printed,
    )
