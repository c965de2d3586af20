"""Search spaces in files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tweetclf.exceptions import DataError
from tweetclf.leaderboard import (
    Choice,
    Integer,
    LogUniform,
    SearchProtocol,
    Uniform,
    get_system,
    read_space,
)
from tweetclf.leaderboard.spaces import Plan
from tweetclf.tasks import load_task

DOCS = Path(__file__).parents[2] / "docs" / "search.md"


def _write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_space_of_the_docs_is_read(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert block is not None
    space = read_space(_write(tmp_path, block[1]))
    assert dict(space.dimensions) == {
        "svm__loss": Choice(("hinge", "squared_hinge")),
        "svm__C": LogUniform(0.01, 10.0),
        "tfidf__min_df": Integer(1, 5),
        "tfidf__ngram_range": Choice(((1, 4), (1, 5))),
        "svm__intercept_scaling": LogUniform(0.1, 100.0),
    }
    assert dict(space.conditions) == {
        "svm__intercept_scaling": ("svm__loss", ("squared_hinge",))
    }
    assert (space.name, space.plan) == ("mine", Plan("tpe", 40))
    # Its parameters are those of a system that the docs search.
    task, system = load_task("sample-humor"), get_system("char-svm")
    system.check_parameters(task, space.dimensions, "the docs' space")
    settled, _ = SearchProtocol(space=space).settle(system, task)
    assert (settled.space, settled.strategy, settled.n_trials) == ("mine", "tpe", 40)


def test_json_knows_null(tmp_path: Path) -> None:
    document = {
        "name": "weights",
        "source": "our notebook",
        "parameters": {
            "svm__class_weight": [None, "balanced"],
            "svm__C": {"low": 0, "high": 1.5},
        },
    }
    space = read_space(_write(tmp_path, json.dumps(document), "x.json"))
    assert space.dimensions["svm__class_weight"] == Choice((None, "balanced"))
    assert space.dimensions["svm__C"] == Uniform(0.0, 1.5)
    assert (space.name, space.source) == ("weights", "our notebook")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "is not TOML"),
        ("", "'parameters' is missing or empty"),
        ("parameters = 3", "'parameters' must be a table, got 3"),
        ("paramters = {C = [1]}", "Did you mean 'parameters'?"),
        ("parameters = {C = 1}", "parameter 'C': expected a list of values"),
        ("parameters = {C = []}", "parameter 'C': Choice() has no values"),
        ("parameters = {C = {values = 3}}", "expected a list of values"),
        ("parameters = {C = {low = 1}}", "expected a list of values"),
        ("parameters = {C = {low = 1, high = 2, logg = true}}", "Did you mean 'log'?"),
        ("parameters = {C = {low = 1, high = '2'}}", "'high' must be a number"),
        ("parameters = {C = {low = 1, high = 2, log = 1}}", "'log' must be true or"),
        ("parameters = {C = {low = 2.0, high = 1.0}}", "has no proper bounds"),
        ("parameters = {C = {low = 0, high = 1, log = true}}", "no proper bounds"),
        ("parameters = {C = {values = [1], when = 'x'}}", "'when' must name one"),
        ("parameters = {C = {values = [1], when = {b = 1}}}", "'b' first"),
        ("name = 'grid'\nparameters = {C = [1]}", "there is a space 'grid' already"),
        ("name = 3\nparameters = {C = [1]}", "'name' must be a string"),
        ("parameters = {C = [1]}\nplan = {trials = 3}", "unknown key 'trials'"),
        ("parameters = {C = [1]}\nplan = {n_seeds = 0}", "n_seeds must be an integer"),
        (
            'parameters = {C = [1]}\nplan = {strategy = "best"}',
            "strategy must be grid or random or halving or tpe, got 'best'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    text: str, said: str, tmp_path: Path
) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(DataError, match=re.escape(said)) as caught:
        read_space(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "holds no JSON object"), ("{", "is not JSON")]
)
def test_a_file_that_is_no_json_object(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        read_space(_write(tmp_path, text, "x.json"))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no search space at"):
        read_space(tmp_path / "none.toml")
