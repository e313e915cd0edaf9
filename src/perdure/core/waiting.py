"""Outputs that wait for a group: each is told once, in order of registration per position.

An output waits for its own position, or for a fence above it. If the group it waits for fails and its object had
entries in that group, it is told so; if it only waited for the fence, it waits for the next one. See
tests/core/test_waiting.py.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from perdure.model.errors import PerdureError

Release = Callable[[PerdureError | None], None]
"""Told once whether what waits may leave (None) or its writes failed (the error)."""


class Waiter(NamedTuple):
    object: bytes
    position: int
    """Of the newest write it may reveal."""
    release: Release


class Waiting:
    """The outputs of one store that may not leave yet."""

    def __init__(self) -> None:
        self._waiters: dict[int, list[Waiter]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiters.values()))

    def add(self, awaited: int, waiter: Waiter) -> None:
        """`waiter` waits until position `awaited` is durable."""
        queue = self._waiters.get(awaited)
        if queue is None:
            self._waiters[awaited] = [waiter]
        else:
            queue.append(waiter)

    def take_durable(self, durable: int) -> Iterator[Release]:
        """Those that may leave now that `durable` is on disk."""
        for position in sorted(position for position in self._waiters if position <= durable):
            for waiter in self._waiters.pop(position):
                yield waiter.release

    def take_failed(self, objects: frozenset[bytes], position: int, fence: int) -> list[Release]:
        """Those whose writes are lost with group `position`; others who waited for it wait for `fence` now."""
        failed: list[Release] = []
        for awaited in sorted(self._waiters):
            kept: list[Waiter] = []
            for waiter in self._waiters.pop(awaited):
                if waiter.object in objects or waiter.position == position:
                    failed.append(waiter.release)
                else:
                    kept.append(waiter)
            if kept:
                target = fence if awaited <= position else awaited
                self._waiters[target] = kept + self._waiters.get(target, [])
        return failed

    def take_all(self) -> list[Release]:
        """All of them."""
        everyone = [waiter.release for position in sorted(self._waiters) for waiter in self._waiters[position]]
        self._waiters.clear()
        return everyone
