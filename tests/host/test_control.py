"""`control.sock`: how commands reach the process that has a data folder open, and that they do it no harm."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import DataFolderLocked, DurableObject, WrongValue
from perdure.host import control_client, control_server
from perdure.host.control_channel import ANSWERS, REQUEST_BYTES_MAX, SOCKET, message, receive, socket_path
from perdure.host.control_client import FolderAccess
from perdure.host.inspection import Inspection
from perdure.host.inspection_request import DeleteObject, ListObjects, Request, RunSql
from perdure.store.catalog import DATABASE

HOLDS_THE_LOCK = """
import asyncio, sys
from pathlib import Path
from perdure.host.clock import RealClock
from perdure.store.folder_lock import FolderLock

async def hold():
    lock = await FolderLock.acquire(Path(sys.argv[1]), clock=RealClock(), timeout_s=0)
    print("held", flush=True)
    sys.stdin.read()

asyncio.run(hold())
"""


class Note(DurableObject):
    async def write(self) -> None:
        self.ctx.storage.kv.put("text", "x")


async def names_in(folder: Path) -> list[str]:
    access = await FolderAccess.open(folder)
    try:
        return [each["name"] for each in (await access.ask(ListObjects()))["objects"]]
    finally:
        await access.close()


async def with_a_note(folder: Path) -> None:
    async with perdure.open(folder, objects=[Note]) as runtime:
        await runtime[Note]["ann"].write()


async def sent(folder: Path, data: bytes) -> bytes:
    """What comes back for these bytes."""
    with socket_path(folder) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_the_socket_is_its_owners_alone_and_goes_with_the_process_that_made_it(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Note]):
            mode = os.stat(tmp_path / SOCKET).st_mode
            assert stat.S_ISSOCK(mode)
            assert stat.S_IMODE(mode) == 0o600

    asyncio.run(scenario())
    assert not (tmp_path / SOCKET).exists()


def test_a_socket_that_a_killed_process_left_is_replaced_and_asked_in_vain_before(tmp_path):
    async def scenario():
        await with_a_note(tmp_path)
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(tmp_path / SOCKET))
        left.close()

        assert await names_in(tmp_path) == ["ann"]
        async with perdure.open(tmp_path, objects=[Note]):
            assert await names_in(tmp_path) == ["ann"]

    asyncio.run(scenario())


def test_a_folder_with_a_path_that_is_too_long_for_a_socket_has_one_too(tmp_path):
    folder = tmp_path / ("long" * 40)

    async def scenario():
        async with perdure.open(folder, objects=[Note]) as runtime:
            await runtime[Note]["ann"].write()

            assert (folder / SOCKET).exists()
            assert await names_in(folder) == ["ann"]

    asyncio.run(scenario())
    assert not (folder / SOCKET).exists()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        (REQUEST_BYTES_MAX + 1).to_bytes(4, "big"),
        b"\0\0\0\4\xc1\xc1\xc1\xc1",
        b"\0\0\0\1\x80",
    ],
    ids=["of another kind", "too long", "no message", "no request"],
)
def test_a_client_that_talks_nonsense_gets_an_error_or_nothing_and_harms_nobody(tmp_path, data):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Note]) as runtime:
            await runtime[Note]["ann"].write()

            answer = await sent(tmp_path, data)

            assert not answer or b"does not know this request" in answer
            assert await names_in(tmp_path) == ["ann"]

    asyncio.run(scenario())


def test_a_client_that_says_nothing_is_let_go_and_others_are_answered_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(control_server, "RECEIVE_S", 0.05)

    async def scenario():
        async with perdure.open(tmp_path, objects=[Note]) as runtime:
            await runtime[Note]["ann"].write()
            silent = [asyncio.ensure_future(sent(tmp_path, b"\0")) for _ in range(3)]

            assert await names_in(tmp_path) == ["ann"]
            assert await asyncio.gather(*silent) == [b"", b"", b""]

    asyncio.run(scenario())


def test_more_clients_than_are_served_are_let_go_and_the_rest_is_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(control_server, "CLIENTS_MAX", 2)

    async def scenario():
        async with perdure.open(tmp_path, objects=[Note]) as runtime:
            await runtime[Note]["ann"].write()
            with socket_path(tmp_path) as path:
                waiting = [await asyncio.open_unix_connection(path) for _ in range(2)]
            refused = await sent(tmp_path, b"")
            assert refused == b""
            for _, writer in waiting:
                writer.close()
                await writer.wait_closed()

            async with asyncio.timeout(20):
                while True:
                    try:
                        assert await names_in(tmp_path) == ["ann"]
                        break
                    except perdure.Disconnected:
                        await asyncio.sleep(0)

    asyncio.run(scenario())


@pytest.mark.parametrize("who", ["served", "alone"])
def test_a_question_in_bytes_that_are_no_utf_8_is_refused_by_whoever_answers(tmp_path, who, monkeypatch):
    """As a shell passes them on; the command's own words say what has the folder open."""
    monkeypatch.setattr(sys, "argv", ["perdure", "objects", "delete", "Note", "\udcff"])

    async def scenario():
        runtime = await perdure.open(tmp_path, objects=[Note])
        await runtime[Note]["ann"].write()
        if who == "alone":
            await runtime.aclose()
        access = await FolderAccess.open(tmp_path)
        for request in (
            DeleteObject("Note", "\udcff"),
            ListObjects("Note", "\udcff*"),
            RunSql("N\udcff", "ann", "SELECT 1"),
        ):
            with pytest.raises(WrongValue, match="UTF-8"):
                await access.ask(request)
        await access.close()
        await runtime.aclose()

    asyncio.run(scenario())


