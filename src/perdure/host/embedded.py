"""What `perdure.open` was given, as what a host is to run: classes, and a Worker in any of the forms that it may have.

Must stay true: what the program has imported is used as it is, never loaded again; what is a path is loaded in an import
space of its own; all that is wrong with an argument is said at the call, or before anything runs. See
tests/host/test_open.py.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from perdure.config import load_project
from perdure.config.inline_block import has_inline_block
from perdure.host.assignment import Assignment, same_name
from perdure.model.errors import WrongType
from perdure.workers.class_spec import ClassSpec
from perdure.workers.durable_object import DurableObject
from perdure.workers.entrypoint import WorkerEntrypoint
from perdure.workers.env_annotations import bindings_from, env_classes
from perdure.workers.handler import FunctionHandler
from perdure.workers.import_space import ProjectModules
from perdure.workers.imported import ImportedModules
from perdure.workers.loader import Program, kind_of, load_program, read_program, takes_ctx_and_env
from perdure.workers.reserved import WORKER_HOOKS

Objects: TypeAlias = Iterable[type[Any]] | Mapping[str, type[Any]]
"""Classes, bound under their own names, or from a binding's name to its class."""
WorkerSource: TypeAlias = str | os.PathLike[str] | ModuleType | Callable[..., Any]
"""A configuration's path, a main module or its path, or a `fetch` function."""

EMBEDDED = "embedded"
"""The Worker's name in a data folder that no configuration names: whichever way its classes were given, they are found."""
EXAMPLE = "perdure.open('data/', objects=[Counter])"


def object_classes(objects: Objects) -> dict[str, ClassSpec]:
    """The classes of `objects=`, by binding. Raises WrongType for what can be no object class, and says why."""
    if isinstance(objects, type):
        raise _not_objects(kind_of(objects), f"write objects=[{objects.__name__}]")
    if isinstance(objects, Mapping):
        named: dict[str, ClassSpec] = {}
        for name, cls in objects.items():
            if not isinstance(name, str) or not name:
                raise _not_objects(f"a mapping with the key {name!r}", "its keys are names: {'COUNTER': Counter}")
            named[name] = _spec_of(cls)
        return named
    if isinstance(objects, str | bytes) or not isinstance(objects, Iterable):
        raise _not_objects(kind_of(objects), f"write {EXAMPLE}")
    specs = [_spec_of(cls) for cls in objects]
    bound: dict[str, ClassSpec] = {}
    for spec in specs:
        there = bound.setdefault(spec.cls.__name__, spec)
        if there.cls is not spec.cls:
            raise same_name(there.cls, spec.cls)
    return bound


def assigned(worker: WorkerSource | None, objects: Mapping[str, ClassSpec], values: Mapping[str, Any]) -> Assignment:
    """What a host is to run, loaded. Raises ConfigError and LoadFailed; WrongValue where a name would mean two things."""
    assignment = _of_worker(worker)
    try:
        return assignment.with_classes(objects).with_values(values)
    except BaseException:
        assignment.program.modules.close()
        raise


def check_worker(worker: object) -> None:
    """Raises WrongType for what can be no `worker=`."""
    if worker is None or isinstance(worker, str | os.PathLike | ModuleType):
        return
    if isinstance(worker, type) or not callable(worker):
        raise WrongType(
            what=f"worker= is {kind_of(worker)}",
            why="it is a configuration's path, a main module or its path, or a function `fetch(request, env, ctx)`",
            next_step="write worker='wrangler.toml', worker=main or worker=fetch",
        )


def _of_worker(worker: WorkerSource | None) -> Assignment:
    if worker is None:
        return _without_configuration(Program(ImportedModules(), None, None, {}, {}), None)
    if isinstance(worker, str | os.PathLike):
        return _of_path(Path(worker))
    if isinstance(worker, ModuleType):
        return _of_module(worker)
    function: Callable[..., Any] = worker
    handler = FunctionHandler(function, getattr(function, "__name__", type(function).__name__))
    return _without_configuration(Program(ImportedModules(), None, handler, {}, {}), function)


def _of_path(path: Path) -> Assignment:
    if path.suffix != ".py" or (path.is_file() and has_inline_block(path.read_text("utf-8", "replace"))):
        return Assignment.of_project(load_project(path))
    program = load_program(EMBEDDED, path, root=path.parent)
    try:
        return _of_main(program)
    except BaseException:
        program.modules.close()
        raise


def _of_module(main: ModuleType) -> Assignment:
    modules = ImportedModules(main)
    label = f"the module {main.__name__}"
    own = [name for name, _ in _own_object_classes(modules, main)]
    return _of_main(read_program(modules, main, class_names=own, label=label))


def _of_main(program: Program) -> Assignment:
    assert program.main is not None, "it was read from a module"
    own = dict(_own_object_classes(program.modules, program.main))
    classes = {name: ClassSpec(cls) for name, cls in own.items()}
    handler = next((vars(program.main)[name] for name in WORKER_HOOKS["fetch"] if name in vars(program.main)), None)
    return _without_configuration(dataclasses.replace(program, classes=classes), handler)


def _own_object_classes(modules: ProjectModules, main: ModuleType) -> list[tuple[str, type[Any]]]:
    """The public object classes of a main module that the project defines, by the name that they have there."""
    return [
        (name, value)
        for name, value in vars(main).items()
        if isinstance(value, type)
        and issubclass(value, DurableObject)
        and not name.startswith("_")
        and name == value.__name__
        and modules.owns(value.__module__)
    ]


def _without_configuration(program: Program, handler: Callable[..., Any] | None) -> Assignment:
    """Bindings as the annotations of the code say (API-10)."""
    classes = [spec.cls for spec in program.classes.values()]
    envs = env_classes(handler, [*classes, *(spec.cls for spec in program.entrypoints.values())])
    bound = {binding: _spec_of(cls) for binding, cls in bindings_from(envs.classes, classes).items()}
    named = {spec.cls.__name__: spec for spec in bound.values()}
    bare = dataclasses.replace(program, classes={})
    return Assignment(EMBEDDED, bare, {}, {}).with_classes({**named, **bound})


def _spec_of(cls: object) -> ClassSpec:
    if not isinstance(cls, type):
        shown = cls if isinstance(cls, str) else type(cls).__name__
        raise _not_objects(
            f"a list with {kind_of(cls)}", f"give the class itself: {shown}, not an instance or its name"
        )
    if issubclass(cls, WorkerEntrypoint):
        raise _not_objects(f"a list with the entry point {cls.__qualname__}", "derive the class from DurableObject")
    if not takes_ctx_and_env(cls):
        raise _not_objects(
            f"a list with {cls.__qualname__}, which cannot be made with two arguments",
            f"write `class {cls.__name__}(perdure.DurableObject)`, or `def __init__(self, ctx, env)` in it",
        )
    return ClassSpec(cls)


def _not_objects(given: str, next_step: str) -> WrongType:
    return WrongType(
        what=f"objects= is {given}",
        why="it is a list of object classes, or a dict from the name of a binding to its class",
        next_step=next_step,
    )
