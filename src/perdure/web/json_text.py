"""JSON bodies: what msgspec encodes and decodes, and a mismatch always names the path of the field.

See tests/web/test_json.py.
"""

import inspect
import re
from collections.abc import Iterable
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
    except _NoJsonForm as found:
        raise UnsupportedValue(
            what=f"{_with_article(found.value)} has no JSON form",
            why="JSON has text, numbers, true, false, null, lists and dicts",
            next_step=_instead_of(found.value),
            path=_path_to(found.value, data) or "$",
        ) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnsupportedValue(
            what="the value has no JSON form",
            why=str(error),
            next_step="send plain values: text, numbers, lists, dicts with text as keys",
            path="$",
        ) from error


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
    return ValueMismatch(
        what=what, why=why, next_step="catch ValueMismatch and answer with status 400", path=path or "$"
    )


def _plain(value: Any) -> Any:
    # Models are known by their protocol, so pydantic stays optional.
    dump = getattr(type(value), "model_dump", None)
    if dump is None:
        raise _NoJsonForm(value)
    return dump(value, mode="json")


class _NoJsonForm(TypeError):
    """What the encoder met and cannot write."""

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(f"{type(value).__name__} cannot be written as JSON")


def _with_article(value: object) -> str:
    name = type(value).__qualname__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _instead_of(value: object) -> str:
    if inspect.isawaitable(value):
        return "await it and send the result"
    if callable(value):
        return "call it and send the result"
    return "send plain values, or make its class a dataclass or msgspec.Struct"


# Deeper than a path that anybody reads; a value that holds itself ends there.
_PATH_STEPS_MAX = 32


def _path_to(wanted: object, data: Any, path: str = "$", steps: int = 0) -> str | None:
    """Where in lists and dicts it stands; as far as they go, for what is inside something else."""
    if data is wanted:
        return path
    items: Iterable[tuple[object, Any]] = ()
    if isinstance(data, dict) and steps < _PATH_STEPS_MAX:
        items = ((f".{key}", value) for key, value in data.items())
    elif isinstance(data, list | tuple) and steps < _PATH_STEPS_MAX:
        items = ((f"[{place}]", value) for place, value in enumerate(data))
    found = (_path_to(wanted, value, f"{path}{step}", steps + 1) for step, value in items)
    return next((each for each in found if each is not None), None)


def _as_model(type_: type[Any], value: Any) -> Any:
    validate = getattr(type_, "model_validate", None)
    if validate is None:
        raise TypeError(f"JSON cannot be read as {type_.__name__}")
    return validate(value)
