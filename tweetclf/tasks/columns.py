"""Which columns of the user's table are text, label and id."""

from __future__ import annotations

from collections.abc import Sequence

from tweetclf.exceptions import DataError
from tweetclf.tasks.tables import Table
from tweetclf.utils.registry import suggest

__all__ = ["Columns", "as_list", "find_text"]

# In the order of preference.
_TEXT = (
    *("text", "tweet", "tweets", "full_text", "content", "message", "sentence"),
    *("texto", "tuit", "body", "post", "comment", "tweet_text"),
)
_LABEL = (
    *("label", "labels", "label_name", "class", "target", "y", "sentiment"),
    *("category", "gold", "polarity", "stance", "emotion", "emotions", "etiqueta"),
    *("clase", "is_humor", "hs", "score", "rating"),
)
_ID = ("id", "tweet_id", "id_str", "tweetid")


class Columns:
    """The columns that are used: named by the user, or guessed and said."""

    def __init__(
        self,
        table: Table,
        text: str | None,
        label: str | Sequence[str] | None,
        id: str | None,
        text_b: str | None,
        group: str | None,
        split: str | None = None,
    ) -> None:
        if label is not None and not as_list(label):
            raise DataError(
                f"{table.path}: label=[] names no column. Name one or more of "
                f"{', '.join(map(repr, table.columns))}, or leave label out."
            )
        self.notes: list[str] = []
        names = list(table.columns)
        self.text = text or self._guess(table, _TEXT, "text", ())
        self.text_b = text_b or ("text_b" if "text_b" in names else None)
        if self.text_b and not text_b:
            self.notes.append("Column 'text_b' was taken as the second text.")
        self.id = id or _first(names, _ID)
        self.group = group
        used = [self.text, self.text_b, self.id, group, split]
        self.label = label or self._guess(
            table, _LABEL, "label", [name for name in used if name]
        )
        for name, argument in (
            (self.text, "text"),
            (self.text_b, "text_b"),
            (self.id, "id"),
            (group, "group"),
            *((name, "label") for name in as_list(self.label)),
        ):
            if name is not None:
                table.column(name, argument)
        if self.text in as_list(self.label):
            raise DataError(
                f"{table.path}: column {self.text!r} cannot be both text and label."
            )

    def _guess(
        self, table: Table, known: Sequence[str], role: str, used: Sequence[str]
    ) -> str:
        names = [name for name in table.columns if name not in used]
        found = _first(names, known)
        if found is None and role == "label" and len(names) == 1:
            found = names[0]
        if found is None:
            raise DataError(
                f"{table.path}: no column looks like the {role}; the columns are "
                f"{', '.join(map(repr, table.columns))}. Name it with {role}=... "
                f"(--{role})."
            )
        if found != role:
            self.notes.append(
                f"Column {found!r} was taken as the {role} (guessed; pass {role}=..., "
                f"--{role}, to choose)."
            )
        return found


def guess_text(names: Sequence[str]) -> str | None:
    """Return the column whose name says that it holds the text, if there is one."""
    return _first(names, _TEXT)


def as_list(label: str | Sequence[str]) -> list[str]:
    """Return the one column, or the several, as a list."""
    return [label] if isinstance(label, str) else list(label)


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the first column whose name is known, in the order of the known."""
    folded = {name.casefold().strip(): name for name in reversed(names)}
    return next((folded[name] for name in known if name in folded), None)


def find_text(
    columns: Sequence[str], wanted: str | None, name: str, *, remedy: str = "."
) -> str:
    """Return the column of the texts: the one that is wanted, or a guess.

    Parameters
    ----------
    columns : sequence of str
        Columns that there are.
    wanted : str or None
        The one that was asked for.
    name : str
        The file, as messages call it.
    remedy : str, default="."
        End of the message where nothing can be guessed.

    Raises
    ------
    DataError
        If the column is not there, or there is none to guess.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        near = suggest(wanted, columns)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"{name} has no column {wanted!r}.{hint} Its columns are "
            f"{', '.join(columns)}."
        )
    if (found := guess_text(columns)) is not None:
        return found
    if len(columns) == 1:
        return columns[0]
    raise DataError(
        f"{name}: which column holds the text? Its columns are "
        f"{', '.join(columns)}{remedy}"
    )
