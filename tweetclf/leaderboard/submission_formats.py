"""The files that the organisers of shared tasks ask for, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tweetclf.tasks import Task, TaskInfo

__all__ = ["Column", "SubmissionFormat", "submission_format"]


@dataclass(frozen=True)
class Column:
    """One column of a submission file.

    Parameters
    ----------
    name : str
        Name in the header.
    role : {"id", "text", "group", "label", "bit", "flag", "number", "fixed"}
        What stands in it: id or text of the row, its group, the label's code, one
        character of the label, 1 where a label of several applies, a number, or the
        same text in every row.
    option : str, default=""
        Position of the bit, label of the flag, or the fixed text.
    """

    name: str
    role: str
    option: str = ""


@dataclass(frozen=True)
class SubmissionFormat:
    """What a submission for one task looks like.

    Parameters
    ----------
    task, family : str
        The task, and the shared task it belongs to.
    files : mapping of (str or None) to str
        Name of the file of each group; a single file has the key None.
    columns : tuple of Column
        Columns in order.
    header : bool
        Whether the first line names the columns.
    delimiter : str
        Between fields; fields of files with commas are quoted where need be.
    codes : mapping of str to str
        What stands for each label; empty for numbers.
    source : str
        Where the format is described.
    certain : bool, default=True
        Whether the organisers' description or scorer was seen; if not, compare with
        the task's page before you upload.
    partner : str, default=""
        The task whose predictions stand in the same file. Its column is fixed as long
        as they are not given.
    """

    task: str
    family: str
    files: Mapping[str | None, str]
    columns: tuple[Column, ...]
    header: bool
    delimiter: str
    codes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    source: str = ""
    certain: bool = True
    partner: str = ""

    @property
    def has_ids(self) -> bool:
        """Whether rows are named; if not, their order is all there is."""
        return any(column.role == "id" for column in self.columns)

    @property
    def quoted(self) -> bool:
        """Whether fields may stand in quotation marks."""
        return self.delimiter == ","


def _numbered(task: Task | TaskInfo) -> dict[str, str]:
    return {label: str(i) for i, label in enumerate(task.label_names)}


def _tweeteval(task: Task | TaskInfo) -> SubmissionFormat:
    part = task.name.removeprefix("tweeteval-")
    files: dict[str | None, str]
    if part == "stance":
        targets = ("abortion", "atheism", "climate", "feminist", "hillary")
        files = {target: f"stance/{target}.txt" for target in targets}
    else:
        # One target is one file of the folder that holds the five.
        files = {None: f"{part.replace('stance-', 'stance/')}.txt"}
    return SubmissionFormat(
        task.name,
        "TweetEval",
        files,
        (Column("label", "label"),),
        header=False,
        delimiter="\t",
        codes=_numbered(task),
        source="folder predictions and scorer of the GitHub repository "
        "cardiffnlp/tweeteval",
    )


def _hateval(task: Task | TaskInfo) -> SubmissionFormat:
    language, _, part = task.name.removeprefix("hateval-").partition("-")
    if part == "b":
        values = tuple(
            Column(name, "bit", str(i)) for i, name in enumerate(("HS", "TR", "AG"))
        )
    else:
        values = (Column("HS", "label"),)
    return SubmissionFormat(
        task.name,
        "HatEval 2019",
        {None: f"{language}_{part or 'a'}.tsv"},
        (Column("id", "id"), *values),
        header=False,
        delimiter="\t",
        codes={label: label for label in task.label_names} if part else _numbered(task),
        source="evaluation/README.md of the GitHub repository msang/hateval",
    )


def _haha(task: Task | TaskInfo) -> SubmissionFormat | None:
    if task.name == "haha-2019":
        values = (
            Column("is_humor", "label"),
            # The column must be there; 3 is what a system without Task 2 writes.
            Column("funniness_average", "fixed", "3"),
        )
        codes, partner = _numbered(task), "haha-2019-funniness"
    elif task.name == "haha-2019-funniness":
        values = (
            Column("is_humor", "fixed", "1"),
            Column("funniness_average", "number"),
        )
        codes, partner = {}, "haha-2019"
    else:
        return None
    return SubmissionFormat(
        task.name,
        "HAHA 2019",
        {None: "predictions.csv"},
        (Column("id", "id"), *values),
        header=True,
        delimiter=",",
        codes=codes,
        source="header as in the submission of bfarzin/haha_2019_final",
        partner=partner,
    )


def _irosva(task: Task | TaskInfo) -> SubmissionFormat:
    return SubmissionFormat(
        task.name,
        "IroSvA 2019",
        {None: f"irosva.{task.name.removeprefix('irosva-')}.test.csv"},
        (Column("ID", "id"), Column("IS_IRONIC", "label")),
        header=True,
        delimiter=",",
        codes=_numbered(task),
        source="columns of the training files; the description was not found",
        certain=False,
    )


def _tass(task: Task | TaskInfo) -> SubmissionFormat:
    # tass-general, intertass-es, ...
    name = task.name.partition("-")[2]
    return SubmissionFormat(
        task.name,
        "TASS",
        {None: f"{name}.tsv"},
        (Column("id", "id"), Column("label", "label")),
        header=False,
        delimiter="\t",
        codes={label: label for label in task.label_names},
        source="tweet id, tab, polarity, as in all editions; the organisers' "
        "description was not found",
        certain=False,
    )


def _semeval2018(task: Task | TaskInfo) -> SubmissionFormat:
    # semeval2018-ei-reg-en, semeval2018-ei-reg-en-anger, semeval2018-e-c-ar
    first, second, language, *rest = task.name.removeprefix("semeval2018-").split("-")
    start = (Column("ID", "id"), Column("Tweet", "text"))
    files: dict[str | None, str]
    if (first, second) == ("e", "c"):
        files = {None: f"E-C_{language}_pred.txt"}
        columns = (*start, *(Column(n, "flag", n) for n in task.label_names))
        codes: dict[str, str] = {}
    else:
        name = f"{first.upper()}-{second}_{language}"
        ordinal = second == "oc"
        value = (
            Column("Intensity Class", "label")
            if ordinal
            else Column("Intensity Score", "number")
        )
        if first == "v":
            files = {None: f"{name}_pred.txt"}
            dimension = Column("Affect Dimension", "fixed", "valence")
        elif rest:
            files = {None: f"{name}_{rest[0]}_pred.txt"}
            dimension = Column("Affect Dimension", "fixed", rest[0])
        else:
            emotions = ("anger", "fear", "joy", "sadness")
            files = {emotion: f"{name}_{emotion}_pred.txt" for emotion in emotions}
            dimension = Column("Affect Dimension", "group")
        columns = (*start, dimension, value)
        codes = {label: label for label in task.label_names} if ordinal else {}
    return SubmissionFormat(
        task.name,
        "SemEval-2018 Task 1",
        files,
        columns,
        header=True,
        delimiter="\t",
        codes=codes,
        source="scorer in the GitHub repository felipebravom/SemEval_2018_Task_1_Eval",
    )


def _generic(task: Task | TaskInfo) -> SubmissionFormat:
    columns = (Column("id", "id"),)
    groups: tuple[Column, ...] = ()
    if task.metric.by_group:
        groups = (Column("group", "group"),)
    if task.target_kind == "regression":
        values: tuple[Column, ...] = (Column("score", "number"),)
    elif task.target_kind == "multilabel":
        values = tuple(Column(name, "flag", name) for name in task.label_names)
    else:
        values = (Column("label", "label"),)
    simple = task.target_kind in {"binary", "multiclass"}
    return SubmissionFormat(
        task.name,
        "generic",
        {None: "predictions.csv"},
        (*columns, *groups, *values),
        header=True,
        delimiter=",",
        codes={label: label for label in task.label_names} if simple else {},
        source="layout of tweetclf",
    )


_FAMILIES = {
    "tweeteval-": _tweeteval,
    "hateval-": _hateval,
    "haha-2019": _haha,
    "irosva-": _irosva,
    "intertass-": _tass,
    "tass-": _tass,
    "semeval2018-": _semeval2018,
}


def submission_format(
    task: Task | TaskInfo, *, generic: bool = False
) -> SubmissionFormat:
    """Return what a submission for a task looks like.

    Parameters
    ----------
    task : Task or TaskInfo
        The task.
    generic : bool, default=False
        Take the layout of this package (CSV, header, id and label) also where the
        organisers ask for another; tasks of no known shared task always have it.

    Examples
    --------
    >>> from tweetclf.leaderboard.submission_formats import submission_format
    >>> from tweetclf.tasks import task_info
    >>> layout = submission_format(task_info("hateval-es-b"))
    >>> layout.files[None], [column.name for column in layout.columns]
    ('es_b.tsv', ['id', 'HS', 'TR', 'AG'])
    """
    # A file of one's own, which is version "local", may have the name of a task.
    if task.version != "local" and not generic:
        for start, build in _FAMILIES.items():
            if task.name.startswith(start) and (found := build(task)) is not None:
                return found
    return _generic(task)
