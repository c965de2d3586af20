"""Texts normalised piece by piece, each piece once."""

from __future__ import annotations

from collections.abc import Callable

from tweetclf.preprocessing._cache import Memo

__all__ = ["ByPieces"]


class ByPieces:
    """A function of texts that works on what lies between spaces.

    ``" ".join(map(piece, text.split(" ")))`` is what `whole` gives for the text, but
    quicker, since pieces come again and their results are kept.

    Parameters
    ----------
    piece : callable
        Piece to result, or to None where that depends on the rest of the text.
    whole : callable
        What to do to a text with such a piece.
    finish : callable or None
        What is done to the joined results.
    leaves : callable, optional
        Whether a piece is certain to be left as it is. By default none is.
    """

    def __init__(
        self,
        piece: Callable[[str], str | None],
        whole: Callable[[str], str],
        finish: Callable[[str], str] | None,
        leaves: Callable[[str], object] | None = None,
    ) -> None:
        self.piece = piece
        self.whole = whole
        self.leaves = leaves or _never
        self._finish = finish
        self._results = Memo(piece).__getitem__

    def __call__(self, text: str) -> str:
        """Return the normalised text."""
        results = list(map(self._results, text.split(" ")))
        if None in results:
            return self.whole(text)
        joined = " ".join(results)  # type: ignore[arg-type]
        return joined if self._finish is None else self._finish(joined)


def _never(piece: str) -> bool:
    return False
