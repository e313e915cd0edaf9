"""Alarms of objects: set in the unit, run once when due, tried again when they fail, and kept when they are given up."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from perdure.core.instant import instant
from perdure.model.errors import NaiveDatetime, NoHandler, ObjectReset, StorageBroken, WrongType, WrongValue
from perdure.model.limits import Limits
from tests.objects.world import World

SECOND = timedelta(seconds=1)


class Waker:
    """Its handler does what the test hands the class; what it was told is in `runs`."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.storage = ctx.storage

    def arm(self, seconds):
        self.storage.set_alarm(timedelta(seconds=seconds))

    def when(self):
        return self.storage.get_alarm().result()


def waker(world: World, does=lambda self, info: None):
    """A class of its own for each test, and the list of (seconds since the start, info) of its runs."""
    runs = []

    class Own(Waker):
        async def alarm(self, info):
            runs.append((world.clock.monotonic(), info))
            result = does(self, info)
            if asyncio.iscoroutine(result):
                await result

    return Own, runs


def fails(self, info):
    raise ValueError(f"run {info.retry_count}")


async def store_alarm(world, handle):
    return world.store_of(handle).alarm(handle.id.raw)


def dead_alarms(world, handle):
    connection = world.store_of(handle)._upkeep.tables().connection
    return connection.execute("SELECT object, retries, error FROM dead_alarm").fetchall()


def test_an_alarm_runs_once_at_its_time_with_what_it_is_told(world: World):
    Own, runs = waker(world)

    async def scenario():
        own = await world.get(Own)
        at = world.clock.now_ms() + 5_000
        await own.call("arm", 5)
        before = await own.call("when")
        await asyncio.sleep(60)
        return at, before, await own.call("when")

    at, before, after = world.run(scenario)
    assert before == instant(at)
    assert after is None
    [(seconds, info)] = runs
    assert seconds == pytest.approx(5, abs=0.01)
    assert (info.scheduled_time, info.retry_count, info.is_retry) == (instant(at), 0, False)
    assert (info.scheduledTime, info.retryCount, info.isRetry) == (at, 0, False)


def test_a_time_that_has_passed_is_now(world: World):
    Own, runs = waker(world)

    async def scenario():
        own = await world.get(Own)
        await own.call(lambda self: self.storage.set_alarm(datetime(2001, 1, 1, tzinfo=UTC)).result())
        await asyncio.sleep(1)

    world.run(scenario)
    assert len(runs) == 1


def test_a_later_alarm_replaces_the_one_before_and_an_earlier_one_too(world: World):
    Own, runs = waker(world)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 5)
        await own.call("arm", 50)
        await own.call("arm", 20)
        await asyncio.sleep(100)

    world.run(scenario)
    assert [round(seconds) for seconds, _ in runs] == [20]


def test_a_deleted_alarm_does_not_run(world: World):
    Own, runs = waker(world)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 5)
        await own.call(lambda self: self.storage.delete_alarm().result())
        await asyncio.sleep(100)
        return await own.call("when")

    assert world.run(scenario) is None
    assert runs == []


def test_the_same_time_again_writes_nothing(world: World):
    Own, _ = waker(world)

    async def scenario():
        own = await world.get(Own)
        at = instant(world.clock.now_ms() + 9_000)
        await own.call(lambda self: self.storage.set_alarm(at).result())
        entries = world.store_of(own).counters().entries
        await own.call(lambda self: self.storage.set_alarm(at).result())
        return world.store_of(own).counters().entries - entries

    assert world.run(scenario) == 0


def test_an_alarm_alone_makes_an_object_exist_and_delete_all_takes_it_along(world: World):
    Own, runs = waker(world)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 5)
        existed = world.store_of(own).record(own.id.raw) is not None
        await own.call(lambda self: self.storage.delete_all().result())
        gone = world.store_of(own).record(own.id.raw) is None
        await asyncio.sleep(10)
        return existed, gone, await own.call("when")

    assert world.run(scenario) == (True, True, None)
    assert runs == []


