"""Each event of an object as a line of the log, at level DEBUG: which object, what, and how long until its outcome left.

Decided when a Worker is loaded, so that a server that shows no such lines does nothing for them. See
tests/workers/test_shown_calls.py.
"""

import logging
from typing import Any

from perdure.core.clock import Clock
from perdure.model.object_id import ObjectId
from perdure.objects.event import Event
from perdure.objects.residents import Residents

_log = logging.getLogger("perdure.call")


def calls_are_shown() -> bool:
    """Whether anybody wants these lines."""
    return _log.isEnabledFor(logging.DEBUG)


class ShowingResidents(Residents):
    """Residents of which each event leaves a line."""

    def deliver(self, id: ObjectId, event: Event) -> None:
        super().deliver(id, _ShownEvent(event, f"{self.class_name}/{id.name or id.hex}", self.clock))


class _ShownEvent(Event):
    """Another event, whose end is told."""

    __slots__ = ("_clock", "_event", "_object", "_started_s", "size_bytes")

    def __init__(self, event: Event, object: str, clock: Clock) -> None:
        self.chain = event.chain
        self.origin = event.origin
        self.size_bytes = event.size_bytes
        self._event = event
        self._object = object
        self._clock = clock
        self._started_s = clock.monotonic()

    @property
    def what(self) -> str:
        return self._event.what

    @property
    def awaited(self) -> bool:
        return self._event.awaited

    def run(self, target: object) -> Any:
        return self._event.run(target)

    def pack(self, result: Any) -> Any:
        return self._event.pack(result)

    def resolve(self, packed: Any) -> None:
        self._tell("")
        self._event.resolve(packed)

    def reject(self, error: BaseException) -> None:
        self._tell(f" {type(error).__name__}")
        self._event.reject(error)

    def _tell(self, outcome: str) -> None:
        took_ms = (self._clock.monotonic() - self._started_s) * 1000
        _log.debug("→ %s %s %.0fms%s", self._object, self._event.what.removesuffix("()"), took_ms, outcome)
