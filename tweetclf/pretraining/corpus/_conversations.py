"""(tweet, reply) pairs of dumps of conversations that are larger than memory.

In a first pass each row is put, as a tweet, into the part of its id and, as a reply,
into the part of the id that it replies to; in a second pass the parts are joined one
after another, so that the rows of one part alone are in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tweetclf.pretraining.corpus._filters import Document, Filters
from tweetclf.pretraining.corpus._reading import Row
from tweetclf.utils.files import sha256_bytes

__all__ = ["N_PARTS", "join_replies", "spill_rows"]

N_PARTS = 128
"""Parts of a dump, each of which is in memory once."""


def _part(identifier: str) -> int:
    return int(sha256_bytes(identifier.encode("utf-8", "surrogatepass"))[:8], 16) % (
        N_PARTS
    )


def spill_rows(rows: Iterable[Row], folder: Path, filters: Filters) -> None:
    """Put rows into the parts of their ids and of those they reply to.

    Parameters
    ----------
    rows : iterable of Row
        Of all dumps.
    folder : Path
        An empty folder.
    filters : Filters
        Rows that they drop are neither tweets nor replies.
    """
    with ExitStack() as stack:
        files = [
            stack.enter_context((folder / f"{k:03d}.jsonl").open("w", encoding="utf-8"))
            for k in range(N_PARTS)
        ]
        for row in rows:
            if not filters.keeps_row(row):
                continue
            if row.id is not None:
                files[_part(row.id)].write(json.dumps([row.id, row.text]) + "\n")
            if row.parent is None or row.parent == row.id:
                filters.counts["no_replies"] += 1
            else:
                about = (row.id, row.author, row.language, row.conversation)
                said = json.dumps([row.parent, row.text, *about])
                files[_part(row.parent)].write(said + "\n")


def join_replies(folder: Path, filters: Filters) -> Iterator[Document]:
    """Yield the pairs of a tweet and its reply, part by part.

    Parameters
    ----------
    folder : Path
        As `spill_rows` filled it.
    filters : Filters
        Counts replies to what is not there.

    Yields
    ------
    Document
        Within a part, in the order of the replies; of two tweets of one id the first
        counts.
    """
    for path in sorted(folder.glob("*.jsonl")):
        tweets: dict[str, str] = {}
        replies = []
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                values = json.loads(line)
                if len(values) == 2:
                    tweets.setdefault(*values)
                else:
                    replies.append(values)
        for parent, text, *about in replies:
            if parent in tweets:
                yield Document((tweets[parent], text), *about)
            else:
                filters.counts["orphans"] += 1
