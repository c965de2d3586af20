"""Write the CSV files of published results from the collections they were taken from.

Run ``python benchmarks/published/build.py FOLDER``, where FOLDER holds
``published_results.json`` and ``data/*/published.json``. It says, in one place, to
which task, version of the data and metric each printed number belongs, how many texts
were scored where that is known, and which errata are known. Rows may be added to the
CSV files by hand; a test compares them with the collections.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from errata import note_on

from tweetclf.tasks import get_metric, task_info
from tweetclf.tasks._published_csv import FOLDER
from tweetclf.tasks.published import PublishedResult, write_published

# Dataset and language as printed: registered task, version of its data. Where a source
# used other data of the same name, the version says so; empty: the source does not say.
TASKS: dict[tuple[str, str], tuple[str, str]] = {
    ("COSET (IberEval 2017)", "es"): ("coset", "2017"),
    ("SDTC (IberEval 2017 stance, es)", "es"): ("stancecat-es", "2017"),
    ("IroSVA 2019 Spain", "es-ES"): ("irosva-es", "2019"),
    ("IroSVA 2019 Mexico", "es-MX"): ("irosva-mx", "2019"),
    ("IroSVA 2019 Cuba", "es-CU"): ("irosva-cu", "2019"),
    ("HatEval 2019 subtask A", "es"): ("hateval-es", "2019"),
    ("HatEval 2019 subtask A", "en"): ("hateval-en", "2019"),
    ("HatEval 2019 subtask B", "es"): ("hateval-es-b", "2019"),
    **{
        (f"TASS 2019 {country}", f"es-{code.upper()}"): (f"intertass-{code}", "2019")
        for country, code in (
            ("Spain", "es"),
            ("Costa Rica", "cr"),
            ("Uruguay", "uy"),
            ("Peru", "pe"),
            ("Mexico", "mx"),
        )
    },
    ("HAHA 2019 Task 1 (humor detection)", "es"): ("haha-2019", "2019"),
    ("HAHA 2019 Task 2 (funniness score)", "es"): ("haha-2019-funniness", "2019"),
    ("SemEval-2017 Task 4A (SE2017)", "en"): (
        "tweeteval-sentiment",
        "SemEval-2017, as released",
    ),
    ("SemEval-2018 Task 2 emoji (SE2018)", "en"): (
        "tweeteval-emoji",
        "SemEval-2018, as released",
    ),
    ("SemEval-2020 Task 9 (SE2020)", "es+en"): ("sentimix-spanglish", "2020"),
    ("JSTS", "ja"): ("jsts", ""),
    ("JCoLA", "ja"): ("jcola", ""),
}
METRICS = {
    "macro-F1": "macro_f1",
    "macro-precision": "macro_precision",
    "macro-recall": "macro_recall",
    "average recall": "macro_recall",
    "accuracy": "accuracy",
    "accuracy (%)": "accuracy",
    "accuracy (%), best of a 100-trial sweep": "accuracy",
    "F1 (avg)": "macro_f1",
    "average F1": "mean_bit_macro_f1",
    "EMR": "exact_match",
    "jaccard-accuracy": "jaccard",
    "Pearson": "pearson",
    "Spearman": "spearman",
}
BINARY = {
    "F1": "binary_f1",
    "precision": "binary_precision",
    "recall": "binary_recall",
}
# The mean of two accuracies is no share of texts.
NOT_SCORES = ("mean of D'1 and D'2",)
SIZES = {
    "D'1 (topic: random reply negatives, 30k pairs)": 30_000,
    "D'2 (order: swapped pairs, 30k pairs)": 30_000,
}


def signature(metric: str, task: str, dataset: str) -> str:
    """Return the signature of a metric as printed; empty where it has none."""
    if dataset in NOT_SCORES:
        return ""
    if metric == "macro-F1 (neutral class excluded)":
        return task_info(task).metric.signature()
    if metric in BINARY and task.startswith("haha"):
        return get_metric(BINARY[metric], pos="humor").signature()
    return get_metric(METRICS[metric]).signature() if metric in METRICS else ""


def size(task: str, version: str, split: str, dataset: str = "") -> int | None:
    """Return how many texts were scored, where that is known."""
    if dataset in SIZES:
        return SIZES[dataset]
    if not task or task_info(task).version != version:
        return None
    info = task_info(task)
    if info.target_kind == "regression" or split not in {"test", "dev"}:
        return None
    if split == "dev" and info.dev_source != "official":
        return None
    rows = info.rows
    return rows.get(split) or rows.get(f"{split}_unlabelled")


def is_percent(cite: str, metric: str, value: float) -> bool:
    """Tell whether a number is printed in percent."""
    if cite == "gonzalez-2021-twilbert":
        return not metric.startswith("gamma")
    if cite == "zhang-2023-twhin-bert":
        return metric != "HITS@10"
    return cite == "bert-japanese-twitter" and "(%)" in metric


def row(
    cite: str, system: str, split: str, value: float, scale: int, **more: Any
) -> PublishedResult:
    """Return a row; the score and source are filled in on reading."""
    return PublishedResult(
        system=system,
        task=more.pop("task", ""),
        signature=more.pop("signature", ""),
        split=split,
        score=value / scale,
        source="",
        cite=cite,
        value=value,
        scale=scale,
        **more,
    )


def papers(numbers: list[dict[str, Any]]) -> Iterator[PublishedResult]:
    """Yield a row for every number of ``published_results.json``."""
    for item in numbers:
        dataset, language = item["dataset"], item["language"]
        task, version = TASKS.get((dataset, language), ("", ""))
        metric, split = item["metric"], item["split"]
        yield row(
            item["cite"],
            item["system"],
            split,
            item["value"],
            100 if is_percent(item["cite"], metric, item["value"]) else 1,
            table=item["table"],
            dataset=dataset,
            language=language,
            metric=metric,
            task=task,
            version=version,
            signature=signature(metric, task, dataset),
            n=size(task, version, split, dataset),
            note=note_on(item),
        )


def tweeteval(content: dict[str, Any]) -> Iterator[PublishedResult]:
    """Yield the leaderboard of TweetEval, and its shipped predictions' scores."""
    notes = {"LSTM": "called LSTM in the table", "SVM": "word and character n-grams"}
    for system, scores in content["results"].items():
        for name in (*content["metrics"],):
            info = None if name == "all" else task_info(f"tweeteval-{name}")
            yield row(
                "barbieri-2020-tweeteval",
                "BLSTM" if system == "LSTM" else system,
                "test",
                scores[name],
                100,
                table=f"system of {scores['reference']}",
                dataset=f"TweetEval {name}",
                language="en",
                metric=content["metrics"][name],
                task=info.name if info else "",
                version=info.version if info else "",
                signature=info.metric.signature() if info else "",
                n=size(info.name, info.version, "test") if info else None,
                note=notes.get(system, ""),
            )
    key = "scores_recomputed_from_the_published_predictions_of_RoBERTa-Retrained"
    for name, value in content[key].items():
        info = task_info(f"tweeteval-{name}")
        yield row(
            "tweeteval-predictions",
            "RoBERTa-Retrained (shipped predictions)",
            "test",
            value,
            100,
            dataset=f"TweetEval {name}",
            language="en",
            metric=content["metrics"][name],
            task=info.name,
            version=info.version,
            signature=info.metric.signature(),
            n=size(info.name, info.version, "test"),
            note="one run; the table's row is another score",
        )