def test_scenario_21_an_alarm_that_was_set_in_a_transaction_that_rolls_back_is_the_earlier_one(world: World):
    Own, runs = waker(world)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 5)
        before = await own.call("when")

        async def failing(self):
            with pytest.raises(KeyError):
                async with self.storage.transaction() as txn:
                    txn.set_alarm(50 * SECOND)
                    inside = txn.get_alarm().result()
                    await asyncio.sleep(0)
                    raise KeyError
            with pytest.raises(KeyError), self.storage.transaction_sync():
                self.storage.delete_alarm()
                raise KeyError
            return inside, self.when()

        inside, after = await own.call(failing)
        await asyncio.sleep(100)
        return before, inside, after

    before, inside, after = world.run(scenario)
    assert inside > before
    assert after == before
    assert [round(seconds) for seconds, _ in runs] == [5]


def test_scenario_26_a_handler_that_always_fails_runs_seven_times_ever_later_and_is_kept_as_a_dead_one(world: World):
    Own, runs = waker(world, fails)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 10)
        scheduled = await own.call("when")
        await asyncio.sleep(12)
        waiting = await own.call("when")
        await asyncio.sleep(1000)
        after = await own.call("when")
        await asyncio.sleep(0.2)
        return own, scheduled, waiting, after, dead_alarms(world, own)

    own, scheduled, waiting, after, dead = world.run(scenario)
    times = [round(seconds - 10) for seconds, _ in runs]
    assert times == [0, 2, 6, 14, 30, 62, 126]
    assert [info.retry_count for _, info in runs] == [0, 1, 2, 3, 4, 5, 6]
    assert [info.is_retry for _, info in runs] == [False] + 6 * [True]
    assert {info.scheduled_time for _, info in runs} == {scheduled}
    assert waiting == scheduled
    assert after is None
    assert dead == [(own.id.raw, 6, "ValueError: run 6")]
    assert [what for what, _ in world.reports][-1].startswith("alarm() failed for the last time")


def test_the_dice_make_a_retry_later_by_a_quarter_at_most(world: World):
    Own, runs = waker(world, fails)
    world.jitter = 1.0

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 0)
        await asyncio.sleep(30)

    world.run(scenario)
    assert [seconds for seconds, _ in runs] == pytest.approx([0, 2.5, 7.5, 17.5], abs=0.01)


def test_a_class_says_how_often_it_is_tried(world: World):
    Own, runs = waker(world, fails)

    async def scenario():
        own = await world.get(Own, limits=Limits(alarm_retries=1))
        await own.call("arm", 0)
        await asyncio.sleep(100)

    world.run(scenario)
    assert len(runs) == 2


def test_what_a_failed_run_wrote_is_kept(world: World):
    def writes(self, info):
        self.storage.kv.put("n", info.retry_count)
        raise ValueError

    Own, _ = waker(world, writes)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 1)
        await asyncio.sleep(2)
        return await own.call(lambda self: self.storage.kv.get("n"))

    assert world.run(scenario) == 0


def test_the_end_of_a_run_and_its_last_writes_are_one_entry(world: World):
    Own, _ = waker(world, lambda self, info: self.storage.kv.put("n", 1))

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 1)
        entries = world.store_of(own).counters().entries
        await asyncio.sleep(2)
        return world.store_of(own).counters().entries - entries

    assert world.run(scenario) == 1


def test_scenario_27_an_alarm_that_the_handler_sets_before_it_fails_takes_the_place_of_the_retry(world: World):
    def sets_and_fails(self, info):
        if len(runs) == 1:
            assert self.when() is None
            self.arm(10)
            assert self.when() is not None
            raise ValueError

    Own, runs = waker(world, sets_and_fails)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 1)
        await asyncio.sleep(100)

    world.run(scenario)
    assert [(round(seconds), info.retry_count) for seconds, info in runs] == [(1, 0), (11, 0)]


def test_scenario_28_a_handler_that_runs_for_longer_than_its_limit_resets_the_object_and_is_tried_again(world: World):
    async def sleeps(self, info):
        if not info.is_retry:
            await asyncio.sleep(3600)

    Own, runs = waker(world, sleeps)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 0)
        await asyncio.sleep(1)
        first = own.instance
        await asyncio.sleep(15 * 60)
        await asyncio.sleep(10)
        return first is not own.instance if own.alive else True

    assert world.run(scenario)
    assert [(round(seconds), info.retry_count) for seconds, info in runs] == [(0, 0), (902, 1)]


def test_scenario_29_an_evicted_object_is_woken_with_its_name(world: World):
    names = []
    Own, _ = waker(world, lambda self, info: names.append(self.ctx.id.name))

    async def scenario():
        own = await world.get(Own, "by name")
        await own.call("arm", 100)
        await asyncio.sleep(50)
        evicted = not own.alive
        await asyncio.sleep(100)
        return evicted

    assert world.run(scenario)
    assert names == ["by name"]


