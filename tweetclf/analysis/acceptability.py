"""Acceptability: whether people accept what a model says for hidden tokens.

Sheets are blind: an annotator sees texts in an order of their own, and neither the rank
nor which token was replaced.

References
----------
E. Lone-Wolfgang, "BERT for Japanese Twitter": 250 tweets of 20 to 40 tokens in five
groups by rank, two annotators, 50 tweets for both (Cohen's kappa 0.38, agreement 76 %).
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tweetclf.exceptions import DataError
from tweetclf.reports.to_csv import guard
from tweetclf.utils.files import write_text_atomic
from tweetclf.utils.random import stream

__all__ = [
    "AcceptabilityItem",
    "plan_sheets",
    "read_items",
    "read_sheets",
    "write_sheets",
]

COLUMNS = ("item", "text", "acceptable", "comment")
KEY_FILE = "key.json"
_YES = frozenset({"1", "y", "yes", "s", "si", "sí", "true", "x", "はい"})
_NO = frozenset({"0", "n", "no", "false", "いいえ"})


@dataclass(frozen=True)
class AcceptabilityItem:
    """A text in which a model has replaced tokens.

    Parameters
    ----------
    item : int
        Number, which sheets show.
    k : int
        Rank of the replacements among what the model would say, from 1.
    text : str
        With the replacements: what annotators judge.
    original : str
        The text before.
    replaced : tuple of (str, str)
        Tokens before and after.
    """

    item: int
    k: int
    text: str
    original: str
    replaced: tuple[tuple[str, str], ...] = ()


def plan_sheets(
    items: Sequence[AcceptabilityItem],
    annotators: Sequence[str] = ("annotator-1", "annotator-2"),
    *,
    n_shared: int = 50,
    random_state: int = 0,
) -> dict[str, list[AcceptabilityItem]]:
    """Deal items to annotators, some of them to all.

    Parameters
    ----------
    items : sequence of AcceptabilityItem
        The items; of each rank about the same share goes to everyone.
    annotators : sequence of str, default=("annotator-1", "annotator-2")
        Names of the sheets.
    n_shared : int, default=50
        Items that are on all sheets, to measure agreement on.
    random_state : int, default=0
        Seed of the draw and of the order of each sheet.

    Returns
    -------
    dict of str to list of AcceptabilityItem
        Name of the sheet -> its items in their order.

    Examples
    --------
    >>> from tweetclf.analysis import AcceptabilityItem, plan_sheets
    >>> items = [AcceptabilityItem(i, 1 + i % 2, f"text {i}", "") for i in range(10)]
    >>> sheets = plan_sheets(items, n_shared=4)
    >>> [len(sheet) for sheet in sheets.values()]
    [7, 7]
    """
    if not 0 <= n_shared <= len(items):
        raise ValueError(
            f"plan_sheets: the 'n_shared' parameter must be from 0 to the number of "
            f"items, {len(items)}. Got {n_shared!r} instead."
        )
    if not annotators or len(set(annotators)) < len(annotators):
        raise ValueError(
            "plan_sheets: 'annotators' must be different names, one or more. Got "
            f"{list(annotators)!r}."
        )
    generator = stream(random_state, "acceptability", "deal")
    by_rank: dict[int, list[AcceptabilityItem]] = {}
    for i in generator.permutation(len(items)):
        by_rank.setdefault(items[i].k, []).append(items[i])
    # In turns, so that what is shared, and each sheet, has its part of every rank.
    dealt: list[AcceptabilityItem] = []
    for turn in range(max(map(len, by_rank.values()), default=0)):
        dealt += [own[turn] for _, own in sorted(by_rank.items()) if turn < len(own)]
    shared, rest = dealt[:n_shared], dealt[n_shared:]
    sheets = {}
    for i, name in enumerate(annotators):
        # Blocks and not every second one: ranks would be dealt to one alone.
        size = -(-len(rest) // len(annotators))
        mine = [*shared, *rest[i * size : (i + 1) * size]]
        order = stream(random_state, "acceptability", "sheet", i)
        sheets[name] = [mine[j] for j in order.permutation(len(mine))]
    return sheets


def write_sheets(
    sheets: Mapping[str, Sequence[AcceptabilityItem]], folder: str | os.PathLike[str]
) -> list[Path]:
    """Write a CSV file for each annotator, and the key that they must not see.

    Parameters
    ----------
    sheets : mapping of str to sequence of AcceptabilityItem
        As of `plan_sheets`.
    folder : path
        Where to; it is made if need be. Sheets that are there are not overwritten:
        they may be filled in.

    Returns
    -------
    list of Path
        The sheets, then ``key.json``.

    Raises
    ------
    FileExistsError
        If one of the files exists.

    Notes
    -----
    A text that a spreadsheet would take for a formula, as "@user" in front, gets an
    apostrophe before it. The files start with a byte order mark, by which spreadsheets
    know UTF-8.
    """
    root = Path(folder)
    known: dict[int, AcceptabilityItem] = {}
    texts: dict[Path, str] = {}
    for name, items in sheets.items():
        if Path(name).name != name or not name:
            raise ValueError(f"write_sheets: {name!r} cannot be the name of a file.")
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(COLUMNS)
        for item in items:
            known[item.item] = item
            writer.writerow([item.item, guard(item.text), "", ""])
        texts[root / f"{name}.csv"] = "\ufeff" + buffer.getvalue()
    key = [asdict(known[number]) for number in sorted(known)]
    texts[root / KEY_FILE] = json.dumps(key, ensure_ascii=False, indent=1) + "\n"
    for path in texts:
        if path.exists():
            raise FileExistsError(
                f"write_sheets: {path} exists; choose another folder, so that no "
                "judgement is lost."
            )
    for path, text in texts.items():
        write_text_atomic(path, text)
    return list(texts)


def read_items(path: str | os.PathLike[str]) -> list[AcceptabilityItem]:
    """Read the key of sheets.

    Parameters
    ----------
    path : path
        A ``key.json``, or the folder that it is in.

    Returns
    -------
    list of AcceptabilityItem
        By number.

    Raises
    ------
    DataError
        If the file is no key.
    """
    place = Path(path)
    place = place / KEY_FILE if place.is_dir() else place
    try:
        rows = json.loads(place.read_text("utf-8"))
        return [
            AcceptabilityItem(
                int(row["item"]),
                int(row["k"]),
                str(row["text"]),
                str(row["original"]),
                tuple((str(a), str(b)) for a, b in row["replaced"]),
            )
            for row in rows
        ]
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise DataError(f"{place} is no key of sheets: {error!r}.") from error


def read_sheets(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
) -> dict[str, dict[int, bool]]:
    """Read sheets that were filled in.

    Parameters
    ----------
    paths : path or iterable of paths
        CSV files, or one folder of them. Commas, semicolons and tabs separate; "1",
        "y", "yes", "s", "sí", "x" and "true" accept, "0", "n", "no" and "false" do
        not; what is left empty was not judged.

    Returns
    -------
    dict of str to dict of int to bool
        Name of the sheet -> item -> whether its text is acceptable.

    Raises
    ------
    DataError
        If a sheet has no such columns, or a judgement that is neither; the message
        names the line.
    """
    if isinstance(paths, str | os.PathLike):
        only = Path(paths)
        paths = sorted(only.glob("*.csv")) if only.is_dir() else [only]
    found = {}
    for path in map(Path, paths):
        found[path.stem] = _read_sheet(path)
    if not found:
        raise DataError("read_sheets: there is no sheet to read.")
    return found


def _read_sheet(path: Path) -> dict[int, bool]:
    text = path.read_text("utf-8-sig")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    # Not by splitlines: tweets hold other separators of lines.
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    missing = {"item", "acceptable"} - set(reader.fieldnames or ())
    if missing:
        raise DataError(f"{path} has no column {min(missing)!r}: it is no sheet.")
    judged = {}
    for row in reader:
        said = (row["acceptable"] or "").strip().lower()
        if not said:
            continue
        if said not in _YES | _NO or not (row["item"] or "").strip().isdecimal():
            raise DataError(
                f"{path}, line {reader.line_num}: expected the number of an item, and "
                f"1 or 0 (yes or no). Got {row['item']!r} and {said!r}."
            )
        judged[int(row["item"])] = said in _YES
    return judged
