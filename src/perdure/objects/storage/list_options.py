"""The options of `list` and `list_as`, of storage, transactions and `kv`: spelled once.

`takes_list_options` gives each of these methods the parameters by name, for `help()`, notebooks and editors that run the
code; type checkers read the same from ListOptions. See tests/objects/test_storage.py.
"""

import difflib
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypedDict, TypeVar, get_type_hints

from perdure.core.key_range import KeyRange
from perdure.model.errors import WrongType, WrongValue
from perdure.objects.storage.keys import check_key

P = ParamSpec("P")
R = TypeVar("R")


class ListOptions(TypedDict, total=False):
    """Which keys a list has, and in which order. Without options: all, in the order of UTF-8 bytes."""

    start: str | None
    """The first key, inclusive."""
    start_after: str | None
    """The first key, exclusive; not together with `start`."""
    end: str | None
    """The key to stop before, also with `reverse`, which only turns the order."""
    prefix: str | None
    reverse: bool
    limit: int | None
    """How many at most; positive."""


_TYPES = get_type_hints(ListOptions)
_KEYS = ("start", "start_after", "end", "prefix")
_PARAMETERS = tuple(
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False if kind is bool else None, annotation=kind)
    for name, kind in _TYPES.items()
)


def takes_list_options(method: Callable[P, R]) -> Callable[P, R]:
    """Show the options of a method that has them as `**options`."""
    signature = inspect.signature(method)
    others = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    shown: Any = method
    shown.__signature__ = signature.replace(parameters=[*others, *_PARAMETERS])
    return method


def key_range(where: str, options: ListOptions) -> KeyRange:
    """The range of these options, refused if one is unknown or wrong, or if they contradict each other."""
    if not options:
        return KeyRange()
    for name in options.keys() - _TYPES.keys():
        near = difflib.get_close_matches(name, _TYPES, n=1)
        raise WrongType(
            what=f"list() has no option {name!r}",
            where=where,
            why=f"its options are: {', '.join(_TYPES)}",
            next_step=f"did you mean {near[0]!r}?" if near else "leave it out",
        )
    if options.get("start") is not None and options.get("start_after") is not None:
        raise WrongType(
            what="start and start_after were both given",
            where=where,
            why="each sets the lower end of the range",
            next_step="give `start` to include that key, `start_after` to leave it out",
        )
    for name in _KEYS:
        key = options.get(name)
        if key is not None:
            check_key(key, f"{where}, {name}=")
    _check_limit(options.get("limit"), where)
    return KeyRange.of(**options)


def _check_limit(limit: Any, where: str) -> None:
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise WrongType(
            what=f"limit must be an int, not {type(limit).__name__}",
            where=where,
            why="it is how many keys to list at most",
            next_step="write limit=100",
        )
    if limit is not None and limit < 1:
        raise WrongValue(
            what=f"limit must be positive, not {limit}",
            where=where,
            why="it is how many keys to list at most",
            next_step="leave it out to list everything",
        )
