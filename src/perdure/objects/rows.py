"""An object's data as its running instance sees it: what the store holds, under what this step has written.

Must stay true: all that one unit wrote leaves in one entry or not at all; a savepoint that is rolled back leaves rows,
generation and record as they were; nothing is registered for an object that stored nothing; once shut, nothing is read or
written. No I/O of its own beyond the store's. See tests/objects/test_storage.py and the model test there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from perdure.core.clock import Clock
from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.model.errors import PerdureError, TransactionEnded, UnitTooLarge
from perdure.model.limits import NAME_BYTES_MAX, UNIT_BYTES_MAX
from perdure.model.object_id import ObjectId
from perdure.objects.sql.database import Database
from perdure.objects.sql.page_file import StoredPage
from perdure.store.interface import Store

if TYPE_CHECKING:
    from perdure.objects.alarms.alarm_run import AlarmRun

Release = Callable[[BaseException | None], None]


class Absent(Enum):
    """A key that the unit has not touched."""

    ABSENT = 0


ABSENT = Absent.ABSENT


class Unread(Enum):
    """The alarm has not been asked for."""

    UNREAD = 0


UNREAD = Unread.UNREAD


class Unit:
    """What one step has written so far, and the outputs that wait for it."""

    __slots__ = ("alarm", "confirmed", "held", "removed", "retires", "rows", "size_bytes")

    def __init__(self) -> None:
        self.rows: dict[str, bytes | None] = {}
        self.alarm: AlarmChange | None = None
        self.size_bytes = 0
        self.confirmed = False
        self.removed = False
        self.retires: int | None = None
        self.held: list[Release] | None = None


class Savepoint:
    """What must be put back if the writes since it are rolled back."""

    __slots__ = ("alarm", "alarm_change", "before", "generation", "record", "size_bytes", "spans_steps")

    def __init__(self, rows: Rows, spans_steps: bool) -> None:
        unit = rows.open_unit()
        self.before: dict[str, bytes | Absent | None] = {}
        self.generation, self.record, self.size_bytes = rows.generation, rows.record, unit.size_bytes
        self.alarm, self.alarm_change = rows.known_alarm, unit.alarm
        self.spans_steps = spans_steps


class Rows:
    """The key-value rows and the SQL database of one object, for one instance of it."""

    __slots__ = (
        "_clock",
        "_goes_back",
        "_id",
        "_registered",
        "_store",
        "alarm_run",
        "confirmed_position",
        "generation",
        "known_alarm",
        "name",
        "record",
        "savepoints",
        "shut_by",
        "sql",
        "unit",
        "written_position",
    )

    def __init__(self, id: ObjectId, store: Store, clock: Clock) -> None:
        self._id = id
        self._store = store
        self._clock = clock
        self.read_record()
        self.unit: Unit | None = None
        self.savepoints: list[Savepoint] | None = None
        """Outermost first; None if none is open."""
        self.written_position = 0
        """Of the last group that holds anything of this instance."""
        self.confirmed_position = 0
        """The same, without writes that allow to be unconfirmed: what outputs wait for."""
        self.known_alarm: Alarm | Unread | None = UNREAD
        """With what the unit did to it."""
        self.alarm_run: AlarmRun | None = None
        """The handler that runs now."""
        self.sql: Database | None = None
        """None until code uses it."""
        self.shut_by: BaseException | None = None

    def read_record(self) -> None:
        """What the registry says of the object, before it has read or written anything."""
        self.record: ObjectRecord | None = self._store.record(self._id.raw)
        self._registered = self.record
        self._goes_back = self._store.place_to_restore(self._id.raw) is not None
        self.generation: int | None = None if self.record is None else self.record.generation
        name = None if self.record is None else self.record.name
        self.name = _kept_name(self._id) if name is None else name

    @property
    def is_to_restore(self) -> bool:
        """The object goes back to an earlier state before it starts; or went there since the record was read."""
        return self._goes_back or self._store.place_to_restore(self._id.raw) is not None

    async def restore(self) -> None:
        """Go back there. Nothing has been read or written yet."""
        self.follow(await self._store.restore(self._id.raw))
        self.read_record()

    def follow(self, position: int) -> None:
        """An instance that was reset wrote up to there: this one reads it, so what it says may reveal it."""
        self.written_position = self.confirmed_position = position

    # Reading

    def get(self, key: str) -> bytes | None:
        if self.unit is not None:
            written = self.unit.rows.get(key, ABSENT)
            if written is not ABSENT:
                return written
        return None if self.generation is None else self._store.get(self.generation, key)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """In the order of UTF-8 bytes; missing keys are left out."""
        wanted = sorted(set(keys))
        written = self.unit.rows if self.unit is not None else {}
        unwritten = [key for key in wanted if key not in written]
        stored = self._store.get_many(self.generation, unwritten) if unwritten and self.generation is not None else {}
        found = {key: written[key] if key in written else stored.get(key) for key in wanted}
        return {key: value for key, value in found.items() if value is not None}

    def scan(self, keys: KeyRange) -> list[tuple[str, bytes]]:
        if keys.empty:
            return []
        written = {key: value for key, value in self.unit.rows.items() if key in keys} if self.unit is not None else {}
        if not written:
            return [] if self.generation is None else self._store.scan(self.generation, keys)
        deleted = sum(value is None for value in written.values())
        limit = None if keys.limit is None else keys.limit + deleted
        stored = (
            dict(self._store.scan(self.generation, KeyRange(keys.lower, keys.upper, keys.reverse, limit)))
            if self.generation is not None
            else {}
        )
        merged: dict[str, bytes | None] = {**stored, **written}
        rows = {key: value for key, value in merged.items() if value is not None}
        return [(key, rows[key]) for key in keys.select(rows)]

    def alarm(self) -> Alarm | None:
        """The alarm as it is now, also while its handler runs."""
        if self.known_alarm is UNREAD:
            self.known_alarm = None if self.generation is None else self._store.alarm(self._id.raw)
        return self.known_alarm

    # Writing

    def change_alarm(self, change: AlarmChange, *, confirmed: bool = True) -> None:
        """Set or delete the alarm, in the unit."""
        unit = self.open_unit()
        if self.generation is None:
            self._begin_to_exist()
        self.known_alarm, unit.alarm = change.alarm, change
        unit.confirmed |= confirmed

    def put_one(self, key: str, value: bytes, *, confirmed: bool = True) -> None:
        """Write one row; UnitTooLarge comes before any effect."""
        unit = self.unit
        if unit is None:
            unit = self.unit = Unit()
        size = unit.size_bytes + len(key) + len(value) + 8
        if size > UNIT_BYTES_MAX:
            raise self._too_large(size)
        if self.generation is None:
            self._begin_to_exist()
        if self.savepoints is None:
            unit.rows[key] = value
        else:
            self._write(unit, key, value)
        unit.size_bytes = size
        unit.confirmed |= confirmed

    def put(self, entries: Mapping[str, bytes], *, confirmed: bool = True) -> None:
        """Write all of `entries`, or none: UnitTooLarge comes before any effect."""
        size = sum(len(key) + len(value) + 8 for key, value in entries.items())
        if self.unit is not None:
            size += self.unit.size_bytes
        if size > UNIT_BYTES_MAX:
            raise self._too_large(size)
        for key, value in entries.items():
            self.put_one(key, value, confirmed=confirmed)

    def _too_large(self, size: int) -> UnitTooLarge:
        return UnitTooLarge(
            what=f"this step would write {size:,} bytes",
            where=self._id.hex,
            why=f"the writes of one step are stored as one unit, which is at most {UNIT_BYTES_MAX:,} bytes",
            next_step="write in several steps: `await storage.sync()` between them ends a step",
            size=size,
            limit=UNIT_BYTES_MAX,
        )

    def delete(self, keys: Iterable[str], *, confirmed: bool = True) -> int:
        """Delete those that exist; gives their number."""
        existing = self.get_many(keys)
        if existing:
            unit = self.open_unit()
            for key in existing:
                self._write(unit, key, None)
                unit.size_bytes += len(key) + 8
            unit.confirmed |= confirmed
        return len(existing)

    def delete_all(self) -> None:
        """Drop every row, and what this step wrote before: the object exists no longer, until it writes again."""
        unit = self.open_unit()
        unit.rows, unit.size_bytes, unit.confirmed = {}, 0, True
        if self._registered is not None:
            unit.removed, unit.retires = True, self._registered.generation
        self.record, self.generation = None, None
        self.known_alarm, unit.alarm = None, None if self._registered is None else AlarmChange(None)
        self._drop_sql()

    def stored_page(self, number: int) -> bytes | None:
        """A page of the SQL database as sealed entries made it."""
        return None if self.generation is None else self._store.page(self.generation, number)

    def pages_elsewhere(self) -> tuple[StoredPage, Callable[[], None]]:
        """The same for another thread, as long as the gate is held; and what is to be called there at its end."""
        pages, generation = self._store.pages_elsewhere(), self.generation
        return lambda number: None if generation is None else pages.page(generation, number), pages.close

    def write_sql(self) -> None:
        """A statement may write: outputs that follow wait for the unit."""
        self.open_unit().confirmed = True

    @property
    def depth(self) -> int:
        """How many savepoints are open."""
        return 0 if self.savepoints is None else len(self.savepoints)

    def _drop_sql(self) -> None:
        database, self.sql = self.sql, None
        if database is not None:
            database.close()

    def open_unit(self) -> Unit:
        if self.unit is None:
            self.unit = Unit()
        return self.unit

    def _begin_to_exist(self) -> None:
        self.generation = self._store.new_generation()
        self.record = ObjectRecord(self.generation, self.name, self._clock.now_ms())

    def _write(self, unit: Unit, key: str, value: bytes | None) -> None:
        if self.savepoints:
            self.savepoints[-1].before.setdefault(key, unit.rows.get(key, ABSENT))
        unit.rows[key] = value

    # Savepoints

    @property
    def in_transaction(self) -> bool:
        """A transaction that spans steps is open: steps inside it seal nothing."""
        return self.savepoints is not None and any(savepoint.spans_steps for savepoint in self.savepoints)

    @property
    def in_transaction_sync(self) -> bool:
        return self.savepoints is not None and not self.savepoints[-1].spans_steps

    def begin(self, *, spans_steps: bool) -> Savepoint:
        savepoint = Savepoint(self, spans_steps)
        if self.savepoints is None:
            self.savepoints = []
        self.savepoints.append(savepoint)
        return savepoint

    def commit(self, savepoint: Savepoint) -> None:
        """Keep what was written since; it now belongs to the savepoint around it, or to the unit."""
        self._pop(savepoint)
        if self.sql is not None:
            self.sql.release(self.depth)
        if self.savepoints:
            outer = self.savepoints[-1].before
            for key, value in savepoint.before.items():
                outer.setdefault(key, value)

    def roll_back(self, savepoint: Savepoint) -> None:
        self._pop(savepoint)
        if self.sql is not None:
            self.sql.roll_back(self.depth)
        unit = self.open_unit()
        for key, value in savepoint.before.items():
            if value is ABSENT:
                unit.rows.pop(key, None)
            else:
                unit.rows[key] = value
        self.generation, self.record, unit.size_bytes = savepoint.generation, savepoint.record, savepoint.size_bytes
        self.known_alarm, unit.alarm = savepoint.alarm, savepoint.alarm_change

    def roll_back_transaction_sync(self) -> None:
        """Roll back every savepoint down to the innermost transaction that spans steps, or to the unit."""
        while self.savepoints is not None and not self.savepoints[-1].spans_steps:
            self.roll_back(self.savepoints[-1])

    def unwind(self, savepoint: Savepoint) -> None:
        """Roll back this savepoint and all that were opened inside it and left open."""
        while self.savepoints is not None and self.holds(savepoint):
            self.roll_back(self.savepoints[-1])

    def holds(self, savepoint: Savepoint) -> bool:
        return self.savepoints is not None and savepoint in self.savepoints

    def _pop(self, savepoint: Savepoint) -> None:
        if self.savepoints is None or self.savepoints[-1] is not savepoint:
            raise TransactionEnded(
                what="this transaction is not the innermost open one",
                where=self._id.hex,
                why="one that was opened inside it is still open, or it has ended",
                next_step="end transactions in the reverse order of their start: `async with` and `with` do",
            )
        self.savepoints.pop()
        if not self.savepoints:
            self.savepoints = None

    # Sealing

    def pin(self, *, restore: int | None = None) -> int:
        """Seal the unit, whose end can be gone back to; gives that place, and outputs that follow wait for it.

        restore: the place that the object goes back to when it starts next.
        """
        self.open_unit().confirmed = True
        self.seal(pin=True, restore=restore)
        return self._store.pinned_place(self._id.raw)

    def seal(self, *, pin: bool = False, restore: int | None = None) -> None:
        """Hand the unit to the store as one entry. The outputs that wait for it now wait for its group."""
        unit, self.unit = self.unit, None
        if unit is None:
            return
        try:
            exists = self.generation is not None
            pages = None if self.sql is None else self.sql.take_changes(exists=exists)
            if pages is not None and self.generation is None:
                self._begin_to_exist()
            written = unit.rows or unit.removed or pages or unit.alarm or pin
            if written:
                self.written_position = self._store.append(self._entry(unit, pages, pin=pin, restore=restore))
        except PerdureError as error:
            release_all(unit.held, error)
            raise
        if written:
            confirmed = unit.confirmed
            self._registered = self.record
            if confirmed:
                self.confirmed_position = self.written_position
        for release in unit.held or ():
            self.release_when_confirmed(release)

    def _entry(self, unit: Unit, pages: dict[int, bytes] | None, *, pin: bool, restore: int | None) -> Entry:
        changed = self.record is not None and self.record is not self._registered
        return Entry(
            object=self._id.raw,
            time_ms=self._clock.now_ms(),
            generation=self.generation or 0,
            rows=unit.rows,
            record=self.record if changed else None,
            removed=unit.removed and self.record is None,
            retires=unit.retires,
            pages=pages,
            alarm=unit.alarm,
            pin=pin,
            restore=restore,
        )

    @property
    def all_confirmed(self) -> bool:
        """Every sealed write that an output may reveal is durable."""
        return self._store.may_leave(self._id.raw, self.confirmed_position)

    def release_when_confirmed(self, release: Release) -> None:
        """Call `release` once every sealed write that it may reveal is durable: now, if all are."""
        self._store.when_durable(self._id.raw, self.confirmed_position, release)

    @property
    def nothing_to_wait_for(self) -> bool:
        """An output made now may leave at once."""
        return (
            (self.unit is None or not self.unit.confirmed or self.in_transaction)
            and self.shut_by is None
            and self.all_confirmed
        )

    def hold(self, release: Release) -> None:
        """The output gate: let an output leave after the writes made before it, and wait for none made later.

        Inside a transaction it does not wait for the transaction itself, whose end it may be needed for.
        """
        unit = self.unit
        if unit is not None and unit.confirmed and not self.in_transaction:
            if unit.held is None:
                unit.held = []
            unit.held.append(release)
        else:
            self.release_when_confirmed(release)

    def when_all_durable(self, release: Release) -> None:
        """For `sync`: every write so far, unconfirmed ones too. The unit has been sealed."""
        self._store.when_durable(self._id.raw, self.written_position, release)

    @property
    def settled(self) -> bool:
        """Nothing unsaved: the instance may be forgotten."""
        return self.unit is None and self._store.may_leave(self._id.raw, self.written_position)

    def shut(self, error: BaseException) -> None:
        """Drop what is not sealed, and refuse from now on. Sealed units stay on their way to the disk."""
        self.shut_by = error
        unit, self.unit = self.unit, None
        self.savepoints = None
        self._drop_sql()
        if unit is not None:
            release_all(unit.held, error)


def release_all(held: list[Release] | None, error: BaseException | None) -> None:
    for release in held or ():
        release(error)


def _kept_name(id: ObjectId) -> str | None:
    """The name that is stored: a longer one still addresses the object but is not kept."""
    name = id.name
    return name if name is None or len(name.encode()) <= NAME_BYTES_MAX else None
