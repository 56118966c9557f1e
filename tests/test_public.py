"""The public names, and the floors of the house."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ganzoo

PACKAGE = Path(ganzoo.__file__).parent
SHIPPED = ("dcgan", "wgan", "mlp")
FLOORS = [
    ["errors", "files", "layers", "packages", "plots", "threads", "pinned", "bounded", "class_names", "network"],
    ["devices", "noise", "latents", "modalities"],
    ["variant", "seeds", "interfaces"],
    [
        "parsing",
        "options",
        "measures",
        "registry",
        "hookspecs",
        "losses",
        "penalties",
        "augmentations",
        "data",
        "model_folder",
    ],
    ["standard", "factory"],
    ["plugins", "modality_of", "pretrained", "sampling"],
    ["card"],
    ["hub"],
    ["training", "evaluation"],
    ["request", "comparison"],
    ["cli"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@pytest.mark.parametrize("name", ganzoo.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ganzoo, name) is not None
    assert name in dir(ganzoo)


def test_editors_are_told_of_every_public_name():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    told = {alias.asname: node.module for node in block.body for alias in node.names}
    assert told == ganzoo._PUBLIC


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = ganzoo.no_such_thing


def test_importing_ganzoo_imports_nothing_heavy():
    heavy = ("torch", "numpy", "pydantic", "tqdm")
    used = "ganzoo.Variant; ganzoo.Watcher; ganzoo.ProgressBar()"
    code = f"import sys, ganzoo; {used}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def imports_of(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ganzoo"):
            rooms = [node.module.split(".")[1]] if "." in node.module else [a.name for a in node.names]
            found += [(room, node.lineno) for room in rooms]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down_the_floors(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    upwards = [f"{path.name}:{line} imports {other}" for other, line in imports_of(path) if FLOOR.get(other, 0) > FLOOR[room]]
    assert not upwards


@pytest.mark.parametrize(("room", "other"), [("training", "evaluation"), ("evaluation", "training")])
def test_training_and_evaluation_do_not_know_each_other(room, other):
    found = [path for path in (PACKAGE / room).rglob("*.py") if any(name == other for name, _ in imports_of(path))]
    assert not found


def test_the_core_does_not_know_the_variants_that_ship():
    # Help texts, hints and docstrings may use a shipped name as an example; code may not depend on one.
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
                assert not any(n.startswith(("ganzoo_", *SHIPPED)) for n in names), f"{path}:{node.lineno}"
            if isinstance(node, ast.Compare):
                compared = [c.value for c in [node.left, *node.comparators] if isinstance(c, ast.Constant)]
                assert not any(isinstance(c, str) and c.startswith(SHIPPED) for c in compared), f"{path}:{node.lineno}"


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Of its body, without its docstring."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    return function.end_lineno - first.lineno + 1


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_can_be_read_in_one_sitting(path):
    text = path.read_text()
    assert text.count("\n") <= 350
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert {f.name: lines_of_code(f) for f in functions if lines_of_code(f) > 60} == {}


def test_whether_samples_are_pictures_is_asked_of_nobody_but_their_modality():
    root = PACKAGE.parent
    files = [path for folder in ("ganzoo", "plugins", "benchmarks") for path in (root / folder).rglob("*.py")]
    # In two parts each, so that whoever looks for them does not find this.
    words = "|".join(first + second for first, second in (("is_", "pictures"), ("can_be_", "drawn"), ("drawn", "=")))
    asked = [path for path in files if re.search(words, path.read_text())]
    assert not asked
