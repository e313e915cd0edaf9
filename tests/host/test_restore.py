"""An operator takes an object back: all of it, whoever has the folder, with a way to undo it, and nothing runs on what it was."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import perdure
from perdure.host.inspection_request import DeleteObject, ListObjects, RestoreObject, ShowObject
from perdure.model.errors import ConstructorFailed, StorageFull, WrongValue
from perdure.store.undo_restore import Restore
from tests.host.stored import Box, asked, box, run_in, with_folder

whoever_answers = pytest.mark.parametrize("who", ["served", "alone"])

WRITE = "kv.put('n', {0}); sql.exec('CREATE TABLE IF NOT EXISTS t(x)'); sql.exec('INSERT INTO t VALUES({0})')"
READ = "result = [kv.get('n'), [row['x'] for row in sql.exec('SELECT x FROM t')]]"
BOOKMARK = "result = storage.current_bookmark()"


class Picky(perdure.DurableObject):
    """Does not start with what it has been made to store."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        if ctx.storage.kv.get("n") == 2:
            raise ValueError("2 is no number")

    async def put(self, n: int) -> str:
        bookmark = await self.ctx.storage.current_bookmark()
        self.ctx.storage.kv.put("n", n)
        return bookmark

    async def get(self) -> int:
        return self.ctx.storage.kv.get("n")

    async def leave(self) -> None:
        self.ctx.abort("out of memory")


@whoever_answers
def test_an_object_is_taken_back_and_forth_by_bookmarks(tmp_path, who):
    bookmarks = []

    async def prepare(runtime):
        await box(runtime).run(WRITE.format(1))
        bookmarks.append(await box(runtime).run(BOOKMARK))
        await box(runtime).run(WRITE.format(2))

    async def then(runtime):
        back = await asked(tmp_path, RestoreObject("Box", "one", bookmarks[0]))
        assert (back["class"], back["name"], back["exists"]) == ("Box", "one", True)
        assert await run_in(tmp_path, runtime, "one", READ) == [1, [1]]

        forth = await asked(tmp_path, RestoreObject("Box", back["id"], back["bookmark"]))
        assert await run_in(tmp_path, runtime, "one", READ) == [2, [1, 2]]
        await asked(tmp_path, RestoreObject("Box", "one", forth["bookmark"]))
        assert await run_in(tmp_path, runtime, "one", READ) == [1, [1]]

    with_folder(who, tmp_path, prepare, then)


@whoever_answers
def test_what_was_deleted_comes_back_and_goes_again(tmp_path, who):
    async def prepare(runtime):
        await box(runtime).run(WRITE.format(1))

    async def then(runtime):
        deleted = await asked(tmp_path, DeleteObject("Box", "one"))
        back = await asked(tmp_path, RestoreObject("Box", "one", deleted["bookmark"]))
        assert back["exists"] and back["name"] == "one"
        assert await run_in(tmp_path, runtime, "one", READ) == [1, [1]]

        gone = await asked(tmp_path, RestoreObject("Box", "one", back["bookmark"]))
        assert gone["exists"] is False
        assert (await asked(tmp_path, ListObjects()))["objects"] == []

    with_folder(who, tmp_path, prepare, then)


def test_a_live_object_starts_anew_with_what_it_was_and_what_it_acknowledged_can_be_gone_back_to(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Box]) as runtime:
            await box(runtime).run(WRITE.format(1))
            bookmark = await box(runtime).run(BOOKMARK)
            calls = [asyncio.ensure_future(box(runtime).run(WRITE.format(n))) for n in range(2, 30)]

            back = await asked(tmp_path, RestoreObject("Box", "one", bookmark))

            ended = await asyncio.gather(*calls, return_exceptions=True)
            written = [n for n, end in zip(range(2, 30), ended, strict=True) if end is None]
            then = (await box(runtime).run(READ))[1]
            await asked(tmp_path, RestoreObject("Box", "one", back["bookmark"]))
            before = (await box(runtime).run(READ))[1]
            assert then[0] == 1 and set(written) <= set(then) | set(before)
            assert not set(then[1:]) & set(before)

    asyncio.run(scenario())


