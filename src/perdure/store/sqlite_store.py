"""The embedded store: layers in memory over one SQLite database, kept by one writer.

Reads are answered at once from the layers or the tables; entries wait in the layers until the writer has made their
group durable, later until it has applied them. The loop never waits for the disk here: it hands jobs over and obeys
their results. What must hold is said in `interface`, and tested by tests/store/test_contract.py, test_model.py,
test_power_cut.py and test_faults.py.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TypeVar

import apsw

from perdure.core.clock import Clock
from perdure.core.entry import Alarm, DeadAlarm, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.layers import IN_TABLE, Layers
from perdure.core.page_change import changed_page, is_whole
from perdure.core.row_cache import UNREAD, RowCache
from perdure.core.undo_place import PINS_MAX, end_of, pin_of
from perdure.core.waiting import Release, Waiter, Waiting
from perdure.model.errors import (
    ForkedChild,
    PerdureError,
    StorageBroken,
    UnitTooLarge,
    WrongThread,
    WrongValue,
    rebuilt,
)
from perdure.store.bounds import (
    CACHED_ROW_BYTES_MAX,
    GATHERING_BYTES_MAX,
    LAYERS_BYTES_MAX,
    ROW_CACHE_BYTES_MAX,
    UNIT_BYTES_MAX,
)
from perdure.store.committer import Committer, run_job
from perdure.store.files import Files, Place
from perdure.store.interface import ChangedAlarm, FailedObjects, StoreCounters, StoredObject, by_due_time
from perdure.store.pages_elsewhere import PagesElsewhere
from perdure.store.reader import Reader
from perdure.store.registry import read_page
from perdure.store.snapshot import read_only
from perdure.store.trouble import failed_read
from perdure.store.undo_reading import read_past, read_place
from perdure.store.undo_restore import Restore, until
from perdure.store.upkeep import Upkeep

T = TypeVar("T")


class SqliteStore:
    """A `Store` in one folder. `files` are open; whoever made it gives `released` to be called when all is closed."""

    def __init__(
        self,
        place: Place,
        files: Files,
        *,
        clock: Clock,
        committer: Committer,
        background: Committer,
        released: Callable[[], None] = lambda: None,
        layers: type[Layers] = Layers,
        row_cache: type[RowCache] = RowCache,
    ) -> None:
        self.on_failed: FailedObjects = _tell_nobody
        self.on_alarm: ChangedAlarm = _tell_nobody
        self._place = place
        self._clock = clock
        self._committer = committer
        self._released = released
        self._thread = threading.get_ident()
        self._layers = layers(durable=files.position)
        self.may_leave = self._layers.may_leave  # asked several times for each request, so without a call in between
        self._row_cache = row_cache(bytes_max=ROW_CACHE_BYTES_MAX, row_bytes_max=CACHED_ROW_BYTES_MAX)
        self._waiting = Waiting()
        self._wanting_room: deque[Callable[[], None]] = deque()
        self._generation = files.generation
        self._restoring = files.restoring
        """There may be objects that go back to an earlier state when they start; most stores never have any."""
        self._restores: dict[bytes, asyncio.Future[None]] = {}
        """Objects that go back right now, and what tells that they have ended."""
        self._refusal: PerdureError | None = None
        self._table_reads = 0
        self._upkeep = Upkeep(self, self._layers, place, files, clock=clock, committer=committer, background=background)

    # Entries

    @property
    def durable(self) -> int:
        return self._layers.durable

    @property
    def next_position(self) -> int:
        return self._layers.next_position

    @property
    def read_position(self) -> int:
        layers = self._layers
        return layers.next_position if layers.gathering_bytes else layers.next_position - 1

    def append(self, entry: Entry) -> int:
        if self._refusal is not None:
            raise self._refused()
        if threading.get_ident() != self._thread:
            raise _wrong_thread()
        size = entry.size_bytes()
        if size > UNIT_BYTES_MAX:
            raise _too_large(size)
        if entry.pin and self._layers.pins(entry.object) >= PINS_MAX:
            raise _too_many_pins()
        if entry.restore is not None:
            self._restoring = True
        position = self._layers.append(entry, size)
        self._row_cache.forget_written(entry)
        self._upkeep.counters.entries += 1
        self._upkeep.wake()
        if entry.alarm is not None:
            self.on_alarm(entry.object, entry.alarm.alarm)
        return position

    def new_generation(self) -> int:
        self._generation += 1
        return self._generation

    # Outputs

    def when_durable(self, object: bytes, position: int, release: Release) -> None:
        if self._layers.may_leave(object, position):
            release(None)
        elif self._refusal is not None:
            release(self._refused())
        else:
            self._waiting.add(self._layers.release_position(object, position), Waiter(object, position, release))

    @property
    def has_room(self) -> bool:
        layers = self._layers
        # Once it is off, whoever waits must go on and be refused: there will be no room.
        return self._refusal is not None or (
            layers.size_bytes <= LAYERS_BYTES_MAX
            and layers.gathering_bytes <= GATHERING_BYTES_MAX
            and not self._upkeep.reopening
        )

    def when_room(self, resume: Callable[[], None]) -> None:
        if self.has_room:
            resume()
        else:
            self._wanting_room.append(resume)

    # Reads

    def get(self, generation: int, key: str) -> bytes | None:
        if self._refusal is not None:
            raise self._refused()
        held = self._layers.value(generation, key)
        if held is not IN_TABLE:
            return held
        known = self._row_cache.value(generation, key)
        if known is not UNREAD:
            return known
        try:
            row = self._tables().get(generation, key)
        except apsw.Error as error:
            raise self._failed_read(error, generation, key) from error
        self._row_cache.remember(generation, key, row)
        return row

    def get_many(self, generation: int, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for key in sorted(set(keys)):
            value = self.get(generation, key)
            if value is not None:
                found[key] = value
        return found

    def scan(self, generation: int, keys: KeyRange) -> list[tuple[str, bytes]]:
        if self._refusal is not None:
            raise self._refused()
        if keys.empty:
            return []
        held = {key: value for key, (_, value) in self._layers.rows_of(generation).items() if key in keys}
        try:
            # Each row held in the layers can hide one of the table, so as many more are asked for.
            rows = self._tables().scan(generation, keys, extra=len(held))
        except apsw.Error as error:
            raise self._failed_read(error, generation, None) from error
        if held:
            rows = [row for row in rows if row[0] not in held]
            rows += [(key, value) for key, value in held.items() if value is not None]
            rows.sort(key=_by_key, reverse=keys.reverse)
        return rows if keys.limit is None else rows[: keys.limit]

    def page(self, generation: int, number: int) -> bytes | None:
        if self._refusal is not None:
            raise self._refused()
        changes = self._layers.page_changes(generation, number)
        if changes and is_whole(changes[0]):
            return changed_page(None, changes)
        try:
            return changed_page(self._tables().page(generation, number), changes)
        except apsw.Error as error:
            raise self._failed_read(error, generation, number) from error

    def pages_elsewhere(self) -> PagesElsewhere:
        return PagesElsewhere(self._layers, self._place)

    async def get_off_loop(self, generation: int, key: str) -> bytes | None:
        while True:
            if self._refusal is not None:
                raise self._refused()
            held = self._layers.value(generation, key)
            if held is not IN_TABLE:
                return held
            epoch = self._layers.epoch
            try:
                row = await self._upkeep.read_elsewhere(lambda tables: tables.get(generation, key))
            except apsw.Error as error:
                raise self._failed_read(error, generation, key) from error
            answer = self._layers.value_read_elsewhere(generation, key, row, epoch)
            if answer is not None:
                return answer[0]

    def record(self, object: bytes) -> ObjectRecord | None:
        if self._refusal is not None:
            raise self._refused()
        held = self._layers.record(object)
        if held is not IN_TABLE:
            return held
        try:
            return self._tables().record(object)
        except apsw.Error as error:
            raise failed_read(error, f"the registry row of object {object.hex()}", self._where) from error

    def record_position(self, object: bytes) -> int:
        return self._layers.record_position(object)

    async def objects(self, *, prefix: str = "", after: str | bytes | None = None, limit: int) -> list[StoredObject]:
        if self._refusal is not None:
            raise self._refused()
        if threading.get_ident() != self._thread:
            raise _wrong_thread()
        self._table_reads += 1
        page = partial(read_page, groups=self._layers.durable_groups(), prefix=prefix, after=after, limit=limit)
        try:
            return await self._upkeep.read_elsewhere(page)
        except apsw.Error as error:
            raise failed_read(error, "the registry", self._where) from error

    def alarm(self, object: bytes) -> Alarm | None:
        if self._refusal is not None:
            raise self._refused()
        held = self._layers.alarm(object)
        if held is not IN_TABLE:
            return held
        try:
            return self._tables().alarm(object)
        except apsw.Error as error:
            raise failed_read(error, f"the alarm of object {object.hex()}", self._where) from error

    def alarms(self, after: tuple[int, bytes], limit: int) -> list[tuple[bytes, Alarm]]:
        if self._refusal is not None:
            raise self._refused()
        found: list[tuple[bytes, Alarm]] = []
        until: tuple[int, bytes] | None = after
        while until is not None and len(found) < limit:
            try:
                rows = self._tables().alarms(until, limit)
            except apsw.Error as error:
                raise failed_read(error, "the table of alarms", self._where) from error
            found += [row for row in rows if self._layers.alarm(row[0]) is IN_TABLE]
            until = by_due_time(rows[-1]) if len(rows) == limit else None
        found += self._layers.alarms(after, until)
        return sorted(found, key=by_due_time)[:limit]

    async def dead_alarms(self, after: tuple[bytes, int], limit: int) -> list[tuple[bytes, DeadAlarm]]:
        await self._all_applied()
        try:
            return await self._upkeep.read_elsewhere(lambda tables: tables.dead_alarms(after, limit))
        except apsw.Error as error:
            raise failed_read(error, "the table of alarms that were given up", self._where) from error

    # The past

    def pinned_place(self, object: bytes) -> int:
        return pin_of(self._layers.next_position, self._layers.pins(object))

    def place_to_restore(self, object: bytes) -> int | None:
        if not self._restoring:
            return None
        if self._refusal is not None:
            raise self._refused()
        held = self._layers.restore(object)
        if held is not IN_TABLE:
            return held or None
        try:
            return self._tables().place_to_restore(object)
        except apsw.Error as error:
            raise failed_read(error, f"the restore of object {object.hex()}", self._where) from error

    async def restore(self, object: bytes) -> int:
        # Two at a time would make each other's way back wrong.
        while (under_way := self._restores.get(object)) is not None:
            await asyncio.shield(under_way)
        if self.place_to_restore(object) is None:
            return 0
        ended = self._restores[object] = asyncio.get_running_loop().create_future()
        try:
            return await self._restore(object)
        finally:
            del self._restores[object]
            ended.set_result(None)

    async def _restore(self, object: bytes) -> int:
        await self._all_applied()
        place = self.place_to_restore(object)
        if place is None:
            return 0  # the group that asked for it has failed
        read = partial(self._read_past, object)
        self._upkeep.sweeping.restores += 1
        try:
            return await Restore(self, object, place, clock=self._clock, at=self._place.at, read=read).run()
        finally:
            self._upkeep.sweeping.restores -= 1

    async def record_at(self, object: bytes, place: int) -> ObjectRecord | None:
        await self._all_applied()
        past = await self._read_past(object, partial(read_past, object=object, place=place))
        if past is None:
            return None
        return past.record if past.changed else self.record(object)

    def reading(self) -> AbstractContextManager[apsw.Connection]:
        return read_only(self._place.database, self._place.file_system)

    def place_kept(self, place: int) -> bool:
        return self._upkeep.sweeping.undo_from <= place <= end_of(self._layers.next_position)

    async def place_at(self, object: bytes, time_ms: int) -> int | None:
        await self._all_applied()
        return await self._read_past(object, partial(read_place, object=object, time_ms=time_ms))

    async def _all_applied(self) -> None:
        """Everything appended so far is in the tables, or has failed."""
        if self._refusal is not None:
            raise self._refused()
        await until(partial(self._upkeep.when_applied, self.read_position))

    async def _read_past(self, object: bytes, read: Callable[[Reader], T]) -> T:
        if self._refusal is not None:
            raise self._refused()
        self._table_reads += 1
        try:
            return await self._upkeep.read_elsewhere(read)
        except apsw.Error as error:
            raise failed_read(error, f"what undoes the writes of object {object.hex()}", self._where) from error

    def _tables(self) -> Reader:
        if threading.get_ident() != self._thread:
            raise _wrong_thread()
        self._table_reads += 1
        return self._upkeep.tables()

    def _failed_read(self, error: BaseException, generation: int, key: str | int | None) -> StorageBroken:
        try:
            owner = self._tables().owner(generation)
        except apsw.Error:
            owner = None  # The registry is damaged too: the generation has to do.
        object = f"object {owner[0].hex()}" if owner is not None else f"generation {generation}"
        named = f" ({owner[1]!r})" if owner is not None and owner[1] is not None else ""
        part = {str: f"key {key!r}", int: f"page {key} of the SQL database"}.get(type(key), "a range of keys")
        what = f"{part} of {object}{named}"
        return failed_read(error, what, self._where)

    # Life

    def counters(self) -> StoreCounters:
        return replace(self._upkeep.counters, layer_bytes=self._layers.size_bytes)

    @property
    def activity(self) -> tuple[int, int]:
        """Changes with every group and every read of the tables: two equal ones mean idleness between them."""
        return self._layers.next_position, self._table_reads

    @property
    def resting(self) -> bool:
        """The connections are closed; the next use opens them."""
        return self._upkeep.resting

    def rest(self) -> None:
        """Closes the connections if nothing is going on; the next use opens them again."""
        self._upkeep.rest()

    async def close(self) -> None:
        if isinstance(self._refusal, ForkedChild):
            return
        await self._upkeep.close()
        self._refuse(_closed(self._where))
        await run_job(self._committer, self._released)

    def poison(self) -> None:
        """This is a forked child: every use raises ForkedChild from now on, and nothing is flushed or closed."""
        self._refusal = _forked(self._where)
        self._upkeep.connections.leak()

    @property
    def _where(self) -> str:
        return str(self._place.folder)

    def _refused(self) -> PerdureError:
        error = self._refusal
        assert error is not None
        # A new one each time: an exception collects the traceback of every raise.
        copy = rebuilt(type(error), error.args, dict(error.__dict__))
        copy.__cause__ = error.__cause__
        assert isinstance(copy, PerdureError)
        return copy

    def _refuse(self, error: PerdureError) -> None:
        self._refusal = self._refusal or error

    # What upkeep reports

    def group_is_durable(self) -> None:
        """Outputs that waited for it leave, in order."""
        _release(self._waiting.take_durable(self._layers.durable), None)

    def group_failed(self, objects: frozenset[bytes], position: int, error: PerdureError) -> None:
        """These objects are reset, then the outputs that waited for their writes are told."""
        releases = self._waiting.take_failed(objects, position, self._layers.next_position)
        try:
            self.on_failed(objects, error)
        finally:
            _release(releases, error)

    def turned_off(self, objects: frozenset[bytes], error: PerdureError) -> None:
        """Everything is refused from now on; everybody who waits is told."""
        self._refuse(error)
        releases = self._waiting.take_all()
        try:
            self.on_failed(objects, error)
        finally:
            _release(releases, error)
            self.room_changed()

    def room_changed(self) -> None:
        """Those who wait for room go on, oldest first, as long as there is some."""
        while self._wanting_room and (self.has_room or self._refusal is not None):
            self._wanting_room.popleft()()


def _release(releases: Iterable[Release], error: PerdureError | None) -> None:
    """Tells every one of them, then raises what the first one raised: one bad caller must not hold up the others."""
    raised: list[Exception] = []
    for release in releases:
        try:
            release(error)
        except Exception as caught:  # raised below
            raised.append(caught)
    if raised:
        raise raised[0]


def _tell_nobody(_what: object, _more: object) -> None:
    """Until somebody asks to be told."""


def _by_key(row: tuple[str, bytes]) -> str:
    return row[0]


def _too_large(size: int) -> UnitTooLarge:
    return UnitTooLarge(
        what=f"one step wrote {size} bytes",
        why=f"a unit is at most {UNIT_BYTES_MAX} bytes, for it becomes durable at once; none of it was stored",
        next_step="write in parts and wait between them: await ctx.storage.sync()",
        size=size,
        limit=UNIT_BYTES_MAX,
    )


def _too_many_pins() -> WrongValue:
    return WrongValue(
        what=f"one object took more than {PINS_MAX:,} bookmarks in one turn of the loop",
        why="each is kept by itself for as long as bookmarks are kept",
        next_step="take one where you may want to go back to, and await it",
    )


def _wrong_thread() -> WrongThread:
    return WrongThread(
        what="a store was used from another thread than its loop's",
        next_step="give the thread the values it needs and store what it returns",
    )


def _forked(where: str) -> ForkedChild:
    return ForkedChild(
        what="this process was forked from the one that has the store open",
        where=where,
        next_step="open the folder after the fork, in one process, or start children with the `spawn` method",
    )


def _closed(where: str) -> StorageBroken:
    return StorageBroken(what="the store is closed", where=where, next_step="open the data folder again")
