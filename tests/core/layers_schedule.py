"""A seeded attack on `Layers`: units, replies, commits that fail, sliced applies, reads on other threads, crashes.

It is judged against a model that knows only what was appended under which position and which groups succeeded. `play`
raises an AssertionError that names the broken rule; the seed replays it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.layers import IN_TABLE, Group, Layers
from perdure.core.page_change import BLOCK_BYTES, PAGE_BYTES, changed_page, page_change

OBJECTS = [bytes([n]) * 32 for n in range(4)]
KEYS = ["a", "b", "é"]

PAGES = [0, 1, 2]
ALARM = ("alarm",)

Rows = dict[Any, Any]
"""Values by key, pages by number, and the alarm."""
State = tuple[ObjectRecord | None, Rows]
"""An object as its code sees it: registry row, values and pages."""


@dataclass
class Disk:
    """SQLite as the layers see it: log and tables; a commit may fail and leave a group that a crash would revive."""

    log: dict[int, tuple[Entry, ...]] = field(default_factory=dict)
    rows: dict[tuple[int, str | int], bytes] = field(default_factory=dict)
    records: dict[bytes, ObjectRecord] = field(default_factory=dict)
    alarms: dict[bytes, Alarm] = field(default_factory=dict)
    ghost: Group | None = None

    def commit(self, group: Group) -> None:
        self.log[group.position] = group.entries
        self.ghost = None  # Overwritten.

    def write(self, entry: Entry) -> Iterator[None]:
        for key, value in entry.rows.items():
            if value is None:
                self.rows.pop((entry.generation, key), None)
            else:
                self.rows[entry.generation, key] = value
            yield
        for number, change in (entry.pages or {}).items():
            page = changed_page(self.rows.get((entry.generation, number)), [change])
            assert page is not None
            self.rows[entry.generation, number] = page
            yield
        if entry.alarm is not None:
            self.alarms.pop(entry.object, None)
            if entry.alarm.alarm is not None:
                self.alarms[entry.object] = entry.alarm.alarm
            yield
        if entry.record is not None:
            self.records[entry.object] = entry.record
        elif entry.removed:
            self.records.pop(entry.object, None)

    def recovered(self) -> "Disk":
        disk = Disk(rows=dict(self.rows), records=dict(self.records), alarms=dict(self.alarms))
        log = dict(self.log)
        if self.ghost is not None:
            log[self.ghost.position] = self.ghost.entries
        for position in sorted(log):
            for entry in log[position]:
                for _ in disk.write(entry):
                    pass
        return disk

    def state(self, object: bytes) -> State:
        record = self.records.get(object)
        if record is None:
            return None, {}
        places = [(record.generation, key) for key in (*KEYS, *PAGES)]
        alarm = {ALARM: self.alarms[object]} if object in self.alarms else {}
        return record, {place[1]: self.rows[place] for place in places if place in self.rows} | alarm


@dataclass
class Unit:
    """What the model remembers of one append."""

    object: bytes
    after: State


class Schedule:
    def __init__(self, seed: int, layers: Layers) -> None:
        self.random = random.Random(seed)
        self.layers = layers
        self.disk = Disk()
        self.units: dict[int, list[Unit]] = {}
        self.committed: dict[bytes, State] = {object: (None, {}) for object in OBJECTS}
        self.live: dict[bytes, State] = dict(self.committed)
        self.last: dict[bytes, int] = dict.fromkeys(OBJECTS, 0)
        self.waiting: list[tuple[bytes, int, State]] = []
        self.said: dict[bytes, State] = dict(self.committed)
        self.snapshots: list[tuple[bytes, int, str, bytes | None, int]] = []
        self.applying: tuple[int, Iterator[None]] | None = None
        self.ghostly: dict[bytes, State] = {}
        """What objects are if the group that failed last counts after all."""
        self.generation = 0
        self.value = 0

    def play(self, steps: int) -> None:
        moves = [
            (35, self.unit), (10, self.reply), (17, self.seal), (13, self.end_commit), (10, self.apply), (7,
            self.leave), (5, self.snapshot), (5, self.use_snapshot),
        ]  # fmt: skip
        weights = [weight for weight, _ in moves]
        for _ in range(steps):
            self.random.choices(moves, weights)[0][1]()
            self.check()

    # Moves

    def unit(self) -> None:
        object = self.random.choice(OBJECTS)
        record, rows = self.live[object]
        if record is not None and self.random.random() < 0.1:
            entry, after = self.delete_all(object, record)
        else:
            entry, after = self.puts(object, record, rows)
        position = self.layers.append(entry, entry.size_bytes())
        self.last[object], self.live[object] = position, after
        self.units.setdefault(position, []).append(Unit(object, after))
        self.waiting.append((object, position, after))

    def puts(self, object: bytes, record: ObjectRecord | None, rows: Rows) -> tuple[Entry, State]:
        changes: dict[str, bytes | None] = {}
        for key in self.random.sample(KEYS, 2):
            self.value += 1
            changes[key] = None if self.random.random() < 0.2 else b"%d" % self.value
        fresh = record is None or self.random.random() < 0.2
        if record is None:
            self.generation += 1
            record = ObjectRecord(self.generation, None, self.value)
        elif fresh:
            record = ObjectRecord(record.generation, str(self.value), record.created_ms)
        pages = self.page_writes(rows) if self.random.random() < 0.5 else {}
        after = {key: value for key, value in (rows | changes | pages).items() if value is not None}
        changed = {number: page_change(rows.get(number), page) for number, page in pages.items()}
        alarm = None
        if self.random.random() < 0.3:
            self.value += 1
            alarm = AlarmChange(Alarm(self.value, self.value) if self.random.random() < 0.7 else None)
            after.pop(ALARM, None)
            if alarm.alarm is not None:
                after[ALARM] = alarm.alarm
        written = record if fresh else None
        entry = Entry(object, 0, record.generation, changes, written, pages=changed or None, alarm=alarm)
        return entry, (record, after)

    def page_writes(self, rows: Rows) -> dict[int, bytes]:
        """Two pages: a block of each is new, or all of it."""
        pages = {}
        for number in self.random.sample(PAGES, 2):
            self.value += 1
            block = self.value.to_bytes(8, "big") * (BLOCK_BYTES // 8)
            page = bytearray(rows.get(number, bytes(PAGE_BYTES)))
            start = self.random.randrange(PAGE_BYTES // BLOCK_BYTES) * BLOCK_BYTES
            page[start : start + BLOCK_BYTES] = block
            pages[number] = block * (PAGE_BYTES // BLOCK_BYTES) if self.random.random() < 0.1 else bytes(page)
        return pages

    def delete_all(self, object: bytes, record: ObjectRecord) -> tuple[Entry, State]:
        if self.random.random() < 0.3:
            gone = Entry(object, 0, record.generation, {}, None, True, record.generation, None, AlarmChange(None))
            return gone, (None, {})
        self.generation += 1
        moved = ObjectRecord(self.generation, None, record.created_ms)
        alarm = AlarmChange(None)
        return Entry(object, 0, self.generation, {}, moved, retires=record.generation, alarm=alarm), (moved, {})

    def reply(self) -> None:
        object = self.random.choice(OBJECTS)
        self.waiting.append((object, self.last[object], self.live[object]))

    def seal(self) -> None:
        self.layers.seal()

    def end_commit(self) -> None:
        group = self.layers.in_flight
        if group is None:
            return
        units = self.units.pop(group.position, [])
        if self.random.random() < 0.75:
            self.disk.commit(group)
            self.layers.committed()
            for unit in units:
                self.committed[unit.object] = unit.after
            return
        if self.random.random() < 0.7:
            self.disk.ghost = group
            self.ghostly = {unit.object: unit.after for unit in units}
        objects = self.layers.failed()
        assert objects == {unit.object for unit in units}, "reset others than those in the group"
        for position, later in self.units.items():
            self.units[position] = [unit for unit in later if unit.object not in objects]
        self.waiting = [waiting for waiting in self.waiting if waiting[0] not in objects]
        for object in objects:
            self.live[object], self.last[object] = self.read(object), 0
            assert self.live[object] == self.committed[object], "a failed group left traces or took durable writes"
            assert self.said[object] == self.live[object], "fell behind what had been said"

    def apply(self) -> None:
        if self.applying is None:
            groups = self.layers.batch(self.random.choice([1, 500, 5_000]), self.random.choice([2, 100]))
            if groups:
                self.applying = groups[-1].position, self.writes(groups)
            return
        position, writes = self.applying
        for _ in range(self.random.randrange(1, 6)):
            if next(writes, IN_TABLE) is IN_TABLE:
                self.disk.log = {at: entries for at, entries in self.disk.log.items() if at > position}
                self.layers.applied(position)
                self.applying = None
                return

    def writes(self, groups: tuple[Group, ...]) -> Iterator[None]:
        for group in groups:
            for entry in group.entries:
                yield from self.disk.write(entry)

    def leave(self) -> None:
        self.layers.let_leave(self.random.randrange(1, 8))

    def snapshot(self) -> None:
        object = self.random.choice(OBJECTS)
        record, _ = self.live[object]
        if record is not None:
            key = self.random.choice(KEYS)
            row = self.disk.rows.get((record.generation, key))
            self.snapshots.append((object, record.generation, key, row, self.layers.epoch))

    def use_snapshot(self) -> None:
        if self.snapshots:
            snapshot = self.snapshots.pop(self.random.randrange(len(self.snapshots)))
            _object, generation, key, row, epoch = snapshot
            answer = self.layers.value_read_elsewhere(generation, key, row, epoch)
            if answer is not None:
                assert answer[0] == self.value_of(generation, key), "a read on another thread was stale"

    # Judgement

    def value_of(self, generation: int, key: str) -> bytes | None:
        held = self.layers.value(generation, key)
        return self.disk.rows.get((generation, key)) if held is IN_TABLE else held

    def page_of(self, generation: int, number: int) -> bytes | None:
        return changed_page(self.disk.rows.get((generation, number)), self.layers.page_changes(generation, number))

    def read(self, object: bytes) -> State:
        held = self.layers.record(object)
        record = self.disk.records.get(object) if held is IN_TABLE else held
        if record is None:
            return None, {}
        values: Rows = {key: self.value_of(record.generation, key) for key in KEYS} | {
            number: self.page_of(record.generation, number) for number in PAGES
        }
        alarm = self.layers.alarm(object)
        values[ALARM] = self.disk.alarms.get(object) if alarm is IN_TABLE else alarm
        return record, {key: value for key, value in values.items() if value is not None}

    def check(self) -> None:
        for object in OBJECTS:
            assert self.read(object) == self.live[object], "a read saw neither or both of layers and tables"
        self.let_outputs_leave()
        recovered = self.disk.recovered()
        for object in OBJECTS:
            allowed = [self.committed[object]]
            if self.disk.ghost is not None and object in self.ghostly:
                allowed.append(self.ghostly[object])
            assert recovered.state(object) in allowed, "a crash would recover a state that never was"

    def let_outputs_leave(self) -> None:
        ready = [waiting for waiting in self.waiting if self.layers.may_leave(waiting[0], waiting[1])]
        self.waiting = [waiting for waiting in self.waiting if not self.layers.may_leave(waiting[0], waiting[1])]
        for object, _position, state in ready:
            self.said[object] = state
            ghost = self.disk.ghost
            assert ghost is None or all(entry.object != object for entry in ghost.entries), (
                "an output left although a failed group can come back"
            )


def play(seed: int, layers: Layers, steps: int = 250) -> None:
    """Plays one schedule; raises AssertionError, naming the seed, at the first broken rule."""
    try:
        Schedule(seed, layers).play(steps)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
