"""How long the past is kept and how much of it: thinned with age, forgotten from the oldest on, never what somebody needs."""

import pytest

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.retention import Retention
from perdure.store import undo_keeping
from tests.store.test_undo import A, B, ask, page, pin, restore, rows_of, write_page
from tests.store.world import World

DAY_S = 86_400


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "store")
    yield made
    made.abandon()


def live(world, batches, every_s):
    for n in range(batches):
        world.register(A, 1, "a", k=b"%d" % n)
        world.quiet()
        world.clock.advance(every_s)


def pass_over(world, after_s):
    """Lets time pass, and something be written, so that the past is looked at."""
    world.clock.advance(after_s)
    world.register(B, 2, "b", k=b"%d" % world.clock.now_ms())
    world.quiet()


def spans(world, object=A):
    return len(rows_of(world, f"SELECT * FROM undo_mark WHERE object = x'{object.hex()}'"))


def test_every_batch_is_kept_for_an_hour_then_one_of_each_minute_then_one_of_each_hour(world):
    live(world, 120, 9.4)  # 20 minutes

    pass_over(world, 100)
    at_once = spans(world)
    pass_over(world, 2 * 3_600)
    after_hours = spans(world)
    pass_over(world, 2 * DAY_S)

    assert at_once == 120
    assert 20 <= after_hours <= 22
    assert spans(world) <= 2


def test_what_is_left_of_it_can_still_be_gone_back_to(world):
    live(world, 60, 9.4)
    place = pin(world)
    world.put(A, 1, k=b"after")
    live(world, 60, 9.4)
    pass_over(world, 3 * DAY_S)

    restore(world, place)

    assert world.store.get(1, "k") == b"59"


