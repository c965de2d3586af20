from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweetclf import exceptions
from tweetclf.exceptions import DataError, MissingDependencyError, UnknownNameError
from tweetclf.utils.files import (
    atomic_directory,
    atomic_path,
    claim_folder,
    sha256_bytes,
    sha256_file,
    write_text_atomic,
    write_text_once,
)
from tweetclf.utils.optional import import_optional
from tweetclf.utils.progress import track
from tweetclf.utils.random import stream
from tweetclf.utils.registry import Registry, suggest
from tweetclf.utils.validation import check_text_pairs, check_texts, is_pairs


def test_every_error_is_also_the_builtin_that_one_would_catch() -> None:
    builtins = {
        "ChecksumError": ValueError,
        "ContaminationError": ValueError,
        "DataError": ValueError,
        "MissingDependencyError": ImportError,
        "ModelFormatError": ValueError,
        "RecordError": ValueError,
        "UnknownNameError": KeyError,
        "TweetclfWarning": UserWarning,
    }
    for name, builtin in builtins.items():
        assert issubclass(getattr(exceptions, name), builtin)
    assert str(UnknownNameError("a sentence.")) == "a sentence."


def test_containers_of_texts() -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    texts = ["uno", "dos"]
    for container in (
        texts,
        tuple(texts),
        np.array(texts),
        np.array(texts, dtype=object),
        np.array(texts, dtype=np.dtypes.StringDType()),
        np.array(texts, dtype=object).reshape(-1, 1),
        pandas.Series(texts, index=[7, 3]),
        pandas.DataFrame({"text": texts}),
        polars.Series(texts),
        polars.DataFrame({"text": texts}),
        pyarrow.array(texts),
        pyarrow.chunked_array([["uno"], ["dos"]]),
    ):
        checked = check_texts(container, caller="X")
        assert checked == texts
        assert {type(text) for text in checked} == {str}


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("hola", "single str"),
        (b"hola", "single bytes"),
        (3, "is a int"),
        (None, "is a NoneType"),
        ({"a": 1}, "is a dict"),
        ({"a"}, "is a set"),
        ((t for t in "ab"), "read only once"),
        (np.array("a"), "scalar"),
        (np.array([["a", "b"]]), r"shape \(1, 2\)"),
        (["a", None], r"texts\[1\] is None"),
        (["a", float("nan")], r"texts\[1\] is NaN"),
        (["a", b"b"], r"texts\[1\] is bytes. Decode"),
        ([["a"]], r"texts\[0\] is list"),
        ([1], r"texts\[0\] is int"),
    ],
)
def test_what_is_no_sequence_of_texts_is_refused(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        check_texts(X, caller="TweetNormalizer")
    assert str(caught.value).startswith("TweetNormalizer expected")


@given(st.lists(st.text()))
def test_any_str_is_a_text(texts: list[str]) -> None:
    assert check_texts(texts, caller="X") == texts


def test_pairs_of_texts() -> None:
    pandas = pytest.importorskip("pandas")
    pairs = [("a", "b"), ("c", "d")]
    frame = pandas.DataFrame(pairs)
    for container in (pairs, np.array(pairs, dtype=object), frame):
        assert is_pairs(container)
        assert check_text_pairs(container, caller="X") == (["a", "c"], ["b", "d"])
    assert not is_pairs(["ab", "cd"])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (["ab"], r"texts\[0\] is str"),
        ([("a",)], r"texts\[0\] has 1 members"),
        ([("a", "b"), ("a", None)], r"texts\[1\]\[1\] is None"),
        (np.array([["a", "b", "c"]]), r"shape \(1, 3\)"),
    ],
)
def test_what_is_no_pair_is_refused(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_text_pairs(X, caller="X")


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text_atomic(path, "uno\n")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"uno\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert sha256_file(path) == sha256_bytes(b"uno\n")


def test_directories_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model"

    def write(text: str, error: Exception | None = None) -> None:
        with atomic_directory(target) as temporary:
            (temporary / "a").write_text(text)
            if error:
                raise error

    with pytest.raises(RuntimeError):
        write("half", RuntimeError())
    assert list(tmp_path.iterdir()) == []
    write("whole")
    assert (target / "a").read_text() == "whole"
    with pytest.raises(FileExistsError, match="not an empty folder"):
        write("again")
    assert (target / "a").read_text() == "whole"


def _write_once(path: str, n: int) -> None:
    for _ in range(50):
        write_text_once(path, f"{n}" * 1000)


def test_one_of_several_writers_wins(tmp_path: Path) -> None:
    path = tmp_path / "a"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_once, args=(str(path), n)) for n in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text() in {"1" * 1000, "2" * 1000}
    assert not write_text_once(path, "3")
    assert len(list(tmp_path.iterdir())) == 1


def test_registry_is_lazy_and_helpful() -> None:
    registry: Registry[Any] = Registry("system", 'Run "tweetclf systems": it')
    registry.register("atalaya-svm", "no_such_module:f")
    registry.register("nbsvm", "collections:OrderedDict")
    assert list(registry) == ["atalaya-svm", "nbsvm"]
    assert registry.get("nbsvm").__name__ == "OrderedDict"
    with pytest.raises(ModuleNotFoundError):
        registry.get("atalaya-svm")
    with pytest.raises(UnknownNameError, match="Did you mean 'atalaya-svm'"):
        registry.get("atalaya_svm")
    with pytest.raises(ValueError, match="already registered"):
        registry.register("nbsvm", "x:y")
    assert suggest("stance", ["tweeteval-stance-abortion", "haha"]) == [
        "tweeteval-stance-abortion"
    ]
    assert suggest("qqq", ["haha"]) == []


def test_missing_packages_name_the_extra() -> None:
    with pytest.raises(MissingDependencyError, match=r'pip install "tweetclf\[dask\]"'):
        import_optional("no_such_module.sub", extra="dask", caller="X")


def test_streams_are_apart_and_reproducible() -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    a = stream(0, "bootstrap", "nbsvm").random(4)
    assert (a == stream(0, "bootstrap", "nbsvm").random(4)).all()
    for other in (
        stream(1, "bootstrap", "nbsvm"),
        stream(0, "bootstrap"),
        stream(0, "bootstrapnbsvm"),
        stream(0, "bootstrap", 1),
        stream(0, "bootstrap", "1"),
    ):
        assert (a != other.random(4)).all()
    assert (state == np.random.get_state()[1]).all()  # noqa: NPY002


def test_progress_is_quiet_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([1, 2, 3], "counting")) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")
    assert list(track(range(3), "counting", enabled=True)) == [0, 1, 2]
    assert capsys.readouterr().out == ""


def test_a_folder_of_unfinished_work_is_of_one_work_alone(tmp_path):
    folder = tmp_path / "a" / "work"
    told = {"seed": 1, "name": "años"}
    assert claim_folder(folder, told) == folder
    (folder / "part").touch()
    assert claim_folder(str(folder), dict(reversed(told.items()))) == folder
    assert claim_folder(folder, {**told, "seed": 2}) is None
    (folder / "settings.json").unlink()
    assert claim_folder(folder, told) is None
