"""Exports as files, in the folders where MTEB and the Hub look for them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tweetclf.exceptions import RecordError
from tweetclf.reports.exports._yaml import dump_yaml
from tweetclf.reports.exports.card import model_card
from tweetclf.reports.exports.facts import Exported, all_exported
from tweetclf.reports.exports.hub import HubDataset, eval_results, hub_dataset
from tweetclf.reports.exports.mteb import mteb_result
from tweetclf.reports.formatting import unique_slugs
from tweetclf.utils.files import write_text_atomic

if TYPE_CHECKING:
    from tweetclf.leaderboard.boards import Leaderboard
    from tweetclf.leaderboard.records import RunRecord
    from tweetclf.persistence import ModelInfo

__all__ = ["EXPORTS", "export_runs"]

EXPORTS = ("mteb", "eval-results", "card")
"""What runs can be exported as."""


def export_runs(
    leaderboard: Leaderboard,
    predictions: Callable[[RunRecord], Mapping[str, NDArray[Any]]],
    folder: str | os.PathLike[str],
    *,
    formats: Sequence[str] = EXPORTS,
    dataset: HubDataset | None = None,
    source_url: str | None = None,
    model: ModelInfo | None = None,
) -> tuple[list[Path], list[str]]:
    """Write the systems of a leaderboard as files for other tools.

    Parameters
    ----------
    leaderboard : Leaderboard
        Ranked runs; systems without a defined score are left out.
    predictions : callable
        Record -> its predictions, e.g. ``RunStore.predictions``.
    folder : path
        Where to write: ``mteb/SYSTEM/VERSION/TASK.json``, ``hub/TASK/SYSTEM/README.md``
        and ``hub/TASK/SYSTEM/.eval_results/TASK.yaml`` in it.
    formats : sequence of str, default=("mteb", "eval-results", "card")
        What to write.
    dataset : HubDataset, optional
        Where the data are on the Hub, for all tasks of the leaderboard; by default
        what is known of them.
    source_url : str, optional
        Page with the records, for the Hub.
    model : ModelInfo, optional
        The saved model that the card is for; there must be one system and task then.

    Returns
    -------
    paths : list of pathlib.Path
        The files written.
    remarks : list of str
        What was left out, and why.

    Raises
    ------
    RecordError
        If there is nothing to export, or a model does not fit the runs.
    ValueError
        If a format is unknown.
    """
    unknown = [name for name in formats if name not in EXPORTS]
    if unknown:
        raise ValueError(
            f"export_runs: formats must be of {', '.join(EXPORTS)}. Got {unknown[0]!r} "
            "instead."
        )
    found = list(all_exported(leaderboard))
    if not found:
        raise RecordError("there is no finished run with a defined score to export.")
    if model is not None and len(found) > 1:
        raise RecordError(
            f"a model card is for one system on one task; there are {len(found)}. "
            "Choose with --task and --system, or name one record."
        )
    remarks: list[str] = []
    # Everything is made before anything is written.
    texts: dict[Path, str] = {}
    for exported, (task, system) in zip(found, _slugs(found), strict=True):
        where = dataset or hub_dataset(exported.board.facts.name)
        place = Path("hub", task, system)
        if "mteb" in formats:
            version = unique_slugs([exported.spec.version])[0]
            document = mteb_result(exported)
            text = json.dumps(document, indent=2, allow_nan=False) + "\n"
            texts[Path("mteb", system, version, f"{task}.json")] = text
        if "eval-results" in formats and exported.board.split != "test":
            remarks.append(
                f"no .eval_results for {exported.board.facts.name}: it was scored by "
                "cross-validation, and the Hub compares scores on test"
            )
        elif "eval-results" in formats and where is None:
            remarks.append(
                f"no .eval_results for {exported.board.facts.name}: its dataset on the "
                "Hub is not known; name it with --dataset-id"
            )
        elif "eval-results" in formats and where is not None:
            entries = eval_results(exported, where, source_url=source_url)
            texts[place / ".eval_results" / f"{task}.yaml"] = dump_yaml(entries)
        if "card" in formats:
            arrays = predictions(exported.entry.records[0])
            texts[place / "README.md"] = model_card(
                exported, predictions=arrays, dataset=where, model=model
            )
    paths = [Path(folder) / path for path in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text_atomic(path, text)
    return paths, list(dict.fromkeys(remarks))


def _slugs(found: Sequence[Exported]) -> list[tuple[str, str]]:
    """Return a folder name for the task and the system of each, all different."""

    def named(names: Sequence[str]) -> dict[str, str]:
        unique = list(dict.fromkeys(names))
        return dict(zip(unique, unique_slugs(unique), strict=True))

    # One task may stand here by test and by cross-validation, or in two versions.
    titles = [
        f"{e.board.facts.name} {e.board.split} {sorted(e.board.facts.data.items())}"
        for e in found
    ]
    shown = dict(zip(titles, (e.board.facts.name for e in found), strict=True))
    tasks = dict(zip(shown, unique_slugs(list(shown.values())), strict=True))
    systems = named([e.entry.system for e in found])
    return [
        (tasks[title], systems[e.entry.system])
        for title, e in zip(titles, found, strict=True)
    ]
