"""What a store knows beyond its tables: groups of entries, old to new, and the newest of every row and page in them.

Old to new there are: groups durable and not yet applied, the group in flight, the group that gathers. These are the
truth; the flat map only answers reads. Five rules keep a read from ever seeing neither or both of layers and tables,
and a failed group from ever being revealed; each is left out by a named test in tests/core/test_layers_faults.py, which
then fails:

1. A group that fails takes the entries of its objects in the gathering group with it, and nothing else.
2. Flat values of those objects are rebuilt from the durable layers, not just dropped.
3. Nothing leaves those objects before a later group, the fence, is durable, even if it must be an empty one.
4. Apply writes values as of a durable position, and a flat value goes only when its own position is applied and
committed. 5. A row read on another thread counts only if nothing has left the layers since its snapshot (the epoch).
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from perdure.core.entry import Alarm, Entry, ObjectRecord
from perdure.core.page_change import is_whole


class Elsewhere(Enum):
    """The layers hold no answer: it is in the tables."""

    TABLE = "table"


IN_TABLE: Final = Elsewhere.TABLE
InTable = Literal[Elsewhere.TABLE]


# What a group weighs beside its entries: an empty one has a row in the log too, and wants to be applied.
GROUP_BYTES = 64


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that become durable together, in order of their appends. A fence may hold none."""

    position: int
    entries: tuple[Entry, ...]
    size_bytes: int
    fence: bool = False
    """Objects wait for this group although it may hold nothing of theirs."""


