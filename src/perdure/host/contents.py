"""What an object is to hold, in files beside its store, and the object made of it.

Must stay true: until the last entry the object is what it was, and after it what the files hold, wherever it is cut off; it goes
on serving meanwhile; no entry in between is larger than a slice. The rows go to a generation that nobody reads: the last entry
makes it the object's, and without that it is swept. See tests/host/test_import.py and test_fork.py.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import apsw

from perdure.core.clock import Clock
from perdure.core.entry import AlarmChange, Entry, ObjectRecord
from perdure.core.page_change import PAGE_BYTES
from perdure.host.inspection_event import in_turn
from perdure.host.inspection_place import Place, until_durable
from perdure.model.errors import PerdureError, WrongValue
from perdure.model.limits import NAME_BYTES_MAX
from perdure.model.object_id import ObjectId
from perdure.objects.instance import Instance
from perdure.objects.storage.bookmarks import bookmark_text
from perdure.store.undo_restore import until

T = TypeVar("T")

KEYS = "_perdure_kv"
"""The table of keys in a file that holds an object."""

Progress = Callable[[int, int], None]
"""Told how many bytes are done, of about how many in all."""

Elsewhere = Callable[..., Awaitable[Any]]
"""Gives what a function gives for these arguments, called on another thread; over when that is, also if it is cancelled."""

SLICE_BYTES = 1024 * 1024
"""Of rows and pages in one entry: a group stays short for those who write at the same time."""

# Of a row, or of a value that its table computes: nothing that an object may hold comes near it, and it must fit in memory.
_ROW_BYTES_MAX = 16 * 1024 * 1024

_KEY_ROWS = f"SELECT key, value FROM {KEYS} ORDER BY key"


@dataclass(frozen=True, slots=True)
class Contents:
    """Keys in the table KEYS of one database; the SQL database of the object, if it has one, page by page in another file."""

    keys: Path
    tables: Path | None
    alarm: AlarmChange | None = None
    """None: it keeps the one that it has."""

    @property
    def size_bytes(self) -> int:
        """About."""
        return self.keys.stat().st_size + (0 if self.tables is None else self.tables.stat().st_size)


@dataclass(slots=True)
class _Slice:
    rows: dict[str, bytes | None] = field(default_factory=dict)
    pages: dict[int, bytes] = field(default_factory=dict)
    size_bytes: int = 0


async def on_a_thread(function: Callable[..., T], *arguments: Any) -> T:
    """What the function gives. Who is cancelled waits for its end all the same: nothing stops a thread, and it writes files."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # nobody is left to be told
        raise


async def make_object(
    place: Place,
    id: ObjectId,
    contents: Contents,
    *,
    what: str,
    replace: bool,
    clock: Clock,
    progress: Progress = lambda *_: None,
    elsewhere: Elsewhere = on_a_thread,
) -> str | None:
    """Makes the object of these contents; durable when this returns. Gives the bookmark that undoes it, None if it is new.

    what: who does it, for those whose calls it ends. elsewhere: reads of the contents go there, as the loop may have objects to
    run. replace: one that stores something becomes another; its alarm stays.
    Raises WrongValue if it does otherwise, also if it came to that meanwhile; and what the store raises.
    """
    store = place.store
    refuse_existing(place, id, replace=replace)
    making = _Making(place, id, store.new_generation(), contents.alarm, replace, clock)
    switched = False

    def switch(instance: Instance | None) -> str | None:
        nonlocal switched
        bookmark = making.switch(instance)
        switched = True
        return bookmark

    try:
        await making.write(contents, progress, elsewhere)
        bookmark: str | None = await in_turn(place, id, what, switch, ends_instance=True)
    finally:
        if not switched:
            making.give_up()
    try:
        await until_durable(store, id.raw, store.read_position)
    except PerdureError:
        if not making.is_made:
            making.give_up()
        raise
    return bookmark


def refuse_existing(place: Place, id: ObjectId, *, replace: bool) -> ObjectRecord | None:
    """What there is of the object. Raises WrongValue unless it may be replaced."""
    current = place.store.record(id.raw)
    if current is not None and not replace:
        raise WrongValue(
            what=f"{(id.name if id.name is not None else id.hex)!r:.100} stores something already",
            where=place.label(id.raw, None),
            next_step="give another name, or --replace it; in Python, delete it first",
        )
    return current


