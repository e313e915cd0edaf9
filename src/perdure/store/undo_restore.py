"""Takes one object back to a state that it had, in place and before it starts.

The way back is entries like any other, a slice each, so a restore is durable, applied and undone as all else is. Until the
last one the store says that the object is to go back; a crash in between leaves it there, and the next start goes the way
again. See tests/store/test_undo.py and test_undo_crash.py.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from perdure.core.clock import Clock
from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.waiting import Release
from perdure.model.errors import PerdureError
from perdure.store.crash_point import At, CrashPoint
from perdure.store.reader import Reader
from perdure.store.undo_reading import Past, Slice, WayBack, read_past

_log = logging.getLogger("perdure.store")

Read = Callable[[Callable[[Reader], Any]], Awaitable[Any]]
"""Gives what a function reads of the tables, on another thread."""


class Restorable(Protocol):
    """What a restore needs of its store."""

    @property
    def has_room(self) -> bool: ...
    def when_room(self, resume: Callable[[], None]) -> None: ...
    def append(self, entry: Entry) -> int: ...
    def record(self, object: bytes) -> ObjectRecord | None: ...
    def alarm(self, object: bytes) -> Alarm | None: ...
    def when_durable(self, object: bytes, position: int, release: Release) -> None: ...


class Restore:
    """One object on its way back to `place`."""

    def __init__(
        self,
        store: Restorable,
        object: bytes,
        place: int,
        *,
        clock: Clock,
        at: At,
        read: Read,
    ) -> None:
        self._store = store
        self._object = object
        self._place = place
        self._clock = clock
        self._at = at
        self._read = read
        self._failed: PerdureError | None = None
        """A part of the way back is lost: what follows it would not lead there."""

    async def run(self) -> int:
        """Everything that the object wrote is in the tables. Gives the position after which it is there, durable."""
        self._at(CrashPoint.BEFORE_RESTORE)
        past: Past | None = await self._read(partial(read_past, object=self._object, place=self._place))
        if past is None:
            _log.error("object %s stays as it is: what it was to go back to is not kept any more", self._object.hex())
            past = Past(changed=False)
        way = WayBack(past)
        ready: Slice | None = await self._read(way.next_slice)
        while ready is not None and (following := await self._read(way.next_slice)) is not None:
            await self._append(self._part(past, ready))
            self._at(CrashPoint.AFTER_RESTORE_SLICE)
            ready = following
        self._at(CrashPoint.BEFORE_RESTORE_END)
        position = await self._append(self._last(past, ready or Slice()))
        await until(partial(self._store.when_durable, self._object, position))
        self._at(CrashPoint.AFTER_RESTORE_END)
        return position

    async def _append(self, entry: Entry) -> int:
        if not self._store.has_room:
            await until(lambda release: self._store.when_room(lambda: release(None)))
        if self._failed is not None:
            raise self._failed
        position = self._store.append(entry)
        self._store.when_durable(self._object, position, self._heard)
        return position

    def _heard(self, failed: PerdureError | None) -> None:
        self._failed = self._failed or failed

    def _part(self, past: Past, slice: Slice) -> Entry:
        assert past.record is not None, "rows of an object that did not exist"
        return Entry(self._object, self._clock.now_ms(), past.record.generation, slice.rows, pages=slice.pages)

    def _last(self, past: Past, slice: Slice) -> Entry:
        object, now_ms = self._object, self._clock.now_ms()
        if not past.changed:
            return Entry(object, now_ms, 0, {}, restore=0)
        record, alarm = self._store.record(object), self._store.alarm(object)
        left = None if record is None else record.generation
        generation = None if past.record is None else past.record.generation
        return Entry(
            object,
            now_ms,
            generation or left or 0,
            slice.rows,
            record=past.record if past.record != record else None,
            removed=past.record is None and record is not None,
            retires=left if left != generation else None,
            pages=slice.pages or None,
            alarm=AlarmChange(past.alarm) if past.alarm != alarm else None,
            restore=0,
        )


async def until(register: Callable[[Release], None]) -> None:
    """Waits until the release that it registers is called; raises what that is called with."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def release(error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    register(release)
    await ended
