"""Plain data becomes the class that a type names, or a ValueMismatch says which field does not fit.

Only the fields' types decide; nothing in the data can name a class. See tests/model/test_typed.py.
"""

import re
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import msgspec

from perdure.model.errors import ValueMismatch, WrongType
from perdure.model.value.fields import is_pydantic_model
from perdure.model.value.odd_enum import buildable, member_of

T = TypeVar("T")

# Kinds that are in the data as themselves. Named here, msgspec does not also make them from text: a str is not a
# datetime, and text that happens to be base64 not bytes.
NATIVE: Final = (bytes, bytearray, datetime, date, time, timedelta, Decimal, UUID)
NATIVE_IN_SQL: Final = (bytes, bytearray)
"""SQLite has no other kinds: a datetime is its ISO 8601 text, a Decimal and a UUID are theirs."""
_FIELD: Final = re.compile(r" - at (`key` in )?`\$(?P<steps>.*)`$", re.DOTALL)
# From here on a model can be told to take its fields by name where they also have an alias.
_PYDANTIC_BY_NAME: Final = (2, 11)


def as_type(type_: type[T], value: Any, *, path: str, native: tuple[type, ...] = NATIVE) -> T:
    """`value`, as it was decoded, as a `type_`: a plain kind, dataclass, Struct, typed dict, named tuple, Enum,
    pydantic model or a combination of these (`list[Order]`, `Side | None`).

    Extra fields are ignored, missing ones need a default. An int is a float; nothing else changes its kind.
    path: what to call the value in a message, as `get_as(Order, "k")`. native: the kinds that are in the data as
    themselves; others are made from their text.
    Raises ValueMismatch with the path of the field that does not fit, and WrongType for a type that no data can become.
    """
    if type_ is Any or type_ is object:
        return cast(T, value)
    try:
        try:
            return _convert(value, type_, native)
        except TypeError:
            built = buildable(type_)
            if built is type_:
                raise
            return cast(T, _convert(value, built, native))
    except msgspec.ValidationError as error:
        raise _mismatch(str(error), path) from error
    except (TypeError, NameError, RecursionError) as error:
        raise WrongType(
            what=f"no value can be read as {_name(type_)}",
            where=path,
            why=str(error),
            next_step="give all members of the Enum values of one kind, text or ints"
            if "Enums must contain" in str(error)
            else "use plain types, dataclasses, msgspec.Structs or pydantic models",
        ) from error


def _convert(value: Any, type_: type[T], native: tuple[type, ...]) -> T:
    return msgspec.convert(value, type_, strict=True, builtin_types=native, dec_hook=_model)


def _model(type_: type[Any], value: Any) -> Any:
    """Builds what msgspec does not know. Its ValueErrors and TypeErrors become ValidationErrors with a path."""
    if is_pydantic_model(type_):
        if _pydantic_version() >= _PYDANTIC_BY_NAME:
            return type_.model_validate(value, by_alias=True, by_name=True)
        return type_.model_validate(value)
    member = member_of(type_, value)
    if member is not None:
        return member
    if isinstance(value, type_):
        return value
    raise TypeError(f"{_name(type_)} is not made of fields: make it a dataclass or msgspec.Struct")


def _pydantic_version() -> tuple[int, ...]:
    return tuple(int(part) for part in sys.modules["pydantic"].VERSION.split(".")[:2])


def _mismatch(message: str, path: str) -> ValueMismatch:
    found = _FIELD.search(message)
    steps = found["steps"] if found else ""
    return ValueMismatch(
        what="the value is not of the type asked for",
        why=message[: found.start()] if found else message,
        next_step="if it was stored in an older shape, give new fields defaults, or read it without a type",
        path=path + steps,
    )


def _name(type_: Any) -> str:
    return type_.__qualname__ if isinstance(type_, type) else str(type_)
