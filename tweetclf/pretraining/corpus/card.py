"""The card of a corpus: what is in it, and what each step has left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf._version import __version__
from tweetclf.pretraining.corpus._filters import STEPS
from tweetclf.pretraining.corpus.near_stream import choose_bands

if TYPE_CHECKING:
    from tweetclf.pretraining.corpus._stages import Stages

__all__ = ["card_markdown", "make_card"]

_LATER = {
    "duplicates": "documents equal to one before",
    "near_duplicates": "documents nearly equal to one that was kept before",
    "author_cap": "documents beyond what one author may have",
}


def make_card(
    stages: Stages,
    reports: list[dict[str, Any]],
    hashes: list[str],
    later: list[tuple[str, int]],
    splits: dict[str, dict[str, Any]],
    languages: dict[str, int],
    weights: dict[str, float],
) -> dict[str, Any]:
    """Return the card of a corpus, in JSON's types.

    Parameters
    ----------
    stages : Stages
        How it was made.
    reports : list of dict
        Of `Stages.read`.
    hashes : list of str
        sha256 of each source.
    later : list of (str, int)
        Steps after that, and documents that each has dropped.
    splits : dict of str to dict
        What was written.
    languages : dict of str to int
        Documents of each language, as written.
    weights : dict of str to float
        Weights of the languages, where they were resampled.

    Returns
    -------
    dict
        With "plan", "sources", "steps" (each with what is left after it), "splits",
        "languages", "contamination" and, where they play a part, "near_duplicates"
        and "language_weights".
    """
    plan = stages.plan
    n_rows = {k: n for report in reports for k, n in report["n_rows"].items()}
    bad = {k: entry for report in reports for k, entry in report["bad"].items()}
    card: dict[str, Any] = {
        "format": 1,
        "tweetclf": __version__,
        "plan": plan.to_dict(),
        "sources": [
            {
                "path": located.source.path,
                "sha256": digest,
                "rows": n_rows[str(k)],
                "bad_rows": bad[str(k)]["n"],
                "bad_examples": bad[str(k)]["examples"],
            }
            for k, (located, digest) in enumerate(
                zip(stages.sources, hashes, strict=True)
            )
        ],
        "steps": _steps(reports, bad, later),
        "splits": splits,
        "languages": languages,
        "contamination": _contamination(stages, reports),
    }
    if plan.near_threshold is not None:
        bands = choose_bands(plan.near_threshold)
        card["near_duplicates"] = {
            "bands": bands.bands,
            "rows": bands.rows,
            "recall_at_threshold": round(bands.recall, 4),
            "recall_at_twice_the_threshold": round(bands.recall_at_double, 4),
        }
    if weights:
        card["language_weights"] = weights
    return card


def _steps(
    reports: list[dict[str, Any]], bad: dict[str, Any], later: list[tuple[str, int]]
) -> list[dict[str, Any]]:
    counts = dict.fromkeys(STEPS, 0)
    counts["bad"] = sum(entry["n"] for entry in bad.values())
    for report in reports:
        for step, n in report["dropped"].items():
            counts[step] += n
    steps = [
        {"step": step, "what": what, "dropped": counts[step]}
        for step, what in STEPS.items()
    ]
    left = sum(report["n_documents"] for report in reports)
    for step, n in later:
        left -= n
        steps.append({"step": step, "what": _LATER[step], "dropped": n, "left": left})
    return steps


def _contamination(stages: Stages, reports: list[dict[str, Any]]) -> dict[str, Any]:
    told = {"n": stages.plan.contamination_n, "tasks": stages.tasks}
    if not stages.tasks:
        return {**told, "test_sets": {}}
    found = np.zeros(sum(stages.protected.sizes.values()), dtype=bool)
    for report in reports:
        found[report["test_rows_found"]] = True
    by_split = stages.protected.by_split(found)
    return {
        **told,
        "test_sets": {
            name: {"rows": size, "found": by_split[name]}
            for name, size in stages.protected.sizes.items()
        },
    }


def card_markdown(card: dict[str, Any]) -> str:
    """Return a card for people.

    Parameters
    ----------
    card : dict
        Of `make_card`.
    """
    plan = card["plan"]
    lines = ["# Corpus", ""]
    total = sum(split["documents"] for split in card["splits"].values())
    lines += [
        f"{total:,} {plan['documents']}, made by tweetclf {card['tweetclf']}.",
        "",
    ]
    lines += ["## Sources", ""]
    lines += _table(
        ("source", "rows", "bad rows", "sha256"),
        [
            (s["path"], f"{s['rows']:,}", f"{s['bad_rows']:,}", s["sha256"])
            for s in card["sources"]
        ],
    )
    for source in card["sources"]:
        for example in source["bad_examples"]:
            lines.append(f"- {_cell(source['path'])}: {_cell(example)}")
    lines += ["", "## What was left out", ""]
    lines += _table(
        ("step", "dropped", "documents left"),
        [
            (s["what"], f"{s['dropped']:,}", f"{s['left']:,}" if "left" in s else "")
            for s in card["steps"]
        ],
    )
    lines += ["", "## Splits", ""]
    lines += _table(
        ("split", "documents", "characters", "sha256"),
        [
            (name, f"{s['documents']:,}", f"{s['characters']:,}", s["sha256"])
            for name, s in card["splits"].items()
        ],
    )
    lines += ["", "## Languages", ""]
    lines += _table(
        ("language", "documents"),
        [(tag, f"{n:,}") for tag, n in card["languages"].items()],
    )
    lines += ["", "## Test sets", "", *_test_sets(card["contamination"])]
    lines += ["", "## Plan", ""]
    settings = {k: v for k, v in plan.items() if k != "sources"}
    lines += _table(("option", "value"), [(k, str(v)) for k, v in settings.items()])
    return "\n".join(lines) + "\n"


def _test_sets(contamination: dict[str, Any]) -> list[str]:
    sets = contamination["test_sets"]
    if not sets:
        return ["None was compared with."]
    found = [
        (name, f"{s['found']:,}", f"{s['rows']:,}")
        for name, s in sets.items()
        if s["found"]
    ]
    said = (
        f"{len(sets)} were looked for by n-grams of {contamination['n']} characters; "
        "documents that share one were dropped."
    )
    if not found:
        return [f"{said} None was found."]
    return [said, "", *_table(("test set", "rows in the sources", "of"), found)]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def _cell(text: str) -> str:
    """Return a text that ends neither a cell nor a line, and is no markup."""
    plain = " ".join(str(text).split())
    for sign in "\\`*_[]<>|":
        plain = plain.replace(sign, "\\" + sign)
    return plain
