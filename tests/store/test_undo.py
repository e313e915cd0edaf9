"""What apply notes to undo, and going back by it: cost follows what changed, and nothing of the present is in the way."""

import apsw
import pytest

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.core.undo_place import end_of
from perdure.model.errors import WrongValue
from perdure.store import sqlite_store, undo_reading
from tests.store.world import World

A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "store")
    yield made
    made.abandon()


def rows_of(world, query):
    return world.store._upkeep.tables().connection.execute(query).fetchall()


def pin(world, object=A, generation=1, /, **rows) -> int:
    world.store.append(Entry(object, world.clock.now_ms(), generation, rows, pin=True))
    return world.store.pinned_place(object)


def ask(world, place, object=A) -> int:
    """To go back when the object starts next; gives the place that undoes it."""
    world.store.append(Entry(object, world.clock.now_ms(), 0, {}, pin=True, restore=place))
    return world.store.pinned_place(object)


def restore(world, place, object=A) -> int:
    undo = ask(world, place, object)
    world.run(world.store.restore(object))
    return undo


def page(fill: bytes, changed: int = 0) -> bytes:
    return bytes(changed) + fill * (PAGE_BYTES - changed)


def write_page(world, before, after, *, number=0, **entry):
    change = page_change(before, after)
    world.store.append(Entry(A, world.clock.now_ms(), 1, {}, pages={number: change}, **entry))


# What is noted


def test_a_row_that_is_written_often_in_one_batch_is_noted_once_as_it_was_before(world):
    world.register(A, 1, k=b"old", other=b"x")
    world.quiet()
    for n in range(50):
        world.put(A, 1, k=b"%d" % n, new=b"%d" % n)
        world.settle()

    world.quiet()

    assert rows_of(world, "SELECT generation, key, value FROM undo_row") == [(1, "k", b"old"), (1, "new", None)]
    assert len(rows_of(world, "SELECT * FROM undo_mark WHERE since > 65535")) == 1


def test_of_an_object_that_did_not_exist_before_nothing_is_noted_but_that(world):
    world.register(A, 1, **{f"k{n}": b"v" for n in range(100)})
    write_page(world, None, page(b"x"))
    world.quiet()

    assert rows_of(world, "SELECT * FROM undo_row") == rows_of(world, "SELECT * FROM undo_page") == []
    assert rows_of(world, "SELECT generation, at_ms FROM undo_mark") == [(None, None)]


def test_of_a_page_the_blocks_that_changed_are_noted(world):
    first = page(b"x")
    write_page(world, None, first, record=ObjectRecord(1, None, 0))
    world.quiet()

    write_page(world, first, b"!" + first[1:])
    world.quiet()

    [(body,)] = rows_of(world, "SELECT body FROM undo_page")
    assert len(body) < 200


def test_a_pin_with_nothing_after_it_costs_no_span(world):
    world.register(A, 1, k=b"v")
    pin(world)
    world.quiet()

    assert len(rows_of(world, "SELECT * FROM undo_mark")) == 1
    assert len(rows_of(world, "SELECT * FROM undo_pin")) == 1


# Going back


def test_keys_pages_and_alarm_come_back_as_they_were(world):
    first, second = page(b"x"), page(b"x", 500)
    world.store.append(
        Entry(A, 0, 1, {"k": b"1", "gone": b"1"}, ObjectRecord(1, "a", 0), alarm=AlarmChange(Alarm(5, 5)))
    )
    write_page(world, None, first)
    place = pin(world)
    world.put(A, 1, k=b"2", gone=None, new=b"2")
    write_page(world, first, second)
    world.store.append(Entry(A, 0, 1, {}, alarm=AlarmChange(Alarm(9, 9))))
    world.quiet()
    changed = []
    world.store.on_alarm = lambda object, alarm: changed.append((object, alarm))

    restore(world, place)

    assert dict(world.store.scan(1, KeyRange())) == {"k": b"1", "gone": b"1"}
    assert world.store.page(1, 0) == first
    assert world.store.alarm(A) == Alarm(5, 5)
    assert changed == [(A, Alarm(5, 5))]
    assert world.store.place_to_restore(A) is None


def test_each_of_many_pins_in_one_group_is_a_state_of_its_own(world):
    world.register(A, 1, k=b"0")
    places = {n: pin(world, k=b"%d" % n) for n in range(1, 6)}
    world.put(A, 1, k=b"9")
    world.quiet()

    assert list(places.values()) == sorted({*places.values()})
    for n in (3, 1, 5, 2, 4):
        restore(world, places[n])
        assert world.store.get(1, "k") == b"%d" % n


