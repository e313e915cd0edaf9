"""A refused value is named by the path to it, and the message says what to store instead.

The path is gathered while the refusal travels up through the containers, so values that fit pay nothing for it. See
tests/model/test_value_refusals.py.
"""

import io
import json
import re
import types
from collections.abc import Awaitable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from perdure.model.errors import UnsupportedValue

# A key in a path is there to be recognised; the rest of a long one would hide the message.
_KEY_CHARACTERS_MAX = 40


class Refusal(Exception):
    """On its way up from the value that cannot cross. `too_deep` ones may turn out to be a cycle."""

    def __init__(self, what: str, *, why: str = "", next_step: str = "", too_deep: object = None) -> None:
        super().__init__(what)
        self._what = what
        self._why = why
        self._next_step = next_step
        self._too_deep = too_deep is not None
        self._trail: list[tuple[int, str]] = []
        if too_deep is not None:
            self._trail.append((id(too_deep), ""))

    def inside(self, container: object, step: str) -> None:
        """Notes that the offender is reached from `container` by `step`."""
        self._trail.append((id(container), step))

    def error(self, path: str) -> UnsupportedValue:
        """The error for the caller, whose value is called `path`."""
        # From the outermost in. All containers on the trail were alive together, so equal ids are the same object.
        trail = self._trail[::-1]
        if self._too_deep:
            first_seen: dict[int, int] = {}
            for place, (identity, _) in enumerate(trail):
                first = first_seen.setdefault(identity, place)
                if first < place:
                    return UnsupportedValue(
                        what="a value that contains itself cannot be stored or sent",
                        why=f"it is the same object as {path}{_join(trail[:first])}",
                        next_step="refer to it by a key or name instead",
                        path=path + _join(trail[:place]),
                    )
        return UnsupportedValue(what=self._what, why=self._why, next_step=self._next_step, path=path + _join(trail))


def _join(trail: list[tuple[int, str]]) -> str:
    return "".join(step for _, step in trail)


def key_step(key: object) -> str:
    """The step of a path to what a dict has under `key`: `["a"]`, `[3]`, `[datetime.date(2026, 1, 1)]`."""
    try:
        shown = json.dumps(key, ensure_ascii=False) if isinstance(key, str) else repr(key)
    except ValueError:  # an int of more digits than Python prints
        shown = f"<a key of {type(key).__name__}>"
    # A lone surrogate in the path would make the message itself impossible to print.
    shown = shown.encode("utf-8", "backslashreplace").decode()
    if len(shown) > _KEY_CHARACTERS_MAX:
        shown = f"{shown[: _KEY_CHARACTERS_MAX - 3]}..."
    return f"[{shown}]"


def unsupported(value: object) -> Refusal:
    """The refusal of a value of a kind that is not in the list."""
    kind = value if isinstance(value, type) else type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return Refusal(
        f"the class {name} cannot be stored or sent"
        if isinstance(value, type)
        else f"a {name} cannot be stored or sent",
        why="what crosses is a copy, made of plain values and of classes with fields",
        next_step=_hint(value),
    )


_THIS_PROCESS = "it belongs to this process: keep it in an instance attribute, and store what it takes to make it again"

_HINTS: Final[tuple[tuple[type[Any] | tuple[type[Any], ...], str], ...]] = (
    (type, "store its name"),
    (
        (types.FunctionType, types.BuiltinFunctionType, types.MethodType),
        "call it and store the result, or store a name for it",
    ),
    (types.ModuleType, "store its name"),
    (Awaitable, "await it and store the result"),
    (io.IOBase, _THIS_PROCESS),
    (BaseException, "store its text: str(error)"),
    (complex, "store [z.real, z.imag]"),
    (range, "store list(r)"),
    (re.Pattern, "store its pattern"),
    (PurePath, "store str(path)"),
    (Iterator, "store list(it)"),
    (Mapping, "store dict(it)"),
)

_OF_THIS_PROCESS: Final = frozenset({"_thread", "threading", "asyncio", "socket", "_socket", "ssl", "sqlite3", "apsw"})


def _hint(value: object) -> str:
    for kinds, hint in _HINTS:
        if isinstance(value, kinds):
            return hint
    # By module, because most of these are not ours to import.
    package = type(value).__module__.partition(".")[0]
    if package == "numpy":
        return "use .item() for a number, .tolist() for an array"
    if package in _OF_THIS_PROCESS:
        return _THIS_PROCESS
    return "store plain values, or make its class a dataclass or msgspec.Struct"