def umsab(content: dict[str, Any]) -> Iterator[PublishedResult]:
    """Yield the table of UMSAB."""
    for language, scores in content["results"].items():
        task = "" if language == "all" else f"umsab-{language}"
        for system, value in zip(content["columns"], scores, strict=True):
            yield row(
                "barbieri-2022-xlm-t",
                system,
                "test",
                value,
                100,
                dataset=f"UMSAB {language}",
                language=task_info(task).language if task else "mul",
                metric="macro F1",
                task=task,
                version=task_info(task).version if task else "",
                signature=task_info(task).metric.signature() if task else "",
                # Every language has the same size.
                n=870 if task else None,
                note="" if task else "mean over the eight languages",
            )


HAHA = {
    "detection_f1": ("", "F1 of the humorous class"),
    "funniness_rmse": ("-funniness", "RMSE"),
    "mechanism_macro_f1": ("-mechanism", "macro F1"),
    "target_macro_f1": ("-target", "macro F1"),
}


def haha(content: dict[str, Any]) -> Iterator[PublishedResult]:
    """Yield the results of the three editions of HAHA."""
    for edition, columns in content.items():
        year = edition[5:9]
        cite = {"2019": "chiruzzo-2019-haha", "2018": "haha-2018-scores"}.get(year)
        for column, scores in columns.items():
            if column == "status":
                continue
            suffix, metric = HAHA[column]
            # The corpus of 2018 is another one: shown apart with 2019.
            task = f"haha-{'2019' if year == '2018' else year}{suffix}"
            for system, value in scores.items():
                jocoso = "odesia" if system == "BERT4EVER" else "grover-2021-jocoso"
                yield row(
                    cite or jocoso,
                    system,
                    "test",
                    value,
                    1,
                    dataset=f"HAHA {year}",
                    language="es",
                    metric=metric,
                    task=task,
                    version=year,
                    signature=task_info(task).metric.signature(),
                    n=size(task, year, "test"),
                    note="quoted from memory of the overview paper, not checked "
                    "against a copy"
                    if year == "2019"
                    else "",
                )


