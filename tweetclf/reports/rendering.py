"""A report as text or as files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tweetclf.reports.formatting import slug
from tweetclf.reports.model import Report
from tweetclf.utils.files import write_text_atomic
from tweetclf.utils.registry import Registry, resolve

__all__ = ["FORMATS", "render", "write_report"]

FORMATS = {
    "html": ".html",
    "markdown": ".md",
    "latex": ".tex",
    "csv": ".csv",
    "json": ".json",
}
"""Formats with the ends of their file names."""

# Renderers are imported when they are asked for: only HTML needs jinja2.
_RENDERERS: Registry[Callable[[Report], str]] = Registry("report format")
for _format in FORMATS:
    _RENDERERS.register(_format, f"tweetclf.reports.to_{_format}:render_{_format}")


def render(report: Report, format: str) -> str:
    """Return a report as text.

    Parameters
    ----------
    report : Report
        The report.
    format : {"html", "markdown", "latex", "csv", "json"}
        The format.

    Returns
    -------
    str
        The whole document. It holds no lone surrogates, so that it can be encoded
        as UTF-8, and is the same for the same report.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    """
    return _RENDERERS.get(format)(report)


def _figure_paths(report: Report, folder: str) -> dict[str, str]:
    return {figure.key: f"{folder}/{slug(figure.key)}.svg" for figure in report.figures}


def write_report(
    report: Report,
    path: str | os.PathLike[str],
    *,
    formats: Sequence[str] | None = None,
) -> list[Path]:
    """Write a report to files, each whole or not at all.

    Parameters
    ----------
    report : Report
        The report.
    path : str or path-like
        A folder, in which the files are called ``report.html`` and so on; or a file
        name with the ending of a format, whose stem all files share.
    formats : sequence of str, optional
        Formats; by default that of the ending, or HTML. With ``"markdown"``, which
        cannot hold drawings, the figures are written as SVG files to a folder beside.

    Returns
    -------
    list of pathlib.Path
        One file a format, in order of `formats`, then the figures.

    Raises
    ------
    UnknownNameError
        If there is no such format; nothing is written then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tweetclf.leaderboard import Leaderboard
    >>> from tweetclf.reports import make_report, write_report
    >>> report = make_report(Leaderboard("Nothing yet", ()))
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in write_report(report, folder, formats=["csv"])]
    ['report.csv']
    """
    target = Path(path)
    by_ending = {ending: name for name, ending in FORMATS.items()}
    ending = target.suffix.lower()
    named = ending in by_ending and not target.is_dir()
    if isinstance(formats, str):
        formats = (formats,)
    chosen = tuple(formats) if formats else (by_ending[ending] if named else "html",)
    folder, stem = (target.parent, target.stem) if named else (target, "report")
    figures = {}
    if "markdown" in chosen:
        figures = _figure_paths(report, f"{stem}-figures")
    # Everything is rendered before anything is written.
    texts: list[tuple[Path, str]] = []
    for name in dict.fromkeys(chosen):
        if name == "markdown":
            render_markdown = resolve("tweetclf.reports.to_markdown:render_markdown")
            text = render_markdown(report, figures=figures)
        else:
            text = render(report, name)
        texts.append((folder / f"{stem}{FORMATS[name]}", text))
    for figure in report.figures:
        if figure.key in figures:
            texts.append((folder / figures[figure.key], figure.svg + "\n"))
    for file, text in texts:
        write_text_atomic(file, text)
    return [file for file, _ in texts]
