"""A crash anywhere, in the apply that notes the undo, in a restore or in a pass over the past: every bookmark stays right."""

import pytest

from perdure.core.entry import Alarm, AlarmChange, Entry
from perdure.core.key_range import KeyRange
from perdure.core.page_change import page_change
from perdure.store import undo_reading, undo_writing
from perdure.store.crash_point import CrashPoint
from perdure.store.undo_writing import UndoWriting
from tests.store.test_undo import A, ask, page, pin, restore, write_page
from tests.store.world import CrashAt, Crashed, World

RESTORE_POINTS = [
    CrashPoint.BEFORE_RESTORE,
    CrashPoint.AFTER_RESTORE_SLICE,
    CrashPoint.BEFORE_RESTORE_END,
    CrashPoint.AFTER_RESTORE_END,
    CrashPoint.AFTER_LOG_COMMIT,
    CrashPoint.BEFORE_APPLY_COMMIT,
    CrashPoint.AFTER_APPLY_COMMIT,
]


def write_pages(world, before, after, numbers, **entry):
    change = page_change(before, after)
    world.store.append(Entry(A, world.clock.now_ms(), 1, {}, pages=dict.fromkeys(numbers, change), **entry))


SLICES = range(1, 40, 2)


@pytest.mark.parametrize("slices", SLICES)
def test_an_apply_that_was_cut_off_anywhere_notes_what_was_before_it(tmp_path, slices):
    cut_off_an_apply(tmp_path, slices)


def is_seen(tmp_path) -> bool:
    for slices in SLICES:
        try:
            cut_off_an_apply(tmp_path / str(slices), slices)
        except AssertionError:
            return True
    return False


def test_pages_that_are_taken_as_they_are_when_a_batch_is_applied_again_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(UndoWriting, "page_at_start", lambda self, page, id, stored: stored)

    assert is_seen(tmp_path)


def test_rows_that_are_noted_anew_when_a_batch_is_applied_again_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(undo_writing, "_ROW_START", undo_writing._ROW_START.replace("IGNORE", "REPLACE"))

    assert is_seen(tmp_path)


def cut_off_an_apply(tmp_path, slices):
    world = World(tmp_path / "store")
    keys, numbers = [f"k{n}" for n in range(200)], range(40)
    pages = [page(b"x", 100 * n) for n in range(6)]
    world.register(A, 1, "a", **dict.fromkeys(keys, b"0"))
    write_pages(world, None, pages[0], numbers)
    places = [pin(world)]
    world.quiet()
    for n in range(1, 6):
        world.put(A, 1, **dict.fromkeys(keys[:: n + 1], b"%d" % n))
        write_pages(world, pages[n - 1], pages[n], numbers, alarm=AlarmChange(Alarm(n, n)))
        if n in (2, 4):
            places.append(pin(world))
        world.settle()
    states = [state_of(0, keys, pages), state_of(2, keys, pages), state_of(4, keys, pages), state_of(5, keys, pages)]
    world.clock.tick_s = 0.002
    world.clock.advance(0.2)
    for _ in range(slices):
        world.committer.run()
    world.abandon()

    world = World(tmp_path / "store")
    places.append(pin(world))
    for n in (3, 1, 2, 0, 1, 3):
        restore(world, places[n])
        found = (
            dict(world.store.scan(1, KeyRange())),
            {world.store.page(1, number) for number in numbers},
            world.store.alarm(A),
        )
        assert found == states[n], n
    world.abandon()


def state_of(last, keys, pages):
    rows = dict.fromkeys(keys, b"0")
    for n in range(1, last + 1):
        rows |= dict.fromkeys(keys[:: n + 1], b"%d" % n)
    return rows, {pages[last]}, Alarm(last, last) if last else None


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("point", RESTORE_POINTS, ids=lambda point: point.name)
def test_a_restore_that_was_cut_off_is_taken_up_again(tmp_path, point, nth, monkeypatch):
    monkeypatch.setattr(undo_reading, "RESTORE_SLICE_BYTES", 1)
    monkeypatch.setattr(undo_reading, "RESTORE_READ_ROWS", 3)
    keys = [f"k{n}" for n in range(30)]
    at = CrashAt(point, nth=10**9)
    world = World(tmp_path / "store", at=at)
    world.register(A, 1, "a", **dict.fromkeys(keys, b"0"))
    write_page(world, None, page(b"x"))
    place = pin(world)
    world.quiet()
    for n in range(1, 4):
        world.put(A, 1, **dict.fromkeys(keys[n:], b"%d" % n))
        write_page(world, page(b"x", 300 * (n - 1)), page(b"x", 300 * n))
        world.quiet()
    undo = ask(world, place)
    world.settle()
    at.left = nth

    try:
        world.run(world.store.restore(A))
    except Crashed:
        assert point in at.seen
    world.abandon()

    world = World(tmp_path / "store")
    world.run(world.store.restore(A))
    assert set(dict(world.store.scan(1, KeyRange())).values()) == {b"0"}
    assert world.store.page(1, 0) == page(b"x")
    assert world.store.place_to_restore(A) is None
    restore(world, undo)
    assert dict(world.store.scan(1, KeyRange()))["k29"] == b"3"
    assert world.store.page(1, 0) == page(b"x", 900)
    world.abandon()


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize(
    "point", [CrashPoint.BEFORE_FORGETTING, CrashPoint.AFTER_FORGETTING], ids=lambda point: point.name
)
def test_a_pass_over_the_past_that_was_cut_off_loses_no_bookmark(tmp_path, point, nth):
    at = CrashAt(point, nth=10**9)
    world = World(tmp_path / "store", at=at)
    world.register(A, 1, "a", k=b"0")
    places = []
    for n in range(40):
        world.put(A, 1, k=b"%d" % n, **{f"k{n % 7}": b"%d" % n})
        if n % 8 == 0:
            places.append((n, pin(world)))
        world.quiet()
        world.clock.advance(3)
    world.clock.tick_s = 0.002
    world.clock.advance(2 * 3_600)
    at.left = nth
    try:
        world.put(A, 1, k=b"last")
        world.quiet()
    except Crashed:
        pass
    assert point in at.seen
    world.abandon()

    world = World(tmp_path / "store")
    world.clock.now += 100_000
    for n, place in reversed(places):
        restore(world, place)
        assert world.store.get(1, "k") == b"%d" % n
        assert world.store.get(1, f"k{n % 7}") == b"%d" % n
    world.abandon()
