"""What of a class can be reached from outside: its hooks, its methods and its properties, found out once per class.

Callable through a stub are public methods of the class and its bases. Not: names with a leading underscore, reserved
names, static and class methods, class and instance attributes. So nobody calls by accident what was never meant to be
called (API-16). See tests/workers/test_class_spec.py.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol

from perdure.model.errors import MethodNotFound, NoHandler, WrongType
from perdure.model.limits import Limits
from perdure.workers.durable_object import DurableObject
from perdure.workers.entrypoint import WorkerEntrypoint
from perdure.workers.reserved import OBJECT_HOOKS, RESERVED
from perdure.workers.schema_steps import schema_of
from perdure.workers.typed_call import MemberTypes

# What these bases define is the runtime's, not the user's.
_BASES_WITHOUT_MEMBERS = frozenset({object, Generic, Protocol, DurableObject, WorkerEntrypoint})


class ClassSpec:
    """One class of a Worker as its callers may use it."""

    __slots__ = ("_types", "_untyped", "cls", "hooks", "limits", "methods", "name", "properties", "results", "schema")

    def __init__(self, cls: type[Any], *, hooks: Mapping[str, tuple[str, ...]] = OBJECT_HOOKS) -> None:
        """Raises WrongType for a hook under two spellings, a method with a reserved name, and limits that are none."""
        self.cls = cls
        self.name = cls.__qualname__
        members = _members(cls)
        methods = {name for name, value in members.items() if _is_method(value)}
        self.hooks = _found_hooks(cls, hooks, methods)
        _refuse_reserved(self.name, hooks, methods)
        public = {name for name in members if not name.startswith("_") and name not in RESERVED}
        self.methods = frozenset(public & methods)
        self.properties = frozenset(name for name in public if _is_property(members[name]))
        self.limits = _limits(cls)
        self.schema = schema_of(cls)
        self._types = MemberTypes(cls, members, sorted(self.methods | self.properties))
        self._untyped = self.methods.difference(self._types.arguments)
        self.results = self._types.results
        """What results are built as at callers, for the members whose annotation names a class of fields."""

    def method(self, target: object, name: str) -> Callable[..., Any]:
        """The method to call for an RPC, bound to the instance. Raises MethodNotFound.

        Where its annotations name a class of fields, it builds these arguments first, and raises ValueMismatch.
        """
        if name in self._untyped and name not in getattr(target, "__dict__", ()):
            found: Callable[..., Any] = getattr(target, name)
            return found
        if name in self._types.arguments and not _hides(target, name):
            return functools.partial(self._types.arguments[name].call, getattr(target, name))
        raise self._not_found(target, name)

    def read(self, target: object, name: str) -> Any:
        """The value of a property. Raises MethodNotFound, and what the property raises."""
        if name in self.properties:
            return getattr(target, name)
        raise self._not_found(target, name)

    def hook(self, name: str) -> Hook:
        """The handler of this name. Raises NoHandler."""
        found = self.hooks.get(name)
        if found is None:
            raise NoHandler(
                what=f"{self.name} has no {name} handler",
                why=f"the class does not define `{name}`",
                next_step=f"define `async def {name}(self, {'request' if name == 'fetch' else '...'})` in it",
            )
        return found

    def cannot_answer(self, what: str) -> NoHandler:
        """A request came, and the class has no `fetch`."""
        near = difflib.get_close_matches("fetch", sorted(self.methods), n=1)
        rename = f"rename `{near[0]}`, if it was meant, or " if near else ""
        return NoHandler(
            what=f"{self.name} cannot answer {what}",
            why="the class does not define `fetch`",
            next_step=f"{rename}define `async def fetch(self, request)` in it",
        )

    def _not_found(self, target: object, name: str) -> MethodNotFound:
        known = sorted(self.methods | self.properties)
        near = difflib.get_close_matches(name, known, n=1)
        if name in self.properties:
            why, next_step = "it is a property", f"read it without calling: `await stub_of(stub).{name}`"
        elif name in self.methods and not _hides(target, name):
            why, next_step = "it is a method", f"call it: `await stub.{name}()`"
        elif name in RESERVED:
            why, next_step = "the name is reserved and never callable", "call a method of another name"
        elif name.startswith("_"):
            why, next_step = "names with a leading underscore are private", "give the method a public name"
        elif _hides(target, name):
            why, next_step = "it is an attribute of the instance, not of the class", "add a method that returns it"
        elif hasattr(self.cls, name):
            why, next_step = "it is a static or class method, or a class attribute", "add a plain method"
        else:
            why = f"callable are: {', '.join(known)}" if known else "the class has no public methods"
            next_step = f"did you mean {near[0]!r}?" if near else "add the method to the class"
        return MethodNotFound(what=f"{self.name} has no method {name!r} for callers", why=why, next_step=next_step)


class Hook:
    """A handler: its name in the class, and how many of the arguments that it could get it wants (API-3)."""

    __slots__ = ("arguments", "attribute")

    def __init__(self, attribute: str, arguments: int) -> None:
        self.attribute = attribute
        self.arguments = arguments

    def call(self, target: object, *offered: Any) -> Any:
        """Call it on an instance with as many of these as it declares, from the left."""
        return getattr(target, self.attribute)(*offered[: self.arguments])


ANY_NUMBER = 1_000
"""What a function with `*args` wants: all that there is."""


def arguments_wanted(function: Callable[..., Any]) -> int:
    """How many positional arguments a function takes at most, its `self` included."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return ANY_NUMBER  # built in, without a signature: it has to cope with what handlers get
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return ANY_NUMBER
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional for parameter in parameters)


