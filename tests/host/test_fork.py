"""A fork holds what the other object holds, or held; the other one is only read, and a crash leaves no half of it."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

import perdure
from perdure.host import contents, inspection_contents
from perdure.host.control_client import FolderAccess
from perdure.host.doctor import examine
from perdure.host.inspection_request import ForkObject, ImportFile, ListObjects, Request, RestoreObject, ShowObject
from perdure.model.errors import StorageFull, StoreBroken, WrongValue
from perdure.store.writer import Writer
from tests.host.stored import Box, Other, asked, box, dump, exported, keys_of, random_steps, run_in, with_folder, work

whoever_answers = pytest.mark.parametrize("who", ["served", "alone"])

WRITE = "kv.put('n', {0}); sql.exec('CREATE TABLE IF NOT EXISTS t(x)'); sql.exec('INSERT INTO t VALUES({0})')"
READ = "result = [kv.get('n'), [row['x'] for row in sql.exec('SELECT x FROM t')]]"
BOOKMARK = "result = storage.current_bookmark()"


CHANGES = """
for key in list(kv.list(limit=9)):
    kv.delete(key[0])
kv.put('last', 2)
for (name,) in list(sql.exec("SELECT name FROM sqlite_schema WHERE name IN ('plain', 'keyed', 'words')").raw()):
    sql.exec(f"DELETE FROM {name}")
sql.exec("CREATE TABLE more(x)")
for n in range(100):
    sql.exec("INSERT INTO more VALUES(zeroblob(3000))")