class _Making:
    """One generation on its way to be an object's."""

    def __init__(
        self, place: Place, id: ObjectId, generation: int, alarm: AlarmChange | None, replace: bool, clock: Clock
    ) -> None:
        self._place = place
        self._id = id
        self._generation = generation
        self._alarm = alarm
        self._replace = replace
        self._clock = clock

    async def write(self, contents: Contents, progress: Progress, elsewhere: Elsewhere) -> None:
        generation, total, done = self._generation, contents.size_bytes, 0
        await self._append(Entry(self._id.raw, self._clock.now_ms(), generation, {}, retires=generation))
        with closing(_slices(contents)) as slices:
            while (slice := await elsewhere(next, slices, None)) is not None:
                now_ms = self._clock.now_ms()
                await self._append(Entry(self._id.raw, now_ms, generation, slice.rows, pages=slice.pages or None))
                done += slice.size_bytes
                progress(done, max(total, done))

    async def _append(self, entry: Entry) -> None:
        # One after the other: what waits in memory is a slice.
        store = self._place.store
        await until_durable(store, self._id.raw, store.append(entry))
        await until(lambda release: store.when_room(lambda: release(None)))

    def switch(self, instance: Instance | None) -> str | None:
        """From now on the object is what was written. In one turn of the loop, so that nothing comes between."""
        store, object, now_ms = self._place.store, self._id.raw, self._clock.now_ms()
        current = refuse_existing(self._place, self._id, replace=self._replace)
        bookmark = None
        if current is None:
            record, retires = ObjectRecord(self._generation, _kept_name(self._id), now_ms), None
        else:
            record, retires = ObjectRecord(self._generation, current.name, current.created_ms), current.generation
            store.append(Entry(object, now_ms, retires, {}, pin=True))
            bookmark = bookmark_text(object, store.pinned_place(object))
        position = self._place.append(
            Entry(object, now_ms, self._generation, {}, record, retires=retires, alarm=self._alarm)
        )
        if instance is not None:
            instance.rows.follow(position)
        return bookmark

    @property
    def is_made(self) -> bool:
        """Whether the object is what was written: not if its last entry failed."""
        record = self._place.store.record(self._id.raw)
        return record is not None and record.generation == self._generation

    def give_up(self) -> None:
        with contextlib.suppress(PerdureError):  # then the next start of the process sweeps it
            self._place.store.append(Entry(self._id.raw, self._clock.now_ms(), 0, {}, retires=self._generation))


def _kept_name(id: ObjectId) -> str | None:
    return id.name if id.name is None or len(id.name.encode()) <= NAME_BYTES_MAX else None


def _slices(contents: Contents) -> Generator[_Slice, None, None]:
    slice = _Slice()
    for key, value in _keys_of(contents.keys):
        slice.rows[key] = value
        slice.size_bytes += len(key) + len(value)
        if slice.size_bytes >= SLICE_BYTES:
            yield slice
            slice = _Slice()
    for number, page in _pages_of(contents.tables):
        slice.pages[number] = page
        slice.size_bytes += PAGE_BYTES
        if slice.size_bytes >= SLICE_BYTES:
            yield slice
            slice = _Slice()
    if slice.size_bytes:
        yield slice


def _keys_of(keys: Path) -> Iterator[tuple[str, bytes]]:
    with closing(scratch_database(keys)) as connection:
        if has_keys(connection):
            yield from connection.execute(_KEY_ROWS)


def _pages_of(tables: Path | None) -> Iterator[tuple[int, bytes]]:
    if tables is None:
        return
    with tables.open("rb") as source:
        number = 0
        while page := source.read(PAGE_BYTES):
            yield number, page
            number += 1


def scratch_database(path: Path) -> apsw.Connection:
    """One that nobody else has, and that is made again if it is lost."""
    connection = apsw.Connection(str(path))
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, _ROW_BYTES_MAX)
    connection.pragma("trusted_schema", False)
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    connection.pragma("secure_delete", False)
    return connection


def has_keys(connection: apsw.Connection) -> bool:
    found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = ? AND type = 'table'", (KEYS,)).get
    return bool(found)
