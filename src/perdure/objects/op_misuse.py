"""An operation used as if it were its result is refused, and told to await it.

Must stay true: nothing that asyncio, or Python's own printing, does with an awaitable is refused; type checkers do not see
these methods, or they would take the mistake for an allowed use. See tests/mistakes/test_forgotten_await.py.
"""

import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Never

from perdure.model.errors import WrongType

_ARITHMETIC: Final = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift")
_IN_PLACE_OF: Final = MappingProxyType(
    {
        "__iter__": ("in a loop", "for each in await ...:"),
        "__len__": ("for its length", "len(await ...)"),
        "__contains__": ("as a container", "x in await ..."),
        "__getitem__": ("for an item", "(await ...)[...]"),
        "__setitem__": ("for an item", "value = await ..., then value[...] = ..."),
        "__int__": ("as a number", "int(await ...)"),
        "__float__": ("as a number", "float(await ...)"),
        "__index__": ("as a number", "(await ...)"),
        "__format__": ("as text", 'f"{await ...}"'),
        **{f"__{name}__": ("in a comparison", "(await ...) < x") for name in ("lt", "le", "gt", "ge")},
        **{f"__{name}__": ("in an expression", "(await ...) + x") for name in _ARITHMETIC},
        **{f"__r{name}__": ("in an expression", "x + (await ...)") for name in _ARITHMETIC},
    }
)
"""What stands for a use of the result: how it was used, and how to write it."""

_RESULTS: Final = (type(None), int, float, str, bytes, list, tuple, dict, set, frozenset)
"""What is compared with a result. Not everything: sets and dicts of awaitables compare them with one another."""


def _refuse(used: str, write: str) -> Never:
    raise WrongType(
        what=f"an operation was used {used}, and not its result",
        why="calls of stubs and storage give an operation, which has its result once it is awaited",
        next_step=f"await it: {write}",
    )


def _refusal(used: str, write: str) -> Callable[..., Never]:
    def refuse(*_: Any) -> Never:
        _refuse(used, write)

    return refuse


class AwaitFirst:
    """What has a result only once it is awaited."""

    __slots__ = ()

    if not TYPE_CHECKING:
        for _name, (_used, _write) in _IN_PLACE_OF.items():
            locals()[_name] = _refusal(_used, _write)
        del _name, _used, _write

        def __eq__(self, other: object) -> bool:
            if isinstance(other, _RESULTS):
                _refuse("in a comparison", "(await ...) == x")
            return NotImplemented

        def __bool__(self) -> bool:
            # From 3.12 on, showing a task asks whether it has a coroutine.
            if sys._getframe(1).f_globals.get("__name__") == "asyncio.base_tasks":
                return True
            _refuse("as a condition", "if await ...:")

        __hash__ = object.__hash__
