"""Systems under names of one's own, with parameters and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tweetclf import load_task
from tweetclf.cli import main
from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.leaderboard import (
    Protocol,
    RunStore,
    choose_systems,
    get_system,
    read_definition,
    run_leaderboard,
)
from tweetclf.leaderboard.given import parse_parameters
from tweetclf.leaderboard.runner import check_runs, make_spec


def test_values_are_json_or_text():
    given = parse_parameters(
        ["a.x=1", "a.y=null", "a.z=models/beto", "b.x=[1, 2]", 'b.y="3"']
    )
    assert given == {
        "a": {"x": 1, "y": None, "z": "models/beto"},
        "b": {"x": [1, 2], "y": "3"},
    }


@pytest.mark.parametrize("text", ["a=1", "a.b", ".b=1", "a.=1", "a.b c=1", ""])
def test_other_forms_are_refused(text):
    with pytest.raises(DataError, match=r"SYSTEM\.NAME=VALUE"):
        parse_parameters([text])


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(DataError, match="twice"):
        parse_parameters(["a.b=1", "a.b=2"])


def test_the_estimator_is_built_with_them():
    task = load_task("sample-humor")
    plain, own = choose_systems(
        ["tfidf-lr", "long=tfidf-lr"], {"long": {"ngram_range": [1, 3], "C": 2.0}}
    )
    assert plain is get_system("tfidf-lr")
    built = own.build(task)
    assert built.get_params()["tfidf__ngram_range"] == (1, 3)
    assert built.get_params()["lr__C"] == 2.0


def test_parameters_of_the_estimator_are_set_on_it():
    task = load_task("sample-humor")
    (own,) = choose_systems(["tfidf-lr"], {"tfidf-lr": {"lr__C": 7.0, "min_df": 2}})
    built = own.build(task).get_params()
    assert (built["lr__C"], built["tfidf__min_df"]) == (7.0, 2)
    with pytest.raises(DataError, match="lr__C"):
        choose_systems(["tfidf-lr"], {"tfidf-lr": {"lr__c": 7.0}})


@pytest.mark.parametrize(
    ("names", "given", "error", "words"),
    [
        (["nbsmv"], {}, UnknownNameError, "nbsvm"),
        (["x=nbsmv"], {}, UnknownNameError, "nbsvm"),
        (["=nbsvm"], {}, DataError, "OWN=SYSTEM"),
        (["tfidf-lr=nbsvm"], {}, DataError, "another system"),
        (["x=nbsvm", "x=tfidf-lr"], {}, DataError, "two systems"),
        (["nbsvm"], {"tfidf-lr": {"C": 1}}, DataError, "not among the systems"),
        (["tfidf-lr"], {"tfidf-lr": {"min_dff": 1}}, DataError, "min_df"),
    ],
)
def test_mistakes_are_named(names, given, error, words):
    with pytest.raises(error, match=words):
        choose_systems(names, given)


def test_runs_of_one_system_under_two_names_stand_apart(tmp_path: Path):
    systems = choose_systems(["tfidf-lr", "weak=tfidf-lr"], {"weak": {"C": 0.001}})
    store = RunStore(tmp_path)
    outcome = run_leaderboard(
        [load_task("sample-humor")], systems, store, protocol=Protocol()
    )
    assert [r.spec.system for r in outcome.records] == ["tfidf-lr", "weak"]
    assert outcome.records[0].score != outcome.records[1].score
    assert outcome.records[1].spec.arguments["C"] == 0.001


def _vectors(path: Path, value: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"2 2\nhola {value} 1\nchau 1 2\n", encoding="utf-8")
    return path


def test_runs_are_named_by_the_content_of_files(tmp_path: Path):
    task = load_task("sample-humor")
    system = get_system("atalaya-svm")

    def key(path: Path) -> str:
        given = replace(system, params={"vectors": str(path)})
        return make_spec(task, given, 0, Protocol()).key

    first = key(_vectors(tmp_path / "a" / "v.vec", "1"))
    moved = key(_vectors(tmp_path / "b" / "v.vec", "1"))
    changed = key(_vectors(tmp_path / "c" / "v.vec", "2"))
    assert first == moved
    assert first != changed
    # Folders: every file counts, and so does its name.
    as_folder = key(tmp_path / "a")
    assert as_folder != first
    with pytest.raises(DataError, match="no such file or folder"):
        key(tmp_path / "nowhere")


def test_transformers_may_come_from_the_hub_or_by_a_preset():
    task = load_task("sample-humor")
    (beto,) = choose_systems(
        ["beto=transformer"], {"beto": {"model": "dccuchile/bert-base-spanish"}}
    )
    spec = make_spec(task, beto, 0, Protocol())
    assert spec.arguments["model"]["name"] == "dccuchile/bert-base-spanish"
    with pytest.raises(DataError, match="needs its parameter 'model'"):
        check_runs(task, get_system("transformer"))
    (preset,) = choose_systems(["transformer"], {"transformer": {"preset": "bertweet"}})
    check_runs(task, preset)


def test_the_options_beside_elmo_weights_count(tmp_path: Path):
    task = load_task("sample-humor")
    (tmp_path / "weights.hdf5").write_bytes(b"weights")
    keys = set()
    for text in ("{}", "{} "):
        (tmp_path / "options.json").write_text(text, encoding="utf-8")
        (own,) = choose_systems(
            ["atalaya-lstm-elmo"],
            {"atalaya-lstm-elmo": {"weights": str(tmp_path / "weights.hdf5")}},
        )
        keys.add(make_spec(task, own, 0, Protocol()).key)
    assert len(keys) == 2


@pytest.mark.usefixtures("own_folder")
def test_the_command_takes_them_and_definitions_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    argv = ["leaderboard", "--task", "sample-humor", "--resamples", "100"]
    own = ["--system", "majority", "--system", "weak=tfidf-lr", "--param", "weak.C=0.1"]
    assert main([*argv, *own]) == 0
    assert "weak" in capsys.readouterr().out
    definition = tmp_path / "board.toml"
    definition.write_text(
        'tasks = ["sample-humor"]\nsystems = ["majority", "weak=tfidf-lr"]\n'
        "[params.weak]\nC = 0.1\n",
        encoding="utf-8",
    )
    assert read_definition(definition).params == {"weak": {"C": 0.1}}
    assert main(["leaderboard", "--config", str(definition), "--resamples", "100"]) == 0
    assert "2 of 2 runs were stored before" in capsys.readouterr().err
    some = ["leaderboard", "--config", str(definition), "--resamples", "100"]
    # Some of its systems, by their own names; parameters of the others are no slip.
    assert main([*some, "--system", "majority"]) == 0
    assert main([*some, "--system", "weak"]) == 0
    assert "1 of 1 runs were stored before" in capsys.readouterr().err
    slip = definition.read_text("utf-8").replace("[params.weak]", "[params.week]")
    definition.write_text(slip, encoding="utf-8")
    assert main([*some, "--system", "majority"]) == 1
    assert "there are parameters for 'week'" in capsys.readouterr().err
    definition.write_text(
        'tasks = ["sample-humor"]\nsystems = ["majority"]\nparams = {C = 1}\n',
        encoding="utf-8",
    )
    assert main(["leaderboard", "--config", str(definition)]) == 1
    assert "[params.C]" in capsys.readouterr().err


@pytest.mark.usefixtures("own_folder")
def test_fit_takes_them(capsys: pytest.CaptureFixture[str]):
    argv = ["fit", "tfidf-lr", "sample-humor", "--output", "model"]
    assert main([*argv, "--param", "tfidf-lr.Q=1"]) == 1
    assert "has no parameter 'Q'" in capsys.readouterr().err
    assert main([*argv, "--param", "tfidf-lr.C=3"]) == 0
