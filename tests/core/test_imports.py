"""The house's layers: imports point downwards only, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "howgood"
LAYERS = [
    {"core"},
    {"models", "inputs", "sandbox"},
    {"calls", "outputs", "interpret"},
    {"runs"},
    {"benchmarks", "agents", "validity", "realism", "games"},
    {"report", "web"},
    {"api", "arena"},
    {"__init__", "cli", "studio"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
HEAVY = {
    "numpy",
    "scipy",
    "polars",
    "duckdb",
    "torch",
    "transformers",
    "huggingface_hub",
    "aiohttp",
    "jinja2",
    "sqlalchemy",
    "starlette",
}


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms of the house that a module imports, anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
            if node.module == "howgood":
                names = [f"howgood.{alias.name}" for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("howgood.")}
    return rooms


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downwards(path: Path) -> None:
    if path == SOURCE / "__init__.py":
        return
    for other in imported(path) - {"__version__"}:
        assert RANK[other] <= RANK[room(path)], f"{path.name} ({room(path)}) imports {other}, which is above it"


def test_rooms_of_one_layer_do_not_import_each_other_in_a_circle() -> None:
    edges = {(room(p), other) for p in SOURCE.rglob("*.py") for other in imported(p) if other in RANK}
    both = {(a, b) for a, b in edges if a != b and (b, a) in edges}
    assert not both


@pytest.mark.parametrize("statement", ["import howgood", "import howgood.cli.main"])
def test_nothing_heavy_is_imported_at_the_start(statement: str) -> None:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(modules)


def test_listing_imports_no_benchmark() -> None:
    code = "import sys; from howgood.core.registry import catalogue; catalogue(); print(' '.join(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {m for m in modules if m.startswith("howgood.benchmarks.")}
