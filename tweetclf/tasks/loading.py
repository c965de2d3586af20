"""`load_task`: a registered task, or the user's own file or folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.tasks.base import Split, Task
from tweetclf.tasks.locations import data_folder
from tweetclf.tasks.metric import Metric
from tweetclf.tasks.registered import read_corpus, registered_task
from tweetclf.tasks.registry import corpus_info, task_info

__all__ = ["load_corpus", "load_task"]

PathLike = str | os.PathLike[str]


OPTIONS = {
    **{name: f"--{name}" for name in ("text", "label", "id", "group", "encoding")},
    "text_b": "--text-b",
    "quoting": "--no-quotes",
}
"""How commands say arguments of `load_task`, those that they have."""


def load_task(
    name_or_path: PathLike,
    *,
    data_dir: PathLike | None = None,
    verify: bool = True,
    text: str | None = None,
    label: str | Sequence[str] | None = None,
    id: str | None = None,
    text_b: str | None = None,
    group: str | None = None,
    kind: str | None = None,
    metric: str | Metric | None = None,
    pos: str | None = None,
    language: str = "und",
    encoding: str = "utf-8",
    quoting: bool | None = None,
    seed: int = 0,
    holdout: bool = True,
) -> Task:
    """Load a task by its registered name, or from the user's own data.

    Parameters
    ----------
    name_or_path : str or path
        A name of `list_tasks`; or a CSV, TSV, JSON Lines (each also ``.gz``) or
        Parquet file; or a folder with such files called train, dev (val, valid,
        validation) and test; or a dataset saved by Hugging Face ``save_to_disk``.
    data_dir : path, optional
        Folder of the registered datasets; by default ``TWEETCLF_DATA``, else the
        user's cache folder.
    verify : bool, default=True
        Refuse registered data whose sha256 is not the registered one.
    text, id, text_b : str, optional
        Columns of the user's file. Left out, they are guessed by name and the guess
        is said in ``task.notes``; `text_b` makes a pair task and is guessed only if
        it is called "text_b".
    label : str or sequence of str, optional
        Column of the labels; several columns of 0 and 1 make a multi-label task.
    group : str, optional
        Column whose rows with one value (an author or a thread, say) must stay
        together when a split is cut off and in cross-validation.
    kind : {"binary", "multiclass", "multilabel", "regression", "pair"}, optional
        What is predicted; by default seen from the labels.
    metric : str or Metric, optional
        Metric to rank by: by default macro F1, for multi-label Jaccard, for
        regression RMSE.
    pos : str, optional
        Positive class of a binary metric.
    language : str, default="und"
        Language tag of the user's texts.
    encoding : str, default="utf-8"
        Encoding of the user's text file.
    quoting : bool, optional
        Whether fields of a CSV or TSV file may be quoted; by default CSV files are
        read with quotes, TSV files with quotes if that works and else without.
    seed : int, default=0
        Seed of splits that are cut off the user's data.
    holdout : bool, default=True
        Cut dev, and off a single table test, where the user's data have none.
        Without, ``task.splits`` holds what is there and no more, e.g. to train on
        every row. Registered tasks are never changed.

    Returns
    -------
    Task
        Splits are read when first asked for, the user's own at once.

    Raises
    ------
    UnknownNameError
        If the name is not registered and no file is there.
    DataError
        If data are missing or a file is not as expected; the message names file,
        line, column and remedy.
    ChecksumError
        If registered data are not the registered ones.
    """
    own: dict[str, object] = {"text": text, "label": label, "id": id, "text_b": text_b}
    own |= {"group": group, "kind": kind, "metric": metric, "pos": pos}
    own |= {"quoting": quoting}
    path = Path(name_or_path).expanduser()
    named = isinstance(name_or_path, str) and not _looks_like_path(name_or_path)
    try:
        if named:
            info = task_info(str(name_or_path))
            if given := [option for option, value in own.items() if value is not None]:
                option = OPTIONS.get(given[0])
                said = f"{given[0]}=..." + (f" ({option})" if option else "")
                raise DataError(
                    f"{info.name!r} is a registered task, which is never changed: "
                    f"{said} applies to files of your own. Write ./{info.name} to mean "
                    "a folder of that name."
                )
            return registered_task(info, data_dir, verify)
    except UnknownNameError as error:
        if not path.exists():
            raise UnknownNameError(f"{error} There is no file {path} either.") from None
    from tweetclf.tasks.userdata import user_task

    return user_task(
        path,
        text=text,
        label=label,
        id=id,
        text_b=text_b,
        group=group,
        kind=kind,
        metric=metric,
        pos=pos,
        language=language,
        encoding=encoding,
        quoting=quoting,
        seed=seed,
        holdout=holdout,
    )


def is_registered(name: str) -> bool:
    """Tell whether `load_task` takes a name for that of a registered task.

    Examples
    --------
    >>> from tweetclf.tasks.loading import is_registered
    >>> is_registered("sample-humor"), is_registered("./sample-humor")
    (True, False)
    """
    try:
        return not _looks_like_path(name) and bool(task_info(name))
    except UnknownNameError:
        return False


def _looks_like_path(name: str) -> bool:
    return "/" in name or os.sep in name or "." in name or name.startswith("~")


def load_corpus(name: str, *, data_dir: PathLike | None = None) -> Split:
    """Load a registered corpus of texts without labels.

    Parameters
    ----------
    name : str
        One of `list_corpora`.
    data_dir : path, optional
        Folder of the datasets, as in `load_task`.

    Returns
    -------
    Split
        Texts (or pairs) and ids; the labels are None.
    """
    return read_corpus(corpus_info(name), data_folder(data_dir))
