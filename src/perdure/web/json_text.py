"""JSON bodies: what msgspec encodes and decodes, and a mismatch always names the path of the field.

See tests/web/test_json.py.
"""

import re
from typing import Any, TypeVar

import msgspec

from perdure.model.errors import UnsupportedValue, ValueMismatch

T = TypeVar("T")

JSON_TYPE = "application/json"
_AT_PATH = re.compile(r"(.*?) - at `\$?\.?(.*)`\Z", re.DOTALL)


def encoded_json(data: Any) -> bytes:
    """JSON of plain values, dataclasses, Structs, datetimes, Decimals (as text) and pydantic models."""
    try:
        return msgspec.json.encode(data, enc_hook=_plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnsupportedValue(what="the value has no JSON form", why=str(error), path="$") from error


def decoded_json(text: bytes) -> Any:
    """The value that the JSON text says. ValueMismatch if it is malformed."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _mismatch(error, "the body is not JSON") from error


def decoded_json_as(type_: type[T], text: bytes) -> T:
    """The value that the JSON text says, as `type_`. ValueMismatch if it is malformed or does not fit."""
    try:
        return msgspec.json.decode(text, type=type_, dec_hook=_as_model)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _mismatch(error, f"the body is no {getattr(type_, '__name__', type_)}") from error


def _mismatch(error: Exception, what: str) -> ValueMismatch:
    # The path stands in msgspec's text alone: "Expected `int`, got `str` - at `$.items[0].count`".
    match = _AT_PATH.match(str(error))
    why, path = (match[1], match[2]) if match is not None else (str(error), "")
    return ValueMismatch(what=what, why=why, path=path or "$")


def _plain(value: Any) -> Any:
    # Models are known by their protocol, so pydantic stays optional.
    dump = getattr(type(value), "model_dump", None)
    if dump is None:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return dump(value, mode="json")


def _as_model(type_: type[Any], value: Any) -> Any:
    validate = getattr(type_, "model_validate", None)
    if validate is None:
        raise TypeError(f"JSON cannot be read as {type_.__name__}")
    return validate(value)
