"""What arrives at an object: a call, a request, and later an alarm or a frame.

An event is handed over once, runs inside the gate, and its outcome leaves through the output gate: `resolve` and `reject` are
called exactly once between them, whatever becomes of the instance. See tests/objects/test_events.py.
"""

from abc import ABC, abstractmethod
from typing import Any

from perdure.core.gate import Section
from perdure.objects.member import open_sections


class Event(ABC):
    """One event for one object. Made in the sender's context, so that a chain of calls is known."""

    __slots__ = ("chain",)

    def __init__(self) -> None:
        self.chain: tuple[Section, ...] = open_sections()
        """The critical sections in which this event, or the one that caused it, was sent: who waits for them waits for itself."""

    @property
    @abstractmethod
    def what(self) -> str:
        """For messages: `increment()`, `fetch GET /x`."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """What it counts against `Limits.queue_bytes` while it waits."""

    @abstractmethod
    def run(self, target: object) -> Any:
        """Call the object, inside its gate; an awaitable result is awaited there."""

    @abstractmethod
    def pack(self, result: Any) -> Any:
        """Copy what is to leave, inside the gate and in the same step as the end of `run`."""

    @abstractmethod
    def resolve(self, packed: Any) -> None:
        """The result, once the writes that it may reveal are durable."""

    @abstractmethod
    def reject(self, error: BaseException) -> None:
        """What the object raised, under the same rule; or why it was not run, or did not end."""
