"""Benchmarks by name. The catalogue is read from source text, so that listing or finding one imports nothing else."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, convert
from msgspec import ValidationError as InvalidValue

from howgood.core.errors import HowgoodError, UnknownName

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PLUGINS = "howgood.benchmarks"
"""The entry points by which installed packages add benchmarks, each naming a module."""
MARK = r"^@(?:\w+\.)*benchmark\("
MARKED = re.compile(MARK, re.MULTILINE)
HEAD = re.compile(MARK + r'.*?^def .*?:\n\s+r?""".*?"""', re.MULTILINE | re.DOTALL)
"""A benchmark's source from its decorator to the end of its docstring, as most write it. To parse this alone takes a
fifth of the time that whole files take."""
F = TypeVar("F", bound=Callable[..., Any])


class Card(Struct, frozen=True):
    """What a reader must know about a benchmark before its number.

    `purpose` is what the number is for (capability, propensity, modelling, safety ...); `cite` the paper; `random` and
    `human` are the scores of guessing and of people, `human_source` who says so; `flaws` are known defects of the
    data; `deviations` where howgood differs from the published protocol; `data` the files it takes from a data folder.
    """

    name: str
    title: str
    purpose: str
    cite: str
    random: float | None = None
    human: float | None = None
    human_source: str = ""
    version: int = 1
    flaws: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    data: str = ""


class Entry(Struct, frozen=True):
    """A registered benchmark: its card and the function that builds it from parameters."""

    card: Card
    build: Callable[..., Any]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        return dict(inspect.signature(self.build).parameters)


_registered: dict[str, Entry] = {}


def benchmark(name: str, **card: Any) -> Callable[[F], F]:
    """Register a function that returns a `Benchmark` under `name`. Keywords are the fields of `Card`; the title is the
    first line of the function's docstring. The function's parameters become `-P key=value` on the command line."""

    def register(build: F) -> F:
        title = (inspect.getdoc(build) or "").partition("\n")[0]
        try:
            made = convert({"name": name, "title": title, **card}, Card)
        except InvalidValue as error:
            raise HowgoodError(f'@benchmark("{name}", ...): {error}; see howgood.core.registry.Card') from None
        _registered[name] = Entry(made, build)
        return build

    return register


DATA_FILES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


def canonical(name: str) -> str:
    """The name as it finds the same benchmark from any folder: paths are made absolute, other names stay."""
    is_path = name.endswith(".py") or ".py:" in name or is_data_file(name)
    return str(Path(name).absolute()) if is_path else name


def is_data_file(name: str) -> bool:
    """Whether a name is that of a data file, perhaps with a part (`tasks.json#eval`)."""
    return name.partition("#")[0].removesuffix(".gz").endswith(DATA_FILES)


def find(name: str) -> tuple[Entry, dict[str, Any]]:
    """The benchmark of this name, importing only the module that defines it, and parameters that the name itself sets.

    A name is a registered one; `FILE.py` or `FILE.py:name` for a benchmark of one's own; a data file (`support.csv`)
    to be asked with --ask and --answer; or `hf/OWNER/NAME` for a Hub data set that carries an eval.yaml. Raises
    `UnknownName`.
    """
    if name.endswith(".py") or ".py:" in name:
        path, _, inner = name.partition(".py:") if ".py:" in name else (name.removesuffix(".py"), "", "")
        return _from_file(Path(path + ".py"), inner), {}
    if is_data_file(name):
        return _registered_one("own-file"), {"file": name}
    if name.startswith("hf/"):
        return _registered_one("hub-eval"), {"repo": name.removeprefix("hf/")}
    return _registered_one(name), {}


def _registered_one(name: str) -> Entry:
    if name not in _registered:
        where = {e.name: e.module for e in catalogue()}
        if name not in where:
            raise UnknownName("benchmark", name, where, "`howgood list` shows all.")
        importlib.import_module(where[name])
    return _registered[name]


def _from_file(path: Path, name: str) -> Entry:
    if not path.is_file():
        raise HowgoodError(f"there is no file {path}; give the path of a Python file that defines a @benchmark")
    known = set(_registered)
    spec = importlib.util.spec_from_file_location(f"howgood_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))  # so that it can import its neighbours, as a script can
    try:
        spec.loader.exec_module(module)
    except HowgoodError as error:
        raise HowgoodError(f"{path}: {error}") from error
    except Exception as error:
        raise HowgoodError(f"{path}{_line_of(error, path)}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    named = [e.name for e in _scan(path, spec.name)]
    own = [n for n in named if n in _registered] or [n for n in _registered if n not in known]
    if not own:
        raise HowgoodError(f"{path} defines no @benchmark")
    if name and name not in own:
        raise UnknownName("benchmark", name, own, f"{path} defines: {', '.join(own)}.")
    if not name and len(own) > 1:
        raise HowgoodError(f"{path} defines several benchmarks; choose one: {', '.join(f'{path}:{n}' for n in own)}")
    return _registered[name or own[0]]


def _line_of(error: BaseException, path: Path) -> str:
    """Where in a file an error came up, as `, line 20`; nothing where it is not known."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    import traceback

    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


