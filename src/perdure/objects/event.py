"""What arrives at an object: a call, a request, and later an alarm or a frame.

An event is handed over once, runs inside the gate, and its outcome leaves through the output gate: `resolve` and `reject` are
called exactly once between them, whatever becomes of the instance. See tests/objects/test_lifecycle.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

from perdure.core.gate import Section
from perdure.objects.member import ObjectMember
from perdure.objects.origin import Origin


class Event(ABC):
    """One event for one object."""

    __slots__ = ("arrived_s", "begun_s", "chain", "origin")

    origin: Origin | None
    """The incoming request that it was sent for."""
    arrived_s: float
    """About when its object got it, by the monotonic clock."""
    begun_s: float | None
    """About when its first step began; None while it waits."""

    size_bytes: int
    """What it counts against `Limits.queue_bytes` while it waits."""
    chain: tuple[Link, ...]
    """The critical sections in which this event, or one that caused it, was sent."""

    def __init__(self) -> None:
        self.chain = ()
        self.origin = None

    def sent_by(self, sender: ObjectMember) -> None:
        """It was sent by code of an object: so that a chain of calls is known, and what request it is for."""
        self.origin = sender.origin
        still_open = (link for link in sender.chain if not link[0].done)
        self.chain = (*still_open, *((section, self) for section in sender.section.enclosing()))

    def would_wait_for_itself(self, top: Section) -> bool:
        """Whether the object's open section was, directly or through others, opened by code that awaits this event."""
        if not self.chain:
            return False
        open_now = top.enclosing()
        return any(section in open_now and event.awaited for section, event in self.chain)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for the outcome now."""
        return True

    @property
    @abstractmethod
    def what(self) -> str:
        """For messages: `increment()`, `fetch GET /x`."""

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


Link: TypeAlias = tuple[Section, Event]
"""A critical section, and the event that was sent in it."""