def test_a_restore_is_undone_by_the_bookmark_of_the_moment_before(world):
    world.register(A, 1, k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2", new=b"2")
    world.quiet()

    undo = restore(world, place)
    restore(world, undo)

    assert dict(world.store.scan(1, KeyRange())) == {"k": b"2", "new": b"2"}


def test_what_delete_all_dropped_comes_back_and_again_goes(world):
    world.register(A, 1, "a", k=b"1")
    write_page(world, None, page(b"x"))
    place = pin(world)
    world.quiet()
    world.store.append(Entry(A, 0, 0, {}, None, True, retires=1, alarm=AlarmChange(None)))
    world.register(A, 2, "a", k=b"2")
    world.quiet()

    undo = restore(world, place)
    back = (world.store.record(A).generation, world.store.get(1, "k"), world.store.page(1, 0))
    restore(world, undo)

    assert back == (1, b"1", page(b"x"))
    assert world.store.record(A).generation == 2
    assert world.store.get(2, "k") == b"2"
    world.quiet()
    assert rows_of(world, "SELECT generation FROM kept") == [(1,)]


def test_before_it_was_first_written_an_object_does_not_exist(world):
    place = pin(world, A, 0)
    world.register(A, 1, "a", k=b"1")
    world.store.append(Entry(A, 0, 1, {}, alarm=AlarmChange(Alarm(5, 5))))
    world.quiet()

    undo = restore(world, place)
    gone = world.store.record(A), world.store.alarm(A)
    restore(world, undo)

    assert gone == (None, None)
    assert world.store.record(A) == ObjectRecord(1, "a", 1_000_000)
    assert (world.store.get(1, "k"), world.store.alarm(A)) == (b"1", Alarm(5, 5))


def test_a_database_that_was_not_there_is_empty_again(world):
    world.register(A, 1, k=b"1")
    world.quiet()
    place = pin(world)
    write_page(world, None, page(b"x"))
    world.quiet()

    restore(world, place)

    assert world.store.page(1, 0) == bytes(PAGE_BYTES)


def test_the_cost_follows_what_changed_and_not_what_there_is(world):
    world.register(A, 1, **{f"k{n}": b"v" for n in range(5_000)})
    for n in range(200):
        write_page(world, None, page(b"x"), number=n)
    place = pin(world)
    world.quiet()
    world.put(A, 1, k7=b"new")
    world.quiet()
    before = world.store.counters()

    restore(world, place)
    world.quiet()

    after = world.store.counters()
    assert world.store.get(1, "k7") == b"v"
    assert after.rows_applied - before.rows_applied == 1
    assert after.log_bytes - before.log_bytes < 500


def test_others_are_left_alone(world):
    world.register(A, 1, k=b"1")
    world.register(B, 2, k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2")
    world.put(B, 2, k=b"2")
    world.quiet()

    restore(world, place)

    assert (world.store.get(1, "k"), world.store.get(2, "k")) == (b"1", b"2")


def test_much_goes_back_in_units_of_a_bounded_size(world, monkeypatch):
    monkeypatch.setattr(undo_reading, "RESTORE_SLICE_BYTES", 1_000)
    world.register(A, 1, **{f"k{n}": bytes(100) for n in range(100)})
    place = pin(world)
    world.quiet()
    world.put(A, 1, **{f"k{n}": b"2" for n in range(100)})
    world.quiet()
    before = world.store.counters().entries

    restore(world, place)

    assert world.store.counters().entries - before > 5
    assert {value for _, value in world.store.scan(1, KeyRange())} == {bytes(100)}


def test_the_last_request_counts(world):
    world.register(A, 1, k=b"1")
    first = pin(world)
    second = pin(world, k=b"2")
    world.put(A, 1, k=b"3")

    ask(world, first)
    ask(world, second)
    world.run(world.store.restore(A))

    assert world.store.get(1, "k") == b"2"


def test_a_request_outlives_the_process(tmp_path):
    world = World(tmp_path / "store")
    world.register(A, 1, k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2")
    ask(world, place)
    world.settle()
    world.abandon()

    world = World(tmp_path / "store")
    asked = world.store.place_to_restore(A)
    world.run(world.store.restore(A))

    assert (asked, world.store.place_to_restore(A)) == (place, None)
    assert world.store.get(1, "k") == b"1"
    world.close()
    world = World(tmp_path / "store")
    assert (world.store.place_to_restore(A), world.store.get(1, "k")) == (None, b"1")
    world.abandon()


def test_a_request_whose_group_failed_is_none(world, monkeypatch):
    world.register(A, 1, k=b"1")
    place = pin(world)
    world.settle()
    ask(world, place)
    monkeypatch.setattr(
        world.store._upkeep.connections.writer, "commit", lambda group: (_ for _ in ()).throw(apsw.FullError("planned"))
    )
    world.clock.turn()
    world.committer.run()

    assert world.store.place_to_restore(A) is None


def test_no_place_that_is_to_come_can_be_gone_back_to(world):
    world.register(A, 1, k=b"1")
    world.settle()

    assert world.store.place_kept(end_of(world.store.durable))
    assert not world.store.place_kept(end_of(world.store.durable + 5))


def test_a_turn_takes_a_bounded_number_of_pins_of_one_object(world, monkeypatch):
    monkeypatch.setattr(sqlite_store, "PINS_MAX", 3)
    for _ in range(3):
        pin(world)

    with pytest.raises(WrongValue, match="bookmarks in one turn"):
        pin(world)
    assert pin(world, B, 0) > 0
    world.settle()
    assert pin(world) > 0


# Times


def test_the_place_at_a_time_is_the_last_one_that_is_not_after_it(world):
    for n in range(4):
        world.register(A, 1, k=b"%d" % n)
        world.quiet()
        world.clock.advance(10)

    def k_at(seconds_ago: float) -> bytes | None:
        place = world.run(world.store.place_at(A, world.clock.now_ms() - round(seconds_ago * 1000)))
        restore(world, place)
        record = world.store.record(A)
        return None if record is None else world.store.get(record.generation, "k")

    started_ms = world.clock.now_ms()
    assert k_at(1) == b"3"
    for seconds, expected in ((12, b"2"), (23, b"1"), (34, b"0"), (60, None)):
        passed = (world.clock.now_ms() - started_ms) / 1000
        assert k_at(seconds + passed) == expected


def test_the_place_at_a_time_knows_what_is_not_applied_yet(world):
    world.register(A, 1, k=b"1")
    world.settle()
    world.clock.advance(0.01)
    between = world.clock.now_ms()
    world.clock.advance(0.01)
    world.put(A, 1, k=b"2")

    place = world.run(world.store.place_at(A, between))
    restore(world, place)

    # Both were applied together: what is kept is the state before both.
    assert world.store.record(A) is None