def test_what_is_older_than_it_is_kept_is_forgotten(world):
    world.register(A, 1, "a", k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2")
    world.quiet()

    pass_over(world, 29 * DAY_S)
    kept = world.store.place_kept(place)
    pass_over(world, 2 * DAY_S)

    assert kept and not world.store.place_kept(place)
    assert spans(world) == 0
    assert rows_of(world, "SELECT * FROM undo_row WHERE generation = 1") == []
    assert world.run(world.store.place_at(A, 999_000)) is None


def told_world(folder, retention):
    """A store that was told so, and has looked at its past since, opened again by somebody who tells it nothing."""
    world = World(folder, retention=retention)
    pass_over(world, 100)
    world.close()
    return World(folder)


def test_how_long_is_what_the_store_was_last_told(tmp_path):
    world = told_world(tmp_path / "store", Retention(age_ms=2 * DAY_S * 1_000))
    world.register(A, 1, "a", k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2")
    world.quiet()

    pass_over(world, 1.5 * DAY_S)
    kept = world.store.place_kept(place)
    pass_over(world, 1 * DAY_S)

    assert kept and not world.store.place_kept(place)
    world.close()


def test_how_much_is_what_the_store_was_last_told(tmp_path):
    world = told_world(tmp_path / "store", Retention(bytes_max=50_000))
    world.register(A, 1, "a", k=bytes(1_000))
    places = []
    for _ in range(100):
        places.append(pin(world, k=bytes(1_000)))
        world.quiet()

    pass_over(world, 100)

    assert 40 < sum(world.store.place_kept(place) for place in places) < 60
    world.close()
    world = told_world(tmp_path / "store", Retention())
    assert "undo_bytes_max" not in dict(rows_of(world, "SELECT * FROM meta"))
    world.close()


def test_that_it_is_forgotten_is_known_after_a_new_start(tmp_path):
    world = World(tmp_path / "store")
    world.register(A, 1, "a", k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2")
    world.quiet()
    pass_over(world, 31 * DAY_S)
    world.close()

    world = World(tmp_path / "store")

    assert not world.store.place_kept(place)
    world.abandon()


def test_more_than_fits_is_forgotten_from_the_oldest_on(world, monkeypatch):
    monkeypatch.setattr(undo_keeping, "UNDO_BYTES_MIN", 50_000)
    monkeypatch.setattr(undo_keeping.UndoKeeping, "_bytes_max", lambda self, _: undo_keeping.UNDO_BYTES_MIN)
    places = []
    world.register(A, 1, "a", k=bytes(1_000))
    for _ in range(100):
        places.append(pin(world, k=bytes(1_000)))
        world.quiet()

    pass_over(world, 100)

    kept = [world.store.place_kept(place) for place in places]
    assert kept == sorted(kept)
    assert 40 < sum(kept) < 60
    assert sum(size for (size,) in rows_of(world, "SELECT bytes FROM undo_size")) <= 50_000


def test_as_much_as_there_is_live_may_be_kept(world, monkeypatch):
    monkeypatch.setattr(undo_keeping, "UNDO_BYTES_MIN", 1)
    world.register(B, 2, "b", **{f"k{n}": bytes(1_000) for n in range(300)})
    world.register(A, 1, "a", k=bytes(1_000))
    place = pin(world)
    for _ in range(20):
        world.put(A, 1, k=bytes(1_000))
        world.quiet()

    pass_over(world, 100)

    assert world.store.place_kept(place)


def test_a_generation_that_was_left_is_swept_once_nobody_can_go_back_to_it(world):
    world.register(A, 1, "a", **{f"k{n}": b"v" for n in range(100)})
    write_page(world, None, page(b"x"))
    world.quiet()
    world.store.append(Entry(A, world.clock.now_ms(), 3, {}, ObjectRecord(3, "a", 0), retires=1))
    world.quiet()

    pass_over(world, 29 * DAY_S)
    kept = rows_of(world, "SELECT count(*) FROM kv WHERE generation = 1")
    pass_over(world, 2 * DAY_S)
    world.quiet()

    assert kept == [(100,)]
    assert rows_of(world, "SELECT count(*) FROM kv WHERE generation = 1") == [(0,)]
    assert rows_of(world, "SELECT * FROM kept") == rows_of(world, "SELECT * FROM retired") == []


def test_what_delete_all_left_counts_as_past(world, monkeypatch):
    monkeypatch.setattr(undo_keeping.UndoKeeping, "_bytes_max", lambda self, _: 50_000)
    world.register(A, 1, "a", **{f"k{n}": bytes(1_000) for n in range(100)})
    world.quiet()
    world.store.append(Entry(A, world.clock.now_ms(), 3, {}, ObjectRecord(3, "a", 0), retires=1))
    world.quiet()

    pass_over(world, 100)

    assert rows_of(world, "SELECT count(*) FROM kv WHERE generation = 1") == [(0,)]


def test_what_an_object_is_to_go_back_by_is_kept_until_it_has(world):
    world.register(A, 1, "a", k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2")
    ask(world, place)
    world.quiet()

    pass_over(world, 40 * DAY_S)
    world.run(world.store.restore(A))

    assert world.store.get(1, "k") == b"1"


def test_an_object_stays_as_it_is_if_its_way_back_is_not_kept(world, caplog):
    world.register(A, 1, "a", k=b"1")
    place = pin(world)
    world.put(A, 1, k=b"2")
    world.quiet()
    pass_over(world, 40 * DAY_S)
    ask(world, place)

    world.run(world.store.restore(A))

    assert world.store.get(1, "k") == b"2"
    assert world.store.place_to_restore(A) is None
    assert "stays as it is" in caplog.text


def test_a_pass_is_made_in_slices_between_groups(world):
    live(world, 50, 9.4)
    world.clock.advance(2 * 3_600)
    world.clock.tick_s = 0.002
    world.register(B, 2, "b", k=b"v")
    world.settle()
    world.clock.advance(0.2)
    positions = []
    for n in range(30):
        world.put(B, 2, k=b"%d" % n)
        world.settle()
        positions.append(world.store.durable)

    assert positions == sorted({*positions})
    world.quiet()
    assert spans(world) < 20
