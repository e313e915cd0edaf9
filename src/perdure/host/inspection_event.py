"""An operator's work on a live object: an event like any other, so that it passes the gate and its outcome waits for the disk.

See tests/host/test_inspection.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from perdure.host.inspection_place import Place
from perdure.model.errors import ConstructorFailed, ObjectAborted, ObjectReset, Overloaded, TimeLimitExceeded
from perdure.model.object_id import ObjectId
from perdure.objects.event import Event
from perdure.objects.instance import Instance
from perdure.objects.member import CURRENT


async def in_turn(
    place: Place, id: ObjectId, what: str, work: Callable[[Instance | None], Any], *, ends_instance: bool = False
) -> Any:
    """What `work` gives, called once when the object's turn has come: in its gate, or with None if it is not in memory.

    An object that goes back to an earlier state does so first. ends_instance: as for `Work`.
    """
    for turn in range(TURNS_MAX):
        if place.residents is not None and place.live(id.raw) is not None:
            event = Work(what, work, ends_instance=ends_instance)
            place.residents.deliver(id, event)
            try:
                return await event.outcome
            except (ConstructorFailed, ObjectReset, ObjectAborted, TimeLimitExceeded):
                # The instance has ended. If that was before its turn, what it ended of may be what is to be mended.
                if event.ran or turn == TURNS_MAX - 1:
                    raise
        elif place.store.place_to_restore(id.raw) is not None:
            await place.store.restore(id.raw)
        else:
            return work(None)
    raise Overloaded(
        what=f"{what}: the turn of {place.label(id.raw, id.name)} did not come",
        why="it started, went back to an earlier state, and ended all the time",
        next_step="try again when it is called less",
    )


TURNS_MAX = 100
"""Instances of one object that may end before their turn: it is called all the time and fails at every start."""


class Work(Event):
    """Calls `work` with the instance, in its gate; what that gives is `outcome`."""

    __slots__ = ("_ends_instance", "_result", "_what", "_work", "outcome", "ran")

    size_bytes = 100

    def __init__(self, what: str, work: Callable[[Instance], Any], *, ends_instance: bool = False) -> None:
        """ends_instance: afterwards the object leaves memory, which knows of what is no longer there."""
        super().__init__()
        self._what = what
        self._work = work
        self._ends_instance = ends_instance
        self._result: tuple[Any] | None = None
        self.ran = False
        """`work` has been called."""
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @property
    def what(self) -> str:
        return self._what

    def run(self, target: object) -> Any:
        member = CURRENT.get()
        assert member is not None, "an event ran outside of a step"
        return self._run(member.instance)

    async def _run(self, instance: Instance) -> Any:
        self.ran = True
        result = self._work(instance)
        if self._ends_instance:
            self._result = (result,)
            instance.break_with(
                ObjectReset(
                    what=f"{instance.label} was reset by {self._what}",
                    why="what it held in memory is no longer what is stored",
                    next_step="call again: the next call starts it anew",
                )
            )
        return result

    def pack(self, result: Any) -> Any:
        return result

    def resolve(self, packed: Any) -> None:
        if not self.outcome.done():
            self.outcome.set_result(packed)

    def reject(self, error: BaseException) -> None:
        if self._result is not None:
            self.resolve(self._result[0])
        elif not self.outcome.done():
            self.outcome.set_exception(error)
