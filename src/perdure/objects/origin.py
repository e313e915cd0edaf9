"""What the running code serves: the request that came in from outside, and the number by which records name it.

Known by a context variable in a Worker's code and by the `ObjectMember` in an object's; calls carry it from one to the other.
Must stay true: a request that nothing is said about costs no number; a number names one request of its process. See
tests/host/test_log_context.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

TAG_BYTES = 3
"""In front of each number: two Workers of a process, or a process and the one after it, number their requests alike."""


class RequestNumbers:
    """The numbers of one Worker's requests, each given out when it is first asked for."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._tag = ""
        self._given = 0

    def next(self) -> str:
        if not self._tag:
            self._tag = self._random_bytes(TAG_BYTES).hex()
        self._given += 1
        return f"{self._tag}-{self._given}"


class Origin:
    """One incoming request, as far as records are concerned."""

    __slots__ = ("_number", "_numbers")

    def __init__(self, numbers: RequestNumbers) -> None:
        self._numbers = numbers
        self._number: str | None = None


def number_of(origin: Origin) -> str:
    """What names this request in records: `3f9a1c-12`; the same each time."""
    if origin._number is None:
        origin._number = origin._numbers.next()
    return origin._number


ORIGIN: ContextVar[Origin | None] = ContextVar("perdure_origin", default=None)