"""


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("past", [False, True], ids=["now", "then"])
def test_a_fork_has_the_keys_and_the_dump_of_the_other_object_now_or_then(tmp_path, seed, past):
    folder = tmp_path / "data"
    (_, bookmark) = work(folder, ("one", random_steps(seed)), ("one", BOOKMARK))
    expected = exported(folder, "one", tmp_path / "expected.db")
    if past:
        later = ["storage.delete_all()", random_steps(seed + 100)] if seed % 4 == 0 else [CHANGES]
        work(folder, *[("one", what) for what in later])

    forked = asyncio.run(asked(folder, ForkObject("Box", "one", "two", at=bookmark if past else None)))

    assert (forked["name"], forked["bookmark"], forked["alarm"]) == ("two", None, None)
    two = exported(folder, "two", tmp_path / "two.db")
    assert keys_of(two) == keys_of(expected)
    assert dump(two) == dump(expected)
    connection = sqlite3.connect(two)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@whoever_answers
def test_both_live_on_by_themselves_and_the_alarm_is_not_copied(tmp_path, who):
    async def prepare(runtime):
        await box(runtime).run(WRITE.format(1))
        await asked(tmp_path, RestoreObject("Box", "one", await box(runtime).run(BOOKMARK)))

    async def then(runtime):
        await asked(tmp_path, ForkObject("Box", "one", "two"))
        await run_in(tmp_path, runtime, "one", WRITE.format(2))
        await run_in(tmp_path, runtime, "two", WRITE.format(3))

        assert await run_in(tmp_path, runtime, "one", READ) == [2, [1, 2]]
        assert await run_in(tmp_path, runtime, "two", READ) == [3, [1, 3]]
        assert (await asked(tmp_path, ShowObject("Box", "two")))["alarm"] is None

    with_folder(who, tmp_path, prepare, then)


@whoever_answers
def test_one_that_exists_is_replaced_only_if_asked_and_can_be_taken_back(tmp_path, who):
    async def prepare(runtime):
        await box(runtime).run(WRITE.format(1))
        await box(runtime, "two").run(WRITE.format(2))

    async def then(runtime):
        with pytest.raises(WrongValue, match="'two' stores something already.*--replace"):
            await asked(tmp_path, ForkObject("Box", "one", "two"))
        assert await run_in(tmp_path, runtime, "two", READ) == [2, [2]]

        forked = await asked(tmp_path, ForkObject("Box", "one", "two", replace=True))
        assert await run_in(tmp_path, runtime, "two", READ) == [1, [1]]
        await asked(tmp_path, RestoreObject("Box", "two", forked["bookmark"]))
        assert await run_in(tmp_path, runtime, "two", READ) == [2, [2]]

    with_folder(who, tmp_path, prepare, then)


def test_one_that_is_being_written_is_whole_units_in_the_fork_and_the_replaced_one_serves_until_the_end(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(contents, "SLICE_BYTES", 5_000)

    async def scenario():
        async with perdure.open(tmp_path, objects=[Box]) as runtime:
            await box(runtime).run(WRITE.format(0) + "; kv.put('much', 'x' * 100_000)")
            await box(runtime, "two").run("kv.put('n', 0)")
            forking = asyncio.ensure_future(asked(tmp_path, ForkObject("Box", "one", "two", replace=True)))
            count = 0
            while not forking.done():
                count += 1
                await box(runtime).run(WRITE.format(count))
                with suppress(perdure.ObjectReset):  # once, when it becomes another
                    await box(runtime, "two").run(f"kv.put('meanwhile', {count})")
            await forking

            n, rows = await box(runtime, "two").run(READ)
            assert rows == list(range(n + 1))
            assert await box(runtime).run(READ) == [count, list(range(count + 1))]
            meanwhile = await box(runtime, "two").run("result = kv.get('meanwhile')")
            assert meanwhile in (None, count)  # written before it was replaced, or after it
            assert count > 1

    asyncio.run(scenario())


def test_an_object_that_comes_to_exist_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    work(tmp_path, ("one", WRITE.format(1)))

    async def scenario():
        async with perdure.open(tmp_path, objects=[Box, Other]) as runtime:
            copied = inspection_contents.contents_of_object

            async def write():
                await box(runtime, "two").run("kv.put('mine', 1)")

            def slowly(*arguments):
                asyncio.run_coroutine_threadsafe(write(), loop).result(20)
                return copied(*arguments)

            loop = asyncio.get_running_loop()
            monkeypatch.setattr(inspection_contents, "contents_of_object", slowly)
            with pytest.raises(WrongValue, match="stores something already"):
                await asked(tmp_path, ForkObject("Box", "one", "two"))
            assert await box(runtime, "two").run("result = kv.get('mine')") == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ForkObject("Box", "nobody", "two"), "Box has no object 'nobody'"),
        (ForkObject("Box", "one", "one"), "its own fork"),
        (ForkObject("Box", "one", "two", at="2020-01-01T00:00Z"), "had no object 'one' then"),
        (ForkObject("Box", "one", "two", at="then"), "neither a bookmark nor a time"),
        (ForkObject("Bax", "one", "two"), "did you mean Box"),
    ],
)
def test_what_cannot_be_forked_makes_nothing(tmp_path, request_, message):
    work(tmp_path, ("one", WRITE.format(1)))

    with pytest.raises(WrongValue, match=message):
        asyncio.run(asked(tmp_path, request_))

    listed = asyncio.run(asked(tmp_path, ListObjects()))["objects"]
    assert [each["name"] for each in listed] == ["one"]


@pytest.mark.parametrize("name", ["a/b", "..", "../../etc", "nul\0inside", "é\u202e😀", "x" * 4_000, "", "a" * 64])
def test_a_fork_may_have_any_name(tmp_path, name):
    work(tmp_path, ("one", WRITE.format(1)))

    forked = asyncio.run(asked(tmp_path, ForkObject("Box", "one", name)))

    assert forked["name"] == (name if len(name) <= 1_024 else forked["name"])
    assert work(tmp_path, (name, READ)) == [[1, [1]]]
    assert left_over(tmp_path) == []


def test_a_name_that_reads_as_an_id_is_a_name(tmp_path):
    work(tmp_path, ("one", WRITE.format(1)))
    (one,) = asyncio.run(asked(tmp_path, ListObjects()))["objects"]

    forked = asyncio.run(asked(tmp_path, ForkObject("Box", "one", one["id"])))

    assert forked["name"] == one["id"] != forked["id"]


class HeldReading:
    """The first row of a fork waits on its thread until it is released."""

    def __init__(self, monkeypatch):
        self.begun, self._go, self._real = threading.Event(), threading.Event(), contents._keys_of
        monkeypatch.setattr(contents, "_keys_of", self._rows)
        self.ended = False

    def _rows(self, keys):
        self.begun.set()
        assert self._go.wait(20)
        yield from self._real(keys)
        self.ended = True

    def release_soon(self):
        asyncio.get_running_loop().call_soon(self._go.set)


@pytest.mark.parametrize("by", ["cancel", "close"])
def test_who_ends_a_fork_amid_a_slice_waits_for_its_thread_and_nothing_is_left(tmp_path, monkeypatch, by):
    work(tmp_path, ("one", WRITE.format(1)))
    held = HeldReading(monkeypatch)

    async def scenario():
        async with perdure.open(tmp_path, objects=[Box, Other]) as runtime:
            forking = asyncio.ensure_future(runtime.fork(box(runtime), "two"))
            await asyncio.to_thread(held.begun.wait, 20)
            if by == "cancel":
                forking.cancel()
                asyncio.get_running_loop().call_soon(forking.cancel)  # who is impatient waits as well
            else:
                closing = asyncio.ensure_future(runtime.aclose())
            await asyncio.sleep(0)
            held.release_soon()
            await asyncio.wait([forking])
            if by == "cancel":
                assert forking.cancelled()
            else:
                with pytest.raises(StoreBroken, match="closed meanwhile"):
                    forking.result()
                await closing
            assert held.ended
            assert left_over(tmp_path) == []

    asyncio.run(scenario())
    assert [each["name"] for each in asyncio.run(asked(tmp_path, ListObjects()))["objects"]] == ["one"]


def test_a_fork_whose_last_entry_fails_says_why_and_what_it_wrote_is_swept(tmp_path, monkeypatch):
    work(tmp_path, ("one", WRITE.format(1)))
    commit = Writer.commit

    def fail_once(writer, group):
        if any(entry.record is not None for entry in group.entries):
            monkeypatch.setattr(Writer, "commit", commit)
            raise apsw.FullError("planned")
        return commit(writer, group)

    async def scenario():
        async with perdure.open(tmp_path, objects=[Box, Other]) as runtime:
            given_up = []
            give_up = contents._Making.give_up
            monkeypatch.setattr(contents._Making, "give_up", lambda made: given_up.append(give_up(made)))
            monkeypatch.setattr(Writer, "commit", fail_once)
            with pytest.raises(StorageFull) as raised:
                await runtime.fork(box(runtime), "two")
            assert "importing" not in str(raised.value)
            assert len(given_up) == 1

    asyncio.run(scenario())
    assert [each["name"] for each in asyncio.run(asked(tmp_path, ListObjects()))["objects"]] == ["one"]


def left_over(folder):
    return list((folder / "importing").glob("*"))


FULL = [OSError(28, "No space left on device"), apsw.FullError("database or disk is full")]


@pytest.mark.parametrize("error", FULL, ids=["file", "SQLite"])
@pytest.mark.parametrize("request_", [ForkObject("Box", "one", "two", True), ImportFile("Box", "two", "FILE", True)])
def test_a_disk_that_is_full_for_a_copy_is_said_and_nothing_is_changed_nor_left(tmp_path, monkeypatch, request_, error):
    folder = tmp_path / "data"
    work(folder, ("one", WRITE.format(1)), ("two", WRITE.format(2)))
    if isinstance(request_, ImportFile):
        request_ = ImportFile("Box", "two", str(exported(folder, "one", tmp_path / "one.db")), True)

    def full(*_):
        raise error

    monkeypatch.setattr(contents, "_slices", lambda of: iter_failing(full))
    with pytest.raises(StorageFull, match="full|No space"):
        asyncio.run(asked(folder, request_))

    assert work(folder, ("two", READ)) == [[2, [2]]]
    assert left_over(folder) == []


def iter_failing(fail):
    fail()
    yield


KILLED = """
import asyncio, os, signal, sys
import perdure
from perdure.host import contents
from perdure.store.crash_point import CrashPoint
from perdure.store import files
from tests.host.stored import Box, Other

