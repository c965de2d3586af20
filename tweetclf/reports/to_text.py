"""The report as plain text, for terminals."""

from __future__ import annotations

from tweetclf.reports.formatting import display_width, make_safe
from tweetclf.reports.model import (
    Block,
    Code,
    Figure,
    Heading,
    Listing,
    Note,
    Report,
    Table,
)

__all__ = ["render_text"]


def _table(table: Table) -> list[str]:
    shown = table.visible()
    columns = [table.columns[i] for i in shown]
    lines = [[make_safe(column.header) for column in columns]]
    for row in table.rows:
        cells = (row.cells[i] for i in shown)
        lines.append([make_safe(f"{c.text} {c.mark}".strip()) for c in cells])
    widths = [max(map(display_width, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = []
    for line in lines:
        texts = []
        for text, width, column in zip(line, widths, columns, strict=True):
            gap = " " * (width - display_width(text))
            texts.append(gap + text if column.align == "right" else text + gap)
        padded.append("  ".join(texts).rstrip())
    notes = [make_safe("".join(s.text for s in note)) for note in table.notes]
    return [f"{make_safe(table.caption)}:", *padded, *notes, ""]


def _block(block: Block) -> list[str]:
    if isinstance(block, Table):
        return _table(block) if block.rows else []
    if isinstance(block, Figure):
        return [make_safe(block.alt), ""]
    if isinstance(block, Heading):
        return [make_safe(block.text), ""]
    if isinstance(block, Code):
        return [make_safe(block.text, newlines=True), ""]
    if isinstance(block, Note | Listing):
        items = ["".join(span.text for span in item) for item in block.items]
        return [f"{make_safe(block.title)}:", *(f"- {make_safe(i)}" for i in items), ""]
    return [make_safe("".join(span.text for span in block.spans)), ""]


def render_text(report: Report) -> str:
    """Return a report as plain text.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    str
        Lines without control characters; drawings are said in words, and tables
        without rows are left out.
    """
    title = make_safe(report.title)
    lines = [title, "=" * display_width(title), make_safe(report.subtitle), ""]
    for section in report.sections:
        heading = make_safe(section.title)
        lines += [heading, "-" * display_width(heading), ""]
        for block in section.blocks:
            lines += _block(block)
    return "\n".join(lines).rstrip("\n") + "\n"
