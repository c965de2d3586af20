"""The house plan: who may import whom, and what an import may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "tweetclf"

LAYERS = [
    {"exceptions", "_version"},
    {"utils"},
    {"modules", "tasks", "preprocessing"},
    {"training"},
    {"features", "pretraining", "social"},
    {"estimators"},
    {"persistence", "testing"},
    {"leaderboard"},
    {"reports", "analysis"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}

# Rooms that share a layer: the battery of `tweetclf.testing` saves and loads what it
# checks; `tweetclf.analysis` shows what it finds as reports show everything.
ALLOWED = {("testing", "persistence"), ("analysis", "reports")}


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _imported_rooms(tree: ast.AST) -> set[str]:
    rooms = set()
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if _is_type_checking(node):
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "tweetclf":
                names = [f"tweetclf.{alias.name}" for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("tweetclf.")}
        stack.extend(ast.iter_child_nodes(node))
    return rooms


def _modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in {"__init__.py", "__main__.py"}
    ]


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_lower_rooms(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in LEVEL, f"{room} has no place in the house plan"
    for other in _imported_rooms(ast.parse(path.read_text("utf-8"))) - {room}:
        if (room, other) in ALLOWED:
            continue
        assert LEVEL[other] < LEVEL[room], f"{room} must not import {other}"


HEAVY = ("torch", "transformers", "matplotlib", "gensim", "pandas")


@pytest.mark.parametrize(
    ("code", "banned"),
    [
        ("import tweetclf", (*HEAVY, "sklearn", "numpy")),
        ("import tweetclf.estimators", HEAVY),
        ("from tweetclf.estimators import atalaya_svm; atalaya_svm()", HEAVY),
        ("import tweetclf.leaderboard", (*HEAVY, "sklearn")),
        ("import tweetclf.reports", HEAVY),
        ("import tweetclf.analysis, tweetclf.analysis.displays", (*HEAVY, "sklearn")),
        ("from tweetclf.cli import main; main(['systems'])", (*HEAVY, "sklearn")),
        ("from tweetclf.cli import main; main(['tasks'])", (*HEAVY, "sklearn")),
        (
            "from tweetclf.cli import main; main(['search', '--spaces'])",
            (*HEAVY, "sklearn", "optuna"),
        ),
        (
            "from tweetclf.cli import main; main(['published', 'coset'])",
            (*HEAVY, "sklearn"),
        ),
        (
            "import sys\nfrom tweetclf.cli import main\n"
            "try: main(['--help'])\nexcept SystemExit: pass",
            (*HEAVY, "sklearn", "numpy"),
        ),
    ],
)
def test_imports_are_lazy(code: str, banned: tuple[str, ...]) -> None:
    # pandas is imported by scikit-learn itself where it is installed.
    if "estimators" in code:
        banned = tuple(name for name in banned if name != "pandas")
    check = f"{code}\nimport sys\nprint([m for m in {banned!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")))
def test_public_names_resolve_and_are_sorted(path: Path) -> None:
    import importlib

    name = ".".join(("tweetclf", *path.parent.relative_to(PACKAGE).parts))
    module = importlib.import_module(name)
    public = getattr(module, "__all__", [])
    # ruff's order: constants, classes, then the rest.
    assert len(public) == len(set(public))
    for attribute in public:
        assert getattr(module, attribute) is not None
    assert set(dir(module)) >= set(public) - {"__version__"}


LAZY = [
    path.parent
    for path in PACKAGE.rglob("__init__.py")
    if "attach(" in path.read_text("utf-8")
]


@pytest.mark.parametrize("folder", LAZY, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_public_name_is_hidden_by_a_module(folder: Path) -> None:
    """Importing a submodule binds its name in the package, over a lazy one."""
    text = (folder / "__init__.py").read_text("utf-8")
    package = ".".join(["tweetclf", *folder.relative_to(PACKAGE).parts])
    for name in ast.literal_eval(text[text.rindex("__all__ =") + 9 :].strip()):
        if f'"{name}": "{package}.{name}"' not in text:
            assert not (folder / f"{name}.py").exists(), name
            assert not (folder / name).is_dir(), name