contents.SLICE_BYTES = 3_000
point, nth = CrashPoint[sys.argv[2]], int(sys.argv[3])

class KillAt:
    armed, left = False, nth
    def __call__(self, passed):
        if self.armed and passed is point:
            KillAt.left -= 1
            if not KillAt.left:
                os.kill(os.getpid(), signal.SIGKILL)

at = KillAt()

async def serve():
    async with perdure.open(sys.argv[1], objects=[Box, Other]) as runtime:
        store = runtime._host.worker.residents["Box"].store
        await runtime.env.Box.get_by_name("two").run("kv.get('a')")
        store._upkeep.connections.writer._at = at
        object.__setattr__(store._place, "at", at)
        KillAt.armed = True
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(serve())
"""


def asked_until_killed(folder: Path, request: Request, point: str, nth: int) -> dict[str, Any] | None:
    """The answer of a process that is killed at that point, or else after it; None if it was killed before."""
    command = [sys.executable, "-c", KILLED, str(folder), point, str(nth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        try:
            return asyncio.run(asked(folder, request))
        except perdure.Disconnected:
            return None
        finally:
            process.kill()


KILLS = [
    ("BEFORE_LOG_COMMIT", 1), ("AFTER_LOG_COMMIT", 3), ("BEFORE_APPLY_COMMIT", 1), ("AFTER_APPLY_COMMIT", 1),
    ("BEFORE_GENERATION_SWITCH", 2), ("AFTER_GENERATION_SWITCH", 2),
]  # fmt: skip
RESTORE_KILLS = [("BEFORE_RESTORE", 1), ("AFTER_RESTORE_SLICE", 1), ("BEFORE_RESTORE_END", 1), ("AFTER_RESTORE_END", 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("point", "nth"), KILLS)
@pytest.mark.parametrize("kind", ["fork", "import"])
def test_a_process_that_is_killed_amid_it_leaves_the_object_as_it_was_or_whole(tmp_path, kind, point, nth):
    folder = tmp_path / "data"
    work(folder, ("one", WRITE.format(1) + "; kv.put('much', 'x' * 30_000)"), ("two", WRITE.format(2)))
    request = ForkObject("Box", "one", "two", replace=True)
    if kind == "import":
        request = ImportFile("Box", "two", str(exported(folder, "one", tmp_path / "one.db")), replace=True)

    done = asked_until_killed(folder, request, point, nth)

    assert not examine(folder, now_ms=time.time_ns() // 1_000_000, looking_at=lambda _: None).findings
    (found,) = work(folder, ("two", READ))
    assert found in ([1, [1]], [2, [2]])
    assert done is None or found == [1, [1]]
    assert left_over(folder) == []
    asyncio.run(asked(folder, request))
    assert work(folder, ("two", READ), ("one", READ)) == [[1, [1]]] * 2


@pytest.mark.slow
@pytest.mark.parametrize(("point", "nth"), RESTORE_KILLS)
def test_a_process_that_is_killed_amid_a_restore_leaves_the_object_to_go_on_with_it(tmp_path, point, nth):
    _, bookmark, *_ = work(tmp_path, ("two", WRITE.format(1)), ("two", BOOKMARK))
    work(tmp_path, *[("two", WRITE.format(n) + f"; kv.put(f'k{n}', 'x' * 900_000)") for n in range(2, 6)])

    asked_until_killed(tmp_path, RestoreObject("Box", "two", bookmark), point, nth)

    assert work(tmp_path, ("two", READ)) == [[1, [1]]]


def test_what_a_crash_left_on_the_disk_is_gone_when_the_folder_is_opened_next(tmp_path):
    work(tmp_path, ("one", WRITE.format(1)))
    (tmp_path / "importing" / "0").mkdir(parents=True)
    (tmp_path / "importing" / "0" / "keys.db").write_bytes(b"x" * 1_000)

    async def scenario():
        await (await FolderAccess.open(tmp_path)).close()

    asyncio.run(scenario())
    assert not (tmp_path / "importing").exists()


@pytest.mark.slow
def test_memory_does_not_grow_with_what_is_forked(tmp_path):
    """200 MB of keys and tables, a part of them gone back over, in less than 100 MB more than nothing takes."""
    script = """
import asyncio, resource, sys
from pathlib import Path
import perdure
from tests.host.stored import Box, Other, asked
from perdure.host.doctor import examine
from perdure.host.inspection_request import ForkObject

async def main():
    folder = Path(sys.argv[1])
    async with perdure.open(folder, objects=[Box, Other]) as runtime:
        one = runtime.env.Box.get_by_name("one")
        await one.run("sql.exec('CREATE TABLE t(x)')")
        for n in range(100):
            await one.run(f"kv.put('k{n}', b'x' * 1_000_000); sql.exec('INSERT INTO t VALUES(zeroblob(1000000))')")
            if n == 50:
                bookmark = await one.run("result = storage.current_bookmark()")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await asked(folder, ForkObject("Box", "one", "two"))
    await asked(folder, ForkObject("Box", "one", "three", at=bookmark))
    print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

asyncio.run(main())
"""
    made = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)

    before, after = map(int, made.stdout.split())
    assert after - before < 100_000, (before, after)
    assert os.path.isdir(tmp_path)