def arguments_needed(function: Callable[..., Any]) -> int:
    """How many positional arguments it cannot be called without."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 0  # as in `arguments_wanted`
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional and parameter.default is parameter.empty for parameter in parameters)


def _members(cls: type[Any]) -> dict[str, Any]:
    """What the class and its bases define, as it stands in them; the most derived wins."""
    members: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base not in _BASES_WITHOUT_MEMBERS:
            members.update(vars(base))
    return members


def _is_method(value: object) -> bool:
    if isinstance(value, staticmethod | classmethod | type):
        return False
    if isinstance(value, functools.partialmethod | functools.singledispatchmethod):
        return True
    # Also what decorators leave behind (functools.cache, compiled functions): it binds to the instance.
    return callable(value) and hasattr(type(value), "__get__")


def _is_property(value: object) -> bool:
    return isinstance(value, property | functools.cached_property)


def _hides(target: object, name: str) -> bool:
    """Whether an attribute of the instance stands in front of the method."""
    return name in getattr(target, "__dict__", ())


def _found_hooks(cls: type[Any], hooks: Mapping[str, tuple[str, ...]], methods: set[str]) -> dict[str, Hook]:
    found: dict[str, Hook] = {}
    for hook, spellings in hooks.items():
        used = [spelling for spelling in spellings if spelling in methods]
        if len(used) > 1:
            raise WrongType(
                what=f"{cls.__qualname__} defines its {hook} handler twice, as {' and '.join(used)}",
                why="they are two spellings of one handler",
                next_step=f"keep `{hook}` and remove the other",
            )
        if used:
            found[hook] = Hook(used[0], arguments_wanted(getattr(cls, used[0])) - 1)
    return found


def _refuse_reserved(class_name: str, hooks: Mapping[str, tuple[str, ...]], methods: set[str]) -> None:
    allowed = {spelling for spellings in hooks.values() for spelling in spellings}
    for name in sorted(methods & RESERVED - allowed):
        raise WrongType(
            what=f"{class_name}.{name} has a reserved name",
            why=f"`{name}` means something to the runtime or to stubs, so no caller could reach the method",
            next_step="rename it",
        )


def _limits(cls: type[Any]) -> Limits:
    limits = getattr(cls, "limits", None)
    if limits is None:
        return Limits()
    if not isinstance(limits, Limits):
        raise WrongType(
            what=f"{cls.__qualname__}.limits is {type(limits).__name__}, not Limits",
            next_step="write `limits = Limits(idle=timedelta(minutes=5))`",
        )
    return limits
