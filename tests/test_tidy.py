"""The house's rules that a machine can hold: sizes, names, doors, what prose may not say."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_ARCHITECTURE_LINES = 300

DOORS = {
    "time": {"time", "time_ns", "monotonic", "perf_counter"},
    "random": None,
    "secrets": None,
    "uuid": None,
}
"""Modules, and names of them, that only effects/ may use inside the item path's layers."""
DOORED = ("engine", "identity", "wire", "contract", "services", "gateway")


def sources(folder: str) -> Iterator[Path]:
    """Python files that git tracks below `folder`."""
    listed = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if name.endswith(".py") and path.exists():
            yield path


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


@pytest.mark.parametrize("folder", ["src", "examples", "bench"])
def test_files_and_functions_stay_readable(folder: str) -> None:
    broken = []
    for path in sources(folder):
        text = path.read_text()
        name = path.relative_to(ROOT)
        lines = text.count("\n")
        if lines > MAX_FILE_LINES:
            broken.append(f"{name}: {lines} lines")
        for function in functions(ast.parse(text)):
            size = (function.end_lineno or function.lineno) - function.lineno + 1
            if size > MAX_FUNCTION_LINES:
                broken.append(f"{name}:{function.lineno} {function.name}: {size} lines")
    assert not broken, "\n".join(broken)


def test_nothing_is_called_a_utility_or_left_for_later() -> None:
    broken = []
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK|raise NotImplementedError)\b")
    for path in sources("src"):
        name = path.relative_to(ROOT)
        if re.search(r"(^|/)(utils?|helpers?|misc)(\.py|/)", str(name)):
            broken.append(f"{name}: a name that says nothing")
        broken += [
            f"{name}:{number}: {line.strip()}"
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if words.search(line)
        ]
    assert not broken, "\n".join(broken)


def test_public_definitions_say_what_they_promise() -> None:
    """Every module, and every public function and class at module level, has a docstring."""
    broken = []
    for path in sources("src"):
        tree = ast.parse(path.read_text())
        name = path.relative_to(ROOT)
        if not ast.get_docstring(tree):
            broken.append(f"{name}: no docstring")
        for node in tree.body:
            named = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                broken.append(f"{name}:{node.lineno} {node.name}: no docstring")
    assert not broken, "\n".join(broken)


def test_the_four_doors_are_the_only_way_out() -> None:
    """Clock and randomness are reached through effects alone, below the world."""
    broken = []
    for layer in DOORED:
        for path in sources(f"src/outlast/cloud/{layer}"):
            name = path.relative_to(ROOT)
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    broken += [f"{name}:{node.lineno} imports {a.name}" for a in node.names if a.name in DOORS]
                elif isinstance(node, ast.ImportFrom) and node.module in DOORS:
                    banned = DOORS[node.module]
                    broken += [
                        f"{name}:{node.lineno} imports {node.module}.{a.name}"
                        for a in node.names
                        if banned is None or a.name in banned
                    ]
    assert not broken, "\n".join(broken)


def test_no_exception_is_swallowed_in_silence() -> None:
    broken = []
    for path in sources("src"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                bare = node.type is None
                silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
                if bare or silent:
                    broken.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not broken, "\n".join(broken)


def test_the_architecture_fits_in_one_sitting() -> None:
    assert (ROOT / "ARCHITECTURE.md").read_text().count("\n") <= MAX_ARCHITECTURE_LINES


def test_every_service_folder_has_its_readme() -> None:
    services = ROOT / "src/outlast/cloud/services"
    lacking = [
        each.name
        for each in services.iterdir()
        if each.is_dir() and (each / "__init__.py").exists() and not (each / "README.md").exists()
    ]
    assert not lacking, lacking