# From the READMEs beside the data: macro F1 in percent, means over runs.
PYSENTIMIENTO = {
    "emotion": (53.11, 50.18, 52.16, 46.29, 55.29),
    "irony": (71.9, 69.31, 71.48, 67.07, 74.07),
}
MODELS = (
    "PlanTL-GOB-ES/roberta-base-bne",
    "bertin-project/bertin-roberta-base-spanish",
    "dccuchile/bert-base-spanish-wwm-cased",
    "mrm8488/electricidad-base-discriminator",
    "pysentimiento/robertuito-base-uncased",
)


def pysentimiento(content: dict[str, Any]) -> Iterator[PublishedResult]:
    """Yield pysentimiento's table; results over all variants with each variant."""
    scores = dict(content["TASS 2020 sentiment, mean macro F1 over runs"])
    del scores["status"]
    pooled = "mean over runs, all {} variants together"
    parts: list[tuple[str, str, list[str], str, str, dict[str, float]]] = [
        (
            "emotion",
            "EmoEvalEs 2021",
            ["emoevent-es"],
            "2021, labels as released",
            "mean over runs; test labels as released, whose emotion column is shifted "
            "in part",
            dict(zip(MODELS, PYSENTIMIENTO["emotion"], strict=True)),
        ),
        (
            "irony",
            "IroSvA 2019, all variants",
            ["irosva-es", "irosva-mx", "irosva-cu"],
            "2019, all variants together",
            pooled.format("three"),
            dict(zip(MODELS, PYSENTIMIENTO["irony"], strict=True)),
        ),
        (
            "sentiment",
            "TASS 2020, all variants",
            [f"intertass-{code}" for code in ("es", "mx", "uy", "pe", "cr")],
            "2020, all variants together",
            pooled.format("five"),
            scores,
        ),
    ]
    for column, dataset, tasks, version, note, numbers in parts:
        for task in tasks:
            for system, value in numbers.items():
                yield row(
                    "pysentimiento-results",
                    system,
                    "test",
                    value,
                    100,
                    table=f"column {column}",
                    dataset=dataset,
                    language="es",
                    metric="macro F1",
                    task=task,
                    version=version,
                    signature=task_info(task).metric.signature(),
                    note=note,
                )


def main(folder: Path) -> None:
    """Write both files."""

    def read(name: str) -> Any:
        return json.loads((folder / name).read_text(encoding="utf-8"))

    numbers = list(papers(read("published_results.json")))
    boards = [
        *tweeteval(read("data/tweeteval/published.json")),
        *umsab(read("data/umsab/published.json")),
        *haha(read("data/haha/published.json")),
        *pysentimiento(read("data/intertass/published.json")),
    ]
    write_published(numbers, FOLDER / "papers.csv")
    write_published(boards, FOLDER / "leaderboards.csv")
    print(f"{len(numbers)} numbers of papers, {len(boards)} rows of leaderboards")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
