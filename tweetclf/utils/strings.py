"""Many strings as two arrays: small on disk and quick to read back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["pack_strings", "unpack_strings"]


def pack_strings(strings: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the UTF-8 bytes of all strings and the length of each.

    No delimiter is needed, so every string is allowed: empty, with line ends, with
    lone surrogates.

    Parameters
    ----------
    strings : sequence of str
        What to pack.

    Returns
    -------
    text : ndarray of uint8
        The strings one after another.
    lengths : ndarray of uint8, uint16 or uint32, shape (n_strings,)
        Number of code points of each string.
    """
    text = "".join(strings).encode("utf-8", "surrogatepass")
    lengths = np.fromiter(map(len, strings), dtype=np.uint32, count=len(strings))
    longest = int(lengths.max(initial=0))
    return (
        np.frombuffer(text, dtype=np.uint8),
        lengths.astype(np.min_scalar_type(longest), copy=False),
    )


def unpack_strings(text: np.ndarray, lengths: np.ndarray) -> list[str]:
    """Return the strings that `pack_strings` packed.

    Raises
    ------
    ValueError
        If the two arrays do not belong together.
    """
    if text.dtype != np.uint8 or text.ndim != 1:
        raise ValueError("packed text must be a 1-D array of uint8")
    # 32 bits: sums of them do not overflow.
    if lengths.dtype.name not in ("uint8", "uint16", "uint32") or lengths.ndim != 1:
        raise ValueError("lengths of packed strings must be 1-D and unsigned")
    joined = text.tobytes().decode("utf-8", "surrogatepass")
    ends = np.cumsum(lengths, dtype=np.uint64)
    if (int(ends[-1]) if len(ends) else 0) != len(joined):
        raise ValueError(
            f"packed strings have {len(joined)} characters; their lengths add up to "
            f"{int(ends[-1]) if len(ends) else 0}"
        )
    bounds = [0, *ends.tolist()]
    return [joined[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
