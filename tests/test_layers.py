"""The rooms of the house: who may import whom, what `owray --help` may load, how long a file and a function may be."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOMS = ("cli.py", "owray", "cluster", "actions", "queries", "benchmarks", "tests", ".ci")
LONGEST_FILE_LINES = 400
LONGEST_FUNCTION_LINES = 60
HEAVY = {"ray", "duckdb", "pyarrow", "numpy", "aiohttp", "boto3", "oci"}


def python_files(checkout: Path) -> Iterator[Path]:
    for room in ROOMS:
        path = checkout / room
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_run_one_way(checkout):
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_owray_itself_is_importable_without_the_command(checkout):
    """`owray` is a library too: nothing in it reaches for the composition root."""
    importers = [
        path for room in ("owray", "cluster") for path in (checkout / room).rglob("*.py") if imported(path) & {"cli", "actions", "queries"}
    ]
    assert importers == []


def imported(path: Path) -> set[str]:
    """Top-level names of everything a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("command", ["", "storm", "up", "sql", "target", "doctor"])
def test_help_loads_nothing_heavy(checkout, command):
    code, loaded = loaded_by(checkout, [*command.split(), "--help"])
    assert code in (0, None)
    assert HEAVY & loaded == set()


@pytest.mark.parametrize(
    ("arguments", "needs"), [(["query"], {"duckdb", "numpy", "pyarrow"}), (["target", "--lab", "none-is-up"], {"aiohttp"})]
)
def test_what_asks_loads_neither_ray_nor_a_clouds_sdk(checkout, tmp_path, monkeypatch, arguments, needs):
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path))
    _, loaded = loaded_by(checkout, arguments)
    assert (HEAVY - needs) & loaded == set()


def loaded_by(checkout: Path, arguments: list[str]) -> tuple[int | None, set[str]]:
    """The exit code of a command, and the top-level names of all that it has loaded."""
    script = (
        "import json, sys\n"
        "sys.argv = ['owray', *sys.argv[1:]]\n"
        "import cli\n"
        "try:\n"
        "    code = cli.main()\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "print()\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=checkout, capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    return code, set(loaded)


def test_files_can_be_read_in_one_sitting(checkout):
    lengths = {str(path.relative_to(checkout)): len(path.read_text().splitlines()) for path in python_files(checkout)}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE_LINES} == {}


def test_functions_fit_a_screen(checkout):
    lengths = {
        f"{path.relative_to(checkout)}: {function.name}": (function.end_lineno or function.lineno) - function.lineno + 1
        for path in python_files(checkout)
        for function in functions(path)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION_LINES} == {}