def test_scenario_30_an_alarm_that_is_deleted_while_it_runs_is_not_tried_again(world: World):
    def deletes_and_fails(self, info):
        self.storage.delete_alarm()
        raise ValueError

    Own, runs = waker(world, deletes_and_fails)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 1)
        await asyncio.sleep(1000)
        return dead_alarms(world, own)

    assert world.run(scenario) == []
    assert len(runs) == 1


def test_set_and_deleted_while_it_runs_leaves_none(world: World):
    def changes_its_mind(self, info):
        self.arm(5)
        self.storage.delete_alarm()

    Own, runs = waker(world, changes_its_mind)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 1)
        await asyncio.sleep(100)

    world.run(scenario)
    assert len(runs) == 1


def test_another_event_may_set_an_alarm_while_the_handler_waits_and_it_is_kept(world: World):
    async def waits(self, info):
        if len(runs) == 1:
            await asyncio.sleep(10)

    Own, runs = waker(world, waits)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 1)
        await asyncio.sleep(5)
        during = await own.call("when")
        await own.call("arm", 1)
        await asyncio.sleep(100)
        return during

    assert world.run(scenario) is None
    assert [round(seconds) for seconds, _ in runs] == [1, 11]


def test_an_abort_counts_as_a_failure_unless_it_says_otherwise(world: World):
    def aborts(self, info):
        self.ctx.abort("enough", retry_alarm=info.retry_count < 2)

    Own, runs = waker(world, aborts)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 0)
        await asyncio.sleep(1000)
        return await store_alarm(world, own), dead_alarms(world, own)

    assert world.run(scenario) == (None, [])
    assert [round(seconds) for seconds, _ in runs] == [0, 2, 6]


def test_an_alarm_that_came_due_while_a_run_was_on_its_way_to_an_abort_runs_after_it(world: World):
    async def aborts_late(self, info):
        if len(runs) == 1:
            self.storage.set_alarm(SECOND)
            await asyncio.sleep(3)
            self.ctx.abort("on purpose")

    Own, runs = waker(world, aborts_late)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 5)
        await asyncio.sleep(60)
        return await own.call("when")

    assert world.run(scenario) is None
    assert [(round(seconds), info.retry_count) for seconds, info in runs] == [(5, 0), (8, 0)]


def test_a_commit_that_fails_is_tried_again_without_counting(world: World):
    Own, runs = waker(world, lambda self, info: self.storage.kv.put("n", len(runs)))

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 5)
        await asyncio.sleep(4.9)
        world.disk.hold()
        await asyncio.sleep(0.2)
        world.disk.fails_with = OSError("disk")
        world.disk.go_on()
        await asyncio.sleep(100)
        return await own.call(lambda self: self.storage.kv.get("n"))

    assert world.run(scenario) == 2
    assert [info.retry_count for _, info in runs] == [0, 0]


def test_what_the_store_could_not_do_for_the_handler_is_tried_again_without_counting(world: World):
    def unlucky(self, info):
        if len(runs) < 4:
            raise StorageBroken(what="it could not be read")

    Own, runs = waker(world, unlucky)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 0)
        await asyncio.sleep(60)
        return await own.call("when")

    assert world.run(scenario) is None
    assert [info.retry_count for _, info in runs] == [0, 0, 0, 0]
    assert [later - before for (before, _), (later, _) in pairwise(runs)] == pytest.approx([2, 4, 8], abs=0.01)


def test_alarms_that_came_due_while_nobody_served_run_at_the_start(world: World):
    Own, runs = waker(world)

    async def scenario():
        for name in ("a", "b"):
            await (await world.get(Own, name)).call("arm", 5)
        await world.stop()
        await asyncio.sleep(10)
        stopped = list(runs)
        await world.get(Own)
        await asyncio.sleep(1)
        return stopped

    assert world.run(scenario) == []
    assert len(runs) == 2


def test_how_often_it_failed_is_remembered_over_a_restart(world: World):
    Own, runs = waker(world, fails)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 0)
        await asyncio.sleep(3)
        await world.stop()
        await world.get(Own)
        await asyncio.sleep(1000)

    world.run(scenario)
    assert [info.retry_count for _, info in runs] == [0, 1, 2, 3, 4, 5, 6]


