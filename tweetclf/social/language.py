"""Which language a tweet is in, where its data do not say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tweetclf.exceptions import DataError
from tweetclf.utils.optional import import_optional

__all__ = ["fasttext_detector"]


def fasttext_detector(path: str | os.PathLike[str]) -> Callable[[str], str]:
    """Return what tells the language of a text by a fastText model.

    Parameters
    ----------
    path : path
        A model as ``lid.176.bin``, which is what TwHIN-BERT used (Zhang et al. 2023,
        appendix A). It is not part of the package: fasttext.cc has it.

    Returns
    -------
    callable
        Text -> code of the most probable language, as the model names it.

    Raises
    ------
    DataError
        If there is no such file.
    MissingDependencyError
        If fastText is not installed; the extra ``fasttext`` has it.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(
            f"fasttext_detector: there is no file {file}. Get lid.176.bin from "
            "https://fasttext.cc/docs/en/language-identification.html, or name the "
            "column of the languages."
        )
    fasttext = import_optional("fasttext", extra="fasttext", caller="fasttext_detector")
    model = fasttext.load_model(str(file))

    def detect(text: str) -> str:
        # The model reads one line.
        labels, _ = model.predict(" ".join(text.split()))
        return str(labels[0]).removeprefix("__label__") if labels else "und"

    return detect
