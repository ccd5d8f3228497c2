"""Functions of a Python file as tools. It is the user's own code, and runs in this process, in threads."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
import threading
import typing
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Struct

from howgood.calls.methods.tools import ToolError
from howgood.core.errors import HowgoodError
from howgood.core.text import shorten
from howgood.core.types import Tool
from howgood.inputs.files import digest

LONGEST_ERROR = 1_000


class Function(Struct, frozen=True):
    """A function as a tool: what calls it, and the struct that its arguments are read into."""

    call: Callable[..., Any]
    arguments: type[Struct]
    tool: Tool


class PythonTools:
    """The public functions that a Python file defines: their docstrings and type hints say what they do and take.

    Raises `HowgoodError` for a file that cannot be run, or a function that cannot be a tool.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._path, self._timeout = path, timeout
        module = _module(path)
        found = [
            value for name, value in vars(module).items() if not name.startswith("_") and inspect.isfunction(value)
        ]
        own = [function for function in found if function.__module__ == module.__name__]
        self._functions = {function.__name__: _function(path, function) for function in own}
        if not own:
            raise HowgoodError(
                f"{path} defines no function whose name does not begin with _, so there is no tool in it"
            )
        self.tools = tuple(function.tool for function in self._functions.values())

    def describe(self) -> dict[str, Any]:
        return {"python": digest(self._path)}

    def open(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def call(self, name: str, arguments: str) -> str:
        function = self._functions[name]
        try:
            given = msgspec.json.decode(arguments or "{}", type=function.arguments)
        except msgspec.DecodeError as error:
            raise ToolError(f"the arguments of {name} are not as they must be: {error}") from None
        values = {field: getattr(given, field) for field in function.arguments.__struct_fields__}
        try:
            result = await asyncio.wait_for(_in_thread(function.call, values), self._timeout)
        except TimeoutError:
            raise ToolError(f"{name} took longer than {self._timeout:g} seconds") from None
        if isinstance(result, str):
            return result
        try:
            return msgspec.json.encode(result, enc_hook=str).decode()
        except Exception as error:
            raise ToolError(f"what {name} returned cannot be written: {_words(error)}") from None


def _in_thread(function: Callable[..., Any], values: dict[str, Any]) -> asyncio.Future[Any]:
    """The result of a function that may never return: its thread does not keep the process from ending. Whatever it
    raises becomes a `ToolError`, since it is the tool's failure and not the run's."""
    future: Future[Any] = Future()

    def work() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = function(**values)
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
        except BaseException as error:
            future.set_exception(ToolError(f"it raised {_words(error)}"))
        else:
            future.set_result(result)

    threading.Thread(target=work, daemon=True, name=f"tool {function.__name__}").start()
    return asyncio.wrap_future(future)


def _words(error: BaseException) -> str:
    return shorten(f"{type(error).__name__}: {error}", LONGEST_ERROR)


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise HowgoodError(f"there is no file {path}; tools,python=FILE.py takes a Python file that defines functions")
    spec = importlib.util.spec_from_file_location(f"howgood_tools_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise HowgoodError(f"{path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))  # so that it can import its neighbours, as a script can
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise HowgoodError(f"{path}: {_words(error)}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _function(path: Path, function: Callable[..., Any]) -> Function:
    """A function as a tool. Raises `HowgoodError` where a parameter is not described or cannot be passed by name."""
    name = function.__name__
    fields: list[Any] = []
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise TypeError(f"{parameter} cannot be passed by name")
            if parameter.name not in hints:
                raise TypeError(f"{parameter.name} has no type hint")
            default = () if parameter.default is parameter.empty else (parameter.default,)
            fields.append((parameter.name, hints[parameter.name], *default))
        arguments = msgspec.defstruct(name, fields, forbid_unknown_fields=True, kw_only=True)
        parameters = _schema(arguments)
    except (TypeError, NameError) as error:
        raise HowgoodError(f"{path}: the function {name} cannot be a tool: {error}") from None
    return Function(function, arguments, Tool(name, inspect.getdoc(function) or "", parameters))


def _schema(arguments: type[Struct]) -> dict[str, Any]:
    """The JSON Schema of a struct, as an object with what it refers to inside."""
    (top,), components = msgspec.json.schema_components((arguments,), ref_template="#/$defs/{name}")
    own: dict[str, Any] = components.pop(top["$ref"].rpartition("/")[2])
    del own["title"]
    return own | ({"$defs": components} if components else {})
