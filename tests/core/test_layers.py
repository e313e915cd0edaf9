"""Layers under thousands of schedules, and the rules one by one."""

import pytest

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.layers import IN_TABLE, Layers
from tests.core.layers_schedule import play

A, B = b"a" * 32, b"b" * 32
SEEDS_PER_RUN = 400


def entry(object: bytes, generation: int, **rows: str | None) -> Entry:
    values = {key: None if value is None else value.encode() for key, value in rows.items()}
    return Entry(object, 0, generation, values)


def append(layers: Layers, unit: Entry) -> int:
    return layers.append(unit, unit.size_bytes())


def commit(layers: Layers) -> None:
    assert layers.seal() is not None
    layers.committed()


@pytest.mark.parametrize("first", range(0, SEEDS_PER_RUN, 100))
def test_no_schedule_of_commits_failures_applies_and_crashes_breaks_a_rule(first, unmeasured):
    for seed in range(first, first + 100):
        play(seed, Layers())


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 10_000, 500))
def test_no_schedule_of_ten_thousand_breaks_a_rule(first, unmeasured):
    for seed in range(first, first + 500):
        play(seed, Layers())


def test_a_read_sees_what_was_appended_before_it_is_durable():
    layers = Layers()

    append(layers, entry(A, 1, k="v"))

    assert layers.value(1, "k") == b"v"
    assert layers.value(1, "other") is IN_TABLE


def test_an_output_waits_for_the_position_of_its_objects_last_write():
    layers = Layers()

    position = append(layers, entry(A, 1, k="v"))

    assert not layers.may_leave(A, position)
    assert layers.may_leave(B, 0)
    commit(layers)
    assert layers.may_leave(A, position)


def test_entries_appended_while_a_group_is_in_flight_join_the_next_one():
    layers = Layers()
    first = append(layers, entry(A, 1, k="1"))
    group = layers.seal()

    second = append(layers, entry(A, 1, k="2"))

    assert group is not None and group.position == first
    assert second == first + 1
    assert layers.seal() is None


def test_a_failed_group_resets_its_objects_and_no_others():
    layers = Layers()
    append(layers, entry(A, 1, k="lost"))
    layers.seal()
    append(layers, entry(A, 1, j="built on it"))
    append(layers, entry(B, 2, k="kept"))

    objects = layers.failed()

    assert objects == {A}
    assert layers.value(1, "k") is IN_TABLE
    assert layers.value(1, "j") is IN_TABLE
    assert layers.value(2, "k") == b"kept"


def test_after_a_failed_group_its_objects_see_their_last_durable_values():
    layers = Layers()
    record = ObjectRecord(1, None, 5)
    first = Entry(A, 0, 1, {"k": b"durable"}, record)
    append(layers, first)
    commit(layers)
    append(layers, Entry(A, 0, 2, {"k": b"lost"}, ObjectRecord(2, None, 5), retires=1))
    layers.seal()

    layers.failed()

    assert layers.value(1, "k") == b"durable"
    assert layers.value(2, "k") is IN_TABLE
    assert layers.record(A) == record


def test_nothing_leaves_a_reset_object_before_an_empty_group_is_durable():
    layers = Layers()
    append(layers, entry(A, 1, k="lost"))
    layers.seal()
    layers.failed()

    before = layers.may_leave(A, 0)
    fence = layers.seal()

    assert not before
    assert fence is not None and fence.fence and fence.entries == ()
    layers.committed()
    assert layers.may_leave(A, 0)
    assert layers.seal() is None


def test_a_fence_that_fails_is_due_again():
    layers = Layers()
    append(layers, entry(A, 1, k="lost"))
    layers.seal()
    layers.failed()
    layers.seal()

    layers.failed()

    assert layers.fence_due
    assert not layers.may_leave(A, 0)
    commit(layers)
    assert layers.may_leave(A, 0)


def test_rows_leave_the_layers_a_few_at_a_time_and_newer_ones_stay():
    layers = Layers()
    append(layers, entry(A, 1, **{f"k{n}": "1" for n in range(10)}))
    commit(layers)
    position = layers.batch(1_000_000, 10)[-1].position
    append(layers, entry(A, 1, k0="2"))

    layers.applied(position)
    first = layers.let_leave(4)

    assert not first
    assert layers.leaving
    assert layers.batch(1_000_000, 10) == ()
    while not layers.let_leave(4):
        pass
    assert layers.value(1, "k0") == b"2"
    assert all(layers.value(1, f"k{n}") is IN_TABLE for n in range(1, 10))


def test_a_failure_while_rows_leave_puts_nothing_back():
    layers = Layers()
    append(layers, entry(A, 1, k="1", j="1"))
    commit(layers)
    layers.applied(layers.durable)
    layers.let_leave(1)
    append(layers, entry(A, 1, k="lost"))
    layers.seal()
    epoch = layers.epoch

    layers.failed()

    assert layers.value(1, "k") is IN_TABLE
    assert layers.epoch > epoch
    while not layers.let_leave(10):
        pass
    assert layers.size_bytes == 0
    assert layers.rows_of(1) == {}


def test_sizes_return_to_zero_whatever_becomes_of_the_groups():
    layers = Layers()
    append(layers, entry(A, 1, k="1"))
    commit(layers)
    append(layers, entry(A, 1, k="2"))
    layers.seal()
    append(layers, entry(A, 1, k="3"))
    layers.failed()

    layers.applied(layers.durable)
    while not layers.let_leave(1):
        pass

    assert layers.size_bytes == layers.gathering_bytes == layers.durable_bytes == 0


def test_a_batch_takes_the_oldest_groups_up_to_a_size_and_at_least_one():
    layers = Layers()
    for n in range(3):
        append(layers, entry(A, 1, k=str(n)))
        commit(layers)

    assert [group.position for group in layers.batch(1, 10)] == [1]
    assert [group.position for group in layers.batch(400, 10)] == [1, 2]
    assert [group.position for group in layers.batch(1_000_000, 2)] == [1, 2]
    assert [group.position for group in layers.batch(1_000_000, 10)] == [1, 2, 3]


def test_a_store_that_gives_up_names_everybody_who_had_something_to_lose():
    layers = Layers()
    append(layers, entry(A, 1, k="1"))
    layers.seal()
    append(layers, entry(B, 2, k="1"))

    objects = layers.give_up()

    assert objects == {A, B}
    assert layers.size_bytes == 0
    assert layers.give_up() == frozenset()


def test_the_newest_alarms_are_listed_up_to_a_place_and_deleted_ones_are_not():
    layers = Layers()
    append(layers, Entry(A, 0, 1, {}, alarm=AlarmChange(Alarm(5, 5))))
    append(layers, Entry(B, 0, 2, {}, alarm=AlarmChange(Alarm(6, 6))))

    assert layers.alarms((0, b""), None) == [(A, Alarm(5, 5)), (B, Alarm(6, 6))]
    assert layers.alarms((0, b""), (5, A)) == [(A, Alarm(5, 5))]
    assert layers.alarms((5, A), (6, B)) == [(B, Alarm(6, 6))]

    append(layers, Entry(B, 0, 2, {}, alarm=AlarmChange(None)))

    assert layers.alarms((0, b""), None) == [(A, Alarm(5, 5))]
    assert layers.alarm(B) is None


def test_positions_go_on_after_those_of_an_earlier_run():
    layers = Layers(durable=41)

    assert layers.next_position == 42
    assert append(layers, entry(A, 1, k="v")) == 42
