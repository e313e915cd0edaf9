"""A project's main module, loaded and read: its handlers, its entry points and the object classes that bindings name.

Only what the project itself defines counts (API-2), and all that is wrong with it is said at once and before anything
runs. A module that fails leaves no trace in the interpreter. See tests/workers/test_loader.py.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from perdure.model.errors import LoadFailed, PerdureError
from perdure.workers.class_spec import ClassSpec, arguments_needed
from perdure.workers.entrypoint import WorkerEntrypoint
from perdure.workers.handler import EntrypointHandler, FunctionHandler, Handler
from perdure.workers.import_space import ImportSpace, ProjectModules, plain_name
from perdure.workers.remote_error import user_frames
from perdure.workers.reserved import WORKER_HOOKS

DEFAULT_ENTRYPOINT = "Default"
HANDLER_ARGUMENTS_MAX = 3
"""`request, env, ctx` (API-3)."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a loaded main module gives a Worker."""

    modules: ProjectModules
    main: ModuleType | None
    """None if nothing but classes or a function was given."""
    handler: Handler | None
    """Answers requests; None in a Worker that has classes only."""
    classes: dict[str, ClassSpec]
    """The object classes that were asked for, by name."""
    entrypoints: dict[str, ClassSpec]
    """Every `WorkerEntrypoint` of the main module, by name."""


def load_program(
    name: str, main: Path, *, root: Path, class_names: Iterable[str] = (), config: Path | None = None
) -> Program:
    """Import `main` in an import space of its own and read what it defines.

    name: the Worker's. root: the project's folder; modules are found beside `main` and there. class_names: the object
    classes that the configuration names. config: the file to name in messages. Raises LoadFailed if the file is
    missing or raises (the cause is chained), or if what it defines cannot be a Worker.
    """
    shown_config = "" if config is None else str(config)
    if not main.is_file():
        raise LoadFailed(
            what=f"the main module {_shown(main, root)} does not exist",
            where=shown_config,
            next_step="create it, or correct `main`",
        )
    if main.suffix != ".py" or "." in main.stem:
        raise LoadFailed(
            what=f"the main module {_shown(main, root)} cannot be imported",
            where=shown_config,
            why="it has to be a Python file with a plain name",
            next_step="name it like `src/main.py`",
        )
    folder, plain_name = import_root(main, root)
    modules = ImportSpace(name, list(dict.fromkeys([folder, root])))
    try:
        module = _imported(modules, plain_name, _shown(main, root))
        return read_program(modules, module, class_names=class_names, label=_shown(main, root))
    except BaseException:
        modules.close()
        raise


def read_program(modules: ProjectModules, main: ModuleType, *, class_names: Iterable[str] = (), label: str) -> Program:
    """Read the handlers and classes of a main module. Raises LoadFailed with all that is wrong with them."""
    problems: list[str] = []
    reader = _Reader(modules, main, problems)
    handler, entrypoints = reader.entry_points()
    classes = reader.object_classes(class_names)
    if not problems and handler is None and not entrypoints and not classes:
        near = difflib.get_close_matches("fetch", reader.functions(), n=1)
        rename = f"rename `{near[0]}`, if it was meant, or " if near else ""
        problems.append(f"it defines no handler and no class; {rename}write `async def fetch(request, env): ...`")
    if problems:
        raise LoadFailed(
            what=f"{label} cannot be a Worker",
            why="; ".join(problems) if len(problems) == 1 else "".join(f"\n- {problem}" for problem in problems),
        )
    return Program(modules, main, handler, classes, entrypoints)


