"""The report as LaTeX: a document whose tables can be copied out."""

from __future__ import annotations

import re

from tweetclf.reports.formatting import make_safe, slug
from tweetclf.reports.model import (
    Block,
    Code,
    Heading,
    Listing,
    Note,
    Paragraph,
    Report,
    Row,
    Spans,
    Table,
)

__all__ = ["escape_latex", "render_latex"]

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": "'{}",
    # Ligatures, optional arguments, the star that the end of a row would swallow.
    "*": "{*}",
    "-": "-{}",
    "[": "{[}",
    "]": "{]}",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{MINUS SIGN}": "$-$",
    "\N{DAGGER}": r"\textsuperscript{\textdagger}",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'{}",
    "\u27e8": r"$\langle$",
    "\u27e9": r"$\rangle$",
    "\N{NO-BREAK SPACE}": r"\nobreakspace{}",
}
_SPECIAL = re.compile("[" + re.escape("".join(_SIGNS)) + "]")

_PREAMBLE = r"""% Compile with LuaLaTeX or XeLaTeX if names are not all Latin.
% Each table stands between comments with its name and can be copied by itself;
% it needs \usepackage{booktabs}.
\documentclass[10pt]{article}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
\fi
\usepackage{textcomp}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
\emergencystretch=3em
\begin{document}
"""


def escape_latex(text: str) -> str:
    r"""Return `text` on one line, with nothing in it that LaTeX would act on.

    Examples
    --------
    >>> from tweetclf.reports.to_latex import escape_latex
    >>> print(escape_latex(r"50 % of \input{x}_1"))
    50 \% of \textbackslash{}input\{x\}\_1
    """
    return _SPECIAL.sub(lambda match: _SIGNS[match[0]], make_safe(text))


def _spans(spans: Spans) -> str:
    commands = {"strong": r"\textbf", "code": r"\texttt"}
    return "".join(
        f"{commands[span.style]}{{{escape_latex(span.text)}}}"
        if span.style in commands
        else escape_latex(span.text)
        for span in spans
    )


def _cells(table: Table, row: Row, shown: list[int]) -> str:
    cells = []
    for position in shown:
        cell, column = row.cells[position], table.columns[position]
        text = escape_latex(cell.text)
        if cell.bold and text:
            text = rf"\textbf{{{text}}}"
        if column.key == table.header_column and row.kind == "published":
            text = rf"\textit{{{text}}} (published)"
        cells.append(text + escape_latex(cell.mark))
    return " & ".join(cells) + r" \\"


def _columns(table: Table) -> list[int]:
    """Positions of the columns that fit on a page: no settings and remarks."""
    return [i for i in table.visible() if not table.columns[i].under]


def _table(table: Table) -> list[str]:
    shown = _columns(table)
    align = "".join(table.columns[i].align[0] for i in shown)
    heads = " & ".join(escape_latex(table.columns[i].header) for i in shown)
    lines = [
        f"% table: {slug(table.key)}",
        r"\begin{table}[!htbp]",
        r"\centering",
        rf"\caption{{{escape_latex(table.caption)}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        heads + r" \\",
        r"\midrule",
        *(_cells(table, row, shown) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}}",
    ]
    if table.notes:
        said = " ".join(_spans(note) for note in table.notes)
        lines += [r"\par\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize {said}}}"]
    return [*lines, r"\end{table}", f"% end of table: {slug(table.key)}", ""]


def _code(text: str) -> list[str]:
    lines = make_safe(text, newlines=True).split("\n")
    body = r" \\".join(rf"\texttt{{{escape_latex(line)}}}" for line in lines)
    return [r"\begin{flushleft}", body, r"\end{flushleft}", ""]


def _block(block: Block) -> list[str]:
    if isinstance(block, Heading):
        return [rf"\subsection*{{{escape_latex(block.text)}}}", ""]
    if isinstance(block, Paragraph):
        return [_spans(block.spans), ""]
    if isinstance(block, Code):
        return _code(block.text)
    if isinstance(block, Note | Listing):
        return [
            rf"\textbf{{{escape_latex(block.title)}}}",
            r"\begin{itemize}",
            *(rf"\item {_spans(item)}" for item in block.items),
            r"\end{itemize}",
            "",
        ]
    # Figures are SVG, and the table of all runs is for programs: both are left out.
    if isinstance(block, Table) and not any(row.kind == "run" for row in block.rows):
        return _table(block)
    return []


def render_latex(report: Report) -> str:
    """Return the report as a LaTeX document with booktabs tables.

    Figures, settings and remarks are left out; JSON and HTML have them.
    """
    lines = [
        rf"\section*{{{escape_latex(report.title)}}}",
        escape_latex(report.subtitle),
        "",
    ]
    for section in report.sections:
        lines += [rf"\section*{{{escape_latex(section.title)}}}", ""]
        for block in section.blocks:
            lines += _block(block)
        lines += [r"\clearpage", ""]
    return _PREAMBLE + "\n".join(lines) + "\\end{document}\n"