def test_a_close_does_not_wait_for_clients(tmp_path):
    async def scenario():
        runtime = await perdure.open(tmp_path, objects=[Note])
        silent = asyncio.ensure_future(sent(tmp_path, b"\0"))
        await asyncio.sleep(0)

        async with asyncio.timeout(5):
            await runtime.aclose()
            assert await silent == b""

    asyncio.run(scenario())


def test_a_question_goes_on_when_the_process_that_served_goes_and_a_write_says_that_its_end_is_unknown(tmp_path):
    async def scenario():
        runtime = await perdure.open(tmp_path, objects=[Note])
        await runtime[Note]["ann"].write()
        reading, writing = await FolderAccess.open(tmp_path), await FolderAccess.open(tmp_path)
        await runtime.aclose()

        with pytest.raises(perdure.Disconnected, match="look before you ask"):
            await writing.ask(DeleteObject("Note", "ann"))
        assert [each["name"] for each in (await reading.ask(ListObjects()))["objects"]] == ["ann"]
        await reading.close()
        await writing.close()

    asyncio.run(scenario())


def test_a_close_lets_what_was_asked_before_be_answered(tmp_path, monkeypatch):
    async def scenario():
        received = asyncio.Event()

        async def answer(self: Inspection, request: Request, *progress: Any) -> object:
            received.set()
            while (tmp_path / SOCKET).exists():  # until it is being closed
                await asyncio.sleep(0)
            return await answer_of_inspection(self, request, *progress)

        answer_of_inspection = Inspection.answer
        monkeypatch.setattr(Inspection, "answer", answer)
        runtime = await perdure.open(tmp_path, objects=[Note])
        await runtime[Note]["ann"].write()
        with socket_path(tmp_path) as path:
            reader, writer = await asyncio.open_unix_connection(path)
        writer.write(message(RunSql("Note", "ann", "CREATE TABLE t (v)", write=True)))
        await received.wait()

        await runtime.aclose()
        answer = ANSWERS.decode(await receive(reader, bytes_max=1000))
        assert answer.result == {"columns": [], "rows": [], "written": 0}
        writer.close()

    asyncio.run(scenario())


def test_a_folder_that_a_process_without_a_socket_holds_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(control_client, "HANDOVER_S", 0)
    asyncio.run(with_a_note(tmp_path))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS_THE_LOCK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()

        with pytest.raises(DataFolderLocked, match=rf"(?s)process {holder.pid}.*no control.sock"):
            asyncio.run(names_in(tmp_path))
    finally:
        holder.communicate()


def test_a_folder_is_not_made_by_looking_for_data_in_it(tmp_path):
    with pytest.raises(WrongValue, match="--data"):
        asyncio.run(names_in(tmp_path / "nothing"))

    assert not (tmp_path / "nothing").exists()
    assert not (tmp_path / DATABASE).exists()
