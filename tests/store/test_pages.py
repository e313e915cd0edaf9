"""Pages of objects' databases in the store: what the log and the tables hold of them, and what is left of them."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.model.errors import StorageBroken
from perdure.store.page_id import page_id, page_ids, place_of
from perdure.store.snapshot import ObjectSnapshot, read_only
from tests.store.test_damage import flip_bit_at
from tests.store.world import World

A, B = b"a" * 32, b"b" * 32


def page(content: bytes, *, pages: int = 1) -> bytes:
    """With the number of pages where SQLite's header has it."""
    return content.ljust(28, b"\0") + pages.to_bytes(4, "big") + bytes(PAGE_BYTES - 32)


def write(world, object, generation, number, before, after, **entry):
    change = page_change(before, after)
    assert change is not None
    return world.store.append(Entry(object, 0, generation, {}, pages={number: change}, **entry))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "store")
    yield made
    made.abandon()


def rows(world) -> list[tuple[int, bytes]]:
    return world.store._upkeep.tables().connection.execute("SELECT id, body FROM page ORDER BY id").fetchall()


def test_the_log_holds_what_changed_in_a_page_and_the_table_all_of_it(world):
    first = page(b"first")
    second = first[:1000] + b"!" + first[1001:]
    write(world, A, 1, 0, None, first, record=ObjectRecord(1, None, 0))
    world.settle()
    before = world.store.counters().log_bytes

    write(world, A, 1, 0, first, second)
    world.settle()

    assert world.store.counters().log_bytes - before < 300
    world.quiet()
    assert rows(world) == [(page_id(1, 0), second)]


def test_a_page_that_is_written_often_is_written_to_the_table_once(world):
    now = page(b"0")
    write(world, A, 1, 0, None, now, record=ObjectRecord(1, None, 0))
    for n in range(100):
        after = now[:100] + n.to_bytes(8, "big") + now[108:]
        if after != now:
            write(world, A, 1, 0, now, after)
            world.clock.turn()
            world.committer.run()
        now = after

    world.quiet()

    assert rows(world) == [(page_id(1, 0), now)]
    assert world.store.counters().rows_applied < 10


def test_pages_of_a_retired_generation_are_swept_and_those_of_others_stay(world):
    for generation, object in ((1, A), (2, B)):
        write(world, object, generation, 0, None, page(b"x"), record=ObjectRecord(generation, None, 0))
        for number in range(1, 50):
            write(world, object, generation, number, None, page(b"y"))
    world.quiet()

    world.store.append(Entry(A, 0, 3, {}, ObjectRecord(3, None, 0), retires=1))
    world.quiet()
    world.clock.advance(31 * 86_400)
    world.put(B, 2, k=b"v")
    world.quiet()

    assert {place_of(id)[0] for id, _ in rows(world)} == {2}
    assert len(rows(world)) == 50


def test_pages_of_a_generation_that_is_retired_before_they_are_applied_are_never_written(world):
    write(world, A, 1, 0, None, page(b"x"), record=ObjectRecord(1, None, 0))
    world.store.append(Entry(A, 0, 2, {}, ObjectRecord(2, None, 0), retires=1))

    world.quiet()

    assert rows(world) == []


def test_a_unit_of_many_megabytes_of_pages_comes_back_whole_from_the_log(tmp_path):
    world = World(tmp_path / "store")
    pages = {number: number.to_bytes(4, "big") * (PAGE_BYTES // 4) for number in range(6_000)}
    world.store.append(Entry(A, 0, 1, {"k": b"v"}, ObjectRecord(1, "a", 0), pages=dict(pages)))
    world.settle()
    world.abandon()

    world = World(tmp_path / "store")
    assert {number: world.store.page(1, number) for number in pages} == pages
    assert world.store.get(1, "k") == b"v"
    world.close()


def test_a_damaged_page_is_named_and_others_serve_on(tmp_path):
    world = World(tmp_path / "store")
    marked = b"a page that can be found in the file".ljust(PAGE_BYTES, b".")
    write(world, A, 1, 0, None, page(b"x"), record=ObjectRecord(1, "room", 0))
    write(world, A, 1, 7, None, marked)
    write(world, B, 2, 0, None, page(b"y"), record=ObjectRecord(2, None, 0))
    world.close()
    flip_bit_at(tmp_path / "store" / "store.db", "page", b"can be found in the file")

    world = World(tmp_path / "store")
    with pytest.raises(StorageBroken, match=r"page 7 of the SQL database of object " + A.hex() + r" \('room'\)"):
        world.store.page(1, 7)
    with pytest.raises(StorageBroken, match="damaged"):
        world.store.page(1, 7)
    world.abandon()


@given(st.integers(1, 2**39 - 1), st.integers(0, 2**24 - 1))
def test_a_page_id_says_generation_and_number_and_fits_sqlites_own(generation, number):
    id = page_id(generation, number)

    assert place_of(id) == (generation, number)
    assert id < 2**63
    assert page_ids(generation)[0] <= id <= page_ids(generation)[1]


def test_the_pages_of_a_snapshot_are_those_of_the_tables_with_what_the_log_changes(world):
    first = page(b"SQLite format 3", pages=7)
    old, new = b"old" + bytes(PAGE_BYTES - 3), b"new" + bytes(PAGE_BYTES - 3)
    world.store.append(Entry(A, 0, 1, {}, ObjectRecord(1, "a", 0), pages={0: first, 1: old, 4: old}))
    world.quiet()
    world.store.append(Entry(A, 0, 1, {}, pages={2: new, 4: page_change(old, new)}))
    world.settle()

    with read_only(world.place.database, world.place.file_system) as connection:
        snapshot = ObjectSnapshot(connection, A)
        pages = list(snapshot.pages())
        one_by_one = [snapshot.page(number) for number in range(7)]

    zeros = bytes(PAGE_BYTES)
    assert pages == [first, old, new, zeros, new, zeros, zeros]
    assert [page or zeros for page in one_by_one] == pages