class _Reader:
    """Reads one main module, and collects what is wrong with it."""

    def __init__(self, modules: ProjectModules, main: ModuleType, problems: list[str]) -> None:
        self._modules = modules
        self._names = vars(main)
        self._main = plain_name(main.__name__)
        self._problems = problems

    def entry_points(self) -> tuple[Handler | None, dict[str, ClassSpec]]:
        functions = {hook: self._function(hook, spellings) for hook, spellings in WORKER_HOOKS.items()}
        entrypoints: dict[str, ClassSpec] = {}
        for name, value in self._names.items():
            if _is_class(value, WorkerEntrypoint) and self._is_own(value):
                spec = self._checked(partial(ClassSpec, value, hooks=WORKER_HOOKS))
                if spec is not None:
                    entrypoints[name] = spec
        self._check_default()
        default = entrypoints.get(DEFAULT_ENTRYPOINT)
        used = sorted(hook for hook, function in functions.items() if function is not None)
        if default is not None and used:
            self._problems.append(
                f"it has both a function `{used[0]}` and a class `Default`, and a Worker has one default entry point: "
                "keep one"
            )
        function = functions["fetch"]
        if function is not None:
            return FunctionHandler(function, f"fetch of {self._main}"), entrypoints
        if default is not None and "fetch" in default.hooks:
            return EntrypointHandler(default), entrypoints
        return None, entrypoints

    def functions(self) -> list[str]:
        """The names of the functions that the module defines."""
        return [name for name, value in self._names.items() if inspect.isfunction(value) and self._is_own(value)]

    def object_classes(self, class_names: Iterable[str]) -> dict[str, ClassSpec]:
        classes: dict[str, ClassSpec] = {}
        for name in dict.fromkeys(class_names):
            spec = self._object_class(name)
            if spec is not None:
                classes[name] = spec
        return classes

    def _function(self, hook: str, spellings: Sequence[str]) -> Callable[..., Any] | None:
        used = [spelling for spelling in spellings if spelling in self._names]
        if not used:
            return None
        if len(used) > 1:
            self._problems.append(f"it defines its {hook} handler twice, as {' and '.join(used)}; keep `{hook}`")
        value = self._names[used[0]]
        if not self._is_own(value):
            source = str(getattr(value, "__module__", None) or getattr(value, "__name__", "")).partition(".")[0]
            self._problems.append(
                f"`{used[0]}` is imported from {source}, and only what the project defines can be a handler; "
                f"write `import {source}` and `{source}.{getattr(value, '__name__', used[0])}(url)`"
            )
            return None
        if not callable(value) or isinstance(value, type):
            self._problems.append(f"`{used[0]}` is {kind_of(value)}, not a function; write `async def {hook}(...)`")
            return None
        function: Callable[..., Any] = value
        wanted = arguments_needed(function)
        if wanted > HANDLER_ARGUMENTS_MAX:
            self._problems.append(
                f"`{used[0]}` needs {wanted} arguments{_place_of(function)}, and a handler gets three at most; "
                f"write `async def {hook}(request, env, ctx)`"
            )
        return function

    def _check_default(self) -> None:
        default = self._names.get(DEFAULT_ENTRYPOINT)
        if default is None:
            return
        if not _is_class(default, WorkerEntrypoint):
            self._problems.append(f"`Default` is {kind_of(default)}; write `class Default(WorkerEntrypoint)`")
        elif not self._is_own(default):
            self._problems.append(
                f"`Default` is imported from {default.__module__}, and only what the project defines can be an entry "
                "point; derive a class from it"
            )

    def _object_class(self, name: str) -> ClassSpec | None:
        cls = self._names.get(name)
        if cls is None:
            own = [key for key, value in self._names.items() if isinstance(value, type) and self._is_own(value)]
            near = difflib.get_close_matches(name, own, n=1)
            known = ", ".join(sorted(own)) or "none"
            hint = f"did you mean {near[0]!r}?" if near else "define it there, or import it there from its module"
            self._problems.append(
                f"a binding names the class {name!r}, which it does not define (its classes: {known}); {hint}"
            )
        elif not isinstance(cls, type):
            self._problems.append(
                f"a binding names {name!r} as a class, but it is {kind_of(cls)}; give the class that name"
            )
        elif not self._is_own(cls):
            self._problems.append(
                f"the class {name!r} is imported from {cls.__module__}, and only what the project defines can be an "
                "object class; derive a class from it"
            )
        elif issubclass(cls, WorkerEntrypoint):
            self._problems.append(f"the class {name!r} is an entry point; an object class derives from DurableObject")
        elif inspect.iscoroutinefunction(cls.__init__):
            self._problems.append(
                f"the constructor of {name!r} is `async def`{_place_of(cls.__init__)}, and Python awaits none; write "
                "`def __init__`, and do what has to wait in `async def setup(self)`"
            )
        elif not takes_ctx_and_env(cls):
            self._problems.append(
                f"the constructor of {name!r} has to take two arguments: `def __init__(self, ctx, env)`"
            )
        else:
            return self._checked(lambda: ClassSpec(cls))
        return None

    def _checked(self, make: Callable[[], ClassSpec]) -> ClassSpec | None:
        try:
            return make()
        except PerdureError as error:
            self._problems.append(str(error))
            return None

    def _is_own(self, value: object) -> bool:
        if isinstance(value, ModuleType):
            return False
        if not (inspect.isroutine(value) or isinstance(value, type)):
            return True  # an object made here (functools.partial, a decorator's result): no module to come from
        return self._modules.owns(str(value.__module__))