def test_a_class_without_a_handler_refuses_to_set_one_but_not_in_its_constructor(world: World, caplog):
    class Deaf:
        def __init__(self, ctx):
            self.storage = ctx.storage
            self.storage.set_alarm(SECOND)

        def arm(self):
            self.storage.set_alarm(SECOND)

    async def scenario():
        deaf = await world.get(Deaf)
        with pytest.raises(NoHandler, match="no alarm handler"):
            await deaf.call("arm")
        await asyncio.sleep(5)
        return await store_alarm(world, deaf)

    assert world.run(scenario) is None
    assert "the class has no `alarm` handler" in caplog.text


def test_only_one_handler_of_an_object_runs_at_a_time(world: World):
    running = []

    async def slow(self, info):
        running.append(+1)
        self.arm(1)
        await asyncio.sleep(10)
        running.append(-1)

    Own, _ = waker(world, slow)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 0)
        await asyncio.sleep(45)

    world.run(scenario)
    assert running[:6] == [1, -1, 1, -1, 1, -1]


def test_a_requests_turn_comes_between_many_alarms(world: World):
    Own, runs = waker(world)

    async def scenario():
        for n in range(200):
            await (await world.get(Own, f"o{n}")).call("arm", 1)
        other = await world.get(Own, "other")
        seen = [0]
        while len(runs) < 200:
            await asyncio.sleep(0.01 if len(runs) == 0 else 0)
            await other.call("when")
            seen.append(len(runs))
        return seen

    seen = world.run(scenario)
    assert len(seen) > 5
    assert max(after - before for before, after in pairwise(seen)) < 100


@pytest.mark.parametrize(
    ("when", "error", "says"),
    [
        (60, WrongType, "timedelta(seconds=60)"),
        (60.5, WrongType, "timedelta(seconds=60)"),
        ("tomorrow", WrongType, "not str"),
        (datetime(2030, 1, 1), NaiveDatetime, "perdure.now()"),  # the point
        (timedelta(days=3_000_000), WrongValue, "year 9999"),
    ],
)
def test_what_is_no_time_is_refused_and_says_what_is(world: World, when, error, says):
    Own, _ = waker(world)

    async def scenario():
        own = await world.get(Own)
        with pytest.raises(error) as caught:
            await own.call(lambda self: self.storage.set_alarm(when).result())
        return str(caught.value), await own.call("when")

    text, after = world.run(scenario)
    assert says in text
    assert after is None


def test_cloudflares_names_take_and_give_milliseconds(world: World):
    Own, _ = waker(world)

    async def scenario():
        own = await world.get(Own)
        at = world.clock.now_ms() + 5_000

        def set_and_get(self):
            self.storage.setAlarm(at)
            return self.storage.getAlarm().result()

        got = await own.call(set_and_get)
        for wrong in (0, -1, float("nan")):
            with pytest.raises(TypeError):
                await own.call(lambda self, wrong=wrong: self.storage.setAlarm(wrong).result())
        await own.call(lambda self: self.storage.deleteAlarm().result())
        return at, got, await own.call("when")

    at, got, after = world.run(scenario)
    assert got == at
    assert after is None


def test_an_alarm_that_is_set_and_not_saved_does_not_outlive_an_abort(world: World):
    Own, runs = waker(world)

    def set_and_abort(self):
        self.arm(1)
        self.ctx.abort("no")

    async def scenario():
        own = await world.get(Own)
        with pytest.raises(ObjectReset):
            await own.call(set_and_abort)
        await asyncio.sleep(10)
        return await own.call("when")

    assert world.run(scenario) is None
    assert runs == []


def test_an_unconfirmed_alarm_delays_no_result(world: World):
    Own, _ = waker(world)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 5)
        world.disk.hold()
        await own.call(lambda self: self.storage.set_alarm(9 * SECOND, allow_unconfirmed=True).result())
        world.disk.go_on()
        return True

    assert world.run(scenario)


def test_a_failed_commit_brings_back_the_alarm_before_and_it_runs(world: World):
    Own, runs = waker(world)

    async def scenario():
        own = await world.get(Own)
        await own.call("arm", 20)
        world.disk.hold()
        lost = own.call("arm", 1000)
        await asyncio.sleep(0)
        world.disk.fails_with = OSError("disk")
        world.disk.go_on()
        with pytest.raises(StorageBroken):
            await lost
        await asyncio.sleep(100)

    world.run(scenario)
    assert [round(seconds) for seconds, _ in runs] == [20]
