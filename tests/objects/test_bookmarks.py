"""Bookmarks of an object: taken, found by time, gone back to before its next start, and refused when they are no good."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from perdure.core.instant import instant
from perdure.core.undo_place import end_of
from perdure.model.errors import NaiveDatetime, WrongType, WrongValue
from perdure.objects.storage.bookmarks import bookmark_text
from tests.objects.world import World


class Room:
    def __init__(self, ctx):
        self.ctx = ctx
        self.storage = ctx.storage
        self.at_start = self.storage.kv.get("k")

    async def put(self, rows):
        self.storage.put(rows)
        return await self.storage.current_bookmark()

    async def get(self, key="k"):
        return await self.storage.get(key)

    async def all(self):
        return await self.storage.list()

    async def back_to(self, bookmark):
        return await self.storage.restore_on_next_start(bookmark)

    async def go(self, bookmark, note):
        note.append(await self.storage.restore_on_next_start(bookmark))
        self.ctx.abort("going back")


class Waking(Room):
    rung = 0

    async def alarm(self, info):
        Waking.rung += 1

    async def arm(self, seconds):
        self.storage.set_alarm(timedelta(seconds=seconds))
        return await self.storage.current_bookmark()

    async def when(self):
        return await self.storage.get_alarm()


async def go(handle, bookmark):
    """Restores by abort; gives the bookmark that undoes it."""
    note = []

    async def inside(self):
        await self.go(bookmark, note)

    with pytest.raises(Exception, match="going back"):
        await handle.call(inside)
    return note[0]


def test_a_bookmark_is_text_in_order_of_time_across_restarts(world: World):
    async def scenario():
        room = await world.get(Room)
        marks = [await room.call("put", {"k": n}) for n in range(5)]
        marks += [await room.call(lambda self: self.storage.current_bookmark()) for _ in range(2)]
        await world.stop()
        room = await world.get(Room)
        marks.append(await room.call("put", {"k": 9}))

        assert marks == sorted({*marks})
        assert all(len(mark) == 59 and mark == mark.lower() for mark in marks)

    world.run(scenario)


def test_each_bookmark_of_one_step_names_its_own_state(world: World):
    async def scenario():
        room = await world.get(Room)

        def three(self):
            found = []
            for n in range(3):
                self.storage.put("k", n)
                found.append(self.storage.current_bookmark())
            self.storage.put("k", "after")
            return found

        ops = []
        await room.call(lambda self: ops.extend(three(self)))
        marks = [await op for op in ops]
        for n in (1, 0, 2):
            await go(room, marks[n])
            assert await room.call("get") == n

    world.run(scenario)


def test_a_restore_happens_before_the_constructor_of_the_next_start(world: World):
    async def scenario():
        room = await world.get(Room)
        mark = await room.call("put", {"k": 1})
        await room.call("put", {"k": 2, "other": 2})

        await go(room, mark)

        assert await room.call(lambda self: self.at_start) == 1
        assert await room.call("all") == {"k": 1}

    world.run(scenario)


def test_until_the_next_start_nothing_changes_and_what_is_written_is_undone(world: World):
    async def scenario():
        room = await world.get(Room)
        mark = await room.call("put", {"k": 1})
        await room.call("put", {"k": 2})
        await room.call("back_to", mark)
        before = await room.call("get")
        await room.call("put", {"k": 3})
        await world.stop()

        room = await world.get(Room)

        assert before == 2
        assert await room.call("get") == 1

    world.run(scenario)


def test_what_restore_on_next_start_gives_undoes_it(world: World):
    async def scenario():
        room = await world.get(Room)
        mark = await room.call("put", {"k": 1})
        await room.call("put", {"k": 2, "more": 2})

        undo = await go(room, mark)
        redo = await go(room, undo)
        there = await room.call("all")
        await go(room, redo)

        assert there == {"k": 2, "more": 2}
        assert await room.call("all") == {"k": 1}
        assert mark < undo < redo

    world.run(scenario)


def test_sql_and_keys_go_back_together(world: World):
    async def scenario():
        room = await world.get(Room)

        def fill(self, n):
            self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(n)")
            for row in range(200):
                self.storage.sql.exec("INSERT INTO t VALUES(?)", n * 1000 + row)
            self.storage.put("k", n)
            return self.storage.current_bookmark()

        def sums(self):
            return [list(row) for row in self.storage.sql.exec("SELECT count(*), max(n) FROM t").raw()]

        before = await room.call("put", {"k": 0})
        marks = [await room.call(fill, n) for n in range(1, 4)]
        for n in (2, 1, 3):
            await go(room, marks[n - 1])
            assert await room.call(sums) == [[200 * n, n * 1000 + 199]]
            assert await room.call("get") == n
        await go(room, before)
        assert await room.call(lambda self: list(self.storage.sql.exec("SELECT name FROM sqlite_schema").raw())) == []
        assert await room.call("get") == 0
        await room.call(fill, 7)
        assert await room.call(sums) == [[200, 7199]]

    world.run(scenario)


def test_the_alarm_goes_back_too_and_rings(world: World):
    async def scenario():
        room = await world.get(Waking)
        mark = await room.call("arm", 1_000)
        due = await room.call("when")
        await room.call("arm", 5)

        await go(room, mark)

        assert await room.call("when") == due
        await asyncio.sleep(990)
        rung_before = Waking.rung
        await asyncio.sleep(20)
        assert (rung_before, Waking.rung) == (0, 1)

    world.run(scenario)


def test_delete_all_can_be_undone(world: World):
    async def scenario():
        room = await world.get(Room)
        mark = await room.call("put", {"k": 1})
        await room.call(lambda self: self.storage.delete_all())
        gone = await room.call("all")
        await room.call("put", {"k": 2})

        await go(room, mark)

        assert gone == {}
        assert await room.call("all") == {"k": 1}

    world.run(scenario)


def test_before_an_object_was_written_it_is_empty_again(world: World):
    async def scenario():
        room = await world.get(Room)
        mark = await room.call(lambda self: self.storage.current_bookmark())
        nothing = world.store_of(room).record(room.id.raw)
        await room.call("put", {"k": 1})

        await go(room, mark)

        assert nothing is None
        assert await room.call("all") == {}
        assert world.store_of(room).record(room.id.raw) is None

    world.run(scenario)


def test_the_bookmark_for_a_time_names_the_state_of_then(world: World):
    async def scenario():
        room = await world.get(Room)
        times = []
        for n in range(3):
            await room.call("put", {"k": n})
            await asyncio.sleep(10)
            times.append(instant(world.clock.now_ms()))
            await asyncio.sleep(10)

        for n in (2, 0, 1):
            mark = await room.call(lambda self, n=n: self.storage.bookmark_for_time(times[n]))
            await go(room, mark)
            assert await room.call("get") == n

    world.run(scenario)


def test_a_request_is_durable_when_its_await_returns(world: World):
    async def scenario():
        room = await world.get(Room)
        mark = await room.call("put", {"k": 1})
        await room.call("put", {"k": 2})
        world.disk.hold()
        op = room.call("back_to", mark)
        for _ in range(50):
            await asyncio.sleep(0)
        waits = not op.done()
        world.disk.go_on()
        await op

        assert waits
        assert world.store_of(room).place_to_restore(room.id.raw) is not None

    world.run(scenario)


# What is refused


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "00000000-00000001-0000ffff-" + "0" * 32,
        "00000000-00000001-00000000-" + "0" * 32,
        "00000000-00000001-0001ffff-" + "0" * 32,
        "00000000-00000001-0000FFFF-" + "a" * 32,
        "00000000-00000001-0000ffff-" + "0" * 31,
    ],
)
def test_a_text_that_is_no_bookmark_is_refused(world: World, text):
    async def scenario():
        room = await world.get(Room)
        await room.call("put", {"k": 1})

        with pytest.raises(WrongValue, match="no bookmark that this object can go back to"):
            await room.call("back_to", text)
        assert await room.call("get") == 1

    world.run(scenario)


def test_a_bookmark_of_another_object_is_refused(world: World):
    async def scenario():
        room, other = await world.get(Room), await world.get(Room, "other")
        mark = await other.call("put", {"k": 1})

        with pytest.raises(WrongValue, match="of another object"):
            await room.call("back_to", mark)

    world.run(scenario)


def test_a_bookmark_that_the_store_has_not_come_to_is_refused(world: World):
    async def scenario():
        room = await world.get(Room)
        await room.call("put", {"k": 1})

        with pytest.raises(WrongValue, match="older copy"):
            await room.call("back_to", bookmark_text(room.id.raw, end_of(10_000)))

    world.run(scenario)


def test_what_is_not_text_is_refused(world: World):
    async def scenario():
        room = await world.get(Room)

        with pytest.raises(WrongType, match="takes a bookmark, not int"):
            await room.call("back_to", 5)

    world.run(scenario)


@pytest.mark.parametrize(
    ("at", "error"),
    [
        (datetime(2020, 1, 1), NaiveDatetime),
        ("yesterday", WrongType),
        (datetime(9000, 1, 1, tzinfo=UTC), WrongValue),
    ],
)
def test_a_time_that_is_none_is_refused(world: World, at, error):
    async def scenario():
        room = await world.get(Room)

        with pytest.raises(error):
            await room.call(lambda self: self.storage.bookmark_for_time(at))

    world.run(scenario)


@pytest.mark.parametrize("method", ["current_bookmark", "restore_on_next_start", "bookmark_for_time"])
def test_inside_a_transaction_there_is_no_bookmark(world: World, method):
    async def scenario():
        room = await world.get(Room)
        mark = await room.call("put", {"k": 1})

        async def inside(self):
            arguments = {"restore_on_next_start": (mark,), "bookmark_for_time": (instant(0),)}.get(method, ())
            async with self.storage.transaction():
                getattr(self.storage, method)(*arguments)

        with pytest.raises(WrongValue, match="inside a transaction"):
            await room.call(inside)

    world.run(scenario)


# Cloudflare's names


def test_cloudflares_names_do_the_same(world: World):
    async def scenario():
        room = await world.get(Room)
        await room.call("put", {"k": 1})

        async def inside(self):
            current = await self.storage.getCurrentBookmark()
            at_time = await self.storage.getBookmarkForTime(world.clock.now_ms())
            at_datetime = await self.storage.getBookmarkForTime(instant(world.clock.now_ms()))
            undo = await self.storage.onNextSessionRestoreBookmark(current)
            return current, at_time, at_datetime, undo

        marks = await room.call(inside)

        assert list(marks) == sorted(marks)

    world.run(scenario)