def _imported(modules: ImportSpace, plain_name: str, shown: str) -> ModuleType:
    try:
        return modules.load(plain_name)
    except (Exception, SystemExit) as error:
        raise _import_failed(error, shown) from error


def _import_failed(error: BaseException, shown: str) -> LoadFailed:
    what = f"{shown} could not be imported"
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        text = (error.text or "").strip()
        return LoadFailed(
            what=what,
            where=f"{error.filename}:{error.lineno}",
            why=f"{type(error).__name__}: {error.msg}" + (f": `{text}`" if text else ""),
            next_step="correct the line",
        )
    frames = user_frames(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    lines = "".join(traceback.format_list(frames)).rstrip("\n")
    next_step = "correct the line named last"
    if isinstance(error, ModuleNotFoundError):
        next_step = f"install what provides {error.name!r}, or correct the import"
    elif isinstance(error, ImportError):
        next_step = _instead_of_import(error)
    if isinstance(error, RuntimeError) and "cannot be called from a running event loop" in str(error):
        next_step = "a Worker's module only defines things, and runs on a loop already: remove the call"
    if isinstance(error, SystemExit):
        next_step = "a Worker's module only defines things: remove the exit"
    return LoadFailed(what=what, where=where, why=f"{said}\n{lines}\n" if lines else said, next_step=next_step)


def _instead_of_import(error: ImportError) -> str:
    """What to write instead of a name that a module has not."""
    wanted = re.search(r"cannot import name '(\w+)'", str(error))
    module = sys.modules.get(error.name or "")
    if wanted is None or module is None:
        return "correct the line named last"
    near = difflib.get_close_matches(wanted[1], getattr(module, "__all__", dir(module)), n=1)
    return f"did you mean {near[0]!r}?" if near else f"{error.name} has no {wanted[1]!r} in this version: leave it out"


def import_root(main: Path, root: Path) -> tuple[Path, str]:
    """The folder to import from and the module's name there: with its package, if `main` stands in one."""
    folder, names = main.parent, [main.stem]
    while (folder / "__init__.py").is_file() and folder != root and folder != folder.parent:
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def takes_ctx_and_env(cls: type[Any]) -> bool:
    """Whether an object class can be made as the runtime makes it."""
    try:
        signature = inspect.signature(cls)
    except ValueError:
        return True  # built in, without a signature: seen at the first activation
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _is_class(value: object, base: type[Any]) -> bool:
    return isinstance(value, type) and issubclass(value, base)


def kind_of(value: object) -> str:
    """What a value that should be something else is, for messages."""
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if isinstance(value, ModuleType):
        return f"the module {value.__name__}"
    return f"a value of type {type(value).__name__}"


def _place_of(function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"


def _shown(main: Path, root: Path) -> str:
    return str(main.relative_to(root)) if main.is_relative_to(root) else str(main)
