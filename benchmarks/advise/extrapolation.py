"""How far off extrapolated learning curves are, on tasks whose answer is known.

``python benchmarks/advise/extrapolation.py [TASK ...]`` trains three baselines on ever
larger parts of each task, shows the fit the first quarter (and half) of the labels, and
compares what it expects of the whole with what the whole gave. The error of such
extrapolations is then set so that 95 % of the intervals hold the truth: for each task
by the others alone, so that the coverage in the table is of tasks that were not looked
at, and for ``tweetclf.leaderboard.learning.FLOOR`` by all. ``--again`` keeps the
measured curves of the last run and computes the rest.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard import get_system
from tweetclf.leaderboard.learning import FLOOR, LearningCurve, fit_learning_curve
from tweetclf.leaderboard.shared_runs import Trials, lay_out
from tweetclf.tasks import Task, load_task
from tweetclf.utils.random import stream

RESULTS = Path(__file__).resolve().parent / "results"
DATA = os.environ.get("TWEETCLF_DATA") or (
    Path(__file__).resolve().parents[3] / "shared" / "data"
)

SYSTEMS = ("tfidf-lr", "char-svm", "nbsvm")
TASKS = (
    "cic-es",
    "coset",
    "emoevent-es",
    "haha-2019",
    "haha-2019-funniness",
    "irosva-cu",
    "irosva-es",
    "jcola",
    "semeval2018-e-c-en",
    "semeval2018-ei-reg-en-joy",
    "sentimix-spanglish",
    "stancecat-es",
    "tass-general",
    "tweeteval-emotion",
    "tweeteval-hate",
    "tweeteval-irony",
    "tweeteval-offensive",
    "umsab-arabic",
    "umsab-french",
)
# More labels than this are left out, to keep the whole to some minutes.
CAP = 10_000
LEVEL = 0.95
Z = 1.959963984540054


@dataclass(frozen=True)
class Item:
    """One extrapolation with its outcome; amounts are shares of the curve's scale."""

    task: str
    system: str
    metric: str
    n_seen: int
    n_to: int
    seen: float
    expected: float
    actual: float
    sign: float
    scale: float
    variance: float
    refused: str = ""

    @property
    def part(self) -> int:
        """How many times the labels that were seen the whole is."""
        return round(self.n_to / self.n_seen)

    @property
    def error(self) -> float:
        """Expected minus actual, above 0 where too much was expected."""
        return self.sign * (self.expected - self.actual) / self.scale

    @property
    def last_value_error(self) -> float:
        """The same of expecting no more than what was seen."""
        return self.sign * (self.seen - self.actual) / self.scale

    def reach(self, floor: float) -> float:
        """Half of the width of the interval with a floor."""
        beyond = math.log2(self.n_to / self.n_seen)
        return Z * math.sqrt(self.variance + (floor * beyond) ** 2)

    @property
    def floor(self) -> float:
        """The least floor with which the interval would hold the truth."""
        beyond = math.log2(self.n_to / self.n_seen)
        return math.sqrt(max((self.error / Z) ** 2 - self.variance, 0.0)) / beyond


def _capped(task: Task) -> Task:
    """Leave out labels above the cap, at random."""
    rng = stream(0, "cap", task.name)
    splits = dict(task.splits)
    names = ["train"] if task.test is not None else ["train", "dev"]
    for name in names:
        if name in splits and len(splits[name]) > CAP:
            kept = np.sort(rng.choice(len(splits[name]), CAP, replace=False))
            splits[name] = splits[name].take(kept)
    return replace(task, splits=splits)


def measure(name: str) -> list[dict[str, Any]]:
    """Return the learning curves of a task, as plain values."""
    task = _capped(load_task(name, data_dir=DATA))
    layout = lay_out(task)
    systems = SYSTEMS
    if task.target_kind == "regression":
        systems = ("tfidf-ridge",)
    curves = []
    for label in systems:
        system = get_system(label)
        trials = Trials(task, layout)
        record = trials.run(system)
        if record.status != "finished":
            raise SystemExit(f"{label} on {name}: {record.error}")
        curve = trials.curve(system, record)
        curves.append(
            {
                "task": name,
                "system": label,
                "metric": task.metric.name,
                "evaluation": layout.evaluation,
                "greater_is_better": curve.greater_is_better,
                "sizes": curve.sizes.tolist(),
                "scores": curve.scores.round(6).tolist(),
            }
        )
    return curves


def _items(found: dict[str, Any]) -> Iterable[Item]:
    """Extrapolate from a quarter and from half of the labels."""
    curve = LearningCurve(found["sizes"], found["scores"], found["greater_is_better"])
    for seen_to, to in ((2, 1), (2, 0), (1, 0)):
        if len(curve.sizes) < seen_to + 2:
            continue
        seen = curve.upto(curve.sizes[-1 - seen_to])
        n_to = int(curve.sizes[-1 - to])
        facts = {
            "task": found["task"],
            "system": found["system"],
            "metric": found["metric"],
            "n_seen": int(seen.sizes[-1]),
            "n_to": n_to,
            "seen": float(seen.mean[-1]),
            "actual": float(curve.mean[-1 - to]),
            "sign": curve.sign,
            "scale": seen.scale,
        }
        try:
            fitted = fit_learning_curve(seen, rng=np.random.default_rng(0), floor=0.0)
        except DataError as error:
            yield Item(
                **facts, expected=math.nan, variance=math.nan, refused=str(error)
            )
            continue
        more = fitted.extrapolate(min(n_to, 4 * facts["n_seen"]))
        variance = ((more.score_high - more.score_low) / 2 / Z / seen.scale) ** 2
        yield Item(**facts, expected=more.score, variance=variance)


