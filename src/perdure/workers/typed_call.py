"""What the annotations of a class say about its calls: arguments and results that come back as the class they left as.

Must stay true: a member whose annotations name no class of fields is in none of the tables here, so its calls pay one
look-up at most; an annotation that cannot be used keeps no class from loading. Arguments are built at the callee, before
its code runs; results at the caller, by the type that its stubs have. See tests/workers/test_typed_call.py.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import sys
from collections.abc import Awaitable, Callable, Container, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Final, get_args, get_origin

from perdure.model.value import as_type
from perdure.model.value.annotation import Unusable, check_usable, names_class, resolve
from perdure.objects.op import Op

if sys.version_info >= (3, 14):
    import annotationlib

_log = logging.getLogger("perdure.object")

# Around the result of a method that is not `async def`, as those of a Protocol may be.
_AWAITED: Final = frozenset({Awaitable, Coroutine, Op})


@dataclass(frozen=True, slots=True)
class TypedArguments:
    """The types of those of a method's parameters that name a class; the others are in none of these."""

    method: str
    positional: tuple[tuple[str, Any], ...]
    """In order, with the parameter's name; the type is Any where there is nothing to build."""
    more: tuple[str, Any]
    """Of `*args`, likewise."""
    named: dict[str, Any]
    others: Any
    """Of `**kwargs`; Any if there is nothing to build."""

    def call(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a bound method with these arguments, built; what fits no parameter stays for Python to refuse.

        Raises ValueMismatch, which names the method, the argument and the field.
        """
        values: list[Any] = []
        for place, value in enumerate(args):
            name, type_ = self.positional[place] if place < len(self.positional) else self.more
            values.append(self._built(name, type_, value))
        named = {name: self._built(name, self.named.get(name, self.others), value) for name, value in kwargs.items()}
        return method(*values, **named)

    def _built(self, name: str, type_: Any, value: Any) -> Any:
        return value if type_ is Any else as_type(type_, value, path=f"{self.method}() argument {name}")


class MemberTypes:
    """The types that a class's annotations give its methods and properties, where they name a class."""

    __slots__ = ("arguments", "results")

    def __init__(self, cls: type[Any], members: Mapping[str, Any], names: Iterable[str]) -> None:
        """members: what the class and its bases define. names: of those that can be called or read."""
        self.arguments: dict[str, TypedArguments] = {}
        self.results: dict[str, Any] = {}
        problems: list[str] = []
        for name in names:
            reader = _Reader(cls, name, members[name], problems)
            arguments = reader.arguments()
            if arguments is not None:
                self.arguments[name] = arguments
            result = reader.result()
            if result is not Any:
                self.results[name] = result
        if problems:
            _log.warning(
                "%s: these annotations cannot be used, so values arrive as plain data there: %s",
                cls.__qualname__,
                "; ".join(problems),
            )


def typed_attributes(cls: type[Any], names: Container[str]) -> dict[str, Any]:
    """Of these attributes, the types of those that the class annotates with a class of fields."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, annotation in () if base.__module__ == "builtins" else _annotations(base).items():
            if name in names:
                module = sys.modules.get(base.__module__)
                where = {} if module is None else vars(module)
                found.pop(name, None)
                with contextlib.suppress(Unusable):
                    type_ = resolve(annotation, where, vars(base))
                    if names_class(type_):
                        check_usable(type_)
                        found[name] = type_
    return found


def _annotations(cls: type[Any]) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        # A name that is not there is found by `resolve`, one annotation at a time.
        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(cls)


class _Reader:
    """Reads the annotations of one member."""

    def __init__(self, cls: type[Any], name: str, member: Any, problems: list[str]) -> None:
        self._name = name
        self._problems = problems
        self._is_property = isinstance(member, property | functools.cached_property)
        function = _function_of(member)
        # Annotations are read in the module of the function, and in the class that defines it.
        self._where = getattr(function, "__globals__", {})
        owner = next((base for base in cls.__mro__ if name in vars(base)), cls)
        self._inside = {owner.__name__: owner, **vars(owner)}
        # As it stands in the class, so that no descriptor of a user runs; a partialmethod says what it is once bound.
        bound = isinstance(member, functools.partialmethod)
        self._signature = _signature(function if self._is_property else getattr(cls, name) if bound else member)

    def arguments(self) -> TypedArguments | None:
        if self._is_property or self._signature is None:
            return None
        positional: list[tuple[str, Any]] = []
        named: dict[str, Any] = {}
        more: tuple[str, Any] = "", Any
        others: Any = Any
        parameters = list(self._signature.parameters.values())
        for parameter in parameters[0 if parameters and parameters[0].kind is Parameter.VAR_POSITIONAL else 1 :]:
            type_ = self._type_of(parameter)
            if parameter.kind is Parameter.VAR_POSITIONAL:
                more = parameter.name, type_
            elif parameter.kind is Parameter.VAR_KEYWORD:
                others = type_
            else:
                if parameter.kind is not Parameter.KEYWORD_ONLY:
                    positional.append((parameter.name, type_))
                if parameter.kind is not Parameter.POSITIONAL_ONLY:
                    named[parameter.name] = type_
        types = [*(type_ for _, type_ in positional), *named.values(), more[1], others]
        if all(type_ is Any for type_ in types):
            return None
        return TypedArguments(self._name, tuple(positional), more, named, others)

    def result(self) -> Any:
        if self._signature is None or self._signature.return_annotation is Parameter.empty:
            return Any
        return self._usable(self._signature.return_annotation, f"{self._name}() result", awaited=True)

    def _type_of(self, parameter: Parameter) -> Any:
        if parameter.annotation is Parameter.empty:
            return Any
        type_ = self._usable(parameter.annotation, f"{self._name}() argument {parameter.name}")
        # `message: Message = None` is common, and such a caller may say None as well as nothing.
        return type_ | None if parameter.default is None and type_ is not Any else type_

    def _usable(self, annotation: Any, place: str, *, awaited: bool = False) -> Any:
        """The type to build there; Any if the annotation names no class, or cannot be used."""
        try:
            type_ = resolve(annotation, self._where, self._inside)
            if awaited and get_origin(type_) in _AWAITED:
                type_ = get_args(type_)[-1]
            if not names_class(type_):
                return Any
            check_usable(type_)
        except Unusable as unusable:
            self._problems.append(f"{place} ({unusable})")
            return Any
        return type_


def _function_of(member: Any) -> Any:
    """The function below a property or a decorator."""
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, functools.cached_property | functools.partialmethod):
        member = member.func
    return inspect.unwrap(member)


def _signature(function: Any) -> inspect.Signature | None:
    try:
        if sys.version_info >= (3, 14):
            # A name that is not there is found by `resolve`, one annotation at a time.
            return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None  # built in or compiled, without a signature
