"""What a Worker's code says about its `env`: the `Env` classes that it names, and what each of them asks for.

A class counts if it annotates the `env` of a handler, or stands in `DurableObject[...]` or `WorkerEntrypoint[...]`
(API-9). Nothing is imported for it: a name that is not there at run time is unknown, and what depends on it unchecked.
See tests/workers/test_env_annotations.py.
"""

from __future__ import annotations

import builtins
import inspect
import operator
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, ClassVar, ForwardRef, Union, get_args, get_origin

from perdure.workers.durable_object import DurableObject
from perdure.workers.entrypoint import WorkerEntrypoint
from perdure.workers.env import Env
from perdure.workers.namespace import Namespace

if sys.version_info >= (3, 14):
    import annotationlib

ENV_POSITION = 1
"""Of `env` among the arguments of a module's handler."""


class Unknown:
    """Stands for a name that an annotation uses and that does not exist at run time."""


@dataclass(frozen=True, slots=True)
class EnvClasses:
    """The `Env` classes that a Worker's code names, each once, the handler's first."""

    classes: tuple[type[Env], ...]
    unknown: tuple[str, ...]
    """Annotations that name what is not there at run time: `HitsEnv of fetch()`, `ROOMS of HitsEnv`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One attribute that an `Env` class asks for."""

    name: str
    type: Any
    """Without `| None` and `Annotated`; Unknown if it cannot be resolved."""
    optional: bool
    """It may be missing: the annotation allows None, or the class has a default."""
    default: Any
    owner: type[Env]
    """The class that says so."""

    @property
    def is_namespace(self) -> bool:
        return _is_namespace(self.type)

    @property
    def object_class(self) -> Any:
        """`C` of `Namespace[C]`; Unknown if there is none that can be looked at."""
        found = next(iter(get_args(self.type)), Unknown)
        return _resolved(found, _module_names(self.owner)) if isinstance(found, str | ForwardRef) else found


def env_classes(handler: Callable[..., Any] | None, classes: Iterable[type[Any]]) -> EnvClasses:
    """Those that this handler of a module, and these object classes and entry points, name."""
    found: dict[type[Env], None] = {}
    unknown: dict[str, None] = {}
    for annotation, names, user in _mentions(handler, classes):
        resolved = _resolved(annotation, names)
        if resolved is Unknown:
            unknown[f"{getattr(annotation, '__forward_arg__', annotation)} of {user}"] = None
        elif isinstance(resolved, type) and issubclass(resolved, Env) and resolved is not Env:
            found[resolved] = None
    for cls in found:
        unknown |= {f"{each.name} of {cls.__name__}": None for each in wanted_of(cls) if each.type is Unknown}
    return EnvClasses(tuple(found), tuple(unknown))


def wanted_of(cls: type[Env]) -> list[Wanted]:
    """What the class and its bases ask for, in the order in which they say so."""
    found: dict[str, Wanted] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Env) and base is not Env:
            for name, annotation in _annotations_of(base).items():
                wanted = _wanted(cls, base, name, annotation)
                if wanted is not None:
                    found[name] = wanted
    return list(found.values())


def bindings_from(envs: Iterable[type[Env]], classes: Iterable[type[Any]]) -> dict[str, type[Any]]:
    """The object bindings of a Worker without a configuration, from a binding's name to its class (API-10).

    classes: the Worker's own object classes; each is bound under its own name. Each `Namespace[C]` of `envs` is bound
    to `C`, which may also be a plain class; a `Protocol` names another Worker's class and is left out.
    """
    bound = {cls.__name__: cls for cls in classes}
    for env in envs:
        for wanted in wanted_of(env):
            cls = wanted.object_class if wanted.is_namespace else None
            if isinstance(cls, type) and cls is not Unknown and not is_protocol(cls):
                bound[wanted.name] = cls
    return bound


def is_protocol(cls: type[Any]) -> bool:
    return bool(getattr(cls, "_is_protocol", False))


def _mentions(
    handler: Callable[..., Any] | None, classes: Iterable[type[Any]]
) -> Iterator[tuple[Any, Mapping[str, Any], str]]:
    """Every place that may name an `Env` class: (annotation, the names it may use, who says so)."""
    if handler is not None:
        function = inspect.unwrap(handler)
        parameters = list(getattr(getattr(function, "__code__", None), "co_varnames", ()))
        names: Mapping[str, Any] = getattr(function, "__globals__", {})
        if len(parameters) > ENV_POSITION:
            annotation = _annotations_of(function).get(parameters[ENV_POSITION])
            if annotation is not None:
                yield annotation, names, f"{getattr(function, '__name__', 'the handler')}()"
    for cls in classes:
        for base in cls.__mro__:
            for generic in base.__dict__.get("__orig_bases__", ()):
                if get_origin(generic) in (DurableObject, WorkerEntrypoint):
                    yield get_args(generic)[0], _module_names(base), base.__name__


def _wanted(cls: type[Env], base: type[Env], name: str, annotation: Any) -> Wanted | None:
    if name.startswith("_"):
        return None
    type_ = _resolved(annotation, {**_module_names(base), **vars(base)})
    if type_ is ClassVar or get_origin(type_) is ClassVar:
        return None
    if get_origin(type_) is Annotated and _is_namespace(get_args(type_)[0]):
        type_ = get_args(type_)[0]
    parts = get_args(type_)
    allows_none = get_origin(type_) in (Union, types.UnionType) and type(None) in parts
    if allows_none:
        left = tuple(part for part in parts if part is not type(None))
        type_ = reduce(operator.or_, left)
    has_default = hasattr(cls, name)
    return Wanted(name, type_, allows_none or has_default, getattr(cls, name, None), base)


def _is_namespace(type_: Any) -> bool:
    return type_ is Namespace or get_origin(type_) is Namespace


def _annotations_of(of: Any) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        # Evaluated when asked for: a name that is not there is a ForwardRef then, instead of an error.
        return annotationlib.get_annotations(of, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(of)


def _module_names(cls: type[Any]) -> Mapping[str, Any]:
    module = sys.modules.get(cls.__module__)
    return {} if module is None else vars(module)


def _resolved(annotation: Any, names: Mapping[str, Any]) -> Any:
    """What the annotation means; Unknown where it is text that means nothing at run time."""
    text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    if not isinstance(text, str):
        return annotation
    try:
        # The project's own text, evaluated as Python would have without quotes or `from __future__`.
        meant = eval(text, {}, _Names(names))
    except Exception:  # whatever it raises: it is no type that could be checked
        return Unknown
    return _resolved(meant, names) if isinstance(meant, str | ForwardRef) and meant != text else meant


class _Names(dict[str, Any]):
    """The names of a module, Python's own, and Unknown for every other."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__(names)

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, Unknown)