class Listed(Struct, frozen=True):
    """A line of the catalogue, known without importing the benchmark."""

    name: str
    module: str
    title: str
    purpose: str
    section: str


@cache
def catalogue() -> tuple[Listed, ...]:
    """Every benchmark howgood ships and every one that installed packages add, in order of section and name."""
    found: list[Listed] = []
    for path in BENCHMARKS.rglob("*.py"):
        relative = path.relative_to(BENCHMARKS.parent).with_suffix("")
        found += _scan(path, ".".join(("howgood", *relative.parts)))
    for module, path in _plugins():
        found += _scan(path, module)
    return tuple(sorted(found, key=lambda e: (e.section, e.name)))


def _scan(path: Path, module: str) -> Iterator[Listed]:
    text = path.read_text(encoding="utf-8")
    marks = MARKED.findall(text)
    heads = HEAD.findall(text)
    if len(heads) != len(marks):  # one of them is written otherwise
        heads = [text]
    for node in (node for head in heads for node in ast.parse(head).body):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and ast.unparse(decorator.func).split(".")[-1] == "benchmark"
                and decorator.args
                and isinstance(decorator.args[0], ast.Constant)
            ):
                purpose = next((ast.literal_eval(k.value) for k in decorator.keywords if k.arg == "purpose"), "")
                title = (ast.get_docstring(node) or "").partition("\n")[0]
                yield Listed(str(decorator.args[0].value), module, title, purpose, path.parent.name)


def _plugins() -> Iterator[tuple[str, Path]]:
    # importlib.metadata takes 20 ms to import, so first it is looked whether any installed package has such a point.
    installed = (file for folder in sys.path for file in Path(folder).glob("*-info/entry_points.txt"))
    if not any(PLUGINS.encode() in file.read_bytes() for file in installed):
        return
    from importlib.metadata import entry_points

    for point in entry_points(group=PLUGINS):
        spec = importlib.util.find_spec(point.module)
        if spec and spec.origin:
            yield point.module, Path(spec.origin)


def parse_parameters(entry: Entry, given: dict[str, Any]) -> dict[str, Any]:
    """The benchmark's parameters from what the user gave (text from a shell or values from Python), checked against
    the function's annotations. Raises `UnknownName` for a name it does not take, `HowgoodError` for a bad value."""
    hints = typing.get_type_hints(entry.build)
    known = entry.parameters
    out: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            takes = f"{entry.card.name} takes: {', '.join(known)}." if known else f"{entry.card.name} takes none."
            raise UnknownName("parameter", key, known, takes)
        try:
            out[key] = convert(value, hints.get(key, Any), strict=False)
        except InvalidValue:
            wanted = describe_type(hints[key])
            raise HowgoodError(f"parameter {key} of {entry.card.name} takes {wanted}, not {value!r}") from None
    missing = [k for k, p in known.items() if p.default is inspect.Parameter.empty and k not in out]
    if missing:
        raise HowgoodError(f"{entry.card.name} needs {', '.join(missing)}: pass -P {missing[0]}=VALUE")
    return out


def describe_type(annotation: Any) -> str:
    """A parameter's type in words for help texts."""
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(map(str, typing.get_args(annotation)))
    if isinstance(annotation, types.UnionType):
        return " | ".join(describe_type(a) for a in typing.get_args(annotation))
    return "none" if annotation is types.NoneType else getattr(annotation, "__name__", str(annotation))