def test_an_object_that_does_not_start_any_more_is_taken_back_all_the_same(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Picky]) as runtime:
            picky = runtime[Picky]["one"]
            await picky.put(1)
            bookmark = await picky.put(2)
            with pytest.raises(perdure.ObjectReset):
                await picky.leave()
            failing = asyncio.ensure_future(picky.get())

            await asked(tmp_path, RestoreObject("Picky", "one", bookmark))

            with pytest.raises(ConstructorFailed):
                await failing
            shown = await asked(tmp_path, ShowObject("Picky", "one"))
            assert [each["key"] for each in shown["keys"]] == ["n"]
        async with perdure.open(tmp_path, objects=[Picky]) as runtime:
            assert await runtime[Picky]["one"].get() == 1

    asyncio.run(scenario())


def test_an_object_that_ends_before_its_turn_is_taken_back_all_the_same(tmp_path):
    async def scenario():
        leaves = asyncio.Event()

        class Leaver(Box):
            async def hold(self):
                async with self.ctx.critical_section():
                    await leaves.wait()
                    self.ctx.abort("had enough")

        async with perdure.open(tmp_path, objects=[Leaver]) as runtime:
            one = runtime[Leaver]["one"]
            await one.run(WRITE.format(1))
            bookmark = await one.run(BOOKMARK)
            await one.run(WRITE.format(2))
            holding = asyncio.ensure_future(one.hold())
            restoring = asyncio.ensure_future(asked(tmp_path, RestoreObject("Leaver", "one", bookmark)))
            for residents in runtime._host.worker.residents.values():
                while not any(instance.queued for instance in residents.instances):
                    await asyncio.sleep(0)

            leaves.set()

            await restoring
            with pytest.raises(perdure.ObjectReset):
                await holding
            assert await one.run(READ) == [1, [1]]

    asyncio.run(scenario())


@whoever_answers
def test_a_time_is_as_good_as_a_bookmark_of_then(tmp_path, who):
    async def prepare(runtime):
        await box(runtime).run(WRITE.format(1))

    async def then(runtime):
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        back = await asked(tmp_path, RestoreObject("Box", "one", now))
        assert back["exists"]
        assert await run_in(tmp_path, runtime, "one", READ) == [1, [1]]

    with_folder(who, tmp_path, prepare, then)


@whoever_answers
@pytest.mark.parametrize("hours", [1, 24 * 2_000])
def test_a_time_before_the_object_was_made_does_not_delete_it(tmp_path, who, hours):
    """A year that is mistyped is no wish to delete; whoever has that one is told how."""

    async def prepare(runtime):
        await box(runtime).run(WRITE.format(1))

    async def then(runtime):
        created = (await asked(tmp_path, ShowObject("Box", "one")))["created"]
        at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
        with pytest.raises(WrongValue, match=f"Box/one stored nothing.*was made at {created}.*perdure objects delete"):
            await asked(tmp_path, RestoreObject("Box", "one", at))
        assert await run_in(tmp_path, runtime, "one", READ) == [1, [1]]

    with_folder(who, tmp_path, prepare, then)


@pytest.mark.parametrize(
    ("object", "at", "message"),
    [
        ("one", "yesterday", "neither a bookmark nor a time"),
        ("one", "2026-01-01T10:00", "no time zone"),
        ("one", "2999-01-01T10:00Z", "is to come"),
        ("one", "0001-01-01T00:00+14:00", "nothing is kept|no time that"),
        ("one", "00000000-00000001-0000ffff-" + "0" * 32, "of another object, or was changed"),
        ("one", "\0" * 4_000, "neither a bookmark nor a time"),
        ("nobody", "2020-01-01T00:00Z", "had no object 'nobody' then"),
        ("../" * 100, "2020-01-01T00:00Z", "had no object"),
    ],
)
def test_a_moment_that_is_none_of_the_objects_changes_nothing(tmp_path, object, at, message):
    async def prepare(runtime):
        await box(runtime).run(WRITE.format(1))

    async def then(runtime):
        with pytest.raises(WrongValue, match=message):
            await asked(tmp_path, RestoreObject("Box", object, at))
        assert await run_in(tmp_path, runtime, "one", READ) == [1, [1]]

    with_folder("alone", tmp_path, prepare, then)


