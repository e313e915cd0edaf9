"""What one call carries: arguments one way, a result the other, copied when they are sent and at most 32 MiB.

The copy is what makes a call within one process mean what it means between two: later changes on one side do not show on the
other. See tests/workers/test_message.py.
"""

from __future__ import annotations

from typing import Any

from perdure.model.errors import TooLarge
from perdure.model.limits import RPC_BYTES_MAX
from perdure.model.value import decode, encode

# Types whose values cannot change, so that they need no copy; of a fixed size, or nearly.
_FIXED = frozenset({type(None), bool, int, float})
_FIXED_BYTES = 16


class Sizer:
    """Copies the parts of one message and counts their encoded bytes."""

    __slots__ = ("size_bytes", "what")

    def __init__(self, what: str) -> None:
        """what: the message, for errors: `the arguments of post()`."""
        self.what = what
        self.size_bytes = 0

    def copy(self, value: Any, path: str) -> Any:
        """The value as the other side gets it. UnsupportedValue, with the path, for what cannot be sent; TooLarge."""
        kind = type(value)
        if kind is str and value.isascii():
            self.size_bytes += len(value)
        elif kind is bytes:
            self.size_bytes += len(value)
        else:
            data = encode(value, path=path)
            self.size_bytes += len(data)
            self._check()
            return decode(data)
        self._check()
        return value

    def _check(self) -> None:
        if self.size_bytes > RPC_BYTES_MAX:
            raise TooLarge(
                what=f"{self.what} do not fit into one message",
                why=f"{self.size_bytes:,} bytes encoded, at most {RPC_BYTES_MAX:,}",
                next_step="send it in parts, or as the body of `stub.fetch`, which streams",
                size=self.size_bytes,
                limit=RPC_BYTES_MAX,
            )


def copy_arguments(
    method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], int]:
    """Arguments as the callee gets them, and their size in bytes."""
    for value in args:
        if type(value) not in _FIXED:
            break
    else:
        if not kwargs:
            return args, kwargs, _FIXED_BYTES * len(args)
    sizer = Sizer(f"the arguments of {method}()")
    copied = tuple([sizer.copy(value, f"{method}() argument {number}") for number, value in enumerate(args, 1)])
    named = {name: sizer.copy(value, f"{method}() argument {name}") for name, value in kwargs.items()}
    return copied, named, sizer.size_bytes


def copy_result(method: str, result: Any) -> Any:
    """A result as the caller gets it."""
    return result if type(result) in _FIXED else Sizer(f"the result of {method}()").copy(result, f"result of {method}()")
