"""The report as JSON: the model itself, to be read back without loss."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.reports import model

__all__ = ["FORMAT", "read_json", "render_json"]

FORMAT = 1
"""Version of the layout."""

_BLOCKS: dict[str, type] = {
    kind.__name__.lower(): kind
    for kind in (
        model.Heading,
        model.Paragraph,
        model.Code,
        model.Note,
        model.Listing,
        model.Table,
        model.Figure,
    )
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def _plain(value: Any) -> Any:
    """Dataclasses as dicts, without fields that hold their default."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    found: dict[str, Any] = {}
    if type(value) in _BLOCKS.values():
        found["block"] = type(value).__name__.lower()
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if item != field.default or isinstance(item, bool) != isinstance(
            field.default, bool
        ):
            found[field.name] = _plain(item)
    return found


def render_json(report: model.Report) -> str:
    """Return the report as JSON; :func:`read_json` gives the same report back.

    Fields that hold their default are left out. Numbers are unrounded, and a missing
    one is null (or left out).
    """
    document = {"format": FORMAT, **_plain(report)}
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    # A half character is no UTF-8; it can stand in strings only, as an escape.
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def _spans(found: list[Any]) -> model.Spans:
    return tuple(model.Span(**span) for span in found)


def _table(found: dict[str, Any]) -> model.Table:
    # The table behind a figure says what it is as well.
    found.pop("block", None)
    rows = tuple(
        model.Row(
            tuple(_cell(cell) for cell in row.pop("cells")),
            **row,
        )
        for row in found.pop("rows")
    )
    return model.Table(
        columns=tuple(model.Column(**column) for column in found.pop("columns")),
        rows=rows,
        notes=tuple(map(_spans, found.pop("notes", ()))),
        **found,
    )


def _cell(found: dict[str, Any]) -> model.Cell:
    track = found.pop("track", None)
    return model.Cell(track=None if track is None else tuple(track), **found)


def _paragraph(found: dict[str, Any]) -> model.Paragraph:
    return model.Paragraph(_spans(found.pop("spans")), **found)


def _note(found: dict[str, Any]) -> model.Note:
    return model.Note(items=tuple(map(_spans, found.pop("items"))), **found)


def _listing(found: dict[str, Any]) -> model.Listing:
    return model.Listing(items=tuple(map(_spans, found.pop("items"))), **found)


def _figure(found: dict[str, Any]) -> model.Figure:
    return model.Figure(data=_table(found.pop("data")), **found)


_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "paragraph": _paragraph,
    "note": _note,
    "listing": _listing,
    "table": _table,
    "figure": _figure,
    "heading": lambda found: model.Heading(**found),
    "code": lambda found: model.Code(**found),
}


def _section(found: dict[str, Any]) -> model.Section:
    blocks = tuple(_READERS[b.pop("block")](b) for b in found.pop("blocks"))
    return model.Section(blocks=blocks, **found)


def read_json(text: str) -> model.Report:
    """Read a report back from its JSON.

    Parameters
    ----------
    text : str
        What ``render(report, "json")`` returned.

    Raises
    ------
    DataError
        If the text is no such document.
    """
    try:
        found = json.loads(text)
        version = found.pop("format")
        if version != FORMAT:
            raise DataError(
                f"The report has format {version!r}; this version reads {FORMAT}."
            )
        return model.Report(
            meta=tuple((fact, value) for fact, value in found.pop("meta")),
            sections=tuple(map(_section, found.pop("sections"))),
            **found,
        )
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"The text is not a report in JSON: {error!r}.") from error
