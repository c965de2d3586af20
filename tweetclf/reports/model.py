"""The neutral report: what is said, without how it is drawn.

Every renderer reads this model and nothing else, so that all formats say the same.
Values are plain (str, int, float, bool, None); a number that is missing is None and
never NaN, so that reports compare equal and have a JSON form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Column",
    "Figure",
    "Heading",
    "Listing",
    "Note",
    "Paragraph",
    "Report",
    "Row",
    "Scalar",
    "Section",
    "Span",
    "Spans",
    "Table",
    "code",
    "name",
    "spans",
    "strong",
]

Scalar = str | int | float | bool | None
Style = Literal["", "strong", "code", "name"]


@dataclass(frozen=True)
class Span:
    """A run of text.

    Parameters
    ----------
    text : str
        The text, as it is; renderers escape it.
    style : {"", "strong", "code", "name"}, default=""
        "name" marks what users named (systems, labels): it is kept apart from the
        direction of the text around it.
    """

    text: str
    style: Style = ""


Spans = tuple[Span, ...]


def strong(text: str) -> Span:
    """Return text of importance."""
    return Span(text, "strong")


def code(text: str) -> Span:
    """Return text to be read letter by letter."""
    return Span(text, "code")


def name(text: str) -> Span:
    """Return a name that a user gave."""
    return Span(text, "name")


def spans(*parts: str | Span | Iterable[Span]) -> Spans:
    """Join strings, spans and sequences of spans to one sequence of spans."""
    joined: list[Span] = []
    for part in parts:
        if isinstance(part, str):
            joined.append(Span(part))
        elif isinstance(part, Span):
            joined.append(part)
        else:
            joined.extend(part)
    return tuple(joined)


@dataclass(frozen=True)
class Heading:
    """A heading within a section.

    Parameters
    ----------
    text : str
        The heading.
    """

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; the verdict of a section is its lead.

    Parameters
    ----------
    spans : tuple of Span
        The text.
    lead : bool, default=False
        Whether it is the section's verdict, set larger.
    """

    spans: Spans
    lead: bool = False


@dataclass(frozen=True)
class Code:
    """Text to be copied, such as a command.

    Parameters
    ----------
    text : str
        The text, kept as it is.
    """

    text: str


@dataclass(frozen=True)
class Note:
    """Something that a reader must know, apart from the text.

    Parameters
    ----------
    kind : {"info", "warning", "error"}
        How much it matters.
    title : str
        What it is about.
    items : tuple of tuple of Span
        One statement each.
    """

    kind: Literal["info", "warning", "error"]
    title: str
    items: tuple[Spans, ...]


@dataclass(frozen=True)
class Listing:
    """Statements of one kind that can be opened and closed.

    Parameters
    ----------
    title : str
        What they are about.
    items : tuple of tuple of Span
        One statement each.
    folded : bool, default=False
        Whether it is closed at first where that is possible.
    """

    title: str
    items: tuple[Spans, ...]
    folded: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    key : str
        Name for programs, unique in the table.
    header : str
        Name for people.
    align : {"left", "right", "center"}, default="left"
        Numbers stand right.
    number : str, default=""
        What the values are: "score", "seconds", "bytes", "rate", "count", "rank",
        "p"; empty for text.
    sort : {"", "ascending", "descending"}, default=""
        Direction in which the best value comes first.
    hint : str, default=""
        What the column holds, in a sentence.
    under : str, default=""
        Key of the column in whose cells a narrow layout shows this one as a second
        line.
    data_only : bool, default=False
        Whether only formats for programs (CSV, JSON) have the column.
    """

    key: str
    header: str
    align: Literal["left", "right", "center"] = "left"
    number: str = ""
    sort: Literal["", "ascending", "descending"] = ""
    hint: str = ""
    under: str = ""
    data_only: bool = False


@dataclass(frozen=True)
class Cell:
    """A value with the text that shows it.

    Parameters
    ----------
    value : str, int, float, bool or None
        The value itself, unrounded; None where there is none.
    text : str, default=""
        What is shown.
    bold : bool, default=False
        Whether it is the best.
    mark : str, default=""
        Sign after the text, such as a dagger.
    muted : bool, default=False
        Whether it matters less.
    tooltip : str, default=""
        What the text leaves out, such as why a value is missing.
    track : tuple of float, optional
        Low end, score and high end of an interval as fractions of a track that all
        rows share; for a small drawing, never the only place of the numbers.
    """

    value: Scalar = None
    text: str = ""
    bold: bool = False
    mark: str = ""
    muted: bool = False
    tooltip: str = ""
    track: tuple[float | None, float, float | None] | None = None


@dataclass(frozen=True)
class Row:
    """A row: one cell a column.

    Parameters
    ----------
    cells : tuple of Cell
        In order of the columns.
    kind : str, default="system"
        "system", "published", "run" or "data".
    """

    cells: tuple[Cell, ...]
    kind: str = "system"


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    key : str
        Name for programs, unique in the report.
    caption : str
        What it shows.
    columns : tuple of Column
        The columns.
    rows : tuple of Row
        The rows.
    notes : tuple of tuple of Span, default=()
        What its signs mean.
    folded : bool, default=False
        Whether it is closed at first where that is possible.
    header_column : str, default=""
        Key of the column that names the rows.
    """

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[Spans, ...] = ()
    folded: bool = False
    header_column: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"Table {self.key!r} has {len(self.columns)} columns and a row of "
                    f"{len(row.cells)} cells."
                )

    def visible(self) -> list[int]:
        """Return the positions of the columns that people see."""
        return [i for i, column in enumerate(self.columns) if not column.data_only]

    def column(self, key: str) -> list[Cell]:
        """Return the cells of the column called `key`, from the top."""
        position = [column.key for column in self.columns].index(key)
        return [row.cells[position] for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """A drawing with all that it shows.

    Parameters
    ----------
    key : str
        Name for programs, unique in the report; prefix of all ids in the drawing.
    svg : str
        An ``<svg>`` element without a prolog.
    alt : str
        What the drawing says, for those who do not see it.
    caption : str
        What it shows and how to read it.
    data : Table
        The numbers behind it.
    wide : bool, default=False
        Whether it needs the whole width.
    """

    key: str
    svg: str
    alt: str
    caption: str
    data: Table
    wide: bool = False


Block = Heading | Paragraph | Code | Note | Listing | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of a report under a title.

    Parameters
    ----------
    key : str
        Name for programs, unique in the report.
    title : str
        Title.
    blocks : tuple of blocks
        Content in reading order.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A report.

    Parameters
    ----------
    title : str
        Title.
    subtitle : str
        What was compared, in a line.
    meta : tuple of (str, str)
        Facts about the report: name, value.
    sections : tuple of Section
        The parts, in reading order.
    """

    title: str
    subtitle: str
    meta: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]

    @property
    def tables(self) -> Sequence[Table]:
        """All tables outside figures, in reading order."""
        return [
            block
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Table)
        ]

    @property
    def figures(self) -> Sequence[Figure]:
        """All figures, in reading order."""
        return [
            block
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Figure)
        ]
