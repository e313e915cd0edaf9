"""The program in which `perdure check` runs the project's code: starts it as `perdure dev` would, and tells what it found.

Must stay true: stdout has one JSON object, whatever the project prints; nothing of the project's data is opened: the stores
are in a folder that goes away. Run by `check_program`, as `python -m perdure.cli.check_child CONFIG SECONDS`.
"""

import asyncio
import inspect
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, TextIO

from perdure.cli.refusal import as_object
from perdure.config import Project, load_project
from perdure.host.assignment import Assignment
from perdure.host.host import Host
from perdure.model.errors import PerdureError
from perdure.workers.class_spec import ClassSpec
from perdure.workers.durable_object import DurableObject
from perdure.workers.import_space import plain_name
from perdure.workers.loader import DEFAULT_ENTRYPOINT, Program
from perdure.workers.reserved import WORKER_HOOKS

# A class Task of the project's own is no task of asyncio.
_AWAITABLE = re.compile(r"\b(Awaitable|Coroutine|Op)\b|\b_?asyncio\.[\w.]*(Task|Future)\b")


def main() -> None:
    """What `python -m` calls."""
    config, seconds = Path(sys.argv[1]), float(sys.argv[2])
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the project prints goes to people
    project = load_project(config)
    watch = threading.Timer(seconds, _give_up, (told, project, threading.get_ident(), seconds))
    watch.daemon = True
    watch.start()
    found = asyncio.run(found_in(project))
    watch.cancel()
    _tell(told, found)


async def found_in(project: Project) -> dict[str, Any]:
    """What the project's code is, for JSON, with the fields of `check_program.Started`."""
    try:
        assignment = Assignment.of_project(project)
        with tempfile.TemporaryDirectory(prefix="perdure-check-") as folder:
            host = await Host.run(lambda: assignment, Path(folder))
            described = _described(assignment.program, project)
            await host.close()
    except PerdureError as error:
        return {"error": as_object(error), "files": _files_of(project)}
    return described


def _described(program: Program, project: Project) -> dict[str, Any]:
    specs = [*program.classes.values(), *program.entrypoints.values()]
    files = _files_of(project)
    return {
        "files": files,
        "handlers": list(_handlers(program)),
        "classes": [_class(spec) for spec in program.classes.values()],
        "entrypoints": [_class(spec) for spec in program.entrypoints.values()],
        "on_loop": [_place(function) for function in _plain_functions(specs, program)],
        "plain_methods": [
            _place(function)
            for spec in program.classes.values()
            for name, function in _methods(spec)
            if name in spec.methods and not _gives_awaitable(function)
        ],
        "unbound": list(_unbound(program)),
    }


def _handlers(program: Program) -> Iterator[str]:
    """The Worker's own, as messages call them."""
    if program.handler is not None:
        yield program.handler.label
    default = program.entrypoints.get(DEFAULT_ENTRYPOINT)
    names = {} if program.main is None else vars(program.main)
    for hook, spellings in WORKER_HOOKS.items():
        if hook == "fetch":
            continue
        if default is not None and hook in default.hooks:
            yield f"{default.name}.{default.hooks[hook].attribute}"
        elif program.main is not None and any(isinstance(names.get(each), FunctionType) for each in spellings):
            yield f"{hook} of {plain_name(program.main.__name__)}"


def _class(spec: ClassSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "module": plain_name(spec.cls.__module__),
        "handlers": sorted(spec.hooks),
        "methods": sorted(spec.methods),
    }


def _methods(spec: ClassSpec) -> Iterator[tuple[str, FunctionType]]:
    """The functions of the class that callers and the runtime call, of its bases too."""
    hooks = {hook.attribute for hook in spec.hooks.values()}
    for name in sorted(spec.methods | hooks | {"__init__"}):
        function = inspect.unwrap(getattr(spec.cls, name))
        if isinstance(function, FunctionType):
            yield name, function


def _plain_functions(specs: Iterable[ClassSpec], program: Program) -> Iterator[FunctionType]:
    """Those that are no `async def` and run on the loop."""
    functions = [function for spec in specs for _, function in _methods(spec)]
    names = {} if program.main is None else vars(program.main)
    handlers = (names.get(each) for spellings in WORKER_HOOKS.values() for each in spellings)
    functions += [value for value in handlers if isinstance(value, FunctionType)]
    return (function for function in functions if not inspect.iscoroutinefunction(function))


def _gives_awaitable(function: FunctionType) -> bool:
    """Whether its type is right at the caller: an `async def`, or one that says that it gives something to await."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    said = function.__annotations__.get("return", "")
    return _AWAITABLE.search(str(said)) is not None


def _place(function: FunctionType) -> list[str]:
    return [function.__code__.co_filename, function.__qualname__]


def _unbound(program: Program) -> Iterator[list[str]]:
    """Object classes of the main module that nothing names, and that nothing derives from."""
    if program.main is None:
        return
    own = [
        value
        for value in vars(program.main).values()
        if isinstance(value, type) and issubclass(value, DurableObject) and value.__module__ == program.main.__name__
    ]
    known = {spec.cls for spec in program.classes.values()}
    for cls in own:
        if cls not in known and not any(other is not cls and issubclass(other, cls) for other in (*own, *known)):
            yield [str(program.main.__file__), cls.__qualname__]


def _files_of(project: Project) -> list[str]:
    """The project's own files: the modules that were imported from its folder."""
    folders = {project.root.resolve(), project.main.parent.resolve()}
    files = [project.main]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) if name.startswith("<") else None
        if file and file.endswith(".py") and folders.intersection(Path(file).resolve().parents):
            files.append(Path(file))
    return list(dict.fromkeys(str(file) for file in files))


def _give_up(told: TextIO, project: Project, thread: int, seconds: float) -> None:
    """The project's code runs and runs: say where it is."""
    frame = sys._current_frames().get(thread)
    files, where = set(_files_of(project)), ""
    while frame is not None and not where:
        if frame.f_code.co_filename in files:
            where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    error = {
        "code": "PERDURE_LOAD_FAILED",
        "what": f"the main module was not imported within {seconds:g} s",
        "where": where,
        "why": "a Worker's module only defines things: what it waits for at the top, every start waits for",
        "next_step": "move the work into a handler, or into `setup` of an object",
    }
    _tell(told, {"error": error, "files": sorted(files)})
    os._exit(0)


def _tell(told: TextIO, found: dict[str, Any]) -> None:
    told.write(json.dumps(found))
    told.flush()


if __name__ == "__main__":
    main()
