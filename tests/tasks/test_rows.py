"""Fields of files of all kinds, read by one function."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tweetclf.exceptions import DataError
from tweetclf.tasks.rows import read_fields


@pytest.mark.parametrize(
    ("name", "content", "names", "last"),
    [
        ("a.csv", 'id;text\n1;"a;b"\n\n2;ñ\n', ("id", "text"), (4, "2", "ñ")),
        ("a.TSV", "id\ttext\n1\ta;b\n2\tñ\n", ("id", "text"), (3, "2", "ñ")),
        (
            "a.ndjson",
            '{"id": "1", "text": "a;b"}\n\n{"id": "2", "text": "ñ"}\n',
            None,
            (3, "2", "ñ"),
        ),
        ("a.txt", "a;b\n\nñ\r\n", ("text",), (3, None, "ñ")),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_kinds_of_files(
    tmp_path: Path,
    name: str,
    content: str,
    names: tuple[str, ...] | None,
    last: tuple[int, str | None, str],
    packed: bool,
) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    data = content.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    found, rows = read_fields(path)
    read = [(line, row.get("id"), row["text"]) for line, row in rows]
    assert found == names
    assert read[0][2] == "a;b"
    assert read[-1] == last
    # Blank lines are texts only where there are no columns.
    assert len(read) == (3 if name == "a.txt" else 2)


def test_bad_rows_are_told_and_passed_by(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('id\ttext\n1\ta\n2\n3\t"c\n')
    told: list[int] = []
    _, rows = read_fields(path, quoted=False, bad=lambda line, _: told.append(line))
    assert [row["text"] for _, row in rows] == ["a", '"c']
    assert told == [3]
    with pytest.raises(DataError, match="line 3"):
        list(read_fields(path, quoted=False)[1])


def test_lines_have_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\n")
    with pytest.raises(DataError, match="no column 'tweet'. Name it"):
        read_fields(path, columns=["tweet"])
