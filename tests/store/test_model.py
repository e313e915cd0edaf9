"""The store against a dictionary: whatever is written, however it is applied, and whichever groups fail."""

import copy
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.testing.power_cut import DiskError, Operation, PowerCutDisk
from tests.store.world import World

OBJECTS = [b"a" * 32, b"b" * 32, b"c" * 32]
KEYS = ["", "a", "a\0", "ab", "b", "é", "\ud7ff", "\ue000", "\uffff", "\U0001f600"]

objects = st.sampled_from(OBJECTS)
changes = st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=8), min_size=1, max_size=4)
PAGES = [0, 1, 5]
ALARM = ("alarm",)
pages = st.dictionaries(
    st.sampled_from(PAGES), st.tuples(st.integers(0, PAGE_BYTES - 8), st.binary(min_size=1, max_size=8)), max_size=2
)
bounds = st.none() | st.sampled_from([*KEYS, "aa", "zz"])
ranges = st.builds(
    KeyRange,
    lower=st.sampled_from([*KEYS, "aa"]),
    upper=bounds,
    reverse=st.booleans(),
    limit=st.none() | st.integers(0, 4),
)


def values_of(rows):
    """Without the pages and the alarm."""
    return {key: value for key, value in rows.items() if isinstance(key, str)}


class Model:
    """What each object is, and what it was when its last group became durable."""

    def __init__(self) -> None:
        self.now: dict[bytes, tuple[ObjectRecord, dict[str, bytes]]] = {}
        self.durable: dict[bytes, tuple[ObjectRecord, dict[str, bytes]]] = {}
        self.waiting: dict[int, dict[bytes, tuple[ObjectRecord, dict[str, bytes]] | None]] = {}


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp())
        self.disk = PowerCutDisk(self.folder)
        self.model = Model()
        self.time_ms = 0
        self.open()

    def open(self):
        self.world = World(self.folder / "store", file_system=self.disk.file_system)
        self.world.clock.tick_s = 0.001
        self.store = self.world.store
        self.store.on_failed = self.failed

    def append(self, object, entry, after):
        position = self.store.append(entry)
        if after is None:
            self.model.now.pop(object, None)
        else:
            self.model.now[object] = after
        self.model.waiting.setdefault(position, {})[object] = after
        self.store.when_durable(object, position, lambda error: error or self.is_durable(position))

    def is_durable(self, position):
        for object, after in self.model.waiting.pop(position, {}).items():
            if after is None:
                self.model.durable.pop(object, None)
            else:
                self.model.durable[object] = after

    def failed(self, lost, _error):
        for states in self.model.waiting.values():
            for object in lost:
                states.pop(object, None)
        for object in lost:
            self.model.now.pop(object, None)
            if object in self.model.durable:
                self.model.now[object] = self.model.durable[object]

    @rule(object=objects, changes=changes, alarm_ms=st.none() | st.integers(1, 5), edits=pages)
    def write(self, object, changes, alarm_ms, edits):
        self.time_ms += 1
        record, rows = self.model.now.get(object, (None, {}))
        written = None
        if record is None:
            record = written = ObjectRecord(self.store.new_generation(), None, self.time_ms)
        after = {key: value for key, value in (rows | changes).items() if value is not None}
        changed = {}
        for number, (start, content) in edits.items():
            before = rows.get(number)
            page = bytearray(before or bytes(PAGE_BYTES))
            page[start : start + len(content)] = content
            after[number] = bytes(page)
            change = page_change(before, bytes(page))
            if change is not None:
                changed[number] = change
        alarm = None
        if alarm_ms is not None:
            after[ALARM] = None if alarm_ms == 5 else Alarm(alarm_ms, alarm_ms)
            alarm = AlarmChange(after[ALARM])
        entry = Entry(object, self.time_ms, record.generation, changes, written, pages=changed or None, alarm=alarm)
        self.append(object, entry, (record, after))

    @rule(object=objects, remove=st.booleans())
    def delete_all(self, object, remove):
        if object not in self.model.now:
            return
        record, _ = self.model.now[object]
        if remove:
            gone = AlarmChange(None)
            entry = Entry(object, 0, record.generation, {}, None, True, record.generation, None, gone)
            self.append(object, entry, None)
        else:
            fresh = ObjectRecord(self.store.new_generation(), None, record.created_ms)
            entry = Entry(object, 0, fresh.generation, {}, fresh, retires=record.generation, alarm=AlarmChange(None))
            self.append(object, entry, (fresh, {}))

    @rule()
    def turn(self):
        self.world.clock.turn()

    @rule()
    def commit(self):
        self.world.clock.turn()
        self.world.committer.run()

    @rule(operation=st.sampled_from([Operation.WRITE, Operation.SYNC]))
    def commit_fails(self, operation):
        self.disk.fail_next(operation, DiskError.IO, files="-wal")
        self.world.settle()
        self.disk._faults.clear()

    @rule()
    def quiet(self):
        self.world.quiet()

    @rule()
    def rest(self):
        self.world.settle()
        self.store.rest()
        self.world.settle()

    @rule()
    def close_and_open(self):
        self.world.close()
        assert self.model.waiting == {position: {} for position in self.model.waiting}
        self.model.now = copy.deepcopy(self.model.durable)
        self.open()

    @rule(object=objects, keys=ranges)
    def scan(self, object, keys):
        if object in self.model.now:
            record, rows = self.model.now[object]
            rows = values_of(rows)
            assert self.store.scan(record.generation, keys) == [(key, rows[key]) for key in keys.select(rows)]

    @invariant()
    def every_read_agrees(self):
        if not hasattr(self, "store"):
            return
        for object in OBJECTS:
            record, rows = self.model.now.get(object, (None, {}))
            assert self.store.record(object) == record
            if record is not None:
                assert {number: self.store.page(record.generation, number) for number in PAGES} == {
                    number: rows.get(number) for number in PAGES
                }
                rows = values_of(rows)
                assert {key: self.store.get(record.generation, key) for key in KEYS} == {
                    key: rows.get(key) for key in KEYS
                }
                assert self.store.get_many(record.generation, KEYS) == rows
        alarms = {object: rows.get(ALARM) for object, (_, rows) in self.model.now.items()}
        assert {object: self.store.alarm(object) for object in OBJECTS} == dict.fromkeys(OBJECTS) | alarms
        due = sorted((alarm.due_ms, object) for object, alarm in alarms.items() if alarm is not None)
        assert [object for object, _ in self.store.alarms((0, b""), 2)] == [object for _, object in due][:2]
        assert [object for object, _ in self.store.alarms((2, OBJECTS[1]), 9)] == [
            object for at, object in due if (at, object) > (2, OBJECTS[1])
        ]

    def teardown(self):
        if hasattr(self, "world"):
            self.world.abandon()
            self.disk.close()
            shutil.rmtree(self.folder)


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStoreAgainstADictionary = StoreMachine.TestCase