class Layers:
    """The layers of one store. Belongs to the loop's thread; `Group`s are immutable and may travel."""

    def __init__(self, *, durable: int = 0) -> None:
        self.durable = durable
        """Position of the last group known to be on disk."""
        self.size_bytes = 0
        """Of all layers together."""
        self.epoch = 0
        """Goes up whenever something leaves the layers for the tables."""
        self._sealed = durable
        self.gathering_bytes = 0
        """Of the group that gathers."""
        self.durable_bytes = 0
        """Of the groups that apply could take now."""
        self._gathering: list[Entry] = []
        self._in_flight: Group | None = None
        self._groups: deque[Group] = deque()
        self._rows: dict[int, dict[str, tuple[int, bytes | None]]] = {}
        self._pages: dict[int, dict[int, list[tuple[int, bytes]]]] = {}
        self._records: dict[bytes, tuple[int, ObjectRecord | None]] = {}
        self._alarms: dict[bytes, tuple[int, Alarm | None]] = {}
        self._restores: dict[bytes, tuple[int, int]] = {}
        self._pins: dict[bytes, int] = {}
        """Of the group that gathers."""
        self._floors: dict[bytes, int] = {}
        self._fence_position = 0
        self._applied = durable
        self._leaving: Iterator[None] | None = None

    # Reads

    def value(self, generation: int, key: str) -> bytes | InTable | None:
        """The newest value; None if the newest change deleted it."""
        rows = self._rows.get(generation)
        if rows is None:
            return IN_TABLE
        held = rows.get(key)
        return IN_TABLE if held is None else held[1]

    def rows_of(self, generation: int) -> dict[str, tuple[int, bytes | None]]:
        """Every row of that generation that the layers hold: (position, value or None). Not to be changed."""
        return self._rows.get(generation, {})

    def page_changes(self, generation: int, number: int) -> list[bytes]:
        """What makes the newest page of the one in the tables, oldest first.

        On another thread: asked before the tables are read, it is right as long as nobody writes that page. What leaves the
        layers meanwhile is in the tables and in the answer, and to make a change twice does no harm.
        """
        pages = self._pages.get(generation)
        if pages is None:
            return []
        return [change for _, change in tuple(pages.get(number, ()))]

    def record(self, object: bytes) -> ObjectRecord | InTable | None:
        """The newest registry row; None if the object was removed."""
        held = self._records.get(object)
        return IN_TABLE if held is None else held[1]

    def record_position(self, object: bytes) -> int:
        """Of the newest change of its registry row; 0 if that is in the tables."""
        held = self._records.get(object)
        return 0 if held is None else held[0]

    def alarm(self, object: bytes) -> Alarm | InTable | None:
        """The newest alarm; None if the newest change deleted it."""
        held = self._alarms.get(object)
        return IN_TABLE if held is None else held[1]

    def alarms(self, after: tuple[int, bytes], until: tuple[int, bytes] | None) -> list[tuple[bytes, Alarm]]:
        """The alarms that the layers set, those with a (due_ms, object) above `after` and up to `until`; None: to the end."""
        return [
            (object, alarm)
            for object, (_, alarm) in self._alarms.items()
            if alarm is not None
            and (alarm.due_ms, object) > after
            and (until is None or (alarm.due_ms, object) <= until)
        ]

    def restore(self, object: bytes) -> int | InTable:
        """The place that the object goes back to when it starts, 0 if it does not."""
        held = self._restores.get(object)
        return IN_TABLE if held is None else held[1]

    def pins(self, object: bytes) -> int:
        """How many pins of that object the gathering group has."""
        return self._pins.get(object, 0)

    def durable_groups(self) -> tuple[Group, ...]:
        """Every group that is durable and has not wholly left for the tables, oldest first: they may travel."""
        return tuple(self._groups)

    def value_read_elsewhere(
        self, generation: int, key: str, row: bytes | None, epoch: int
    ) -> tuple[bytes | None] | None:
        """The value, given the table's `row` as another thread saw it under `epoch`; None: read the table again."""
        if epoch != self.epoch:
            return None
        held = self.value(generation, key)
        return (row if held is IN_TABLE else held,)

    # The way of an entry

    @property
    def next_position(self) -> int:
        return self._sealed + 1

    @property
    def in_flight(self) -> Group | None:
        return self._in_flight

    @property
    def wants_group(self) -> bool:
        """Whether `seal` would give a group: something gathers, or a fence is due, and none is in flight."""
        return self._in_flight is None and (bool(self._gathering) or self._fence_position > self.durable)

    @property
    def fence_due(self) -> bool:
        """Objects wait for a group later than one that failed."""
        return self._fence_position > self.durable

    def append(self, entry: Entry, size_bytes: int) -> int:
        """Adds one unit of `entry.size_bytes()` whole to the gathering group; gives its position."""
        position = self._sealed + 1
        self._gathering.append(entry)
        self.gathering_bytes += size_bytes
        self.size_bytes += size_bytes
        self._put_flat(entry, position)
        if entry.pin:
            self._pins[entry.object] = self._pins.get(entry.object, 0) + 1
        return position

    def seal(self) -> Group | None:
        """Closes the gathering group and hands it over; None if there is nothing to write or one is in flight."""
        if not self.wants_group:
            return None
        self._sealed += 1
        self.size_bytes += GROUP_BYTES
        size_bytes = self.gathering_bytes + GROUP_BYTES
        group = Group(self._sealed, tuple(self._gathering), size_bytes, self.fence_due)
        self._gathering, self.gathering_bytes = [], 0
        self._pins = {}
        self._in_flight = group
        return group

    def committed(self) -> Group:
        """The group in flight is on disk."""
        group = self._take_in_flight()
        self.durable = group.position
        self.durable_bytes += group.size_bytes
        self._groups.append(group)
        if self._floors and not self.fence_due:
            self._floors.clear()
        return group

    def failed(self) -> frozenset[bytes]:
        """The group in flight may or may not be on disk. Gives the objects with entries in it: they must be reset."""
        group = self._take_in_flight()
        self.size_bytes -= group.size_bytes
        objects = frozenset(entry.object for entry in group.entries)
        lost = [*group.entries, *self._drop_gathered(objects)]
        self._rebuild_flat(objects, lost)
        self._raise_floors(objects)
        return objects

    def give_up(self) -> frozenset[bytes]:
        """The store is off: everything that is not durable is lost. Gives the objects that had something to lose."""
        flying = self._take_in_flight() if self._in_flight is not None else Group(0, (), 0)
        self.size_bytes -= flying.size_bytes
        objects = frozenset(entry.object for entry in (*flying.entries, *self._gathering))
        lost = [*flying.entries, *self._drop_gathered(objects)]
        self._rebuild_flat(objects, lost)
        self._raise_floors(objects)
        return objects

    # Outputs

    def may_leave(self, object: bytes, position: int) -> bool:
        """Whether an output that may reveal the writes of `object` up to `position` reveals nothing that can vanish."""
        return position <= self.durable and (not self._floors or self._floors.get(object, 0) <= self.durable)

    def release_position(self, object: bytes, position: int) -> int:
        """The position that must be durable before that output may leave."""
        return max(position, self._floors.get(object, 0))

    # Towards the tables

    def batch(self, bytes_max: int, groups_max: int) -> tuple[Group, ...]:
        """The oldest durable groups, at least one if there is any, for apply to write; none while some are leaving."""
        if self._leaving is not None:
            return ()
        chosen: list[Group] = []
        size = 0
        for group in self._groups:
            size += group.size_bytes
            if chosen and (size > bytes_max or len(chosen) == groups_max):
                break
            chosen.append(group)
        return tuple(chosen)

    def applied(self, position: int) -> None:
        """The tables hold every group up to `position`, committed: from now on `let_leave` removes them."""
        self._applied = position
        self._leaving = self._leave(position)

    @property
    def leaving(self) -> bool:
        """Applied rows are still held; they must go before the next batch is taken."""
        return self._leaving is not None

    def let_leave(self, rows_max: int) -> bool:
        """Removes about `rows_max` applied rows, so that no batch is too large for a turn; True when all are gone."""
        if self._leaving is None:
            return True
        self.epoch += 1
        for _ in range(rows_max):
            if next(self._leaving, IN_TABLE) is IN_TABLE:
                self._leaving = None
                return True
        return False

    def _leave(self, position: int) -> Iterator[None]:
        while self._groups and self._groups[0].position <= position:
            for entry in self._groups[0].entries:
                yield from self._leave_flat(entry, position)
            left_bytes = self._groups.popleft().size_bytes
            self.size_bytes -= left_bytes
            self.durable_bytes -= left_bytes

    def _leave_flat(self, entry: Entry, position: int) -> Iterator[None]:
        for key in entry.rows:
            rows = self._rows.get(entry.generation)
            held = rows.get(key) if rows is not None else None
            if rows is not None and held is not None and held[0] <= position:
                del rows[key]
                if not rows:
                    del self._rows[entry.generation]
            yield
        for number in entry.pages or ():
            self._leave_pages(entry.generation, number, position)
            yield
        if entry.record is not None or entry.removed:
            record = self._records.get(entry.object)
            if record is not None and record[0] <= position:
                del self._records[entry.object]
        if entry.alarm is not None:
            alarm = self._alarms.get(entry.object)
            if alarm is not None and alarm[0] <= position:
                del self._alarms[entry.object]
        if entry.restore is not None:
            restore = self._restores.get(entry.object)
            if restore is not None and restore[0] <= position:
                del self._restores[entry.object]
        yield

    def _leave_pages(self, generation: int, number: int, position: int) -> None:
        pages = self._pages.get(generation)
        changes = pages.get(number) if pages is not None else None
        if pages is None or changes is None:
            return
        left = bisect_right(changes, position, key=_position_of)
        if left < len(changes):
            del changes[:left]
            return
        del pages[number]
        if not pages:
            del self._pages[generation]

    # Parts

    def _take_in_flight(self) -> Group:
        group, self._in_flight = self._in_flight, None
        assert group is not None, "no group is in flight"
        return group

    def _put_flat(self, entry: Entry, position: int) -> None:
        rows = self._rows.get(entry.generation)
        if rows is None:
            rows = self._rows[entry.generation] = {}
        for key, value in entry.rows.items():
            rows[key] = (position, value)
        if not rows:
            del self._rows[entry.generation]
        if entry.pages is not None:
            self._put_pages(entry.generation, entry.pages, position)
        self._put_object(entry, position)

    def _put_object(self, entry: Entry, position: int) -> None:
        if entry.record is not None or entry.removed:
            self._records[entry.object] = (position, entry.record)
        if entry.alarm is not None:
            self._alarms[entry.object] = (position, entry.alarm.alarm)
        if entry.restore is not None:
            self._restores[entry.object] = (position, entry.restore)

    def _put_pages(self, generation: int, changed: dict[int, bytes], position: int) -> None:
        pages = self._pages.setdefault(generation, {})
        for number, change in changed.items():
            if is_whole(change):
                pages[number] = [(position, change)]
            else:
                pages.setdefault(number, []).append((position, change))

    def _drop_gathered(self, objects: frozenset[bytes]) -> list[Entry]:
        dropped = [entry for entry in self._gathering if entry.object in objects]
        if dropped:
            self._gathering = [entry for entry in self._gathering if entry.object not in objects]
            self._pins = {object: count for object, count in self._pins.items() if object not in objects}
            size = sum(entry.size_bytes() for entry in dropped)
            self.gathering_bytes -= size
            self.size_bytes -= size
        return dropped

    def _rebuild_flat(self, objects: frozenset[bytes], lost: list[Entry]) -> None:
        for entry in lost:
            self._rows.pop(entry.generation, None)
            self._pages.pop(entry.generation, None)
            self._records.pop(entry.object, None)
            self._alarms.pop(entry.object, None)
            self._restores.pop(entry.object, None)
        generations = {entry.generation for entry in lost}
        if self._leaving is not None:
            self.epoch += 1
        for group in self._groups:
            if group.position <= self._applied:
                continue  # On its way out, and in the tables: put back, its values would stay for ever.
            for entry in group.entries:
                if entry.object in objects and entry.generation in generations:
                    self._put_flat(entry, group.position)
                elif entry.object in objects:
                    self._put_object(entry, group.position)

    def _raise_floors(self, objects: frozenset[bytes]) -> None:
        self._fence_position = self._sealed + 1
        for object in objects:
            self._floors[object] = self._fence_position


def _position_of(change: tuple[int, bytes]) -> int:
    return change[0]
