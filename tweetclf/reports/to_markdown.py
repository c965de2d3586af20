"""The report as Markdown (GitHub's dialect)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tweetclf.reports.formatting import make_safe
from tweetclf.reports.model import (
    Block,
    Code,
    Figure,
    Heading,
    Listing,
    Note,
    Paragraph,
    Report,
    Spans,
    Table,
)

__all__ = ["escape_markdown", "render_markdown"]

# Signs that can mean something anywhere in a line. Parentheses are not among them:
# they mean something after brackets only, and "\(" starts a formula for some readers.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$@&^])")
# Signs that mean something at the start of a line: rules, lists, headings.
_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)](?:\s|$)))")
_IN_WORD = re.compile(r"(?<=[^\W_])\\_(?=[^\W_])")
_ALIGN = {"left": ":---", "right": "---:", "center": ":---:"}


def escape_markdown(text: str) -> str:
    """Return `text` on one line, so that Markdown and HTML in it do nothing."""
    text = _SPECIAL.sub(r"\\\1", make_safe(text))
    text = text.replace(r"\&", "&amp;").replace(r"\<", "&lt;").replace(r"\>", "&gt;")
    text = _START.sub(
        lambda m: f"{m[1]}{m[2]}\\" if m[2].isdigit() else f"{m[1]}\\{m[2]}", text
    )
    # "www." and "://" would become links of their own.
    text = re.sub(r"(?i)\b(www)\.", r"\1&#46;", text).replace("://", "&#58;//")
    # Within a word an underscore means nothing, and names full of them stay readable.
    return _IN_WORD.sub("_", text).strip()


def _code(text: str) -> str:
    text = make_safe(text)
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}" if text.strip() else ""


def _spans(spans: Spans) -> str:
    parts = []
    for span in spans:
        if span.style == "code":
            parts.append(_code(span.text))
            continue
        text = escape_markdown(span.text)
        if span.style == "strong" and text:
            parts.append(f"**{text}**")
        else:
            # The white space around spans is that between words.
            start = " " if span.text[:1].isspace() else ""
            end = " " if span.text[-1:].isspace() and text else ""
            parts.append(f"{start}{text}{end}")
    return "".join(parts)


def _table(table: Table) -> list[str]:
    shown = table.visible()
    columns = [table.columns[i] for i in shown]
    lines = [
        f"**{escape_markdown(table.caption)}**",
        "",
        "| " + " | ".join(escape_markdown(c.header) for c in columns) + " |",
        "| " + " | ".join(_ALIGN[c.align] for c in columns) + " |",
    ]
    for row in table.rows:
        cells = []
        for position in shown:
            cell, column = row.cells[position], table.columns[position]
            text = escape_markdown(cell.text)
            if cell.bold and text:
                text = f"**{text}**"
            if column.key == table.header_column and row.kind == "published":
                text = f"*{text}* (published)"
            if cell.mark:
                text += f" {escape_markdown(cell.mark)}"
            cells.append(text)
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    lines += [line for note in table.notes for line in (f"{_spans(note)}  ",)]
    return [*lines, ""] if table.notes else lines


def _figure(figure: Figure, paths: Mapping[str, str]) -> list[str]:
    if figure.key not in paths:
        return []
    alt = escape_markdown(figure.alt).replace("\n", " ")
    return [
        f"![{alt}]({paths[figure.key]})",
        "",
        f"*{escape_markdown(figure.caption)}*",
        "",
    ]


def _fence(text: str) -> list[str]:
    text = make_safe(text, newlines=True)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return [ticks, *text.split("\n"), ticks, ""]


def _listing(listing: Listing) -> list[str]:
    title = escape_markdown(listing.title)
    items = [f"- {_spans(item)}" for item in listing.items]
    if not listing.folded:
        return [f"**{title}**", "", *items, ""]
    return [f"<details><summary>{title}</summary>", "", *items, "", "</details>", ""]


def _block(block: Block, paths: Mapping[str, str]) -> list[str]:
    if isinstance(block, Heading):
        return [f"### {escape_markdown(block.text)}", ""]
    if isinstance(block, Paragraph):
        return [_spans(block.spans), ""]
    if isinstance(block, Code):
        return _fence(block.text)
    if isinstance(block, Note):
        items = [f"> - {_spans(item)}" for item in block.items]
        return [f"> **{escape_markdown(block.title)}**", ">", *items, ""]
    if isinstance(block, Listing):
        return _listing(block)
    if isinstance(block, Figure):
        return _figure(block, paths)
    if block.folded:
        summary = escape_markdown(block.caption)
        return [
            f"<details><summary>{summary}</summary>",
            "",
            *_table(block)[2:],
            "</details>",
            "",
        ]
    return _table(block)


def render_markdown(report: Report, *, figures: Mapping[str, str] | None = None) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    report : Report
        The report.
    figures : mapping of str to str, optional
        Key of a figure -> relative path of its SVG file; others are left out.
    """
    lines = [f"# {escape_markdown(report.title)}", "", escape_markdown(report.subtitle)]
    if report.meta:
        facts = (f"{escape_markdown(k)}: {escape_markdown(v)}" for k, v in report.meta)
        lines += ["", " \N{MIDDLE DOT} ".join(facts)]
    lines.append("")
    for section in report.sections:
        lines += [f"## {escape_markdown(section.title)}", ""]
        for block in section.blocks:
            lines += _block(block, figures or {})
    return "\n".join(lines).rstrip() + "\n"
