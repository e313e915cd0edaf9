"""The clock of a class's alarms: none early, none forgotten, few in memory, one run of an object at a time."""

import random
from datetime import timedelta

import pytest

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.model.errors import ObjectReset, StorageBroken
from perdure.objects.alarms import alarm_clock
from perdure.objects.alarms.alarm_clock import AlarmClock
from perdure.store.reader import Reader
from tests.store.world import World


class Seat:
    """A clock over a real store whose runs are ended by the test."""

    def __init__(self, folder):
        self.world = World(folder / "store")
        self.runs = []
        self.open()

    def open(self):
        self.clock = AlarmClock(
            self.world.store,
            self.world.clock,
            lambda target, info: None,
            class_name="Own",
            retries_max=6,
            jitter=lambda: 0.0,
            deliver=self.runs.append,
        )

    @property
    def now_ms(self):
        return self.world.clock.now_ms()

    def set(self, n, due_ms):
        object = n.to_bytes(32, "big")
        record = ObjectRecord(n + 1, None, 0) if self.world.store.record(object) is None else None
        alarm = None if due_ms is None else Alarm(due_ms, due_ms)
        self.world.store.append(Entry(object, self.now_ms, n + 1, {}, record, alarm=AlarmChange(alarm)))

    def end_runs(self):
        """Each alarm that ran is deleted, as by its handler's end; gives the numbers of the objects."""
        ended, self.runs[:] = [int.from_bytes(run.object, "big") for run in self.runs], []
        for n in ended:
            self.set(n, None)
            self.clock.ended(n.to_bytes(32, "big"))
        return ended

    def pass_time(self, seconds):
        self.world.clock.advance(seconds)
        self.world.settle()


def broken(*where):
    raise StorageBroken(what="the store is being opened anew")


@pytest.fixture
def seat(tmp_path):
    made = Seat(tmp_path)
    yield made
    made.world.abandon()