def calibrate(items: Sequence[Item]) -> float:
    """Return the least floor with which 95 % of the intervals hold the truth."""
    needed = sorted(item.floor for item in items)
    return needed[min(math.ceil(LEVEL * len(needed)), len(needed)) - 1]


def _summary(items: Sequence[Item], floors: dict[str, float]) -> dict[str, Any]:
    errors = np.array([item.error for item in items])
    last = np.array([item.last_value_error for item in items])
    held = [abs(i.error) <= i.reach(floors[i.task]) for i in items]
    bare = [abs(i.error) <= i.reach(0.0) for i in items]
    return {
        "n": len(items),
        "n_tasks": len({item.task for item in items}),
        "mean_absolute_error": float(np.abs(errors).mean()),
        "mean_error": float(errors.mean()),
        "last_value_mean_absolute_error": float(np.abs(last).mean()),
        "coverage": float(np.mean(held)),
        "coverage_without_floor": float(np.mean(bare)),
        "mean_half_width": float(np.mean([i.reach(floors[i.task]) for i in items])),
    }


def evaluate(curves: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the table of extrapolations and what they come to."""
    every = [item for found in curves for item in _items(found)]
    items = [item for item in every if not item.refused]
    tasks = sorted({item.task for item in items})
    floors = {task: calibrate([i for i in items if i.task != task]) for task in tasks}
    kinds = {
        "a quarter to the whole": [i for i in items if i.part == 4],
        "half to the whole, a quarter to half": [i for i in items if i.part == 2],
    }
    return {
        "floor": calibrate(items),
        "floors_without_the_task": floors,
        "summary": {kind: _summary(part, floors) for kind, part in kinds.items()},
        "extrapolations": [
            {
                "task": i.task,
                "system": i.system,
                "metric": i.metric,
                "n_seen": i.n_seen,
                "n_to": i.n_to,
                "seen": i.seen,
                "expected": i.expected,
                "half_width": i.reach(floors[i.task]) * i.scale,
                "actual": i.actual,
                "held": abs(i.error) <= i.reach(floors[i.task]),
            }
            for i in items
        ],
        "refused": [
            {
                "task": i.task,
                "system": i.system,
                "n_seen": i.n_seen,
                "n_to": i.n_to,
                "reason": i.refused,
            }
            for i in every
            if i.refused
        ],
    }


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _summary(found: dict[str, Any]) -> list[str]:
    lines = [
        _line(
            [
                "from",
                "curves",
                "tasks",
                "mean absolute error",
                "of no change",
                "mean error",
                "coverage of 95 % intervals",
                "without floor",
                "mean half-width",
            ]
        ),
        _line(["---"] + ["---:"] * 8),
    ]
    for kind, row in found["summary"].items():
        lines.append(
            _line(
                [
                    kind,
                    str(row["n"]),
                    str(row["n_tasks"]),
                    f"{100 * row['mean_absolute_error']:.2f}",
                    f"{100 * row['last_value_mean_absolute_error']:.2f}",
                    f"{100 * row['mean_error']:+.2f}",
                    f"{100 * row['coverage']:.1f} %",
                    f"{100 * row['coverage_without_floor']:.1f} %",
                    f"{100 * row['mean_half_width']:.2f}",
                ]
            )
        )
    return lines


def _from_a_quarter(found: dict[str, Any]) -> list[str]:
    lines = [
        "",
        "From a quarter of the labels to the whole:",
        "",
        _line(["task", "system", "seen", "score", "to", "expected", "was", "held"]),
        _line(["---", "---", "---:", "---:", "---:", "---:", "---:", "---"]),
    ]
    for row in found["extrapolations"]:
        if round(row["n_to"] / row["n_seen"]) != 4:
            continue
        lines.append(
            _line(
                [
                    row["task"],
                    row["system"],
                    f"{row['n_seen']:,}",
                    f"{row['seen']:.3f}",
                    f"{row['n_to']:,}",
                    f"{row['expected']:.3f} ± {row['half_width']:.3f}",
                    f"{row['actual']:.3f}",
                    "yes" if row["held"] else "no",
                ]
            )
        )
    return lines


def to_markdown(found: dict[str, Any]) -> str:
    """Return the tables."""
    lines = [
        "# Extrapolated learning curves",
        "",
        "Written by `benchmarks/advise/extrapolation.py`. Errors are in points "
        "(hundredths of the score; of RMSE in hundredths of the error). The floor of "
        "each task is set on the other tasks.",
        "",
        f"Floor a doubling, set on all tasks: {100 * found['floor']:.2f} points "
        f"(`FLOOR` is {100 * FLOOR:.2f}).",
        "",
        *_summary(found),
        *_from_a_quarter(found),
    ]
    lines += ["", f"Refused: {len(found['refused'])}.", ""]
    for row in found["refused"]:
        lines.append(
            f"- {row['task']}, {row['system']}, {row['n_seen']:,} to {row['n_to']:,}: "
            f"{row['reason']}"
        )
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Measure, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", nargs="*", help="tasks (all)")
    parser.add_argument("--again", action="store_true", help="keep measured curves")
    args = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "extrapolation.json"
    curves: list[dict[str, Any]] = []
    if path.is_file():
        curves = json.loads(path.read_text("utf-8"))["curves"]
    for name in () if args.again else args.task or TASKS:
        start = time.process_time()
        new = measure(name)
        curves = [c for c in curves if c["task"] != name] + new
        curves.sort(key=lambda c: (c["task"], c["system"]))
        path.write_text(json.dumps({"curves": curves}), "utf-8")
        seconds = time.process_time() - start
        print(f"{name}: {seconds:.1f} s of processor time", flush=True)
    found = {**evaluate(curves), "curves": curves}
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    text = to_markdown(found)
    (RESULTS / "extrapolation.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
