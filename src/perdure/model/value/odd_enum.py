"""Enums whose values are neither all text nor all ints: msgspec refuses them, though a member crosses as its value.

In a type, each is replaced by a stand-in that msgspec asks us to build. In the fields of a class they cannot be replaced,
and stay refused. See tests/model/test_typed.py.
"""

import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin


class _StandIn(type):
    """A class that only stands for an Enum: its instances are the members."""

    members: type[Enum]

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.members)


def buildable(type_: Any) -> Any:
    """`type_` with a stand-in for each such Enum in it; itself if there is none."""
    if isinstance(type_, type) and issubclass(type_, Enum):
        return _StandIn(type_.__name__, (), {"members": type_}) if _is_odd(type_) else type_
    arguments = get_args(type_)
    replaced = tuple(map(buildable, arguments))
    if all(new is old for new, old in zip(replaced, arguments, strict=True)):
        return type_
    origin = get_origin(type_)
    if isinstance(origin, type) and issubclass(origin, Mapping) and replaced[0] is not arguments[0]:
        raise TypeError(f"{arguments[0]} as the key of a dict is not supported: its values are of several kinds")
    generic: Any = Union if origin is types.UnionType else origin
    return generic[replaced]


def member_of(type_: type[Any], value: Any) -> Enum | None:
    """The member with this value, if `type_` is a stand-in. Raises ValueError if its Enum has none."""
    return type_.members(value) if isinstance(type_, _StandIn) else None


def _is_odd(enum: type[Enum]) -> bool:
    kinds = {type(member.value) for member in enum}
    return bool(kinds) and not any(all(issubclass(kind, plain) for kind in kinds) for plain in (int, str))
