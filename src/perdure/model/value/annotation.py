"""Annotations of a method: which of them name a class whose instances cross as their fields, and can be built again.

Decided once, when a class is loaded, so that a call whose annotations name none of these pays nothing. An annotation
that cannot be used never keeps a class from loading: it is plain then, and the reason is given. See
tests/model/test_annotation.py.
"""

import dataclasses
import types
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Annotated, Any, Final, NewType, Required, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.msgpack import Decoder
from typing_extensions import TypeAliasType, is_typeddict

from perdure.model.value.fields import is_pydantic_model
from perdure.model.value.odd_enum import buildable

# What may stand around a class: a value of these kinds can hold one. Not a Callable or an AsyncIterator, whose
# elements are no part of the value.
_AROUND: Final = frozenset(
    (
        *(Union, types.UnionType, Annotated, Required, list, tuple, set, frozenset, dict),
        *(Collection, Sequence, MutableSequence, AbstractSet, MutableSet, Mapping, MutableMapping, Iterable),
    )
)


class Unusable(Exception):
    """An annotation that says no type which values can be built as; its text says why."""


def resolve(annotation: Any, where: Mapping[str, Any], inside: Mapping[str, Any]) -> Any:
    """What an annotation means that may be text, or hold text, in a module's names and a class's.

    Raises Unusable if it names what is not there when it runs: imported for type checkers only, or in a function.
    """

    def bearer() -> None: ...

    bearer.__annotations__ = {"it": annotation}
    try:
        return get_type_hints(bearer, dict(where), dict(inside), include_extras=True)["it"]
    except Exception as error:  # whatever stands in the text is evaluated: anything can come of it
        raise Unusable(f"{type(error).__name__}: {error}") from error


def names_class(annotation: Any) -> bool:
    """Whether values of this type cross as fields or values of a class, alone or inside of plain kinds."""
    waiting, seen = [annotation], set[int]()
    while waiting:
        kind = waiting.pop()
        if id(kind) in seen:
            continue  # `type Json = dict[str, Json]`
        # By name as well: what the `type` statement makes and what typing_extensions makes are two classes on 3.12 and 3.13.
        if isinstance(kind, TypeAliasType) or type(kind).__name__ == "TypeAliasType":
            seen.add(id(kind))
            waiting.append(kind.__value__)
        elif isinstance(kind, NewType):
            waiting.append(kind.__supertype__)
        elif _is_class_of_fields(get_origin(kind) or kind):
            return True
        elif get_origin(kind) in _AROUND:
            waiting += get_args(kind)
    return False


def check_usable(annotation: Any) -> None:
    """Raises Unusable for a type that names such a class and that no value can be built as, whatever it holds."""
    if _is_iterable(annotation):
        raise Unusable("an Iterable may be anything that yields: write list[...] or Sequence[...]")
    try:
        Decoder(buildable(annotation))
    except (TypeError, NameError, AttributeError, RecursionError) as error:
        raise Unusable(str(error)) from error


def _is_class_of_fields(kind: Any) -> bool:
    if not isinstance(kind, type):
        return False
    return (
        issubclass(kind, Enum | msgspec.Struct)
        or dataclasses.is_dataclass(kind)
        or is_typeddict(kind)
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
        or is_pydantic_model(kind)
    )


def _is_iterable(annotation: Any) -> bool:
    return get_origin(annotation) is Iterable or any(
        map(_is_iterable, get_args(annotation) if get_origin(annotation) in _AROUND else ())
    )
