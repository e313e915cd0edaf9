"""An entry: everything that one unit changes in a store, as one value that is stored whole or not at all.

Whatever an object's step wrote (rows, its registry record, the generation it left behind) travels in a single `Entry`, so
"data and registration" or "rows and delete_all" can never come apart; nor can keys, and pages of the object's SQL
database. See tests/store/test_contract.py.
"""

import msgspec


class ObjectRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The registry's row of one object that has stored something."""

    generation: int
    """Its rows are those of this generation; a number is used once in a store and never again."""
    name: str | None
    """The name by which it was first written to; None for an object known by id alone."""
    created_ms: int


class Alarm(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When one object wants to be woken, and how often that has gone wrong. Times are milliseconds of the Unix epoch."""

    at_ms: int
    """What its code asked for."""
    due_ms: int
    """When it is tried next: `at_ms`, or later after a failure."""
    retries: int = 0
    """Runs that failed and counted: its code's own failures."""
    streak: int = 0
    """Failures of one kind in a row: of those that count, or, below 0, of the store's and the process's."""
    error: str | None = None
    """What the last failed run said."""


class DeadAlarm(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An alarm that was given up after its last retry: kept until somebody retries or drops it."""

    at_ms: int
    died_ms: int
    retries: int
    error: str | None


class AlarmChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a unit does to the alarm of its object."""

    alarm: Alarm | None
    """From now on; None for no alarm."""
    dead: DeadAlarm | None = None
    """One more that was given up."""
    buries: bool = False
    """Those that were given up before are forgotten."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One unit of one object.

    `rows` and `pages` belong to `generation`; a row of None deletes. `record` is the registry row from now on (None: as
    it was), `removed` says that the object exists no longer, and `retires` names a generation whose rows and pages
    nobody will read again; see `begins_generation`.
    """

    object: bytes
    """32 bytes of the object's id."""
    time_ms: int
    generation: int
    rows: dict[str, bytes | None]
    record: ObjectRecord | None = None
    removed: bool = False
    retires: int | None = None
    pages: dict[int, bytes] | None = None
    """What changed in pages of its SQL database, by their numbers from 0 on: see `core.page_change`."""
    alarm: AlarmChange | None = None
    """None: as it was."""
    pin: bool = False
    """Somebody has a bookmark of the state after this unit: it stays restorable exactly."""
    restore: int | None = None
    """The place that the object is to go back to when it starts next, 0 once it is there; None: as it was."""

    @property
    def begins_generation(self) -> bool:
        """Its generation is one to come: swept if nobody made it an object's by the next start, kept until then."""
        return self.retires == self.generation and self.record is None and not self.removed

    def size_bytes(self) -> int:
        """What this entry adds to a group, near enough for bounds: keys, values, changes of pages and a fixed part."""
        size = 96
        for key, value in self.rows.items():
            size += len(key) + 8 + (len(value) if value is not None else 0)
        if self.pages is not None:
            for change in self.pages.values():
                size += len(change) + 8
        return size
