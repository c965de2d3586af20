"""Model cards: the facts of the runs, as the README of a model on the Hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import RecordError
from tweetclf.reports.cells import settings, text_cell
from tweetclf.reports.exports._yaml import dump_yaml
from tweetclf.reports.exports.facts import Exported
from tweetclf.reports.exports.hub import HubDataset, metric_id, model_index
from tweetclf.reports.formatting import (
    format_bytes,
    format_count,
    format_rate,
    format_score,
    format_seconds,
    make_safe,
    plural,
)
from tweetclf.reports.model import (
    Block,
    Cell,
    Code,
    Column,
    Note,
    Paragraph,
    Report,
    Row,
    Section,
    Spans,
    Table,
    code,
    name,
    spans,
    strong,
)
from tweetclf.reports.provenance import environment_table, protocol_sentence
from tweetclf.reports.to_markdown import render_markdown
from tweetclf.reports.wording import join, metric_words

if TYPE_CHECKING:
    from tweetclf.persistence import ModelInfo

__all__ = ["model_card"]

MOST_LABELS = 40
"""Tables of scores by label are left out where there are more."""

# Fewer gold tweets than this say little about a label.
FEW = 100


def model_card(
    exported: Exported,
    *,
    predictions: Mapping[str, NDArray[Any]] | None = None,
    dataset: HubDataset | None = None,
    model: ModelInfo | None = None,
) -> str:
    """Return a model card: YAML metadata for the Hub, then facts in Markdown.

    Everything in it comes from run records, the registry of tasks and the model's
    manifest; nothing is guessed. What only people can know (intended use, licence of
    the model, who is harmed by errors) is not in it.

    Parameters
    ----------
    exported : Exported
        The runs.
    predictions : mapping of str to ndarray, optional
        Predictions of the first run, for the scores of each label.
    dataset : HubDataset, optional
        Where the data are on the Hub.
    model : ModelInfo, optional
        The saved model that the card is for, as
        :func:`tweetclf.persistence.model_info` describes it.

    Returns
    -------
    str
        The text of ``README.md``.

    Raises
    ------
    RecordError
        If the model says that it is another system or of another task.
    """
    if model is not None:
        _check_model(exported, model)
    title = f"{exported.entry.system} on {exported.board.facts.name}"
    system = exported.system
    by_label = _by_label(exported, predictions)
    sections = [
        Section("results", "Results", tuple(_results(exported, by_label))),
        Section("what", "What it is", (_identity(exported, model),)),
        Section("how", "Training and cost", tuple(_training(exported))),
        Section("limits", "Limits", (_limits(exported, by_label, model),)),
        Section("data", "Data", (_data(exported),)),
        Section("use", "Use", tuple(_use(exported, model))),
    ]
    subtitle = system.description if system else "A tweet classifier"
    report = Report(title, subtitle, (), tuple(sections))
    front = dump_yaml(_metadata(exported, dataset, title))
    return f"---\n{front}---\n\n{render_markdown(report)}"


def _check_model(exported: Exported, model: ModelInfo) -> None:
    expected = {"system": exported.spec.system, "task": exported.board.facts.name}
    for key, value in expected.items():
        found = model.metadata.get(key)
        if found is not None and found != value:
            raise RecordError(
                f"{model.path} holds a model whose {key} is {found!r}; the runs are of "
                f"{value!r}. Name runs of the same system and task."
            )


def _metadata(
    exported: Exported, dataset: HubDataset | None, title: str
) -> dict[str, Any]:
    facts = exported.board.facts
    language = facts.language.partition("-")[0]
    front: dict[str, Any] = {}
    if language != "und":
        front["language"] = [make_safe(language)]
    front["library_name"] = "tweetclf"
    front["pipeline_tag"] = "text-classification"
    front["tags"] = ["tweetclf", "tweets", "text-classification"]
    if dataset:
        front["datasets"] = [make_safe(dataset.id)]
    ids = dict.fromkeys(metric_id(signature) for signature in exported.metrics)
    front["metrics"] = [make_safe(text) for text in ids]
    front["model-index"] = model_index(exported, dataset, title)
    return front


def _facts_table(key: str, caption: str, rows: Sequence[tuple[str, str]]) -> Table:
    return Table(
        key,
        caption,
        (Column("fact", "What"), Column("value", "Value")),
        tuple(
            Row((text_cell(fact), text_cell(value)), "data")
            for fact, value in rows
            if value
        ),
        header_column="fact",
    )


ByLabel = list[tuple[str, float, float, float, int]]


def _by_label(
    exported: Exported, predictions: Mapping[str, NDArray[Any]] | None
) -> ByLabel:
    """Return label, precision, recall, F1 and gold tweets; empty where not defined."""
    labels = exported.board.facts.label_names
    if predictions is None or not 2 <= len(labels) <= MOST_LABELS:
        return []
    from sklearn.metrics import precision_recall_fscore_support

    found = precision_recall_fscore_support(
        predictions["y_true"],
        predictions["y_pred"],
        labels=np.arange(len(labels)),
        zero_division=0.0,
    )
    columns = (column.tolist() for column in found)
    return list(zip(labels, *columns, strict=True))


def _results(exported: Exported, by_label: ByLabel) -> list[Block]:
    blocks: list[Block] = [Paragraph(spans(strong(exported.score_text), "."))]
    rows = []
    means = exported.means
    for signature, values in exported.metrics.items():
        known = [value for value in values if value is not None]
        mean = means[signature]
        spread = float(np.std(known, ddof=1)) if len(known) > 1 else None
        words = metric_words(signature)
        cells = [
            text_cell(words.short),
            Cell(mean, format_score(mean)),
            Cell(spread, format_score(spread)),
            text_cell(signature),
        ]
        rows.append(Row(tuple(cells), "data"))
    many = len(exported.seeds) > 1
    columns = (
        Column("metric", "Metric"),
        Column("score", "Score", "right", "score"),
        Column("spread", "Standard deviation", "right", "score", data_only=not many),
        Column("signature", "Signature"),
    )
    caption = f"Scores on {exported.board.split}, the official metric first"
    blocks.append(Table("scores", caption, columns, tuple(rows)))
    if by_label:
        blocks.append(_label_table(by_label, exported.seeds[0]))
    return blocks


def _label_table(by_label: ByLabel, seed: int) -> Table:
    def scores(values: Sequence[float]) -> list[Cell]:
        return [Cell(value, format_score(value)) for value in values]

    return Table(
        "labels",
        f"Each label (seed {seed})",
        (
            Column("label", "Label"),
            Column("precision", "Precision", "right", "score"),
            Column("recall", "Recall", "right", "score"),
            Column("f1", "F1", "right", "score"),
            Column("n", "Gold tweets", "right", "count"),
        ),
        tuple(
            Row((text_cell(label), *scores(rest), Cell(n, format_count(n))), "data")
            for label, *rest, n in by_label
        ),
        header_column="label",
    )


def _identity(exported: Exported, model: ModelInfo | None) -> Table:
    facts, spec, system = exported.board.facts, exported.spec, exported.system
    profiles = model.profiles if model else exported.profiles
    chosen = dict.fromkeys(settings(run.selected) for run in exported.entry.records)
    rows = [
        ("System", spec.system),
        ("Source of the system", system.source if system else ""),
        ("Settings chosen", "; ".join(text for text in chosen if text)),
        ("Preprocessing profile", ", ".join(profiles)),
        ("Task", f"{facts.name}, version {facts.version}"),
        ("Language", facts.language),
        ("Kind", facts.kind),
        ("Labels", ", ".join(facts.label_names) if len(facts.label_names) < 50 else ""),
        ("Official metric", facts.metric),
    ]
    if model:
        versions = ", ".join(f"{k} {v}" for k, v in model.versions.items())
        rows += [
            ("Estimator", model.estimator),
            ("Size on disk", format_bytes(model.n_bytes)),
            ("Saved with", versions),
        ]
    return _facts_table("identity", "System and task", rows)


def _selection(seconds: float) -> str:
    """Return the time of the selection; nothing where there was none."""
    return format_seconds(seconds) if seconds > 0 else ""


def _training(exported: Exported) -> list[Block]:
    board, entry = exported.board, exported.entry
    sizes = board.facts.sizes
    listed = join(
        [f"{split} {format_count(n)}" for split, n in sizes.items() if split != "cv"]
    )
    rows = [
        ("Training", format_seconds(entry.mean_cost("fit_seconds"))),
        ("Selection of settings", _selection(entry.mean_cost("select_seconds"))),
        (
            "Tweets predicted a second",
            format_rate(entry.mean_cost("tweets_per_second")),
        ),
        (
            "Growth of memory in training and prediction",
            format_bytes(entry.mean_cost("peak_memory")),
        ),
        ("Size of the model", format_bytes(entry.mean_cost("model_bytes"))),
        ("tweetclf", ", ".join({r.spec.version: None for r in entry.records})),
    ]
    blocks: list[Block] = [
        Paragraph(spans(f"Tweets: {listed}. ", protocol_sentence(board))),
        _facts_table("cost", "Cost, mean over runs", rows),
    ]
    environment = environment_table(entry.records)
    return blocks if environment is None else [*blocks, environment]


def _weak_labels(by_label: ByLabel) -> list[Spans]:
    """Say which labels have few tweets, and which is found worst."""
    if not by_label:
        return []
    items: list[Spans] = []
    rare = [label for label, _, _, _, n in by_label if n < FEW]
    if rare:
        items.append(
            spans(
                f"Labels with fewer than {FEW} gold tweets, whose scores are "
                f"uncertain: {join(rare)}."
            )
        )
    worst = min(by_label, key=lambda row: row[3])
    items.append(
        spans(
            "Worst label: ",
            name(worst[0]),
            f" with F1 {format_score(worst[3])}: {worst[2]:.0%} of its tweets are "
            f"found, and {worst[1]:.0%} of the tweets given it have it.".replace(
                "%", " %"
            ),
        )
    )
    return items


def _limits(exported: Exported, by_label: ByLabel, model: ModelInfo | None) -> Note:
    """Say what the facts show that the numbers do not cover."""
    board, records = exported.board, exported.entry.records
    facts = board.facts
    items: list[Spans] = [
        spans(
            "Measured on ",
            name(facts.name),
            " (language ",
            code(facts.language),
            ") and nothing else: other topics, times, platforms and ways of writing "
            "were not tested.",
        )
    ]
    if facts.kind in {"binary", "multiclass"}:
        n = len(facts.label_names)
        items.append(
            spans(f"Every text gets one of the {n} labels, even if none of them fits.")
        )
    if len(records) == 1:
        items.append(
            spans("One run: how much the score changes with the seed was not measured.")
        )
    items.append(
        spans(
            "The interval says how the score would vary over other tweets of the same "
            "kind; it says nothing of other seeds or training sets."
        )
    )
    items += _weak_labels(by_label)
    if board.split == "cv":
        items.append(
            spans(
                "Scored by cross-validation: each score is of several models, each "
                "trained on a part of the tweets."
            )
        )
    seen = dict.fromkeys(text for record in records for text in record.warnings)
    items += [spans(text[:1].upper(), text[1:], ".") for text in seen if text]
    if model is not None:
        items.append(
            spans(
                "The scores are not those of the saved model but of runs of the same "
                "system on the same task. The saved model was trained apart from them, "
                "on tweets that its author chose, and was not scored."
            )
        )
    return Note("warning", "Known limits", tuple(items))


def _data(exported: Exported) -> Table:
    info, facts = exported.info, exported.board.facts
    rows = [(f"sha256 of {split}", digest) for split, digest in facts.data.items()]
    if info is None:
        rows.append(("Source", "not a registered task: data of the author's own"))
    else:
        rows = [
            ("Source", info.source),
            ("Licence of the data", info.licence),
            ("Citation", info.citation),
            ("How to obtain them", info.how_to_obtain),
            ("Dev split", info.dev_source),
            ("Test split", info.test_source),
            *rows,
        ]
    return _facts_table("data", "Where the tweets come from", rows)


def _use(exported: Exported, model: ModelInfo | None) -> list[Block]:
    blocks: list[Block] = []
    if model is not None:
        blocks += [
            Paragraph(spans("Loading executes no code: JSON and safetensors only.")),
            Code(
                'import tweetclf\nmodel = tweetclf.load("FOLDER")\n'
                'model.predict(["texto de un tuit"])'
            ),
        ]
    keys = [record.key for record in exported.entry.records]
    blocks += [
        Paragraph(
            spans(
                f"Whoever has the data and the store of the runs can make "
                f"{plural(len(keys), 'run')} again and compare every number:"
            )
        ),
        Code("\n".join(f"tweetclf rerun {key}" for key in keys)),
    ]
    return blocks
