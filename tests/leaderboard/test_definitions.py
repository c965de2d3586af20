from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tweetclf.exceptions import DataError
from tweetclf.leaderboard import Protocol, get_system, read_definition
from tweetclf.leaderboard.definitions import _DATA, DEFAULT
from tweetclf.tasks import load_task, task_info

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "leaderboards"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_definitions_name_what_exists(path: Path) -> None:
    definition = read_definition(path)
    assert [task_info(task).name for task in definition.tasks] == list(definition.tasks)
    assert [get_system(system).name for system in definition.systems] == list(
        definition.systems
    )


def test_the_spanish_leaderboard_has_the_tasks_that_its_comment_names() -> None:
    path = FOLDER / "spanish.toml"
    definition = read_definition(path)
    assert definition.tasks == (
        "hateval-es",
        "irosva-es",
        "irosva-cu",
        "haha-2019",
        "emoevent-es",
        "cic-es",
        "coset",
        "tass-general",
        "intertass-mx",
    )
    comment = path.read_text("utf-8").split("title")[0]
    for word in ("hate", "irony", "humour", "emotion", "stance", "topic", "sentiment"):
        assert word in comment
    assert "ngram-ensemble" in definition.systems


def test_default_runs_on_bundled_tasks() -> None:
    assert all(task_info(task).bundled for task in DEFAULT.tasks)
    assert all(get_system(system) for system in DEFAULT.systems)


def test_all_keys_are_read(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_text(
        'title = "T"\ntasks = ["a"]\nsystems = ["b"]\nseeds = [0, 3]\n'
        'grid = true\nrefit_on_dev = true\nevaluation = "cv"\nn_folds = 3\n'
        "n_resamples = 500\n"
    )
    definition = read_definition(path)
    assert definition.seeds == (0, 3)
    assert definition.n_resamples == 500
    assert definition.protocol == Protocol("cv", 3, grid=True, refit_on_dev=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks = [", "is not TOML"),
        ('tasks = ["a"]', "'systems' is missing"),
        ('tasks = ["a"]\nsystems = ["b"]\nseed = [1]', "Did you mean 'seeds'"),
        ('tasks = "a"\nsystems = ["b"]', "'tasks' must be a list"),
        ('tasks = [1]\nsystems = ["b"]', "must hold strings"),
        ('tasks = ["a"]\nsystems = ["b"]\ngrid = 1', "'grid' must be true or false"),
        ('tasks = ["a"]\nsystems = ["b"]\nseeds = [-1]', "integers from 0"),
        ('tasks = ["a"]\nsystems = ["b"]\nevaluation = "dev"', '"test" or "cv"'),
        ('tasks = ["a"]\nsystems = ["b"]\nn_folds = 1', "at least 2"),
        ('tasks = ["a"]\nsystems = ["b"]\nn_resamples = 99', "at least 100"),
        ('tasks = ["a", "a"]\nsystems = ["b"]', "'a' stands twice in 'tasks'"),
        ('tasks = ["a"]\nsystems = ["b", "b"]', "'b' stands twice in 'systems'"),
        ('tasks = ["a"]\nsystems = ["b"]\nseeds = [1, 1]', "1 stands twice"),
        ('tasks = ["a"]\nsystems = ["b"]\nseeds = []', "'seeds' is empty"),
        ('tasks = ["a"]\nsystems = ["b"]\ndata = "x"', "'data' must be a table"),
        (
            'tasks = ["a"]\nsystems = ["b"]\n[data]\ngruop = "x"',
            r"\[data\]: unknown key 'gruop'. Did you mean 'group'",
        ),
        (
            'tasks = ["a"]\nsystems = ["b"]\n[data]\nquoting = 1',
            "'quoting' must be true or false",
        ),
    ],
)
def test_errors_name_the_file_and_the_key(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "d.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_definition(path)
    assert "d.toml" in str(caught.value)


def test_the_table_of_data_is_what_load_task_takes(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    table = 'label = ["a", "b"]\ngroup = "author"\nquoting = false\nseed = 3\n'
    path.write_text(f'tasks = ["a"]\nsystems = ["b"]\n[data]\n{table}')
    assert read_definition(path).data == {
        "label": ["a", "b"],
        "group": "author",
        "quoting": False,
        "seed": 3,
    }
    own = set(inspect.signature(load_task).parameters)
    assert set(_DATA) == own - {"name_or_path", "data_dir", "verify", "holdout"}


def test_missing_definition(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no definition at"):
        read_definition(tmp_path / "none.toml")
