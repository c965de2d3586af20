"""The report of an audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tweetclf.reports.formatting import format_count, format_p, plural, shorten
from tweetclf.reports.model import (
    Block,
    Cell,
    Column,
    Note,
    Paragraph,
    Report,
    Row,
    Section,
    Table,
    spans,
)
from tweetclf.tasks.duplicates import LEVELS
from tweetclf.tasks.faults import KINDS, locate
from tweetclf.tasks.findings import Audit, Duplicates, Place

__all__ = ["make_audit_report"]

_WIDTH = 72
_BEFORE = 24
# Rows of a table of candidates; all of them are in the JSON of the audit.
_SHOWN = 20

_Spec = tuple[str, str, str]
_COUNT = "count"
_TEXT = ""


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"


def _line(texts: Iterable[str]) -> str:
    """Return a text on one line of a table."""
    joined = " | ".join(" ".join(text.split()) for text in texts)
    return shorten(joined, _WIDTH) if joined else "(empty)"


def _from_fault(kind: str, texts: Iterable[str]) -> Iterator[str]:
    """Cut what stands before a fault, so that a line shows it."""
    for text in texts:
        at = locate(kind, text)
        if at is not None:
            early = at <= _BEFORE
            yield text if early else "\N{HORIZONTAL ELLIPSIS}" + text[at - _BEFORE :]
            return


def _where(place: Place) -> str:
    return f"{place.split} {place.row}"


def _cell(value: object, kind: str) -> Cell:
    if isinstance(value, float):
        text = f"{value:.3f}" if kind != "p" else format_p(value)
        return Cell(value, text)
    if isinstance(value, int):
        return Cell(value, format_count(value))
    text = str(value)
    return Cell(text, text)


def _table(
    key: str, caption: str, specs: Sequence[_Spec], rows: Iterable[Sequence[object]]
) -> Table:
    columns = tuple(
        Column(name, header, "right" if kind else "left", kind)
        for name, header, kind in specs
    )
    kinds = [kind for _, _, kind in specs]
    made = tuple(
        Row(tuple(_cell(v, k) for v, k in zip(row, kinds, strict=True)), "data")
        for row in rows
    )
    return Table(key, caption, columns, made, header_column=specs[0][0])


def _say(*sentences: str) -> Paragraph:
    return Paragraph(spans(" ".join(sentences)))


# -- sections ---------------------------------------------------------------------


def _what(found: Duplicates) -> str:
    """Say one finding about repeated texts in a sentence."""
    how = {
        "verbatim": "stand verbatim",
        "normalised": "stand, but for case, user names, URLs and punctuation,",
        "near": "stand nearly so",
    }[found.level]
    inside = "earlier in it" if found.split == found.other else f"in {found.other}"
    said = (
        f"{format_count(len(found.rows))} of {plural(found.n_of, 'text')} of "
        f"{found.split} ({_percent(len(found.rows), found.n_of)}) {how} {inside}"
    )
    if found.contradicting:
        n = format_count(len(found.contradicting))
        said += f"; {n} of them have another label there"
    return f"{said}."


def _verdict(audit: Audit) -> Paragraph:
    """Say first what touches scores: what other splits know of dev and test."""
    said = [
        _what(found)
        for found in audit.duplicates
        if found.level == "verbatim" and found.split != found.other
    ]
    if not said and len(audit.sizes) > 1:
        said.append("No text stands verbatim in two splits.")
    for found in audit.contamination:
        if found.rows:
            said.append(
                f"{format_count(len(found.rows))} of {plural(found.n_of, 'text')} of "
                f"{found.split} ({_percent(len(found.rows), found.n_of)}) are in the "
                f"corpus {found.corpus}."
            )
    if not said:
        n_faults = len(audit.faults)
        said.append(
            "There is one split."
            if not n_faults
            else f"There is one split; it has {plural(n_faults, 'kind')} of fault."
        )
    return Paragraph(spans(" ".join(said)), lead=True)


def _repeats(audit: Audit) -> Section:
    if not audit.duplicates:
        return Section("repeats", "Repeated texts", (_say("None were found."),))
    counts = _table(
        "repeats",
        "Rows whose texts stand in another split, or earlier in the same one",
        (
            ("split", "rows of", _TEXT),
            ("other", "repeat", _TEXT),
            ("level", "level", _TEXT),
            ("rows", "rows", _COUNT),
            ("of", "of", _COUNT),
            ("contradicting", "another label", _COUNT),
        ),
        (
            (
                f.split,
                "itself" if f.split == f.other else f.other,
                f.level,
                len(f.rows),
                f.n_of,
                len(f.contradicting),
            )
            for f in audit.duplicates
        ),
    )
    examples = _table(
        "repeat-examples",
        "Examples, those with another label first",
        (
            ("row", "row", _TEXT),
            ("label", "label", _TEXT),
            ("other", "repeats", _TEXT),
            ("other_label", "label", _TEXT),
            ("similarity", "similarity", "score"),
            ("text", "text", _TEXT),
        ),
        _repeat_examples(audit),
    )
    levels = "; ".join(f"{name}: {said}" for name, said in LEVELS.items())
    said = f"Each level includes those before it. {levels} ({audit.threshold:g})."
    return Section("repeats", "Repeated texts", (_say(said), counts, examples))


def _repeat_examples(audit: Audit) -> list[Sequence[object]]:
    """Return the examples; one that an earlier level has shown is not repeated."""
    shown: set[tuple[str, int, str]] = set()
    rows: list[Sequence[object]] = []
    for found in audit.duplicates:
        for match in found.examples:
            key = (match.place.split, match.place.row, match.other.split)
            if key in shown:
                continue
            shown.add(key)
            rows.append(
                (
                    _where(match.place),
                    match.place.label or "",
                    _where(match.other),
                    match.other.label or "",
                    match.similarity,
                    _line(match.place.texts),
                )
            )
    return rows


def _contradictions(audit: Audit) -> Section:
    title = "Equal texts with different labels"
    if not audit.contradictions:
        return Section("contradictions", title, (_say("None were found."),))
    counts = _table(
        "contradictions",
        "Texts with more than one label, in all labelled splits together",
        (
            ("level", "level", _TEXT),
            ("texts", "texts", _COUNT),
            ("rows", "rows", _COUNT),
            ("of", "of", _COUNT),
        ),
        ((f.level, f.n_texts, f.n_rows, f.n_of) for f in audit.contradictions),
    )
    examples = _table(
        "contradiction-examples",
        "Examples, one row a label",
        (("row", "row", _TEXT), ("label", "label", _TEXT), ("text", "text", _TEXT)),
        (
            (_where(p), p.label or "", _line(p.texts))
            for group in audit.contradictions[0].examples
            for p in group
        ),
    )
    return Section("contradictions", title, (counts, examples))


def _overlaps(audit: Audit) -> Section:
    title = "Shared threads, authors and identifiers"
    if not audit.overlaps:
        return Section("overlaps", title, (_say("None were found."),))
    table = _table(
        "overlaps",
        "Rows whose thread or author (cluster), or identifier, stands in another split",
        (
            ("what", "what", _TEXT),
            ("split", "rows of", _TEXT),
            ("other", "shared with", _TEXT),
            ("values", "values", _COUNT),
            ("rows", "rows", _COUNT),
            ("of", "of", _COUNT),
            ("examples", "examples", _TEXT),
        ),
        (
            (
                f.what,
                f.split,
                f.other,
                f.n_values,
                len(f.rows),
                f.n_of,
                shorten(", ".join(f.examples), 40),
            )
            for f in audit.overlaps
        ),
    )
    return Section("overlaps", title, (table,))


def _shifts(audit: Audit) -> Section:
    if not audit.shifts:
        said = "There are no two labelled splits."
        return Section("shifts", "Class shift", (_say(said),))
    table = _table(
        "shifts",
        "How differently the labels of two splits are distributed",
        (
            ("split", "split", _TEXT),
            ("other", "and", _TEXT),
            ("size", "size", "score"),
            ("effect", "which is the", _TEXT),
            ("p", "p", "p"),
            ("test", "test", _TEXT),
        ),
        ((f.split, f.other, f.size, f.effect, f.p_value, f.test) for f in audit.shifts),
    )
    shares = _table(
        "shares",
        "Shares of the labels (of numbers: mean and standard deviation)",
        (
            ("label", "label", _TEXT),
            ("split", "split", _TEXT),
            ("share", "share", "score"),
            ("other", "and", _TEXT),
            ("other_share", "share", "score"),
        ),
        (
            (label, f.split, pair[0], f.other, pair[1])
            for f in audit.shifts
            for label, pair in f.shares.items()
        ),
    )
    return Section("shifts", "Class shift", (table, shares))


def _faults(audit: Audit) -> Section:
    title = "Empty and damaged texts"
    if not audit.faults:
        return Section("faults", title, (_say("None were found."),))
    counts = _table(
        "faults",
        "Rows with a fault",
        (
            ("kind", "fault", _TEXT),
            ("split", "split", _TEXT),
            ("rows", "rows", _COUNT),
            ("of", "of", _COUNT),
            ("means", "meaning", _TEXT),
        ),
        ((f.kind, f.split, len(f.rows), f.n_of, KINDS[f.kind]) for f in audit.faults),
    )
    examples = _table(
        "fault-examples",
        "Examples",
        (("kind", "fault", _TEXT), ("row", "row", _TEXT), ("text", "text", _TEXT)),
        (
            (f.kind, _where(p), _line(_from_fault(f.kind, p.texts)))
            for f in audit.faults
            for p in f.examples[:2]
        ),
    )
    return Section("faults", title, (counts, examples))


def _contamination(audit: Audit) -> Section:
    counts = _table(
        "contamination",
        "Rows that share a long run of characters with a corpus",
        (
            ("corpus", "corpus", _TEXT),
            ("split", "split", _TEXT),
            ("n", "characters", _COUNT),
            ("rows", "rows", _COUNT),
            ("of", "of", _COUNT),
            ("short_rows", "of them shorter", _COUNT),
            ("short", "shorter in all", _COUNT),
            ("texts", "texts of the corpus", _COUNT),
            ("texts_found", "of them shared", _COUNT),
        ),
        (
            (
                f.corpus,
                f.split,
                f.n_gram,
                len(f.rows),
                f.n_of,
                len(f.short_rows),
                f.n_short,
                f.n_corpus,
                f.n_corpus_found,
            )
            for f in audit.contamination
        ),
    )
    examples = _table(
        "contamination-examples",
        "Examples, with the first text of the corpus",
        (("row", "row", _TEXT), ("text", "text", _TEXT), ("found", "corpus", _TEXT)),
        (
            (_where(p), _line(p.texts), _line([text]))
            for f in audit.contamination
            for p, text in f.examples
        ),
    )
    said = (
        "Case and repeated white space are ignored. Texts shorter than an n-gram count "
        "where the whole text is one of the corpus. Texts of the corpus are counted "
        "over all splits."
    )
    return Section(
        "contamination", "Contamination by a corpus", (_say(said), counts, examples)
    )


def _noise(audit: Audit) -> Section:
    noise = audit.label_noise
    assert noise is not None
    said = (
        f"{plural(len(noise.suspects), 'label')} of {format_count(noise.n_of)} are "
        f"not believed by {noise.system}, trained without the row "
        f"({noise.n_folds} folds, confident learning). These are candidates: a hard "
        "text is one as well as a wrong label."
    )
    table = _table(
        "noise",
        "The most doubtful labels",
        (
            ("row", "row", _TEXT),
            ("label", "label", _TEXT),
            ("p", "probability", "score"),
            ("suggested", "suggested", _TEXT),
            ("p_suggested", "probability", "score"),
            ("text", "text", _TEXT),
        ),
        (
            (
                _where(s.place),
                s.place.label or "",
                s.p_given,
                s.suggested,
                s.p_suggested,
                _line(s.place.texts),
            )
            for s in noise.suspects[:_SHOWN]
        ),
    )
    return Section("noise", "Label-noise candidates", (_say(said), table))


def make_audit_report(audit: Audit) -> Report:
    """Turn an audit into a neutral report, for `render` and `write_report`.

    Parameters
    ----------
    audit : Audit
        What was found.

    Returns
    -------
    Report
        Counts and examples; the rows themselves are in ``audit.to_json()``.
    """
    first: list[Block] = [_verdict(audit)]
    if audit.notes:
        items = tuple(spans(note) for note in audit.notes)
        first.append(Note("info", "What was not looked at", items))
    sections = [
        Section("summary", "Summary", tuple(first)),
        _repeats(audit),
        _contradictions(audit),
        _overlaps(audit),
        _shifts(audit),
        _faults(audit),
    ]
    if audit.contamination:
        sections.append(_contamination(audit))
    if audit.label_noise is not None:
        sections.append(_noise(audit))
    sizes = ", ".join(f"{n} {format_count(size)}" for n, size in audit.sizes.items())
    meta = (("task", audit.task), ("version", audit.version), ("rows", sizes))
    title = f"Audit of {audit.task}"
    return Report(title, f"Rows: {sizes}", meta, tuple(sections))
