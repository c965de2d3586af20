from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tweetclf.exceptions import MissingDependencyError
from tweetclf.preprocessing import TweetTokenizer, lemmas

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the stand-in is a script with a shebang line"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of a TreeTagger whose program is our script."""
    pytest.importorskip("six")
    for variable in ("TAGDIR", "TREETAGGER", "TREETAGGER_HOME"):
        monkeypatch.delenv(variable, raising=False)
    script = (Path(__file__).parent / "fake_tree_tagger.py").read_text("utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    program = tmp_path / "bin" / "tree-tagger"
    program.write_text(f"#!{sys.executable}\n{script}", "utf-8")
    program.chmod(0o755)
    (tmp_path / "lib" / "spanish.par").write_text("", "utf-8")
    (tmp_path / "lib" / "spanish-abbreviations").write_text("", "utf-8")
    yield tmp_path
    lemmas.stop_tree_taggers()


def test_lemmas_of_our_tokens(folder: Path) -> None:
    tokenizer = TweetTokenizer(
        lemmatizer="treetagger", treetagger_dir=str(folder), lowercase=True
    )
    text = "@pepe NO gustan, nada! perros #perros <url> <3 https://t.co/x sabe año 😂"
    # Cues, handles, hashtags and unknown words keep their form.
    expected = (
        "@pepe no gustar , nada ! perro #perros <url> <3 https://t.co/x sabe año 😂"
    )
    assert tokenizer(text) == expected.split()
    assert tokenizer("darse veinte") == ["dar", "se", "veinte"]
    assert tokenizer("") == []
    assert tokenizer.transform(200 * ["perros"]) == 200 * [["perro"]]


def test_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGDIR", str(folder))
    assert TweetTokenizer(lemmatizer="treetagger")("perros") == ["perro"]


def test_missing(folder: Path) -> None:
    tokenizer = TweetTokenizer(lemmatizer="treetagger")
    with pytest.raises(MissingDependencyError, match="set TAGDIR=FOLDER") as error:
        tokenizer("perros")
    assert "schmid/tools/TreeTagger" in str(error.value)
    (folder / "lib" / "spanish.par").unlink()
    tokenizer.set_params(treetagger_dir=str(folder))
    with pytest.raises(MissingDependencyError, match=r"spanish\.par"):
        tokenizer("perros")
    shutil.rmtree(folder / "bin")
    with pytest.raises(MissingDependencyError, match="binary"):
        tokenizer("perros")


def test_wrapper_not_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "treetaggerwrapper", None)
    tokenizer = TweetTokenizer(lemmatizer="treetagger", treetagger_dir=str(folder))
    with pytest.raises(MissingDependencyError, match=r"tweetclf\[treetagger\]"):
        tokenizer("perros")


def test_import_where_configparser_lacks_the_old_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import configparser

    pytest.importorskip("six")
    monkeypatch.delattr(configparser, "SafeConfigParser", raising=False)
    monkeypatch.delitem(sys.modules, "treetaggerwrapper", raising=False)
    assert hasattr(lemmas.import_wrapper(), "TreeTagger")