def test_a_bookmark_of_what_is_not_kept_any_more_is_refused(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Box]) as runtime:
            await box(runtime).run(WRITE.format(1))
            bookmark = await box(runtime).run(BOOKMARK)
            (residents,) = runtime._host.worker.residents.values()
            residents.store._upkeep.sweeping.undo_from = 1 << 60

            with pytest.raises(WrongValue, match="not kept any more"):
                await asked(tmp_path, RestoreObject("Box", "one", bookmark))

    asyncio.run(scenario())


def test_a_restore_that_is_cut_off_is_told_with_its_bookmark_and_goes_on_at_the_next_start(tmp_path, monkeypatch):
    """As with a disk that is full for a moment."""

    async def scenario():
        async with perdure.open(tmp_path, objects=[Box]) as runtime:
            await box(runtime).run(WRITE.format(1))
            bookmark = await box(runtime).run(BOOKMARK)
            await box(runtime).run(WRITE.format(2))
            run = Restore.run

            async def full(self):
                raise StorageFull(what="the disk is full")

            monkeypatch.setattr(Restore, "run", full)
            with pytest.raises(StorageFull, match="the bookmark that undoes it: 0"):
                await asked(tmp_path, RestoreObject("Box", "one", bookmark))
            monkeypatch.setattr(Restore, "run", run)

            assert await box(runtime).run(READ) == [1, [1]]

    asyncio.run(scenario())


def test_an_object_that_starts_amid_its_restore_waits_for_it(tmp_path):
    """And takes no second way back at the same time."""

    async def scenario():
        async with perdure.open(tmp_path, objects=[Box]) as runtime:
            await box(runtime).run(WRITE.format(1))
            bookmark = await box(runtime).run(BOOKMARK)
            await box(runtime).run("\n".join(WRITE.format(n) for n in range(2, 200)))
            run, runs = Restore.run, []

            async def counted(self):
                runs.append(self)
                calls.append(asyncio.ensure_future(box(runtime).run(READ)))
                await asyncio.sleep(0)
                return await run(self)

            calls = []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Restore, "run", counted)
                await asked(tmp_path, RestoreObject("Box", "one", bookmark))
                assert await asyncio.gather(*calls) == [[1, [1]]]
            assert len(runs) == 1

    asyncio.run(scenario())


def test_an_object_that_comes_into_memory_right_before_its_restore_ends_finds_what_it_was(tmp_path, monkeypatch):
    """Also if that was of another generation: it was deleted and made anew since."""

    async def scenario():
        async with perdure.open(tmp_path, objects=[Box]) as runtime:
            await box(runtime).run(WRITE.format(1))
            bookmark = (await asked(tmp_path, DeleteObject("Box", "one")))["bookmark"]
            await box(runtime).run(WRITE.format(2))
            last, calls = Restore._last, []

            def called_before(self, past, slice):
                calls.append(box(runtime).run(READ))
                return last(self, past, slice)

            monkeypatch.setattr(Restore, "_last", called_before)
            await asked(tmp_path, RestoreObject("Box", "one", bookmark))

            assert [await call for call in calls] == [[1, [1]]]
            await box(runtime).run("kv.put('n', 3)")
        async with perdure.open(tmp_path, objects=[Box]) as runtime:
            assert await box(runtime).run(READ) == [3, [1]]

    asyncio.run(scenario())
