"""Events that wait for the store to have room: in the order in which they came, and no more than a class's limits.

A store that cannot write as fast as it is written to lets running events go on and keeps new ones waiting here. See
tests/objects/test_failed_commits.py.
"""

from collections import deque
from collections.abc import Callable

from perdure.model.errors import Overloaded
from perdure.model.limits import Limits
from perdure.model.object_id import ObjectId
from perdure.objects.event import Event
from perdure.store.interface import Store

Admit = Callable[[ObjectId, Event], None]


class Backlog:
    """The waiting events of one class. `admit` gets each when its turn comes, `emptied` is called after the last."""

    def __init__(
        self, class_name: str, store: Store, limits: Limits, admit: Admit, emptied: Callable[[], None]
    ) -> None:
        self._class_name = class_name
        self._store = store
        self._limits = limits
        self._admit = admit
        self._emptied = emptied
        self.events: deque[tuple[ObjectId, Event]] = deque()
        """Those that wait, oldest first."""
        self._bytes = 0

    def add(self, id: ObjectId, event: Event) -> None:
        """Let it wait; refuse it if too many do."""
        full = self._bytes + event.size_bytes > self._limits.queue_bytes
        if len(self.events) >= self._limits.queue or (self.events and full):
            event.reject(self._refusal(id, event))
            return
        if not self.events:
            self._store.when_room(self._go_on)
        self.events.append((id, event))
        self._bytes += event.size_bytes

    def _refusal(self, id: ObjectId, event: Event) -> Overloaded:
        return Overloaded(
            what=f"{event.what} was refused: the disk doesn't keep up",
            where=f"{self._class_name}/{id.name or id.hex}",
            why=f"{len(self.events):,} events of {self._class_name} wait for the store to write what it has",
            next_step="back off and try later",
        )

    def _go_on(self) -> None:
        while self.events and self._store.has_room:
            id, event = self.events.popleft()
            self._bytes -= event.size_bytes
            self._admit(id, event)
        if self.events:
            self._store.when_room(self._go_on)
        else:
            self._emptied()

    def reject_all(self, error: BaseException) -> None:
        while self.events:
            self.events.popleft()[1].reject(error)
