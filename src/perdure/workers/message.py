"""What one call carries: arguments one way, a result the other, copied when they are sent and at most 32 MiB.

The copy is what makes a call within one process mean what it means between two: later changes on one side do not show
on the other. See tests/workers/test_message.py.
"""

from __future__ import annotations

from typing import Any

from perdure.model.errors import TooLarge
from perdure.model.limits import RPC_BYTES_MAX
from perdure.model.value import transfer, transfer_sized

# Most arguments are small and cannot change: they need no copy, no path for a message, and no exact size (0.3 instead of
# 2 us for each call).
_UNCHANGING = frozenset({type(None), bool, float})
_SMALL_INT_MAX = 1 << 62
_SMALL_TEXT_CHARS_MAX = 1_000
_SMALL_BYTES = 16


def copy_arguments(
    method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], int]:
    """Arguments as the callee gets them, and what they count for in a queue, in bytes.

    Raises UnsupportedValue, with the path, for what cannot be sent; TooLarge above the limit of one message.
    """
    size_bytes = 0
    for value in args:
        kind = type(value)
        if kind is int and -_SMALL_INT_MAX < value < _SMALL_INT_MAX:
            size_bytes += _SMALL_BYTES
        elif kind is str and len(value) <= _SMALL_TEXT_CHARS_MAX and value.isascii():
            size_bytes += _SMALL_BYTES + len(value)
        elif kind in _UNCHANGING:
            size_bytes += _SMALL_BYTES
        else:
            return _copy_each(method, args, kwargs)
    return _copy_each(method, args, kwargs) if kwargs else (args, kwargs, size_bytes)


def _copy_each(
    method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], int]:
    size_bytes = 0
    copied: list[Any] = []
    for value in args:
        path = f"{method}() argument {len(copied) + 1}"
        value, bytes_of_it = transfer_sized(value, path=path, bytes_max=RPC_BYTES_MAX)
        copied.append(value)
        size_bytes += bytes_of_it
    named: dict[str, Any] = {}
    for name, value in kwargs.items():
        path = f"{method}() argument {name}"
        named[name], bytes_of_it = transfer_sized(value, path=path, bytes_max=RPC_BYTES_MAX)
        size_bytes += bytes_of_it
    if size_bytes > RPC_BYTES_MAX:
        raise TooLarge(
            what=f"the arguments of {method}() are too large for one call",
            why=f"{size_bytes:,} bytes, at most {RPC_BYTES_MAX:,}",
            next_step="send them in parts, or as the body of `stub.fetch`, which streams",
            size=size_bytes,
            limit=RPC_BYTES_MAX,
        )
    return tuple(copied), named, size_bytes


def copy_result(method: str, result: Any) -> Any:
    """A result as the caller gets it. Raises UnsupportedValue and TooLarge like the arguments."""
    kind = type(result)
    if kind in _UNCHANGING or (kind is int and -_SMALL_INT_MAX < result < _SMALL_INT_MAX):
        return result
    return transfer(result, path=f"result of {method}()", bytes_max=RPC_BYTES_MAX)
