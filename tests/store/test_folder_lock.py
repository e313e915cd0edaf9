"""One process owns a folder; everybody else is told who that is, and it ends with the process."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from perdure.model.errors import DataFolderLocked
from perdure.store.bounds import LOCK_POLL_S
from perdure.store.folder_lock import FolderLock, try_lock
from tests.store.folder import made, with_folder
from tests.store.loop_clock import LoopClock

HOLD = """
import os, sys, time
from pathlib import Path
from perdure.store.folder_lock import try_lock
held = try_lock(Path(sys.argv[1]), now_ms=1_700_000_000_000)
if sys.argv[2] == "fork":
    child = os.fork()
    if child == 0:
        print("child", flush=True)
        time.sleep(60)
print("held", os.getpid(), flush=True)
sys.stdin.read()
if sys.argv[2] == "release":
    held.release()
    print("released", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Starts another process that holds the lock of `tmp_path`."""
    started = []

    def start(how="hold"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        while not process.stdout.readline().startswith("held"):
            pass
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()


def acquire(folder, timeout_s=0.0):
    async def run():
        return await FolderLock.acquire(folder, clock=LoopClock(), timeout_s=timeout_s)

    return asyncio.run(run())


def test_a_folder_that_another_process_has_is_refused_naming_it(tmp_path, holder):
    other = holder()

    with pytest.raises(DataFolderLocked) as caught:
        acquire(tmp_path)

    assert caught.value.pid == other.pid
    assert caught.value.since == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert str(tmp_path) in caught.value.program
    assert str(other.pid) in str(caught.value)


def test_a_folder_that_this_process_has_is_refused_too_and_stays_locked(tmp_path, holder):
    held = acquire(tmp_path)

    with pytest.raises(DataFolderLocked) as caught:
        acquire(tmp_path)
    try_from_outside = subprocess.run(
        [sys.executable, "-c", HOLD.split("if sys.argv")[0] + "sys.exit(held is None)", str(tmp_path), "hold"],
        check=False,
    )
    held.release()

    assert caught.value.pid == os.getpid()
    assert try_from_outside.returncode == 1
    acquire(tmp_path).release()


def test_an_opener_waits_for_a_holder_that_is_going(tmp_path, holder):
    other = holder("release")

    async def run():
        waiting = asyncio.ensure_future(FolderLock.acquire(tmp_path, clock=LoopClock(), timeout_s=5.0))
        await asyncio.sleep(0)
        other.stdin.close()
        return await waiting

    held = asyncio.run(run())
    held.release()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path, holder):
    other = holder()
    other.kill()
    other.wait()

    held = acquire(tmp_path)

    assert json.loads((tmp_path / "lock.holder").read_text())["pid"] == os.getpid()
    held.release()


def test_a_child_that_outlives_the_killed_holder_does_not_keep_the_lock(tmp_path, holder):
    other = holder("fork")
    os.kill(other.pid, signal.SIGKILL)
    other.wait()

    held = acquire(tmp_path)

    with pytest.raises(DataFolderLocked):
        acquire(tmp_path)
    held.release()


def test_releasing_twice_is_releasing_once(tmp_path):
    held = acquire(tmp_path)

    held.release()
    held.release()

    assert not (tmp_path / "lock.holder").exists()
    acquire(tmp_path).release()


def test_a_holder_that_left_no_note_is_called_unknown(tmp_path, holder):
    holder()
    (tmp_path / "lock.holder").write_text("{")

    with pytest.raises(DataFolderLocked, match="in use by an unknown program "):
        acquire(tmp_path)


def test_two_data_folders_on_one_path_are_refused(tmp_path):
    async def scenario(_folder):
        with pytest.raises(DataFolderLocked):
            await asyncio.to_thread(with_folder, tmp_path / "data", scenario)

    with_folder(tmp_path / "data", scenario)


def test_a_store_that_another_process_has_open_is_refused_and_others_work(tmp_path, holder):
    async def scenario(folder):
        first, second = await made(folder, "A", "B")
        store_folder = tmp_path / "data" / "namespaces" / first / "0"
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(store_folder), "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert other.stdout.readline().startswith(b"held")

        with pytest.raises(DataFolderLocked) as caught:
            await folder.store(first)
        assert caught.value.pid == other.pid
        assert (await folder.store(second)).durable == 0
        other.communicate()
        assert (await folder.store(first)).durable == 0

    with_folder(tmp_path / "data", scenario)


def test_a_lock_that_could_not_be_taken_leaves_no_descriptor(tmp_path, holder):
    holder()
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    assert [try_lock(tmp_path, now_ms=0) for _ in range(20)] == [None] * 20

    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before


def test_a_folder_that_this_process_has_is_refused_without_a_note_too(tmp_path):
    """As between the note's removal and the end of a release, and if a person tidies up."""
    lock = acquire(tmp_path)
    (tmp_path / "lock.holder").unlink()

    with pytest.raises(DataFolderLocked):
        acquire(tmp_path)

    lock.release()
    acquire(tmp_path).release()


def test_who_had_the_folder_is_named_even_if_its_note_goes_while_it_is_waited_for(tmp_path, holder):
    other = holder()

    async def waits():
        opening = asyncio.ensure_future(FolderLock.acquire(tmp_path, clock=LoopClock(), timeout_s=LOCK_POLL_S))
        await asyncio.sleep(0)
        (tmp_path / "lock.holder").unlink()
        await opening

    with pytest.raises(DataFolderLocked) as caught:
        asyncio.run(waits())

    assert caught.value.pid == other.pid
