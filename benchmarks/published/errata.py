"""What is known to be wrong or special about single published numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["note_on"]

Item = Mapping[str, Any]


def _is(**wanted: Any) -> Callable[[Item], bool]:
    return lambda item: all(item[key] == value for key, value in wanted.items())


_TWILBERT = "gonzalez-2021-twilbert"
_TWHIN = "zhang-2023-twhin-bert"
_ROUNDING = (
    "macro-F1 is above the mean of macro-precision and macro-recall, by about the "
    "size of rounding"
)

_RULES: list[tuple[Callable[[Item], bool], str]] = [
    (_is(cite=_TWILBERT, table="Table 5", system="TW-Base"), _ROUNDING),
    (_is(cite=_TWILBERT, table="Table 10", system="Best [29]"), _ROUNDING),
    (
        _is(cite=_TWILBERT, table="Table 9", system="TW-Base"),
        "the columns macro-F1 and accuracy look swapped, but the text repeats 75.30",
    ),
    (
        _is(cite=_TWILBERT, table="Table 8"),
        "the paper defines the Jaccard index over sets; the released code scores raw "
        "probabilities (a soft Jaccard)",
    ),
    (
        _is(cite=_TWILBERT, table="Table 15"),
        "mean of 14 entries in which MSDTC counts twice (sgl and mpl)",
    ),
    (
        _is(cite=_TWILBERT, table="Table 15", value=52.68),
        "52.69 when computed from Tables 2 to 14",
    ),
    (
        _is(cite=_TWHIN, table="Table 6", language="tr", system="TwHIN-BERT-Large"),
        "repeats the value of Urdu, Base-MLM; suspicious, cannot be checked",
    ),
    (
        _is(
            cite=_TWHIN,
            table="Table 6",
            language="all (50-language mean)",
            system="XLM-T",
        ),
        "0.1042 when computed from the 50 languages",
    ),
    (
        _is(cite=_TWHIN, table="Table 7", language="te", system="TwHIN-BERT-Base-MLM"),
        "51.13 in Table 3 of the same paper",
    ),
    (
        lambda item: item["source"].endswith("(LaTeX source)"),
        "read from the LaTeX source of the paper",
    ),
    (
        lambda item: "5-fold mean" in item["metric"],
        "best epoch on the same fold, so optimistic",
    ),
    (
        _is(cite="perez-luque-2019-atalaya", system="SVM0 (5-way)"),
        "the paper says SVM; the notebook of the submission uses logistic regression",
    ),
    (
        _is(
            cite="perez-luque-2019-atalaya",
            system="SVM0",
            table="Table 2",
            split="test",
            metric="F1 (avg)",
        ),
        "0.72988 when the authors scored the submission again",
    ),
    (
        lambda item: "100-trial sweep" in item["metric"],
        "best of 100 trials; dev or test is not said",
    ),
]


def note_on(item: Item) -> str:
    """Return what one should know about a number before comparing; may be empty."""
    notes = [item["caveat"]] if item.get("caveat") else []
    notes += [note for applies, note in _RULES if applies(item)]
    return "; ".join(notes)
