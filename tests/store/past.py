"""A store and every state that its objects were in, to go back to: what a restore gives is compared with what was.

Units of several rows, blocks of pages, the alarm and delete_all; pins; time that passes and passes over the past; crashes in
the middle of an apply or a restore. What is not a bookmark's is not asked for, as it may be merged away.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.store import undo_reading
from perdure.store.bounds import UNDO_AGE_MS
from tests.store.world import World

OBJECTS = [bytes([n]) * 32 for n in range(1, 4)]
KEYS = ["a", "b", "c", "d", "é"]
PAGES = [0, 1, 7]
ZEROS = bytes(PAGE_BYTES)

State = tuple[ObjectRecord | None, dict[str, bytes], dict[int, bytes], Alarm | None]
NOTHING: State = (None, {}, {}, None)


class Past:
    """One seeded life of a store in a folder."""

    def __init__(self, seed: int, folder: Path, *, crashes: bool = True) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.folder = folder
        self.crashes = crashes
        self.now: dict[bytes, State] = dict.fromkeys(OBJECTS, NOTHING)
        self.pins: dict[bytes, list[tuple[int, int, State]]] = {object: [] for object in OBJECTS}
        """(place, time, state), oldest first."""
        self.count = 0
        self.restored = 0
        self.now_s = 1_000.0
        self.open()

    def open(self) -> None:
        self.world = World(self.folder)
        self.world.clock.now = self.now_s
        self.world.clock.tick_s = self.random.choice([0.0, 0.002])

    # Moves

    def live(self, steps: int) -> None:
        moves: list[tuple[int, Callable[[], object]]] = [
            (40, self.unit),
            (12, self.pin),
            (30, self.world_turns),
            (6, self.world_is_quiet),
            (6, self.time_passes),
            (4, self.restore),
            (3 if self.crashes else 0, self.crash),
        ]
        weights = [weight for weight, _ in moves]
        for _ in range(steps):
            self.random.choices(moves, weights)[0][1]()
            self.look()

    def unit(self, *, pin: bool = False) -> None:
        object = self.random.choice(OBJECTS)
        self.count += 1
        record, rows, pages, alarm = self.now[object]
        now_ms = self.world.clock.now_ms()
        if record is not None and self.random.random() < 0.08:
            self.append(
                Entry(object, now_ms, 0, {}, None, True, record.generation, alarm=AlarmChange(None), pin=pin), NOTHING
            )
            return
        new = None
        if record is None:
            generation = self.world.store.new_generation()
            record = new = ObjectRecord(generation, f"object {object[0]}", now_ms)
        changes: dict[str, bytes | None] = {
            key: None if self.random.random() < 0.25 else b"%d" % self.count
            for key in self.random.sample(KEYS, self.random.randrange(4))
        }
        blocks: dict[int, bytes] = {}
        after_pages = dict(pages)
        for number in self.random.sample(PAGES, self.random.randrange(3)):
            after_pages[number] = self.page(pages.get(number))
            change = page_change(self.world.store.page(record.generation, number), after_pages[number])
            if change is not None:
                blocks[number] = change
        after_alarm, alarm_change = alarm, None
        if self.random.random() < 0.3:
            after_alarm = Alarm(self.count, self.count) if self.random.random() < 0.7 else None
            alarm_change = AlarmChange(after_alarm)
        after_rows = {key: value for key, value in {**rows, **changes}.items() if value is not None}
        entry = Entry(
            object, now_ms, record.generation, changes, new, pages=blocks or None, alarm=alarm_change, pin=pin
        )
        self.append(entry, (record, after_rows, after_pages, after_alarm))

    def page(self, before: bytes | None) -> bytes:
        page = bytearray(ZEROS if before is None else before)
        for _ in range(self.random.choice([1, 1, 2, 40])):
            start = self.random.randrange(PAGE_BYTES // 8) * 8
            page[start : start + 8] = self.count.to_bytes(8, "big")
        return bytes(page)

    def append(self, entry: Entry, after: State) -> None:
        self.world.store.append(entry)
        self.now[entry.object] = after
        if entry.pin:
            place = self.world.store.pinned_place(entry.object)
            self.pins[entry.object].append((place, entry.time_ms, after))

    def pin(self) -> None:
        if self.random.random() < 0.5:
            self.unit(pin=True)
            return
        object = self.random.choice(OBJECTS)
        record = self.now[object][0]
        generation = 0 if record is None else record.generation
        self.append(Entry(object, self.world.clock.now_ms(), generation, {}, pin=True), self.now[object])

    def world_turns(self) -> None:
        self.world.clock.turn()
        self.world.committer.run()

    def world_is_quiet(self) -> None:
        self.world.quiet()

    def time_passes(self) -> None:
        self.world.settle()
        self.world.clock.advance(self.random.choice([1.0, 40.0, 1_000.0, 4_000.0, 90_000.0]))
        self.unit()
        self.world.quiet()

    def restore(self) -> None:
        object = self.random.choice(OBJECTS)
        kept_from_ms = self.world.clock.now_ms() - UNDO_AGE_MS
        pins = [pin for pin in self.pins[object] if pin[1] > kept_from_ms]
        if not pins:
            return
        place, _, state = self.random.choice(pins)
        store = self.world.store
        assert store.place_kept(place), f"seed {self.seed}"
        self.append(Entry(object, self.world.clock.now_ms(), 0, {}, pin=True, restore=place), self.now[object])
        if self.crashes and self.random.random() < 0.4:
            self.world.run(store.restore(object), steps_max=self.random.randrange(30))
            if self.random.random() < 0.7 and store.place_to_restore(object) is not None:
                # The request is durable: nothing but the restore follows it.
                self.world.settle()
                self.start_again()
                store = self.world.store
        self.world.run(store.restore(object))
        assert store.place_to_restore(object) is None, f"seed {self.seed}"
        self.now[object] = state
        self.restored += 1

    def crash(self) -> None:
        """With everything durable, and applied as far as it happens to be."""
        self.world.settle()
        self.world.clock.advance(0.2)
        for _ in range(self.random.randrange(6)):
            self.world.committer.run()
        self.start_again()

    def start_again(self) -> None:
        self.now_s = self.world.clock.now
        self.world.abandon()
        self.open()

    # Judgement

    def look(self) -> None:
        for object, state in self.now.items():
            found = self.read(object, state)
            assert found == state, f"seed {self.seed}, object {object[0]}: {shown(found)} instead of {shown(state)}"

    def read(self, object: bytes, state: State) -> State:
        store = self.world.store
        record = store.record(object)
        if record is None:
            return None, {}, {}, store.alarm(object)
        pages = {}
        for number in PAGES:
            page = store.page(record.generation, number)
            # Beyond the database's end anything may stand; its first page says where that is.
            if page is not None and (number in state[2] or (number == 0 and page != ZEROS)):
                pages[number] = page
        return record, dict(store.scan(record.generation, KeyRange())), pages, store.alarm(object)

    def end(self) -> None:
        self.world.abandon()


def shown(state: State) -> Any:
    record, rows, pages, alarm = state
    return record, rows, {number: hash(page) % 10_000 for number, page in pages.items()}, alarm


def live(seed: int, folder: Path, *, steps: int = 150, crashes: bool = True) -> Past:
    """A life whose restores are all compared; raises AssertionError, naming the seed."""
    with patch.object(undo_reading, "RESTORE_SLICE_BYTES", 1), patch.object(undo_reading, "RESTORE_READ_ROWS", 2):
        past = Past(seed, folder, crashes=crashes)
        try:
            past.live(steps)
        finally:
            past.end()
    return past