@pytest.mark.parametrize("trouble", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_set_moved_and_deleted_each_runs_once_when_due_and_never_before(
    tmp_path, seed, trouble, monkeypatch
):
    rng = random.Random(seed)
    monkeypatch.setattr(alarm_clock, "LOADED_MAX", 8)
    monkeypatch.setattr(alarm_clock, "LOAD_ROWS", 3)
    seat = Seat(tmp_path)
    seat.clock.start()
    due, ran = {}, []
    for step in range(150):
        n = rng.randrange(30)
        if rng.random() < 0.6:
            due[n] = seat.now_ms + rng.randrange(20_000)
            seat.set(n, due[n])
        elif n in due and rng.random() < 0.3:
            seat.set(n, None)
            del due[n]
        if rng.random() < 0.1:
            seat.clock.stop()
            seat.runs.clear()
            seat.open()
            seat.clock.start()
        with monkeypatch.context() as unreadable:
            if rng.random() < trouble:
                unreadable.setattr(seat.world.store, rng.choice(["alarm", "alarms"]), broken)
                seat.clock.look_again([rng.randrange(30).to_bytes(32, "big")])
            seat.pass_time(rng.choice([0.0, 0.1, 3.0]))
        for n in seat.end_runs():
            assert due.pop(n) <= seat.now_ms, f"seed {seed}, step {step}: {n} was early"
            ran.append(n)
        assert len(seat.clock._next) <= 8 + 3 or trouble
    for _ in range(200):
        seat.pass_time(1.0)
        for n in seat.end_runs():
            del due[n]
    assert due == {}, f"seed {seed}: never ran"
    assert ran
    seat.world.abandon()


def test_of_very_many_few_are_in_memory_and_all_run(seat, monkeypatch):
    monkeypatch.setattr(alarm_clock, "LOADED_MAX", 100)
    monkeypatch.setattr(alarm_clock, "LOAD_ROWS", 50)
    for n in range(1_000):
        seat.set(n, seat.now_ms + 10_000 + n)
    seat.world.quiet()
    seat.open()
    seat.clock.start()
    most, ran = 0, set()
    for _ in range(300):
        seat.pass_time(0.1)
        most = max(most, len(seat.clock._next))
        ran.update(seat.end_runs())
    assert ran == set(range(1_000))
    assert most <= 150


def test_of_one_object_one_run_at_a_time(seat):
    seat.clock.start()
    seat.set(1, seat.now_ms)
    seat.pass_time(1)
    seat.set(1, seat.now_ms + 1_000)
    seat.pass_time(5)

    assert len(seat.runs) == 1
    seat.clock.ended(seat.runs.pop().object)
    seat.pass_time(0)
    assert len(seat.runs) == 1


def test_no_more_run_at_once_than_may_and_the_others_follow(seat, monkeypatch):
    monkeypatch.setattr(alarm_clock, "RUNNING_MAX", 5)
    for n in range(12):
        seat.set(n, seat.now_ms)
    seat.clock.start()
    seat.pass_time(1)

    assert seat.clock.running == len(seat.runs) == 5
    ran = seat.end_runs()
    while seat.pass_time(0.01) or seat.runs:
        ran += seat.end_runs()
    assert sorted(ran) == list(range(12))


def test_a_stopped_clock_starts_nothing(seat):
    seat.clock.start()
    seat.set(1, seat.now_ms + 1_000)
    seat.clock.stop()
    seat.pass_time(10)

    assert seat.runs == []


def test_the_time_is_looked_at_every_minute_for_the_machines_clock_may_be_set(seat, monkeypatch):
    delays = []
    call_later = seat.world.clock.call_later
    monkeypatch.setattr(seat.world.clock, "call_later", lambda s, fn: delays.append(s) or call_later(s, fn))
    seat.set(1, seat.now_ms + timedelta(days=1) // timedelta(milliseconds=1))

    seat.clock.start()
    seat.pass_time(200)

    assert seat.runs == []
    assert len([delay for delay in delays if delay == 60]) >= 3


def test_few_start_in_a_turn_of_the_loop_and_more_where_others_took_long(seat):
    for n in range(100):
        seat.set(n, seat.now_ms)

    started = []
    for others_took_s in (0.0, 0.0, 0.003, 0.5, 0.0):
        seat.world.clock.now += others_took_s
        seat.clock.start()
        started.append(len(seat.runs) - sum(started))

    assert started == [4, 4, 12, 16, 4]


def test_the_time_until_the_next_is_due_is_no_time_that_others_took(seat):
    for n in range(5):
        seat.set(n, seat.now_ms)
    seat.clock.start()
    seat.pass_time(0)
    assert len(seat.end_runs()) == 5
    for n in range(20):
        seat.set(n, seat.now_ms)

    seat.world.clock.now += 1
    seat.clock.start()

    assert len(seat.runs) == 4


def test_what_a_listing_reads_does_not_grow_with_what_is_not_applied(seat, monkeypatch):
    for n in range(50):
        seat.set(n, seat.now_ms + n)
    seat.world.quiet()
    for n in range(100, 600):
        seat.set(n, seat.now_ms + 1_000_000)
    read, alarms = [], Reader.alarms
    monkeypatch.setattr(Reader, "alarms", lambda self, *where: read.append(len(rows := alarms(self, *where))) or rows)

    found = seat.world.store.alarms((0, b""), 10)

    assert [int.from_bytes(object, "big") for object, _ in found] == list(range(10))
    assert read == [10]


@pytest.mark.parametrize("unreadable", ["alarm", "alarms", "deliver"])
def test_what_cannot_be_read_for_a_while_runs_when_it_can(tmp_path, monkeypatch, unreadable):
    seat = Seat(tmp_path)
    for n in range(3):
        seat.set(n, seat.now_ms + 1_000 + n)
    seat.world.quiet()

    if unreadable == "deliver":
        monkeypatch.setattr(seat.clock, "_deliver", broken)
    else:
        monkeypatch.setattr(seat.world.store, unreadable, broken)
    seat.clock.start()
    seat.pass_time(3)
    seat.set(3, seat.now_ms + 4_000)
    seat.clock.look_again(n.to_bytes(32, "big") for n in range(4))
    seat.pass_time(1)
    assert seat.runs == []
    monkeypatch.undo()
    seat.clock._deliver = seat.runs.append
    ran = []
    for _ in range(20):
        seat.pass_time(1)
        ran += seat.end_runs()

    assert sorted(ran) == [0, 1, 2, 3]
    seat.world.abandon()


def test_a_store_whose_alarms_cannot_be_read_is_not_asked_without_pause(seat, monkeypatch):
    asked = []

    def broken(*where):
        asked.append(where)
        raise StorageBroken(what="the store is being opened anew")

    monkeypatch.setattr(seat.world.store, "alarms", broken)
    seat.clock.start()
    seat.pass_time(60)

    assert 5 <= len(asked) <= 20


def test_a_store_that_refuses_is_asked_for_one_alarm_and_not_for_each_that_is_due(seat, monkeypatch, caplog):
    seat.clock.start()
    for n in range(50):
        seat.set(n, seat.now_ms + 1_000)
    asked = []

    def refused(*where):
        asked.append(where)
        broken()

    with monkeypatch.context() as off:
        off.setattr(seat.world.store, "alarm", refused)
        off.setattr(seat.world.store, "alarms", refused)
        seat.pass_time(31)
    said = len(caplog.records)
    ran = []
    for _ in range(30):
        seat.pass_time(1)
        ran += seat.end_runs()

    assert 5 <= said <= 7
    assert len(asked) <= 2 * 7
    assert sorted(ran) == list(range(50))


def test_one_damaged_alarm_does_not_hold_up_the_others(seat, monkeypatch):
    seat.clock.start()
    for n in range(5):
        seat.set(n, seat.now_ms + 1_000 + n)
    read = seat.world.store.alarm
    damaged = (0).to_bytes(32, "big")
    monkeypatch.setattr(seat.world.store, "alarm", lambda object: broken() if object == damaged else read(object))

    seat.pass_time(1.1)

    assert sorted(seat.end_runs()) == [1, 2, 3, 4]


@pytest.mark.parametrize("error", [ObjectReset(what="by another event"), StorageBroken(what="a commit failed")])
def test_an_alarm_that_was_put_off_before_its_run_began_is_not_tried_early_when_the_run_is_cut_off(seat, error):
    seat.clock.start()
    seat.set(1, seat.now_ms)
    seat.pass_time(0)
    later_ms = seat.now_ms + 60_000
    seat.set(1, later_ms)

    seat.clock.cut_off(seat.runs.pop(), error)
    seat.pass_time(59)
    assert seat.runs == []
    seat.pass_time(1)

    assert len(seat.runs) == 1
    assert seat.world.store.alarm((1).to_bytes(32, "big")) == Alarm(later_ms, later_ms)


def test_one_that_could_not_be_read_is_kept_when_there_are_too_many_to_keep(seat, monkeypatch):
    monkeypatch.setattr(alarm_clock, "LOADED_MAX", 8)
    seat.clock.start()
    seat.set(0, seat.now_ms + 1_000)
    with monkeypatch.context() as unreadable:
        unreadable.setattr(seat.world.store, "alarm", broken)
        seat.pass_time(1.5)
    for n in range(1, 13):
        seat.set(n, seat.now_ms + 1_000 + n)

    ran = []
    for _ in range(20):
        seat.pass_time(1)
        ran += seat.end_runs()

    assert sorted(ran) == list(range(13))
