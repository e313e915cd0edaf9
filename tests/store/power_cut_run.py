"""One seeded life of a store on a disk that loses power, and the judgement over what it finds afterwards.

Objects write units of several rows; what a release said is remembered. After the cut every object must be in a state that it
had, whole, at or after the last one that was said; the history of each object is one line.
"""

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.layers import Layers
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.model.errors import PerdureError
from perdure.store import applying, log, undo_reading
from perdure.testing.power_cut import DiskError, Operation, PowerCutDisk
from tests.store.world import World

OBJECTS = [bytes([n]) * 32 for n in range(1, 5)]
KEYS = ["a", "b", "c", "é"]

PAGES = [0, 1, 300]
ALARM = ("alarm",)

State = tuple[int | None, dict[Any, Any]]
"""(generation or None, rows by key, pages by number, and the alarm)."""


@dataclass
class History:
    """Every state that one object was in, and the newest that was told to somebody."""

    states: list[State]
    said: int = 0


class Life:
    """A store in use; `failures` plans trouble with the disk on the way."""

    def __init__(
        self, seed: int, folder: Path, *, failures: bool = False, layers: type[Layers] = Layers, big: bool = False
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.folder = folder
        self.failures = failures
        self.layers = layers
        self.value_bytes = 200_000 if big else 10
        self.history = {object: History([(None, {})]) for object in OBJECTS}
        self.pins: dict[bytes, list[tuple[int, State]]] = {object: [] for object in OBJECTS}
        """States with a bookmark that was told to somebody, and their places."""
        self.half_back: set[bytes] = set()
        """On their way back, which was cut off: they don't run before they are there."""
        self.restored = 0
        self.last = dict.fromkeys(OBJECTS, 0)
        self.cuts = 0
        self.count = 0
        self.acknowledged = 0
        self.start(folder / "0")

    def start(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = PowerCutDisk(folder)
        self.world = World(folder / "store", file_system=self.disk.file_system, layers=self.layers)
        self.world.clock.tick_s = self.random.choice([0.0, 0.0, 0.002])
        self.world.store.on_failed = self.reset
        self.last = dict.fromkeys(OBJECTS, 0)

    # Moves

    def live(self, steps: int) -> None:
        moves: list[tuple[int, Callable[[], object]]] = [
            (30, self.unit),
            (10, self.reply),
            (25, self.world.clock.turn),
            (30, self.world.committer.run),
            (15, self.world.background.run),
            (5, lambda: self.world.clock.advance(self.random.choice([0.06, 6.0]))),
            (3, self.checkpoint),
            (4, self.pin),
            (3, self.go_back),
            (4 if self.failures else 0, self.trouble),
        ]
        weights = [weight for weight, _ in moves]
        for _ in range(steps):
            self.random.choices(moves, weights)[0][1]()

    def unit(self) -> None:
        store, random = self.world.store, self.random
        object = random.choice(OBJECTS)
        if object in self.half_back and not self.is_back(object):
            return
        generation, rows = self.history[object].states[-1]
        now_ms = self.world.clock.now_ms()
        self.count += 1
        if generation is not None and random.random() < 0.08:
            fresh = store.new_generation()
            record = ObjectRecord(fresh, None, now_ms)
            entry = Entry(object, now_ms, fresh, {}, record, retires=generation, alarm=AlarmChange(None))
            after: State = (fresh, {})
        else:
            record = None
            if generation is None:
                generation = store.new_generation()
                record = ObjectRecord(generation, f"object {object[0]}", now_ms)
            value = b"%d " % self.count + bytes(self.value_bytes)
            changes = {key: None if random.random() < 0.2 else value for key in random.sample(KEYS, 3)}
            pages: dict[Any, Any] = {number: self.page(rows.get(number)) for number in random.sample(PAGES, 2)}
            changed = {number: page_change(rows.get(number), page) for number, page in pages.items()}
            alarm = Alarm(self.count, self.count) if random.random() < 0.8 else None
            entry = Entry(object, now_ms, generation, changes, record, pages=changed, alarm=AlarmChange(alarm))
            pages[ALARM] = alarm
            after = generation, {key: kept for key, kept in (rows | changes | pages).items() if kept is not None}
        try:
            self.last[object] = store.append(entry)
        except PerdureError:
            return  # The store is off: nothing happened.
        self.history[object].states.append(after)
        self.say(object)

    def pin(self) -> None:
        object = self.random.choice(OBJECTS)
        state = self.history[object].states[-1]
        if object in self.half_back:
            return
        try:
            position = self.world.store.append(Entry(object, self.world.clock.now_ms(), state[0] or 0, {}, pin=True))
        except PerdureError:
            return
        place, pins = self.world.store.pinned_place(object), self.pins[object]
        self.last[object] = position
        self.world.store.when_durable(object, position, lambda error: error is None and pins.append((place, state)))

    def go_back(self) -> None:
        object = self.random.choice(OBJECTS)
        if object in self.half_back or not self.pins[object]:
            return
        place, state = self.random.choice(self.pins[object])
        entry = Entry(
            object, self.world.clock.now_ms(), self.history[object].states[-1][0] or 0, {}, pin=True, restore=place
        )
        try:
            self.last[object] = self.world.store.append(entry)
        except PerdureError:
            return
        self.history[object].states.append(state)
        self.half_back.add(object)
        self.is_back(object, steps_max=self.random.choice([5, 20, 1_000]))

    def is_back(self, object: bytes, *, steps_max: int = 1_000) -> bool:
        """Goes on with a restore, as the object's next start does."""
        store = self.world.store
        try:
            self.world.run(store.restore(object), steps_max=steps_max)
            if store.place_to_restore(object) is not None:
                return False
        except PerdureError:
            return False
        self.half_back.discard(object)
        self.restored += 1
        return True

    def page(self, before: bytes | None) -> bytes:
        """With one more place that tells this unit from all others."""
        page = bytearray(before or bytes(PAGE_BYTES))
        start = self.random.randrange(PAGE_BYTES // 8) * 8
        page[start : start + 8] = self.count.to_bytes(8, "big")
        return bytes(page)

    def reply(self) -> None:
        self.say(self.random.choice(OBJECTS))

    def say(self, object: bytes) -> None:
        history = self.history[object]
        index = len(history.states) - 1

        def release(error: PerdureError | None) -> None:
            if error is None:
                history.said = max(history.said, index)
                self.acknowledged += 1

        self.world.store.when_durable(object, self.last[object], release)

    def reset(self, objects: frozenset[bytes], _error: PerdureError) -> None:
        for object in objects:
            self.last[object] = 0
            try:
                state = self.read(object)
                going_back = self.world.store.place_to_restore(object) is not None
            except PerdureError:
                continue  # Off: it will be read after the next start.
            if not going_back:
                self.half_back.discard(object)
                self.history[object].states.append(state)

    def checkpoint(self) -> None:
        upkeep = self.world.store._upkeep
        if upkeep.connections.writer is not None and not upkeep._lane.busy and not upkeep._halted:
            upkeep._checkpoint(whole=False)

    def trouble(self) -> None:
        kind = self.random.random()
        if kind < 0.2:
            self.disk.full = not self.disk.full
        else:
            operation = self.random.choice(list(Operation))
            error = self.random.choice(list(DiskError))
            if operation is Operation.SYNC:
                error = DiskError.IO
            self.disk.fail_next(operation, error, skip=self.random.randrange(3))
            if operation is Operation.SYNC and self.random.random() < 0.5:
                # The checkpoint of the connection that closes last fails too: its log, with the failed group, stays.
                self.disk.fail_next(operation, error)

    # Judgement

    def read(self, object: bytes) -> State:
        record = self.world.store.record(object)
        if record is None:
            return None, {}
        store, generation = self.world.store, record.generation
        pages: dict[Any, Any] = {number: store.page(generation, number) for number in PAGES}
        return generation, {
            **dict(store.scan(generation, KeyRange())),
            **{number: page for number, page in (pages | {ALARM: store.alarm(object)}).items() if page is not None},
        }

    def cut_and_judge(self) -> None:
        """Cuts the power, starts again and looks."""
        self.cuts += 1
        folder = self.folder / str(self.cuts)
        self.disk.cut(self.seed * 100 + self.cuts, folder)
        self.world.abandon()
        self.disk.close()
        try:
            self.start(folder)
        except PerdureError as error:
            raise AssertionError(f"seed {self.seed}, cut {self.cuts}: {error}") from error
        self.half_back.clear()
        for object, history in self.history.items():
            self.world.run(self.world.store.restore(object))
            found = self.read(object)
            allowed = history.states[history.said :]
            assert any(is_same(found, state) for state in allowed), (
                f"seed {self.seed}, cut {self.cuts}, object {object[0]}: found {_short(found)},"
                f" said {_short(history.states[history.said])}"
            )
            history.states = [found]
            history.said = 0

    def end(self) -> None:
        self.world.abandon()
        self.disk.close()


def is_same(found: State, state: State) -> bool:
    """Whether it is that state; pages that went with a restore may still stand there, beyond the end of the database."""
    if found[0] != state[0]:
        return False
    beyond = {
        key for key, page in found[1].items() if isinstance(key, int) and key not in state[1] and (key or not any(page))
    }
    return {key: value for key, value in found[1].items() if key not in beyond} == state[1]


def _short(state: State) -> str:
    return f"generation {state[0]} { ({key: value if key == ALARM else value[:8] for key, value in state[1].items()}) }"


SMALL_PARTS = (
    (undo_reading, "RESTORE_SLICE_BYTES", 1),
    (undo_reading, "RESTORE_READ_ROWS", 1),
    (log, "LOG_ROW_ROWS_MAX", 3),
    (log, "_SURELY_SMALL_BYTES", 0),
    (applying, "DELETE_BYTES_MAX", 1),
)
"""What is done in parts has many of them, so that a cut finds it between two."""


def run(
    seed: int,
    folder: Path,
    *,
    steps: int = 60,
    cuts: int = 2,
    failures: bool = False,
    layers: type[Layers] = Layers,
    big: bool = False,
) -> Life:
    """A life with that many cuts; raises AssertionError, naming the seed, if something said was lost."""
    with ExitStack() as small:
        for module, name, value in SMALL_PARTS:
            small.enter_context(patch.object(module, name, value))
        life = Life(seed, folder, failures=failures, layers=layers, big=big)
        try:
            for _ in range(cuts):
                life.live(steps)
                life.cut_and_judge()
        finally:
            life.end()
        return life
