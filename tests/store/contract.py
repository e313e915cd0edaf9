"""What every store must do, whatever it keeps its entries in: subclass `StoreContract` and give it a `make_store`.

Group failures and crashes need the help of the implementation and are tested with it (test_faults.py, test_power_cut.py).
"""

import asyncio

import pytest

from perdure.core.entry import Alarm, AlarmChange, DeadAlarm, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.model.errors import UnitTooLarge
from perdure.store.interface import Store

A, B = b"a" * 32, b"b" * 32
NOW_MS = 1_700_000_000_000
START = (0, b"")


class StoreContract:
    """`open_store(where)` is awaited in a running loop; a second call with the same `where` opens the same store again."""

    async def open_store(self, where) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def run(self, tmp_path):
        """Runs a scenario over a fresh store, closes it, and runs it again with `again` over the same one, reopened."""

        def run(scenario, again=None):
            async def lives() -> None:
                for part in (scenario, again):
                    if part is not None:
                        store = await self.open_store(tmp_path)
                        try:
                            await part(store)
                        finally:
                            await store.close()

            asyncio.run(lives())

        return run

    # Reads

    def test_a_read_sees_an_entry_as_soon_as_it_is_appended(self, run):
        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, k=b"v"))

            assert store.get(1, "k") == b"v"
            assert store.get(1, "other") is None
            assert store.get(2, "k") is None

        run(scenario)

    def test_what_was_stored_is_there_after_closing_and_opening(self, run):
        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, a=b"1", b=b"2", c=b"3"))
            store.append(entry(A, 1, b=None, c=b"4"))

        async def again(store: Store) -> None:
            assert store.scan(1, KeyRange()) == [("a", b"1"), ("c", b"4")]

        run(scenario, again)

    def test_many_keys_come_in_order_of_their_bytes_the_missing_left_out(self, run):
        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, **{"é": b"1", "b": b"2", "\U0001f600": b"3", "\uffff": b"4"}))

            found = store.get_many(1, ["\U0001f600", "\uffff", "b", "é", "missing", "b"])

            assert list(found.items()) == [("b", b"2"), ("é", b"1"), ("\uffff", b"4"), ("\U0001f600", b"3")]

        run(scenario)

    def test_a_scan_merges_what_is_applied_with_what_is_not(self, run):
        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, **{f"k{n}": b"old" for n in range(10)}))

        async def again(store: Store) -> None:
            store.append(entry(A, 1, k1=None, k2=b"new", k25=b"new"))

            assert store.scan(1, KeyRange("k1", "k4")) == [("k2", b"new"), ("k25", b"new"), ("k3", b"old")]
            assert store.scan(1, KeyRange("k1", limit=2)) == [("k2", b"new"), ("k25", b"new")]
            assert [key for key, _ in store.scan(1, KeyRange("k1", "k4", reverse=True))] == ["k3", "k25", "k2"]
            assert [key for key, _ in store.scan(1, KeyRange(reverse=True, limit=1))] == ["k9"]
            assert store.scan(1, KeyRange("k4", "k4")) == []
            assert store.scan(2, KeyRange()) == []

        run(scenario, again)

    def test_a_page_is_what_its_changes_made_of_it_applied_or_not(self, run):
        first = bytes(PAGE_BYTES - 1) + b"!"
        second = first[:2000] + b"second" + first[2006:]
        third = second[:100] + b"third" + second[105:]

        async def scenario(store: Store) -> None:
            assert store.page(1, 0) is None
            store.append(page_entry(A, 1, {0: (None, first), 7: (None, first)}))
            store.append(page_entry(A, 1, {0: (first, second)}))

            assert store.page(1, 0) == second
            assert store.page(1, 7) == first
            assert store.page(1, 1) is None
            assert store.page(2, 0) is None

        async def again(store: Store) -> None:
            assert store.page(1, 0) == second
            store.append(page_entry(A, 1, {0: (second, third), 8: (None, third)}))

            assert (store.page(1, 0), store.page(1, 7), store.page(1, 8)) == (third, first, third)

        run(scenario, again)

    # Outputs

    def test_an_output_waits_until_the_writes_it_reveals_are_durable(self, run):
        async def scenario(store: Store) -> None:
            position = store.append(entry(A, 1, k=b"v"))
            before = store.may_leave(A, position)

            await durable(store, A, position)

            assert not before
            assert store.durable >= position
            assert store.may_leave(A, position)

        run(scenario)

    def test_an_output_with_nothing_unsaved_leaves_at_once(self, run):
        async def scenario(store: Store) -> None:
            store.append(entry(B, 2, k=b"v"))
            released = []

            store.when_durable(A, 0, released.append)

            assert store.may_leave(A, 0)
            assert released == [None]

        run(scenario)

    def test_outputs_are_released_in_order_of_their_registration(self, run):
        async def scenario(store: Store) -> None:
            released = []
            for n in range(20):
                object = bytes([n]) * 32
                position = store.append(entry(object, n + 1, k=b"v"))
                store.when_durable(object, position, lambda _, n=n: released.append(n))

            await durable(store, A, store.append(entry(A, 100, k=b"v")))

            assert released == list(range(20))

        run(scenario)

    def test_units_that_wait_together_are_one_sync_and_an_unchanged_reply_is_none(self, run):
        async def scenario(store: Store) -> None:
            positions = [store.append(entry(bytes([n]) * 32, n + 1, k=b"v")) for n in range(64)]
            await durable(store, bytes([63]) * 32, positions[-1])
            after_units = store.counters()
            await durable(store, A, 0)

            assert len(set(positions)) == 1
            assert (after_units.entries, after_units.groups, after_units.syncs) == (64, 1, 1)
            assert after_units.log_bytes > 64
            assert store.counters().syncs == 1

        run(scenario)

    def test_positions_and_generations_are_never_given_twice(self, run):
        seen: list[tuple[int, int]] = []

        async def part(store: Store) -> None:
            generation = store.new_generation()
            position = store.append(entry(A, generation, ObjectRecord(generation, None, NOW_MS), k=b"v"))
            seen.append((generation, position))

        run(part, part)

        (first_generation, first_position), (second_generation, second_position) = seen
        assert second_generation > first_generation
        assert second_position > first_position

    # The registry and alarms

    def test_an_object_is_registered_with_its_first_entry_and_removed_with_its_last(self, run):
        record = ObjectRecord(1, "room", NOW_MS)

        async def scenario(store: Store) -> None:
            before = store.record(A)
            store.append(entry(A, 1, record, k=b"v"))
            store.append(entry(B, 2, ObjectRecord(2, None, NOW_MS), k=b"v"))

            assert before is None
            assert store.record(A) == record

        async def again(store: Store) -> None:
            assert store.record(A) == record
            store.append(Entry(B, NOW_MS, 2, {}, None, removed=True, retires=2))
            assert store.record(B) is None

        run(scenario, again)

    def test_delete_all_is_a_new_generation_in_one_entry(self, run):
        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, ObjectRecord(1, None, NOW_MS), k=b"old", j=b"old"))
            store.append(Entry(A, NOW_MS, 2, {"k": b"new"}, ObjectRecord(2, None, NOW_MS), retires=1))

        async def again(store: Store) -> None:
            record = store.record(A)
            assert record is not None and record.generation == 2
            assert store.scan(2, KeyRange()) == [("k", b"new")]

        run(scenario, again)

    def test_objects_are_listed_by_name_in_order_of_bytes_then_unnamed_by_id_applied_or_not(self, run):
        names = ["\U0001f600", "b", None, "a", "", "\uffff", None, "a/1", "a\0"]
        expected = ["", "a", "a\0", "a/1", "b", "\uffff", "\U0001f600", 2, 6]

        async def listed(store: Store, **options) -> list:
            pages, after = [], None
            while page := await store.objects(after=after, limit=2, **options):
                pages += [row.object[0] if row.name is None else row.name for row in page]
                after = page[-1].object if page[-1].name is None else page[-1].name
            return pages

        async def scenario(store: Store) -> None:
            for n, name in enumerate(names):
                object = bytes([n]) * 32
                await durable(
                    store, object, store.append(entry(object, n + 1, ObjectRecord(n + 1, name, NOW_MS), k=b"v"))
                )
            assert await listed(store) == expected

        async def again(store: Store) -> None:
            assert await listed(store) == expected
            assert await listed(store, prefix="a") == ["a", "a\0", "a/1"]
            assert [row.name for row in await store.objects(after=bytes([4]) * 32, limit=1)] == ["a"]
            object = bytes([1]) * 32
            await durable(store, object, store.append(Entry(object, NOW_MS, 0, {}, None, removed=True, retires=2)))
            assert await listed(store) == [each for each in expected if each != "b"]
            assert await store.objects(after=bytes([255]) * 32, limit=1) == []

        run(scenario, again)

    def test_a_listed_object_says_when_it_was_made_and_written_and_how_much_it_holds(self, run):
        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, ObjectRecord(1, "é", NOW_MS), k=b"12345", **{"é": b""}))
            await durable(store, A, store.append(Entry(A, NOW_MS + 5, 1, {"j": b"1", "k": b"123"})))
            [row] = await store.objects(limit=10)
            assert (row.created_ms, row.written_ms, row.alarm_ms, row.size_bytes) == (
                NOW_MS,
                NOW_MS + 5,
                None,
                4 + 2 + 2,
            )

        async def again(store: Store) -> None:
            await durable(store, A, store.append(Entry(A, NOW_MS + 9, 1, {"j": None, "new": b"1"})))
            [row] = await store.objects(limit=10)
            assert (row.created_ms, row.written_ms, row.size_bytes) == (NOW_MS, NOW_MS + 9, 4 + 2 + 4)

        run(scenario, again)

    def test_a_listed_object_holds_its_database_too(self, run):
        three, four = (bytes(28) + n.to_bytes(4, "big") + bytes(PAGE_BYTES - 32) for n in (3, 4))

        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, ObjectRecord(1, "a", NOW_MS), k=b"v"))
            await durable(store, A, store.append(page_entry(A, 1, {0: (None, three)})))
            [row] = await store.objects(limit=10)
            assert row.size_bytes == 2 + 3 * PAGE_BYTES

        async def again(store: Store) -> None:
            await durable(store, A, store.append(page_entry(A, 1, {0: (three, four)})))
            [row] = await store.objects(limit=10)
            assert row.size_bytes == 2 + 4 * PAGE_BYTES

        run(scenario, again)

    def test_only_what_is_durable_is_listed_and_the_position_of_the_rest_is_told(self, run):
        async def scenario(store: Store) -> None:
            position = store.append(entry(A, 1, ObjectRecord(1, "a", NOW_MS), k=b"v"))
            before = store.record_position(A), store.record_position(B)

            await durable(store, A, position)

            assert before == (position, 0)
            assert [row.name for row in await store.objects(limit=1)] == ["a"]

        run(scenario)

    def test_alarms_come_earliest_first_then_by_id_from_a_place_on(self, run):
        async def scenario(store: Store) -> None:
            for n, due_ms in enumerate([NOW_MS + 5, NOW_MS - 1, NOW_MS, NOW_MS, None]):
                store.append(entry(bytes([n]) * 32, n + 1, ObjectRecord(n + 1, None, NOW_MS), k=b"v"))
                if due_ms is not None:
                    store.append(alarm_entry(bytes([n]) * 32, n + 1, Alarm(due_ms, due_ms)))

        def listed(store: Store, after: tuple[int, bytes], limit: int = 10) -> list[int]:
            return [object[0] for object, _ in store.alarms(after, limit)]

        async def again(store: Store) -> None:
            assert listed(store, START) == [1, 2, 3, 0]
            store.append(alarm_entry(bytes([1]) * 32, 2, None))
            store.append(alarm_entry(bytes([4]) * 32, 5, Alarm(NOW_MS - 2, NOW_MS - 2)))
            store.append(alarm_entry(bytes([2]) * 32, 3, Alarm(NOW_MS, NOW_MS + 7)))
            assert listed(store, START) == [4, 3, 0, 2]
            assert listed(store, START, 2) == [4, 3]
            assert listed(store, (NOW_MS, bytes([3]) * 32)) == [0, 2]
            assert listed(store, (NOW_MS + 7, bytes([2]) * 32)) == []

        run(scenario, again)

    def test_alarms_that_were_given_up_are_listed_by_object_until_they_are_buried(self, run):
        def died(object: bytes, generation: int, at_ms: int) -> Entry:
            change = AlarmChange(None, DeadAlarm(at_ms, NOW_MS, 6, "no"))
            return Entry(object, NOW_MS, generation, {}, alarm=change)

        async def scenario(store: Store) -> None:
            for each in (died(B, 2, 1), died(A, 1, 2), died(A, 1, 1)):
                store.append(each)

            listed = await store.dead_alarms((b"", 0), 10)
            assert [(object, dead.at_ms) for object, dead in listed] == [(A, 1), (A, 2), (B, 1)]
            assert await store.dead_alarms((A, 1), 1) == listed[1:2]

            store.append(Entry(A, NOW_MS, 1, {}, alarm=AlarmChange(None, buries=True)))
            assert await store.dead_alarms((b"", 0), 10) == listed[2:]

        run(scenario)

    def test_the_position_of_a_read_is_durable_once_all_that_it_may_have_seen_is(self, run):
        async def scenario(store: Store) -> None:
            assert store.read_position == store.durable
            position = store.append(entry(A, 1, k=b"v"))
            assert store.read_position == position
            await durable(store, B, store.read_position)
            assert store.durable == position == store.read_position

        run(scenario)

    def test_an_alarm_is_what_its_last_change_made_of_it_applied_or_not(self, run):
        first, second = Alarm(NOW_MS + 1, NOW_MS + 1), Alarm(NOW_MS + 1, NOW_MS + 9, 2, 1, "ValueError: x")

        async def scenario(store: Store) -> None:
            assert store.alarm(A) is None
            store.append(entry(A, 1, ObjectRecord(1, "a", NOW_MS), k=b"v"))
            store.append(alarm_entry(A, 1, first))
            store.append(entry(A, 1, k=b"w"))
            assert store.alarm(A) == first
            store.append(alarm_entry(A, 1, second))

        async def again(store: Store) -> None:
            assert store.alarm(A) == second
            [row] = await store.objects(limit=1)
            assert row.alarm_ms == NOW_MS + 1
            await durable(store, A, store.append(alarm_entry(A, 1, None)))
            assert store.alarm(A) is None
            [row] = await store.objects(limit=1)
            assert row.alarm_ms is None

        run(scenario, again)

    # The past

    def test_an_object_goes_back_to_a_pin_and_from_there_to_where_it_was(self, run):
        async def scenario(store: Store) -> None:
            places = []
            for n in (1, 2):
                store.append(Entry(A, NOW_MS + n, 1, {"k": b"%d" % n}, ObjectRecord(1, "a", NOW_MS), pin=True))
                places.append(store.pinned_place(A))
            store.append(Entry(A, NOW_MS + 3, 1, {"k": b"3"}, pin=True, restore=places[0]))
            places.append(store.pinned_place(A))
            asked = store.place_to_restore(A), store.place_to_restore(B)
            await store.restore(A)
            there = store.get(1, "k")
            store.append(Entry(A, NOW_MS + 4, 1, {}, restore=places[2]))
            await store.restore(A)

            assert places == sorted({*places}) and all(map(store.place_kept, places))
            assert asked == (places[0], None)
            assert (there, store.get(1, "k")) == (b"1", b"3")
            assert store.place_to_restore(A) is None

        run(scenario)

    def test_an_object_goes_back_after_closing_and_opening(self, run):
        async def scenario(store: Store) -> None:
            store.append(Entry(A, NOW_MS, 1, {"k": b"1"}, ObjectRecord(1, "a", NOW_MS), pin=True))
            place = store.pinned_place(A)
            store.append(Entry(A, NOW_MS, 0, {}, None, True, retires=1))
            store.append(Entry(A, NOW_MS, 0, {}, pin=True, restore=place))

        async def again(store: Store) -> None:
            gone = store.record(A)
            await store.restore(A)

            assert (gone, store.record(A)) == (None, ObjectRecord(1, "a", NOW_MS))
            assert store.get(1, "k") == b"1"

        run(scenario, again)

    # Bounds and the end

    def test_a_unit_over_64_mib_is_refused_before_any_effect(self, run):
        async def scenario(store: Store) -> None:
            position = store.next_position
            with pytest.raises(UnitTooLarge) as caught:
                store.append(entry(A, 1, k=bytes(65 * 1024 * 1024)))

            assert caught.value.limit == 64 * 1024 * 1024
            assert store.get(1, "k") is None
            assert store.next_position == position
            assert store.counters().entries == 0

        run(scenario)

    def test_values_of_many_megabytes_come_back_exactly(self, run):
        value = bytes(range(256)) * 4096

        async def scenario(store: Store) -> None:
            store.append(entry(A, 1, **{f"k{n}": value for n in range(20)}))

        async def again(store: Store) -> None:
            assert store.scan(1, KeyRange()) == sorted((f"k{n}", value) for n in range(20))

        run(scenario, again)

    def test_room_is_there_while_little_waits(self, run):
        async def scenario(store: Store) -> None:
            resumed = []

            store.when_room(lambda: resumed.append(True))

            assert store.has_room
            assert resumed == [True]

        run(scenario)


def entry(object: bytes, generation: int, record: ObjectRecord | None = None, /, **rows: bytes | None) -> Entry:
    return Entry(object, NOW_MS, generation, dict(rows), record)


def alarm_entry(object: bytes, generation: int, alarm: Alarm | None) -> Entry:
    return Entry(object, NOW_MS, generation, {}, alarm=AlarmChange(alarm))


def page_entry(object: bytes, generation: int, pages: dict[int, tuple[bytes | None, bytes]]) -> Entry:
    """pages: what each was and what it is now."""
    changes = {number: page_change(before, after) for number, (before, after) in pages.items()}
    return Entry(object, NOW_MS, generation, {}, pages={number: each for number, each in changes.items() if each})


async def durable(store: Store, object: bytes, position: int) -> None:
    """Waits until that position's writes are durable; raises if they failed."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def release(error: BaseException | None) -> None:
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    store.when_durable(object, position, release)
    await ended
