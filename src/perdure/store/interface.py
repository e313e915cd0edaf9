"""The store as objects see it: the durable truth, changed one entry at a time.

What holds for every implementation, and is checked by the contract suite in tests/store/contract.py:
an entry is whole or absent; a position that is durable stays so through crashes and power loss; a read sees every entry
appended before it; after a failed group its objects fall back to their last durable state, and nothing may leave them
before a later group (the fence) is durable.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import apsw

from perdure.core.entry import Alarm, DeadAlarm, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.waiting import Release
from perdure.model.errors import PerdureError

FailedObjects = Callable[[frozenset[bytes], PerdureError], None]
"""Told which objects must be reset, because a group that held their entries failed."""


ChangedAlarm = Callable[[bytes, Alarm | None], None]
"""Told which object has which alarm from now on."""


@dataclass(slots=True)
class StoreCounters:
    """What a store has done since it was opened; a snapshot."""

    entries: int = 0
    groups: int = 0
    """Groups that became durable, fences included."""
    syncs: int = 0
    """Times that a group made the disk wait: one per durable group, none for reads and unchanged replies."""
    log_bytes: int = 0
    apply_slices: int = 0
    rows_applied: int = 0
    rows_swept: int = 0
    checkpoints: int = 0
    failed_groups: int = 0
    fences: int = 0
    reopens: int = 0
    layer_bytes: int = 0
    """Now in memory and not yet applied."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of the registry, as far as it is durable."""

    object: bytes
    name: str | None
    created_ms: int
    written_ms: int
    """When its last entry was made."""
    alarm_ms: int | None
    """When its code asked to be woken."""
    size_bytes: int
    """Of its keys, its values and its SQL database."""


def by_due_time(row: tuple[bytes, Alarm]) -> tuple[int, bytes]:
    """The order of alarms, and the place that `Store.alarms` goes on from."""
    return row[1].due_ms, row[0]


class Pages(Protocol):
    """Pages of SQL databases, for one thread that is not the loop's."""

    def page(self, generation: int, number: int) -> bytes | None:
        """As `Store.page`."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """One namespace's share of durable state. Every method is for the loop's thread only and returns at once."""

    on_failed: FailedObjects
    """Called before the waiting outputs of those objects get the error; set it before the first append."""
    on_alarm: ChangedAlarm
    """Called for each entry that is appended and changes an alarm."""

    @property
    def durable(self) -> int:
        """The position of the last group that is on disk."""
        ...

    @property
    def next_position(self) -> int:
        """The position that an entry appended now would get."""
        ...

    @property
    def read_position(self) -> int:
        """The position that must be durable before nothing that a read gives now can vanish."""
        ...

    @property
    def has_room(self) -> bool:
        """False while too much waits in memory or the store is being reopened: new events wait, running ones go on."""
        ...

    def when_room(self, resume: Callable[[], None]) -> None:
        """Calls `resume` once, as soon as there is room; at once if there is."""
        ...

    def append(self, entry: Entry) -> int:
        """Adds one unit to the gathering group and gives that group's position; reads see it from now on.

        Raises UnitTooLarge over 64 MiB and StoreBroken when the store is off, both before any effect.
        """
        ...

    def may_leave(self, object: bytes, position: int) -> bool:
        """Whether an output of `object` that may reveal the writes up to `position` can leave now."""
        ...

    def when_durable(self, object: bytes, position: int, release: Release) -> None:
        """Calls `release(None)` once `may_leave(object, position)`, or `release(error)` if the object's group failed.

        Once, on the loop's thread, in order of registration per position; at once if the answer is known.
        """
        ...

    def get(self, generation: int, key: str) -> bytes | None:
        """The newest value, durable or not. The bytes are exactly those appended."""
        ...

    def get_many(self, generation: int, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that exist, in order of the keys' UTF-8 bytes."""
        ...

    def scan(self, generation: int, keys: KeyRange) -> list[tuple[str, bytes]]:
        """What `keys` selects, in its order."""
        ...

    def page(self, generation: int, number: int) -> bytes | None:
        """The newest page of an object's SQL database, durable or not; None if there is none of that number."""
        ...

    def pages_elsewhere(self) -> Pages:
        """The pages for another thread, over a connection of its own; nobody may write the generation meanwhile."""
        ...

    async def get_off_loop(self, generation: int, key: str) -> bytes | None:
        """As `get`, with the disk on another thread: for a cold object, whose reads a slow disk may stall."""
        ...

    def record(self, object: bytes) -> ObjectRecord | None:
        """The registry's row of an object that has stored something and was not removed."""
        ...

    def record_position(self, object: bytes) -> int:
        """The position that must be durable before what `record` says cannot vanish; 0 if it has long been."""
        ...

    async def objects(self, *, prefix: str = "", after: str | bytes | None = None, limit: int) -> list[StoredObject]:
        """The next `limit` objects of which something is durable: by name in UTF-8 bytes, then unnamed ones by id.

        prefix: of the name; with one, no unnamed object matches. after: the name or id to go on from. Listed page by
        page, an object that exists meanwhile is found exactly once. Read on another thread.
        """
        ...

    def new_generation(self) -> int:
        """A number that no generation of this store has had or will get again."""
        ...

    def alarm(self, object: bytes) -> Alarm | None:
        """The newest alarm of an object, durable or not."""
        ...

    def alarms(self, after: tuple[int, bytes], limit: int) -> list[tuple[bytes, Alarm]]:
        """The next `limit` objects with an alarm after that (due_ms, object), in that order; durable or not."""
        ...

    async def dead_alarms(self, after: tuple[bytes, int], limit: int) -> list[tuple[bytes, DeadAlarm]]:
        """The next `limit` alarms that were given up, after that (object, at_ms), in that order; durable ones."""
        ...

    def pinned_place(self, object: bytes) -> int:
        """The place after the entry just appended, a pinned one of that object: see `core.undo_place`."""
        ...

    def place_to_restore(self, object: bytes) -> int | None:
        """The place that this object is to go back to before it starts; None for most."""
        ...

    async def restore(self, object: bytes) -> int:
        """Takes the object back to that place; nobody else writes it meanwhile. Gives the position of the last write, durable.

        Once at a time: who comes meanwhile waits for it. Rows, pages, registry and alarm are as they were there; its own
        writes have undo like all others. Cut off anywhere, the place is still to be gone to at the next start. If the way
        there is not kept any more, the object stays as it is.
        """
        ...

    async def record_at(self, object: bytes, place: int) -> ObjectRecord | None:
        """The registry's row of the object at that place, which is kept; None if it stored nothing then."""
        ...

    def reading(self) -> AbstractContextManager[apsw.Connection]:
        """What is durable, as of one moment from now on, for another thread: see `store.snapshot`."""
        ...

    def place_kept(self, place: int) -> bool:
        """Whether an object can go back to there: it has been, and what undoes everything since is kept."""
        ...

    async def place_at(self, object: bytes, time_ms: int) -> int | None:
        """The last place of the object not after that time, as closely as is kept; None: so long ago is not kept."""
        ...

    def counters(self) -> StoreCounters:
        """What this store has done so far."""
        ...

    async def close(self) -> None:
        """Returns when everything appended is durable and applied, the connections are closed and the lock is free."""
        ...
